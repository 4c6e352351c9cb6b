/* results.h - detections, written to files that other programs read. SPDX-License-Identifier: MIT
 *
 *   KITTI  a text file for each picture, also for one in which nothing was found; a line for each detection, 16 words:
 *          class, truncation, occlusion, angle, left, top, right, bottom, seven of the third dimension, score. What a
 *          detector does not know is 0, as the original writes it; blanks in class names become underscores
 *   COCO   one JSON file for all: [{"image_id", "category_id", "bbox": [left, top, width, height], "score", "file_name"}],
 *          where the last is not COCO's, and there so that people can tell pictures
 *
 * All is written as it comes, under temporary names until it is whole. */
#ifndef TL_RESULTS_H
#define TL_RESULTS_H
#include "detect.h"

typedef struct {
    const char        *folder;   /* for KITTI's files, made when absent; NULL: none */
    const char        *json;     /* COCO's; NULL: none */
    const char *const *classes;  /* names as they are to be written, by label */
    int                nclasses;
    /* A COCO set: its images' and categories' numbers are used, so that tools can compare the two, and what is not in it is
     * TL_EDATA. NULL: pictures are numbered in the order in which they come, and categories in that of the classes, from 1. */
    const char        *coco;
} tl_results_conf;

typedef struct tl_results tl_results;
/* c and what it points to are borrowed. */
tl_status tl_results_new(tl_arena *a, const tl_results_conf *c, tl_results **out);
/* n detections of one picture, in pixels of that picture. picture: its name in the folder of pictures; where that has folders,
 * so have KITTI's files. b.png after b.jpg is b.png.txt, since b.txt is taken. */
tl_status tl_results_add(tl_results *r, const char *picture, const tl_detection *d, int n);
/* The JSON file is whole, and gets its name. Without this there is none. */
tl_status tl_results_end(tl_results *r);
#endif
