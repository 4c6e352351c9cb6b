/* match.c - give a network the weights of another program's. SPDX-License-Identifier: MIT
 *
 * Which layer is which is found by name (match_names.c) or by place (match_place.c); what follows is the same:
 * settings are taken over, then each layer's tensors are fitted to ours. What can be converted without loss is: a
 * bias in front of batch norm moves its mean, batch norm that one side has folded is folded or becomes the identity,
 * a projection that the other network's shortcut lacks becomes the identity, a smaller kernel is padded with zeros. */
#include "match.h"
#include "text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- What a node is ---- */

bool tl_has_params(const tl_node *d)
{
    for (int k = 0; k < TL_MAX_PARAM; k++)
        if (tl_dims_count(d->p[k].dims)) return true;
    return false;
}

bool tl_is_matrix(const tl_op *op) { return op->param[0].name && op->param[0].axes[1] == 'I'; }

int tl_only_reader(const tl_graph *g, int i)
{
    int reader = -1, n = 0;
    for (int j = i + 1; j < g->n; j++)
        for (int k = 0; k < g->node[j].nx; k++)
            if (g->node[j].x[k] == i) reader = j, n++;
    return n == 1 ? reader : -1;
}

bool tl_is_projection(const tl_graph *g, int i)
{
    const tl_node *d = &g->node[i];
    const int *k = d->p[0].dims.d;
    if (!tl_is_matrix(d->op) || k[0] != k[1] || k[2] * k[3] != 1 || !tl_same(d->s, g->node[d->x[0]].s)) return false;
    int r = tl_only_reader(g, i);
    if (r >= 0 && g->node[r].op->is_scale) r = tl_only_reader(g, r);
    return r >= 0 && g->node[r].op->is_sum;
}

tl_fit tl_kernel_fit(tl_dims o, tl_dims t)
{
    if (!memcmp(&o, &t, sizeof o)) return TL_FITS;
    bool same = o.d[0] == t.d[0];
    if (same && o.d[1] == t.d[1] && o.d[2] > t.d[2] && o.d[3] > t.d[3] && (o.d[2] - t.d[2]) % 2 == 0 &&
        o.d[2] - t.d[2] == o.d[3] - t.d[3])
        return TL_FITS_RESHAPED;
    return same && tl_dims_count(o) == tl_dims_count(t) && (o.d[2] * o.d[3] == 1 || t.d[2] * t.d[3] == 1)
               ? TL_FITS_RESHAPED
               : TL_FITS_NOT;
}

/* ---- Layers of the other side ---- */

static tl_layer *layer_named(tl_arena *a, tl_list *layers, const char *name)
{
    tl_layer *l = layers->at;
    for (int i = layers->n - 1; i >= 0; i--) /* tensors of a layer mostly stand together */
        if (!strcmp(l[i].name, name)) return l + i;
    l = tl_add(a, layers, tl_layer);
    if (l) *l = (tl_layer){ .name = name };
    return l;
}

static tl_status list_layers(tl_arena *a, const tl_foreign *f, tl_list *layers)
{
    const tl_foreign_tensor *t = f->tensor.at;
    for (int i = 0; i < f->tensor.n; i++) {
        if (t[i].role == TL_ROLE_OTHER) continue;
        tl_layer *l = layer_named(a, layers, t[i].layer);
        TL_NEW(l);
        l->t[t[i].role] = t + i;
    }
    return TL_OK;
}

static tl_role role_of(const tl_op *op, int k)
{
    static const tl_role scale[] = { TL_ROLE_GAMMA, TL_ROLE_BETA, TL_ROLE_MEAN, TL_ROLE_VAR };
    return op->is_scale ? scale[k] : k ? TL_ROLE_BIAS : TL_ROLE_KERNEL;
}

static tl_status node_layers(tl_arena *a, const tl_graph *f, tl_list *layers)
{
    for (int j = 0; j < f->n; j++) {
        const tl_node *d = &f->node[j];
        if (!tl_has_params(d)) continue;
        tl_layer *l = tl_add(a, layers, tl_layer);
        TL_NEW(l);
        *l = (tl_layer){ .name = d->name, .node = d };
        for (int k = 0; k < TL_MAX_PARAM; k++) {
            tl_foreign_tensor *t = tl_new(a, tl_foreign_tensor, 1);
            TL_NEW(t);
            *t = (tl_foreign_tensor){
                .layer = d->name, .name = d->name, .role = role_of(d->op, k), .dims = d->p[k].dims, .at = d->p[k].w
            };
            if (tl_dims_count(t->dims)) l->t[t->role] = t;
        }
    }
    return TL_OK;
}

tl_status tl_layers_of(tl_arena *a, const tl_graph *g, const tl_foreign *f, tl_pairs *out)
{
    tl_list layers = { 0, NULL };
    TL_TRY(f->model ? node_layers(a, f->model->g, &layers) : list_layers(a, f, &layers));
    *out = (tl_pairs){ layers.at,
                       layers.n,
                       tl_new(a, int, g->n),
                       tl_new(a, int, g->n),
                       tl_new(a, int, g->n),
                       tl_new(a, const tl_node *, g->n) };
    TL_NEW(out->of && out->fold && out->line && out->twin ? out->of : NULL);
    for (int i = 0; i < g->n; i++) out->of[i] = out->fold[i] = out->line[i] = -1;
    return TL_OK;
}

/* ---- The matching of one model ---- */

typedef struct {
    tl_model         *m;
    const tl_foreign *from;
    const tl_scheme  *scheme;
    tl_pairs          p;
    const float     **moved; /* per node: the other side's bias that has no place in it; its batch norm takes it */
    bool             *one;   /* per node: became the identity */
    int               head;  /* the first node of the head */
    tl_text           text;
    bool              all;   /* report what simply matched, too */
    tl_transfer      *out;
} matching;

static const tl_layer *layer_of(const matching *t, int i) { return t->p.of[i] >= 0 ? &t->p.layer[t->p.of[i]] : NULL; }

static int first_of_head(const tl_graph *g)
{
    int last = 0;
    for (int i = 0; i < g->n; i++)
        if (g->node[i].block >= 0) last = i;
    return last + 1;
}

/* ---- Settings ---- */

/* The same network with other settings; NULL in *out when the layers' sizes would not allow it. */
static tl_status with_settings(const tl_graph *g, void *const *attr, tl_graph **out)
{
    tl_graph *n = tl_graph_new(g->arena);
    TL_NEW(n);
    *out = NULL;
    for (int i = 0; i < g->n; i++) {
        const tl_node *d = &g->node[i];
        tl_val x[TL_MAX_IN];
        for (int k = 0; k < d->nx; k++) x[k].i = d->x[k];
        n->block = d->block;
        tl_put(n, d->name, d->op, x, d->nx, attr[i] ? attr[i] : d->attr);
        if (n->status == TL_ESHAPE) return TL_OK;
        TL_TRY(n->status);
        for (int k = 0; k < TL_MAX_PARAM; k++) {
            if (memcmp(&n->node[i].p[k].dims, &d->p[k].dims, sizeof(tl_dims))) return TL_OK;
            n->node[i].p[k] = d->p[k];
        }
    }
    n->output = g->output;
    n->more = g->more;
    *out = n;
    return TL_OK;
}

/* Settings that keep the size of this node's map. */
static tl_status keeps_size(const tl_graph *g, const tl_node *d, const void *attr, bool *yes)
{
    tl_shape x[TL_MAX_IN], y;
    tl_dims p[TL_MAX_PARAM] = { { { 0 } } };
    for (int k = 0; k < d->nx; k++) x[k] = g->node[d->x[k]].s;
    *yes = !d->op->shape(attr, d->nx, x, &y, p) && tl_same(y, d->s);
    return TL_OK;
}

static tl_status settle(matching *t, const tl_match_opts *o)
{
    tl_graph *g = t->m->g, *changed;
    void **attr = tl_new(t->m->arena, void *, g->n);
    TL_NEW(attr);
    for (int i = 0; i < g->n; i++) {
        const tl_op *op = g->node[i].op;
        if ((o->keep_bn && op->is_scale) || (o->keep_act && op->is_act) || !g->node[i].nx) continue;
        TL_TRY(tl_match_attr(g, &t->p, t->scheme, i, &attr[i]));
    }
    TL_TRY(with_settings(g, attr, &changed));
    bool same_size = changed && tl_same(changed->node[t->head - 1].s, g->node[t->head - 1].s);
    if (!changed || (!same_size && !o->exact)) { /* only what changes no size */
        for (int i = 0; i < g->n; i++) {
            bool yes = true;
            if (attr[i]) TL_TRY(keeps_size(g, &g->node[i], attr[i], &yes));
            if (!yes) attr[i] = NULL;
        }
        TL_TRY(with_settings(g, attr, &changed));
        tl_textf(&t->text, "  note: the other network's maps have other sizes (strides, padding or pooling); ours "
                           "are kept, so its results differ\n");
    }
    if (changed) t->m->g = changed;
    return TL_OK;
}

/* ---- Fitting tensors ---- */

static void say(matching *t, const tl_node *d, const char *what, const char *why)
{
    if (!t->all && !strcmp(what, "matched")) return;
    tl_textf(&t->text, "  %-30s %-11s %s\n", d->name, what, why);
}

static void set_all(float *w, size_t n, float v)
{
    for (size_t i = 0; i < n; i++) w[i] = v;
}

/* t's kernel in the middle of o's, zeros around; or the same numbers under another shape. */
static void fit_kernel(tl_dims o, float *to, tl_dims t, const float *from)
{
    size_t planes = (size_t)o.d[0] * (size_t)o.d[1], n = tl_dims_count(o);
    if (n == tl_dims_count(t)) {
        memcpy(to, from, n * sizeof *to);
        return;
    }
    int edge = (o.d[2] - t.d[2]) / 2;
    set_all(to, n, 0);
    for (size_t k = 0; k < planes; k++)
        for (int y = 0; y < t.d[2]; y++)
            memcpy(to + (k * (size_t)o.d[2] + (size_t)(y + edge)) * (size_t)o.d[3] + (size_t)edge,
                   from + (k * (size_t)t.d[2] + (size_t)y) * (size_t)t.d[3], (size_t)t.d[3] * sizeof *to);
}

static void be_identity(tl_node *d)
{
    int c = d->s.c;
    set_all(d->p[0].w, tl_dims_count(d->p[0].dims), 0);
    for (int i = 0; i < c; i++) d->p[0].w[(size_t)i * (size_t)c + (size_t)i] = 1;
    if (d->p[1].w) set_all(d->p[1].w, (size_t)c, 0);
}

static tl_status fresh(matching *t, int i)
{
    tl_node *d = &t->m->g->node[i];
    tl_nearest near = { .word = d->name };
    for (int l = 0; l < t->p.n; l++)
        if (!t->p.layer[l].used) tl_nearest_try(&near, t->p.layer[l].name);
    const char *why = tl_printf(t->m->arena,
                                i >= t->head ? "a new head"
                                : near.best  ? "not in the file; the nearest name there is '%s'"
                                             : "not in the file",
                                near.best);
    TL_NEW(why);
    say(t, d, "fresh", why);
    t->out->fresh++;
    return TL_OK;
}

static tl_status skipped(matching *t, int i, tl_dims o, tl_dims f)
{
    const char *why =
        tl_printf(t->m->arena, "%dx%dx%dx%d here, %dx%dx%dx%d in the file%s", o.d[0], o.d[1], o.d[2], o.d[3], f.d[0],
                  f.d[1], f.d[2], f.d[3], i >= t->head ? " (a head of another size starts fresh)" : "");
    TL_NEW(why);
    say(t, &t->m->g->node[i], "skipped", why);
    t->out->skipped++;
    return TL_OK;
}

/* Fold the batch norm `bn`, there, into what was just taken over. */
static tl_status fold(const matching *t, tl_node *d, const tl_node *bn)
{
    int c = d->s.c;
    size_t row = tl_dims_count(d->p[0].dims) / (size_t)c;
    float *s = tl_new(t->m->arena, float, c), *b = tl_new(t->m->arena, float, c);
    TL_NEW(s && b ? s : NULL);
    TL_CHECK(
        d->p[1].w, TL_EDATA,
        "'%s' has batch norm after it in the file, and here neither that nor a bias: set use_bias or use_batch_norm",
        d->name);
    bn->op->is_scale(bn->attr, bn->p, c, s, b);
    for (int o = 0; o < c; o++) {
        for (size_t j = 0; j < row; j++) d->p[0].w[(size_t)o * row + j] *= s[o];
        d->p[1].w[o] = d->p[1].w[o] * s[o] + b[o];
    }
    return TL_OK;
}

/* A convolution or a dense layer. */
static tl_status fit_matrix(matching *t, int i)
{
    tl_node *d = &t->m->g->node[i];
    const tl_layer *l = layer_of(t, i);
    if (!l) {
        if (!tl_is_projection(t->m->g, i) || !t->out->matched) return fresh(t, i);
        be_identity(d);
        t->one[i] = true;
        t->out->matched++;
        say(t, d, "identity", "the file's shortcut has no projection here");
        return TL_OK;
    }
    const tl_foreign_tensor *k = l->t[TL_ROLE_KERNEL], *b = l->t[TL_ROLE_BIAS];
    tl_fit fit = tl_kernel_fit(d->p[0].dims, k->dims);
    size_t out = (size_t)d->s.c;
    if (!fit || (b && tl_dims_count(b->dims) != out)) {
        t->p.of[i] = -1;
        return skipped(t, i, d->p[0].dims, fit ? b->dims : k->dims);
    }
    fit_kernel(d->p[0].dims, d->p[0].w, k->dims, k->at);
    if (d->p[1].w && b) memcpy(d->p[1].w, b->at, out * sizeof(float));
    else if (d->p[1].w) set_all(d->p[1].w, out, 0);
    else if (b) t->moved[i] = b->at;
    if (t->p.fold[i] >= 0) TL_TRY(fold(t, d, &t->from->model->g->node[t->p.fold[i]]));
    say(t, d, fit == TL_FITS ? "matched" : "reshaped", l->name);
    t->out->matched++;
    return TL_OK;
}

static void copy_or_set(tl_param *p, const tl_foreign_tensor *t, float otherwise)
{
    size_t n = tl_dims_count(p->dims);
    if (t) memcpy(p->w, t->at, n * sizeof *t->at);
    else set_all(p->w, n, otherwise);
}

/* y = x: gamma over the root of var + eps is one. */
static void be_identity_norm(tl_node *d, const float *bias)
{
    int c = d->s.c;
    float eps = ((const tl_bn *)d->attr)->eps;
    set_all(d->p[0].w, (size_t)c, sqrtf(1 + eps));
    for (int k = 0; k < c; k++) d->p[1].w[k] = bias ? bias[k] : 0;
    set_all(d->p[2].w, (size_t)c, 0);
    set_all(d->p[3].w, (size_t)c, 1);
}

static tl_status fit_norm(matching *t, int i)
{
    tl_node *d = &t->m->g->node[i];
    const tl_layer *l = layer_of(t, i);
    int x = d->x[0];
    const float *bias = t->moved[x];
    t->moved[x] = NULL;
    if (!l && (t->p.of[x] < 0 && !t->one[x])) return fresh(t, i);
    if (!l) {
        be_identity_norm(d, bias);
        say(t, d, "identity", t->one[x] ? "after a projection that is one" : "the file has its batch norm folded away");
        t->out->matched++;
        return TL_OK;
    }
    for (int r = TL_ROLE_GAMMA; r <= TL_ROLE_VAR; r++)
        if (l->t[r] && tl_dims_count(l->t[r]->dims) != (size_t)d->s.c)
            return skipped(t, i, d->p[0].dims, l->t[r]->dims);
    for (int k = 0; k < 4; k++) copy_or_set(&d->p[k], l->t[role_of(d->op, k)], d->op->param[k].init);
    for (int k = 0; bias && k < d->s.c; k++) d->p[2].w[k] -= bias[k];
    say(t, d, "matched", l->name);
    t->out->matched++;
    return TL_OK;
}

static tl_status fit_all(matching *t)
{
    tl_graph *g = t->m->g;
    for (int i = 0; i < g->n; i++) {
        if (!tl_has_params(&g->node[i])) continue;
        TL_TRY(g->node[i].op->is_scale ? fit_norm(t, i) : fit_matrix(t, i));
    }
    for (int i = 0; i < g->n; i++)
        TL_CHECK(!t->moved[i], TL_EDATA,
                 "'%s' has a bias in the file, and neither a bias nor batch norm here: set use_bias: true",
                 g->node[i].name);
    return TL_OK;
}

/* ---- All of it ---- */

/* The scheme is for our network's family: m->arch is "resnet18" where that is "resnet". */
static bool is_for(const tl_scheme *s, const tl_model *m)
{
    size_t n = strlen(s->arch);
    return !strncmp(m->arch, s->arch, n) && strspn(m->arch + n, "0123456789") == strlen(m->arch + n);
}

static tl_status choose_names(matching *t, const tl_scheme *wanted)
{
    int most = tl_match_by_name(t->m->g, NULL, &t->p);
    t->scheme = NULL;
    for (int s = 0; tl_scheme_at(s); s++) {
        if ((wanted && wanted != tl_scheme_at(s)) || !is_for(tl_scheme_at(s), t->m)) continue;
        int n = tl_match_by_name(t->m->g, tl_scheme_at(s), &t->p);
        if (n > most) most = n, t->scheme = tl_scheme_at(s);
    }
    tl_match_by_name(t->m->g, t->scheme, &t->p);
    return TL_OK;
}

static tl_status nothing(const matching *t)
{
    char some[512];
    tl_text x = tl_text_on(some, sizeof some);
    for (int l = 0, n = 0; l < t->p.n && n < 6; l++)
        if (!t->p.layer[l].used) tl_textf(&x, "%s%s", n++ ? ", " : "", t->p.layer[l].name);
    return tl_fail(TL_EDATA, "no layer of the file matches this network (%s):\n%sThe file's layers are %s, ...",
                   t->m->arch, t->text.at, some);
}

static void unused(matching *t)
{
    int n = 0;
    for (int l = 0; l < t->p.n; l++)
        if (!t->p.layer[l].used && !t->p.layer[l].idle)
            tl_textf(&t->text, "%s%s", n++ ? ", " : "  of the file, not used: ", t->p.layer[l].name);
    if (n) tl_textf(&t->text, "\n");
}

/* A network that has layers of our names was made here. */
static bool is_ours(const tl_graph *g, const tl_model *other)
{
    for (int i = 0; other && i < g->n; i++)
        if (tl_has_params(&g->node[i]) && tl_graph_find(other->g, g->node[i].name) >= 0) return true;
    return false;
}

tl_status tl_match(tl_model *m, const tl_foreign *from, const tl_match_opts *o, tl_transfer *out)
{
    matching t = {
        .m = m, .from = from, .head = first_of_head(m->g), .text = tl_text_new(m->arena), .all = o->all, .out = out
    };
    *out = (tl_transfer){ 0 };
    if (is_ours(m->g, from->model)) return tl_model_transfer(m, from->model, o->keep_bn, o->keep_act, o->seed, out);
    TL_NEW(t.moved = tl_new(m->arena, const float *, m->g->n));
    TL_NEW(t.one = tl_new(m->arena, bool, m->g->n));
    TL_TRY(tl_layers_of(m->arena, m->g, from, &t.p));
    TL_TRY(from->model ? tl_match_by_place(m->arena, m->g, m->image.i, from->model, &t.p)
                       : choose_names(&t, o->scheme));
    TL_TRY(settle(&t, o));
    TL_TRY(fit_all(&t));
    const char *rows = tl_text_end(&t.text);
    TL_NEW(rows);
    if (!out->matched) return nothing(&t);
    unused(&t);
    TL_NEW(rows = tl_text_end(&t.text));
    out->scheme = t.scheme;
    TL_NEW(out->text =
               tl_printf(m->arena, "%s%s%s%d layers matched, %d skipped, %d fresh%s%s\n%s",
                         t.scheme ? "names as in " : "", t.scheme ? t.scheme->origin : "", t.scheme ? ": " : "",
                         out->matched, out->skipped, out->fresh, *from->note ? "; " : "", from->note, rows));
    return TL_OK;
}
