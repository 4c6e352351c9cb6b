/* keys.h - numbers for names, in the order in which they come. SPDX-License-Identifier: MIT */
#ifndef TL_KEYS_H
#define TL_KEYS_H
#include "arena.h"

typedef struct {
    tl_arena *a;
    tl_list   key;  /* const char * */
    int      *slot; /* nslots, a power of two: 1 + index of a key, 0: free */
    int       nslots;
} tl_keys;

int tl_keys_find(const tl_keys *k, const char *key); /* -1: not there */
int tl_keys_add(tl_keys *k, const char *key); /* its number, a new one when it was not there; -1: out of memory */
static inline const char *tl_keys_at(const tl_keys *k, int i) { return ((const char **)k->key.at)[i]; }
#endif
