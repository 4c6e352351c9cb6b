/* match_place.c - layers of two networks that stand in the same place. SPDX-License-Identifier: MIT
 *
 * Both networks are walked from the picture on. A node here is paired with the first free node there that does the
 * same (operation, size of the kernel) to the same values. One side may have what the other has not, as long as it
 * can be the identity: batch norm folded away, dropout, a flatten of what is flat already, a projection on a
 * shortcut. Of siblings that look alike (the 1x1 branches of an inception module) the order decides, which both sides
 * have from the publication. */
#include "match.h"

typedef struct {
    const tl_graph *g, *f;
    tl_pairs       *p;
    int            *layer; /* per node there: its layer, -1: none */
    bool           *used;  /* per node there */
} walk;

/* Nothing happens here outside training, or nothing at all. */
static bool passes(const tl_graph *g, const tl_node *d)
{
    if (d->op->passes_when_inferring) return true;
    return d->nx == 1 && d->op->flow(d->attr, &d->s) == TL_FLOW_SPREAD && tl_same(d->s, g->node[d->x[0]].s);
}

static bool flattens_map(const tl_graph *g, const tl_node *d)
{
    tl_shape x = g->node[d->x[0]].s;
    return d->s.h == 1 && d->s.w == 1 && x.h * x.w > 1 && (d->op == &tl_op_gap || d->op == &tl_op_avgpool);
}

/* Could e, there, be d? Only if nothing fits exactly may a kernel be of another shape. */
static bool alike(const walk *w, const tl_node *d, const tl_node *e, tl_fit worst)
{
    if (d->nx != e->nx) return false;
    if (tl_is_matrix(d->op) && tl_is_matrix(e->op)) {
        tl_fit fit = tl_kernel_fit(d->p[0].dims, e->p[0].dims);
        return fit != TL_FITS_NOT && fit <= worst;
    }
    if (d->op->is_act && e->op->is_act) return true;
    if (d->nx == 1 && flattens_map(w->g, d) && flattens_map(w->f, e)) return true;
    return d->op == e->op && d->s.c == e->s.c;
}

/* Does e read the partners of what d reads? A sum or product may have them in any order. */
static bool same_inputs(const walk *w, const tl_node *d, const tl_node *e)
{
    const int *line = w->p->line;
    if ((d->op->is_sum || d->op->is_product) && line[d->x[0]] == e->x[1] && line[d->x[1]] == e->x[0]) return true;
    for (int k = 0; k < d->nx; k++)
        if (line[d->x[k]] != e->x[k]) return false;
    return true;
}

static int partner(const walk *w, const tl_node *d)
{
    static const tl_fit worst[] = { TL_FITS, TL_FITS_RESHAPED };
    for (int k = 0; k < TL_LEN(worst); k++)
        for (int j = 0; j < w->f->n; j++) {
            const tl_node *e = &w->f->node[j];
            if (!w->used[j] && e->nx == d->nx && same_inputs(w, d, e) && alike(w, d, e, worst[k])) return j;
        }
    return -1;
}

/* From node j there, on over what node i here has no partner for: dropout and the like, and a batch norm that we do
 * not have. */
static int advance(const walk *w, int i, int j)
{
    for (int r; (r = tl_only_reader(w->f, j)) >= 0; j = r) {
        const tl_node *e = &w->f->node[r];
        int next = tl_only_reader(w->g, i);
        bool folds = e->op->is_scale && tl_is_matrix(w->g->node[i].op) && !(next >= 0 && w->g->node[next].op->is_scale);
        if (folds) w->p->fold[i] = r;
        else if (!passes(w->f, e)) break;
        w->used[r] = true;
        if (w->layer[r] >= 0) w->p->layer[w->layer[r]].used = true;
    }
    return j;
}

static bool ready(const walk *w, const tl_node *d)
{
    for (int k = 0; k < d->nx; k++)
        if (w->p->line[d->x[k]] < 0) return false;
    return true;
}

static void step(walk *w, int i)
{
    const tl_node *d = &w->g->node[i];
    if (!d->nx || !ready(w, d)) return;
    int before = w->p->line[d->x[0]], j = passes(w->g, d) ? -1 : partner(w, d);
    if (j >= 0) {
        w->used[j] = true;
        w->p->of[i] = w->layer[j];
        w->p->twin[i] = &w->f->node[j];
        if (w->layer[j] >= 0) w->p->layer[w->layer[j]].used = true;
        w->p->line[i] = advance(w, i, j);
    } else if (passes(w->g, d) || d->op->is_scale || tl_is_projection(w->g, i)) {
        w->p->line[i] = before;
    }
}

tl_status tl_match_by_place(tl_arena *a, const tl_graph *g, int image, const tl_model *other, tl_pairs *p)
{
    walk w = {
        .g = g, .f = other->g, .p = p, .layer = tl_new(a, int, other->g->n), .used = tl_new(a, bool, other->g->n)
    };
    TL_NEW(w.layer && w.used ? w.layer : NULL);
    for (int j = 0, l = 0; j < w.f->n; j++) w.layer[j] = l < p->n && p->layer[l].node == &w.f->node[j] ? l++ : -1;
    for (int i = 0; i < g->n; i++) p->of[i] = p->fold[i] = p->line[i] = -1;
    p->line[image] = other->image.i;
    for (int i = 0; i < g->n; i++) step(&w, i);
    return TL_OK;
}
