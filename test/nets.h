/* nets.h - a small network that the tests of plans share. SPDX-License-Identifier: MIT */
#ifndef TL_NETS_H
#define TL_NETS_H
#include "support.h"
#include "plan.h"

/* A bit of everything: fan-out to three readers, sums, a concat, a value read by the loss and the answer. */
static inline tl_val small_net(tl_graph *g, int size)
{
    tl_val x = OP(g, "image", input, NO_INPUT, 3, size, size), a, b, c;
    x = OP(g, "conv1", conv2d, IN(x), .out = 16, .pad = 1, .nobias = true);
    x = OP(g, "bn1", bn, IN(x), 0);
    x = OP(g, "relu1", relu, IN(x), 0);
    a = OP(g, "conv2", conv2d, IN(x), .out = 16, .pad = 1);
    a = OP(g, "relu2", relu, IN(a), .slope = 0.1f);
    b = OP(g, "dw", conv2d, IN(x), .out = 16, .groups = 16, .pad = 1);
    b = OP(g, "bn2", bn, IN(b), 0);
    c = OP(g, "bn2_relu", relu, IN(b), 0); /* which must not be absorbed: the sum reads bn2 as it is */
    c = OP(g, "some", add, IN(a, c), 0);
    c = OP(g, "sum", add, IN(c, b), 0);
    c = OP(g, "sum_relu", relu, IN(c), .max = 6);
    c = OP(g, "twice", add, IN(c, c), 0);
    x = OP(g, "concat", concat, IN(c, x, a), 0);
    x = OP(g, "pool", maxpool, IN(x), .k = 3, .stride = 2, .pad = 1);
    x = OP(g, "drop", dropout, IN(x), .rate = 0.2f);
    x = OP(g, "conv3", conv2d, IN(x), .out = 24, .pad = 1, .stride = 2);
    x = OP(g, "bn3", bn, IN(x), 0);
    x = OP(g, "relu3", relu, IN(x), 0);
    x = OP(g, "gap", gap, IN(x), 0);
    return OP(g, "scores", dense, IN(x), .out = 4);
}

static inline tl_val add_loss(tl_graph *g, tl_val raw)
{
    tl_val target = OP(g, "target", input, NO_INPUT, .c = tl_channels(g, raw));
    return OP(g, "loss", softmax_ce, IN(raw, target), 0);
}

static inline tl_graph *small_training(tl_arena *a)
{
    tl_graph *g = tl_graph_new(a);
    add_loss(g, small_net(g, 16));
    ok(g->status);
    ok(randomize(g, 3));
    return g;
}
#endif
