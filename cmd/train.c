/* train.c - tlc classification train. SPDX-License-Identifier: MIT */
#include "cmds.h"

#define T tl_train_opts
static const tl_field rows[] = {
    CMD_OPTION(T, experiment_spec, TL_STR, .flags = TL_REQUIRED, .help = "the experiment spec"),
    CMD_OPTION(T, results_dir, TL_STR, .flags = TL_REQUIRED,
               .help = "where everything is written; made when absent"),
    CMD_OPTION(T, key, TL_STR, .help = "seals the models written and opens the pretrained one"),
    CMD_OPTION(T, classmap, TL_STR,
               .help =
                   "class names in the order of their indices, one a line; otherwise by alphabet"),
    CMD_OPTION(T, resume, TL_BOOL,
               .help = "go on from the newest checkpoint in the results folder, to the same "
                       "weights bit for bit"),
    CMD_OPTION(T, cache_features, TL_INT, .hi = 1 << 20, .flags = TL_OPTIONAL, .sdef = "1024",
               .help = "compute what a frozen trunk makes of the pictures once, and keep it: up to "
                       "MB megabytes in memory, more in a file in the results folder"),
    CMD_OVERRIDES(T),
    CMD_NOEFFECT(init_epoch, TL_INT),
    TL_F_END
};
static const cmd_flag flags[] = {
    { "-e", "experiment_spec", NULL }, { "--experiment_spec_file", "experiment_spec", NULL },
    { "-r", "results_dir", "FOLDER" }, { "-k", "key", "KEY" },
    { "-c", "classmap", NULL },        { "--cache_features", "cache_features", "MB" },
    { 0 }
};

static int run(cmd_call *c)
{
    tl_train_summary s = { 0 };
    int code = cmd_done(c, tl_classification_train(c->arena, c->opts, &c->listener, &s));
    if (code) return code;
    cmd_say(c, "best: epoch %d of %d, validation accuracy %.4f, %s\n", s.best_epoch, s.epochs,
            s.best_accuracy, s.best_model);
    cmd_value(c, "best_epoch", "%d", s.best_epoch);
    cmd_value(c, "epochs", "%d", s.epochs);
    cmd_value(c, "best_accuracy", "%.6f", s.best_accuracy);
    cmd_value(c, "best_model", "%s", s.best_model);
    return CMD_OK;
}

const cmd_def cmd_train = {
    .task = "classification",
    .name = "train",
    .brief = "fine-tune a network on a folder of pictures per class",
    .about = "Trains the network of the spec, from the weights of pretrained_model_path when there "
             "are any, and validates it after each epoch. "
             "Without optimizer and lr_config in the spec the recipe is our own, made for small "
             "sets: the head first, then the whole network. "
             "Ctrl-C saves a checkpoint; --resume goes on from it. Needs "
             "train_config.train_dataset_path and val_dataset_path.",
    .example = "tlc classification train -e spec.txt -r results\n"
               "tlc classification train -e spec.txt -r results train_config.n_epochs=3 "
               "train_config.random_seed=7",
    .files = "RESULTS/weights/ARCH_EEE.onnx: the model after each epoch (000: the head on the "
             "frozen trunk), .tlt when sealed; ARCH_best.onnx is the best one\n"
             "RESULTS/weights/ARCH_EEE.state: what --resume needs besides; the last two are kept\n"
             "RESULTS/experiment_spec.txt: the whole spec, with defaults\n"
             "RESULTS/classmap.json: classes and their indices\n"
             "RESULTS/training.csv: a line per epoch\n"
             "RESULTS/events: curves for TensorBoard\n"
             "RESULTS/features.cache: what --cache_features keeps on disk; removed at the end\n"
             "RESULTS/status.json: what happened, one JSON object a line",
    .option = rows,
    .flag = flags,
    .size = sizeof(T),
    .run = run,
};
