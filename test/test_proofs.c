/* test_proofs.c - published weights, whole: every layer found, pictures called by the right names, frozen features as good
 * as in PyTorch. SPDX-License-Identifier: MIT
 *
 * The weights are in ../shared; without it all of this is skipped. Networks with random weights are compared with PyTorch,
 * Keras, OpenCV and LiteRT in test_match.c, test_keras.c, test_darknet.c and test_tflite.c. */
#include "tiny.h"

#define DATA    "../shared/data/"
#define CORAL   DATA "weights/tflite-coral/"
#define FLOATS  DATA "weights/safetensors-float32/"
#define INSECTS DATA "hymenoptera/"

static void need_data(void)
{
    if (tl_is_dir(FLOATS) && tl_is_dir(CORAL) && tl_is_dir(INSECTS)) return;
    print_message("skipped: there is no " DATA "\n");
    skip();
}

static tl_import_summary import(const char *file, const char *model)
{
    tl_import_summary s;
    ok(tl_model_import(a, &(tl_import_opts){ .input = file, .output_file = in(place, model) }, NULL, &s));
    return s;
}

static void every_layer_is_found(void **state)
{
    (void)state;
    need_data();
    tl_import_summary s = import(FLOATS "efficientnet_lite0.safetensors", "lite0.onnx");
    assert_string_equal(s.arch, "efficientnet_lite0");
    assert_int_equal(s.classes, 1000);
    assert_int_equal(s.params, 4694024);
    assert_int_equal(s.skipped + s.fresh, 0);
    assert_null(strstr(s.report, "not used"));
    s = import(FLOATS "mobilenet_v2_trunk.safetensors", "trunk.onnx");
    assert_string_equal(s.arch, "mobilenet_v2");
    assert_int_equal(s.classes + s.skipped, 0);
    assert_int_equal(s.params, 2257984);
    assert_null(strstr(s.report, "not used"));
}

/* The owl is a burrowing owl, which ImageNet does not have; PyTorch takes it for a grouse, too. */
static void pictures_get_their_names(void **state)
{
    static const struct { const char *file; int class; } rows[] = {
        { "cat_720p.jpg", 285 }, /* Egyptian cat */
        { "parrot.jpg", 88 },    /* macaw */
        { "owl.jpg", 82 },       /* ruffed grouse */
    };
    (void)state;
    need_data();
    import(FLOATS "efficientnet_lite0.safetensors", "lite0.onnx");
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_inference got;
        const char *picture = tl_printf(a, CORAL "%s", rows[i].file);
        ok(tl_classification_inference(a, &(tl_inference_opts){ .model = in(place, "lite0.onnx"), .image = picture }, NULL, &got));
        if (!strstr(got.text, tl_printf(a, "Class label = %d\n", rows[i].class))) fail_msg("%s: %s", picture, got.text);
    }
}

static tl_status train_frozen(const char *arch, const char *weights, double *accuracy)
{
    tl_train_summary s;
    const char *text = tl_printf(a, "model_config { arch: \"%s\" }\ntrain_config { train_dataset_path: \"%strain\" val_dataset_path: \"%sval\" "
                                    "pretrained_model_path: \"%s\" n_epochs: 0 random_seed: 1 }\n", arch, INSECTS, INSECTS, weights),
               *spec = in(place, "spec.txt");
    ok(tl_file_write(spec, text, strlen(text)));
    TL_TRY(tl_classification_train(a, &(tl_train_opts){ .experiment_spec = spec, .results_dir = in(place, arch) }, NULL, &s));
    *accuracy = s.best_accuracy;
    return TL_OK;
}

/* With softmax regression on PyTorch's features: 0.941 and 0.935. */
static void features_are_as_good_as_in_pytorch(void **state)
{
    double lite0, trunk;
    (void)state;
    need_data();
    ok(train_frozen("efficientnet_lite0", FLOATS "efficientnet_lite0.safetensors", &lite0));
    ok(train_frozen("mobilenet_v2", FLOATS "mobilenet_v2_trunk.safetensors", &trunk));
    print_message("frozen on hymenoptera: efficientnet_lite0 %.3f, mobilenet_v2 %.3f\n", lite0, trunk);
    assert_true(lite0 >= 0.93);
    assert_true(trunk >= 0.93);
}

static void the_spec_that_fits_is_named(void **state)
{
    double accuracy;
    (void)state;
    need_data();
    refused(train_frozen("mobilenet_v1", CORAL "mobilenet_v1_0.25_128_quant.tflite", &accuracy), TL_EDATA,
            "model_config { arch: \"mobilenet_v1\" n_layers: 0 alpha: 0.25 }");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(every_layer_is_found),
        T(pictures_get_their_names),
        T(features_are_as_good_as_in_pytorch),
        T(the_spec_that_fits_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
