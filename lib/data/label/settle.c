/* settle.c - the end of reading labels: names become classes, boxes are judged, objects move to their pictures.
 * SPDX-License-Identifier: MIT */
#include "pair.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define EXAMPLES 5 /* of each fault */

/* ---- Classes ---- */

static char *lower(tl_arena *a, const char *s)
{
    char *t = tl_strdup(a, s);
    for (char *p = t; p && *p; p++) *p = (char)tolower((unsigned char)*p);
    return t;
}

/* Add name to the classes, unless it is there in some spelling. */
static tl_status add_class(tl_label_sink *s, tl_keys *known, const char *name)
{
    const char *key = lower(s->tmp, name);
    TL_NEW(key);
    int i = tl_keys_add(known, key);
    if (i < 0) return TL_ENOMEM;
    if (i < s->out->classes.n) return TL_OK;
    const char **slot = tl_add(s->a, &s->out->classes, const char *);
    TL_NEW(slot);
    TL_NEW(*slot = tl_strdup(s->a, name));
    return TL_OK;
}

static int by_rank(const void *x, const void *y)
{
    const tl_seen_class *a = x, *b = y;
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    int order = strcasecmp(a->name, b->name);
    return order ? order : a->label - b->label; /* of several spellings the first counts */
}

/* The classes there are: those asked for, or the targets of the mapping, or all that were seen. */
static tl_status choose_classes(tl_label_sink *s, tl_keys *known)
{
    const tl_label_conf *c = s->conf;
    for (int i = 0; c->classes && i < c->classes->n; i++)
        TL_TRY(add_class(s, known, ((const char **)c->classes->at)[i]));
    if (c->classes) return TL_OK;
    int n = c->mapping.n ? c->mapping.n : s->classes.n;
    tl_seen_class *sorted = tl_new(s->tmp, tl_seen_class, n + 1);
    TL_NEW(sorted);
    for (int i = 0; i < n; i++) {
        if (c->mapping.n) sorted[i].name = ((const tl_class_pair *)c->mapping.at)[i].to;
        else sorted[i] = ((const tl_seen_class *)s->classes.at)[i];
        sorted[i].label = i;
    }
    qsort(sorted, (size_t)n, sizeof *sorted, by_rank);
    for (int i = 0; i < n; i++) TL_TRY(add_class(s, known, sorted[i].name));
    return TL_OK;
}

static tl_status class_of(tl_label_sink *s, const tl_keys *known, const char *name, int *label)
{
    const tl_class_pair *pair = s->conf->mapping.at;
    const char *to = s->conf->mapping.n ? NULL : name;
    for (int i = 0; !to && i < s->conf->mapping.n; i++)
        if (!strcasecmp(pair[i].from, name)) to = pair[i].to;
    const char *key = to ? lower(s->tmp, to) : "";
    TL_NEW(key);
    *label = to ? tl_keys_find(known, key) : -1;
    return TL_OK;
}

static tl_status use(tl_label_sink *s, const char *name, int label, int objects)
{
    tl_class_use *u = tl_add(s->a, &s->out->used, tl_class_use);
    TL_NEW(u);
    *u = (tl_class_use){ tl_strdup(s->a, name), label, objects };
    return u->name ? TL_OK : TL_ENOMEM;
}

static bool seen(const tl_label_sink *s, const char *name)
{
    for (int i = 0; i < s->classes.n; i++)
        if (!strcasecmp(((const tl_seen_class *)s->classes.at)[i].name, name)) return true;
    return false;
}

static tl_status settle_classes(tl_label_sink *s)
{
    tl_keys known = { .a = s->tmp };
    TL_TRY(choose_classes(s, &known));
    for (int i = 0; i < s->classes.n; i++) {
        tl_seen_class *c = (tl_seen_class *)s->classes.at + i;
        TL_TRY(class_of(s, &known, c->name, &c->label));
        TL_TRY(use(s, c->name, c->label, c->objects));
    }
    for (int i = 0; i < s->conf->mapping.n; i++) {
        const tl_class_pair *pair = (const tl_class_pair *)s->conf->mapping.at + i;
        int label;
        if (seen(s, pair->from)) continue;
        TL_TRY(class_of(s, &known, pair->from, &label));
        TL_TRY(use(s, pair->from, label, 0));
    }
    return TL_OK;
}

/* ---- Boxes ---- */

/* TL_BOX_FAULTS: none. Clips. */
static tl_box_fault fault_of(tl_box *b, const tl_picture *p)
{
    if (b->x2 < b->x1 || b->y2 < b->y1) return TL_BOX_INVERTED;
    if (b->x2 == b->x1 || b->y2 == b->y1) return TL_BOX_EMPTY;
    if (!p->w) return TL_BOX_FAULTS;
    tl_box in = tl_box_common(*b, (tl_box){ 0, 0, (float)p->w, (float)p->h });
    if (in.x2 <= in.x1 || in.y2 <= in.y1) return TL_BOX_OUTSIDE;
    const float most = 0.5f; /* less is a matter of rounding */
    bool cut = in.x1 - b->x1 > most || in.y1 - b->y1 > most || b->x2 - in.x2 > most || b->y2 - in.y2 > most;
    *b = in;
    return cut ? TL_BOX_CLIPPED : TL_BOX_FAULTS;
}

static tl_status judge(tl_label_sink *s, tl_seen_object *o, bool *keep)
{
    tl_picture *p = (tl_picture *)s->pictures.at + o->picture;
    tl_box *b = &o->o.box;
    if (o->fractions) {
        TL_TRY(tl_sink_measure(s, p));
        float w = (float)p->w, h = (float)p->h;
        *b = (tl_box){ b->x1 * w, b->y1 * h, b->x2 * w, b->y2 * h };
    }
    const tl_box read = *b;
    tl_box_fault f = s->conf->raw ? TL_BOX_FAULTS : fault_of(b, p);
    *keep = f >= TL_BOX_CLIPPED;
    if (f == TL_BOX_FAULTS || s->out->fault[f]++ >= EXAMPLES) return TL_OK;
    tl_box_example *e = tl_add(s->a, &s->out->example, tl_box_example);
    TL_NEW(e);
    *e = (tl_box_example){ f, p->labels, o->line, read };
    return TL_OK;
}

/* ---- Grouping ---- */

static int by_path(const void *a, const void *b)
{
    const tl_picture *const *p = a, *const *q = b;
    int order = strcmp((*p)->path, (*q)->path);
    return order ? order : (*p > *q) - (*p < *q);
}

/* Keep the objects that are good, and count each picture's; s->objects holds only those afterwards. */
static tl_status sift(tl_label_sink *s)
{
    tl_seen_object *o = s->objects.at;
    tl_world *w = s->worlds.at;
    int n = 0;
    for (int i = 0; i < s->objects.n; i++) {
        bool keep = false;
        int label = ((const tl_seen_class *)s->classes.at)[o[i].o.label].label;
        if (label >= 0) TL_TRY(judge(s, o + i, &keep));
        if (!keep) continue;
        o[n] = o[i];
        o[n].o.label = (int16_t)label;
        if (w) w[n] = w[i];
        ((tl_picture *)s->pictures.at)[o[n++].picture].n++;
    }
    s->objects.n = n;
    return TL_OK;
}

/* Counting sort: pictures tell how many, so each has its place before the first object moves. */
static tl_status group(tl_label_sink *s)
{
    tl_labels *l = s->out;
    int n = s->pictures.n, first = 0;
    tl_picture *p = s->pictures.at, **sorted = tl_new(s->tmp, tl_picture *, n + 1);
    TL_NEW(sorted);
    TL_NEW(l->picture = tl_new(s->a, tl_picture, n + 1));
    TL_NEW(l->object = tl_new(s->a, tl_object, s->objects.n + 1));
    if (s->worlds.n) TL_NEW(l->world = tl_new(s->a, tl_world, s->worlds.n));
    for (int i = 0; i < n; i++) sorted[i] = p + i;
    qsort(sorted, (size_t)n, sizeof(tl_picture *), by_path);
    for (int i = 0; i < n; i++) {
        sorted[i]->first = first;
        first += sorted[i]->n;
        TL_NEW(sorted[i]->path = tl_strdup(s->a, sorted[i]->path));
        l->picture[i] = *sorted[i];
        sorted[i]->n = 0;
    }
    l->npictures = n;
    l->nobjects = s->objects.n;
    for (int i = 0; i < s->objects.n; i++) {
        const tl_seen_object *o = (const tl_seen_object *)s->objects.at + i;
        tl_picture *of = p + o->picture;
        const int at = of->first + of->n++;
        l->object[at] = o->o;
        if (l->world) l->world[at] = ((const tl_world *)s->worlds.at)[i];
    }
    return TL_OK;
}

tl_status tl_sink_end(tl_label_sink *s)
{
    for (int i = 0; i < s->pictures.n; i++) {
        tl_picture *p = (tl_picture *)s->pictures.at + i;
        TL_TRY(tl_sink_pair(s, p));
        /* One that cannot be read is for whoever needs its pixels to complain of. */
        if (s->conf->measure && p->found) (void)tl_sink_measure(s, p);
    }
    TL_TRY(tl_sink_unpaired(s, &s->out->unlabeled));
    TL_TRY(settle_classes(s));
    TL_TRY(sift(s));
    return group(s);
}
