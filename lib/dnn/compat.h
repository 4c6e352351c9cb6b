/* compat.h - what differs between the C APIs of oneDNN 2 and 3. SPDX-License-Identifier: MIT
 *
 * Version 2 describes a computation in an operation descriptor and memory in an open struct;
 * version 3 makes primitive descriptors directly and memory descriptors are opaque handles. Both
 * pass memory descriptors by pointer, so with tl_md for the pointer's type all other calls read the
 * same. Private to dnn/. */
#ifndef TL_DNN_COMPAT_H
#define TL_DNN_COMPAT_H
#include "tensor.h"
#include <dnnl.h>

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t tl_md;
#else
typedef const dnnl_memory_desc_t *tl_md;
#endif

/* The three computations of a convolution. */
typedef enum { TL_FORWARD, TL_BACKWARD_DATA, TL_BACKWARD_WEIGHTS, TL_PASSES } tl_conv_pass;

/* What a convolution's primitive descriptor is made from; dw: the weights' gradient, which has a type of its own; b NULL: no
 * bias. */
typedef struct {
    bool        train;
    tl_md       x, w, dw, b, y;
    dnnl_dims_t stride, dilation, before, after; /* dilation 0: dense; zeros before and after each axis */
} tl_conv_desc;

/* A memory descriptor, of TL_F32 or TL_BF16, that lives as long as the arena. */
tl_status tl_md_new(tl_arena *a, int rank, const dnnl_dims_t dims, tl_dtype type, dnnl_format_tag_t tag, tl_md *out);
/* hint: the forward descriptor, for the backward passes. */
dnnl_status_t tl_conv_pd(dnnl_primitive_desc_t *pd, tl_conv_pass pass, const tl_conv_desc *c, dnnl_engine_t e,
                         dnnl_primitive_attr_t attr, dnnl_primitive_desc_t hint);
/* Post-operations: add what the destination holds; then an elementwise function. */
dnnl_status_t tl_post_sum(dnnl_post_ops_t ops);
dnnl_status_t tl_post_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t alg, float alpha, float beta);
#endif
