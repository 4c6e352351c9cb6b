/* adam.c - Kingma and Ba 2015, in Keras' form; weight_decay decoupled (Loshchilov and Hutter 2019). SPDX-License-Identifier: MIT
 *
 *   m = b1*m + (1-b1)*g;  v = b2*v + (1-b2)*g*g
 *   w -= lr * sqrt(1-b2^t) / (1-b1^t) * m / (sqrt(v) + eps) + lr * weight_decay * w */
#include "train.h"
#include <math.h>

static void update(const tl_optim_conf *c, float lr, long step, float *w, const float *g, float *const *slot, size_t n)
{
    double t = (double)step + 1, rate = (double)tl_decayed(lr, c->decay, step);
    double size = rate * sqrt(1 - pow((double)c->beta2, t)) / (1 - pow((double)c->beta1, t));
    tl_kernel()->adam(w, g, slot[0], slot[1], n, (float)size, c->beta1, c->beta2, c->eps, (float)rate * c->weight_decay);
}

const tl_optim tl_optim_adam = { "adam", "Adam, adaptive moments", 2, update };
