/* inference_spec_fields.c - every field of DetectNet_v2's inference spec. SPDX-License-Identifier: MIT */
#include "detectnet_v2.h"
#include "spec_rows.h"

static const char *const parsers[] = { "ETLT", "UFF", "CAFFE", NULL };
static const char *const numbers[] = { "FP32", "FP16", "INT8", NULL };
static const char *const models[] = { "aggregate_cov", "mlp", NULL };

/* ---- inferencer_config ---- */
#define T tl_calibrator
static const tl_field calibrator_rows[] = {
    NOTHING(calibration_cache, TL_STR, "TensorRT's scales"), NOTHING(calibration_tensorfile, TL_STR,
          "pictures to find them with"),
    NOTHING(n_batches, TL_INT, "how many"), TL_F_END
};
MESSAGE(calibrator, "CalibratorConfig", T, "int8 in TensorRT.");
#undef T

#define T tl_tlt_config
static const tl_field tlt_rows[] = { TL_FX(T, model, TL_STR, 0, 0, 0, "file of the model",
      .flags = TL_REQUIRED), TL_F_END };
MESSAGE(tlt, "TLTConfig", T, "A trained model.");
#undef T

#define T tl_tensorrt_config
static const tl_field tensorrt_rows[] = {
    ENUM(parser, 0, parsers, "kind of the model's file"), STR(caffemodel, "weights of a Caffe model"),
          STR(prototxt, "network of a Caffe model"),
    STR(uff_model, "a UFF model"), STR(etlt_model, "an exported model"),
    TL_FX(T, backend_data_type, TL_ENUM, 0, 0, 0, "in which numbers TensorRT computes", .flags = TL_NOEFFECT,
          .names = numbers),
    NOTHING(save_engine, TL_BOOL, "keep TensorRT's engine"), STR(trt_engine, "file of TensorRT's engine"),
    MSG(calibrator_config, calibrator, TL_NOEFFECT, "int8 in TensorRT"), TL_F_END
};
MESSAGE(tensorrt, "TensorRTConfig", T, "An exported model; TensorRT's settings have no effect here.");
#undef T

#define SIZE(m, most, help) INT(m, 0, 0, most, help)
#define T tl_inferencer
static const tl_field inferencer_rows[] = {
    MSG(tlt_config, tlt, TL_ONEOF, "a trained model"), MSG(tensorrt_config, tensorrt, TL_ONEOF,
          "an exported model"),
    STRINGS(input_nodes, TL_NOEFFECT, "names in the network"), STRINGS(output_nodes, TL_NOEFFECT,
          "names in the network"),
    INT(batch_size, 1, 1, 65536, "pictures at a time"),
    SIZE(image_height, 16384, "of the network's input; 0: as the model says"),
    SIZE(image_width, 16384, "of the network's input; 0: as the model says"),
    SIZE(image_channels, 3, "3 or 1; 0: as the model says"),
    NOTHING(gpu_index, TL_INT, "which GPU"),
    STRINGS(target_classes, TL_REQUIRED, "classes, in the order of the network's outputs"),
    INT(stride, 16, 1, 1024, "pixels of a cell of the output grid"), TL_F_END
};
MESSAGE(inferencer, "InferencerConfig", T, "The model and its input.");
#undef T

/* ---- bbox_handler_config ---- */
#define CHANNEL(m, help) INT(m, 0, 0, 255, help)
#define T tl_bbox_color
static const tl_field color_rows[] = { CHANNEL(R, "red"), CHANNEL(G, "green"), CHANNEL(B, "blue"), TL_F_END };
MESSAGE(color, "ClasswiseBboxHandlerConfig.BboxColor", T, "In which color boxes are drawn.");
#undef T

#define T tl_bbox_class
static const tl_field handler_rows[] = {
    MSG(clustering_config, tl_clustering_msg, 0, "from cells to boxes"),
    TL_FX(T, confidence_model, TL_STR, 0, 0, 0, "the sum of coverage; a learned model (mlp) is not supported",
          .sdef = "aggregate_cov", .names = models),
    STR(output_map, "name of the class in files and pictures; unset: its own"),
    MSG(bbox_color, color, 0, "in which color its boxes are drawn"), TL_F_END
};
MESSAGE(handler, "ClasswiseBboxHandlerConfig", T, "What to do with detections of a class.");
#undef T
MAP_OF(handlers, "map<string, ClasswiseBboxHandlerConfig>", handler);

#define T tl_bbox_handler
static const tl_field bbox_handler_rows[] = {
    BOOL(kitti_dump, 0, "write label files"), BOOL(disable_overlay, 0, "do not draw boxes"),
    INT(overlay_linewidth, 0, 0, 1000, "of boxes, in pixels; 0: by the size of the picture"),
    TL_FX(T, classwise_bbox_handler_config, TL_MSG, 0, 0, 0,
          "one per class, \"default\" for the others; none: the defaults for all",
          .flags = TL_REPEATED, .msg = &handlers),
    STRINGS(postproc_classes, 0, "classes to keep; none: all"),
    MSG(wandb_config, tl_wandb_msg, TL_NOEFFECT, "Weights & Biases"), TL_F_END
};
MESSAGE(bbox_handler, "BboxHandlerConfig", T, "What to do with detections.");
#undef T

#define T tl_detect_inference
static const tl_field inference_rows[] = {
    TL_FX(T, inferencer_config, TL_MSG, 0, 0, 0, "the model and its input", .flags = TL_REQUIRED,
          .msg = &inferencer),
    MSG(bbox_handler_config, bbox_handler, 0, "what to do with detections"), TL_F_END
};
const tl_msg tl_detect_inference_msg = { "Inference", inference_rows, sizeof(T),
      "Detecting objects in pictures." };
#undef T
