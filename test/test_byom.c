/* test_byom.c - weights and networks of others through tlc.h: imported, and trained on. SPDX-License-Identifier: MIT */
#include "task.h"

#define IMPORT_DATA "test/data/import/"

static tl_status import(const char *file, const char *to, tl_import_opts o, tl_import_summary *s)
{
    o.input = file;
    o.output_file = in(place, to);
    said = tl_text_new(a);
    return tl_model_import(a, &o, &ear, s);
}

/* A network is kept, or its weights move into ours; either way it answers as before. */
static void networks_are_imported(void **state)
{
    (void)state;
    tl_import_summary s;
    tl_evaluation before = evaluate(model, NULL);
    ok(import(model, "kept.onnx", (tl_import_opts){ 0 }, &s));
    assert_string_equal(s.format, "onnx");
    assert_string_equal(s.arch, "mobilenet_v2");
    assert_int_equal(s.classes, CLASSES);
    assert_non_null(strstr(s.report, "the network is kept as it is"));
    tl_evaluation kept = evaluate(in(place, "kept.onnx"), NULL);
    assert_true(near(before.loss, kept.loss));
    ok(import(model, "moved.onnx", (tl_import_opts){ .arch = "mobilenet_v2" }, &s));
    assert_int_equal(s.fresh + s.skipped, 0);
    tl_evaluation moved = evaluate(in(place, "moved.onnx"), NULL);
    assert_true(near(before.loss, moved.loss));
    refused(import(model, "moved.onnx", (tl_import_opts){ 0 }, &s), TL_EARG, "exists already");
}

static void labels_name_the_classes(void **state)
{
    (void)state;
    tl_import_summary s;
    tl_model *m;
    const char *names = put_text("names.txt", "uno\ndue\ntre\n"), *two = put_text("two.txt", "uno\ndue\n");
    ok(import(model, "named.onnx", (tl_import_opts){ .labels = names, .preprocess_mode = "tf" }, &s));
    ok(tl_model_load(a, in(place, "named.onnx"), NULL, &m));
    assert_string_equal(((const char **)m->classes.at)[2], "tre");
    assert_string_equal(m->mode, "tf");
    refused(import(model, "two.onnx", (tl_import_opts){ .labels = two }, &s), TL_EDATA,
            "names 2 classes, the classifier has 3");
    assert_false(tl_file_exists(in(place, "two.onnx")));
}

static void what_cannot_be_imported_is_said(void **state)
{
    (void)state;
    tl_import_summary s;
    refused(import(IMPORT_DATA "torch_nested.pth", "x.onnx", (tl_import_opts){ 0 }, &s), TL_EDATA,
            "its first tensor is 'module.0.weight'");
    refused(import(IMPORT_DATA "torch_nested.pth", "x.onnx", (tl_import_opts){ .arch = "resnt" }, &s), TL_ESPEC,
            "available are");
    refused(import(IMPORT_DATA "torch_nested.pth", "x.onnx", (tl_import_opts){ .arch = "vgg" }, &s), TL_EDATA,
            "no layer of the file matches vgg");
    refused(import(IMPORT_DATA "outside.onnx", "x.onnx", (tl_import_opts){ 0 }, &s), TL_EUNSUP, "--external_data");
    ok(import(IMPORT_DATA "outside.onnx", "x.onnx", (tl_import_opts){ .external_data = true }, &s));
    assert_int_equal(s.classes, 4);
    assert_non_null(strstr(said.at, "does not say how pictures are prepared"));
}

static const char *byom_spec(const char *name, const char *in_model, const char *in_train)
{
    return put_text(name, tl_printf(a,
                                    "model_config { arch: \"onnx\" input_image_size: \"3,%d,%d\" %s }\n"
                                    "train_config { train_dataset_path: \"%s\" val_dataset_path: \"%s\" "
                                    "batch_size_per_gpu: 4 n_epochs: 1 n_workers: 1 %s }\n",
                                    SIDE, SIDE, in_model, train_dir, val_dir, in_train));
}

/* A network with operators that are not known, one of them twice: each is named, with the first node that uses it. */
static void missing_operators_are_listed(void **state)
{
    static const char *const ops[] = { "HardSwish", "Relu", "Gelu", "HardSwish" };
    static const char *const names[] = { "image", "one", "two", "three", "out" };
    static const int64_t shape[] = { 1, 3, 8, 8 };
    (void)state;
    tl_import_summary s;
    tl_bytes file;
    tl_onnx *m = tl_onnx_new(a);
    ok(tl_onnx_add_value(m, &m->input, names[0], TL_ONNX_FLOAT, 4, shape));
    ok(tl_onnx_add_value(m, &m->output, names[4], TL_ONNX_FLOAT, 4, shape));
    for (int i = 0; i < TL_LEN(ops); i++)
        assert_non_null(tl_onnx_add(m, ops[i], names[i + 1], (const char *[]){ names[i], NULL },
                                    (const char *[]){ names[i + 1], NULL }));
    ok(tl_onnx_pack(a, m, &file));
    ok(tl_file_write(in(place, "missing.onnx"), file.p, file.n));
    refused(import(in(place, "missing.onnx"), "y.onnx", (tl_import_opts){ 0 }, &s), TL_EUNSUP,
            ":\n  'one' (HardSwish): this operator is not supported\n"
            "  'three' (Gelu): this operator is not supported\n  while");
}

/* Trained, pruned and exported like a built-in one. */
static void ones_own_network_is_trained(void **state)
{
    (void)state;
    tl_train_summary s;
    tl_prune_summary p;
    tl_export_summary e;
    const char *from = tl_printf(a, "byom_model: \"%s\"", model);
    ok(train(byom_spec("own.txt", from, ""), "own", &s));
    assert_non_null(strstr(said.at, "cut after 're_lu_head'"));
    assert_true(evaluate(s.best_model, NULL).pictures == CLASSES * 4);
    const tl_prune_cmd_opts cut = { .model = s.best_model,
                                    .output_file = in(place, "own-pruned.onnx"),
                                    .pruning_threshold = 0.5f,
                                    .pruning_granularity = 8,
                                    .min_num_filters = 8 };
    ok(tl_classification_prune(a, &cut, NULL, &p));
    assert_true(p.ratio < 1);
    ok(tl_classification_export(
        a, &(tl_export_opts){ .model = cut.output_file, .output_file = in(place, "own-out.onnx") }, NULL, &e));
    const char *again = tl_printf(a, "pretrained_model_path: \"%s\"", s.best_model);
    ok(train(byom_spec("again.txt", from, again), "own-again",
             &s)); /* starts from the file's shape and the other's weights */

    refused(train(byom_spec("none.txt", "", ""), "x", &s), TL_ESPEC, "\"onnx\" needs byom_model");
    refused(train(byom_spec("weights.txt", "byom_model: \"" IMPORT_DATA "types.safetensors\"", ""), "x", &s), TL_ESPEC,
            "holds weights without a network");
    refused(train(byom_spec("cut.txt", tl_printf(a, "%s byom_cut: \"re_lu_hed\"", from), ""), "x", &s), TL_ESPEC,
            "did you mean 're_lu_head'");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        T(networks_are_imported),
        T(labels_name_the_classes),
        T(what_cannot_be_imported_is_said),
        T(missing_operators_are_listed),
        T(ones_own_network_is_trained),
    };
    return cmocka_run_group_tests(tests, train_once, tear_down);
}
