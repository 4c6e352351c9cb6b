/* task.h - what the tests of tlc.h's tasks share: a small set and a model trained on it, made once.
 * SPDX-License-Identifier: MIT */
#ifndef TL_TASK_H
#define TL_TASK_H
#include "tiny.h"

static const char *train_dir, *val_dir, *model; /* made and trained once */

static inline const char *put_text(const char *name, const char *text)
{
    const char *path = in(place, name);
    ok(tl_file_write(path, text, strlen(text)));
    return path;
}

/* A spec with its own recipe: `model` and `train` are added to the sections. */
static inline const char *spec(const char *name, const char *in_model, const char *in_train)
{
    return put_text(
        name,
        tl_printf(a,
                  "model_config { arch: \"mobilenet_v2\" input_image_size: \"3,%d,%d\" "
                  "use_batch_norm: true batch_norm_config { momentum: 0.2 epsilon: 1e-3 } %s }\n"
                  "train_config { train_dataset_path: \"%s\" val_dataset_path: \"%s\" "
                  "batch_size_per_gpu: 4 n_epochs: 2 n_workers: 1 random_seed: 3\n"
                  "  optimizer { sgd { lr: 0.01 momentum: 0.9 } } lr_config { step { "
                  "learning_rate: 0.01 step_size: 50 gamma: 0.5 } } %s }\n"
                  "eval_config { eval_dataset_path: \"%s\" model_path: "
                  "\"%s/out/weights/mobilenet_v2_002.onnx\" top_k: 2 batch_size: 4 }\n",
                  SIDE, SIDE, in_model, train_dir, val_dir, in_train, val_dir, place));
}

static tl_text said;
static inline void hear(void *ctx, const char *text)
{
    (void)ctx;
    tl_textf(&said, "%s", text);
}
static const tl_listener ear = { .say = hear };

static inline tl_status train(const char *from, const char *results, tl_train_summary *out)
{
    said = tl_text_new(a);
    return tl_classification_train(
        a, &(tl_train_opts){ .experiment_spec = from, .results_dir = in(place, results) }, &ear,
        out);
}

/* Each test has an arena of its own; what is made once lives in the group's. */
static tl_arena *of_group;

static inline int begin(void **state)
{
    (void)state;
    of_group = a;
    a = tl_arena_new();
    return a ? 0 : -1;
}

static inline int end(void **state)
{
    (void)state;
    tl_arena_free(a);
    a = of_group;
    return 0;
}

static inline int train_once(void **state)
{
    tl_train_summary s;
    if (set_up(state)) return -1;
    tl_dnn_threads(1);
    train_dir = put_set(place, "train", 4, 1);
    val_dir = put_set(place, "val", 4, 500);
    if (train(spec("spec.txt", "", ""), "out", &s)) {
        print_error("%s\n", tl_errmsg());
        return -1;
    }
    model = in(place, "out/weights/mobilenet_v2_002.onnx");
    return 0;
}

static inline tl_evaluation evaluate(const char *path, const char *key)
{
    tl_evaluation e;
    ok(tl_classification_evaluate(
        a, &(tl_evaluate_opts){ .model = path, .key = key, .images = val_dir }, NULL, &e));
    return e;
}

/* Equal but for the rounding of 32-bit numbers. */
static inline bool near(double x, double y) { return fabs(x - y) <= 1e-4 * fmax(1, fabs(y)); }
#endif
