/* conv2d_depthwise.c - a depthwise 3x3 convolution in training. SPDX-License-Identifier: MIT
 *
 * Both gradients are made in one pass, and the work of the batch norms beside it on the way. */
#include "conv2d.h"

static bool fits(const tl_io *io)
{
    const tl_conv2d *a = io->attr;
    return io->train && a->nobias && !tl_act_on(io->act) && io->want_dw && io->want_dx[0] &&
           tl_dw_fits(a->k, a->stride, a->dilation, a->groups, io->x[0].s.c, a->out);
}

static tl_status setup(tl_io *io)
{
    io->scratch_bytes = io->k->dw_scratch(io->x[0].s, io->y.s) * sizeof(float);
    return tl_link_sums(io, TL_DW_PARTS, TL_DW_PARTS);
}

static tl_status forward(tl_io *io)
{
    const tl_conv2d *a = io->attr;
    io->k->dw(io->x[0].m, io->x[0].s, io->y.s, a->stride, a->pad, io->p[0].w, tl_link_read(io), tl_link_sums_out(io),
                    io->y.m, io->scratch);
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    const tl_conv2d *a = io->attr;
    io->k->dw_grad(io->x[0].m, io->dy.m, io->x[0].s, io->y.s, a->stride, a->pad, io->p[0].w, tl_link_read(io),
                         tl_link_sums_in(io), tl_link_undo(io), io->dx[0].m, io->p[0].g, io->scratch);
    return TL_OK;
}

const tl_op_kernel tl_conv2d_depthwise = {
    "depthwise", fits, setup, forward, backward, TL_CAN_SUM | TL_CAN_READ_THROUGH | TL_CAN_UNDO | TL_CAN_BF16,
};
