/* test_checkpoint.c - checkpoints come back bit for bit, or not at all. SPDX-License-Identifier:
 * MIT */
#include "seal.h"
#include "tiny.h"

static const tl_train_state somewhere = { .epoch = 3,
                                          .step = 1234567890123,
                                          .best_epoch = 2,
                                          .best_acc = 1.0 / 3,
                                          .best_loss = 0.1,
                                          .frozen_acc = 2.0 / 7,
                                          .loss_sum = 1e-300,
                                          .seconds = 12.5,
                                          .hits = 17,
                                          .seen = 40 };

/* A training under way: every number it consists of is random. */
typedef struct {
    tl_recipe recipe;
    tl_model *m;
    tl_plan *p;
    tl_weights w;
} training;

static void draw(float *f, size_t n, uint64_t seed)
{
    tl_rng r = tl_rng_at(seed, n, 0, 0);
    for (size_t i = 0; f && i < n; i++) f[i] = tl_normal(&r);
}

static training *start(tl_optimizer_kind kind, float average, uint64_t seed)
{
    tl_vals target;
    training *t = tl_new(a, training, 1);
    t->recipe = (tl_recipe){ .optimizer = { .kind = kind }, .average = average };
    t->m = tiny_model(0, seed);
    TL_EACH_PARAM(t->m->g, i, k)
    draw(t->m->g->node[i].p[k].w, tl_dims_count(t->m->g->node[i].p[k].dims),
         seed + (uint64_t)(9 * i + k));
    tl_val loss = tl_model_loss(t->m, &target);
    ok(tl_plan_new(t->m->g, a, &(tl_plan_conf){ .batch = 1, .train = true, .loss = loss }, &t->p));
    ok(tl_weights_new(a, t->p, &t->recipe, &t->w));
    for (int i = 0; i < t->w.n; i++) {
        tl_weight *w = &t->w.at[i];
        draw(w->mean, w->n, seed + (uint64_t)i);
        for (int k = 0; k < TL_SLOTS; k++) draw(w->slot[k], w->n, seed + (uint64_t)(100 * k + i));
    }
    return t;
}

static bool same_training(const training *x, const training *y)
{
    if (!same_weights(x->m->g, y->m->g) || x->w.n != y->w.n) return false;
    for (int i = 0; i < x->w.n; i++) {
        const tl_weight *p = &x->w.at[i], *q = &y->w.at[i];
        size_t n = p->n * sizeof(float);
        if (p->n != q->n || (p->mean && memcmp(p->mean, q->mean, n))) return false;
        for (int k = 0; k < x->w.optim->slots; k++)
            if (memcmp(p->slot[k], q->slot[k], n)) return false;
    }
    return true;
}

static tl_checkpoints files(const char *key) { return (tl_checkpoints){ place, "tiny", key }; }

static void save_at(const tl_checkpoints *c, training *t, int epoch, int batch)
{
    tl_train_state s = somewhere;
    s.epoch = epoch;
    s.batch = batch;
    s.best_epoch = epoch;
    ok(tl_checkpoint_save(c, t->m, &s, &t->w));
}

/* The newest checkpoint is the one of this epoch and batch (-1: none); returns what was said about
 * the others. */
static const char *newest(const tl_checkpoints *c, int epoch, int batch)
{
    tl_checkpoint k;
    const char *notes;
    ok(tl_checkpoint_find(a, c, &k, &notes));
    assert_int_equal(k.model ? k.state.epoch : -1, epoch);
    if (k.model) assert_int_equal(k.state.batch, batch);
    return notes;
}

static bool there(const char *name) { return tl_file_exists(in(place, name)); }

static void damage(const char *name, size_t at)
{
    tl_bytes b = slurp(in(place, name));
    ((uint8_t *)(uintptr_t)b.p)[at < b.n ? at : b.n - 1] ^= 1;
    ok(tl_file_write(in(place, name), b.p, b.n));
}

/* ---- Tests ---- */

static void everything_comes_back(void **state)
{
    (void)state;
    const struct {
        tl_optimizer_kind kind;
        float average;
        const char *key;
    } rows[] = { { TL_SGD, 0, NULL },
                 { TL_ADAM, 0, "" },
                 { TL_RMSPROP, 0.9f, NULL },
                 { TL_ADAM, 0.9f, NULL },
                 { TL_ADAM, 0.9f, "secret" } };
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_checkpoints c = files(rows[i].key);
        training *t = start(rows[i].kind, rows[i].average, 1),
                 *back = start(rows[i].kind, rows[i].average, 2);
        tl_checkpoint k;
        const char *notes;
        tl_transfer report;
        remove_all(place);
        ok(tl_mkdirs(place));
        tl_weights_swap(&t->w); /* as when training: the model holds the averages */
        ok(tl_checkpoint_save(&c, t->m, &somewhere, &t->w));
        tl_weights_swap(&t->w);
        assert_false(same_training(t, back));
        ok(tl_checkpoint_find(a, &c, &k, &notes));
        assert_string_equal(notes, "");
        assert_memory_equal(&k.state, &somewhere, sizeof somewhere);
        ok(tl_model_transfer(back->m, k.model, false, false, 0, &report));
        ok(tl_checkpoint_restore(&k, &back->w));
        tl_weights_swap(&back->w);
        if (!same_training(t, back)) fail_msg("row %d: something else came back", i);
        const char *suffix = rows[i].key && rows[i].key[0] ? ".tlt" : ".onnx";
        assert_string_equal(k.path, tl_printf(a, "%s/tiny_003%s", place, suffix));
        assert_int_equal(tl_is_sealed(slurp(k.path)), suffix[1] == 't');
        assert_int_equal(tl_is_sealed(slurp(in(place, "tiny_003.state"))), suffix[1] == 't');
    }
}

static void an_unmeasured_frozen_trunk_stays_unmeasured(void **state)
{
    (void)state;
    tl_checkpoints c = files(NULL);
    training *t = start(TL_SGD, 0, 1);
    tl_train_state s = somewhere;
    tl_checkpoint k;
    const char *notes;
    s.frozen_acc = -1;
    ok(tl_checkpoint_save(&c, t->m, &s, &t->w));
    ok(tl_checkpoint_find(a, &c, &k, &notes));
    assert_memory_equal(&k.state, &s, sizeof s);
}

static tl_status parse(tl_arena *scratch, tl_bytes b)
{
    tl_checkpoint k = { 0 };
    const char *sum;
    return tl_checkpoint_parse(scratch, b, &k, &sum);
}

static void every_changed_byte_is_noticed(void **state)
{
    (void)state;
    tl_checkpoints c = files(NULL);
    training *t = start(TL_SGD, 0, 1);
    ok(tl_checkpoint_save(&c, t->m, &somewhere, &t->w));
    tl_bytes b = slurp(in(place, "tiny_003.state"));
    ok(parse(a, b));
    for (size_t i = 0; i < b.n; i++) {
        uint8_t *p = (uint8_t *)(uintptr_t)b.p + i;
        *p ^= (uint8_t)(1 << i % 8);
        if (parse(a, b) != TL_EFORMAT) fail_msg("byte %zu of %zu", i, b.n);
        *p ^= (uint8_t)(1 << i % 8);
    }
    for (size_t n = 0; n < b.n; n++)
        if (parse(a, (tl_bytes){ b.p, n }) != TL_EFORMAT)
            fail_msg("cut off after %zu of %zu bytes", n, b.n);
    ok(parse(a, b));
}

/* Whole files, checksum included, whose header lies. */
static void headers_that_make_no_sense_are_refused(void **state)
{
    (void)state;
#define GOOD                                                                                       \
    "\"epoch\":1,\"batch\":0,\"step\":1,\"best_epoch\":0,\"best_acc\":0,\"best_loss\":0,\"loss_"   \
    "sum\":0,\"seconds\":0,\"hits\":0,\"seen\":0"
    static const struct {
        const char *header, *words;
    } rows[] = {
        { "", "header is damaged" },
        { "[]", "lacks epoch" },
        { "{" GOOD "}", "lacks floats" },
        { "{" GOOD ",\"floats\":0}", "arrays are incomplete" }, /* no model */
        { "{" GOOD ",\"floats\":2,\"model\":\"x\"}", "arrays are incomplete" },
        { "{" GOOD ",\"floats\":\"1\",\"model\":\"x\"}", "lacks floats" },
        { "{" GOOD ",\"floats\":1,\"model\":1}", "arrays are incomplete" },
        { "{\"epoch\":1," GOOD ",\"floats\":1,\"model\":\"x\"}", "header is damaged" },
        { "{\"epoch\":-1,\"batch\":0,\"step\":1,\"best_epoch\":0,\"best_acc\":0,\"best_loss\":0,"
          "\"loss_sum\":0,\"seconds\":0,\"hits\":0,\"seen\":0,"
          "\"floats\":1,\"model\":\"x\"}",
          "makes no sense" },
        { "{\"epoch\":1,\"batch\":0,\"step\":1e300,\"best_epoch\":0,\"best_acc\":0,\"best_loss\":0,"
          "\"loss_sum\":0,\"seconds\":0,\"hits\":0,\"seen\":0,"
          "\"floats\":1,\"model\":\"x\"}",
          "makes no sense" },
        { "{" GOOD ",\"floats\":1,\"model\":\"x\"}", "" },
    };
#undef GOOD
    for (int i = 0; i < TL_LEN(rows); i++) {
        uint8_t file[1024] = "TLCSTAT1";
        char sum[TL_CHECKSUM_SIZE];
        uint32_t len = (uint32_t)strlen(rows[i].header);
        size_t n = 12 + len + sizeof(float);
        memcpy(file + 8, &len, 4);
        memcpy(file + 12, rows[i].header, len);
        ok(tl_checksum((tl_bytes){ file, n }, sum));
        memcpy(file + n, sum, sizeof sum);
        tl_status s = parse(a, (tl_bytes){ file, n + sizeof sum - 1 });
        if (rows[i].words[0]) refused(s, TL_EFORMAT, rows[i].words);
        else
            ok(s);
    }
    uint8_t file[8 + 4 + 4 + TL_CHECKSUM_SIZE] =
        "TLCSTAT1\xff\xff\xff\xff"; /* a header longer than the file */
    char sum[TL_CHECKSUM_SIZE];
    ok(tl_checksum((tl_bytes){ file, 16 }, sum));
    memcpy(file + 16, sum, sizeof sum);
    refused(parse(a, (tl_bytes){ file, 16 + sizeof sum - 1 }), TL_EFORMAT, "header is cut off");
}

static void damage_falls_back_to_the_one_before(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t at;
        const char *note;
    } rows[] = {
        { "tiny_002.state", 0, "not a training state" },
        { "tiny_002.state", 40, "checksum is wrong" },
        { "tiny_002.onnx", 999, "is not the one it belongs to" },
    };
    tl_checkpoints c = files(NULL);
    for (int i = 0; i < TL_LEN(rows); i++) {
        save_at(&c, start(TL_ADAM, 0, 1), 1, 0);
        save_at(&c, start(TL_ADAM, 0, 2), 2, 0);
        assert_string_equal(newest(&c, 2, 0), "");
        damage(rows[i].name, rows[i].at);
        const char *notes = newest(&c, 1, 0);
        if (!strstr(notes, rows[i].note) || !strstr(notes, "tiny_002.state' is passed over"))
            fail_msg("%s: %s", rows[i].name, notes);
    }
    unlink(in(place, "tiny_002.onnx"));
    assert_non_null(strstr(newest(&c, 1, 0), "cannot open"));
    damage("tiny_001.state", 40);
    newest(&c, -1, 0);
}

static void model_and_state_of_different_trainings_do_not_mix(void **state)
{
    (void)state;
    tl_checkpoints c = files(NULL);
    save_at(&c, start(TL_ADAM, 0, 1), 1, 0);
    tl_bytes old = slurp(in(place, "tiny_001.onnx"));
    save_at(&c, start(TL_ADAM, 0, 2), 1, 0);
    newest(&c, 1, 0);
    ok(tl_file_write(in(place, "tiny_001.onnx"), old.p, old.n)); /* whole, but another one */
    assert_non_null(strstr(newest(&c, -1, 0), "is not the one it belongs to"));
}

static void arrays_of_another_training_are_refused(void **state)
{
    (void)state;
    tl_checkpoints c = files(NULL);
    tl_checkpoint k;
    const char *notes;
    save_at(&c, start(TL_ADAM, 0, 1), 1, 0);
    ok(tl_checkpoint_find(a, &c, &k, &notes));
    refused(tl_checkpoint_restore(&k, &start(TL_SGD, 0, 1)->w), TL_EFORMAT, "another optimizer");
    refused(tl_checkpoint_restore(&k, &start(TL_ADAM, 0.9f, 1)->w), TL_EFORMAT,
            "another optimizer");
    ok(tl_checkpoint_restore(&k, &start(TL_ADAM, 0, 7)->w));
}

static void a_full_disk_leaves_the_last_one_usable(void **state)
{
    (void)state;
    tl_checkpoints c = files(NULL);
    training *first = start(TL_ADAM, 0.9f, 1), *second = start(TL_ADAM, 0.9f, 2);
    tl_train_state s = somewhere;
    tl_status got = TL_EIO;
    int n = 0;
    for (; got; n++) {
        tl_checkpoint k;
        const char *notes;
        save_at(&c, first, 1, 0);
        s.epoch = 2;
        tl_write_countdown = n;
        got = tl_checkpoint_save(&c, second->m, &s, &second->w);
        tl_write_countdown = -1;
        if (!got) break;
        refused(got, TL_EIO, "No space left on device");
        assert_non_null(
            strstr(tl_errmsg(), "the checkpoint of epoch 2; the one before it is untouched"));
        ok(tl_checkpoint_find(a, &c, &k, &notes));
        assert_int_equal(k.state.epoch, 1);
        assert_true(same_weights(first->m->g, k.model->g) || !k.model);
        ok(tl_checkpoint_restore(&k, &start(TL_ADAM, 0.9f, 3)->w));
    }
    assert_true(n >= 8); /* open, write, fsync, rename, twice */
    newest(&c, 2, 0);
    tl_list names;
    ok(tl_dir_list(a, place, &names));
    assert_int_equal(names.n, 4); /* no temporary files */
}

/* Stopping twice inside the same epoch overwrites a checkpoint in place: the one before must not
 * suffer. */
static void a_full_disk_when_stopped(void **state)
{
    (void)state;
    tl_checkpoints c = files(NULL);
    training *t = start(TL_SGD, 0, 1);
    tl_train_state s = somewhere;
    tl_status got = TL_EIO;
    s.batch = 5;
    for (int n = 0; got; n++) {
        save_at(&c, t, 3, 0);
        save_at(&c, t, 3, 2);
        tl_write_countdown = n;
        t->m->history = tl_printf(a, "try %d\n", n); /* so that the files differ */
        got = tl_checkpoint_save(&c, t->m, &s, &t->w);
        tl_write_countdown = -1;
        tl_checkpoint k;
        const char *notes;
        ok(tl_checkpoint_find(a, &c, &k, &notes));
        assert_int_equal(k.state.epoch, 3);
        assert_int_equal(k.state.batch, got ? k.state.batch == 2 ? 2 : 0 : 5);
    }
}

static void keys(void **state)
{
    (void)state;
    tl_checkpoints right = files("right"), wrong = files("wrong"), none = files(NULL);
    save_at(&right, start(TL_SGD, 0, 1), 1, 0);
    assert_string_equal(newest(&right, 1, 0), "");
    assert_non_null(strstr(newest(&wrong, -1, 0), "wrong key"));
    assert_non_null(strstr(newest(&none, -1, 0), "is sealed"));
    ok(tl_checkpoint_mark(&right, "_best", 1));
    assert_true(there("tiny_best.tlt"));
}

static void old_states_go_models_stay(void **state)
{
    (void)state;
    tl_checkpoints c = files(NULL);
    training *t = start(TL_SGD, 0, 1);
    for (int e = 0; e <= 4; e++) save_at(&c, t, e, 0);
    for (int e = 0; e <= 4; e++) {
        assert_true(there(tl_printf(a, "tiny_00%d.onnx", e)));
        assert_int_equal(there(tl_printf(a, "tiny_00%d.state", e)), e >= 3);
    }
    save_at(&c, t, 1000, 0);
    assert_true(there("tiny_1000.onnx"));
    newest(&c, 1000, 0);
}

static void inside_an_epoch(void **state)
{
    (void)state;
    tl_checkpoints c = files(NULL), other = { place, "tin", NULL };
    training *t = start(TL_SGD, 0, 1);
    save_at(&c, t, 1, 0);
    save_at(&c, t, 1, 7);
    newest(&c, 1, 7);
    newest(&other, -1, 0);
    assert_true(there("tiny_interrupted.onnx") && there("tiny_001.state"));
    save_at(&c, t, 2, 0);
    newest(&c, 2, 0);
    assert_false(there("tiny_interrupted.onnx") || there("tiny_interrupted.state"));
}

static void the_best_is_a_link(void **state)
{
    (void)state;
    tl_checkpoints c = files(NULL);
    training *t = start(TL_SGD, 0, 1);
    for (int e = 1; e <= 3; e++) {
        char to[64] = "";
        save_at(&c, t, e, 0);
        t->m->history = tl_printf(a, "%d\n", e);
        ok(tl_checkpoint_mark(&c, "_best", e));
        assert_true(readlink(in(place, "tiny_best.onnx"), to, sizeof to - 1) > 0);
        assert_string_equal(
            to, tl_printf(a, "tiny_00%d.onnx", e)); /* relative: the folder may be moved */
        assert_true(same_file(in(place, "tiny_best.onnx"), in(place, to)));
    }
    c.dir = in(place, "absent");
    refused(tl_checkpoint_mark(&c, "_best", 1), TL_EIO, "cannot make the link");
}

/* Out of memory at every allocation: said so, nothing lost; afterwards all works again. */
static void memory_may_run_out(void **state)
{
    (void)state;
    tl_checkpoints c = files(NULL);
    training *t = start(TL_ADAM, 0.9f, 1);
    tl_status got = TL_ENOMEM;
    save_at(&c, t, 1, 0);
    tl_bytes b = slurp(in(place, "tiny_001.state"));
    for (int what = 0; what < 3; what++, got = TL_ENOMEM)
        for (long n = 0; got; n++) {
            tl_arena *scratch = tl_arena_new();
            tl_checkpoint k;
            const char *notes;
            tl_train_state s = somewhere;
            tl_oom_countdown = n;
            got = what == 0   ? parse(scratch, b)
                  : what == 1 ? tl_checkpoint_find(scratch, &c, &k, &notes)
                              : tl_checkpoint_save(&c, t->m, &s, &t->w);
            tl_oom_countdown = -1;
            if (got) assert_int_equal(got, TL_ENOMEM);
            tl_arena_free(scratch);
            bool saved =
                what == 2 && (!got || there("tiny_003.state")); /* tidying up may fail afterwards */
            newest(&c, saved ? 3 : 1, 0);
            unlink(in(place, "tiny_003.state"));
            if (saved) save_at(&c, t, 1, 0);
        }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(everything_comes_back),
        T(an_unmeasured_frozen_trunk_stays_unmeasured),
        T(every_changed_byte_is_noticed),
        T(headers_that_make_no_sense_are_refused),
        T(damage_falls_back_to_the_one_before),
        T(model_and_state_of_different_trainings_do_not_mix),
        T(arrays_of_another_training_are_refused),
        T(a_full_disk_leaves_the_last_one_usable),
        T(a_full_disk_when_stopped),
        T(keys),
        T(old_states_go_models_stay),
        T(inside_an_epoch),
        T(the_best_is_a_link),
        T(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
