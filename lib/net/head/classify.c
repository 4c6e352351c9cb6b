/* classify.c - one label for a picture. SPDX-License-Identifier: MIT */
#include "net.h"

static tl_val build(tl_graph *g, const tl_pyramid *p, const tl_backbone *b, const tl_backbone_conf *c, bool own_head, int classes)
{
    tl_val x = p->at[p->hi];
    if (own_head && b->head) return b->head(g, x, c, classes);
    x = OP(g, "avg_pool", gap, IN(x), 0);
    if (c->dropout > 0) x = OP(g, "dropout", dropout, IN(x), .rate = c->dropout);
    return OP(g, "predictions", dense, IN(x), .out = classes);
}

static tl_val answer(tl_graph *g, tl_val raw) { return OP(g, "predictions/Softmax", softmax, IN(raw), 0); }

static tl_val loss(tl_graph *g, tl_val raw, tl_vals *target)
{
    *target = (tl_vals){ 1, { OP(g, "target", input, NO_INPUT, .c = tl_channels(g, raw)) } };
    return OP(g, "loss", softmax_ce, IN(raw, target->at[0]), 0);
}

const tl_head tl_head_classify[] = {
    { .name = "classification", .brief = "one label for a picture", .build = build, .answer = answer, .loss = loss },
    { 0 },
};
