/* pyrandom.h - Python's random numbers, where a result has to be the one that a Python program drew.
 * SPDX-License-Identifier: MIT
 *
 * All else draws from rng.h. */
#ifndef TL_PYRANDOM_H
#define TL_PYRANDOM_H
#include <stdint.h>

enum { TL_TWISTER = 624 };
typedef struct { uint32_t word[TL_TWISTER]; int at; } tl_pyrandom;

tl_pyrandom tl_pyrandom_seed(uint32_t seed);              /* random.seed(seed) */
void        tl_pyrandom_shuffle(tl_pyrandom *r, int *v, int n); /* random.shuffle, as of Python 3.2 */
#endif
