/* export.c - tlc classification export, tlc detectnet_v2 export. SPDX-License-Identifier: MIT */
#include "cmds.h"

enum { FP32, FP16, INT8 };
static const char *const types[] = { "fp32", "fp16", "int8", NULL };
#define T tl_export_opts
/* What all tasks have. */
#define EXPORT \
    CMD_OPTION(T, model, TL_STR, .flags = TL_REQUIRED, .help = "the model to export"), \
    CMD_OPTION(T, output_file, TL_STR, \
               .help = "where the exported model is written; otherwise beside the model, ending in " \
                       ".onnx (sealed: .etlt)"), \
    CMD_OPTION(T, key, TL_STR, .help = "opens the model and seals the exported one"), \
    CMD_OPTION(T, data_type, TL_ENUM, .names = types, \
               .help = "how weights are stored; int8 is not available yet"), \
    CMD_OPTION(T, static_batch_size, TL_INT, .def = -1, .lo = -1, .hi = 4096, \
               .help = "a fixed batch size; -1: any"), \
    CMD_OPTION(T, with_preprocessing, TL_BOOL, \
               .help = "take 8-bit RGB pictures (N,H,W,3) instead of prepared numbers"), \
    CMD_OPTION( \
        T, image_dir, TL_STR, \
        .help = \
            "pictures to compare the exported model with the original on; otherwise made-up ones"), \
    CMD_OPTION(T, gen_ds_config, TL_BOOL, \
               .help = "write labels.txt and nvinfer_config.txt for DeepStream as well")
#define REST \
    CMD_OPTION(T, results_dir, TL_STR, .help = "a folder for status.json"), \
    CMD_OPTION(T, overwrite, TL_BOOL, .help = "replace the output file if it is there"), \
    CMD_OVERRIDES(T), \
    CMD_NOEFFECT(cal_data_file, TL_STR), \
    CMD_NOEFFECT(cal_json_file, TL_STR), \
    CMD_NOEFFECT(cal_cache_file, TL_STR), \
    CMD_NOEFFECT(batches, TL_INT), \
    CMD_NOEFFECT(batch_size, TL_INT), \
    CMD_NOEFFECT(max_batch_size, TL_INT), \
    CMD_NOEFFECT(min_batch_size, TL_INT), \
    CMD_NOEFFECT(opt_batch_size, TL_INT), \
    CMD_NOEFFECT(max_workspace_size, TL_INT), \
    CMD_NOEFFECT(onnx_route, TL_STR), \
    CMD_NOEFFECT(target_opset, TL_INT), \
    CMD_NOEFFECT(engine_file, TL_STR), \
    CMD_NOEFFECT(strict_type_constraints, TL_BOOL), \
    CMD_NOEFFECT(force_ptq, TL_BOOL)
static const tl_field rows[] = {
    EXPORT,
    CMD_OPTION(T, classmap_json, TL_STR,
               .help = "classmap.json of the training; otherwise the classes in the model"),
    CMD_OPTION(T, experiment_spec, TL_STR,
               .help = "not needed: the model knows how its pictures are prepared"),
    REST,
    TL_F_END
};
static const tl_field detect_rows[] = {
    EXPORT,
    CMD_OPTION(T, with_postprocessing, TL_BOOL,
               .help = "objects instead of grids: boxes, scores and classes are made by the graph, by NMS"),
    CMD_OPTION(T, experiment_spec, TL_STR,
               .help = "the spec whose thresholds --gen_ds_config and --with_postprocessing take; otherwise that of the training, but "
                       "DeepStream is told to show no object with a score of NMS below 0.25"),
    REST,
    TL_F_END
};
static const cmd_flag flags[] = { { "-m", "model", NULL },
                                  { "-o", "output_file", NULL },
                                  { "-k", "key", "KEY" },
                                  { "-i", "image_dir", "FOLDER" },
                                  { "--cal_image_dir", "image_dir", "FOLDER" },
                                  { "-e", "experiment_spec", NULL },
                                  { "--experiment_spec_file", "experiment_spec", NULL },
                                  { "-r", "results_dir", "FOLDER" },
                                  { "-s", "strict_type_constraints", NULL },
                                  { 0 } };

typedef tl_status export_task(tl_arena *a, const T *o, const tl_listener *l, tl_export_summary *out);

static int run_task(cmd_call *c, export_task *task)
{
    const tl_export_opts *o = c->opts;
    tl_export_summary s = { 0 };
    if (o->data_type == INT8)
        return cmd_fail(c, CMD_FAILED, "--data_type int8 is not available yet; fp32 and fp16 are");
    int code = cmd_done(c, task(c->arena, o, &c->listener, &s));
    if (code) return code;
    cmd_value(c, "output_file", "%s", s.output_file);
    cmd_value(c, "bytes", "%zu", s.bytes);
    cmd_value(c, "worst", "%.9g", s.worst);
    return CMD_OK;
}

static int run(cmd_call *c) { return run_task(c, tl_classification_export); }
static int run_detect(cmd_call *c) { return run_task(c, tl_detectnet_v2_export); }

const cmd_def cmd_export = {
    .task = "classification",
    .name = "export",
    .brief = "write a model for ONNX Runtime and other programs",
    .about = "Folds batch norm into the weights and writes plain ONNX (opset 13) with "
             "preprocessing and class names in its metadata. "
             "The exported model is run beside the original on sample pictures first; it is not "
             "written when they differ by more than 1e-4.",
    .example = "tlc classification export -m model.onnx -o classifier.onnx\n"
               "tlc classification export -m model.onnx -o classifier.onnx --with_preprocessing "
               "--data_type fp16",
    .files = "OUTPUT_FILE: the exported model\nlabels.txt: with --gen_ds_config, the class names\n"
             "nvinfer_config.txt: with --gen_ds_config, what DeepStream needs to know",
    .option = rows,
    .flag = flags,
    .size = sizeof(T),
    .run = run,
};

const cmd_def cmd_detect_export = {
    .task = "detectnet_v2",
    .name = "export",
    .brief = "write a detector for ONNX Runtime, DeepStream and other programs",
    .about = "Folds batch norm into the weights and writes plain ONNX (opset 13). Its outputs are grids, output_cov/Sigmoid and "
             "output_bbox/BiasAdd, of which objects are to be made: by DeepStream, for which --gen_ds_config writes a configuration, "
             "or by the graph itself, with --with_postprocessing. docs/deploy-detectnet.md compares the ways. The exported model is "
             "run beside the original on sample pictures first; it is not written when they differ by more than 1e-4.",
    .example = "tlc detectnet_v2 export -m model.onnx -o detector.onnx --gen_ds_config\n"
               "tlc detectnet_v2 export -m model.onnx -o detector.onnx --with_preprocessing --with_postprocessing",
    .files = "OUTPUT_FILE: the exported model\nlabels.txt: with --gen_ds_config, the class names\n"
             "nvinfer_config.txt: with --gen_ds_config, what DeepStream needs to know",
    .option = detect_rows,
    .flag = flags,
    .size = sizeof(T),
    .run = run_detect,
};
