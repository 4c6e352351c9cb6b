/* flatten - a map becomes a vector, channel by channel (C,H,W order, as the original and ONNX have it). SPDX-License-Identifier: MIT */
#include "ops.h"

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    (void)attr; (void)nx; (void)p;
    *y = (tl_shape){ x->n, x->c * x->h * x->w, 1, 1 };
    return TL_OK;
}

static tl_status forward(tl_io *io)
{
    size_t n = (size_t)io->x[0].s.n, c = (size_t)io->x[0].s.c, hw = (size_t)io->x[0].s.h * (size_t)io->x[0].s.w;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c; k++)
            for (size_t j = 0; j < hw; j++) io->y.f[(i * c + k) * hw + j] = io->x[0].f[(i * hw + j) * c + k];
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    size_t n = (size_t)io->x[0].s.n, c = (size_t)io->x[0].s.c, hw = (size_t)io->x[0].s.h * (size_t)io->x[0].s.w;
    for (size_t i = 0; io->dx[0].p && i < n; i++)
        for (size_t k = 0; k < c; k++)
            for (size_t j = 0; j < hw; j++) io->dx[0].f[(i * hw + j) * c + k] = io->dy.f[(i * c + k) * hw + j];
    return TL_OK;
}

static tl_flow flow(const void *attr, const tl_shape *x) { (void)attr; (void)x; return TL_FLOW_SPREAD; }

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m) { (void)attr; return tl_onnx_simple("Flatten", n, m, NULL); }

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    (void)attr; (void)p;
    TL_CHECK(tl_onnx_int(v->node, "axis", 1) == 1, TL_EUNSUP, "Flatten is supported with axis 1 only");
    return TL_OK;
}

const tl_op tl_op_flatten = {
    .name = "flatten", .brief = "map to vector", .min_in = 1, .max_in = 1, .attr_size = sizeof(tl_flatten),
    .shape = shape, .forward = forward, .backward = backward, .flow = flow, .int8 = TL_INT8_SAME_SCALE,
    .onnx = { "Flatten" }, .onnx_out = onnx_out, .onnx_in = onnx_in,
};
