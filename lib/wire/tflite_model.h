/* tflite_model.h - TensorFlow Lite files as plain structs.
 * SPDX-License-Identifier: MIT
 *
 * Tensors, and operations on them by number. Field numbers: schema.fbs of TensorFlow Lite, version 3. */
#ifndef TL_TFLITE_MODEL_H
#define TL_TFLITE_MODEL_H
#include "elements.h"
#include "flatbuffer.h"
#define TL_TFLITE_RANK 4
#define TL_TFLITE_IN   16

typedef struct {
    const char *name;
    tl_element  type;                      /* TL_EL_NONE: one that we do not read */
    int         rank, dim[TL_TFLITE_RANK]; /* rank -1: more than that; dim -1: not fixed */
    tl_fb_vector data;                     /* bytes of a constant; n 0: computed */
    /* real = scale * (stored - zero); n 0: not quantized; n > 1: one for each index of axis */
    tl_fb_vector scale, zero;
    int         axis;
} tl_tflite_tensor;

typedef struct {
    int         code;                      /* BuiltinOperator of the schema */
    const char *custom;                    /* name of an operator that the schema does not have, else NULL */
    int         nin, in[TL_TFLITE_IN], out; /* numbers of tensors; -1: left out. nin -1: more inputs than that */
    tl_fb_table options;
} tl_tflite_op;

typedef struct { tl_fb f; tl_list tensor, op; int nin, in, nout, out; } tl_tflite; /* in, out: the first of them */

bool      tl_tflite_knows(tl_bytes file);
tl_status tl_tflite_parse(tl_arena *a, tl_bytes file, tl_tflite **out);
size_t    tl_tflite_count(const tl_tflite_tensor *t);
/* A constant as floats: real values where it is quantized. to: tl_tflite_count of them. */
tl_status tl_tflite_floats(const tl_tflite_tensor *t, float *to);
#endif
