/* trunk.h - the part of a network that a training does not change, run as in inference.
 * SPDX-License-Identifier: MIT */
#ifndef TL_TRUNK_H
#define TL_TRUNK_H
#include "net.h"

/* A network up to one of its values, folded: from pictures (in) to features (out). */
typedef struct { const tl_graph *g; tl_plan *plan; tl_val in, out; } tl_front;
/* The present weights count, also where they are trained later. */
tl_status tl_front_new(tl_arena *a, const tl_model *m, tl_val cut, int batch, tl_front *out);
/* Features of a batch of pictures x, valid until the next call. */
tl_status tl_front_run(const tl_front *f, const float *x, const float **features);

/* Does any layer but the one of the scores train? */
bool tl_trains_more(const tl_model *m);

/* A model's graph, in two: what comes before the first node whose value for a picture can change in the training, and the
 * rest. */
typedef struct tl_trunk {
    tl_front front;  /* plan NULL: nothing worth it is frozen */
    tl_graph rest;   /* m's graph with the same numbers of nodes and the same parameters, in which `cut` is an input */
    tl_val   cut;    /* what the front hands over, or the picture */
    tl_rows *rows;   /* what it makes of all pictures, when that is known already */
} tl_trunk;
/* m's graph may have its loss already. whole: leave it in one piece. */
tl_status tl_trunk_new(tl_arena *a, const tl_model *m, int batch, bool whole, tl_trunk *out);
/* Give a plan of the rest what it needs of these pictures, or of the rows in their place. */
tl_status tl_trunk_feed(const tl_trunk *t, const float *x, tl_plan *rest);
#endif
