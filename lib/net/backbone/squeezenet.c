/* squeezenet.c - Iandola et al. 2016, "SqueezeNet", version 1.0 without bypass. SPDX-License-Identifier: MIT
 *
 * Always with biases, never with batch norm. Stride 16. Frozen block 0 is conv1, i is fire(i + 1). */
#include "net.h"

static tl_val conv_relu(tl_graph *g, tl_val x, const char *conv, const char *relu, tl_activation act, tl_conv_spec s)
{
    x = OP(g, conv, conv2d, IN(x), .out = s.out, .k = s.k, .stride = s.stride, .pad = s.k / 2);
    return tl_activate(g, x, relu, act);
}

static tl_val fire(tl_graph *g, tl_val x, int i, int squeeze, int expand, tl_activation act)
{
    const char *at = tl_name(g, "fire%d", i);
    g->block = i - 1;
    x = conv_relu(g, x, tl_name(g, "%s_squeeze_conv", at), tl_name(g, "%s_squeeze", at), act,
                  (tl_conv_spec){ squeeze, 1, 1, 1 });
    tl_val a = conv_relu(g, x, tl_name(g, "%s_expand_conv1x1", at), tl_name(g, "%s_expand_1x1", at), act,
                         (tl_conv_spec){ expand, 1, 1, 1 });
    tl_val b = conv_relu(g, x, tl_name(g, "%s_expand_conv3x3", at), tl_name(g, "%s_expand_3x3", at), act,
                         (tl_conv_spec){ expand, 3, 1, 1 });
    return OP(g, at, concat, IN(a, b), 0);
}

static void build(tl_graph *g, tl_val x, const tl_backbone *self, const tl_backbone_conf *c, tl_pyramid *out)
{
    static const struct { int squeeze, expand; } row[] = {
        { 16, 64 }, { 16, 64 }, { 32, 128 }, { 32, 128 }, { 48, 192 }, { 48, 192 }, { 64, 256 }, { 64, 256 }
    };
    int level = 1;
    (void)self;
    g->block = 0;
    x = conv_relu(g, x, "conv1", "conv1_relu", c->act, (tl_conv_spec){ 96, 7, 2, 1 });
    for (int i = 2; i <= 9; i++) {
        if (i == 2 || i == 5 || i == 9) {
            out->at[level++] = x;
            x = OP(g, tl_name(g, "pool%d", i - 1), maxpool, IN(x), .k = 3, .stride = 2, .pad = 1);
        }
        out->at[level] = x = fire(g, x, i, row[i - 2].squeeze, row[i - 2].expand, c->act);
    }
    g->block = -1;
    out->lo = 1;
    out->hi = level;
}

static tl_val head(tl_graph *g, tl_val x, const tl_backbone_conf *c, int classes)
{
    x = OP(g, "fire9_dropout", dropout, IN(x), .rate = c->dropout > 0 ? c->dropout : 1e-3f);
    x = OP(g, "conv10", conv2d, IN(x), .out = classes, .k = 1);
    x = tl_activate(g, x, "conv10_relu", c->act);
    return OP(g, "pool10", gap, IN(x), 0);
}

const tl_backbone tl_backbone_squeezenet[] = {
    { "squeezenet", 0, "8 fire modules", build, head, { 0 } },
    { 0 },
};
