/* step.c - the rate falls by gamma every step_size percent. SPDX-License-Identifier: MIT
 *
 * As in the original the exponent is continuous, so the curve is smooth, not a staircase. */
#include "train.h"
#include <math.h>

static double rate(const tl_schedule *c, long step, long total)
{
    long every = (long)((double)total * (double)c->step_size) / 100;
    return every > 0 ? (double)c->base * pow((double)c->gamma, (double)step / (double)every)
                     : (double)c->base;
}

const tl_scheduler tl_scheduler_step = {
    "step", "falls by gamma every step_size percent of the training, smoothly", rate
};
