/* transfer.c - start from another model's weights. SPDX-License-Identifier: MIT
 *
 * Weights belong to layers of the same name; with them come the attributes they were trained under that change no shape (batch
 * norm's epsilon, the activation, the padding). A layer of another shape before the head means that the other model was pruned: then
 * its graph is taken as it is, as the original does. */
#include "net.h"
#include "text.h"
#include <string.h>

static bool same_dims(tl_dims a, tl_dims b) { return !memcmp(&a, &b, sizeof a); }

static bool has_params(const tl_node *d)
{
    for (int k = 0; k < TL_MAX_PARAM; k++)
        if (tl_dims_count(d->p[k].dims)) return true;
    return false;
}

static bool fits(const tl_node *d, const tl_node *from)
{
    for (int k = 0; k < TL_MAX_PARAM; k++)
        if (!same_dims(d->p[k].dims, from->p[k].dims)) return false;
    return d->op == from->op;
}

/* The first layer of the head: nothing from here on needs to match. The head reads the last feature map, whose maker is the last
 * node of a block. */
static int head_of(const tl_graph *g)
{
    int last = 0;
    for (int i = 0; i < g->n; i++)
        if (g->node[i].block >= 0) last = i;
    return last + 1;
}

static tl_status take(tl_graph *g, tl_node *d, const tl_node *from, bool keep_attr)
{
    for (int k = 0; k < TL_MAX_PARAM; k++)
        if (d->p[k].w) memcpy(d->p[k].w, from->p[k].w, tl_dims_count(d->p[k].dims) * sizeof(float));
    if (keep_attr) return TL_OK;
    tl_shape x[TL_MAX_IN], y;
    tl_dims p[TL_MAX_PARAM] = { { { 0 } } };
    for (int k = 0; k < d->nx; k++) x[k] = g->node[d->x[k]].s;
    TL_TRY(d->op->shape(from->attr, d->nx, x, &y, p));
    if (tl_same(y, d->s)) memcpy(d->attr, from->attr, d->op->attr_size);
    return TL_OK;
}

/* Is node i one whose channels are so many for each class? */
static bool predicts(const tl_model *m, int i)
{
    bool any = i == m->raw.i;
    for (int k = 0; k < m->g->more.n; k++) any |= i == m->g->more.at[k].i;
    return any;
}

/* The pruned model's graph in place of ours, its last layer replaced where the classes differ. */
static tl_status adopt(tl_model *m, const tl_model *from, uint64_t seed)
{
    tl_graph *old = m->g, *g = tl_graph_new(m->arena);
    const tl_graph *f = from->g;
    int classes = old->node[m->raw.i].s.c;
    TL_NEW(g);
    TL_CHECK(!tl_model_is_trunk(from), TL_ESPEC, "the pretrained model has layers of other sizes and no head, so its graph cannot be "
             "taken as it is; set arch, n_layers and alpha to those of the file (%s)", from->arch);
    TL_CHECK(tl_same(f->node[from->image.i].s, old->node[m->image.i].s), TL_ESPEC,
             "the pretrained model is pruned and takes %dx%dx%d pictures; set input_image_size to that",
             f->node[from->image.i].s.c, f->node[from->image.i].s.h, f->node[from->image.i].s.w);
    for (int i = 0; i < f->n; i++) {
        const tl_node *d = &f->node[i];
        tl_val x[TL_MAX_IN];
        void *attr = tl_alloc(g->arena, d->op->attr_size);
        int twin = tl_graph_find(old, d->name);
        TL_NEW(attr);
        memcpy(attr, d->attr, d->op->attr_size);
        if (predicts(from, i) && d->op->resize) d->op->resize(attr, d->s.c / f->node[from->raw.i].s.c * classes);
        for (int k = 0; k < d->nx; k++) x[k].i = d->x[k];
        g->block = twin >= 0 ? old->node[twin].block : -1;
        tl_put(g, d->name, d->op, x, d->nx, attr);
        TL_TRY(g->status);
        if (g->node[i].s.c == d->s.c) TL_TRY(tl_node_keep(g, i, d->kept));
    }
    TL_TRY(tl_graph_init(g, seed));
    for (int i = 0; i < g->n; i++)
        if (fits(&g->node[i], &f->node[i])) TL_TRY(take(g, &g->node[i], &f->node[i], true));
    m->g = g;
    m->image = from->image;
    m->raw = from->raw;
    m->answer = from->answer;
    g->output = m->answer.i;
    g->more = f->more;
    return TL_OK;
}

static void say_nearest(tl_text *t, const tl_graph *f, const char *name)
{
    tl_nearest near = { .word = name };
    for (int i = 0; i < f->n; i++)
        if (has_params(&f->node[i])) tl_nearest_try(&near, f->node[i].name);
    if (near.best) tl_textf(t, " (the nearest name there is '%s')", near.best);
}

/* Why d did not get its weights, for the report. */
static void explain(tl_text *t, const tl_graph *f, const tl_node *d, int j, bool in_head)
{
    tl_textf(t, "  %-28s ", d->name);
    if (j < 0) {
        tl_textf(t, "not in the file, starts fresh");
        say_nearest(t, f, d->name);
    } else if (f->node[j].op != d->op) {
        tl_textf(t, "skipped: %s here, %s in the file", d->op->name, f->node[j].op->name);
    } else if (same_dims(d->p[0].dims, f->node[j].p[0].dims)) {
        tl_textf(t, "skipped: with a bias on one side only (use_bias)");
    } else {
        const int *a = d->p[0].dims.d, *b = f->node[j].p[0].dims.d;
        tl_textf(t, "skipped: %dx%dx%dx%d here, %dx%dx%dx%d in the file%s", a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3],
                 in_head ? " (a new head starts fresh)" : "");
    }
    tl_textf(t, "\n");
}

/* Layer by layer; *pruned: a layer before the head has another shape. */
static tl_status match(tl_model *m, const tl_graph *f, bool keep_bn, bool keep_act, tl_transfer *r, tl_text *t, bool *pruned)
{
    int head = head_of(m->g);
    for (int i = 0; i < m->g->n; i++) {
        tl_node *d = &m->g->node[i];
        int j = tl_graph_find(f, d->name);
        const tl_node *twin = j >= 0 ? &f->node[j] : NULL;
        if (!has_params(d)) {
            if (twin && twin->op == d->op && d->op->is_act) TL_TRY(take(m->g, d, twin, keep_act));
        } else if (twin && fits(d, twin)) {
            TL_TRY(take(m->g, d, twin, keep_bn && d->op->is_scale));
            r->matched++;
        } else {
            *pruned |= twin && twin->op == d->op && i < head && !same_dims(d->p[0].dims, twin->p[0].dims);
            if (twin) r->skipped++;
            else r->fresh++;
            explain(t, f, d, j, i >= head);
        }
    }
    return TL_OK;
}

tl_status tl_model_transfer(tl_model *m, const tl_model *from, bool keep_bn, bool keep_act, uint64_t seed, tl_transfer *out)
{
    tl_text t = tl_text_new(m->arena);
    bool pruned = false;
    *out = (tl_transfer){ 0 };
    TL_TRY(match(m, from->g, keep_bn, keep_act, out, &t, &pruned));
    TL_CHECK(out->matched || pruned, TL_EDATA, "no layer of the pretrained model matches this network:\n%s", tl_text_end(&t));
    if (pruned) {
        TL_TRY(adopt(m, from, seed));
        *out = (tl_transfer){ .took_graph = true };
        TL_NEW(out->text = tl_printf(m->arena, "pretrained weights: the model is pruned; its graph is taken as it is (%zu parameters)\n",
                                     tl_graph_params(m->g)));
        return TL_OK;
    }
    const char *rows = tl_text_end(&t);
    TL_NEW(rows);
    out->text = tl_printf(m->arena, "pretrained weights: %d layers matched, %d skipped, %d fresh\n%s", out->matched, out->skipped, out->fresh, rows);
    TL_NEW(out->text);
    return TL_OK;
}
