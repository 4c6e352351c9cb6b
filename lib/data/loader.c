/* loader.c - batches, made ahead by worker threads. SPDX-License-Identifier: MIT
 *
 * A ring of three batches, allocated once: the consumer reads one while the workers fill the next
 * two. A worker takes one row of a batch at a time, in order; whoever makes a batch's last row
 * finishes the batch (targets, mixup). One lock guards all of it, and is held only to take a row
 * and to hand it in; nobody polls.
 *
 * Same results at any number of threads: what row r of batch b holds depends on (seed, epoch, b, r)
 * and the files alone. An unreadable picture is known only after trying, so the rule for what
 * stands in for it looks at nothing but the epoch's order: the next readable one. */
#include "augment.h"
#include "sample.h"
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define RING   3
#define LISTED 20 /* unreadable pictures named in an error */
#define ABSENT (-1)

typedef struct {
    tl_batch out;
    int *sample;            /* by row; ABSENT: nothing readable */
    float *lambda;          /* mixup, by row */
    int number, rows, left; /* left: rows not made yet */
    bool ready;
} slot;

typedef struct {
    struct tl_loader *loader;
    tl_arena *arena;
    pthread_t thread;
} worker;

struct tl_loader {
    const tl_dataset *d;
    tl_loader_conf c;
    int n, batches, started; /* started: threads */
    size_t pixels, targets;  /* numbers in a row of x, of target */
    tl_cache *cache;
    worker *worker;

    /* The lock guards what follows, except that a row under way belongs to its worker. */
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    int epoch, *order;
    slot ring[RING];
    int next_batch, next_row; /* the next row to be taken */
    int released, out; /* batches before `released` are free again; `out` is the consumer's next */
    int busy;          /* rows under way */
    bool quit;
    tl_status failed; /* of a worker, for reasons other than a picture */
    char failure[256];
    const char **why; /* by sample; NULL: not found unreadable */
    int found;        /* unreadable pictures */
    tl_arena *notes;  /* holds the reasons */

    tl_bad *bad; /* the consumer's list */
    int listed;
};

/* Where in the epoch's order batch b begins. */
static int place(const tl_loader *l, int b) { return (b * l->c.shares + l->c.share) * l->c.batch; }

/* ---- Workers ---- */

static const char *known_bad(tl_loader *l, int sample)
{
    pthread_mutex_lock(&l->lock);
    const char *why = l->why[sample];
    pthread_mutex_unlock(&l->lock);
    return why;
}

static void note_bad(tl_loader *l, int sample)
{
    pthread_mutex_lock(&l->lock);
    if (!l->why[sample]) {
        const char *why = tl_strdup(l->notes, tl_errmsg());
        l->why[sample] = why ? why : "out of memory while noting why";
        l->found++;
    }
    pthread_mutex_unlock(&l->lock);
}

/* Fill one row with its picture or, with wrap, the next readable one. */
static tl_status fill(worker *w, slot *s, int row)
{
    tl_loader *l = w->loader;
    int at = place(l, s->number) + row, tries = l->c.wrap ? l->n : 1;
    s->sample[row] = ABSENT;
    for (int t = 0; t < tries && s->sample[row] == ABSENT; t++) {
        int i = l->order[(at + t) % l->n];
        if (known_bad(l, i)) continue;
        tl_status r = tl_sample_make(w->arena, l->d, &l->c, l->cache, l->epoch, i,
                                     s->out.x + (size_t)row * l->pixels, s->out.target + (size_t)row * l->targets);
        if (r == TL_ENOMEM || r == TL_EDATA) return r; /* not the picture's fault */
        if (r) note_bad(l, i);
        else
            s->sample[row] = i;
        tl_arena_reset(w->arena);
    }
    return TL_OK;
}

/* Move rows of `width` numbers to the front where others are absent, and clear what is left at the end. Returns how many there are. */
static int close_gaps(const tl_loader *l, const slot *s, float *at, size_t width)
{
    int n = 0;
    for (int row = 0; row < s->rows; row++) {
        if (s->sample[row] == ABSENT) continue;
        if (n < row) memcpy(at + (size_t)n * width, at + (size_t)row * width, sizeof(float) * width);
        n++;
    }
    memset(at + (size_t)n * width, 0, sizeof(float) * (size_t)(l->c.batch - n) * width);
    return n;
}

static void finish(const tl_loader *l, slot *s)
{
    close_gaps(l, s, s->out.target, l->targets);
    s->out.n = close_gaps(l, s, s->out.x, l->pixels);
    for (int row = 0, n = 0; row < s->rows; row++)
        if (s->sample[row] != ABSENT) s->sample[n++] = s->sample[row];
    if (l->c.mixup_alpha <= 0) return;
    for (int i = 0; i < s->out.n; i++) {
        tl_rng r = tl_rng_at(l->c.seed, (uint64_t)l->epoch, (uint64_t)s->sample[i], TL_DRAW_MIXUP);
        s->lambda[i] = tl_mixup_draw(&r, l->c.mixup_alpha);
    }
    tl_mixup(s->out.x, s->out.n, l->pixels, s->lambda);
    tl_mixup(s->out.target, s->out.n, l->targets, s->lambda);
}

static bool row_waits(const tl_loader *l)
{
    return !l->failed && l->next_batch < l->batches && l->next_batch < l->released + RING;
}

static slot *take_row(tl_loader *l, int *row)
{
    int b = l->next_batch, first = place(l, b);
    slot *s = &l->ring[b % RING];
    if (l->next_row == 0) {
        s->number = b;
        s->rows = s->left = l->c.wrap || l->n - first > l->c.batch ? l->c.batch : l->n - first;
        s->ready = false;
    }
    *row = l->next_row++;
    if (l->next_row == s->rows) {
        l->next_batch++;
        l->next_row = 0;
    }
    l->busy++;
    return s;
}

static void hand_in(tl_loader *l, slot *s, tl_status r)
{
    if (r && !l->failed) {
        l->failed = r;
        snprintf(l->failure, sizeof l->failure, "%s", tl_errmsg());
    }
    if (--s->left == 0 && !l->failed) {
        pthread_mutex_unlock(&l->lock);
        finish(l, s);
        pthread_mutex_lock(&l->lock);
        s->ready = true;
    }
    l->busy--;
    if (s->ready || l->failed || !l->busy) pthread_cond_signal(&l->done);
}

static void *run(void *arg)
{
    worker *w = arg;
    tl_loader *l = w->loader;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->quit && !row_waits(l)) pthread_cond_wait(&l->work, &l->lock);
        if (l->quit) break;
        int row;
        slot *s = take_row(l, &row);
        pthread_mutex_unlock(&l->lock);
        tl_status r = fill(w, s, row);
        pthread_mutex_lock(&l->lock);
        hand_in(l, s, r);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- The consumer's side ---- */

static void shut_down(void *arg)
{
    tl_loader *l = arg;
    pthread_mutex_lock(&l->lock);
    l->quit = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int t = 0; t < l->started; t++) pthread_join(l->worker[t].thread, NULL);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->done);
    pthread_mutex_destroy(&l->lock);
}

static void free_arena(void *a) { tl_arena_free(a); }

static tl_status own_arena(tl_arena *a, tl_arena **out)
{
    TL_NEW(*out = tl_arena_new());
    return tl_defer(a, free_arena, *out);
}

static tl_status make_buffers(tl_arena *a, tl_loader *l)
{
    size_t batch = (size_t)l->c.batch;
    TL_NEW(l->order = tl_new(a, int, l->n));
    TL_NEW(l->why = tl_new(a, const char *, l->n));
    TL_NEW(l->bad = tl_new(a, tl_bad, l->n));
    for (int i = 0; i < RING; i++) {
        slot *s = &l->ring[i];
        TL_NEW(s->sample = tl_new(a, int, batch));
        TL_NEW(s->lambda = tl_new(a, float, batch));
        TL_NEW(s->out.x = tl_new(a, float, batch * l->pixels));
        TL_NEW(s->out.target = tl_new(a, float, l->targets * batch));
        s->out.sample = s->sample;
    }
    TL_TRY(own_arena(a, &l->notes));
    return tl_cache_new(a, l->n, l->c.cache_bytes, &l->cache);
}

static tl_status start_threads(tl_arena *a, tl_loader *l)
{
    int threads = l->c.threads > 0 ? l->c.threads : omp_get_max_threads() - 1;
    if (threads < 1) threads = 1;
    TL_NEW(l->worker = tl_new(a, worker, threads));
    for (int t = 0; t < threads; t++) TL_TRY(own_arena(a, &l->worker[t].arena));
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->done, NULL);
    TL_TRY(tl_defer(a, shut_down, l));
    for (; l->started < threads; l->started++) {
        worker *w = &l->worker[l->started];
        w->loader = l;
        int e = pthread_create(&w->thread, NULL, run, w);
        TL_CHECK(!e, TL_EIO, "cannot start loader thread %d of %d: %s", l->started + 1, threads,
                 strerror(e));
    }
    return TL_OK;
}

static int count_batches(const tl_loader_conf *c, int n)
{
    int all = (n - 1) / c->batch + 1;
    return (all - (c->wrap ? 0 : c->share) + c->shares - 1) / c->shares;
}

tl_status tl_loader_new(tl_arena *a, const tl_dataset *d, const tl_loader_conf *c, tl_loader **out)
{
    TL_CHECK(d->sample.n > 0, TL_EDATA, "no pictures in '%s'", d->root);
    TL_CHECK(c->batch > 0 && c->w > 0 && c->h > 0 && (c->c == 1 || c->c == 3), TL_EARG,
             "cannot load batches of %d pictures of %dx%dx%d", c->batch, c->w, c->h, c->c);
    tl_loader *l = tl_new(a, tl_loader, 1);
    TL_NEW(l);
    l->d = d;
    l->c = *c;
    l->n = d->sample.n;
    l->targets = tl_target_width(d);
    l->pixels = c->rows ? tl_rows_width(c->rows) : (size_t)c->w * (size_t)c->h * (size_t)c->c;
    if (l->c.shares < 1) l->c.shares = 1;
    l->batches = l->next_batch = l->released = l->out = count_batches(&l->c, l->n);
    TL_TRY(make_buffers(a, l));
    TL_TRY(start_threads(a, l));
    *out = l;
    return TL_OK;
}

int tl_loader_batches(const tl_loader *l) { return l->batches; }

tl_status tl_loader_start(tl_loader *l, int epoch, int batch)
{
    TL_CHECK(epoch >= 0 && batch >= 0 && batch <= l->batches, TL_EARG,
             "no batch %d in epoch %d: an epoch has %d batches", batch, epoch, l->batches);
    pthread_mutex_lock(&l->lock);
    l->next_batch = l->batches; /* no new rows */
    while (l->busy) pthread_cond_wait(&l->done, &l->lock);
    l->epoch = epoch;
    for (int i = 0; i < l->n; i++) l->order[i] = i;
    tl_rng draw = tl_rng_at(l->c.seed, (uint64_t)epoch, 0, TL_DRAW_ORDER);
    if (l->c.shuffle) tl_shuffle(&draw, l->order, l->n);
    l->next_batch = l->released = l->out = batch;
    l->next_row = 0;
    l->failed = TL_OK;
    for (int i = 0; i < RING; i++) l->ring[i].ready = false;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return TL_OK;
}

static void list_bad(tl_loader *l)
{
    if (l->listed == l->found) return;
    l->listed = 0;
    for (int i = 0; i < l->n; i++)
        if (l->why[i]) l->bad[l->listed++] = (tl_bad){ i, l->why[i] };
}

static tl_status refuse_too_many_bad(const tl_loader *l)
{
    if ((double)l->listed <= (double)l->c.max_bad * l->n && l->listed < l->n) return TL_OK;
    char text[6000] = "";
    size_t at = 0;
    for (int i = 0; i < l->listed && i < LISTED && at < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "\n  %s", l->bad[i].why);
    if (l->listed > LISTED && at < sizeof text)
        snprintf(text + at, sizeof text - at, "\n  and %d more", l->listed - LISTED);
    return tl_fail(TL_EDATA,
                   "%d of the %d pictures in '%s' are unreadable, more than the %g %% allowed; "
                   "repair or remove "
                   "them:%s",
                   l->listed, l->n, l->d->root, (double)(100 * l->c.max_bad), text);
}

tl_status tl_loader_next(tl_loader *l, const tl_batch **out)
{
    *out = NULL;
    const tl_batch *found = NULL;
    pthread_mutex_lock(&l->lock);
    while (!l->failed && !found) {
        l->released = l->out; /* what the consumer held, or an empty batch */
        pthread_cond_broadcast(&l->work);
        if (l->out == l->batches) break;
        slot *s = &l->ring[l->out % RING];
        while (!l->failed && !(s->ready && s->number == l->out))
            pthread_cond_wait(&l->done, &l->lock);
        if (l->failed) break;
        l->out++;
        if (s->out.n) found = &s->out;
    }
    list_bad(l);
    tl_status failed = l->failed;
    pthread_mutex_unlock(&l->lock);
    if (failed) return tl_fail_again(failed, l->failure);
    TL_TRY(refuse_too_many_bad(l));
    *out = found;
    return TL_OK;
}

tl_list tl_loader_bad(const tl_loader *l) { return (tl_list){ l->listed, l->bad }; }
