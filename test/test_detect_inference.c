/* test_detect_inference.c - objects in new pictures, by a detector whose answers are known. SPDX-License-Identifier: MIT */
#include "detector.h"

#define KITTI(class, box, score) class " 0.00 0 0.00 " box " 0.00 0.00 0.00 0.00 0.00 0.00 0.00 " score "\n"
#define NONE (tl_box){ 0, 0, 0, 0 }

/* Pictures twice, and in one direction thrice, as large as the input; one in a folder; one that is none. */
static const char *put_pictures(void)
{
    const char *dir = in(place, "in");
    ok(tl_mkdirs(in(dir, "sub")));
    put_scene(in(dir, "a.png"), 128, 192, 0, (tl_box){ 32, 48, 64, 96 });     /* cell 1, 1 */
    put_scene(in(dir, "sub/b.png"), 64, 64, 1, (tl_box){ 48, 0, 64, 16 });    /* cell 3, 0 */
    put_scene(in(dir, "c.jpg"), 64, 64, -1, NONE);
    put_text("in/broken.png", "no picture");
    return dir;
}

#define NMS "clustering_algorithm: NMS coverage_threshold: 0.5"
#define HALF "coverage_threshold: 0.5"
#define STRETCHED trained("enable_auto_resize: true", HALF, HALF)

static const char *model_with(const char *inside) { return put_model("model.onnx", hand_made(inside)); }

static tl_status find(const tl_detect_inference_opts *o, tl_detect_inference_summary *s)
{
    said = tl_text_new(a);
    return tl_detectnet_v2_inference(a, o, &ear, s);
}

static const char *label(const char *out, const char *name) { return text_of(tl_printf(a, "%s/labels/%s", out, name)); }

/* ---- Tests ---- */

static void objects_are_where_they_are(void **state)
{
    (void)state;
    const char *pictures = put_pictures(), *out = in(place, "out"), *model = model_with(STRETCHED);
    tl_detect_inference_summary s;
    for (int batch = 1; batch < 4; batch++) {
        ok(find(&(tl_detect_inference_opts){ .model = model, .images = pictures, .results_dir = out, .batch_size = batch, .overwrite = batch > 1 }, &s));
        assert_int_equal(s.pictures, 3);
        assert_int_equal(s.unreadable, 1);
        assert_int_equal(s.objects, 2);
        assert_string_equal(label(out, "a.txt"), KITTI("red", "32.000 48.000 64.000 96.000", "1.000"));
        assert_string_equal(label(out, "sub/b.txt"), KITTI("blue", "48.000 0.000 64.000 16.000", "1.000"));
        assert_string_equal(label(out, "c.txt"), "");
        assert_true(heard("1 unreadable picture left out"));
        assert_non_null(strstr(text_of(in(out, "unreadable.txt")), "broken.png"));
    }
    const char *json = text_of(in(out, "detections.json"));
    assert_non_null(strstr(json, "\"category_id\": 1, \"bbox\": [32, 48, 32, 48]"));
    assert_non_null(strstr(json, "\"file_name\": \"sub/b.png\""));
    assert_non_null(strstr(text_of(in(out, "status.json")), "Inference finished successfully."));
}

/* As in training: what is larger than the input is cut off. */
static void pictures_are_seen_as_in_training(void **state)
{
    (void)state;
    const char *dir = in(place, "large"), *out = in(place, "out");
    tl_detect_inference_summary s;
    ok(tl_mkdirs(dir));
    put_scene(in(dir, "near.png"), 128, 128, 0, (tl_box){ 16, 32, 32, 48 });
    put_scene(in(dir, "far.png"), 128, 128, 0, (tl_box){ 96, 96, 128, 128 });
    tl_detect_inference_opts o = { .model = model_with(trained("", HALF, HALF)), .images = dir, .results_dir = out };
    ok(find(&o, &s));
    assert_true(heard("of 2 pictures the network does not see all"));
    assert_string_equal(label(out, "near.txt"), KITTI("red", "16.000 32.000 32.000 48.000", "1.000"));
    assert_string_equal(label(out, "far.txt"), "");
    o.fit = 1;
    o.results_dir = in(place, "stretched");
    ok(find(&o, &s));
    assert_false(heard("does not see"));
    assert_string_equal(label(in(place, "stretched"), "far.txt"), KITTI("red", "96.000 96.000 128.000 128.000", "1.000"));
}

static const char *put_spec(const char *inferencer, const char *handler)
{
    return put_text("infer.txt", tl_printf(a, "inferencer_config { tlt_config { model: \"%s/model.onnx\" } %s batch_size: 2 }\n"
                                           "bbox_handler_config { %s }\n", place, inferencer, handler));
}

#define BOTH "target_classes: \"Red\" target_classes: \"blue\""
#define DEFAULT "classwise_bbox_handler_config { key: \"default\" value { clustering_config { " NMS " } } }"

static void the_spec_decides(void **state)
{
    (void)state;
    const char *pictures = put_pictures(), *out = in(place, "out");
    tl_detect_inference_summary s;
    model_with("");
    const char *spec = put_spec(BOTH, "kitti_dump: true postproc_classes: \"red\" overlay_linewidth: 3 " DEFAULT
                                " classwise_bbox_handler_config { key: \"red\" value { output_map: \"a stop\" bbox_color { G: 200 } "
                                "clustering_config { " NMS " } } }");
    ok(find(&(tl_detect_inference_opts){ .experiment_spec = spec, .images = pictures, .results_dir = out }, &s));
    assert_int_equal(s.objects, 1);
    assert_string_equal(label(out, "a.txt"), KITTI("a_stop", "32.000 48.000 64.000 96.000", "1.000"));
    assert_string_equal(label(out, "sub/b.txt"), "");
    tl_image m;
    ok(tl_image_load(a, in(out, "images_annotated/a.png"), 3, (tl_size){ 0, 0 }, &m));
    assert_true(m.w == 128 && m.h == 192);
    const uint8_t *edge = m.p + (70 * 128 + 32) * 3; /* the box's left side, of width 3 and drawn in its color */
    assert_true(edge[0] == 0 && edge[1] == 200 && edge[2] == 0);
    assert_true(tl_file_exists(in(out, "images_annotated/sub/b.png")) && tl_file_exists(in(out, "images_annotated/c.jpg")));
    spec = put_spec(BOTH, "disable_overlay: true " DEFAULT);
    ok(find(&(tl_detect_inference_opts){ .experiment_spec = spec, .images = in(pictures, "a.png"), .results_dir = in(place, "bare") }, &s));
    assert_int_equal(s.pictures, 1);
    assert_false(tl_file_exists(in(place, "bare/labels")) || tl_file_exists(in(place, "bare/images_annotated")));
    assert_non_null(strstr(text_of(in(place, "bare/detections.json")), "\"file_name\": \"a.png\""));
}

static void what_does_not_fit_is_said(void **state)
{
    (void)state;
    const char *pictures = put_pictures(), *out = in(place, "out"), *model = model_with("model_config { arh: 1 }");
    tl_detect_inference_summary s;
    const struct { const char *inferencer, *words; } wrong[] = {
        { "image_width: 960 " BOTH, "inferencer_config.image_width is 960, but the model's is 64" },
        { "target_classes: \"blue\" target_classes: \"red\"", "class 0 is 'blue' in the spec and 'red' in the model" },
        { "target_classes: \"red\"", "class 1 is 'missing' in the spec and 'blue' in the model" },
    };
    for (int i = 0; i < TL_LEN(wrong); i++)
        refused(find(&(tl_detect_inference_opts){ .experiment_spec = put_spec(wrong[i].inferencer, ""), .images = pictures, .results_dir = out }, &s),
                TL_EDATA, wrong[i].words);
    refused(find(&(tl_detect_inference_opts){ .images = pictures, .results_dir = out }, &s), TL_EARG, "no model");
    refused(find(&(tl_detect_inference_opts){ .model = model, .images = in(place, "x"), .results_dir = out }, &s), TL_EDATA, "no picture and no folder");
    refused(find(&(tl_detect_inference_opts){ .model = model, .images = in(pictures, "broken.png"), .results_dir = out }, &s), TL_EDATA, "are unreadable");
    assert_true(heard("the spec in the model is of no use here"));
}

/* A model file is anybody's, and so is the spec in it. */
static void strange_views_are_harmless(void **state)
{
    (void)state;
    static const char *const view[] = { "scale_width: 1e-30 scale_height: 1e-30", "scale_width: 1000 scale_height: 1e-6", "output_image_min: 1",
                                        "crop_left: 16000 crop_right: 16001 crop_top: 16000 crop_bottom: 16001", "min_bbox_width: 1e9" };
    const char *pictures = put_pictures();
    for (int i = 0; i < TL_LEN(view); i++) {
        tl_detect_inference_summary s;
        const tl_detect_inference_opts o = { .model = model_with(trained(view[i], HALF, HALF)), .images = pictures, .results_dir = in(place, "out"), .overwrite = true };
        ok(find(&o, &s));
        assert_int_equal(s.pictures, 3);
    }
}

/* Labels of the user's may lie beside the pictures, under the very names that results would have. */
static void nothing_is_overwritten(void **state)
{
    (void)state;
    const char *pictures = put_pictures(), *model = model_with(STRETCHED);
    tl_detect_inference_summary s;
    ok(tl_mkdirs(in(place, "labels")));
    put_text("labels/a.txt", "mine");
    tl_detect_inference_opts o = { .model = model, .images = pictures, .results_dir = place };
    refused(find(&o, &s), TL_EARG, "exists already");
    assert_string_equal(text_of(in(place, "labels/a.txt")), "mine");
    const char *own = in(place, "own");
    ok(tl_mkdirs(in(own, "images_annotated/x")));
    put_scene(in(own, "images_annotated/x/a.png"), 64, 64, -1, NONE);
    o = (tl_detect_inference_opts){ .model = model, .images = in(own, "images_annotated/x"), .results_dir = own, .overwrite = true };
    refused(find(&o, &s), TL_EARG, "the pictures lie in");
}

static volatile int stop;
static void stop_soon(void *ctx, const tl_progress *p) { (void)ctx; stop = p->batch >= 2; }

static void stopping_keeps_what_is_done(void **state)
{
    (void)state;
    const char *dir = in(place, "many"), *out = in(place, "out");
    tl_detect_inference_summary s;
    ok(tl_mkdirs(dir));
    for (int i = 0; i < 9; i++) put_scene(tl_printf(a, "%s/%d.png", dir, i), 64, 64, 0, (tl_box){ 0, 0, 16, 16 });
    const tl_detect_inference_opts o = { .model = model_with(STRETCHED), .images = dir, .results_dir = out, .batch_size = 2 };
    stop = 0;
    refused(tl_detectnet_v2_inference(a, &o, &(tl_listener){ .progress = stop_soon, .stop = &stop }, &s), TL_ESTOPPED, "stopped after 2 of 9 pictures");
    assert_int_equal(s.objects, 2);
    assert_non_null(strstr(text_of(in(out, "detections.json")), "\"image_id\": 2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(objects_are_where_they_are), IN_PLACE(pictures_are_seen_as_in_training), IN_PLACE(the_spec_decides),
        IN_PLACE(what_does_not_fit_is_said), IN_PLACE(strange_views_are_harmless), IN_PLACE(nothing_is_overwritten), IN_PLACE(stopping_keeps_what_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
