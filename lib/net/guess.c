/* guess.c - which of our networks somebody's weights belong to. SPDX-License-Identifier: MIT
 *
 * All are tried: every backbone, under every program's names for it and in the forms that those programs give it.
 * Building a network without weights costs less than a millisecond. The one where everything matches is it. */
#include "match.h"
#include "text.h"
#include <string.h>

typedef struct {
    const tl_backbone *b;
    const tl_scheme   *s;    /* NULL: our own names, or a network */
    tl_backbone_conf   conf;
    bool               own_head;
    int ours, theirs, matched; /* layers without a partner, on either side, the head's aside; and with one */
    int classes;               /* 0: the file has no head */
} candidate;

typedef struct {
    const tl_foreign *from;
    const char *arch;
    int         layers;
    const tl_model_conf *size; /* of the picture */
    candidate   best;
    bool        any;
} search;

/* Of the head's last layer with parameters. */
static int classes_of(const tl_graph *g, const tl_pairs *p, int raw)
{
    for (int i = raw; i >= 0; i--)
        if (tl_has_params(&g->node[i])) return p->of[i] >= 0 ? p->layer[p->of[i]].t[TL_ROLE_KERNEL]->dims.d[0] : 0;
    return 0;
}

/* The other side's bias or batch norm would have no place here. */
static bool loses(const tl_graph *g, const tl_pairs *p, int i)
{
    int next = tl_only_reader(g, i);
    bool norm = next >= 0 && g->node[next].op->is_scale, bias = tl_dims_count(g->node[i].p[1].dims);
    return !norm && !bias && (p->fold[i] >= 0 || p->layer[p->of[i]].t[TL_ROLE_BIAS]);
}

/* Pairs that do not fit together are none. */
static bool fits(const tl_graph *g, const tl_pairs *p, int i, bool in_head)
{
    const tl_node *d = &g->node[i];
    if (p->of[i] < 0) return d->op->is_scale && p->of[d->x[0]] >= 0; /* folded away there: the identity here */
    const tl_layer *l = &p->layer[p->of[i]];
    if (in_head) return true;
    if (tl_is_matrix(d->op) && loses(g, p, i)) return false;
    if (!g->node[i].op->is_scale) return tl_kernel_fit(g->node[i].p[0].dims, l->t[TL_ROLE_KERNEL]->dims) != TL_FITS_NOT;
    const tl_foreign_tensor *mean = l->t[TL_ROLE_MEAN];
    return mean && tl_dims_count(mean->dims) == (size_t)g->node[i].s.c;
}

/* Layers that may lack a partner: what can become the identity. */
static bool may_lack(const tl_graph *g, int i)
{
    if (tl_is_projection(g, i)) return true;
    return g->node[i].op->is_scale && tl_is_projection(g, g->node[i].x[0]);
}

static void count(const tl_model *m, const tl_pairs *p, candidate *c)
{
    const tl_graph *g = m->g;
    int head = 0;
    for (int i = 0; i < g->n; i++)
        if (g->node[i].block >= 0) head = i + 1;
    for (int i = 0; i < g->n; i++) {
        if (!tl_has_params(&g->node[i])) continue;
        bool fit = fits(g, p, i, i >= head);
        c->matched += fit;
        c->ours += !fit && i < head && !may_lack(g, i);
    }
    for (int l = 0; l < p->n; l++) c->theirs += !p->layer[l].used && !p->layer[l].idle;
    c->classes = classes_of(g, p, m->raw.i);
}

static bool better(const candidate *a, const candidate *b)
{
    return a->matched - a->ours - a->theirs > b->matched - b->ours - b->theirs;
}

static tl_status evaluate(tl_arena *a, const search *s, candidate *c)
{
    const tl_model_conf conf = { .backbone = c->b,
                                 .conf = c->conf,
                                 .head = tl_head_at(0),
                                 .own_head = c->own_head,
                                 .c = s->size->c,
                                 .h = s->size->h,
                                 .w = s->size->w,
                                 .classes = s->size->classes ? s->size->classes : 2 };
    tl_model *m;
    tl_pairs p;
    TL_TRY(tl_model_shape(a, &conf, &m));
    TL_TRY(tl_layers_of(a, m->g, s->from, &p));
    if (s->from->model) TL_TRY(tl_match_by_place(a, m->g, m->image.i, s->from->model, &p));
    else tl_match_by_name(m->g, c->s, &p);
    count(m, &p, c);
    return TL_OK;
}

static tl_status try_one(search *s, candidate c)
{
    tl_arena *a = tl_arena_new();
    TL_NEW(a);
    tl_status st = evaluate(a, s, &c);
    tl_arena_free(a);
    if (st == TL_ESHAPE) return TL_OK; /* such pictures are too small for it */
    TL_TRY(st);
    if (!s->any || better(&c, &s->best)) s->best = c;
    s->any = true;
    return TL_OK;
}

/* The widths that are published. */
static tl_status try_widths(search *s, candidate c)
{
    static const float alphas[] = { 1, 0.25f, 0.35f, 0.5f, 0.75f, 1.4f };
    bool wide = !strncmp(c.b->arch, "mobilenet", 9);
    for (int i = 0; i < (wide ? TL_LEN(alphas) : 1); i++) {
        c.conf.alpha = alphas[i];
        TL_TRY(try_one(s, c));
    }
    return TL_OK;
}

static bool any_tensor(const tl_foreign *f, tl_role r)
{
    for (int i = 0; i < f->tensor.n; i++)
        if (((const tl_foreign_tensor *)f->tensor.at)[i].role == r) return true;
    return false;
}

/* Under our own names, or for a network that is compared node by node: all forms. */
static tl_status try_forms(search *s, const tl_backbone *b)
{
    for (int form = 0; form < 32; form++) {
        candidate c = {
            .b = b,
            .own_head = form & 1,
            .conf = { .bn = !(form & 2), .bias = form & 4, .pooling = form & 8, .all_projections = form & 16 }
        };
        if (c.own_head && !b->head) continue;
        if (!s->from->model && (c.conf.pooling || c.conf.bn != any_tensor(s->from, TL_ROLE_MEAN)))
            continue; /* weights do not tell */
        TL_TRY(try_widths(s, c));
    }
    return TL_OK;
}

static tl_status try_all(search *s)
{
    for (int i = 0; tl_backbone_at(i); i++) {
        const tl_backbone *b = tl_backbone_at(i);
        if ((s->arch && strcmp(s->arch, b->arch)) || (s->layers && b->layers && s->layers != b->layers)) continue;
        TL_TRY(try_forms(s, b));
        for (int k = 0; tl_scheme_at(k); k++) {
            const tl_scheme *x = tl_scheme_at(k);
            candidate c = { .b = b, .s = s->from->model ? NULL : x, .conf = x->conf, .own_head = x->own_head };
            if (!strcmp(x->arch, b->arch)) TL_TRY(try_widths(s, c));
        }
    }
    return TL_OK;
}

tl_status tl_guess(const tl_foreign *from, const char *arch, int layers, tl_model_conf *c, const tl_scheme **scheme)
{
    search s = { .from = from, .arch = arch, .layers = layers, .size = c };
    const candidate *b = &s.best;
    char name[32];
    TL_TRY(try_all(&s));
    if (!s.any && arch) TL_TRY(tl_backbone_find(arch, layers, &c->backbone)); /* says what there is */
    TL_CHECK(s.any, TL_EDATA, "no network is built for pictures of %dx%d", c->h, c->w);
    const tl_foreign_tensor *t = from->tensor.at;
    TL_CHECK(b->matched, TL_EDATA, "no layer of the file matches %s; its first tensor is '%s'",
             arch ? arch : "a network that is known here", from->tensor.n ? t->name : "");
    TL_CHECK(arch || (!b->ours && !b->theirs), TL_EDATA,
             "these are the weights of no network that is known here; the nearest is %s%s%s, of which %d layers "
             "match, %d are missing in the "
             "file, and %d layers of the file are left over; name it with --arch if it is meant",
             tl_backbone_name(b->b, name), b->s ? " as named by " : "", b->s ? b->s->origin : "", b->matched, b->ours,
             b->theirs);
    c->backbone = b->b;
    c->conf = b->conf;
    c->own_head = b->own_head && b->classes; /* without one, what a head is for could be large */
    c->classes = b->classes;
    c->head = tl_head_at(0);
    *scheme = b->s;
    return TL_OK;
}

bool tl_prepare_as(tl_model *m, const tl_foreign *from, const tl_scheme *s)
{
    static const float deviation[] = { 0.229f, 0.224f, 0.225f }; /* ImageNet's, as PyTorch's recipes have it */
    const tl_model *other = from->model;
    int c = m->g->node[m->image.i].s.c;
    bool tells = other && (*other->arch || strcmp(from->format, "onnx")); /* of ONNX files, only ours */
    if (tells && c == other->g->node[other->image.i].s.c) {
        m->norm = other->norm, m->mode = other->mode, m->filter = other->filter, m->center_crop = other->center_crop;
        return true;
    }
    if (!s) return false;
    bool imagenet = !strcmp(s->mode, "imagenet");
    m->mode = imagenet ? "torch" : s->mode;
    m->center_crop = s->center_crop;
    (void)tl_norm_for(m->mode, c, NULL, &m->norm); /* cannot fail: a known mode, and networks have c 1 or 3 */
    for (int i = 0; imagenet && c == 3 && i < c; i++) m->norm.rstd[i] = 1 / (255 * deviation[i]);
    return true;
}
