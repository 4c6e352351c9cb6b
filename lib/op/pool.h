/* pool.h - what max and average pooling share. SPDX-License-Identifier: MIT */
#ifndef TL_POOL_H
#define TL_POOL_H
#include "ops.h"
/* k x k windows of this stride, with `pad` zeros at each border and `extra` more at the right and bottom. */
typedef struct { int k, stride, pad, extra; } tl_pool_geom;
tl_status tl_pool_shape(tl_shape x, tl_pool_geom w, tl_shape *y);
tl_status tl_pool_onnx_out(const char *op, tl_pool_geom w, const tl_onnx_names *n, tl_onnx *m, tl_onnx_node **out);
tl_status tl_pool_onnx_in(const tl_onnx_view *v, tl_pool_geom *w);
#endif
