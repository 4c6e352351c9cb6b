/* weights.c - what a plan trains, and one step of the optimizer. SPDX-License-Identifier: MIT */
#include "train.h"
#include <math.h>

static bool in_scope(const tl_regularizer *r, const tl_node *d, int k)
{
    const char *type = d->op->keras ? d->op->keras(d->attr) : "";
    if (!d->op->param[k].axes[1] && !(r->bias && type[0])) return false;
    return (type[0] == 'C' && r->conv) || (type[0] == 'D' && type[2] == 'p' && r->depthwise) ||
           (type[0] == 'D' && type[2] == 'n' && r->dense);
}

static int last_block(const tl_graph *g)
{
    int last = -1;
    for (int i = 0; i < g->n; i++)
        if (g->node[i].block > last) last = g->node[i].block;
    return last;
}

static tl_status add(tl_arena *a, const tl_plan *p, int i, int k, int last, tl_weights *out)
{
    const tl_node *d = &p->g->node[i];
    const tl_param *q = &p->io[i].p[k];
    const tl_recipe *r = out->recipe;
    tl_weight *w = &out->at[out->n++];
    *w = (tl_weight){ .w = q->w, .g = q->g, .n = tl_dims_count(q->dims), .rate = 1 };
    if (d->block >= 0 && r->block_decay > 0)
        w->rate = powf(r->block_decay, (float)(last - d->block + 1));
    w->penalized = r->regularizer.kind != TL_REG_NONE && in_scope(&r->regularizer, d, k);
    for (int s = 0; s < out->optim->slots; s++) TL_NEW(w->slot[s] = tl_new(a, float, w->n));
    if (r->average > 0) {
        TL_NEW(w->mean = tl_new(a, float, w->n));
        for (size_t j = 0; j < w->n; j++) w->mean[j] = w->w[j];
    }
    return TL_OK;
}

tl_status tl_weights_new(tl_arena *a, const tl_plan *p, const tl_recipe *r, tl_weights *out)
{
    int n = 0, last = last_block(p->g);
    TL_EACH_PARAM(p->g, i, k) n += p->io[i].p && p->io[i].p[k].g;
    *out = (tl_weights){ .at = tl_new(a, tl_weight, n),
                         .recipe = r,
                         .optim = tl_optims[r->optimizer.kind] };
    TL_NEW(out->at);
    TL_EACH_PARAM(p->g, i, k)
    if (p->io[i].p[k].g) TL_TRY(add(a, p, i, k, last, out));
    return TL_OK;
}

static void penalize(const tl_regularizer *r, const tl_weight *w)
{
    float l2 = r->kind == TL_REG_L2 ? 2 * r->weight : 0, l1 = r->kind == TL_REG_L1 ? r->weight : 0;
    for (size_t j = 0; j < w->n; j++)
        w->g[j] += l2 * w->w[j] + (w->w[j] > 0 ? l1 : w->w[j] < 0 ? -l1 : 0);
}

double tl_weights_step(tl_weights *all, float rate, long step)
{
    const tl_recipe *r = all->recipe;
    double squares = 0;
    for (int i = 0; i < all->n; i++) {
        if (all->at[i].penalized) penalize(&r->regularizer, &all->at[i]);
        squares += tl_kernel()->sum_squares(all->at[i].g, all->at[i].n);
    }
    double norm = sqrt(squares),
           scale = r->clip > 0 && norm > (double)r->clip ? (double)r->clip / norm : 1;
    for (int i = 0; i < all->n; i++) {
        tl_weight *w = &all->at[i];
        if (scale < 1) tl_kernel()->scale(w->g, w->n, (float)scale);
        all->optim->update(&r->optimizer, rate * w->rate, step, w->w, w->g, w->slot, w->n);
        for (size_t j = 0; w->mean && j < w->n; j++)
            w->mean[j] += (1 - r->average) * (w->w[j] - w->mean[j]);
    }
    return norm;
}

void tl_weights_swap(tl_weights *all)
{
    for (int i = 0; i < all->n; i++) {
        tl_weight *w = &all->at[i];
        for (size_t j = 0; w->mean && j < w->n; j++) {
            float t = w->w[j];
            w->w[j] = w->mean[j];
            w->mean[j] = t;
        }
    }
}
