/* diagnose_boxes.c - what becomes of labeled boxes before the network sees any. SPDX-License-Identifier: MIT
 *
 * A box gets lost when the network does not look where it is, when it is smaller than a limit, when other objects take all cells that
 * it covers, or when it covers so few that clustering takes them for noise. None of this is ever said in training: the score is
 * just low. */
#include "diagnose.h"
#include <math.h>
#include <stdlib.h>

#define MANY     0.05 /* shares of the objects from which losing them is a cause */
#define PICTURES 400  /* whose cells are drawn, at most */

/* Of one class. Sides are in pixels of the network's input. */
typedef struct {
    int    objects, cut, small, drawn, hidden, faint; /* drawn: looked at by the rasterizer */
    int    unjudged, low;      /* of those seen: not counted by evaluation_box_config; too low for clustering */
    tl_list side;              /* float, of those seen: the smaller one */
    tl_list height;
} fate;

static tl_status note(tl_arena *a, tl_list *l, float v)
{
    float *to = tl_add(a, l, float);
    TL_NEW(to);
    *to = v;
    return TL_OK;
}

static int rising(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The value below which this share of them lies; sorts. */
static float quantile(const tl_list *l, double share)
{
    float *v = l->at;
    if (!l->n) return 0;
    qsort(v, (size_t)l->n, sizeof *v, rising);
    return v[(int)(share * (l->n - 1))];
}

/* ---- Looking ---- */

static bool within(const tl_box_limits *m, float w, float h) { return w >= m->min_w && w <= m->max_w && h >= m->min_h && h <= m->max_h; }

static tl_status follow(tl_diagnose *d, const tl_scenes *s, const tl_view *v, const tl_object *o, fate *f)
{
    const int k = s->class_of[o->label];
    tl_view all = *v;
    tl_box b;
    if (k < 0) return TL_OK;
    f += k;
    f->objects++;
    all.min_box_w = all.min_box_h = 0;
    const double whole = tl_box_area(o->box, TL_EDGES) * fabs(v->there.m[0][0] * v->there.m[1][1]);
    const bool inside = tl_view_box(&all, o->box, &b) && tl_box_area(b, TL_EDGES) >= whole / 2;
    const float w = b.x2 - b.x1, h = b.y2 - b.y1;
    if (!inside) f->cut++;
    else if (!tl_view_box(v, o->box, &b)) f->small++;
    if (!inside || w <= 0 || h <= 0) return TL_OK;
    f->unjudged += !within(&d->goal.metric.limits[k], w, h);
    f->low += h <= d->goal.clustering[k].min_height;
    TL_TRY(note(d->a, &f->side, fminf(w, h)));
    return note(d->a, &f->height, h);
}

static bool same(tl_box a, tl_box b)
{
    return fabsf(a.x1 - b.x1) < 0.05f && fabsf(a.y1 - b.y1) < 0.05f && fabsf(a.x2 - b.x2) < 0.05f && fabsf(a.y2 - b.y2) < 0.05f;
}

/* Draw the picture's cells as training does: whose box do they tell? */
static tl_status draw(tl_diagnose *d, tl_arena *tmp, const tl_scenes *s, int i, const tl_view *v, fate *f)
{
    const tl_cells *g = &s->cells;
    tl_targets t;
    tl_seen seen;
    TL_TRY(tl_scene_objects(tmp, s, i, v, &seen));
    TL_TRY(tl_targets_new(tmp, g, &t));
    TL_TRY(tl_targets_draw(g, s->drawing, s->deadzone, seen.box, seen.label, seen.n, tmp, &t));
    for (int n = 0; n < seen.n; n++) {
        const int k = seen.label[n];
        const tl_clustering *c = &d->goal.clustering[k];
        double sum = 0;
        for (int y = 0; y < g->h; y++)
            for (int x = 0; x < g->w; x++) {
                const tl_cell_answer cell = tl_cells_answer(g, t.cov, t.bbox, x, y, k);
                if (cell.cov > 0 && same(cell.box, seen.box[n])) sum += (double)cell.cov;
            }
        f[k].drawn++;
        f[k].hidden += sum <= 0;
        f[k].faint += sum > 0 && c->kind != TL_NMS && sum < fmax(1, c->min_samples);
    }
    return TL_OK;
}

static tl_status look(tl_diagnose *d, const tl_dataset *set, fate *f)
{
    const tl_scenes *s = set->scenes;
    const int every = s->labels->npictures / PICTURES + 1;
    tl_arena *tmp = tl_arena_new();
    tl_status st = tmp ? TL_OK : TL_ENOMEM;
    for (int i = 0; !st && i < s->labels->npictures; i++) {
        const tl_picture *p = &s->labels->picture[i];
        tl_view v;
        tl_view_plain(&s->view, (tl_size){ p->w, p->h }, &v);
        for (int n = 0; !st && n < p->n; n++) st = follow(d, s, &v, &s->labels->object[p->first + n], f);
        if (!st && i % every == 0) st = draw(d, tmp, s, i, &v, f);
        tl_arena_reset(tmp);
    }
    tl_arena_free(tmp);
    return st;
}

/* ---- Telling ---- */

static tl_status tell_lost(tl_diagnose *d, const fate *all)
{
    const tl_preprocessing *p = d->spec->experiment->augmentation_config->preprocessing;
    const double cut = (double)all->cut / all->objects, small = (double)all->small / all->objects;
    const bool kept = !p->enable_auto_resize && !p->output_image_min;
    if (cut > MANY)
        TL_TRY(tl_diagnose_cause(d, cut, "%d of %d boxes lie, for more than half, where the network does not look: %s", all->cut, all->objects,
            kept ? "pictures keep their size and are cut at the right and below. augmentation_config { preprocessing { enable_auto_resize: true } } shows "
                   "them whole" : "see crop_left, crop_top, crop_right, crop_bottom and output_image_min in augmentation_config.preprocessing"));
    if (small > MANY)
        TL_TRY(tl_diagnose_cause(d, small, "%d of %d boxes are dropped for being smaller than %g x %g pixels of the network's input: lower "
            "augmentation_config.preprocessing.min_bbox_width and min_bbox_height, to 1.0 for instance", all->small, all->objects,
            (double)p->min_bbox_width, (double)p->min_bbox_height));
    return TL_OK;
}

/* The multiple of 16 that is nearest. */
static int sixteens(double v) { return 16 * (int)fmax(1, round(v / 16)); }

static tl_status tell_sizes(tl_diagnose *d, const tl_cells *g, fate *f, int k)
{
    const double cell = (double)g->in_w / g->w, half = (double)quantile(&f->side, 0.5), share = (double)f->objects;
    if (!f->side.n) return TL_OK;
    TL_TRY(tl_diagnose_fact(d, "'%s': %d objects; of the smaller sides of boxes as the network sees them a tenth is below %.0f pixels, half below %.0f",
                            d->goal.names[k], f->objects, (double)quantile(&f->side, 0.1), half));
    if (half >= cell / 2 || share <= 0) return TL_OK;
    const double by = fmin(4, cell / half);
    return tl_diagnose_cause(d, 0.5 / d->goal.classes, "half of the boxes of '%s' are below %.0f pixels in the network's input, where a cell is %.0f: show the "
        "network larger pictures, as with augmentation_config { preprocessing { enable_auto_resize: true output_image_width: %d output_image_height: %d } }",
        d->goal.names[k], half, cell, sixteens(g->in_w * by), sixteens(g->in_h * by));
}

/* What evaluation and clustering leave out. */
static tl_status tell_limits(tl_diagnose *d, fate *f, int k)
{
    const tl_box_limits *m = &d->goal.metric.limits[k];
    const double n = f->height.n, tenth = floor((double)quantile(&f->height, 0.05));
    if (n > 0 && f->unjudged / n > MANY)
        TL_TRY(tl_diagnose_cause(d, f->unjudged / n / d->goal.classes, "%d of %.0f boxes of '%s' do not count, nor what is found there, since evaluation_config."
            "evaluation_box_config wants %g to %g pixels in width and %g to %g in height: set minimum_width and minimum_height to %.0f at most",
            f->unjudged, n, d->goal.names[k], (double)m->min_w, (double)m->max_w, (double)m->min_h, (double)m->max_h, floor((double)quantile(&f->side, 0.02))));
    if (n > 0 && f->low / n > MANY)
        TL_TRY(tl_diagnose_cause(d, f->low / n / d->goal.classes, "%d of %.0f boxes of '%s' are no higher than postprocessing_config...clustering_config."
            "minimum_bounding_box_height, %g, so that they are never found: set it to %.0f", f->low, n, d->goal.names[k],
            (double)d->goal.clustering[k].min_height, fmax(0, tenth - 1)));
    return TL_OK;
}

static tl_status tell_cells(tl_diagnose *d, const fate *f, int k)
{
    const double n = f->drawn;
    if (!f->drawn) return TL_OK;
    if (f->hidden / n > 2 * MANY)
        TL_TRY(tl_diagnose_cause(d, f->hidden / n / d->goal.classes, "%d of %d objects of '%s' have no cell of their own: others, nearer to the lower edge, take "
            "them all. Show the network larger pictures (output_image_width, output_image_height), or lower bbox_rasterizer_config.deadzone_radius, "
            "which is %g", f->hidden, f->drawn, d->goal.names[k], (double)d->spec->experiment->bbox_rasterizer_config->deadzone_radius));
    if (f->faint / n > 2 * MANY)
        TL_TRY(tl_diagnose_cause(d, f->faint / n / d->goal.classes, "%d of %d objects of '%s' cover cells that add up to less than %g, which DBSCAN takes for "
            "noise however sure the network is: use clustering_algorithm: NMS in postprocessing_config, larger pictures, or a larger cov_radius_x and "
            "cov_radius_y in bbox_rasterizer_config", f->faint, f->drawn, d->goal.names[k], fmax(1, (double)d->goal.clustering[k].min_samples)));
    return TL_OK;
}

static void add_up(const fate *f, int n, fate *all)
{
    for (int k = 0; k < n; k++) {
        all->objects += f[k].objects;
        all->cut += f[k].cut;
        all->small += f[k].small;
        all->drawn += f[k].drawn;
        all->hidden += f[k].hidden;
    }
}

tl_status tl_diagnose_boxes(tl_diagnose *d)
{
    const int n = d->goal.classes;
    fate *f = tl_new(d->a, fate, n), all = { 0 };
    TL_NEW(f);
    TL_TRY(look(d, d->train, f));
    add_up(f, n, &all);
    if (!all.objects) return TL_OK;
    TL_TRY(tell_lost(d, &all));
    TL_TRY(tl_diagnose_fact(d, "of %d objects drawn for training %d have cells of their own", all.drawn, all.drawn - all.hidden));
    for (int k = 0; k < n; k++) {
        TL_TRY(tell_sizes(d, &d->train->scenes->cells, &f[k], k));
        TL_TRY(tell_limits(d, &f[k], k));
        TL_TRY(tell_cells(d, &f[k], k));
    }
    return TL_OK;
}
