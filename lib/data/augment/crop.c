/* crop.c - which part of a picture the network sees. SPDX-License-Identifier: MIT */
#include "augment.h"
#include <math.h>

/* An axis of `source` pixels is resized to `resized`, of which at..at+cut-1 are kept: that part, in
 * source pixels. */
static void part(int source, int resized, int at, int cut, float *from, float *size)
{
    double step = (double)source / resized;
    *from = (float)(at * step);
    *size = (float)(cut * step);
}

/* Resize sw x sh, the aspect kept, to cover at least cover_w x cover_h; never below w x h. */
static void resized(int sw, int sh, double cover_w, double cover_h, int w, int h, int *rw, int *rh)
{
    double ratio = fmax(cover_w / sw, cover_h / sh);
    *rw = (int)fmin(1e9, fmax(w, floor(sw * ratio)));
    *rh = (int)fmin(1e9, fmax(h, floor(sh * ratio)));
}

tl_crop tl_crop_random(tl_rng *r, int sw, int sh, int w, int h)
{
    int rw, rh;
    double f = (double)tl_uniform_in(r, TL_CROP_LEAST, 1);
    resized(sw, sh, w / f, h / f, w, h, &rw, &rh);
    tl_crop b;
    part(sw, rw, tl_rng_below(r, rw - w + 1), w, &b.x, &b.w);
    part(sh, rh, tl_rng_below(r, rh - h + 1), h, &b.y, &b.h);
    return b;
}

/* As the original: the difference of two halves, each rounded to even. */
static int middle(int resized_side, int cut)
{
    int at = (int)(nearbyint(resized_side / 2.0) - nearbyint(cut / 2.0));
    return at + cut > resized_side ? resized_side - cut : at;
}

tl_crop tl_crop_center(int sw, int sh, int w, int h)
{
    int rw, rh;
    resized(sw, sh, w + TL_CROP_MARGIN, h + TL_CROP_MARGIN, w, h, &rw, &rh);
    tl_crop b;
    part(sw, rw, middle(rw, w), w, &b.x, &b.w);
    part(sh, rh, middle(rh, h), h, &b.y, &b.h);
    return b;
}
