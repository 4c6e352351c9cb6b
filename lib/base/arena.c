/* arena.c - chunked bump allocation with deferred calls. SPDX-License-Identifier: MIT */
#include "arena.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGN 64
#define CHUNK ((size_t)1 << 16)
#define HUGE  ((size_t)1 << 21) /* from here on ask for transparent huge pages: fewer page faults */

typedef struct chunk {
    struct chunk *next;
    size_t        used, size;
    _Alignas(ALIGN) unsigned char mem[];
} chunk;
typedef struct defer { struct defer *next; void (*fn)(void *); void *arg; } defer;
struct tl_arena { chunk *top; defer *defers; size_t held; };

_Thread_local long tl_oom_countdown = -1;

static bool refuse(void) { return tl_oom_countdown >= 0 && tl_oom_countdown-- == 0; }

static size_t round_up(size_t n, size_t to) { return (n + to - 1) & ~(to - 1); }

static void *raw(size_t n)
{
    size_t align = n >= HUGE ? HUGE : ALIGN;
    void *p = aligned_alloc(align, round_up(n, align));
    if (p && n >= HUGE) (void)madvise(p, round_up(n, align), MADV_HUGEPAGE);
    return p;
}

tl_arena *tl_arena_new(void)
{
    tl_arena *a = refuse() ? NULL : raw(sizeof *a);
    if (!a) { tl_fail(TL_ENOMEM, "out of memory"); return NULL; }
    *a = (tl_arena){ NULL, NULL, 0 };
    return a;
}

static void run_deferred(tl_arena *a)
{
    defer *d = a->defers;
    a->defers = NULL;
    for (; d; d = d->next) d->fn(d->arg);
}

void tl_arena_free(tl_arena *a)
{
    if (!a) return;
    run_deferred(a);
    for (chunk *c = a->top, *n; c; c = n) { n = c->next; free(c); }
    free(a);
}

void tl_arena_reset(tl_arena *a)
{
    chunk *largest = a->top;
    run_deferred(a);
    for (chunk *c = a->top; c; c = c->next)
        if (c->size > largest->size) largest = c;
    for (chunk *c = a->top, *n; c; c = n) {
        n = c->next;
        if (c != largest) { a->held -= c->size; free(c); }
    }
    a->top = largest;
    if (largest) { largest->next = NULL; largest->used = 0; }
}

size_t tl_arena_bytes(const tl_arena *a) { return a->held; }

/* bytes at a multiple of align, which divides ALIGN */
static void *take(tl_arena *a, size_t bytes, size_t align)
{
    if (refuse() || bytes > SIZE_MAX / 2) {
        tl_fail(TL_ENOMEM, "out of memory (%zu bytes wanted)", bytes);
        return NULL;
    }
    if (!bytes) bytes = 1;
    size_t at = a->top ? round_up(a->top->used, align) : 0;
    if (!a->top || at > a->top->size || a->top->size - at < bytes) {
        size_t size = round_up(bytes > CHUNK ? bytes : CHUNK, ALIGN);
        chunk *c = raw(sizeof *c + size);
        if (!c) { tl_fail(TL_ENOMEM, "out of memory (%zu bytes wanted)", bytes); return NULL; }
        *c = (chunk){ .next = a->top, .size = size };
        a->top = c;
        a->held += size;
        at = 0;
    }
    a->top->used = at + bytes;
    return a->top->mem + at;
}

void *tl_alloc_raw(tl_arena *a, size_t bytes) { return take(a, bytes, ALIGN); }

void *tl_alloc(tl_arena *a, size_t bytes)
{
    void *p = tl_alloc_raw(a, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

char *tl_strndup(tl_arena *a, const char *s, size_t n)
{
    char *t = take(a, n + 1, 1);
    if (!t) return NULL;
    memcpy(t, s, n);
    t[n] = 0;
    return t;
}

char *tl_strdup(tl_arena *a, const char *s) { return tl_strndup(a, s, strlen(s)); }

char *tl_printf(tl_arena *a, const char *fmt, ...)
{
    char small[256];
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    size_t n = (size_t)vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    char *s = take(a, n + 1, 1);
    if (s && n < sizeof small) memcpy(s, small, n + 1);
    else if (s) vsnprintf(s, n + 1, fmt, again);
    va_end(again);
    return s;
}

tl_status tl_defer(tl_arena *a, void (*fn)(void *), void *arg)
{
    defer *d = tl_new(a, defer, 1);
    if (!d) { fn(arg); return TL_ENOMEM; }
    *d = (defer){ a->defers, fn, arg };
    a->defers = d;
    return TL_OK;
}

void *tl_grow(tl_arena *a, tl_list *l, size_t elem)
{
    bool full = l->n == 0 || (l->n >= 8 && (l->n & (l->n - 1)) == 0); /* capacities are 8, 16, 32, ... */
    if (full) {
        size_t cap = l->n ? 2 * (size_t)l->n : 8;
        void *p = tl_alloc(a, cap * elem);
        if (!p) return NULL;
        if (l->n) memcpy(p, l->at, (size_t)l->n * elem);
        l->at = p;
    }
    return (char *)l->at + (size_t)l->n++ * elem;
}
