/* tensor.h - shapes, element types and tensors. SPDX-License-Identifier: MIT
 *
 * The one memory layout: dimensions are written N,C,H,W; memory is N,H,W,C, packed, so element
 * (n,c,h,w) lies at ((n*H + h)*W + w)*C + c. Measured with oneDNN, forward and backward, this is as
 * fast as its own blocked layouts, and a picture, a feature map and a file of raw numbers look
 * alike. Weights are stored O,I,h,w (as ONNX and PyTorch store them); see dnn/. */
#ifndef TL_TENSOR_H
#define TL_TENSOR_H
#include "arena.h"

typedef enum { TL_F32, TL_BF16, TL_F16, TL_S8, TL_U8, TL_S32 } tl_dtype;
typedef struct { int n, c, h, w; } tl_shape;
/* A number of a map that may be f32 or bf16: only the kernels for the one or the other look into it (kernel.h). */
typedef struct tl_map tl_map;
typedef struct {
    tl_shape s;
    tl_dtype t;
    union { void *p; tl_map *m; float *f; uint8_t *u8; int8_t *s8; int32_t *s32; uint16_t *h; };
} tl_tensor;

static inline size_t tl_count(tl_shape s) { return (size_t)s.n * (size_t)s.c * (size_t)s.h * (size_t)s.w; }
static inline bool   tl_same(tl_shape a, tl_shape b) { return a.n == b.n && a.c == b.c && a.h == b.h && a.w == b.w; }
size_t      tl_dtype_size(tl_dtype t);
const char *tl_dtype_name(tl_dtype t);
#define TL_SHAPE_FMT "%dx%dx%dx%d"
#define TL_SHAPE(s)  (s).n, (s).c, (s).h, (s).w

/* Memory for a tensor of this shape and type, zeroed. */
tl_status tl_tensor_init(tl_arena *a, tl_tensor *t, tl_shape s, tl_dtype type);

/* IEEE half precision, round to nearest even; used for storing weights in half the room. */
float    tl_f16_to_f32(uint16_t h);
uint16_t tl_f16_from_f32(float f);
#endif
