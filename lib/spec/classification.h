/* classification.h - the experiment spec of image classification. SPDX-License-Identifier: MIT
 *
 * The messages are those of the original (Experiment in TLT 3.0); zero or NULL where nothing was
 * given and there is no default. TLT 2.0 files say some things differently, with TL_LEGACY fields:
 * loading rewrites them to the 3.0 form, so nobody else needs to know. What the trainer wants, with
 * strings understood and oneofs decided, is in tl_classification_spec beside the messages. */
#ifndef TL_CLASSIFICATION_H
#define TL_CLASSIFICATION_H
#include "spec_common.h"

/* ---- The messages ---- */
typedef struct { uint64_t set; float momentum, epsilon; } tl_bn_config;

typedef struct {
    uint64_t    set;
    const char *arch, *input_image_size;
    int         resize_interpolation_method; /* 0 bilinear, 1 bicubic */
    int         n_layers;                    /* 0 where the architecture comes in one size */
    bool        retain_head, use_batch_norm, use_bias, use_pooling, all_projections, freeze_bn;
    tl_list     freeze_blocks;               /* int */
    float       dropout, alpha;
    tl_bn_config         *batch_norm_config; /* NULL: momentum 0.9, epsilon 1e-5 */
    tl_activation_config *activation;        /* NULL: the architecture's own */
    tl_training_precision *training_precision; /* NULL: f32, or what use_amp says */
    const char *byom_model, *byom_cut;
} tl_model_config;

typedef struct { uint64_t set; float lr, decay, momentum; bool nesterov; } tl_sgd_config;
typedef struct { uint64_t set; float lr, beta_1, beta_2, epsilon, decay; } tl_adam_config;
typedef struct { uint64_t set; float lr, rho, epsilon, decay; } tl_rmsprop_config;
typedef struct {
    uint64_t set;
    tl_sgd_config *sgd;
    tl_adam_config *adam;
    tl_rmsprop_config *rmsprop;
} tl_optimizer_config;

typedef struct { uint64_t set; float learning_rate; int step_size; float gamma; } tl_step_config;
typedef struct {
    uint64_t set;
    float    learning_rate, soft_start, annealing_divider;
    tl_list  annealing_points; /* float */
} tl_soft_anneal_config;
typedef struct { uint64_t set; float learning_rate, min_lr_ratio, soft_start; } tl_cosine_config;
typedef struct {
    uint64_t               set;
    tl_step_config        *step;
    tl_soft_anneal_config *soft_anneal;
    tl_cosine_config      *cosine;
    /* TLT 2.0, empty after loading */
    const char *scheduler, *annealing_points;
    float       learning_rate, soft_start, annealing_divider, gamma, min_lr_ratio;
    int         step_size;
} tl_lr_config;

typedef struct { uint64_t set; const char *type, *scope; float weight_decay; } tl_reg_config;

typedef struct {
    uint64_t           set;
    bool               enabled, weight_histograms;
    int                num_images;
    tl_wandb_config   *wandb_config;
    tl_clearml_config *clearml_config;
} tl_visualizer_config;

typedef struct {
    uint64_t             set;
    const char          *train_dataset_path, *val_dataset_path, *pretrained_model_path, *teacher_model_path;
    const char          *optimizer_2_0; /* `optimizer: "sgd"`, TLT 2.0, NULL after loading */
    tl_optimizer_config *optimizer;     /* NULL: not given */
    int                  batch_size_per_gpu, n_epochs;
    int                  n_workers;     /* 0: by the number of processors */
    tl_reg_config       *reg_config;
    tl_lr_config        *lr_config;     /* NULL: not given */
    int                  random_seed;
    bool                 enable_random_crop, enable_center_crop, enable_color_augmentation, disable_horizontal_flip;
    float                label_smoothing, mixup_alpha;
    const char          *preprocess_mode;
    tl_list              model_parallelism; /* float */
    tl_list              image_mean;        /* tl_pair: b, g, r or l */
    tl_visualizer_config *visualizer;
    /* Ours */
    tl_list              class_weights;     /* tl_pair: class name to weight of its loss; 1 where not named */
    float                max_unreadable;    /* stop when a larger share of the pictures cannot be read */
    int                  cache_mb;          /* decoded pictures kept in memory, at most */
    bool                 sync_bn;           /* batch norm over the pictures of all processes */
} tl_train_config;

typedef struct {
    uint64_t    set;
    int         top_k, batch_size, n_workers;
    const char *eval_dataset_path, *model_path;
    bool        enable_center_crop;
} tl_eval_config;

typedef struct {
    uint64_t set;
    tl_eval_config *eval_config;
    tl_model_config *model_config;
    tl_train_config *train_config;
} tl_experiment;
extern const tl_msg tl_classification_msg; /* of tl_experiment */

/* ---- What they mean ---- */
typedef enum { TL_SGD, TL_ADAM, TL_RMSPROP } tl_optimizer_kind;
typedef struct {
    tl_optimizer_kind kind;
    float momentum, beta1, beta2, rho, epsilon;
    float decay;        /* Keras: the rate is divided by 1 + decay * step, beside the schedule */
    bool  nesterov;
} tl_optimizer;

typedef enum { TL_LR_STEP, TL_LR_SOFT_ANNEAL, TL_LR_COSINE, TL_LR_ANNEALING } tl_schedule_kind;
typedef struct {
    tl_schedule_kind kind;
    float  base;        /* learning rate */
    float  soft_start;  /* share of the training during which the rate rises; all but STEP */
    float  least, annealing; /* ANNEALING: rate at both ends; share of the training after which it falls */
    float  divider;     /* SOFT_ANNEAL: divides the rate at each of the points, which are shares of the training */
    int    n_points;
    const float *points;
    float  gamma;       /* STEP: factor per step_size percent of the training */
    int    step_size;
    float  min_ratio;   /* COSINE: last rate, as a share of base */
} tl_schedule;

typedef enum { TL_REG_NONE, TL_REG_L1, TL_REG_L2 } tl_regularizer_kind;
typedef struct {
    tl_regularizer_kind kind;
    float weight;
    bool conv, depthwise, dense; /* layer types it is for */
    bool bias;                   /* of these layers, too, and not their kernels alone */
} tl_regularizer;

typedef struct tl_classification_spec {
    const tl_experiment   *experiment;   /* the messages, as printed */
    const tl_model_config *model;        /* these three are never NULL */
    const tl_train_config *train;
    const tl_eval_config  *eval;
    int                    c, h, w;      /* network input */
    float                  bn_momentum, bn_epsilon;
    bool default_recipe; /* neither optimizer nor lr_config was given: ours, made for small sets, is
                            wanted */
    tl_optimizer           optimizer;    /* with default_recipe: not meaningful */
    tl_schedule            schedule;
    tl_regularizer         regularizer;
    bool                   has_mean;
    float                  mean[3];      /* image_mean, in the order b, g, r; or l */
} tl_classification_spec;

/* What a command cannot do without. */
enum {
    TL_NEEDS_MODEL = 1, /* model_config.arch */
    TL_NEEDS_TRAIN = 2, /* train_config.train_dataset_path, val_dataset_path */
    TL_NEEDS_EVAL = 4   /* eval_config.eval_dataset_path, model_path */
};

/* Read, override, complete and check a spec before any picture is touched. text NULL: the file at
 * path; otherwise path only names the text in messages. TL_ESPEC: tl_errmsg() holds every error with
 * its place. *warnings: one a line, or "". */
tl_status tl_classification_spec_load(tl_arena *a, const char *path, const char *text,
                                      const char *const *overrides, int n, unsigned needs,
                                      const tl_classification_spec **out, const char **warnings);
/* The whole spec in 3.0 form, with defaults; it can be loaded again. */
tl_status tl_classification_spec_print(tl_arena *a, const tl_classification_spec *s, const char **text);
#endif
