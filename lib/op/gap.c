/* gap - global average pooling: the mean of each channel, a vector. SPDX-License-Identifier: MIT */
#include "ops.h"

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    (void)attr; (void)nx; (void)p;
    *y = (tl_shape){ x->n, x->c, 1, 1 };
    return TL_OK;
}

static tl_status forward(tl_io *io) { tl_kernel()->gap(io->x[0].f, io->x[0].s, io->y.f); return TL_OK; }

static tl_status backward(tl_io *io)
{
    if (io->dx[0].p) tl_kernel()->gap_grad(io->dy.f, io->x[0].s, io->dx[0].f);
    return TL_OK;
}

/* ReduceMean rather than GlobalAveragePool: its output is N x C, which Gemm and Softmax take as it is. */
static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    tl_onnx_node *node;
    (void)attr;
    TL_TRY(tl_onnx_simple("ReduceMean", n, m, &node));
    TL_TRY(tl_onnx_set_ints(m, node, "axes", 2, (int64_t[]){ 2, 3 }));
    return tl_onnx_set_int(m, node, "keepdims", 0);
}

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    const tl_onnx_attr *axes = tl_onnx_attr_find(v->node, "axes");
    (void)attr; (void)p;
    if (v->node->op[0] == 'R')
        TL_CHECK(axes && axes->n == 2 && ((axes->ints[0] == 2 && axes->ints[1] == 3) || (axes->ints[0] == -2 && axes->ints[1] == -1)),
                 TL_EUNSUP, "ReduceMean is supported over height and width (axes 2, 3) only");
    return TL_OK;
}

const tl_op tl_op_gap = {
    .name = "gap", .brief = "global average pooling", .min_in = 1, .max_in = 1, .attr_size = sizeof(tl_gap),
    .shape = shape, .forward = forward, .backward = backward, .flow = tl_flow_same, .int8 = TL_INT8_SAME_SCALE,
    .onnx = { "ReduceMean", "GlobalAveragePool" }, .onnx_out = onnx_out, .onnx_in = onnx_in,
};
