/* onnx_in.c - an ONNX model as a graph. SPDX-License-Identifier: MIT
 *
 * Each node goes to the first op whose row lists its operator and whose onnx_in accepts it. What is not known is collected,
 * so that a user sees all of it at once. Casts and copies of constants are followed to the constant. */
#include "pass.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>

typedef struct { const char *name; int value; const tl_onnx_tensor *constant; } known; /* what a name in the file stands for */

typedef struct {
    const tl_onnx *m;
    tl_graph      *g;
    tl_list        names; /* known */
    tl_text        missing;
    int            nmissing;
} reader;

/* Later entries win; linear search over the hundreds of names a network has costs less than a table's code. */
static const known *look(const reader *r, const char *name)
{
    for (int i = r->names.n - 1; i >= 0; i--)
        if (!strcmp(((known *)r->names.at)[i].name, name)) return (known *)r->names.at + i;
    return NULL;
}

static tl_status learn(reader *r, const char *name, int value, const tl_onnx_tensor *constant)
{
    known *k = tl_add(r->g->arena, &r->names, known);
    TL_NEW(k);
    *k = (known){ name, value, constant };
    return TL_OK;
}

static tl_status read_input(reader *r, const tl_onnx_value *v)
{
    if (tl_onnx_init_find(r->m, v->name)) return TL_OK; /* before IR version 4 constants are listed as inputs too */
    TL_CHECK(v->rank == 4 && v->type == TL_ONNX_FLOAT, TL_EUNSUP, "input '%s' is not a float N x C x H x W picture", v->name);
    for (int i = 1; i < 4; i++)
        TL_CHECK(v->dim[i] > 0 && v->dim[i] < 1 << 15, TL_EUNSUP, "input '%s' has no fixed size", v->name);
    tl_val x = tl_put(r->g, v->name, &tl_op_input, NULL, 0, &(tl_input){ (int)v->dim[1], (int)v->dim[2], (int)v->dim[3] });
    TL_TRY(r->g->status);
    return learn(r, v->name, x.i, NULL);
}

static tl_status copy_params(reader *r, tl_node *d, const tl_onnx_tensor *const *p)
{
    for (int k = 0; k < TL_MAX_PARAM && d->op->param[k].name; k++) {
        size_t want = tl_dims_count(d->p[k].dims), n = 0;
        const float *f = NULL;
        if (!want) continue;
        TL_CHECK(p[k], TL_EFORMAT, "'%s' lacks its %s", d->name, d->op->param[k].name);
        TL_TRY(tl_onnx_floats(r->g->arena, p[k], &f, &n));
        TL_CHECK(n == want, TL_EFORMAT, "'%s': %s has %zu values, %zu are needed", d->name, d->op->param[k].name, n, want);
        TL_NEW(d->p[k].w = tl_new(r->g->arena, float, n));
        memcpy(d->p[k].w, f, n * sizeof *f);
    }
    return TL_OK;
}

/* How many nodes read this value, and whoever runs the model. */
static int readers(const tl_onnx *m, const char *name)
{
    int n = 0;
    for (int i = 0; i < m->output.n; i++) n += !strcmp(((const tl_onnx_value *)m->output.at)[i].name, name);
    for (int i = 0; i < m->node.n; i++) {
        const tl_onnx_node *d = (const tl_onnx_node *)m->node.at + i;
        for (int k = 0; k < d->in.n; k++) n += !strcmp(((const char **)d->in.at)[k], name);
    }
    return n;
}

/* The last two nodes are f(x) and x * f(x), and nobody else reads f(x): put the op in their place that is both. */
static tl_status merge_gate(reader *r)
{
    tl_graph *g = r->g;
    if (g->n < 2 || !g->node[g->n - 1].op->is_product) return TL_OK;
    const tl_node *product = &g->node[g->n - 1], *gate = product - 1;
    if (gate->nx != 1 || readers(r->m, gate->name) != 1) return TL_OK;
    bool first = product->x[0] == g->n - 2 && product->x[1] == gate->x[0];
    if (!first && !(product->x[1] == g->n - 2 && product->x[0] == gate->x[0])) return TL_OK;
    for (const tl_op *const *op = tl_ops; *op; op++)
        if ((*op)->self_gate == gate->op) {
            const tl_val x = { gate->x[0] };
            const char *name = product->name;
            void *attr = tl_alloc(g->arena, (*op)->attr_size);
            TL_NEW(attr);
            g->n -= 2;
            tl_put(g, name, *op, &x, 1, attr);
            return g->status;
        }
    return TL_OK;
}

/* Try one op on a node. TL_EUNSUP: not this one. */
static tl_status try_op(reader *r, const tl_op *op, const tl_onnx_view *v, const tl_val *x, int nx)
{
    const tl_onnx_tensor *p[TL_MAX_PARAM] = { NULL };
    const char *y = *(const char **)v->node->out.at;
    void *attr = tl_alloc(r->g->arena, op->attr_size);
    TL_NEW(attr);
    TL_TRY(op->onnx_in(v, attr, p));
    tl_val out = tl_put(r->g, y, op, x, nx, attr);
    TL_TRY(r->g->status);
    TL_TRY(copy_params(r, &r->g->node[out.i], p));
    TL_TRY(merge_gate(r));
    return learn(r, y, r->g->n - 1, NULL);
}

static bool reads(const tl_op *op, const char *name)
{
    for (int i = 0; i < TL_LEN(op->onnx) && op->onnx[i]; i++)
        if (!strcmp(op->onnx[i], name)) return true;
    return false;
}

/* A Cast or Identity of a constant stands for the constant. */
static bool is_constant(reader *r, const tl_onnx_node *n, const tl_onnx_tensor **t)
{
    if (n->in.n != 1 || (strcmp(n->op, "Cast") && strcmp(n->op, "Identity"))) return false;
    const known *k = look(r, *(const char **)n->in.at);
    *t = k ? k->constant : NULL;
    return *t && (n->op[0] == 'I' || tl_onnx_int(n, "to", 0) == TL_ONNX_FLOAT);
}

static tl_status read_node(reader *r, const tl_onnx_node *n)
{
    const tl_onnx_tensor *constant;
    tl_onnx_view v = { .model = r->m, .node = n, .arena = r->g->arena };
    tl_val x[TL_MAX_IN];
    int nx = 0;
    TL_CHECK(n->out.n >= 1, TL_EFORMAT, "node '%s' has no output", n->name);
    if (is_constant(r, n, &constant)) return learn(r, *(const char **)n->out.at, -1, constant);
    TL_CHECK(n->in.n <= TL_MAX_IN, TL_EUNSUP, "node '%s' (%s) has %d inputs, at most %d are supported", n->name, n->op, n->in.n, TL_MAX_IN);
    for (int i = 0; i < n->in.n; i++) {
        const char *name = ((const char **)n->in.at)[i];
        if (!name[0]) continue;
        const known *k = look(r, name);
        if (!k && r->nmissing) return TL_OK; /* it comes from a node that was not understood */
        TL_CHECK(k, TL_EFORMAT, "node '%s' reads '%s', which nothing before it makes", n->name, name);
        v.in[i] = k->constant;
        if (!k->constant) x[nx++].i = k->value;
    }
    tl_fail(TL_EUNSUP, "this operator is not supported");
    for (const tl_op *const *op = tl_ops; *op; op++) {
        if (!reads(*op, n->op) || nx < (*op)->min_in || nx > (*op)->max_in) continue;
        tl_status s = try_op(r, *op, &v, x, nx);
        if (s != TL_EUNSUP) return s;
    }
    r->nmissing++;
    tl_textf(&r->missing, "\n  '%s' (%s): %s", n->name, n->op, tl_errmsg());
    return TL_OK;
}

static tl_status read_all(reader *r)
{
    const tl_onnx *m = r->m;
    for (int i = 0; i < m->init.n; i++) {
        const tl_onnx_tensor *t = (const tl_onnx_tensor *)m->init.at + i;
        TL_TRY(learn(r, t->name, -1, t));
    }
    for (int i = 0; i < m->input.n; i++) TL_TRY(read_input(r, (const tl_onnx_value *)m->input.at + i));
    for (int i = 0; i < m->node.n; i++) TL_TRY(read_node(r, (const tl_onnx_node *)m->node.at + i));
    TL_CHECK(!r->nmissing, TL_EUNSUP, "%d of the model's %d operations cannot be read:%s", r->nmissing, m->node.n, tl_text_end(&r->missing));
    TL_CHECK(m->output.n >= 1, TL_EFORMAT, "the model has no output");
    const char *out = ((const tl_onnx_value *)m->output.at)->name;
    const known *k = look(r, out);
    TL_CHECK(k && !k->constant, TL_EFORMAT, "nothing makes the model's output '%s'", out);
    r->g->output = k->value;
    return TL_OK;
}

tl_status tl_graph_from_onnx(const tl_onnx *m, tl_arena *a, tl_graph **out)
{
    reader r = { .m = m, .g = tl_graph_new(a), .missing = tl_text_new(a) };
    TL_NEW(r.g);
    TL_TRY(read_all(&r));
    *out = r.g;
    return TL_OK;
}
