/* frame.h - a picture with its objects as a record; private to data/. SPDX-License-Identifier: MIT */
#ifndef TL_FRAME_H
#define TL_FRAME_H
#include "partition.h"

/* What records call a class: in small letters. blanks: they stay. NULL: out of memory. */
const char *tl_frame_class(tl_arena *a, const char *name, bool blanks);
bool        tl_frame_keeps(const tl_object *o); /* is its box one? */
/* A framed record of a picture; class: what records call the labels' classes. */
tl_status   tl_frame_record(tl_arena *a, const tl_partition *p, const tl_picture *picture, const char *const *class,
                            tl_bytes *out);
#endif
