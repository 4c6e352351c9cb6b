/* distill.c - learn from a teacher: another network's feature maps, besides the labels. SPDX-License-Identifier: MIT
 *
 * A pruned network is trained again on few pictures, and a label says little about a picture: one of five words. What
 * the whole network makes of the same picture says much more: at the end of each block a map of some ten thousand
 * numbers. So the loss gets a term per block, the squared distance between the two networks' maps (Romero et al. 2015,
 * "FitNets"), and one for each output. A pruned network's maps have fewer channels; tl_node.kept says which of the
 * teacher's they are. */
#include "trainer.h"
#include <string.h>

typedef struct { tl_val from, target; const int *channel; } pair; /* teacher's value, input of the student's graph, which channels */

struct tl_distill {
    const tl_model *teacher;
    tl_plan        *plan;
    float           weight;
    pair           *pair;
    int             n;
};

static bool same_classes(const tl_model *m, const tl_model *n)
{
    const char *const *a = m->classes.at, *const *b = n->classes.at;
    for (int i = 0; i < m->classes.n && i < n->classes.n; i++)
        if (strcmp(a[i], b[i])) return false;
    return m->classes.n == n->classes.n;
}

static bool is_output(const tl_model *m, int i)
{
    for (int k = 0; k < m->g->more.n; k++)
        if (i == m->g->more.at[k].i) return true;
    return i == m->raw.i;
}

/* The nodes whose values are compared: the last one of each block, and the outputs when both mean the same. */
static bool compared(const tl_model *m, const tl_model *teacher, int i)
{
    const tl_node *d = m->g->node;
    if (is_output(m, i)) return same_classes(m, teacher);
    if (d[i].block < 0) return false;
    for (int j = i + 1; j < m->g->n; j++)
        if (d[j].block == d[i].block) return false;
    return true;
}

/* For each channel of ours the teacher's of the same origin. *out NULL: it lacks one, or the maps differ. */
static tl_status channels(tl_arena *a, const tl_node *ours, const tl_node *theirs, const int **out)
{
    int *at = tl_new(a, int, ours->s.c), k = 0;
    TL_NEW(at);
    *out = NULL;
    if (ours->s.h != theirs->s.h || ours->s.w != theirs->s.w) return TL_OK;
    for (int i = 0; i < ours->s.c; i++, k++) {
        int origin = ours->kept ? ours->kept[i] : i;
        while (k < theirs->s.c && (theirs->kept ? theirs->kept[k] : k) < origin) k++;
        if (k >= theirs->s.c || (theirs->kept ? theirs->kept[k] : k) != origin) return TL_OK;
        at[i] = k;
    }
    *out = at;
    return TL_OK;
}

/* One term of the loss per pair. */
static tl_status add_terms(tl_arena *a, tl_distill *d, tl_model *m, tl_val *loss)
{
    tl_graph *g = m->g;
    int n = g->n; /* before terms are added */
    TL_NEW(d->pair = tl_new(a, pair, n));
    for (int i = 0; i < n; i++) {
        int j = tl_graph_find(d->teacher->g, g->node[i].name);
        pair *p = &d->pair[d->n];
        if (!compared(m, d->teacher, i) || j < 0) continue;
        TL_TRY(channels(a, &g->node[i], &d->teacher->g->node[j], &p->channel));
        if (!p->channel) continue;
        tl_shape s = g->node[i].s;
        p->from.i = j;
        p->target = OP(g, tl_name(g, "teacher/%s", g->node[i].name), input, NO_INPUT, .c = s.c, .h = s.h, .w = s.w);
        tl_val term = OP(g, tl_name(g, "distance/%s", g->node[i].name), mse, IN((tl_val){ i }, p->target), .weight = d->weight);
        *loss = OP(g, tl_name(g, "loss/%s", g->node[i].name), add, IN(*loss, term), 0);
        d->n++;
    }
    return g->status;
}

tl_status tl_distill_new(tl_arena *a, const tl_model *teacher, tl_model *m, int batch, float weight, tl_val *loss, tl_distill **out)
{
    tl_distill *d = tl_new(a, tl_distill, 1);
    TL_NEW(d);
    d->teacher = teacher;
    d->weight = weight;
    TL_CHECK(tl_same(teacher->g->node[teacher->image.i].s, m->g->node[m->image.i].s), TL_ESPEC,
             "the teacher takes pictures of another size than the network that learns from it");
    TL_CHECK(!memcmp(&teacher->norm, &m->norm, sizeof m->norm), TL_ESPEC,
             "the teacher takes pictures prepared in another way (preprocess_mode %s) than the network that learns from it (%s)",
             teacher->mode, m->mode);
    TL_TRY(add_terms(a, d, m, loss));
    TL_CHECK(d->n, TL_ESPEC, "the teacher has no map in common with the network that learns from it; it must be of the same "
             "architecture, and the network pruned from it");
    tl_val *keep = tl_new(a, tl_val, d->n);
    TL_NEW(keep);
    for (int i = 0; i < d->n; i++) keep[i] = d->pair[i].from;
    *out = d;
    return tl_plan_new(teacher->g, a, &(tl_plan_conf){ .batch = batch, .constant = true, .keep = keep, .nkeep = d->n }, &d->plan);
}

tl_status tl_distill_targets(tl_distill *d, const tl_plan *student, tl_val image)
{
    tl_tensor x = tl_plan_value(student, image);
    memcpy(tl_plan_value(d->plan, d->teacher->image).f, x.f, tl_count(x.s) * sizeof(float));
    TL_TRY(tl_plan_forward(d->plan));
    for (int i = 0; i < d->n; i++) {
        const pair *p = &d->pair[i];
        tl_tensor from = tl_plan_value(d->plan, p->from), to = tl_plan_value(student, p->target);
        size_t pixels = tl_count(to.s) / (size_t)to.s.c, c = (size_t)to.s.c;
#pragma omp parallel for if (pixels > 4096)
        for (size_t at = 0; at < pixels; at++)
            for (size_t k = 0; k < c; k++) to.f[at * c + k] = from.f[at * (size_t)from.s.c + (size_t)p->channel[k]];
    }
    return TL_OK;
}
