/* lanes.c - infer the front of a network picture by picture, each thread one. SPDX-License-Identifier: MIT
 *
 * In the front of a network maps are large and weights few. When all threads share each operation, its result for a
 * whole batch outgrows every cache: the next operation reads it back from memory, and the threads wait for each other
 * before. But when inferring, pictures do not know of each other. So the front is a plan of its own for one picture,
 * once per thread (a lane): what passes from node to node stays in the cache, and threads meet only where the rest
 * begins. There weights outweigh maps, and are better read once for all pictures.
 *
 * The rest is a plan as well, of a graph in which the values handed over are inputs. */
#include "plan.h"
#include <omp.h>
#include <stdio.h>
#include <string.h>

/* Maps of a node that are handed on in memory when tl_plan_conf.cache says nothing: less than most last-level caches,
 * which other programs want too. */
enum { CACHE = 8 << 20 };

static size_t map_bytes(const tl_graph *g, int i)
{
    size_t n = tl_count(g->node[i].s);
    for (int k = 0; k < g->node[i].nx; k++) n += tl_count(g->node[g->node[i].x[k]].s);
    return n * sizeof(float);
}

static size_t weight_bytes(const tl_node *d)
{
    size_t n = 0;
    for (int k = 0; k < TL_MAX_PARAM && d->op->param[k].name; k++) n += tl_dims_count(d->p[k].dims);
    return n * sizeof(float);
}

/* Does a picture's result depend on others (a mean over the batch)? Then two pictures do not give two results. */
static bool mixes(const tl_graph *g, int i)
{
    const tl_node *d = &g->node[i];
    tl_shape x[TL_MAX_IN], y = d->s;
    tl_dims p[TL_MAX_PARAM];
    for (int k = 0; k < d->nx; k++) {
        x[k] = g->node[d->x[k]].s;
        x[k].n = 2;
    }
    return d->nx && (d->op->shape(d->attr, d->nx, x, &y, p) || y.n != 2);
}

/* Where the rest begins: after the last node whose maps outgrow the cache and its own weights, and what follows it
 * without weights, as its activation does. 0: no front. Threads must not stand idle while the last pictures run. */
static int front_end(const tl_graph *g, const tl_plan_conf *c)
{
    const int threads = omp_get_max_threads();
    const size_t cache = c->cache ? c->cache : CACHE;
    int end = 0;
    if (c->train || c->batch < 2 || (c->batch % threads && c->batch < 4 * threads)) return 0;
    for (int i = 0; i < g->n && !mixes(g, i); i++) {
        size_t maps = map_bytes(g, i), weights = weight_bytes(&g->node[i]);
        bool follows = end == i && !weights;
        if (g->node[i].nx && (follows || (maps > weights && (size_t)c->batch * maps > cache))) end = i + 1;
    }
    return end;
}

/* Which values somebody reads (live), and which the front hands over: those that the rest or the caller reads. */
static void trace(const tl_graph *g, const tl_plan_conf *c, int end, bool *live, bool *handed)
{
    for (int k = 0, i; (i = tl_graph_output_at(g, k)) >= 0; k++) live[i] = true;
    for (int k = 0; k < c->nkeep; k++) live[c->keep[k].i] = true;
    memcpy(handed, live, (size_t)end * sizeof *handed);
    for (int i = g->n - 1; i >= 0; i--)
        for (int k = 0; live[i] && k < g->node[i].nx; k++) {
            int x = g->node[i].x[k];
            live[x] = true;
            if (i >= end && x < end) handed[x] = true;
        }
}

static tl_status split(tl_lanes *l, const tl_graph *g, tl_arena *a, const tl_plan_conf *c, int end)
{
    bool *live = tl_new(a, bool, g->n), *handed = tl_new(a, bool, g->n);
    TL_NEW(live && handed ? live : NULL);
    TL_NEW(l->in = tl_new(a, tl_val, end + c->nkeep));
    TL_NEW(l->out = tl_new(a, tl_val, end));
    TL_NEW(l->rest.node = tl_new(a, tl_node, g->n));
    memcpy(l->rest.node, g->node, (size_t)g->n * sizeof *g->node);
    trace(g, c, end, live, handed);
    for (int i = 0; i < end; i++) {
        const bool given = !g->node[i].nx;
        if (live[i] && given) l->in[l->nin++].i = i;
        if (!handed[i] || given) continue;
        l->out[l->nout++].i = i;
        TL_TRY(tl_node_cut(&l->rest, a, i));
    }
    return TL_OK;
}

static tl_status lanes_new(tl_lanes *l, tl_arena *a, int n)
{
    const tl_plan_conf one = { .batch = 1, .constant = l->conf.constant, .exact = l->conf.exact, .amp = l->conf.amp, .keep = l->out, .nkeep = l->nout };
    TL_NEW(l->lane = tl_new(a, tl_plan *, n));
    for (; l->n < n; l->n++) TL_TRY(tl_plan_new(&l->front, a, &one, &l->lane[l->n]));
    return TL_OK;
}

tl_status tl_lanes_new(const tl_graph *g, tl_arena *a, const tl_plan_conf *c, tl_lanes **out)
{
    const int end = front_end(g, c), threads = omp_get_max_threads();
    tl_lanes *l = tl_new(a, tl_lanes, 1);
    TL_NEW(l);
    *l = (tl_lanes){ .front = *g, .rest = *g, .conf = *c };
    *out = l;
    if (!end) return TL_OK;
    TL_TRY(split(l, g, a, c, end));
    if (!l->nout) return TL_OK;
    l->front.n = end;
    tl_graph_give(&l->front, l->out[0]);
    omp_set_num_threads(1); /* what a lane prepares is run by one thread */
    tl_status s = lanes_new(l, a, threads);
    omp_set_num_threads(threads);
    TL_TRY(s);
    for (int i = 0; i < c->nkeep; i++) l->in[l->nin + i] = c->keep[i];
    l->conf.keep = l->in; /* the caller fills the front's inputs in the plan of the rest */
    l->conf.nkeep = l->nin + c->nkeep;
    return TL_OK;
}

const tl_io *tl_plan_io(const tl_plan *p, int i)
{
    const bool front = p->lanes->n && i < p->lanes->front.n;
    return front ? &p->lanes->lane[0]->io[i] : &p->io[i];
}

/* Picture k's part of a value of p. */
static tl_tensor part(const tl_plan *p, tl_val v, int k)
{
    tl_tensor t = tl_plan_value(p, v);
    t.s.n = 1;
    t.p = (char *)t.p + tl_count(t.s) * tl_dtype_size(t.t) * (size_t)k;
    return t;
}

/* What is a map of the front may be an input of the rest, and inputs are f32. */
static void copy(tl_tensor from, tl_tensor to)
{
    if (from.t == to.t) memcpy(to.p, from.p, tl_count(to.s) * tl_dtype_size(to.t));
    else
        tl_move_run(&(tl_move){ from, to, false });
}

static tl_status run_picture(const tl_lanes *l, tl_plan *lane, const tl_plan *p, int k)
{
    for (int i = 0; i < l->nin; i++) copy(part(p, l->in[i], k), part(lane, l->in[i], 0));
    TL_TRY(tl_plan_forward(lane));
    for (int i = 0; i < l->nout; i++) copy(part(lane, l->out[i], 0), part(p, l->out[i], k));
    return TL_OK;
}

/* Lanes run side by side: a node's time is the mean of what they took. */
static void collect_seconds(const tl_lanes *l, tl_plan *p)
{
    for (int t = 0; p->seconds && t < l->n; t++)
        for (int i = 0; i < l->front.n; i++) {
            p->seconds[i] += l->lane[t]->seconds[i] / l->n;
            l->lane[t]->seconds[i] = 0;
        }
}

tl_status tl_lanes_forward(tl_lanes *l, tl_plan *p)
{
    tl_status failed = TL_OK;
    char why[512] = "";
#pragma omp parallel for num_threads(l->n) schedule(dynamic)
    for (int k = 0; k < p->conf.batch; k++) {
        tl_status s = run_picture(l, l->lane[omp_get_thread_num()], p, k);
        if (!s) continue;
#pragma omp critical
        {
            failed = s;
            snprintf(why, sizeof why, "%s", tl_errmsg());
        }
    }
    collect_seconds(l, p);
    return failed ? tl_fail_again(failed, why) : TL_OK;
}
