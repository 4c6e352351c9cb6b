/* pool.h - what max and average pooling share. SPDX-License-Identifier: MIT */
#ifndef TL_POOL_H
#define TL_POOL_H
#include "ops.h"
/* Output shape of k x k windows of this stride on x with `pad` zeros at each border. */
tl_status tl_pool_shape(tl_shape x, int k, int stride, int pad, tl_shape *y);
tl_status tl_pool_onnx_out(const char *op, int k, int stride, int pad, const tl_onnx_names *n, tl_onnx *m, tl_onnx_node **out);
tl_status tl_pool_onnx_in(const tl_onnx_view *v, int *k, int *stride, int *pad);
#endif
