/* augment.h - random and fixed changes of a picture; private to data/. SPDX-License-Identifier: MIT
 *
 * Crops are boxes of the source: resizing a box is the same as resizing the whole and cutting, but cheaper. */
#ifndef TL_AUGMENT_H
#define TL_AUGMENT_H
#include "data.h"

/* What a draw is for: the last part of a random stream's name, tl_rng_at(seed, epoch, sample, purpose). */
enum { TL_DRAW_ORDER = 100, TL_DRAW_CROP, TL_DRAW_COLOR, TL_DRAW_FLIP, TL_DRAW_MIXUP, TL_DRAW_VIEW };

#define TL_CROP_LEAST  0.45f /* random crop: the smallest share of a side that is kept */
#define TL_CROP_MARGIN 32    /* center crop: pixels added to each side before cutting */

/* The part of a sw x sh picture that becomes w x h, the aspect ratio kept.
 *   random  a share f ~ U(0.45, 1) of the side that fits tighter, anywhere
 *   center  as when resized to cover (w + 32) x (h + 32), then cut in the middle */
tl_crop tl_crop_random(tl_rng *r, int sw, int sh, int w, int h);
tl_crop tl_crop_center(int sw, int sh, int w, int h);

/* Rows for tl_image_color: contrast about `center` (0..1) first, then hue and saturation, then brightness (1: from black to
 * white). Drawn: hue from a normal distribution of 12.5 degrees cut at 25, saturation factor
 * U(0.8, 1.2), contrast (about mid-gray) 1 + normal of 0.05 cut at 0.1. */
typedef struct { float degrees, saturation, contrast, center, brightness; } tl_color_change;
void tl_color_rows(const tl_color_change *c, float rows[12]);
void tl_color_draw(tl_rng *r, float rows[12]);

/* Mixup (Zhang et al. 2018) with the reversed batch: row i becomes lambda[i] * row i + (1 - lambda[i]) * row n-1-i, for
 * n rows of `width` numbers. lambda is at least 1/2, so a row stays mostly itself. */
void tl_mixup(float *rows, int n, size_t width, const float *lambda);
float tl_mixup_draw(tl_rng *r, float alpha);
#endif
