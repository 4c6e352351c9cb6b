/* registry.h - where registries and the cache are. SPDX-License-Identifier: MIT */
#ifndef TL_REGISTRY_H
#define TL_REGISTRY_H
#include "registry_index.h"
#include "text.h"

#define TL_REGISTRY_PREFIX "registry:" /* before a name, where a path may stand */

typedef struct {
    const char
        *url; /* of the index; NULL: the one that is built in, and its models were not found */
    const char *path; /* of the index, when it is a file of this machine; otherwise NULL */
    tl_index index;
} tl_registry;

/* Find and read one: see tlc.h about `where`. */
tl_status tl_registry_open(tl_arena *a, const char *where, const tl_listener *l, tl_registry *out);
/* Its path, with url and path filled in and the index not yet read, for who makes one. TL_EARG: it
 * is not on this machine. */
tl_status tl_registry_place(tl_arena *a, const char *where, tl_registry *out);
/* The index that is built in; needs no files. */
tl_status tl_registry_builtin(tl_arena *a, tl_index *out);
/* Where the model itself is. */
tl_status tl_registry_url(tl_arena *a, const tl_registry *r, const tl_registry_model *m,
                          const char **out);
/* The model's path when it is on this machine; NULL: it is on the web. */
tl_status tl_registry_path(tl_arena *a, const tl_registry *r, const tl_registry_model *m,
                           const char **out);

tl_status tl_cache_folder(tl_arena *a, const char **out); /* it may not be there yet */
tl_status tl_cache_path(tl_arena *a, const tl_registry_model *m, const char **out);
/* The path of the model pulled last under this name, checked; never touches the network. */
tl_status tl_cache_find(tl_arena *a, const char *name, const char **out);

/* Does the file have the size and checksum that m says? TL_EFORMAT: it does not. */
tl_status tl_registry_check(const tl_registry_model *m, const char *path);
/* The same for a file of the cache alone: its name holds the beginning of its checksum. */
tl_status tl_cache_check(const char *path);
char *tl_megabytes(tl_arena *a, size_t bytes); /* "4.7 MB" */
#endif
