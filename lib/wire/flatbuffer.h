/* flatbuffer.h - reading flatbuffers without their schema's generated code.
 * SPDX-License-Identifier: MIT
 *
 * A table is a place in the file; its vtable, another place, tells where in it each numbered field lies, if
 * present. A field is a number, or the distance to a string, a vector or another table. Numbers are little-
 * endian.
 *
 * Nothing is trusted: what would lie outside the file reads as absent and sets `bad`, which whoever reads looks
 * at now and then. An absent table reads as one without fields.
 * Format: https://flatbuffers.dev/internals */
#ifndef TL_FLATBUFFER_H
#define TL_FLATBUFFER_H
#include "file.h"

typedef struct { tl_bytes file; bool bad; } tl_fb;
typedef struct { tl_fb *f; size_t at, vtable, fields; } tl_fb_table;  /* at 0: absent */
typedef struct { tl_fb *f; size_t at, n, size; } tl_fb_vector;        /* n elements of this size; absent: n 0 */

tl_fb_table  tl_fb_root(tl_fb *f);
/* Scalars; field counts from 0 in the schema's order, a union's type and value each counting. */
int64_t      tl_fb_int(tl_fb_table t, int field, size_t bytes, int64_t otherwise); /* 1, 2, 4 or 8 bytes, signed */
float        tl_fb_float(tl_fb_table t, int field, float otherwise);
tl_fb_table  tl_fb_inner(tl_fb_table t, int field);
tl_fb_vector tl_fb_list(tl_fb_table t, int field, size_t size); /* size 4: numbers or tables */
tl_fb_vector tl_fb_text(tl_fb_table t, int field);              /* characters, not ended by a zero */
/* Elements, i < n. */
int64_t      tl_fb_int_at(tl_fb_vector v, size_t i);
float        tl_fb_float_at(tl_fb_vector v, size_t i);
tl_fb_table  tl_fb_table_at(tl_fb_vector v, size_t i);
static inline const uint8_t *tl_fb_bytes(tl_fb_vector v) { return v.n ? v.f->file.p + v.at : NULL; }
#endif
