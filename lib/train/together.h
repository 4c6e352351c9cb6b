/* together.h - one training by several processes. SPDX-License-Identifier: MIT
 *
 * Each computes the gradients of its share of a batch; the mean over processes, which is that of the whole batch, is
 * made while earlier layers are still being differentiated. All then take the same step, so all hold the same weights,
 * bit for bit. With a dist of NULL there is one process, and nothing to do. */
#ifndef TL_TOGETHER_H
#define TL_TOGETHER_H
#include "dist.h"
#include "train.h"

/* Numbers of gradients that are worth a message of their own: 1 MB. Larger ones would begin later, smaller ones cost
 * more in latency than they hide. */
#define TL_BUCKET ((size_t)1 << 18)

/* What the processes add up in each step. */
typedef struct {
    double loss, hits, seen, stop;
} tl_tally;

typedef struct {
    tl_dist *dist;
    tl_plan *plan;
    size_t begun; /* numbers of plan->grads whose mean is under way */
    float *stats; /* running statistics that training moves, one after another */
    size_t nstats;
    tl_tally *all; /* by process */
} tl_together;

/* Follow the plan's backward pass. */
tl_status tl_together_new(tl_arena *a, tl_dist *dist, tl_plan *p, tl_together *out);
/* After forward: running statistics become their mean over processes, too. */
tl_status tl_together_begin(tl_together *t);
/* After backward: the plan's gradients are those of the whole batch, *sum is the sum of all tallies. */
tl_status tl_together_finish(tl_together *t, const tl_tally *mine, tl_tally *sum);

/* Process 0's model and what its optimizer keeps (w NULL: not that), for all. */
tl_status tl_share_weights(tl_dist *d, const tl_graph *g, const tl_weights *w);
/* Do all hold the same weights? What processors of different kinds compute may differ in the last bit. */
tl_status tl_same_weights(tl_arena *a, tl_dist *d, const tl_graph *g, bool *same);
/* m counts the pictures of all processes. */
tl_status tl_share_confusion(tl_arena *a, tl_dist *d, tl_confusion *m);
#endif
