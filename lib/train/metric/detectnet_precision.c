/* detectnet_precision.c - average precision as DetectNet_v2's evaluation has it. SPDX-License-Identifier: MIT */
#include "detection_metric.h"
#include <math.h>

static bool counts(const tl_detectnet_metric *c, int label, tl_box b)
{
    if (label < 0 || label >= c->classes) return false;
    const tl_box_limits *l = &c->limits[label];
    float w = b.x2 - b.x1, h = b.y2 - b.y1;
    return w >= l->min_w && w <= l->max_w && h >= l->min_h && h <= l->max_h;
}

/* Sizes are judged before rounding, in which halves go to even, as in Python. What does not count belongs to no class. */
static void prepare(const tl_detectnet_metric *c, int *label, tl_box *b)
{
    if (!counts(c, *label, *b)) *label = -1;
    *b = (tl_box){ rintf(b->x1), rintf(b->y1), rintf(b->x2), rintf(b->y2) };
}

static double precision_of(const tl_detectnet_metric *c, const tl_curve *curve)
{
    if (c->mode == TL_AP_SAMPLE) return tl_precision_sampled(curve, 11);
    return c->compat ? tl_precision_integrated_compat(curve) : tl_precision_integrated(curve);
}

tl_status tl_detectnet_precision(tl_arena *a, const tl_truth *truth, int truths, const tl_detection *found, int n,
                                 const tl_detectnet_metric *c, double *ap, double *mean)
{
    tl_truth *t = tl_new(a, tl_truth, truths);
    tl_detection *f = tl_new(a, tl_detection, n);
    if (!t || !f) return TL_ENOMEM;
    for (int i = 0; i < truths; i++) {
        t[i] = truth[i];
        prepare(c, &t[i].label, &t[i].box);
    }
    for (int i = 0; i < n; i++) {
        f[i] = found[i];
        prepare(c, &f[i].label, &f[i].box);
    }
    *mean = 0;
    for (int k = 0; k < c->classes; k++) {
        tl_matching m = { .overlap = (double)c->limits[k].overlap, .rule = TL_PIXELS };
        tl_curve curve;
        TL_TRY(tl_match_detections(a, t, truths, f, n, k, &m, &curve));
        ap[k] = precision_of(c, &curve);
        *mean += ap[k] / c->classes;
    }
    return TL_OK;
}
