/* plan.h - what a plan runs; for plan.c and run.c. SPDX-License-Identifier: MIT */
#ifndef TL_PLAN_H
#define TL_PLAN_H
#include "graph.h"

typedef struct tl_sum { const float *from; float *to; size_t n; } tl_sum; /* to += from */
/* One node's backward, then the gradients that go to values which already have one. */
typedef struct tl_step { int node, nadd; tl_sum add[TL_MAX_IN]; } tl_step;
#endif
