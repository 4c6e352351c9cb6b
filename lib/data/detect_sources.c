/* detect_sources.c - the labels of several sources as one set. SPDX-License-Identifier: MIT */
#include "detect_sources.h"
#include "label/keys.h"
#include <stdio.h>
#include <string.h>

typedef struct { tl_arena *a, *tmp; tl_labels *out; float *weight; tl_keys class, used; } merger;

/* ---- One source ---- */

static tl_status check_pictures(const tl_detect_source *s, const tl_labels *l)
{
    int missing = 0;
    const tl_picture *first = NULL;
    for (int i = l->npictures - 1; i >= 0; i--)
        if (!l->picture[i].found) missing++, first = l->picture + i;
    TL_CHECK(!missing, TL_EDATA, "%d of the %d pictures that '%s' speaks of are not there; the first is '%s'%s%s%s", missing,
             l->npictures, s->labels, first->path, s->pictures ? ", looked for in '" : "", s->pictures ? s->pictures : "",
             s->pictures ? "'" : "");
    TL_CHECK(l->npictures, TL_EDATA, "'%s' speaks of no pictures", s->labels);
    return TL_OK;
}

static tl_status read_one(tl_arena *a, const tl_detect_source *s, const tl_list *mapping, const tl_list *classes,
                          tl_labels **out)
{
    tl_label_conf c = { .labels = s->labels, .pictures = s->pictures, .extension = s->image_extension,
                        .classes = classes, .measure = true };
    char fold[24];
    snprintf(fold, sizeof fold, "-fold-%03d-of-", s->fold);
    if (s->fold >= 0) *(s->fold_only ? &c.having : &c.lacking) = fold;
    if (mapping) c.mapping = *mapping;
    TL_TRY(tl_labels_read(a, &c, out));
    return check_pictures(s, *out);
}

/* ---- Putting together ---- */

/* Labels of one source as those of all: the same when classes are given or mapped to. */
static tl_status map_classes(merger *m, const tl_labels *l, int **to)
{
    TL_NEW(*to = tl_new(m->tmp, int, l->classes.n + 1));
    for (int i = 0; i < l->classes.n; i++) {
        int k = tl_keys_add(&m->class, ((const char **)l->classes.at)[i]);
        if (k < 0) return TL_ENOMEM;
        TL_CHECK(k <= INT16_MAX, TL_EDATA, "more than %d different class names", INT16_MAX);
        (*to)[i] = k;
    }
    return TL_OK;
}

static tl_status add_uses(merger *m, const tl_labels *l, const int *to)
{
    tl_class_use *of;
    for (int i = 0; i < l->used.n; i++) {
        const tl_class_use *u = (const tl_class_use *)l->used.at + i;
        int k = tl_keys_add(&m->used, u->name);
        if (k < 0) return TL_ENOMEM;
        if (k == m->out->used.n) {
            TL_NEW(of = tl_add(m->a, &m->out->used, tl_class_use));
            *of = (tl_class_use){ tl_keys_at(&m->used, k), u->label < 0 ? -1 : to[u->label], 0 };
        }
        of = (tl_class_use *)m->out->used.at + k;
        of->objects += u->objects;
    }
    return TL_OK;
}

static tl_status add_faults(merger *m, const tl_labels *l)
{
    for (int i = 0; i < TL_BOX_FAULTS; i++) m->out->fault[i] += l->fault[i];
    for (int i = 0; i < l->example.n; i++) {
        tl_box_example *e = tl_add(m->a, &m->out->example, tl_box_example);
        TL_NEW(e);
        *e = ((const tl_box_example *)l->example.at)[i];
        TL_NEW(e->file = tl_strdup(m->a, e->file));
    }
    for (int i = 0; i < l->unlabeled.n; i++) {
        const char **slot = tl_add(m->a, &m->out->unlabeled, const char *);
        TL_NEW(slot);
        TL_NEW(*slot = tl_strdup(m->a, ((const char **)l->unlabeled.at)[i]));
    }
    return TL_OK;
}

static tl_status append(merger *m, const tl_labels *l, float weight)
{
    int *to;
    const char *file = NULL, *copy = NULL; /* the last label file: one may speak of many pictures */
    tl_labels *out = m->out;
    TL_TRY(map_classes(m, l, &to));
    TL_TRY(add_uses(m, l, to));
    TL_TRY(add_faults(m, l));
    for (int i = 0; i < l->npictures; i++) {
        tl_picture *p = out->picture + out->npictures;
        *p = l->picture[i];
        p->first += out->nobjects;
        TL_NEW(p->path = tl_strdup(m->a, p->path));
        if (p->labels != file) TL_NEW(copy = tl_strdup(m->a, file = p->labels));
        p->labels = copy;
        m->weight[out->npictures++] = weight > 0 ? weight : 1;
    }
    for (int i = 0; i < l->nobjects; i++) {
        tl_object *o = out->object + out->nobjects++;
        *o = l->object[i];
        o->label = (int16_t)to[o->label];
    }
    return TL_OK;
}

static tl_status merge(merger *m, const tl_detect_source *source, int n, const tl_list *mapping, const tl_list *classes)
{
    tl_labels **l = tl_new(m->tmp, tl_labels *, n + 1);
    int pictures = 0, objects = 0;
    TL_NEW(l);
    for (int i = 0; i < n; i++) {
        TL_TRY(read_one(m->tmp, source + i, mapping, classes, l + i));
        pictures += l[i]->npictures;
        objects += l[i]->nobjects;
    }
    m->out->format = l[0]->format;
    TL_NEW(m->weight = tl_new(m->a, float, pictures + 1));
    TL_NEW(m->out->picture = tl_new(m->a, tl_picture, pictures + 1));
    TL_NEW(m->out->object = tl_new(m->a, tl_object, objects + 1));
    for (int i = 0; i < n; i++) TL_TRY(append(m, l[i], source[i].weight));
    m->out->classes = m->class.key;
    return TL_OK;
}

tl_status tl_detect_sources_read(tl_arena *a, const tl_detect_source *source, int n, const tl_list *mapping,
                                 const tl_list *classes, tl_labels **out, float **weight)
{
    TL_CHECK(n > 0, TL_EARG, "no source of labels is given");
    merger m = { .a = a, .tmp = tl_arena_new(), .out = tl_new(a, tl_labels, 1), .class.a = a, .used.a = a };
    tl_status s = m.tmp && m.out ? merge(&m, source, n, mapping, classes) : tl_fail(TL_ENOMEM, "out of memory");
    tl_arena_free(m.tmp);
    *out = m.out;
    *weight = m.weight;
    return s;
}
