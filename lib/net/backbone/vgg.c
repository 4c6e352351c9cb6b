/* vgg.c - Simonyan and Zisserman 2014, "Very Deep Convolutional Networks". SPDX-License-Identifier: MIT
 *
 * Five stages of 3x3 convolutions; stride 16. Stages 2 to 5 begin with a convolution of stride 2, or with pooling
 * after a max pool. Frozen block i is stage i. */
#include "net.h"

static void build(tl_graph *g, tl_val x, const tl_backbone *self, const tl_backbone_conf *c, tl_pyramid *out)
{
    static const int width[] = { 64, 128, 256, 512, 512 };
    for (int s = 0; s < TL_LEN(width); s++) {
        g->block = s + 1;
        if (s && c->pooling) x = OP(g, tl_name(g, "block%d_pool", s), maxpool, IN(x), 0);
        for (int u = 0; u < self->n[s]; u++) {
            const char *at = tl_name(g, "block_%d%c", s + 1, 'a' + u);
            tl_conv_spec conv = { width[s], 3, s && !u && !c->pooling ? 2 : 1, 1 };
            x = tl_conv_bn(g, x, c, tl_name(g, "%s_conv_1", at), tl_name(g, "%s_bn_1", at), conv);
            x = tl_activate(g, x, tl_name(g, "%s_relu", at), c->act);
        }
        out->at[s] = x;
    }
    g->block = -1;
    out->hi = 4;
}

static tl_val head(tl_graph *g, tl_val x, const tl_backbone_conf *c, int classes)
{
    if (c->pooling) x = OP(g, "block5_pool", maxpool, IN(x), 0);
    x = OP(g, "flatten", flatten, IN(x), 0);
    for (int i = 1; i <= 2; i++) {
        x = OP(g, tl_name(g, "fc%d", i), dense, IN(x), .out = 4096);
        x = OP(g, tl_name(g, "fc%d_relu", i), relu, IN(x), 0);
        x = OP(g, tl_name(g, "fc%d_dropout", i), dropout, IN(x), .rate = c->dropout);
    }
    return OP(g, "output_fc", dense, IN(x), .out = classes);
}

const tl_backbone tl_backbone_vgg[] = {
    { "vgg", 16, "13 convolutions in five stages", build, head, { 2, 2, 3, 3, 3 } },
    { "vgg", 19, "16 convolutions in five stages", build, head, { 2, 2, 4, 4, 4 } },
    { 0 },
};
