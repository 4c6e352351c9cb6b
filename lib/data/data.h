/* data.h - labelled pictures and how they reach the network. SPDX-License-Identifier: MIT */
#ifndef TL_DATA_H
#define TL_DATA_H
#include "image.h"
#include "kernel.h"
#include "rng.h"

typedef struct { const char *path; int label; uint64_t hash; } tl_sample; /* hash: of the file's bytes, 0 until asked for */

typedef struct tl_dataset {
    const char *root;
    tl_list     classes;  /* const char *, in index order */
    tl_list     sample;   /* tl_sample */
} tl_dataset;

/* A way labelled pictures lie on disk. One file in format/, one row in TL_FORMATS. */
typedef struct tl_format {
    const char *name, *brief;
    /* Find the samples below path. classes != NULL: these, in this order (an unknown one is an error). */
    tl_status (*scan)(tl_arena *a, const char *path, const tl_list *classes, tl_dataset **out);
} tl_format;
#define TL_FORMATS(X) X(folder)
extern const tl_format *const tl_formats[]; /* NULL-terminated */

/* Content hashes of all samples (BLAKE2b, first 8 bytes), by several threads. Unreadable files keep hash 0. */
tl_status tl_dataset_hash(tl_dataset *d);
/* What a person should know before training: classes, counts, imbalance, duplicates between the sets and with another label.
 * Returns text ready to print; warnings start with "warning: ". */
tl_status tl_dataset_report(tl_arena *a, tl_dataset *train, tl_dataset *val, const char **text);

/* How pixels become numbers: y[c] = (x[order[c]] - mean[c]) * rstd[c]. */
typedef struct { int order[3]; float mean[3], rstd[3]; } tl_norm;
/* mode "caffe" (BGR minus mean), "torch", "tf"; channels 3 or 1; mean NULL or b,g,r (l) of the spec. */
tl_status tl_norm_for(const char *mode, int channels, const float *mean, tl_norm *out);

typedef struct {
    int       w, h, c;               /* network input */
    tl_filter filter;
    bool      random_crop, center_crop, color, hflip; /* algorithms of the original; all off: plain resize */
    tl_norm   norm;
    int       batch, threads;        /* threads 0: one less than processors, at least 1 */
    bool      shuffle, wrap;         /* wrap: fill the last batch from the epoch's start (training); else it is short */
    float     mixup_alpha, smoothing;
    uint64_t  seed;
    size_t    cache_bytes;           /* keep decoded, resized pictures up to this many bytes (0: none) */
    float     max_bad;               /* stop when more than this share of the pictures is unreadable */
} tl_loader_conf;

typedef struct {
    int          n;       /* samples; the rest of the batch is zero */
    float       *x;       /* batch x h x w x c, normalised */
    float       *target;  /* batch x classes, rows sum to 1 */
    const int   *sample;  /* n indices into the dataset */
} tl_batch;

typedef struct { int sample; const char *why; } tl_bad;

typedef struct tl_loader tl_loader;
/* Threads are joined when the arena dies. */
tl_status tl_loader_new(tl_arena *a, const tl_dataset *d, const tl_loader_conf *c, tl_loader **out);
int       tl_loader_batches(const tl_loader *l);                 /* per epoch */
tl_status tl_loader_start(tl_loader *l, int epoch, int batch);   /* begin (or resume inside) an epoch; every epoch's order and augmentation depend on (seed, epoch, sample) only */
tl_status tl_loader_next(tl_loader *l, const tl_batch **out);    /* NULL at the end of the epoch; valid until the next call */
tl_list   tl_loader_bad(const tl_loader *l);                     /* tl_bad, each unreadable picture once; its place in a batch is taken by another */
#endif
