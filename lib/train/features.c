/* features.c - what a frozen trunk makes of all pictures, computed once. SPDX-License-Identifier: MIT
 *
 * Training a head then needs neither pictures nor trunk: the loader hands out rows of features. They are the same, bit for bit,
 * as those the trunk would have made in a training batch, because a picture's features depend on nothing but the picture.
 *
 * Where they take more memory than allowed they go to RESULTS/features.cache. A training that was stopped finds them there; the
 * key says that trunk, preparation and pictures are still the same. At the end of the training the file is removed. */
#include "listen.h"
#include "seal.h"
#include "text.h"
#include "trainer.h"
#include "pass.h"
#include <omp.h>
#include <string.h>
#include <sys/stat.h>

static const char *why_not(const tl_trainer_conf *c, const tl_trunk *t)
{
    if (c->teacher) return "with a teacher all maps of every picture are needed";
    if (!t->front.plan) return "no part of the network stays as it is; list its blocks in freeze_blocks and set freeze_bn";
    if (c->loader.random_crop) return "enable_random_crop shows another part of a picture each time";
    if (c->loader.mixup_alpha > 0) return "mixup_alpha blends pictures anew each time";
    return NULL;
}

static void add_pictures(tl_text *t, const tl_dataset *d)
{
    for (int i = 0; i < d->sample.n; i++) {
        const char *path = ((const tl_sample *)d->sample.at)[i].path;
        struct stat s = { 0 };
        (void)stat(path, &s);
        tl_textf(t, "%s %lld %lld.%09ld\n", path, (long long)s.st_size, (long long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
    }
}

/* A checksum of all that the features depend on. */
static tl_status key_of(tl_arena *a, const tl_trainer_conf *c, const tl_front *f, char key[TL_CHECKSUM_SIZE])
{
    const tl_loader_conf *l = &c->loader;
    tl_onnx *net;
    tl_bytes bytes;
    TL_TRY(tl_graph_to_onnx(f->g, a, 0, false, &net));
    TL_TRY(tl_onnx_pack(a, net, &bytes));
    TL_TRY(tl_checksum(bytes, key));
    tl_text t = tl_text_new(a);
    tl_textf(&t, "%s %s %s, %d threads, batch %d\n%s\n", tl_version(), tl_dnn_version(), tl_kernel()->isa, omp_get_max_threads(), l->batch, key);
    tl_textf(&t, "%dx%dx%d %d %d %d\n", l->c, l->h, l->w, l->filter, c->model->center_crop, l->hflip);
    for (int k = 0; k < l->c; k++) tl_textf(&t, "%d %a %a\n", l->norm.order[k], (double)l->norm.mean[k], (double)l->norm.rstd[k]);
    add_pictures(&t, c->train);
    add_pictures(&t, c->val);
    TL_NEW(tl_text_end(&t));
    return tl_checksum((tl_bytes){ (const uint8_t *)t.at, t.n }, key);
}

/* Left to right, each picture of a batch x in place; as tl_image_flip, for pixels are normalized each for itself. */
static void mirror(float *x, tl_shape s)
{
    const size_t c = (size_t)s.c, w = (size_t)s.w;
    for (size_t row = 0; row < (size_t)s.n * (size_t)s.h; row++)
        for (float *l = x + row * w * c, *r = l + (w - 1) * c; l < r; l += c, r -= c)
            for (size_t k = 0; k < c; k++) {
                float t = l[k];
                l[k] = r[k];
                r[k] = t;
            }
}

/* One data set's rows: from `first` on, and as far again (mirrored; 0: there are none) those of the mirrored pictures. */
typedef struct { tl_trunk *t; const tl_dataset *d; size_t first, mirrored; int computed; } part;

static bool known(const part *p, int i)
{
    const size_t row = p->first + (size_t)i;
    return tl_rows_has(p->t->rows, row) && tl_rows_has(p->t->rows, row + p->mirrored);
}

static tl_status put_batch(const part *p, const tl_batch *b, size_t first)
{
    const float *y;
    TL_TRY(tl_front_run(&p->t->front, b->x, &y));
    for (int i = 0; i < b->n; i++, y += tl_rows_width(p->t->rows)) TL_TRY(tl_rows_put(p->t->rows, first + (size_t)b->sample[i], y));
    return TL_OK;
}

static tl_status fill_batch(part *p, const tl_batch *b)
{
    int i = 0;
    while (i < b->n && known(p, b->sample[i])) i++;
    if (i == b->n) return TL_OK;
    p->computed += b->n;
    TL_TRY(put_batch(p, b, p->first));
    if (!p->mirrored) return TL_OK;
    mirror(b->x, tl_plan_value(p->t->front.plan, p->t->front.in).s);
    return put_batch(p, b, p->first + p->mirrored);
}

static tl_status fill(part *p, tl_loader *load, const tl_listener *l)
{
    const int n = p->d->sample.n;
    const tl_batch *b;
    int done = 0;
    while (done < n && known(p, done)) done++;
    if (done == n) return TL_OK;
    TL_TRY(tl_loader_start(load, 0, 0));
    for (done = 0;; done += b->n) {
        TL_CHECK(!tl_stopping(l), TL_ESTOPPED, "stopped while computing features, before the first step of training");
        if (l->progress) l->progress(l->ctx, &(tl_progress){ .stage = "features", .batch = done, .batches = n });
        TL_TRY(tl_loader_next(load, &b));
        if (!b) return TL_OK;
        TL_TRY(fill_batch(p, b));
    }
}

static tl_status fill_all(tl_arena *a, const tl_trainer_conf *c, tl_trunk *t, int *computed)
{
    const size_t n = (size_t)c->train->sample.n, mirrored = c->loader.hflip ? n : 0;
    part parts[] = { { t, c->train, 0, mirrored, 0 }, { t, c->val, n + mirrored, 0, 0 } };
    tl_loader_conf conf = c->loader;
    conf.center_crop = c->model->center_crop;
    conf.hflip = conf.shuffle = conf.wrap = false;
    conf.smoothing = 0;
    conf.cache_bytes = 0; /* each picture is read once */
    for (int i = 0; i < TL_LEN(parts); i++) {
        tl_loader *load;
        TL_TRY(tl_loader_new(a, parts[i].d, &conf, &load));
        TL_TRY(fill(&parts[i], load, &c->listener));
        *computed += parts[i].computed;
    }
    return TL_OK;
}

static tl_status cache(tl_arena *a, tl_arena *tmp, const tl_trainer_conf *c, tl_trunk *t)
{
    char key[TL_CHECKSUM_SIZE];
    tl_rows_conf r = { .n = (size_t)c->train->sample.n * (c->loader.hflip ? 2 : 1) + (size_t)c->val->sample.n,
                       .width = tl_count(t->rest.node[t->cut.i].s), .key = key };
    const double start = tl_now();
    int computed = 0;
    if (tl_rows_bytes(&r) > c->cache_features) {
        const int rank = tl_dist_rank(c->dist); /* each process has its own */
        TL_NEW(r.path = rank ? tl_printf(a, "%s/features_%d.cache", c->results, rank) : tl_path_join(a, c->results, "features.cache"));
        TL_TRY(tl_mkdirs(c->results));
        TL_TRY(key_of(tmp, c, &t->front, key));
    }
    TL_TRY(tl_rows_new(a, &r, &t->rows));
    TL_TRY(fill_all(tmp, c, t, &computed));
    tl_say(&c->listener, "features of %d pictures%s, %zu numbers each: %d computed in %.1f s, kept in %s (%.1f MB)\n",
           c->train->sample.n + c->val->sample.n, c->loader.hflip ? ", those to train on also mirrored" : "", r.width, computed,
           tl_now() - start, r.path ? r.path : "memory", (double)tl_rows_bytes(&r) * 1e-6);
    return TL_OK;
}

tl_status tl_features_cache(tl_arena *a, const tl_trainer_conf *c, tl_trunk *t)
{
    const char *why = why_not(c, t);
    if (!c->cache_features) return TL_OK;
    if (why) {
        tl_say(&c->listener, "warning: features are not cached: %s\n", why);
        return TL_OK;
    }
    tl_arena *tmp = tl_arena_new();
    TL_NEW(tmp);
    tl_status s = cache(a, tmp, c, t);
    tl_arena_free(tmp);
    return s;
}
