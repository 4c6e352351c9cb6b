/* prune.c - remove the output channels that contribute least. SPDX-License-Identifier: MIT
 *
 * The original's algorithm: a channel's weight is the L2 norm of the kernel that makes it, normalized within
 * its layer; channels that must go together (what an add sums, what a depthwise convolution passes on) share
 * one merged norm; those above the threshold stay, at least `min`, rounded up to a multiple of `granularity`,
 * the largest first and of equals the first.
 *
 * How channels travel is in the op table (tl_flow), so ties are found by union-find over single channels: a
 * relu's channel is its input's, an add unites its inputs', a concat lines its inputs' up, a flatten spreads
 * one over many. A set of tied channels stays or goes as a whole. Nodes that make channels of the same set form
 * a component, within which the sets compete; the two sides of a concat do not. Where a concat meets an add the
 * original gives up; here it is only a component whose nodes have unequal channels. What leaves the graph keeps
 * its shape, and so does all that is tied to it.
 *
 * Where it was seen on pictures how much channels matter, and there is a target, what a set is worth (its share of what the
 * layer's channels do) is divided by its price (its share of the MACs): as in a knapsack, what is worth little and costs
 * much goes first. A norm alone says nothing about other layers' norms. */
#include "pass.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct { int n; float max, min; double sum, logs; } merged; /* of the normalized norms in a set */

typedef struct { int component; float score; int set; } rank;

typedef struct {
    const tl_graph      *g;
    const tl_prune_opts *o;
    tl_arena            *a;
    int    *base;   /* node -> its first channel; channels of all nodes are numbered through */
    int    *node;   /* channel -> its node */
    int     total;
    int    *up;     /* union-find over channels; a set is named by its representative */
    int    *with;   /* union-find over nodes: components */
    bool   *whole;  /* node, component: must keep everything */
    merged *score;  /* per set */
    double *price;  /* per set: the share of the target's MACs or parameters that go with it; NULL: no matter */
    bool   *keep;   /* per set */
    rank   *order;  /* the sets that can go: component by component, best first */
    int     sets;
} pruner;

static int find(int *up, int i)
{
    while (up[i] != i) i = up[i] = up[up[i]];
    return i;
}

/* The smaller number represents, so sets are met in channel order. */
static void unite(int *up, int i, int j)
{
    i = find(up, i);
    j = find(up, j);
    if (i < j) up[j] = i;
    else up[i] = j;
}

static tl_flow flow_of(const tl_graph *g, const tl_node *d)
{
    tl_shape x[TL_MAX_IN];
    for (int k = 0; k < d->nx; k++) x[k] = g->node[d->x[k]].s;
    return d->op->flow(d->attr, x);
}

/* The parameter whose rows make the output channels; -1: none, the op only passes channels on. */
static int matrix_of(const tl_node *d)
{
    for (int k = 0; k < TL_MAX_PARAM && d->op->param[k].name; k++)
        if (d->op->param[k].axes[0] == 'O' && d->op->param[k].axes[1] && tl_dims_count(d->p[k].dims)) return k;
    return -1;
}

/* Tie the channels of node i to those of its inputs. */
static tl_status tie(pruner *q, int i)
{
    const tl_node *d = &q->g->node[i];
    tl_flow flow = flow_of(q->g, d);
    if (flow == TL_FLOW_FIXED) q->whole[i] = true;
    for (int k = 0, at = 0; k < d->nx && flow != TL_FLOW_NEW; k++) {
        const tl_node *x = &q->g->node[d->x[k]];
        int from = q->base[d->x[k]], spread = flow == TL_FLOW_SPREAD ? x->s.h * x->s.w : 1, n = x->s.c * spread;
        if (flow == TL_FLOW_FIXED) { q->whole[d->x[k]] = true; continue; }
        TL_CHECK(at + n <= d->s.c && (flow == TL_FLOW_CAT || n == d->s.c), TL_ESHAPE,
                 "'%s' (%s): %d channels flow in, it has %d", d->name, d->op->name, at + n, d->s.c);
        for (int c = 0; c < n; c++) unite(q->up, q->base[i] + at + c, from + c / spread);
        if (flow == TL_FLOW_CAT) at += n;
    }
    return TL_OK;
}

/* Join the nodes that make channels of the same set. */
static void join(pruner *q, int i)
{
    const tl_node *d = &q->g->node[i];
    for (int c = 0; matrix_of(d) >= 0 && c < d->s.c; c++) unite(q->with, i, q->node[find(q->up, q->base[i] + c)]);
}

static int component(pruner *q, int set) { return find(q->with, q->node[set]); }

static tl_status exclude(pruner *q)
{
    for (int k = 0, i; (i = tl_graph_output_at(q->g, k)) >= 0; k++) q->whole[i] = true;
    for (const char *const *e = q->o->exclude; e && *e; e++) {
        int i = tl_graph_find(q->g, *e);
        TL_CHECK(i >= 0, TL_EARG, "there is no layer '%s' to exclude", *e);
        q->whole[i] = true;
    }
    for (int i = 0; i < q->g->n; i++)
        for (int c = 0; q->whole[i] && c < q->g->node[i].s.c; c++)
            q->whole[component(q, find(q->up, q->base[i] + c))] = true;
    return TL_OK;
}

/* L2 norms of the kernels that make node i's channels (or what the caller gives instead), into s. False: it makes none. */
static bool norms(const pruner *q, int i, double *s)
{
    const tl_node *d = &q->g->node[i];
    int k = matrix_of(d), c = d->s.c;
    if (q->o->importance) {
        const float *given = q->o->importance[i];
        for (int o = 0; given && o < c; o++) s[o] = (double)given[o];
        return given;
    }
    if (k < 0) return false;
    size_t row = tl_dims_count(d->p[k].dims) / (size_t)c;
    for (int o = 0; o < c; o++) {
        double squares = 0;
        for (size_t j = 0; j < row; j++) {
            double w = (double)d->p[k].w[(size_t)o * row + j];
            squares += w * w;
        }
        s[o] = sqrt(squares);
    }
    return true;
}

/* Node i's norms, normalized, into the sets its channels belong to. */
static tl_status weigh(pruner *q, int i)
{
    int c = q->g->node[i].s.c;
    double *s = tl_new(q->a, double, c), top = 0, squares = 0;
    TL_NEW(s);
    if (!norms(q, i, s)) return TL_OK;
    for (int o = 0; o < c; o++) {
        squares += s[o] * s[o];
        top = fmax(top, s[o]);
    }
    double scale = top > 0 ? (q->o->l2 ? c / sqrt(squares) : 1 / top) : 0;
    for (int o = 0; o < c; o++) {
        merged *m = &q->score[find(q->up, q->base[i] + o)];
        float v = (float)(q->price ? s[o] * s[o] / fmax(squares, 1e-300) : s[o] * scale);
        *m = (merged){ m->n + 1, m->n ? fmaxf(m->max, v) : v, m->n ? fminf(m->min, v) : v, m->sum + (double)v,
                       m->logs + log((double)v) };
    }
    return TL_OK;
}

static float score_of(const pruner *q, int set)
{
    const merged *m = &q->score[set];
    if (q->price) return (float)(m->sum / fmax(q->price[set], 1e-300));
    switch (q->o->equalization) {
    case TL_EQ_UNION: return m->max;
    case TL_EQ_INTERSECTION: return m->min;
    case TL_EQ_ARITHMETIC_MEAN: return (float)(m->sum / m->n);
    case TL_EQ_GEOMETRIC_MEAN: return (float)exp(m->logs / m->n);
    }
    return m->max;
}

/* ---- Prices ---- */

/* Of the whole layer, in what the target counts. */
static double cost_of(const pruner *q, const tl_node *d)
{
    double n = 0;
    if (q->o->macs > 0) return d->op->macs ? d->op->macs(d->attr, q->g->node[d->x[0]].s, d->s) : 0;
    for (int k = 0; k < TL_MAX_PARAM; k++) n += (double)tl_dims_count(d->p[k].dims);
    return n;
}

/* What a layer costs falls with its outputs and with its inputs. A depthwise convolution has both in one set, and counts once. */
static tl_status find_prices(pruner *q)
{
    double all = 0;
    TL_NEW(q->price = tl_new(q->a, double, q->total));
    for (int i = 0; i < q->g->n; i++) {
        const tl_node *d = &q->g->node[i];
        const int x = d->nx ? d->x[0] : i, in = q->g->node[x].s.c, flow = flow_of(q->g, d);
        const double cost = cost_of(q, d);
        all += cost;
        for (int c = 0; c < d->s.c; c++) q->price[find(q->up, q->base[i] + c)] += cost / d->s.c;
        for (int c = 0; flow == TL_FLOW_NEW && c < in; c++) q->price[find(q->up, q->base[x] + c)] += cost / in;
    }
    for (int i = 0; i < q->total; i++) q->price[i] /= all;
    return TL_OK;
}

static int by_score(const void *a, const void *b)
{
    const rank *x = a, *y = b;
    if (x->component != y->component) return x->component < y->component ? -1 : 1;
    return x->score != y->score ? (x->score < y->score ? 1 : -1) : (x->set > y->set) - (x->set < y->set);
}

static tl_status sort(pruner *q)
{
    TL_NEW(q->order = tl_new(q->a, rank, q->total));
    for (int j = 0; j < q->total; j++)
        if (find(q->up, j) == j && q->score[j].n) q->order[q->sets++] = (rank){ component(q, j), score_of(q, j), j };
    qsort(q->order, (size_t)q->sets, sizeof *q->order, by_score);
    return TL_OK;
}

/* Choose among the n sets of one component. */
static void choose(pruner *q, const rank *r, int n, float threshold)
{
    int stay = 0;
    while (stay < n && r[stay].score > threshold) stay++;
    if (stay < q->o->min) stay = q->o->min;
    stay = (stay + q->o->granularity - 1) / q->o->granularity * q->o->granularity;
    for (int j = 0; j < n; j++) q->keep[r[j].set] = j < stay || q->whole[r->component];
}

static tl_status choose_all(pruner *q, float threshold, tl_kept *kept)
{
    for (int j = 0; j < q->total; j++) q->keep[j] = true;
    for (int from = 0, to = 0; from < q->sets; from = to) {
        while (to < q->sets && q->order[to].component == q->order[from].component) to++;
        choose(q, q->order + from, to - from, threshold);
    }
    for (int i = 0; i < q->g->n; i++) {
        int c = q->g->node[i].s.c;
        if (!kept[i].at) TL_NEW(kept[i].at = tl_new(q->a, int, c));
        kept[i].n = 0;
        for (int j = 0; j < c; j++)
            if (q->keep[find(q->up, q->base[i] + j)]) kept[i].at[kept[i].n++] = j;
    }
    return TL_OK;
}

/* kept names channels of g, which may have been pruned before. */
static tl_status note_origin(const tl_node *d, const tl_kept *kept, tl_graph *s, int i)
{
    if (kept->n == d->s.c) return tl_node_keep(s, i, d->kept);
    int *origin = tl_new(s->arena, int, kept->n);
    TL_NEW(origin);
    for (int j = 0; j < kept->n; j++) origin[j] = d->kept ? d->kept[kept->at[j]] : kept->at[j];
    s->node[i].kept = origin;
    return TL_OK;
}

/* The smaller graph, without parameters. */
static tl_status shrink(const tl_graph *g, const tl_kept *kept, tl_arena *a, tl_graph **out)
{
    tl_graph *s = tl_graph_new(a);
    TL_NEW(s);
    for (int i = 0; i < g->n; i++) {
        const tl_node *d = &g->node[i];
        void *attr = tl_alloc(a, d->op->attr_size);
        tl_val x[TL_MAX_IN];
        TL_NEW(attr);
        memcpy(attr, d->attr, d->op->attr_size);
        if (d->op->resize) d->op->resize(attr, kept[i].n);
        for (int k = 0; k < d->nx; k++) x[k].i = d->x[k];
        s->block = d->block;
        tl_put(s, d->name, d->op, x, d->nx, attr);
        TL_TRY(s->status);
        s->node[i].fixed_stats = d->fixed_stats;
        TL_CHECK(s->node[i].s.c == kept[i].n, TL_ESHAPE, "'%s' (%s) has %d channels left, its flow says %d",
                 d->name, d->op->name, s->node[i].s.c, kept[i].n);
        TL_TRY(note_origin(d, &kept[i], s, i));
    }
    s->output = g->output;
    s->more = g->more;
    *out = s;
    return TL_OK;
}

/* The share of MACs (or parameters) that this threshold leaves. */
static tl_status share_left(pruner *q, float threshold, tl_kept *kept, double *share)
{
    tl_arena *a = tl_arena_new();
    tl_graph *s;
    TL_NEW(a);
    tl_status st = choose_all(q, threshold, kept);
    if (!st && !(st = shrink(q->g, kept, a, &s)))
        *share = q->o->macs > 0 ? tl_graph_macs(s) / tl_graph_macs(q->g)
                                : (double)tl_graph_params(s) / (double)tl_graph_params(q->g);
    tl_arena_free(a);
    return st;
}

/* The share falls as the threshold rises, in steps; halve the interval that holds the step to be crossed. */
static tl_status search(pruner *q, tl_kept *kept, float *threshold)
{
    double want = q->o->macs > 0 ? q->o->macs : q->o->params, share = 1;
    float lo = 0, hi = 0;
    for (int i = 0; i < q->sets; i++) hi = fmaxf(hi, q->order[i].score); /* above it only the minimum stays */
    TL_TRY(share_left(q, hi, kept, &share));
    TL_CHECK(share <= want, TL_EARG,
             "the smallest that pruning can reach is %.3f of the %s, not %.3f (at least %d channels a layer stay)",
             share, q->o->macs > 0 ? "MACs" : "parameters", want, q->o->min);
    for (int i = 0; i < 24; i++) {
        float mid = 0.5f * (lo + hi);
        TL_TRY(share_left(q, mid, kept, &share));
        if (share <= want) hi = mid;
        else lo = mid;
    }
    *threshold = hi;
    return TL_OK;
}

static void cut(const float *from, tl_dims d, const tl_kept *axis[2], float *to)
{
    size_t hw = (size_t)d.d[2] * (size_t)d.d[3];
    for (int i = 0; i < (axis[0] ? axis[0]->n : d.d[0]); i++)
        for (int j = 0; j < (axis[1] ? axis[1]->n : d.d[1]); j++) {
            int si = axis[0] ? axis[0]->at[i] : i, sj = axis[1] ? axis[1]->at[j] : j;
            memcpy(to, from + ((size_t)si * (size_t)d.d[1] + (size_t)sj) * hw, hw * sizeof *to);
            to += hw;
        }
}

static tl_status copy_parameters(const tl_graph *g, const tl_kept *kept, tl_graph *s)
{
    TL_EACH_PARAM(g, i, k) {
        const tl_node *d = &g->node[i];
        const tl_param *p = &d->p[k];
        const char *axes = d->op->param[k].axes;
        const tl_kept *axis[2] = { 0 };
        axis[0] = axes[0] == 'O' ? &kept[i] : NULL;
        if (axes[0] && axes[1] == 'I' && p->dims.d[1] == g->node[d->x[0]].s.c) axis[1] = &kept[d->x[0]];
        tl_param *to = &s->node[i].p[k];
        TL_CHECK(to->dims.d[0] == (axis[0] ? axis[0]->n : p->dims.d[0]) &&
                     to->dims.d[1] == (axis[1] ? axis[1]->n : p->dims.d[1]),
                 TL_ESHAPE, "'%s' (%s): the axes \"%s\" of %s do not say how to cut it", d->name, d->op->name, axes,
                 d->op->param[k].name);
        TL_NEW(to->w = tl_new(s->arena, float, tl_dims_count(to->dims)));
        to->frozen = p->frozen;
        cut(p->w, p->dims, axis, to->w);
    }
    return TL_OK;
}

static tl_status explore(pruner *q)
{
    int n = q->g->n;
    TL_NEW(q->base = tl_new(q->a, int, n));
    TL_NEW(q->with = tl_new(q->a, int, n));
    TL_NEW(q->whole = tl_new(q->a, bool, n));
    for (int i = 0; i < n; q->total += q->g->node[i++].s.c) q->base[i] = q->total;
    TL_NEW(q->node = tl_new(q->a, int, q->total));
    TL_NEW(q->up = tl_new(q->a, int, q->total));
    TL_NEW(q->score = tl_new(q->a, merged, q->total));
    TL_NEW(q->keep = tl_new(q->a, bool, q->total));
    for (int i = 0; i < q->total; i++) q->up[i] = i;
    for (int i = 0; i < n; i++) {
        q->with[i] = i;
        for (int c = 0; c < q->g->node[i].s.c; c++) q->node[q->base[i] + c] = i;
    }
    for (int i = 0; i < n; i++) TL_TRY(tie(q, i));
    for (int i = 0; i < n; i++) join(q, i);
    TL_TRY(exclude(q));
    if (q->o->importance && (q->o->macs > 0 || q->o->params > 0)) TL_TRY(find_prices(q));
    for (int i = 0; i < n; i++) TL_TRY(weigh(q, i));
    return sort(q);
}

tl_status tl_prune(const tl_graph *g, tl_arena *a, const tl_prune_opts *o, tl_graph **out, tl_prune_result *r)
{
    pruner q = { .g = g, .o = o, .a = a };
    *r = (tl_prune_result){ .threshold = o->threshold };
    TL_TRY(g->status);
    TL_CHECK(o->granularity >= 1 && o->min >= 1, TL_EARG,
             "pruning granularity %d and minimum %d must be at least 1", o->granularity, o->min);
    TL_NEW(r->kept = tl_new(a, tl_kept, g->n));
    TL_TRY(explore(&q));
    if (o->macs > 0 || o->params > 0) TL_TRY(search(&q, r->kept, &r->threshold));
    TL_TRY(choose_all(&q, r->threshold, r->kept));
    TL_TRY(shrink(g, r->kept, a, out));
    return copy_parameters(g, r->kept, *out);
}
