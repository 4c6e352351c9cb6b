/* detections.h - running a detector over pictures, and what its training aims at. SPDX-License-Identifier: MIT */
#ifndef TL_DETECTIONS_H
#define TL_DETECTIONS_H
#include "detection_metric.h"
#include "scenes.h"
#include "trunk.h"

/* One pass over the pictures of a loader. */
typedef struct {
    tl_plan           *plan;       /* not training; batches as large as the loader's */
    const tl_trunk    *trunk;      /* NULL: the plan is of the whole model */
    const tl_model    *model;
    const tl_dataset  *d;          /* scenes */
    tl_loader         *load;
    const tl_clustering *clustering; /* of each class */
    tl_vals            target;     /* with the loss, kept by the plan: costs are wanted; n 0: they are not */
    tl_val             loss;
    /* Called for each picture with the objects found in it, in pixels of the network's input; NULL: not. */
    tl_status        (*each)(void *ctx, int sample, const tl_detection *found, int n);
    void              *ctx;
    const tl_listener *listener;   /* progress and stopping; NULL: neither */
} tl_detect_pass;
typedef struct {
    tl_list truth, found;          /* tl_truth, tl_detection; in pixels of the network's input */
    double  cost;                  /* sum over pictures */
    int     pictures;
    double  seconds;               /* of the network and what follows it, by picture in the median of batches */
} tl_detect_sums;
/* Lists live in a. */
tl_status tl_detect_run(tl_arena *a, const tl_detect_pass *p, tl_detect_sums *out);
/* The objects of picture i, seen without random changes, added to the tl_truth list under the number `picture`; the list lives in a, tmp
 * is for what is soon forgotten. */
tl_status tl_scene_truths(tl_arena *a, tl_arena *tmp, const tl_scenes *s, int i, int picture, tl_list *to);

/* ---- Training ---- */
typedef struct tl_detect_goal {
    int                  classes;
    const tl_clustering *clustering;     /* by class, for validation */
    tl_detectnet_metric  metric;
    const char *const   *names;
    /* The loss is the sum over classes of class_weight * (w_cov * cost_cov + w_bbox * cost_bbox); the w of a class add up to 1. */
    const float         *class_weight;   /* add up to 1 */
    const float         *initial, *goal; /* w in the beginning, and relative sizes that the costs' shares shall have: of coverage by
                                            class, then of the sides by class */
    bool                 autoweight;     /* after each epoch w is set so that the shares of the costs become those */
    float                least, most;    /* of w, then */
} tl_detect_goal;
/* Autoweighting, of class k: what the costs sum up to over an epoch becomes w. sum, w: of coverage by class, then of the sides. */
void tl_detect_weigh(const tl_detect_goal *q, int k, const double *sum, float *w);

/* Append the loss, with the weights of the costs that training begins with. */
tl_status tl_detect_loss(const tl_model *m, const tl_detect_goal *q, tl_vals *target, tl_val *loss);

/* What evaluating prints, in the original's form. cost NaN: left out. */
tl_status tl_detectnet_table(tl_arena *a, const char *const *names, const double *ap, int n, double mean, double cost, const char **text);
#endif
