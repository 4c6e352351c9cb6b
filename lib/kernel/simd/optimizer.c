/* optimizer.c - steps of the optimizers over one parameter's weights. SPDX-License-Identifier: MIT
 */
#include "simd.h"
#include <math.h>

/* Keras: v = momentum * v - lr * g; w += v, or with Nesterov's look ahead w += momentum * v - lr *
 * g. */
void TL_SIMD(sgd)(float *w, const float *g, float *velocity, size_t n, float lr, float momentum,
                  bool nesterov)
{
    const float keep = nesterov ? momentum : 1, push = nesterov ? lr : 0;
#pragma omp parallel for simd if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) {
        float v = momentum * velocity[i] - lr * g[i];
        velocity[i] = v;
        w[i] += keep * v - push * g[i];
    }
}

/* Kingma and Ba, "Adam", 2015; step: the learning rate with both bias corrections; decay: the share
 * of each weight that goes (Loshchilov and Hutter, "Decoupled weight decay", 2019). */
void TL_SIMD(adam)(float *w, const float *g, float *m, float *v, size_t n, float step, float beta1,
                   float beta2, float eps, float decay)
{
#pragma omp parallel for simd if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) {
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
        w[i] -= step * m[i] / (sqrtf(v[i]) + eps) + decay * w[i];
    }
}

/* Tieleman and Hinton, lecture 6.5 of "Neural Networks for Machine Learning", 2012. */
void TL_SIMD(rmsprop)(float *w, const float *g, float *v, size_t n, float lr, float rho, float eps)
{
#pragma omp parallel for simd if (parallel : n > SERIAL_BELOW)
    for (size_t i = 0; i < n; i++) {
        v[i] = rho * v[i] + (1 - rho) * g[i] * g[i];
        w[i] -= lr * g[i] / (sqrtf(v[i]) + eps);
    }
}
