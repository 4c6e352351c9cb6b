/* coco_figures.c - the twelve figures of COCO's evaluation of boxes. SPDX-License-Identifier: MIT
 *
 * Lin et al., "Microsoft COCO: Common objects in context", ECCV 2014; to the last digits as pycocotools. */
#include "detection_metric.h"

enum { OVERLAPS = 10 };
static const double any = 1e10; /* pycocotools' largest area */

typedef struct {
    const tl_truth     *truth;
    const tl_detection *found;
    int                 truths, n, classes;
    tl_arena           *scratch;
} evaluated;

/* Sums over classes that have objects, at each overlap. */
typedef struct { double precision[OVERLAPS], recall[OVERLAPS]; int classes; } totals;

static tl_status add_class(const evaluated *e, tl_matching *c, int label, totals *t)
{
    tl_curve curve;
    for (int k = 0; k < OVERLAPS; k++) {
        c->overlap = 0.5 + 0.05 * k;
        tl_arena_reset(e->scratch);
        TL_TRY(tl_match_detections(e->scratch, e->truth, e->truths, e->found, e->n, label, c, &curve));
        if (!curve.truths) return TL_OK;
        t->precision[k] += tl_precision_sampled(&curve, 101);
        t->recall[k] += curve.n ? (double)curve.hits[curve.n - 1] / curve.truths : 0;
    }
    t->classes++;
    return TL_OK;
}

static double mean(const totals *t, const double *value)
{
    double sum = 0;
    for (int k = 0; k < OVERLAPS; k++) sum += value[k];
    return t->classes ? sum / OVERLAPS / t->classes : -1;
}

static double at(const totals *t, int overlap) { return t->classes ? t->precision[overlap] / t->classes : -1; }

/* Objects of areas lo..hi, at most so many detections of a class in a picture. */
static tl_status evaluate(const evaluated *e, double lo, double hi, int most, totals *t)
{
    tl_matching c = { .rule = TL_EDGES, .second_best = true, .most = most, .lo = lo, .hi = hi };
    *t = (totals){ .classes = 0 };
    for (int k = 0; k < e->classes; k++) TL_TRY(add_class(e, &c, k, t));
    return TL_OK;
}

static tl_status all_figures(const evaluated *e, tl_coco_figures *f)
{
    const struct { double lo, hi; double *precision, *recall; } size[] = {
        { 0, 32 * 32, &f->precision_small, &f->recall_small },
        { 32 * 32, 96 * 96, &f->precision_medium, &f->recall_medium },
        { 96 * 96, any, &f->precision_large, &f->recall_large },
        { 0, any, &f->precision, &f->recall_100 },
    };
    totals t;
    TL_TRY(evaluate(e, 0, any, 1, &t));
    f->recall_1 = mean(&t, t.recall);
    TL_TRY(evaluate(e, 0, any, 10, &t));
    f->recall_10 = mean(&t, t.recall);
    for (int i = 0; i < TL_LEN(size); i++) {
        TL_TRY(evaluate(e, size[i].lo, size[i].hi, 100, &t));
        *size[i].precision = mean(&t, t.precision);
        *size[i].recall = mean(&t, t.recall);
    }
    f->precision_50 = at(&t, 0);
    f->precision_75 = at(&t, 5);
    return TL_OK;
}

tl_status tl_coco_evaluate(const tl_truth *truth, int truths, const tl_detection *found, int n, int classes,
                           tl_coco_figures *out)
{
    evaluated e = { truth, found, truths, n, classes, tl_arena_new() };
    TL_NEW(e.scratch);
    tl_status s = all_figures(&e, out);
    tl_arena_free(e.scratch);
    return s;
}
