/* through.h - read maps through a batch norm that has not been applied. SPDX-License-Identifier: MIT
 *
 * Blocks of a few rows, which then lie in a cache: n rows of c channels each, `ld` floats apart where they are put. Channels
 * beyond c up to the next whole vector become zero. */
#ifndef TL_THROUGH_H
#define TL_THROUGH_H
#include "vec.h"

/* to = act(z*a + b) */
static inline void read_rows(const float *z, size_t n, size_t c, const tl_bn_read *read, float *to, size_t ld)
{
    const tl_act act = read->act;
    for (size_t r = 0; r < n; r++, z += c, to += ld)
        for (size_t i = 0; i < c; i += TL_VEC) {
            vec v = load(z + i, c - i) * load(read->a + i, c - i) + load(read->b + i, c - i);
            put(to + i, activate_vec(v, act));
        }
}

/* to = g*k0 + (z - mean)*k1 + k2; z lies beside g */
static inline void undo_rows(const float *g, const float *z, size_t n, size_t c, const tl_bn_undo *undo, float *to, size_t ld)
{
    for (size_t r = 0; r < n; r++, g += c, z += c, to += ld)
        for (size_t i = 0; i < c; i += TL_VEC) {
            vec d = load(z + i, c - i) - load(undo->mean + i, c - i);
            put(to + i, load(g + i, c - i) * load(undo->k0 + i, c - i) + (d * load(undo->k1 + i, c - i) + load(undo->k2 + i, c - i)));
        }
}

/* ---- Sums of rows that were just written; part: 2 x c (kernel.h) ---- */

static inline void sum_rows(const float *y, size_t n, size_t c, const float *near, float *part)
{
    for (size_t i = 0; i < c; i += TL_VEC) {
        vec s = load(part + i, c - i), q = load(part + c + i, c - i), shift = load(near + i, c - i);
        for (size_t r = 0; r < n; r++) {
            vec d = load(y + r * c + i, c - i) - shift;
            s += d;
            q += d * d;
        }
        store(part + i, s, c - i);
        store(part + c + i, q, c - i);
    }
}

/* g becomes what passes the activation of z*a + b, and is summed. */
static inline void gate_rows(const float *z, size_t n, size_t c, const tl_bn_read *read, const float *near, float *part, float *g)
{
    for (size_t i = 0; i < c; i += TL_VEC) {
        const vec a = load(read->a + i, c - i), b = load(read->b + i, c - i), shift = load(near + i, c - i);
        vec s = load(part + i, c - i), q = load(part + c + i, c - i);
        for (size_t r = 0; r < n; r++) {
            vec x = load(z + r * c + i, c - i), v = gate_vec(x * a + b, load(g + r * c + i, c - i), read->act);
            s += v;
            q += v * (x - shift);
            store(g + r * c + i, v, c - i);
        }
        store(part + i, s, c - i);
        store(part + c + i, q, c - i);
    }
}
#endif
