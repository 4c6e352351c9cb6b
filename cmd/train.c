/* train.c - tlc classification train. SPDX-License-Identifier: MIT */
#include "cmds.h"

typedef struct {
    tl_train_opts opts; /* first: its rows count from here */
    const char *mpirun_arg;
} train_call;

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
    CMD_OPTION(T, plan, TL_BOOL,
               .help = "do not train: print layer by layer what a step computes, its memory and its "
                       "time on this machine, and how long the training would take"),
    CMD_OPTION(T, max_memory, TL_INT, .hi = 1 << 24,
               .help = "megabytes for a step's values and gradients; to stay within, values that are "
                       "cheap to make are made twice; what still needs more is refused, with the batch "
                       "size that would fit"),
    CMD_OPTION(T, cache_features, TL_INT, .hi = 1 << 20, .flags = TL_OPTIONAL, .sdef = "1024",
               .help = "compute what a frozen trunk makes of the pictures once, and keep it: up to "
                       "MB megabytes in memory, more in a file in the results folder"),
    CMD_OPTION(T, use_amp, TL_BOOL,
               .help = "mixed precision: maps and their gradients are kept in bf16, on processors with "
                       "AVX512-BF16"),
    CMD_OPTION(T, num_processes, TL_INT, .def = 1, .lo = 1, .hi = 65536,
               .help = "train with so many processes, under mpirun; each takes batch_size_per_gpu "
                       "pictures of a batch"),
    CMD_OPTION(train_call, mpirun_arg, TL_STR,
               .help = "more options for mpirun, as in \"--host a:4,b:4\""),
    CMD_OVERRIDES(T),
    CMD_NOEFFECT(init_epoch, TL_INT),
    TL_F_END
};
static const cmd_flag flags[] = {
    { "-e", "experiment_spec", NULL }, { "--experiment_spec_file", "experiment_spec", NULL },
    { "-r", "results_dir", "FOLDER" }, { "-k", "key", "KEY" },
    { "-c", "classmap", NULL },        { "--cache_features", "cache_features", "MB" },
    { "--plan", "plan", NULL },        { "--max_memory", "max_memory", "MB" },
    { "--gpus", "num_processes", NULL }, { "--mpirun_arg", "mpirun_arg", "OPTIONS" },
    { 0 }
};

/* Start the processes that are asked for, unless this is one of them already. */
static int launch(cmd_call *c, const train_call *t, bool *launched)
{
    *launched = tl_job_here().size == 1 && t->opts.num_processes > 1;
    if (!*launched) return CMD_OK;
    int code = cmd_done(c, tl_job_check());
    return code ? code : cmd_launch(c, t->opts.num_processes, t->mpirun_arg);
}

static int run(cmd_call *c)
{
    train_call *t = c->opts;
    tl_train_summary s = { 0 };
    bool launched;
    int code = launch(c, t, &launched);
    if (launched) return code;
    if (t->opts.num_processes <= 1) t->opts.num_processes = tl_job_here().size;
    tl_status st = tl_classification_train(c->arena, &t->opts, &c->listener, &s);
    if (c->mute && st == TL_ESTOPPED) return CMD_FAILED; /* the first process says so */
    code = cmd_done(c, st);
    if (code || t->opts.plan) return code;
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
    .size = sizeof(train_call),
    .joins = true,
    .run = run,
};
