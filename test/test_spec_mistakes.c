/* test_spec_mistakes.c - each kind of mistake in DetectNet_v2's specs has its one message, with place and
 * remedy. SPDX-License-Identifier: MIT */
#include "detectnet_v2.h"
#include "minimal_spec.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* ---- Mistakes: the minimal spec with `find` replaced by `put` ---- */
static const char *changed(tl_arena *a, const char *text, const char *find, const char *put)
{
    const char *at = strstr(text, find);
    assert_non_null(at);
    tl_text t = tl_text_new(a);
    tl_text_add(&t, text, (size_t)(at - text));
    tl_textf(&t, "%s%s", put, at + strlen(find));
    return tl_text_end(&t);
}

#define CAR  "{ name: \"car\" }"
#define NET  "arch: \"resnet\""
#define SIZE "output_image_width: 960 output_image_height: 544"
#define LAST "num_epochs: 10 }\n"
static const struct { const char *find, *put, *message; } mistakes[] = {
    { "model_config { arch: \"resnet\" }\n", "", "t:1:1: Experiment: 'model_config' is missing (the network)" },
    { NET, "", "t:7:14: model_config: 'arch' is missing (the backbone)" },
    { NET, "arch: \"onnx\"", "t:7:16: arch: \"onnx\" is for classification; choose a backbone by its name" },
    { NET, NET " num_layers: 20", "t:7:31: num_layers: expected one of 10, 18, 34, 50, 101 for resnet, found "
          "20" },
    { NET, NET " freeze_blocks: 5", "t:7:31: freeze_blocks: resnet has the blocks 0 to 4, found 5" },
    { NET, NET " freeze_blocks: [0, 1.5]", "t:7:31: freeze_blocks: expected whole numbers, found 1.5" },
    { NET, NET " load_graph: true", "t:7:31: load_graph: needs pretrained_model_file, the model whose network "
          "is to be kept" },
    { NET, NET " pretrained_model_fil: \"a\"", "t:7:31: model_config has no field 'pretrained_model_fil'; did "
          "you mean 'pretrained_model_file'?" },
    { NET, NET " batch_size_per_gpu: 4", "t:7:31: model_config has no field 'batch_size_per_gpu'; it belongs to "
          "training_config" },
    { NET, NET " training_precision { backend_floatx: INVALID }",
      "t:7:68: backend_floatx: expected one of FLOAT32, FLOAT16, found INVALID (FLOAT16: mixed precision, which "
            "is bf16 here and "
      "needs no scaling of losses)" },
    { "  data_sources { tfrecords_path: \"r-*\" image_directory_path: \"d\" }\n",
          "  data_sources { image_directory_path: \"d\" }\n",
      "t:2:16: a data source needs tfrecords_path, or label_directory_path with image_directory_path" },
    { "tfrecords_path: \"r-*\"", "tfrecords_path: \"r-*\" label_directory_path: \"l\"",
      "t:2:40: label_directory_path: a data source has either this or tfrecords_path; remove one of them" },
    { "tfrecords_path: \"r-*\" image_directory_path: \"d\"",
          "label_directory_path: \"l\" image_directory_path: \"d\"",
      "t:4:3: validation_fold: folders of labels have no folds; use validation_data_source instead, or "
            "TFRecords" },
    { "image_directory_path: \"d\"", "source_weight: -1",
      "t:2:55: source_weight: expected a number from 0 to 1000000, found -1 (weight of its pictures in the "
            "loss; 0 is 1, as in the "
      "original)" },
    { "validation_fold: 0", "validation_fold: 0 validation_data_source { tfrecords_path: \"v\" }",
      "t:4:22: dataset_config: 'validation_data_source' excludes 'validation_fold' (given in line 4); choose "
            "one of them" },
    { "validation_fold: 0", "image_extension: \".png\"",
      "t:4:20: image_extension: expected one of \"png\", \"jpg\", \"jpeg\", found .png; did you mean 'png'? (of "
            "the pictures, "
      "without a dot)" },
    { "  target_class_mapping { key: \"car\" value: \"car\" }\n", "\n",
      "t:1:16: dataset_config: 'target_class_mapping' is missing (from names in the labels to classes of the "
            "network; other labels "
      "are dropped)" },
    { "key: \"car\" value", "value", "t:3:24: target_class_mapping: 'key' is missing (name in the map)" },
    { "validation_fold: 0", "target_class_mapping { key: \"Car\" value: \"van\" }",
      "t:4:24: target_class_mapping: the key \"car\" is given twice (first in line 3); remove one of them" },
    { SIZE, "output_image_width: 960", "t:6:37: preprocessing: 'output_image_height' is missing (of the "
          "network's input, a multiple "
      "of 16)" },
    { SIZE, "output_image_width: 960 output_image_height: 540",
      "t:6:63: output_image_height: expected a multiple of 16, found 540; 544 would do" },
    { SIZE, SIZE " output_image_channel: 2", "t:6:88: output_image_channel: expected 1 or 3, found 2" },
    { SIZE, SIZE " crop_left: 9 crop_right: 8 crop_bottom: 8",
          "t:6:101: crop_right: expected more than crop_left, 9, found 8" },
    { SIZE, SIZE " output_image_min: 9 output_image_max: 8",
      "t:6:108: output_image_max: expected at least output_image_min, 9, found 8" },
    { "544 } }", "544 } spatial_augmentation { zoom_min: 2 } }",
          "t:6:113: zoom_min: expected at most zoom_max, 1, found 2" },
    { CAR, CAR " target_classes { name: \"Car\" }",
      "t:8:72: target_classes: 'car' is there twice (first in line 8); remove one of them" },
    { CAR, "{ }", "t:8:39: target_classes: 'name' is missing (of the class)" },
    { CAR, "{ name: \"car\" objectives { name: \"box\" } }",
      "t:8:72: name: expected one of \"cov\", \"bbox\", found box; did you mean 'bbox'? (which output)" },
    { CAR, "{ name: \"car\" objectives { name: \"cov\" } objectives { name: \"cov\" } }",
      "t:8:93: objectives: 'cov' is there twice for the class 'car'; remove one of them" },
    { CAR, CAR " min_objective_weight: 1 max_objective_weight: 0.5",
      "t:8:55: min_objective_weight: expected at most max_objective_weight, 0.5, found 1" },
    { "num_epochs: 10", "", "t:9:17: training_config: 'num_epochs' is missing (passes over the training "
          "pictures)" },
    { "num_epochs: 10", "num_epochs: 0",
      "t:9:53: num_epochs: expected a whole number from 1 to 1000000, found 0 (passes over the training "
            "pictures)" },
    { LAST, "num_epochs: 10 learning_rate { soft_start_annealing_schedule { soft_start: 0.7 } } }\n",
      "t:9:104: soft_start: expected less than annealing, 0.7, found 0.7" },
    { LAST, "num_epochs: 10 learning_rate { early_stopping_annealing_schedule { min_learning_rate: 1 } } }\n",
      "t:9:108: min_learning_rate: expected at most max_learning_rate, 0.0005, found 1" },
    { LAST, LAST "evaluation_config { minimum_detection_ground_truth_overlap { key: \"van\" value: 0.5 } }",
      "t:10:21: evaluation_config.minimum_detection_ground_truth_overlap: there is no entry for the class "
            "'car'; add "
      "minimum_detection_ground_truth_overlap { key: \"car\" value: 0.5 }" },
    { LAST, LAST "evaluation_config { evaluation_box_config { key: \"car\" value { minimum_width: 9 "
          "maximum_width: 5 } } }",
      "t:10:64: minimum_width: expected at most maximum_width, 5, found 9" },
    { LAST, LAST "bbox_rasterizer_config {\n target_class_config { key: \"van\" } }",
      "t:11:2: bbox_rasterizer_config.target_class_config: there is no entry for the class 'car'; add "
            "target_class_config { key: "
      "\"car\" value { ... } }" },
    { LAST, LAST "loss_mask_label_filter { objective_label_filter_configs { label_filter { } } }",
      "t:10:72: label_filter: expected one of bbox_dimensions_label_filter, bbox_crop_label_filter, "
            "source_class_label_filter in it" },
    { LAST, LAST "loss_mask_label_filter { objective_label_filter_configs { label_filter { "
          "source_class_label_filter { "
                 "source_class_names: \"x\" } } target_class_names: \"cat\" } }",
      "t:10:130: target_class_names: there is no target class 'cat'; did you mean 'car'?" },
    { LAST, LAST "dataset_export_config { }",
      "t:10:23: expected one of kitti_config, coco_config in it: where the labels are" },
};

static void each_mistake(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(mistakes); i++) {
        tl_arena *a = tl_arena_new();
        const tl_detect_spec *s;
        const char *w, *text = changed(a, MINIMAL, mistakes[i].find, mistakes[i].put);
        assert_int_equal(tl_detect_spec_load(a, "t", text, NULL, 0, &s, &w), TL_ESPEC);
        assert_string_equal(tl_errmsg(), mistakes[i].message);
        tl_arena_free(a);
    }
}

static const struct { const char *find, *put, *message; } warnings[] = {
    { "validation_fold: 0", "",
      "warning: t:1:16: dataset_config: nothing to validate with; give validation_fold or "
            "validation_data_source\n" },
    { "validation_fold: 0", "validation_fold: 0 target_class_mapping { key: \"van\" value: \"cart\" }",
      "warning: t:4:56: target_class_mapping: labels 'van' are dropped, since 'cart' is no target class; did "
            "you mean 'car'?\n" },
    { CAR, CAR " target_classes { name: \"dog\" }",
      "warning: t:8:72: target_classes: target_class_mapping maps no label to 'dog', so that it cannot be "
            "learned\n" },
    { LAST, LAST "postprocessing_config { target_class_config { key: \"car\" } target_class_config { key: "
          "\"cab\" } }",
      "warning: t:10:80: postprocessing_config.target_class_config: the entry for 'cab' has no effect, since it "
            "is no target "
      "class; did you mean 'car'?\n" },
    { LAST, "num_epochs: 10 cost_scaling { enabled: true } regularizer { type: L2 } }",
      "warning: t:9:71: cost_scaling has no effect: mixed precision is bf16 here, which needs none\n"
      "warning: t:9:101: regularizer has no effect: weight is 0\n" },
    { "544 } }", "544 } spatial_augmentation { rotate_rad_max: 1 } }",
      "warning: t:6:113: rotate_rad_max has no effect: rotate_probability is 0\n" },
};

static void each_warning(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(warnings); i++) {
        tl_arena *a = tl_arena_new();
        const tl_detect_spec *s;
        const char *w, *text = changed(a, MINIMAL, warnings[i].find, warnings[i].put);
        if (tl_detect_spec_load(a, "t", text, NULL, 0, &s, &w)) fail_msg("%s", tl_errmsg());
        assert_string_equal(w, warnings[i].message);
        tl_arena_free(a);
    }
}

#define INFERENCE(inside, after) "inferencer_config { " inside " }\n" after
static const struct { bool convert; const char *text, *message; } others[] = {
    { false, "", "t:1:1: Inference: 'inferencer_config' is missing (the model and its input)" },
    { false, INFERENCE("target_classes: \"a\"", ""),
      "t:1:19: inferencer_config: expected one of tlt_config, tensorrt_config in it: which model to use" },
    { false, INFERENCE("tlt_config { model: \"m\" }", ""),
      "t:1:19: inferencer_config: 'target_classes' is missing (classes, in the order of the network's outputs)" },
    { false, INFERENCE("tlt_config { model: \"m\" } target_classes: []", ""),
      "t:1:19: inferencer_config: 'target_classes' is missing (classes, in the order of the network's outputs)" },
    { false, INFERENCE("tlt_config { model: \"m\" } target_classes: [\"a\", \"A\"]", ""),
      "t:1:47: target_classes: 'a' is there twice; remove one of them" },
    { false, INFERENCE("tlt_config { model: \"m\" } target_classes: \"a\" image_channels: 2", ""),
      "t:1:67: image_channels: expected 1 or 3, found 2" },
    { false, INFERENCE("tensorrt_config { } target_classes: \"a\"", ""),
      "t:1:37: tensorrt_config: names no model; give etlt_model, or use tlt_config { model: \"...\" }" },
    { false, INFERENCE("tlt_config { model: \"m\" } target_classes: \"car\"",
          "bbox_handler_config { postproc_classes: \"cat\" }"),
      "t:2:23: postproc_classes: 'cat' is not among target_classes; did you mean 'car'?" },
    { false, INFERENCE("tlt_config { model: \"m\" } target_classes: \"car\"",
                       "bbox_handler_config { classwise_bbox_handler_config { key: \"van\" } }"),
      "t:2:23: classwise_bbox_handler_config: there is no entry for the class 'car'; add one with key: \"car\", "
            "or key: "
      "\"default\" for all classes without their own" },
    { false, INFERENCE("tlt_config { model: \"m\" } target_classes: \"car\"",
                       "bbox_handler_config { classwise_bbox_handler_config { key: \"car\" value { "
                             "confidence_model: \"mlp\" } } }"),
      "t:2:74: confidence_model: a learned model (\"mlp\") is not supported; use \"aggregate_cov\"" },
    { true, "", "t:1:1: expected one of kitti_config, coco_config in it: where the labels are" },
    { true, "kitti_config { root_directory_path: \"r\" label_dir_name: \"l\" }",
      "t:1:14: kitti_config: 'image_dir_name' is missing (folder of the pictures, in the data set)" },
    { true, "kitti_config { root_directory_path: \"r\" image_dir_name: \"i\" label_dir_name: \"l\" "
          "num_partitions: 3 }",
      "t:1:81: num_partitions: expected 2 with partition_mode \"random\", found 3" },
    { true, "kitti_config { root_directory_path: \"r\" image_dir_name: \"i\" label_dir_name: \"l\" "
          "partition_mode: \"sequence\" }",
      "t:1:81: partition_mode: \"sequence\" needs kitti_sequence_to_frames_file, a JSON file of sequences and "
            "their frames" },
    { true, "coco_config { root_directory_path: \"r\" img_dir_names: \"i\" annotation_files: [\"a\", \"b\"] }",
      "t:1:40: img_dir_names: expected as many as num_partitions, 2, found 1" },
    { true, "coco_config { root_directory_path: \"r\" img_dir_names: [\"i\", \"j\"] annotation_files: [\"a\", "
          "\"b\"] }\n"
            "sample_modifier_config { minimum_target_class_imbalance { key: \"a\" value: 1 } }",
      "t:2:26: minimum_target_class_imbalance: needs dominant_target_classes, with which to compare" },
};

static void each_other_mistake(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(others); i++) {
        tl_arena *a = tl_arena_new();
        const tl_infer_spec *s;
        const tl_dataset_export *e;
        const char *w;
        tl_status got = others[i].convert ? tl_dataset_export_load(a, "t", others[i].text, NULL, 0, &e, &w)
                                          : tl_infer_spec_load(a, "t", others[i].text, NULL, 0, &s, &w);
        assert_int_equal(got, TL_ESPEC);
        assert_string_equal(tl_errmsg(), others[i].message);
        tl_arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake),
        cmocka_unit_test(each_warning),
        cmocka_unit_test(each_other_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
