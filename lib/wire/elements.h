/* elements.h - numbers of other programs' files as floats. SPDX-License-Identifier: MIT */
#ifndef TL_ELEMENTS_H
#define TL_ELEMENTS_H
#include "tensor.h"

typedef enum {
    TL_EL_NONE,
    TL_EL_F64,
    TL_EL_F32,
    TL_EL_F16,
    TL_EL_BF16,
    TL_EL_I64,
    TL_EL_I32,
    TL_EL_I16,
    TL_EL_I8,
    TL_EL_U8,
    TL_EL_BOOL
} tl_element;
size_t tl_element_size(tl_element t); /* 0: TL_EL_NONE */
/* n little-endian numbers, which may lie at any address, `step` bytes apart. */
void   tl_elements_to_f32(tl_element t, const void *from, size_t step, size_t n, float *to);

/* A multi-dimensional array in a file. */
enum { TL_ARRAY_RANK = 8 };
typedef struct {
    const char *name;
    tl_element  type;
    int         rank;
    size_t      dim[TL_ARRAY_RANK], stride[TL_ARRAY_RANK]; /* strides in elements, like PyTorch's */
    const void *data;                                      /* of the first element; all elements lie inside the file */
} tl_array;
size_t    tl_array_count(const tl_array *x);
void      tl_array_pack(tl_array *x);                      /* strides of row-major, gapless data */
/* Its elements as floats, row-major, in the arena. */
tl_status tl_array_floats(tl_arena *a, const tl_array *x, const float **out);
#endif
