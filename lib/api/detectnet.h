/* detectnet.h - what the tasks of DetectNet_v2 share. SPDX-License-Identifier: MIT */
#ifndef TL_API_DETECTNET_H
#define TL_API_DETECTNET_H
#include "api.h"
#include "detections.h"
#include "detectnet_v2.h"

/* A checked spec, its warnings told. */
tl_status tl_detect_open(tl_arena *a, const char *path, const tl_list *overrides, const tl_listener *l, const tl_detect_spec **out);
/* How cells become objects of a class. */
tl_clustering tl_clustering_of(const tl_clustering_config *c);
/* A model's own thresholds are for evaluation, which wants to see doubtful objects, too; people do not: where no spec is given, they
 * see objects with at least this score. */
#define TL_FOR_PEOPLE 0.25f
/* The grid of a model of DetectNet_v2; TL_EARG: it is none. */
tl_status tl_cells_of(const tl_model *m, tl_cells *out);
/* A trained model, its batch norms folded into its weights. */
tl_status tl_detect_model_open(tl_arena *a, const char *path, const char *key, tl_model **out);
/* TL_EDATA: these are not the model's classes, in its order. */
tl_status tl_detect_same_classes(const tl_model *m, const char *const *names, int n);
/* The spec that the model was trained by; *out NULL: it has none, or none that can be used, which is told. */
tl_status tl_detect_spec_inside(tl_arena *a, const tl_model *m, const tl_listener *l, const tl_detect_spec **out);
/* The classes' names; NULL: out of memory. */
const char *const *tl_detect_names(tl_arena *a, const tl_detect_spec *s);
/* The network of a spec as training begins with it: pretrained weights in, frozen what is to be; no classes are missing. */
tl_status tl_detect_model_for(tl_arena *a, const tl_detect_spec *s, const char *key, const tl_listener *l, tl_model **out);
tl_recipe tl_detect_recipe(const tl_detect_spec *s);
/* What training and evaluation aim at. compat: the original's INTEGRATE. */
tl_status tl_detect_goal_of(tl_arena *a, const tl_detect_spec *s, bool compat, tl_detect_goal *out);
/* The pictures to train on, or to validate with, and how model m sees them. *out NULL: there are none to validate with. What
 * became of names and boxes is told. */
typedef enum { TL_SET_TRAINING, TL_SET_VALIDATION } tl_set_use;
tl_status tl_detect_set_open(tl_arena *a, const tl_detect_spec *s, tl_set_use use, const tl_model *m, const tl_listener *l, tl_dataset **out);
#endif
