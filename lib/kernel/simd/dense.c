/* dense.c - the weights' gradient of a dense layer. SPDX-License-Identifier: MIT
 *
 * An outer product of few rows: dw, which may be a hundred million numbers, is written once, and that is all that
 * takes time. Pieces of x that fit the first-level cache are used for all of a thread's outputs. */
#include "product.h"

enum { PIECE = 16 * NR, OUTPUTS = 8 * MR }; /* columns of x; outputs that a thread takes at once */

INLINE void tile(const int rows, const int nv, size_t m, const float *dy, size_t out, const float *x, size_t in, size_t n, float *dw)
{
    vec sum[MR][2] = { { { 0 } } };
    product(0, rows, nv, m, dy, 1, out, x, in, sum);
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int j = 0; j < nv; j++) store(dw + (size_t)r * in + j * TL_VEC, sum[r][j], n - (size_t)j * TL_VEC);
}

/* The last columns, which fill no vector. */
static void column(size_t m, const float *dy, size_t out, const float *x, size_t in, size_t rows, float *dw)
{
    for (size_t r = 0; r < rows; r++) {
        float sum = 0;
        for (size_t k = 0; k < m; k++) sum += dy[k * out + r] * x[k * in];
        dw[r * in] = sum;
    }
}

/* Outputs o..end of a piece of columns. */
static void piece(const float *x, const float *dy, size_t m, size_t in, size_t out, size_t o, size_t end, size_t i, size_t last, float *dw)
{
    for (; i + TL_VEC <= last; i += i + NR <= last ? NR : TL_VEC)
        for (size_t r = o, rows; r < end; r += rows) {
            rows = least(MR, end - r);
            const float *from = dy + r, *by = x + i;
            float *to = dw + r * in + i;
#define CASE(R) \
    case R: \
        if (i + NR <= last) tile(R, 2, m, from, out, by, in, NR, to); \
        else \
            tile(R, 1, m, from, out, by, in, TL_VEC, to); \
        break;
            EACH_HEIGHT(rows, CASE)
#undef CASE
        }
    for (; i < last; i++) column(m, dy + o, out, x + i, in, end - o, dw + o * in + i);
}

void TL_SIMD(dense_grad)(const float *x, const float *dy, size_t m, int in, int out, float *dw, float *db)
{
    const size_t c = (size_t)in, outputs = (size_t)out;
#pragma omp parallel for if (c * outputs > SERIAL_BELOW)
    for (size_t o = 0; o < outputs; o += OUTPUTS)
        for (size_t i = 0; i < c; i += PIECE)
            piece(x, dy, m, c, outputs, o, least(o + OUTPUTS, outputs), i, least(i + PIECE, c), dw);
    for (size_t o = 0; db && o < outputs; o++) {
        db[o] = 0;
        for (size_t k = 0; k < m; k++) db[o] += dy[k * outputs + o];
    }
}
