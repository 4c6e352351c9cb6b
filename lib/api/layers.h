/* layers.h - a network, layer by layer: kernels, memory, time. SPDX-License-Identifier: MIT */
#ifndef TL_LAYERS_H
#define TL_LAYERS_H
#include "graph.h"

typedef struct { double ms, macs; } tl_layers_sum; /* of a run: milliseconds, multiply-accumulates of the whole batch */

/* Run p `runs` times after one that does not count (forward, and backward when it trains), on whatever its inputs hold, and say of each
 * layer what computes it, its size, arithmetic, memory and mean time. Trained parameters stay as they are; running
 * statistics move. */
tl_status tl_layers_measure(tl_arena *a, tl_plan *p, int runs, tl_layers_sum *sum, const char **text);
#endif
