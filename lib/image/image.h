/* image.h - pictures in memory. SPDX-License-Identifier: MIT */
#ifndef TL_IMAGE_H
#define TL_IMAGE_H
#include "file.h"

/* 8 bits a channel, interleaved, rows packed: pixel (x,y), channel c at p[(y*w + x)*c_count + c]. c is 3 (RGB) or 1. */
typedef struct { int w, h, c; uint8_t *p; } tl_image;
typedef enum { TL_BILINEAR, TL_BICUBIC } tl_filter;
typedef struct { float x, y, w, h; } tl_box; /* a part of a picture, in pixels, fractions allowed */

/* Decode a JPEG or PNG of any kind (progressive, grey, CMYK, YCCK; 1-16 bit, palette, alpha over white) into c channels,
 * turned upright as its EXIF orientation says. at_least > 0: the caller will shrink to about that many pixels on the
 * shorter side, so a JPEG may be decoded at a fraction of its size, never below at_least. A damaged or truncated file is TL_EFORMAT
 * with the reason; more than 2^28 pixels is refused. */
tl_status tl_image_decode(tl_arena *a, tl_bytes file, int c, int at_least, tl_image *out);
tl_status tl_image_load(tl_arena *a, const char *path, int c, int at_least, tl_image *out); /* names the path */
bool      tl_image_name(const char *file);  /* .jpg .jpeg .png, any case */

/* Resample the box of `in` to w x h as PIL's resize(box=...) does: the filter is widened when shrinking (antialias). */
tl_status tl_image_resize(tl_arena *a, const tl_image *in, tl_box box, int w, int h, tl_filter f, tl_image *out);
void      tl_image_flip(tl_image *m);       /* left to right, in place */
/* r,g,b = clip(rows . (r,g,b,1)) on 0..1 values; rows are 3 x 4. 3-channel pictures only. */
void      tl_image_color(tl_image *m, const float rows[12]);
#endif
