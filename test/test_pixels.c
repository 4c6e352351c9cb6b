/* test_pixels.c - kernels on pixels: resampling, warping and normalizing. SPDX-License-Identifier: MIT */
#include "isa.h"

static void resampling(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 15, 16, 48, 1003 };
    const int32_t one = 1 << TL_WEIGHT_BITS, weights[] = { one / 2, -one / 4, one, one / 3, 7 };
    for (int i = 0; i < TL_LEN(sizes); i++)
        for (int taps = 1; taps <= TL_LEN(weights); taps++) {
            size_t n = sizes[i], stride = n + 5;
            uint8_t *x = tl_new(arena, uint8_t, stride * TL_LEN(weights)), *y = tl_new(arena, uint8_t, n + 1);
            for (size_t e = 0; e < stride * TL_LEN(weights); e++) x[e] = (uint8_t)tl_rng_below(&rng, 256);
            k->weigh(x, stride, weights, taps, y, n);
            for (size_t e = 0; e < n; e++) {
                double sum = 0;
                for (int j = 0; j < taps; j++) sum += (double)weights[j] / one * x[(size_t)j * stride + e];
                assert_int_equal(y[e], fmin(fmax(floor(sum + 0.5), 0), 255));
            }
            assert_int_equal(y[n], 0); /* no byte more */
        }
}

static void pictures(void **state)
{
    (void)state;
    static const int order[4] = { 2, 1, 0, 3 };
    static const float mean[4] = { 103.9f, 116.8f, 123.7f, 7 }, rstd[4] = { 1, 0.5f, 0.017f, 2 };
    static const size_t pixels[] = { 1, 63, 64, 1001 };
    for (int i = 0; i < TL_LEN(pixels); i++)
        for (int c = 1; c <= 4; c++) {
            size_t n = pixels[i] * (size_t)c;
            const int *from = order + (c == 1 ? 2 : 0); /* one channel: {0} */
            uint8_t *x = tl_new(arena, uint8_t, n);
            float *y = room(n);
            double *want = tl_new(arena, double, n);
            for (size_t e = 0; e < n; e++) x[e] = (uint8_t)tl_rng_below(&rng, 256);
            if (c == 2) continue; /* no such pictures, and {2, 1} is no order of two channels */
            for (size_t e = 0; e < n; e++) {
                size_t ch = e % (size_t)c;
                want[e] =
                    ((double)x[e - ch + (size_t)from[ch]] - (double)mean[ch]) * (double)rstd[ch];
            }
            k->normalize(x, pixels[i], c, from, mean, rstd, y);
            expect("normalize", y, want, n, 1e-6);
        }
}

static void recoloring(void **state)
{
    (void)state;
    static const float rows[12] = { 1.1f, -0.2f, 0.05f, 0.02f, 0, 2, -1, 0, 0.3f, 0.3f, 0.3f, -0.1f };
    static const size_t pixels[] = { 1, 63, 64, 200 };
    for (int i = 0; i < TL_LEN(pixels); i++) {
        const size_t n = pixels[i] * 3;
        uint8_t *x = tl_new(arena, uint8_t, n + 1), *y = tl_new(arena, uint8_t, n + 1);
        for (size_t e = 0; e <= n; e++) y[e] = x[e] = (uint8_t)tl_rng_below(&rng, 256);
        k->recolor(y, pixels[i], rows);
        for (size_t e = 0; e < n; e++) {
            const uint8_t *p = x + e / 3 * 3;
            const float *row = rows + e % 3 * 4;
            double v = (double)row[0] * p[0] + (double)row[1] * p[1] + (double)row[2] * p[2] + 255 * (double)row[3];
            v = fmin(fmax(v, 0), 255);
            if (!(fabs(y[e] - v) <= 0.5001)) fail_msg("%s: byte %zu of %zu is %d, not %g", k->isa, e, n, y[e], v);
        }
        assert_int_equal(y[n], x[n]); /* no byte more */
    }
}

/* What warp is to give at one position, 0..255, from pixels alone. */
static double read_at(const tl_warping *w, double x, double y, int channel)
{
    double sum = 0;
    for (int v = 0; v < w->h; v++)
        for (int u = 0; u < w->w; u++) {
            const double weight = fmax(0, 1 - fabs(u - x)) * fmax(0, 1 - fabs(v - y));
            sum += weight * w->p[(v * w->w + u) * w->c + channel];
        }
    return sum;
}

static void warping(void **state)
{
    (void)state;
    static const float rows[12] = { 1.1f, -0.2f, 0.05f, 0.02f, 0, 2, -1, 0, 0.3f, 0.3f, 0.3f, -0.1f };
    static const float mean[] = { 3, 5, 7 }, rstd[] = { 1, 0.5f, 2 };
    static const int order[] = { 2, 0, 1 };
    static const struct { int w, h; double x, y, dx, dy; size_t n; } cases[] = {
        { 9, 4, 0, 0, 1, 0, 9 }, { 30, 20, -4.3, 2.2, 0.21, 0.11, 200 }, { 30, 20, 35.5, 19.5, -0.2, -0.1, 200 },
        { 1, 1, -1, -1, 0.1, 0.1, 25 }, { 2, 1, -1, 0, 0.1, 0, 40 }, { 3, 3, 2.5, -2, 0, 0.25, 30 }, { 8, 8, 7, 7, 0, 0, 3 },
        { 40, 3, 0, 0.5, 1.7, 0, 64 }, { 30, 20, 29, 19, -0.01, 0, 70 }, { 30, 20, 1e9, 4, -1, 0, 5 }, { 200, 2, 0, 0, 1, 0, 200 },
    };
    for (int i = 0; i < TL_LEN(cases); i++)
        for (int c = 1; c <= 4; c += c == 3 ? 1 : 2) {
            const bool colored = c == 4; /* three channels with rows */
            const size_t n = cases[i].n, pixels = (size_t)(cases[i].w * cases[i].h * (colored ? 3 : c));
            uint8_t *p = tl_new(arena, uint8_t, pixels);
            const tl_warping w = { p, cases[i].w, cases[i].h, colored ? 3 : c, colored ? rows : NULL,
                                   c == 1 ? order + 1 : order, mean, rstd };
            float *y = room(n * (size_t)w.c + 1);
            double *want = tl_new(arena, double, n * (size_t)w.c);
            for (size_t e = 0; e < pixels; e++) p[e] = (uint8_t)tl_rng_below(&rng, 256);
            for (size_t e = 0; e < n * (size_t)w.c; e++) {
                const size_t at = e / (size_t)w.c, out = e % (size_t)w.c;
                const double px = cases[i].x + (double)at * cases[i].dx, py = cases[i].y + (double)at * cases[i].dy;
                const float *row = rows + 4 * w.order[out];
                double v = colored ? 255 * (double)row[3] : read_at(&w, px, py, w.order[out]);
                for (int ch = 0; colored && ch < 3; ch++) v += (double)row[ch] * read_at(&w, px, py, ch);
                want[e] = (fmin(fmax(v, 0), 255) - (double)mean[out]) * (double)rstd[out];
            }
            k->warp(&w, cases[i].x, cases[i].y, cases[i].dx, cases[i].dy, n, y);
            expect(tl_printf(arena, "warp %d", i), y, want, n * (size_t)w.c, 3e-5);
            assert_true(y[n * (size_t)w.c] == 0); /* no number more */
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(resampling), TEST(pictures), TEST(recoloring), TEST(warping) };
    RUN_FOR_EVERY_ISA(tests);
}
