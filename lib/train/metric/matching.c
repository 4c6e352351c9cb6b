/* matching.c - which detections are hits. SPDX-License-Identifier: MIT
 *
 * Greedy, as all benchmarks have it: in each picture the most certain detection of a class chooses its object first. */
#include "detection_metric.h"
#include <math.h>
#include <stdlib.h>

typedef struct { const tl_truth *t; bool ignored, taken; } object;
typedef struct { const tl_detection *d; int picture; float score; bool hit; } choice;
typedef struct {
    const tl_matching *c;
    object *object; /* those of one class, by picture */
    choice *choice; /* its detections, by picture and falling score */
    int     objects, choices;
} class_view;

static int compare_objects(const void *a, const void *b)
{
    const object *x = a, *y = b;
    if (x->t->picture != y->t->picture) return x->t->picture < y->t->picture ? -1 : 1;
    return (x->t > y->t) - (x->t < y->t);
}

static int by_score(const choice *x, const choice *y)
{
    return (x->score < y->score) - (x->score > y->score);
}

static int compare_in_picture(const void *a, const void *b)
{
    const choice *x = a, *y = b;
    if (x->picture != y->picture) return x->picture < y->picture ? -1 : 1;
    int order = by_score(x, y);
    return order ? order : (x->d > y->d) - (x->d < y->d);
}

static int compare_overall(const void *a, const void *b)
{
    int order = by_score(a, b);
    return order ? order : compare_in_picture(a, b);
}

static bool outside(const tl_matching *c, double area) { return c->hi > 0 && (area < c->lo || area > c->hi); }

static tl_status view_class(tl_arena *a, const tl_truth *truth, int truths, const tl_detection *found, int n, int label,
                            const tl_matching *c, class_view *v)
{
    *v = (class_view){ c, tl_new(a, object, truths), tl_new(a, choice, n), 0, 0 };
    if (!v->object || !v->choice) return TL_ENOMEM;
    for (int i = 0; i < truths; i++) {
        const tl_truth *t = &truth[i];
        if (t->label != label) continue;
        v->object[v->objects++] = (object){ t, t->ignored || t->crowd || outside(c, t->area), false };
    }
    for (int i = 0; i < n; i++)
        if (found[i].label == label)
            v->choice[v->choices++] = (choice){ &found[i], found[i].picture, found[i].score, false };
    qsort(v->object, (size_t)v->objects, sizeof *v->object, compare_objects);
    qsort(v->choice, (size_t)v->choices, sizeof *v->choice, compare_in_picture);
    return TL_OK;
}

/* In a crowd, what counts is the share of the detection that lies inside. */
static double overlap(const tl_matching *c, tl_box b, const tl_truth *t)
{
    if (!t->crowd) return tl_box_iou(b, t->box, c->rule);
    double area = tl_box_area(b, c->rule);
    return area > 0 ? tl_box_intersection(b, t->box, c->rule) / area : 0;
}

/* The object that overlaps most, and enough; NULL: none does. Of equals VOC takes the first and COCO the last. */
static object *best_of(const tl_matching *c, object *o, int n, tl_box b, bool ignored)
{
    double most = fmin(c->overlap, 1 - 1e-10);
    object *best = NULL;
    for (object *end = o + n; o < end; o++) {
        if (c->second_best && (o->ignored != ignored || (o->taken && !o->t->crowd))) continue;
        double part = overlap(c, b, o->t);
        if (part < most || (part <= most && best && !c->second_best)) continue;
        most = part;
        best = o;
    }
    return best;
}

/* Whether the detection counts, and is a hit. COCO turns to ignored objects only when no other is left. */
static bool decide(const tl_matching *c, object *o, int n, choice *d)
{
    object *best = best_of(c, o, n, d->d->box, false);
    if (!best && c->second_best) best = best_of(c, o, n, d->d->box, true);
    if (!best) return !outside(c, tl_box_area(d->d->box, c->rule));
    d->hit = !best->ignored && !best->taken;
    best->taken = true;
    return !best->ignored;
}

/* Decide on all, picture by picture, and keep those that count. */
static void decide_all(class_view *v)
{
    int kept = 0, first = 0, rank = 0, picture = 0;
    for (int i = 0; i < v->choices; i++) {
        choice d = v->choice[i];
        int n = 0;
        rank = d.picture == picture && i ? rank + 1 : 0;
        picture = d.picture;
        if (v->c->most && rank >= v->c->most) continue;
        while (first < v->objects && v->object[first].t->picture < d.picture) first++;
        while (first + n < v->objects && v->object[first + n].t->picture == d.picture) n++;
        if (decide(v->c, v->object + first, n, &d)) v->choice[kept++] = d;
    }
    v->choices = kept;
}

tl_status tl_match_detections(tl_arena *a, const tl_truth *truth, int truths, const tl_detection *found, int n,
                              int label, const tl_matching *c, tl_curve *out)
{
    class_view v;
    int hits = 0;
    TL_TRY(view_class(a, truth, truths, found, n, label, c, &v));
    decide_all(&v);
    qsort(v.choice, (size_t)v.choices, sizeof *v.choice, compare_overall);
    *out = (tl_curve){ v.choices, 0, tl_new(a, int, v.choices), tl_new(a, float, v.choices) };
    if (!out->hits || !out->score) return TL_ENOMEM;
    for (int i = 0; i < v.choices; i++) {
        out->hits[i] = hits += v.choice[i].hit;
        out->score[i] = v.choice[i].score;
    }
    for (int i = 0; i < v.objects; i++) out->truths += !v.object[i].ignored;
    return TL_OK;
}
