/* add - the sum of two maps: the residual connection. SPDX-License-Identifier: MIT */
#include "ops.h"
#include <string.h>

static tl_status forward(tl_io *io)
{
    io->k->add(io->x[0].m, io->x[1].m, tl_count(io->y.s), io->act, io->y.m);
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    size_t n = tl_count(io->y.s);
    const tl_map *g = io->dy.m; /* the gradient that both inputs get */
    if (tl_act_on(io->act)) {
        tl_map *to = io->dx[0].p ? io->dx[0].m : io->dx[1].m;
        if (to) io->k->act_grad(io->y.m, io->dy.m, n, io->act, to);
        g = to;
    }
    for (int k = 0; k < 2; k++)
        if (io->dx[k].p && io->dx[k].m != g) memcpy(io->dx[k].p, g, n * tl_dtype_size(io->y.t));
    return TL_OK;
}

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    (void)attr;
    return tl_onnx_simple("Add", n, m, NULL);
}

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    (void)attr; (void)p;
    TL_CHECK(!v->in[0] && !v->in[1], TL_EUNSUP, "only Add of two computed maps is supported, not of a constant");
    return TL_OK;
}

const tl_op tl_op_add = {
    .name = "add", .brief = "elementwise sum", .min_in = 2, .max_in = 2, .attr_size = sizeof(tl_add),
    .is_sum = true, .saves = TL_SAVES_Y, .takes_act = TL_ACT_INFER | TL_ACT_TRAIN, .y_in_x = true, .dx_in_dy = true,
    .shape = tl_shape_same, .forward = forward, .backward = backward, .amp = TL_AMP_ALL, .flow = tl_flow_same,
    .onnx = { "Add" }, .onnx_out = onnx_out, .onnx_in = onnx_in,
};
