/* train.c - tlc classification train, tlc detectnet_v2 train. SPDX-License-Identifier: MIT */
#include "cmds.h"

typedef struct {
    tl_train_opts opts; /* first: its rows count from here */
    const char *mpirun_arg;
} train_call;

#define T tl_train_opts
/* What both have. */
#define SPEC                                                                                       \
    CMD_OPTION(T, experiment_spec, TL_STR, .flags = TL_REQUIRED, .help = "the experiment spec"),   \
        CMD_OPTION(T, results_dir, TL_STR, .flags = TL_REQUIRED,                                   \
                   .help = "where everything is written; made when absent"),                      \
        CMD_OPTION(T, key, TL_STR, .help = "seals the models written and opens the pretrained one")
#define RUNNING                                                                                    \
    CMD_OPTION(T, resume, TL_BOOL,                                                                 \
               .help = "go on from the newest checkpoint in the results folder, to the same "      \
                       "weights bit for bit"),                                                     \
        CMD_OPTION(T, plan, TL_BOOL,                                                               \
                   .help = "do not train: print layer by layer what a step computes, its memory and its " \
                           "time on this machine, and how long the training would take"),          \
        CMD_OPTION(T, max_memory, TL_INT, .hi = 1 << 24,                                           \
                   .help = "megabytes for a step's values and gradients; to stay within, values that are " \
                           "cheap to make are made twice; what still needs more is refused, with the batch " \
                           "size that would fit"),                                                 \
        CMD_OPTION(T, use_amp, TL_BOOL,                                                            \
                   .help = "mixed precision: maps and their gradients are kept in bf16, on processors with " \
                           "AVX512-BF16"),                                                         \
        CMD_OPTION(T, num_processes, TL_INT, .def = 1, .lo = 1, .hi = 65536,                       \
                   .help = "train with so many processes, under mpirun; each takes batch_size_per_gpu " \
                           "pictures of a batch"),                                                 \
        CMD_OPTION(train_call, mpirun_arg, TL_STR,                                                 \
                   .help = "more options for mpirun, as in \"--host a:4,b:4\"")

static const tl_field rows[] = {
    SPEC,
    CMD_OPTION(T, classmap, TL_STR,
               .help =
                   "class names in the order of their indices, one a line; otherwise by alphabet"),
    CMD_OPTION(T, cache_features, TL_INT, .hi = 1 << 20, .flags = TL_OPTIONAL, .sdef = "1024",
               .help = "compute what a frozen trunk makes of the pictures once, and keep it: up to "
                       "MB megabytes in memory, more in a file in the results folder"),
    RUNNING,
    CMD_OVERRIDES(T),
    CMD_NOEFFECT(init_epoch, TL_INT),
    TL_F_END
};
static const tl_field detect_rows[] = {
    SPEC,
    CMD_OPTION(T, model_name, TL_STR, .sdef = "model", .help = "what the model files are called"),
    RUNNING,
    CMD_OVERRIDES(T),
    CMD_NOEFFECT(enable_determinism, TL_BOOL),
    TL_F_END
};
#define FLAGS                                                                                      \
    { "-e", "experiment_spec", NULL }, { "--experiment_spec_file", "experiment_spec", NULL },      \
        { "-r", "results_dir", "FOLDER" }, { "-k", "key", "KEY" }, { "--plan", "plan", NULL },     \
        { "--max_memory", "max_memory", "MB" }, { "--gpus", "num_processes", NULL },               \
        { "--mpirun_arg", "mpirun_arg", "OPTIONS" }
static const cmd_flag flags[] = {
    FLAGS, { "-c", "classmap", NULL }, { "--cache_features", "cache_features", "MB" }, { 0 }
};
static const cmd_flag detect_flags[] = { FLAGS, { "-n", "model_name", "NAME" }, { 0 } };
/* Start the processes that are asked for, unless this is one of them already. */
static int launch(cmd_call *c, const train_call *t, bool *launched)
{
    *launched = tl_job_here().size == 1 && t->opts.num_processes > 1;
    if (!*launched) return CMD_OK;
    int code = cmd_done(c, tl_job_check());
    return code ? code : cmd_launch(c, t->opts.num_processes, t->mpirun_arg);
}

typedef tl_status train_task(tl_arena *a, const tl_train_opts *o, const tl_listener *l, tl_train_summary *out);

static int run_task(cmd_call *c, train_task *task, const char *score)
{
    train_call *t = c->opts;
    tl_train_summary s = { 0 };
    bool launched;
    int code = launch(c, t, &launched);
    if (launched) return code;
    if (t->opts.num_processes <= 1) t->opts.num_processes = tl_job_here().size;
    tl_status st = task(c->arena, &t->opts, &c->listener, &s);
    if (c->mute && st == TL_ESTOPPED) return CMD_FAILED; /* the first process says so */
    code = cmd_done(c, st);
    if (code || t->opts.plan) return code;
    if (s.best_accuracy >= 0)
        cmd_say(c, "best: epoch %d of %d, validation %s %.4f, %s\n", s.best_epoch, s.epochs, score, s.best_accuracy, s.best_model);
    else
        cmd_say(c, "%d epochs, %s\n", s.epochs, s.best_model);
    cmd_value(c, "best_epoch", "%d", s.best_epoch);
    cmd_value(c, "epochs", "%d", s.epochs);
    cmd_value(c, "best_accuracy", "%.6f", s.best_accuracy);
    cmd_value(c, "best_model", "%s", s.best_model);
    return CMD_OK;
}

static int run(cmd_call *c) { return run_task(c, tl_classification_train, "accuracy"); }
static int run_detect(cmd_call *c) { return run_task(c, tl_detectnet_v2_train, "mean average precision"); }

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

const cmd_def cmd_detect_train = {
    .task = "detectnet_v2",
    .name = "train",
    .brief = "fine-tune a detector on labeled pictures",
    .about = "Trains the network of the spec, from the weights of model_config.pretrained_model_file when "
             "there are any, on TFRecords or folders of labels (KITTI, Pascal VOC, COCO, YOLO, CSV), and "
             "validates it from time to time, as evaluation_config says. The best of the validated models is "
             "kept. Ctrl-C saves a checkpoint; --resume goes on from it. To train a pruned model, give it as "
             "pretrained_model_file with load_graph: true.",
    .example = "tlc detectnet_v2 train -e spec.txt -r results -n detector\n"
               "tlc detectnet_v2 train -e spec.txt -r results training_config.num_epochs=20",
    .files = "RESULTS/weights/NAME_EEE.onnx: the model after each checkpoint_interval epochs, .tlt when sealed; "
             "NAME_best.onnx is the best one, NAME.onnx the last\n"
             "RESULTS/weights/NAME_EEE.state: what --resume needs besides; the last two are kept\n"
             "RESULTS/experiment_spec.txt: the whole spec, with defaults\n"
             "RESULTS/training.csv: a line per epoch\n"
             "RESULTS/events: curves for TensorBoard\n"
             "RESULTS/monitor.json: the last epoch, its loss and time\n"
             "RESULTS/status.json: what happened, one JSON object a line",
    .option = detect_rows,
    .flag = detect_flags,
    .size = sizeof(train_call),
    .joins = true,
    .run = run_detect,
};
