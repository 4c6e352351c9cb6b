/* softmax - scores to probabilities: exp(x) / sum of exp(x), over the channels. SPDX-License-Identifier: MIT */
#include "ops.h"
#include <math.h>

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    TL_CHECK(x->h == 1 && x->w == 1, TL_ESHAPE, "softmax wants vectors, not %dx%d maps", x->h, x->w);
    return tl_shape_same(attr, nx, x, y, p);
}

static tl_status forward(tl_io *io)
{
    int c = io->y.s.c;
    for (int i = 0; i < io->y.s.n; i++) {
        const float *x = io->x[0].f + (size_t)i * (size_t)c;
        float *y = io->y.f + (size_t)i * (size_t)c, top = x[0], sum = 0;
        for (int k = 1; k < c; k++) top = fmaxf(top, x[k]);
        for (int k = 0; k < c; k++) sum += y[k] = expf(x[k] - top);
        for (int k = 0; k < c; k++) y[k] /= sum;
    }
    return TL_OK;
}

/* dx = y * (dy - sum of dy * y) */
static tl_status backward(tl_io *io)
{
    int c = io->y.s.c;
    for (int i = 0; io->dx[0].p && i < io->y.s.n; i++) {
        size_t at = (size_t)i * (size_t)c;
        const float *y = io->y.f + at, *dy = io->dy.f + at;
        float dot = 0;
        for (int k = 0; k < c; k++) dot += y[k] * dy[k];
        for (int k = 0; k < c; k++) io->dx[0].f[at + (size_t)k] = y[k] * (dy[k] - dot);
    }
    return TL_OK;
}

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    tl_onnx_node *node;
    (void)attr;
    TL_TRY(tl_onnx_simple("Softmax", n, m, &node));
    return tl_onnx_set_int(m, node, "axis", 1);
}

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    int64_t axis = tl_onnx_int(v->node, "axis", v->model->opset < 13 ? 1 : -1);
    (void)attr; (void)p;
    TL_CHECK(axis == 1 || axis == -1, TL_EUNSUP, "Softmax is supported along the channels (axis 1) only");
    return TL_OK;
}

const tl_op tl_op_softmax = {
    .name = "softmax", .brief = "scores to probabilities", .min_in = 1, .max_in = 1, .attr_size = sizeof(tl_softmax),
    .saves = TL_SAVES_Y, .y_in_x = true, .dx_in_dy = true,
    .shape = shape, .forward = forward, .backward = backward, .flow = tl_flow_same,
    .onnx = { "Softmax" }, .onnx_out = onnx_out, .onnx_in = onnx_in,
};
