/* pass.h - whole-graph transformations. SPDX-License-Identifier: MIT
 *
 * Each reads the op table; none names an operation. Each leaves its input untouched and builds a new graph in `a`. */
#ifndef TL_PASS_H
#define TL_PASS_H
#include "graph.h"

/* ---- Pruning ---- */
typedef enum { TL_EQ_UNION, TL_EQ_INTERSECTION, TL_EQ_ARITHMETIC_MEAN, TL_EQ_GEOMETRIC_MEAN } tl_equalization;
typedef struct {
    float threshold;            /* channels whose normalized norm is above it stay */
    bool  l2;                   /* normalize by the layer's L2 norm, not by its largest */
    tl_equalization equalization; /* how the norms of channels that must go together are merged */
    int   granularity, min;     /* keep a multiple of this many; keep at least so many */
    const char *const *exclude; /* names of nodes to leave whole; NULL-terminated or NULL */
    const float *const *importance; /* per node: a value per channel that takes the place of the kernels' norms, NULL: none; NULL: norms */
    /* With importance and a target, a set of channels scores by its worth over its price: l2 and equalization are not asked, and the
     * threshold that comes out is of that score, none to be given. */
    double macs, params;        /* > 0: instead of a given threshold, find the smallest one that leaves at most this share */
} tl_prune_opts;
typedef struct { int n, *at; } tl_kept; /* which output channels of a node survive, in order */
typedef struct { float threshold; tl_kept *kept; } tl_prune_result; /* kept: per node of the old graph */
tl_status tl_prune(const tl_graph *g, tl_arena *a, const tl_prune_opts *o, tl_graph **out, tl_prune_result *r);

/* How much each channel moves what reads it, on n pictures: deviation of the channel times the norm of the weights that read it. For
 * tl_prune_opts.importance. */
tl_status tl_importance(const tl_graph *g, tl_arena *a, int input, const float *x, int n, const float *const **out);
/* Change the weights of the pruned graph s (its arena) so that its layers give what those of g give on these n pictures, as far as they
 * can: x is n times node `input`. changed: how many layers. */
tl_status tl_adapt(const tl_graph *g, const tl_prune_result *r, tl_graph *s, int input, const float *x, int n, int *changed);

/* ---- Folding ---- Move every per-channel scale into the weights before it where that changes no result outside training. */
tl_status tl_fold(const tl_graph *g, tl_arena *a, tl_graph **out);

/* ---- ONNX ---- */
/* Nodes and parameters up to the graph's output, opset 13. batch 0: dynamic. half: weights stored as float16 with a Cast each.
 * Parameters are borrowed from g. */
tl_status tl_graph_to_onnx(const tl_graph *g, tl_arena *a, int batch, bool half, tl_onnx **out);
/* A graph from a file of any producer as far as its operators are known; TL_EUNSUP names the nodes that are not. */
tl_status tl_graph_from_onnx(const tl_onnx *m, tl_arena *a, tl_graph **out);
#define TL_OPSET 13
#endif
