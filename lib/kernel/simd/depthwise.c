/* depthwise.c - 3x3 depthwise convolution of a training step. SPDX-License-Identifier: MIT
 *
 *   y[h][v]  = sum over taps k,l of    x[h*s - p + k][v*s - p + l] * w[k][l]
 *   dx[h][v] = sum over taps k,l of    dy[i][j] * w[k][l]    where i*s - p + k = h, j*s - p + l = v
 *   dw[k][l] = sum over pixels h,v of  dy[i][j] * x[h][v]    the same i,j
 *
 * Nine multiplications per number moved: all that counts is how often memory and L1 are touched. So
 * TILE neighboring pixels share the loads of their windows and of the weights, and backward makes
 * both gradients in one pass over x and dy, where oneDNN needs two passes. Weights are packed so
 * that a vector of channels finds its nine taps side by side. A row of zeros stands for those
 * beyond the map; pixels whose window crosses the left or right border, and gradients at stride 2,
 * gather the taps that exist.
 *
 * What several windows reach (x in forward, dy in backward) is read through a batch norm, or widened from bf16, once, row
 * by row, into a ring of three rows; sums are made of what is written while it is in registers. Rows are cut into
 * TL_DW_PARTS chunks, each taken by one thread; what is summed per chunk is added in order. */
#include "through.h"
#include <omp.h>

enum { TAPS = 9, TILE = 4, RING = 3 };

typedef struct {
    tl_shape x, y;
    int stride, pad;
    size_t c;
    const float *zeros, *w; /* a row of the wider map; packed weights */
} problem;

/* What a batch norm wants of the numbers that are written: forward their sums; backward, where x is
 * read through it, that they are gated first. part NULL: neither. */
typedef struct {
    tl_bn_read read;
    const float *near;
    float *part; /* 2 x c */
    bool past;   /* and whether they go past the caches */
} wish;

/* A map read row by row: as it is, if that is floats, or into the ring `at`, through a batch norm or not. */
typedef struct {
    const tl_map *map;
    tl_shape s;
    const tl_bn_read *read;
    const tl_bn_undo *undo;
    float *at;
    size_t held[RING]; /* 1 + which row of the map; 0: none */
} rows;

typedef struct { /* the taps that exist at one pixel: where they read, which they are */
    const float *at[TAPS];
    size_t tap[TAPS];
    int n;
} window;

static size_t packed(size_t c) { return (c + TL_VEC - 1) / TL_VEC * TAPS * TL_VEC; }

static size_t zero_row(tl_shape x, tl_shape y)
{
    return (size_t)(x.w > y.w ? x.w : y.w) * (size_t)x.c;
}

/* Floats of a ring's row; whole vectors are written, so there are some to spare. */
static size_t ring_row(tl_shape s) { return round_up((size_t)s.w * (size_t)s.c + TL_VEC, 16); }

static size_t ring(tl_shape x, tl_shape y) { return RING * (ring_row(x) > ring_row(y) ? ring_row(x) : ring_row(y)); }

size_t TL_SIMD(dw_scratch)(tl_shape x, tl_shape y)
{
    return zero_row(x, y) + (1 + TL_DW_PARTS) * packed((size_t)x.c) + (size_t)omp_get_max_threads() * ring(x, y);
}

/* Where tap t of channel i lies among packed weights: TL_VEC channels' vectors for each tap. */
static size_t packed_at(size_t i, size_t t)
{
    return (i / TL_VEC * TAPS + t) * TL_VEC + i % TL_VEC;
}

static problem prepare(tl_shape x, tl_shape y, int stride, int pad, const float *w, float *scratch)
{
    const size_t c = (size_t)x.c, zeros = zero_row(x, y);
    float *to = scratch + zeros;
    memset(scratch, 0, (zeros + packed(c)) * sizeof *scratch);
    for (size_t i = 0; i < c; i++)
        for (size_t t = 0; t < TAPS; t++) to[packed_at(i, t)] = w[i * TAPS + t];
    return (problem){ x, y, stride, pad, c, scratch, to };
}

/* The ring of the calling thread. */
static float *own_ring(const problem *p, float *scratch)
{
    float *first = scratch + zero_row(p->x, p->y) + (1 + TL_DW_PARTS) * packed(p->c);
    return first + (size_t)omp_get_thread_num() * ring(p->x, p->y);
}

static wish wish_of(const tl_bn_read *read, const tl_sums *sums, size_t part, size_t c, bool past)
{
    wish w = { .past = past, .read = read ? *read : (tl_bn_read){ 0 } };
    if (!sums) return w;
    w.near = sums->near;
    w.part = memset(sums->at + part * 2 * c, 0, 2 * c * sizeof *w.part);
    return w;
}

/* Row h of picture n. */
static const float *row_of(const problem *p, rows *m, int n, int h)
{
    if (h < 0 || h >= m->s.h) return p->zeros;
    const size_t w = (size_t)m->s.w, row = (size_t)n * (size_t)m->s.h + (size_t)h, slot = row % RING;
    const tl_map *from = m->map + row * w * p->c;
    float *to = m->at + slot * ring_row(m->s);
    if (!m->read && !m->undo && floats_of(from)) return floats_of(from);
    if (m->held[slot] == row + 1) return to;
    m->held[slot] = row + 1;
    if (m->read) read_rows(from, w, p->c, *m->read, false, to, p->c);
    else if (m->undo)
        undo_rows(from, m->undo->z + row * w * p->c, w, p->c, *m->undo, false, to, p->c);
    else
        copy_rows(from, 1, w * p->c, false, to, 0);
    return to;
}

/* ---- Forward ---- */

/* n vectors of channels i.. of y are added to the sums. */
INLINE void sum_vectors(wish want, const vec *y, int n, size_t i, size_t c)
{
    const vec near = load(want.near + i, c - i);
    vec s = load(want.part + i, c - i), q = load(want.part + c + i, c - i);
#pragma GCC unroll 4
    for (int k = 0; k < n; k++) {
        vec d = y[k] - near;
        s += d;
        q += d * d;
    }
    store(want.part + i, s, c - i);
    store(want.part + c + i, q, c - i);
}

/* n neighboring pixels at y, whose windows begin at row[0..2]. */
INLINE void forward_tile(const int n, const int s, const float *const row[3], const float *w,
                         size_t c, wish want, tl_map *y)
{
    for (size_t i = 0; i < c; i += TL_VEC, w += TAPS * TL_VEC) {
        vec sum[TILE] = { { 0 } };
#pragma GCC unroll 8
        for (int j = 0; j < n * s; j++)
            __builtin_prefetch(row[2] + (size_t)(n * s + 3 - s + j) * c + i);
#pragma GCC unroll 4
        for (int q = 0; q < n; q++)
            if (!want.past) __builtin_prefetch(y + (size_t)(n + q) * c + i, 1);
#pragma GCC unroll 3
        for (int k = 0; k < 3; k++)
#pragma GCC unroll 9
            for (int j = 0; j < (n - 1) * s + 3; j++) {
                vec x = load(row[k] + (size_t)j * c + i, c - i);
#pragma GCC unroll 4
                for (int q = 0; q < n; q++) {
                    int l = j - q * s;
                    if (l >= 0 && l < 3) sum[q] += x * at(w + (k * 3 + l) * TL_VEC);
                }
            }
#pragma GCC unroll 4
        for (int q = 0; q < n; q++) write_map(y + (size_t)q * c + i, sum[q], c - i, want.past);
        if (want.part) sum_vectors(want, sum, n, i, c);
    }
}

static void forward_pixel(const window *v, const float *w, size_t c, wish want, tl_map *y)
{
    for (size_t i = 0; i < c; i += TL_VEC, w += TAPS * TL_VEC) {
        vec sum = { 0 };
        for (int t = 0; t < v->n; t++)
            sum += load(v->at[t] + i, c - i) * at(w + v->tap[t] * TL_VEC);
        write_map(y + i, sum, c - i, want.past);
        if (want.part) sum_vectors(want, &sum, 1, i, c);
    }
}

/* What output column v reads of these rows. */
static window sources(const problem *p, const float *const row[3], int v)
{
    window out = { .n = 0 };
    for (int l = 0; l < 3; l++) {
        int from = v * p->stride - p->pad + l;
        if (from < 0 || from >= p->x.w) continue;
        for (int k = 0; k < 3; k++) {
            out.at[out.n] = row[k] + (size_t)from * p->c;
            out.tap[out.n++] = (size_t)(k * 3 + l);
        }
    }
    return out;
}

INLINE void forward_row(const problem *p, const int s, rows *x, int n, int h, wish want,
                        tl_map *y)
{
    const float *row[3], *from[3];
    for (int k = 0; k < 3; k++) row[k] = row_of(p, x, n, h * s - p->pad + k);
    for (int v = 0; v < p->y.w;) {
        int first = v * s - p->pad, fit = first < 0 ? 0 : (p->x.w - first - 3) / s + 1;
        for (int k = 0; k < 3; k++) from[k] = row[k] + (first < 0 ? 0 : (size_t)first * p->c);
        tl_map *to = y + (size_t)v * p->c;
        if (first >= 0 && fit >= TILE && v + TILE <= p->y.w) {
            forward_tile(TILE, s, from, p->w, p->c, want, to);
            v += TILE;
        } else {
            window taps = sources(p, row, v++);
            forward_pixel(&taps, p->w, p->c, want, to);
        }
    }
}

void TL_SIMD(dw)(const tl_map *x, tl_shape xs, tl_shape ys, int stride, int pad, const float *w,
                 const tl_bn_read *read, const tl_sums *sums, tl_map *y, float *scratch)
{
    const problem p = prepare(xs, ys, stride, pad, w, scratch);
    const size_t count = (size_t)ys.n * (size_t)ys.h, len = (size_t)ys.w * p.c;
    const bool past = goes_past(y, count * len, p.c);
#pragma omp parallel for schedule(dynamic) if (tl_count(xs) > SERIAL_BELOW)
    for (size_t part = 0; part < TL_DW_PARTS; part++) {
        rows from = { .map = x, .s = xs, .read = read, .at = own_ring(&p, scratch) };
        const wish want = wish_of(NULL, sums, part, p.c, past);
        for (size_t r = count * part / TL_DW_PARTS; r < count * (part + 1) / TL_DW_PARTS; r++) {
            const int n = (int)(r / (size_t)ys.h), h = (int)(r % (size_t)ys.h);
            if (stride == 1) forward_row(&p, 1, &from, n, h, want, y + r * len);
            else
                forward_row(&p, 2, &from, n, h, want, y + r * len);
        }
    }
}

/* ---- Backward ---- */

/* Channels i.. of n pixels: what was read of x, and the gradient's gate, where there is a wish. */
INLINE void read_pixels(const int n, const tl_map *x, size_t i, size_t c, wish want, vec *xs)
{
#pragma GCC unroll 4
    for (int q = 0; q < n; q++) xs[q] = load_map(x + (size_t)q * c + i, c - i);
    if (!want.part) return;
    const vec a = load(want.read.a + i, c - i), b = load(want.read.b + i, c - i);
#pragma GCC unroll 4
    for (int q = 0; q < n; q++) xs[q] = activate_vec(xs[q] * a + b, want.read.act);
}

/* The activation passes g where it passed the same sign and less than its maximum. */
INLINE void write_pixels(const int n, const tl_map *x, const vec *xs, size_t i, size_t c, wish want, vec *g, tl_map *dx)
{
    if (want.part) {
        const vec near = load(want.near + i, c - i);
        vec s = load(want.part + i, c - i), t = load(want.part + c + i, c - i);
#pragma GCC unroll 4
        for (int q = 0; q < n; q++) {
            g[q] = gate_vec(xs[q], g[q], want.read.act);
            s += g[q];
            t += g[q] * (load_map(x + (size_t)q * c + i, c - i) - near);
        }
        store(want.part + i, s, c - i);
        store(want.part + c + i, t, c - i);
    }
#pragma GCC unroll 4
    for (int q = 0; q < n; q++) write_map(dx + (size_t)q * c + i, g[q], c - i, want.past);
}

/* n neighboring pixels of x and dx at stride 1; dy's pixels whose windows hold them begin at
 * g[0..2], one row for each k. */
INLINE void backward_tile(const int n, const float *const g[3], const tl_map *x, const float *w,
                          size_t c, wish want, tl_map *dx, float *dw)
{
    for (size_t i = 0; i < c; i += TL_VEC, w += TAPS * TL_VEC, dw += TAPS * TL_VEC) {
        vec sum[TILE] = { { 0 } }, xs[TILE];
        read_pixels(n, x, i, c, want, xs);
#pragma GCC unroll 4
        for (int q = 0; q < n; q++) {
            __builtin_prefetch(x + (size_t)(n + q) * c + i);
            __builtin_prefetch(g[0] + (size_t)(n + 2 + q) * c + i);
            if (!want.past) __builtin_prefetch(dx + (size_t)(n + q) * c + i, 1);
        }
#pragma GCC unroll 3
        for (int k = 0; k < 3; k++) {
            vec d[3];
#pragma GCC unroll 3
            for (int l = 0; l < 3; l++) d[l] = at(dw + (k * 3 + l) * TL_VEC);
#pragma GCC unroll 6
            for (int j = 0; j < n + 2; j++) {
                vec dy = load(g[k] + (size_t)j * c + i, c - i);
#pragma GCC unroll 4
                for (int q = 0; q < n; q++) {
                    int l = q + 2 - j;
                    if (l < 0 || l > 2) continue;
                    sum[q] += dy * at(w + (k * 3 + l) * TL_VEC);
                    d[l] += dy * xs[q];
                }
            }
#pragma GCC unroll 3
            for (int l = 0; l < 3; l++) put(dw + (k * 3 + l) * TL_VEC, d[l]);
        }
        write_pixels(n, x, xs, i, c, want, sum, dx);
    }
}

static void backward_pixel(const window *v, const tl_map *x, const float *w, size_t c, wish want,
                           tl_map *dx, float *dw)
{
    for (size_t i = 0; i < c; i += TL_VEC, w += TAPS * TL_VEC, dw += TAPS * TL_VEC) {
        vec sum = { 0 }, xs;
        read_pixels(1, x, i, c, want, &xs);
        for (int t = 0; t < v->n; t++) {
            vec dy = load(v->at[t] + i, c - i);
            float *d = dw + v->tap[t] * TL_VEC;
            sum += dy * at(w + v->tap[t] * TL_VEC);
            put(d, at(d) + dy * xs);
        }
        write_pixels(1, x, &xs, i, c, want, &sum, dx);
    }
}

/* The outputs that read input column v; row[k] NULL: none through tap row k. A stride of 1 or 2
 * divides by shifting, which counts here. */
static window targets(const problem *p, const float *const row[3], int v)
{
    const int shift = p->stride - 1;
    window out = { .n = 0 };
    for (int l = 0; l < 3; l++) {
        int from = v + p->pad - l, column = from >> shift;
        if (from < 0 || from & shift || column >= p->y.w) continue;
        for (int k = 0; k < 3; k++) {
            if (!row[k]) continue;
            out.at[out.n] = row[k] + (size_t)column * p->c;
            out.tap[out.n++] = (size_t)(k * 3 + l);
        }
    }
    return out;
}

/* One row of dx, and what it adds to dw (packed). */
static void backward_row(const problem *p, const tl_map *x, rows *dy, int n, int h, wish want,
                         tl_map *dx, float *dw)
{
    const float *row[3], *from[3];
    for (int k = 0; k < 3; k++) {
        int at_row = h + p->pad - k;
        row[k] = at_row % p->stride ? NULL : row_of(p, dy, n, at_row / p->stride);
    }
    for (int v = 0; v < p->x.w;) {
        int first = v + p->pad - 2;
        const size_t here = (size_t)v * p->c;
        if (p->stride == 1 && first >= 0 && first + TILE + 2 <= p->y.w && v + TILE <= p->x.w) {
            for (int k = 0; k < 3; k++) from[k] = row[k] + (size_t)first * p->c;
            backward_tile(TILE, from, x + here, p->w, p->c, want, dx + here, dw);
            v += TILE;
        } else {
            window taps = targets(p, row, v++);
            backward_pixel(&taps, x + here, p->w, p->c, want, dx + here, dw);
        }
    }
}

static void accumulate(const float *x, size_t n, float *y)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

void TL_SIMD(dw_grad)(const tl_map *x, const tl_map *dy, tl_shape xs, tl_shape ys, int stride, int pad,
                      const float *w, const tl_bn_read *read, const tl_sums *sums, const tl_bn_undo *undo, tl_map *dx,
                      float *dw, float *scratch)
{
    const problem p = prepare(xs, ys, stride, pad, w, scratch);
    const size_t count = (size_t)xs.n * (size_t)xs.h, len = (size_t)xs.w * p.c, size = packed(p.c);
    float *dws = scratch + zero_row(xs, ys) + size;
    const bool past = goes_past(dx, count * len, p.c);
#pragma omp parallel for schedule(dynamic) if (tl_count(xs) > SERIAL_BELOW)
    for (size_t part = 0; part < TL_DW_PARTS; part++) {
        rows grads = { .map = dy, .s = ys, .undo = undo, .at = own_ring(&p, scratch) };
        const wish want = wish_of(read, read ? sums : NULL, part, p.c, past);
        float *own = memset(dws + part * size, 0, size * sizeof *own);
        for (size_t r = count * part / TL_DW_PARTS; r < count * (part + 1) / TL_DW_PARTS; r++) {
            const int n = (int)(r / (size_t)xs.h), h = (int)(r % (size_t)xs.h);
            backward_row(&p, x + r * len, &grads, n, h, want, dx + r * len, own);
        }
    }
    for (size_t part = 1; part < TL_DW_PARTS; part++) accumulate(dws + part * size, size, dws);
    for (size_t i = 0; i < p.c; i++)
        for (size_t t = 0; t < TAPS; t++) dw[i * TAPS + t] = dws[packed_at(i, t)];
}
