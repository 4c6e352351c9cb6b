/* direct.h - convolution in plain loops, where oneDNN has only its reference code. SPDX-License-Identifier: MIT
 * Private to dnn/. scratch: as many floats as there are weights. */
#ifndef TL_DNN_DIRECT_H
#define TL_DNN_DIRECT_H
#include "dnn.h"

typedef struct { tl_shape x, y; tl_conv_geom g; tl_conv_conf conf; } tl_direct;

void tl_direct_forward(const tl_direct *d, const float *x, const float *w, const float *b, float *y, float *scratch);
void tl_direct_backward_data(const tl_direct *d, const float *dy, const float *w, float *dx, float *scratch);
void tl_direct_backward_weights(const tl_direct *d, const float *x, const float *dy, float *dw, float *db,
                                float *scratch);
#endif
