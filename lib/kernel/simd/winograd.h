/* winograd.h - Winograd's convolution: transforms and tiles. SPDX-License-Identifier: MIT
 *
 * m neighboring outputs y of a filter g of 3 taps need m + 2 inputs d, but only m + 2 multiplications
 * instead of 3m:
 *
 *   y = A'[(G g) . (B'd)]          and in two dimensions      y = A'[(G g G') . (B'd B)]A
 *
 * G and A evaluate polynomials at m + 2 points, B' is what makes the equation true (Winograd, "Arithmetic
 * Complexity of Computations", 1980; Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
 * 2015). The output is cut into tiles of 4x4. In each of the 36 planes, which are pairs of points, what
 * remains for all tiles and channels is a matrix product; the 36 together have a quarter of the
 * multiplications of the convolution. The transposes of the three transforms give the gradients.
 *
 * The points are 0, infinity, P, -P, Q, -Q, with P and Q chosen by trying for the least error in f32.
 *
 * Maps whose size is not a multiple of 4 end with a row and a column of smaller tiles, m = 1 to 3. They
 * use the first m + 2 of the same points, hence planes that are there anyway: filters are transformed
 * once, for whole tiles, and B' makes up for their scale. So 7 pixels cost 6 + 5 multiplications instead
 * of 6 + 6, and no tile reaches beyond the map.
 *
 * Where bf16 is multiplied (product.h), that is rounded after the transforms. With these points that leaves
 * errors of 1% of a result's standard deviation, where a direct convolution's, of rounded filters, are 0.2%. */
#ifndef TL_WINOGRAD_H
#define TL_WINOGRAD_H
#include "product.h"

enum { TILE = 4, SIDE = TILE + 2, PLANES = SIDE * SIDE, TAPS = 9 };

/* At least n floats, an odd number of cache lines: rows so far apart do not compete for the same ones. */
static inline size_t odd(size_t n) { return round_up(n, 16) | 16; }

/* ---- Lines ---- */
#define P  0.625f
#define Q  1.5f
#define P2 (P * P)
#define Q2 (Q * Q)

/* The values at the first n points of a polynomial with coefficients c; at infinity it is the last one. */
INLINE void evaluate(const int terms, const int n, const vec *c, vec *v)
{
    v[0] = c[0];
    v[1] = c[terms - 1];
#pragma GCC unroll 2
    for (int k = 2; k < n; k += 2) {
        const float x = k == 2 ? P : Q;
        vec even = c[0], odds = { 0 };
        if (terms > 1) odds = x * c[1];
        if (terms > 2) even += x * x * c[2];
        if (terms > 3) odds += x * x * x * c[3];
        v[k] = even + odds;
        if (k + 1 < n) v[k + 1] = even - odds;
    }
}

/* The transpose of evaluate. */
INLINE void collect(const int n, const int terms, const vec *v, vec *c)
{
    vec even = v[2], odds = v[2], even_q = { 0 }, odds_q = { 0 };
    if (n > 3) even += v[3], odds -= v[3];
    if (n > 4) even_q = odds_q = v[4];
    if (n > 5) even_q += v[5], odds_q -= v[5];
    c[0] = n > 4 ? v[0] + (even + even_q) : v[0] + even;
    if (terms > 1) c[1] = n > 4 ? P * odds + Q * odds_q : P * odds;
    if (terms > 2) c[2] = n > 4 ? P2 * even + Q2 * even_q : P2 * even;
    if (terms > 3) c[3] = P2 * P * odds + Q2 * Q * odds_q;
    c[terms - 1] += v[1];
}

/* B': row x has the coefficients of the polynomial that is zero at all of the m + 2 points but x. */
INLINE void window(const int m, const vec *d, vec *v)
{
    if (m == 4) {
        const vec even_p = d[4] - Q2 * d[2], odds_p = d[3] - Q2 * d[1];
        const vec even_q = d[4] - P2 * d[2], odds_q = d[3] - P2 * d[1];
        v[0] = d[4] + (P2 * Q2 * d[0] - (P2 + Q2) * d[2]);
        v[1] = d[5] + (P2 * Q2 * d[1] - (P2 + Q2) * d[3]);
        v[2] = even_p + P * odds_p;
        v[3] = even_p - P * odds_p;
        v[4] = even_q + Q * odds_q;
        v[5] = even_q - Q * odds_q;
    } else if (m == 3) {
        const vec high = d[3] - Q * d[2], low = d[2] - Q * d[1], odds_q = d[3] - P2 * d[1];
        v[0] = Q * (odds_q - Q * (d[2] - P2 * d[0]));
        v[1] = d[4] - P2 * d[2] - Q * odds_q;
        v[2] = (P + Q) * (high + P * low);
        v[3] = (Q - P) * (high - P * low);
        v[4] = 2 * Q * odds_q;
    } else if (m == 2) {
        v[0] = Q2 * (P2 * d[0] - d[2]);
        v[1] = d[3] - P2 * d[1];
        v[2] = (P2 - Q2) * (d[2] + P * d[1]);
        v[3] = (P2 - Q2) * (d[2] - P * d[1]);
    } else {
        v[0] = P * Q2 * (P * d[0] - d[1]);
        v[1] = d[2] - P * d[1];
        v[2] = 2 * P * (P2 - Q2) * d[1];
    }
}

/* What G's rows are multiplied with: one over the product of a point's distances from the others. */
#define SCALE_P (1 / (2 * P2 * (P2 - Q2)))
#define SCALE_Q (1 / (2 * Q2 * (Q2 - P2)))
static const float scale[SIDE] = { 1 / (P2 * Q2), 1, SCALE_P, SCALE_P, SCALE_Q, SCALE_Q };

/* ---- Transforms: lines down the columns, then along the rows ----
 * Each is there for every tile size m, in both directions. In between it passes through memory; but that
 * is the first-level cache, and height and width may differ without code for each pair of them. */
typedef enum {
    WINDOW,         /* B'd B: m + 2 numbers to m + 2 */
    GRADIENT,       /* A dy A': m to m + 2 */
    OUTPUT,         /* A'. A: m + 2 to m */
    FILTER,         /* G g G': 3 to 6 */
    FILTER_GRADIENT /* G'. G: 6 to 3 */
} transform;

INLINE int inputs(transform t, int m) { return t == FILTER ? 3 : t == GRADIENT ? m : m + 2; }
INLINE int outputs(transform t, int m) { return t == FILTER_GRADIENT ? 3 : t == OUTPUT ? m : m + 2; }

INLINE void line(const transform t, const int m, const vec *in, vec *out)
{
    vec scaled[SIDE];
    if (t == WINDOW) window(m, in, out);
    if (t == GRADIENT) evaluate(m, m + 2, in, out);
    if (t == OUTPUT) collect(m + 2, m, in, out);
    if (t == FILTER) {
        evaluate(3, SIDE, in, out);
#pragma GCC unroll 6
        for (int k = 0; k < SIDE; k++) out[k] *= scale[k];
    }
    if (t == FILTER_GRADIENT) {
#pragma GCC unroll 6
        for (int k = 0; k < SIDE; k++) scaled[k] = scale[k] * in[k];
        collect(SIDE, 3, scaled, out);
    }
}

/* Run CASE(m) with the constant that m is. */
#define EACH_SIZE(m, CASE) \
    switch (m) { CASE(1) CASE(2) CASE(3) CASE(4) }

/* Where a transform reads n channels: number (i, j) at `offset` from at[i * SIDE + j]; windows and gradients are of
 * a map. What will be read next lies `ahead` from there; 0: who knows. And where it writes a vector: likewise, of floats,
 * or of numbers like those of maps. */
typedef struct { const tl_map *const *map; const float *const *at; size_t offset, n, ahead; } source;
typedef struct { float *const *at; size_t offset; bool as_map; } target;

INLINE vec take(const transform t, source from, int k)
{
    if (t != WINDOW && t != GRADIENT) return load(from.at[k] + from.offset, from.n);
    const tl_map *p = from.map[k] + from.offset;
    if (from.ahead) __builtin_prefetch(p + from.ahead);
    return load_map(p, from.n);
}

INLINE void give(target to, int k, vec v)
{
    if (to.as_map) store_map((tl_map *)(void *)to.at[k] + to.offset, v, TL_VEC);
    else
        put(to.at[k] + to.offset, v);
}

INLINE void down(const transform t, const int m, int columns, source from, vec mid[SIDE][SIDE])
{
    for (int j = 0; j < columns; j++) {
        vec in[SIDE], out[SIDE];
#pragma GCC unroll 6
        for (int i = 0; i < inputs(t, m); i++) in[i] = take(t, from, i * SIDE + j);
        line(t, m, in, out);
#pragma GCC unroll 6
        for (int i = 0; i < outputs(t, m); i++) mid[i][j] = out[i];
    }
}

INLINE void along(const transform t, const int m, int rows, vec mid[SIDE][SIDE], target to)
{
    for (int i = 0; i < rows; i++) {
        vec out[SIDE];
        line(t, m, mid[i], out);
#pragma GCC unroll 6
        for (int j = 0; j < outputs(t, m); j++) give(to, i * SIDE + j, out[j]);
    }
}

/* One vector of channels of one tile of h x w. */
INLINE void spread(const transform t, int h, int w, source from, target to)
{
    _Alignas(64) vec mid[SIDE][SIDE];
#define CASE(M) \
    case M: down(t, M, inputs(t, w), from, mid); break;
    EACH_SIZE(h, CASE)
#undef CASE
#define CASE(M) \
    case M: along(t, M, outputs(t, h), mid, to); break;
    EACH_SIZE(w, CASE)
#undef CASE
}

/* Addresses of the planes, `step` floats apart. */
static inline void plane_table(float *base, size_t step, float *to[PLANES])
{
    for (size_t k = 0; k < PLANES; k++) to[k] = base + k * step;
}

/* ---- Tiles ---- */

/* Tiles of one kind in every picture: rows x cols of them, the first at pixel (y, x), each of h x w pixels. */
typedef struct { size_t n; int rows, cols, y, x, h, w; } tile_kind;

/* Tiles are numbered kind by kind: the right edge, whole ones, the bottom edge, the corner. Thus the tiles
 * that need a plane always follow each other: only the first two kinds need all rows of planes, and only the
 * middle two all columns. */
enum { RIGHT, WHOLE, BOTTOM, CORNER, KINDS };
typedef struct {
    tile_kind kind[KINDS];
    size_t all;
    int h, w; /* of tiles at the bottom, at the right; 0: none is small */
} tiling;

typedef struct { int n, y, x, h, w; } tile;
typedef struct { size_t first, n; } span;

static inline tiling tiles_of(tl_shape s)
{
    const int rows = s.h / TILE, cols = s.w / TILE, y = rows * TILE, x = cols * TILE, h = s.h - y, w = s.w - x;
    tiling t = { .kind = { [RIGHT] = { 0, rows, w > 0, 0, x, TILE, w },
                           [WHOLE] = { 0, rows, cols, 0, 0, TILE, TILE },
                           [BOTTOM] = { 0, h > 0, cols, y, 0, h, TILE },
                           [CORNER] = { 0, h > 0, w > 0, y, x, h, w } },
                 .h = h,
                 .w = w };
    for (int k = 0; k < KINDS; k++) {
        t.kind[k].n = (size_t)s.n * (size_t)(t.kind[k].rows * t.kind[k].cols);
        t.all += t.kind[k].n;
    }
    return t;
}

static inline tile tile_at(const tiling *t, size_t i)
{
    const tile_kind *k = t->kind;
    for (; i >= k->n; k++) i -= k->n;
    const int number = (int)i, each = k->rows * k->cols, here = number % each;
    return (tile){ number / each, k->y + here / k->cols * TILE, k->x + here % k->cols * TILE, k->h, k->w };
}

/* Which of tiles first..end need plane k; counted from `first`. */
static inline span tiles_in_plane(const tiling *t, int k, size_t first, size_t end)
{
    const bool top = k / SIDE < t->h + 2, left = k % SIDE < t->w + 2; /* of what the edges' tiles need */
    size_t from = left ? 0 : t->kind[RIGHT].n, to = t->all;
    if (!top) to -= t->kind[BOTTOM].n;
    if (!top || !left) to -= t->kind[CORNER].n;
    if (from < first) from = first;
    if (to > end) to = end;
    return (span){ from < to ? from - first : 0, from < to ? to - from : 0 };
}

/* Where pixel (y, x) of picture n lies. */
static inline size_t pixel(tl_shape s, int n, int y, int x)
{
    return (((size_t)n * (size_t)s.h + (size_t)y) * (size_t)s.w + (size_t)x) * (size_t)s.c;
}

/* Addresses of the h x w pixels of picture n from (y, x) on; beyond the map: of `zeros`. */
static inline void pixels(const tl_map *map, tl_shape s, int n, int y, int x, int h, int w, const void *zeros,
                          const tl_map *to[PLANES])
{
    for (int i = 0; i < h; i++)
        for (int j = 0; j < w; j++) {
            const bool inside = y + i >= 0 && y + i < s.h && x + j >= 0 && x + j < s.w;
            to[i * SIDE + j] = inside ? map + pixel(s, n, y + i, x + j) : zeros;
        }
}

/* ---- The product in a plane ---- */

/* c (rows x NR) = a (rows x depth) * b (depth x NR); += with `add`; `across`: a is given as its transpose. Depth is in words. */
INLINE void product_rows(const int rows, const bool across, const bool add, size_t depth, const float *a,
                         size_t lda, const float *b, float *c)
{
    vec sum[MR][2] = { { { 0 } } };
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
        if (add) sum[r][0] = at(c + r * NR);
        if (add) sum[r][1] = at(c + r * NR + TL_VEC);
    }
    product(PAIRED, rows, 2, depth, a, across ? 1 : lda, across ? lda : 1, b, NR, sum);
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
        put(c + r * NR, sum[r][0]);
        put(c + r * NR + TL_VEC, sum[r][1]);
    }
}

INLINE void product_plane(size_t rows, const bool across, const bool add, size_t depth, const float *a,
                          size_t lda, const float *b, float *c)
{
    const size_t parts = (rows + MR - 1) / MR;
    for (size_t i = 0; i < parts; i++) { /* of nearly equal height */
        const size_t r = rows * i / parts, n = rows * (i + 1) / parts - r;
#define CASE(R) \
    case R: product_rows(R, across, add, depth, a + r * (across ? 1 : lda), lda, b, c + r * NR); break;
        EACH_HEIGHT(n, CASE)
#undef CASE
    }
}

/* ---- Transposing ---- */
#if TL_VEC == 16
#define LOW(a, b)  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif TL_VEC == 8
#define LOW(a, b)  __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define LOW(a, b)  __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

/* Rows become columns. Interleaving the first half of the rows with the second moves the top bit of a row's
 * number to the bottom of the column's; when all bits have moved, row and column have changed places. */
INLINE void transpose(vec r[TL_VEC])
{
#pragma GCC unroll 4
    for (int round = 1; round < TL_VEC; round *= 2) {
        vec next[TL_VEC];
#pragma GCC unroll 8
        for (int i = 0; i < TL_VEC / 2; i++) {
            next[2 * i] = LOW(r[i], r[i + TL_VEC / 2]);
            next[2 * i + 1] = HIGH(r[i], r[i + TL_VEC / 2]);
        }
        memcpy(r, next, sizeof next);
    }
}
#endif
