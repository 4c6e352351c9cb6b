/* sample.h - one picture's way from its file to the network's input; private to data/.
 * SPDX-License-Identifier: MIT */
#ifndef TL_SAMPLE_H
#define TL_SAMPLE_H
#include "data.h"

/* How many numbers a sample's target has. */
size_t tl_target_width(const tl_dataset *d);

/* Decoded pictures that were seen before, up to a number of bytes. Safe to use from several
 * threads. */
typedef struct tl_cache tl_cache;
tl_status tl_cache_new(tl_arena *a, int n, size_t bytes, tl_cache **out);
const tl_image *tl_cache_get(tl_cache *c, int i);         /* NULL: not there */
void tl_cache_put(tl_cache *c, int i, const tl_image *m); /* copies; does nothing when full */

/* Make sample i of the epoch: read (or take from the cache), crop, resize, change at random,
 * normalize into x (h x w x c); or take its row. What it is, is written to target. The result depends on the arguments and
 * conf only, not on the cache. Scratch comes from a. */
tl_status tl_sample_make(tl_arena *a, const tl_dataset *d, const tl_loader_conf *conf,
                         tl_cache *cache, int epoch, int i, float *x, float *target);
#endif
