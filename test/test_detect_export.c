/* test_detect_export.c - a detector for other programs: grids, a configuration for DeepStream, objects by the graph.
 * SPDX-License-Identifier: MIT
 *
 * One test needs a python3 with onnx and onnxruntime, and is skipped without. */
#include "detector.h"
#include "text.h"
#include <sys/wait.h>

static tl_text said;
static void hear(void *ctx, const char *text) { (void)ctx; tl_textf(&said, "%s", text); }

static const char *const inside =
    "dataset_config { data_sources { label_directory_path: \"l\" image_directory_path: \"d\" } target_class_mapping { key: \"red\" value: \"red\" } }\n"
    "augmentation_config { preprocessing { output_image_width: 64 output_image_height: 64 } }\n"
    "model_config { arch: \"resnet\" }\n"
    "cost_function_config { target_classes { name: \"red\" } target_classes { name: \"blue\" } }\n"
    "training_config { batch_size_per_gpu: 4 num_epochs: 10 }\n"
    "postprocessing_config { target_class_config { key: \"red\" value { clustering_config { clustering_algorithm: NMS coverage_threshold: 0.25 } } } "
    "target_class_config { key: \"blue\" value { clustering_config { clustering_algorithm: NMS coverage_threshold: 0.75 } } } }\n";

static const char *put(tl_model *m)
{
    const char *path = in(place, "model.onnx");
    ok(tl_model_save(m, path, &(tl_save_opts){ .key = NULL }));
    return path;
}

static tl_status export(tl_export_opts o, tl_export_summary *e)
{
    said = tl_text_new(a);
    if (!o.output_file) o.output_file = in(place, "out.onnx");
    return tl_detectnet_v2_export(a, &o, &(tl_listener){ .say = hear }, e);
}

static void grids_are_the_same(void **state)
{
    (void)state;
    tl_export_summary e;
    tl_onnx *o;
    tl_model *again;
    const char *model = put(hand_made(inside)), *seen = in(place, "seen");
    ok(tl_mkdirs(seen));
    for (int i = 0; i < 3; i++) put_scene(tl_printf(a, "%s/%d.png", seen, i), 64, 64, i - 1, (tl_box){ 16, 16, 40, 40 });
    ok(export((tl_export_opts){ .model = model, .image_dir = seen, .results_dir = in(place, "r") }, &e));
    assert_true(e.worst <= 1e-4 && strstr(e.report, "on 3 pictures"));
    ok(tl_onnx_parse(a, slurp(e.output_file), &o));
    assert_int_equal(o->output.n, 2);
    assert_string_equal(((tl_onnx_value *)o->output.at)[0].name, "output_cov/Sigmoid");
    assert_string_equal(((tl_onnx_value *)o->output.at)[1].name, "output_bbox/BiasAdd");
    ok(tl_model_load(a, e.output_file, NULL, &again));
    assert_true(again->bbox_scale == 35 && again->bbox_offset == 0.5f && !strcmp(again->spec, inside));
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
    tl_model *m = hand_made(inside);
    weights_of(m->g, "output_bbox/BiasAdd", 1)[2] = 1e6f; /* more than 65504 */
    refused(export((tl_export_opts){ .model = put(m), .data_type = 1 }, &e), TL_EFORMAT, "nothing was written");
    assert_false(tl_file_exists(in(place, "out.onnx")));
}

static const char *other_spec(const char *classes)
{
    const char *path = in(place, "spec.txt"), *text = tl_printf(a, "%s", classes);
    ok(tl_file_write(path, text, strlen(text)));
    return path;
}

static void deepstream_is_told(void **state)
{
    (void)state;
    tl_export_summary e;
    const char *model = put(hand_made(inside));
    ok(export((tl_export_opts){ .model = model, .gen_ds_config = true }, &e));
    const char *config = text_of(in(place, "nvinfer_config.txt"));
    assert_non_null(strstr(config, "pre-cluster-threshold=0.25\n"));
    assert_non_null(strstr(config, "pre-cluster-threshold=0.75\n"));
    assert_non_null(strstr(config, "onnx-file=out.onnx\n"));
    assert_string_equal(text_of(in(place, "labels.txt")), "red\nblue\n");
    refused(export((tl_export_opts){ .model = model, .gen_ds_config = true, .output_file = in(place, "new.onnx") }, &e), TL_EARG, "labels.txt' exists already");
    assert_false(tl_file_exists(in(place, "new.onnx")));
    char *text = tl_strdup(a, inside), *at = strstr(text, "0.25");
    memcpy(at, "0.35", 4);
    ok(export((tl_export_opts){ .model = model, .gen_ds_config = true, .overwrite = true, .experiment_spec = other_spec(text) }, &e));
    assert_non_null(strstr(text_of(in(place, "nvinfer_config.txt")), "pre-cluster-threshold=0.35\n"));
}

static void what_cannot_be_is_refused_before_writing(void **state)
{
    (void)state;
    tl_export_summary e;
    tl_model *odd = hand_made(inside), *other = hand_made(inside);
    const char *bare = in(place, "bare.onnx"), *scaled = in(place, "scaled.onnx"), *caffe = in(place, "caffe.onnx");
    odd->bbox_scale = 20;
    ok(tl_norm_for("caffe", 3, NULL, &other->norm));
    ok(tl_model_save(hand_made(""), bare, &(tl_save_opts){ .key = NULL }));
    ok(tl_model_save(odd, scaled, &(tl_save_opts){ .key = NULL }));
    ok(tl_model_save(other, caffe, &(tl_save_opts){ .key = NULL }));
    const char *swapped = other_spec("dataset_config { data_sources { label_directory_path: \"l\" image_directory_path: \"d\" } target_class_mapping { key: \"red\" value: \"red\" } }\n"
        "augmentation_config { preprocessing { output_image_width: 64 output_image_height: 64 } } model_config { arch: \"resnet\" }\n"
        "cost_function_config { target_classes { name: \"blue\" } target_classes { name: \"red\" } }\n"
        "training_config { batch_size_per_gpu: 4 num_epochs: 10 }\n");
    const struct { tl_export_opts o; tl_status s; const char *words; } wrong[] = {
        { { .model = bare, .gen_ds_config = true }, TL_EARG, "give the experiment spec (-e)" },
        { { .model = bare, .with_postprocessing = true, .experiment_spec = swapped }, TL_EDATA, "class 0 is 'blue' in the spec" },
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
    ok(export((tl_export_opts){ .model = put(hand_made(inside)), .with_postprocessing = true }, &e));
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

#define IN_PLACE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(grids_are_the_same), IN_PLACE(both_outputs_are_compared), IN_PLACE(deepstream_is_told),
        IN_PLACE(what_cannot_be_is_refused_before_writing), IN_PLACE(the_graph_makes_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
