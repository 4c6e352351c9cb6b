/* training.h - two trainings of the small network, for the tests of the training loop.
 * SPDX-License-Identifier: MIT */
#ifndef TL_TRAINING_H
#define TL_TRAINING_H
#include "tiny.h"
#include <signal.h>
#include <sys/wait.h>

enum {
    EPOCHS = 3,
    BATCH = 4,
    EACH = 7,
    STEPS = (EACH * CLASSES + BATCH - 1) / BATCH
}; /* STEPS: of an epoch */

/* ---- A training ---- */

typedef struct {
    tl_trainer_conf c;
    tl_train_result result;
    tl_text said;
    int steps;                  /* seen */
    int stop_after, kill_after; /* steps; -1: never */
    int kill_at_word;           /* the n-th thing said is the last; -1: none */
    int kill_at_features;       /* of so many pictures; -1: never */
    volatile int stop;
    double loss[64]; /* of each epoch, as its last step tells */
} training;

static inline void hear(void *ctx, const char *text)
{
    training *t = ctx;
    tl_textf(&t->said, "%s", text);
    if (t->kill_at_word-- == 0) raise(SIGKILL);
}

static inline void watch(void *ctx, const tl_progress *p)
{
    training *t = ctx;
    if (!strcmp(p->stage, "features") && p->batch == t->kill_at_features) raise(SIGKILL);
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

static inline int set_up_sets(void **state)
{
    if (set_up(state)) return -1;
    train_set = scan(put_set(place, "train", EACH, 1), NULL);
    val_set = scan(put_set(place, "val", 3, 1000), &train_set->classes);
    return 0;
}

/* SGD on plain pictures. */
static inline training *simple(const char *results)
{
    training *t = tl_new(a, training, 1);
    t->said = tl_text_new(a);
    t->stop_after = t->kill_after = t->kill_at_word = t->kill_at_features = -1;
    t->c = (tl_trainer_conf){
        .model = tiny_model(0, 1),
        .train = train_set,
        .val = val_set,
        .epochs = EPOCHS,
        .seed = 5,
        .results = in(place, results),
        .name = "tiny",
        .loader = { .w = SIDE,
                    .h = SIDE,
                    .c = 3,
                    .batch = BATCH,
                    .threads = 1,
                    .seed = 5,
                    .max_bad = 0.2f },
        .recipe = { .optimizer = { .kind = TL_SGD, .momentum = 0.9f },
                    .schedule = { .kind = TL_LR_COSINE, .base = 0.1f },
                    .block_decay = 1 },
        .listener = { .say = hear, .progress = watch, .ctx = t, .stop = &t->stop },
    };
    t->c.loader.norm = t->c.model->norm;
    return t;
}

/* All that is random or remembered: crops, colors, flips, mixup, smoothing, dropout, Adam,
 * averages, clipping. */
static inline training *rich(const char *results)
{
    training *t = simple(results);
    tl_loader_conf *l = &t->c.loader;
    t->c.model = tiny_model(0.3f, 1);
    l->random_crop = l->color = l->hflip = true;
    l->mixup_alpha = 0.4f;
    l->smoothing = 0.1f;
    t->c.recipe = (tl_recipe){
        .optimizer = { .kind = TL_ADAM,
                       .beta1 = 0.9f,
                       .beta2 = 0.99f,
                       .epsilon = 1e-7f,
                       .decay = 0.01f },
        .schedule = { .kind = TL_LR_SOFT_ANNEAL, .base = 0.01f, .soft_start = 0.3f },
        .regularizer = { TL_REG_L2, 1e-3f, true, true, true },
        .clip = 1,
        .block_decay = 0.8f,
        .average = 0.8f,
    };
    return t;
}

static inline tl_status run(training *t) { return tl_train(a, &t->c, &t->result); }

static inline char *weights(const char *results, int epoch)
{
    return tl_printf(a, "%s/%s/weights/tiny_%03d.onnx", place, results, epoch);
}

/* The optimizer's arrays and the counters; seconds differ from run to run. */
static inline tl_checkpoint arrays(const char *results)
{
    tl_checkpoint k;
    const char *notes;
    ok(tl_checkpoint_find(
        a, &(tl_checkpoints){ tl_printf(a, "%s/%s/weights", place, results), "tiny", NULL }, &k,
        &notes));
    assert_string_equal(notes, "");
    assert_non_null(k.model);
    k.state.seconds = 0;
    return k;
}

/* Both trainings left the same: every model, the table, and what a resumed one would go on from. */
static inline void same_results(const char *x, const char *y, int epochs)
{
    for (int e = 1; e <= epochs; e++)
        if (!same_file(weights(x, e), weights(y, e)))
            fail_msg("epoch %d of %s is not that of %s", e, y, x);
    assert_true(same_file(tl_printf(a, "%s/%s/weights/tiny_best.onnx", place, x),
                          tl_printf(a, "%s/%s/weights/tiny_best.onnx", place, y)));
    assert_string_equal(text_of(tl_printf(a, "%s/%s/training.csv", place, x)),
                        text_of(tl_printf(a, "%s/%s/training.csv", place, y)));
    tl_checkpoint p = arrays(x), q = arrays(y);
    assert_memory_equal(&p.state, &q.state, sizeof p.state);
    assert_int_equal(p.arrays.n, q.arrays.n);
    assert_memory_equal(p.arrays.p, q.arrays.p, p.arrays.n);
}

typedef training *maker(const char *results);
/* The same training, going on where the folder says, until it is through. */
static inline tl_status go_on(maker *make, const char *results)
{
    training *t = make(results);
    t->c.resume = !tl_train_check(a, t->c.results, "tiny",
                                  true); /* stopped before there was anything: begin again */
    return run(t);
}

/* Run in a child, which is killed by itself or after some microseconds; true: it came to its end.
 */
static inline bool in_child(training *t, int microseconds)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        tl_dnn_threads(1); /* clang's OpenMP forgets that at a fork */
        _exit(run(t) ? 2 : 0);
    }
    if (microseconds >= 0) {
        usleep((useconds_t)microseconds);
        kill(child, SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}
#endif
