/* modify.h - which training pictures are left out or repeated; private to data/. SPDX-License-Identifier: MIT */
#ifndef TL_MODIFY_H
#define TL_MODIFY_H
#include "../export.h"

typedef struct {
    const tl_sample_modifier *m; /* NULL: none */
    int  validation_fold, folds;
    int  most, *taken;           /* records of a training fold, 0: all; how many each fold has */
} tl_modifier;

/* TL_EDATA: classes that no name of the labels is mapped to. */
tl_status tl_modifier_new(tl_arena *a, const tl_sample_modifier *m, int validation_fold, int folds, tl_modifier *out);
/* How often a picture with these n objects is to be written; class: names by label. */
tl_status tl_modifier_copies(tl_arena *a, tl_modifier *m, int fold, const char *const *class, const tl_object *o, int n,
                             int *copies);
#endif
