/* avgpool - the mean of each window, padding zeros counted. SPDX-License-Identifier: MIT */
#include "pool.h"

static const tl_field fields[] = {
    TL_F(tl_avgpool, k, TL_INT, 2, 1, 15, "window size"),
    TL_F(tl_avgpool, stride, TL_INT, 2, 1, 63, "step between windows"),
    TL_F(tl_avgpool, pad, TL_INT, 0, 0, 14, "zeros added at each border"),
    TL_F_END,
};

static tl_pool_geom geom(const tl_avgpool *a) { return (tl_pool_geom){ a->k, a->stride, a->pad, 0 }; }

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    const tl_avgpool *a = attr;
    (void)nx; (void)p;
    return tl_pool_shape(*x, geom(a), y);
}

static tl_status forward(tl_io *io)
{
    const tl_avgpool *a = io->attr;
    io->k->avgpool(io->x[0].m, io->x[0].s, io->y.s, a->k, a->stride, a->pad, io->y.m);
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    const tl_avgpool *a = io->attr;
    if (io->dx[0].p) io->k->avgpool_grad(io->dy.m, io->x[0].s, io->y.s, a->k, a->stride, a->pad, io->dx[0].m);
    return TL_OK;
}

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    tl_onnx_node *node;
    TL_TRY(tl_pool_onnx_out("AveragePool", geom(attr), n, m, &node));
    return tl_onnx_set_int(m, node, "count_include_pad", 1);
}

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    tl_pool_geom w;
    (void)p;
    TL_TRY(tl_pool_onnx_in(v, &w));
    TL_CHECK(!w.pad || tl_onnx_int(v->node, "count_include_pad", 0), TL_EUNSUP, "padded AveragePool is supported with count_include_pad = 1 only");
    TL_CHECK(!w.extra, TL_EUNSUP, "AveragePool that pads or rounds up at one side only is not supported");
    *(tl_avgpool *)attr = (tl_avgpool){ w.k, w.stride, w.pad };
    return TL_OK;
}

const tl_op tl_op_avgpool = {
    .name = "avgpool", .brief = "mean of each window", .min_in = 1, .max_in = 1, .field = fields, .attr_size = sizeof(tl_avgpool),
    .shape = shape, .forward = forward, .backward = backward, .amp = TL_AMP_ALL, .flow = tl_flow_same, .int8 = TL_INT8_SAME_SCALE,
    .onnx = { "AveragePool" }, .onnx_out = onnx_out, .onnx_in = onnx_in,
};
