/* mixup.c - training on blends of two pictures and their labels. SPDX-License-Identifier: MIT */
#include "augment.h"

float tl_mixup_draw(tl_rng *r, float alpha)
{
    float l = tl_beta(r, alpha, alpha);
    return l > 0.5f ? l : 1 - l;
}

void tl_mixup(float *rows, int n, size_t width, const float *lambda)
{
    for (int i = 0; i < n / 2; i++) {
        int j = n - 1 - i;
        float *p = rows + (size_t)i * width, *q = rows + (size_t)j * width;
        for (size_t k = 0; k < width; k++) {
            float a = p[k], b = q[k];
            p[k] = lambda[i] * a + (1 - lambda[i]) * b;
            q[k] = lambda[j] * b + (1 - lambda[j]) * a;
        }
    }
}
