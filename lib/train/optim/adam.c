/* adam.c - Kingma and Ba 2015, in Keras' form. SPDX-License-Identifier: MIT
 *
 *   m = b1*m + (1-b1)*g;  v = b2*v + (1-b2)*g*g
 *   w -= lr * sqrt(1-b2^t) / (1-b1^t) * m / (sqrt(v) + eps) */
#include "train.h"
#include <math.h>

static void update(const tl_optimizer *c, float rate, long step, float *w, const float *g,
                   float *const *slot, size_t n)
{
    double t = (double)step + 1, lr = (double)tl_decayed(rate, c->decay, step);
    double size = lr * sqrt(1 - pow((double)c->beta2, t)) / (1 - pow((double)c->beta1, t));
    tl_kernel()->adam(w, g, slot[0], slot[1], n, (float)size, c->beta1, c->beta2, c->epsilon, 0);
}

const tl_optim tl_optim_adam = { "adam", "Adam, adaptive moments", 2, update };
