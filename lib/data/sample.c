/* sample.c - one picture's way from its file to the network's input. SPDX-License-Identifier: MIT
 *
 * Split where the cache cuts in: `prepare` is the same every time a picture is seen, `change` draws
 * random numbers. With random crops the picture is prepared no further than decoding, as large as
 * the smallest crop needs; else it is prepared up to the network's size. */
#include "augment.h"
#include "sample.h"
#include <math.h>
#include <string.h>

/* How small a decoder may make the shorter side. */
static int at_least(const tl_loader_conf *c)
{
    int side = c->w > c->h ? c->w : c->h;
    if (c->random_crop) return (int)ceilf((float)side / TL_CROP_LEAST);
    return c->center_crop ? side + TL_CROP_MARGIN : side;
}

static tl_status prepare(tl_arena *a, const char *path, const tl_loader_conf *c, bool cut_at_random,
                         tl_image *out)
{
    tl_image m;
    TL_TRY(tl_image_load(a, path, c->c, at_least(c), &m));
    tl_box box = { 0, 0, (float)m.w, (float)m.h };
    *out = m;
    if (cut_at_random) return TL_OK;
    if (c->center_crop) box = tl_crop_center(m.w, m.h, c->w, c->h);
    return tl_image_resize(a, &m, box, c->w, c->h, c->filter, out);
}

static void normalize(const tl_image *m, const tl_norm *n, float *x)
{
    tl_kernel()->normalize(m->p, (size_t)m->w * (size_t)m->h, m->c, n->order, n->mean, n->rstd, x);
}

tl_status tl_picture_read(tl_arena *a, const char *path, const tl_loader_conf *c, float *x)
{
    tl_image m;
    TL_TRY(prepare(a, path, c, false, &m));
    normalize(&m, &c->norm, x);
    return TL_OK;
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

static tl_status change(tl_arena *a, const tl_loader_conf *c, uint64_t epoch, uint64_t i,
                        const tl_image *from, tl_image *m)
{
    tl_rng draw = tl_rng_at(c->seed, epoch, i, TL_DRAW_CROP);
    *m = *from;
    if (c->random_crop)
        TL_TRY(tl_image_resize(a, from, tl_crop_random(&draw, from->w, from->h, c->w, c->h), c->w,
                               c->h, c->filter, m));
    if (c->random_crop && c->color && c->c == 3) {
        float rows[12];
        draw = tl_rng_at(c->seed, epoch, i, TL_DRAW_COLOR);
        tl_color_draw(&draw, rows);
        tl_image_color(m, rows);
    }
    if (!mirrors(c, epoch, i)) return TL_OK;
    if (m->p == from->p) { /* may lie in the cache */
        TL_TRY(tl_image_new(a, c->w, c->h, c->c, m));
        memcpy(m->p, from->p, (size_t)c->w * (size_t)c->h * (size_t)c->c);
    }
    tl_image_flip(m);
    return TL_OK;
}

tl_status tl_sample_make(tl_arena *a, const tl_dataset *d, const tl_loader_conf *conf,
                         tl_cache *cache, int epoch, int i, float *x)
{
    tl_image fresh, m;
    if (conf->rows) return take_row(a, d, conf, (uint64_t)epoch, (size_t)i, x);
    const tl_image *from = tl_cache_get(cache, i);
    if (!from) {
        TL_TRY(
            prepare(a, ((const tl_sample *)d->sample.at)[i].path, conf, conf->random_crop, &fresh));
        tl_cache_put(cache, i, &fresh);
        from = &fresh;
    }
    TL_TRY(change(a, conf, (uint64_t)epoch, (uint64_t)i, from, &m));
    normalize(&m, &conf->norm, x);
    return TL_OK;
}
