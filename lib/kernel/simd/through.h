/* through.h - read maps through a batch norm that has not been applied. SPDX-License-Identifier: MIT
 *
 * Blocks of a few rows, which then lie in a cache: n rows of c channels each, `ld` words apart where they are put, as floats or as
 * numbers of maps. Channels beyond c up to the next whole vector become zero.
 *
 * Coefficients are taken by value: a store through a vector might change anything that pointers reach, as far as the compiler
 * knows, and they would be loaded anew after each. */
#ifndef TL_THROUGH_H
#define TL_THROUGH_H
#include "vec.h"

INLINE void put_row(float *to, bool as_map, size_t i, vec v)
{
    if (as_map) store_map((tl_map *)(void *)to + i, v, TL_VEC);
    else
        put(to + i, v);
}

/* to = act(z*a + b) */
INLINE void read_rows(const tl_map *z, size_t n, size_t c, tl_bn_read read, const bool as_map, float *to, size_t ld)
{
    for (size_t r = 0; r < n; r++, z += c, to += ld)
        for (size_t i = 0; i < c; i += TL_VEC) {
            vec v = load_map(z + i, c - i) * load(read.a + i, c - i) + load(read.b + i, c - i);
            put_row(to, as_map, i, activate_vec(v, read.act));
        }
}

/* to = g*k0 + (z - mean)*k1 + k2, g being what passes the gate; z lies beside g */
INLINE void undo_rows(const tl_map *g, const tl_map *z, size_t n, size_t c, tl_bn_undo undo, const bool as_map, float *to, size_t ld)
{
    const bool gated = tl_act_on(undo.gate.act);
    for (size_t r = 0; r < n; r++, g += c, z += c, to += ld)
        for (size_t i = 0; i < c; i += TL_VEC) {
            const vec x = load_map(z + i, c - i), d = x - load(undo.mean + i, c - i);
            vec v = load_map(g + i, c - i);
            if (gated) v = gate_vec(x * load(undo.gate.a + i, c - i) + load(undo.gate.b + i, c - i), v, undo.gate.act);
            put_row(to, as_map, i, v * load(undo.k0 + i, c - i) + (d * load(undo.k1 + i, c - i) + load(undo.k2 + i, c - i)));
        }
}

/* to = x */
INLINE void copy_rows(const tl_map *x, size_t n, size_t c, const bool as_map, float *to, size_t ld)
{
    for (size_t r = 0; r < n; r++, x += c, to += ld)
        for (size_t i = 0; i < c; i += TL_VEC) put_row(to, as_map, i, load_map(x + i, c - i));
}

/* Where numbers of a map lie as floats already; NULL: they do not. */
static inline const float *floats_of(const tl_map *m) { return MAPS == TL_F32 ? (const void *)m : NULL; }
#endif
