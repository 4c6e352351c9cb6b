/* conv2d_pointwise.c - a 1x1 convolution in training, which does the work of batch norms beside it.
 * SPDX-License-Identifier: MIT */
#include "conv2d.h"

/* Weights that fit the second-level cache beside a block of rows: with more, oneDNN's blocking is worth more than the passes that
 * are saved. Milliseconds on one core of a Zen 4, batch 16, forward and backward, oneDNN without batch norm: 64 -> 256 on 56x56:
 * 20 + 35 against 17 + 41; 512 -> 128 on 28x28: 17 + 37, 15 + 32; 1024 -> 256 on 14x14: 20 + 40, 15 + 32. */
enum { MOST_WEIGHTS = 160 << 10 };

static bool fits(const tl_io *io)
{
    const tl_conv2d *a = io->attr;
    return (int64_t)io->x[0].s.c * a->out <= (io->y.t == TL_F32 ? MOST_WEIGHTS : (4 << 20)) && io->train && a->k == 1 && a->stride == 1 && a->pad == 0 && a->extra == 0 && a->groups == 1 && a->nobias &&
           !tl_act_on(io->act) && io->want_dw && io->want_dx[0];
}

static size_t pixels(const tl_io *io) { return tl_count(io->y.s) / (size_t)io->y.s.c; }

static tl_status setup(tl_io *io)
{
    const size_t m = pixels(io);
    const int in = io->x[0].s.c, out = io->y.s.c;
    const size_t forward = io->k->pw_scratch(m, in, out, false), backward = io->k->pw_scratch(m, in, out, true);
    io->scratch_bytes = (forward > backward ? forward : backward) * sizeof(float);
    return tl_link_sums(io, (int)io->k->pw_parts(m, in, out, false), (int)io->k->pw_parts(m, in, out, true));
}

static tl_status forward(tl_io *io)
{
    io->k->pw(io->x[0].m, pixels(io), io->x[0].s.c, io->y.s.c, io->p[0].w, tl_link_read(io), tl_link_sums_out(io),
                    io->y.m, io->scratch);
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    io->k->pw_grad(io->x[0].m, io->dy.m, pixels(io), io->x[0].s.c, io->y.s.c, io->p[0].w, tl_link_read(io),
                         tl_link_sums_in(io), tl_link_undo(io), io->dx[0].m, io->p[0].g, io->scratch);
    return TL_OK;
}

const tl_op_kernel tl_conv2d_pointwise = {
    "pointwise", fits, setup, forward, backward, TL_CAN_SUM | TL_CAN_READ_THROUGH | TL_CAN_UNDO | TL_CAN_BF16,
};
