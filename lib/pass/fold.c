/* fold.c - batch norm disappears into the convolution before it. SPDX-License-Identifier: MIT
 *
 * Outside training y = (w*x + b)*s + t is y = (s*w)*x + (s*b + t): one operation less, the same result up to rounding. */
#include "pass.h"
#include <string.h>

static tl_status scale_into(const tl_node *d, const tl_node *scale, tl_node *to, tl_arena *a)
{
    int c = d->s.c;
    size_t row = tl_dims_count(d->p[0].dims) / (size_t)c;
    float *s = tl_new(a, float, c), *t = tl_new(a, float, c);
    TL_NEW(s && t ? s : NULL);
    scale->op->is_scale(scale->attr, scale->p, c, s, t);
    TL_NEW(to->p[0].w = tl_new(a, float, tl_dims_count(to->p[0].dims)));
    TL_NEW(to->p[1].w = tl_new(a, float, c));
    for (int o = 0; o < c; o++) {
        for (size_t j = 0; j < row; j++) to->p[0].w[(size_t)o * row + j] = d->p[0].w[(size_t)o * row + j] * s[o];
        to->p[1].w[o] = (d->p[1].w ? d->p[1].w[o] : 0) * s[o] + t[o];
    }
    return TL_OK;
}

static tl_status copy_parameters(const tl_node *d, tl_node *to, tl_arena *a)
{
    for (int k = 0; k < TL_MAX_PARAM; k++) {
        size_t n = tl_dims_count(d->p[k].dims);
        if (!n) continue;
        TL_NEW(to->p[k].w = tl_new(a, float, n));
        memcpy(to->p[k].w, d->p[k].w, n * sizeof(float));
    }
    return TL_OK;
}

tl_status tl_fold(const tl_graph *g, tl_arena *a, tl_graph **out)
{
    tl_graph *f = tl_graph_new(a);
    int *readers = tl_new(a, int, g->n), *by = tl_new(a, int, g->n), *now = tl_new(a, int, g->n);
    TL_NEW(f && readers && by && now ? f : NULL);
    for (int i = 0; i < g->n; i++)
        for (int k = 0; k < g->node[i].nx; k++) {
            readers[g->node[i].x[k]]++;
            by[g->node[i].x[k]] = i; /* the only reader, where there is one only */
        }
    for (int k = 0, i; (i = tl_graph_output_at(g, k)) >= 0; k++) readers[i]++; /* whoever runs the graph */
    for (int i = 0; i < g->n; i++) {
        const tl_node *d = &g->node[i], *next = readers[i] == 1 ? &g->node[by[i]] : NULL;
        bool folds = d->op->take_scale && next && next->op->is_scale;
        void *attr = tl_alloc(a, d->op->attr_size);
        tl_val x[TL_MAX_IN];
        TL_NEW(attr);
        if (d->op->is_scale && readers[d->x[0]] == 1 && g->node[d->x[0]].op->take_scale) { /* folded when its input was met */
            now[i] = now[d->x[0]];
            continue;
        }
        memcpy(attr, d->attr, d->op->attr_size);
        if (folds) d->op->take_scale(attr);
        for (int k = 0; k < d->nx; k++) x[k].i = now[d->x[k]];
        f->block = d->block;
        now[i] = tl_put(f, d->name, d->op, x, d->nx, attr).i;
        TL_TRY(f->status);
        TL_TRY(folds ? scale_into(d, next, &f->node[now[i]], a) : copy_parameters(d, &f->node[now[i]], a));
    }
    f->output = now[tl_graph_output(g)];
    f->more = g->more;
    for (int k = 0; k < g->more.n; k++) f->more.at[k].i = now[g->more.at[k].i];
    *out = f;
    return TL_OK;
}
