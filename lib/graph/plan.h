/* plan.h - what a plan runs; for plan.c, place.c, lanes.c and run.c. SPDX-License-Identifier: MIT */
#ifndef TL_PLAN_H
#define TL_PLAN_H
#include "graph.h"

/* to += from, of the same type, or to = from, of the other type. */
typedef struct { tl_tensor from, to; bool add; } tl_move;
void tl_move_run(const tl_move *m);
/* Before a node runs: an input in the type in which it reads it. */
typedef struct tl_cast { int node; tl_move move; } tl_cast;
/* One node's backward, then what becomes of the gradients which it cannot write where they belong, because they have another
 * type there or there is one already. After it so many floats of the plan's `grads`, from the front, are final. */
typedef struct tl_step {
    int     node, nmove, nremake;
    tl_move move[2 * TL_MAX_IN];
    int     remake[TL_MAX_IN];  /* before it: nodes whose values are made again */
    size_t  grads;
} tl_step;

typedef struct { int from, to; } tl_span; /* of time; from > to: none */
/* A part of the plan's memory, and when it is in use: once, or twice. */
typedef struct { size_t bytes, offset; tl_span in, again; } tl_buffer;
/* Give each buffer (tl_buffer) an offset; *total: bytes in all. */
tl_status tl_buffers_place(tl_arena *tmp, const tl_list *buffers, size_t *total);

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
