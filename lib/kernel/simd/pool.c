/* pool.c - max, average and global pooling. SPDX-License-Identifier: MIT
 *
 * Forward: one output row at a time, channels innermost, in blocks that stay in L1. Backward
 * gathers: each input pixel visits the windows that hold it, at most ceil(k/s) squared, so that dx
 * is written once, whole, and rows are independent. Sums are made in blocks of floats, not in the
 * map, which may be bf16. Windows are padded with zeros, as the original
 * pads. */
#include "simd.h"

enum { BLOCK = 256 }; /* channels */

typedef struct {
    tl_shape x, y;
    int k, s, p;
} window;

static size_t pixel(tl_shape s, int n, int h, int w)
{
    return (((size_t)n * (size_t)s.h + (size_t)h) * (size_t)s.w + (size_t)w) * (size_t)s.c;
}

/* The window of output pixel h,w reaches into the padding. */
static bool padded(const window *v, int h, int w)
{
    int top = h * v->s - v->p, left = w * v->s - v->p;
    return top < 0 || left < 0 || top + v->k > v->x.h || left + v->k > v->x.w;
}

/* Input row (column) of tap k of output row (column) `at`; -1: padding. */
static int source(const window *v, int at, int k, int size)
{
    int from = at * v->s - v->p + k;
    return from < size ? from : -1;
}

/* to = by * x */
static void write_all(const float *x, float by, tl_map *to, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] = rounded(by * x[i]);
}

/* ---- Max ---- */

/* Keep the larger of best and x, and which tap it was. NaN wins and stays. */
static void larger(const tl_map *x, int tap, float *best, int32_t *who, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const float v = widened(x[i]);
        bool take = (v > best[i]) | (v != v);
        best[i] = take ? v : best[i];
        who[i] = take ? tap : who[i];
    }
}

/* One block of channels of one output pixel: best (n) and who (n). Zeros of the padding win only
 * against what is below zero. */
static void max_at(const window *v, const tl_map *x, int n, int h, int w, size_t c, float *best,
                   int32_t *who, size_t len)
{
    for (size_t i = 0; i < len; i++) best[i] = -__builtin_inff(), who[i] = 0;
    for (int a = 0; a < v->k; a++)
        for (int b = 0; b < v->k; b++) {
            int ih = source(v, h, a, v->x.h), iw = source(v, w, b, v->x.w);
            if (ih >= 0 && iw >= 0)
                larger(x + pixel(v->x, n, ih, iw) + c, a * v->k + b, best, who, len);
        }
    if (!padded(v, h, w)) return;
    for (size_t i = 0; i < len; i++) {
        who[i] = best[i] < 0 ? v->k * v->k : who[i];
        best[i] = best[i] < 0 ? 0 : best[i];
    }
}

static void max_row(const window *v, const tl_map *x, int n, int h, uint8_t *winner, tl_map *y)
{
    const size_t c = (size_t)v->y.c;
    float best[BLOCK];
    int32_t who[BLOCK];
    for (int w = 0; w < v->y.w; w++)
        for (size_t i = 0; i < c; i += BLOCK) {
            size_t len = least(BLOCK, c - i), at = pixel(v->y, n, h, w) + i;
            max_at(v, x, n, h, w, i, best, who, len);
            write_all(best, 1, y + at, len);
            if (winner)
                for (size_t j = 0; j < len; j++) winner[at + j] = (uint8_t)who[j];
        }
}

void TL_SIMD(maxpool)(const tl_map *x, tl_shape xs, tl_shape ys, int k, int s, int p,
                      uint8_t *winner, tl_map *y)
{
    const window v = { xs, ys, k, s, p };
#pragma omp parallel for collapse(2) if (tl_count(xs) > SERIAL_BELOW)
    for (int n = 0; n < ys.n; n++)
        for (int h = 0; h < ys.h; h++) max_row(&v, x, n, h, winner, y);
}

/* First and last output row (column) whose window holds input row (column) `at`. */
static void holders(const window *v, int at, int size, int *first, int *last)
{
    int low = at + v->p - v->k + 1; /* the earliest window start */
    *first = low <= 0 ? 0 : (low + v->s - 1) / v->s;
    *last = (at + v->p) / v->s < size ? (at + v->p) / v->s : size - 1;
}

static void add_won(const tl_map *dy, const uint8_t *winner, int tap, float *sum, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) sum[i] += winner[i] == tap ? widened(dy[i]) : 0;
}

static void add_all(const tl_map *x, float *sum, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) sum[i] += widened(x[i]);
}

/* Sum over the windows that hold input pixel h,w, channels c..c+len; winner NULL: average. */
static void gather(const window *v, const tl_map *dy, const uint8_t *winner, int n, int h, int w,
                   size_t c, float *sum, size_t len)
{
    int top, bottom, left, right;
    holders(v, h, v->y.h, &top, &bottom);
    holders(v, w, v->y.w, &left, &right);
    memset(sum, 0, len * sizeof *sum);
    for (int a = top; a <= bottom; a++)
        for (int b = left; b <= right; b++) {
            const size_t at = pixel(v->y, n, a, b) + c;
            const int tap = (h + v->p - a * v->s) * v->k + w + v->p - b * v->s;
            if (winner) add_won(dy + at, winner + at, tap, sum, len);
            else
                add_all(dy + at, sum, len);
        }
}

/* dx of one input row. */
static void grad_row(const window *v, const tl_map *dy, const uint8_t *winner, int n, int h,
                     tl_map *dx)
{
    const size_t c = (size_t)v->x.c;
    const float share = winner ? 1 : 1.0f / (float)(v->k * v->k);
    float sum[BLOCK];
    for (int w = 0; w < v->x.w; w++)
        for (size_t i = 0; i < c; i += BLOCK) {
            const size_t len = least(BLOCK, c - i);
            gather(v, dy, winner, n, h, w, i, sum, len);
            write_all(sum, share, dx + pixel(v->x, n, h, w) + i, len);
        }
}

static void grad(const window *v, const tl_map *dy, const uint8_t *winner, tl_map *dx)
{
#pragma omp parallel for collapse(2) if (tl_count(v->x) > SERIAL_BELOW)
    for (int n = 0; n < v->x.n; n++)
        for (int h = 0; h < v->x.h; h++) grad_row(v, dy, winner, n, h, dx);
}

void TL_SIMD(maxpool_grad)(const tl_map *dy, const uint8_t *winner, tl_shape xs, tl_shape ys, int k,
                           int s, int p, tl_map *dx)
{
    grad(&(window){ xs, ys, k, s, p }, dy, winner, dx);
}

/* ---- Average ---- */

/* Sum over the window of output pixel h,w, channels c..c+len. */
static void window_sum(const window *v, const tl_map *x, int n, int h, int w, size_t c, float *sum,
                       size_t len)
{
    memset(sum, 0, len * sizeof *sum);
    for (int a = 0; a < v->k; a++)
        for (int b = 0; b < v->k; b++) {
            int ih = source(v, h, a, v->x.h), iw = source(v, w, b, v->x.w);
            if (ih >= 0 && iw >= 0) add_all(x + pixel(v->x, n, ih, iw) + c, sum, len);
        }
}

static void average_row(const window *v, const tl_map *x, int n, int h, tl_map *y)
{
    const size_t c = (size_t)v->y.c;
    const float share = 1.0f / (float)(v->k * v->k);
    float sum[BLOCK];
    for (int w = 0; w < v->y.w; w++)
        for (size_t i = 0; i < c; i += BLOCK) {
            const size_t len = least(BLOCK, c - i);
            window_sum(v, x, n, h, w, i, sum, len);
            write_all(sum, share, y + pixel(v->y, n, h, w) + i, len);
        }
}

void TL_SIMD(avgpool)(const tl_map *x, tl_shape xs, tl_shape ys, int k, int s, int p, tl_map *y)
{
    const window v = { xs, ys, k, s, p };
#pragma omp parallel for collapse(2) if (tl_count(xs) > SERIAL_BELOW)
    for (int n = 0; n < ys.n; n++)
        for (int h = 0; h < ys.h; h++) average_row(&v, x, n, h, y);
}

void TL_SIMD(avgpool_grad)(const tl_map *dy, tl_shape xs, tl_shape ys, int k, int s, int p,
                           tl_map *dx)
{
    grad(&(window){ xs, ys, k, s, p }, dy, NULL, dx);
}

/* ---- Global average ---- */

/* Channels c..c+len of one picture. Rows are summed on their own first: large maps keep their
 * digits. */
static void mean_block(const tl_map *x, tl_shape xs, int n, size_t c, float *y, size_t len)
{
    float row[BLOCK], sum[BLOCK] = { 0 };
    for (int h = 0; h < xs.h; h++) {
        memset(row, 0, len * sizeof *row);
        for (int w = 0; w < xs.w; w++) add_all(x + pixel(xs, n, h, w) + c, row, len);
        for (size_t i = 0; i < len; i++) sum[i] += row[i];
    }
    const float share = 1.0f / ((float)xs.h * (float)xs.w);
    for (size_t i = 0; i < len; i++) y[i] = sum[i] * share;
}

void TL_SIMD(gap)(const tl_map *x, tl_shape xs, float *y)
{
    const size_t c = (size_t)xs.c, blocks = (c + BLOCK - 1) / BLOCK;
#pragma omp parallel for collapse(2) if (tl_count(xs) > SERIAL_BELOW)
    for (int n = 0; n < xs.n; n++)
        for (size_t i = 0; i < blocks; i++)
            mean_block(x, xs, n, i * BLOCK, y + (size_t)n * c + i * BLOCK,
                       least(BLOCK, c - i * BLOCK));
}

void TL_SIMD(gap_grad)(const float *dy, tl_shape xs, tl_map *dx)
{
    const size_t c = (size_t)xs.c, pixels = (size_t)xs.h * (size_t)xs.w;
    const float share = 1.0f / (float)pixels;
#pragma omp parallel for collapse(2) if (tl_count(xs) > SERIAL_BELOW)
    for (int n = 0; n < xs.n; n++)
        for (size_t i = 0; i < pixels; i++)
            write_all(dy + (size_t)n * c, share, dx + ((size_t)n * pixels + i) * c, c);
}
