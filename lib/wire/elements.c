/* elements.c - numbers of other programs' files as floats. SPDX-License-Identifier: MIT */
#include "elements.h"
#include <string.h>

size_t tl_element_size(tl_element t)
{
    static const uint8_t size[] = {
        [TL_EL_NONE] = 0, [TL_EL_F64] = 8, [TL_EL_F32] = 4, [TL_EL_F16] = 2, [TL_EL_BF16] = 2, [TL_EL_I64] = 8,
        [TL_EL_I32] = 4,  [TL_EL_I16] = 2, [TL_EL_I8] = 1,  [TL_EL_U8] = 1,  [TL_EL_BOOL] = 1
    };
    return size[t];
}

/* One loop a type: T is how it lies in the file, `value` the number v stands for. */
#define CASE(el, T, value)                                                              \
    case el:                                                                            \
        for (size_t i = 0; i < n; i++) {                                                \
            T v;                                                                        \
            memcpy(&v, p + i * step, sizeof v);                                         \
            to[i] = value;                                                              \
        }                                                                               \
        break;

/* The upper half of a float, as brain floats are. */
static float from_bf16(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

void tl_elements_to_f32(tl_element t, const void *from, size_t step, size_t n, float *to)
{
    const uint8_t *p = from;
    switch (t) {
    CASE(TL_EL_F64, double, (float)v)
    CASE(TL_EL_F32, float, v)
    CASE(TL_EL_F16, uint16_t, tl_f16_to_f32(v))
    CASE(TL_EL_BF16, uint16_t, from_bf16(v))
    CASE(TL_EL_I64, int64_t, (float)v)
    CASE(TL_EL_I32, int32_t, (float)v)
    CASE(TL_EL_I16, int16_t, v)
    CASE(TL_EL_I8, int8_t, v)
    CASE(TL_EL_U8, uint8_t, v)
    CASE(TL_EL_BOOL, uint8_t, v != 0)
    case TL_EL_NONE: break;
    }
}

size_t tl_array_count(const tl_array *x)
{
    size_t n = 1;
    for (int i = 0; i < x->rank; i++) n *= x->dim[i];
    return n;
}

void tl_array_pack(tl_array *x)
{
    size_t step = 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        x->stride[i] = step;
        step *= x->dim[i];
    }
}

/* Dimension d of x, whose first element is at p; returns where the next float goes. */
static float *spread(const tl_array *x, int d, const uint8_t *p, float *to)
{
    size_t size = tl_element_size(x->type);
    if (d == x->rank) {
        tl_elements_to_f32(x->type, p, size, 1, to);
        return to + 1;
    }
    size_t step = x->stride[d] * size;
    if (d == x->rank - 1) {
        tl_elements_to_f32(x->type, p, step, x->dim[d], to);
        return to + x->dim[d];
    }
    for (size_t i = 0; i < x->dim[d]; i++) to = spread(x, d + 1, p + i * step, to);
    return to;
}

tl_status tl_array_floats(tl_arena *a, const tl_array *x, const float **out)
{
    size_t n = tl_array_count(x);
    float *f = tl_alloc_raw(a, (n ? n : 1) * sizeof *f);
    TL_NEW(f);
    if (n) spread(x, 0, x->data, f);
    *out = f;
    return TL_OK;
}
