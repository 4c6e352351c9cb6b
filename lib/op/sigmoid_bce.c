/* sigmoid_bce - binary cross entropy of p = sigmoid(x[0]) against x[1], weighted element by element by x[2], per channel.
 * SPDX-License-Identifier: MIT
 *
 *   y[c] = -1/(N*H*W) * sum of w * (t * ln(p + e) + (1 - t) * ln(1 - p + e)),  e = 1e-5
 *   dx   = -w/(N*H*W) * p * (1 - p) * (t / (p + e) - (1 - t) / (1 - p + e)) * dy[c]
 *
 * Each channel is a question of its own (is there an object of this class?), and what each costs is of interest: so y is a
 * vector. e is the original's (DetectNet_v2's coverage), which also bounds what one element can cost. */
#include "ops.h"
#include <math.h>

#define E 1e-5f

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    TL_TRY(tl_shape_same(attr, nx, x, y, p));
    *y = (tl_shape){ 1, x[0].c, 1, 1 };
    return TL_OK;
}

static tl_status setup(tl_io *io)
{
    io->state = tl_new(io->arena, float, tl_count(io->x[0].s)); /* p: N x H x W x C */
    return io->state ? TL_OK : TL_ENOMEM;
}

static float cost(float p, float t) { return -(t * logf(p + E) + (1 - t) * logf(1 - p + E)); }

static tl_status forward(tl_io *io)
{
    const size_t c = (size_t)io->y.s.c, n = tl_count(io->x[0].s);
    const float *t = io->x[1].f, *w = io->x[2].f;
    float *p = io->state;
    io->k->sigmoid(io->x[0].m, n, (tl_tensor){ .f = p }.m);
    for (size_t k = 0; k < c; k++) {
        double sum = 0;
        for (size_t i = k; i < n; i += c)
            if (w[i] != 0.0f) sum += (double)(w[i] * cost(p[i], t[i]));
        io->y.f[k] = (float)(sum * (double)c / (double)n);
    }
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    const size_t c = (size_t)io->y.s.c, n = tl_count(io->x[0].s);
    const float *p = io->state, *t = io->x[1].f, *w = io->x[2].f, share = (float)((double)c / (double)n);
    float *dx = io->dx[0].f, *dt = io->dx[1].f, *dw = io->dx[2].f;
    for (size_t i = 0; i < n; i++) {
        const float by = share * io->dy.f[i % c];
        if (dx) dx[i] = -by * w[i] * p[i] * (1 - p[i]) * (t[i] / (p[i] + E) - (1 - t[i]) / (1 - p[i] + E));
        if (dt) dt[i] = -by * w[i] * (logf(p[i] + E) - logf(1 - p[i] + E));
        if (dw) dw[i] = by * cost(p[i], t[i]);
    }
    return TL_OK;
}

const tl_op tl_op_sigmoid_bce = {
    .name = "sigmoid_bce", .brief = "weighted binary cross entropy of the sigmoid, per channel", .min_in = 3, .max_in = 3,
    .attr_size = sizeof(tl_sigmoid_bce), .saves = TL_SAVES_X, .shape = shape, .setup = setup, .forward = forward,
    .backward = backward, .flow = tl_flow_fixed,
};
