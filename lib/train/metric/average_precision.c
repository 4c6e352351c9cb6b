/* average_precision.c - the area below a curve of precision over recall. SPDX-License-Identifier: MIT
 *
 * All three go from the least certain detection to the most certain one, that is, from high recall to low, and keep the
 * best precision so far. */
#include "detection_metric.h"
#include <math.h>

static double precision(const tl_curve *c, int i) { return (double)c->hits[i] / (i + 1); }
static double recall(const tl_curve *c, int i) { return (double)c->hits[i] / c->truths; }

double tl_precision_sampled(const tl_curve *c, int points)
{
    double sum = 0, best = 0, step = 1.0 / (points - 1);
    int i = c->n - 1;
    if (!c->truths) return 0;
    for (int k = points - 1; k >= 0; k--) {
        double at = k == points - 1 ? 1 : k * step; /* as numpy's linspace rounds: 3 / 10 is below its 0.3 */
        for (; i >= 0 && recall(c, i) >= at; i--) best = fmax(best, precision(c, i));
        sum += best;
    }
    return sum / points;
}

double tl_precision_integrated(const tl_curve *c)
{
    double sum = 0, best = 0;
    if (!c->truths) return 0;
    for (int i = c->n - 1; i >= 0; i--) {
        best = fmax(best, precision(c, i));
        sum += best * (recall(c, i) - (i ? recall(c, i - 1) : 0));
    }
    return sum;
}

double tl_precision_integrated_compat(const tl_curve *c)
{
    double sum = 0, best = 0, here = 0; /* here: the best at this very recall, which counts up to the next one */
    int next = -1;                      /* where the next recall begins, -1: this is the last */
    if (!c->truths) return 0;
    for (int i = c->n - 1; i >= 0; i--) {
        here = fmax(here, precision(c, i));
        if (i && c->hits[i] == c->hits[i - 1]) continue;
        if (next >= 0) {
            best = fmax(best, here);
            sum += best * (recall(c, next) - recall(c, i));
        }
        next = i;
        here = 0;
    }
    return sum;
}
