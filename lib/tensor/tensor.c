/* tensor.c - element types and half precision. SPDX-License-Identifier: MIT */
#include "tensor.h"
#include <string.h>

static const struct { const char *name; size_t size; } types[] = {
    [TL_F32] = { "f32", 4 }, [TL_BF16] = { "bf16", 2 }, [TL_F16] = { "f16", 2 },
    [TL_S8] = { "s8", 1 },   [TL_U8] = { "u8", 1 },     [TL_S32] = { "s32", 4 },
};
size_t      tl_dtype_size(tl_dtype t) { return types[t].size; }
const char *tl_dtype_name(tl_dtype t) { return types[t].name; }

tl_status tl_tensor_init(tl_arena *a, tl_tensor *t, tl_shape s, tl_dtype type)
{
    t->s = s;
    t->t = type;
    t->p = tl_alloc(a, tl_count(s) * tl_dtype_size(type));
    return t->p ? TL_OK : TL_ENOMEM;
}

float tl_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = (h >> 10) & 31, man = h & 1023, bits;
    if (exp == 31) bits = sign | 0x7f800000 | man << 13;
    else if (exp) bits = sign | (exp + 112) << 23 | man << 13;
    else { /* zero or subnormal: man * 2^-24 */
        float f = (float)man * 0x1p-24f;
        memcpy(&bits, &f, 4);
        bits |= sign;
    }
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

uint16_t tl_f16_from_f32(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, 4);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t mag = bits & 0x7fffffff;
    if (mag > 0x7f800000) return sign | 0x7e00;                 /* NaN */
    if (mag >= 0x477ff000) return sign | 0x7c00;                /* rounds to infinity */
    if (mag < 0x38800000) {                                     /* subnormal: units of 2^-24 */
        float a;
        memcpy(&a, &mag, 4);
        a += 0.5f;                                              /* its ulp is 2^-24: the addition rounds */
        uint32_t r;
        memcpy(&r, &a, 4);
        return (uint16_t)(sign | (r - 0x3f000000));
    }
    mag += 0xfff + (mag >> 13 & 1);                             /* nearest even */
    return (uint16_t)(sign | (mag - 0x38000000) >> 13);
}
