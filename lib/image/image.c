/* image.c - memory for pictures, within limits. SPDX-License-Identifier: MIT */
#include "decode.h"

tl_status tl_image_check_size(uint32_t w, uint32_t h, size_t raw, size_t n, size_t expand)
{
    TL_CHECK(w && h, TL_EFORMAT, "damaged: a picture of %u x %u pixels", w, h);
    TL_CHECK(w <= TL_MAX_SIDE && h <= TL_MAX_SIDE && w * (uint64_t)h <= TL_MAX_PIXELS, TL_EUNSUP,
             "a picture of %u x %u pixels is too large (at most %d a side and %d in all)", w, h,
             TL_MAX_SIDE, TL_MAX_PIXELS);
    TL_CHECK(raw / expand <= n, TL_EFORMAT,
             "damaged: %zu bytes cannot hold the %u x %u pixels it claims", n, w, h);
    return TL_OK;
}

tl_status tl_image_new(tl_arena *a, int w, int h, int c, tl_image *out)
{
    TL_TRY(tl_image_check_size((uint32_t)w, (uint32_t)h, 0, 0, 1));
    *out = (tl_image){ w, h, c, tl_alloc_raw(a, (size_t)w * (size_t)h * (size_t)c) };
    TL_NEW(out->p);
    return TL_OK;
}
