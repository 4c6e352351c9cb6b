/* test_train.c - the training loop: it learns, it can be stopped, killed and resumed at any moment without changing a bit,
 * and it says what goes wrong. SPDX-License-Identifier: MIT */
#include "tiny.h"
#include <signal.h>
#include <sys/wait.h>

enum { EPOCHS = 3, BATCH = 4, EACH = 7, STEPS = (EACH * CLASSES + BATCH - 1) / BATCH }; /* STEPS: of an epoch */

/* ---- A training ---- */

typedef struct {
    tl_trainer_conf c;
    tl_train_result result;
    tl_text         said;
    int             steps;                    /* seen */
    int             stop_after, kill_after;   /* steps; -1: never */
    int             kill_at_word;             /* the n-th thing said is the last; -1: none */
    volatile int    stop;
    double          loss[64];                 /* of each epoch, as its last step tells */
} training;

static void hear(void *ctx, const char *text)
{
    training *t = ctx;
    tl_textf(&t->said, "%s", text);
    if (t->kill_at_word-- == 0) raise(SIGKILL);
}

static void watch(void *ctx, const tl_progress *p)
{
    training *t = ctx;
    if (strcmp(p->stage, "train")) return;
    assert_in_range(p->epoch, 1, p->epochs);
    assert_in_range(p->batch, 1, p->batches);
    assert_int_equal(p->batches, STEPS);
    assert_true(p->eta >= 0 && p->pictures_per_second > 0 && p->accuracy >= 0 && p->accuracy <= 1);
    t->loss[p->epoch - 1] = p->loss;
    t->steps++;
    if (t->steps == t->stop_after) t->stop = 1;
    if (t->steps == t->kill_after) raise(SIGKILL);
}

static tl_dataset *train_set, *val_set; /* of the test that runs */

static int set_up_sets(void **state)
{
    if (set_up(state)) return -1;
    train_set = scan(put_set(place, "train", EACH, 1), NULL);
    val_set = scan(put_set(place, "val", 3, 1000), &train_set->classes);
    return 0;
}

/* SGD on plain pictures. */
static training *simple(const char *results)
{
    training *t = tl_new(a, training, 1);
    t->said = tl_text_new(a);
    t->stop_after = t->kill_after = t->kill_at_word = -1;
    t->c = (tl_trainer_conf){
        .model = tiny_model(0, 1), .train = train_set, .val = val_set, .epochs = EPOCHS, .seed = 5, .results = in(place, results), .name = "tiny",
        .loader = { .w = SIDE, .h = SIDE, .c = 3, .batch = BATCH, .threads = 1, .seed = 5, .max_bad = 0.2f },
        .recipe = { .optimizer = { .kind = TL_SGD, .momentum = 0.9f }, .schedule = { .kind = TL_LR_COSINE, .base = 0.1f }, .block_decay = 1 },
        .listener = { .say = hear, .progress = watch, .ctx = t, .stop = &t->stop },
    };
    t->c.loader.norm = t->c.model->norm;
    return t;
}

/* All that is random or remembered: crops, colors, flips, mixup, smoothing, dropout, Adam, averages, clipping. */
static training *rich(const char *results)
{
    training *t = simple(results);
    tl_loader_conf *l = &t->c.loader;
    t->c.model = tiny_model(0.3f, 1);
    l->random_crop = l->color = l->hflip = true;
    l->mixup_alpha = 0.4f;
    l->smoothing = 0.1f;
    t->c.recipe = (tl_recipe){
        .optimizer = { .kind = TL_ADAM, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-7f, .decay = 0.01f },
        .schedule = { .kind = TL_LR_SOFT_ANNEAL, .base = 0.01f, .soft_start = 0.3f }, .regularizer = { TL_REG_L2, 1e-3f, true, true, true },
        .clip = 1, .block_decay = 0.8f, .average = 0.8f,
    };
    return t;
}

static tl_status run(training *t) { return tl_train(a, &t->c, &t->result); }

static char *weights(const char *results, int epoch)
{
    return tl_printf(a, "%s/%s/weights/tiny_%03d.onnx", place, results, epoch);
}

/* The optimizer's arrays and the counters; seconds differ from run to run. */
static tl_checkpoint arrays(const char *results)
{
    tl_checkpoint k;
    const char *notes;
    ok(tl_checkpoint_find(a, &(tl_checkpoints){ tl_printf(a, "%s/%s/weights", place, results), "tiny", NULL }, &k, &notes));
    assert_string_equal(notes, "");
    assert_non_null(k.model);
    k.state.seconds = 0;
    return k;
}

/* Both trainings left the same: every model, the table, and what a resumed one would go on from. */
static void same_results(const char *x, const char *y, int epochs)
{
    for (int e = 1; e <= epochs; e++)
        if (!same_file(weights(x, e), weights(y, e))) fail_msg("epoch %d of %s is not that of %s", e, y, x);
    assert_true(same_file(tl_printf(a, "%s/%s/weights/tiny_best.onnx", place, x), tl_printf(a, "%s/%s/weights/tiny_best.onnx", place, y)));
    assert_string_equal(text_of(tl_printf(a, "%s/%s/training.csv", place, x)), text_of(tl_printf(a, "%s/%s/training.csv", place, y)));
    tl_checkpoint p = arrays(x), q = arrays(y);
    assert_memory_equal(&p.state, &q.state, sizeof p.state);
    assert_int_equal(p.arrays.n, q.arrays.n);
    assert_memory_equal(p.arrays.p, q.arrays.p, p.arrays.n);
}

typedef training *maker(const char *results);
static const struct {
    const char *name;
    maker *make;
} kinds[] = { { "simple", simple }, { "rich", rich } };

/* The same training, going on where the folder says, until it is through. */
static tl_status go_on(maker *make, const char *results)
{
    training *t = make(results);
    t->c.resume = !tl_train_check(a, t->c.results, "tiny", true); /* stopped before there was anything: begin again */
    return run(t);
}

/* ---- Learning ---- */

static void it_learns(void **state)
{
    (void)state;
    training *t = simple("out");
    t->c.epochs = 8;
    ok(run(t));
    if (!(t->loss[7] < 0.5 * t->loss[0]) || t->result.last_acc < 0.7) fail_msg("%s", tl_text_end(&t->said));
    assert_true(t->result.best_epoch >= 1 && t->result.best_acc >= t->result.last_acc && t->result.frozen_acc < 0);
    assert_string_equal(t->result.best_path, weights("out", t->result.best_epoch));
    assert_int_equal(t->steps, 8 * STEPS);
}

static void it_leaves_what_it_should(void **state)
{
    (void)state;
    training *t = simple("out");
    ok(run(t));
    const char *csv = text_of(in(t->c.results, "training.csv")), *status = text_of(in(t->c.results, "status.json")), *said = tl_text_end(&t->said);
    assert_true(!strncmp(csv, "epoch,acc,loss,lr,val_acc,val_loss\n0,", 37));
    assert_non_null(strstr(csv, "\n2,"));
    assert_null(strstr(csv, "\n3,"));
    const char *first = strstr(status, "STARTED"), *middle = strstr(status, "RUNNING"), *last = strstr(status, "SUCCESS");
    assert_true(first && middle > first && last > middle && !strstr(status, "FAILURE"));
    for (int e = 1; e <= EPOCHS; e++) {
        tl_model *m;
        ok(tl_model_load(a, weights("out", e), NULL, &m));
        assert_non_null(strstr(said, tl_printf(a, "epoch %d/%d: loss ", e, EPOCHS)));
    }
    tl_list events;
    ok(tl_dir_list(a, in(t->c.results, "events"), &events));
    assert_int_equal(events.n, 1);
    assert_false(tl_file_exists(in(t->c.results, "unreadable.txt")));
    assert_null(strstr(said, "warning"));
}

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
    static const int after[] = { 0, 1, STEPS - 1, STEPS, STEPS + 2, 2 * STEPS + 1, 3 * STEPS }; /* 0: before the first step */
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
                assert_non_null(strstr(tl_errmsg(), tl_printf(a, "after %d of %d batches", after[i] % STEPS, STEPS)));
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

/* Run in a child, which is killed by itself or after some microseconds; true: it came to its end. */
static bool in_child(training *t, int microseconds)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) _exit(run(t) ? 2 : 0);
    if (microseconds >= 0) {
        usleep((useconds_t)microseconds);
        kill(child, SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

/* kill -9 after a step, after a message (between the table's row and the checkpoint, for one), and wherever the clock says. */
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
        else if (!by_clock) t->kill_at_word = i - TL_LEN(steps);
        bool through = in_child(t, by_clock ? tl_rng_below(&r, 60000) : -1);
        assert_true(!through || by_clock);
        if (!through) ok(go_on(rich, results));
        same_results("whole", results, EPOCHS);
    }
}

/* ---- Failures ---- */

/* The disk is full at the n-th write, for every n; with room again, the training goes on as if nothing had happened. */
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

static void divergence_is_told(void **state)
{
    (void)state;
    training *t = simple("out");
    t->c.epochs = 1;
    ok(run(t));
    tl_bytes before = slurp(weights("out", 1));
    for (int i = 0; i < 2; i++) {
        t = simple("out");
        t->c.resume = true;
        t->c.recipe.schedule.base = i ? 1e38f : 1e12f;
        refused(run(t), TL_EDIVERGED, "no longer a number in epoch 2");
        assert_non_null(strstr(tl_errmsg(), "try a tenth of it"));
        assert_int_equal(arrays("out").state.epoch, 1);
        tl_bytes after = slurp(weights("out", 1));
        assert_true(before.n == after.n && !memcmp(before.p, after.p, after.n));
        assert_non_null(strstr(text_of(in(t->c.results, "status.json")), "FAILURE"));
    }
    ok(go_on(simple, "out"));
}

static float *param(const tl_model *m, const char *node, int k) { return m->g->node[tl_graph_find(m->g, node)].p[k].w; }

static void collapse_is_told(void **state)
{
    (void)state;
    training *t = simple("out");
    t->c.epochs = 1;
    t->c.recipe.schedule.base = 1e-9f;
    param(t->c.model, "predictions", 1)[1] = 100;
    ok(run(t));
    assert_non_null(strstr(tl_text_end(&t->said), "warning: every validation picture is taken for 'dog'"));
}

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

static void unreadable_pictures_are_listed(void **state)
{
    (void)state;
    const char *bad[] = { in(place, "train/dog/1.png"), in(place, "val/owl/2.png") };
    for (int i = 0; i < 2; i++) ok(tl_file_write(bad[i], "not a picture", 13));
    training *t = simple("out");
    ok(run(t));
    const char *said = tl_text_end(&t->said), *list = text_of(in(t->c.results, "unreadable.txt")), *told = strstr(said, "2 unreadable pictures left out");
    assert_non_null(told);
    assert_null(strstr(told + strlen("2"), "2 unreadable picture")); /* once */
    for (int i = 0; i < 2; i++) assert_non_null(strstr(list, bad[i]));
    t = simple("strict");
    t->c.loader.max_bad = 0.01f;
    refused(run(t), TL_EDATA, "unreadable");
    assert_non_null(strstr(tl_errmsg(), bad[0]));
    assert_non_null(strstr(text_of(in(t->c.results, "unreadable.txt")), bad[0]));
}

/* ---- What the settings do ---- */

static tl_model *trained(const char *results)
{
    tl_model *m;
    ok(tl_model_load(a, weights(results, EPOCHS), NULL, &m));
    return m;
}

static bool moved(const tl_model *before, const tl_model *after, const char *node, int k)
{
    size_t n = tl_dims_count(before->g->node[tl_graph_find(before->g, node)].p[k].dims);
    return memcmp(param(before, node, k), param(after, node, k), n * sizeof(float));
}

static void frozen_is_frozen(void **state)
{
    (void)state;
    tl_model *start = tiny_model(0, 1);
    training *t = simple("conv");
    t->c.model->g->node[tl_graph_find(t->c.model->g, "conv0")].p[0].frozen = true;
    ok(run(t));
    tl_model *end = trained("conv");
    assert_false(moved(start, end, "conv0", 0));
    assert_true(moved(start, end, "conv1", 0) && moved(start, end, "bn0", 0) && moved(start, end, "predictions", 0));

    t = simple("bn");
    for (int i = 0; i < t->c.model->g->n; i++) t->c.model->g->node[i].fixed_stats = t->c.model->g->node[i].op == &tl_op_bn;
    ok(run(t));
    end = trained("bn");
    for (int k = 0; k < 4; k++) assert_int_equal(moved(start, end, "bn1", k), !tl_op_bn.param[k].stat);

    t = simple("all");
    TL_EACH_PARAM(t->c.model->g, i, k) t->c.model->g->node[i].p[k].frozen = true;
    refused(run(t), TL_ESPEC, "every layer is frozen");
}

/* Pictures of a class of weight 0 may be anything. Batch norm would still see them, so it keeps its statistics. */
static void classes_without_weight_do_not_count(void **state)
{
    (void)state;
    static const float none[CLASSES] = { 1, 2, 0 }, some[CLASSES] = { 1, 2, 0.5f };
    const struct {
        const char *first, *second;
        const float *weight;
        bool same;
    } rows[] = { { "none", "none-noise", none, true }, { "some", "some-noise", some, false } };
    tl_dataset *noise = scan(put_set(place, "noise", EACH, 1), NULL);
    for (int i = 0; i < EACH; i++) put_picture(tl_printf(a, "%s/noise/owl/%d.png", place, i), 0, 77 + (uint64_t)i);
    for (int r = 0; r < TL_LEN(rows); r++) {
        for (int k = 0; k < 2; k++) {
            training *t = simple(k ? rows[r].second : rows[r].first);
            t->c.train = k ? noise : train_set;
            t->c.class_weight = rows[r].weight;
            for (int i = 0; i < t->c.model->g->n; i++) t->c.model->g->node[i].fixed_stats = t->c.model->g->node[i].op == &tl_op_bn;
            ok(run(t));
        }
        assert_int_equal(same_weights(trained(rows[r].first)->g, trained(rows[r].second)->g), rows[r].same);
    }
}

static void every_setting_acts(void **state)
{
    (void)state;
    ok(run(simple("plain")));
    for (int i = 0; i < 10; i++) {
        const char *results = tl_printf(a, "with%d", i);
        training *t = simple(results);
        tl_loader_conf *l = &t->c.loader;
        tl_recipe *r = &t->c.recipe;
        static const float weight[CLASSES] = { 1, 1, 2 };
        if (i == 0) l->smoothing = 0.1f;
        if (i == 1) l->mixup_alpha = 0.2f;
        if (i == 2) l->hflip = true;
        if (i == 3) l->random_crop = true;
        if (i == 4) r->regularizer = (tl_regularizer){ TL_REG_L2, 1e-3f, true, true, true };
        if (i == 5) r->clip = 0.1f;
        if (i == 6) r->block_decay = 0.5f;
        if (i == 7) r->average = 0.5f;
        if (i == 8) t->c.class_weight = weight;
        if (i == 9) t->c.model = tiny_model(0.5f, 1);
        ok(run(t));
        if (same_weights(trained("plain")->g, trained(results)->g)) fail_msg("setting %d does nothing", i);
    }
}

/* ---- The head first ---- */

static void the_head_alone_is_epoch_0(void **state)
{
    (void)state;
    training *t = simple("out");
    tl_model *start = tiny_model(0, 1);
    t->c.head_first = true;
    t->c.recipe.schedule.base = 10; /* harmful */
    ok(run(t));
    tl_model *head;
    ok(tl_model_load(a, weights("out", 0), NULL, &head));
    assert_false(moved(start, head, "conv0", 0) || moved(start, head, "bn1", 2));
    assert_true(moved(start, head, "predictions", 0));
    assert_true(t->result.frozen_acc > 0.5);
    assert_true(t->result.best_acc >= t->result.frozen_acc); /* never below it */
    if (t->result.best_epoch == 0) assert_string_equal(t->result.best_path, weights("out", 0));
    assert_true(same_file(t->result.best_path, in(place, "out/weights/tiny_best.onnx")));
}

static void comparing_with_the_head_alone_changes_nothing(void **state)
{
    (void)state;
    training *t = simple("compared");
    ok(run(simple("plain")));
    t->c.compare = true;
    ok(run(t));
    assert_true(t->result.frozen_acc > 0.5);
    assert_non_null(strstr(tl_text_end(&t->said), "(for comparison)"));
    for (int e = 1; e <= EPOCHS; e++) assert_true(same_file(weights("plain", e), weights("compared", e)));
    t = simple("harm");
    t->c.compare = true;
    t->c.recipe.schedule.base = 1e-9f; /* leaves the random head as it is */
    ok(run(t));
    assert_true(t->result.best_acc < t->result.frozen_acc);
    assert_non_null(strstr(tl_text_end(&t->said), "did harm"));
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
        else refused(run(t), TL_ESTOPPED, "--resume");
    }
    double frozen = t->result.frozen_acc;
    t = rich("parts");
    t->c.head_first = t->c.resume = true;
    ok(run(t));
    assert_true(t->result.frozen_acc >= frozen);
    assert_null(strstr(tl_text_end(&t->said), "frozen trunk with a trained head")); /* not fitted again */
    same_results("whole", "parts", EPOCHS);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up_sets, tear_down)
    const struct CMUnitTest tests[] = {
        T(it_learns),
        T(it_leaves_what_it_should),
        T(the_seed_decides_everything),
        T(stopping_changes_nothing),
        T(stopping_again_and_again),
        T(the_link_to_the_best_is_mended),
        T(more_epochs_can_be_added),
        T(killing_changes_nothing),
        T(a_full_disk_at_every_write),
        T(divergence_is_told),
        T(collapse_is_told),
        T(folders_are_not_mixed_up),
        T(sealed_trainings_resume),
        T(unreadable_pictures_are_listed),
        T(frozen_is_frozen),
        T(classes_without_weight_do_not_count),
        T(every_setting_acts),
        T(the_head_alone_is_epoch_0),
        T(comparing_with_the_head_alone_changes_nothing),
        T(resuming_after_the_head),
    };
    tl_dnn_threads(1); /* children of a process with OpenMP threads would wait for them for ever */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
