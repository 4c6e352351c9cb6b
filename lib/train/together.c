/* together.c - one training by several processes: what they exchange. SPDX-License-Identifier: MIT */
#include "together.h"
#include <string.h>

/* ---- A step ---- */

static tl_status ready(void *ctx, size_t n)
{
    tl_together *t = ctx;
    if (n - t->begun < TL_BUCKET && n < t->plan->ngrads) return TL_OK;
    size_t from = t->begun;
    t->begun = n;
    return tl_dist_mean_start(t->dist, t->plan->grads + from, n - from);
}

/* Copy the statistics to t->stats, or back. */
static size_t copy_stats(const tl_together *t, bool back)
{
    size_t n = 0;
    TL_EACH_PARAM(t->plan->g, i, k)
    {
        const tl_node *d = &t->plan->g->node[i];
        size_t count = tl_dims_count(d->p[k].dims);
        if (!d->op->param[k].stat || d->fixed_stats) continue;
        if (t->stats) memcpy(back ? d->p[k].w : t->stats + n, back ? t->stats + n : d->p[k].w, count * sizeof(float));
        n += count;
    }
    return n;
}

tl_status tl_together_new(tl_arena *a, tl_dist *dist, tl_plan *p, tl_together *out)
{
    *out = (tl_together){ .dist = dist, .plan = p };
    TL_NEW(out->all = tl_alloc(a, (size_t)tl_dist_size(dist) * sizeof(tl_tally)));
    if (!dist) return TL_OK;
    out->nstats = copy_stats(out, false);
    TL_NEW(out->stats = tl_new(a, float, out->nstats));
    p->after = ready;
    p->after_ctx = out;
    return TL_OK;
}

tl_status tl_together_begin(tl_together *t)
{
    t->begun = 0;
    if (!t->dist) return TL_OK;
    copy_stats(t, false);
    return tl_dist_mean_start(t->dist, t->stats, t->nstats);
}

tl_status tl_together_finish(tl_together *t, const tl_tally *mine, tl_tally *sum)
{
    TL_TRY(tl_dist_gather(t->dist, mine, sizeof *mine, t->all));
    TL_TRY(tl_dist_finish(t->dist));
    if (t->dist) copy_stats(t, true);
    *sum = (tl_tally){ 0 };
    for (int k = 0; k < tl_dist_size(t->dist); k++) {
        const tl_tally *one = t->all + k;
        sum->loss += one->loss;
        sum->hits += one->hits;
        sum->seen += one->seen;
        sum->stop += one->stop;
    }
    return TL_OK;
}

/* ---- Everything ---- */

tl_status tl_share_weights(tl_dist *d, const tl_graph *g, const tl_weights *w)
{
    TL_EACH_PARAM(g, i, k)
    TL_TRY(tl_dist_broadcast(d, g->node[i].p[k].w, tl_dims_count(g->node[i].p[k].dims) * sizeof(float)));
    for (int i = 0; w && i < w->n; i++) {
        size_t bytes = w->at[i].n * sizeof(float);
        for (int s = 0; s < w->optim->slots; s++) TL_TRY(tl_dist_broadcast(d, w->at[i].slot[s], bytes));
        if (w->at[i].mean) TL_TRY(tl_dist_broadcast(d, w->at[i].mean, bytes));
    }
    return TL_OK;
}

/* Fowler, Noll and Vo's hash over all bits, cut to what a double holds. */
static double checksum(const tl_graph *g)
{
    uint64_t h = UINT64_C(14695981039346656037);
    TL_EACH_PARAM(g, i, k)
    {
        const tl_param *p = &g->node[i].p[k];
        for (size_t j = 0; j < tl_dims_count(p->dims); j++) {
            uint32_t bits;
            memcpy(&bits, p->w + j, sizeof bits);
            h = (h ^ bits) * UINT64_C(1099511628211);
        }
    }
    return (double)(h >> 12);
}

tl_status tl_same_weights(tl_arena *a, tl_dist *d, const tl_graph *g, bool *same)
{
    *same = true;
    if (!d) return TL_OK;
    double mine = checksum(g), *all = tl_new(a, double, tl_dist_size(d));
    TL_NEW(all);
    TL_TRY(tl_dist_gather(d, &mine, sizeof mine, all));
    for (int k = 0; k < tl_dist_size(d); k++) *same &= all[k] == all[0];
    return TL_OK;
}

/* Sums of n numbers in the order of processes, into v. */
static tl_status add_up(tl_dist *d, double *v, int n, double *all)
{
    TL_TRY(tl_dist_gather(d, v, (size_t)n * sizeof *v, all));
    for (int i = 0; i < n; i++) {
        v[i] = 0;
        for (int k = 0; k < tl_dist_size(d); k++) v[i] += all[(size_t)k * (size_t)n + (size_t)i];
    }
    return TL_OK;
}

tl_status tl_share_confusion(tl_arena *a, tl_dist *d, tl_confusion *m)
{
    if (!d) return TL_OK;
    double total[] = { (double)m->n, (double)m->top, m->loss };
    double *row = tl_new(a, double, m->classes + 3), *all = tl_new(a, double, (m->classes + 3) * tl_dist_size(d));
    TL_NEW(row && all ? row : NULL);
    TL_TRY(add_up(d, total, TL_LEN(total), all));
    m->n = (int64_t)total[0];
    m->top = (int64_t)total[1];
    m->loss = total[2];
    for (int r = 0; r < m->classes; r++) {
        int64_t *count = m->confusion + (size_t)r * (size_t)m->classes;
        for (int k = 0; k < m->classes; k++) row[k] = (double)count[k];
        TL_TRY(add_up(d, row, m->classes, all));
        for (int k = 0; k < m->classes; k++) count[k] = (int64_t)row[k];
    }
    return TL_OK;
}
