/* mobilenet_v2.c - Sandler et al. 2018, "Inverted Residuals and Linear Bottlenecks". SPDX-License-Identifier: MIT
 *
 * Seventeen blocks: expand 1x1, depthwise 3x3, project 1x1 without activation; stride 32. The last map of a
 * stride is the expansion in the block that halves it: what the original's detectors read. DetectNet_v2 has the blocks up
 * to the twelfth, of stride 16. Frozen block 0 is conv1, b + 1 is block b, 18 is the last convolution. */
#include "net.h"

/* The nearest multiple of 8, but at least 8, and never more than 10 % below. */
static int divisible(float channels)
{
    int v = (int)(channels + 4) / 8 * 8;
    if (v < 8) v = 8;
    return (float)v < 0.9f * channels ? v + 8 : v;
}

/* *wide: the block's expanded map, before it is halved. */
static tl_val block(tl_graph *g, tl_val x, const tl_backbone_conf *c, int b, int expand, int out, int stride,
                    tl_val *wide)
{
    const char *at = b ? tl_name(g, "block_%d", b) : "expanded_conv";
    int in = tl_channels(g, x), mid = in * expand;
    tl_val y = x;
    g->block = b + 1;
    if (b) {
        y = tl_conv_bn(g, y, c, tl_name(g, "%s_expand", at), tl_name(g, "%s_expand_bn", at),
                       (tl_conv_spec){ mid, 1, 1, 1 });
        y = tl_activate(g, y, tl_name(g, "re_lu_%d", b + 1), c->act);
    }
    *wide = y;
    y = tl_conv_bn(g, y, c, tl_name(g, "%s_depthwise", at), tl_name(g, "%s_depthwise_bn", at),
                   (tl_conv_spec){ mid, 3, stride, mid });
    y = tl_activate(g, y, tl_name(g, "%s_relu", at), c->act);
    y = tl_conv_bn(g, y, c, tl_name(g, "%s_project", at), tl_name(g, "%s_project_bn", at),
                   (tl_conv_spec){ out, 1, 1, 1 });
    if (stride != 1 || in != out) return y;
    if (c->all_projections)
        x = OP(g, tl_name(g, "%s_projected_inputs", at), conv2d, IN(x), .out = out, .k = 1, .nobias = true);
    return OP(g, tl_name(g, "%s_add", at), add, IN(x, y), 0);
}

/* The last rows are those beyond stride 16. */
static const struct { int expand, out, n, stride; } row[] = {
    { 1, 16, 1, 1 }, { 6, 24, 2, 2 },  { 6, 32, 3, 2 },  { 6, 64, 4, 2 },
    { 6, 96, 3, 1 }, { 6, 160, 3, 2 }, { 6, 320, 1, 1 },
};
enum { ROWS = TL_LEN(row), ROWS_16 = 5 };

static void build(tl_graph *g, tl_val x, const tl_backbone *self, const tl_backbone_conf *conf, tl_pyramid *out)
{
    tl_backbone_conf own = *conf;
    const tl_backbone_conf *c = &own;
    float alpha = conf->alpha > 0 ? conf->alpha : 1;
    int b = 0, level = 1, rows = conf->stride16 && !conf->whole ? ROWS_16 : ROWS;
    (void)self;
    if (!(own.bn_momentum > 0)) own.bn_momentum = 0.999f;
    g->block = 0;
    x = tl_conv_bn(g, x, c, "conv1", "bn_conv1", (tl_conv_spec){ divisible(32 * alpha), 3, 2, 1 });
    x = tl_activate(g, x, "re_lu_0", c->act);
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < row[r].n; i++) {
            int stride = i ? 1 : row[r].stride;
            tl_val wide;
            x = block(g, x, c, b++, row[r].expand, divisible((float)(int)((float)row[r].out * alpha)), stride, &wide);
            if (stride == 2) out->at[level++] = wide;
        }
    g->block = 18;
    if (rows == ROWS) {
        x = tl_conv_bn(g, x, c, "conv_1", "conv_1_bn", (tl_conv_spec){ alpha > 1 ? divisible(1280 * alpha) : 1280, 1, 1, 1 });
        x = tl_activate(g, x, "re_lu_head", c->act);
    }
    out->at[level] = x;
    g->block = -1;
    out->lo = 1;
    out->hi = level;
}

const tl_backbone tl_backbone_mobilenet_v2[] = {
    { "mobilenet_v2", 0, "17 inverted residual blocks", build, NULL, { 0 } },
    { 0 },
};
