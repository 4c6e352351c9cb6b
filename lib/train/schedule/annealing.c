/* annealing.c - rise from the least rate, stay, fall back to it, by equal factors. SPDX-License-Identifier: MIT
 *
 * The detectors' soft_start_annealing_schedule: rate = exp(ln least + t (ln base - ln least)) with t from 0 to 1 during the soft
 * start, and from 1 to 0 during the annealing. */
#include "train.h"
#include <math.h>

static double rate(const tl_schedule *c, long step, long total)
{
    const double p = (double)step / (double)total, start = (double)c->soft_start, end = (double)c->annealing;
    double t = p < start ? p / start : 1;
    if (p > end) t = (1 - p) / (1 - end);
    return exp(log((double)c->least) + t * (log((double)c->base) - log((double)c->least)));
}

const tl_scheduler tl_scheduler_annealing = { "annealing", "rises from the least rate and falls back to it, by equal factors", rate };
