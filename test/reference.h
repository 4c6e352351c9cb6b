/* reference.h - every operation once more, in double and as plainly as its definition allows.
 * SPDX-License-Identifier: MIT
 *
 * Slow and independent of the library: test_op.c compares values with these and gradients with their finite
 * differences, which in double are exact to eight digits. */
#ifndef TL_REFERENCE_H
#define TL_REFERENCE_H
#include "graph.h"
#include <math.h>

typedef struct {
    const void   *attr;
    int           nx;
    tl_shape      xs[TL_MAX_IN], ys;
    const double *x[TL_MAX_IN], *p[TL_MAX_PARAM];
    bool          training;      /* dropout drops */
    bool          batch_stats;   /* batch norm uses the batch's statistics */
    const float  *seen;          /* what the library computed: where dropout dropped is its own choice */
    double       *y;
} tl_problem;

/* Element n,c,h,w; zero outside the map. */
static inline double tl_pick(const double *x, tl_shape s, int n, int c, int h, int w)
{
    if (h < 0 || w < 0 || h >= s.h || w >= s.w) return 0;
    return x[(((size_t)n * (size_t)s.h + (size_t)h) * (size_t)s.w + (size_t)w) * (size_t)s.c + (size_t)c];
}

#define TL_EACH_ELEMENT(s)                   \
    for (int n = 0; n < (s).n; n++)          \
        for (int h = 0; h < (s).h; h++)      \
            for (int w = 0; w < (s).w; w++)  \
                for (int c = 0; c < (s).c; c++)

static inline void tl_ref_conv2d(const tl_problem *q)
{
    const tl_conv2d *a = q->attr;
    int per = q->xs[0].c / a->groups, out = a->out / a->groups;
    double *y = q->y;
    TL_EACH_ELEMENT(q->ys) {
        double sum = q->p[1] ? q->p[1][c] : 0;
        for (int i = 0; i < per; i++)
            for (int u = 0; u < a->k; u++)
                for (int v = 0; v < a->k; v++)
                    sum += q->p[0][((c * per + i) * a->k + u) * a->k + v]
                         * tl_pick(q->x[0], q->xs[0], n, c / out * per + i, h * a->stride + u * a->dilation - a->pad,
                                   w * a->stride + v * a->dilation - a->pad);
        *y++ = sum;
    }
}

static inline void tl_ref_dense(const tl_problem *q)
{
    double *y = q->y;
    TL_EACH_ELEMENT(q->ys) {
        *y = q->p[1][c];
        for (int i = 0; i < q->xs[0].c; i++) *y += q->p[0][c * q->xs[0].c + i] * tl_pick(q->x[0], q->xs[0], n, i, h, w);
        y++;
    }
}

/* Mean and biased variance of a channel. */
static inline void tl_ref_moments(const tl_problem *q, int channel, double *mean, double *var)
{
    double sum = 0, squares = 0, m = (double)(tl_count(q->xs[0]) / (size_t)q->xs[0].c);
    TL_EACH_ELEMENT(q->xs[0]) if (c == channel) sum += tl_pick(q->x[0], q->xs[0], n, c, h, w);
    *mean = sum / m;
    TL_EACH_ELEMENT(q->xs[0]) if (c == channel) squares += pow(tl_pick(q->x[0], q->xs[0], n, c, h, w) - *mean, 2);
    *var = squares / m;
}

static inline void tl_ref_bn(const tl_problem *q)
{
    const tl_bn *a = q->attr;
    for (int k = 0; k < q->ys.c; k++) {
        double mean = q->p[2][k], var = q->p[3][k], *y = q->y;
        if (q->batch_stats) tl_ref_moments(q, k, &mean, &var);
        TL_EACH_ELEMENT(q->ys) {
            double x = tl_pick(q->x[0], q->xs[0], n, c, h, w);
            if (c == k) *y = (x - mean) / sqrt(var + (double)a->eps) * q->p[0][c] + q->p[1][c];
            y++;
        }
    }
}

static inline double tl_ref_act(double z, const tl_relu *a)
{
    if (z < 0) z *= (double)a->slope;
    return a->max > 0 ? fmin(z, (double)a->max) : z;
}

/* Its derivative, from its value. */
static inline double tl_ref_act_slope(double y, const tl_relu *a)
{
    if (y <= 0) return (double)a->slope;
    return a->max > 0 && y >= (double)a->max ? 0 : 1;
}

static inline void tl_ref_relu(const tl_problem *q)
{
    for (size_t i = 0; i < tl_count(q->ys); i++) q->y[i] = tl_ref_act(q->x[0][i], q->attr);
}

static inline void tl_ref_add(const tl_problem *q)
{
    for (size_t i = 0; i < tl_count(q->ys); i++) q->y[i] = q->x[0][i] + q->x[1][i];
}

static inline void tl_ref_sigmoid(const tl_problem *q)
{
    for (size_t i = 0; i < tl_count(q->ys); i++) q->y[i] = 1 / (1 + exp(-q->x[0][i]));
}

static inline void tl_ref_swish(const tl_problem *q)
{
    for (size_t i = 0; i < tl_count(q->ys); i++) q->y[i] = q->x[0][i] / (1 + exp(-q->x[0][i]));
}

static inline void tl_ref_mul(const tl_problem *q)
{
    double *y = q->y;
    TL_EACH_ELEMENT(q->ys) {
        *y = 1;
        for (int i = 0; i < 2; i++) {
            bool gate = q->xs[i].h * q->xs[i].w == 1;
            *y *= tl_pick(q->x[i], q->xs[i], n, c, gate ? 0 : h, gate ? 0 : w);
        }
        y++;
    }
}

static inline void tl_ref_concat(const tl_problem *q)
{
    double *y = q->y;
    TL_EACH_ELEMENT(q->ys) {
        int k = 0, from = c;
        while (from >= q->xs[k].c) from -= q->xs[k++].c;
        *y++ = tl_pick(q->x[k], q->xs[k], n, from, h, w);
    }
}

static inline void tl_ref_pool(const tl_problem *q, int k, int stride, int pad, bool max)
{
    double *y = q->y;
    TL_EACH_ELEMENT(q->ys) {
        double top = (double)-INFINITY, sum = 0;
        for (int u = 0; u < k; u++)
            for (int v = 0; v < k; v++) {
                double x = tl_pick(q->x[0], q->xs[0], n, c, h * stride + u - pad, w * stride + v - pad);
                top = fmax(top, x);
                sum += x;
            }
        *y++ = max ? top : sum / (k * k);
    }
}

static inline void tl_ref_maxpool(const tl_problem *q)
{
    const tl_maxpool *a = q->attr;
    tl_ref_pool(q, a->k, a->stride, a->pad, true);
}

static inline void tl_ref_avgpool(const tl_problem *q)
{
    const tl_avgpool *a = q->attr;
    tl_ref_pool(q, a->k, a->stride, a->pad, false);
}

static inline void tl_ref_gap(const tl_problem *q)
{
    for (size_t i = 0; i < tl_count(q->ys); i++) q->y[i] = 0;
    const tl_shape s = q->xs[0];
    TL_EACH_ELEMENT(s) q->y[n * s.c + c] += tl_pick(q->x[0], s, n, c, h, w) / (s.h * s.w);
}

static inline void tl_ref_upsample(const tl_problem *q)
{
    const int by = ((const tl_upsample *)q->attr)->by;
    double *y = q->y;
    TL_EACH_ELEMENT(q->ys) *y++ = tl_pick(q->x[0], q->xs[0], n, c, h / by, w / by);
}

static inline void tl_ref_flatten(const tl_problem *q)
{
    tl_shape s = q->xs[0];
    TL_EACH_ELEMENT(s) q->y[((n * s.c + c) * s.h + h) * s.w + w] = tl_pick(q->x[0], s, n, c, h, w);
}

static inline void tl_ref_dropout(const tl_problem *q)
{
    const tl_dropout *a = q->attr;
    for (size_t i = 0; i < tl_count(q->ys); i++)
        q->y[i] = !q->training ? q->x[0][i] : q->seen[i] != 0.0f ? q->x[0][i] / (1 - (double)a->rate) : 0;
}

static inline void tl_ref_softmax(const tl_problem *q)
{
    double *y = q->y;
    TL_EACH_ELEMENT(q->ys) {
        double sum = 0, x = tl_pick(q->x[0], q->xs[0], n, c, h, w);
        for (int k = 0; k < q->ys.c; k++) sum += exp(tl_pick(q->x[0], q->xs[0], n, k, h, w) - x);
        *y++ = 1 / sum;
    }
}

static inline void tl_ref_softmax_ce(const tl_problem *q)
{
    *q->y = 0;
    TL_EACH_ELEMENT(q->xs[0]) {
        double sum = 0, x = tl_pick(q->x[0], q->xs[0], n, c, h, w);
        for (int k = 0; k < q->xs[0].c; k++) sum += exp(tl_pick(q->x[0], q->xs[0], n, k, h, w) - x);
        *q->y += tl_pick(q->x[1], q->xs[1], n, c, h, w) * log(sum) / q->xs[0].n;
    }
}

static inline void tl_ref_mse(const tl_problem *q)
{
    double s = 0, t = 0;
    for (size_t i = 0; i < tl_count(q->xs[0]); i++) {
        s += (q->x[0][i] - q->x[1][i]) * (q->x[0][i] - q->x[1][i]);
        t += q->x[1][i] * q->x[1][i];
    }
    *q->y = (double)((const tl_mse *)q->attr)->weight * s / t;
}

static inline void tl_ref_sigmoid_bce(const tl_problem *q)
{
    const tl_shape s = q->xs[0];
    for (int k = 0; k < s.c; k++) q->y[k] = 0;
    TL_EACH_ELEMENT(s) {
        double p = 1 / (1 + exp(-tl_pick(q->x[0], s, n, c, h, w))), t = tl_pick(q->x[1], s, n, c, h, w);
        q->y[c] -= tl_pick(q->x[2], s, n, c, h, w) * (t * log(p + 1e-5) + (1 - t) * log(1 - p + 1e-5)) / (s.n * s.h * s.w);
    }
}

static inline void tl_ref_l1(const tl_problem *q)
{
    const tl_shape s = q->xs[0];
    const int group = s.c / q->xs[2].c;
    for (int k = 0; k < q->xs[2].c; k++) q->y[k] = 0;
    TL_EACH_ELEMENT(s)
        q->y[c / group] += tl_pick(q->x[2], q->xs[2], n, c / group, h, w) *
                           fabs(tl_pick(q->x[0], s, n, c, h, w) - tl_pick(q->x[1], s, n, c, h, w)) / (s.n * s.h * s.w * group);
}

static inline void tl_ref_weighted_sum(const tl_problem *q)
{
    *q->y = 0;
    TL_EACH_ELEMENT(q->xs[0]) *q->y += q->p[0][c] * tl_pick(q->x[0], q->xs[0], n, c, h, w) / q->xs[0].n;
}
#endif
