/* plan.h - what a plan runs; for plan.c, lanes.c and run.c. SPDX-License-Identifier: MIT */
#ifndef TL_PLAN_H
#define TL_PLAN_H
#include "graph.h"

typedef struct tl_sum { const tl_map *from; tl_map *to; size_t n; } tl_sum; /* to += from */
/* One node's backward, then the gradients that go to values which already have one. After it so many floats of the
 * plan's `grads`, from the front, are final. */
typedef struct tl_step { int node, nadd; tl_sum add[TL_MAX_IN]; size_t grads; } tl_step;

/* The front of a network that infers: a plan for one picture per thread. What remains is a plan for the whole batch. */
typedef struct tl_lanes {
    tl_graph     front, rest;   /* in the rest, what the front hands over are inputs */
    tl_plan_conf conf;          /* of the rest's plan */
    tl_val      *in, *out;      /* what the front is given and what it hands over */
    int          nin, nout, n;
    tl_plan    **lane;          /* n; 0: there is no front, and no rest */
} tl_lanes;

/* Decide whether a plan (g, c) gets a front, and prepare it for the present number of threads. */
tl_status tl_lanes_new(const tl_graph *g, tl_arena *a, const tl_plan_conf *c, tl_lanes **out);
/* Run the front for all pictures: from p's inputs to the values that it hands over to p. */
tl_status tl_lanes_forward(tl_lanes *l, tl_plan *p);
#endif
