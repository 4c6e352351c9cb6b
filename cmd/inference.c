/* inference.c - tlc classification inference. SPDX-License-Identifier: MIT */
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
