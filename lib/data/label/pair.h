/* pair.h - which picture a label speaks of; private to data/label. SPDX-License-Identifier: MIT */
#ifndef TL_PAIR_H
#define TL_PAIR_H
#include "sink.h"

typedef struct {
    const char *name;
    bool used;
} tl_paired; /* in the sink's files: a picture, and whether labels speak of it */

tl_status tl_sink_pair(tl_label_sink *s, tl_picture *p);      /* path and found */
tl_status tl_sink_measure(tl_label_sink *s,
                          tl_picture *p); /* w and h, where they are not known; TL_EDATA: no such picture */
tl_status tl_sink_unpaired(tl_label_sink *s,
                           tl_list *out); /* const char *: pictures of the folder that were not paired */
#endif
