/* network.c - what importers of whole networks share. SPDX-License-Identifier: MIT */
#include "network.h"

tl_status tl_network_put(tl_graph *g, const char *name, const tl_op *op, const tl_val *x, int nx, const void *attr, tl_val *out)
{
    TL_CHECK(g->n < TL_NETWORK_NODES, TL_EUNSUP, "the network has more than %d operations", TL_NETWORK_NODES);
    TL_NEW(name);
    if (!*name || tl_graph_find(g, name) >= 0) TL_NEW(name = tl_printf(g->arena, "%s#%d", name, g->n));
    *out = tl_put(g, name, op, x, nx, attr);
    TL_TRY(g->status);
    TL_CHECK(tl_count(g->node[out->i].s) <= TL_NETWORK_VALUES, TL_EUNSUP, "'%s' makes a map of " TL_SHAPE_FMT ", which is too large",
             name, TL_SHAPE(g->node[out->i].s));
    return TL_OK;
}

bool tl_network_never_negative(const tl_graph *g, tl_val x)
{
    const tl_node *d = &g->node[x.i];
    while (d->op == &tl_op_dropout || d->op == &tl_op_maxpool) d = &g->node[d->x[0]];
    return d->op == &tl_op_relu && ((const tl_relu *)d->attr)->slope == 0.0f;
}

tl_status tl_network_model(tl_graph *g, tl_val last, const tl_norm *norm, const char *mode, tl_foreign *out)
{
    const tl_node *d = &g->node[last.i];
    bool classifier = d->op == &tl_op_softmax;
    TL_CHECK(last.i > 0, TL_EFORMAT, "the network does nothing");
    tl_model *m = tl_new(g->arena, tl_model, 1);
    TL_NEW(m);
    *m = (tl_model){ .arena = g->arena, .g = g, .answer = last, .raw.i = classifier ? d->x[0] : last.i, .norm = *norm,
                     .arch = "", .mode = mode, .spec = "", .history = "" };
    g->output = last.i;
    for (int i = 0; classifier && i < d->s.c; i++) {
        const char **name = tl_add(g->arena, &m->classes, const char *);
        TL_NEW(name);
        TL_NEW(*name = tl_printf(g->arena, "class%d", i));
    }
    out->model = m;
    return TL_OK;
}
