/* dnn.h - oneDNN, as little of it as we need. SPDX-License-Identifier: MIT
 *
 * The only directory that includes dnnl.h; builds against oneDNN 2.6 and 3.x (DNNL_VERSION_MAJOR).
 * Maps are plain NHWC, f32 or bf16; all else is f32. Weights are passed plain (O, I/groups, k, k) and reordered into whatever the
 * chosen kernel likes (format_tag_any): asking for plain weights too silently picks oneDNN's
 * reference code, 350 times slower. So every primitive's impl_info_str is checked and `ref` not
 * used: the few shapes for which oneDNN has nothing else run on loops of our own (direct.c), as long as they are f32. */
#ifndef TL_DNN_H
#define TL_DNN_H
#include "tensor.h"

typedef struct {
    int k, stride, pad, extra, dilation, groups; /* pad: zeros before; pad + extra: zeros after (right, bottom) */
} tl_conv_geom;

typedef struct {
    tl_dtype maps;     /* of x, y and their gradients: TL_F32 or TL_BF16 */
    bool  bias;        /* add b (O) */
    bool  add;         /* add what y holds beforehand (a residual) */
    float slope, max;  /* then y = min(y > 0 ? y : slope*y, max); slope 1 and max infinite: nothing */
    bool  train;       /* backward will be called */
    bool  no_dx, no_dw;/* with train: that backward is not needed, prepare nothing for it */
    bool  keep;        /* weights will not change: reorder them once, at the first forward */
    bool  whole;       /* only the weights' gradient, by one primitive; within dnn/ */
} tl_conv_conf;

typedef struct tl_dnn_conv tl_dnn_conv;

/* Prepare a convolution x -> y for these shapes, for the present number of threads. scratch: bytes of scratch (64-byte
 * aligned) that each run needs; it holds nothing between runs. A dense layer is the same thing with k = 1 on 1x1 maps.
 * TL_EDNN with oneDNN's reason. oneDNN's activations turn NaN into a number; without activation NaN passes. Results are
 * the same bit for bit at any number of threads. */
tl_status tl_dnn_conv_new(tl_arena *a, tl_shape x, tl_shape y, tl_conv_geom g, tl_conv_conf c, tl_dnn_conv **out,
                          size_t *scratch);
tl_status tl_dnn_conv_forward(tl_dnn_conv *c, const void *x, const float *w, const float *b, void *y, void *scratch);
tl_status tl_dnn_conv_backward_data(tl_dnn_conv *c, const void *dy, const float *w, void *dx, void *scratch);
/* db NULL without bias. */
tl_status tl_dnn_conv_backward_weights(tl_dnn_conv *c, const void *x, const void *dy, float *dw, float *db,
                                       void *scratch);
const char *tl_dnn_conv_impl(const tl_dnn_conv *c); /* names of the kernels in use, for tests and logs */

const char *tl_dnn_version(void);                  /* "oneDNN 2.6.3" of the library that runs */
/* Does it have kernels with AMX for this processor, which multiply bf16 many times faster than f32? */
bool        tl_dnn_has_amx(void);
/* OpenMP threads for everything prepared from now on; 0: as many as processors this process may use. */
void        tl_dnn_threads(int n);
#endif
