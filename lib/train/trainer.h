/* trainer.h - the training loop of one model on one data set. SPDX-License-Identifier: MIT */
#ifndef TL_TRAINER_H
#define TL_TRAINER_H
#include "dist.h"
#include "train.h"

/* ---- Learning from a teacher ---- */
typedef struct tl_distill tl_distill;
/* Add to m's graph the distances of its maps from those of a teacher of the same architecture (usually the model it was pruned
 * from), and to *loss `weight` times their sum. What m and the teacher do not have in common is left out; TL_ESPEC when that is all. */
tl_status tl_distill_new(tl_arena *a, const tl_model *teacher, tl_model *m, int batch, float weight, tl_val *loss, tl_distill **out);
/* Fill in what the teacher makes of the batch that is in the student's plan, at `image`. */
tl_status tl_distill_targets(tl_distill *d, const tl_plan *student, tl_val image);

typedef struct {
    tl_model         *model;
    const tl_model   *teacher;       /* NULL: labels are all there is */
    const tl_dataset *train, *val;   /* val NULL: there is nothing to validate with (not for classification) */
    tl_loader_conf    loader;        /* of the training pictures; validation takes them without random changes */
    tl_recipe         recipe;
    int               epochs;
    tl_patience       patience;
    int               validate_every, first_validation, save_every; /* epochs; 0: each. The last one is validated and saved anyhow, the best of
                                      * those validated is kept */
    const float      *class_weight;  /* per class, NULL: all 1 */
    const struct tl_detect_goal *detect; /* of detectors: detections.h */
    bool              head_first;    /* fit the head on the frozen trunk, as epoch 0, when the network allows it */
    bool              compare;       /* measure what a head on the frozen trunk reaches, to say if training does worse */
    bool              choose_crop;   /* with head_first: cut pictures in the middle, or squeeze them, whichever validates better */
    bool              resume;        /* go on from the newest checkpoint in the folder, if there is one */
    bool              amp;           /* steps in mixed precision, where the processor can (tl_plan_conf.amp); validation in f32 */
    uint64_t          seed;
    size_t            cache_features;/* keep what a frozen trunk makes of the pictures: in memory up to so many bytes, otherwise on disk; 0: do not */
    size_t            max_memory;    /* bytes for the values and gradients of a step; 0: no limit */
    const char       *results;       /* folder; weights/, events/, training.csv, status.json go there */
    const char       *name;          /* of checkpoints: NAME_EEE.onnx */
    const char       *key;
    tl_listener       listener;
    bool              sync_bn;       /* batch norm in training takes its statistics over all processes */
    tl_dist          *dist;          /* NULL: one process. A batch is then loader.batch pictures of each process; process 0 alone writes
                                      * files, and reads them to resume */
} tl_trainer_conf;

typedef struct { int best_epoch; double best_acc, best_loss, last_acc, frozen_acc; const char *best_path; } tl_train_result; /* frozen_acc -1: not measured */

/* TL_EARG when there is a training in the results folder already and it shall not be resumed, or the other way round. tl_train
 * begins with this; whoever writes into the folder before it does, too. */
tl_status tl_train_check(tl_arena *a, const char *results, const char *name, bool resume);

/* Train, validating and writing a checkpoint after each epoch. TL_ESTOPPED after the listener's stop, with a checkpoint made and
 * the message saying how to go on; TL_EDIVERGED when the loss is no longer a number. */
tl_status tl_train(tl_arena *a, const tl_trainer_conf *c, tl_train_result *out);

/* What a step of this training runs, its pictures and targets still empty. TL_ENOMEM: it would need more than max_memory. */
tl_status tl_train_plan(tl_arena *a, const tl_trainer_conf *c, tl_plan **out);
/* A plan of no more than limit bytes (0: no limit), a lean one where that is needed. TL_ENOMEM, saying how many pictures would fit:
 * there is none. */
tl_status tl_budget_plan(const tl_graph *g, tl_arena *a, const tl_plan_conf *c, size_t limit, tl_plan **out);

/* ---- Features, computed once ---- */
/* Run all training and validation pictures through the trunk, so that loaders can take rows (t->rows) in place of pictures: training
 * pictures first, then, where they are flipped, mirrored, then the validation pictures. Does nothing when that is not asked for, or,
 * told to the listener, not possible. */
tl_status tl_features_cache(tl_arena *a, const tl_trainer_conf *c, tl_trunk *t);

/* ---- The head alone, on the frozen trunk ---- */
/* Whether the model's scores come from one layer on top of features that no other untrained layer touches. */
bool tl_head_fits(const tl_model *m);
/* Fit that layer: features of all training pictures once per view, then many cheap steps. Deterministic in seed. The model's
 * parameters of that layer are replaced. choose_crop: both with and without center_crop, and the model keeps the one with the lower
 * loss on the validation pictures. */
tl_status tl_head_fit(tl_model *m, const tl_dataset *train, const tl_dataset *val, const tl_loader_conf *loader, const float *class_weight,
                      uint64_t seed, bool choose_crop, const tl_listener *l);
#endif
