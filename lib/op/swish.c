/* swish - y = x * sigmoid(x), also called SiLU. SPDX-License-Identifier: MIT
 *
 * Ramachandran et al. 2017. ONNX has it only since opset 24, so it is written as two nodes, Sigmoid and Mul; the
 * reader puts the two together again because of self_gate. */
#include "ops.h"

static tl_status forward(tl_io *io)
{
    io->k->swish(io->x[0].m, tl_count(io->y.s), io->y.m);
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    if (io->dx[0].p) io->k->swish_grad(io->x[0].m, io->dy.m, tl_count(io->y.s), io->dx[0].m);
    return TL_OK;
}

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    tl_onnx_names gate = *n, product = *n;
    (void)attr;
    TL_NEW(gate.name = gate.y = product.x[1] = tl_printf(m->arena, "%s/Sigmoid", n->name));
    TL_TRY(tl_onnx_simple("Sigmoid", &gate, m, NULL));
    return tl_onnx_simple("Mul", &product, m, NULL);
}

const tl_op tl_op_swish = {
    .name = "swish", .brief = "x times its sigmoid (SiLU)", .min_in = 1, .max_in = 1, .attr_size = sizeof(tl_swish),
    .saves = TL_SAVES_X, .y_in_x = true, .dx_in_dy = true, .self_gate = &tl_op_sigmoid,
    .shape = tl_shape_same, .forward = forward, .backward = backward, .amp = TL_AMP_ALL, .flow = tl_flow_same, .onnx_out = onnx_out,
};
