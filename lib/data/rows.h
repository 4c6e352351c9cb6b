/* rows.h - numbers made from pictures once, kept to be used in place of the pictures. SPDX-License-Identifier: MIT */
#ifndef TL_ROWS_H
#define TL_ROWS_H
#include "file.h"

/* n rows of `width` numbers, each there or not (yet). In memory, or in a file: then what it holds already is used when it was
 * made under the same key (64 hexadecimal digits: a checksum of all that the numbers depend on), as far as it is whole. */
typedef struct tl_rows tl_rows;
typedef struct { size_t n, width; const char *path, *key; } tl_rows_conf; /* path NULL: in memory */
tl_status tl_rows_new(tl_arena *a, const tl_rows_conf *c, tl_rows **out);
size_t    tl_rows_bytes(const tl_rows_conf *c);
size_t    tl_rows_width(const tl_rows *r);
bool      tl_rows_has(const tl_rows *r, size_t i);
tl_status tl_rows_put(tl_rows *r, size_t i, const float *x);
/* From any number of threads, while nothing is put. Only rows that are there; TL_EDATA: the file was changed meanwhile. */
tl_status tl_rows_get(const tl_rows *r, size_t i, float *x);
/* Nothing more will be put: let others have the file, or remove it. What is there can still be read. */
void      tl_rows_leave(const tl_rows *r, bool remove);
#endif
