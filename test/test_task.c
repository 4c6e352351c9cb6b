/* test_task.c - train, evaluate and inference through tlc.h, on one small model.
 * SPDX-License-Identifier: MIT */
#include "statusjson.h"
#include "task.h"

/* ---- Train ---- */

static void training_leaves_its_files(void **state)
{
    (void)state;
    const char *text, *again, *warnings;
    tl_list classes;
    ok(tl_classmap_read(a, in(place, "out/classmap.json"), &classes));
    assert_int_equal(classes.n, CLASSES);
    for (int k = 0; k < CLASSES; k++)
        assert_string_equal(((const char **)classes.at)[k], class_name[k]);
    const char *copy = in(place, "out/experiment_spec.txt");
    ok(tl_classification_spec_text(a, copy, &(tl_list){ 0, NULL }, &text,
                                   &warnings)); /* whole, and it can be used again */
    ok(tl_classification_spec_text(a, in(place, "spec.txt"), &(tl_list){ 0, NULL }, &again,
                                   &warnings));
    assert_non_null(strstr(text_of(copy), "n_epochs: 2"));
    tl_model *m;
    ok(tl_model_load(a, model, NULL, &m));
    assert_string_equal(m->arch, "mobilenet_v2");
    assert_non_null(strstr(m->spec, "learning_rate: 0.01"));
    assert_non_null(strstr(m->history, "classification train: 12 pictures of 3 classes"));
    for (const char *const *f =
             (const char *const[]){ "weights/mobilenet_v2_001.onnx",
                                    "weights/mobilenet_v2_best.onnx", "training.csv", "status.json",
                                    "events", NULL };
         *f; f++)
        assert_true(tl_file_exists(in(in(place, "out"), *f)));
}

static void refusing_to_train_changes_nothing(void **state)
{
    (void)state;
    tl_train_summary s;
    const char *before = text_of(in(place, "out/experiment_spec.txt"));
    refused(train(spec("again.txt", "", "class_weights { key: \"cat\" value: 2 }"), "out", &s),
            TL_EARG, "holds a training already");
    assert_string_equal(before, text_of(in(place, "out/experiment_spec.txt")));
    refused(train(NULL, "x", &s), TL_EARG, "needs a spec");
    refused(train(spec("w.txt", "", "class_weights { key: \"cow\" value: 2 }"), "w", &s), TL_ESPEC,
            "'cow', which is no class");
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
    return memcmp(x->g->node[i].p[k].w, y->g->node[j].p[k].w,
                  tl_dims_count(x->g->node[i].p[k].dims) * sizeof(float));
}

/* From the trunk in models/: what is frozen stays as it was there. */
static void frozen_blocks_and_statistics_stay(void **state)
{
    (void)state;
    tl_train_summary s;
    tl_model *before, *after;
    static const char trunk[] = "models/mobilenet_v2_imagenet.onnx";
    const char *from = tl_printf(
        a, "pretrained_model_path: \"%s\" class_weights { key: \"cat\" value: 2 }", trunk);
    tl_train_opts o = {
        .experiment_spec =
            spec("freeze.txt", "freeze_blocks: 0 freeze_blocks: 18 freeze_bn: true", from),
        .results_dir = in(place, "freeze"),
        .overrides = { 1, (const char *[]){ "train_config.lr_config.step.learning_rate=1e-4" } }
    };
    said = tl_text_new(a);
    ok(tl_classification_train(a, &o, &ear, &s));
    ok(tl_model_load(a, trunk, NULL, &before));
    ok(tl_model_load(a, in(place, "freeze/weights/mobilenet_v2_002.onnx"), NULL, &after));
    TL_EACH_PARAM(before->g, i, k)
    {
        const tl_node *d = &before->g->node[i];
        if (d->op->param[k].stat) assert_false(layer_moved(before, after, d->name, k));
    }
    assert_false(layer_moved(before, after, "conv1", 0)); /* block 0, and 18 */
    assert_false(layer_moved(before, after, "conv_1", 0));
    assert_false(layer_moved(before, after, "bn_conv1", 1));
    assert_true(layer_moved(before, after, "block_9_project", 0) &&
                layer_moved(before, after, "block_9_project_bn", 1));
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
    assert_non_null(
        strstr(e.report, tl_printf(a, "Evaluation Loss: %.6f\nEvaluation Top 1 accuracy: %.6f\n",
                                   e.loss, e.accuracy)));
    ok(tl_classification_evaluate(a,
                                  &(tl_evaluate_opts){ .experiment_spec = in(place, "spec.txt"),
                                                       .batch_size = 5,
                                                       .results_dir = in(place, "eval"),
                                                       .classmap = in(place, "out/classmap.json") },
                                  NULL, &by_spec));
    assert_true(near(e.accuracy, by_spec.accuracy) && near(e.loss, by_spec.loss));
    assert_true(by_spec.top_k >= e.accuracy);
    assert_non_null(strstr(by_spec.report, "Top 2 accuracy"));
    assert_non_null(
        strstr(text_of(in(place, "eval/status.json")), "Evaluation finished successfully."));

    tl_inference i;
    int hits = 0, rows = 0;
    ok(tl_classification_inference(a,
                                   &(tl_inference_opts){ .model = model,
                                                         .image_dir = val_dir,
                                                         .results_dir = in(place, "inf"),
                                                         .batch_size = 7 },
                                   NULL, &i));
    assert_int_equal(i.pictures, 4 * CLASSES);
    char *rest = NULL;
    for (char *line = strtok_r((char *)(uintptr_t)text_of(i.csv), "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest), rows++) {
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
    const char *picture = in(val_dir, "dog/2.png"),
               *map = put_text("map.json", "{\"A\": 0, \"B\": 1, \"C\": 2}");
    for (int named = 0; named < 2; named++) {
        ok(tl_classification_inference(a,
                                       &(tl_inference_opts){ .model = model,
                                                             .image = picture,
                                                             .classmap = named ? map : NULL },
                                       NULL, &i));
        float p[CLASSES];
        int label, used, best = 0;
        assert_int_equal(
            sscanf(i.text, "Current predictions: [[%f %f %f]]\nClass label = %d\nClass name = %n",
                   &p[0], &p[1], &p[2], &label, &used),
            4);
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
    ok(tl_classification_inference(a,
                                   &(tl_inference_opts){ .model = model,
                                                         .image_dir = dir,
                                                         .results_dir = in(place, "odd-out") },
                                   &ear, &i));
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
        { { .model = in(place, "out/weights/mobilenet_v2_002.tlt"), .image = "x" },
          TL_EIO,
          "but there is" },
        { { .model = in(place, "spec.txt"), .image = "x" }, TL_EFORMAT, "spec.txt" },
        { { .model = model, .image_dir = val_dir, .classmap = two },
          TL_EDATA,
          "names 2 classes, the model has 3" },
    };
    for (int r = 0; r < TL_LEN(rows); r++) {
        tl_status s = tl_classification_inference(a, &rows[r].o, NULL, &i);
        if (s != rows[r].want || !strstr(tl_errmsg(), rows[r].words))
            fail_msg("row %d: %d, %s", r, s, tl_errmsg());
    }
    refused(tl_classification_evaluate(a, &(tl_evaluate_opts){ .images = val_dir }, NULL, &e),
            TL_EARG, "no model");
    refused(tl_classification_evaluate(a, &(tl_evaluate_opts){ .model = model }, NULL, &e), TL_EARG,
            "no pictures");
    refused(tl_classification_evaluate(a, &(tl_evaluate_opts){ .model = model, .images = empty },
                                       NULL, &e),
            TL_EDATA, "missing 'cat'");
    refused(
        tl_classification_evaluate(
            a, &(tl_evaluate_opts){ .model = model, .images = val_dir, .classmap = two }, NULL, &e),
        TL_EDATA, "names 2 classes");
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
    };
    return cmocka_run_group_tests(tests, train_once, tear_down);
}
