/* train.h - optimizers, schedules, metrics, checkpoints, the training loop. SPDX-License-Identifier: MIT */
#ifndef TL_TRAIN_H
#define TL_TRAIN_H
#include "classification.h"
#include "trunk.h"

/* ---- Optimizers: one file each in optim/, one word in TL_OPTIMS, in the order of tl_optimizer_kind ---- */
typedef struct tl_optim {
    const char *name, *brief;
    int         slots;      /* arrays of state, each as large as the weights; at most TL_SLOTS */
    /* One step on n weights; step counts from 0; rate is the schedule's, before `decay`. */
    void (*update)(const tl_optimizer *c, float rate, long step, float *w, const float *g, float *const *slot, size_t n);
} tl_optim;
#define TL_SLOTS 2
#define TL_OPTIMS(X) X(sgd) X(adam) X(rmsprop)
extern const tl_optim *const tl_optims[]; /* NULL-terminated */
/* Keras' time decay of the learning rate. */
static inline float tl_decayed(float rate, float decay, long step) { return rate / (1 + decay * (float)step); }

/* ---- Schedules: likewise, in schedule/, in the order of tl_schedule_kind ---- */
typedef struct tl_scheduler {
    const char *name, *brief;
    double (*rate)(const tl_schedule *c, long step, long total); /* the learning rate of step 0..total-1 */
} tl_scheduler;
#define TL_SCHEDULERS(X) X(step) X(soft_anneal) X(cosine) X(annealing)
extern const tl_scheduler *const tl_schedulers[]; /* NULL-terminated */

/* ---- Metrics of classification: confusion matrix and what follows from it ---- */
typedef struct {
    int     classes, top_k;
    int64_t n, top, *confusion; /* samples, top-k hits, classes x classes: rows true, columns predicted */
    double  loss;               /* sum over samples */
} tl_confusion;
tl_status tl_confusion_init(tl_arena *a, int classes, int top_k, tl_confusion *m);
/* Add n rows of probabilities (n x classes) with their true labels. */
void      tl_confusion_add(tl_confusion *m, const float *p, const int *label, int n);
double    tl_confusion_accuracy(const tl_confusion *m);
/* The class that all samples are taken for, though they are not all of it, as small sets and too high rates bring about; -1: none. */
int       tl_confusion_collapsed(const tl_confusion *m);
/* The original's printed form: loss, top-k accuracy, confusion matrix, per-class precision, recall, f1, support and averages. */
tl_status tl_confusion_report(const tl_confusion *m, tl_arena *a, const tl_list *classes, const char **text);

/* ---- What is trained, and how: one stage of a training ---- */
typedef struct {
    tl_optimizer   optimizer;
    tl_schedule    schedule;
    tl_regularizer regularizer;
    float          clip;          /* gradients are scaled down to this global norm; 0: never */
    float          block_decay;   /* each block trains at this share of the rate of the block after it; 1: all alike */
    bool           fixed_stats;   /* batch norm keeps its running statistics */
    float          average;       /* share of the old kept in the running average of the weights; 0: no averaging */
} tl_recipe;

/* When a training ends before its last epoch: after so many validations in a row that found no lower loss. With `anneals` the rate,
 * of an ANNEALING schedule, rises for `rise` epochs, stays, and falls for the last `fall` ones, which are still to come when patience
 * is lost. steps 0: it goes to its last epoch. */
typedef struct { int steps; bool anneals; int rise, fall; } tl_patience;

/* The recipe of a spec: its optimizer and schedule, or, when it gives neither, one that is robust on small sets. */
void tl_recipe_for(const tl_classification_spec *s, tl_recipe *out);

/* One trained parameter: its values, gradient, and what the optimizer keeps. */
typedef struct {
    float *w, *g, *slot[TL_SLOTS], *mean; /* mean: running average of w, NULL without averaging */
    size_t n;
    float  rate;                          /* factor of the learning rate */
    bool   penalized;
} tl_weight;
typedef struct { tl_weight *at; int n; const tl_recipe *recipe; const tl_optim *optim; } tl_weights;

/* All parameters that the plan gives gradients for, with fresh optimizer state in arena a. */
tl_status tl_weights_new(tl_arena *a, const tl_plan *p, const tl_recipe *r, tl_weights *out);
/* One optimizer step from the gradients of the last backward. Returns the gradients' norm (before clipping). */
double    tl_weights_step(tl_weights *w, float rate, long step);
void      tl_weights_swap(tl_weights *w); /* exchange weights and their averages; twice is nothing */

/* ---- Evaluation ---- */
/* Put a batch's targets into the inputs of a plan that want them: a picture's lie one after another, in the order of the inputs. */
void      tl_targets_fill(const tl_plan *p, const tl_vals *target, const tl_batch *b);
typedef struct { int sample, label; const float *p; } tl_prediction; /* p: probabilities, classes of them */
/* Run plan (not training) over one epoch of l; each: called for every sample, or NULL. trunk: plan is of its rest; NULL: of m's graph. */
tl_status tl_evaluate(tl_plan *plan, const tl_trunk *trunk, const tl_model *m, const tl_dataset *d, tl_loader *l, tl_confusion *out,
                      tl_status (*each)(void *ctx, const tl_prediction *p), void *ctx);

/* ---- Checkpoints: NAME_EEE.onnx, a model like any other, and NAME_EEE.state, what resuming needs besides ----
 * Both are written to a temporary name, synced and renamed, the model first; the state holds the model's checksum and ends
 * with its own, so a pair is whole or not used. States older than the last two are removed, models never by saving. */
#define TL_KEPT 1024
typedef struct {
    int     epoch, batch;        /* complete epochs, batches done in the one under way */
    int     pictures;            /* in a batch, of all processes */
    long    step;                /* optimizer steps so far */
    int     best_epoch;          /* -1: none yet */
    double  best_acc, best_loss, frozen_acc; /* acc: or another score that shall grow; frozen_acc: of the head on the frozen
                                  * trunk, -1: not measured */
    double  loss_sum, seconds;   /* of the epoch under way */
    int64_t hits, seen;
    int     last_epoch, waited;  /* 0: the last one is as planned; validations in vain */
    double  lowest;              /* loss of a validation, with patience; 0: there was none */
    int     nkept;
    double  kept[TL_KEPT];       /* what the task wants to find again */
} tl_train_state;
typedef struct { const char *dir, *name, *key; } tl_checkpoints;
tl_status tl_checkpoint_save(const tl_checkpoints *c, const tl_model *m, const tl_train_state *s, const tl_weights *w);
/* The model of this epoch is no longer wanted. */
tl_status tl_checkpoint_drop(const tl_checkpoints *c, int epoch);
/* Make NAME_best.onnx (or, as "", NAME.onnx) point to the model of this epoch. */
tl_status tl_checkpoint_mark(const tl_checkpoints *c, const char *as, int epoch);
/* The newest whole pair: its model and state. *model NULL: there is none. What was passed over, and why, is added to *notes. */
typedef struct { tl_model *model; tl_train_state state; tl_bytes arrays; const char *path; } tl_checkpoint;
tl_status tl_checkpoint_find(tl_arena *a, const tl_checkpoints *c, tl_checkpoint *out, const char **notes);
/* Put the optimizer's arrays back. TL_EFORMAT when they are of another training. */
tl_status tl_checkpoint_restore(const tl_checkpoint *c, tl_weights *w);
/* The parts of a state file, borrowed from f; model_sum: checksum its model must have. */
tl_status tl_checkpoint_parse(tl_arena *a, tl_bytes f, tl_checkpoint *out, const char **model_sum);
const char *tl_checkpoint_path(tl_arena *a, const tl_checkpoints *c, int epoch, const char *suffix);
#endif
