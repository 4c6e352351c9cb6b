/* decode.c - a file's bytes to an upright picture. SPDX-License-Identifier: MIT */
#include "decode.h"
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    int at, n;
    const char *bytes;
} kinds[] = {
    { "JPEG", 0, 3, "\xff\xd8\xff" },
    { "PNG", 0, 8, "\x89PNG\r\n\x1a\n" }, /* the two that we read come first */
    { "GIF", 0, 4, "GIF8" },
    { "BMP", 0, 2, "BM" },
    { "TIFF", 0, 4, "II*\0" },
    { "TIFF", 0, 4, "MM\0*" },
    { "WebP", 8, 4, "WEBP" },
    { "HEIF or AVIF", 4, 4, "ftyp" },
    { "JPEG XL", 0, 2, "\xff\x0a" },
    { "JPEG 2000", 4, 4, "jP  " },
};

static int kind_of(tl_bytes file)
{
    for (int i = 0; i < TL_LEN(kinds); i++) {
        size_t at = (size_t)kinds[i].at, n = (size_t)kinds[i].n;
        if (file.n >= at + n && !memcmp(file.p + at, kinds[i].bytes, n)) return i;
    }
    return -1;
}

tl_status tl_image_decode(tl_arena *a, tl_bytes file, int c, tl_size least, tl_image *out)
{
    assert(c == 1 || c == 3);
    TL_CHECK(file.n, TL_EFORMAT, "the file is empty");
    int kind = kind_of(file), orientation = 1;
    TL_CHECK(kind >= 0, TL_EFORMAT,
             "not a picture: begins neither like a JPEG nor like a PNG file");
    TL_CHECK(kind <= 1, TL_EUNSUP,
             "this is a %s file, whatever its name says; convert it to JPEG or PNG",
             kinds[kind].name);
    if (kind == 0) TL_TRY(tl_jpeg_decode(a, file, c, least, out, &orientation));
    else
        TL_TRY(tl_png_decode(a, file, c, out, &orientation));
    tl_image_convert(out, c);
    return tl_exif_upright(a, orientation, out);
}

tl_status tl_image_load(tl_arena *a, const char *path, int c, tl_size least, tl_image *out)
{
    tl_bytes file;
    TL_TRY(tl_file_read(a, path, 0, &file));
    tl_status s = tl_image_decode(a, file, c, least, out);
    return s ? tl_fail(s, "'%s': %s", path, tl_errmsg()) : TL_OK;
}

bool tl_image_name(const char *file)
{
    const char *dot = strrchr(file, '.');
    return dot &&
           (!strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg") || !strcasecmp(dot, ".png"));
}
