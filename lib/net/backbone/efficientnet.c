/* efficientnet.c - Tan and Le 2019, "EfficientNet", and its Lite form of 2020. SPDX-License-Identifier: MIT
 *
 * Mobile inverted bottlenecks as in MobileNetV2, each with a squeeze-and-excite: the mean of every channel, through
 * two small layers, weighs the channels. Swish after convolutions; in training a residual block is skipped for a
 * share of the pictures that grows with depth. Lite drops squeeze-and-excite and takes ReLU6, for processors that
 * compute in 8 bits. Stride 32; strided convolutions are padded as TensorFlow pads. The last map of a stride is the
 * expansion in the block that halves it: what the original's detectors read; for its DetectNet_v2 the last stride is 1. Frozen block 0 is the stem, 1 to 7 are
 * the stages, 8 is the last convolution. */
#include "net.h"

typedef struct { int k, n, out, expand, stride; } stage;
static const stage stages[] = {
    { 3, 1, 16, 1, 1 },  { 3, 2, 24, 6, 2 },  { 5, 2, 40, 6, 2 },  { 3, 3, 80, 6, 2 },
    { 5, 3, 112, 6, 1 }, { 5, 4, 192, 6, 2 }, { 3, 1, 320, 6, 1 },
};
enum { BLOCKS = 16, LAST_STRIDE = 5 };

/* Convolution and batch norm. TensorFlow splits an odd number of zeros so that the larger half comes after; the
 * original does so for rows and columns each on its own, here both must be even. */
static tl_val conv(tl_graph *g, tl_val x, const tl_backbone_conf *c, const char *name, const char *bn, tl_conv_spec s)
{
    tl_shape in = g->status ? (tl_shape){ 0 } : g->node[x.i].s;
    int odd = s.stride == 2 && in.h % 2 == 0 && in.w % 2 == 0;
    x = OP(g, name, conv2d, IN(x), .out = s.out, .k = s.k, .stride = s.stride, .pad = s.k / 2 - odd, .extra = odd,
           .groups = s.groups, .nobias = !c->bias);
    return c->bn ? OP(g, bn, bn, IN(x), .eps = c->bn_eps, .momentum = c->bn_momentum) : x;
}

static tl_val squeeze_excite(tl_graph *g, tl_val x, const tl_backbone_conf *c, const char *at, int reduced)
{
    tl_val s = OP(g, tl_name(g, "%sse_squeeze", at), gap, IN(x), .map = true);
    s = OP(g, tl_name(g, "%sse_reduce", at), conv2d, IN(s), .out = reduced, .k = 1);
    s = tl_activate(g, s, tl_name(g, "%sse_reduce_activation", at), c->act);
    s = OP(g, tl_name(g, "%sse_expand", at), conv2d, IN(s), .out = tl_channels(g, x), .k = 1);
    s = OP(g, tl_name(g, "%sse_expand_activation", at), sigmoid, IN(s), 0);
    return OP(g, tl_name(g, "%sse_excite", at), mul, IN(x, s), 0);
}

/* One block of a stage; *wide: its expanded map, before it is halved. */
static tl_val block(tl_graph *g, tl_val x, const tl_backbone_conf *c, const char *at, const stage *s, int stride,
                    bool lite, float drop, tl_val *wide)
{
    int in = tl_channels(g, x), mid = in * s->expand;
    tl_val y = x;
    if (s->expand > 1) {
        y = conv(g, y, c, tl_name(g, "%sexpand_conv", at), tl_name(g, "%sexpand_bn", at),
                 (tl_conv_spec){ mid, 1, 1, 1 });
        y = tl_activate(g, y, tl_name(g, "%sexpand_activation", at), c->act);
    }
    *wide = y;
    y = conv(g, y, c, tl_name(g, "%sdwconv", at), tl_name(g, "%sbn", at), (tl_conv_spec){ mid, s->k, stride, mid });
    y = tl_activate(g, y, tl_name(g, "%sactivation", at), c->act);
    if (!lite) y = squeeze_excite(g, y, c, at, in / 4);
    y = conv(g, y, c, tl_name(g, "%sproject_conv", at), tl_name(g, "%sproject_bn", at),
             (tl_conv_spec){ s->out, 1, 1, 1 });
    if (stride != 1 || in != s->out) return y;
    y = OP(g, tl_name(g, "%sdrop", at), dropout, IN(y), .rate = drop, .whole = true);
    return OP(g, tl_name(g, "%sadd", at), add, IN(y, x), 0);
}

static void build(tl_graph *g, tl_val x, const tl_backbone *self, const tl_backbone_conf *conf, tl_pyramid *out)
{
    static const tl_activation relu6 = { &tl_op_relu, { .relu = { .max = 6 } } };
    bool lite = self->n[0];
    tl_backbone_conf own = *conf;
    const tl_backbone_conf *c = &own;
    int level = 1, b = 0;
    if (!own.act.op) own.act = lite ? relu6 : (tl_activation){ .op = &tl_op_swish };
    g->block = 0;
    x = conv(g, x, c, "stem_conv", "stem_bn", (tl_conv_spec){ 32, 3, 2, 1 });
    x = tl_activate(g, x, "stem_activation", c->act);
    for (int s = 0; s < TL_LEN(stages); s++)
        for (int i = 0; i < stages[s].n; i++, b++) {
            int stride = i || (c->stride16 && !c->whole && s == LAST_STRIDE) ? 1 : stages[s].stride;
            tl_val wide;
            g->block = s + 1;
            x = block(g, x, c, tl_name(g, "block%d%c_", s + 1, 'a' + i), &stages[s], stride, lite,
                      0.2f * (float)b / BLOCKS, &wide);
            if (stride == 2) out->at[level++] = wide;
        }
    g->block = TL_LEN(stages) + 1;
    x = conv(g, x, c, "top_conv", "top_bn", (tl_conv_spec){ 1280, 1, 1, 1 });
    out->at[level] = tl_activate(g, x, "top_activation", c->act);
    g->block = -1;
    out->lo = 1;
    out->hi = level;
}

static tl_val head(tl_graph *g, tl_val x, const tl_backbone_conf *c, int classes)
{
    x = OP(g, "avg_pool", gap, IN(x), 0);
    x = OP(g, "top_dropout", dropout, IN(x), .rate = c->dropout > 0 ? c->dropout : 0.2f);
    return OP(g, "predictions", dense, IN(x), .out = classes);
}

const tl_backbone tl_backbone_efficientnet[] = {
    { "efficientnet_b0", 0, "16 inverted residual blocks with squeeze-and-excite", build, head, { false } },
    { "efficientnet_lite0", 0, "the same without, with ReLU6", build, head, { true } },
    { 0 },
};
