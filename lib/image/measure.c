/* measure.c - a picture's size from its first bytes, without decoding it. SPDX-License-Identifier: MIT
 *
 * Both formats are chains of records that tell their length; those before the size are skipped, but the EXIF
 * orientation is looked for, since a decoded picture is upright. JPEG: ITU T.81, annex B. PNG: W3C, section 5. */
#include "decode.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_EXIF 65536

typedef struct { FILE *f; int w, h, orientation; uint8_t exif[MAX_EXIF]; } measured;

static uint32_t big(const uint8_t *p, int n)
{
    uint32_t v = 0;
    for (int i = 0; i < n; i++) v = v << 8 | p[i];
    return v;
}

static bool get(measured *m, void *to, size_t n) { return fread(to, 1, n, m->f) == n; }
static bool skip(measured *m, uint32_t n) { return !fseek(m->f, (long)n, SEEK_CUR); }

static bool read_exif(measured *m, uint32_t n, uint32_t header)
{
    if (n > MAX_EXIF || n < header) return skip(m, n);
    if (!get(m, m->exif, n)) return false;
    if (!header || !memcmp(m->exif, "Exif\0", header))
        m->orientation = tl_exif_orientation((tl_bytes){ m->exif + header, n - header });
    return true;
}

/* Start of frame: 0xC0 to 0xCF but for three that are tables. */
static bool is_frame(int marker)
{
    return (marker & 0xF0) == 0xC0 && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

static bool jpeg(measured *m)
{
    uint8_t b[8];
    for (;;) {
        if (!get(m, b, 2) || b[0] != 0xFF) return false;
        while (b[1] == 0xFF)
            if (!get(m, b + 1, 1)) return false; /* fill bytes */
        if (b[1] == 0xDA || b[1] == 0xD9 || !get(m, b + 2, 2)) return false;
        uint32_t n = big(b + 2, 2);
        if (n < 2) return false;
        if (is_frame(b[1])) {
            if (!get(m, b, 5)) return false; /* precision, height, width */
            m->h = (int)big(b + 1, 2);
            m->w = (int)big(b + 3, 2);
            return true;
        }
        if (!(b[1] == 0xE1 ? read_exif(m, n - 2, 6) : skip(m, n - 2))) return false;
    }
}

static bool png(measured *m)
{
    uint8_t b[12], size[8];
    if (!get(m, b, 8) || memcmp(b + 4, "IHDR", 4) || !get(m, size, 8)) return false;
    m->w = (int)(big(size, 4) & INT32_MAX);
    m->h = (int)(big(size + 4, 4) & INT32_MAX);
    if (!skip(m, 5 + 4)) return false;
    while (get(m, b, 8)) { /* length and type; a checksum follows the data */
        uint32_t n = big(b, 4);
        if (!memcmp(b + 4, "eXIf", 4)) return read_exif(m, n, 0);
        if (!memcmp(b + 4, "IEND", 4) || !skip(m, n) || !skip(m, 4)) break;
    }
    return true;
}

static bool measure(measured *m)
{
    uint8_t b[8];
    if (!get(m, b, 2)) return false;
    if (b[0] == 0xFF && b[1] == 0xD8) return jpeg(m);
    return get(m, b + 2, 6) && !memcmp(b, "\x89PNG\r\n\x1a\n", 8) && png(m);
}

tl_status tl_image_measure(const char *path, tl_size *out)
{
    measured m = { .f = fopen(path, "rb"), .orientation = 1 };
    TL_CHECK(m.f, TL_EIO, "cannot open '%s': %s", path, strerror(errno));
    bool good = measure(&m) && m.w > 0 && m.h > 0;
    fclose(m.f);
    TL_CHECK(good, TL_EFORMAT, "'%s' is damaged, or neither JPEG nor PNG: it has no size", path);
    TL_CHECK(m.w <= TL_MAX_SIDE && m.h <= TL_MAX_SIDE, TL_EUNSUP, "'%s' has %d x %d pixels; %d a side are the most",
             path, m.w, m.h, TL_MAX_SIDE);
    *out = m.orientation > 4 ? (tl_size){ m.h, m.w } : (tl_size){ m.w, m.h };
    return TL_OK;
}
