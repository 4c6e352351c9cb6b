/* statusjson.h - the small text files a run leaves: status.json, classmap.json, training.csv.
 * SPDX-License-Identifier: MIT */
#ifndef TL_STATUSJSON_H
#define TL_STATUSJSON_H
#include "file.h"

/* ---- status.json: what happened, one JSON object a line, for programs that watch a run ---------- */
typedef enum { TL_RUN_STARTED, TL_RUN_RUNNING, TL_RUN_SUCCESS, TL_RUN_FAILURE, TL_RUN_SKIPPED } tl_run_state;
typedef struct {
    tl_run_state state;
    const char  *message;               /* NULL: none */
    const char  *verbosity;             /* NULL: "INFO" */
    tl_list categorical, graphical, kpi; /* tl_pair: values per class, curves, results; left out when empty */
    int          epoch, max_epoch;      /* left out, as are the times, when max_epoch is 0 */
    double       time_per_epoch, eta;   /* seconds; written as H:MM:SS.ssssss */
} tl_run_event;
/* Add one line, dated now. Bytes that are not UTF-8 (names of files, say) become question marks. */
tl_status tl_statusjson_add(const char *path, const tl_run_event *e);

/* ---- classmap.json: {"class": index, ...} ------------------------------------------------------- */
/* classes: const char *, in index order. A name that is not UTF-8 is TL_EDATA. */
tl_status tl_classmap_write(const char *path, const tl_list *classes);
/* The indices must be 0 to n-1, each once; names and list live in a. */
tl_status tl_classmap_read(tl_arena *a, const char *path, tl_list *classes);

/* ---- training.csv: a row per epoch, in the columns of Keras' CSVLogger -------------------------- */
typedef struct { const char *name; double value; } tl_figure; /* NaN: "nan" */
/* Begin training at this epoch (the first is 0): rows of earlier epochs stay, later ones and what a
 * crash tore go. The columns are "epoch" and the names of n figures. The file is replaced whole or not at all. */
tl_status tl_traincsv_begin(const char *path, const tl_figure *column, int n, int epoch);
tl_status tl_traincsv_add(const char *path, int epoch, const tl_figure *value, int n);
#endif
