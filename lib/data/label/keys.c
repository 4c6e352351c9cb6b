/* keys.c - a hash table with open addressing, at most half full. SPDX-License-Identifier: MIT */
#include "keys.h"
#include <string.h>

/* FNV-1a, its high bits folded in. */
static unsigned hash(const char *s)
{
    uint64_t h = 14695981039346656037u;
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 1099511628211u;
    return (unsigned)(h ^ h >> 32);
}

/* The slot that holds key, or the free one where it would be. */
static int *slot_of(const tl_keys *k, const char *key)
{
    unsigned last = (unsigned)k->nslots - 1, i = hash(key) & last;
    while (k->slot[i] && strcmp(tl_keys_at(k, k->slot[i] - 1), key)) i = (i + 1) & last;
    return k->slot + i;
}

int tl_keys_find(const tl_keys *k, const char *key) { return k->nslots ? *slot_of(k, key) - 1 : -1; }

static bool make_room(tl_keys *k)
{
    if (2 * (k->key.n + 1) <= k->nslots) return true;
    int n = k->nslots ? 2 * k->nslots : 64, *slot = tl_new(k->a, int, n);
    if (!slot) return false;
    k->slot = slot;
    k->nslots = n;
    for (int i = 0; i < k->key.n; i++) *slot_of(k, tl_keys_at(k, i)) = i + 1;
    return true;
}

int tl_keys_add(tl_keys *k, const char *key)
{
    if (!make_room(k)) return -1;
    int *slot = slot_of(k, key);
    if (*slot) return *slot - 1;
    const char **at = tl_add(k->a, &k->key, const char *);
    if (!at || !(*at = tl_strdup(k->a, key))) return -1;
    *slot = k->key.n;
    return *slot - 1;
}
