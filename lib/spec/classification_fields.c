/* classification_fields.c - every field of the classification spec. SPDX-License-Identifier: MIT
 *
 * Defaults are what an unset field means in the original, save where that would be of no use (a
 * batch of 0 pictures, no batch norm). In protobuf 3, unset is zero. */
#include "classification.h"
#include "spec_rows.h"

static const char *const filters[] = { "BILINEAR", "BICUBIC", NULL };
static const char *const optimizers[] = { "sgd", "adam", "rmsprop", NULL };
static const char *const schedules[] = { "step", "soft_anneal", "cosine", NULL };
static const char *const regularizers[] = { "L1", "L2", "None", NULL };
static const char *const modes[] = { "caffe", "torch", "tf", NULL };

/* ---- model_config ---- */
#define T tl_bn_config
static const tl_field bn_rows[] = {
    FLOAT(momentum, 0.9, 0, 1, "share of the running statistics that each batch keeps"),
    FLOAT(epsilon, 1e-5, SMALLEST, 1, "added to the variance"),
    TL_F_END
};
MESSAGE(bn, "BatchNormConfig", T, "Batch norm while training.");
#undef T

#define T tl_model_config
static const tl_field model_rows[] = {
    TL_FX(T, arch, TL_STR, 0, 0, 0, "the backbone", .flags = TL_REQUIRED, .names = tl_arch_names),
    TL_FX(T, input_image_size, TL_STR, 0, 0, 0,
          "\"C,H,W\": channels (3 or 1), height, width (at least 16)", .sdef = "3,224,224"),
    TL_FX(T, resize_interpolation_method, TL_ENUM, 0, 0, 0, "how pictures are resized",
          .names = filters),
    INT(n_layers, 0, 0, 1000, "depth of a resnet (0: 18), vgg (16), darknet or cspdarknet (19)"),
    BOOL(retain_head, 0,
         "the architecture's own classifier instead of average pooling and one dense layer"),
    BOOL(use_batch_norm, 1, "batch norm after convolutions; unset is false in the original"),
    BOOL(use_bias, 0, "biases in convolutions"),
    BOOL(use_pooling, 0, "max pooling instead of strides"),
    BOOL(all_projections, 0, "a 1x1 convolution on every shortcut"),
    BOOL(freeze_bn, 0, "batch norm keeps its stored statistics, and in frozen blocks its gamma and beta too (which the original trains)"),
    TL_FX(T, freeze_blocks, TL_INT, 0, 0, 32, "numbers of the blocks that are not trained",
          .flags = TL_REPEATED),
    FLOAT(dropout, 0, 0, 0.99, "share of features dropped before the classifier while training"),
    MSG(batch_norm_config, bn, 0,
        "momentum and epsilon of batch norm; 0.9 and 1e-5 when not given"),
    MSG(activation, tl_activation_msg, 0, "the activation, in place of the architecture's own"),
    TL_FX(T, alpha, TL_FLOAT, 1, 0.1, 4, "width multiplier of mobilenet_v1 and mobilenet_v2", .flags = TL_EXTRA),
    MSG(training_precision, tl_precision_msg, TL_EXTRA, "mixed precision, as --use_amp"),
    STR(byom_model, "with arch \"onnx\": the file of a classifier whose head is replaced (ONNX, or anything 'tlc import' reads as a network)"),
    TL_FX(T, byom_cut, TL_STR, 0, 0, 0, "with byom_model: the last node to keep; otherwise the head is cut at the last pooling or flatten",
          .flags = TL_EXTRA),
    TL_F_END
};
MESSAGE(model, "ModelConfig", T, "The network.");
#undef T

/* ---- train_config.optimizer ---- */
#define LR(def)  FLOAT(lr, def, SMALLEST, 1000, "learning rate, when there is no lr_config")
#define DECAY    FLOAT(decay, 0, 0, 1000, "the rate is divided by 1 + decay * step, beside the schedule")
#define T tl_sgd_config
static const tl_field sgd_rows[] = {
    LR(0.01), DECAY,
    FLOAT(momentum, 0, 0, 0.9999, "share of the last step that is kept"),
    BOOL(nesterov, 0, "Nesterov's momentum"),
    TL_F_END
};
MESSAGE(sgd, "SgdOptimizerConfig", T, "Stochastic gradient descent.");
#undef T

#define T tl_adam_config
static const tl_field adam_rows[] = {
    LR(0.001),
    FLOAT(beta_1, 0.9, 0, 0.9999, "decay of the mean gradient"),
    FLOAT(beta_2, 0.999, 0, 0.999999, "decay of the mean squared gradient"),
    FLOAT(epsilon, 1e-7, SMALLEST, 1, "added to the root of the mean square"),
    DECAY,
    TL_F_END
};
MESSAGE(adam, "AdamOptimizerConfig", T, "Adam.");
#undef T

#define T tl_rmsprop_config
static const tl_field rmsprop_rows[] = {
    LR(0.001),
    FLOAT(rho, 0.9, 0, 0.9999, "decay of the mean squared gradient"),
    FLOAT(epsilon, 1e-7, SMALLEST, 1, "added to the root of the mean square"),
    DECAY,
    TL_F_END
};
MESSAGE(rmsprop, "RmspropOptimizerConfig", T, "RMSprop.");
#undef T

#define T tl_optimizer_config
static const tl_field optimizer_rows[] = {
    MSG(sgd, sgd, TL_ONEOF, "stochastic gradient descent"),
    MSG(adam, adam, TL_ONEOF, "Adam"),
    MSG(rmsprop, rmsprop, TL_ONEOF, "RMSprop"),
    TL_F_END
};
MESSAGE(optimizer, "OptimizerConfig", T, "The optimizer.");
#undef T

/* ---- train_config.lr_config ---- */
#define RATE       FLOAT(learning_rate, 0.01, SMALLEST, 1000, "highest learning rate")
#define SOFT_START FLOAT(soft_start, 0, 0, 1, "share of the training during which the rate rises")
#define T tl_step_config
static const tl_field step_rows[] = {
    RATE,
    INT(step_size, 10, 1, 100, "percent of the training after which gamma has been applied once"),
    FLOAT(gamma, 0.1, 0, 1, "factor per step"),
    TL_F_END
};
MESSAGE(step, "StepLrConfig", T, "The rate falls by a factor per step, continuously as in the original.");
#undef T

#define T tl_soft_anneal_config
static const tl_field soft_anneal_rows[] = {
    RATE, SOFT_START, FLOAT(annealing_divider, 10, 1, 1e6, "divides the rate at each point"),
    TL_FX(T, annealing_points, TL_FLOAT, 0, 0, 1,
          "shares of the training at which the rate is divided", .flags = TL_REPEATED),
    TL_F_END
};
MESSAGE(soft_anneal, "SoftAnnealLrConfig", T, "The rate rises, stays, and is divided at the points.");
#undef T

#define T tl_cosine_config
static const tl_field cosine_rows[] = {
    RATE,
    FLOAT(min_lr_ratio, 0, 0, 1, "last rate, as a share of the highest"),
    SOFT_START,
    TL_F_END
};
MESSAGE(cosine, "CosineLrConfig", T, "The rate rises, then falls along half a cosine.");
#undef T

#define OLD(m, k, help) TL_FX(T, m, k, 0, 0, 0, help, .flags = TL_LEGACY)
#define T tl_lr_config
static const tl_field lr_rows[] = {
    MSG(step, step, TL_ONEOF, "a factor per step"),
    MSG(soft_anneal, soft_anneal, TL_ONEOF, "divided at given points"),
    MSG(cosine, cosine, TL_ONEOF, "half a cosine"),
    TL_FX(T, scheduler, TL_STR, 0, 0, 0, "which of the three; the fields below belong to it",
          .flags = TL_LEGACY, .names = schedules),
    OLD(learning_rate, TL_FLOAT, "as in the schedule's message"),
    OLD(soft_start, TL_FLOAT, "as in the schedule's message"),
    OLD(annealing_points, TL_STR, "the points, separated by commas"),
    OLD(annealing_divider, TL_FLOAT, "as in the schedule's message"),
    OLD(step_size, TL_INT, "as in the schedule's message"),
    OLD(gamma, TL_FLOAT, "as in the schedule's message"),
    OLD(min_lr_ratio, TL_FLOAT, "as in the schedule's message"),
    TL_F_END
};
MESSAGE(lr, "LRConfig", T, "How the learning rate changes.");
#undef T

/* ---- train_config ---- */
#define T tl_reg_config
static const tl_field reg_rows[] = {
    TL_FX(T, type, TL_STR, 0, 0, 0, "penalty on weights", .sdef = "None", .names = regularizers),
    TL_FX(T, scope, TL_STR, 0, 0, 0,
          "layer types, separated by commas: Conv2D, DepthwiseConv2D, Dense",
          .sdef = "Conv2D,Dense"),
    FLOAT(weight_decay, 0, 0, 1000, "factor of the penalty"), TL_F_END
};
MESSAGE(reg, "RegConfig", T, "weight_decay times the sum of |w| (L1) or of w squared (L2), added to the loss.");
#undef T

#define T tl_visualizer_config
static const tl_field visualizer_rows[] = {
    TL_FX(T, enabled, TL_BOOL, 0, 0, 0, "pictures in TensorBoard", .flags = TL_NOEFFECT),
    TL_FX(T, num_images, TL_INT, 0, 0, 0, "how many", .flags = TL_NOEFFECT),
    TL_FX(T, weight_histograms, TL_BOOL, 0, 0, 0, "histograms in TensorBoard", .flags = TL_NOEFFECT),
    MSG(wandb_config, tl_wandb_msg, TL_NOEFFECT, "Weights & Biases"),
    MSG(clearml_config, tl_clearml_msg, TL_NOEFFECT, "ClearML"),
    TL_F_END
};
MESSAGE(visualizer, "VisualizerConfig", T, "What the original logs beside numbers. Numbers are always logged here.");
#undef T

#define T tl_train_config
static const tl_field train_rows[] = {
    STR(train_dataset_path, "folder of training pictures, one folder per class"),
    STR(val_dataset_path, "folder of validation pictures, the same classes"),
    STR(pretrained_model_path, "weights or a network to start from: a model of ours, or anything that 'tlc import' reads"),
    MSG(optimizer, optimizer, 0,
        "the optimizer; with neither this nor lr_config, a recipe made for small sets is used"),
    { .name = "optimizer",
      .kind = TL_STR,
      .off = offsetof(T, optimizer_2_0),
      .help = "the optimizer's name; its rate is in lr_config",
      .flags = TL_LEGACY,
      .names = optimizers },
    INT(batch_size_per_gpu, 16, 1, 65536, "pictures in a training step"),
    INT(n_epochs, 20, 0, 1000000, "passes over the training pictures; 0: only the head, on the frozen trunk, by the default recipe"),
    INT(n_workers, 0, 0, 1024, "threads that read pictures; 0: by the number of processors"),
    MSG(reg_config, reg, 0, "penalty on weights"),
    MSG(lr_config, lr, 0, "how the learning rate changes"),
    INT(random_seed, 42, 0, 2147483647,
        "the same seed gives the same weights, bit for bit; in the original 0 draws another one each time"),
    BOOL(enable_random_crop, 0, "train on random parts of the pictures"),
    BOOL(enable_center_crop, 0, "validate on the middle of the pictures, their shape kept"),
    BOOL(enable_color_augmentation, 0,
         "random hue, saturation and contrast; with enable_random_crop only"),
    FLOAT(label_smoothing, 0, 0, 0.99,
          "share of each target spread over all classes; real here, while the original reads it "
          "and does nothing"),
    TL_FX(T, preprocess_mode, TL_STR, 0, 0, 0,
          "how pixels become numbers; must be as in the pretrained model", .sdef = "caffe",
          .names = modes),
    FLOAT(mixup_alpha, 0, 0, 100, "mix pairs of pictures by Beta(alpha, alpha); 0: do not"),
    TL_FX(T, model_parallelism, TL_FLOAT, 0, 0, 0, "shares of several GPUs",
          .flags = TL_REPEATED | TL_NOEFFECT),
    TL_FX(T, image_mean, TL_FLOAT, 0, 0, 255,
          "mean of the pixels: keys b, g, r, or l for grey; caffe mode only", .flags = TL_MAP),
    BOOL(disable_horizontal_flip, 0, "do not mirror training pictures at random"),
    MSG(visualizer, visualizer, TL_NOEFFECT, "what is logged beside numbers"),
    TL_FX(T, teacher_model_path, TL_STR, 0, 0, 0, "model to learn from besides the labels: the one that pretrained_model_path was pruned from. The best epoch is then the one of the lowest validation loss", .flags = TL_EXTRA),
    TL_FX(T, class_weights, TL_FLOAT, 0, 0, 1e6,
          "weight of a class in the loss, by its name; 1 where not named",
          .flags = TL_MAP | TL_EXTRA),
    TL_FX(T, max_unreadable, TL_FLOAT, 0.01, 0, 1,
          "stop when a larger share of the pictures cannot be read", .flags = TL_EXTRA),
    TL_FX(T, cache_mb, TL_INT, 1024, 0, 1 << 30, "megabytes of decoded pictures kept in memory",
          .flags = TL_EXTRA),
    TL_FX(T, sync_bn, TL_BOOL, 0, 0, 1,
          "with several processes: batch norm takes its statistics over the whole batch, not over a process' share of it",
          .flags = TL_EXTRA),
    TL_F_END
};
MESSAGE(train, "TrainConfig", T, "Training.");
#undef T

/* ---- Experiment ---- */
#define T tl_eval_config
static const tl_field eval_rows[] = {
    INT(top_k, 1, 1, 100000, "a picture counts as right when its class is among the k likeliest"),
    STR(eval_dataset_path, "folder of test pictures, one folder per class"),
    STR(model_path, "model to evaluate"),
    INT(batch_size, 16, 1, 65536, "pictures at a time"),
    INT(n_workers, 0, 0, 1024, "threads that read pictures; 0: by the number of processors"),
    BOOL(enable_center_crop, 0, "evaluate on the middle of the pictures, their shape kept"),
    TL_F_END
};
MESSAGE(eval, "EvalConfig", T, "Evaluation.");
#undef T

#define T tl_experiment
static const tl_field experiment_rows[] = {
    MSG(eval_config, eval, 0, "evaluation"),
    MSG(model_config, model, 0, "the network"),
    MSG(train_config, train, 0, "training"),
    TL_F_END
};
const tl_msg tl_classification_msg = { "Experiment", experiment_rows, sizeof(T), "Image classification." };
#undef T
