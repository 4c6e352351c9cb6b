/* softmax_ce - mean cross entropy of softmax(x[0]) against soft labels x[1]. SPDX-License-Identifier: MIT
 *
 *   l[n,k] = log softmax(x[n])[k] = x[n,k] - log sum over j of exp(x[n,j])
 *   loss = -mean over n of sum over k of t[n,k] * l[n,k]
 *   dx[n,k] = (sum(t[n]) * exp(l[n,k]) - t[n,k]) / N * dloss,  dt[n,k] = -l[n,k] / N * dloss
 *
 * A row of t may sum to something else than 1: that is how class weights enter. Softmax and logarithm are taken
 * together because the logarithm of a rounded-down probability is minus infinity. */
#include "ops.h"
#include <math.h>

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    (void)attr; (void)nx; (void)p;
    TL_CHECK(x[0].h == 1 && x[0].w == 1 && tl_same(x[0], x[1]), TL_ESHAPE,
             "softmax_ce wants scores and labels of the same shape, not " TL_SHAPE_FMT " and " TL_SHAPE_FMT, TL_SHAPE(x[0]), TL_SHAPE(x[1]));
    *y = (tl_shape){ 1, 1, 1, 1 };
    return TL_OK;
}

static tl_status setup(tl_io *io)
{
    io->state = tl_new(io->arena, float, tl_count(io->x[0].s)); /* l: N x C */
    return io->state ? TL_OK : TL_ENOMEM;
}

static tl_status forward(tl_io *io)
{
    int c = io->x[0].s.c, n = io->x[0].s.n;
    double loss = 0;
    for (int i = 0; i < n; i++) {
        size_t at = (size_t)i * (size_t)c;
        const float *x = io->x[0].f + at, *t = io->x[1].f + at;
        float *l = (float *)io->state + at, top = x[0];
        double sum = 0;
        for (int k = 1; k < c; k++) top = fmaxf(top, x[k]);
        for (int k = 0; k < c; k++) sum += (double)expf(x[k] - top);
        double log_sum = log(sum) + (double)top;
        for (int k = 0; k < c; k++) {
            l[k] = (float)((double)x[k] - log_sum);
            loss -= (double)t[k] * ((double)x[k] - log_sum);
        }
    }
    io->y.f[0] = (float)(loss / n);
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    int c = io->x[0].s.c, n = io->x[0].s.n;
    float scale = io->dy.f[0] / (float)n;
    for (int i = 0; i < n; i++) {
        size_t at = (size_t)i * (size_t)c;
        const float *l = (const float *)io->state + at, *t = io->x[1].f + at;
        float all = 0;
        for (int k = 0; k < c; k++) all += t[k];
        for (int k = 0; io->dx[0].p && k < c; k++) io->dx[0].f[at + (size_t)k] = scale * (all * expf(l[k]) - t[k]);
        for (int k = 0; io->dx[1].p && k < c; k++) io->dx[1].f[at + (size_t)k] = -scale * l[k];
    }
    return TL_OK;
}

const tl_op tl_op_softmax_ce = {
    .name = "softmax_ce", .brief = "softmax cross entropy with soft labels", .min_in = 2, .max_in = 2, .attr_size = sizeof(tl_softmax_ce),
    .saves = TL_SAVES_X, .shape = shape, .setup = setup, .forward = forward, .backward = backward, .flow = tl_flow_fixed,
};
