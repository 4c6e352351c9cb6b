/* byom.c - bring your own model: somebody's classifier with a head of ours. SPDX-License-Identifier: MIT
 *
 * The network is cut where its maps become a vector, at the last pooling or flatten, or after a named node. What is
 * before it is the trunk, weights included; block i of it (freeze_blocks) is what has stride 2 to the i, and the last
 * map of each stride makes the pyramid. Sizes follow from the picture, so another one than the file's will do. */
#include "import.h"
#include "text.h"
#include <string.h>

const tl_backbone tl_byom_backbone = { .arch = "onnx", .brief = "a network from a file" };

/* Where maps become vectors: global pooling, flattening. */
static bool ends_maps(const tl_node *d)
{
    return d->op == &tl_op_gap || (d->op == &tl_op_avgpool && d->s.h * d->s.w == 1) ||
           d->op->flow(d->attr, &d->s) == TL_FLOW_SPREAD;
}

/* What may stand in a head, between its layers: no convolution of neighbors, nothing that joins branches. */
static bool may_be_head(const tl_node *d)
{
    return d->nx == 1 && (d->op != &tl_op_conv2d || ((const tl_conv2d *)d->attr)->k == 1);
}

/* The node whose map the head reads: back from the answer, what the earliest pooling or flattening reads; -1: there
 * is none. */
static int last_map(const tl_graph *g, int i)
{
    int cut = -1;
    for (; may_be_head(&g->node[i]); i = g->node[i].x[0])
        if (ends_maps(&g->node[i])) cut = g->node[i].x[0];
    return cut;
}

static tl_status find_cut(const tl_model *from, const char *name, int *cut)
{
    const tl_graph *g = from->g;
    if (!name || !*name) {
        *cut = last_map(g, from->answer.i);
        TL_CHECK(*cut >= 0 && g->node[*cut].nx, TL_EDATA,
                 "byom_model: the network's end has no pooling or flattening; name the node to cut after "
                 "with byom_cut");
        return TL_OK;
    }
    tl_nearest near = { .word = name };
    for (int i = 0; i < g->n; i++) tl_nearest_try(&near, g->node[i].name);
    *cut = tl_graph_find(g, name);
    TL_CHECK(*cut >= 0, TL_ESPEC,
             "byom_cut: the network has no node '%s'%s%s%s; a viewer of ONNX files, such as Netron, shows the names",
             name, near.best ? "; did you mean '" : "", near.best ? near.best : "", near.best ? "'?" : "");
    TL_CHECK(g->node[*cut].nx, TL_ESPEC, "byom_cut: '%s' is the picture", name);
    return TL_OK;
}

/* What the cut depends on. */
static tl_status needed(tl_arena *a, const tl_graph *g, int cut, bool **out)
{
    bool *need = tl_new(a, bool, g->n);
    TL_NEW(need);
    need[cut] = true;
    for (int i = cut; i >= 0; i--)
        for (int k = 0; need[i] && k < g->node[i].nx; k++) need[g->node[i].x[k]] = true;
    *out = need;
    return TL_OK;
}

/* How many times the picture was halved. */
static int level_of(int picture, int map)
{
    int level = 0;
    while (level < TL_LEVELS - 1 && (picture >> level) > map + map / 2) level++;
    return level;
}

static tl_status copy_weights(tl_graph *g, tl_node *d, const tl_node *from)
{
    for (int k = 0; k < TL_MAX_PARAM; k++) {
        size_t n = tl_dims_count(from->p[k].dims);
        TL_CHECK(n == tl_dims_count(d->p[k].dims), TL_ESHAPE, "'%s' depends on the size of the picture", d->name);
        if (!n) continue;
        TL_NEW(d->p[k].w = tl_new(g->arena, float, n));
        memcpy(d->p[k].w, from->p[k].w, n * sizeof(float));
    }
    return TL_OK;
}

/* The nodes up to the cut for pictures of this size; at[i]: where node i went. */
static tl_status copy_trunk(tl_model *m, const tl_model *from, const tl_model_conf *c, int cut, tl_pyramid *p)
{
    const tl_graph *f = from->g;
    tl_val *at = tl_new(m->arena, tl_val, f->n);
    bool *need = NULL;
    TL_NEW(at);
    TL_TRY(needed(m->arena, f, cut, &need));
    for (int i = 0; i <= cut; i++) {
        const tl_node *d = &f->node[i];
        tl_val x[TL_MAX_IN];
        if (!need[i]) continue;
        for (int k = 0; k < d->nx; k++) x[k] = at[d->x[k]];
        at[i] = d->nx ? tl_put(m->g, d->name, d->op, x, d->nx, d->attr)
                      : OP(m->g, d->name, input, NO_INPUT, .c = c->c, .h = c->h, .w = c->w);
        TL_TRY(m->g->status);
        tl_node *here = &m->g->node[at[i].i];
        TL_TRY(copy_weights(m->g, here, d));
        int level = level_of(c->h, here->s.h);
        if (d->nx) here->block = level;
        p->at[level] = at[i];
        p->hi = level;
    }
    m->image = at[from->image.i];
    return TL_OK;
}

tl_status tl_byom_build(tl_arena *a, const tl_model *from, const char *cut, const tl_model_conf *c, tl_model **out)
{
    int end = 0, channels = from->g->node[from->image.i].s.c;
    tl_pyramid p = { .lo = 1 };
    tl_model *m = tl_new(a, tl_model, 1);
    TL_NEW(m);
    TL_CHECK(channels == c->c, TL_ESPEC, "input_image_size: byom_model takes pictures of %d channels, not %d",
             channels, c->c);
    *m = (tl_model){
        .arena = a, .g = tl_graph_new(a), .head = c->head, .arch = tl_byom_backbone.arch, .mode = "caffe", .spec = "", .history = ""
    };
    TL_NEW(m->g);
    TL_TRY(find_cut(from, cut, &end));
    TL_TRY(copy_trunk(m, from, c, end, &p));
    m->raw = c->head->build(m->g, &p, &tl_byom_backbone, &c->conf, false, c->classes);
    m->answer = c->head->answer(m->g, m->raw);
    TL_TRY(m->g->status);
    m->g->output = m->answer.i;
    TL_TRY(tl_graph_init(m->g, c->seed));
    *out = m;
    return TL_OK;
}
