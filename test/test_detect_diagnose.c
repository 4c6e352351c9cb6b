/* test_detect_diagnose.c - what keeps a score low is found; and what a detector's spec, pruned model and training have to do with
 * each other. SPDX-License-Identifier: MIT */
#include "detector.h"

enum { PICTURES = 8 };

static tl_diagnosis diagnose(const char *spec, const char *override, int steps)
{
    tl_diagnosis d;
    const tl_diagnose_opts o = { .experiment_spec = spec, .steps = steps, .overrides = { override != NULL, &override }, .results_dir = in(place, "d") };
    said = tl_text_new(a);
    ok(tl_detectnet_v2_diagnose(a, &o, &ear, &d));
    assert_string_equal(text_of(in(place, "d/diagnosis.txt")), d.report);
    return d;
}

static void found(tl_diagnosis d, const char *words)
{
    if (!d.causes || !strstr(d.report, words)) fail_msg("%d causes, '%s' is not among them:\n%s", d.causes, words, d.report);
}

/* ---- Each mistake alone ---- */

static void mistakes_are_found(void **state)
{
    (void)state;
    static const struct { small_spec spec; const char *override, *words; int w, h, side; } bad[] = {
        { { .data = "target_class_mapping { key: \"red\" value: \"red\" } target_class_mapping { key: \"blu\" value: \"blue\" }" }, NULL,
          "target_class_mapping { key: \"blue\" value: \"blue\" }", 64, 64, 30 },
        { { .view = "" }, NULL, "enable_auto_resize: true", 300, 300, 100 },
        { { .view = "enable_auto_resize: true min_bbox_height: 40" }, NULL, "are dropped for being smaller than 0 x 40", 64, 64, 30 },
        { { .view = "enable_auto_resize: true" }, NULL, "output_image_width: 256 output_image_height: 256", 320, 320, 15 },
        { { .sections = "postprocessing_config { target_class_config { key: \"red\" value { clustering_config { minimum_bounding_box_height: 30 } } } "
                        "target_class_config { key: \"blue\" value { clustering_config { } } } }" }, NULL,
          "4 of 4 boxes of 'red' are no higher than postprocessing_config...clustering_config.minimum_bounding_box_height, 30", 64, 64, 30 },
        { { .training = "num_epochs: 3" }, NULL, "the whole training is 6 steps", 64, 64, 30 },
        { { 0 }, "training_config.learning_rate.soft_start_annealing_schedule.max_learning_rate=1000", "max_learning_rate", 64, 64, 30 },
    };
    for (int i = 0; i < TL_LEN(bad); i++) {
        const char *root = put_labeled(tl_printf(a, "set%d", i), PICTURES, bad[i].w, bad[i].h, bad[i].side);
        found(diagnose(put_small_spec(root, bad[i].spec), bad[i].override, 1), bad[i].words);
    }
}

static void sizes_that_evaluation_leaves_out(void **state)
{
    (void)state;
    const char *root = put_labeled("set", PICTURES, 64, 64, 30);
    found(diagnose(put_small_spec(root, (small_spec){ .evaluation =
        "evaluation_box_config { key: \"red\" value { minimum_height: 40 maximum_height: 9999 minimum_width: 1 maximum_width: 9999 } } "
        "evaluation_box_config { key: \"blue\" value { minimum_height: 1 maximum_height: 9999 minimum_width: 1 maximum_width: 9999 } }" }), NULL, 1),
        "4 of 4 boxes of 'red' do not count");
}

/* No label at all is of a class: that is the cause, not a failure. */
static void labels_of_other_names(void **state)
{
    (void)state;
    const char *root = put_labeled("set", PICTURES, 64, 64, 30);
    const tl_diagnosis d = diagnose(put_small_spec(root, (small_spec){ .data = "target_class_mapping { key: \"rot\" value: \"red\" }" }), NULL, 1);
    assert_int_equal(d.causes, 1);
    found(d, "see dataset_config.target_class_mapping");
}

/* ---- Learning ---- */

static void what_is_right_is_learned(void **state)
{
    (void)state;
    const char *root = put_labeled("set", PICTURES, 64, 64, 30);
    tl_diagnosis d = diagnose(put_small_spec(root, (small_spec){ 0 }), NULL, 120);
    assert_true(d.last_loss < d.first_loss / 2 && d.best_score > 0.5);
    assert_true(d.score <= d.best_score);
    /* the same, where no cell is certain enough */
    d = diagnose(put_small_spec(root, (small_spec){ .sections =
        "postprocessing_config { target_class_config { key: \"red\" value { clustering_config { coverage_threshold: 1 } } } "
        "target_class_config { key: \"blue\" value { clustering_config { coverage_threshold: 1 } } } }" }), NULL, 120);
    found(d, "the thresholds of 'red' bring 0.00");
    assert_true(d.score == 0 && d.best_score > 0.5);
}

static void a_model_is_looked_at(void **state)
{
    (void)state;
    tl_diagnosis d;
    const char *root = put_labeled("set", PICTURES, 64, 64, 16), *path = put_model("model.onnx", hand_made(""));
    const tl_diagnose_opts o = { .experiment_spec = put_small_spec(root, (small_spec){ 0 }), .model = path };
    ok(tl_detectnet_v2_diagnose(a, &o, NULL, &d));
    assert_non_null(strstr(d.report, "the mean coverage of cells with objects is"));
    assert_null(strstr(d.report, "learning the pictures"));
}

/* ---- Around training ---- */

static void the_spec_printed_is_the_spec(void **state)
{
    (void)state;
    const char *text, *again, *warnings, *spec = put_small_spec("x", (small_spec){ 0 }), *copy;
    const char *override = "training_config.num_epochs=7";
    ok(tl_detectnet_v2_spec_text(a, spec, &(tl_list){ 1, &override }, &text, &warnings));
    assert_non_null(strstr(text, "num_epochs: 7"));
    copy = put_text("copy.txt", text);
    ok(tl_detectnet_v2_spec_text(a, copy, &(tl_list){ 0, NULL }, &again, &warnings));
    /* but for what is marked as a default */
    while (*text && *again) {
        const size_t n = strcspn(text, "\n"), m = strcspn(again, "\n"), least = n < m ? n : m;
        assert_true(!strncmp(text, again, least) && (n == m || strstr(text, "# default")));
        text += n + 1;
        again += m + 1;
    }
}

static void pruned_models_train_again(void **state)
{
    (void)state;
    tl_train_summary s;
    tl_prune_summary p;
    tl_model *whole, *small, *after;
    tl_detect_scores e;
    const char *root = put_labeled("set", PICTURES, 64, 64, 30), *pruned = in(place, "pruned.onnx");
    tl_train_opts t = { .experiment_spec = put_small_spec(root, (small_spec){ .training = "num_epochs: 1" }), .results_dir = in(place, "out") };
    said = tl_text_new(a);
    ok(tl_detectnet_v2_train(a, &t, NULL, &s));
    const tl_prune_cmd_opts o = { .model = s.best_model, .output_file = pruned, .pruning_granularity = 4, .min_num_filters = 4, .target = "params=0.5" };
    ok(tl_detectnet_v2_prune(a, &o, &ear, &p));
    assert_true(heard("model_config.pretrained_model_file, load_graph: true, and '") && heard("' as teacher_model_file\n"));
    ok(tl_model_load(a, s.best_model, NULL, &whole));
    ok(tl_model_load(a, pruned, NULL, &small));
    assert_true(tl_graph_params(small->g) < tl_graph_params(whole->g) * 6 / 10);
    for (int k = 0; k < 2; k++) /* what answers stays whole */
        assert_true(small->g->node[tl_graph_output_at(small->g, k)].s.c == whole->g->node[tl_graph_output_at(whole->g, k)].s.c);
    t.experiment_spec = put_small_spec(root, (small_spec){ .training = "num_epochs: 1", .model = tl_printf(a, "load_graph: true pretrained_model_file: \"%s\"", pruned) });
    t.results_dir = in(place, "again");
    ok(tl_detectnet_v2_train(a, &t, &ear, &s));
    assert_true(heard("the model is pruned; its graph is taken as it is"));
    ok(tl_model_load(a, s.best_model, NULL, &after));
    assert_int_equal(tl_graph_params(after->g), tl_graph_params(small->g));
    assert_non_null(strstr(after->spec, "load_graph: true"));
    ok(tl_detectnet_v2_evaluate(a, &(tl_detect_evaluate_opts){ .experiment_spec = t.experiment_spec, .model = s.best_model }, NULL, &e));
    assert_int_equal(e.pictures, PICTURES);
}

static void a_classifier_is_no_detector(void **state)
{
    (void)state;
    tl_prune_summary p;
    tl_export_summary e;
    const char *path = put_model("tiny.onnx", tiny_model(0, 1));
    refused(tl_detectnet_v2_prune(a, &(tl_prune_cmd_opts){ .model = path, .output_file = in(place, "x.onnx"), .pruning_granularity = 1, .min_num_filters = 1 }, NULL, &p),
            TL_EARG, "not one of DetectNet_v2");
    refused(tl_detectnet_v2_export(a, &(tl_export_opts){ .model = path }, NULL, &e), TL_EARG, "not one of DetectNet_v2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(mistakes_are_found), IN_PLACE(sizes_that_evaluation_leaves_out), IN_PLACE(labels_of_other_names), IN_PLACE(what_is_right_is_learned),
        IN_PLACE(a_model_is_looked_at), IN_PLACE(the_spec_printed_is_the_spec), IN_PLACE(pruned_models_train_again), IN_PLACE(a_classifier_is_no_detector),
    };
    tl_dnn_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
