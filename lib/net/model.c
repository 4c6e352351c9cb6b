/* model.c - put a backbone and a head together. SPDX-License-Identifier: MIT */
#include "net.h"
#include "field.h"
#include "text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define B(f) extern const tl_backbone tl_backbone_##f[];
#define H(f) extern const tl_head tl_head_##f[];
TL_BACKBONES(B) TL_HEADS(H)
#undef B
#undef H
#define B(f) tl_backbone_##f,
#define H(f) tl_head_##f,
static const tl_backbone *const families[] = { TL_BACKBONES(B) };
static const tl_head *const heads[] = { TL_HEADS(H) };

const tl_backbone *tl_backbone_at(int i)
{
    for (int f = 0; f < TL_LEN(families); f++)
        for (const tl_backbone *b = families[f]; b->arch; b++)
            if (i-- == 0) return b;
    return NULL;
}

const tl_head *tl_head_at(int i)
{
    for (int f = 0; f < TL_LEN(heads); f++)
        for (const tl_head *h = heads[f]; h->name; h++)
            if (i-- == 0) return h;
    return NULL;
}

const tl_head *tl_head_find(const char *name)
{
    const tl_head *h;
    int i = 0;
    while ((h = tl_head_at(i)) && strcmp(h->name, name)) i++;
    return h;
}

const char *tl_backbone_name(const tl_backbone *b, char text[32])
{
    if (b->layers) snprintf(text, 32, "%s%d", b->arch, b->layers);
    else snprintf(text, 32, "%s", b->arch);
    return text;
}

/* "resnet (n_layers: 10, 18), squeezenet": those of this family, or of all (NULL). Its rows lie together. */
static void list_backbones(const char *arch, tl_text *t)
{
    const tl_backbone *b, *last = NULL;
    for (int i = 0; (b = tl_backbone_at(i)); i++) {
        if (arch && strcmp(b->arch, arch)) continue;
        if (last && !strcmp(last->arch, b->arch)) tl_textf(t, ", %d", b->layers);
        else tl_textf(t, "%s%s%s", last && last->layers ? ")" : "", last ? ", " : "", b->arch);
        if ((!last || strcmp(last->arch, b->arch)) && b->layers) tl_textf(t, " (n_layers: %d", b->layers);
        last = b;
    }
    if (last && last->layers) tl_textf(t, ")");
}

tl_status tl_backbone_find(const char *arch, int layers, const tl_backbone **out)
{
    char known[512];
    tl_text t = tl_text_on(known, sizeof known);
    bool family = false;
    for (int i = 0; (*out = tl_backbone_at(i)); i++) {
        bool same = !strcmp((*out)->arch, arch);
        if (same && ((*out)->layers == layers || !(*out)->layers)) return TL_OK;
        family |= same;
    }
    list_backbones(family ? arch : NULL, &t);
    TL_CHECK(!family, TL_ESPEC, "there is no %s with n_layers: %d; available are %s", arch, layers, known);
    return tl_fail(TL_ESPEC, "arch \"%s\" is not available here; available are %s", arch, known);
}

tl_status tl_model_shape(tl_arena *a, const tl_model_conf *c, tl_model **out)
{
    tl_model *m = tl_new(a, tl_model, 1);
    tl_backbone_conf conf = c->conf;
    char name[32];
    conf.own_head |= c->own_head;
    conf.stride16 |= c->head->stride16;
    TL_NEW(m);
    *m = (tl_model){ .arena = a, .g = tl_graph_new(a), .head = c->head, .mode = "caffe", .spec = "", .history = "" };
    TL_NEW(m->g);
    TL_NEW(m->arch = tl_strdup(a, tl_backbone_name(c->backbone, name)));
    tl_pyramid p = { .lo = 0 };
    m->image = OP(m->g, "input_1", input, NO_INPUT, .c = c->c, .h = c->h, .w = c->w);
    c->backbone->build(m->g, m->image, c->backbone, &conf, &p);
    m->raw = c->head->build(m->g, &p, c->backbone, &conf, c->own_head, c->classes);
    m->answer = c->head->answer(m->g, m->raw);
    if (m->g->status) return tl_note(m->g->status, "building %s for %dx%dx%d pictures", m->arch, c->c, c->h, c->w);
    m->g->output = m->answer.i;
    *out = m;
    return TL_OK;
}

tl_status tl_model_build(tl_arena *a, const tl_model_conf *c, tl_model **out)
{
    TL_TRY(tl_model_shape(a, c, out));
    return tl_graph_init((*out)->g, c->seed);
}

tl_status tl_model_with(const tl_model *m, tl_arena *a, tl_graph *g, tl_model **out)
{
    tl_model *n = tl_new(a, tl_model, 1);
    TL_NEW(n);
    *n = *m;
    n->arena = a;
    n->g = g;
    n->image.i = tl_graph_find(g, m->g->node[m->image.i].name);
    n->answer.i = tl_graph_find(g, m->g->node[m->answer.i].name);
    TL_CHECK(n->image.i >= 0 && n->answer.i >= 0, TL_EARG, "the new graph lacks the model's input or output");
    n->raw.i = tl_model_is_trunk(m) ? n->answer.i : g->node[n->answer.i].x[0];
    g->output = n->answer.i;
    *out = n;
    return TL_OK;
}

tl_status tl_model_note(tl_model *m, const char *fmt, ...)
{
    char line[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    const char *all = tl_printf(m->arena, "%s%s\n", m->history, line);
    TL_NEW(all);
    m->history = all;
    return TL_OK;
}
