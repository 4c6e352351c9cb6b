/* test_export.c - smaller models and models for other programs, through tlc.h.
 * SPDX-License-Identifier: MIT */
#include "seal.h"
#include "task.h"
#include <sys/wait.h>

/* ---- Prune ---- */

static void pruned_models_are_models(void **state)
{
    (void)state;
    tl_prune_summary p;
    tl_model_info whole, part;
    tl_train_summary s;
    const char *small = in(place, "small.onnx");
    tl_prune_cmd_opts o = { .model = model,
                            .output_file = small,
                            .pruning_granularity = 8,
                            .min_num_filters = 8,
                            .pruning_threshold = 0.7f,
                            .results_dir = in(place, "pr") };
    ok(tl_classification_prune(a, &o, NULL, &p));
    refused(tl_classification_prune(a, &o, NULL, &p), TL_EARG, "exists already");
    o.overwrite = true;
    ok(tl_classification_prune(a, &o, NULL, &p));
    ok(tl_model_describe(a, model, NULL, &whole));
    ok(tl_model_describe(a, small, NULL, &part));
    assert_true(p.params == part.params && part.params < whole.params && part.bytes < whole.bytes);
    assert_true(near(p.ratio, (double)part.params / (double)whole.params) &&
                near(p.macs_ratio, part.macs / whole.macs));
    assert_non_null(strstr(text_of(in(place, "pr/status.json")), "Pruning finished successfully."));
    assert_non_null(strstr(p.table, "conv1"));
    assert_int_equal(evaluate(small, NULL).pictures, 4 * CLASSES);
    ok(train(spec("retrain.txt", "", tl_printf(a, "pretrained_model_path: \"%s\"", small)),
             "retrained", &s));
    ok(tl_model_describe(a, s.best_model, NULL, &whole));
    assert_int_equal(whole.params, part.params); /* still as small */
    assert_non_null(strstr(tl_text_end(&said), "the model is pruned; its graph is taken as it is"));
    ok(tl_model_describe(a, small, NULL, &part));
    assert_non_null(strstr(part.text, "classification prune: threshold 0.7"));
}

static void pruning_to_a_target(void **state)
{
    (void)state;
    tl_prune_summary p;
    tl_prune_cmd_opts o = { .model = model,
                            .output_file = in(place, "target.onnx"),
                            .pruning_granularity = 8,
                            .min_num_filters = 8,
                            .overwrite = true };
    o.target = "macs=0.5";
    ok(tl_classification_prune(a, &o, NULL, &p));
    assert_true(p.macs_ratio > 0.35 && p.macs_ratio < 0.55 && p.threshold > 0);
    o.target = "params=0.6";
    ok(tl_classification_prune(a, &o, NULL, &p));
    assert_true(p.ratio > 0.45 && p.ratio < 0.65);
    static const char *const wrong[] = { "0.5",     "macs=",     "macs=1.5",  "macs=0",
                                         "macs=-1", "flops=0.5", "macs=half", "" };
    for (int i = 0; i < TL_LEN(wrong); i++) {
        o.target = wrong[i];
        refused(tl_classification_prune(a, &o, NULL, &p), TL_EARG, "macs=SHARE or params=SHARE");
    }
    o.target = NULL;
    o.excluded_layers = (tl_list){ 1, (const char *[]){ "conv_1" } };
    o.pruning_threshold = 0.9f;
    tl_status s = tl_classification_prune(a, &o, NULL, &p);
    assert_true(s == TL_OK ||
                strstr(tl_errmsg(), "conv_1")); /* a layer, or named as not being one */
    o.excluded_layers = (tl_list){ 1, (const char *[]){ "nonsense" } };
    refused(tl_classification_prune(a, &o, NULL, &p), TL_EARG, "nonsense");
}

/* With pictures the weights adapt; labels are not asked for, and what cannot be read is left out. */
static void pruning_with_pictures(void **state)
{
    (void)state;
    tl_prune_summary p;
    const char *dir = put_set(place, "seen", 2, 5), *none = in(place, "unseen");
    tl_prune_cmd_opts o = { .model = model,
                            .output_file = in(place, "adapted.onnx"),
                            .images = dir,
                            .target = "macs=0.5",
                            .pruning_granularity = 8,
                            .min_num_filters = 8 };
    put_text("seen/cat/0.png", "no picture");
    said = tl_text_new(a);
    ok(tl_classification_prune(a, &o, &ear, &p));
    const char *words = tl_text_end(&said);
    assert_non_null(strstr(words, tl_printf(a, "layers to what is left, on %d pictures", 2 * CLASSES - 1)));
    assert_non_null(strstr(words, "it is left out"));
    assert_true(p.macs_ratio > 0.35 && p.macs_ratio <= 0.5);
    assert_int_equal(evaluate(o.output_file, NULL).pictures, 4 * CLASSES);
    ok(tl_mkdirs(none));
    o.images = none;
    o.output_file = in(place, "absent.onnx");
    refused(tl_classification_prune(a, &o, NULL, &p), TL_EDATA, "there is no picture");
    assert_false(tl_file_exists(o.output_file));
}

/* ---- Export ---- */

static tl_export_summary export(tl_export_opts o)
{
    tl_export_summary e = { 0 };
    o.model = o.model ? o.model : model;
    ok(tl_classification_export(a, &o, NULL, &e));
    return e;
}

static void exported_models_compute_the_same(void **state)
{
    (void)state;
    tl_evaluation want = evaluate(model, NULL);
    tl_model_info whole, folded;
    tl_export_summary e = export((tl_export_opts){ .results_dir = in(place, "ex") });
    assert_string_equal(e.output_file, in(place, "out/weights/mobilenet_v2_002_export.onnx"));
    assert_true(e.worst <= 1e-4 && e.bytes == slurp(e.output_file).n);
    assert_non_null(strstr(text_of(in(place, "ex/status.json")), "Export finished successfully."));
    assert_true(near(evaluate(e.output_file, NULL).loss, want.loss));
    ok(tl_model_describe(a, model, NULL, &whole));
    ok(tl_model_describe(a, e.output_file, NULL, &folded));
    assert_true(folded.params < whole.params); /* batch norm is gone */

    tl_export_opts again = { .model = model };
    tl_export_summary unused;
    refused(tl_classification_export(a, &again, NULL, &unused), TL_EARG, "exists already");
    e = export((tl_export_opts){ .overwrite = true, .image_dir = val_dir });
    assert_true(e.worst <= 1e-4 && strstr(e.report, "on 8 pictures"));

    tl_export_summary half =
        export((tl_export_opts){ .output_file = in(place, "half.onnx"), .data_type = 1 });
    assert_true(half.bytes < e.bytes * 6 / 10 && half.worst < 5e-3);
    assert_true(fabs(evaluate(half.output_file, NULL).loss - want.loss) < 0.02);
    e = export((tl_export_opts){ .output_file = in(place, "static.onnx"), .static_batch_size = 3 });
    tl_onnx *o;
    ok(tl_onnx_parse(a, slurp(e.output_file), &o));
    assert_int_equal(((tl_onnx_value *)o->input.at)->dim[0], 3);
    assert_true(near(evaluate(e.output_file, NULL).loss, want.loss));
}

static void sealed_models(void **state)
{
    (void)state;
    tl_evaluation e, want = evaluate(model, NULL);
    tl_export_summary s = export((tl_export_opts){ .key = "secret" });
    tl_prune_summary p;
    assert_string_equal(s.output_file, in(place, "out/weights/mobilenet_v2_002.etlt"));
    assert_true(tl_is_sealed(slurp(s.output_file)));
    assert_true(near(evaluate(s.output_file, "secret").loss, want.loss));
    refused(tl_classification_evaluate(
                a, &(tl_evaluate_opts){ .model = s.output_file, .images = val_dir, .key = "wrong" },
                NULL, &e),
            TL_EFORMAT, "wrong key");
    refused(tl_classification_evaluate(
                a, &(tl_evaluate_opts){ .model = s.output_file, .images = val_dir }, NULL, &e),
            TL_EARG, "sealed: give its key");
    const char *small = in(place, "sealed.tlt");
    ok(tl_classification_prune(a,
                               &(tl_prune_cmd_opts){ .model = s.output_file,
                                                     .output_file = small,
                                                     .key = "secret",
                                                     .pruning_threshold = 0.5f,
                                                     .pruning_granularity = 8,
                                                     .min_num_filters = 8 },
                               NULL, &p));
    assert_true(tl_is_sealed(slurp(small)));
    assert_int_equal(evaluate(small, "secret").pictures, 4 * CLASSES);
    tl_bytes b = slurp(s.output_file); /* one changed byte */
    ((uint8_t *)(uintptr_t)b.p)[b.n / 2] ^= 1;
    ok(tl_file_write(s.output_file, b.p, b.n));
    refused(tl_classification_evaluate(
                a,
                &(tl_evaluate_opts){ .model = s.output_file, .images = val_dir, .key = "secret" },
                NULL, &e),
            TL_EFORMAT, "damaged");
    /* with a key, training's own files carry the original's suffix */
    tl_train_summary t;
    ok(tl_classification_train(
        a,
        &(tl_train_opts){ .experiment_spec = in(place, "spec.txt"),
                          .results_dir = in(place, "sealed"),
                          .key = "secret",
                          .overrides = { 1, (const char *[]){ "train_config.n_epochs=1" } } },
        NULL, &t));
    assert_string_equal(t.best_model, in(place, "sealed/weights/mobilenet_v2_001.tlt"));
    assert_int_equal(evaluate(t.best_model, "secret").pictures, 4 * CLASSES);
}

/* Weights that 16 bits cannot hold, and weights that are no numbers: nothing is written. */
static void what_differs_is_not_exported(void **state)
{
    (void)state;
    static const float odd[] = { 1e6f, NAN };
    for (int i = 0; i < TL_LEN(odd); i++) {
        tl_model *m;
        tl_export_summary e;
        const char *from = in(place, "odd.onnx"), *to = in(place, "odd-out.onnx");
        ok(tl_model_load(a, model, NULL, &m));
        m->g->node[m->raw.i].p[0].w[0] = odd[i];
        ok(tl_model_save(m, from, &(tl_save_opts){ .key = NULL }));
        refused(tl_classification_export(
                    a, &(tl_export_opts){ .model = from, .output_file = to, .data_type = i == 0 },
                    NULL, &e),
                TL_EFORMAT, "nothing was written");
        assert_false(tl_file_exists(to));
    }
}

static void deepstream_files(void **state)
{
    (void)state;
    tl_export_summary e;
    const char *dir = in(place, "ds");
    ok(tl_mkdirs(dir));
    export((tl_export_opts){ .output_file = in(dir, "net.onnx"), .gen_ds_config = true });
    assert_string_equal(text_of(in(dir, "labels.txt")), "cat;dog;owl\n");
    assert_string_equal(text_of(in(dir, "nvinfer_config.txt")),
                        "[property]\nnet-scale-factor=1\noffsets=103.939003;116.778999;123."
                        "68\ninfer-dims=3;32;32\nmodel-color-format=1\nnetwork-type=1\n"
                        "num-detected-classes=3\nlabelfile-path=labels.txt\nonnx-file=net.onnx\n");
    export((tl_export_opts){ .output_file = in(dir, "net.onnx"),
                             .gen_ds_config = true,
                             .overwrite = true,
                             .classmap_json =
                                 put_text("map.json", "{\"A\": 0, \"B\": 1, \"C\": 2}") });
    assert_string_equal(text_of(in(dir, "labels.txt")), "A;B;C\n");
    refused(tl_classification_export(a,
                                     &(tl_export_opts){ .model = model,
                                                        .output_file = in(dir, "x.onnx"),
                                                        .gen_ds_config = true,
                                                        .with_preprocessing = true },
                                     NULL, &e),
            TL_EARG, "prepares pictures itself");
}

/* Raw pictures in, probabilities out, in ONNX Runtime: the same as ours. */
static void preprocessing_in_the_graph(void **state)
{
    (void)state;
    enum { N = 4 };
    const char *dir = in(place, "rt");
    tl_model *m;
    tl_plan *p;
    uint8_t *x = tl_new(a, uint8_t, N * SIDE * SIDE * 3);
    float y[N * CLASSES];
    ok(tl_mkdirs(dir));
    tl_export_summary e =
        export((tl_export_opts){ .output_file = in(dir, "net.onnx"), .with_preprocessing = true });
    refused(tl_model_load(a, e.output_file, NULL, &m), TL_EUNSUP, "for other programs");
    ok(tl_model_load(a, model, NULL, &m));
    ok(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = 1, .constant = true }, &p));
    for (int i = 0; i < N; i++) {
        const char *path = tl_printf(a, "%s/%s/%d.png", val_dir, class_name[i % CLASSES], i);
        tl_loader_conf conf = { .w = SIDE, .h = SIDE, .c = 3, .norm = m->norm };
        tl_image picture;
        ok(tl_image_load(a, path, 3, (tl_size){ 0, 0 }, &picture));
        memcpy(x + i * SIDE * SIDE * 3, picture.p, SIDE * SIDE * 3);
        ok(tl_picture_read(a, path, &conf, tl_plan_value(p, m->image).f));
        ok(tl_plan_forward(p));
        memcpy(y + i * CLASSES, tl_plan_value(p, m->answer).f, CLASSES * sizeof(float));
    }
    ok(tl_file_write(in(dir, "net.x"), x, N * SIDE * SIDE * 3));
    ok(tl_file_write(in(dir, "net.y"), y, sizeof y));
    int code = system(tl_printf(a, "python3 tools/onnxrt_check.py %s >&2", dir));
    if (WEXITSTATUS(code) == 77 || WEXITSTATUS(code) == 127) {
        print_message("skipped: Python's onnxruntime is not installed\n");
        skip();
    }
    assert_int_equal(code, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        T(pruned_models_are_models),         T(pruning_to_a_target),
        T(pruning_with_pictures),
        T(exported_models_compute_the_same), T(sealed_models),
        T(what_differs_is_not_exported),     T(deepstream_files),
        T(preprocessing_in_the_graph),
    };
    return cmocka_run_group_tests(tests, train_once, tear_down);
}
