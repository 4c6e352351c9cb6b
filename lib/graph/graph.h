/* graph.h - a network: operations in the order they run. SPDX-License-Identifier: MIT
 *
 * A value is the index of the node that makes it. The builder keeps a sticky error, so architecture code needs no
 * checks: after the first failure later calls do nothing and return value 0; whoever finishes the graph looks at status. */
#ifndef TL_GRAPH_H
#define TL_GRAPH_H
#include "ops.h"
#include "rng.h"

typedef struct { int i; } tl_val;

/* A few of them. */
#define TL_MAX_VALS 4
typedef struct { int n; tl_val at[TL_MAX_VALS]; } tl_vals;

typedef struct tl_node {
    const tl_op *op;
    const char  *name;          /* unique: checkpoint key, ONNX name, in error messages */
    void        *attr;
    int          nx, x[TL_MAX_IN];
    tl_shape     s;             /* for a batch of one */
    tl_param     p[TL_MAX_PARAM];
    int          block;         /* which block of its backbone (freeze_blocks); -1: none */
    bool         fixed_stats;   /* batch norm keeps its running statistics when training */
    const int   *kept;          /* after pruning: which channels of the whole network are left, s.c, rising; NULL: all */
} tl_node;

typedef struct tl_graph {
    tl_arena *arena;
    tl_node  *node;
    int       n, cap;
    tl_status status;           /* the first thing that went wrong */
    int       block;            /* given to nodes as they are added */
    int       output;           /* the node whose value the model gives; -1: the last one */
    tl_vals   more;             /* and those whose values it gives besides */
} tl_graph;

tl_graph *tl_graph_new(tl_arena *a);
/* Add a node. attr is copied (attr_size bytes), zeros become defaults. */
tl_val    tl_put(tl_graph *g, const char *name, const tl_op *op, const tl_val *x, int nx, const void *attr);
const char *tl_name(tl_graph *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Allocate the parameters that have no values yet and draw them: matrices Glorot uniform (as the original), the rest
 * their table value. What a node gets depends on (seed, its name) only. */
tl_status tl_graph_init(tl_graph *g, uint64_t seed);
int       tl_graph_find(const tl_graph *g, const char *name);       /* -1: no such node */
size_t    tl_graph_params(const tl_graph *g);                       /* count, running statistics included */
double    tl_graph_macs(const tl_graph *g);                         /* multiply-accumulates for one picture, up to the last output */
int       tl_graph_output(const tl_graph *g);
int       tl_graph_output_at(const tl_graph *g, int k);             /* the k-th of all outputs, from 0; -1: there are fewer */
/* This and nothing else. */
void      tl_graph_give(tl_graph *g, tl_val output);
/* Note which channels of the whole network are left in node i (tl_node.kept); they are copied. NULL: all. */
tl_status tl_node_keep(tl_graph *g, int i, const int *kept);
/* From now on node i is an input of the shape it had (attributes in a): what it was computed from may stay behind. */
tl_status tl_node_cut(tl_graph *g, tl_arena *a, int i);
/* A deep copy into a: nodes keep their numbers, parameters their values. */
tl_status tl_graph_copy(const tl_graph *g, tl_arena *a, tl_graph **out);
tl_status tl_graph_dump(const tl_graph *g, tl_arena *a, const char **text); /* one line a node */
static inline int tl_channels(const tl_graph *g, tl_val x) { return g->status ? 1 : g->node[x.i].s.c; }

#define IN(...)                  (const tl_val[]){ __VA_ARGS__ }, (int)(sizeof((tl_val[]){ __VA_ARGS__ }) / sizeof(tl_val))
#define NO_INPUT                 NULL, 0
#define OP(g, name, op, in, ...) tl_put(g, name, &tl_op_##op, in, &(tl_##op){ __VA_ARGS__ })

/* For loops over all parameters there are: `i` node, `k` parameter, those left out are skipped. */
#define TL_EACH_PARAM(g, i, k)                                                                              \
    for (int i = 0; i < (g)->n; i++)                                                                        \
        for (int k = 0; k < TL_MAX_PARAM && (g)->node[i].op->param[k].name; k++)                            \
            if (tl_dims_count((g)->node[i].p[k].dims))

/* ---- Plans ------------------------------------------------------------------------------------
 * A plan binds a graph to a batch size and memory. Lifetimes of all values and gradients are known before the first step,
 * so they share one block; running allocates nothing. Weights are shared with the graph: a plan made with
 * `constant` must not outlive a change of them. */
typedef struct {
    int  batch;
    bool train;                 /* prepare backward from `loss` */
    bool constant;              /* weights will not change while the plan lives */
    bool exact;                 /* no kernels that trade accuracy for speed: convolutions add up products one by one */
    tl_dist *dist;              /* with train: batch norm takes its statistics over all these processes; NULL: of this one */
    tl_val loss;                /* with train: the scalar to differentiate */
    const tl_val *keep;         /* values to be read after forward, besides the graph's output and loss */
    int  nkeep;
    bool amp;                   /* mixed precision: maps and their gradients are bf16, where the processor has instructions for
                                 * it (f32 where not). What is read afterwards may be, too: see tl_tensor.t */
    bool lean;                  /* with train: maps that an op can cheaply make again (tl_op.remake) are not kept from forward to
                                 * backward: less memory, a few more passes over it */
    bool input_grads;           /* gradients of inputs too (tests) */
    bool unlinked;              /* batch norms do all their work themselves: what linked ones are compared with (tests) */
    size_t cache;               /* without train: where the batch's maps outgrow so many bytes, pictures are computed one by
                                 * one, each by one thread; 0: 8 MB */
} tl_plan_conf;

typedef struct tl_plan {
    const tl_graph *g;
    tl_plan_conf    conf;
    tl_arena       *arena;
    tl_io          *io;         /* one per node */
    int            *forward;    /* the nodes that run, in order */
    struct tl_step *backward;
    struct tl_cast *cast;       /* inputs that are converted, in the order in which nodes run */
    struct tl_lanes *lanes;     /* what computes the front of the network, if that is split off */
    int             nforward, nbackward, ncast;
    size_t          bytes;      /* of the shared block: values, gradients, scratch */
    float          *grads;      /* of all parameters, in the order in which backward finishes them: io[i].p[k].g lie in it */
    size_t          ngrads;     /* floats in it */
    tl_status     (*after)(void *ctx, size_t ready); /* called after each step of backward, when not NULL: the first
                                 * `ready` floats of grads are final */
    void           *after_ctx;
    uint64_t        seed;       /* of the current step, for dropout */
    double         *seconds;    /* per node, forward then backward (2n), when not NULL: where time goes */
} tl_plan;

tl_status tl_plan_new(const tl_graph *g, tl_arena *a, const tl_plan_conf *c, tl_plan **out);
tl_tensor tl_plan_value(const tl_plan *p, tl_val v);          /* an input to fill, or a kept value to read */
const tl_io *tl_plan_io(const tl_plan *p, int i);             /* what computes node i, for one picture or for all */
tl_status tl_plan_forward(tl_plan *p);
tl_status tl_plan_backward(tl_plan *p);                       /* d loss / d each trained parameter, in io[i].p[k].g */
tl_status tl_plan_profile(tl_plan *p);                        /* start counting seconds */
#endif
