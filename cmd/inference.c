/* inference.c - tlc classification inference, tlc detectnet_v2 inference. SPDX-License-Identifier: MIT */
#include "cmds.h"

#define T tl_inference_opts
static const tl_field rows[] = {
    CMD_OPTION(T, model, TL_STR, .flags = TL_REQUIRED, .help = "the model"),
    CMD_OPTION(T, image, TL_STR, .flags = TL_REQUIRED | TL_ONEOF, .help = "one picture"),
    CMD_OPTION(T, image_dir, TL_STR, .flags = TL_REQUIRED | TL_ONEOF,
               .help = "all pictures of a folder and those below it"),
    CMD_OPTION(T, key, TL_STR, .help = "opens a sealed model"),
    CMD_OPTION(T, batch_size, TL_INT, .hi = 4096,
               .help = "pictures at a time; 0: the spec's, without a spec 16"),
    CMD_OPTION(T, use_amp, TL_BOOL,
               .help = "mixed precision: faster, on processors with AVX512-BF16; probabilities "
                       "change in the second digit"),
    CMD_OPTION(T, classmap, TL_STR,
               .help = "classmap.json of the training; otherwise the classes in the model"),
    CMD_OPTION(T, experiment_spec, TL_STR,
               .help = "not needed: the model knows how its pictures are prepared"),
    CMD_OPTION(T, results_dir, TL_STR,
               .help = "where result.csv is written; otherwise the current folder"),
    CMD_OVERRIDES(T),
    TL_F_END
};
static const cmd_flag flags[] = { { "-m", "model", NULL },
                                  { "-i", "image", NULL },
                                  { "-d", "image_dir", "FOLDER" },
                                  { "-k", "key", "KEY" },
                                  { "-b", "batch_size", NULL },
                                  { "-cm", "classmap", NULL },
                                  { "--class_map", "classmap", NULL },
                                  { "-e", "experiment_spec", NULL },
                                  { "--experiment_spec_file", "experiment_spec", NULL },
                                  { "-r", "results_dir", "FOLDER" },
                                  { 0 } };

static int run(cmd_call *c)
{
    tl_inference i = { 0 };
    int code = cmd_done(c, tl_classification_inference(c->arena, c->opts, &c->listener, &i));
    if (code) return code;
    if (i.text) cmd_say(c, "%s", i.text);
    if (i.csv)
        cmd_say(c, "%d pictures, %.1f images/s: %s\n", i.pictures, i.pictures_per_second, i.csv);
    cmd_value(c, "pictures", "%d", i.pictures);
    cmd_value(c, "unreadable", "%d", i.unreadable);
    cmd_value(c, "images_per_second", "%.2f", i.pictures_per_second);
    return CMD_OK;
}

const cmd_def cmd_inference = {
    .task = "classification",
    .name = "inference",
    .brief = "classify new pictures",
    .about = "Classifies one picture and prints its class, or all pictures of a folder into "
             "result.csv. Pictures may have any size; "
             "they are prepared as in training.",
    .example = "tlc classification inference -m model.onnx -i picture.jpg\n"
               "tlc classification inference -m model.onnx -d pictures -r results -b 16",
    .files = "RESULTS/result.csv: a line per picture, PATH,CLASS,CONFIDENCE",
    .option = rows,
    .flag = flags,
    .size = sizeof(T),
    .run = run,
};

#undef T
#define T tl_detect_inference_opts
static const char *const fits[] = { "trained", "stretch", NULL };
static const tl_field detect_rows[] = {
    CMD_OPTION(T, images, TL_STR, .flags = TL_REQUIRED, .help = "a picture, or a folder: all pictures in it and in those below it"),
    CMD_OPTION(T, results_dir, TL_STR, .flags = TL_REQUIRED, .help = "where everything is written; made when absent"),
    CMD_OPTION(T, experiment_spec, TL_STR,
               .help = "an inference spec; without it, classes, thresholds and clustering are those the model was trained with"),
    CMD_OPTION(T, model, TL_STR, .help = "the model, instead of the spec's inferencer_config.tlt_config.model"),
    CMD_OPTION(T, key, TL_STR, .help = "opens a sealed model"),
    CMD_OPTION(T, batch_size, TL_INT, .hi = 4096, .help = "pictures at a time; 0: the spec's, without a spec 8"),
    CMD_OPTION(T, threshold, TL_FLOAT, .def = -1, .lo = -1, .hi = 1e6,
               .help = "objects of lower scores are neither drawn nor written; -1: with an inference spec all "
                       "that it finds, without one 0.25. To evaluate the files elsewhere: 0"),
    CMD_OPTION(T, fit, TL_ENUM, .names = fits,
               .help = "how pictures become the network's input: as when it was trained (which the model knows), or "
                       "stretched to it whatever their aspect"),
    CMD_OPTION(T, use_amp, TL_BOOL, .help = "mixed precision: faster, on processors with AVX512-BF16"),
    CMD_OPTION(T, overwrite, TL_BOOL, .help = "write into folders of results that hold something already"),
    CMD_OVERRIDES(T),
    TL_F_END
};
static const cmd_flag detect_flags[] = {
    { "-i", "images", "PICTURE|FOLDER" }, { "--image_dir", "images", "PICTURE|FOLDER" }, { "--inference_input", "images", "PICTURE|FOLDER" },
    { "-o", "results_dir", "FOLDER" }, { "-r", "results_dir", "FOLDER" }, { "--inference_output", "results_dir", "FOLDER" },
    { "-e", "experiment_spec", NULL }, { "--experiment_spec_file", "experiment_spec", NULL }, { "--inference_spec", "experiment_spec", NULL },
    { "-m", "model", NULL }, { "--model_path", "model", NULL }, { "-k", "key", "KEY" }, { "-b", "batch_size", NULL }, { 0 }
};

static int run_detect(cmd_call *c)
{
    tl_detect_inference_summary s = { 0 };
    int code = cmd_done(c, tl_detectnet_v2_inference(c->arena, c->opts, &c->listener, &s));
    cmd_value(c, "pictures", "%d", s.pictures);
    cmd_value(c, "unreadable", "%d", s.unreadable);
    cmd_value(c, "objects", "%d", s.objects);
    cmd_value(c, "images_per_second", "%.2f", s.pictures_per_second);
    if (code) return code;
    cmd_say(c, "%d objects in %d pictures, %.1f images/s: %s\n", s.objects, s.pictures, s.pictures_per_second, ((const T *)c->opts)->results_dir);
    return CMD_OK;
}

const cmd_def cmd_detect_inference = {
    .task = "detectnet_v2",
    .name = "inference",
    .brief = "find objects in new pictures",
    .about = "Finds objects in a picture or in all pictures of a folder, draws them in, and writes them to files, in pixels of the "
             "pictures. An inference spec says which model, how cells become objects (bbox_handler_config), colors and names, and by "
             "kitti_dump and disable_overlay what is written; without it, all is as the model was trained, labels and drawn pictures "
             "are written. Pictures that cannot be read are listed and left out. Ctrl-C keeps what was found so far.",
    .example = "tlc detectnet_v2 inference -e inference_spec.txt -i pictures -o found\n"
               "tlc detectnet_v2 inference -m results/weights/model_best.onnx -i picture.jpg -o found",
    .files = "RESULTS_DIR/images_annotated/*: the pictures with what was found drawn in, under their names\n"
             "RESULTS_DIR/labels/*.txt: KITTI's labels, a file for each picture; with a spec only where kitti_dump is true\n"
             "RESULTS_DIR/detections.json: the same for all pictures, in the form of COCO's results\n"
             "RESULTS_DIR/unreadable.txt: pictures that could not be read\n"
             "RESULTS_DIR/status.json: the result, one JSON object a line",
    .option = detect_rows,
    .flag = detect_flags,
    .size = sizeof(T),
    .run = run_detect,
};
