/* jpeg.c - JPEG through libjpeg-turbo. SPDX-License-Identifier: MIT
 *
 * libjpeg reports an error by calling error_exit, which must not return: it jumps back into
 * tl_jpeg_decode. The decompressor belongs to the arena, so nothing leaks on either way out.
 *
 * Damage comes as warnings while libjpeg makes up the missing pixels. Those that mean lost pixels
 * make the file unreadable here; a few harmless ones that real cameras and editors cause do not. */
#include "decode.h"
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <jpeglib.h>
#include <jerror.h>

#define MAX_SCANS                                                                                  \
    200 /* progressive files have about ten; each costs a pass over the whole picture */
#define PIXELS_PER_BYTE                                                                            \
    512 /* one bit for an 8x8 block: the first scan of a plain gray progressive picture */

typedef struct {
    struct jpeg_decompress_struct dec;
    struct jpeg_error_mgr err;
    struct jpeg_progress_mgr progress;
    jmp_buf out;
    char why[JMSG_LENGTH_MAX]; /* the error, or the first warning that means damage */
    bool damaged;
} reader;

static void failed(j_common_ptr dec)
{
    reader *r = (reader *)dec;
    if (!r->damaged) r->err.format_message(dec, r->why);
    longjmp(r->out, 1);
}

static void warned(j_common_ptr dec, int level)
{
    reader *r = (reader *)dec;
    int code = r->err.msg_code;
    bool harmless = level >= 0 || code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM ||
                    code == JWRN_BOGUS_ICC || code == JWRN_NOT_SEQUENTIAL ||
                    code == JWRN_TOO_MUCH_DATA;
    if (harmless || r->damaged) return;
    r->err.format_message(dec, r->why);
    r->damaged = true;
}

static void count_scans(j_common_ptr dec)
{
    reader *r = (reader *)dec;
    if (r->dec.input_scan_number <= MAX_SCANS) return;
    snprintf(r->why, sizeof r->why, "more than %d scans", MAX_SCANS);
    longjmp(r->out, 1);
}

static void destroy(void *r) { jpeg_destroy_decompress(&((reader *)r)->dec); }

static int orientation_of(jpeg_saved_marker_ptr m)
{
    for (; m; m = m->next)
        if (m->data_length > 6 && !memcmp(m->data, "Exif\0", 6))
            return tl_exif_orientation((tl_bytes){ m->data + 6, m->data_length - 6 });
    return 1;
}

/* How many times smaller to decode: 1, 2, 4 or 8. libjpeg-turbo can scale by other eighths as well, but has no vector code for
 * them: 5/8 of a picture takes 1.4 times as long as all of it. */
static int reduction(const struct jpeg_decompress_struct *d, int orientation, tl_size least)
{
    const bool turned = orientation > 4;
    const int w = (int)(turned ? d->image_height : d->image_width), h = (int)(turned ? d->image_width : d->image_height);
    int by = 1;
    while (least.w > 0 && by < 8 && w / (2 * by) >= least.w && h / (2 * by) >= least.h) by *= 2;
    return by;
}

/* From the opened file to pixels; any libjpeg error leaves by longjmp. */
static tl_status decode(tl_arena *a, reader *r, size_t bytes, int c, tl_size least, tl_image *out,
                        int *orientation)
{
    struct jpeg_decompress_struct *d = &r->dec;
    jpeg_save_markers(d, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(d, TRUE);
    TL_TRY(tl_image_check_size(d->image_width, d->image_height,
                               (size_t)d->image_width * d->image_height, bytes, PIXELS_PER_BYTE));
    TL_CHECK(d->num_components == 1 || d->num_components == 3 || d->num_components == 4, TL_EUNSUP,
             "a JPEG with %d channels", d->num_components);
    *orientation = orientation_of(d->marker_list);
    d->out_color_space = d->num_components == 4                           ? JCS_CMYK
                         : d->jpeg_color_space == JCS_GRAYSCALE && c == 1 ? JCS_GRAYSCALE
                                                                          : JCS_RGB;
    d->scale_num = 1;
    d->scale_denom = (unsigned)reduction(d, *orientation, least);
    jpeg_start_decompress(d);
    TL_TRY(tl_image_new(a, (int)d->output_width, (int)d->output_height, d->output_components, out));
    size_t row = (size_t)out->w * (size_t)out->c;
    while (d->output_scanline < d->output_height && !r->damaged) {
        JSAMPROW at = out->p + row * d->output_scanline;
        jpeg_read_scanlines(d, &at, 1);
    }
    if (!r->damaged) jpeg_finish_decompress(d);
    return TL_OK;
}

tl_status tl_jpeg_decode(tl_arena *a, tl_bytes file, int c, tl_size least, tl_image *out,
                         int *orientation)
{
    reader *r = tl_new(a, reader, 1);
    TL_NEW(r);
    r->dec.err = jpeg_std_error(&r->err);
    r->err.error_exit = failed;
    r->err.emit_message = warned;
    r->progress.progress_monitor = count_scans;
    TL_TRY(tl_defer(a, destroy, r));
    if (!setjmp(r->out)) {
        jpeg_create_decompress(&r->dec);
        r->dec.progress = &r->progress;
        jpeg_mem_src(&r->dec, file.p, (unsigned long)file.n);
        tl_status s = decode(a, r, file.n, c, least, out, orientation);
        if (s || !r->damaged) return s;
    }
    return tl_fail(r->err.msg_code == JERR_OUT_OF_MEMORY ? TL_ENOMEM : TL_EFORMAT,
                   "damaged JPEG: %s", r->why);
}
