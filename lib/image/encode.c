/* encode.c - pictures to JPEG, through libjpeg-turbo, and PNG, through libpng. SPDX-License-Identifier: MIT
 *
 * Both libraries report errors by functions that must not return: they jump back, as in jpeg.c and png.c. What they hold
 * belongs to the arena. */
#include "draw.h"
#include "text.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <jpeglib.h>
#include <png.h>

#define QUALITY   92 /* of 100: what pictures lose is hard to see */
#define PNG_LEVEL 3  /* of 9: photographs become a tenth larger than with the usual 6, and are written two to six times as fast */

/* ---- JPEG ---- */

typedef struct {
    struct jpeg_compress_struct enc;
    struct jpeg_error_mgr err;
    jmp_buf out;
    unsigned char *bytes;
    unsigned long n;
    char why[JMSG_LENGTH_MAX];
} jpeg_writer;

static void jpeg_failed(j_common_ptr enc)
{
    jpeg_writer *w = (jpeg_writer *)enc;
    w->err.format_message(enc, w->why);
    longjmp(w->out, 1);
}

static void jpeg_done(void *arg)
{
    jpeg_writer *w = arg;
    jpeg_destroy_compress(&w->enc);
    free(w->bytes);
}

/* Any libjpeg error leaves by longjmp. */
static void jpeg_write(jpeg_writer *w, const tl_image *m)
{
    struct jpeg_compress_struct *e = &w->enc;
    e->image_width = (JDIMENSION)m->w;
    e->image_height = (JDIMENSION)m->h;
    e->input_components = m->c;
    e->in_color_space = m->c == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(e);
    jpeg_set_quality(e, QUALITY, TRUE);
    e->comp_info[0].h_samp_factor = e->comp_info[0].v_samp_factor = 1; /* colors as fine as brightness: thin lines keep theirs */
    jpeg_start_compress(e, TRUE);
    while (e->next_scanline < e->image_height) {
        JSAMPROW row = m->p + (size_t)e->next_scanline * (size_t)m->w * (size_t)m->c;
        jpeg_write_scanlines(e, &row, 1);
    }
    jpeg_finish_compress(e);
}

static tl_status to_jpeg(tl_arena *a, const tl_image *m, tl_bytes *out)
{
    jpeg_writer *w = tl_new(a, jpeg_writer, 1);
    TL_NEW(w);
    w->enc.err = jpeg_std_error(&w->err);
    w->err.error_exit = jpeg_failed;
    TL_TRY(tl_defer(a, jpeg_done, w));
    if (setjmp(w->out)) return tl_fail(TL_EUNSUP, "cannot make a JPEG of %d x %d pixels: %s", m->w, m->h, w->why);
    jpeg_create_compress(&w->enc);
    jpeg_mem_dest(&w->enc, &w->bytes, &w->n);
    jpeg_write(w, m);
    *out = (tl_bytes){ w->bytes, w->n };
    return TL_OK;
}

/* ---- PNG ---- */

typedef struct {
    png_structp png;
    png_infop info;
    tl_text bytes;
    char why[128];
} png_writer;

static void png_failed(png_structp png, png_const_charp why)
{
    png_writer *w = png_get_error_ptr(png);
    snprintf(w->why, sizeof w->why, "%s", why);
    png_longjmp(png, 1);
}

static void png_warned(png_structp png, png_const_charp why) { (void)png, (void)why; }

static void png_put(png_structp png, png_bytep p, size_t n)
{
    png_writer *w = png_get_io_ptr(png);
    tl_text_add(&w->bytes, (const char *)p, n);
}

static void png_flush_nothing(png_structp png) { (void)png; }

static void png_done(void *arg)
{
    png_writer *w = arg;
    png_destroy_write_struct(&w->png, &w->info);
}

/* Any libpng error leaves by longjmp. */
static void png_write(png_writer *w, const tl_image *m)
{
    png_set_write_fn(w->png, w, png_put, png_flush_nothing);
    png_set_compression_level(w->png, PNG_LEVEL);
    png_set_IHDR(w->png, w->info, (png_uint_32)m->w, (png_uint_32)m->h, 8, m->c == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(w->png, w->info);
    for (int y = 0; y < m->h; y++) png_write_row(w->png, m->p + (size_t)y * (size_t)m->w * (size_t)m->c);
    png_write_end(w->png, NULL);
}

static tl_status to_png(tl_arena *a, const tl_image *m, tl_bytes *out)
{
    png_writer *w = tl_new(a, png_writer, 1);
    TL_NEW(w);
    w->bytes = tl_text_new(a);
    w->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, w, png_failed, png_warned);
    TL_CHECK(w->png, TL_ENOMEM, "out of memory");
    TL_TRY(tl_defer(a, png_done, w));
    if (setjmp(png_jmpbuf(w->png))) return tl_fail(TL_EUNSUP, "cannot make a PNG of %d x %d pixels: %s", m->w, m->h, w->why);
    w->info = png_create_info_struct(w->png);
    TL_CHECK(w->info, TL_ENOMEM, "out of memory");
    png_write(w, m);
    const char *bytes = tl_text_end(&w->bytes);
    TL_NEW(bytes);
    *out = (tl_bytes){ (const uint8_t *)bytes, w->bytes.n };
    return TL_OK;
}

/* ---- Either ---- */

tl_status tl_image_encode(tl_arena *a, const tl_image *m, bool png, tl_bytes *out)
{
    assert(m->c == 1 || m->c == 3);
    return png ? to_png(a, m, out) : to_jpeg(a, m, out);
}

tl_status tl_image_save(tl_arena *a, const tl_image *m, const char *path)
{
    const char *dot = strrchr(path, '.');
    tl_bytes file;
    tl_status s = tl_image_encode(a, m, dot && !strcasecmp(dot, ".png"), &file);
    return s ? tl_fail(s, "cannot write '%s': %s", path, tl_errmsg()) : tl_file_write(path, file.p, file.n);
}
