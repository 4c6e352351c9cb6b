/* check.h - what a person should know of a data set for detection before training. SPDX-License-Identifier: MIT */
#ifndef TL_CHECK_H
#define TL_CHECK_H
#include "label.h"
#include "listen.h"

/* A part of the data set: training, validation, test. */
typedef struct {
    const char *name;        /* "train"; "" when there is only one */
    tl_label_conf conf;
    tl_labels *labels;
} tl_split;

typedef struct { uint64_t bits[4]; } tl_look; /* what a picture looks like: see check/look.c */

/* A picture that was decoded. */
typedef struct {
    const char *path, *why;  /* why: it is unreadable; NULL: it is not */
    int  split, w, h;
    uint64_t hash;           /* of the file's bytes; 0: it cannot be read */
    tl_look  look;
} tl_surveyed;

typedef struct {
    bool error;              /* otherwise a warning */
    const char *kind, *text; /* a word for programs, a sentence for people */
    int  count;
    tl_list example;         /* const char * */
} tl_finding;

enum { TL_SIZE_BINS = 7, TL_SHAPE_BINS = 7 };
typedef struct {
    int size[TL_SIZE_BINS];   /* objects by the square root of their part of the picture: to 1/64, 1/32, ..., 1 */
    int shape[TL_SHAPE_BINS]; /* by width / height: to 1/4, 1/2, 1/1.41, 1.41, 2, 4, above */
    int *objects;             /* of each class of the check */
    int empty;                /* pictures without objects */
} tl_split_stats;

typedef struct {
    tl_list split;            /* tl_split */
    tl_list picture;          /* tl_surveyed */
    tl_list classes;          /* const char *: those of all splits */
    tl_split_stats *stats;    /* of each split */
    tl_list finding;          /* tl_finding, errors first */
    int     errors, warnings;
} tl_check;

/* The parts below a data set's folder: train, val, test and what they are called else; where there are none, the folder
 * itself. conf: what is given besides the folder. */
tl_status tl_splits_find(tl_arena *a, const tl_label_conf *conf, tl_list *out);
/* Decode every picture of the splits, on all threads. */
tl_status tl_survey(tl_arena *a, tl_check *c, const tl_listener *l);
/* Read the labels of the splits, decode all pictures, look for faults. Nothing is written. */
tl_status tl_check_run(tl_arena *a, tl_list splits, const tl_listener *l, tl_check *out);
tl_status tl_check_text(tl_arena *a, const tl_check *c, const char **text);
tl_status tl_check_json(tl_arena *a, const tl_check *c, const char **json);

/* ---- Pictures that look alike ---- */
tl_status tl_look_at(tl_arena *a, const tl_image *gray, tl_look *out);
int       tl_look_distance(const tl_look *x, const tl_look *y); /* 0..256 */
#define TL_LOOK_NEAR 15
/* Call found(ctx, i, k), i < k, once for each pair that is TL_LOOK_NEAR or nearer. */
tl_status tl_look_pairs(tl_arena *a, const tl_look *const *look, int n, void (*found)(void *ctx, int i, int k), void *ctx);
#endif
