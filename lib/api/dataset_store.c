/* dataset_store.c - data sets for detection into another form, and into parts. SPDX-License-Identifier: MIT */
#include "api.h"
#include "check.h"
#include "store.h"
#include "text.h"
#include <string.h>

static tl_status add_pair(tl_arena *a, const char *text, size_t n, tl_list *mapping)
{
    const char *equals = memchr(text, '=', n);
    TL_CHECK(equals && equals > text && equals + 1 < text + n, TL_EARG,
             "map: expected OLD=NEW, and more with commas, found '%.*s'", (int)n, text);
    tl_class_pair *p = tl_add(a, mapping, tl_class_pair);
    TL_NEW(p);
    TL_NEW(p->from = tl_strndup(a, text, (size_t)(equals - text)));
    return (p->to = tl_strndup(a, equals + 1, n - (size_t)(equals + 1 - text))) ? TL_OK : TL_ENOMEM;
}

/* tl_split: what is to be read; one, or the parts that the data set has. */
static tl_status find_parts(tl_arena *a, const tl_dataset_store_opts *o, tl_list *out)
{
    tl_label_conf c = { .labels = o->labels ? o->labels : o->input, .pictures = o->images, .format = o->from,
                        .measure = true, .world = true };
    TL_CHECK(o->input && o->output, TL_EARG, "a data set to read and a folder to write (-o) are needed");
    TL_CHECK(!(o->link && o->labels_only), TL_EARG, "pictures are either linked or left where they are");
    if (o->labels && !c.pictures) c.pictures = o->input;
    for (const char *s = o->map, *end; s && *s; s = *end ? end + 1 : end) {
        end = s + strcspn(s, ",");
        TL_TRY(add_pair(a, s, (size_t)(end - s), &c.mapping));
    }
    return tl_splits_find(a, &c, out);
}

static tl_status read_labels(tl_arena *a, tl_split *s, const tl_listener *l)
{
    const char *text;
    TL_TRY(tl_labels_read(a, &s->conf, &s->labels));
    TL_CHECK(s->labels->npictures, TL_EDATA, "'%s' speaks of no pictures", s->conf.labels);
    TL_TRY(tl_labels_text(a, s->labels, &text));
    tl_say(l, "%s%s%s", s->name, s->name[0] ? ": " : "", text);
    return TL_OK;
}

/* All parts in one, and into c, which picture is of which. */
static tl_status read_parts(tl_arena *a, tl_list parts, const tl_listener *l, tl_labels **out, tl_store_conf *c)
{
    tl_split *s = parts.at;
    const tl_labels **set = tl_new(a, const tl_labels *, parts.n);
    const char **name = tl_new(a, const char *, parts.n);
    TL_NEW(set && name ? set : NULL);
    for (int k = 0; k < parts.n; k++) {
        TL_TRY(read_labels(a, &s[k], l));
        set[k] = s[k].labels;
        name[k] = s[k].name;
    }
    TL_TRY(tl_labels_join(a, set, parts.n, out));
    int *part = tl_new(a, int, (*out)->npictures), at = 0;
    TL_NEW(part);
    for (int k = 0; k < parts.n; k++)
        for (int i = 0; i < set[k]->npictures; i++) part[at++] = k;
    c->parts = parts.n;
    c->name = name;
    c->part = part;
    return TL_OK;
}

static tl_store_conf store_conf(const tl_dataset_store_opts *o, const tl_label_format *format)
{
    return (tl_store_conf){ .folder = o->output, .format = format, .parts = 1,
                            .how = o->link ? TL_LINK : o->labels_only ? TL_LABELS_ONLY : TL_COPY };
}

tl_status tl_dataset_convert(tl_arena *a, const tl_dataset_store_opts *o, const tl_listener *l,
                             tl_dataset_store_summary *out)
{
    tl_labels *labels;
    tl_list parts;
    const tl_label_format *format;
    TL_CHECK(o->to, TL_EARG, "a form to convert to is needed (--to)");
    TL_TRY(tl_label_format_find(a, o->to, &format));
    TL_CHECK(format->write, TL_EUNSUP, "labels in the form '%s' are read, but not written", format->name);
    tl_store_conf c = store_conf(o, format);
    TL_TRY(find_parts(a, o, &parts));
    TL_TRY(read_parts(a, parts, l, &labels, &c));
    *out = (tl_dataset_store_summary){ .pictures = labels->npictures, .objects = labels->nobjects };
    TL_NEW(out->text = tl_printf(a, "wrote '%s': %s labels of %d pictures, %d objects, %d classes\n", o->output, format->name,
                                 labels->npictures, labels->nobjects, labels->classes.n));
    return tl_store(a, labels, &c, l);
}

/* ---- Splitting ---- */

static const char *const part_name[] = { "train", "val", "test" };

/* Pictures and objects of each class in each part. */
static tl_status table(tl_arena *a, const tl_labels *l, const int *part, int parts, int groups, const char **out)
{
    enum { MOST = 3 };
    const char *const *class = l->classes.at;
    int (*n)[MOST] = tl_alloc(a, sizeof *n * (size_t)(l->classes.n + 2)), width = (int)strlen("pictures");
    TL_NEW(n);
    for (int i = 0; i < l->npictures; i++) {
        n[l->classes.n][part[i]]++;
        for (int k = 0; k < l->picture[i].n; k++) n[l->object[l->picture[i].first + k].label][part[i]]++;
    }
    tl_text t = tl_text_new(a);
    for (int i = 0; i < l->classes.n; i++)
        if ((int)strlen(class[i]) > width) width = (int)strlen(class[i]);
    tl_textf(&t, "%-*s", width, "class");
    for (int p = 0; p < parts; p++) tl_textf(&t, "  %8s", part_name[p]);
    for (int i = 0; i <= l->classes.n; i++) {
        tl_textf(&t, "\n%-*s", width, i < l->classes.n ? class[i] : "pictures");
        for (int p = 0; p < parts; p++) tl_textf(&t, "  %8d", n[i][p]);
    }
    tl_textf(&t, "\n");
    if (groups < l->npictures) tl_textf(&t, "%d groups of pictures were kept together\n", groups);
    return (*out = tl_text_end(&t)) ? TL_OK : TL_ENOMEM;
}

/* Frames of one video in two parts make results look better than they are. */
static tl_status warn_of_sequences(tl_arena *a, const tl_labels *l, const tl_listener *to)
{
    const int few = 5; /* pictures a group, below which names are probably no sequences */
    int *group, groups;
    TL_TRY(tl_group(a, l, "prefix", &group, &groups));
    if (groups > 1 && groups * few <= l->npictures)
        tl_say(to, "note: names fall into %d groups by what is before their numbers; if these are videos, --group prefix "
                   "keeps each in one part\n", groups);
    return TL_OK;
}

tl_status tl_dataset_split(tl_arena *a, const tl_dataset_store_opts *o, const tl_listener *l,
                           tl_dataset_store_summary *out)
{
    tl_list parts;
    int *group, groups, *part;
    const double share[] = { 1 - (double)o->val - (double)o->test, (double)o->val, (double)o->test };
    TL_CHECK(o->val > 0 && o->test >= 0 && share[0] > 0, TL_EARG,
             "val and test: expected shares above 0 that leave some for training, found %g and %g", share[1], share[2]);
    TL_TRY(find_parts(a, o, &parts));
    TL_CHECK(parts.n == 1, TL_EARG, "'%s' is in parts already, %s and others; give one of them", o->input, ((const tl_split *)parts.at)->name);
    TL_TRY(read_labels(a, parts.at, l));
    const tl_labels *labels = ((const tl_split *)parts.at)->labels;
    tl_store_conf c = store_conf(o, labels->format);
    if (o->to) TL_TRY(tl_label_format_find(a, o->to, &c.format));
    TL_CHECK(c.format->write, TL_EUNSUP, "labels in the form '%s' are read, but not written; choose another with --to",
             c.format->name);
    const char *rule = o->group ? o->group : "none";
    TL_TRY(tl_group(a, labels, rule, &group, &groups));
    c.parts = o->test > 0 ? 3 : 2;
    TL_CHECK(groups >= c.parts, TL_EDATA, "by the rule '%s' the pictures make %d group%s, too few for %d parts", rule, groups,
             groups == 1 ? "" : "s", c.parts);
    if (!o->group) TL_TRY(warn_of_sequences(a, labels, l));
    TL_TRY(tl_stratify(a, labels, group, groups, share, c.parts, (uint64_t)o->seed, &part));
    c.name = part_name;
    c.part = part;
    *out = (tl_dataset_store_summary){ .pictures = labels->npictures, .objects = labels->nobjects };
    TL_TRY(table(a, labels, part, c.parts, groups, &out->text));
    return tl_store(a, labels, &c, l);
}
