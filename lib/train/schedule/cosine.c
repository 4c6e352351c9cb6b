/* cosine.c - warm up, then half a cosine (Loshchilov and Hutter 2017). SPDX-License-Identifier: MIT
 *
 * As in the original the angle is not rescaled after the warm-up, so with soft_start > 0 the last
 * rate lies above the minimum. */
#include "train.h"
#include <math.h>

static double rate(const tl_schedule *c, long step, long total)
{
    double p = (double)step / (double)total, hi = (double)c->base, lo = hi * (double)c->min_ratio,
           soft = (double)c->soft_start;
    if (p < soft) return lo + (hi - lo) * p / soft;
    return lo + (hi - lo) * (1 + cos(3.14159265358979323846 * (p - soft))) / 2;
}

const tl_scheduler tl_scheduler_cosine = {
    "cosine", "warms up, then follows half a cosine down to min_lr_ratio", rate
};
