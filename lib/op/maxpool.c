/* maxpool - the largest value of each window. SPDX-License-Identifier: MIT
 *
 * The original pads with zeros, not with minus infinity. After a ReLU, where every network here has it, the two are the same;
 * ONNX pads with minus infinity, so the file says what a reader computes only there. */
#include "pool.h"

static const tl_field fields[] = {
    TL_F(tl_maxpool, k, TL_INT, 2, 1, 15, "window size"),
    TL_F(tl_maxpool, stride, TL_INT, 2, 1, 63, "step between windows"),
    TL_F(tl_maxpool, pad, TL_INT, 0, 0, 14, "zeros added at each border"),
    TL_F(tl_maxpool, extra, TL_INT, 0, 0, 14, "further zeros at the right and bottom borders"),
    TL_F_END,
};

static tl_pool_geom geom(const tl_maxpool *a) { return (tl_pool_geom){ a->k, a->stride, a->pad, a->extra }; }

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    const tl_maxpool *a = attr;
    (void)nx; (void)p;
    return tl_pool_shape(*x, geom(a), y);
}

static tl_status setup(tl_io *io)
{
    if (!io->want_dx[0]) return TL_OK;
    io->state = tl_new(io->arena, uint8_t, tl_count(io->y.s)); /* which pixel of its window won, for each output */
    return io->state ? TL_OK : TL_ENOMEM;
}

static tl_status forward(tl_io *io)
{
    const tl_maxpool *a = io->attr;
    io->k->maxpool(io->x[0].m, io->x[0].s, io->y.s, a->k, a->stride, a->pad, io->state, io->y.m);
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    const tl_maxpool *a = io->attr;
    if (io->dx[0].p) io->k->maxpool_grad(io->dy.m, io->state, io->x[0].s, io->y.s, a->k, a->stride, a->pad, io->dx[0].m);
    return TL_OK;
}

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    tl_onnx_node *node;
    return tl_pool_onnx_out("MaxPool", geom(attr), n, m, &node);
}

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    tl_pool_geom w;
    (void)p;
    TL_TRY(tl_pool_onnx_in(v, &w));
    *(tl_maxpool *)attr = (tl_maxpool){ w.k, w.stride, w.pad, w.extra };
    return TL_OK;
}

const tl_op tl_op_maxpool = {
    .name = "maxpool", .brief = "largest value of each window", .min_in = 1, .max_in = 1, .field = fields, .attr_size = sizeof(tl_maxpool),
    .shape = shape, .setup = setup, .forward = forward, .backward = backward, .amp = TL_AMP_ALL, .flow = tl_flow_same, .int8 = TL_INT8_SAME_SCALE,
    .onnx = { "MaxPool" }, .onnx_out = onnx_out, .onnx_in = onnx_in,
};
