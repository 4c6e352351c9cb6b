/* detect.h - DetectNet_v2's grid: objects become targets, answers become objects. SPDX-License-Identifier: MIT
 *
 * The network answers for every cell of a grid, 16 or 32 pixels apart, and every class: how much of an object the cell
 * is (coverage, 0..1), and how far the object's four sides are from it. Training wants the same grids drawn from the
 * labels (raster.c). Many cells answer for one object: their boxes are gathered into one (cluster.c).
 *
 * Grids lie in memory as the network's outputs do: row, column, channel. */
#ifndef TL_DETECT_H
#define TL_DETECT_H
#include "arena.h"
#include "box.h"

/* What both directions agree on. Cell (i,j) stands for the pixel (i * in_w / w + offset, j * in_h / h + offset). */
typedef struct {
    int   in_w, in_h;     /* pixels of the network's input */
    int   w, h;           /* cells */
    int   classes;
    float scale, offset;  /* distances are in units of `scale` pixels; the original's: 35 and 0.5 */
} tl_cells;

/* ---- Objects to targets ---- */

/* How a class is drawn: an ellipse about a point of the box, and around it a ring, the dead zone, where objects behind
 * it are wiped out. */
typedef struct {
    float center_x, center_y; /* of the ellipse, as shares of the box: 0.5 */
    float radius_x, radius_y; /* of the ellipse, as shares of the way from its center to the nearest side: 0.4 */
    float min_radius;         /* at least so many cells; the other radius grows along: 1 */
    float foreground_weight;  /* of cells covered by more than half in the cost of coverage, 0..1: 0.05; others weigh
                                 1 minus that */
} tl_drawing;

typedef struct {
    float *cov;        /* h x w x classes: share of the cell inside the ellipse, in sixteenths */
    float *cov_weight; /* h x w x classes: of the cell in the cost of coverage */
    float *bbox;       /* h x w x 4 classes: distances to left, top, right, bottom; 0 where cov is */
    float *cov_norm;   /* h x w x classes: of the cell in the cost of bbox, cov over the area of the ellipse's box (1 at
                          least), so that large objects do not count for more than small ones */
} tl_targets;

tl_status tl_targets_new(tl_arena *a, const tl_cells *g, tl_targets *out);
/* Draw n objects of one picture. box: pixels of the network's input; label: 0..classes-1, others are left out; drawing:
 * one for each class; deadzone: 0 ends the ring at the ellipse, 1 at the box. Scratch comes from a. */
tl_status tl_targets_draw(const tl_cells *g, const tl_drawing *drawing, float deadzone, const tl_box *box,
                          const int *label, int n, tl_arena *a, const tl_targets *out);

/* ---- Answers to objects ---- */

typedef struct {
    int    picture, label;
    tl_box box;
    float  score;    /* a cluster's: sum of its cells' coverages, which may be above 1; of one cell: its coverage */
    float  coverage; /* mean of its cells */
} tl_detection;

/* DBSCAN gathers cells whose boxes overlap, NMS takes the best and drops what overlaps it, HYBRID is NMS among the
 * cells of the clusters. Numbered as in the original's specs. */
typedef enum { TL_DBSCAN, TL_NMS, TL_HYBRID } tl_cluster_kind;
typedef struct {
    tl_cluster_kind kind;
    float coverage;        /* cells with more are looked at */
    float min_height;      /* boxes must be higher, in pixels */
    float eps;             /* DBSCAN: boxes are neighbors when 1 - IoU is at most this */
    int   min_samples;     /* DBSCAN: a cell makes a cluster when it and its neighbors have so much coverage together;
                              at least 1, so that a cell alone rarely is an object */
    float min_confidence;  /* DBSCAN: least score */
    float nms_iou;         /* NMS: boxes that overlap a better one by more are dropped */
    float nms_confidence;  /* NMS: scores must be above */
} tl_clustering;
float tl_nms_least(const tl_clustering *c); /* objects of NMS have scores above this */

/* What one cell says about a class: its coverage and box, in pixels of the input, cut at the picture's border. */
typedef struct { tl_box box; float cov; } tl_cell_answer;
tl_cell_answer tl_cells_answer(const tl_cells *g, const float *cov, const float *bbox, int x, int y, int label);

/* The objects in n cells of one class, by falling score, added to the tl_detection list. */
tl_status tl_cluster(tl_arena *a, const tl_clustering *c, const tl_cell_answer *cell, int n, int picture, int label,
                     tl_list *out);
/* All of one picture, class by class, from the network's two outputs for it; c: one for each class. */
tl_status tl_cells_detect(tl_arena *a, const tl_cells *g, const tl_clustering *c, const float *cov, const float *bbox,
                          int picture, tl_list *out);
#endif
