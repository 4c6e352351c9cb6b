/* trunk.c - the part of a network that a training does not change, run as in inference. SPDX-License-Identifier: MIT
 *
 * What is frozen needs no backward pass, no batch statistics and none of its maps kept. So it is cut off, folded (pass/fold.c)
 * and planned as for inference, where activations and sums cost no pass over memory and pictures run in lanes. The training
 * plan is of the rest alone.
 *
 * A node is frozen when it has nothing to learn and computes the same in training as outside. The nodes up to the first that is
 * not are the front, less those at its end that would make it hand over more than one value. */
#include "trunk.h"
#include "pass.h"
#include <string.h>

/* Handing a number over costs a copy; below so many multiply-accumulates for each, running apart does not pay. */
#define LEAST_MACS 256

tl_status tl_front_new(tl_arena *a, const tl_model *m, tl_val cut, int batch, tl_front *out)
{
    tl_graph part = *m->g, *folded;
    part.n = cut.i + 1;
    tl_graph_give(&part, cut);
    TL_TRY(tl_fold(&part, a, &folded));
    out->g = folded;
    out->in.i = tl_graph_find(folded, m->g->node[m->image.i].name);
    out->out.i = folded->output;
    return tl_plan_new(folded, a, &(tl_plan_conf){ .batch = batch, .constant = true }, &out->plan);
}

tl_status tl_front_run(const tl_front *f, const float *x, const float **features)
{
    tl_tensor in = tl_plan_value(f->plan, f->in);
    memcpy(in.f, x, tl_count(in.s) * sizeof *x);
    TL_TRY(tl_plan_forward(f->plan));
    *features = tl_plan_value(f->plan, f->out).f;
    return TL_OK;
}

static bool frozen(const tl_node *d)
{
    for (int k = 0; k < TL_MAX_PARAM && d->op->param[k].name; k++)
        if (tl_dims_count(d->p[k].dims) && !d->op->param[k].stat && !d->p[k].frozen) return false;
    return !(d->op->is_scale && !d->fixed_stats) && !d->op->passes_when_inferring;
}

bool tl_trains_more(const tl_model *m)
{
    for (int i = 0; i < m->raw.i; i++)
        if (m->g->node[i].op->param[0].name && !frozen(&m->g->node[i])) return true;
    return false;
}

/* The only value of nodes before `end` that nodes from there on read; -1: there are several. */
static int handed_over(const tl_graph *g, int end)
{
    int only = -1;
    for (int i = end; i < g->n; i++)
        for (int k = 0; k < g->node[i].nx; k++) {
            int x = g->node[i].x[k];
            if (x >= end || x == only) continue;
            if (only >= 0) return -1;
            only = x;
        }
    return only;
}

static double macs_up_to(const tl_graph *g, int i)
{
    tl_graph part = *g;
    tl_graph_give(&part, (tl_val){ i });
    return tl_graph_macs(&part);
}

/* The value that the longest possible front hands over; the picture when it is not worth it. */
static tl_val find_cut(const tl_graph *g, tl_val image)
{
    int end = image.i + 1, cut;
    while (end < g->n && g->node[end].nx && frozen(&g->node[end])) end++;
    while ((cut = handed_over(g, end)) < 0 && end > image.i + 1) end--;
    bool pays = cut > image.i && macs_up_to(g, cut) >= LEAST_MACS * (double)tl_count(g->node[cut].s);
    return pays ? (tl_val){ cut } : image;
}

tl_status tl_trunk_new(tl_arena *a, const tl_model *m, int batch, bool whole, tl_trunk *out)
{
    const tl_graph *g = m->g;
    *out = (tl_trunk){ .rest = *g, .cut = whole ? m->image : find_cut(g, m->image) };
    if (out->cut.i == m->image.i) return TL_OK;
    TL_TRY(tl_front_new(a, m, out->cut, batch, &out->front));
    TL_NEW(out->rest.node = tl_new(a, tl_node, g->n));
    memcpy(out->rest.node, g->node, (size_t)g->n * sizeof *g->node);
    return tl_node_cut(&out->rest, a, out->cut.i);
}

tl_status tl_trunk_feed(const tl_trunk *t, const float *x, tl_plan *rest)
{
    tl_tensor to = tl_plan_value(rest, t->cut);
    if (t->front.plan && !t->rows) TL_TRY(tl_front_run(&t->front, x, &x));
    memcpy(to.f, x, tl_count(to.s) * sizeof *x);
    return TL_OK;
}
