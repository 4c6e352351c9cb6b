/* googlenet.c - Szegedy et al. 2014, "Going Deeper with Convolutions" (Inception v1). SPDX-License-Identifier: MIT
 *
 * Nine inception modules, each four branches side by side: 1x1, 3x3, 5x5 and pooling. Pools between stages are 2x2,
 * and there is no response normalization, as in the original toolkit. Stride 16; its own head adds pool4 before
 * module 5a, which makes it 32. Frozen block 0 is what comes before the modules, 1 to 9 are the modules. */
#include "net.h"

typedef struct { const char *name; int n1, n3_reduce, n3, n5_reduce, n5, pool_proj; } module;

static tl_val conv(tl_graph *g, tl_val x, const tl_backbone_conf *c, const char *name, int out, int k)
{
    x = tl_conv_bn(g, x, c, name, tl_name(g, "%s_bn", name), (tl_conv_spec){ out, k, 1, 1 });
    return tl_activate(g, x, tl_name(g, "%s_relu", name), c->act);
}

static tl_val inception(tl_graph *g, tl_val x, const tl_backbone_conf *c, const module *m)
{
    const char *at = tl_name(g, "inception_%s", m->name);
    tl_val a = conv(g, x, c, tl_name(g, "%s_1x1", at), m->n1, 1);
    tl_val b = conv(g, x, c, tl_name(g, "%s_3x3_reduce", at), m->n3_reduce, 1);
    b = conv(g, b, c, tl_name(g, "%s_3x3", at), m->n3, 3);
    tl_val d = conv(g, x, c, tl_name(g, "%s_5x5_reduce", at), m->n5_reduce, 1);
    d = conv(g, d, c, tl_name(g, "%s_5x5", at), m->n5, 5);
    tl_val p = OP(g, tl_name(g, "%s_pool", at), maxpool, IN(x), .k = 3, .stride = 1, .pad = 1);
    p = conv(g, p, c, tl_name(g, "%s_pool_proj", at), m->pool_proj, 1);
    return OP(g, tl_name(g, "%s_output", at), concat, IN(a, b, d, p), 0);
}

static tl_val stem(tl_graph *g, tl_val x, const tl_backbone_conf *c, tl_pyramid *out)
{
    static const struct { const char *name; tl_conv_spec s; } row[] = {
        { "conv1", { 64, 7, 2, 1 } }, { "conv2_reduce", { 64, 1, 1, 1 } }, { "conv2", { 192, 3, 1, 1 } },
    };
    g->block = 0;
    for (int i = 0; i < TL_LEN(row); i++) {
        x = tl_conv_bn(g, x, c, row[i].name, tl_name(g, "bn_%s", row[i].name), row[i].s);
        x = tl_activate(g, x, tl_name(g, "%s_relu", row[i].name), c->act);
        out->at[i ? 2 : 1] = x;
        if (i == 0) x = OP(g, "pool1", maxpool, IN(x), 0);
    }
    return OP(g, "pool2", maxpool, IN(x), 0);
}

static void build(tl_graph *g, tl_val x, const tl_backbone *self, const tl_backbone_conf *c, tl_pyramid *out)
{
    static const module row[] = {
        { "3a", 64, 96, 128, 16, 32, 32 },     { "3b", 128, 128, 192, 32, 96, 64 },
        { "4a", 192, 96, 208, 16, 48, 64 },    { "4b", 160, 112, 224, 24, 64, 64 },
        { "4c", 128, 128, 256, 24, 64, 64 },   { "4d", 112, 144, 288, 32, 64, 64 },
        { "4e", 256, 160, 320, 32, 128, 128 }, { "5a", 256, 160, 320, 32, 128, 128 },
        { "5b", 384, 192, 384, 48, 128, 128 },
    };
    int level = 3;
    (void)self;
    x = stem(g, x, c, out);
    for (int i = 0; i < TL_LEN(row); i++) {
        bool first = i && row[i].name[0] != row[i - 1].name[0]; /* of stage 4 or 5 */
        g->block = i + 1;
        if (first && (row[i].name[0] == '4' || c->own_head)) {
            x = OP(g, tl_name(g, "pool%c", row[i - 1].name[0]), maxpool, IN(x), 0);
            level++;
        }
        out->at[level] = x = inception(g, x, c, &row[i]);
    }
    g->block = -1;
    out->lo = 1;
    out->hi = level;
}

static tl_val head(tl_graph *g, tl_val x, const tl_backbone_conf *c, int classes)
{
    (void)c;
    x = OP(g, "avg_pool", avgpool, IN(x), .k = 7, .stride = 1, .pad = 3);
    x = OP(g, "flatten", flatten, IN(x), 0);
    x = OP(g, "dropout", dropout, IN(x), .rate = 0.4f);
    return OP(g, "output_fc", dense, IN(x), .out = classes);
}

const tl_backbone tl_backbone_googlenet[] = {
    { "googlenet", 0, "9 inception modules", build, head, { 0 } },
    { 0 },
};
