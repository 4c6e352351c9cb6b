/* resnet.c - He et al. 2015, "Deep Residual Learning for Image Recognition", in the original toolkit's form.
 * SPDX-License-Identifier: MIT
 *
 * Stages 1 to 4, units a, b, c, ...; the stage's stride is on the first convolution of unit a and its shortcut.
 * Without max pooling the strides are 2,2,2,1 (16 in all), with it 1,2,2,2 after the pool (32). Left out on purpose:
 * with pooling the original ends in a 7x7 average pool padded by 3, which at 224 pixels averages only the upper left
 * 4x4 of the last 7x7 map.
 *
 * Frozen block 0 is conv1, 1 to 4 are the stages. */
#include "net.h"

static tl_val unit(tl_graph *g, tl_val x, const tl_backbone_conf *c, int stage, int u, int width, int stride,
                   bool bottleneck, bool project)
{
    static const char *const sub = "abcdefghijklmnopqrstuvwxyz";
    const char *at = tl_name(g, "block_%d%c", stage, sub[u]);
    int n = bottleneck ? 3 : 2, out = bottleneck ? 4 * width : width;
    tl_val y = x;
    for (int i = 1; i <= n; i++) {
        tl_conv_spec s = { i == 3 ? out : width, bottleneck && i != 2 ? 1 : 3, i == 1 ? stride : 1, 1 };
        y = tl_conv_bn(g, y, c, tl_name(g, "%s_conv_%d", at, i), tl_name(g, "%s_bn_%d", at, i), s);
        if (i < n) y = tl_activate(g, y, tl_name(g, "%s_relu_%d", at, i), c->act);
    }
    if (project)
        x = tl_conv_bn(g, x, c, tl_name(g, "%s_conv_shortcut", at), tl_name(g, "%s_bn_shortcut", at),
                       (tl_conv_spec){ out, 1, stride, 1 });
    y = OP(g, tl_name(g, "%s_add", at), add, IN(y, x), 0);
    return tl_activate(g, y, tl_name(g, "%s_relu", at), c->act);
}

static void build(tl_graph *g, tl_val x, const tl_backbone *self, const tl_backbone_conf *c, tl_pyramid *out)
{
    static const int strides[2][4] = { { 2, 2, 2, 1 }, { 1, 2, 2, 2 } };
    int level = 1;
    g->block = 0;
    x = tl_conv_bn(g, x, c, "conv1", "bn_conv1", (tl_conv_spec){ 64, 7, 2, 1 });
    x = tl_activate(g, x, "conv1_relu", c->act);
    if (c->pooling) {
        out->at[level++] = x;
        x = OP(g, "pool1", maxpool, IN(x), .k = 3, .stride = 2, .pad = 1);
    }
    for (int s = 0; s < 4; s++) {
        int stride = strides[c->pooling][s];
        g->block = s + 1;
        if (stride == 2) out->at[level++] = x;
        for (int u = 0; u < self->n[s]; u++)
            x = unit(g, x, c, s + 1, u, 64 << s, u ? 1 : stride, self->n[4], u == 0 || c->all_projections);
        out->at[level] = x;
    }
    g->block = -1;
    out->lo = 1;
    out->hi = level;
}

const tl_backbone tl_backbone_resnet[] = {
    { "resnet", 10, "4 basic units", build, NULL, { 1, 1, 1, 1, 0 } },
    { "resnet", 18, "8 basic units", build, NULL, { 2, 2, 2, 2, 0 } },
    { "resnet", 34, "16 basic units", build, NULL, { 3, 4, 6, 3, 0 } },
    { "resnet", 50, "16 bottleneck units", build, NULL, { 3, 4, 6, 3, 1 } },
    { "resnet", 101, "33 bottleneck units", build, NULL, { 3, 4, 23, 3, 1 } },
    { 0 },
};
