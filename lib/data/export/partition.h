/* partition.h - which picture goes into which file; private to data/. SPDX-License-Identifier: MIT */
#ifndef TL_PARTITION_H
#define TL_PARTITION_H
#include "../export.h"

typedef struct {
    const tl_labels *labels;
    const char *pictures;     /* their folder */
    const char *prefix;       /* what frame/id has before a picture's name: the folder's own name */
    int  n, *order;           /* pictures of labels, in the order of writing */
    int  shards;              /* 0: one, which the file's name does not tell */
} tl_partition;

typedef struct { int n, of; tl_partition *at; bool bytes; } tl_partitions; /* of: how many were asked for; bytes: names print as b'car' */

/* Empty partitions are left out, and the others count on, as in the original. Borders and orders are the original's
 * too, down to its random numbers. The listener hears how many pictures there are. */
tl_status tl_partition_dataset(tl_arena *a, const tl_dataset_export *e, const tl_listener *l, tl_partitions *out);
#endif
