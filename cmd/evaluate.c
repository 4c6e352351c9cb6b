/* evaluate.c - tlc classification evaluate, tlc detectnet_v2 evaluate. SPDX-License-Identifier: MIT */
#include "cmds.h"

#define T tl_evaluate_opts
static const tl_field rows[] = {
    CMD_OPTION(T, experiment_spec, TL_STR,
               .help = "the experiment spec; not needed with a model and pictures"),
    CMD_OPTION(T, model, TL_STR, .help = "the model, instead of the spec's eval_config.model_path"),
    CMD_OPTION(
        T, images, TL_STR,
        .help =
            "pictures in a folder per class, instead of the spec's eval_config.eval_dataset_path"),
    CMD_OPTION(T, key, TL_STR, .help = "opens a sealed model"),
    CMD_OPTION(T, batch_size, TL_INT, .hi = 4096,
               .help = "pictures at a time; 0: the spec's, without a spec 16"),
    CMD_OPTION(T, use_amp, TL_BOOL,
               .help = "mixed precision: faster, on processors with AVX512-BF16; probabilities "
                       "change in the second digit"),
    CMD_OPTION(T, results_dir, TL_STR,
               .help = "a folder for status.json and the list of unreadable pictures"),
    CMD_OPTION(T, classmap, TL_STR,
               .help =
                   "class names in the order of their indices, one a line; otherwise the model's"),
    CMD_OVERRIDES(T),
    CMD_NOEFFECT(label_dir, TL_STR),
    TL_F_END
};
static const cmd_flag flags[] = { { "-e", "experiment_spec", NULL },
                                  { "--experiment_spec_file", "experiment_spec", NULL },
                                  { "-m", "model", NULL },
                                  { "-i", "images", "FOLDER" },
                                  { "--image_dir", "images", "FOLDER" },
                                  { "-k", "key", "KEY" },
                                  { "-b", "batch_size", NULL },
                                  { "-r", "results_dir", "FOLDER" },
                                  { "-cm", "classmap", NULL },
                                  { "-l", "label_dir", "FOLDER" },
                                  { 0 } };

static int run(cmd_call *c)
{
    tl_evaluation e = { 0 };
    int code = cmd_done(c, tl_classification_evaluate(c->arena, c->opts, &c->listener, &e));
    if (code) return code;
    cmd_say(c, "%s", e.report);
    cmd_say(c, "Accuracy: %.4f on %d pictures, %.1f images/s\n", e.accuracy, e.pictures,
            e.pictures_per_second);
    cmd_value(c, "accuracy", "%.6f", e.accuracy);
    cmd_value(c, "top_k", "%.6f", e.top_k);
    cmd_value(c, "loss", "%.6f", e.loss);
    cmd_value(c, "pictures", "%d", e.pictures);
    cmd_value(c, "unreadable", "%d", e.unreadable);
    cmd_value(c, "images_per_second", "%.2f", e.pictures_per_second);
    return CMD_OK;
}

const cmd_def cmd_evaluate = {
    .task = "classification",
    .name = "evaluate",
    .brief = "measure a model on labeled pictures",
    .about = "Classifies the pictures of a folder per class and prints loss, accuracy, the "
             "confusion matrix, and precision, recall and F1 of each class.",
    .example = "tlc classification evaluate -e spec.txt -m results/weights/mobilenet_v2_best.onnx\n"
               "tlc classification evaluate -m model.onnx -i pictures/test",
    .option = rows,
    .flag = flags,
    .size = sizeof(T),
    .run = run,
};

#undef T
#define T tl_detect_evaluate_opts
static const tl_field detect_rows[] = {
    CMD_OPTION(T, experiment_spec, TL_STR, .flags = TL_REQUIRED, .help = "the experiment spec"),
    CMD_OPTION(T, model, TL_STR, .flags = TL_REQUIRED, .help = "the model"),
    CMD_OPTION(T, key, TL_STR, .help = "opens a sealed model"),
    CMD_OPTION(T, batch_size, TL_INT, .hi = 4096, .help = "pictures at a time; 0: the spec's"),
    CMD_OPTION(T, use_training_set, TL_BOOL, .help = "evaluate on the pictures trained on"),
    CMD_OPTION(T, compat, TL_BOOL,
               .help = "with average_precision_mode INTEGRATE, the number that the original prints, which leaves "
                       "out a part of the curve"),
    CMD_OPTION(T, use_amp, TL_BOOL,
               .help = "mixed precision: faster, on processors with AVX512-BF16"),
    CMD_OPTION(T, results_dir, TL_STR,
               .help = "a folder for status.json and the list of unreadable pictures"),
    CMD_OVERRIDES(T),
    CMD_NOEFFECT(framework, TL_STR),
    CMD_NOEFFECT(image_dir, TL_STR),
    CMD_NOEFFECT(label_dir, TL_STR),
    TL_F_END
};
static const cmd_flag detect_flags[] = {
    { "-e", "experiment_spec", NULL }, { "--experiment_spec_file", "experiment_spec", NULL },
    { "-m", "model", NULL }, { "--model_path", "model", NULL }, { "-k", "key", "KEY" },
    { "-b", "batch_size", NULL }, { "-r", "results_dir", "FOLDER" },
    { "-f", "framework", NULL }, { "-i", "image_dir", "FOLDER" }, { "-l", "label_dir", "FOLDER" }, { 0 }
};

static int run_detect(cmd_call *c)
{
    tl_detect_scores s = { 0 };
    int code = cmd_done(c, tl_detectnet_v2_evaluate(c->arena, c->opts, &c->listener, &s));
    if (code) return code;
    cmd_say(c, "%sMedian Inference Time: %f\n", s.report, s.seconds);
    cmd_say(c, "By COCO's rules: %.4f at an overlap of 0.5, %.4f from 0.5 to 0.95; %d pictures, %.1f images/s\n",
            100 * s.precision_50, 100 * s.precision_coco, s.pictures, s.pictures_per_second);
    cmd_value(c, "mean_precision", "%.6f", s.mean_precision);
    cmd_value(c, "validation_cost", "%.9g", s.cost);
    cmd_value(c, "precision_50", "%.6f", s.precision_50);
    cmd_value(c, "precision_coco", "%.6f", s.precision_coco);
    cmd_value(c, "pictures", "%d", s.pictures);
    cmd_value(c, "unreadable", "%d", s.unreadable);
    cmd_value(c, "images_per_second", "%.2f", s.pictures_per_second);
    return CMD_OK;
}

const cmd_def cmd_detect_evaluate = {
    .task = "detectnet_v2",
    .name = "evaluate",
    .brief = "measure a detector on labeled pictures",
    .about = "Detects the objects in the spec's validation pictures and prints the average precision of each "
             "class, as evaluation_config defines it, and COCO's.",
    .example = "tlc detectnet_v2 evaluate -e spec.txt -m results/weights/model_best.onnx",
    .files = "RESULTS_DIR/status.json: the result, one JSON object a line\n"
             "RESULTS_DIR/unreadable.txt: pictures that could not be read",
    .option = detect_rows,
    .flag = detect_flags,
    .size = sizeof(T),
    .run = run_detect,
};
