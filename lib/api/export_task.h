/* export_task.h - what exporting models of all kinds has in common. SPDX-License-Identifier: MIT
 *
 * Batch norm is folded into the convolutions. The file is written only when what it computes, read back from its own bytes, agrees
 * with the model on sample pictures. */
#ifndef TL_EXPORT_TASK_H
#define TL_EXPORT_TASK_H
#include "api.h"

typedef struct tl_export {
    tl_arena             *a;
    const tl_export_opts *o;
    const tl_listener    *l;
    const char           *task;     /* "classification" */
    tl_export_summary    *out;
    tl_model             *whole, *model; /* as it was trained; folded, as it is written */
    tl_status           (*deepstream)(const struct tl_export *e); /* files for DeepStream, beside the model's */
    tl_status           (*append)(const void *ctx, tl_onnx *o);   /* see tl_save_opts */
    const void           *ctx;
} tl_export;

/* What can be refused before any work; then the two models. */
tl_status tl_export_open(tl_export *e);
/* Compare and write, and tell. */
tl_status tl_export_write(const tl_export *e);
#endif
