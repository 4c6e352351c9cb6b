/* prune.c - tlc classification prune, tlc detectnet_v2 prune. SPDX-License-Identifier: MIT */
#include "cmds.h"
#include <math.h>

static const char *const normalizers[] = { "max", "L2", NULL };
static const char *const criteria[] = { "union", "intersection", "arithmetic_mean",
                                        "geometric_mean", NULL };
#define T tl_prune_cmd_opts
static const tl_field rows[] = {
    CMD_OPTION(T, model, TL_STR, .flags = TL_REQUIRED, .help = "the model to prune"),
    CMD_OPTION(T, output_file, TL_STR, .flags = TL_REQUIRED,
               .help = "where the pruned model is written"),
    CMD_OPTION(T, key, TL_STR, .help = "opens the model and seals the pruned one"),
    CMD_OPTION(T, pruning_threshold, TL_FLOAT, .def = 0.1, .hi = HUGE_VAL,
               .help = "channels with a normalized norm above it stay"),
    CMD_OPTION(T, target, TL_STR,
               .help = "find the threshold that leaves this share, instead of giving one: "
                       "macs=0.5, params=0.3; layers keep multiples of the granularity, so a little less may be left"),
    CMD_OPTION(T, normalizer, TL_ENUM, .names = normalizers,
               .help = "norms are divided by the layer's largest, or by its L2 norm"),
    CMD_OPTION(T, equalization_criterion, TL_ENUM, .names = criteria,
               .help = "how the norms of channels that must go together are merged"),
    CMD_OPTION(T, pruning_granularity, TL_INT, .def = 8, .lo = 1, .hi = 4096,
               .help = "keep a multiple of this many channels"),
    CMD_OPTION(T, min_num_filters, TL_INT, .def = 16, .lo = 1, .hi = 65536,
               .help = "keep at least this many channels of a layer"),
    CMD_OPTION(T, images, TL_STR,
               .help = "a folder of pictures (labels are not needed): channels are ranked by what they do on "
                       "them, and the weights left are adapted; without it, by the original's norms. With --target as well neither the "
                       "normalizer nor the criterion is asked"),
    CMD_OPTION(T, excluded_layers, TL_STR, .flags = TL_REPEATED,
               .help = "names of layers to leave whole"),
    CMD_OPTION(T, overwrite, TL_BOOL, .help = "replace the output file if it is there"),
    CMD_OPTION(T, results_dir, TL_STR, .help = "a folder for status.json"),
    TL_F_END
};
static const cmd_flag flags[] = { { "-m", "model", NULL },
                                  { "-pm", "model", NULL },
                                  { "--pretrained_model", "model", NULL },
                                  { "-o", "output_file", NULL },
                                  { "-k", "key", "KEY" },
                                  { "-pth", "pruning_threshold", NULL },
                                  { "-n", "normalizer", NULL },
                                  { "-eq", "equalization_criterion", NULL },
                                  { "-pg", "pruning_granularity", NULL },
                                  { "-nf", "min_num_filters", NULL },
                                  { "-el", "excluded_layers", "LAYER" },
                                  { "-r", "results_dir", "FOLDER" },
                                  { "--target", "target", "macs=SHARE|params=SHARE" },
                                  { 0 } };

typedef tl_status prune_task(tl_arena *a, const T *o, const tl_listener *l, tl_prune_summary *out);

static int run_task(cmd_call *c, prune_task *task)
{
    const T *o = c->opts;
    const bool scored = o->images && o->target; /* the threshold is then of worth over price, and no -pth */
    tl_prune_summary s = { 0 };
    int code = cmd_done(c, task(c->arena, c->opts, &c->listener, &s));
    if (code) return code;
    cmd_say(c, "%s", s.table);
    cmd_say(c, "Pruning ratio (pruned model / original model): %.6g\n", s.ratio);
    cmd_say(c, "MACs: %.6g of the original's", s.macs_ratio);
    if (scored) cmd_say(c, "\n");
    else cmd_say(c, ", threshold %.6g\n", (double)s.threshold);
    cmd_value(c, "ratio", "%.6f", s.ratio);
    cmd_value(c, "macs_ratio", "%.6f", s.macs_ratio);
    if (!scored) cmd_value(c, "threshold", "%.9g", (double)s.threshold);
    cmd_value(c, "params", "%zu", s.params);
    cmd_value(c, "macs", "%zu", s.macs);
    return CMD_OK;
}

static int run(cmd_call *c) { return run_task(c, tl_classification_prune); }
static int run_detect(cmd_call *c) { return run_task(c, tl_detectnet_v2_prune); }

const cmd_def cmd_prune = {
    .task = "classification",
    .name = "prune",
    .brief = "remove the channels that matter least",
    .about = "Ranks the channels of each layer by the norm of their weights and writes a smaller "
             "model without the weakest ones; a channel that others "
             "depend on goes with them or not at all. Accuracy falls: train the pruned model again, as "
             "train_config.pretrained_model_path, with the whole one as teacher_model_path. With --images it falls far less: "
             "what channels do on real pictures is measured, and the weights that are left make up for those that are gone.",
    .example = "tlc classification prune -m model.onnx -o pruned.onnx -pth 0.5\n"
               "tlc classification prune -m model.onnx -o pruned.onnx --target macs=0.5 --images pictures/train",
    .files = "OUTPUT_FILE: the pruned model",
    .option = rows,
    .flag = flags,
    .size = sizeof(T),
    .run = run,
};

const cmd_def cmd_detect_prune = {
    .task = "detectnet_v2",
    .name = "prune",
    .brief = "remove the channels of a detector that matter least",
    .about = "Ranks the channels of each layer by the norm of their weights and writes a smaller "
             "model without the weakest ones; the layers that answer stay whole. Accuracy falls: train the pruned model "
             "again, as model_config.pretrained_model_file with load_graph: true, the whole one as teacher_model_file, and "
             "without freeze_blocks. With --images it falls far less: what channels do on real pictures is measured and, with "
             "--target, weighed against what they cost, and the weights that are left make up for those that are gone.",
    .example = "tlc detectnet_v2 prune -m model.onnx -o pruned.onnx -pth 0.5\n"
               "tlc detectnet_v2 prune -m model.onnx -o pruned.onnx --target macs=0.5 --images pictures/train",
    .files = "OUTPUT_FILE: the pruned model",
    .option = rows,
    .flag = flags,
    .size = sizeof(T),
    .run = run_detect,
};
