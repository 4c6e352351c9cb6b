/* diagnose_learning.c - can it learn a few pictures by heart, and do the thresholds find what it knows? SPDX-License-Identifier: MIT
 *
 * A network that can be trained at all soon knows eight pictures. So the pictures with the most objects are learned, without random
 * changes, at the spec's full rate. Answers are then looked at twice: with the spec's thresholds, and with the best ones of a few. Where
 * even those find little, what is suspected is changed, one thing at a time, and it is a cause if that helps. Batch norm works
 * by the batch throughout: its running statistics need more steps than there are here. */
#include "diagnose.h"
#include "train.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FEW = 8, STEPS = 150, LEAST = 10, WARM = 10 }; /* pictures, steps, steps whatever they take, steps of a rising rate */
#define SECONDS 60.0 /* for the steps, and SECONDS / 3 for each change that is tried */
#define KNOWN   0.3  /* a score from which on the pictures are known well enough to speak of thresholds */

/* What is tried, and what came of it. */
typedef struct { double rate; float front; double seconds; int steps; } trial; /* front: coverage_foreground_weight; below 0: as it is */
typedef struct {
    int    steps;
    double first, last;        /* of the loss; last NaN: it is no number any more */
    double score, best;        /* with the spec's thresholds, and with the best found */
    double inside, outside;    /* mean coverage of cells that are covered by more than half, and of those that are not covered */
    double *ap, *best_ap;      /* by class */
    tl_clustering *found;      /* by class: the best thresholds */
} result;

/* One run: a batch, and what the network answers for it. */
typedef struct {
    tl_diagnose   *d;
    tl_arena      *a;
    tl_dataset     set;
    tl_scenes      scenes;
    tl_labels      labels;
    const tl_batch *b;
    const float   *cov, *bbox; /* batch x cells x classes, and x 4 */
    tl_list        truth;
} run;

/* ---- The pictures ---- */

typedef struct { int i, objects; } busy;

static int more_objects(const void *a, const void *b)
{
    const busy *x = a, *y = b;
    return x->objects != y->objects ? y->objects - x->objects : x->i - y->i;
}

static tl_status choose(run *r, const tl_dataset *from, float front)
{
    const tl_scenes *s = from->scenes;
    const int most = r->d->o->pictures > 0 ? r->d->o->pictures : FEW, all = s->labels->npictures, n = all < most ? all : most;
    busy *by = tl_new(r->a, busy, all);
    float *weight = tl_new(r->a, float, n);
    tl_drawing *drawing = tl_new(r->a, tl_drawing, s->cells.classes);
    TL_NEW(by && weight && drawing ? by : NULL);
    for (int i = 0; i < all; i++) {
        const tl_picture *p = &s->labels->picture[i];
        by[i].i = i;
        for (int k = 0; k < p->n; k++) by[i].objects += s->class_of[s->labels->object[p->first + k].label] >= 0;
    }
    qsort(by, (size_t)all, sizeof *by, more_objects);
    r->labels = *s->labels;
    r->labels.npictures = n;
    TL_NEW(r->labels.picture = tl_new(r->a, tl_picture, n));
    for (int i = 0; i < n; i++) {
        r->labels.picture[i] = s->labels->picture[by[i].i];
        weight[i] = s->weight ? s->weight[by[i].i] : 1;
    }
    for (int k = 0; k < s->cells.classes; k++) {
        drawing[k] = s->drawing[k];
        if (front >= 0) drawing[k].foreground_weight = front;
    }
    r->scenes = *s;
    r->scenes.labels = &r->labels;
    r->scenes.weight = weight;
    r->scenes.drawing = drawing;
    return tl_scenes_dataset(r->a, &r->scenes, &r->set);
}

static tl_status load(run *r, const tl_model *m)
{
    tl_loader_conf conf = tl_loader_for(m, r->set.sample.n);
    tl_loader *loader;
    TL_TRY(tl_loader_new(r->a, &r->set, &conf, &loader));
    TL_TRY(tl_loader_start(loader, 0, 0));
    TL_TRY(tl_loader_next(loader, &r->b));
    TL_CHECK(r->b, TL_EDATA, "none of the pictures with the most objects can be read");
    for (int i = 0; i < r->b->n; i++) TL_TRY(tl_scene_truths(r->a, r->a, &r->scenes, r->b->sample[i], i, &r->truth));
    return TL_OK;
}

/* ---- Steps ---- */

static tl_status make_plan(run *r, const tl_model *m, tl_vals *target, tl_val *loss, tl_plan **p)
{
    tl_graph *g = m->g;
    TL_TRY(tl_detect_loss(m, &r->d->goal, target, loss));
    const tl_val keep[] = { m->answer, g->more.at[0] };
    return tl_plan_new(g, r->a, &(tl_plan_conf){ .batch = r->set.sample.n, .train = true, .loss = *loss, .keep = keep, .nkeep = TL_LEN(keep) }, p);
}

static tl_status step(run *r, const tl_model *m, tl_plan *p, const tl_vals *target)
{
    const tl_trunk none = { .cut = m->image };
    TL_TRY(tl_trunk_feed(&none, r->b->x, p));
    tl_targets_fill(p, target, r->b);
    return tl_plan_forward(p);
}

static tl_status learn(run *r, tl_model *m, const trial *t, result *out)
{
    const tl_listener *l = r->d->l;
    const tl_recipe recipe = tl_detect_recipe(r->d->spec);
    const double begun = tl_now();
    tl_vals target;
    tl_val loss;
    tl_plan *p;
    tl_weights w;
    TL_TRY(make_plan(r, m, &target, &loss, &p));
    TL_TRY(tl_weights_new(r->a, p, &recipe, &w));
    for (int i = 0; i <= t->steps; i++) {
        TL_CHECK(!tl_stopping(l), TL_ESTOPPED, "stopped");
        TL_TRY(step(r, m, p, &target));
        out->last = (double)tl_plan_value(p, loss).f[0];
        if (!i) out->first = out->last;
        if (i == t->steps || !isfinite(out->last) || (i >= LEAST && tl_now() - begun > t->seconds)) break;
        TL_TRY(tl_plan_backward(p));
        tl_weights_step(&w, (float)(t->rate * fmin(1, (i + 1.0) / WARM)), i);
        out->steps++;
        if (l->progress)
            l->progress(l->ctx, &(tl_progress){ .stage = "learning a few pictures", .batch = i + 1, .batches = t->steps, .loss = out->last, .accuracy = -1,
                                                .eta = fmin((tl_now() - begun) / (i + 1) * (t->steps - i - 1), fmax(0, t->seconds - (tl_now() - begun))) });
    }
    r->cov = tl_plan_value(p, m->answer).f;
    r->bbox = tl_plan_value(p, m->g->more.at[0]).f;
    return TL_OK;
}

/* A model that has learned already. */
static tl_status ask(run *r, const tl_model *m)
{
    const tl_vals none = { .n = 0 };
    tl_plan *p;
    TL_TRY(tl_plan_new(m->g, r->a, &(tl_plan_conf){ .batch = r->set.sample.n, .constant = true }, &p));
    TL_TRY(step(r, m, p, &none));
    r->cov = tl_plan_value(p, m->answer).f;
    r->bbox = tl_plan_value(p, m->g->more.at[0]).f;
    return TL_OK;
}

/* ---- Thresholds ---- */

/* Average precision by class, whatever the sizes of boxes. */
static tl_status judge(const run *r, tl_arena *tmp, const tl_clustering *c, double *ap)
{
    const tl_cells *g = &r->scenes.cells;
    const size_t cells = (size_t)g->w * (size_t)g->h * (size_t)g->classes;
    tl_box_limits *any = tl_new(tmp, tl_box_limits, g->classes);
    tl_list found = { 0, NULL };
    double mean;
    TL_NEW(any);
    for (int k = 0; k < g->classes; k++) any[k] = (tl_box_limits){ r->d->goal.metric.limits[k].overlap, 0, 0, (float)g->in_w, (float)g->in_h };
    for (int i = 0; i < r->b->n; i++) TL_TRY(tl_cells_detect(tmp, g, c, r->cov + (size_t)i * cells, r->bbox + (size_t)i * 4 * cells, i, &found));
    const tl_detectnet_metric m = { any, g->classes, TL_AP_INTEGRATE, false };
    return tl_detectnet_precision(tmp, r->truth.at, r->truth.n, found.at, found.n, &m, ap, &mean);
}

static double mean_of(const run *r, const double *ap)
{
    double sum = 0;
    int n = 0;
    for (int k = 0; k < r->scenes.cells.classes; k++) {
        bool any = false;
        for (int i = 0; i < r->truth.n; i++) any |= ((const tl_truth *)r->truth.at)[i].label == k;
        sum += any ? ap[k] : 0;
        n += any;
    }
    return n ? sum / n : 0;
}

/* Try one setting for all classes; each keeps it where it is better. */
static tl_status attempt(const run *r, tl_arena *tmp, const tl_clustering *c, result *out)
{
    double *ap = tl_new(tmp, double, r->scenes.cells.classes);
    TL_NEW(ap);
    TL_TRY(judge(r, tmp, c, ap));
    for (int k = 0; k < r->scenes.cells.classes; k++)
        if (ap[k] > out->best_ap[k] + 1e-9) {
            out->best_ap[k] = ap[k];
            out->found[k] = c[k];
        }
    tl_arena_reset(tmp);
    return TL_OK;
}

static tl_status search(const run *r, tl_arena *tmp, result *out)
{
    static const float coverage[] = { 0.7f, 0.5f, 0.4f, 0.3f, 0.2f, 0.1f, 0.05f, 0.02f }, near[] = { 0.2f, 0.3f, 0.4f };
    const int n = r->scenes.cells.classes;
    tl_clustering *c = tl_new(r->a, tl_clustering, n);
    TL_NEW(c);
    for (int i = 0; i < TL_LEN(coverage); i++)
        for (int j = 0; j < TL_LEN(near); j++)
            for (int nms = 0; nms < 2; nms++) {
                for (int k = 0; k < n; k++)
                    c[k] = (tl_clustering){ nms ? TL_NMS : TL_DBSCAN, .coverage = coverage[i], .eps = near[j], .min_samples = 1, .nms_iou = near[j] };
                TL_TRY(attempt(r, tmp, c, out));
            }
    return TL_OK;
}

static void separate(const run *r, result *out)
{
    const size_t cells = (size_t)r->scenes.cells.w * (size_t)r->scenes.cells.h * (size_t)r->scenes.cells.classes, width = tl_scene_width(&r->scenes);
    double in = 0, away = 0;
    for (int i = 0; i < r->b->n; i++)
        for (size_t k = 0; k < cells; k++) {
            const float aim = r->b->target[(size_t)i * width + k], got = r->cov[(size_t)i * cells + k];
            if (aim > 0.5f) out->inside += (double)got, in++;
            else if (aim <= 0) out->outside += (double)got, away++;
        }
    out->inside /= fmax(1, in);
    out->outside /= fmax(1, away);
}

static tl_status look(run *r, result *out)
{
    const int n = r->scenes.cells.classes;
    tl_arena *tmp = tl_arena_new(), *a = r->d->a;
    TL_NEW(tmp);
    out->ap = tl_new(a, double, n);
    out->best_ap = tl_new(a, double, n);
    out->found = tl_new(a, tl_clustering, n);
    tl_status s = out->ap && out->best_ap && out->found ? judge(r, tmp, r->d->goal.clustering, out->ap) : TL_ENOMEM;
    if (!s) {
        memcpy(out->best_ap, out->ap, sizeof(double) * (size_t)n);
        memcpy(out->found, r->d->goal.clustering, sizeof *out->found * (size_t)n);
        s = search(r, tmp, out);
    }
    tl_arena_free(tmp);
    separate(r, out);
    out->score = s ? 0 : mean_of(r, out->ap);
    out->best = s ? 0 : mean_of(r, out->best_ap);
    return s;
}

/* ---- Trials ---- */

static tl_status in_arena(tl_diagnose *d, tl_arena *a, const trial *t, result *out)
{
    static const tl_listener deaf;
    run r = { .d = d, .a = a };
    tl_model *m;
    TL_TRY(choose(&r, d->o->model && d->val ? d->val : d->train, t->front));
    TL_TRY(load(&r, d->model));
    if (d->o->model) TL_TRY(ask(&r, d->model));
    else {
        TL_TRY(tl_detect_model_for(a, d->spec, d->o->key, &deaf, &m));
        TL_TRY(learn(&r, m, t, out));
        if (!isfinite(out->last)) return TL_OK;
    }
    return look(&r, out);
}

static tl_status attempt_trial(tl_diagnose *d, const trial *t, result *out)
{
    tl_arena *a = tl_arena_new();
    TL_NEW(a);
    *out = (result){ .steps = 0 };
    const tl_status s = in_arena(d, a, t, out);
    tl_arena_free(a);
    return s;
}

static float least_front(const tl_diagnose *d)
{
    float least = 1;
    for (int k = 0; k < d->goal.classes; k++) least = fminf(least, d->spec->classes[k].cost->coverage_foreground_weight);
    return least;
}

static double rate_of(const tl_diagnose *d)
{
    const tl_detect_rate *r = d->spec->experiment->training_config->learning_rate;
    return (double)(r->early_stopping_annealing_schedule ? r->early_stopping_annealing_schedule->max_learning_rate
                                                        : r->soft_start_annealing_schedule->max_learning_rate);
}

static bool ran_away(const result *r) { return !isfinite(r->last) || r->last > 2 * r->first; }

/* Smaller and smaller, until the loss does not rise. */
static tl_status too_fast(tl_diagnose *d, const trial *base, const result *first)
{
    enum { TRIES = 6 };
    trial t = *base;
    result r = *first;
    t.steps = t.steps < LEAST ? t.steps : LEAST;
    for (int i = 0; i < TRIES && ran_away(&r); i++) {
        t.rate /= 10;
        TL_TRY(attempt_trial(d, &t, &r));
    }
    return tl_diagnose_cause(d, 1, "the loss runs away at a learning rate of %g, from %.3g to %.3g in %d steps%s: set training_config.learning_rate..."
                             "max_learning_rate to %g", base->rate, first->first, first->last, first->steps, ran_away(&r) ? ", and at smaller ones" : "", t.rate);
}

static bool better(const result *r, const result *base) { return isfinite(r->last) && r->best > fmax(2 * base->best, base->best + 0.1); }

/* The pictures are not known: what helps? */
static tl_status try_changes(tl_diagnose *d, const trial *base, const result *first)
{
    const float front = least_front(d);
    const trial faster = { base->rate * 10, -1, base->seconds / 3, first->steps }, slower = { base->rate / 10, -1, base->seconds / 3, first->steps };
    const trial bolder = { base->rate, 0.5f, base->seconds / 3, first->steps };
    result fast = { .last = (double)NAN }, slow = { .last = (double)NAN }, bold = { .last = (double)NAN };
    bool any = false;
    if (faster.rate < 0.05) TL_TRY(attempt_trial(d, &faster, &fast));
    TL_TRY(attempt_trial(d, &slower, &slow));
    if (front < 0.2f) TL_TRY(attempt_trial(d, &bolder, &bold));
    const trial *t = fast.best > slow.best ? &faster : &slower;
    const result *r = fast.best > slow.best ? &fast : &slow;
    if ((any = better(r, first)))
        TL_TRY(tl_diagnose_cause(d, r->best - first->best, "at a learning rate of %g so many steps bring %.2f, at that of the spec, %g, %.2f: set "
                                 "training_config.learning_rate...max_learning_rate to %g", t->rate, r->best, base->rate, first->best, t->rate));
    if (better(&bold, first)) {
        any = true;
        TL_TRY(tl_diagnose_cause(d, bold.best - first->best, "cells with objects weigh %g and others %g: with coverage_foreground_weight: 0.5 in "
                                 "cost_function_config.target_classes so many steps bring %.2f and not %.2f", (double)front, 1 - (double)front,
                                 bold.best, first->best));
    }
    if (any) return TL_OK;
    return tl_diagnose_fact(d, "other learning rates%s bring nothing better in so few steps", front < 0.2f ? " and weights" : "");
}

/* ---- Telling ---- */

static tl_status tell_thresholds(tl_diagnose *d, const result *r)
{
    for (int k = 0; k < d->goal.classes; k++) {
        const tl_clustering *c = &r->found[k];
        if (r->best_ap[k] < KNOWN || r->ap[k] > 0.7 * r->best_ap[k]) continue;
        const bool nms = c->kind == TL_NMS;
        TL_TRY(tl_diagnose_cause(d, (r->best_ap[k] - r->ap[k]) / d->goal.classes, "the thresholds of '%s' bring %.2f on these pictures, others %.2f: "
            "postprocessing_config { target_class_config { key: \"%s\" value { clustering_config { clustering_algorithm: %s coverage_threshold: %g %s: %g "
            "minimum_bounding_box_height: 0 } } } }", d->goal.names[k], r->ap[k], r->best_ap[k], d->goal.names[k], nms ? "NMS" : "DBSCAN",
            (double)c->coverage, nms ? "nms_iou_threshold" : "dbscan_eps", (double)(nms ? c->nms_iou : c->eps)));
    }
    return TL_OK;
}

static tl_status tell_steps(tl_diagnose *d)
{
    enum { ENOUGH = 300, GOOD = 2000 };
    const tl_detect_training *t = d->spec->experiment->training_config;
    const int epoch = (d->train->sample.n + t->batch_size_per_gpu - 1) / t->batch_size_per_gpu, steps = epoch * t->num_epochs;
    if (steps >= ENOUGH) return TL_OK;
    return tl_diagnose_cause(d, 0.3, "the whole training is %d steps, which is little: training_config.num_epochs: %d makes %d", steps, (GOOD + epoch - 1) / epoch,
                             (GOOD + epoch - 1) / epoch * epoch);
}

tl_status tl_diagnose_learning(tl_diagnose *d)
{
    const trial base = { rate_of(d), -1, SECONDS, d->o->steps > 0 ? d->o->steps : STEPS };
    result r;
    TL_TRY(attempt_trial(d, &base, &r));
    d->out->first_loss = r.first;
    d->out->last_loss = r.last;
    d->out->score = r.score;
    d->out->best_score = r.best;
    if (!d->o->model) TL_TRY(tell_steps(d));
    if (ran_away(&r)) return too_fast(d, &base, &r);
    if (!d->o->model)
        TL_TRY(tl_diagnose_fact(d, "learning the pictures with the most objects by heart: loss %.4g, after %d steps at a rate of %g %.4g", r.first, r.steps,
                                base.rate, r.last));
    TL_TRY(tl_diagnose_fact(d, "there the mean coverage of cells with objects is %.3f, of cells without %.3f; the score is %.2f, and %.2f with other thresholds",
                            r.inside, r.outside, r.score, r.best));
    if (r.best < KNOWN && d->o->model)
        TL_TRY(tl_diagnose_fact(d, "so it is the network and not the thresholds: it does not know these pictures. Without a model (-m), diagnose looks for "
                                "what keeps it from learning"));
    else if (r.best < KNOWN) TL_TRY(try_changes(d, &base, &r));
    return tell_thresholds(d, &r);
}
