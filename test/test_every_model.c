/* test_every_model.c - the whole workflow on every backbone: train, evaluate, prune, retrain, export, inference.
 * SPDX-License-Identifier: MIT
 *
 * A test a row of the table of backbones: a new one is tested without a word here. What comes out at the end is also run in
 * ONNX Runtime, where python3 has it. */
#include "pass.h"
#include "tiny.h"
#include <sys/wait.h>

enum { PIXELS = 64, EACH = 4, PICTURES = EACH * CLASSES };

static const char *train_dir, *val_dir; /* made once */
static bool no_runtime;

static const char *write_spec(const tl_backbone *b)
{
    const char *path = in(place, "spec.txt"),
               *text = tl_printf(a, "model_config { arch: \"%s\" n_layers: %d input_image_size: \"3,%d,%d\" "
                                    "batch_norm_config { momentum: 0.2 epsilon: 1e-3 } }\n" /* three steps must do */
                                    "train_config { train_dataset_path: \"%s\" val_dataset_path: \"%s\" n_epochs: 1 "
                                    "batch_size_per_gpu: %d n_workers: 1\n"
                                    "  optimizer { sgd { momentum: 0.9 } } lr_config { step { learning_rate: 0.001 } } }\n",
                                 b->arch, b->layers, PIXELS, PIXELS, train_dir, val_dir, EACH);
    ok(tl_file_write(path, text, strlen(text)));
    return path;
}

/* Each step works in an arena of its own: a network's weights are there many times over. */
static tl_arena *step_begin(void)
{
    tl_arena *whole = a;
    a = tl_arena_new();
    return whole;
}

/* What is left of it: a path, or NULL. */
static const char *step_end(tl_arena *whole, const char *path)
{
    path = path ? tl_strdup(whole, path) : NULL;
    tl_arena_free(a);
    a = whole;
    return path;
}

/* On from a model, or from random weights. */
static const char *train(const char *spec, const char *results, const char *from)
{
    tl_arena *whole = step_begin();
    tl_train_summary s;
    const char *start = from ? tl_printf(a, "train_config.pretrained_model_path=%s", from) : NULL;
    ok(tl_classification_train(a, &(tl_train_opts){ .experiment_spec = spec, .results_dir = in(place, results),
                                                    .overrides = { from != NULL, &start } }, NULL, &s));
    return step_end(whole, s.best_model);
}

static tl_evaluation evaluate(const char *model)
{
    tl_arena *whole = step_begin();
    tl_evaluation e;
    ok(tl_classification_evaluate(a, &(tl_evaluate_opts){ .model = model, .images = val_dir }, NULL, &e));
    assert_int_equal(e.pictures, PICTURES);
    assert_true(isfinite(e.loss));
    step_end(whole, NULL);
    return e;
}

static size_t params_of(const char *model)
{
    tl_model_info i;
    ok(tl_model_describe(a, model, NULL, &i));
    return i.params;
}

static const char *prune(const char *model)
{
    tl_arena *whole = step_begin();
    tl_prune_summary p;
    tl_prune_cmd_opts o = { .model = model, .output_file = in(place, "pruned.onnx"), .target = "params=0.5",
                            .pruning_granularity = 8, .min_num_filters = 8 };
    ok(tl_classification_prune(a, &o, NULL, &p));
    assert_true(p.ratio < 0.6 && p.macs_ratio < 1);
    assert_int_equal(params_of(o.output_file), p.params);
    return step_end(whole, o.output_file);
}

static const char *export(const char *model)
{
    tl_arena *whole = step_begin();
    tl_export_summary e;
    tl_export_opts o = { .model = model, .output_file = in(place, "onnx/export.onnx"), .image_dir = val_dir };
    ok(tl_mkdirs(in(place, "onnx")));
    ok(tl_classification_export(a, &o, NULL, &e));
    assert_true(e.worst < 1e-4);
    return step_end(whole, o.output_file);
}

/* As many right answers, one picture after the other, as evaluation counts. */
static void infer(const char *model, double accuracy)
{
    tl_arena *whole = step_begin();
    tl_inference i;
    int hits = 0;
    char *rest = NULL;
    tl_inference_opts o = { .model = model, .image_dir = val_dir, .results_dir = in(place, "inference") };
    ok(tl_classification_inference(a, &o, NULL, &i));
    assert_int_equal(i.pictures, PICTURES);
    for (char *line = strtok_r((char *)(uintptr_t)text_of(i.csv), "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *name = strchr(line, ','), *share = strrchr(line, ',');
        assert_true(name && share > name);
        *name = *share = 0;
        hits += strstr(line, tl_printf(a, "/%s/", name + 1)) != NULL;
    }
    assert_true(fabs(hits - accuracy * PICTURES) < 0.5);
    step_end(whole, NULL);
}

static void write_floats(const char *name, tl_tensor t)
{
    ok(tl_file_write(in(place, name), t.f, tl_count(t.s) * sizeof(float)));
}

/* What the model makes of two pictures, for tools/onnxrt_check.py. */
static void write_answers(const tl_model *m, const char *name)
{
    tl_plan *p;
    const tl_loader_conf prepared = { .w = PIXELS, .h = PIXELS, .c = 3, .norm = m->norm };
    ok(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = 2, .constant = true }, &p));
    tl_tensor x = tl_plan_value(p, m->image);
    ok(tl_picture_read(a, in(val_dir, "cat/0.png"), &prepared, x.f));
    ok(tl_picture_read(a, in(val_dir, "owl/1.png"), &prepared, x.f + tl_count(x.s) / 2));
    ok(tl_plan_forward(p));
    write_floats(tl_printf(a, "onnx/%s.x", name), x);
    write_floats(tl_printf(a, "onnx/%s.y", name), tl_plan_value(p, (tl_val){ tl_graph_output(m->g) }));
}

/* The exported file, and the same without its softmax, which hides differences. */
static void compare_with_onnx_runtime(const char *file)
{
    tl_model *m;
    tl_onnx *raw;
    tl_bytes bytes;
    ok(tl_model_load(a, file, NULL, &m));
    write_answers(m, "export");
    m->g->output = m->raw.i;
    write_answers(m, "raw");
    ok(tl_graph_to_onnx(m->g, a, 2, false, &raw));
    ok(tl_onnx_pack(a, raw, &bytes));
    ok(tl_file_write(in(place, "onnx/raw.onnx"), bytes.p, bytes.n));
    int code = system(tl_printf(a, "python3 tools/onnxrt_check.py %s >&2", in(place, "onnx")));
    code = WIFEXITED(code) ? WEXITSTATUS(code) : -1;
    no_runtime |= code == 77 || code == 127;
    assert_true(no_runtime || !code);
}

static void whole_workflow(void **state)
{
    const char *spec = write_spec(*state), *model = train(spec, "trained", NULL);
    evaluate(model);
    model = prune(model);
    size_t params = params_of(model);
    model = train(spec, "retrained", model);
    assert_int_equal(params_of(model), params); /* still as small */
    tl_evaluation before = evaluate(model);
    model = export(model);
    tl_evaluation after = evaluate(model);
    assert_true(fabs(after.loss - before.loss) < 1e-4);
    infer(model, after.accuracy);
    compare_with_onnx_runtime(model);
}

static void onnx_runtime_was_there(void **state)
{
    (void)state;
    if (!no_runtime) return;
    print_message("skipped: Python's onnxruntime is not installed\n");
    skip();
}

/* Each test has an arena and a folder of its own; the pictures live in the group's. */
static tl_arena *of_group;
static char      group_place[sizeof place];

static int begin(void **state)
{
    of_group = a;
    memcpy(group_place, place, sizeof place);
    return set_up(state);
}

static int end(void **state)
{
    tear_down(state);
    a = of_group;
    memcpy(place, group_place, sizeof place);
    return 0;
}

static int make_pictures(void **state)
{
    if (set_up(state)) return -1;
    tl_dnn_threads(2);
    train_dir = put_set(place, "train", EACH, 1);
    val_dir = put_set(place, "val", EACH, 500);
    return 0;
}

int main(void)
{
    static struct CMUnitTest tests[64]; /* empty rows are passed over */
    static char names[64][32];
    int n = 0;
    for (const tl_backbone *b; (b = tl_backbone_at(n)); n++) {
        assert(n < TL_LEN(tests) - 1);
        tests[n] = (struct CMUnitTest){ tl_backbone_name(b, names[n]), whole_workflow, begin, end, (void *)(uintptr_t)b };
    }
    tests[n] = (struct CMUnitTest)cmocka_unit_test(onnx_runtime_was_there);
    return cmocka_run_group_tests(tests, make_pictures, tear_down);
}
