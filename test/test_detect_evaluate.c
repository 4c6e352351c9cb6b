/* test_detect_evaluate.c - evaluation of a detector, from label files to figures, all of them worked out by hand.
 * SPDX-License-Identifier: MIT
 *
 * Of red two objects are labeled and three are found: the first exactly, then one that is not there, then, less certain, one whose
 * label is three pixels beside it (IoU 208 / 304 = 0.68; 0.7 when both ends count). Of blue one of two is found, exactly. */
#include "detector.h"

enum { PICTURES = 5 };

typedef struct { int side, kind; tl_box box; uint8_t color; int labeled; tl_box label; } scene;
static const scene scenes[PICTURES] = {
    { 64, 0, { 16, 16, 32, 32 }, 255, 0, { 16, 16, 32, 32 } },
    { 128, 1, { 96, 0, 128, 32 }, 255, 1, { 96, 0, 128, 32 } }, /* twice as large as the network sees it */
    { 64, 0, { 32, 32, 48, 48 }, 200, 0, { 35, 32, 51, 48 } },
    { 64, -1, { 0, 0, 0, 0 }, 0, 1, { 0, 48, 16, 64 } },
    { 64, 0, { 0, 0, 16, 16 }, 255, -1, { 0, 0, 0, 0 } },
};

static void put_one(int i)
{
    const scene *s = &scenes[i];
    const char *picture = tl_printf(a, "%s/images/%d.png", place, i), *label = tl_printf(a, "%s/labels/%d.txt", place, i);
    const char *text = s->labeled < 0 ? "" : tl_printf(a, "%s 0.00 0 0.00 %.2f %.2f %.2f %.2f 0 0 0 0 0 0 0\n", kind_name[s->labeled], (double)s->label.x1,
                                                       (double)s->label.y1, (double)s->label.x2, (double)s->label.y2);
    tl_image m;
    put_scene(picture, s->side, s->side, s->kind, s->box);
    ok(tl_image_load(a, picture, 3, (tl_size){ 0, 0 }, &m));
    for (int k = 0; k < 3 * m.w * m.h; k++) m.p[k] = m.p[k] ? s->color : 0;
    ok(tl_image_save(a, &m, picture));
    ok(tl_file_write(label, text, strlen(text)));
}

/* The spec; overlap: that makes a hit. */
static const char *put_all(const char *overlap)
{
    const char *path = in(place, "spec.txt");
    ok(tl_mkdirs(in(place, "images")));
    ok(tl_mkdirs(in(place, "labels")));
    for (int i = 0; i < PICTURES; i++) put_one(i);
    const char *clusters = "clustering_config { clustering_algorithm: NMS coverage_threshold: 0.5 }";
    const char *text = tl_printf(a,
        "dataset_config { data_sources { label_directory_path: \"%s/labels\" image_directory_path: \"%s/images\" }\n"
        "  validation_data_source { label_directory_path: \"%s/labels\" image_directory_path: \"%s/images\" }\n"
        "  target_class_mapping { key: \"red\" value: \"red\" } target_class_mapping { key: \"blue\" value: \"blue\" } }\n"
        "augmentation_config { preprocessing { output_image_width: 64 output_image_height: 64 enable_auto_resize: true } }\n"
        "model_config { arch: \"resnet\" }\n"
        "cost_function_config { target_classes { name: \"red\" } target_classes { name: \"blue\" } }\n"
        "training_config { batch_size_per_gpu: 4 num_epochs: 10 }\n"
        "evaluation_config { minimum_detection_ground_truth_overlap { key: \"red\" value: %s } minimum_detection_ground_truth_overlap { key: \"blue\" value: %s } }\n"
        "postprocessing_config { target_class_config { key: \"red\" value { %s } } target_class_config { key: \"blue\" value { %s } } }\n",
        place, place, place, place, overlap, overlap, clusters, clusters);
    ok(tl_file_write(path, text, strlen(text)));
    ok(tl_model_save(hand_made(""), in(place, "model.onnx"), &(tl_save_opts){ .key = NULL }));
    return path;
}

static tl_detect_scores evaluate(const char *spec, tl_detect_evaluate_opts o)
{
    tl_detect_scores s;
    o.experiment_spec = spec;
    o.model = in(place, "model.onnx");
    ok(tl_detectnet_v2_evaluate(a, &o, NULL, &s));
    return s;
}

static void is(const char *what, double got, double want)
{
    if (!(fabs(got - want) < 1e-6)) fail_msg("%s is %.7f, not %.7f", what, got, want);
}

static void figures_are_those_by_hand(void **state)
{
    (void)state;
    static const struct { const char *what, *mode, *overlap; bool compat; double red, blue; } cases[] = {
        /* Recalls up to a half have precision 1; red's others 2 of 3. */
        { "SAMPLE", "SAMPLE", "0.5", false, (6 + 5 * 2 / 3.0) / 11, 6 / 11.0 },
        { "INTEGRATE", "INTEGRATE", "0.5", false, 0.5 + 0.5 * 2 / 3, 0.5 },
        { "the original's INTEGRATE", "INTEGRATE", "0.5", true, 0.5, 0 }, /* what lies before the first recall is lost, and the last precision */
        { "an overlap of just so much", "INTEGRATE", "0.69999", false, 0.5 + 0.5 * 2 / 3, 0.5 },
        { "an overlap above", "INTEGRATE", "0.71", false, 0.5, 0.5 },
    };
    for (int i = 0; i < TL_LEN(cases); i++) {
        const char *spec = put_all(cases[i].overlap);
        const char *overrides[] = { tl_printf(a, "evaluation_config.average_precision_mode=%s", cases[i].mode) };
        const tl_detect_scores s = evaluate(spec, (tl_detect_evaluate_opts){ .compat = cases[i].compat, .overrides = { 1, overrides } });
        is(cases[i].what, s.mean_precision, (cases[i].red + cases[i].blue) / 2);
        assert_int_equal(s.pictures, PICTURES);
        assert_non_null(strstr(s.report, tl_printf(a, "Mean average_precision (in %%): %.4f\n", 100 * (cases[i].red + cases[i].blue) / 2)));
        assert_non_null(strstr(s.report, tl_printf(a, "%-10s  %26.4f\n", "blue", 100 * cases[i].blue)));
    }
}

/* 101 recalls; with overlaps of 0.7 and more, red's second object is not found. */
static void coco_has_its_own(void **state)
{
    (void)state;
    const double near = (51 + 50 * 2 / 3.0) / 101, half = 51 / 101.0;
    const tl_detect_scores s = evaluate(put_all("0.5"), (tl_detect_evaluate_opts){ 0 });
    is("AP50", s.precision_50, (near + half) / 2);
    is("AP", s.precision_coco, ((4 * near + 6 * half) / 10 + half) / 2);
}

/* The last one may be short: it counts for what it holds. */
static void batches_change_nothing(void **state)
{
    (void)state;
    const char *spec = put_all("0.5");
    const tl_detect_scores one = evaluate(spec, (tl_detect_evaluate_opts){ .batch_size = 1 });
    assert_true(one.cost > 0);
    for (int batch = 2; batch < 8; batch++) {
        const tl_detect_scores s = evaluate(spec, (tl_detect_evaluate_opts){ .batch_size = batch });
        is("mAP", s.mean_precision, one.mean_precision);
        is("AP", s.precision_coco, one.precision_coco);
        if (!(fabs(s.cost - one.cost) < 1e-5 * one.cost)) fail_msg("cost %g instead of %g with batches of %d", s.cost, one.cost, batch);
        assert_int_equal(s.pictures, PICTURES);
    }
}

/* It is told, and neither its objects nor anything else of it counts. */
static void what_cannot_be_read_is_left_out(void **state)
{
    (void)state;
    const char *spec = put_all("0.5"), *label = "red 0.00 0 0.00 0.00 0.00 16.00 16.00 0 0 0 0 0 0 0\n";
    const tl_detect_scores before = evaluate(spec, (tl_detect_evaluate_opts){ 0 });
    const tl_bytes whole = slurp(in(place, "images/1.png"));
    ok(tl_file_write(in(place, "images/00.png"), whole.p, whole.n / 3)); /* its size can be told, its pixels cannot */
    ok(tl_file_write(in(place, "labels/00.txt"), label, strlen(label)));
    const tl_detect_scores s = evaluate(spec, (tl_detect_evaluate_opts){ .results_dir = in(place, "out") });
    assert_int_equal(s.pictures, PICTURES);
    assert_int_equal(s.unreadable, 1);
    is("mAP", s.mean_precision, before.mean_precision);
    is("AP", s.precision_coco, before.precision_coco);
    is("cost", s.cost, before.cost);
    assert_non_null(strstr(text_of(in(place, "out/unreadable.txt")), "00.png"));
    assert_non_null(strstr(text_of(in(place, "out/status.json")), "validation_cost"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = { T(figures_are_those_by_hand), T(coco_has_its_own), T(batches_change_nothing), T(what_cannot_be_read_is_left_out) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
