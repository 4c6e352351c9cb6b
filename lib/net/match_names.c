/* match_names.c - layers that go by another name. SPDX-License-Identifier: MIT
 *
 * What the rules of schemes.c mean. */
#include "field.h"
#include "match.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Patterns ---- */

enum { CATCHES = 4 };

/* Does name fit the pattern? Its numbers and letters go to caught. */
static bool fits(const char *p, const char *name, int caught[CATCHES])
{
    int n = 0;
    for (; *p; p++) {
        if (*p == '#' && n < CATCHES && isdigit((unsigned char)*name)) {
            char *end;
            long v = strtol(name, &end, 10);
            if (v > 1 << 20) return false;
            caught[n++] = (int)v;
            name = end;
        } else if (*p == '@' && n < CATCHES && islower((unsigned char)*name)) {
            caught[n++] = *name++ - 'a';
        } else if (*p == *name) {
            name++;
        } else {
            return false;
        }
    }
    for (; n < CATCHES; n++) caught[n] = -1;
    return !*name;
}

/* The pattern with what was caught put in; false: it does not fit in. */
static bool put_in(const char *p, const int caught[CATCHES], char *out, size_t size)
{
    size_t n = 0;
    for (int k = 0; *p; p++) {
        if (n + 16 > size) return false;
        if (*p == '#') n += (size_t)snprintf(out + n, size - n, "%d", caught[k++]);
        else if (*p == '@' && (unsigned)caught[k] < 26) out[n++] = (char)('a' + caught[k++]);
        else if (*p == '@') return false;
        else out[n++] = *p;
    }
    out[n] = 0;
    return true;
}

/* ---- Pairing ---- */

static bool is_norm(const tl_layer *l) { return l->t[TL_ROLE_MEAN] || l->t[TL_ROLE_GAMMA]; }

static bool same_kind(const tl_node *d, const tl_layer *l)
{
    return tl_has_params(d) && (d->op->is_scale != NULL) == is_norm(l) && (is_norm(l) || l->t[TL_ROLE_KERNEL]);
}

static int pair(const tl_graph *g, int i, int l, tl_pairs *p)
{
    if (i < 0 || p->of[i] >= 0 || !same_kind(&g->node[i], &p->layer[l])) return 0;
    p->of[i] = l;
    p->layer[l].used = true;
    return 1;
}

/* The free layer that fits the pattern there with the smallest numbers above `after`, of the kind of d. */
static int next_there(const tl_pairs *p, const char *pattern, const tl_node *d, int after[CATCHES])
{
    int best = -1, at[CATCHES], lowest[CATCHES];
    for (int l = 0; l < p->n; l++) {
        if (p->layer[l].used || !same_kind(d, &p->layer[l]) || !fits(pattern, p->layer[l].name, at)) continue;
        int k = 0;
        while (best >= 0 && k < CATCHES - 1 && at[k] == lowest[k]) k++;
        if (best >= 0 && at[k] >= lowest[k]) continue;
        best = l;
        memcpy(lowest, at, sizeof at);
    }
    if (best >= 0) memcpy(after, lowest, sizeof lowest);
    return best;
}

static int by_order(const tl_graph *g, const tl_rule *r, tl_pairs *p)
{
    int n = 0, caught[CATCHES];
    for (int i = 0; i < g->n; i++) {
        if (p->of[i] >= 0 || !tl_has_params(&g->node[i]) || !fits(r->here, g->node[i].name, caught)) continue;
        int l = next_there(p, r->there, &g->node[i], caught);
        if (l < 0) break;
        n += pair(g, i, l, p);
    }
    return n;
}

static int by_pattern(const tl_graph *g, const tl_rule *r, tl_pairs *p)
{
    int n = 0, caught[CATCHES];
    char name[64];
    for (int l = 0; l < p->n; l++) {
        if (p->layer[l].used || !fits(r->there, p->layer[l].name, caught)) continue;
        if (!r->here) p->layer[l].idle = true;
        else if (put_in(r->here, caught, name, sizeof name)) n += pair(g, tl_graph_find(g, name), l, p);
    }
    return n;
}

int tl_match_by_name(const tl_graph *g, const tl_scheme *s, tl_pairs *p)
{
    int n = 0;
    for (int i = 0; i < g->n; i++) p->of[i] = -1;
    for (int l = 0; l < p->n; l++) p->layer[l].used = p->layer[l].idle = false;
    if (s && s->sign && tl_graph_find(g, s->sign) < 0) return 0;
    for (int l = 0; !s && l < p->n; l++) n += pair(g, tl_graph_find(g, p->layer[l].name), l, p);
    for (const tl_rule *r = s ? s->rule : NULL; r && r->there; r++)
        n += r->nth ? by_order(g, r, p) : by_pattern(g, r, p);
    return n;
}

/* ---- Settings ---- */

static tl_status set(tl_arena *a, const tl_op *op, const char *text, void *attr)
{
    char name[32];
    size_t n = strcspn(text, "=");
    snprintf(name, sizeof name, "%.*s", (int)n, text);
    return tl_field_set(a, tl_field_find(op->field, name), attr, text + n + 1);
}

static tl_status own_copy(const tl_graph *g, const tl_node *d, void **out)
{
    if (*out) return TL_OK;
    TL_NEW(*out = tl_alloc(g->arena, d->op->attr_size));
    memcpy(*out, d->attr, d->op->attr_size);
    return TL_OK;
}

/* All settings of the other node, save those that say which parameters there are. A kernel that is the other's with
 * zeros around it needs that much more padding. */
static void take_settings(const tl_node *d, const tl_node *from, void *attr)
{
    static const char *const own[] = { "nobias", "out" };
    for (const tl_field *f = d->op->field; f && f->name; f++) {
        bool keep = false;
        for (int i = 0; i < TL_LEN(own); i++) keep |= !strcmp(f->name, own[i]);
        if (!keep) memcpy((char *)attr + f->off, (const char *)from->attr + f->off, tl_value_size(f));
    }
    if (d->op != &tl_op_conv2d) return;
    tl_conv2d *c = attr;
    int edge = (((const tl_conv2d *)d->attr)->k - c->k) / 2;
    c->k += 2 * edge;
    c->pad += edge * c->dilation;
}

tl_status tl_match_attr(const tl_graph *g, const tl_pairs *p, const tl_scheme *s, int i, void **out)
{
    const tl_node *d = &g->node[i], *from = p->twin[i];
    const tl_layer *l = p->of[i] >= 0 ? &p->layer[p->of[i]] : NULL;
    *out = NULL;
    for (const tl_edit *e = s ? s->edit : NULL; e && e->set; e++) {
        if ((e->op && e->op != d->op) || (e->node && strcmp(e->node, d->name))) continue;
        TL_TRY(own_copy(g, d, out));
        TL_TRY(set(g->arena, d->op, e->set, *out));
    }
    if (l && l->t[TL_ROLE_GAMMA] && l->t[TL_ROLE_GAMMA]->eps > 0 && d->op == &tl_op_bn) {
        TL_TRY(own_copy(g, d, out));
        ((tl_bn *)*out)->eps = l->t[TL_ROLE_GAMMA]->eps;
    }
    if (!from || from->op != d->op) return TL_OK;
    TL_TRY(own_copy(g, d, out));
    take_settings(d, from, *out);
    return TL_OK;
}
