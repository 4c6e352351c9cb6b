/* bilinear.c - rows of a warped picture: read between pixels, recolored, normalized. SPDX-License-Identifier: MIT
 *
 * A row of the result is a straight line through the picture. The part of it that lies between pixels of the picture on all
 * sides is vector code: positions and weights of some pixels, then their four neighbors, two of which are one load of 8
 * bytes, then the blend, channel by channel. What is left, the line's ends, takes pixels one by one.
 *
 * On one thread: loader threads call this, each for its own picture. */
#include "simd.h"

enum { PIXELS = 64, CHANNELS = 3 }; /* taken at a time, so that all in between stays in L1 */
enum { WORD = 8 };                  /* bytes of a load */

/* Some pixels: where they lie (upper left neighbor, and how far past it), and their colors, 0..255. */
typedef struct {
    int32_t left[PIXELS], top[PIXELS];
    float   right[PIXELS], down[PIXELS];
    float   color[CHANNELS][PIXELS];
} block;

/* ---- Pixels one by one ---- */

static inline float sample(const tl_warping *w, int x, int y, int k)
{
    const bool inside = x >= 0 && x < w->w && y >= 0 && y < w->h;
    return inside ? (float)w->p[((size_t)y * (size_t)w->w + (size_t)x) * (size_t)w->c + (size_t)k] : 0.0f;
}

static void read_one(const tl_warping *w, float x, float y, block *b, size_t i)
{
    for (int k = 0; k < w->c; k++) b->color[k][i] = 0;
    if (!(x > -1 && y > -1 && x < (float)w->w && y < (float)w->h)) return; /* not a number, neither */
    const int left = (int)(x + 1) - 1, top = (int)(y + 1) - 1;
    const float right = x - (float)left, down = y - (float)top;
    for (int k = 0; k < w->c; k++) {
        const float upper = sample(w, left, top, k) * (1 - right) + sample(w, left + 1, top, k) * right;
        const float lower = sample(w, left, top + 1, k) * (1 - right) + sample(w, left + 1, top + 1, k) * right;
        b->color[k][i] = upper * (1 - down) + lower * down;
    }
}

/* ---- PIXELS at once, with neighbors on all sides ---- */

/* Rounding may put a position at the border just outside, and those past a row's end lie anywhere: all are moved inside. */
static void place(const tl_warping *w, float x, float y, float dx, float dy, block *b)
{
    const float most_x = (float)(w->w - 1), most_y = (float)(w->h - 1);
    const int32_t last_x = w->w - 2, last_y = w->h - 2;
#pragma omp simd
    for (int32_t i = 0; i < PIXELS; i++) {
        float px = x + (float)i * dx, py = y + (float)i * dy;
        px = px > 0 ? px : 0;
        py = py > 0 ? py : 0;
        px = px < most_x ? px : most_x;
        py = py < most_y ? py : most_y;
        const int32_t left = (int32_t)px < last_x ? (int32_t)px : last_x, top = (int32_t)py < last_y ? (int32_t)py : last_y;
        b->left[i] = left;
        b->top[i] = top;
        b->right[i] = px - (float)left;
        b->down[i] = py - (float)top;
    }
}

/* 8 bytes from at on; those past the last one are zero. */
static inline uint64_t word(const uint8_t *p, size_t at, size_t last)
{
    const size_t from = at < last ? at : last;
    uint64_t v;
    memcpy(&v, p + from, WORD);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v >> 8 * (at - from);
}

static inline float byte(uint32_t v, int n) { return (float)(v >> 8 * n & 255); }

static inline float blend(float ul, float ur, float ll, float lr, float right, float down)
{
    const float upper = ul * (1 - right) + ur * right, lower = ll * (1 - right) + lr * right;
    return upper * (1 - down) + lower * down;
}

static void read_rgb(const tl_warping *w, block *b)
{
    const size_t row = 3 * (size_t)w->w, last = row * (size_t)w->h - WORD;
    uint32_t u0[PIXELS], u1[PIXELS], l0[PIXELS], l1[PIXELS]; /* upper and lower pair: r g b r, g b */
    for (size_t i = 0; i < PIXELS; i++) {
        const size_t at = (size_t)b->top[i] * row + 3 * (size_t)b->left[i];
        const uint64_t upper = word(w->p, at, last), lower = word(w->p, at + row, last);
        u0[i] = (uint32_t)upper, u1[i] = (uint32_t)(upper >> 32);
        l0[i] = (uint32_t)lower, l1[i] = (uint32_t)(lower >> 32);
    }
#pragma omp simd
    for (size_t i = 0; i < PIXELS; i++) {
        const float right = b->right[i], down = b->down[i];
        b->color[0][i] = blend(byte(u0[i], 0), byte(u0[i], 3), byte(l0[i], 0), byte(l0[i], 3), right, down);
        b->color[1][i] = blend(byte(u0[i], 1), byte(u1[i], 0), byte(l0[i], 1), byte(l1[i], 0), right, down);
        b->color[2][i] = blend(byte(u0[i], 2), byte(u1[i], 1), byte(l0[i], 2), byte(l1[i], 1), right, down);
    }
}

static void read_gray(const tl_warping *w, block *b)
{
    const size_t row = (size_t)w->w;
    float ul[PIXELS], ur[PIXELS], ll[PIXELS], lr[PIXELS];
    for (size_t i = 0; i < PIXELS; i++) {
        const uint8_t *p = w->p + (size_t)b->top[i] * row + (size_t)b->left[i];
        ul[i] = p[0], ur[i] = p[1], ll[i] = p[row], lr[i] = p[row + 1];
    }
#pragma omp simd
    for (size_t i = 0; i < PIXELS; i++) b->color[0][i] = blend(ul[i], ur[i], ll[i], lr[i], b->right[i], b->down[i]);
}

/* ---- Colors to numbers ---- */

static void recolor(const float *rows, block *b)
{
#pragma omp simd
    for (size_t i = 0; i < PIXELS; i++) {
        float v[3];
        for (int k = 0; k < 3; k++) {
            const float *row = rows + 4 * k;
            v[k] = row[0] * b->color[0][i] + row[1] * b->color[1][i] + row[2] * b->color[2][i] + 255.0f * row[3];
            v[k] = v[k] < 0.0f ? 0.0f : v[k] > 255.0f ? 255.0f : v[k];
        }
        for (int k = 0; k < 3; k++) b->color[k][i] = v[k];
    }
}

static void finish(const tl_warping *w, block *b, size_t n, float *to)
{
    const size_t c = (size_t)w->c;
    if (w->rows) recolor(w->rows, b);
    for (size_t k = 0; k < c; k++) {
        const float *from = b->color[w->order[k]], mean = w->mean[k], rstd = w->rstd[k];
        for (size_t i = 0; i < n; i++) to[i * c + k] = (from[i] - mean) * rstd;
    }
}

/* ---- Rows ---- */

/* Of 0..n-1 cut off what has x + i*dx outside of 0..most. */
static void cut(double x, double dx, double most, double *from, double *to)
{
    if (!(most >= 1 && dx - dx == 0 && x - x == 0)) { /* without neighbors, or not finite */
        *to = *from;
    } else if (dx == 0) {
        if (x < 0 || x > most) *to = *from;
    } else {
        const double a = -x / dx, b = (most - x) / dx, first = a < b ? a : b, last = a < b ? b : a;
        if (first > *from) *from = first;
        if (last + 1 < *to) *to = last + 1;
    }
}

void TL_SIMD(warp)(const tl_warping *w, double x, double y, double dx, double dy, size_t n, float *to)
{
    const bool words = (size_t)w->w * (size_t)w->h * (size_t)w->c >= WORD;
    double from = 0, end = words ? (double)n : 0;
    block b;
    assert(w->c == 1 || w->c == 3);
    memset(&b, 0, sizeof b); /* colors past a short block's end are computed as well, and not used */
    cut(x, dx, w->w - 1, &from, &end);
    cut(y, dy, w->h - 1, &from, &end);
    const size_t first = from < end ? (size_t)__builtin_ceil(from) : n, last = from < end ? (size_t)end : n;
    for (size_t i = 0; i < n;) {
        const bool inside = i >= first && i < last;
        const size_t some = least(PIXELS, (i < first ? first : inside ? last : n) - i);
        const double at_x = x + (double)i * dx, at_y = y + (double)i * dy;
        if (!inside)
            for (size_t j = 0; j < some; j++)
                read_one(w, (float)(at_x + (double)j * dx), (float)(at_y + (double)j * dy), &b, j);
        else place(w, (float)at_x, (float)at_y, (float)dx, (float)dy, &b);
        if (inside && w->c == 3) read_rgb(w, &b);
        if (inside && w->c == 1) read_gray(w, &b);
        finish(w, &b, some, to + i * (size_t)w->c);
        i += some;
    }
}
