/* coco_out.h - COCO's results, a picture at a time; private to results/. SPDX-License-Identifier: MIT */
#ifndef TL_COCO_OUT_H
#define TL_COCO_OUT_H
#include "image.h"
#include "results.h"

typedef struct tl_coco_out tl_coco_out;
tl_status tl_coco_out_new(tl_arena *a, const tl_results_conf *c, tl_coco_out **out);
/* Scratch comes from `one`. */
tl_status tl_coco_out_add(tl_coco_out *o, tl_arena *one, const char *picture, const tl_detection *d, int n);
tl_status tl_coco_out_end(tl_coco_out *o);
#endif
