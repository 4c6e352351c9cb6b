/* concat - maps of the same size one after another in the channels. SPDX-License-Identifier: MIT */
#include "ops.h"
#include <string.h>

enum { WORTH_THREADS = 64 << 10 }; /* bytes */

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    (void)attr; (void)p;
    *y = x[0];
    for (int i = 1; i < nx; i++) {
        TL_CHECK(x[i].h == y->h && x[i].w == y->w, TL_ESHAPE, "input %d is %dx%d, input 0 is %dx%d", i, x[i].h, x[i].w, y->h, y->w);
        y->c += x[i].c;
    }
    return TL_OK;
}

/* In N,H,W,C a pixel of y is a pixel of each input in turn; copy (or pick apart) pixel by pixel. */
static tl_status forward(tl_io *io)
{
    const size_t number = tl_dtype_size(io->y.t), pixel = (size_t)io->y.s.c * number, m = tl_count(io->y.s) * number / pixel;
#pragma omp parallel for if (m * pixel > WORTH_THREADS)
    for (size_t i = 0; i < m; i++) {
        uint8_t *to = io->y.u8 + i * pixel;
        for (int k = 0; k < io->nx; k++) {
            const size_t part = (size_t)io->x[k].s.c * number;
            memcpy(to, io->x[k].u8 + i * part, part);
            to += part;
        }
    }
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    const size_t number = tl_dtype_size(io->y.t), pixel = (size_t)io->y.s.c * number, m = tl_count(io->y.s) * number / pixel;
#pragma omp parallel for if (m * pixel > WORTH_THREADS)
    for (size_t i = 0; i < m; i++) {
        const uint8_t *from = io->dy.u8 + i * pixel;
        for (int k = 0; k < io->nx; k++) {
            const size_t part = (size_t)io->x[k].s.c * number;
            if (io->dx[k].p) memcpy(io->dx[k].u8 + i * part, from, part);
            from += part;
        }
    }
    return TL_OK;
}

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    tl_onnx_node *node;
    (void)attr;
    TL_TRY(tl_onnx_simple("Concat", n, m, &node));
    return tl_onnx_set_int(m, node, "axis", 1);
}

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    (void)attr; (void)p;
    TL_CHECK(tl_onnx_int(v->node, "axis", 1) == 1, TL_EUNSUP, "Concat is supported along the channels (axis 1) only");
    for (int i = 0; i < TL_MAX_IN; i++) TL_CHECK(!v->in[i], TL_EUNSUP, "Concat with a constant is not supported");
    return TL_OK;
}

const tl_op tl_op_concat = {
    .name = "concat", .brief = "channels one after another", .min_in = 1, .max_in = TL_MAX_IN, .attr_size = sizeof(tl_concat),
    .shape = shape, .forward = forward, .backward = backward, .amp = TL_AMP_ALL, .flow = tl_flow_cat, .int8 = TL_INT8_SAME_SCALE,
    .onnx = { "Concat" }, .onnx_out = onnx_out, .onnx_in = onnx_in,
};
