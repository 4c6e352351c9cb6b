/* rmsprop.c - RMSProp (Tieleman and Hinton 2012), in Keras' form. SPDX-License-Identifier: MIT
 *
 *   v = rho*v + (1-rho)*g*g;  w -= lr * g / (sqrt(v) + eps) */
#include "train.h"

static void update(const tl_optimizer *c, float rate, long step, float *w, const float *g,
                   float *const *slot, size_t n)
{
    tl_kernel()->rmsprop(w, g, slot[0], n, tl_decayed(rate, c->decay, step), c->rho, c->epsilon);
}

const tl_optim tl_optim_rmsprop = { "rmsprop", "RMSProp, running mean of squares", 1, update };
