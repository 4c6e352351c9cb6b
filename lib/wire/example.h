/* example.h - tf.train.Example: a record as named lists of strings or numbers. SPDX-License-Identifier: MIT */
#ifndef TL_EXAMPLE_H
#define TL_EXAMPLE_H
#include "file.h"

typedef enum { TL_FEATURE_BYTES, TL_FEATURE_FLOAT, TL_FEATURE_INT } tl_feature_kind;

typedef struct {
    const char     *name;
    tl_feature_kind kind;
    int             n;
    union {
        const tl_bytes *bytes;  /* each followed by a zero byte */
        const float    *number;
        const int64_t  *integer;
    };
} tl_feature;

typedef struct { int n; const tl_feature *feature; } tl_example;

/* TL_EFORMAT: damaged, or no such message. What is read lives in a and takes a small multiple of the record. */
tl_status tl_example_read(tl_arena *a, tl_bytes record, tl_example *out);
/* NULL: there is none of that name and kind. */
const tl_feature *tl_example_find(const tl_example *e, const char *name, tl_feature_kind kind);
/* The record, which begins `before` bytes into *out and is followed by as many after: room for its frame. Features
 * are written in the order given. */
tl_status tl_example_write(tl_arena *a, const tl_example *e, size_t before, size_t after, tl_bytes *out);
#endif
