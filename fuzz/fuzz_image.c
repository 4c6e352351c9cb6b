/* fuzz_image.c - the picture decoder against hostile files. SPDX-License-Identifier: MIT */
#include "image.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The last byte chooses channels and reduction; what decodes is resized as well, as a loader would.
 */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    tl_arena *a = tl_arena_new();
    int choice = n ? p[n - 1] : 0;
    tl_image m, small;
    if (!tl_image_decode(a, (tl_bytes){ p, n }, choice & 1 ? 3 : 1, (tl_size){ choice >> 1, choice >> 1 }, &m))
        tl_image_resize(a, &m, (tl_crop){ 0, 0, (float)m.w, (float)m.h }, 8, 8, TL_BILINEAR, &small);
    tl_arena_free(a);
    return 0;
}
