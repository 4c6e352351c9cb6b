/* direct.c - convolution in plain loops. SPDX-License-Identifier: MIT
 *
 * oneDNN falls back to its reference code for kernels that are large beside their map and make few
 * channels (11x11 on 7x7 maps, say). Nobody trains such a net for speed, but a spec may describe it
 * and must not fail. Weights are turned to O,k,k,I so that the innermost loop runs over input
 * channels, which are neighbors in NHWC. Every result is summed by one thread in a fixed order. */
#include "direct.h"

static int inputs(const tl_direct *d) { return d->x.c / d->g.groups; }

/* Offset of channel 0 of a pixel. */
static size_t pixel(tl_shape s, int n, int h, int w)
{
    return (((size_t)n * (size_t)s.h + (size_t)h) * (size_t)s.w + (size_t)w) * (size_t)s.c;
}

/* Offset of w[o][kh][kw][0] in O,k,k,I order. */
static size_t tap(const tl_direct *d, int o, int kh, int kw)
{
    return (size_t)((o * d->g.k + kh) * d->g.k + kw) * (size_t)inputs(d);
}

/* First input channel that output channel o reads. */
static int first_input(const tl_direct *d, int o) { return o / (d->y.c / d->g.groups) * inputs(d); }

/* The input row (or column) that tap k of output row `at` reads: outside 0..size-1 is padding. */
static int source(const tl_direct *d, int at, int k)
{
    return at * d->g.stride - d->g.pad + k * d->g.dilation;
}

/* The output row (or column) whose tap k reads input row `at`; -1: none. */
static int target(const tl_direct *d, int at, int k, int size)
{
    int from = at + d->g.pad - k * d->g.dilation;
    return from < 0 || from % d->g.stride || from / d->g.stride >= size ? -1 : from / d->g.stride;
}

/* O,I,k,k <-> O,k,k,I */
static void turn(const tl_direct *d, const float *from, float *to, bool back)
{
    const int k = d->g.k, in = inputs(d);
    for (int o = 0; o < d->y.c; o++)
        for (int i = 0; i < in; i++)
            for (int t = 0; t < k * k; t++) {
                size_t plain = ((size_t)o * (size_t)in + (size_t)i) * (size_t)(k * k) + (size_t)t;
                size_t turned = tap(d, o, t / k, t % k) + (size_t)i;
                if (back) to[plain] = from[turned];
                else
                    to[turned] = from[plain];
            }
}

static float dot(const float *a, const float *b, int n)
{
    float s = 0;
#pragma omp simd reduction(+ : s)
    for (int i = 0; i < n; i++) s += a[i] * b[i];
    return s;
}

static void add_scaled(float *y, float by, const float *x, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++) y[i] += by * x[i];
}

static float output(const tl_direct *d, const float *x, const float *w, int n, int h, int v, int o)
{
    float sum = 0;
    for (int kh = 0; kh < d->g.k; kh++)
        for (int kw = 0; kw < d->g.k; kw++) {
            int ih = source(d, h, kh), iw = source(d, v, kw);
            if (ih < 0 || iw < 0 || ih >= d->x.h || iw >= d->x.w) continue;
            sum += dot(x + pixel(d->x, n, ih, iw) + first_input(d, o), w + tap(d, o, kh, kw),
                       inputs(d));
        }
    return sum;
}

void tl_direct_forward(const tl_direct *d, const float *x, const float *w, const float *b, float *y,
                       float *scratch)
{
    const tl_conv_conf f = d->conf;
    turn(d, w, scratch, false);
#pragma omp parallel for collapse(2)
    for (int n = 0; n < d->y.n; n++)
        for (int h = 0; h < d->y.h; h++)
            for (int v = 0; v < d->y.w; v++)
                for (int o = 0; o < d->y.c; o++) {
                    float *at = y + pixel(d->y, n, h, v) + o;
                    float z =
                        output(d, x, scratch, n, h, v, o) + (f.bias ? b[o] : 0) + (f.add ? *at : 0);
                    if (z < 0 && f.slope != 1) z *= f.slope;
                    *at = z > f.max ? f.max : z;
                }
}

/* dx (one pixel): every output pixel that read it gives its gradient back through the same weight.
 */
static void input_gradient(const tl_direct *d, const float *dy, const float *w, int n, int h, int v,
                           float *dx)
{
    for (int i = 0; i < d->x.c; i++) dx[i] = 0;
    for (int kh = 0; kh < d->g.k; kh++)
        for (int kw = 0; kw < d->g.k; kw++) {
            int oh = target(d, h, kh, d->y.h), ow = target(d, v, kw, d->y.w);
            if (oh < 0 || ow < 0) continue;
            const float *g = dy + pixel(d->y, n, oh, ow);
            for (int o = 0; o < d->y.c; o++)
                add_scaled(dx + first_input(d, o), g[o], w + tap(d, o, kh, kw), inputs(d));
        }
}

void tl_direct_backward_data(const tl_direct *d, const float *dy, const float *w, float *dx,
                             float *scratch)
{
    turn(d, w, scratch, false);
#pragma omp parallel for collapse(2)
    for (int n = 0; n < d->x.n; n++)
        for (int h = 0; h < d->x.h; h++)
            for (int v = 0; v < d->x.w; v++)
                input_gradient(d, dy, scratch, n, h, v, dx + pixel(d->x, n, h, v));
}

/* dw[o][kh][kw][:]: the sum over all output pixels. */
static void weight_gradient(const tl_direct *d, const float *x, const float *dy, int o, int kh,
                            int kw, float *dw)
{
    for (int i = 0; i < inputs(d); i++) dw[i] = 0;
    for (int n = 0; n < d->y.n; n++)
        for (int h = 0; h < d->y.h; h++)
            for (int v = 0; v < d->y.w; v++) {
                int ih = source(d, h, kh), iw = source(d, v, kw);
                if (ih < 0 || iw < 0 || ih >= d->x.h || iw >= d->x.w) continue;
                add_scaled(dw, dy[pixel(d->y, n, h, v) + (size_t)o],
                           x + pixel(d->x, n, ih, iw) + first_input(d, o), inputs(d));
            }
}

void tl_direct_backward_weights(const tl_direct *d, const float *x, const float *dy, float *dw,
                                float *db, float *scratch)
{
#pragma omp parallel for collapse(3)
    for (int o = 0; o < d->y.c; o++)
        for (int kh = 0; kh < d->g.k; kh++)
            for (int kw = 0; kw < d->g.k; kw++)
                weight_gradient(d, x, dy, o, kh, kw, scratch + tap(d, o, kh, kw));
    turn(d, scratch, dw, true);
    if (!d->conf.bias) return;
    size_t pixels = tl_count(d->y) / (size_t)d->y.c;
    for (int o = 0; o < d->y.c; o++) {
        double sum = 0;
        for (size_t i = 0; i < pixels; i++) sum += (double)dy[i * (size_t)d->y.c + (size_t)o];
        db[o] = (float)sum;
    }
}
