/* test_features.c - with features computed once, a head trains to the same weights, bit for bit.
 * SPDX-License-Identifier: MIT */
#include "training.h"

enum { PICTURES = (EACH + 3) * CLASSES }; /* to train on and to validate */

/* Both blocks frozen, nothing cached. */
static training *plain(const char *results)
{
    training *t = simple(results);
    t->c.model = tiny_model(0.3f, 1);
    t->c.loader.hflip = true;
    t->c.loader.smoothing = 0.1f;
    tl_graph *g = t->c.model->g;
    for (int i = 0; i < g->n; i++) {
        g->node[i].fixed_stats = g->node[i].op == &tl_op_bn;
        for (int k = 0; k < TL_MAX_PARAM; k++) g->node[i].p[k].frozen = g->node[i].block >= 0;
    }
    return t;
}

static training *in_memory(const char *results)
{
    training *t = plain(results);
    t->c.cache_features = 1 << 20;
    return t;
}

static training *on_disk(const char *results)
{
    training *t = plain(results);
    t->c.cache_features = 1;
    return t;
}

static const char *cache_file(const char *results) { return tl_printf(a, "%s/%s/features.cache", place, results); }

static void computed(training *t, int want)
{
    if (!strstr(tl_text_end(&t->said), tl_printf(a, " each: %d computed", want))) fail_msg("not %d, but: %s", want, tl_text_end(&t->said));
}

static void no_bit_changes(void **state)
{
    (void)state;
    const struct { bool hflip, crop; int threads, bad; } rows[] = {
        { true, false, 1, 0 }, { false, true, 3, 0 }, { true, true, 2, 2 },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        const char *name[] = { tl_printf(a, "plain%d", i), tl_printf(a, "memory%d", i), tl_printf(a, "disk%d", i) };
        maker *const make[] = { plain, in_memory, on_disk };
        for (int b = 0; b < rows[i].bad; b++)
            ok(tl_file_write(in(place, b ? "val/owl/1.png" : "train/dog/4.png"), "not a picture", 13));
        for (int k = 0; k < TL_LEN(make); k++) {
            training *t = make[k](name[k]);
            t->c.loader.hflip = rows[i].hflip;
            t->c.model->center_crop = rows[i].crop;
            t->c.loader.threads = k ? rows[i].threads : 1;
            ok(run(t));
            if (k) computed(t, PICTURES - rows[i].bad);
            same_results(name[0], name[k], EPOCHS);
            const char *list = in(t->c.results, "unreadable.txt");
            assert_int_equal(tl_file_exists(list), rows[i].bad > 0);
            if (rows[i].bad) assert_string_equal(text_of(list), text_of(tl_printf(a, "%s/%s/unreadable.txt", place, name[0])));
            assert_false(tl_file_exists(cache_file(name[k]))); /* removed at the end */
        }
    }
    training *t = plain("unmirrored");
    t->c.loader.hflip = false;
    ok(run(t));
    assert_false(same_file(weights("unmirrored", EPOCHS), weights("plain0", EPOCHS)));
}

static void stopped_and_resumed(void **state)
{
    (void)state;
    static const int after[] = { 1, STEPS, STEPS + 2, 2 * STEPS + 1 };
    maker *const make[] = { in_memory, on_disk };
    ok(run(plain("whole")));
    for (int k = 0; k < TL_LEN(make); k++)
        for (int i = 0; i < TL_LEN(after); i++) {
            const char *results = tl_printf(a, "%d-%d", k, after[i]);
            training *t = make[k](results);
            t->stop_after = after[i];
            refused(run(t), TL_ESTOPPED, "--resume");
            assert_int_equal(tl_file_exists(cache_file(results)), make[k] == on_disk);
            t = make[k](results);
            t->c.resume = true;
            ok(run(t));
            computed(t, make[k] == on_disk ? 0 : PICTURES);
            same_results("whole", results, EPOCHS);
        }
    training *t = on_disk("at-once");
    t->stop = 1;
    refused(run(t), TL_ESTOPPED, "while computing features");
    ok(go_on(on_disk, "at-once"));
    same_results("whole", "at-once", EPOCHS);
}

/* kill -9 while features are computed: those that were written are used. */
static void killed_while_computing(void **state)
{
    (void)state;
    ok(run(plain("whole")));
    static const int at[] = { 0, BATCH, 3 * BATCH, 4 * BATCH };
    for (int i = 0; i < TL_LEN(at); i++) {
        const char *results = tl_printf(a, "kill%d", i);
        training *t = on_disk(results);
        t->kill_at_features = at[i];
        assert_false(in_child(t, -1));
        t = on_disk(results);
        ok(run(t));
        computed(t, PICTURES - at[i]);
        same_results("whole", results, EPOCHS);
    }
}

/* A stopped training's file with some of its bytes changed, or made by another trunk. */
static void torn_and_foreign_files(void **state)
{
    (void)state;
    ok(run(plain("whole")));
    for (int i = 0; i < 4; i++) {
        const char *results = tl_printf(a, "torn%d", i), *file = cache_file(results);
        training *t = on_disk(results);
        t->stop_after = 2;
        refused(run(t), TL_ESTOPPED, "--resume");
        tl_bytes b = slurp(file);
        uint8_t *p = tl_alloc_raw(a, b.n);
        memcpy(p, b.p, b.n);
        if (i == 0) p[b.n / 2] ^= 1;
        if (i == 1) b.n -= 20;
        if (i == 2) p[20] ^= 1; /* the key */
        ok(tl_file_write(file, p, b.n));
        if (i == 3) ok(tl_file_write(in(place, "train/cat/0.png"), slurp(in(place, "train/cat/1.png")).p, slurp(in(place, "train/cat/1.png")).n));
        t = on_disk(results);
        t->c.resume = true;
        ok(run(t));
        computed(t, i == 0 ? BATCH : i == 1 ? 1 : PICTURES);
        if (i < 3) same_results("whole", results, EPOCHS);
    }
}

static void a_full_disk(void **state)
{
    (void)state;
    tl_status s = TL_EIO;
    ok(run(plain("whole")));
    for (int n = 0; s; n += 1 + n / 8) {
        const char *results = tl_printf(a, "full%d", n);
        tl_write_countdown = n;
        s = run(on_disk(results));
        tl_write_countdown = -1;
        if (s) {
            refused(s, TL_EIO, "No space left on device");
            ok(go_on(on_disk, results));
        }
        same_results("whole", results, EPOCHS);
        remove_all(in(place, results));
    }
}

static void it_says_why_not(void **state)
{
    (void)state;
    static const char *const words[] = { "enable_random_crop", "mixup_alpha", "freeze_blocks" };
    for (int i = 0; i < TL_LEN(words); i++) {
        training *t = in_memory(words[i]);
        t->c.epochs = 1;
        t->c.loader.random_crop = i == 0;
        t->c.loader.mixup_alpha = i == 1 ? 0.2f : 0;
        if (i == 2) t->c.model = tiny_model(0, 1);
        ok(run(t));
        const char *said = tl_text_end(&t->said), *first = strstr(said, "features are not cached");
        assert_non_null(first);
        assert_non_null(strstr(first, words[i]));
        assert_null(strstr(first + 1, "features are not cached"));
    }
}

int main(void)
{
#undef T
#define T(f) cmocka_unit_test_setup_teardown(f, set_up_sets, tear_down)
    const struct CMUnitTest tests[] = {
        T(no_bit_changes), T(stopped_and_resumed), T(killed_while_computing), T(torn_and_foreign_files), T(a_full_disk), T(it_says_why_not),
    };
    tl_dnn_threads(1); /* children of a process with OpenMP threads would wait for them for ever */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
