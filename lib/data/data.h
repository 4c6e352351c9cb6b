/* data.h - labeled pictures and how they reach the network. SPDX-License-Identifier: MIT */
#ifndef TL_DATA_H
#define TL_DATA_H
#include "image.h"
#include "kernel.h"
#include "rows.h"
#include "rng.h"

/* hash: of the file's bytes, 0 until asked for */
typedef struct { const char *path; int label; uint64_t hash; } tl_sample;

typedef struct tl_dataset {
    const char *root;
    tl_list     classes;  /* const char *, in index order */
    tl_list     sample;   /* tl_sample, class by class */
    int         ignored;  /* files that are not pictures by their name; hidden ones are not counted */
    const char *ignored_first; /* one of them, NULL when there is none */
    const struct tl_scenes *scenes; /* pictures with objects (scenes.h); NULL: each picture is of one class */
} tl_dataset;

/* A way labeled pictures lie on disk. One file in format/, one row in TL_FORMATS. */
typedef struct tl_format {
    const char *name, *brief;
    /* Find the samples below path. classes NULL: whatever is there, at least two. Else exactly these, in this order;
     * TL_EDATA names those that are missing or unknown. Reads folders only, no picture; writes nothing. */
    tl_status (*scan)(tl_arena *a, const char *path, const tl_list *classes, tl_dataset **out);
} tl_format;
#define TL_FORMATS(X) X(folder)
extern const tl_format *const tl_formats[]; /* NULL-terminated */

/* Pictures without labels: all in the folder and below it, as samples of class 0. path is borrowed. TL_EDATA: none. */
tl_status tl_pictures_below(tl_arena *a, const char *path, tl_dataset *out);
/* Content hashes of all samples (BLAKE2b, first 8 bytes), by several threads. Unreadable files keep hash 0. */
tl_status tl_dataset_hash(tl_dataset *d);
/* The same hash of bytes, never 0, on any thread after tl_hash_start. */
uint64_t  tl_hash_bytes(tl_bytes b);
tl_status tl_hash_start(void);
/* What a person should know before training: classes, counts, imbalance, duplicates between the sets and with another
 * label (hashes whatever is not hashed yet). val may be NULL. Returns text ready to print, an aligned table first;
 * warnings are lines that start with "warning: ". */
tl_status tl_dataset_report(tl_arena *a, tl_dataset *train, tl_dataset *val, const char **text);

/* How pixels become numbers: y[c] = (x[order[c]] - mean[c]) * rstd[c]. */
typedef struct { int order[3]; float mean[3], rstd[3]; } tl_norm;
/* mode "caffe" (BGR minus mean; NULL and "" mean this, too), "torch" (RGB/255 minus mean, over 0.224), "tf" (RGB/127.5
 * minus 1); channels 3 or 1; mean NULL or, caffe only, b,g,r (l for one channel) of the spec. */
tl_status tl_norm_for(const char *mode, int channels, const float *mean, tl_norm *out);

typedef struct {
    int       w, h, c;               /* network input */
    tl_filter filter;
    bool      random_crop, center_crop; /* see augment.h; neither: plain resize */
    bool      color, hflip;             /* color acts with random_crop only */
    bool      vary;                     /* scenes: change pictures by chance, as their view says; size, crops, color and flips are its, too */
    tl_norm   norm;
    int       batch, threads;        /* threads 0: one less than compute uses, at least 1 */
    bool      shuffle;
    bool      wrap;                  /* training: every batch is full, the last one from the epoch's start, and the next
                                        readable picture of the epoch's order stands in for an unreadable one. Else
                                        (evaluation) every readable picture comes once: batches may be short */
    float     mixup_alpha, smoothing;/* 0: none */
    uint64_t  seed;
    size_t    cache_bytes;           /* keep decoded pictures up to this size (0: none); changes no result */
    const tl_rows *rows;             /* NULL, or what a batch's x holds in place of pictures: of sample i row first_row + i,
                                        of the mirrored one n + first_row + i. random_crop, color and mixup must be off */
    size_t    first_row;
    float     max_bad;               /* stop when more than this share of the pictures is unreadable */
    int       share, shares;         /* of every `shares` batches after one another this loader makes only number `share`;
                                        0, 0: all. With wrap each loader makes as many */
} tl_loader_conf;

/* One picture as a loader with this conf would make it without random changes; x: h x w x c. For single pictures. */
tl_status tl_picture_read(tl_arena *a, const char *path, const tl_loader_conf *c, float *x);

typedef struct {
    int          n;       /* samples, at least 1; the rest of the batch is zero */
    float       *x;       /* batch x h x w x c, normalized; or batch rows */
    float       *target;  /* batch x classes, rows sum to 1; of scenes, tl_scene_width numbers a row */
    const int   *sample;  /* n indices into the dataset */
} tl_batch;

typedef struct { int sample; const char *why; } tl_bad; /* why names the path */

typedef struct tl_loader tl_loader;
/* d and its samples are borrowed. Threads are joined when the arena dies. */
tl_status tl_loader_new(tl_arena *a, const tl_dataset *d, const tl_loader_conf *c, tl_loader **out);
int       tl_loader_batches(const tl_loader *l); /* per epoch; unreadable pictures may leave fewer without wrap */
/* Begin (or resume inside) an epoch; loading starts at once, in the background. An epoch's order and augmentation
 * depend on (seed, epoch, sample) only. May be called at any time; what was under way is dropped. */
tl_status tl_loader_start(tl_loader *l, int epoch, int batch);
/* The next batch; NULL at the end of the epoch. Valid until the next call. TL_EDATA, with a list, when more than
 * max_bad of the pictures are unreadable. */
tl_status tl_loader_next(tl_loader *l, const tl_batch **out);
/* tl_bad, each picture found unreadable so far once, by sample; valid until the next call of tl_loader_next. */
tl_list   tl_loader_bad(const tl_loader *l);
/* Name the unreadable pictures of n loaders: the first to the listener, all in FOLDER/unreadable.txt when folder is not
 * NULL. Does nothing, but for *count, when there is none. */
tl_status tl_unreadable_report(tl_arena *a, const tl_loader *const *loader, int n, const char *folder,
                               const tl_listener *to, int *count);
#endif
