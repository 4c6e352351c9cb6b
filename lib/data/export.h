/* export.h - labels into TFRecords, as the original's dataset_convert makes them. SPDX-License-Identifier: MIT
 *
 * A data set is cut into partitions (folds), these into shards, and each shard becomes a file:
 *     OUTPUT-fold-000-of-002-shard-00001-of-00010
 * with a record, a tf.train.Example, for each picture. Pictures stay where they are: records name them. */
#ifndef TL_EXPORT_H
#define TL_EXPORT_H
#include "detectnet_v2.h"
#include "label.h"
#include "listen.h"

typedef struct {
    const char *output;      /* what the files' names begin with */
    int  validation_fold;    /* whose pictures are neither left out nor repeated; -1: none */
    bool overwrite;          /* replace what an earlier conversion wrote under this name */
} tl_export_conf;
typedef struct { int files, records, objects, dropped; const char *warnings; } tl_export_result; /* warnings: a file, or NULL */

/* The listener is told what the original prints. Files appear when all of them are complete. TL_EARG: files of that
 * name are there. TL_EDATA: pictures without labels, and what else cannot be converted. */
tl_status tl_dataset_export_write(tl_arena *a, const tl_dataset_export *e, const tl_export_conf *c,
                                  const tl_listener *l, tl_export_result *out);
#endif
