/* pixels.c - pictures to network input. SPDX-License-Identifier: MIT
 *
 * On one thread: loader threads call this, each for its own picture. */
#include "simd.h"

enum { PIXELS = 64 }; /* taken at a time, so that coefficients and reordered bytes stay in L1 */

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
