/* detection_metric.h - how good detections are: average precision in its several definitions.
 * SPDX-License-Identifier: MIT
 *
 * First detections are matched with objects (matching.c): each is a hit, a miss, or does not count. Then hits, from the
 * most certain detection on, are a curve of precision over recall, and average precision is the area below it
 * (average_precision.c). Benchmarks differ in both steps, and by several points: which definition is meant is always
 * said. */
#ifndef TL_DETECTION_METRIC_H
#define TL_DETECTION_METRIC_H
#include "detect.h"

/* A labeled object. Pictures are numbered as the caller likes; of detections with the same score those of lower numbers
 * come first, then those given first. */
typedef struct {
    int    picture, label;
    tl_box box;
    bool   ignored; /* neither finding nor missing it counts: VOC's "difficult" */
    bool   crowd;   /* COCO: many in one box, ignored, and any number of detections may lie in it */
    double area;    /* COCO: of the object, not of the box; needed where tl_matching has a range */
} tl_truth;

typedef struct {
    double      overlap;      /* a hit needs this IoU at least */
    tl_box_rule rule;
    bool        second_best;  /* a detection may have the best object that is still free (COCO); else it is a miss when
                                 the very best is taken (Pascal VOC, DetectNet_v2) */
    int         most;         /* detections of a class in a picture that count, the most certain ones; 0: all */
    double      lo, hi;       /* objects of other areas, and unmatched detections likewise, are ignored; hi 0: none */
} tl_matching;

/* What became of the detections of a class, from the most certain on. */
typedef struct {
    int    n, truths;  /* detections and objects that count */
    int   *hits;       /* among the first i + 1: precision is hits[i] / (i + 1), recall is hits[i] / truths */
    float *score;
} tl_curve;
tl_status tl_match_detections(tl_arena *a, const tl_truth *truth, int truths, const tl_detection *found, int n,
                              int label, const tl_matching *c, tl_curve *out);

/* Mean, over `points` recalls from 0 to 1, of the best precision at that recall or a higher one. 11 points: Pascal VOC
 * until 2009 (Everingham et al. 2010), the original's SAMPLE; 101 points: COCO (Lin et al. 2014). 0 without objects. */
double tl_precision_sampled(const tl_curve *c, int points);
/* The same over all recalls: Pascal VOC from 2010 on, the original's INTEGRATE as it was meant. */
double tl_precision_integrated(const tl_curve *c);
/* The number that the original's DetectNet_v2 prints. It leaves out what lies before the first recall and forgets the
 * precision at the last one: a perfect detector of n objects scores (n - 1) / n. */
double tl_precision_integrated_compat(const tl_curve *c);

/* ---- DetectNet_v2's evaluation ---- */
typedef enum { TL_AP_SAMPLE, TL_AP_INTEGRATE } tl_ap_mode; /* numbered as in the original's specs */
/* Of a class; boxes of other sizes, labeled or found, do not count. */
typedef struct { float overlap, min_w, min_h, max_w, max_h; } tl_box_limits;
typedef struct {
    const tl_box_limits *limits;  /* classes of them */
    int        classes;
    tl_ap_mode mode;
    bool       compat;            /* with INTEGRATE: the original's number */
} tl_detectnet_metric;
/* Coordinates are rounded to whole pixels, both ends inclusive. ap: classes of them; a class without objects has 0, and
 * counts in *mean. Scratch comes from a. */
tl_status tl_detectnet_precision(tl_arena *a, const tl_truth *truth, int truths, const tl_detection *found, int n,
                                 const tl_detectnet_metric *c, double *ap, double *mean);

/* ---- COCO's twelve figures ---- */
/* Precisions and recalls are means over classes and overlaps .50, .55, ... .95; -1 where there is no object. Small: up
 * to 32^2 pixels, large: from 96^2. recall_1: with one detection per picture and class. */
typedef struct {
    double precision, precision_50, precision_75, precision_small, precision_medium, precision_large;
    double recall_1, recall_10, recall_100, recall_small, recall_medium, recall_large;
} tl_coco_figures;
tl_status tl_coco_evaluate(const tl_truth *truth, int truths, const tl_detection *found, int n, int classes,
                           tl_coco_figures *out);
#endif
