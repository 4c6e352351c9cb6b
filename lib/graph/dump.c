/* dump.c - a graph as a table for people. SPDX-License-Identifier: MIT */
#include "graph.h"
#include "text.h"

tl_status tl_graph_dump(const tl_graph *g, tl_arena *a, const char **text)
{
    tl_text b = tl_text_new(a);
    for (int i = 0; i < g->n; i++) {
        const tl_node *d = &g->node[i];
        size_t params = 0;
        for (int k = 0; k < TL_MAX_PARAM && d->op->param[k].name; k++) params += tl_dims_count(d->p[k].dims);
        tl_textf(&b, "%4d  %-28s %-10s %5d x %3d x %3d  %9zu  ", i, d->name, d->op->name, d->s.c, d->s.h, d->s.w, params);
        for (int k = 0; k < d->nx; k++) tl_textf(&b, "%s%s", k ? ", " : "", g->node[d->x[k]].name);
        tl_textf(&b, "\n");
    }
    *text = tl_text_end(&b);
    return *text ? TL_OK : TL_ENOMEM;
}
