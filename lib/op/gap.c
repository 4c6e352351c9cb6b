/* gap - global average pooling: the mean of each channel. SPDX-License-Identifier: MIT
 *
 * Here vectors are 1x1 maps. ONNX tells the two apart: what goes into Gemm and Softmax is N x C, what goes into Conv,
 * or is multiplied with a map, is N x C x 1 x 1. */
#include "ops.h"
#include <string.h>

static const tl_field fields[] = {
    TL_F(tl_gap, map, TL_BOOL, 0, 0, 1, "convolutions follow: write a 1x1 map to ONNX, not a vector"),
    TL_F_END,
};

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    (void)attr; (void)nx; (void)p;
    *y = (tl_shape){ x->n, x->c, 1, 1 };
    return TL_OK;
}

static tl_status forward(tl_io *io) { io->k->gap(io->x[0].m, io->x[0].s, io->y.f); return TL_OK; }

static tl_status backward(tl_io *io)
{
    if (io->dx[0].p) io->k->gap_grad(io->dy.f, io->x[0].s, io->dx[0].m);
    return TL_OK;
}

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    tl_onnx_node *node;
    if (((const tl_gap *)attr)->map) return tl_onnx_simple("GlobalAveragePool", n, m, NULL);
    TL_TRY(tl_onnx_simple("ReduceMean", n, m, &node));
    TL_TRY(tl_onnx_set_ints(m, node, "axes", 2, (int64_t[]){ 2, 3 }));
    return tl_onnx_set_int(m, node, "keepdims", 0);
}

/* ReduceMean's axes are an attribute up to operator set 17, then an input. */
static bool over_height_and_width(const tl_onnx_view *v)
{
    const tl_onnx_attr *attr = tl_onnx_attr_find(v->node, "axes");
    const tl_onnx_tensor *t = v->in[1];
    int64_t axes[2] = { 0 };
    if (attr && attr->kind == TL_ONNX_AINTS && attr->n == 2) memcpy(axes, attr->ints, sizeof axes);
    else if (t && t->type == TL_ONNX_INT64 && t->bytes == sizeof axes) memcpy(axes, t->data, sizeof axes);
    for (int i = 0; i < 2; i++) axes[i] += axes[i] < 0 ? 4 : 0;
    return axes[0] + axes[1] == 5 && axes[0] * axes[1] == 6;
}

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    (void)p;
    TL_CHECK(v->node->op[0] == 'G' || over_height_and_width(v), TL_EUNSUP,
             "ReduceMean is supported over height and width (axes 2, 3) only");
    ((tl_gap *)attr)->map = v->node->op[0] == 'G' || tl_onnx_int(v->node, "keepdims", 1);
    return TL_OK;
}

const tl_op tl_op_gap = {
    .name = "gap",
    .brief = "global average pooling",
    .min_in = 1,
    .max_in = 1,
    .field = fields,
    .attr_size = sizeof(tl_gap),
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .amp = TL_AMP_MAPS,
    .flow = tl_flow_same,
    .int8 = TL_INT8_SAME_SCALE,
    .onnx = { "ReduceMean", "GlobalAveragePool" },
    .onnx_out = onnx_out,
    .onnx_in = onnx_in,
};
