/* test_detect_train.c - DetectNet_v2's training, from label files to a model that finds what it was shown.
 * SPDX-License-Identifier: MIT */
#include "detectnet.h"
#include "draw.h"
#include "picture.h"
#include "rng.h"
#include "text.h"
#include "trainer.h"
#include <math.h>
#include <string.h>
#include "folder.h"
#include "scene_set.h"

typedef struct { tl_text said; int steps, stop_after; volatile int stop; } ear;

static void hear(void *ctx, const char *text) { tl_textf(&((ear *)ctx)->said, "%s", text); }

static void watch(void *ctx, const tl_progress *p)
{
    ear *e = ctx;
    if (!strcmp(p->stage, "train") && ++e->steps == e->stop_after) e->stop = 1;
}

/* overrides: ended by NULL, or NULL. */
static tl_status train(const char *spec, const char *results, bool resume, const char **overrides, ear *e, tl_train_summary *out)
{
    int n = 0;
    while (overrides && overrides[n]) n++;
    const tl_train_opts o = { .experiment_spec = spec, .results_dir = in(results), .resume = resume, .overrides = { n, overrides } };
    e->said = tl_text_new(a);
    const tl_listener l = { .say = hear, .progress = watch, .ctx = e, .stop = &e->stop };
    tl_arena *own = tl_arena_new(); /* a training is large, and a test has several */
    tl_status st = tl_detectnet_v2_train(own, &o, &l, out);
    if (!st) out->best_model = tl_strdup(a, out->best_model);
    tl_arena_free(own);
    return st;
}

static const char *said(ear *e) { return tl_text_end(&e->said); }

/* Eight pictures by heart. The weights come with the project. */
static void it_learns(void **state)
{
    (void)state;
    ear e = { .stop_after = -1 };
    tl_train_summary s;
    tl_detect_scores found;
    put_scenes("set", 8, 1);
    const char *spec = scene_spec((scene_conf){ .name = "set", .epochs = 100, .arch = "arch: \"mobilenet_v2\"",
        .model = "pretrained_model_file: \"models/mobilenet_v2_imagenet.onnx\" whole_backbone: true freeze_bn: true" });
    ok(train(spec, "out", false, NULL, &e, &s));
    ok(tl_detectnet_v2_evaluate(a, &(tl_detect_evaluate_opts){ .experiment_spec = spec, .model = s.best_model }, NULL, &found));
    if (!(found.mean_precision > 0.9)) fail_msg("mean average precision %g\n%s", found.mean_precision, said(&e));
    assert_int_equal(found.pictures, 8);
    assert_true(fabs(found.mean_precision - s.best_accuracy) < 1e-9); /* as when training, though batch norms are folded */
    if (!(found.precision_50 > 0.9 && found.cost > 0 && found.cost < 0.1)) fail_msg("%g by COCO, cost %g", found.precision_50, found.cost);
    assert_non_null(strstr(found.report, "Mean average_precision (in %): "));
    assert_non_null(strstr(said(&e), "  Box -> box: 8 objects"));
    /* What INTEGRATE leaves out in the original. */
    const char *integrate[] = { "evaluation_config.average_precision_mode=INTEGRATE" };
    tl_detect_scores compat;
    ok(tl_detectnet_v2_evaluate(a, &(tl_detect_evaluate_opts){ .experiment_spec = spec, .model = s.best_model, .compat = true,
                                                               .overrides = { 1, integrate } }, NULL, &compat));
    assert_true(compat.mean_precision < found.mean_precision);
}

static bool same_file(const char *one, const char *two)
{
    tl_bytes x, y;
    ok(tl_file_read(a, one, 0, &x));
    ok(tl_file_read(a, two, 0, &y));
    return x.n == y.n && !memcmp(x.p, y.p, x.n);
}

/* With what changes pictures by chance, weights of the costs that move, and a running average. */
static void stopping_changes_nothing(void **state)
{
    (void)state;
    tl_train_summary s;
    ear e = { .stop_after = -1 };
    put_scenes("set", 9, 2);
    const char *spec = scene_spec((scene_conf){ .name = "set", .epochs = 4, .training = "weight_average: 0.9",
        .augmentation = "spatial_augmentation { hflip_probability: 0.5 translate_max_x: 8 zoom_min: 0.8 zoom_max: 1.2 } "
                        "color_augmentation { hue_rotation_max: 10 }" });
    ok(train(spec, "whole", false, NULL, &e, &s));
    for (int at = 1; at < 12; at += 3) {
        const char *name = tl_printf(a, "parts%d", at), *file = "weights/model.onnx";
        ear f = { .stop_after = at };
        assert_int_equal(train(spec, name, false, NULL, &f, &s), TL_ESTOPPED);
        f = (ear){ .stop_after = -1 };
        ok(train(spec, name, true, NULL, &f, &s));
        if (!same_file(tl_path_join(a, in("whole"), file), tl_path_join(a, in(name), file))) fail_msg("stopped after %d steps: other weights", at);
    }
}

static bool there(const char *results, const char *file) { return tl_file_exists(tl_path_join(a, in(results), file)); }

static void it_leaves_what_it_should(void **state)
{
    (void)state;
    static const struct { const char *file; bool is; } files[] = {
        { "weights/model_002.onnx", true }, { "weights/model_004.onnx", true }, { "weights/model_005.onnx", true },
        { "weights/model_001.onnx", false }, { "weights/model_003.onnx", false }, { "weights/model.onnx", true },
        { "weights/model_best.onnx", true }, { "weights/model_002.state", false }, { "weights/model_005.state", true },
        { "experiment_spec.txt", true }, { "training.csv", true }, { "monitor.json", true }, { "status.json", true },
    };
    tl_train_summary s;
    ear e = { .stop_after = -1 };
    put_scenes("set", 4, 3);
    ok(train(scene_spec((scene_conf){ .name = "set", .epochs = 5 }), "out", false, NULL, &e, &s)); /* only the last epoch is validated */
    assert_int_equal(s.best_epoch, 5);
    for (int i = 0; i < TL_LEN(files); i++)
        if (there("out", files[i].file) != files[i].is) fail_msg("%s: %s", files[i].file, files[i].is ? "missing" : "there");
    const char *csv = text_of("out/training.csv");
    assert_non_null(strstr(csv, "epoch,loss,lr,AP_box,AP_disc,mAP,validation_loss\n0,"));
    assert_non_null(strstr(csv, ",nan,nan,nan,nan\n1,"));
    assert_int_equal(train(in("spec.txt"), "out", false, NULL, &e, &s), TL_EARG);
    assert_non_null(strstr(tl_errmsg(), "holds a training already"));
}

/* Checkpoints remember the weights of the costs: of each class they add up to 1. */
static void costs_are_weighed_anew(void **state)
{
    (void)state;
    tl_train_summary s;
    tl_checkpoint k;
    const char *notes;
    ear e = { .stop_after = -1 };
    put_scenes("set", 4, 4);
    ok(train(scene_spec((scene_conf){ .name = "set", .epochs = 2 }), "out", false, NULL, &e, &s));
    ok(tl_checkpoint_find(a, &(tl_checkpoints){ .dir = tl_path_join(a, in("out"), "weights"), .name = "model" }, &k, &notes));
    assert_int_equal(k.state.nkept, 8);
    for (int c = 0; c < 2; c++) {
        assert_true(fabs(k.state.kept[c] + k.state.kept[2 + c] - 1) < 1e-5);
        assert_true(fabs(k.state.kept[c] - 1.0 / 11) > 1e-3); /* no longer what the spec began with */
    }
    for (int i = 4; i < 8; i++) assert_true(k.state.kept[i] == 0);
}

/* With next to no learning rate no validation is better than the first: the second and third are in vain. */
static void patience_ends_a_training(void **state)
{
    (void)state;
    static const char plain[] = "soft_start_annealing_schedule { min_learning_rate: 1e-12 max_learning_rate: 1e-11 soft_start: 0.1 annealing: 0.5 }";
    static const struct { const char *rate, *override; int epochs; } cases[] = {
        { plain, "evaluation_config.early_stopping_patience_steps=2", 3 },
        { "early_stopping_annealing_schedule { min_learning_rate: 1e-12 max_learning_rate: 1e-11 soft_start_epochs: 1 annealing_epochs: 2 "
          "patience_steps: 2 }", NULL, 5 },
        { plain, NULL, 8 },
    };
    put_scenes("set", 4, 7);
    for (int i = 0; i < TL_LEN(cases); i++) {
        const char *overrides[6] = { "model_config.freeze_bn=true", "cost_function_config.enable_autoweighting=false",
                                      "evaluation_config.validation_period_during_training=1", "evaluation_config.first_validation_epoch=1" };
        tl_train_summary s;
        int n = 4;
        ear e = { .stop_after = -1 };
        const char *spec = scene_spec((scene_conf){ .name = "set", .epochs = 8, .rate = cases[i].rate });
        overrides[n] = cases[i].override;
        ok(train(spec, tl_printf(a, "out%d", i), false, overrides, &e, &s));
        if (!there(tl_printf(a, "out%d", i), tl_printf(a, "weights/model_%03d.onnx", cases[i].epochs)) || strstr(said(&e), tl_printf(a, "Epoch %d/", cases[i].epochs + 1)))
            fail_msg("case %d did not end with epoch %d:\n%s", i, cases[i].epochs, said(&e));
    }
}

static void classes_that_stay_keep_their_channels(void **state)
{
    (void)state;
    tl_train_summary s;
    tl_model *one, *two;
    ear e = { .stop_after = -1 };
    put_scenes("set", 4, 5);
    ok(train(scene_spec((scene_conf){ .name = "set", .epochs = 1 }), "out", false, NULL, &e, &s));
    const char *model = tl_printf(a, "pretrained_model_file: \"%s\" freeze_pretrained_layers: true freeze_bn: true", s.best_model);
    ok(tl_model_load(a, s.best_model, NULL, &one));
    /* Nothing learns: the rate is next to nothing. */
    ok(train(scene_spec((scene_conf){ .name = "set", .epochs = 1, .model = model, .classes = "target_classes { name: \"ring\" }" }), "more", false,
             (const char *[]){ "training_config.learning_rate.soft_start_annealing_schedule.max_learning_rate=1e-5", NULL }, &e, &s));
    ok(tl_model_load(a, s.best_model, NULL, &two));
    const char *text = said(&e);
    if (!strstr(text, "classes that stay keep what they have learned: box, disc; new: ring; gone: \n")) fail_msg("it said:\n%s", text);
    const tl_node *x = &one->g->node[one->raw.i], *y = &two->g->node[two->raw.i];
    const int in_c = x->p[0].dims.d[1];
    assert_int_equal(y->s.c, 3);
    for (int i = 0; i < 2 * in_c; i++) assert_float_equal(x->p[0].w[i], y->p[0].w[i], 1e-4);
}

/* The loss, by epoch, in training.csv. */
static double loss_of(const char *results, int epoch)
{
    const char *row = text_of(tl_printf(a, "%s/training.csv", results));
    for (int i = 0; i < epoch; i++) row = strchr(row, '\n') + 1;
    return strtod(strchr(row, ',') + 1, NULL);
}

/* Other first weights: what blocks and outputs show is nothing like the teacher's to begin with, and adds to the loss. */
static void it_learns_from_a_teacher(void **state)
{
    (void)state;
    tl_train_summary s;
    ear e = { .stop_after = -1 };
    put_scenes("set", 8, 8);
    ok(train(scene_spec((scene_conf){ .name = "set", .epochs = 2 }), "out", false, NULL, &e, &s));
    const char *model = tl_printf(a, "teacher_model_file: \"%s\" freeze_bn: true", s.best_model);
    ok(train(scene_spec((scene_conf){ .name = "set", .epochs = 8, .model = model }), "taught", false, (const char *[]){ "random_seed=2", NULL }, &e, &s));
    ok(train(scene_spec((scene_conf){ .name = "set", .epochs = 8, .model = "freeze_bn: true" }), "alone", false, (const char *[]){ "random_seed=2", NULL }, &e, &s));
    const double first = loss_of("taught", 1) - loss_of("alone", 1), last = loss_of("taught", 8) - loss_of("alone", 8);
    if (!(first > 1e-3 && last < 0.9 * first)) fail_msg("the teacher's part of the loss went from %g to %g", first, last);
}

static void what_is_wrong_is_told(void **state)
{
    (void)state;
    static const struct { const char *override, *says; } cases[] = {
        { "dataset_config.validation_data_source.label_directory_path=/nowhere", "/nowhere" },
        { "model_config.pretrained_model_file=/nowhere.onnx", "/nowhere.onnx" },
        { "model_config.teacher_model_file=/nowhere.onnx", "/nowhere.onnx" },
        { "model_config.teacher_model_file=models/mobilenet_v2_imagenet.onnx", "is not one of DetectNet_v2" },
        { "augmentation_config.preprocessing.output_image_width=100", "multiple of 16" },
        { "model_config.load_graph=true", "load_graph: needs pretrained_model_file" },
    };
    tl_train_summary s;
    ear e = { .stop_after = -1 };
    put_scenes("set", 2, 6);
    for (int i = 0; i < TL_LEN(cases); i++) {
        assert_true(train(scene_spec((scene_conf){ .name = "set", .epochs = 1 }), tl_printf(a, "out%d", i), false, (const char *[]){ cases[i].override, NULL }, &e, &s) != TL_OK);
        if (!strstr(tl_errmsg(), cases[i].says)) fail_msg("case %d says: %s", i, tl_errmsg());
    }
    /* Labels of other names. */
    write_text(in("set/labels/00.txt"), "Cat 0.00 0 0.00 1 1 50 50 0 0 0 0 0 0 0\n");
    write_text(in("set/labels/01.txt"), "");
    assert_int_equal(train(scene_spec((scene_conf){ .name = "set", .epochs = 1 }), "cats", false, NULL, &e, &s), TL_EDATA);
    assert_non_null(strstr(tl_errmsg(), "target_class_mapping"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(it_learns), IN_FOLDER(stopping_changes_nothing), IN_FOLDER(it_leaves_what_it_should), IN_FOLDER(costs_are_weighed_anew),
        IN_FOLDER(patience_ends_a_training), IN_FOLDER(classes_that_stay_keep_their_channels), IN_FOLDER(it_learns_from_a_teacher), IN_FOLDER(what_is_wrong_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
