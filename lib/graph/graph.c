/* graph.c - building, copying and counting graphs. SPDX-License-Identifier: MIT */
#include "graph.h"
#include "field.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

tl_graph *tl_graph_new(tl_arena *a)
{
    tl_graph *g = tl_new(a, tl_graph, 1);
    if (g) *g = (tl_graph){ .arena = a, .block = -1, .output = -1 };
    return g;
}

const char *tl_name(tl_graph *g, const char *fmt, ...)
{
    char text[128];
    va_list ap;
    if (g->status) return "";
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const char *s = tl_strdup(g->arena, text);
    if (!s) g->status = TL_ENOMEM;
    return s ? s : "";
}

int tl_graph_find(const tl_graph *g, const char *name)
{
    for (int i = 0; i < g->n; i++)
        if (!strcmp(g->node[i].name, name)) return i;
    return -1;
}

static tl_status grow(tl_graph *g)
{
    int cap = g->cap ? 2 * g->cap : 64;
    tl_node *n = tl_new(g->arena, tl_node, cap);
    TL_NEW(n);
    if (g->n) memcpy(n, g->node, (size_t)g->n * sizeof *n);
    g->node = n;
    g->cap = cap;
    return TL_OK;
}

static tl_status put(tl_graph *g, const char *name, const tl_op *op, const tl_val *x, int nx, const void *attr)
{
    TL_CHECK(nx >= op->min_in && nx <= op->max_in, TL_EARG, "%d inputs, wants %d to %d", nx, op->min_in, op->max_in);
    TL_CHECK(tl_graph_find(g, name) < 0, TL_EARG, "there is already a node of this name");
    if (g->n == g->cap) TL_TRY(grow(g));
    tl_node *d = &g->node[g->n];
    *d = (tl_node){ .op = op, .nx = nx, .block = g->block };
    TL_NEW(d->name = tl_strdup(g->arena, name));
    TL_NEW(d->attr = tl_alloc(g->arena, op->attr_size));
    memcpy(d->attr, attr, op->attr_size);
    if (op->field) {
        tl_field_defaults(op->field, d->attr);
        TL_TRY(tl_field_check(op->field, d->attr));
    }
    tl_shape s[TL_MAX_IN];
    tl_dims p[TL_MAX_PARAM] = { { { 0 } } };
    for (int i = 0; i < nx; i++) s[i] = g->node[d->x[i] = x[i].i].s;
    TL_TRY(op->shape(d->attr, nx, s, &d->s, p));
    for (int k = 0; k < TL_MAX_PARAM; k++) d->p[k].dims = p[k];
    g->n++;
    return TL_OK;
}

tl_val tl_put(tl_graph *g, const char *name, const tl_op *op, const tl_val *x, int nx, const void *attr)
{
    if (!g->status && (g->status = put(g, name, op, x, nx, attr)))
        tl_note(g->status, "adding %s '%s' to the network", op->name, name);
    return (tl_val){ g->status ? 0 : g->n - 1 };
}

static uint64_t hash_name(const char *s) /* FNV-1a */
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *s; s++) h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
    return h;
}

/* Glorot and Bengio 2010, uniform: limit sqrt(6 / (fan in + fan out)), fans counted with the kernel's area. */
static void draw(tl_param *p, const tl_param_def *def, uint64_t seed, const char *node)
{
    size_t n = tl_dims_count(p->dims);
    if (!def->axes[1]) {
        for (size_t j = 0; j < n; j++) p->w[j] = def->init;
        return;
    }
    tl_rng r = tl_rng_at(seed, hash_name(node), hash_name(def->name), 0);
    double area = (double)p->dims.d[2] * p->dims.d[3];
    float limit = (float)sqrt(6 / (area * ((double)p->dims.d[0] + p->dims.d[1])));
    for (size_t j = 0; j < n; j++) p->w[j] = tl_uniform_in(&r, -limit, limit);
}

tl_status tl_graph_init(tl_graph *g, uint64_t seed)
{
    TL_TRY(g->status);
    TL_EACH_PARAM(g, i, k) {
        tl_param *p = &g->node[i].p[k];
        if (p->w) continue;
        TL_NEW(p->w = tl_new(g->arena, float, tl_dims_count(p->dims)));
        draw(p, &g->node[i].op->param[k], seed, g->node[i].name);
    }
    return TL_OK;
}

size_t tl_graph_params(const tl_graph *g)
{
    size_t n = 0;
    TL_EACH_PARAM(g, i, k) n += tl_dims_count(g->node[i].p[k].dims);
    return n;
}

int tl_graph_output(const tl_graph *g) { return g->output >= 0 ? g->output : g->n - 1; }

int tl_graph_output_at(const tl_graph *g, int k)
{
    if (!k) return tl_graph_output(g);
    return k <= g->more.n ? g->more.at[k - 1].i : -1;
}

void tl_graph_give(tl_graph *g, tl_val output)
{
    g->output = output.i;
    g->more.n = 0;
}

static int last_output(const tl_graph *g)
{
    int last = 0;
    for (int k = 0, i; (i = tl_graph_output_at(g, k)) >= 0; k++) last = i > last ? i : last;
    return last;
}

double tl_graph_macs(const tl_graph *g)
{
    double sum = 0;
    for (int i = 0, last = last_output(g); i <= last; i++) {
        const tl_node *d = &g->node[i];
        if (d->op->macs) sum += d->op->macs(d->attr, g->node[d->x[0]].s, d->s);
    }
    return sum;
}

tl_status tl_node_keep(tl_graph *g, int i, const int *kept)
{
    size_t n = (size_t)g->node[i].s.c;
    int *to = kept ? tl_new(g->arena, int, n) : NULL;
    g->node[i].kept = to;
    if (!kept) return TL_OK;
    TL_NEW(to);
    memcpy(to, kept, n * sizeof *to);
    return TL_OK;
}

tl_status tl_node_cut(tl_graph *g, tl_arena *a, int i)
{
    const tl_node *d = &g->node[i];
    tl_input *attr = tl_new(a, tl_input, 1);
    TL_NEW(attr);
    *attr = (tl_input){ d->s.c, d->s.h, d->s.w };
    g->node[i] = (tl_node){ .op = &tl_op_input, .name = d->name, .attr = attr, .s = d->s, .block = d->block };
    return TL_OK;
}

tl_status tl_graph_copy(const tl_graph *g, tl_arena *a, tl_graph **out)
{
    tl_graph *c = tl_graph_new(a);
    TL_NEW(c);
    for (int i = 0; i < g->n; i++) {
        const tl_node *d = &g->node[i];
        tl_val x[TL_MAX_IN];
        for (int k = 0; k < d->nx; k++) x[k].i = d->x[k];
        c->block = d->block;
        tl_put(c, d->name, d->op, x, d->nx, d->attr);
        TL_TRY(c->status);
        c->node[i].fixed_stats = d->fixed_stats;
        TL_TRY(tl_node_keep(c, i, d->kept));
    }
    TL_EACH_PARAM(g, i, k) {
        const tl_param *p = &g->node[i].p[k];
        if (!p->w) continue;
        tl_param *q = &c->node[i].p[k];
        size_t bytes = tl_dims_count(p->dims) * sizeof(float);
        TL_NEW(q->w = tl_alloc_raw(a, bytes));
        memcpy(q->w, p->w, bytes);
        q->frozen = p->frozen;
    }
    c->output = g->output;
    c->more = g->more;
    *out = c;
    return TL_OK;
}
