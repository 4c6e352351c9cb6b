/* plan.c - bind a graph to a batch size and memory. SPDX-License-Identifier: MIT
 *
 * First, lanes.c may split off a front that plans of its own infer picture by picture. In the order of the functions
 * below:
 *   shapes     every value's shape at this batch size
 *   mark       which nodes the wanted values need, and which the loss's gradient passes through
 *   absorb     an activation that alone follows an op which can apply it itself becomes part of it: the op writes the
 *              activation's value, and no pass over memory is spent on it. So does a sum, when inferring: the op that
 *              makes the later summand adds to the earlier one. Such a node, and dropout when inferring, is not run;
 *              its `root` is the node whose value it shares.
 *   choose     each op gets the first of its kernels that fits
 *   link       what a training step's batch norms need is done by the kernels beside them, where those can
 *   setup      kernels prepare what they need
 *   lifetimes  time runs from 0 to 2n: node i runs forward at i and backward at 2n-1-i. Each value and each gradient
 *              gets a buffer with the span of time in which somebody writes or reads it; values computed in place
 *              share one
 *   place      buffers whose spans do not meet may lie at the same address: greedy by size (Pisarchyk and Lee 2020)
 *   bind       pointers, and the list of steps
 *
 * A value read by several nodes gets its gradient from each. The first to run backward (the last in the graph) writes
 * it in place, the others write to a temporary that is added; no op knows about fan-out. */
#include "plan.h"
#include <stdlib.h>
#include <string.h>

typedef struct { size_t bytes, offset; int from, to; } buffer;

typedef struct {
    tl_plan        *p;
    const tl_graph *g;
    tl_arena       *tmp;
    bool *live, *on_path, *active, *skip, *wanted; /* per node; wanted: its value is read after forward */
    int  *root, *uses;                             /* per node; uses: how many inputs of nodes read its value */
    int  *onto;                                    /* per node: the summand whose memory it adds to, -1: none */
    int  *y, *dy;                                  /* per node: its buffers, -1: none */
    int (*sum)[TL_MAX_IN];                         /* per node and input: buffer of a gradient that is added, -1 */
    tl_list buf;                                   /* buffer */
    size_t grads;                                  /* floats that the parameters' gradients fill so far */
} planner;

static int forward_time(int i) { return i; }
static int backward_time(const planner *q, int i) { return 2 * q->g->n - 1 - i; }
static int source(const planner *q, int i, int k) { return q->root[q->g->node[i].x[k]]; }
static buffer *buf(const planner *q, int b) { return (buffer *)q->buf.at + b; }
static size_t padded(size_t floats) { return (floats + 15) & ~(size_t)15; } /* each gradient begins at 64 bytes */

static tl_status shapes(planner *q)
{
    for (int i = 0; i < q->g->n; i++) {
        const tl_node *d = &q->g->node[i];
        tl_io *io = &q->p->io[i];
        tl_shape s[TL_MAX_IN];
        tl_dims dims[TL_MAX_PARAM];
        *io = (tl_io){ .attr = d->attr, .k = tl_kernel(), .nx = d->nx, .act = TL_NO_ACT, .arena = q->p->arena,
                       .train = q->p->conf.train, .fixed_stats = d->fixed_stats, .constant = q->p->conf.constant,
                       .exact = q->p->conf.exact || tl_kernel_is_exact(), .dist = q->p->conf.dist };
        for (int k = 0; k < d->nx; k++) s[k] = io->x[k].s = q->p->io[d->x[k]].y.s;
        TL_TRY(d->op->shape(d->attr, d->nx, s, &io->y.s, dims));
        if (!d->nx) io->y.s.n = q->p->conf.batch;
        TL_NEW(io->p = tl_new(q->p->arena, tl_param, TL_MAX_PARAM));
        memcpy(io->p, d->p, sizeof d->p);
    }
    return TL_OK;
}

static bool trains(const tl_node *d)
{
    for (int k = 0; k < TL_MAX_PARAM && d->op->param[k].name; k++)
        if (!d->op->param[k].stat && !d->p[k].frozen && tl_dims_count(d->p[k].dims)) return true;
    return false;
}

static void mark(planner *q)
{
    const tl_plan_conf *c = &q->p->conf;
    for (int i = 0; i < c->nkeep; i++) q->wanted[c->keep[i].i] = true;
    q->wanted[c->train ? c->loss.i : tl_graph_output(q->g)] = true;
    if (c->train) q->on_path[c->loss.i] = true;
    for (int i = q->g->n - 1; i >= 0; i--) {
        q->live[i] |= q->wanted[i];
        for (int k = 0; k < q->g->node[i].nx; k++) {
            q->live[q->g->node[i].x[k]] |= q->live[i];
            q->on_path[q->g->node[i].x[k]] |= q->on_path[i] && q->g->node[i].op->backward;
        }
    }
    for (int i = 0; i < q->g->n; i++) {
        const tl_node *d = &q->g->node[i];
        bool some = d->nx ? trains(d) : c->input_grads;
        for (int k = 0; k < d->nx; k++) some |= q->active[d->x[k]];
        q->active[i] = some && q->on_path[i] && (d->op->backward || !d->nx);
    }
}

/* Is the value that node r computes read once only, by a node which thus may change what r computes? */
static bool alone(const planner *q, int r) { return q->uses[r] == 1 && !q->wanted[r] && !tl_act_on(q->p->io[r].act); }

/* Node i need not run: its value is what root r computes. */
static void merge(planner *q, int i, int r)
{
    q->root[i] = r;
    q->skip[i] = true;
    q->uses[r] += q->uses[i] - 1;
    q->wanted[r] |= q->wanted[i];
}

static bool runs(const planner *q, int i) { return q->live[i] && !q->skip[i]; }

/* Let the later of sum i's two summands be added to the earlier one, where that lies, if nobody else reads that any
 * more. */
static void absorb_sum(planner *q, int i)
{
    int a = source(q, i, 0), b = source(q, i, 1), first = a < b ? a : b, later = a < b ? b : a, before = 0;
    for (int j = 0; j < later; j++)
        for (int k = 0; runs(q, j) && k < q->g->node[j].nx; k++) before += source(q, j, k) == first;
    if (!q->g->node[later].op->takes_sum || !alone(q, later)) return;
    if (!q->g->node[first].nx || q->wanted[first] || q->uses[first] > before + 1) return;
    q->p->io[later].add = true;
    q->onto[later] = first;
    merge(q, i, later);
}

static void absorb(planner *q)
{
    bool train = q->p->conf.train;
    for (int i = 0; i < q->g->n; i++)
        for (int k = 0; q->live[i] && k < q->g->node[i].nx; k++) q->uses[q->g->node[i].x[k]]++;
    for (int i = 0; i < q->g->n; i++) {
        const tl_node *d = &q->g->node[i];
        q->root[i] = i;
        q->onto[i] = -1;
        if (!q->live[i] || !d->nx) continue;
        int r = source(q, i, 0);
        if (d->op->passes_when_inferring && !train) {
            merge(q, i, r);
        } else if (d->op->is_act && alone(q, r)
                   && q->g->node[r].op->takes_act & (train ? TL_ACT_TRAIN : TL_ACT_INFER)) {
            q->p->io[r].act = d->op->is_act(d->attr);
            merge(q, i, r);
        } else if (d->op->is_sum && !train) {
            absorb_sum(q, i);
        }
    }
}

static tl_status choose(planner *q, int i)
{
    const tl_node *d = &q->g->node[i];
    tl_io *io = &q->p->io[i];
    io->want_dw = q->active[i] && trains(d);
    for (int k = 0; k < d->nx; k++) io->want_dx[k] = q->active[i] && q->active[source(q, i, k)];
    for (int k = 0; k < TL_MAX_PARAM && d->op->param[k].name; k++) {
        tl_param *p = &io->p[k];
        size_t n = tl_dims_count(p->dims);
        TL_CHECK(!n || p->w, TL_EARG, "%s.%s has no values", d->name, d->op->param[k].name);
        if (!io->want_dw || !n || d->op->param[k].stat) continue;
        TL_CHECK(!p->frozen, TL_EUNSUP, "%s.%s is frozen, other parameters of %s are not", d->name, d->op->param[k].name,
                 d->name);
        q->p->ngrads += padded(n);
    }
    io->kernel = (tl_op_kernel){ d->op->name, NULL, d->op->setup, d->op->forward, d->op->backward, 0 };
    for (const tl_op_kernel *const *k = d->op->kernels; k && *k; k++)
        if ((*k)->fits(io)) {
            io->kernel = **k;
            break;
        }
    return TL_OK;
}

/* The node that reads value r, where there is but one; -1. */
static int reader(const planner *q, int r)
{
    int found = -1;
    for (int j = r + 1; q->uses[r] == 1 && !q->wanted[r] && found < 0 && j < q->g->n; j++)
        for (int k = 0; runs(q, j) && k < q->g->node[j].nx; k++)
            if (source(q, j, k) == r) found = j;
    return found;
}

/* Divide batch norm i's work among itself and its neighbors. */
static tl_status link(planner *q, int i)
{
    tl_io *io = &q->p->io[i];
    const int before = source(q, i, 0), after = reader(q, i);
    const unsigned can_before = alone(q, before) ? q->p->io[before].kernel.can : 0;
    const unsigned can_after = after >= 0 && source(q, after, 0) == i ? q->p->io[after].kernel.can : 0;
    tl_link l = { .summed = can_before & TL_CAN_SUM && !io->fixed_stats, .through = can_after & TL_CAN_READ_THROUGH };
    l.undone = can_before & TL_CAN_UNDO && q->active[before];
    if (!l.summed && !l.through && !l.undone) return TL_OK;
    TL_NEW(io->link = tl_new(q->p->arena, tl_link, 1));
    *io->link = l;
    if (l.summed || l.undone) q->p->io[before].link_out = io->link;
    if (l.through) q->p->io[after].link_in = io->link;
    return TL_OK;
}

static tl_status setup(planner *q, size_t *scratch)
{
    for (int i = 0; i < q->g->n; i++)
        if (runs(q, i)) TL_TRY(choose(q, i));
    for (int i = 0; i < q->g->n && !q->p->conf.unlinked; i++)
        if (runs(q, i) && q->g->node[i].op->is_norm && q->active[i]) TL_TRY(link(q, i));
    for (int i = 0; i < q->g->n; i++) {
        tl_io *io = &q->p->io[i];
        if (!runs(q, i)) continue;
        tl_status s = io->kernel.setup ? io->kernel.setup(io) : TL_OK;
        if (s) return tl_note(s, "preparing %s", q->g->node[i].name);
        if (io->scratch_bytes > *scratch) *scratch = io->scratch_bytes;
    }
    return TL_OK;
}

static tl_status new_buffer(planner *q, tl_shape s, int from, int to, int *out)
{
    buffer *b = tl_add(q->tmp, &q->buf, buffer);
    TL_NEW(b);
    *b = (buffer){ .bytes = (tl_count(s) * sizeof(float) + 63) & ~(size_t)63, .from = from, .to = to };
    *out = q->buf.n - 1;
    return TL_OK;
}

static void stretch(buffer *b, int time)
{
    if (time < b->from) b->from = time;
    if (time > b->to) b->to = time;
}

/* Is the value of node i its input, which is read through it? */
static bool read_through(const planner *q, int i) { return q->p->io[i].link && q->p->io[i].link->through; }

/* May node i overwrite its input, because nobody reads that again? */
static bool overwrites(const planner *q, int i)
{
    const tl_op *op = q->g->node[i].op;
    if (!op->y_in_x) return false;
    int r = source(q, i, 0);
    const tl_op *from = q->g->node[r].op;
    return q->uses[r] == 1 && q->g->node[r].nx && !q->wanted[r] && !(q->active[r] && (from->saves & TL_SAVES_Y))
           && !(q->active[i] && (op->saves & TL_SAVES_X));
}

static tl_status value_lifetimes(planner *q)
{
    for (int i = 0; i < q->g->n; i++) {
        const tl_node *d = &q->g->node[i];
        if (!runs(q, i)) continue;
        if (q->onto[i] >= 0) q->y[i] = q->y[q->onto[i]];
        else if (read_through(q, i) || overwrites(q, i)) q->y[i] = q->y[source(q, i, 0)];
        else TL_TRY(new_buffer(q, q->p->io[i].y.s, forward_time(i), forward_time(i), &q->y[i]));
        buffer *b = buf(q, q->y[i]);
        stretch(b, forward_time(i));
        if (q->active[i] && (d->op->saves & TL_SAVES_Y)) stretch(b, backward_time(q, i));
        if (!d->nx) stretch(b, 0);
        if (!d->nx || q->wanted[i]) stretch(b, 2 * q->g->n);
        for (int k = 0; k < d->nx; k++) {
            buffer *x = buf(q, q->y[source(q, i, k)]);
            stretch(x, forward_time(i));
            if (q->active[i] && (d->op->saves & TL_SAVES_X)) stretch(x, backward_time(q, i));
            if (q->p->io[i].link && q->p->io[i].link->undone) stretch(x, backward_time(q, source(q, i, k)));
        }
    }
    return TL_OK;
}

static tl_status gradient_lifetimes(planner *q)
{
    for (int i = q->g->n - 1; i >= 0; i--) {
        const tl_node *d = &q->g->node[i];
        int now = backward_time(q, i);
        if (!runs(q, i) || !q->active[i]) continue;
        if (q->y[i] >= 0 && q->dy[i] < 0) TL_TRY(new_buffer(q, q->p->io[i].y.s, now, now, &q->dy[i])); /* the loss */
        stretch(buf(q, q->dy[i]), d->nx ? now : 2 * q->g->n);
        for (int k = 0; k < d->nx; k++) {
            int r = source(q, i, k);
            if (!q->active[r]) continue;
            if (q->dy[r] >= 0) TL_TRY(new_buffer(q, q->p->io[r].y.s, now, now, &q->sum[i][k]));
            else if (k == 0 && d->op->dx_in_dy) q->dy[r] = q->dy[i];
            else TL_TRY(new_buffer(q, q->p->io[r].y.s, now, now, &q->dy[r]));
        }
    }
    return TL_OK;
}

static int by_size(const void *a, const void *b)
{
    const buffer *x = *(buffer *const *)a, *y = *(buffer *const *)b;
    return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : (x->from > y->from) - (x->from < y->from);
}

static int by_offset(const void *a, const void *b)
{
    const buffer *x = *(buffer *const *)a, *y = *(buffer *const *)b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Biggest first, each at the lowest address where it meets no placed buffer that lives at the same time. */
static tl_status place(planner *q, size_t *total)
{
    int n = q->buf.n;
    buffer **order = tl_new(q->tmp, buffer *, n), **meets = tl_new(q->tmp, buffer *, n);
    TL_NEW(order && meets ? order : NULL);
    for (int i = 0; i < n; i++) order[i] = buf(q, i);
    qsort(order, (size_t)n, sizeof *order, by_size);
    for (int i = 0; i < n; i++) {
        buffer *b = order[i];
        int m = 0;
        for (int j = 0; j < i; j++)
            if (order[j]->from <= b->to && b->from <= order[j]->to) meets[m++] = order[j];
        qsort(meets, (size_t)m, sizeof *meets, by_offset);
        for (int j = 0; j < m && meets[j]->offset < b->offset + b->bytes; j++)
            if (meets[j]->offset + meets[j]->bytes > b->offset) b->offset = meets[j]->offset + meets[j]->bytes;
        if (b->offset + b->bytes > *total) *total = b->offset + b->bytes;
    }
    return TL_OK;
}

/* Gradients of parameters lie in one block in the order in which backward finishes them, so that what is finished
 * is always its front. */
static void bind_gradients(planner *q, int i)
{
    const tl_node *d = &q->g->node[i];
    for (int k = 0; q->p->io[i].want_dw && k < TL_MAX_PARAM && d->op->param[k].name; k++) {
        tl_param *p = &q->p->io[i].p[k];
        if (d->op->param[k].stat || !tl_dims_count(p->dims)) continue;
        p->g = q->p->grads + q->grads;
        q->grads += padded(tl_dims_count(p->dims));
    }
}

static void bind_backward(planner *q, char *base, int i, tl_step *step)
{
    const tl_node *d = &q->g->node[i];
    tl_io *io = &q->p->io[i];
    bind_gradients(q, i);
    *step = (tl_step){ .node = i, .grads = q->grads };
    for (int k = 0; k < d->nx; k++) {
        int r = source(q, i, k);
        if (!io->want_dx[k]) continue;
        void *sum = base + buf(q, q->dy[r])->offset;
        io->dx[k].p = q->sum[i][k] < 0 ? sum : base + buf(q, q->sum[i][k])->offset;
        if (q->sum[i][k] >= 0) step->add[step->nadd++] = (tl_sum){ io->dx[k].m, sum, tl_count(q->p->io[r].y.s) };
    }
}

static tl_status bind(planner *q, size_t scratch)
{
    tl_plan *p = q->p;
    int n = q->g->n;
    size_t values = 0;
    TL_TRY(place(q, &values));
    p->bytes = values + scratch;
    char *base = tl_alloc_raw(p->arena, p->bytes); /* untouched until it is used: a plan that is only looked at costs no memory */
    TL_NEW(base);
    TL_NEW(p->forward = tl_new(p->arena, int, n));
    TL_NEW(p->backward = tl_new(p->arena, tl_step, n));
    TL_NEW(p->grads = tl_new(p->arena, float, p->ngrads));
    for (int i = 0; i < n; i++) {
        tl_io *io = &p->io[i];
        if (runs(q, i)) {
            io->y.p = base + buf(q, q->y[i])->offset;
            if (q->dy[i] >= 0) io->dy = (tl_tensor){ .s = io->y.s, .p = base + buf(q, q->dy[i])->offset };
            io->scratch = base + values;
            if (!io->nx) memset(io->y.p, 0, tl_count(io->y.s) * sizeof(float));
            p->forward[p->nforward++] = i;
        } else if (q->live[i]) {
            io->y.p = p->io[q->root[i]].y.p;
        }
        for (int k = 0; k < q->g->node[i].nx; k++) {
            io->x[k].p = p->io[q->g->node[i].x[k]].y.p;
            io->dx[k].s = io->x[k].s;
        }
    }
    for (int i = n - 1; i >= 0; i--)
        if (runs(q, i) && q->active[i] && q->g->node[i].op->backward)
            bind_backward(q, base, i, &p->backward[p->nbackward++]);
    return TL_OK;
}

static tl_status allocate(planner *q)
{
    int n = q->g->n;
    bool **flag[] = { &q->live, &q->on_path, &q->active, &q->skip, &q->wanted };
    int **index[] = { &q->root, &q->uses, &q->onto, &q->y, &q->dy };
    for (int i = 0; i < TL_LEN(flag); i++) TL_NEW(*flag[i] = tl_new(q->tmp, bool, n));
    for (int i = 0; i < TL_LEN(index); i++) TL_NEW(*index[i] = tl_new(q->tmp, int, n));
    TL_NEW(q->sum = tl_alloc(q->tmp, (size_t)n * sizeof *q->sum));
    memset(q->y, -1, (size_t)n * sizeof *q->y);
    memset(q->dy, -1, (size_t)n * sizeof *q->dy);
    memset(q->sum, -1, (size_t)n * sizeof *q->sum);
    TL_NEW(q->p->io = tl_new(q->p->arena, tl_io, n));
    return TL_OK;
}

static tl_status make(planner *q)
{
    size_t scratch = 0;
    TL_TRY(allocate(q));
    TL_TRY(shapes(q));
    mark(q);
    absorb(q);
    TL_TRY(setup(q, &scratch));
    TL_TRY(value_lifetimes(q));
    TL_TRY(gradient_lifetimes(q));
    return bind(q, scratch);
}

tl_status tl_plan_new(const tl_graph *g, tl_arena *a, const tl_plan_conf *c, tl_plan **out)
{
    tl_lanes *l;
    TL_TRY(g->status);
    tl_plan *p = tl_new(a, tl_plan, 1);
    TL_NEW(p);
    TL_TRY(tl_lanes_new(g, a, c, &l));
    *p = (tl_plan){ .g = l->n ? &l->rest : g, .conf = l->conf, .arena = a, .lanes = l };
    planner q = { .p = p, .g = p->g, .tmp = tl_arena_new() };
    TL_NEW(q.tmp);
    tl_status s = make(&q);
    tl_arena_free(q.tmp);
    for (int i = 0; i < l->n; i++) p->bytes += l->lane[i]->bytes;
    if (!s) *out = p;
    return s;
}

tl_tensor tl_plan_value(const tl_plan *p, tl_val v) { return p->io[v.i].y; }
