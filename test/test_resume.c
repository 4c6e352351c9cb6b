/* test_resume.c - a training can be stopped, killed or out of room at any moment, and goes on
 * without changing a bit. SPDX-License-Identifier: MIT */
#include "training.h"

static training *mixed(const char *results)
{
    training *t = rich(results);
    t->c.amp = true;
    return t;
}

static const struct {
    const char *name;
    maker *make;
} kinds[] = { { "simple", simple }, { "rich", rich }, { "mixed", mixed } };

/* ---- Determinism ---- */

static void the_seed_decides_everything(void **state)
{
    (void)state;
    for (int k = 0; k < TL_LEN(kinds); k++) {
        training *t = kinds[k].make("a");
        remove_all(in(place, "a"));
        ok(run(t));
        const struct {
            const char *name;
            int threads;
            size_t cache;
        } rows[] = { { "again", 1, 0 }, { "threads", 3, 0 }, { "cache", 2, 1 << 20 } };
        for (int i = 0; i < TL_LEN(rows); i++) {
            remove_all(in(place, rows[i].name));
            t = kinds[k].make(rows[i].name);
            t->c.loader.threads = rows[i].threads;
            t->c.loader.cache_bytes = rows[i].cache;
            ok(run(t));
            same_results("a", rows[i].name, EPOCHS);
        }
        remove_all(in(place, "other"));
        t = kinds[k].make("other");
        t->c.seed = t->c.loader.seed = 6;
        ok(run(t));
        assert_false(same_file(weights("a", EPOCHS), weights("other", EPOCHS)));
    }
}

static void stopping_changes_nothing(void **state)
{
    (void)state;
    static const int after[] = {
        0, 1, STEPS - 1, STEPS, STEPS + 2, 2 * STEPS + 1, 3 * STEPS
    }; /* 0: before the first step */
    for (int k = 0; k < TL_LEN(kinds); k++) {
        const char *whole = tl_printf(a, "%s-whole", kinds[k].name);
        ok(run(kinds[k].make(whole)));
        for (int i = 0; i < TL_LEN(after); i++) {
            const char *results = tl_printf(a, "%s-%d", kinds[k].name, after[i]);
            training *t = kinds[k].make(results);
            t->stop_after = after[i];
            t->stop = after[i] == 0;
            tl_status s = run(t);
            if (after[i] == EPOCHS * STEPS) {
                ok(s); /* the end came first */
            } else {
                refused(s, TL_ESTOPPED, "--resume");
                assert_non_null(strstr(
                    tl_errmsg(), tl_printf(a, "after %d of %d batches", after[i] % STEPS, STEPS)));
                t = kinds[k].make(results);
                t->c.resume = true;
                ok(run(t));
                assert_int_equal(t->steps, EPOCHS * STEPS - after[i]);
                assert_non_null(strstr(tl_text_end(&t->said), "resuming from"));
            }
            same_results(whole, results, EPOCHS);
        }
    }
}

static void stopping_again_and_again(void **state)
{
    (void)state;
    ok(run(rich("whole")));
    int runs = 0;
    for (tl_status s = TL_ESTOPPED; s; runs++) {
        training *t = rich("parts");
        t->c.resume = runs > 0;
        t->stop_after = 1 + runs % 2;
        s = run(t);
        if (s && s != TL_ESTOPPED) ok(s);
    }
    assert_true(runs > STEPS);
    same_results("whole", "parts", EPOCHS);
}

/* As after a crash between a checkpoint and the link to it. */
static void the_link_to_the_best_is_mended(void **state)
{
    (void)state;
    training *t = simple("out");
    ok(run(t));
    const char *link = in(place, "out/weights/tiny_best.onnx"), *best = t->result.best_path;
    unlink(link);
    assert_int_equal(symlink("tiny_000.onnx", link), 0);
    ok(go_on(simple, "out"));
    assert_true(same_file(link, best));
}

static void more_epochs_can_be_added(void **state)
{
    (void)state;
    training *t = simple("out");
    ok(run(t));
    t = simple("out");
    t->c.resume = true;
    t->c.epochs = EPOCHS + 1;
    ok(run(t));
    assert_int_equal(t->steps, STEPS);
    assert_true(tl_file_exists(weights("out", EPOCHS + 1)));
}

/* kill -9 after a step, after a message (between the table's row and the checkpoint, for one), and
 * wherever the clock says. */
static void killing_changes_nothing(void **state)
{
    (void)state;
    ok(run(rich("whole")));
    static const int steps[] = { 1, STEPS, STEPS + 1, STEPS + 3, 2 * STEPS };
    for (int i = 0; i < TL_LEN(steps) + 3 + 6; i++) {
        const char *results = tl_printf(a, "kill%d", i);
        tl_rng r = tl_rng_at(11, (uint64_t)i, 0, 0);
        training *t = rich(results);
        bool by_clock = i >= TL_LEN(steps) + 3;
        if (i < TL_LEN(steps)) t->kill_after = steps[i];
        else if (!by_clock)
            t->kill_at_word = i - TL_LEN(steps);
        bool through = in_child(t, by_clock ? tl_rng_below(&r, 60000) : -1);
        assert_true(!through || by_clock);
        if (!through) ok(go_on(rich, results));
        same_results("whole", results, EPOCHS);
    }
}

/* ---- A full disk ---- */

/* The disk is full at the n-th write, for every n; with room again, the training goes on as if
 * nothing had happened. */
static void a_full_disk_at_every_write(void **state)
{
    (void)state;
    tl_status s = TL_EIO;
    int n = 0;
    ok(run(simple("whole")));
    for (; s; n++) {
        const char *results = tl_printf(a, "full%d", n);
        tl_write_countdown = n;
        s = run(simple(results));
        tl_write_countdown = -1;
        if (s) {
            refused(s, TL_EIO, "No space left on device");
            ok(go_on(simple, results));
        }
        same_results("whole", results, EPOCHS);
        remove_all(in(place, results));
    }
    assert_true(n > 8 * EPOCHS);
}

/* ---- What is in the folder ---- */

static void folders_are_not_mixed_up(void **state)
{
    (void)state;
    training *t = simple("out");
    t->c.resume = true;
    refused(run(t), TL_EARG, "no checkpoint of tiny to resume from");
    assert_non_null(strstr(tl_errmsg(), "without --resume"));
    ok(run(simple("out")));
    const char *csv = text_of(in(t->c.results, "training.csv"));
    refused(run(simple("out")), TL_EARG, "holds a training already");
    t = simple("out");
    t->c.name = "other";
    refused(run(t), TL_EARG, "holds a training already");
    t->c.resume = true;
    refused(run(t), TL_EARG, "no checkpoint of other");
    t = simple("out");
    t->c.resume = true;
    t->c.recipe.optimizer.kind = TL_ADAM;
    refused(run(t), TL_EFORMAT, "another optimizer");
    assert_string_equal(csv, text_of(in(t->c.results, "training.csv")));
    for (int e = EPOCHS - 1; e <= EPOCHS; e++) ok(tl_file_write(weights("out", e), "x", 1));
    t = simple("out");
    t->c.resume = true;
    refused(run(t), TL_EFORMAT, "no checkpoint in");
    refused(run(simple("out")), TL_EARG, "holds a training already");
}

static void sealed_trainings_resume(void **state)
{
    (void)state;
    training *t = simple("out");
    t->c.key = "secret";
    t->stop_after = 2;
    refused(run(t), TL_ESTOPPED, "--resume");
    t = simple("out");
    t->c.resume = true;
    refused(run(t), TL_EFORMAT, "sealed");
    t->c.key = "wrong";
    refused(run(t), TL_EFORMAT, "wrong key");
    t = simple("out");
    t->c.resume = true;
    t->c.key = "secret";
    ok(run(t));
    assert_string_equal(t->result.best_path + strlen(t->result.best_path) - 4, ".tlt");
}

static void resuming_after_the_head(void **state)
{
    (void)state;
    training *t;
    for (int i = 0; i < 2; i++) {
        t = rich(i ? "parts" : "whole");
        t->c.head_first = true;
        t->stop_after = i ? 2 : -1;
        t->stop = 0;
        if (!i) ok(run(t));
        else
            refused(run(t), TL_ESTOPPED, "--resume");
    }
    double frozen = t->result.frozen_acc;
    t = rich("parts");
    t->c.head_first = t->c.resume = true;
    ok(run(t));
    assert_true(t->result.frozen_acc >= frozen);
    assert_null(
        strstr(tl_text_end(&t->said), "frozen trunk with a trained head")); /* not fitted again */
    same_results("whole", "parts", EPOCHS);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up_sets, tear_down)
    const struct CMUnitTest tests[] = {
        T(the_seed_decides_everything),    T(stopping_changes_nothing), T(stopping_again_and_again),
        T(the_link_to_the_best_is_mended), T(more_epochs_can_be_added), T(killing_changes_nothing),
        T(a_full_disk_at_every_write),     T(folders_are_not_mixed_up), T(sealed_trainings_resume),
        T(resuming_after_the_head),
    };
    tl_dnn_threads(1); /* children of a process with OpenMP threads would wait for them for ever */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
