/* features.c - what a frozen trunk makes of all pictures, computed once. SPDX-License-Identifier: MIT
 *
 * Training a head then needs neither pictures nor trunk: the loader hands out rows of features. They are the same, bit for bit,
 * as those the trunk would have made in a training batch, because a picture's features depend on nothing but the picture.
 *
 * Where they take more memory than allowed they go to RESULTS/features.cache. A training that was stopped finds them there; the
 * key says that trunk, preparation and pictures are still the same. At the end of the training the file is removed.
 *
 * Of many processes each computes its share of the batches; then all get the rows of all, for in later epochs each will want
 * others. */
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
typedef struct { tl_trunk *t; const tl_dataset *d; size_t first, mirrored; int computed; bool stopped; } part;

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
        if ((p->stopped = tl_stopping(l))) return TL_OK;
        if (l->progress) l->progress(l->ctx, &(tl_progress){ .stage = "features", .batch = done, .batches = n });
        TL_TRY(tl_loader_next(load, &b));
        if (!b) return TL_OK;
        TL_TRY(fill_batch(p, b));
    }
}

/* A row of each process at a time: whether it is there, then its numbers as they lie in memory. */
typedef struct { tl_dist *dist; int batch, n; double *mine, *all; } exchange; /* n and size x n numbers */

static tl_status exchange_new(tl_arena *a, const tl_trainer_conf *c, const tl_rows *rows, exchange *e)
{
    const size_t width = tl_rows_width(rows) * sizeof(float);
    *e = (exchange){ .dist = c->dist, .batch = c->loader.batch, .n = 1 + (int)((width + sizeof(double) - 1) / sizeof(double)) };
    TL_NEW(e->mine = tl_new(a, double, e->n));
    TL_NEW(e->all = tl_new(a, double, e->n * tl_dist_size(e->dist)));
    return TL_OK;
}

/* Of rows first..first + n number i of process 0, and those that the others made beside it. */
static tl_status exchange_row(const exchange *e, tl_rows *rows, size_t first, int n, int i)
{
    const int rank = tl_dist_rank(e->dist), size = tl_dist_size(e->dist), own = i + rank * e->batch;
    e->mine[0] = own < n && tl_rows_has(rows, first + (size_t)own);
    if (e->mine[0] > 0) TL_TRY(tl_rows_get(rows, first + (size_t)own, (float *)(void *)(e->mine + 1)));
    TL_TRY(tl_dist_gather(e->dist, e->mine, (size_t)e->n * sizeof *e->mine, e->all));
    for (int k = 0; k < size; k++) {
        const double *from = e->all + (size_t)k * (size_t)e->n;
        const size_t row = first + (size_t)i + (size_t)(k * e->batch);
        if (from[0] > 0 && !tl_rows_has(rows, row)) TL_TRY(tl_rows_put(rows, row, (const float *)(const void *)(from + 1)));
    }
    return TL_OK;
}

static tl_status exchange_rows(const exchange *e, tl_rows *rows, size_t first, int n)
{
    const int together = tl_dist_size(e->dist) * e->batch;
    for (int i = 0; i < n; i += together)
        for (int j = 0; j < e->batch && i + j < n; j++) TL_TRY(exchange_row(e, rows, first, n, i + j));
    return TL_OK;
}

/* All processes stop where one was told to; *computed becomes the sum of all. */
static tl_status agree(tl_arena *a, tl_dist *d, bool stop, int *computed)
{
    const double mine[] = { stop, *computed };
    double *all = tl_new(a, double, 2 * tl_dist_size(d));
    TL_NEW(all);
    TL_TRY(tl_dist_gather(d, mine, sizeof mine, all));
    *computed = 0;
    for (int k = 0; k < tl_dist_size(d); k++) {
        stop |= all[2 * k] > 0;
        *computed += (int)all[2 * k + 1];
    }
    if (!stop) return TL_OK;
    tl_dist_agree(d);
    return tl_fail(TL_ESTOPPED, "stopped while computing features, before the first step of training");
}

static tl_status fill_all(tl_arena *a, const tl_trainer_conf *c, tl_trunk *t, int *computed)
{
    const size_t n = (size_t)c->train->sample.n, mirrored = c->loader.hflip ? n : 0;
    part parts[] = { { t, c->train, 0, mirrored, 0, false }, { t, c->val, n + mirrored, 0, 0, false } };
    bool stop = false;
    tl_loader_conf conf = c->loader;
    conf.center_crop = c->model->center_crop;
    conf.hflip = conf.shuffle = conf.wrap = false;
    conf.smoothing = 0;
    conf.cache_bytes = 0; /* each picture is read once */
    conf.share = tl_dist_rank(c->dist);
    conf.shares = tl_dist_size(c->dist);
    for (int i = 0; i < TL_LEN(parts); i++) {
        tl_loader *load;
        TL_TRY(tl_loader_new(a, parts[i].d, &conf, &load));
        TL_TRY(fill(&parts[i], load, &c->listener));
        *computed += parts[i].computed;
        stop |= parts[i].stopped;
    }
    TL_TRY(agree(a, c->dist, stop, computed));
    if (!c->dist) return TL_OK;
    exchange e;
    TL_TRY(exchange_new(a, c, t->rows, &e));
    for (int i = 0; i < TL_LEN(parts); i++) {
        TL_TRY(exchange_rows(&e, t->rows, parts[i].first, parts[i].d->sample.n));
        if (parts[i].mirrored) TL_TRY(exchange_rows(&e, t->rows, parts[i].first + parts[i].mirrored, parts[i].d->sample.n));
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
