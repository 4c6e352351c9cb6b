/* image.h - pictures in memory: decode, resample, flip, recolor. SPDX-License-Identifier: MIT
 *
 * The reference for every pixel is what the original toolkit sees: Keras' load_img, which is PIL's
 * decode, convert("RGB" or "L") and resize. Differences are named below, where they are. */
#ifndef TL_IMAGE_H
#define TL_IMAGE_H
#include "file.h"

/* 8 bits a channel, interleaved, rows packed: pixel (x,y), channel k at p[(y*w + x)*c + k]; c: 3 (RGB) or 1 (gray). */
typedef struct { int w, h, c; uint8_t *p; } tl_image;
typedef struct { int w, h; } tl_size;
typedef enum { TL_BILINEAR, TL_BICUBIC } tl_filter;
typedef struct { float x, y, w, h; } tl_crop; /* a part of a picture, in pixels, fractions allowed */

/* Memory for a picture, contents undefined. TL_EUNSUP for a larger one than these. */
#define TL_MAX_SIDE   65535
#define TL_MAX_PIXELS (1 << 28)
tl_status tl_image_new(tl_arena *a, int w, int h, int c, tl_image *out);

/* Decode a JPEG or PNG of any kind, told by its first bytes, into c channels, turned upright as its EXIF orientation
 * says (PIL's exif_transpose).
 *   JPEG  baseline and progressive; gray, YCbCr, RGB, CMYK and YCCK (inverted, as Adobe writes them and PIL assumes)
 *   PNG   every color type, 1 to 16 bits, interlaced or not. Alpha is dropped, not composited, as convert("RGB")
 *         does. 16-bit channels keep their high byte (PIL does so for color, but clips 16-bit gray at 255, which
 *         turns most such pictures white)
 * Gray from color: PIL's L, (19595 R + 38470 G + 7471 B + 2^15) >> 16.
 * least: the caller will shrink the upright picture, to no more than that, so a JPEG twice that size or more is decoded
 * at 1/2, 1/4 or 1/8, never to less. 0 x 0: in full.
 * A damaged or truncated file, and one that claims more pixels than its bytes could hold, is TL_EFORMAT with the
 * reason; other formats (named) and too many pixels are TL_EUNSUP. Memory stays within a small multiple of the
 * decoded picture. */
tl_status tl_image_decode(tl_arena *a, tl_bytes file, int c, tl_size least, tl_image *out);
tl_status tl_image_load(tl_arena *a, const char *path, int c, tl_size least, tl_image *out); /* names the path */
/* Width and height that tl_image_decode would give it, from the file's first bytes. TL_EFORMAT: no such picture. Names the path. */
tl_status tl_image_measure(const char *path, tl_size *out);
bool      tl_image_name(const char *file);  /* .jpg .jpeg .png, any case */

/* Resample the box of `in` to w x h, bit for bit as PIL's resize((w, h), filter, box): the filter is widened when
 * shrinking (antialiasing), and near the box's border reads pixels outside of it, so resizing and then cropping is the
 * same as resizing a box. The box must lie inside the picture (TL_EARG). Scratch comes from a as well. (PIL from 13 on
 * resamples along y first where that is less work, which changes some pixels by one.) */
tl_status tl_image_resize(tl_arena *a, const tl_image *in, tl_crop box, int w, int h, tl_filter f, tl_image *out);
void      tl_image_flip(tl_image *m);       /* left to right, in place */
/* r,g,b = clip(rows . (r,g,b,1)) on 0..1 values, rounded to nearest; rows are 3 x 4. 3-channel pictures only. */
void      tl_image_color(tl_image *m, const float rows[12]);

/* A map of the plane that keeps lines straight and parallel: (x, y) becomes (x, y, 1) * m. These are the 3 x 3 matrices of the
 * original without their last column, which is 0 0 1. In a product the left one acts first. Coordinates are edges: a pixel
 * goes from x to x + 1, and its middle is at x + 1/2. */
typedef struct { double m[3][2]; } tl_affine;
tl_affine tl_affine_times(const tl_affine *a, const tl_affine *b);
bool      tl_affine_inverse(const tl_affine *a, tl_affine *out); /* false: it has none */

/* How a picture becomes numbers while it is warped, as tl_kernels' warp has it: rows (as above, or NULL), order, mean, rstd. */
typedef struct { const float *rows; const int *order; const float *mean, *rstd; } tl_finish;
/* w x h pixels, of which each is read where `back` takes its middle, bilinearly, black outside; into to: h x w x c floats.
 * As the original does nothing against aliasing: see tl_warp_least. */
void      tl_image_warp(const tl_image *in, const tl_affine *back, const tl_finish *f, int w, int h, float *to);
/* How small (as `least` of tl_image_decode) a picture of that size may be decoded before it is warped: no pixel of the result
 * is enlarged by that. Then it is the smaller picture that is to be read: `back` for it, where `back` is for the picture in full. */
tl_size   tl_warp_least(const tl_affine *back, tl_size full);
tl_affine tl_warp_reduced(const tl_affine *back, tl_size full, tl_size decoded);
#endif
