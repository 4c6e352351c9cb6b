/* test_detect_export.c - a detector for other programs: grids, a configuration for DeepStream, objects by the graph.
 * SPDX-License-Identifier: MIT
 *
 * One test needs a python3 with onnx and onnxruntime, and is skipped without. */
#include "detector.h"
#include <sys/wait.h>

static const char *inside(void) { return trained("", "coverage_threshold: 0.25", "coverage_threshold: 0.75"); }
static const char *put(tl_model *m) { return put_model("model.onnx", m); }

static tl_status export(tl_export_opts o, tl_export_summary *e)
{
    said = tl_text_new(a);
    if (!o.output_file) o.output_file = in(place, "out.onnx");
    return tl_detectnet_v2_export(a, &o, &ear, e);
}

static void grids_are_the_same(void **state)
{
    (void)state;
    tl_export_summary e;
    tl_onnx *o;
    tl_model *again;
    const char *model = put(hand_made(inside())), *seen = in(place, "seen");
    ok(tl_mkdirs(seen));
    for (int i = 0; i < 3; i++) put_scene(tl_printf(a, "%s/%d.png", seen, i), 64, 64, i - 1, (tl_box){ 16, 16, 40, 40 });
    ok(export((tl_export_opts){ .model = model, .image_dir = seen, .results_dir = in(place, "r") }, &e));
    assert_true(e.worst <= 1e-4 && strstr(e.report, "on 3 pictures"));
    ok(tl_onnx_parse(a, slurp(e.output_file), &o));
    assert_int_equal(o->output.n, 2);
    assert_string_equal(((tl_onnx_value *)o->output.at)[0].name, "output_cov/Sigmoid");
    assert_string_equal(((tl_onnx_value *)o->output.at)[1].name, "output_bbox/BiasAdd");
    ok(tl_model_load(a, e.output_file, NULL, &again));
    assert_true(again->bbox_scale == 35 && again->bbox_offset == 0.5f && !strcmp(again->spec, inside()));
    assert_non_null(strstr(again->history, "detectnet_v2 export"));
    refused(export((tl_export_opts){ .model = model }, &e), TL_EARG, "exists already");
    ok(export((tl_export_opts){ .model = model, .output_file = in(place, "half.onnx"), .data_type = 1 }, &e));
    assert_true(e.worst < 5e-3);
}

/* A box far off by weights that 16 bits cannot hold: coverage alone would not show it. */
static void both_outputs_are_compared(void **state)
{
    (void)state;
    tl_export_summary e;
    tl_model *m = hand_made(inside());
    weights_of(m->g, "output_bbox/BiasAdd", 1)[2] = 1e6f; /* more than 65504 */
    refused(export((tl_export_opts){ .model = put(m), .data_type = 1 }, &e), TL_EFORMAT, "nothing was written");
    assert_false(tl_file_exists(in(place, "out.onnx")));
}

static void deepstream_is_told(void **state)
{
    (void)state;
    tl_export_summary e;
    const char *model = put(hand_made(inside()));
    ok(export((tl_export_opts){ .model = model, .gen_ds_config = true }, &e));
    const char *config = text_of(in(place, "nvinfer_config.txt"));
    assert_non_null(strstr(config, "pre-cluster-threshold=0.25\n"));
    assert_non_null(strstr(config, "pre-cluster-threshold=0.75\n"));
    assert_non_null(strstr(config, "onnx-file=out.onnx\n"));
    assert_string_equal(text_of(in(place, "labels.txt")), "red\nblue\n");
    refused(export((tl_export_opts){ .model = model, .gen_ds_config = true, .output_file = in(place, "new.onnx") }, &e), TL_EARG, "labels.txt' exists already");
    assert_false(tl_file_exists(in(place, "new.onnx")));
    const char *other = put_text("spec.txt", trained("", "coverage_threshold: 0.35", ""));
    ok(export((tl_export_opts){ .model = model, .gen_ds_config = true, .overwrite = true, .experiment_spec = other }, &e));
    assert_non_null(strstr(text_of(in(place, "nvinfer_config.txt")), "pre-cluster-threshold=0.35\n"));
}

/* A training's thresholds are for evaluation. */
static void deepstream_shows_what_is_certain(void **state)
{
    (void)state;
    tl_export_summary e;
    const char *low = "coverage_threshold: 0.001 nms_confidence_threshold: 0.002";
    const char *model = put(hand_made(trained("", low, "coverage_threshold: 0.75"))), *spec = put_text("low.txt", trained("", low, low));
    ok(export((tl_export_opts){ .model = model, .gen_ds_config = true, .overwrite = true }, &e));
    const char *config = text_of(in(place, "nvinfer_config.txt"));
    assert_non_null(strstr(config, "pre-cluster-threshold=0.25\n"));
    assert_non_null(strstr(config, "pre-cluster-threshold=0.75\n"));
    assert_non_null(strstr(said.at, "a score of 0.25 or more"));
    ok(export((tl_export_opts){ .model = model, .gen_ds_config = true, .overwrite = true, .experiment_spec = spec }, &e));
    assert_non_null(strstr(text_of(in(place, "nvinfer_config.txt")), "pre-cluster-threshold=0.002\n"));
    assert_null(strstr(said.at, "a score of"));
    const char *nms = trained("", "coverage_threshold: 0.001", low), *first = strstr(nms, "NMS"); /* red's */
    const char *sums = tl_printf(a, "%.*sDBSCAN%s", (int)(first - nms), nms, first + 3);
    ok(export((tl_export_opts){ .model = put(hand_made(sums)), .gen_ds_config = true, .overwrite = true }, &e)); /* DBSCAN's, for all classes */
    assert_non_null(strstr(text_of(in(place, "nvinfer_config.txt")), "pre-cluster-threshold=0.001\n"));
    assert_null(strstr(said.at, "a score of"));
}

static void what_cannot_be_is_refused_before_writing(void **state)
{
    (void)state;
    tl_export_summary e;
    tl_model *odd = hand_made(inside()), *other = hand_made(inside());
    odd->bbox_scale = 20;
    ok(tl_norm_for("caffe", 3, NULL, &other->norm));
    const char *bare = put_model("bare.onnx", hand_made("")), *scaled = put_model("scaled.onnx", odd), *caffe = put_model("caffe.onnx", other);
    static const char order[] = "name: \"blue\" } target_classes { name: \"red\" }"; /* as long as the right one */
    char *swapped = tl_strdup(a, trained("", "", ""));
    memcpy(strstr(swapped, "name: \"red\" }"), order, sizeof order - 1);
    const char *wrong_spec = put_text("spec.txt", swapped);
    const struct { tl_export_opts o; tl_status s; const char *words; } wrong[] = {
        { { .model = bare, .gen_ds_config = true }, TL_EARG, "give the experiment spec (-e)" },
        { { .model = bare, .with_postprocessing = true, .experiment_spec = wrong_spec }, TL_EDATA, "class 0 is 'blue' in the spec" },
        { { .model = scaled, .gen_ds_config = true }, TL_EUNSUP, "35 pixels" },
        { { .model = caffe, .gen_ds_config = true }, TL_EUNSUP, "r,g,b / 255" },
        { { .model = scaled, .gen_ds_config = true, .with_postprocessing = true }, TL_EARG, "leave out --with_postprocessing" },
        { { .model = scaled, .gen_ds_config = true, .with_preprocessing = true }, TL_EARG, "leave out --with_preprocessing" },
    };
    for (int i = 0; i < TL_LEN(wrong); i++) {
        refused(export(wrong[i].o, &e), wrong[i].s, wrong[i].words);
        assert_false(tl_file_exists(in(place, "out.onnx")) || tl_file_exists(in(place, "labels.txt")));
    }
}

/* Two pictures, N,C,H,W: what ONNX Runtime finds is what was painted. */
static void the_graph_makes_objects(void **state)
{
    (void)state;
    tl_export_summary e;
    const tl_box box[2] = { { 16, 32, 32, 48 }, { 48, 0, 64, 16 } };
    float *x = tl_new(a, float, 2 * 3 * INPUT * INPUT);
    for (int p = 0; p < 2; p++)
        for (int i = (int)box[p].y1; i < (int)box[p].y2; i++)
            for (int j = (int)box[p].x1; j < (int)box[p].x2; j++) x[((p * 3 + 2 * p) * INPUT + i) * INPUT + j] = 1;
    const char *pictures = in(place, "pictures"), *out = in(place, "objects");
    ok(tl_file_write(pictures, x, sizeof *x * 2 * 3 * INPUT * INPUT));
    ok(export((tl_export_opts){ .model = put(hand_made(inside())), .with_postprocessing = true }, &e));
    refused(tl_model_load(a, e.output_file, NULL, &(tl_model *){ NULL }), TL_EUNSUP, "use the one it was exported from");
    int code = system(tl_printf(a, "python3 tools/postprocess_check.py %s input_1=%s > %s", e.output_file, pictures, out));
    code = WIFEXITED(code) ? WEXITSTATUS(code) : -1;
    if (code == 77 || code == 127) {
        print_message("skipped: Python's onnx and onnxruntime are not installed\n");
        skip();
    }
    assert_int_equal(code, 0);
    FILE *f = fopen(out, "r");
    assert_non_null(f);
    for (int p = 0; p < 2; p++) {
        int picture, label;
        float score;
        tl_box b;
        assert_int_equal(fscanf(f, "%d %d %f %f %f %f %f", &picture, &label, &score, &b.x1, &b.y1, &b.x2, &b.y2), 7);
        assert_true(picture == p && label == p && score > 0.99f);
        assert_true(fabsf(b.x1 - box[p].x1) + fabsf(b.y1 - box[p].y1) + fabsf(b.x2 - box[p].x2) + fabsf(b.y2 - box[p].y2) < 1e-3f);
    }
    assert_int_equal(fgetc(f), '\n');
    assert_int_equal(fgetc(f), EOF);
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(grids_are_the_same), IN_PLACE(both_outputs_are_compared), IN_PLACE(deepstream_is_told),
        IN_PLACE(deepstream_shows_what_is_certain),
        IN_PLACE(what_cannot_be_is_refused_before_writing), IN_PLACE(the_graph_makes_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
