/* cache.c - pictures kept in memory, decoded. SPDX-License-Identifier: MIT */
#include "sample.h"
#include <pthread.h>
#include <string.h>

struct tl_cache {
    pthread_mutex_t lock;
    tl_arena *arena;
    size_t left;     /* bytes */
    tl_image *image; /* by sample; p NULL: not there */
};

static void free_arena(void *a) { tl_arena_free(a); }
static void destroy(void *c) { pthread_mutex_destroy(&((tl_cache *)c)->lock); }

tl_status tl_cache_new(tl_arena *a, int n, size_t bytes, tl_cache **out)
{
    tl_cache *c = tl_new(a, tl_cache, 1);
    TL_NEW(c);
    TL_NEW(c->image = tl_new(a, tl_image, n));
    TL_NEW(c->arena = tl_arena_new());
    TL_TRY(tl_defer(a, free_arena, c->arena));
    c->left = bytes;
    pthread_mutex_init(&c->lock, NULL);
    TL_TRY(tl_defer(a, destroy, c));
    *out = c;
    return TL_OK;
}

const tl_image *tl_cache_get(tl_cache *c, int i)
{
    pthread_mutex_lock(&c->lock);
    const tl_image *m = c->image[i].p ? &c->image[i] : NULL; /* once there, it stays as it is */
    pthread_mutex_unlock(&c->lock);
    return m;
}

void tl_cache_put(tl_cache *c, int i, const tl_image *m)
{
    size_t bytes = (size_t)m->w * (size_t)m->h * (size_t)m->c;
    pthread_mutex_lock(&c->lock);
    uint8_t *p = c->image[i].p || bytes > c->left ? NULL : tl_alloc_raw(c->arena, bytes);
    if (p) {
        memcpy(p, m->p, bytes);
        c->image[i] = (tl_image){ m->w, m->h, m->c, p };
        c->left -= bytes;
    }
    pthread_mutex_unlock(&c->lock);
}
