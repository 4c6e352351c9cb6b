/* product.h - the innermost matrix product, held in registers. SPDX-License-Identifier: MIT
 *
 * A tile of up to MR rows by NR = two vectors of columns: as many as leave room in the register file for the two vectors of b
 * that every row is multiplied with. Rows and vectors are constants wherever this is inlined; EACH_HEIGHT makes the cases. */
#ifndef TL_PRODUCT_H
#define TL_PRODUCT_H
#include "vec.h"

enum { NR = 2 * TL_VEC, MR = TL_VEC == 16 ? 14 : 6 };

/* ---- Words ----
 * What is multiplied are words of 32 bits: floats, or pairs of bf16, neighbors in depth, for which there is an instruction: it
 * multiplies both and adds both products to a sum in f32. So many numbers are words(n), the last pair filled with a zero. Maps of
 * bf16 are multiplied either way, for not every processor that has the instruction is fast at it (kernel.c). */
#ifdef TL_BF16_PRODUCTS
enum { PAIRED = 1, PER_WORD = 2 };
INLINE vec add_pair(vec sum, const float *a, vec b)
{
    /* Spelled, for compilers do not take the broadcast into the instruction: they need a register for it, and spill sums. */
    __asm__("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(b), "m"(*a));
    return sum;
}
/* Words of the lanes of two vectors. */
INLINE vec pair_lanes(vec first, vec second)
{
    const __m512i low = _mm512_cvtepu16_epi32(narrow(first)), high = _mm512_cvtepu16_epi32(narrow(second));
    return (vec)_mm512_or_epi32(low, _mm512_slli_epi32(high, 16));
}
#else
enum { PAIRED = 0, PER_WORD = 1 };
INLINE vec pair_lanes(vec first, vec second) { (void)second; return first; }
INLINE vec add_pair(vec sum, const float *a, vec b) { return sum + *a * b; }
#endif
INLINE vec add_product(const int paired, vec sum, const float *a, vec b)
{
    if (paired) return add_pair(sum, a, b);
    return sum + *a * b;
}
enum { WORDS_ARE_MAPS = MAPS == PRODUCTS }; /* numbers can be multiplied where they lie in a map */
/* Number i of an array of words. */
INLINE void put_number(float *to, size_t i, float f)
{
    if (PAIRED) ((tl_map *)(void *)to)[i] = rounded(f);
    else
        to[i] = f;
}
static inline size_t words(size_t n) { return (n + PER_WORD - 1) / PER_WORD; }

/* sum[r][j] += sum over k < depth of a[r*row + k*step] * b[k*ldb + j], for r < rows and nv vectors j; of words that are pairs
 * or floats. */
INLINE void product(const int paired, const int rows, const int nv, size_t depth, const float *a, size_t row, size_t step,
                    const float *b, size_t ldb, vec sum[MR][2])
{
    const float *p[(MR + 2) / 3]; /* an address reaches three rows: itself, one further, two further */
#pragma GCC unroll 5
    for (int r = 0; r < rows; r += 3) p[r / 3] = a + (size_t)r * row;
    for (size_t k = 0; k < depth; k++, b += ldb) {
        const vec b0 = at(b), b1 = nv > 1 ? at(b + TL_VEC) : b0;
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            const float *x = p[r / 3] + (size_t)(r % 3) * row;
            sum[r][0] = add_product(paired, sum[r][0], x, b0);
            if (nv > 1) sum[r][1] = add_product(paired, sum[r][1], x, b1);
        }
#pragma GCC unroll 5
        for (int r = 0; r < rows; r += 3) p[r / 3] += step;
    }
}

/* Run CASE(rows) with the constant that n is. */
#if TL_VEC == 16
#define EACH_HEIGHT(n, CASE) \
    switch (n) { \
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14) \
    }
#else
#define EACH_HEIGHT(n, CASE) \
    switch (n) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) }
#endif
#endif
