/* op.h - what an operation is. SPDX-License-Identifier: MIT
 *
 * One file per operation, one row in ops.h. The file holds all that is known about the operation: parameters,
 * shape, forward, backward, how channels flow, its int8 rule and ONNX both ways. Passes and plans read the
 * table; none names an operation.
 *
 * The contract, in the order things happen to a node:
 *   shape     requires: attributes with defaults in, inputs' shapes for a batch of one or more
 *             ensures:  output shape and parameter dims, or an error; the only place that validates
 *   kernel    once per plan, shapes known: the first row of `kernels` that fits, else setup, forward and backward below
 *   setup     no data yet: make io->state in io->arena, say io->scratch_bytes
 *   forward   reads x, p[].w; writes y whole; applies io->act when the op says takes_act, after adding what y holds
 *             beforehand when it says takes_sum and io->add is set
 *   backward  reads dy and what `saves` promised (x, y); WRITES dx[k] where dx[k].p is set and p[k].g where set;
 *             never adds: summing over several consumers is the runner's business
 *   remake    between forward and backward of a step, whole x there: writes y again, the same bits
 *   flow, resize: pruning; see tl_flow */
#ifndef TL_OP_H
#define TL_OP_H
#include "dist.h"
#include "dnn.h"
#include "kernel.h"
#include "onnx.h"
#define TL_MAX_IN    8
#define TL_MAX_PARAM 4

typedef struct { int d[4]; } tl_dims; /* row-major parameter dimensions; a parameter that is left out has d[0] = 0 */
static inline size_t tl_dims_count(tl_dims d)
{
    return (size_t)d.d[0] * (size_t)d.d[1] * (size_t)d.d[2] * (size_t)d.d[3];
}

/* Parameter axes are spelled one letter each: O follows the output channels, I the input channels, anything else is
 * private to the operation. Initialisation, pruning and per-channel int8 scales read these letters. */
typedef struct {
    const char *name, *axes;
    float       init;   /* of parameters without an I axis; matrices are drawn (Glorot uniform) */
    bool        stat;   /* a running statistic: saved, never trained */
} tl_param_def;
typedef struct {
    tl_dims dims;
    float  *w, *g;      /* g NULL: not trained (frozen, a statistic, or the plan does not train) */
    bool    frozen;
} tl_param;

/* How channels travel from inputs to output. Pruning needs nothing else. */
typedef enum {
    TL_FLOW_SAME,  /* output channel i is input channel i of every input (relu, bn, pool, add, depthwise) */
    TL_FLOW_NEW,   /* output channels are made here and may be removed (conv, dense) */
    TL_FLOW_CAT,   /* inputs one after another */
    TL_FLOW_SPREAD,/* one input channel becomes H*W consecutive output channels (flatten) */
    TL_FLOW_FIXED  /* nobody may touch them (inputs, losses, reshapes) */
} tl_flow;

typedef enum { TL_INT8_NONE, TL_INT8_SAME_SCALE, TL_INT8_COMPUTES } tl_int8;
enum { TL_SAVES_X = 1, TL_SAVES_Y = 2 };          /* what backward reads besides dy and parameters */
enum { TL_ACT_INFER = 1, TL_ACT_TRAIN = 2 };      /* when an op honours io->act */
/* Which of an op's values are bf16 in mixed precision; a vector is one pixel. */
typedef enum {
    TL_AMP_NONE,   /* none: all are f32 */
    TL_AMP_ALL,    /* all, if any of them is more than a vector */
    TL_AMP_MAPS    /* those that are more than a vector */
} tl_amp;

/* A batch norm in training and the convolutions around it, which do part of its work (kernel.h): which part, the plan says,
 * and sets io->link_in of its reader, io->link_out of its maker, and its own io->link. */
typedef struct {
    bool summed;                /* the convolution before it makes `sums` in forward */
    bool through;               /* the one after it reads z through `read`; backward it gates its dx and makes grad_sums */
    bool undone;                /* the one before it reads the gradient through `undo` */
    tl_sums    sums, grad_sums; /* parts and memory are given by whoever makes them, `near` by the batch norm */
    tl_bn_read read;            /* set by the batch norm's forward */
    tl_bn_undo undo;            /* and by its backward */
} tl_link;
/* What a kernel can do: for batch norms; compute on bf16. */
enum { TL_CAN_SUM = 1, TL_CAN_READ_THROUGH = 2, TL_CAN_UNDO = 4, TL_CAN_BF16 = 8 };

struct tl_io;
/* One way to compute an operation. Which one is best may depend on the shapes, on whether a plan trains, and on which
 * gradients it wants: `fits` knows, and the plan asks when it is made. */
typedef struct tl_op_kernel {
    const char *name;                                 /* for logs and tests */
    bool      (*fits)(const struct tl_io *io);
    tl_status (*setup)(struct tl_io *io);             /* optional */
    tl_status (*forward)(struct tl_io *io);
    tl_status (*backward)(struct tl_io *io);          /* optional: no gradient passes */
    unsigned    can;                                  /* TL_CAN_* */
} tl_op_kernel;

/* Everything an operation sees while it runs. */
typedef struct tl_io {
    const void *attr;
    const tl_kernels *k;            /* our kernels, those for the type that this node's maps have */
    int         nx;
    tl_tensor   x[TL_MAX_IN], y;    /* of types as the op's `amp` says */
    tl_tensor   dx[TL_MAX_IN], dy;  /* dx[i].p NULL: nobody needs it */
    tl_param   *p;
    bool        add;                /* absorbed sum: y holds the other summand beforehand */
    tl_act      act;                /* absorbed activation, TL_NO_ACT when none */
    bool        train;              /* forward of a training step: batch statistics, dropout */
    bool        fixed_stats;        /* use running statistics although training */
    bool        want_dx[TL_MAX_IN], want_dw; /* known at setup: which gradients will be asked for */
    tl_dist    *dist;               /* batch statistics are those of all these processes; NULL: of this one */
    bool        constant;           /* weights stay as they are for the life of the plan */
    bool        exact;              /* no kernel that trades accuracy for speed */
    tl_link    *link_in, *link_out; /* of the batch norm before x[0] and after y, where we work for it; else NULL */
    tl_link    *link;               /* of this batch norm, where others work for it */
    uint64_t    seed;               /* of this node in this step; for dropout */
    tl_op_kernel kernel;            /* the chosen one */
    void       *state;              /* set by setup, lives as long as the plan */
    tl_arena   *arena;              /* of the plan */
    size_t      scratch_bytes;      /* set by setup: bytes of scratch each call needs */
    void       *scratch;
} tl_io;

/* What a convolution's kernel is asked to do for the batch norms beside it; NULL: nothing. */
static inline const tl_bn_read *tl_link_read(const tl_io *io) { return io->link_in ? &io->link_in->read : NULL; }
static inline const tl_sums *tl_link_sums_in(const tl_io *io) { return io->link_in ? &io->link_in->grad_sums : NULL; }
static inline const tl_sums *tl_link_sums_out(const tl_io *io)
{
    return io->link_out && io->link_out->summed ? &io->link_out->sums : NULL;
}
static inline const tl_bn_undo *tl_link_undo(const tl_io *io)
{
    return io->link_out && io->link_out->undone ? &io->link_out->undo : NULL;
}
/* In setup: memory for the sums that this kernel will make, `out` parts in forward, `in` parts in backward. */
tl_status tl_link_sums(tl_io *io, int out, int in);

/* One ONNX node being read: in[k] is the constant that feeds input k, NULL when a computed value does; xs is the shape of the first
 * of those. */
typedef struct {
    const tl_onnx        *model;
    const tl_onnx_node   *node;
    const tl_onnx_tensor *in[TL_MAX_IN];
    tl_shape              xs;
    tl_arena             *arena;
} tl_onnx_view;
/* One node being written: names of inputs, output and parameters (already initializers of the model; NULL: left
 * out). */
typedef struct { const char *name, *x[TL_MAX_IN], *y, *p[TL_MAX_PARAM]; tl_shape xs, ys; } tl_onnx_names;

typedef struct tl_op {
    const char     *name, *brief;
    int             min_in, max_in;
    tl_param_def    param[TL_MAX_PARAM];
    const tl_field *field;
    size_t          attr_size;
    tl_status     (*shape)(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p);
    tl_status     (*setup)(tl_io *io);                /* optional; this and the next two are the kernel for all cases */
    tl_status     (*forward)(tl_io *io);
    tl_status     (*backward)(tl_io *io);             /* optional: no gradient passes */
    tl_status     (*remake)(tl_io *io);               /* optional: y is not cheaply made again */
    const tl_op_kernel *const *kernels;               /* for special cases, best first, ended by NULL */
    double        (*macs)(const void *attr, tl_shape x, tl_shape y); /* multiply-accumulates; optional: few */
    unsigned        saves;
    unsigned        takes_act;                        /* TL_ACT_*: forward (and backward) honour io->act */
    bool            y_in_x;                           /* forward may be given x[0] and y in the same memory */
    bool            dx_in_dy;                         /* backward may be given dx[0] and dy in the same memory */
    bool            passes_when_inferring;            /* y = x outside training (dropout): the plan removes it */
    tl_act        (*is_act)(const void *attr);        /* this op is nothing but that activation */
    bool            is_sum;                           /* this op is nothing but x[0] + x[1] */
    bool            takes_sum;                        /* outside training forward honors io->add */
    bool            is_norm;                          /* a batch norm in training, which honors io->link */
    bool            is_product;                       /* this op is nothing but x[0] * x[1] */
    const struct tl_op *self_gate;                    /* this op is x[0] times that op of x[0]: ONNX has two nodes for it */
    /* Outside training this op is nothing but y = x*a + b per channel: give a and b (c values each). */
    void          (*is_scale)(const void *attr, const tl_param *p, int c, float *a, float *b);
    /* A scale of the output can be moved into the weights, whose first axis is O, and the bias, parameter 1: make attr
     * have a bias. */
    void          (*take_scale)(void *attr);
    tl_flow       (*flow)(const void *attr, const tl_shape *x);
    void          (*resize)(void *attr, int out);     /* pruning left this many output channels */
    tl_amp          amp;
    tl_int8         int8;
    const char   *(*keras)(const void *attr);         /* the layer type of the original (reg_config.scope); optional */
    const char     *onnx[6];                          /* ONNX operators it reads; the first is the usual one written */
    tl_status     (*onnx_out)(const void *attr, const tl_onnx_names *n, tl_onnx *m);
    /* Fill attr and the parameters p[] (NULL: left out) from v. TL_EUNSUP: not this op's pattern, try the next. */
    tl_status     (*onnx_in)(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM]);
} tl_op;

tl_flow   tl_flow_same(const void *attr, const tl_shape *x);
tl_flow   tl_flow_new(const void *attr, const tl_shape *x);
tl_flow   tl_flow_fixed(const void *attr, const tl_shape *x);
tl_flow   tl_flow_cat(const void *attr, const tl_shape *x);
tl_status tl_shape_same(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p);
/* Write one node `op` with the names' inputs, then parameters, then output; *out may be NULL. */
tl_status tl_onnx_simple(const char *op, const tl_onnx_names *n, tl_onnx *m, tl_onnx_node **out);
/* Padding from the attributes pads or auto_pad of a window of `span` pixels: `pad` at each border, `extra` more at the right and bottom.
 * TL_EUNSUP where height and width differ, or more lies before than after. */
tl_status tl_onnx_pads(const tl_onnx_view *v, int span, int stride, int *pad, int *extra);
/* n floats as a constant, for parameters that the file has in another form. */
tl_status tl_onnx_constant(tl_arena *a, const float *f, size_t n, const tl_onnx_tensor **out);
#endif
