/* soft_anneal.c - warm up from 3e-4, then divide at given points. SPDX-License-Identifier: MIT */
#include "train.h"

static double rate(const tl_schedule *c, long step, long total)
{
    double p = (double)step / (double)total, base = (double)c->base;
    if (p < (double)c->soft_start) {
        double s = p / (double)c->soft_start;
        return s * base + (1 - s) * 3e-4;
    }
    for (int i = 0; i < c->n_points; i++)
        if (p > (double)c->points[i]) base /= (double)c->divider;
    return base;
}

const tl_scheduler tl_scheduler_soft_anneal = {
    "soft_anneal", "warms up, then is divided by annealing_divider at each point", rate
};
