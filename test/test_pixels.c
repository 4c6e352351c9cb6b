/* test_pixels.c - kernels on pixels: resampling and normalizing. SPDX-License-Identifier: MIT */
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

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(resampling), TEST(pictures), TEST(recoloring) };
    RUN_FOR_EVERY_ISA(tests);
}
