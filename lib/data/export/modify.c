/* modify.c - which training pictures are left out or repeated. SPDX-License-Identifier: MIT
 *
 * Only objects whose names source_to_target_class_mapping knows are counted. A picture is repeated where a class that
 * is not dominant has more objects than a dominant one, times the imbalance asked for (1 when none is). */
#include "modify.h"
#include "field.h"
#include <string.h>

static const char *target_of(const tl_sample_modifier *m, const char *name)
{
    tl_string_entry *const *e = m->source_to_target_class_mapping.at;
    for (int i = 0; i < m->source_to_target_class_mapping.n; i++)
        if (!strcasecmp(e[i]->key, name)) return e[i]->value;
    return NULL;
}

static bool among(const tl_list *names, const char *name)
{
    for (int i = 0; i < names->n; i++)
        if (!strcasecmp(((const char **)names->at)[i], name)) return true;
    return false;
}

static tl_status check_targets(const tl_sample_modifier *m, const char *field, const tl_list *names)
{
    tl_string_entry *const *e = m->source_to_target_class_mapping.at;
    for (int k = 0; k < names->n; k++) {
        const char *name = ((const char **)names->at)[k];
        bool found = false;
        for (int i = 0; i < m->source_to_target_class_mapping.n && !found; i++) found = !strcasecmp(e[i]->value, name);
        TL_CHECK(found, TL_EDATA, "sample_modifier_config: %s has '%s', which source_to_target_class_mapping maps no "
                                  "name to", field, name);
    }
    return TL_OK;
}

tl_status tl_modifier_new(tl_arena *a, const tl_sample_modifier *m, int validation_fold, int folds, tl_modifier *out)
{
    *out = (tl_modifier){ m, validation_fold, folds, 0, NULL };
    TL_CHECK(validation_fold < folds, TL_EARG, "there is no fold %d to validate on; the data set has %d, from 0 on",
             validation_fold, folds);
    if (!m) return TL_OK;
    TL_TRY(check_targets(m, "filter_samples_containing_only", &m->filter_samples_containing_only));
    TL_TRY(check_targets(m, "dominant_target_classes", &m->dominant_target_classes));
    int training = folds - (validation_fold >= 0);
    if (training > 0) out->most = m->max_training_samples / training;
    return (out->taken = tl_new(a, int, folds)) ? TL_OK : TL_ENOMEM;
}

typedef struct { const char *name; int n; } count;

static int count_of(const count *c, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcasecmp(c[i].name, name)) return c[i].n;
    return 0;
}

static bool imbalanced(const tl_sample_modifier *m, const count *c, int n)
{
    const char *const *dominant = m->dominant_target_classes.at;
    for (int i = 0; i < n; i++) {
        if (among(&m->dominant_target_classes, c[i].name)) continue;
        const tl_pair *least = tl_map_find(&m->minimum_target_class_imbalance, c[i].name);
        double factor = least ? (double)least->value : 1;
        for (int k = 0; k < m->dominant_target_classes.n; k++)
            if (c[i].n > factor * count_of(c, n, dominant[k])) return true;
    }
    return false;
}

tl_status tl_modifier_copies(tl_arena *a, tl_modifier *self, int fold, const char *const *class, const tl_object *o,
                             int n, int *copies)
{
    const tl_sample_modifier *m = self->m;
    *copies = 1;
    if (!m || fold == self->validation_fold) return TL_OK;
    int classes = 0;
    count *c = tl_new(a, count, n + 1);
    TL_NEW(c);
    for (int i = 0; i < n; i++) {
        const char *name = target_of(m, class[o[i].label]);
        int k = 0;
        if (!name) continue;
        while (k < classes && strcasecmp(c[k].name, name)) k++;
        if (k == classes) c[classes++].name = name;
        c[k].n++;
    }
    if (classes == 1 && among(&m->filter_samples_containing_only, c[0].name)) *copies = 0;
    else if (imbalanced(m, c, classes)) *copies += m->num_duplicates;
    if (!self->most) return TL_OK;
    int left = self->most - self->taken[fold];
    if (*copies > left) *copies = left;
    self->taken[fold] += *copies;
    return TL_OK;
}
