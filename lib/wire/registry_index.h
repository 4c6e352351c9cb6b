/* registry_index.h - the index of a registry: a JSON file that lists models.
 * SPDX-License-Identifier: MIT
 *
 *     { "tlc_registry": 1,
 *       "models": [ { "name": ..., "size": bytes, "sha256": ..., "url": ..., and what else is known
 * } ] }
 *
 * docs/registry.md has all the fields; tl_registry_model of tlc.h is one model. What this program
 * does not know is ignored, and kept when the index is written again. An index may come from
 * anyone, so everything is checked here, once: names are fit for file names, checksums are
 * checksums, and no text can steer a terminal. */
#ifndef TL_REGISTRY_INDEX_H
#define TL_REGISTRY_INDEX_H
#include "file.h"

#define TL_INDEX_MOST                                                                              \
    ((size_t)4 << 20) /* bytes; what a reader of JSON makes of them is some 30 times as much */

typedef struct {
    const char *from; /* where it was read, for messages */
    tl_list model;    /* tl_registry_model; their strings belong to the arena */
    void *json;       /* the whole of it */
} tl_index;

tl_status tl_index_read(tl_arena *a, const char *from, tl_bytes text, tl_index *out);
tl_status tl_index_new(tl_arena *a, const char *from, tl_index *out);        /* without models */
const tl_registry_model *tl_index_find(const tl_index *x, const char *name); /* NULL: not there */
/* TL_EARG with the nearest name. */
tl_status tl_index_get(const tl_index *x, const char *name, const tl_registry_model **out);
/* x with m added, or with what m says of the model of its name; checked as when it is read. out may
 * be x. */
tl_status tl_index_put(tl_arena *a, const tl_index *x, const tl_registry_model *m, tl_index *out);
tl_status tl_index_text(tl_arena *a, const tl_index *x, tl_bytes *out);

/* 1 to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot or a dash: a file name anywhere, and never
 * a path. */
bool tl_index_name_valid(const char *name);
enum { TL_INDEX_DIGITS = 12 };
/* What the model's file is called in the cache and in registries that tlc fills: NAME-DIGITS.onnx,
 * the first digits of its checksum. Another model under the same name, from another registry or of
 * another day, is another file. */
char *tl_index_file(tl_arena *a, const tl_registry_model *m);
#endif
