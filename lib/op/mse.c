/* mse - how far x[0] is from x[1], as a share of x[1]'s own size: for learning from another network. SPDX-License-Identifier: MIT
 *
 *   S = sum of (x - t)^2, T = sum of t^2, over the whole batch
 *   loss = weight * S / T
 *   dx = 2 * weight * (x - t) / T * dloss, dt = -dx - 2 * weight * S / T^2 * t * dloss
 *
 * Relative, because maps at different depths of a network differ in size by orders of magnitude. */
#include "ops.h"

static const tl_field fields[] = {
    TL_F(tl_mse, weight, TL_FLOAT, 1, 1e-6, 1e6, "factor of the loss"),
    TL_F_END,
};

typedef struct { double s, t; } sums;

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    TL_TRY(tl_shape_same(attr, nx, x, y, p));
    *y = (tl_shape){ 1, 1, 1, 1 };
    return TL_OK;
}

static tl_status setup(tl_io *io)
{
    io->scratch_bytes = tl_count(io->x[0].s) * sizeof(float); /* x - t */
    io->state = tl_new(io->arena, sums, 1);
    return io->state ? TL_OK : TL_ENOMEM;
}

static tl_status forward(tl_io *io)
{
    size_t n = tl_count(io->x[0].s);
    sums *q = io->state;
    io->k->sub(io->x[0].f, io->x[1].f, n, io->scratch);
    q->s = io->k->sum_squares(io->scratch, n);
    q->t = io->k->sum_squares(io->x[1].f, n) + 1e-12; /* a target of zeros */
    io->y.f[0] = (float)((double)((const tl_mse *)io->attr)->weight * q->s / q->t);
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    size_t n = tl_count(io->x[0].s);
    const sums *q = io->state;
    double by = 2 * (double)((const tl_mse *)io->attr)->weight * (double)io->dy.f[0] / q->t;
    float *dx = io->dx[0].f, *dt = io->dx[1].f;
    if (dx) {
        io->k->sub(io->x[0].f, io->x[1].f, n, dx);
        io->k->scale(dx, n, (float)by);
    }
    for (size_t i = 0; dt && i < n; i++) {
        double x = (double)io->x[0].f[i], t = (double)io->x[1].f[i];
        dt[i] = (float)(by * (t - x - q->s / q->t * t));
    }
    return TL_OK;
}

const tl_op tl_op_mse = {
    .name = "mse", .brief = "squared distance from a target, as a share of the target's square", .min_in = 2, .max_in = 2,
    .field = fields, .attr_size = sizeof(tl_mse), .saves = TL_SAVES_X, .shape = shape, .setup = setup, .forward = forward,
    .backward = backward, .flow = tl_flow_fixed,
};
