/* batchnorm.c - batch norm with its activation in two passes each way. SPDX-License-Identifier: MIT
 *
 * Ioffe and Szegedy, "Batch Normalization", 2015. Forward: a pass that sums, a pass that applies;
 * backward: a pass that sums the gradients, a pass that makes dx. Both recompute the activation
 * from x, which costs nothing beside memory, so only x is kept. Sums: rows are cut into at most
 * PARTS chunks (how many depends on m alone), each summed in f32 by one thread, the chunks then
 * added in order in f64. */
#include "simd.h"

enum { PARTS = 32, PART_ROWS = 64 };

static size_t line_len(size_t c) { return rows_per_line(c) * c; }

static size_t parts(size_t m)
{
    size_t n = m / PART_ROWS;
    return n < 1 ? 1 : least(n, PARTS);
}

/* First float of chunk p: chunks are whole lines, but for the last. */
static size_t part_start(size_t m, size_t c, size_t p)
{
    size_t len = line_len(c), lines = (m * c + len - 1) / len;
    return least(lines * p / parts(m) * len, m * c);
}

size_t TL_SIMD(bn_scratch)(int c) { return PARTS * 2 * line_len((size_t)c); }

/* Chunk sums (parts x 2 x line) to sums per channel. */
static void fold(const float *sums, size_t m, size_t c, size_t channel, double out[2])
{
    size_t len = line_len(c);
    out[0] = out[1] = 0;
    for (size_t p = 0; p < parts(m); p++, sums += 2 * len)
        for (size_t i = channel; i < len; i += c) {
            out[0] += (double)sums[i];
            out[1] += (double)sums[len + i];
        }
}

/* ---- Forward ---- */

static void sum_line(const tl_map *x, const float *near, float *s, float *q, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float d = widened(x[i]) - near[i];
        s[i] += d;
        q[i] += d * d;
    }
}

void TL_SIMD(bn_stats)(const tl_map *x, size_t m, int channels, const float *near, float *mean,
                       float *var, float *scratch)
{
    const size_t c = (size_t)channels, len = line_len(c), n_parts = parts(m);
    float room[LINE_MAX];
    const float *shift = line_of(near, c, room);
#pragma omp parallel for if (m * c > SERIAL_BELOW)
    for (size_t p = 0; p < n_parts; p++) {
        float *sums = scratch + p * 2 * len;
        memset(sums, 0, 2 * len * sizeof *sums);
        for (size_t i = part_start(m, c, p), end = part_start(m, c, p + 1); i < end; i += len)
            sum_line(x + i, shift, sums, sums + len, least(len, end - i));
    }
    for (size_t i = 0; i < c; i++) {
        double sum[2];
        fold(scratch, m, c, i, sum);
        double d = sum[0] / (double)m, v = sum[1] / (double)m - d * d;
        mean[i] = (float)((double)near[i] + d);
        var[i] = (float)(v < 0 ? 0 : v);
    }
}

static void apply_line(const tl_map *x, const float *a, const float *b, tl_act act, tl_map *y,
                       size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = rounded(activate(widened(x[i]) * a[i] + b[i], act));
}

static void apply_add_line(const tl_map *x, const float *a, const float *b, const tl_map *add,
                           tl_act act, tl_map *y, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = rounded(activate(widened(x[i]) * a[i] + b[i] + widened(add[i]), act));
}

void TL_SIMD(bn_apply)(const tl_map *x, size_t m, int channels, const float *a, const float *b,
                       const tl_map *add, tl_act act, tl_map *y)
{
    const size_t c = (size_t)channels, len = line_len(c), total = m * c;
    float room[2][LINE_MAX];
    const float *al = line_of(a, c, room[0]), *bl = line_of(b, c, room[1]);
#pragma omp parallel for if (total > SERIAL_BELOW)
    for (size_t i = 0; i < total; i += len) {
        size_t n = least(len, total - i);
        if (add) apply_add_line(x + i, al, bl, add + i, act, y + i, n);
        else
            apply_line(x + i, al, bl, act, y + i, n);
    }
}

/* ---- Backward ---- */

static void grad_sum_line(const tl_map *x, const tl_map *dy, const float *a, const float *b,
                          const float *mean, tl_act act, float *s, float *q, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const float v = widened(x[i]), g = gate(v * a[i] + b[i], widened(dy[i]), act);
        s[i] += g;
        q[i] += g * (v - mean[i]);
    }
}

void TL_SIMD(bn_grad_sums)(const tl_map *x, const tl_map *dy, size_t m, int channels, const float *a,
                           const float *b, tl_act act, const float *mean, const float *rstd,
                           float *dgamma, float *dbeta, float *scratch)
{
    const size_t c = (size_t)channels, len = line_len(c), n_parts = parts(m);
    float room[3][LINE_MAX];
    const float *al = line_of(a, c, room[0]), *bl = line_of(b, c, room[1]),
                *ml = line_of(mean, c, room[2]);
#pragma omp parallel for if (m * c > SERIAL_BELOW)
    for (size_t p = 0; p < n_parts; p++) {
        float *sums = scratch + p * 2 * len;
        memset(sums, 0, 2 * len * sizeof *sums);
        for (size_t i = part_start(m, c, p), end = part_start(m, c, p + 1); i < end; i += len)
            grad_sum_line(x + i, dy + i, al, bl, ml, act, sums, sums + len, least(len, end - i));
    }
    for (size_t i = 0; i < c; i++) {
        double sum[2];
        fold(scratch, m, c, i, sum);
        dbeta[i] = (float)sum[0];
        dgamma[i] = (float)(sum[1] * (double)rstd[i]);
    }
}

/* k1 NULL: fixed statistics */
typedef struct {
    const float *a, *b, *mean, *rstd, *k1, *k2;
    tl_act act;
} grad_line;

static void grad_line_fixed(const grad_line *l, const tl_map *x, const tl_map *dy, tl_map *dx,
                            size_t n)
{
    const float *a = l->a, *b = l->b;
    const tl_act act = l->act;
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        dx[i] = rounded(a[i] * gate(widened(x[i]) * a[i] + b[i], widened(dy[i]), act));
}

static void grad_line_batch(const grad_line *l, const tl_map *x, const tl_map *dy, tl_map *dx,
                            size_t n)
{
    const float *a = l->a, *b = l->b, *mean = l->mean, *rstd = l->rstd, *k1 = l->k1, *k2 = l->k2;
    const tl_act act = l->act;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const float v = widened(x[i]), g = gate(v * a[i] + b[i], widened(dy[i]), act);
        dx[i] = rounded(a[i] * (g - k1[i] - (v - mean[i]) * rstd[i] * k2[i]));
    }
}

void TL_SIMD(bn_grad)(const tl_map *x, const tl_map *dy, size_t m, int channels, const float *a,
                      const float *b, tl_act act, const float *mean, const float *rstd,
                      const float *k1, const float *k2, tl_map *dx)
{
    const size_t c = (size_t)channels, len = line_len(c), total = m * c;
    float room[6][LINE_MAX];
    grad_line l = { line_of(a, c, room[0]), line_of(b, c, room[1]), .act = act };
    if (k1) {
        l.mean = line_of(mean, c, room[2]);
        l.rstd = line_of(rstd, c, room[3]);
        l.k1 = line_of(k1, c, room[4]);
        l.k2 = line_of(k2, c, room[5]);
    }
#pragma omp parallel for if (total > SERIAL_BELOW)
    for (size_t i = 0; i < total; i += len) {
        size_t n = least(len, total - i);
        if (k1) grad_line_batch(&l, x + i, dy + i, dx + i, n);
        else
            grad_line_fixed(&l, x + i, dy + i, dx + i, n);
    }
}

/* ---- Sums that others made ---- */

void TL_SIMD(sums_total)(const tl_sums *sums, int c, double *total)
{
    const size_t n = 2 * (size_t)c;
    for (size_t i = 0; i < n; i++) total[i] = 0;
    for (int p = 0; p < sums->parts; p++) {
        const float *part = sums->at + (size_t)p * n;
#pragma omp simd
        for (size_t i = 0; i < n; i++) total[i] += (double)part[i];
    }
}
