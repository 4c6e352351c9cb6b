/* sample.c - one picture's way from its file to the network's input. SPDX-License-Identifier: MIT
 *
 * Split where the cache cuts in: `prepare` is the same every time a picture is seen, `change` draws
 * random numbers. With random crops the picture is prepared no further than decoding, as large as
 * the smallest crop needs; else it is prepared up to the network's size. */
#include "augment.h"
#include "sample.h"
#include "scenes.h"
#include <math.h>
#include <string.h>

/* How small a decoder may make a picture: then no crop has to be enlarged. It must not depend on what is drawn, because a cached
 * picture serves all draws. */
static tl_size least(const tl_loader_conf *c)
{
    if (c->random_crop) return (tl_size){ (int)ceilf((float)c->w / TL_CROP_LEAST), (int)ceilf((float)c->h / TL_CROP_LEAST) };
    const int margin = c->center_crop ? TL_CROP_MARGIN : 0;
    return (tl_size){ c->w + margin, c->h + margin };
}

static tl_status prepare(tl_arena *a, const char *path, const tl_loader_conf *c, bool cut_at_random,
                         tl_image *out)
{
    tl_image m;
    TL_TRY(tl_image_load(a, path, c->c, least(c), &m));
    tl_crop box = { 0, 0, (float)m.w, (float)m.h };
    *out = m;
    if (cut_at_random) return TL_OK;
    if (c->center_crop) box = tl_crop_center(m.w, m.h, c->w, c->h);
    return tl_image_resize(a, &m, box, c->w, c->h, c->filter, out);
}

/* What is left to be done with a picture of the network's size; colors: rows for tl_image_color, or NULL. Some rows of pixels at a
 * time, which stay in the nearest cache meanwhile. */
static tl_status finish(tl_arena *a, const tl_image *m, const tl_norm *n, const float *colors, bool mirrored, float *x)
{
    enum { BAND = 16 };
    const size_t row = (size_t)m->w * (size_t)m->c;
    tl_image band = { m->w, BAND, m->c, tl_alloc_raw(a, BAND * row) };
    TL_NEW(band.p);
    for (int y = 0; y < m->h; y += BAND) {
        band.h = m->h - y < BAND ? m->h - y : BAND;
        memcpy(band.p, m->p + (size_t)y * row, (size_t)band.h * row);
        if (colors) tl_image_color(&band, colors);
        if (mirrored) tl_image_flip(&band);
        tl_kernel()->normalize(band.p, (size_t)(m->w * band.h), m->c, n->order, n->mean, n->rstd, x + (size_t)y * row);
    }
    return TL_OK;
}

tl_status tl_picture_read(tl_arena *a, const char *path, const tl_loader_conf *c, float *x)
{
    tl_image m;
    TL_TRY(prepare(a, path, c, false, &m));
    return finish(a, &m, &c->norm, NULL, false, x);
}

static bool mirrors(const tl_loader_conf *c, uint64_t epoch, uint64_t i)
{
    tl_rng draw = tl_rng_at(c->seed, epoch, i, TL_DRAW_FLIP);
    return c->hflip && tl_uniform(&draw) < 0.5f;
}

/* A picture without a row is one that could not be read, and reading it says why. */
static tl_status take_row(tl_arena *a, const tl_dataset *d, const tl_loader_conf *c, uint64_t epoch, size_t i, float *x)
{
    const char *path = ((const tl_sample *)d->sample.at)[i].path;
    const size_t row = c->first_row + i + (mirrors(c, epoch, i) ? (size_t)d->sample.n : 0);
    tl_image m;
    if (tl_rows_has(c->rows, row)) return tl_rows_get(c->rows, row, x);
    TL_TRY(prepare(a, path, c, false, &m));
    return tl_fail(TL_EDATA, "'%s' could not be read before and can be now; do not change pictures during a training", path);
}

static tl_status change(tl_arena *a, const tl_loader_conf *c, uint64_t epoch, uint64_t i, const tl_image *from, float *x)
{
    const bool colored = c->random_crop && c->color && c->c == 3;
    tl_rng draw = tl_rng_at(c->seed, epoch, i, TL_DRAW_CROP);
    tl_image m = *from;
    float colors[12];
    if (c->random_crop)
        TL_TRY(tl_image_resize(a, from, tl_crop_random(&draw, from->w, from->h, c->w, c->h), c->w, c->h, c->filter, &m));
    draw = tl_rng_at(c->seed, epoch, i, TL_DRAW_COLOR);
    if (colored) tl_color_draw(&draw, colors);
    return finish(a, &m, &c->norm, colored ? colors : NULL, mirrors(c, epoch, i), x);
}

size_t tl_target_width(const tl_dataset *d) { return d->scenes ? tl_scene_width(d->scenes) : (size_t)d->classes.n; }

/* The picture's class, with a little doubt when smoothing says so. */
static void label(const tl_dataset *d, const tl_loader_conf *c, int i, float *target)
{
    for (int k = 0; k < d->classes.n; k++) target[k] = c->smoothing / (float)d->classes.n;
    if (d->classes.n) target[((const tl_sample *)d->sample.at)[i].label] += 1 - c->smoothing;
}

tl_status tl_sample_make(tl_arena *a, const tl_dataset *d, const tl_loader_conf *conf,
                         tl_cache *cache, int epoch, int i, float *x, float *target)
{
    tl_image fresh;
    if (d->scenes) return tl_scene_make(a, d, conf, cache, epoch, i, x, target);
    label(d, conf, i, target);
    if (conf->rows) return take_row(a, d, conf, (uint64_t)epoch, (size_t)i, x);
    const tl_image *from = tl_cache_get(cache, i);
    if (!from) {
        TL_TRY(
            prepare(a, ((const tl_sample *)d->sample.at)[i].path, conf, conf->random_crop, &fresh));
        tl_cache_put(cache, i, &fresh);
        from = &fresh;
    }
    return change(a, conf, (uint64_t)epoch, (uint64_t)i, from, x);
}
