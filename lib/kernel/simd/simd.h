/* simd.h - what the files compiled once per instruction set share. SPDX-License-Identifier: MIT
 *
 * TL_ISA (base, avx2, avx512, widened, bf16) ends every exported name; TL_VEC is the number of floats in a vector.
 * Loops are plain C that the compiler vectorizes. `#pragma omp simd` tells it that iterations are
 * independent, which also holds where a result overwrites its own argument (y may be x); without it
 * the compiler would check for overlap at run time and take its scalar loop in just that case.
 *
 * Lines. A map is m rows of c channels with coefficients per channel. For few channels a loop over
 * one row is too short (and its length no multiple of a vector), so several rows, following each
 * other in memory, are taken as one line and the coefficients are repeated to match: every map
 * becomes one array, walked linearly in lines of a few hundred floats, coefficients from L1. */
#ifndef TL_SIMD_H
#define TL_SIMD_H
#include "kernel.h"
#include <float.h>
#include <string.h>

#define TL_PASTE_(a, b) a##_##b
#define TL_PASTE(a, b)  TL_PASTE_(a, b)
#define TL_SIMD(name)   TL_PASTE(tl_##name, TL_ISA)

#define X(name) extern __typeof__(*((tl_kernels *)0)->name) TL_SIMD(name);
TL_KERNELS(X)
#undef X

#define SERIAL_BELOW 16384 /* elements; smaller work is not worth waking threads for */

/* ---- Maps ----
 * widened() and rounded() stand wherever a number of a map is read or written; between the two all is f32. */
#ifdef TL_BF16_MAPS
#define MAPS TL_BF16
struct tl_map { uint16_t high; }; /* half of a float */
static inline float widened(tl_map m)
{
    const uint32_t bits = (uint32_t)m.high << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}
/* To nearest, of two equally near ones the even one. The lower half of a NaN may be all that makes it one. */
static inline tl_map rounded(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    const uint32_t near = bits + 0x7fff + (bits >> 16 & 1), quiet = bits | 0x400000;
    return (tl_map){ (uint16_t)((f != f ? quiet : near) >> 16) };
}
#else
#define MAPS TL_F32
struct tl_map { float f; };
static inline float widened(tl_map m) { return m.f; }
static inline tl_map rounded(float f) { return (tl_map){ f }; }
#endif

/* What convolutions multiply (product.h). */
#ifdef TL_BF16_PRODUCTS
#define PRODUCTS TL_BF16
#else
#define PRODUCTS TL_F32
#endif

static inline size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* ---- Lines ---- */
enum { LINE_MIN = 256, LINE_MAX = 1536 };

/* Rows per line: 1 from LINE_MIN channels on; else as many as fill LINE_MIN, and for narrow maps a
 * number that makes the line a whole number of 16-float vectors. */
static inline size_t rows_per_line(size_t c)
{
    size_t step = c % 16 == 0 || c > 64 ? 1 : c % 8 == 0 ? 2 : c % 4 == 0 ? 4 : c % 2 == 0 ? 8 : 16;
    size_t rows = c >= LINE_MIN ? 1 : (LINE_MIN + c - 1) / c;
    return (rows + step - 1) / step * step;
}

/* The coefficients v (c) repeated over a line: v itself when a line is one row, else in room. */
static inline const float *line_of(const float *v, size_t c, float room[LINE_MAX])
{
    size_t rows = rows_per_line(c);
    if (rows == 1) return v;
    for (size_t r = 0; r < rows; r++) memcpy(room + r * c, v, c * sizeof *v);
    return room;
}

/* ---- Activation ---- */
/* y = min(x > 0 ? x : slope * x, max). NaN stays NaN: every comparison with it is false. The floor
 * keeps relu(-infinity) from becoming 0 * -infinity, which is NaN. */
static inline float activate(float x, tl_act act)
{
    const float floor = act.slope == 0 ? -FLT_MAX : -__builtin_inff();
    float low = act.slope * (x < floor ? floor : x);
    float y = x > 0 ? x : low;
    return y > act.max ? act.max : y;
}

/* The derivative's effect on g, given x or activate(x) (the sign and reaching max are the same). */
static inline float gate(float x, float g, tl_act act)
{
    float low = act.slope * g;
    float y = x > 0 ? g : low;
    return x >= act.max ? 0 : y;
}
#endif
