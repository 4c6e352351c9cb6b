/* pixels.c - resampling pictures, and pictures to network input. SPDX-License-Identifier: MIT
 *
 * On one thread: loader threads call this, each for its own picture. */
#include "simd.h"

enum { STRIP = 96, HALF = STRIP / 2 }; /* sums of weigh, see there; a strip of resize.c is a half */
enum { PIXELS = 64 }; /* taken at a time, so that coefficients and reordered bytes stay in L1 */

/* n <= STRIP sums at a time, so that they stay in registers. */
static inline void weigh_some(const uint8_t *from, size_t stride, const int32_t *k, int taps, uint8_t *to, size_t n)
{
    int32_t sum[STRIP];
    for (size_t i = 0; i < n; i++) sum[i] = 1 << (TL_WEIGHT_BITS - 1);
    for (int j = 0; j < taps; j++)
        for (size_t i = 0; i < n; i++) sum[i] += k[j] * from[(size_t)j * stride + i];
    for (size_t i = 0; i < n; i++) {
        int32_t v = sum[i] >> TL_WEIGHT_BITS;
        to[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

void TL_SIMD(weigh)(const uint8_t *from, size_t stride, const int32_t *k, int taps, uint8_t *to, size_t n)
{
    size_t i = 0; /* with a constant n it is vector code */
    for (; i + STRIP <= n; i += STRIP) weigh_some(from + i, stride, k, taps, to + i, STRIP);
    for (; i + HALF <= n; i += HALF) weigh_some(from + i, stride, k, taps, to + i, HALF);
    if (i < n) weigh_some(from + i, stride, k, taps, to + i, n - i);
}

/* bytes (n) to floats with coefficients per position */
static void convert(const uint8_t *x, const float *mean, const float *rstd, float *y, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = ((float)x[i] - mean[i]) * rstd[i];
}

void TL_SIMD(normalize)(const uint8_t *x, size_t pixels, int channels, const int *order,
                        const float *mean, const float *rstd, float *y)
{
    enum { MAX_CHANNELS = 4 };
    const size_t c = (size_t)channels;
    assert(channels >= 1 && channels <= MAX_CHANNELS);
    uint8_t byte[PIXELS * MAX_CHANNELS];
    float m[PIXELS * MAX_CHANNELS], r[PIXELS * MAX_CHANNELS];
    for (size_t i = 0; i < PIXELS * c; i++) {
        m[i] = mean[i % c];
        r[i] = rstd[i % c];
    }
    for (size_t at = 0; at < pixels; at += PIXELS) {
        size_t n = least(PIXELS, pixels - at);
        for (size_t j = 0; j < c; j++)
            for (size_t i = 0; i < n; i++) byte[i * c + j] = x[(at + i) * c + (size_t)order[j]];
        convert(byte, m, r, y + at * c, n * c);
    }
}

/* One channel of the result, in bytes. */
static void mix(const float *r, const float *g, const float *b, const float *row, uint8_t *to)
{
    const float shift = 255.0f * row[3] + 0.5f;
#pragma omp simd
    for (size_t i = 0; i < PIXELS; i++) {
        float v = row[0] * r[i] + row[1] * g[i] + row[2] * b[i] + shift;
        to[i] = (uint8_t)(v < 0.0f ? 0.0f : v > 255.0f ? 255.0f : v);
    }
}

void TL_SIMD(recolor)(uint8_t *p, size_t pixels, const float *rows)
{
    float rgb[3][PIXELS] = { { 0 } };
    uint8_t to[3][PIXELS];
    for (; pixels; pixels -= least(PIXELS, pixels), p += 3 * PIXELS) {
        const size_t n = least(PIXELS, pixels);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < 3; k++) rgb[k][i] = p[3 * i + k];
        for (size_t k = 0; k < 3; k++) mix(rgb[0], rgb[1], rgb[2], rows + 4 * k, to[k]);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < 3; k++) p[3 * i + k] = to[k][i];
    }
}
