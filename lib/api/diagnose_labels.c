/* diagnose_labels.c - do the labels speak of the spec's classes? SPDX-License-Identifier: MIT */
#include "diagnose.h"
#include "text.h"
#include <string.h>

/* The class of the network that a name in the labels became; -1: none. */
static int class_of(const tl_scenes *s, const tl_class_use *u) { return u->label < 0 ? -1 : s->class_of[u->label]; }

static tl_status count(tl_diagnose *d, const tl_scenes *s, int **out)
{
    int *n = tl_new(d->a, int, d->goal.classes);
    TL_NEW(n);
    for (int i = 0; i < s->labels->nobjects; i++) {
        const int k = s->class_of[s->labels->object[i].label];
        if (k >= 0) n[k]++;
    }
    *out = n;
    return TL_OK;
}

/* Names that no class takes, with their numbers: "'Pedestrian' (120), 'DontCare' (3)"; "" without any. */
static const char *strays(tl_diagnose *d, const tl_scenes *s, const char **first)
{
    enum { SHOWN = 5 };
    tl_text t = tl_text_new(d->a);
    const tl_class_use *u = s->labels->used.at;
    int n = 0, most = 0;
    *first = NULL;
    for (int i = 0; i < s->labels->used.n; i++) {
        if (class_of(s, &u[i]) >= 0 || !u[i].objects) continue;
        if (n++ < SHOWN) tl_textf(&t, "%s'%s' (%d)", n > 1 ? ", " : "", u[i].name, u[i].objects);
        if (u[i].objects > most) *first = u[i].name, most = u[i].objects;
    }
    if (n > SHOWN) tl_textf(&t, " and %d more", n - SHOWN);
    return tl_text_end(&t);
}

/* Of the names that no class takes, the one that is nearly the class's, else the most frequent. */
static const char *meant(const tl_scenes *s, const char *class, const char *frequent)
{
    tl_nearest near = { .word = class };
    const tl_class_use *u = s->labels->used.at;
    for (int i = 0; i < s->labels->used.n; i++)
        if (class_of(s, &u[i]) < 0 && u[i].objects) tl_nearest_try(&near, u[i].name);
    return near.best ? near.best : frequent;
}

static tl_status empty_class(tl_diagnose *d, const tl_scenes *s, const char *class, bool training, const char *left, const char *frequent)
{
    const double weight = 1.0 / d->goal.classes;
    if (!training)
        return tl_diagnose_cause(d, weight, "class '%s' has no object in the pictures to validate with: its average precision is 0, and counts in the "
                                 "mean. Validate on pictures that show it (dataset_config.validation_data_source, validation_fold)", class);
    if (!frequent)
        return tl_diagnose_cause(d, weight, "class '%s' has no object in the training pictures, so that it cannot be learned: label some, or take it out "
                                 "of cost_function_config.target_classes", class);
    return tl_diagnose_cause(d, weight, "class '%s' has no object in the training pictures, but there are names that no class takes: %s. If one of "
                             "them is meant, add dataset_config { target_class_mapping { key: \"%s\" value: \"%s\" } }", class, left,
                             meant(s, class, frequent), class);
}

static tl_status look(tl_diagnose *d, const tl_dataset *set, bool training)
{
    const tl_scenes *s = set->scenes;
    const char *frequent, *left = strays(d, s, &frequent);
    int *n;
    TL_NEW(left);
    TL_TRY(count(d, s, &n));
    for (int k = 0; k < d->goal.classes; k++)
        if (!n[k]) TL_TRY(empty_class(d, s, d->goal.names[k], training, left, frequent));
    if (*left) TL_TRY(tl_diagnose_fact(d, "%s labels that no class takes are left out: %s", training ? "training" : "validation", left));
    return TL_OK;
}

tl_status tl_diagnose_labels(tl_diagnose *d)
{
    TL_TRY(look(d, d->train, true));
    return d->val ? look(d, d->val, false) : TL_OK;
}
