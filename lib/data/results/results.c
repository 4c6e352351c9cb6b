/* results.c - a picture's detections to each of the files that are wanted. SPDX-License-Identifier: MIT */
#include "coco_out.h"
#include "file.h"
#include "text.h"
#include "label/keys.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tl_results {
    const tl_results_conf *c;
    tl_arena    *one;     /* for one picture */
    tl_keys      taken;   /* names of KITTI's files */
    tl_coco_out *coco;    /* NULL: not wanted */
};

/* ---- KITTI ---- */

/* Three decimals, whatever the program's locale. */
static void decimal(tl_text *t, float v)
{
    const long long n = isfinite(v) && fabsf(v) < 1e12f ? llround((double)v * 1000) : 0;
    tl_textf(t, "%s%lld.%03lld", n < 0 ? "-" : "", llabs(n) / 1000, llabs(n) % 1000);
}

static void word(tl_text *t, const char *name)
{
    for (; *name; name++) tl_text_add(t, isspace((unsigned char)*name) ? "_" : name, 1);
}

static void kitti_line(tl_text *t, const char *class, const tl_detection *d)
{
    const float edge[] = { d->box.x1, d->box.y1, d->box.x2, d->box.y2 };
    word(t, class);
    tl_textf(t, " 0.00 0 0.00");
    for (int i = 0; i < 4; i++) {
        tl_textf(t, " ");
        decimal(t, edge[i]);
    }
    tl_textf(t, " 0.00 0.00 0.00 0.00 0.00 0.00 0.00 ");
    decimal(t, d->score);
    tl_textf(t, "\n");
}

/* The file's name without its folder, one that no picture before had. */
static tl_status name_of(tl_results *r, const char *picture, const char **out)
{
    char *name = tl_strdup(r->one, picture);
    TL_NEW(name);
    if (tl_image_name(name)) *strrchr(name, '.') = 0;
    const int before = r->taken.key.n, k = tl_keys_add(&r->taken, name);
    if (k < 0) return TL_ENOMEM;
    TL_NEW(*out = tl_printf(r->one, "%s.txt", k < before ? picture : name));
    return TL_OK;
}

static tl_status write_kitti(tl_results *r, const char *picture, const tl_detection *d, int n)
{
    const char *name, *path, *end;
    tl_text t = tl_text_new(r->one);
    TL_TRY(name_of(r, picture, &name));
    for (int i = 0; i < n; i++) kitti_line(&t, r->c->classes[d[i].label], &d[i]);
    TL_NEW(end = tl_text_end(&t));
    TL_NEW(path = tl_printf(r->one, "%s/%s", r->c->folder, name));
    char *folder = tl_strdup(r->one, path);
    TL_NEW(folder);
    *strrchr(folder, '/') = 0;
    if (strchr(name, '/')) TL_TRY(tl_mkdirs(folder));
    return tl_file_write(path, end, t.n);
}

/* ---- All ---- */

static void free_arena(void *a) { tl_arena_free(a); }

tl_status tl_results_new(tl_arena *a, const tl_results_conf *c, tl_results **out)
{
    tl_results *r = tl_new(a, tl_results, 1);
    TL_NEW(r);
    *r = (tl_results){ c, tl_arena_new(), { .a = a }, NULL };
    TL_NEW(r->one);
    TL_TRY(tl_defer(a, free_arena, r->one));
    if (c->folder) TL_TRY(tl_mkdirs(c->folder));
    if (c->json) TL_TRY(tl_coco_out_new(a, c, &r->coco));
    *out = r;
    return TL_OK;
}

tl_status tl_results_add(tl_results *r, const char *picture, const tl_detection *d, int n)
{
    tl_arena_reset(r->one);
    for (int i = 0; i < n; i++) assert(d[i].label >= 0 && d[i].label < r->c->nclasses);
    if (r->c->folder) TL_TRY(write_kitti(r, picture, d, n));
    return r->coco ? tl_coco_out_add(r->coco, r->one, picture, d, n) : TL_OK;
}

tl_status tl_results_end(tl_results *r) { return r->coco ? tl_coco_out_end(r->coco) : TL_OK; }
