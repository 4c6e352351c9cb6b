/* join.c - sets of labels become one, with one list of classes. SPDX-License-Identifier: MIT */
#include "../label.h"
#include "keys.h"

/* Of each set's classes the number in the whole. */
static tl_status number_classes(tl_arena *a, const tl_labels *const *set, int n, tl_keys *names, int **to)
{
    for (int k = 0; k < n; k++) {
        const tl_list *classes = &set[k]->classes;
        TL_NEW(to[k] = tl_new(a, int, classes->n + 1));
        for (int i = 0; i < classes->n; i++)
            if ((to[k][i] = tl_keys_add(names, ((const char **)classes->at)[i])) < 0) return tl_fail(TL_ENOMEM, "out of memory");
    }
    return TL_OK;
}

static void append(tl_labels *out, const tl_labels *from, const int *to)
{
    for (int i = 0; i < from->npictures; i++) {
        tl_picture *p = &out->picture[out->npictures++];
        *p = from->picture[i];
        p->first += out->nobjects;
    }
    for (int i = 0; i < from->nobjects; i++) {
        tl_object *o = &out->object[out->nobjects + i];
        *o = from->object[i];
        o->label = (int16_t)to[o->label];
        if (out->world && from->world) out->world[out->nobjects + i] = from->world[i];
    }
    out->nobjects += from->nobjects;
}

tl_status tl_labels_join(tl_arena *a, const tl_labels *const *set, int n, tl_labels **out)
{
    tl_labels *l = tl_new(a, tl_labels, 1);
    tl_keys names = { .a = a };
    int **to = tl_new(a, int *, n + 1), pictures = 0, objects = 0;
    bool world = true;
    TL_NEW(l && to ? l : NULL);
    TL_TRY(number_classes(a, set, n, &names, to));
    TL_CHECK(names.key.n <= INT16_MAX, TL_EUNSUP, "the sets have %d classes together; at most %d are supported", names.key.n, INT16_MAX);
    for (int k = 0; k < n; k++) {
        pictures += set[k]->npictures;
        objects += set[k]->nobjects;
        world &= set[k]->world || !set[k]->nobjects;
    }
    TL_NEW(l->picture = tl_new(a, tl_picture, pictures + 1));
    TL_NEW(l->object = tl_new(a, tl_object, objects + 1));
    if (world) TL_NEW(l->world = tl_new(a, tl_world, objects + 1));
    l->format = set[0]->format;
    l->classes = names.key;
    for (int k = 0; k < n; k++) append(l, set[k], to[k]);
    *out = l;
    return TL_OK;
}
