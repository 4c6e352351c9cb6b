/* png.c - PNG through libpng. SPDX-License-Identifier: MIT
 *
 * Errors jump back into tl_png_decode; the reader belongs to the arena, so nothing leaks. */
#include "decode.h"
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <png.h>

#define DEFLATE_BEST 1032 /* bytes that one compressed byte can become: zlib's technical notes */
#define MAX_CHUNK    (8u << 20)

typedef struct {
    png_structp png;
    png_infop info;
    tl_bytes left; /* of the file */
    char why[128];
} reader;

static void failed(png_structp png, png_const_charp why)
{
    reader *r = png_get_error_ptr(png);
    snprintf(r->why, sizeof r->why, "%s", why);
    png_longjmp(png, 1);
}

static void warned(png_structp png, png_const_charp why) { (void)png, (void)why; }

static void take(png_structp png, png_bytep to, size_t n)
{
    reader *r = png_get_io_ptr(png);
    if (n > r->left.n) png_error(png, "the file ends too early");
    memcpy(to, r->left.p, n);
    r->left.p += n;
    r->left.n -= n;
}

static void destroy(void *arg)
{
    reader *r = arg;
    png_destroy_read_struct(&r->png, &r->info, NULL);
}

/* Ask libpng for 8-bit channels without alpha: gray if the file is and c is 1, else RGB. */
static void ask(reader *r, int c)
{
    png_set_expand(r->png); /* palette to RGB, less than 8 bits to 8 */
    png_set_strip_16(r->png);
    png_set_strip_alpha(r->png);
    if (c == 3) png_set_gray_to_rgb(r->png);
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
}

/* Any libpng error leaves by longjmp. */
static tl_status decode(tl_arena *a, reader *r, int c, tl_image *out, int *orientation)
{
    size_t bytes = r->left.n;
    png_set_read_fn(r->png, r, take);
    png_set_user_limits(r->png, TL_MAX_PIXELS, TL_MAX_PIXELS);
    png_set_chunk_malloc_max(r->png, MAX_CHUNK);
    png_read_info(r->png, r->info);
    uint32_t w = png_get_image_width(r->png, r->info), h = png_get_image_height(r->png, r->info);
    TL_TRY(tl_image_check_size(w, h, png_get_rowbytes(r->png, r->info) * h, bytes, DEFLATE_BEST));
    ask(r, c);
    TL_TRY(tl_image_new(a, (int)w, (int)h, png_get_channels(r->png, r->info), out));
    png_bytep *row = tl_new(a, png_bytep, h);
    TL_NEW(row);
    for (uint32_t y = 0; y < h; y++) row[y] = out->p + (size_t)y * w * (size_t)out->c;
    png_read_image(r->png, row);
    png_read_end(r->png, r->info);
    png_bytep exif;
    png_uint_32 n;
    if (png_get_eXIf_1(r->png, r->info, &n, &exif))
        *orientation = tl_exif_orientation((tl_bytes){ exif, n });
    return TL_OK;
}

tl_status tl_png_decode(tl_arena *a, tl_bytes file, int c, tl_image *out, int *orientation)
{
    reader *r = tl_new(a, reader, 1);
    TL_NEW(r);
    r->left = file;
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, failed, warned);
    TL_CHECK(r->png, TL_ENOMEM, "out of memory");
    TL_TRY(tl_defer(a, destroy, r));
    if (!setjmp(png_jmpbuf(r->png))) {
        r->info = png_create_info_struct(r->png);
        TL_CHECK(r->info, TL_ENOMEM, "out of memory");
        return decode(a, r, c, out, orientation);
    }
    return tl_fail(TL_EFORMAT, "damaged PNG: %s", r->why);
}
