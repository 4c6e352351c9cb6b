/* pyrandom.c - Python's random numbers. SPDX-License-Identifier: MIT
 *
 * The Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), seeded by their init_by_array of one key, as Python
 * does with a small integer. What Python makes of its bits: a number below n is drawn with as many bits as n has, and
 * again while it is not below n; the shuffle is Fisher and Yates' from the end. */
#include "pyrandom.h"

enum { N = TL_TWISTER, M = 397 };

static void seed_by_number(uint32_t *w, uint32_t seed)
{
    w[0] = seed;
    for (int i = 1; i < N; i++) w[i] = 1812433253u * (w[i - 1] ^ w[i - 1] >> 30) + (uint32_t)i;
}

tl_pyrandom tl_pyrandom_seed(uint32_t seed)
{
    tl_pyrandom r = { .at = N };
    uint32_t *w = r.word;
    int i = 1;
    seed_by_number(w, 19650218u);
    for (int k = 0; k < N; k++) {
        w[i] = (w[i] ^ (w[i - 1] ^ w[i - 1] >> 30) * 1664525u) + seed;
        if (++i == N) w[0] = w[N - 1], i = 1;
    }
    for (int k = 1; k < N; k++) {
        w[i] = (w[i] ^ (w[i - 1] ^ w[i - 1] >> 30) * 1566083941u) - (uint32_t)i;
        if (++i == N) w[0] = w[N - 1], i = 1;
    }
    w[0] = 0x80000000u;
    return r;
}

static void twist(uint32_t *w)
{
    for (int i = 0; i < N; i++) {
        uint32_t y = (w[i] & 0x80000000u) | (w[(i + 1) % N] & 0x7fffffffu);
        w[i] = w[(i + M) % N] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
}

static uint32_t next(tl_pyrandom *r)
{
    if (r->at == N) twist(r->word), r->at = 0;
    uint32_t y = r->word[r->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

static uint32_t below(tl_pyrandom *r, uint32_t n)
{
    int bits = 0;
    uint32_t v;
    while (n >> bits) bits++;
    do v = next(r) >> (32 - bits);
    while (v >= n);
    return v;
}

void tl_pyrandom_shuffle(tl_pyrandom *r, int *v, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int k = (int)below(r, (uint32_t)i + 1), moved = v[i];
        v[i] = v[k];
        v[k] = moved;
    }
}
