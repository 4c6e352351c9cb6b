/* l1 - mean absolute distance of x[0] from x[1], weighted by x[2], per group of channels. SPDX-License-Identifier: MIT
 *
 * x[2] has C channels, x[0] and x[1] have G for each of them, those of a group side by side:
 *
 *   y[c] = 1/(N*H*W*G) * sum over the group's g of w[c] * |x[c*G + g] - t[c*G + g]|
 *   dx   = w[c]/(N*H*W*G) * sign(x - t) * dy[c]
 *
 * Boxes as distances to four sides are such groups: which of them count, and how much, is one weight. */
#include "ops.h"
#include <math.h>

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    (void)attr; (void)nx; (void)p;
    TL_CHECK(tl_same(x[0], x[1]), TL_ESHAPE, "l1 compares maps alike, not " TL_SHAPE_FMT " and " TL_SHAPE_FMT, TL_SHAPE(x[0]), TL_SHAPE(x[1]));
    TL_CHECK(x[2].n == x[0].n && x[2].h == x[0].h && x[2].w == x[0].w && x[0].c % x[2].c == 0, TL_ESHAPE,
             "l1 wants a weight for each group of channels, not " TL_SHAPE_FMT " for " TL_SHAPE_FMT, TL_SHAPE(x[2]), TL_SHAPE(x[0]));
    *y = (tl_shape){ 1, x[2].c, 1, 1 };
    return TL_OK;
}

static tl_status forward(tl_io *io)
{
    const size_t c = (size_t)io->y.s.c, n = tl_count(io->x[2].s), group = (size_t)io->x[0].s.c / c;
    for (size_t k = 0; k < c; k++) {
        double sum = 0;
        for (size_t i = k; i < n; i += c) {
            const float *x = io->x[0].f + i * group, *t = io->x[1].f + i * group, w = io->x[2].f[i];
            for (size_t j = 0; w != 0.0f && j < group; j++) sum += (double)(w * fabsf(x[j] - t[j]));
        }
        io->y.f[k] = (float)(sum * (double)c / (double)(n * group));
    }
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    const size_t c = (size_t)io->y.s.c, n = tl_count(io->x[2].s), group = (size_t)io->x[0].s.c / c;
    const float share = (float)((double)c / (double)(n * group));
    float *dx = io->dx[0].f, *dt = io->dx[1].f, *dw = io->dx[2].f;
    for (size_t i = 0; i < n; i++) {
        const float by = share * io->dy.f[i % c], w = io->x[2].f[i];
        float sum = 0;
        for (size_t j = i * group; j < (i + 1) * group; j++) {
            const float d = io->x[0].f[j] - io->x[1].f[j], slope = by * w * (float)((d > 0) - (d < 0));
            if (dx) dx[j] = slope;
            if (dt) dt[j] = -slope;
            sum += fabsf(d);
        }
        if (dw) dw[i] = by * sum;
    }
    return TL_OK;
}

const tl_op tl_op_l1 = {
    .name = "l1", .brief = "weighted absolute distance, per group of channels", .min_in = 3, .max_in = 3, .attr_size = sizeof(tl_l1),
    .saves = TL_SAVES_X, .shape = shape, .forward = forward, .backward = backward, .flow = tl_flow_fixed,
};
