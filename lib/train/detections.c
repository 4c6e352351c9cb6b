/* detections.c - run a detector over pictures with known objects. SPDX-License-Identifier: MIT */
#include "detections.h"
#include "listen.h"
#include "text.h"
#include "train.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

tl_status tl_scene_truths(tl_arena *a, tl_arena *tmp, const tl_scenes *s, int i, int picture, tl_list *to)
{
    const tl_picture *p = &s->labels->picture[i];
    tl_view v;
    tl_seen seen;
    tl_view_plain(&s->view, (tl_size){ p->w, p->h }, &v);
    TL_TRY(tl_scene_objects(tmp, s, i, &v, &seen));
    for (int k = 0; k < seen.n; k++) {
        tl_truth *t = tl_add(a, to, tl_truth);
        TL_NEW(t);
        *t = (tl_truth){ .picture = picture, .label = seen.label[k], .box = seen.box[k], .area = tl_box_area(seen.box[k], TL_EDGES) };
    }
    return TL_OK;
}

/* Everything about one picture of a batch. */
static tl_status judge(tl_arena *a, tl_arena *tmp, const tl_detect_pass *p, int row, int sample, tl_detect_sums *out)
{
    const tl_scenes *s = p->d->scenes;
    const size_t cells = (size_t)s->cells.w * (size_t)s->cells.h * (size_t)s->cells.classes;
    const float *cov = tl_plan_value(p->plan, p->model->answer).f + (size_t)row * cells;
    const float *bbox = tl_plan_value(p->plan, p->model->g->more.at[0]).f + (size_t)row * 4 * cells;
    tl_list found = { 0, NULL };
    TL_TRY(tl_cells_detect(tmp, &s->cells, p->clustering, cov, bbox, sample, &found));
    for (int k = 0; k < found.n; k++) {
        tl_detection *d = tl_add(a, &out->found, tl_detection);
        TL_NEW(d);
        *d = ((const tl_detection *)found.at)[k];
    }
    TL_TRY(tl_scene_truths(a, tmp, s, sample, sample, &out->truth));
    return p->each ? p->each(p->ctx, sample, found.at, found.n) : TL_OK;
}

static tl_status run_batch(tl_arena *a, tl_arena *tmp, const tl_detect_pass *p, const tl_batch *b, tl_detect_sums *out)
{
    const tl_trunk none = { .cut = p->model->image };
    TL_TRY(tl_trunk_feed(p->trunk ? p->trunk : &none, b->x, p->plan));
    tl_targets_fill(p->plan, &p->target, b);
    TL_TRY(tl_plan_forward(p->plan));
    /* Costs are means over all rows, and weigh nothing where a short batch has none. */
    if (p->target.n) out->cost += (double)tl_plan_value(p->plan, p->loss).f[0] * p->plan->conf.batch;
    for (int i = 0; i < b->n; i++) {
        TL_TRY(judge(a, tmp, p, i, b->sample[i], out));
        tl_arena_reset(tmp);
    }
    out->pictures += b->n;
    return TL_OK;
}

static int rising(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static tl_status run(tl_arena *a, tl_arena *tmp, const tl_detect_pass *p, tl_detect_sums *out)
{
    const int n = p->d->sample.n;
    const tl_batch *b;
    double *spent = tl_new(a, double, tl_loader_batches(p->load)), begun = tl_now();
    int batches = 0;
    TL_NEW(spent);
    TL_TRY(tl_loader_start(p->load, 0, 0));
    for (;;) {
        TL_CHECK(!p->listener || !tl_stopping(p->listener), TL_ESTOPPED, "stopped after %d of %d pictures", out->pictures, n);
        TL_TRY(tl_loader_next(p->load, &b));
        if (!b) break;
        const double start = tl_now();
        TL_TRY(run_batch(a, tmp, p, b, out));
        spent[batches++] = (tl_now() - start) / b->n;
        if (p->listener && p->listener->progress)
            p->listener->progress(p->listener->ctx, &(tl_progress){ .stage = "detect", .batch = out->pictures, .batches = n, .accuracy = -1,
                .pictures_per_second = out->pictures / (tl_now() - begun), .eta = (tl_now() - begun) / out->pictures * (n - out->pictures) });
    }
    qsort(spent, (size_t)batches, sizeof *spent, rising);
    out->seconds = batches ? spent[batches / 2] : 0;
    return TL_OK;
}

tl_status tl_detect_run(tl_arena *a, const tl_detect_pass *p, tl_detect_sums *out)
{
    tl_arena *tmp = tl_arena_new();
    TL_NEW(tmp);
    *out = (tl_detect_sums){ .cost = 0 };
    tl_status s = run(a, tmp, p, out);
    tl_arena_free(tmp);
    return s;
}

tl_status tl_detect_loss(const tl_model *m, const tl_detect_goal *q, tl_vals *target, tl_val *loss)
{
    *loss = tl_model_loss(m, target);
    TL_TRY(tl_graph_init(m->g, 0)); /* there are no parameters without values but the loss's, which are set here */
    for (int i = 0; i < 2 * q->classes; i++) m->g->node[loss->i].p[0].w[i] = q->class_weight[i % q->classes] * q->initial[i];
    return TL_OK;
}

tl_status tl_detectnet_table(tl_arena *a, const char *const *names, const double *ap, int n, double mean, double cost, const char **text)
{
    tl_text t = tl_text_new(a);
    int wide = (int)sizeof "class name" - 1;
    for (int k = 0; k < n; k++) wide = (int)strlen(names[k]) > wide ? (int)strlen(names[k]) : wide;
    if (!isnan(cost)) tl_textf(&t, "Validation cost: %.6f\n", cost);
    tl_textf(&t, "Mean average_precision (in %%): %.4f\n\n%-*s    average precision (in %%)\n", 100 * mean, wide, "class name");
    for (int i = 0; i < wide; i++) tl_textf(&t, "-");
    tl_textf(&t, "  --------------------------\n");
    for (int k = 0; k < n; k++) tl_textf(&t, "%-*s  %26.4f\n", wide, names[k], 100 * ap[k]);
    tl_textf(&t, "\n");
    *text = tl_text_end(&t);
    return *text ? TL_OK : TL_ENOMEM;
}
