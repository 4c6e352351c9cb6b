/* plan.h - what a plan runs; for plan.c and run.c. SPDX-License-Identifier: MIT */
#ifndef TL_PLAN_H
#define TL_PLAN_H
#include "graph.h"

typedef struct tl_sum { const float *from; float *to; size_t n; } tl_sum; /* to += from */
/* One node's backward, then the gradients that go to values which already have one. */
typedef struct tl_step { int node, nadd; tl_sum add[TL_MAX_IN]; } tl_step;

/* Nodes that run, one after the other, for a slice of the batch, then for the next slice. A view is the present slice's
 * part, so many bytes, of a value that exists for all pictures. */
typedef struct tl_view { tl_tensor *part; char *all; size_t bytes; } tl_view;
typedef struct tl_stage { int end, slices, nview; tl_view *view; } tl_stage; /* end: in forward, where the next begins */
#endif
