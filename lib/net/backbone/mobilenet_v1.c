/* mobilenet_v1.c - Howard et al. 2017, "MobileNets". SPDX-License-Identifier: MIT
 *
 * Thirteen blocks of a depthwise 3x3 and a pointwise 1x1 convolution; stride 32. DetectNet_v2 has the first eleven, of stride
 * 16. Frozen block 0 is conv1, i is block i. */
#include "net.h"

static void build(tl_graph *g, tl_val x, const tl_backbone *self, const tl_backbone_conf *c, tl_pyramid *out)
{
    static const struct { int out, stride; } row[] = {
        { 64, 1 }, { 128, 2 }, { 128, 1 }, { 256, 2 }, { 256, 1 }, { 512, 2 }, { 512, 1 },
        { 512, 1 }, { 512, 1 }, { 512, 1 }, { 512, 1 }, { 1024, 2 }, { 1024, 1 },
    };
    float alpha = c->alpha > 0 ? c->alpha : 1;
    int level = 1;
    (void)self;
    g->block = 0;
    x = tl_conv_bn(g, x, c, "conv1", "conv1_bn", (tl_conv_spec){ (int)(32 * alpha), 3, 2, 1 });
    x = tl_activate(g, x, "conv_block_relu", c->act);
    for (int i = 1; i <= TL_LEN(row); i++) {
        int in = tl_channels(g, x), stride = row[i - 1].stride;
        if (stride == 2 && level == 4 && c->stride16 && !c->whole) break;
        g->block = i;
        if (stride == 2) out->at[level++] = x;
        x = tl_conv_bn(g, x, c, tl_name(g, "conv_dw_%d", i), tl_name(g, "conv_dw_%d_bn", i),
                       (tl_conv_spec){ in, 3, stride, in });
        x = tl_activate(g, x, tl_name(g, "conv_dw_%d_relu", i), c->act);
        x = tl_conv_bn(g, x, c, tl_name(g, "conv_pw_%d", i), tl_name(g, "conv_pw_%d_bn", i),
                       (tl_conv_spec){ (int)((float)row[i - 1].out * alpha), 1, 1, 1 });
        out->at[level] = x = tl_activate(g, x, tl_name(g, "conv_pw_relu_%d", i), c->act);
    }
    g->block = -1;
    out->lo = 1;
    out->hi = level;
}

static tl_val head(tl_graph *g, tl_val x, const tl_backbone_conf *c, int classes)
{
    x = OP(g, "average_pool", avgpool, IN(x), .k = 7, .stride = 7);
    x = OP(g, "flatten_1", flatten, IN(x), 0);
    if (c->dropout > 0) x = OP(g, "dropout", dropout, IN(x), .rate = c->dropout);
    return OP(g, "predictions", dense, IN(x), .out = classes);
}

const tl_backbone tl_backbone_mobilenet_v1[] = {
    { "mobilenet_v1", 0, "13 depthwise separable blocks", build, head, { 0 } },
    { 0 },
};
