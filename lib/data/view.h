/* view.h - what the network of a detector sees of a picture, and where boxes are in it. SPDX-License-Identifier: MIT
 *
 * All that the original's message augmentation_config says about a picture is one map of the plane and one change of colors,
 * so a picture is read once, and its boxes, and the network's for it, move by the same map. The order is the original's
 * (the default loader of DetectNet_v2):
 *   picture  scaled (scale_w, scale_h), then cut (crop)       always
 *            mirrored, moved, zoomed, turned                  in training, by chance
 *   colors   contrast, then hue and saturation, then brightness     likewise
 * Without `stretch` or `least` pictures keep their size: what is larger than the network's input is cut off at the right and
 * below, what is smaller is black there. */
#ifndef TL_VIEW_H
#define TL_VIEW_H
#include "box.h"
#include "data.h"
#include "detectnet_v2.h"

typedef struct {
    int   w, h;             /* of the network's input */
    bool  stretch;          /* enable_auto_resize: first make the picture w x h, whatever its aspect */
    int   least, most;      /* output_image_min, max; not 0: first resize, the aspect kept, so that the smaller side has
                               `least` pixels, but the larger one no more than `most` (0: any number) */
    float scale_w, scale_h; /* 0: 1 */
    int   crop_l, crop_t, crop_r, crop_b; /* all 0: 0, 0, w, h */
    float min_box_w, min_box_h;           /* pixels of the input; smaller boxes are dropped */
    /* Drawn anew for each picture and epoch: */
    float hflip, vflip;     /* probabilities. The original reads vflip_probability nowhere; here it does what it says */
    int   move_x, move_y;   /* by whole pixels, at most so many */
    float zoom_min, zoom_max; /* above 1 objects become smaller, as in the original; then black is seen beside the picture */
    float turn, turn_probability; /* at most so many radians, about the middle. The original's default loader takes
                                     rotate_rad_max for degrees, which nobody sees; here it is radians */
    float brightness, hue, saturation, contrast, center; /* color_shift_stddev .. contrast_center */
} tl_view_conf;
void tl_view_conf_from(const tl_detect_augmentation *spec, tl_view_conf *out);

typedef struct {
    tl_size   picture;      /* as decoded in full and upright */
    tl_size   out;          /* the network's input */
    float     min_box_w, min_box_h;
    tl_affine back, there;  /* from the network's pixels to the picture's, and its inverse */
    bool      recolored;    /* rows are for tl_image_color */
    float     rows[12];
} tl_view;

/* Without random changes: validation and inference. */
void      tl_view_plain(const tl_view_conf *c, tl_size picture, tl_view *out);
/* In training: what is drawn depends on (seed, epoch, sample) only. */
void      tl_view_draw(const tl_view_conf *c, tl_size picture, uint64_t seed, uint64_t epoch, uint64_t sample, tl_view *out);

/* The picture as the network sees it, x: h x w x c. m: the picture, in full or decoded at a half, a quarter or an eighth; gray
 * ones keep their colors. tl_view_least is what to tell the decoder: the original decodes in full and leaves pixels out, which
 * makes noise of fine structures. */
void      tl_view_render(const tl_view *v, const tl_image *m, const tl_norm *n, float *x);
tl_size   tl_view_least(const tl_view *v);

/* Where a box of the picture is in the network's input: the box around its four corners, cut at the border. False: nothing
 * of it is left, or too little. */
bool      tl_view_box(const tl_view *v, tl_box in_picture, tl_box *in_network);
/* The way back, for answers, cut at the picture's border. */
tl_box    tl_view_box_back(const tl_view *v, tl_box in_network);
#endif
