/* classes.c - what a model knew of classes that stay, when others come or go. SPDX-License-Identifier: MIT
 *
 * A layer that predicts has so many channels for each class. Where two models have such a layer alike but for the classes, the
 * channels of classes of the same name can be taken over. */
#include "net.h"
#include "text.h"
#include <string.h>
#include <strings.h>

static int class_of(const tl_model *m, const char *name)
{
    for (int k = 0; k < m->classes.n; k++)
        if (!strcasecmp(((const char *const *)m->classes.at)[k], name)) return k;
    return -1;
}

/* Numbers in parameter p of a predicting layer for each class; 0: it is not one. */
static size_t row_of(const tl_model *m, const tl_param *p)
{
    return p->w && p->dims.d[0] % m->classes.n == 0 ? tl_dims_count(p->dims) / (size_t)m->classes.n : 0;
}

static void take_rows(const tl_model *m, const tl_model *from, tl_param *p, const tl_param *q)
{
    const size_t row = row_of(m, p);
    for (int c = 0; c < m->classes.n; c++) {
        const int was = class_of(from, ((const char *const *)m->classes.at)[c]);
        if (was >= 0) memcpy(p->w + (size_t)c * row, q->w + (size_t)was * row, row * sizeof(float));
    }
}

/* Node i, when it differs from the other's in nothing but classes. */
static bool take_layer(tl_model *m, const tl_model *from, int i)
{
    tl_node *d = &m->g->node[i];
    const int j = tl_graph_find(from->g, d->name);
    if (j < 0) return false;
    const tl_node *old = &from->g->node[j];
    for (int k = 0; k < TL_MAX_PARAM; k++)
        if (row_of(m, &d->p[k]) != row_of(from, &old->p[k])) return false;
    for (int k = 0; k < TL_MAX_PARAM; k++)
        if (d->p[k].w) take_rows(m, from, &d->p[k], &old->p[k]);
    return true;
}

/* "car, bus" of those classes of a that b has (common), or has not. */
static void list(const tl_model *a, const tl_model *b, bool common, tl_text *t)
{
    for (int k = 0, n = 0; k < a->classes.n; k++) {
        const char *name = ((const char *const *)a->classes.at)[k];
        if ((class_of(b, name) >= 0) == common) tl_textf(t, "%s%s", n++ ? ", " : "", name);
    }
}

static bool same(const tl_model *a, const tl_model *b)
{
    bool all = a->classes.n == b->classes.n;
    for (int k = 0; all && k < a->classes.n; k++) all = class_of(b, ((const char *const *)a->classes.at)[k]) == k;
    return all;
}

tl_status tl_model_keep_classes(tl_model *m, const tl_model *from, const char **text)
{
    tl_text t = tl_text_new(m->arena), who = tl_text_new(m->arena);
    *text = "";
    if (!m->classes.n || !from->classes.n || m->head != from->head || same(m, from)) return TL_OK;
    bool any = take_layer(m, from, m->raw.i);
    for (int k = 0; k < m->g->more.n; k++) any |= take_layer(m, from, m->g->more.at[k].i);
    list(m, from, true, &who);
    const char *stay = tl_text_end(&who);
    TL_NEW(stay);
    if (!any || !*stay) return TL_OK;
    tl_textf(&t, "classes that stay keep what they have learned: %s; new: ", stay);
    list(m, from, false, &t);
    tl_textf(&t, "; gone: ");
    list(from, m, false, &t);
    tl_textf(&t, "\n");
    TL_NEW(*text = tl_text_end(&t));
    return TL_OK;
}
