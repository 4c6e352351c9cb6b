/* elementwise.c - activations, sums of maps, norms. SPDX-License-Identifier: MIT */
#include "simd.h"

void TL_SIMD(narrow)(const float *x, size_t n, tl_map *y)
{
#pragma omp parallel for simd if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) y[i] = rounded(x[i]);
}

void TL_SIMD(widen)(const tl_map *x, size_t n, float *y)
{
#pragma omp parallel for simd if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) y[i] = widened(x[i]);
}

void TL_SIMD(act)(const tl_map *x, size_t n, tl_act act, tl_map *y)
{
#pragma omp parallel for simd firstprivate(act) if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) y[i] = rounded(activate(widened(x[i]), act));
}

void TL_SIMD(act_grad)(const tl_map *y, const tl_map *dy, size_t n, tl_act act, tl_map *dx)
{
#pragma omp parallel for simd firstprivate(act) if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) dx[i] = rounded(gate(widened(y[i]), widened(dy[i]), act));
}

void TL_SIMD(add)(const tl_map *a, const tl_map *b, size_t n, tl_act act, tl_map *y)
{
#pragma omp parallel for simd firstprivate(act) if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) y[i] = rounded(activate(widened(a[i]) + widened(b[i]), act));
}

void TL_SIMD(sub)(const float *a, const float *b, size_t n, float *y)
{
#pragma omp parallel for simd if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) y[i] = a[i] - b[i];
}

void TL_SIMD(accumulate)(const tl_map *x, size_t n, tl_map *y)
{
#pragma omp parallel for simd if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) y[i] = rounded(widened(y[i]) + widened(x[i]));
}

void TL_SIMD(drop)(const tl_map *x, const float *by, size_t n, size_t each, tl_map *y)
{
#pragma omp parallel for if (n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i += each) {
        const float factor = by[i / each];
#pragma omp simd
        for (size_t j = i; j < i + each; j++) y[j] = rounded(widened(x[j]) * factor);
    }
}

void TL_SIMD(scale)(float *x, size_t n, float by)
{
#pragma omp parallel for simd if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) x[i] *= by;
}

static double sum_squares(const float *x, size_t n)
{
    double lane[TL_VEC] = { 0 }; /* side by side, in a fixed order */
    size_t i = 0;
    for (; i + TL_VEC <= n; i += TL_VEC)
#pragma omp simd
        for (int j = 0; j < TL_VEC; j++)
            lane[j] += (double)x[i + (size_t)j] * (double)x[i + (size_t)j];
    double sum = 0;
    for (; i < n; i++) sum += (double)x[i] * (double)x[i];
    for (int j = 0; j < TL_VEC; j++) sum += lane[j];
    return sum;
}

double TL_SIMD(sum_squares)(const float *x, size_t n)
{
    enum { PARTS = 64 };
    double part[PARTS], sum = 0;
#pragma omp parallel for if (n > SERIAL_BELOW)
    for (size_t p = 0; p < PARTS; p++)
        part[p] = sum_squares(x + n * p / PARTS, n * (p + 1) / PARTS - n * p / PARTS);
    for (int p = 0; p < PARTS; p++) sum += part[p];
    return sum;
}
