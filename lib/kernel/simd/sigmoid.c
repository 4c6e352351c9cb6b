/* sigmoid.c - sigmoid, swish, and maps times a gate per channel. SPDX-License-Identifier: MIT
 *
 * The exponential is of the classic kind (Cody and Waite 1980): x = k ln 2 + r with |r| <= ln 2 / 2, ln 2 in two
 * parts so that r is exact, a polynomial for exp(r), and k put into the exponent's bits. Only -|x| is ever raised, so
 * nothing overflows; the results are within 3 units of the last place. */
#include "simd.h"

/* exp(x) for -87 <= x <= 0. NaN stays NaN. */
static inline float exp_below_zero(float x)
{
    const float round = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits */
    float k = x * 1.44269504f + round;
    int32_t bits;
    memcpy(&bits, &k, sizeof bits);
    k -= round;
    float r = x - k * 0.693359375f - k * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1;
    bits = (int32_t)((uint32_t)(bits + 127) << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

/* exp(-|x|), or hardly more than nothing */
static inline float exp_minus_abs(float x)
{
    float low = x > 0 ? -x : x;
    return exp_below_zero(low < -87 ? -87 : low);
}

static inline float sigmoid(float x)
{
    float e = exp_minus_abs(x);
    return (x > 0 ? 1 : e) / (1 + e);
}

void TL_SIMD(sigmoid)(const tl_map *x, size_t n, tl_map *y)
{
#pragma omp parallel for simd if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) y[i] = rounded(sigmoid(widened(x[i])));
}

void TL_SIMD(sigmoid_grad)(const tl_map *y, const tl_map *dy, size_t n, tl_map *dx)
{
#pragma omp parallel for simd if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) {
        const float s = widened(y[i]);
        dx[i] = rounded(widened(dy[i]) * s * (1 - s));
    }
}

void TL_SIMD(swish)(const tl_map *x, size_t n, tl_map *y)
{
#pragma omp parallel for simd if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) {
        const float v = widened(x[i]);
        y[i] = rounded(v * sigmoid(v));
    }
}

void TL_SIMD(swish_grad)(const tl_map *x, const tl_map *dy, size_t n, tl_map *dx)
{
#pragma omp parallel for simd if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) {
        const float v = widened(x[i]), e = exp_minus_abs(v), far = 1 / (1 + e), near = e * far;
        const float s = v > 0 ? far : near, rest = v > 0 ? near : far; /* rest: 1 - s, to its last digit */
        dx[i] = rounded(widened(dy[i]) * s * (1 + v * rest));
    }
}

/* ---- Products ---- */

void TL_SIMD(mul)(const tl_map *a, const tl_map *b, size_t n, tl_map *y)
{
#pragma omp parallel for simd if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) y[i] = rounded(widened(a[i]) * widened(b[i]));
}

void TL_SIMD(gate)(const tl_map *x, const float *s, tl_shape xs, tl_map *y)
{
    const size_t c = (size_t)xs.c, pixels = (size_t)xs.h * (size_t)xs.w;
#pragma omp parallel for collapse(2) if (tl_count(xs) > SERIAL_BELOW)
    for (int n = 0; n < xs.n; n++)
        for (size_t i = 0; i < pixels; i++) {
            const size_t at = ((size_t)n * pixels + i) * c;
#pragma omp simd
            for (size_t k = 0; k < c; k++) y[at + k] = rounded(widened(x[at + k]) * s[(size_t)n * c + k]);
        }
}

enum { BLOCK = 256 }; /* channels */

/* Channels c..c+len of one picture. Rows are summed on their own first: large maps keep their digits. */
static void dot_block(const tl_map *x, const tl_map *dy, tl_shape xs, int n, size_t c, float *ds, size_t len)
{
    float sum[BLOCK] = { 0 };
    for (int h = 0; h < xs.h; h++) {
        float row[BLOCK] = { 0 };
        for (int w = 0; w < xs.w; w++) {
            const size_t at = (((size_t)n * (size_t)xs.h + (size_t)h) * (size_t)xs.w + (size_t)w) * (size_t)xs.c + c;
#pragma omp simd
            for (size_t k = 0; k < len; k++) row[k] += widened(x[at + k]) * widened(dy[at + k]);
        }
        for (size_t k = 0; k < len; k++) sum[k] += row[k];
    }
    memcpy(ds + (size_t)n * (size_t)xs.c + c, sum, len * sizeof *ds);
}

void TL_SIMD(gate_grad)(const tl_map *x, const tl_map *dy, tl_shape xs, float *ds)
{
    const size_t c = (size_t)xs.c, blocks = (c + BLOCK - 1) / BLOCK;
#pragma omp parallel for collapse(2) if (tl_count(xs) > SERIAL_BELOW)
    for (int n = 0; n < xs.n; n++)
        for (size_t i = 0; i < blocks; i++) dot_block(x, dy, xs, n, i * BLOCK, ds, least(BLOCK, c - i * BLOCK));
}
