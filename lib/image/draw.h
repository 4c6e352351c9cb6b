/* draw.h - pictures with what was found in them, for people to look at. SPDX-License-Identifier: MIT */
#ifndef TL_DRAW_H
#define TL_DRAW_H
#include "box.h"
#include "image.h"

typedef struct { uint8_t r, g, b; } tl_rgb;
/* The color of class number i, from 0: as unlike those of other classes as there are few of them. */
tl_rgb tl_palette(int i);

typedef struct {
    tl_box      box;   /* pixels of the picture */
    const char *text;  /* on a plate at the box: "car 0.87"; UTF-8; NULL or "": none */
    tl_rgb      color;
} tl_mark;

/* A copy of a picture, always with three channels, with n marks drawn in, the first on top. Lines and letters are as large as
 * the picture asks for, so that they can be read when it is looked at as a whole; line: width in pixels, 0: chosen. Plates lie
 * inside of the picture and, where there is room, beside each other. TL_EUNSUP: more than 32767 pixels a side. */
tl_status tl_image_draw(tl_arena *a, const tl_image *in, const tl_mark *mark, int n, int line, tl_image *out);

/* Write a picture: PNG when the name ends in .png, else JPEG, of a quality at which lines and letters stay sharp. Written under
 * a temporary name in the same folder, renamed when whole. */
tl_status tl_image_save(tl_arena *a, const tl_image *m, const char *path);
/* The same in memory. */
tl_status tl_image_encode(tl_arena *a, const tl_image *m, bool png, tl_bytes *out);
#endif
