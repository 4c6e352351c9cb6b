/* pickle.h - the plain part of Python's pickles. SPDX-License-Identifier: MIT
 *
 * A pickle is a program for a small stack machine that can call any Python function. Here only opcodes that build
 * data are understood; names of functions must be in the caller's list, and a call is recorded, never made. */
#ifndef TL_PICKLE_H
#define TL_PICKLE_H
#include "file.h"

typedef enum {
    TL_PY_NONE,
    TL_PY_BOOL,
    TL_PY_INT,
    TL_PY_FLOAT,
    TL_PY_STR,
    TL_PY_GLOBAL, /* leaves; GLOBAL: text is "module.name" */
    TL_PY_TUPLE,
    TL_PY_LIST,
    TL_PY_DICT,      /* item: values; DICT: key, value in turn */
    TL_PY_CALL,      /* item: function, arguments (a tuple) */
    TL_PY_PERSISTENT /* item: the identification */
} tl_py_kind;

typedef struct tl_py {
    tl_py_kind  kind;
    int64_t     i;
    double      f;
    const char *text;
    tl_list     item; /* int: indices into the pickle's values */
} tl_py;

typedef struct { tl_list value; int root; } tl_pickle; /* tl_py */

/* allowed: names of functions and classes that may occur, NULL at the end; a trailing * stands for any rest.
 * TL_EUNSUP says which name or opcode was met instead. Memory: a small multiple of the bytes, and at most some tens
 * of megabytes. */
tl_status    tl_pickle_parse(tl_arena *a, tl_bytes bytes, const char *const *allowed, tl_pickle *out);
const tl_py *tl_py_at(const tl_pickle *p, const tl_py *container, int i); /* item i; a NONE value where there is none */
const tl_py *tl_py_get(const tl_pickle *p, const tl_py *dict, const char *key); /* NULL: not a dict, or no such key */
#endif
