/* ops.h - every operation: its name and its parameters. SPDX-License-Identifier: MIT
 *
 * A new operation is one row here and one file beside this one. In attributes zero always means
 * the default, so a builder writes only what is special. */
#ifndef TL_OPS_H
#define TL_OPS_H
#include "op.h"
#define TL_OPS(X)                                                        \
    X(input, int c, h, w;)                                               \
    X(conv2d, int out, k, stride, pad, extra, dilation, groups; bool nobias;) \
    X(bn, float eps, momentum;)                                          \
    X(relu, float slope, max;)                                           \
    X(swish, int none;)                                                  \
    X(sigmoid, int none;)                                                \
    X(add, int none;)                                                    \
    X(mul, int none;)                                                    \
    X(concat, int none;)                                                 \
    X(maxpool, int k, stride, pad, extra;)                               \
    X(avgpool, int k, stride, pad;)                                      \
    X(gap, bool map;)                                                    \
    X(upsample, int by;)                                                 \
    X(flatten, int none;)                                                \
    X(dropout, float rate; bool whole;)                                  \
    X(dense, int out;)                                                   \
    X(softmax, int none;)                                                \
    X(softmax_ce, int none;)                                             \
    X(mse, float weight;)                                                \
    X(sigmoid_bce, int none;)                                            \
    X(l1, int none;)                                                     \
    X(weighted_sum, int none;)

#define TL_OP_DECL(name, ...)                \
    typedef struct { __VA_ARGS__ } tl_##name; \
    extern const tl_op tl_op_##name;
TL_OPS(TL_OP_DECL)
#undef TL_OP_DECL

extern const tl_op *const tl_ops[]; /* NULL-terminated */
const tl_op *tl_op_find(const char *name);
#endif
