/* vec.h - vectors of floats by name, for kernels that the compiler would not vectorize well by itself.
 * SPDX-License-Identifier: MIT
 *
 * The vector extensions of GCC and clang: arithmetic is plain C, a comparison gives -1 or 0 per lane. */
#ifndef TL_VEC_H
#define TL_VEC_H
#include "simd.h"
#if TL_VEC > 4
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * TL_VEC), aligned(4), may_alias));
typedef int32_t lanes __attribute__((vector_size(4 * TL_VEC)));

static inline size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

INLINE vec at(const float *p) { return *(const vec *)(const void *)p; }
INLINE void put(float *p, vec v) { *(vec *)(void *)p = v; }
INLINE vec splat(float f) { return f - (vec){ 0 }; }

/* The first n floats at p, the rest zero; and back. A row's last vector may be short, and pruned networks have such rows
 * everywhere, so this asks for the instructions that mask by lane, where there are any. */
#if TL_VEC == 16
#define LANES(n) ((__mmask16)((1u << (n)) - 1))
INLINE vec load_part(const float *p, size_t n) { return (vec)_mm512_maskz_loadu_ps(LANES(n), p); }
INLINE void store_part(float *p, vec v, size_t n) { _mm512_mask_storeu_ps(p, LANES(n), (__m512)v); }
#elif TL_VEC == 8
INLINE __m256i first(size_t n)
{
    return (__m256i)((lanes){ 0, 1, 2, 3, 4, 5, 6, 7 } < (int32_t)n);
}
INLINE vec load_part(const float *p, size_t n) { return (vec)_mm256_maskload_ps(p, first(n)); }
INLINE void store_part(float *p, vec v, size_t n) { _mm256_maskstore_ps(p, first(n), (__m256)v); }
#else
INLINE vec load_part(const float *p, size_t n)
{
    vec v = { 0 };
    memcpy(&v, p, n * sizeof *p);
    return v;
}
INLINE void store_part(float *p, vec v, size_t n) { memcpy(p, &v, n * sizeof *p); }
#endif
INLINE vec load(const float *p, size_t n) { return n >= TL_VEC ? at(p) : load_part(p, n); }
INLINE void store(float *p, vec v, size_t n)
{
    if (n >= TL_VEC) put(p, v);
    else
        store_part(p, v, n);
}

/* The same of a map. put_past writes to aligned memory past the caches: what is written is not read into them first. Worth it
 * for maps that no cache holds until they are read again, and for whole cache lines: of half ones too many are open at a time. */
#ifdef TL_BF16_MAPS
INLINE vec wide(__m256i half) { return (vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16); }
INLINE __m256i narrow(vec v) { return (__m256i)_mm512_cvtneps_pbh((__m512)v); }
INLINE vec load_map(const tl_map *p, size_t n)
{
    return wide(n >= TL_VEC ? _mm256_loadu_si256((const void *)p) : _mm256_maskz_loadu_epi16(LANES(n), p));
}
INLINE void store_map(tl_map *p, vec v, size_t n)
{
    if (n >= TL_VEC) _mm256_storeu_si256((void *)p, narrow(v));
    else
        _mm256_mask_storeu_epi16(p, LANES(n), narrow(v));
}
#else
INLINE vec load_map(const tl_map *p, size_t n) { return load(&p->f, n); }
INLINE void store_map(tl_map *p, vec v, size_t n) { store(&p->f, v, n); }
#endif
#if TL_VEC == 16 && !defined TL_BF16_MAPS
INLINE void put_past(tl_map *p, vec v) { _mm512_stream_ps(&p->f, (__m512)v); }
#else
INLINE void put_past(tl_map *p, vec v) { store_map(p, v, TL_VEC); }
#endif
enum { PAST_CACHES = 24 << 20, LINE_BYTES = 64 };
static inline bool goes_past(const tl_map *p, size_t n, size_t c)
{
    return TL_VEC * sizeof *p == LINE_BYTES && n * sizeof *p > PAST_CACHES && c % TL_VEC == 0 && (uintptr_t)p % (TL_VEC * sizeof *p) == 0;
}

/* store_map(), or past the caches */
INLINE void write_map(tl_map *p, vec v, size_t n, bool past)
{
    if (past) put_past(p, v);
    else
        store_map(p, v, n);
}

INLINE vec choose(lanes yes, vec a, vec b) { return (vec)((yes & (lanes)a) | (~yes & (lanes)b)); }

/* NaN stays NaN: of two numbers that cannot be compared these instructions give the second. */
#if TL_VEC == 16
INLINE vec at_least(vec x, vec low) { return (vec)_mm512_max_ps((__m512)low, (__m512)x); }
INLINE vec at_most(vec x, vec high) { return (vec)_mm512_min_ps((__m512)high, (__m512)x); }
#elif TL_VEC == 8
INLINE vec at_least(vec x, vec low) { return (vec)_mm256_max_ps((__m256)low, (__m256)x); }
INLINE vec at_most(vec x, vec high) { return (vec)_mm256_min_ps((__m256)high, (__m256)x); }
#else
INLINE vec at_least(vec x, vec low) { return choose(x < low, low, x); }
INLINE vec at_most(vec x, vec high) { return choose(x > high, high, x); }
#endif

/* activate() and gate() of simd.h for a vector. */
INLINE vec activate_vec(vec x, tl_act act)
{
    vec y = act.slope == 0 ? at_least(x, splat(0)) : choose(x > 0, x, splat(act.slope) * x);
    return at_most(y, splat(act.max));
}

INLINE vec gate_vec(vec x, vec g, tl_act act)
{
    if (act.slope == 0) return (vec)((lanes)g & (x > 0) & (x < splat(act.max)));
    return (vec)((lanes)choose(x > 0, g, splat(act.slope) * g) & ~(x >= splat(act.max)));
}
#endif
