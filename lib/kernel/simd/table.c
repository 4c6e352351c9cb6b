/* table.c - all kernels of one instruction set. SPDX-License-Identifier: MIT */
#include "simd.h"

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

extern const tl_kernels TL_SIMD(kernels);
const tl_kernels TL_SIMD(kernels) = { .isa = TEXT(TL_ISA), .maps = MAPS, .products = PRODUCTS,
#define X(name) .name = TL_SIMD(name),
                                      TL_KERNELS(X)
#undef X
};
