/* onnx_in.c - an ONNX model as a graph. SPDX-License-Identifier: MIT
 *
 * Each node goes to the first op whose row lists its operator and whose onnx_in accepts it. What is not known is
 * collected, so that a user sees all of it at once. Nodes that only give another name or another rank to what is
 * there make no node here: constants, copies, casts, reshapes of vectors, and the shape arithmetic that exporters
 * write for a reshape. */
#include "pass.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>

/* What a name in the file stands for: a constant, a node's value, or (value SIZES) numbers computed from shapes. */
typedef struct { const char *name; int value; const tl_onnx_tensor *constant; bool nhwc; } known;
enum { CONSTANT = -1, SIZES = -2 };
#define MOST_VALUES ((size_t)1 << 27) /* in a map: far more than any network has, and far from overflow */

typedef struct {
    const tl_onnx *m;
    tl_graph      *g;
    tl_list        names; /* known */
    size_t         made, may_make; /* values in parameters */
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

/* Was the node added, and does it make what can be? A few bytes can declare maps beyond all measure. */
static tl_status made(const reader *r, tl_val x)
{
    TL_TRY(r->g->status);
    const tl_node *d = &r->g->node[x.i];
    TL_CHECK(tl_count(d->s) <= MOST_VALUES, TL_EUNSUP, "'%s' makes a map of " TL_SHAPE_FMT ", which is too large", d->name,
             TL_SHAPE(d->s));
    return TL_OK;
}

static tl_status learn(reader *r, const char *name, int value, const tl_onnx_tensor *constant)
{
    known *k = tl_add(r->g->arena, &r->names, known);
    TL_NEW(k);
    *k = (known){ name, value, constant, false };
    return TL_OK;
}

static bool is(const tl_onnx_node *n, const char *ops) /* "Shape Gather": one of these */
{
    size_t len = strlen(n->op);
    for (const char *s = ops; (s = strstr(s, n->op)); s += len)
        if ((s == ops || s[-1] == ' ') && (!s[len] || s[len] == ' ')) return true;
    return false;
}

static bool transposes(const tl_onnx_node *n, const int64_t want[4])
{
    const tl_onnx_attr *perm = tl_onnx_attr_find(n, "perm");
    return perm && perm->kind == TL_ONNX_AINTS && perm->n == 4 && !memcmp(perm->ints, want, 4 * sizeof *want);
}

static const int64_t to_nchw[] = { 0, 3, 1, 2 };

static bool is_transposed(const tl_onnx *m, const char *name)
{
    for (int i = 0; i < m->node.n; i++) {
        const tl_onnx_node *n = (const tl_onnx_node *)m->node.at + i;
        if (n->in.n && !strcmp(*(const char **)n->in.at, name) && is(n, "Transpose")) return transposes(n, to_nchw);
    }
    return false;
}

/* A picture N,C,H,W; or N,H,W,C, as programs have it that grew up with TensorFlow: then a Transpose follows. */
static tl_status read_input(reader *r, const tl_onnx_value *v)
{
    if (tl_onnx_init_find(r->m, v->name)) return TL_OK; /* before IR version 4 constants are listed as inputs too */
    bool floats = v->type == TL_ONNX_FLOAT || v->type == TL_ONNX_FLOAT16 || v->type == TL_ONNX_DOUBLE;
    TL_CHECK(v->rank == 4 && floats, TL_EUNSUP, "input '%s' is not a float N x C x H x W picture", v->name);
    for (int i = 1; i < 4; i++)
        TL_CHECK(v->dim[i] > 0 && v->dim[i] < 1 << 15, TL_EUNSUP,
                 "input '%s' has no fixed size; export the model with one", v->name);
    bool nhwc = is_transposed(r->m, v->name);
    int c = nhwc ? 3 : 1;
    tl_val x = tl_put(r->g, v->name, &tl_op_input, NULL, 0,
                      &(tl_input){ (int)v->dim[c], (int)v->dim[nhwc ? 1 : 2], (int)v->dim[nhwc ? 2 : 3] });
    TL_TRY(made(r, x));
    TL_TRY(learn(r, v->name, x.i, NULL));
    ((known *)r->names.at)[r->names.n - 1].nhwc = nhwc;
    return TL_OK;
}

/* Parameters are made of constants, and one number may become one per channel: what a file of so many bytes may make in
 * all is bounded. */
static size_t most_parameters(const tl_onnx *m)
{
    size_t n = (size_t)1 << 22;
    for (int i = 0; i < m->init.n; i++) n += ((const tl_onnx_tensor *)m->init.at)[i].bytes;
    for (int i = 0; i < m->node.n; i++) {
        const tl_onnx_attr *value = tl_onnx_attr_find((const tl_onnx_node *)m->node.at + i, "value");
        if (value && value->t) n += value->t->bytes;
    }
    return n;
}

static tl_status copy_params(reader *r, tl_node *d, const tl_onnx_tensor *const *p)
{
    for (int k = 0; k < TL_MAX_PARAM && d->op->param[k].name; k++) {
        size_t want = tl_dims_count(d->p[k].dims), n = 0;
        const float *f = NULL;
        if (!want) continue;
        r->made += want;
        TL_CHECK(r->made <= r->may_make, TL_EFORMAT, "the network has far more parameters than its file holds");
        TL_CHECK(p[k], TL_EFORMAT, "'%s' lacks its %s", d->name, d->op->param[k].name);
        TL_TRY(tl_onnx_floats(r->g->arena, p[k], &f, &n));
        TL_CHECK(n == want, TL_EFORMAT, "'%s': %s has %zu values, %zu are needed", d->name, d->op->param[k].name, n,
                 want);
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
    TL_TRY(made(r, out));
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

/* ---- Nodes that make nothing new ---- */

/* Sizes of values: their Shape, and what is computed from those and constants alone. */
static bool makes_sizes(const reader *r, const tl_onnx_node *n)
{
    bool sizes = is(n, "Shape");
    if (!sizes && !is(n, "Gather Unsqueeze Concat Slice Squeeze Cast Mul Add Sub Div")) return false;
    for (int i = 0; i < n->in.n && !is(n, "Shape"); i++) {
        const char *name = ((const char **)n->in.at)[i];
        const known *k = look(r, name);
        if (name[0] && (!k || k->value >= 0)) return false;
        sizes |= k && k->value == SIZES;
    }
    return sizes;
}

/* A reshape between a vector and a map of one pixel, or of a vector to a vector, changes nothing in memory. */
static bool keeps_vector(const reader *r, const tl_onnx_node *n, const known *k)
{
    tl_shape s = r->g->node[k->value].s;
    return is(n, "Reshape Squeeze Unsqueeze") && s.h * s.w == 1;
}

/* A Reshape to N,(all the rest): what Flatten does. Shapes that are computed mean that as well: the dense layer after
 * it checks. */
static bool flattens(const reader *r, const tl_onnx_node *n, const known *k)
{
    if (!is(n, "Reshape") || n->in.n != 2) return false;
    const known *to = look(r, ((const char **)n->in.at)[1]);
    int64_t d[2], all = (int64_t)tl_count(r->g->node[k->value].s);
    if (to && to->value == SIZES) return true;
    if (!to || !to->constant || to->constant->type != TL_ONNX_INT64 || to->constant->bytes != sizeof d) return false;
    memcpy(d, to->constant->data, sizeof d);
    return d[1] == all || (d[1] == -1 && (d[0] == 0 || d[0] == 1));
}

/* *done: n made nothing new, and its output is known. */
static tl_status pass_on(reader *r, const tl_onnx_node *n, bool *done)
{
    const char *y = *(const char **)n->out.at;
    const tl_onnx_attr *value = tl_onnx_attr_find(n, "value");
    const known *k = n->in.n ? look(r, *(const char **)n->in.at) : NULL;
    *done = true;
    if (is(n, "Constant") && value && value->t) return learn(r, y, CONSTANT, value->t);
    if (makes_sizes(r, n)) return learn(r, y, SIZES, NULL);
    bool copies =
        is(n, "Identity") || (is(n, "Cast") && (!k || k->value >= 0 || tl_onnx_int(n, "to", 0) == TL_ONNX_FLOAT));
    if (k && n->in.n == 1 && copies) {
        const known was = *k;
        return learn(r, y, was.value, was.constant);
    }
    if (k && k->value >= 0 && k->nhwc && is(n, "Transpose") && transposes(n, to_nchw))
        return learn(r, y, k->value, NULL);
    if (k && k->value >= 0 && keeps_vector(r, n, k)) return learn(r, y, k->value, NULL);
    if (k && k->value >= 0 && flattens(r, n, k)) {
        tl_val x = OP(r->g, y, flatten, IN((tl_val){ k->value }), 0);
        TL_TRY(made(r, x));
        return learn(r, y, x.i, NULL);
    }
    *done = false;
    return TL_OK;
}

/* ---- Nodes ---- */

static void no_operator(void) { (void)tl_fail(TL_EUNSUP, "this operator is not supported"); }

/* Networks of other programs may lack the same operator many times: a few of the nodes that use it are enough. */
static void say_missing(reader *r, const tl_onnx_node *n)
{
    enum { MOST = 12 };
    if (++r->nmissing <= MOST) tl_textf(&r->missing, "\n  '%s' (%s): %s", n->name, n->op, tl_errmsg());
    if (r->nmissing == MOST + 1) tl_textf(&r->missing, "\n  and others");
}

/* Of a node behind one that was not understood all that can be told is whether its operator is known; once each. */
static void judge_operator(reader *r, const tl_onnx_node *n)
{
    char mark[80];
    tl_text t = tl_text_on(mark, sizeof mark);
    if (is(n, "Constant Identity Cast Shape Gather Unsqueeze Squeeze Slice Reshape Transpose Mul Add Sub Div")) return;
    for (const tl_op *const *op = tl_ops; *op; op++)
        if (reads(*op, n->op)) return;
    tl_textf(&t, "' (%s): ", n->op);
    if (r->missing.failed || strstr(r->missing.at, mark)) return;
    no_operator();
    say_missing(r, n);
}

static tl_status read_node(reader *r, const tl_onnx_node *n)
{
    bool done;
    tl_onnx_view v = { .model = r->m, .node = n, .arena = r->g->arena };
    tl_val x[TL_MAX_IN];
    int nx = 0;
    TL_CHECK(n->out.n >= 1, TL_EFORMAT, "node '%s' has no output", n->name);
    TL_TRY(pass_on(r, n, &done));
    if (done) return TL_OK;
    TL_CHECK(n->in.n <= TL_MAX_IN, TL_EUNSUP, "node '%s' (%s) has %d inputs, at most %d are supported", n->name,
             n->op, n->in.n, TL_MAX_IN);
    for (int i = 0; i < n->in.n; i++) {
        const char *name = ((const char **)n->in.at)[i];
        if (!name[0]) continue;
        const known *k = look(r, name);
        if (!k && r->nmissing) { /* it comes from a node that was not understood */
            judge_operator(r, n);
            return TL_OK;
        }
        TL_CHECK(k, TL_EFORMAT, "node '%s' reads '%s', which nothing before it makes", n->name, name);
        v.in[i] = k->constant;
        TL_CHECK(k->value != SIZES && !k->nhwc, TL_EUNSUP, "node '%s' (%s) computes with %s, which is not supported",
                 n->name, n->op, k->nhwc ? "a picture N x H x W x C before it is transposed" : "the sizes of maps");
        if (!k->constant) x[nx++].i = k->value;
    }
    if (nx) v.xs = r->g->node[x[0].i].s;
    no_operator();
    for (const tl_op *const *op = tl_ops; *op; op++) {
        if (!reads(*op, n->op) || nx < (*op)->min_in || nx > (*op)->max_in) continue;
        tl_status s = try_op(r, *op, &v, x, nx);
        if (s != TL_EUNSUP) return s;
    }
    say_missing(r, n);
    return TL_OK;
}

static tl_status read_all(reader *r)
{
    const tl_onnx *m = r->m;
    for (int i = 0; i < m->init.n; i++) {
        const tl_onnx_tensor *t = (const tl_onnx_tensor *)m->init.at + i;
        TL_TRY(learn(r, t->name, CONSTANT, t));
    }
    for (int i = 0; i < m->input.n; i++) TL_TRY(read_input(r, (const tl_onnx_value *)m->input.at + i));
    for (int i = 0; i < m->node.n; i++) TL_TRY(read_node(r, (const tl_onnx_node *)m->node.at + i));
    TL_CHECK(!r->nmissing, TL_EUNSUP, "the model has operations that cannot be read:%s", tl_text_end(&r->missing));
    TL_CHECK(m->output.n >= 1, TL_EFORMAT, "the model has no output");
    for (int i = 0; i < m->output.n && i <= TL_MAX_VALS; i++) {
        const char *out = ((const tl_onnx_value *)m->output.at)[i].name;
        const known *k = look(r, out);
        TL_CHECK(k && k->value >= 0, TL_EFORMAT, "nothing makes the model's output '%s'", out);
        if (i) r->g->more.at[r->g->more.n++].i = k->value;
        else tl_graph_give(r->g, (tl_val){ k->value });
    }
    return TL_OK;
}

tl_status tl_graph_from_onnx(const tl_onnx *m, tl_arena *a, tl_graph **out)
{
    reader r = { .m = m, .g = tl_graph_new(a), .missing = tl_text_new(a), .may_make = most_parameters(m) };
    TL_NEW(r.g);
    TL_TRY(read_all(&r));
    *out = r.g;
    return TL_OK;
}
