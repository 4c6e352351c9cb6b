/* exif.c - which way up a camera held the picture. SPDX-License-Identifier: MIT
 *
 * EXIF is a TIFF structure: 8 bytes of header with the byte order, then directories of 12-byte
 * entries: tag, type, count, value. Only tag 0x112 of the first directory matters here. Its values:
 *   1 upright   2 mirrored   3 upside down   4 mirrored upside down
 *   5 transposed   6 turn right   7 transposed along the other diagonal   8 turn left */
#include "decode.h"
#include <string.h>

#define SHORT 3 /* a TIFF type: two bytes, here the first two of the entry's four for its value */

static uint32_t number(const uint8_t *p, int n, bool big)
{
    uint32_t v = 0;
    for (int i = 0; i < n; i++) v = v << 8 | p[big ? i : n - 1 - i];
    return v;
}

int tl_exif_orientation(tl_bytes t)
{
    if (t.n < 8) return 1;
    bool big = !memcmp(t.p, "MM\0*", 4);
    if (!big && memcmp(t.p, "II*\0", 4)) return 1;
    uint32_t at = number(t.p + 4, 4, big);
    if (at > t.n - 2 || at < 8) return 1;
    uint32_t entries = number(t.p + at, 2, big);
    for (const uint8_t *e = t.p + at + 2; entries && t.n - (size_t)(e - t.p) >= 12;
         entries--, e += 12) {
        if (number(e, 2, big) != 0x112) continue;
        uint32_t type = number(e + 2, 2, big), v = number(e + 8, 2, big);
        return type == SHORT && v >= 1 && v <= 8 ? (int)v : 1;
    }
    return 1;
}

tl_status tl_exif_upright(tl_arena *a, int orientation, tl_image *m)
{
    if (orientation == 1) return TL_OK;
    bool swap = orientation >= 5;                  /* rows become columns */
    bool right = strchr("\2\3\7\10", orientation); /* read x from the right */
    bool bottom = strchr("\3\4\6\7", orientation); /* read y from the bottom */
    tl_image out;
    TL_TRY(tl_image_new(a, swap ? m->h : m->w, swap ? m->w : m->h, m->c, &out));
    uint8_t *to = out.p;
    for (int y = 0; y < out.h; y++)
        for (int x = 0; x < out.w; x++, to += m->c) {
            int sx = swap ? y : x, sy = swap ? x : y;
            if (right) sx = m->w - 1 - sx;
            if (bottom) sy = m->h - 1 - sy;
            memcpy(to, m->p + ((size_t)sy * (size_t)m->w + (size_t)sx) * (size_t)m->c,
                   (size_t)m->c);
        }
    *m = out;
    return TL_OK;
}
