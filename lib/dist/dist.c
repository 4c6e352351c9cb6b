/* dist.c - processes that train together: the thread that speaks to the others. SPDX-License-Identifier: MIT
 *
 * Work is queued by the caller and done in order. Whenever the thread waits, it tells the others once a second that it
 * is there and looks for who has not told so: process 0 watches all, all watch process 0.
 *
 * How a job ends in failure. Whoever finds it sets `failed`; the caller learns of it from its next call. A process
 * other than 0 sends its message to process 0, which speaks for all; then it waits to be ended, and speaks for itself
 * when that does not happen. A caller that makes no call for GRACE seconds is not waited for: listener's `lost` ends
 * the program. */
#include "dist.h"
#include "listen.h"
#include "load.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
    ROOM = 64,        /* work that waits */
    BUCKET = 1 << 20, /* numbers that are summed at once: 4 MB */
    MOST = 64 << 20,  /* bytes sent at once: MPI counts in int */
    SILENCE = 12,     /* seconds without a sign of life until a process is taken for lost */
    GRACE = 5,
    PATIENCE = 10, /* how long process 0 has to speak for another */
};

typedef enum { MEAN, COLLECT, BROADCAST, LEAVE } deed;
typedef struct {
    deed what;
    void *v;
    size_t n;
} work; /* n: numbers of MEAN, else bytes (COLLECT: of each process) */
typedef struct {
    char name[64];
} host;

struct tl_dist {
    const tl_transport *t;
    const tl_listener *listener;
    int rank, size;
    pthread_t thread;
    float *got; /* size pieces of a bucket, as they came */
    host *host; /* by rank */

    /* The thread's own */
    double *heard, told, awake; /* when: by rank, a sign of life; we gave one; we looked */

    /* Under the lock */
    pthread_mutex_t lock;
    pthread_cond_t more, less; /* work was queued; done (or nothing ever will be) */
    work queue[ROOM];
    long queued, done;
    bool joined, known; /* known: the caller has learned of the failure */
    bool agreed;        /* the caller's own */
    char why[sizeof((tl_message *)0)->why];
    double mute;              /* seconds that others have to speak before we do */
    atomic_bool failed, quit; /* read without the lock, too */
};

int tl_dist_rank(const tl_dist *d) { return d ? d->rank : 0; }
int tl_dist_size(const tl_dist *d) { return d ? d->size : 1; }

/* ---- The thread ---- */

static void fail(tl_dist *d, double mute, const char *why)
{
    pthread_mutex_lock(&d->lock);
    if (!d->failed) {
        snprintf(d->why, sizeof d->why, "%s", why);
        d->mute = mute;
        d->failed = true;
    }
    pthread_cond_broadcast(&d->less);
    pthread_cond_broadcast(&d->more);
    pthread_mutex_unlock(&d->lock);
}

/* Words may come from others; they end within the buffer. */
static void hear(tl_dist *d, int from, tl_message *m)
{
    char text[sizeof m->why + 160];
    m->why[sizeof m->why - 1] = 0;
    d->heard[from] = tl_now();
    if (!m->why[0]) return;
    snprintf(text, sizeof text, "process %d of %d, on %s: %s", from, d->size, d->host[from].name, m->why);
    fail(d, from == 0 ? PATIENCE : 0, text);
}

static void miss(tl_dist *d, int who, double now)
{
    char text[400];
    if (now - d->heard[who] < SILENCE || d->failed) return;
    snprintf(
        text, sizeof text,
        "process %d of %d, on %s, has not answered for %d seconds: it was stopped, or its machine or the network is "
        "down. The last checkpoint stands; --resume goes on from it",
        who, d->size, d->host[who].name, SILENCE);
    fail(d, who == 0 ? (d->rank - 1) % PATIENCE * 0.5 : 0, text);
}

static void tell(tl_dist *d, const char *why)
{
    tl_message m = { "" };
    snprintf(m.why, sizeof m.why, "%s", why);
    for (int k = 0; k < (d->rank ? 1 : d->size); k++)
        if (k != d->rank) d->t->send(k, &m);
}

static void look_around(tl_dist *d)
{
    tl_message m;
    double now = tl_now();
    if (now - d->awake > SILENCE / 4) /* it was us who slept: let the others catch up */
        for (int k = 0; k < d->size; k++) d->heard[k] = now;
    d->awake = now;
    if (now - d->told >= 1) {
        tell(d, "");
        d->told = now;
    }
    for (int from; (from = d->t->receive(&m)) >= 0;) hear(d, from, &m);
    for (int k = 0; k < (d->rank ? 1 : d->size); k++)
        if (k != d->rank) miss(d, k, now);
}

static void nap(long microseconds) { nanosleep(&(struct timespec){ 0, microseconds * 1000 }, NULL); }

/* Until what was begun is done. False: it never will be. What takes longer is asked for less often: processors have
 * better things to do. */
static bool finished(tl_dist *d)
{
    for (long wait = 20; !d->t->done(); wait += wait < 400 ? wait / 4 : 0) {
        look_around(d);
        if (d->failed || d->quit) return false;
        nap(wait);
    }
    return true;
}

/* Pieces are exchanged, each process adds those of its place in the order of ranks, and the sums are collected. */
static bool mean(tl_dist *d, float *v, size_t n)
{
    size_t piece = (n - 1) / (size_t)d->size + 1, first = piece * (size_t)d->rank;
    size_t own = first >= n ? 0 : n - first < piece ? n - first : piece;
    const float scale = 1.0f / (float)d->size;
    d->t->scatter(v, n * sizeof *v, piece * sizeof *v, d->got);
    if (!finished(d)) return false;
    float *to = v + (own ? first : 0);
    for (int k = 0; own && k < d->size; k++) {
        const float *from = d->got + (size_t)k * piece;
        for (size_t i = 0; i < own; i++) to[i] = k ? to[i] + from[i] : from[i];
    }
    for (size_t i = 0; i < own; i++) to[i] *= scale;
    d->t->collect(v, n * sizeof *v, piece * sizeof *v);
    return finished(d);
}

static bool broadcast(tl_dist *d, char *v, size_t n)
{
    for (size_t at = 0; at < n; at += MOST) {
        d->t->broadcast(v + at, n - at < MOST ? n - at : MOST);
        if (!finished(d)) return false;
    }
    return true;
}

static bool collect(tl_dist *d, void *v, size_t piece)
{
    d->t->collect(v, (size_t)d->size * piece, piece);
    return finished(d);
}

static bool perform(tl_dist *d, const work *w)
{
    switch (w->what) {
    case MEAN: return mean(d, w->v, w->n);
    case COLLECT: return collect(d, w->v, w->n);
    case BROADCAST: return broadcast(d, w->v, w->n);
    case LEAVE: return collect(d, d->host, sizeof *d->host) && (d->t->leave(), true); /* together */
    }
    return false;
}

static struct timespec in_ms(long ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

/* Wait for work; false: there will be none. */
static bool next(tl_dist *d, work *w)
{
    bool any = false;
    while (!any && !d->failed && !d->quit) {
        pthread_mutex_lock(&d->lock);
        const struct timespec until = in_ms(100);
        if (d->queued == d->done) pthread_cond_timedwait(&d->more, &d->lock, &until);
        any = d->queued > d->done;
        if (any) *w = d->queue[d->done % ROOM];
        pthread_mutex_unlock(&d->lock);
        look_around(d);
    }
    return any && !d->failed;
}

static void did(tl_dist *d)
{
    pthread_mutex_lock(&d->lock);
    d->done++;
    pthread_cond_broadcast(&d->less);
    pthread_mutex_unlock(&d->lock);
}

/* Tell the others, and wait for the caller to learn of it, but not for ever. */
static void after_failure(tl_dist *d)
{
    double since = tl_now();
    tl_message m;
    for (bool lost = false; !d->quit; nap(10000)) {
        tell(d, d->why);
        while (d->t->receive(&m) >= 0) {
        }
        pthread_mutex_lock(&d->lock);
        bool speak = !lost && !d->known && tl_now() - since > GRACE + d->mute;
        pthread_mutex_unlock(&d->lock);
        if (speak && d->listener->lost) d->listener->lost(d->listener->ctx, d->why);
        lost |= speak;
    }
}

static const char *enter(tl_dist *d)
{
    int size, rank;
    const char *wrong = d->t->join(&rank, &size);
    if (wrong) return wrong;
    if (size != d->size || rank != d->rank)
        return "MPI and what started this process disagree about how many processes there are; with srun, try "
               "--mpi=pmix, or use mpirun "
               "of the MPI that tlc was built with";
    gethostname(d->host[d->rank].name, sizeof d->host->name - 1);
    d->awake = tl_now();
    for (int k = 0; k < d->size; k++) d->heard[k] = d->awake;
    collect(d, d->host, sizeof *d->host);
    return NULL;
}

static void *serve(void *arg)
{
    tl_dist *d = arg;
    work w;
    (void)prctl(PR_SET_TIMERSLACK, 1000); /* naps of microseconds */
    const char *wrong = enter(d);
    if (wrong) fail(d, 0, wrong);
    pthread_mutex_lock(&d->lock);
    d->joined = true;
    pthread_cond_broadcast(&d->less);
    pthread_mutex_unlock(&d->lock);
    if (wrong) return NULL;
    while (next(d, &w) && perform(d, &w)) {
        did(d);
        if (w.what == LEAVE) return NULL;
    }
    if (d->failed) after_failure(d);
    return NULL;
}

/* ---- The caller's side ---- */

static tl_status learn(tl_dist *d)
{
    pthread_mutex_lock(&d->lock);
    d->known = true;
    tl_fail(TL_EPEER, "%s", d->why);
    pthread_mutex_unlock(&d->lock);
    return TL_EPEER;
}

static tl_status queue(tl_dist *d, work w)
{
    pthread_mutex_lock(&d->lock);
    while (!d->failed && d->queued - d->done == ROOM) pthread_cond_wait(&d->less, &d->lock);
    d->queue[d->queued++ % ROOM] = w;
    pthread_cond_signal(&d->more);
    pthread_mutex_unlock(&d->lock);
    return d->failed ? learn(d) : TL_OK;
}

tl_status tl_dist_mean_start(tl_dist *d, float *v, size_t n)
{
    if (!d) return TL_OK;
    for (size_t at = 0; at < n; at += BUCKET)
        TL_TRY(queue(d, (work){ MEAN, v + at, n - at < BUCKET ? n - at : BUCKET }));
    return TL_OK;
}

tl_status tl_dist_finish(tl_dist *d)
{
    if (!d) return TL_OK;
    pthread_mutex_lock(&d->lock);
    while (!d->failed && d->done < d->queued) pthread_cond_wait(&d->less, &d->lock);
    pthread_mutex_unlock(&d->lock);
    return d->failed ? learn(d) : TL_OK;
}

tl_status tl_dist_mean(tl_dist *d, float *v, size_t n)
{
    TL_TRY(tl_dist_mean_start(d, v, n));
    return tl_dist_finish(d);
}

tl_status tl_dist_gather(tl_dist *d, const void *mine, size_t bytes, void *all)
{
    if (!bytes) return TL_OK;
    memcpy((char *)all + (size_t)tl_dist_rank(d) * bytes, mine, bytes);
    if (!d) return TL_OK;
    TL_TRY(queue(d, (work){ COLLECT, all, bytes }));
    return tl_dist_finish(d);
}

tl_status tl_dist_broadcast(tl_dist *d, void *v, size_t bytes)
{
    if (!d || !bytes) return TL_OK;
    TL_TRY(queue(d, (work){ BROADCAST, v, bytes }));
    return tl_dist_finish(d);
}

/* ---- Beginning and end ---- */

static void shut(void *arg)
{
    tl_dist *d = arg;
    d->quit = true;
    pthread_join(d->thread, NULL);
    pthread_cond_destroy(&d->more);
    pthread_cond_destroy(&d->less);
    pthread_mutex_destroy(&d->lock);
}

static tl_status start(tl_arena *a, tl_dist *d)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->more, &monotonic);
    pthread_cond_init(&d->less, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int e = pthread_create(&d->thread, NULL, serve, d);
    TL_CHECK(!e, TL_EIO, "cannot start the thread that speaks to other processes: %s", strerror(e));
    return tl_defer(a, shut, d);
}

tl_status tl_dist_join(tl_arena *a, const tl_job *job, const tl_listener *l, tl_dist **out)
{
    *out = NULL;
    if (job->size < 2) return TL_OK;
    tl_dist *d = tl_new(a, tl_dist, 1);
    TL_NEW(d);
    d->listener = l;
    d->rank = job->rank;
    d->size = job->size;
    TL_NEW(d->got = tl_new(a, float, BUCKET + d->size));
    TL_NEW(d->host = tl_new(a, host, d->size));
    TL_NEW(d->heard = tl_new(a, double, d->size));
    TL_TRY(tl_transport_load(&d->t));
    TL_TRY(start(a, d));
    pthread_mutex_lock(&d->lock);
    while (!d->joined) pthread_cond_wait(&d->less, &d->lock);
    pthread_mutex_unlock(&d->lock);
    if (d->failed) return learn(d);
    *out = d;
    return TL_OK;
}

static tl_status leave(tl_dist *d)
{
    TL_TRY(queue(d, (work){ LEAVE, NULL, 0 }));
    return tl_dist_finish(d);
}

/* Give process 0 time to speak and to end this process. */
static void wait_to_be_ended(const tl_dist *d)
{
    double until = tl_now() + (d->rank ? d->mute : 0.2);
    while (tl_now() < until) nap(20000);
}

void tl_dist_agree(tl_dist *d)
{
    if (d) d->agreed = true;
}

tl_status tl_dist_end(tl_dist *d, tl_status s)
{
    if (!d) return s;
    char why[8192];
    snprintf(why, sizeof why, "%s", tl_errmsg());
    if (!s || d->agreed) {
        tl_status left = leave(d);
        if (s) tl_fail(s, "%s", why);
        return s ? s : left;
    }
    fail(d, PATIENCE, why);
    (void)learn(d);
    wait_to_be_ended(d);
    if (d->rank && s != TL_EPEER)
        return tl_fail(s, "process %d of %d, on %s: %s", d->rank, d->size, d->host[d->rank].name, why);
    return tl_fail(s, "%s", why);
}
