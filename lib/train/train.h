/* train.h - optimizers, schedules, metrics, checkpoints, the training loop. SPDX-License-Identifier: MIT */
#ifndef TL_TRAIN_H
#define TL_TRAIN_H
#include "net.h"

/* ---- Optimizers: one file each in optim/, one word in TL_OPTIMS ---- */
typedef struct { float momentum, beta1, beta2, rho, eps, decay, weight_decay; bool nesterov; } tl_optim_conf;
typedef struct tl_optim {
    const char *name, *brief;
    int         slots;      /* arrays of state, each as large as the weights */
    /* One step on n weights; step counts from 0; lr is the schedule's, before `decay`. */
    void (*update)(const tl_optim_conf *c, float lr, long step, float *w, const float *g, float *const *slot, size_t n);
} tl_optim;
#define TL_OPTIMS(X) X(sgd) X(adam) X(rmsprop)
extern const tl_optim *const tl_optims[]; /* NULL-terminated */
const tl_optim *tl_optim_find(const char *name);
/* Keras' time decay of the learning rate: lr / (1 + decay * step). */
static inline float tl_decayed(float lr, float decay, long step) { return lr / (1 + decay * (float)step); }

/* ---- Schedules: the learning rate by progress, 0 at the first step, 1 after the last ---- */
typedef struct {
    float rate;             /* the base learning rate */
    float soft_start;       /* share of the training spent warming up */
    float divider;          /* soft_anneal: divide by this after each point */
    float point[16]; int points;
    float step_size, gamma; /* step: percent of the training, factor */
    float min_ratio;        /* cosine: smallest rate as a share of the base */
} tl_schedule_conf;
typedef struct tl_schedule {
    const char *name, *brief;
    double (*rate)(const tl_schedule_conf *c, long step, long total);
} tl_schedule;
#define TL_SCHEDULES(X) X(constant) X(step) X(soft_anneal) X(cosine)
extern const tl_schedule *const tl_schedules[]; /* NULL-terminated */
const tl_schedule *tl_schedule_find(const char *name);

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
/* The original's printed form: loss, top-k accuracy, confusion matrix, per-class precision, recall, f1, support and averages. */
tl_status tl_confusion_report(const tl_confusion *m, tl_arena *a, const tl_list *classes, const char **text);
#endif
