/* resize.c - antialiased resampling, bit for bit as PIL. SPDX-License-Identifier: MIT
 *
 * Two passes, first along x, then along y, with an 8-bit picture between them. Each output pixel is
 * a weighted sum over a window of input pixels; the weights are a triangle (bilinear) or Keys'
 * cubic with a = -1/2 ("Cubic convolution interpolation for digital image processing", 1981),
 * stretched when shrinking so that every input pixel counts, and rounded to fixed point.
 *
 * One kernel, weigh, serves both passes: it sums whole rows. For the pass along x, strips of 16
 * rows are transposed (16x16 bytes at a time), so that a column of the strip is 16 consecutive
 * bytes, 48 with three channels, and the inner loop is as long and as contiguous as along y. */
#include "decode.h"
#include "kernel.h"
#include <math.h>
#include <string.h>

#define STRIP 16    /* rows transposed together */
#define SLACK 0.01f /* what a box may stick out, through rounding of its numbers */

/* Output pixel i is the sum of k[0..n-1] times input pixels first..first+n-1. */
typedef struct {
    int first, n;
    int32_t *k;
} window;

static double triangle(double x) { return x < 1 ? 1 - x : 0; }
static double cubic(double x)
{
    const double a = -0.5;
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/* The windows of `out` pixels spread over lo..hi of an axis with `in` pixels. */
static tl_status windows(tl_arena *a, int in, float lo, float hi, int out, tl_filter f,
                         window **table)
{
    double (*weight)(double) = f == TL_BICUBIC ? cubic : triangle;
    double step = (double)(hi - lo) / out, stretch = step > 1 ? step : 1;
    double reach = (f == TL_BICUBIC ? 2 : 1) * stretch;
    size_t most = (size_t)ceil(reach) * 2 + 1;
    window *win = tl_new(a, window, out);
    int32_t *k = tl_alloc_raw(a, sizeof *k * most * (size_t)out);
    double *exact = tl_alloc_raw(a, sizeof *exact * most);
    if (!win || !k || !exact) return TL_ENOMEM;
    for (int i = 0; i < out; i++, k += most) {
        double center = (double)lo + (i + 0.5) * step, sum = 0;
        int first = (int)(center - reach + 0.5), end = (int)(center + reach + 0.5);
        if (first < 0) first = 0;
        if (end > in) end = in;
        for (int j = 0; j < end - first; j++)
            sum += exact[j] = weight(fabs((j + first - center + 0.5) * (1 / stretch)));
        for (int j = 0; j < end - first; j++)
            k[j] = (int32_t)(exact[j] / sum * (1 << TL_WEIGHT_BITS) + (exact[j] < 0 ? -0.5 : 0.5));
        win[i] = (window){ first, end - first, k };
    }
    *table = win;
    return TL_OK;
}

/* to (n bytes) = the rows that win names, weighted; row j begins at from + j*stride. */
static void weigh(const uint8_t *from, size_t stride, const window *win, uint8_t *to, size_t n)
{
    tl_kernel()->weigh(from + (size_t)win->first * stride, stride, win->k, win->n, to, n);
}

typedef uint8_t lanes __attribute__((vector_size(STRIP)));

/* to[c][r] = from[r][c] for 16 x 16 bytes: four perfect shuffles of the sixteen rows. */
static void transpose16(const uint8_t *from, size_t from_stride, uint8_t *to, size_t to_stride)
{
    lanes v[16], t[16];
    for (int i = 0; i < 16; i++) memcpy(&v[i], from + (size_t)i * from_stride, 16);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 8; i++) {
            t[2 * i] = __builtin_shufflevector(v[i], v[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                               21, 6, 22, 7, 23);
            t[2 * i + 1] = __builtin_shufflevector(v[i], v[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12,
                                                   28, 13, 29, 14, 30, 15, 31);
        }
        memcpy(v, t, sizeof v);
    }
    for (int i = 0; i < 16; i++) memcpy(to + (size_t)i * to_stride, &v[i], 16);
}

/* to[c][r] = from[r][c]; rows x cols bytes, strides in bytes. */
static void transpose(const uint8_t *from, size_t from_stride, size_t rows, size_t cols,
                      uint8_t *to, size_t to_stride)
{
    for (size_t r = 0; r < rows; r += 16)
        for (size_t c = 0; c < cols; c += 16) {
            if (r + 16 <= rows && c + 16 <= cols) {
                transpose16(from + r * from_stride + c, from_stride, to + c * to_stride + r,
                            to_stride);
                continue;
            }
            for (size_t i = r; i < rows && i < r + 16; i++)
                for (size_t j = c; j < cols && j < c + 16; j++)
                    to[j * to_stride + i] = from[i * from_stride + j];
        }
}

/* Rows y0..y0+out->h-1 of `in`, resampled along x. */
static tl_status along_x(tl_arena *a, const tl_image *in, const window *win, int y0, tl_image *out)
{
    size_t c = (size_t)in->c, from_row = (size_t)in->w * c, to_row = (size_t)out->w * c;
    uint8_t *strip = tl_alloc(a, from_row * STRIP), *done = tl_alloc(a, to_row * STRIP);
    if (!strip || !done) return TL_ENOMEM;
    for (int y = 0; y < out->h; y += STRIP) {
        size_t rows = (size_t)(out->h - y < STRIP ? out->h - y : STRIP);
        transpose(in->p + (size_t)(y0 + y) * from_row, from_row, rows, from_row, strip, STRIP);
        for (int x = 0; x < out->w; x++)
            weigh(strip, STRIP * c, &win[x], done + (size_t)x * STRIP * c, STRIP * c);
        transpose(done, STRIP, to_row, rows, out->p + (size_t)y * to_row, to_row);
    }
    return TL_OK;
}

tl_status tl_image_resize(tl_arena *a, const tl_image *in, tl_crop box, int w, int h, tl_filter f,
                          tl_image *out)
{
    float right = box.x + box.w, bottom = box.y + box.h;
    TL_CHECK(box.w > 0 && box.h > 0 && box.x >= 0 && box.y >= 0 && right <= (float)in->w + SLACK &&
                 bottom <= (float)in->h + SLACK,
             TL_EARG, "the box %g,%g %gx%g is not inside the picture of %dx%d", (double)box.x,
             (double)box.y, (double)box.w, (double)box.h, in->w, in->h);
    right = fminf(right, (float)in->w);
    bottom = fminf(bottom, (float)in->h);
    window *xs, *ys;
    TL_TRY(windows(a, in->w, box.x, right, w, f, &xs));
    TL_TRY(windows(a, in->h, box.y, bottom, h, f, &ys));
    TL_TRY(tl_image_new(a, w, h, in->c, out));
    int y0 = ys[0].first, y1 = ys[h - 1].first + ys[h - 1].n; /* input rows that count */
    tl_image mid = { in->w, y1 - y0, in->c, in->p + (size_t)y0 * (size_t)in->w * (size_t)in->c };
    if (w != in->w || box.x > 0 || right < (float)in->w) {
        TL_TRY(tl_image_new(a, w, y1 - y0, in->c, &mid));
        TL_TRY(along_x(a, in, xs, y0, &mid));
    }
    size_t row = (size_t)w * (size_t)in->c;
    for (int y = 0; y < h; y++) {
        ys[y].first -= y0;
        weigh(mid.p, row, &ys[y], out->p + (size_t)y * row, row);
    }
    return TL_OK;
}
