/* detect_sources.h - the labels of several sources as one set, for training and evaluation of detectors.
 * SPDX-License-Identifier: MIT */
#ifndef TL_DETECT_SOURCES_H
#define TL_DETECT_SOURCES_H
#include "label.h"

typedef struct {
    const char *labels;          /* a folder or file of labels in any form, or a pattern of TFRecords */
    const char *pictures;        /* the folder from which they are named; NULL: looked for beside the labels */
    const char *image_extension; /* of pictures that TFRecords name, without dot; NULL: any that is there */
    float weight;                /* of its pictures in the loss; 0: 1 */
    int   fold;                  /* of TFRecords; -1: all of them */
    bool  fold_only;             /* this fold; otherwise all but this one */
} tl_detect_source;

/* The pictures of n sources one after another, each source's by path. mapping (tl_class_pair) and classes (const char *) as
 * in tl_label_conf, for all sources alike; NULL: none. *weight: of each picture. What is told of names, faults and pictures
 * without labels is that of all sources. TL_EDATA: pictures that labels speak of are not there. */
tl_status tl_detect_sources_read(tl_arena *a, const tl_detect_source *source, int n, const tl_list *mapping,
                                 const tl_list *classes, tl_labels **out, float **weight);
#endif
