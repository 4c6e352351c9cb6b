/* weighted_sum - one number from several: y = mean over n of the sum of weight[c] * x[n,c]. SPDX-License-Identifier: MIT
 *
 * The weights are not trained by the gradient; whoever trains sets them from time to time (DetectNet_v2's autoweighting). */
#include "ops.h"

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    (void)attr; (void)nx;
    TL_CHECK(x->h == 1 && x->w == 1, TL_ESHAPE, "weighted_sum wants vectors, not " TL_SHAPE_FMT, TL_SHAPE(*x));
    *y = (tl_shape){ 1, 1, 1, 1 };
    p[0] = (tl_dims){ { x->c, 1, 1, 1 } };
    return TL_OK;
}

static tl_status forward(tl_io *io)
{
    const int c = io->x[0].s.c, n = io->x[0].s.n;
    double sum = 0;
    for (int i = 0; i < n * c; i++) sum += (double)io->p[0].w[i % c] * (double)io->x[0].f[i];
    io->y.f[0] = (float)(sum / n);
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    const int c = io->x[0].s.c, n = io->x[0].s.n;
    for (int i = 0; io->dx[0].p && i < n * c; i++) io->dx[0].f[i] = io->p[0].w[i % c] * io->dy.f[0] / (float)n;
    return TL_OK;
}

const tl_op tl_op_weighted_sum = {
    .name = "weighted_sum", .brief = "sum of numbers with set weights", .min_in = 1, .max_in = 1,
    .param = { { .name = "weight", .axes = "c", .init = 1, .stat = true } }, .attr_size = sizeof(tl_weighted_sum),
    .shape = shape, .forward = forward, .backward = backward, .flow = tl_flow_fixed,
};
