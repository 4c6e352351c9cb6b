/* decode.h - what the decoders share; private to image/. SPDX-License-Identifier: MIT */
#ifndef TL_DECODE_H
#define TL_DECODE_H
#include "image.h"

/* Both leave whatever channels the file decodes to (1, 3, or 4: inverted CMYK) in out->c, and the
 * EXIF orientation (1..8) in *orientation. */
tl_status tl_jpeg_decode(tl_arena *a, tl_bytes file, int c, tl_size least, tl_image *out,
                         int *orientation);
tl_status tl_png_decode(tl_arena *a, tl_bytes file, int c, tl_image *out, int *orientation);

/* Refuse a picture that is too large, or whose raw bytes no file of n bytes can hold when one byte
 * of it makes at most `expand` raw bytes: a few hostile bytes must not cost gigabytes. */
tl_status tl_image_check_size(uint32_t w, uint32_t h, size_t raw, size_t n, size_t expand);

/* EXIF: a TIFF structure; 1 (upright) when the tag is absent or the structure damaged. */
int tl_exif_orientation(tl_bytes tiff);
/* Turn m upright; orientations 5 to 8 swap width and height. */
tl_status tl_exif_upright(tl_arena *a, int orientation, tl_image *m);

/* Inverted CMYK to RGB, then color to gray if c is 1, in place. A gray picture must be wanted as
 * one. */
void tl_image_convert(tl_image *m, int c);
#endif
