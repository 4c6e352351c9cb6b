/* detectnet.c - DetectNet_v2: an answer for every cell of a grid. SPDX-License-Identifier: MIT
 *
 * Two 1x1 convolutions read the last map, 16 pixels a cell (32 with DarkNets): how much of a cell is an object of each
 * class (coverage), and how far its four sides are away. data/detect.h says what they mean and draws their targets. The
 * outputs' names are the original's, which DeepStream's parser looks for.
 *
 * With the whole of a backbone (ours) the features are two maps, the last one and that of stride 16, each through a 1x1 convolution,
 * the former enlarged, and added (Lin et al., "Feature pyramid networks", 2017). Deep layers know best what there is, earlier ones
 * where; and deep layers on small maps are cheap.
 *
 * Targets, in this order: coverage (C channels), its weight (C), sides (4 C: left, top, right, bottom of each class),
 * their weight (C). "costs" are 2 C numbers: of coverage by class, of the sides by class; "loss" is their sum with the
 * weights that are set in its parameter. */
#include "net.h"

enum { GRID = 4, MIXED = 256 }; /* level of the grid, channels */

static tl_val features(tl_graph *g, const tl_pyramid *p, const tl_backbone_conf *c)
{
    tl_val x = p->at[p->hi];
    if (!c->whole || p->hi <= GRID) return x;
    x = OP(g, "neck_deep", conv2d, IN(x), .out = MIXED, .k = 1);
    x = OP(g, "neck_enlarged", upsample, IN(x), .by = 1 << (p->hi - GRID));
    tl_val near = OP(g, "neck_near", conv2d, IN(p->at[GRID]), .out = MIXED, .k = 1);
    x = OP(g, "neck_sum", add, IN(near, x), 0);
    return OP(g, "neck_relu", relu, IN(x), 0);
}

static tl_val build(tl_graph *g, const tl_pyramid *p, const tl_backbone *b, const tl_backbone_conf *c, bool own_head, int classes)
{
    const tl_val x = features(g, p, c);
    (void)b; (void)own_head;
    tl_val sides = OP(g, "output_bbox/BiasAdd", conv2d, IN(x), .out = 4 * classes, .k = 1);
    tl_val raw = OP(g, "output_cov", conv2d, IN(x), .out = classes, .k = 1);
    g->more = (tl_vals){ 1, { sides } };
    return raw;
}

static tl_val answer(tl_graph *g, tl_val raw) { return OP(g, "output_cov/Sigmoid", sigmoid, IN(raw), 0); }

/* An input as large as x, of so many channels. */
static tl_val like(tl_graph *g, const char *name, tl_val x, int channels)
{
    const tl_shape s = g->status ? (tl_shape){ 1, 1, 1, 1 } : g->node[x.i].s;
    return OP(g, name, input, NO_INPUT, .c = channels, .h = s.h, .w = s.w);
}

static tl_val loss(tl_graph *g, tl_val raw, tl_vals *target)
{
    const int classes = tl_channels(g, raw);
    const tl_val sides = g->more.at[0];
    tl_val cov = like(g, "target_cov", raw, classes), cov_weight = like(g, "target_cov_weight", raw, classes);
    tl_val bbox = like(g, "target_bbox", raw, 4 * classes), bbox_weight = like(g, "target_bbox_weight", raw, classes);
    *target = (tl_vals){ 4, { cov, cov_weight, bbox, bbox_weight } };
    tl_val covered = OP(g, "cost_cov", sigmoid_bce, IN(raw, cov, cov_weight), 0);
    tl_val placed = OP(g, "cost_bbox", l1, IN(sides, bbox, bbox_weight), 0);
    return OP(g, "loss", weighted_sum, IN(OP(g, "costs", concat, IN(covered, placed), 0)), 0);
}

const tl_head tl_head_detectnet[] = {
    { .name = "detectnet_v2", .brief = "objects in boxes, by a grid of cells", .stride16 = true, .build = build, .answer = answer, .loss = loss },
    { 0 },
};
