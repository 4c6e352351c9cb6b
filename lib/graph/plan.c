/* plan.c - bind a graph to a batch size and memory. SPDX-License-Identifier: MIT
 *
 * First, lanes.c may split off a front that plans of its own infer picture by picture. In the order of the functions
 * below:
 *   shapes     every value's shape at this batch size, and its type: in mixed precision maps are bf16. What a node reads in
 *              another type than it is made in is converted before it runs, and so is the gradient after
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
 *              share one. A lean plan takes buffers away for the time between forward and backward where values can be made
 *              again
 *   place      buffers whose spans do not meet may lie at the same address (place.c)
 *   bind       pointers, and the list of steps
 *
 * A value read by several nodes gets its gradient from each. The first to run backward (the last in the graph) writes
 * it in place, the others write to a temporary that is added; no op knows about fan-out. */
#include "plan.h"
#include <string.h>

typedef struct {
    tl_plan        *p;
    const tl_graph *g;
    tl_arena       *tmp;
    bool *live, *on_path, *active, *skip, *wanted; /* per node; wanted: its value is read after forward */
    int  *root, *uses;                             /* per node; uses: how many inputs of nodes read its value */
    int  *onto;                                    /* per node: the summand whose memory it adds to, -1: none */
    int  *y, *dy;                                  /* per node: its buffers, -1: none */
    int  *remade;                                  /* per node: when its value is made again, 0: never */
    int (*sum)[TL_MAX_IN];                         /* per node and input: buffer of a gradient that is added, -1 */
    int (*cast)[TL_MAX_IN], (*dcast)[TL_MAX_IN];   /* likewise, of an input converted, and of its gradient before that is */
    tl_list buf;                                   /* tl_buffer */
    size_t grads;                                  /* floats that the parameters' gradients fill so far */
} planner;

static int forward_time(int i) { return i; }
static int backward_time(const planner *q, int i) { return 2 * q->g->n - 1 - i; }
static int source(const planner *q, int i, int k) { return q->root[q->g->node[i].x[k]]; }
static tl_buffer *buf(const planner *q, int b) { return (tl_buffer *)q->buf.at + b; }
static size_t padded(size_t floats) { return (floats + 15) & ~(size_t)15; } /* each gradient begins at 64 bytes */

static bool is_vector(tl_shape s) { return s.h * s.w == 1; }

/* Mixed precision: the types in which a node reads and writes, and the kernels for them. */
static void types(const tl_op *op, tl_io *io)
{
    bool vectors = is_vector(io->y.s);
    for (int k = 0; k < io->nx; k++) vectors &= is_vector(io->x[k].s);
    if (op->amp == TL_AMP_NONE || vectors) return;
    io->k = tl_kernel_bf16();
    if (op->amp == TL_AMP_ALL || !is_vector(io->y.s)) io->y.t = TL_BF16;
    for (int k = 0; k < io->nx; k++)
        if (op->amp == TL_AMP_ALL || !is_vector(io->x[k].s)) io->x[k].t = TL_BF16;
}

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
        if (q->p->conf.amp) types(d->op, io);
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
    for (int k = 0, i; !c->train && (i = tl_graph_output_at(q->g, k)) >= 0; k++) q->wanted[i] = true;
    if (c->train) q->wanted[c->loss.i] = q->on_path[c->loss.i] = true;
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

/* Does node i read its input k in another type than it is made in? */
static bool converts(const planner *q, int i, int k) { return q->p->io[i].x[k].t != q->p->io[source(q, i, k)].y.t; }

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
        if ((io->y.t == TL_F32 || (*k)->can & TL_CAN_BF16) && (*k)->fits(io)) {
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
    const unsigned can_after = after >= 0 && source(q, after, 0) == i && !converts(q, after, 0) ? q->p->io[after].kernel.can : 0;
    if (converts(q, i, 0)) return TL_OK;
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

#define NEVER ((tl_span){ 1, 0 })

static tl_status new_buffer(planner *q, tl_tensor t, int from, int to, int *out)
{
    tl_buffer *b = tl_add(q->tmp, &q->buf, tl_buffer);
    TL_NEW(b);
    *b = (tl_buffer){ .bytes = (tl_count(t.s) * tl_dtype_size(t.t) + 63) & ~(size_t)63, .in = { from, to }, .again = NEVER };
    *out = q->buf.n - 1;
    return TL_OK;
}

static void stretch(tl_buffer *b, int time)
{
    if (time < b->in.from) b->in.from = time;
    if (time > b->in.to) b->in.to = time;
}

/* Is the value of node i its input, which is read through it? */
static bool read_through(const planner *q, int i) { return q->p->io[i].link && q->p->io[i].link->through; }

/* May node i overwrite its input, because nobody reads that again? */
static bool overwrites(const planner *q, int i)
{
    const tl_op *op = q->g->node[i].op;
    if (!op->y_in_x || converts(q, i, 0)) return false;
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
        else TL_TRY(new_buffer(q, q->p->io[i].y, forward_time(i), forward_time(i), &q->y[i]));
        tl_buffer *b = buf(q, q->y[i]);
        stretch(b, forward_time(i));
        if (q->active[i] && (d->op->saves & TL_SAVES_Y)) stretch(b, backward_time(q, i));
        if (!d->nx) stretch(b, 0);
        if (!d->nx || q->wanted[i]) stretch(b, 2 * q->g->n);
        for (int k = 0; k < d->nx; k++) {
            tl_buffer *x = buf(q, q->y[source(q, i, k)]);
            stretch(x, forward_time(i));
            if (converts(q, i, k)) {
                TL_TRY(new_buffer(q, q->p->io[i].x[k], forward_time(i), forward_time(i), &q->cast[i][k]));
                x = buf(q, q->cast[i][k]);
            }
            if (q->active[i] && (d->op->saves & TL_SAVES_X)) stretch(x, backward_time(q, i));
            if (q->p->io[i].link && q->p->io[i].link->undone) stretch(x, backward_time(q, source(q, i, k)));
        }
    }
    return TL_OK;
}

/* When the value of node i, whose buffer is its own, is last read in forward, and first in backward; its own backward does not
 * read it. */
static tl_span gap(const planner *q, int i)
{
    tl_span s = { forward_time(i), 2 * q->g->n };
    for (int j = i + 1; j < q->g->n; j++)
        for (int k = 0; runs(q, j) && k < q->g->node[j].nx; k++) {
            if (source(q, j, k) != i) continue;
            s.from = forward_time(j);
            if (q->active[j] && (q->g->node[j].op->saves & TL_SAVES_X) && !converts(q, j, k)) s.to = backward_time(q, j);
        }
    return s;
}

/* Values that are not kept, but made again when they are read in backward: those whose input is kept anyway. */
static void leave_gaps(planner *q)
{
    for (int i = 0; i < q->g->n; i++) {
        const tl_op *op = q->g->node[i].op;
        if (!runs(q, i) || !op->remake || !q->active[i] || q->wanted[i] || op->saves & TL_SAVES_Y) continue;
        const tl_span s = gap(q, i);
        tl_buffer *b = buf(q, q->y[i]), *x = buf(q, q->y[source(q, i, 0)]);
        bool shared = converts(q, i, 0);
        for (int j = 0; j < q->g->n; j++) shared |= j != i && runs(q, j) && q->y[j] == q->y[i];
        if (shared || b->in.to < s.to || x->again.from <= x->again.to || x->in.to < s.to) continue;
        b->again = (tl_span){ s.to, b->in.to };
        b->in.to = s.from;
        q->remade[i] = s.to;
    }
}

static tl_status gradient_lifetimes(planner *q)
{
    for (int i = q->g->n - 1; i >= 0; i--) {
        const tl_node *d = &q->g->node[i];
        int now = backward_time(q, i);
        if (!runs(q, i) || !q->active[i]) continue;
        if (q->y[i] >= 0 && q->dy[i] < 0) TL_TRY(new_buffer(q, q->p->io[i].y, now, now, &q->dy[i])); /* the loss */
        stretch(buf(q, q->dy[i]), d->nx ? now : 2 * q->g->n);
        for (int k = 0; k < d->nx; k++) {
            int r = source(q, i, k);
            if (!q->active[r]) continue;
            if (converts(q, i, k)) TL_TRY(new_buffer(q, q->p->io[i].x[k], now, now, &q->dcast[i][k]));
            if (q->dy[r] >= 0) TL_TRY(new_buffer(q, q->p->io[r].y, now, now, &q->sum[i][k]));
            else if (k == 0 && d->op->dx_in_dy && !converts(q, i, k)) q->dy[r] = q->dy[i];
            else TL_TRY(new_buffer(q, q->p->io[r].y, now, now, &q->dy[r]));
        }
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

static void *at(const planner *q, char *base, int b) { return base + buf(q, b)->offset; }

/* The inputs of node i, converted where they must be. */
static void bind_inputs(planner *q, char *base, int i)
{
    tl_io *io = &q->p->io[i];
    for (int k = 0; k < io->nx; k++) {
        const tl_tensor made = q->p->io[q->g->node[i].x[k]].y;
        io->x[k].p = made.p;
        io->dx[k] = (tl_tensor){ .s = io->x[k].s, .t = io->x[k].t };
        if (q->cast[i][k] < 0) continue;
        io->x[k].p = at(q, base, q->cast[i][k]);
        q->p->cast[q->p->ncast++] = (tl_cast){ i, { made, io->x[k], false } };
    }
}

/* A value may be read twice by the same node. */
static void add_remade(tl_step *step, int node)
{
    for (int k = 0; k < step->nremake; k++)
        if (step->remake[k] == node) return;
    step->remake[step->nremake++] = node;
}

static void bind_backward(planner *q, char *base, int i, tl_step *step)
{
    const tl_node *d = &q->g->node[i];
    tl_io *io = &q->p->io[i];
    bind_gradients(q, i);
    *step = (tl_step){ .node = i, .grads = q->grads };
    for (int k = 0; k < d->nx; k++) {
        const int r = source(q, i, k), more = q->sum[i][k];
        if (q->remade[r] == backward_time(q, i)) add_remade(step, r);
        if (!io->want_dx[k]) continue;
        tl_tensor dx = q->p->io[r].dy, all = dx;
        if (more >= 0) dx.p = at(q, base, more);
        io->dx[k].p = q->dcast[i][k] >= 0 ? at(q, base, q->dcast[i][k]) : dx.p;
        if (q->dcast[i][k] >= 0) step->move[step->nmove++] = (tl_move){ io->dx[k], dx, false };
        if (more >= 0) step->move[step->nmove++] = (tl_move){ dx, all, true };
    }
}

static tl_status bind_values(planner *q, char *base, char *scratch)
{
    tl_plan *p = q->p;
    int casts = 0;
    for (int i = 0; i < q->g->n; i++)
        for (int k = 0; k < q->g->node[i].nx; k++) casts += q->cast[i][k] >= 0;
    TL_NEW(p->cast = tl_new(p->arena, tl_cast, casts));
    for (int i = 0; i < q->g->n; i++) {
        tl_io *io = &p->io[i];
        if (runs(q, i)) {
            io->y.p = at(q, base, q->y[i]);
            if (q->dy[i] >= 0) io->dy = (tl_tensor){ .s = io->y.s, .t = io->y.t, .p = at(q, base, q->dy[i]) };
            io->scratch = scratch;
            if (!io->nx) memset(io->y.p, 0, tl_count(io->y.s) * sizeof(float));
            p->forward[p->nforward++] = i;
        } else if (q->live[i]) {
            io->y = p->io[q->root[i]].y;
        }
        bind_inputs(q, base, i);
    }
    return TL_OK;
}

static tl_status bind(planner *q, size_t scratch)
{
    tl_plan *p = q->p;
    int n = q->g->n;
    size_t values = 0;
    TL_TRY(tl_buffers_place(q->tmp, &q->buf, &values));
    p->bytes = values + scratch;
    char *base = tl_alloc_raw(p->arena, p->bytes); /* untouched until it is used: a plan that is only looked at costs no memory */
    TL_NEW(base);
    TL_NEW(p->forward = tl_new(p->arena, int, n));
    TL_NEW(p->backward = tl_new(p->arena, tl_step, n));
    TL_NEW(p->grads = tl_new(p->arena, float, p->ngrads));
    TL_TRY(bind_values(q, base, base + values));
    for (int i = n - 1; i >= 0; i--)
        if (runs(q, i) && q->active[i] && q->g->node[i].op->backward)
            bind_backward(q, base, i, &p->backward[p->nbackward++]);
    return TL_OK;
}

static tl_status allocate(planner *q)
{
    int n = q->g->n;
    bool **flag[] = { &q->live, &q->on_path, &q->active, &q->skip, &q->wanted };
    int **index[] = { &q->root, &q->uses, &q->onto, &q->y, &q->dy, &q->remade };
    for (int i = 0; i < TL_LEN(flag); i++) TL_NEW(*flag[i] = tl_new(q->tmp, bool, n));
    for (int i = 0; i < TL_LEN(index); i++) TL_NEW(*index[i] = tl_new(q->tmp, int, n));
    int(**inputs[])[TL_MAX_IN] = { &q->sum, &q->cast, &q->dcast };
    for (int i = 0; i < TL_LEN(inputs); i++) {
        TL_NEW(*inputs[i] = tl_alloc(q->tmp, (size_t)n * sizeof **inputs[i]));
        memset(*inputs[i], -1, (size_t)n * sizeof **inputs[i]);
    }
    memset(q->y, -1, (size_t)n * sizeof *q->y);
    memset(q->dy, -1, (size_t)n * sizeof *q->dy);
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
    if (q->p->conf.lean) leave_gaps(q);
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
    p->conf.amp &= tl_kernel_bf16() != NULL;
    planner q = { .p = p, .g = p->g, .tmp = tl_arena_new() };
    TL_NEW(q.tmp);
    tl_status s = make(&q);
    tl_arena_free(q.tmp);
    for (int i = 0; i < l->n; i++) p->bytes += l->lane[i]->bytes;
    if (!s) *out = p;
    return s;
}

tl_tensor tl_plan_value(const tl_plan *p, tl_val v) { return p->io[v.i].y; }
