/* store.h - a data set for detection into a new folder, whole or in parts. SPDX-License-Identifier: MIT */
#ifndef TL_STORE_H
#define TL_STORE_H
#include "label.h"
#include "listen.h"

typedef enum { TL_COPY, TL_LINK, TL_LABELS_ONLY } tl_picture_store; /* TL_LINK: symbolic links to where pictures are */

typedef struct {
    const char *folder;      /* to make; must not exist, or be empty */
    const tl_label_format *format;
    tl_picture_store how;
    int parts;               /* 1, or the number of folders below it */
    const char *const *name; /* of each part's folder; not looked at when there is one */
    const int *part;         /* of each picture; NULL: all in the first */
} tl_store_conf;

/* The folder appears when all that is in it is complete. Pictures go to images/ beside the labels. TL_EDATA: pictures that
 * are not there, or that have the same name. */
tl_status tl_store(tl_arena *a, const tl_labels *l, const tl_store_conf *c, const tl_listener *to);

/* ---- Which pictures belong together, and which part each goes to ---- */
/* rule "none": each is alone. "prefix": those whose names are the same before the last run of digits (cam1_0007.jpg).
 * "similar": those that look alike (check.h), or like one that does. A regular expression (POSIX, extended) with parentheses: those where these match the same text of the name. Else a file: JSON,
 * {"group": ["name", ...]}, as dataset_convert has for sequences; names without suffix. *group: a number of each picture.
 * TL_EDATA: pictures that the rule does not know. */
tl_status tl_group(tl_arena *a, const tl_labels *l, const char *rule, int **group, int *ngroups);
/* Deal whole groups to parts so that each part has about its share of the pictures and of those with each class: iterative
 * stratification (Sechidis et al. 2011). share: of each part, with the sum 1. *part: of each picture. */
tl_status tl_stratify(tl_arena *a, const tl_labels *l, const int *group, int ngroups, const double *share, int parts,
                      uint64_t seed, int **part);
#endif
