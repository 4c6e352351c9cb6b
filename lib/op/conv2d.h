/* conv2d.h - our own kernels for convolutions: a row here, a file each. SPDX-License-Identifier: MIT
 *
 * The first that fits computes; where none does, oneDNN (conv2d.c). */
#ifndef TL_CONV2D_H
#define TL_CONV2D_H
#include "ops.h"
#define TL_CONV2D_KERNELS(X) \
    X(depthwise) \
    X(winograd) \
    X(pointwise) \
    X(widened)

#define X(name) extern const tl_op_kernel tl_conv2d_##name;
TL_CONV2D_KERNELS(X)
#undef X
#endif
