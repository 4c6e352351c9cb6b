/* rng.c - SplitMix64 and the distributions drawn from it. SPDX-License-Identifier: MIT */
#include "rng.h"
#include <math.h>

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

tl_rng tl_rng_at(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t s = mix(seed + GOLDEN);
    s = mix(s ^ (a + GOLDEN));
    s = mix(s ^ (b + 2 * GOLDEN));
    return (tl_rng){ mix(s ^ (c + 3 * GOLDEN)) };
}

uint64_t tl_rng_bits(tl_rng *r) { return mix(r->s += GOLDEN); }
float    tl_uniform(tl_rng *r) { return (float)(tl_rng_bits(r) >> 40) * 0x1p-24f; }
float    tl_uniform_in(tl_rng *r, float lo, float hi) { return lo + (hi - lo) * tl_uniform(r); }

int tl_rng_below(tl_rng *r, int n)
{
    uint64_t m = (uint64_t)n, limit = UINT64_MAX - UINT64_MAX % m, v;
    do v = tl_rng_bits(r);
    while (v >= limit);
    return (int)(v % m);
}

/* Box and Muller 1958; one of the pair is thrown away so that a draw has no hidden state. */
float tl_normal(tl_rng *r)
{
    float u = 1.0f - tl_uniform(r), v = tl_uniform(r); /* u in (0,1] */
    return sqrtf(-2.0f * logf(u)) * cosf(6.28318531f * v);
}

float tl_truncated_normal(tl_rng *r)
{
    float x;
    do x = tl_normal(r);
    while (fabsf(x) > 2.0f);
    return x;
}

/* Marsaglia and Tsang 2000, "A simple method for generating gamma variables". */
static double gamma_draw(tl_rng *r, double k)
{
    if (k < 1) return gamma_draw(r, k + 1) * pow((double)(1.0f - tl_uniform(r)), 1 / k);
    double d = k - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = (double)tl_normal(r), v = 1 + c * x;
        if (v <= 0) continue;
        v = v * v * v;
        double u = (double)(1.0f - tl_uniform(r));
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v)) return d * v;
    }
}

float tl_beta(tl_rng *r, float a, float b)
{
    double x = gamma_draw(r, (double)a), y = gamma_draw(r, (double)b);
    return x + y > 0 ? (float)(x / (x + y)) : 0.5f;
}

void tl_shuffle(tl_rng *r, int *v, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = tl_rng_below(r, i + 1), t = v[i];
        v[i] = v[j];
        v[j] = t;
    }
}
