/* scenes.c - a picture with its objects becomes the network's input and its target grids. SPDX-License-Identifier: MIT */
#include "scenes.h"
#include "sample.h"
#include <math.h>
#include <string.h>

tl_status tl_scenes_dataset(tl_arena *a, const tl_scenes *s, tl_dataset *out)
{
    tl_sample *sample = tl_new(a, tl_sample, s->labels->npictures);
    TL_NEW(sample);
    for (int i = 0; i < s->labels->npictures; i++) sample[i].path = s->labels->picture[i].path;
    *out = (tl_dataset){ .root = s->labels->npictures ? sample[0].path : "", .sample = { s->labels->npictures, sample }, .scenes = s };
    return TL_OK;
}

size_t tl_scene_width(const tl_scenes *s)
{
    return (size_t)s->cells.w * (size_t)s->cells.h * (size_t)s->cells.classes * (1 + 1 + 4 + 1);
}

/* The classes of objects, as wanted by class_of or otherwise. */
static tl_status look(tl_arena *a, const tl_scenes *s, int i, const tl_view *v, const int *class_of, tl_seen *out)
{
    const tl_picture *p = &s->labels->picture[i];
    TL_NEW(out->box = tl_new(a, tl_box, p->n));
    TL_NEW(out->label = tl_new(a, int, p->n));
    out->n = 0;
    for (const tl_object *o = s->labels->object + p->first, *end = o + p->n; o < end; o++) {
        const int label = class_of ? class_of[o->label] : o->label;
        if (label < 0 || !tl_view_box(v, o->box, &out->box[out->n])) continue;
        out->label[out->n++] = label;
    }
    return TL_OK;
}

tl_status tl_scene_objects(tl_arena *a, const tl_scenes *s, int i, const tl_view *v, tl_seen *out)
{
    return look(a, s, i, v, s->class_of, out);
}

/* ---- Loss masks ---- */

static bool passes(const tl_mask_filter *f, tl_box b, int source)
{
    const float w = b.x2 - b.x1, h = b.y2 - b.y1;
    const bool anywhere = f->near.x1 >= f->near.x2 || f->near.y1 >= f->near.y2;
    if (f->sources && !f->sources[source]) return false;
    if (w < f->min_w || h < f->min_h || (f->max_w > 0 && w > f->max_w) || (f->max_h > 0 && h > f->max_h)) return false;
    return anywhere || (b.x1 < f->near.x2 && b.x2 > f->near.x1 && b.y1 < f->near.y2 && b.y2 > f->near.y1);
}

/* Draw the objects that pass, as if they were of class k, and change the weights where they are. */
static tl_status mask_class(tl_arena *a, const tl_scenes *s, const tl_mask_filter *f, const tl_seen *all, int k, const tl_targets *t)
{
    const size_t classes = (size_t)s->cells.classes, cells = (size_t)s->cells.w * (size_t)s->cells.h;
    tl_targets drawn;
    int *label = tl_new(a, int, all->n);
    TL_NEW(label);
    TL_TRY(tl_targets_new(a, &s->cells, &drawn));
    for (int i = 0; i < all->n; i++) label[i] = passes(f, all->box[i], all->label[i]) ? k : -1;
    TL_TRY(tl_targets_draw(&s->cells, s->drawing, s->deadzone, all->box, label, all->n, a, &drawn));
    for (size_t at = (size_t)k; at < cells * classes; at += classes) {
        if (!(drawn.cov[at] > 0) || (s->mask_spares && t->cov[at] > 0)) continue;
        if (f->cov) t->cov_weight[at] *= s->mask_by;
        if (f->bbox) t->cov_norm[at] *= s->mask_by;
    }
    return TL_OK;
}

static tl_status mask(tl_arena *a, const tl_scenes *s, int i, const tl_view *v, const tl_targets *t)
{
    tl_seen all;
    if (!s->nmask) return TL_OK;
    TL_TRY(look(a, s, i, v, NULL, &all));
    for (int f = 0; f < s->nmask; f++)
        for (int k = 0; k < s->cells.classes; k++)
            if (s->mask[f].classes[k]) TL_TRY(mask_class(a, s, &s->mask[f], &all, k, t));
    return TL_OK;
}

/* ---- One picture ---- */

static tl_status draw_targets(tl_arena *a, const tl_scenes *s, int i, const tl_view *v, float *to)
{
    const size_t n = (size_t)s->cells.w * (size_t)s->cells.h * (size_t)s->cells.classes;
    const tl_targets t = { .cov = to, .cov_weight = to + n, .bbox = to + 2 * n, .cov_norm = to + 6 * n };
    tl_seen seen;
    TL_TRY(tl_scene_objects(a, s, i, v, &seen));
    TL_TRY(tl_targets_draw(&s->cells, s->drawing, s->deadzone, seen.box, seen.label, seen.n, a, &t));
    TL_TRY(mask(a, s, i, v, &t));
    for (size_t k = 0; s->weight && k < n; k++) {
        t.cov_weight[k] *= s->weight[i];
        t.cov_norm[k] *= s->weight[i];
    }
    return TL_OK;
}

/* How small a decoder may make a picture of this size, whatever is drawn: cached pictures serve all draws. */
static tl_size least(const tl_scenes *s, tl_size full)
{
    tl_view v;
    tl_view_plain(&s->view, full, &v);
    const tl_size plain = tl_view_least(&v);
    const float nearer = s->view.zoom_min > 0 && s->view.zoom_min < 1 ? 1 / s->view.zoom_min : 1;
    return (tl_size){ (int)ceilf((float)plain.w * nearer), (int)ceilf((float)plain.h * nearer) };
}

tl_status tl_scene_make(tl_arena *a, const tl_dataset *d, const tl_loader_conf *c, tl_cache *cache, int epoch, int i, float *x, float *target)
{
    const tl_scenes *s = d->scenes;
    const tl_picture *p = &s->labels->picture[i];
    const tl_size full = { p->w, p->h };
    const tl_image *from = tl_cache_get(cache, i);
    tl_image fresh;
    tl_view v;
    if (!from) {
        TL_TRY(tl_image_load(a, p->path, c->c, least(s, full), &fresh));
        tl_cache_put(cache, i, &fresh);
        from = &fresh;
    }
    if (c->vary) tl_view_draw(&s->view, full, c->seed, (uint64_t)epoch, (uint64_t)i, &v);
    else tl_view_plain(&s->view, full, &v);
    tl_view_render(&v, from, &c->norm, x);
    return draw_targets(a, s, i, &v, target);
}
