/* diagnose.c - tlc detectnet_v2 diagnose. SPDX-License-Identifier: MIT */
#include "cmds.h"

#define T tl_diagnose_opts
static const tl_field rows[] = {
    CMD_OPTION(T, experiment_spec, TL_STR, .flags = TL_REQUIRED, .help = "the experiment spec"),
    CMD_OPTION(T, model, TL_STR,
               .help = "look at what this model finds; otherwise the spec's network learns a few pictures by heart, for a minute or two"),
    CMD_OPTION(T, key, TL_STR, .help = "opens a sealed model"),
    CMD_OPTION(T, pictures, TL_INT, .hi = 256, .help = "how many, those with the most objects; 0: 8"),
    CMD_OPTION(T, steps, TL_INT, .hi = 100000, .help = "how many at most, within a minute; 0: 150"),
    CMD_OPTION(T, results_dir, TL_STR, .help = "a folder for diagnosis.txt; otherwise nothing is written"),
    CMD_OVERRIDES(T),
    TL_F_END
};
static const cmd_flag flags[] = {
    { "-e", "experiment_spec", NULL }, { "--experiment_spec_file", "experiment_spec", NULL }, { "-m", "model", NULL },
    { "--model_path", "model", NULL }, { "-k", "key", "KEY" }, { "-r", "results_dir", "FOLDER" }, { 0 }
};

static int run(cmd_call *c)
{
    tl_diagnosis d = { 0 };
    int code = cmd_done(c, tl_detectnet_v2_diagnose(c->arena, c->opts, &c->listener, &d));
    if (code) return code;
    cmd_say(c, "%s", d.report);
    cmd_value(c, "causes", "%d", d.causes);
    cmd_value(c, "first_loss", "%.9g", d.first_loss);
    cmd_value(c, "last_loss", "%.9g", d.last_loss);
    cmd_value(c, "score", "%.6f", d.score);
    cmd_value(c, "best_score", "%.6f", d.best_score);
    return d.causes ? CMD_FAILED : CMD_OK;
}

const cmd_def cmd_detect_diagnose = {
    .task = "detectnet_v2",
    .name = "diagnose",
    .brief = "find out why a detector's score stays at zero",
    .about = "Looks for what keeps a score low without ever being an error: names in the labels that no class takes, boxes that are cut "
             "away or dropped, too small for the grid or left out by evaluation, objects whose cells others take. Then the network learns "
             "a few pictures by heart, which shows whether it can learn at all at the spec's rate and weights, and whether the thresholds "
             "find what it knows. Causes are listed, the likeliest first, each with the field to change and a value. The exit code is "
             "1 when one was found.",
    .example = "tlc detectnet_v2 diagnose -e spec.txt\n"
               "tlc detectnet_v2 diagnose -e spec.txt -m results/weights/model_best.onnx",
    .files = "RESULTS_DIR/diagnosis.txt: what is printed",
    .option = rows,
    .flag = flags,
    .size = sizeof(T),
    .run = run,
};
