/* network.c - what importers of whole networks share. SPDX-License-Identifier: MIT */
#include "network.h"

tl_status tl_network_put(tl_graph *g, const char *name, const tl_op *op, const tl_val *x, int nx, const void *attr,
                         tl_val *out)
{
    TL_CHECK(g->n < TL_NETWORK_NODES, TL_EUNSUP, "the network has more than %d operations", TL_NETWORK_NODES);
    TL_NEW(name);
    if (!*name || tl_graph_find(g, name) >= 0) TL_NEW(name = tl_printf(g->arena, "%s#%d", name, g->n));
    *out = tl_put(g, name, op, x, nx, attr);
    TL_TRY(g->status);
    TL_CHECK(tl_count(g->node[out->i].s) <= TL_NETWORK_VALUES, TL_EUNSUP,
             "'%s' makes a map of " TL_SHAPE_FMT ", which is too large", name, TL_SHAPE(g->node[out->i].s));
    return TL_OK;
}

bool tl_network_never_negative(const tl_graph *g, tl_val x)
{
    const tl_node *d = &g->node[x.i];
    while (d->op == &tl_op_dropout || d->op == &tl_op_maxpool) d = &g->node[d->x[0]];
    return d->op == &tl_op_relu && ((const tl_relu *)d->attr)->slope == 0.0f;
}

/* A 1x1 convolution of a vector becomes the dense layer that it is. */
static tl_status make_dense(tl_graph *g, tl_node *d)
{
    tl_dense *a = tl_new(g->arena, tl_dense, 1);
    TL_NEW(a);
    a->out = d->s.c;
    d->op = &tl_op_dense;
    d->attr = a;
    if (d->p[1].w) return TL_OK;
    d->p[1].dims = (tl_dims){ { d->s.c, 1, 1, 1 } }; /* a dense layer always has a bias */
    TL_NEW(d->p[1].w = tl_new(g->arena, float, d->s.c));
    return TL_OK;
}

/* We do not tell vectors from 1x1 maps, but ONNX does, and a head is looked for as a dense layer. From the end to
 * the start: what only softmax and dense layers read, if only through activations and dropout, is a vector. */
static tl_status find_vectors(tl_graph *g)
{
    bool *map = tl_new(g->arena, bool, g->n);
    TL_NEW(map);
    for (int i = g->n - 1; i > 0; i--) {
        tl_node *d = &g->node[i];
        const tl_conv2d *c = d->op == &tl_op_conv2d ? d->attr : NULL;
        tl_shape x = d->nx ? g->node[d->x[0]].s : d->s;
        if (c && !map[i] && c->k == 1 && c->groups == 1 && x.h * x.w == 1 && d->s.h * d->s.w == 1)
            TL_TRY(make_dense(g, d));
        if (d->op == &tl_op_gap) ((tl_gap *)d->attr)->map = map[i];
        bool passes = d->op == &tl_op_relu || d->op == &tl_op_dropout,
             vector = d->op == &tl_op_dense || d->op == &tl_op_softmax;
        for (int k = 0; k < d->nx; k++) map[d->x[k]] |= passes ? map[i] : !vector;
    }
    return TL_OK;
}

tl_status tl_network_model(tl_graph *g, tl_val last, const tl_norm *norm, const char *mode, const char *arch,
                           tl_foreign *out)
{
    const tl_node *d = &g->node[last.i];
    bool classifier = d->op == &tl_op_softmax;
    TL_CHECK(last.i > 0, TL_EFORMAT, "the network does nothing");
    tl_model *m = tl_new(g->arena, tl_model, 1);
    TL_NEW(m);
    *m = (tl_model){ .arena = g->arena,
                     .g = g,
                     .head = classifier ? tl_head_at(0) : NULL,
                     .answer = last,
                     .raw.i = classifier ? d->x[0] : last.i,
                     .norm = *norm,
                     .arch = arch,
                     .mode = mode,
                     .spec = "",
                     .history = "" };
    tl_graph_give(g, last);
    TL_TRY(find_vectors(g));
    for (int i = 0; classifier && i < d->s.c; i++) {
        const char **name = tl_add(g->arena, &m->classes, const char *);
        TL_NEW(name);
        TL_NEW(*name = tl_printf(g->arena, "class%d", i));
    }
    out->model = m;
    return TL_OK;
}
