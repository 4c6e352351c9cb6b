/* sgd.c - stochastic gradient descent with momentum, in Keras' form. SPDX-License-Identifier: MIT
 *
 *   v = momentum * v - lr * g;  w += v   (nesterov: w += momentum * v - lr * g) */
#include "train.h"

static void update(const tl_optimizer *c, float rate, long step, float *w, const float *g,
                   float *const *slot, size_t n)
{
    tl_kernel()->sgd(w, g, slot[0], n, tl_decayed(rate, c->decay, step), c->momentum, c->nesterov);
}

const tl_optim tl_optim_sgd = { "sgd", "stochastic gradient descent with momentum", 1, update };
