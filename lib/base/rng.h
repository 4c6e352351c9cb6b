/* rng.h - counter-based random numbers. SPDX-License-Identifier: MIT
 *
 * A stream is named by (seed, a, b, c), for example (seed, epoch, sample, purpose): what a sample
 * draws depends on nothing but its name, so results are the same at any number of threads and
 * after resuming in the middle. Steele et al., "Fast splittable pseudorandom number generators",
 * OOPSLA 2014 (SplitMix64). */
#ifndef TL_RNG_H
#define TL_RNG_H
#include "status.h"
typedef struct { uint64_t s; } tl_rng;
tl_rng   tl_rng_at(uint64_t seed, uint64_t a, uint64_t b, uint64_t c);
uint64_t tl_rng_bits(tl_rng *r);
float    tl_uniform(tl_rng *r);                       /* [0,1) */
float    tl_uniform_in(tl_rng *r, float lo, float hi);
int      tl_rng_below(tl_rng *r, int n);              /* 0..n-1, unbiased */
float    tl_normal(tl_rng *r);                        /* mean 0, standard deviation 1 */
float    tl_truncated_normal(tl_rng *r);              /* the same, redrawn while |x| > 2 */
float    tl_beta(tl_rng *r, float a, float b);
void     tl_shuffle(tl_rng *r, int *v, int n);
#endif
