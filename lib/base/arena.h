/* arena.h - memory that is freed together. SPDX-License-Identifier: MIT
 *
 * An object may point into its own or a longer-lived arena, never into a shorter-lived one. There
 * is no free for a single object, so an early return never leaks; foreign resources (oneDNN
 * handles, file descriptors, threads) join an arena through tl_defer. */
#ifndef TL_ARENA_H
#define TL_ARENA_H
#include "status.h"

void     *tl_alloc(tl_arena *a, size_t bytes);               /* zeroed, 64-byte aligned; NULL: out of memory, message written */
void     *tl_alloc_raw(tl_arena *a, size_t bytes);           /* the same, contents undefined */
char     *tl_strdup(tl_arena *a, const char *s);
char     *tl_strndup(tl_arena *a, const char *s, size_t n);
char     *tl_printf(tl_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
tl_status tl_defer(tl_arena *a, void (*fn)(void *), void *arg); /* run fn(arg) when the arena dies or is reset; at once when out of memory */
void      tl_arena_reset(tl_arena *a);                       /* run the deferred, forget all objects; the largest piece of memory is kept for reuse */
size_t    tl_arena_bytes(const tl_arena *a);                 /* held from the system */
#define tl_new(a, T, n) ((T *)tl_alloc((a), sizeof(T) * (size_t)(n)))

/* A growing array in an arena: returns the place of the new last element, NULL when out of memory.
 * The array moves when it grows; do not keep pointers to its elements while adding. */
void *tl_grow(tl_arena *a, tl_list *l, size_t elem);
#define tl_add(a, list, T) ((T *)tl_grow((a), (list), sizeof(T)))

/* Tests only: the n-th allocation from now fails (0: the next one); below zero: never. */
extern _Thread_local long tl_oom_countdown;
#endif
