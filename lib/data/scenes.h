/* scenes.h - pictures with objects, as what the grid of DetectNet_v2 is trained on. SPDX-License-Identifier: MIT */
#ifndef TL_SCENES_H
#define TL_SCENES_H
#include "detect.h"
#include "label.h"
#include "view.h"

/* Objects that make the loss of the cells they cover count more or less (loss_mask_label_filter). All that is given must hold. */
typedef struct {
    float       min_w, min_h, max_w, max_h; /* of the box, in pixels of the network's input; max 0: any */
    tl_box      near;                       /* the box must touch this one; empty: any */
    const bool *sources;                    /* by label: of these names; NULL: any */
    const bool *classes;                    /* by class of the network: whose costs are changed */
    bool        cov, bbox;                  /* which of the costs */
} tl_mask_filter;

typedef struct tl_scenes {
    const tl_labels  *labels;    /* picture i of the data set is picture i of these, whose size is known */
    const int        *class_of;  /* by label: class of the network, -1: none */
    const float      *weight;    /* by picture: of its loss; NULL: 1 */
    tl_view_conf      view;
    tl_cells          cells;
    const tl_drawing *drawing;   /* by class */
    float             deadzone;
    const tl_mask_filter *mask;
    int               nmask;
    float             mask_by;   /* what the weights of masked cells are multiplied by */
    bool              mask_spares; /* not of cells that show an object of the class */
} tl_scenes;

/* The data set of these pictures; s is borrowed. */
tl_status tl_scenes_dataset(tl_arena *a, const tl_scenes *s, tl_dataset *out);
/* What picture i shows when seen that way: boxes in pixels of the input, with their classes, n of them (from a). */
typedef struct { tl_box *box; int *label, n; } tl_seen;
tl_status tl_scene_objects(tl_arena *a, const tl_scenes *s, int i, const tl_view *v, tl_seen *out);

/* Numbers that describe the targets of one picture: coverage, its weight, sides, their weight, each a grid. */
size_t    tl_scene_width(const tl_scenes *s);
/* One picture and its targets; see tl_sample_make. vary: changed by chance. */
struct tl_cache;
tl_status tl_scene_make(tl_arena *a, const tl_dataset *d, const tl_loader_conf *c, struct tl_cache *cache, int epoch, int i, float *x, float *target);
#endif
