/* darknet.c - Redmon and Farhadi: Darknet-19 of "YOLO9000" (2016), Darknet-53 of "YOLOv3" (2018).
 * SPDX-License-Identifier: MIT
 *
 * Leaky ReLU of slope 0.1; layers end in "_lrelu" whatever the activation is. Five blocks, each of half the resolution;
 * the stride is 32. In Darknet-19 a max pool halves, and 3x3 convolutions alternate with 1x1 ones of half the width. In
 * Darknet-53 a convolution of stride 2 halves, and residual pairs of 1x1 and 3x3 convolutions follow. Frozen block 0 is
 * conv1, i is block i. */
#include "net.h"

static tl_val conv(tl_graph *g, tl_val x, const tl_backbone_conf *c, const char *name, int out, int k, int stride)
{
    x = tl_conv_bn(g, x, c, name, tl_name(g, "%s_bn", name), (tl_conv_spec){ out, k, stride, 1 });
    return tl_activate(g, x, tl_name(g, "%s_lrelu", name), c->act);
}

static tl_val plain(tl_graph *g, tl_val x, const tl_backbone_conf *c, int b, int n)
{
    int width = 32 << b;
    x = OP(g, tl_name(g, "maxpool_%d", b), maxpool, IN(x), 0);
    for (int j = 1; j <= n; j++)
        x = conv(g, x, c, tl_name(g, "b%d_conv%d", b, j), j % 2 ? width : width / 2, j % 2 ? 3 : 1, 1);
    return x;
}

static tl_val residual(tl_graph *g, tl_val x, const tl_backbone_conf *c, int b, int n)
{
    int width = 32 << b;
    x = conv(g, x, c, tl_name(g, "conv%d", b + 1), width, 3, 2);
    for (int j = 1; j <= n; j++) {
        tl_val y = conv(g, x, c, tl_name(g, "b%d_conv%d_1", b, j), width / 2, 1, 1);
        y = conv(g, y, c, tl_name(g, "b%d_conv%d_2", b, j), width, 3, 1);
        x = OP(g, tl_name(g, "b%d_add%d", b, j), add, IN(x, y), 0);
    }
    return x;
}

static void build(tl_graph *g, tl_val x, const tl_backbone *self, const tl_backbone_conf *conf, tl_pyramid *out)
{
    tl_backbone_conf c = *conf;
    if (!c.act.op) c.act = (tl_activation){ &tl_op_relu, { .relu = { .slope = 0.1f } } };
    g->block = 0;
    out->at[0] = x = conv(g, x, &c, "conv1", 32, 3, 1);
    for (int b = 1; b <= 5; b++) {
        g->block = b;
        out->at[b] = x = (self->n[0] ? residual : plain)(g, x, &c, b, self->n[b]);
    }
    g->block = -1;
    out->hi = 5;
}

static tl_val head(tl_graph *g, tl_val x, const tl_backbone_conf *c, int classes)
{
    (void)c;
    x = OP(g, "avgpool", gap, IN(x), 0);
    return OP(g, "predictions", dense, IN(x), .out = classes);
}

const tl_backbone tl_backbone_darknet[] = {
    { "darknet", 19, "18 convolutions in six stages", build, head, { 0, 1, 3, 3, 5, 5 } },
    { "darknet", 53, "23 residual blocks", build, head, { 1, 1, 2, 8, 8, 4 } },
    { 0 },
};
