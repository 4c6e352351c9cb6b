/* color.c - color conversions, flip and the color matrix, all in place. SPDX-License-Identifier:
 * MIT */
#include "decode.h"
#include "kernel.h"

/* a*b/255, rounded, without a division. */
static uint32_t mul255(uint32_t a, uint32_t b)
{
    uint32_t t = a * b + 128;
    return (t + (t >> 8)) >> 8;
}

/* Inks are stored inverted, so each byte is the light that its ink lets through; what reaches the
 * eye has passed a color and the black. */
static void cmyk_to_rgb(tl_image *m)
{
    const uint8_t *from = m->p;
    uint8_t *to = m->p;
    for (size_t i = (size_t)m->w * (size_t)m->h; i; i--, from += 4, to += 3) {
        uint32_t black = from[3];
        for (int j = 0; j < 3; j++) to[j] = (uint8_t)mul255(from[j], black);
    }
    m->c = 3;
}

static void rgb_to_gray(tl_image *m)
{
    const uint8_t *from = m->p;
    size_t n = (size_t)m->w * (size_t)m->h;
    for (size_t i = 0; i < n; i++, from += 3)
        m->p[i] =
            (uint8_t)((19595u * from[0] + 38470u * from[1] + 7471u * from[2] + 0x8000u) >> 16);
    m->c = 1;
}

void tl_image_convert(tl_image *m, int c)
{
    if (m->c == 4) cmyk_to_rgb(m);
    if (m->c == 3 && c == 1) rgb_to_gray(m);
    assert(m->c == c);
}

void tl_image_flip(tl_image *m)
{
    for (int y = 0; y < m->h; y++) {
        uint8_t *l = m->p + (size_t)y * (size_t)m->w * (size_t)m->c, *r = l + (m->w - 1) * m->c;
        for (; l < r; l += m->c, r -= m->c)
            for (int k = 0; k < m->c; k++) {
                uint8_t t = l[k];
                l[k] = r[k];
                r[k] = t;
            }
    }
}

void tl_image_color(tl_image *m, const float rows[12])
{
    assert(m->c == 3);
    tl_kernel()->recolor(m->p, (size_t)m->w * (size_t)m->h, rows);
}
