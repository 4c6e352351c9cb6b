/* op_cases.h - what every operation is tried with: sizes, odd ones too, and attributes. SPDX-License-Identifier: MIT */
#ifndef TL_OP_CASES_H
#define TL_OP_CASES_H
#include "ops.h"

typedef struct {
    const tl_op   *op;
    const void    *attr;
    int            nx;
    tl_shape       x[3];
    const tl_relu *then;  /* an activation after it; absorbed where the op can */
    bool           fixed; /* batch norm with its running statistics while training */
} op_case;

#define A(name, ...) .op = &tl_op_##name, .attr = &(tl_##name){ __VA_ARGS__ }
#define X(...)       .nx = 1, .x = { { __VA_ARGS__ } }
#define XS(n, ...)   .nx = n, .x = { __VA_ARGS__ }
static const tl_relu relu = { 0, 0 }, relu6 = { 0, 0.5f }, leaky = { 0.1f, 0 };
static const op_case cases[] = {
    { A(conv2d, .out = 4, .pad = 1), X(2, 3, 6, 5) },
    { A(conv2d, .out = 5, .pad = 1), X(2, 7, 5, 6), .then = &relu },
    { A(conv2d, .out = 16, .pad = 1), X(2, 17, 5, 6), .then = &relu },
    { A(conv2d, .out = 17, .pad = 2, .nobias = true), X(2, 16, 5, 4) },
    { A(conv2d, .out = 16, .k = 1), X(2, 24, 5, 5), .then = &relu6 },
    { A(conv2d, .out = 16, .k = 1, .nobias = true), X(2, 24, 5, 5) },
    { A(conv2d, .out = 35, .k = 1, .stride = 2, .nobias = true), X(2, 21, 7, 6) },
    { A(conv2d, .out = 4, .k = 1, .stride = 3, .nobias = true), X(2, 5, 8, 9) },
    { A(conv2d, .out = 3, .stride = 2, .dilation = 2, .pad = 2, .nobias = true), X(1, 2, 7, 7) },
    { A(conv2d, .out = 6, .stride = 2, .extra = 1), X(2, 3, 8, 8) },
    { A(conv2d, .out = 4, .k = 5, .stride = 2, .pad = 1, .extra = 2), X(1, 3, 8, 9), .then = &leaky },
    { A(conv2d, .out = 6, .groups = 6, .pad = 1), X(2, 6, 5, 5) },
    { A(conv2d, .out = 16, .groups = 16, .pad = 1, .stride = 2, .nobias = true), X(2, 16, 7, 7), .then = &relu6 },
    { A(conv2d, .out = 21, .groups = 21, .pad = 1, .nobias = true), X(2, 21, 9, 8) },
    { A(conv2d, .out = 6, .groups = 6, .stride = 2, .extra = 1, .nobias = true), X(2, 6, 8, 8) },
    { A(conv2d, .out = 6, .groups = 3, .pad = 1), X(2, 9, 4, 5) },
    { A(conv2d, .out = 64, .k = 7, .stride = 2, .pad = 3), X(1, 3, 12, 12) },
    { A(conv2d, .out = 1, .k = 1), X(2, 1, 3, 3) },
    { A(bn, .eps = 1e-3f), X(4, 3, 3, 2) },
    { A(bn, .eps = 1e-5f), X(2, 17, 3, 3), .then = &relu },
    { A(bn, .eps = 1e-3f), X(3, 8, 4, 4), .then = &relu6 },
    { A(bn, .eps = 1e-3f), X(3, 8, 4, 4), .then = &leaky },
    { A(bn, .eps = 1e-3f), X(3, 5, 4, 4), .fixed = true },
    { A(bn, .eps = 1e-3f), X(3, 5, 4, 4), .then = &relu, .fixed = true },
    { A(relu, 0), X(2, 3, 4, 4) },
    { A(relu, .slope = 0.2f), X(2, 3, 4, 5) },
    { A(relu, .max = 6), X(2, 5, 4, 4) },
    { A(swish, 0), X(2, 3, 4, 5) },
    { A(swish, 0), X(2, 17, 3, 3) },
    { A(sigmoid, 0), X(2, 3, 4, 5) },
    { A(sigmoid, 0), X(3, 33, 1, 1) },
    { A(add, 0), XS(2, { 2, 3, 4, 4 }, { 2, 3, 4, 4 }) },
    { A(add, 0), XS(2, { 2, 5, 3, 4 }, { 2, 5, 3, 4 }), .then = &relu },
    { A(add, 0), XS(2, { 2, 8, 3, 4 }, { 2, 8, 3, 4 }), .then = &leaky },
    { A(mul, 0), XS(2, { 2, 5, 3, 4 }, { 2, 5, 3, 4 }) },
    { A(mul, 0), XS(2, { 2, 17, 3, 4 }, { 2, 17, 1, 1 }), .then = &relu },
    { A(mul, 0), XS(2, { 2, 3, 1, 1 }, { 2, 3, 4, 5 }) },
    { A(mul, 0), XS(2, { 2, 3, 1, 1 }, { 2, 3, 1, 1 }) },
    { A(concat, 0), XS(2, { 2, 3, 2, 2 }, { 2, 2, 2, 2 }) },
    { A(concat, 0), XS(3, { 2, 1, 3, 2 }, { 2, 4, 3, 2 }, { 2, 2, 3, 2 }), .then = &relu },
    { A(concat, 0), X(2, 3, 2, 2) },
    { A(maxpool, 0), X(2, 3, 6, 4) },
    { A(maxpool, .k = 3, .stride = 2, .pad = 1), X(2, 5, 7, 6) },
    { A(maxpool, .k = 3, .stride = 1, .pad = 2), X(1, 17, 4, 4) },
    { A(avgpool, 0), X(2, 3, 6, 4) },
    { A(avgpool, .k = 3, .stride = 2, .pad = 1), X(2, 5, 7, 6) },
    { A(avgpool, .k = 7, .stride = 1, .pad = 3), X(2, 3, 4, 4) },
    { A(gap, 0), X(2, 3, 4, 5) },
    { A(gap, .map = true), X(3, 33, 1, 1) },
    { A(upsample, 0), X(2, 3, 4, 5) },
    { A(upsample, .by = 3), X(1, 17, 2, 3), .then = &relu },
    { A(flatten, 0), X(2, 3, 4, 5) },
    { A(flatten, 0), X(2, 3, 1, 1) },
    { A(dropout, 0), X(3, 4, 6, 6) },
    { A(dropout, .rate = 0.2f), X(4, 25, 1, 1), .then = &relu },
    { A(dropout, .whole = true), X(6, 4, 3, 3) },
    { A(dense, .out = 5), X(3, 4, 1, 1) },
    { A(dense, .out = 17), X(2, 33, 1, 1), .then = &relu },
    { A(softmax, 0), X(3, 5, 1, 1) },
    { A(softmax, 0), X(1, 2, 1, 1) },
    { A(softmax_ce, 0), XS(2, { 3, 5, 1, 1 }, { 3, 5, 1, 1 }) },
    { A(softmax_ce, 0), XS(2, { 1, 2, 1, 1 }, { 1, 2, 1, 1 }) },
    { A(mse, 0), XS(2, { 2, 5, 3, 4 }, { 2, 5, 3, 4 }) },
    { A(mse, .weight = 0.3f), XS(2, { 1, 7, 1, 1 }, { 1, 7, 1, 1 }) },
    { A(sigmoid_bce, 0), XS(3, { 2, 3, 4, 3 }, { 2, 3, 4, 3 }, { 2, 3, 4, 3 }) },
    { A(sigmoid_bce, 0), XS(3, { 1, 1, 2, 2 }, { 1, 1, 2, 2 }, { 1, 1, 2, 2 }) },
    { A(l1, 0), XS(3, { 2, 12, 3, 4 }, { 2, 12, 3, 4 }, { 2, 3, 3, 4 }) },
    { A(l1, 0), XS(3, { 1, 5, 2, 3 }, { 1, 5, 2, 3 }, { 1, 5, 2, 3 }) },
    { A(weighted_sum, 0), X(1, 6, 1, 1) },
    { A(weighted_sum, 0), X(3, 5, 1, 1) },
};

/* What shapes and attributes must refuse, and what they say then. */
static const struct { op_case k; tl_status status; const char *says; } misfits[] = {
    { { A(conv2d, .out = 4, .groups = 3), X(1, 6, 5, 5) }, TL_ESHAPE, "3 groups do not divide 6 input and 4" },
    { { A(conv2d, .out = 4, .k = 7), X(1, 6, 5, 5) }, TL_ESHAPE, "a 7-pixel window does not fit a 5x5 map" },
    { { A(conv2d, .k = 3), X(1, 6, 5, 5) }, TL_EARG, "out" },
    { { A(maxpool, .k = 2, .pad = 2), X(1, 6, 5, 5) }, TL_EARG, "pad 2 must be smaller than the window" },
    { { A(avgpool, .k = 7), X(1, 6, 5, 5) }, TL_ESHAPE, "a 7x7 window does not fit a 5x5 map" },
    { { A(add, 0), XS(2, { 1, 6, 5, 5 }, { 1, 6, 5, 4 }) }, TL_ESHAPE, "input 1 is 1x6x5x4" },
    { { A(add, 0), X(1, 6, 5, 5) }, TL_EARG, "1 inputs, wants 2" },
    { { A(mul, 0), XS(2, { 1, 6, 5, 5 }, { 1, 5, 1, 1 }) }, TL_ESHAPE, "1x6x5x5 times 1x5x1x1" },
    { { A(mul, 0), XS(2, { 1, 6, 5, 5 }, { 1, 6, 5, 1 }) }, TL_ESHAPE, "want two maps alike" },
    { { A(concat, 0), XS(2, { 1, 6, 5, 5 }, { 1, 2, 5, 4 }) }, TL_ESHAPE, "input 1 is 5x4, input 0 is 5x5" },
    { { A(dense, .out = 3), X(1, 6, 5, 5) }, TL_ESHAPE, "dense wants vectors" },
    { { A(softmax, 0), X(1, 6, 5, 5) }, TL_ESHAPE, "softmax wants vectors" },
    { { A(softmax_ce, 0), XS(2, { 1, 6, 1, 1 }, { 1, 5, 1, 1 }) }, TL_ESHAPE, "the same shape" },
    { { A(dropout, .rate = 1), X(1, 6, 5, 5) }, TL_EARG, "rate" },
    { { A(sigmoid_bce, 0), XS(3, { 1, 3, 2, 2 }, { 1, 3, 2, 2 }, { 1, 1, 2, 2 }) }, TL_ESHAPE, "input 2 is 1x1x2x2" },
    { { A(l1, 0), XS(3, { 1, 8, 2, 2 }, { 1, 4, 2, 2 }, { 1, 2, 2, 2 }) }, TL_ESHAPE, "maps alike" },
    { { A(l1, 0), XS(3, { 1, 8, 2, 2 }, { 1, 8, 2, 2 }, { 1, 3, 2, 2 }) }, TL_ESHAPE, "a weight for each group" },
    { { A(weighted_sum, 0), X(1, 6, 2, 1) }, TL_ESHAPE, "wants vectors" },
};
#endif
