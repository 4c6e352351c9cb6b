/* sigmoid - y = 1 / (1 + exp(-x)). SPDX-License-Identifier: MIT */
#include "ops.h"

static tl_status forward(tl_io *io)
{
    io->k->sigmoid(io->x[0].m, tl_count(io->y.s), io->y.m);
    return TL_OK;
}

/* From the output: dy/dx = y * (1 - y). */
static tl_status backward(tl_io *io)
{
    if (io->dx[0].p) io->k->sigmoid_grad(io->y.m, io->dy.m, tl_count(io->y.s), io->dx[0].m);
    return TL_OK;
}

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    (void)attr;
    return tl_onnx_simple("Sigmoid", n, m, NULL);
}

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    (void)v; (void)attr; (void)p;
    return TL_OK;
}

const tl_op tl_op_sigmoid = {
    .name = "sigmoid", .brief = "logistic function: any number to between 0 and 1", .min_in = 1, .max_in = 1,
    .attr_size = sizeof(tl_sigmoid), .saves = TL_SAVES_Y, .y_in_x = true, .dx_in_dy = true,
    .shape = tl_shape_same, .forward = forward, .backward = backward, .amp = TL_AMP_ALL, .flow = tl_flow_same,
    .onnx = { "Sigmoid" }, .onnx_out = onnx_out, .onnx_in = onnx_in,
};
