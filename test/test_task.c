/* test_task.c - the tasks of tlc.h, one after another on one small model: train, evaluate, prune, inference, export.
 * SPDX-License-Identifier: MIT */
#include "seal.h"
#include "statusjson.h"
#include "tiny.h"
#include <sys/wait.h>

static const char *train_dir, *val_dir, *model; /* made and trained once */

static const char *put_text(const char *name, const char *text)
{
    const char *path = in(place, name);
    ok(tl_file_write(path, text, strlen(text)));
    return path;
}

/* A spec with its own recipe: `model` and `train` are added to the sections. */
static const char *spec(const char *name, const char *in_model, const char *in_train)
{
    return put_text(name, tl_printf(a, "model_config { arch: \"mobilenet_v2\" input_image_size: \"3,%d,%d\" use_batch_norm: true batch_norm_config { momentum: 0.2 epsilon: 1e-3 } %s }\n"
        "train_config { train_dataset_path: \"%s\" val_dataset_path: \"%s\" batch_size_per_gpu: 4 n_epochs: 2 n_workers: 1 random_seed: 3\n"
        "  optimizer { sgd { lr: 0.01 momentum: 0.9 } } lr_config { step { learning_rate: 0.01 step_size: 50 gamma: 0.5 } } %s }\n"
        "eval_config { eval_dataset_path: \"%s\" model_path: \"%s/out/weights/mobilenet_v2_002.onnx\" top_k: 2 batch_size: 4 }\n",
        SIDE, SIDE, in_model, train_dir, val_dir, in_train, val_dir, place));
}

static tl_text said;
static void hear(void *ctx, const char *text)
{
    (void)ctx;
    tl_textf(&said, "%s", text);
}
static const tl_listener ear = { .say = hear };

static tl_status train(const char *from, const char *results, tl_train_summary *out)
{
    said = tl_text_new(a);
    return tl_classification_train(a, &(tl_train_opts){ .experiment_spec = from, .results_dir = in(place, results) }, &ear, out);
}

/* Each test has an arena of its own; what is made once lives in the group's. */
static tl_arena *of_group;

static int begin(void **state)
{
    (void)state;
    of_group = a;
    a = tl_arena_new();
    return a ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    tl_arena_free(a);
    a = of_group;
    return 0;
}

static int train_once(void **state)
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

static tl_evaluation evaluate(const char *path, const char *key)
{
    tl_evaluation e;
    ok(tl_classification_evaluate(a, &(tl_evaluate_opts){ .model = path, .key = key, .images = val_dir }, NULL, &e));
    return e;
}

/* Equal but for the rounding of 32-bit numbers. */
static bool near(double x, double y) { return fabs(x - y) <= 1e-4 * fmax(1, fabs(y)); }

/* ---- Train ---- */

static void training_leaves_its_files(void **state)
{
    (void)state;
    const char *text, *again, *warnings;
    tl_list classes;
    ok(tl_classmap_read(a, in(place, "out/classmap.json"), &classes));
    assert_int_equal(classes.n, CLASSES);
    for (int k = 0; k < CLASSES; k++) assert_string_equal(((const char **)classes.at)[k], class_name[k]);
    const char *copy = in(place, "out/experiment_spec.txt");
    ok(tl_classification_spec_text(a, copy, &(tl_list){ 0, NULL }, &text, &warnings)); /* whole, and it can be used again */
    ok(tl_classification_spec_text(a, in(place, "spec.txt"), &(tl_list){ 0, NULL }, &again, &warnings));
    assert_non_null(strstr(text_of(copy), "n_epochs: 2"));
    tl_model *m;
    ok(tl_model_load(a, model, NULL, &m));
    assert_string_equal(m->arch, "mobilenet_v2");
    assert_non_null(strstr(m->spec, "learning_rate: 0.01"));
    assert_non_null(strstr(m->history, "classification train: 12 pictures of 3 classes"));
    for (const char *const *f = (const char *const[]){ "weights/mobilenet_v2_001.onnx", "weights/mobilenet_v2_best.onnx", "training.csv", "status.json", "events", NULL }; *f; f++)
        assert_true(tl_file_exists(in(in(place, "out"), *f)));
}

static void refusing_to_train_changes_nothing(void **state)
{
    (void)state;
    tl_train_summary s;
    const char *before = text_of(in(place, "out/experiment_spec.txt"));
    refused(train(spec("again.txt", "", "class_weights { key: \"cat\" value: 2 }"), "out", &s), TL_EARG, "holds a training already");
    assert_string_equal(before, text_of(in(place, "out/experiment_spec.txt")));
    refused(train(NULL, "x", &s), TL_EARG, "needs a spec");
    refused(train(spec("w.txt", "", "class_weights { key: \"cow\" value: 2 }"), "w", &s), TL_ESPEC, "'cow', which is no class");
    refused(train(in(place, "absent.txt"), "x", &s), TL_EIO, "absent.txt");
    const char *few = put_set(place, "few", 1, 9);
    remove_all(in(few, "owl"));
    const char *old = val_dir;
    val_dir = few;
    const char *bad = spec("few.txt", "", "");
    val_dir = old;
    refused(train(bad, "few-out", &s), TL_EDATA, "missing 'owl'");
    assert_false(tl_file_exists(in(place, "few-out")));
}

static bool layer_moved(const tl_model *x, const tl_model *y, const char *node, int k)
{
    int i = tl_graph_find(x->g, node), j = tl_graph_find(y->g, node);
    assert_true(i >= 0 && j >= 0);
    return memcmp(x->g->node[i].p[k].w, y->g->node[j].p[k].w, tl_dims_count(x->g->node[i].p[k].dims) * sizeof(float));
}

/* From the trunk in models/: what is frozen stays as it was there. */
static void frozen_blocks_and_statistics_stay(void **state)
{
    (void)state;
    tl_train_summary s;
    tl_model *before, *after;
    static const char trunk[] = "models/mobilenet_v2_imagenet.onnx";
    const char *from = tl_printf(a, "pretrained_model_path: \"%s\" class_weights { key: \"cat\" value: 2 }", trunk);
    tl_train_opts o = { .experiment_spec = spec("freeze.txt", "freeze_blocks: 0 freeze_blocks: 18 freeze_bn: true", from),
                        .results_dir = in(place, "freeze"), .overrides = { 1, (const char *[]){ "train_config.lr_config.step.learning_rate=1e-4" } } };
    said = tl_text_new(a);
    ok(tl_classification_train(a, &o, &ear, &s));
    ok(tl_model_load(a, trunk, NULL, &before));
    ok(tl_model_load(a, in(place, "freeze/weights/mobilenet_v2_002.onnx"), NULL, &after));
    TL_EACH_PARAM(before->g, i, k) {
        const tl_node *d = &before->g->node[i];
        if (d->op->param[k].stat) assert_false(layer_moved(before, after, d->name, k));
    }
    assert_false(layer_moved(before, after, "conv1", 0)); /* block 0, and 18 */
    assert_false(layer_moved(before, after, "conv_1", 0));
    assert_true(layer_moved(before, after, "bn_conv1", 1) && layer_moved(before, after, "block_9_project", 0));
    assert_non_null(strstr(tl_text_end(&said), "0 skipped, 1 fresh"));
    assert_non_null(strstr(after->history, "started from mobilenet_v2_imagenet.onnx"));
}

/* ---- Evaluate and inference ---- */

static void numbers_agree(void **state)
{
    (void)state;
    tl_evaluation e = evaluate(model, NULL), by_spec;
    assert_int_equal(e.pictures, 4 * CLASSES);
    assert_int_equal(e.unreadable, 0);
    assert_non_null(strstr(e.report, tl_printf(a, "Evaluation Loss: %.6f\nEvaluation Top 1 accuracy: %.6f\n", e.loss, e.accuracy)));
    ok(tl_classification_evaluate(a, &(tl_evaluate_opts){ .experiment_spec = in(place, "spec.txt"), .batch_size = 5, .results_dir = in(place, "eval"),
        .classmap = in(place, "out/classmap.json") }, NULL, &by_spec));
    assert_true(near(e.accuracy, by_spec.accuracy) && near(e.loss, by_spec.loss));
    assert_true(by_spec.top_k >= e.accuracy);
    assert_non_null(strstr(by_spec.report, "Top 2 accuracy"));
    assert_non_null(strstr(text_of(in(place, "eval/status.json")), "Evaluation finished successfully."));

    tl_inference i;
    int hits = 0, rows = 0;
    ok(tl_classification_inference(a, &(tl_inference_opts){ .model = model, .image_dir = val_dir, .results_dir = in(place, "inf"), .batch_size = 7 }, NULL, &i));
    assert_int_equal(i.pictures, 4 * CLASSES);
    char *rest = NULL;
    for (char *line = strtok_r((char *)(uintptr_t)text_of(i.csv), "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), rows++) {
        char *name = strchr(line, ','), *share = strrchr(line, ',');
        double p = strtod(share + 1, NULL);
        assert_true(name && share > name && p > 1.0 / CLASSES - 1e-6 && p <= 1);
        *name = *share = 0;
        assert_true(tl_file_exists(line)); /* the path */
        hits += strstr(line, tl_printf(a, "/%s/", name + 1)) != NULL;
    }
    assert_int_equal(rows, 4 * CLASSES);
    assert_true(near(hits, e.accuracy * rows));
}

static void one_picture(void **state)
{
    (void)state;
    tl_inference i;
    const char *picture = in(val_dir, "dog/2.png"), *map = put_text("map.json", "{\"A\": 0, \"B\": 1, \"C\": 2}");
    for (int named = 0; named < 2; named++) {
        ok(tl_classification_inference(a, &(tl_inference_opts){ .model = model, .image = picture, .classmap = named ? map : NULL }, NULL, &i));
        float p[CLASSES];
        int label, used, best = 0;
        assert_int_equal(sscanf(i.text, "Current predictions: [[%f %f %f]]\nClass label = %d\nClass name = %n", &p[0], &p[1], &p[2], &label, &used), 4);
        for (int k = 1; k < CLASSES; k++) best = p[k] > p[best] ? k : best;
        assert_int_equal(label, best);
        assert_true(near((double)(p[0] + p[1] + p[2]), 1));
        const char *name = named ? (const char *const[]){ "A", "B", "C" }[best] : class_name[best];
        assert_string_equal(i.text + used, tl_printf(a, "%s\n", name));
    }
}

static void folders_of_any_kind(void **state)
{
    (void)state;
    tl_inference i;
    const char *dir = in(place, "odd"), *below = in(dir, "a b/c");
    ok(tl_mkdirs(below));
    put_picture(in(dir, "x, \"y\".png"), 0, 1);
    put_picture(in(below, "\xc3\xa9.PNG"), 1, 1);
    put_picture(in(below, ".hidden.png"), 1, 1);
    put_text("odd/broken.jpg", "no picture");
    put_text("odd/notes.txt", "");
    assert_int_equal(symlink(dir, in(dir, "circle")), 0);
    said = tl_text_new(a);
    ok(tl_classification_inference(a, &(tl_inference_opts){ .model = model, .image_dir = dir, .results_dir = in(place, "odd-out") }, &ear, &i));
    assert_int_equal(i.pictures, 2);
    assert_int_equal(i.unreadable, 1);
    const char *csv = text_of(i.csv);
    assert_non_null(strstr(csv, tl_printf(a, "\"%s/x, \"\"y\"\".png\",", dir)));
    assert_non_null(strstr(csv, tl_printf(a, "%s/\xc3\xa9.PNG,", below)));
    assert_non_null(strstr(text_of(in(place, "odd-out/unreadable.txt")), "broken.jpg"));
    assert_non_null(strstr(tl_text_end(&said), "warning: 1 unreadable picture left out"));
}

static void questions_that_make_no_sense(void **state)
{
    (void)state;
    tl_inference i;
    tl_evaluation e;
    const char *empty = in(place, "empty"), *two = put_text("two.txt", "a\nb\n");
    ok(tl_mkdirs(empty));
    const struct {
        tl_inference_opts o;
        tl_status want;
        const char *words;
    } rows[] = {
        { { .model = model }, TL_EARG, "either one picture" },
        { { .model = model, .image = "x", .image_dir = "y" }, TL_EARG, "either one picture" },
        { { .image = "x" }, TL_EARG, "needs a model" },
        { { .model = model, .image = in(place, "absent.png") }, TL_EIO, "absent.png" },
        { { .model = model, .image = in(place, "spec.txt") }, TL_EFORMAT, "spec.txt" },
        { { .model = model, .image_dir = empty }, TL_EDATA, "there is no picture" },
        { { .model = model, .image_dir = in(place, "absent") }, TL_EDATA, "there is no folder" },
        { { .model = in(place, "out/weights/mobilenet_v2_002.tlt"), .image = "x" }, TL_EIO, "but there is" },
        { { .model = in(place, "spec.txt"), .image = "x" }, TL_EFORMAT, "spec.txt" },
        { { .model = model, .image_dir = val_dir, .classmap = two }, TL_EDATA, "names 2 classes, the model has 3" },
    };
    for (int r = 0; r < TL_LEN(rows); r++) {
        tl_status s = tl_classification_inference(a, &rows[r].o, NULL, &i);
        if (s != rows[r].want || !strstr(tl_errmsg(), rows[r].words)) fail_msg("row %d: %d, %s", r, s, tl_errmsg());
    }
    refused(tl_classification_evaluate(a, &(tl_evaluate_opts){ .images = val_dir }, NULL, &e), TL_EARG, "no model");
    refused(tl_classification_evaluate(a, &(tl_evaluate_opts){ .model = model }, NULL, &e), TL_EARG, "no pictures");
    refused(tl_classification_evaluate(a, &(tl_evaluate_opts){ .model = model, .images = empty }, NULL, &e), TL_EDATA, "missing 'cat'");
    refused(tl_classification_evaluate(a, &(tl_evaluate_opts){ .model = model, .images = val_dir, .classmap = two }, NULL, &e), TL_EDATA, "names 2 classes");
}

/* Every picture of the validation set broken but one: what is left counts, until nothing is. */
static void unreadable_pictures_are_counted(void **state)
{
    (void)state;
    tl_evaluation e;
    const char *dir = put_set(place, "torn", 1, 3);
    tl_evaluate_opts o = { .model = model, .images = dir, .results_dir = in(place, "torn-out") };
    put_text("torn/cat/0.png", "x");
    ok(tl_classification_evaluate(a, &o, NULL, &e));
    assert_int_equal(e.pictures, 2);
    assert_int_equal(e.unreadable, 1);
    put_text("torn/dog/0.png", "x");
    put_text("torn/owl/0.png", "x");
    refused(tl_classification_evaluate(a, &o, NULL, &e), TL_EDATA, "torn");
}

/* ---- Prune ---- */

static void pruned_models_are_models(void **state)
{
    (void)state;
    tl_prune_summary p;
    tl_model_info whole, part;
    tl_train_summary s;
    const char *small = in(place, "small.onnx");
    tl_prune_cmd_opts o = { .model = model, .output_file = small, .pruning_granularity = 8, .min_num_filters = 8, .pruning_threshold = 0.7f, .results_dir = in(place, "pr") };
    ok(tl_classification_prune(a, &o, NULL, &p));
    refused(tl_classification_prune(a, &o, NULL, &p), TL_EARG, "exists already");
    o.overwrite = true;
    ok(tl_classification_prune(a, &o, NULL, &p));
    ok(tl_model_describe(a, model, NULL, &whole));
    ok(tl_model_describe(a, small, NULL, &part));
    assert_true(p.params == part.params && part.params < whole.params && part.bytes < whole.bytes);
    assert_true(near(p.ratio, (double)part.params / (double)whole.params) && near(p.macs_ratio, part.macs / whole.macs));
    assert_non_null(strstr(text_of(in(place, "pr/status.json")), "Pruning finished successfully."));
    assert_non_null(strstr(p.table, "conv1"));
    assert_int_equal(evaluate(small, NULL).pictures, 4 * CLASSES);
    ok(train(spec("retrain.txt", "", tl_printf(a, "pretrained_model_path: \"%s\"", small)), "retrained", &s));
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
    tl_prune_cmd_opts o = { .model = model, .output_file = in(place, "target.onnx"), .pruning_granularity = 8, .min_num_filters = 8, .overwrite = true };
    o.target = "macs=0.5";
    ok(tl_classification_prune(a, &o, NULL, &p));
    assert_true(p.macs_ratio > 0.35 && p.macs_ratio < 0.55 && p.threshold > 0);
    o.target = "params=0.6";
    ok(tl_classification_prune(a, &o, NULL, &p));
    assert_true(p.ratio > 0.45 && p.ratio < 0.65);
    static const char *const wrong[] = { "0.5", "macs=", "macs=1.5", "macs=0", "macs=-1", "flops=0.5", "macs=half", "" };
    for (int i = 0; i < TL_LEN(wrong); i++) {
        o.target = wrong[i];
        refused(tl_classification_prune(a, &o, NULL, &p), TL_EARG, "macs=SHARE or params=SHARE");
    }
    o.target = NULL;
    o.excluded_layers = (tl_list){ 1, (const char *[]){ "conv_1" } };
    o.pruning_threshold = 0.9f;
    tl_status s = tl_classification_prune(a, &o, NULL, &p);
    assert_true(s == TL_OK || strstr(tl_errmsg(), "conv_1")); /* a layer, or named as not being one */
    o.excluded_layers = (tl_list){ 1, (const char *[]){ "nonsense" } };
    refused(tl_classification_prune(a, &o, NULL, &p), TL_EARG, "nonsense");
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

    tl_export_summary half = export((tl_export_opts){ .output_file = in(place, "half.onnx"), .data_type = 1 });
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
    refused(tl_classification_evaluate(a, &(tl_evaluate_opts){ .model = s.output_file, .images = val_dir, .key = "wrong" }, NULL, &e), TL_EFORMAT, "wrong key");
    refused(tl_classification_evaluate(a, &(tl_evaluate_opts){ .model = s.output_file, .images = val_dir }, NULL, &e), TL_EARG, "sealed: give its key");
    const char *small = in(place, "sealed.tlt");
    ok(tl_classification_prune(a, &(tl_prune_cmd_opts){ .model = s.output_file, .output_file = small, .key = "secret", .pruning_threshold = 0.5f,
        .pruning_granularity = 8, .min_num_filters = 8 }, NULL, &p));
    assert_true(tl_is_sealed(slurp(small)));
    assert_int_equal(evaluate(small, "secret").pictures, 4 * CLASSES);
    tl_bytes b = slurp(s.output_file); /* one changed byte */
    ((uint8_t *)(uintptr_t)b.p)[b.n / 2] ^= 1;
    ok(tl_file_write(s.output_file, b.p, b.n));
    refused(tl_classification_evaluate(a, &(tl_evaluate_opts){ .model = s.output_file, .images = val_dir, .key = "secret" }, NULL, &e), TL_EFORMAT, "damaged");
    /* with a key, training's own files carry the original's suffix */
    tl_train_summary t;
    ok(tl_classification_train(a, &(tl_train_opts){ .experiment_spec = in(place, "spec.txt"), .results_dir = in(place, "sealed"), .key = "secret",
        .overrides = { 1, (const char *[]){ "train_config.n_epochs=1" } } }, NULL, &t));
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
        refused(tl_classification_export(a, &(tl_export_opts){ .model = from, .output_file = to, .data_type = i == 0 }, NULL, &e), TL_EFORMAT, "nothing was written");
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
                        "[property]\nnet-scale-factor=1\noffsets=103.939003;116.778999;123.68\ninfer-dims=3;32;32\nmodel-color-format=1\nnetwork-type=1\n"
                        "num-detected-classes=3\nlabelfile-path=labels.txt\nonnx-file=net.onnx\n");
    export((tl_export_opts){ .output_file = in(dir, "net.onnx"), .gen_ds_config = true, .overwrite = true, .classmap_json = in(place, "map.json") });
    assert_string_equal(text_of(in(dir, "labels.txt")), "A;B;C\n");
    refused(tl_classification_export(a, &(tl_export_opts){ .model = model, .output_file = in(dir, "x.onnx"), .gen_ds_config = true, .with_preprocessing = true }, NULL, &e),
            TL_EARG, "prepares pictures itself");
}

/* Raw pictures in, probabilities out, in ONNX Runtime: the same as ours. */
static void preprocessing_in_the_graph(void **state)
{
    (void)state;
    enum { N = 4 };
    const char *dir = in(place, "rt"), *program = getenv("TLC_PYTHON");
    tl_model *m;
    tl_plan *p;
    uint8_t *x = tl_new(a, uint8_t, N * SIDE * SIDE * 3);
    float y[N * CLASSES];
    ok(tl_mkdirs(dir));
    tl_export_summary e = export((tl_export_opts){ .output_file = in(dir, "net.onnx"), .with_preprocessing = true });
    refused(tl_model_load(a, e.output_file, NULL, &m), TL_EUNSUP, "for other programs");
    ok(tl_model_load(a, model, NULL, &m));
    ok(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = 1, .constant = true }, &p));
    for (int i = 0; i < N; i++) {
        const char *path = tl_printf(a, "%s/%s/%d.png", val_dir, class_name[i % CLASSES], i);
        tl_loader_conf conf = { .w = SIDE, .h = SIDE, .c = 3, .norm = m->norm };
        tl_image picture;
        ok(tl_image_load(a, path, 3, 0, &picture));
        memcpy(x + i * SIDE * SIDE * 3, picture.p, SIDE * SIDE * 3);
        ok(tl_picture_read(a, path, &conf, tl_plan_value(p, m->image).f));
        ok(tl_plan_forward(p));
        memcpy(y + i * CLASSES, tl_plan_value(p, m->answer).f, CLASSES * sizeof(float));
    }
    ok(tl_file_write(in(dir, "net.x"), x, N * SIDE * SIDE * 3));
    ok(tl_file_write(in(dir, "net.y"), y, sizeof y));
    int code = system(tl_printf(a, "%s tools/onnxrt_check.py %s >&2", program && program[0] ? program : "python3", dir));
    if (WEXITSTATUS(code) == 77 || WEXITSTATUS(code) == 127) {
        print_message("skipped: no Python with onnxruntime (set TLC_PYTHON to one)\n");
        skip();
    }
    assert_int_equal(code, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        T(training_leaves_its_files),
        T(refusing_to_train_changes_nothing),
        T(frozen_blocks_and_statistics_stay),
        T(numbers_agree),
        T(one_picture),
        T(folders_of_any_kind),
        T(questions_that_make_no_sense),
        T(unreadable_pictures_are_counted),
        T(pruned_models_are_models),
        T(pruning_to_a_target),
        T(exported_models_compute_the_same),
        T(sealed_models),
        T(what_differs_is_not_exported),
        T(deepstream_files),
        T(preprocessing_in_the_graph),
    };
    return cmocka_run_group_tests(tests, train_once, tear_down);
}
