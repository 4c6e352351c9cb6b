/* onnx.h - ONNX files as plain structs. SPDX-License-Identifier: MIT
 *
 * Everything lives in the arena it was read into (or built in). Field numbers: onnx.proto3 of the
 * ONNX project; our subset of it is onnx.proto beside this file. */
#ifndef TL_ONNX_H
#define TL_ONNX_H
#include "file.h"
#include "tensor.h"

typedef enum { /* numbers of TensorProto.DataType; a file may hold others, which have size 0 here */
    TL_ONNX_FLOAT = 1, TL_ONNX_UINT8 = 2, TL_ONNX_INT8 = 3, TL_ONNX_INT32 = 6, TL_ONNX_INT64 = 7, TL_ONNX_FLOAT16 = 10,
    TL_ONNX_DOUBLE = 11, TL_ONNX_BFLOAT16 = 16
} tl_onnx_type;
#define TL_ONNX_RANK 8
#define TL_ONNX_MANY -2

typedef struct { /* a constant */
    const char *name;
    tl_onnx_type type;
    int rank; int64_t dim[TL_ONNX_RANK];
    const void *data;  /* little-endian elements, packed, row-major */
    size_t bytes;
} tl_onnx_tensor;

typedef struct { /* an attribute of a node */
    const char *name;
    enum { TL_ONNX_AF, TL_ONNX_AI, TL_ONNX_AS, TL_ONNX_AINTS, TL_ONNX_AFLOATS, TL_ONNX_AT, TL_ONNX_AOTHER } kind;
    float f; int64_t i; const char *s;
    int n; const int64_t *ints; const float *floats;
    const tl_onnx_tensor *t;
} tl_onnx_attr;

typedef struct {
    const char *op;    /* with its domain in front, "com.example::Conv", unless it is a standard operator */
    const char *name;
    tl_list in, out;   /* const char *; "" is an absent optional input */
    tl_list attr;      /* tl_onnx_attr */
} tl_onnx_node;

typedef struct { /* a graph input or output; dim -1: dynamic, named "N", the batch; TL_ONNX_MANY, when writing: another one, named
                  * "K", of as many as there happen to be; type 0: not a tensor. Old files (IR
                  * version 3) list the constants among the inputs, too. */
    const char *name;
    tl_onnx_type type;
    int rank; int64_t dim[TL_ONNX_RANK];
} tl_onnx_value;

typedef struct { const char *key, *value; } tl_onnx_meta;

typedef struct tl_onnx {
    tl_arena *arena;
    int64_t ir_version, opset;
    const char *producer, *graph_name;
    tl_list node;          /* tl_onnx_node */
    tl_list init;          /* tl_onnx_tensor */
    tl_list input, output; /* tl_onnx_value */
    tl_list meta;          /* tl_onnx_meta */
} tl_onnx;

/* Hostile input is expected: lengths, counts and types are checked, data sizes must fit dims, external data is
 * refused (TL_EUNSUP), never more memory than a small multiple of the file. TL_EFORMAT says what is wrong. */
tl_status tl_onnx_parse(tl_arena *a, tl_bytes file, tl_onnx **out);
/* The same, but external data is read, from inside the folder. */
tl_status tl_onnx_parse_beside(tl_arena *a, tl_bytes file, const char *folder, tl_onnx **out);
tl_status tl_onnx_pack(tl_arena *a, const tl_onnx *m, tl_bytes *out);

/* ---- Building (all copy names into m->arena; tensor data is borrowed) ---- */
tl_onnx  *tl_onnx_new(tl_arena *a);
/* The lists of names end with NULL. The node moves when the next one is added: set its attributes before. */
tl_onnx_node *tl_onnx_add(tl_onnx *m, const char *op, const char *name, const char *const *in, const char *const *out);
tl_status tl_onnx_set_int(tl_onnx *m, tl_onnx_node *n, const char *name, int64_t v);
tl_status tl_onnx_set_float(tl_onnx *m, tl_onnx_node *n, const char *name, float v);
tl_status tl_onnx_set_str(tl_onnx *m, tl_onnx_node *n, const char *name, const char *v);
tl_status tl_onnx_set_ints(tl_onnx *m, tl_onnx_node *n, const char *name, int count, const int64_t *v);
tl_status tl_onnx_add_init(tl_onnx *m, const char *name, tl_onnx_type t, int rank, const int64_t *dim,
                           const void *data);
tl_status tl_onnx_add_value(tl_onnx *m, tl_list *where, const char *name, tl_onnx_type t, int rank, const int64_t *dim);
tl_status tl_onnx_set_meta(tl_onnx *m, const char *key, const char *value); /* replaces */

/* ---- Reading ---- */
const tl_onnx_attr   *tl_onnx_attr_find(const tl_onnx_node *n, const char *name); /* NULL: absent */
int64_t               tl_onnx_int(const tl_onnx_node *n, const char *name, int64_t otherwise);
float                 tl_onnx_float(const tl_onnx_node *n, const char *name, float otherwise);
const tl_onnx_tensor *tl_onnx_init_find(const tl_onnx *m, const char *name);
const char           *tl_onnx_meta_find(const tl_onnx *m, const char *key);
size_t                tl_onnx_type_size(tl_onnx_type t); /* 0: not one of ours */
/* Elements as f32 (from floating-point numbers of any size), into the arena; TL_EFORMAT for other types. */
tl_status             tl_onnx_floats(tl_arena *a, const tl_onnx_tensor *t, const float **out, size_t *n);
#endif
