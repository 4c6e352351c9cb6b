/* check.c - looking for faults of a data set. SPDX-License-Identifier: MIT */
#include "check.h"
#include "../label/keys.h"
#include "findings.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FEW = 20, UNBALANCED = 10 };

/* ---- Classes and boxes ---- */

static int bin_of(double v, const double *edge, int n)
{
    int i = 0;
    while (i < n - 1 && v > edge[i]) i++;
    return i;
}

static tl_status count_boxes(tl_arena *a, tl_check *c, const tl_labels *l, const int *to, tl_split_stats *s)
{
    static const double sizes[] = { 1 / 64., 1 / 32., 1 / 16., 1 / 8., 1 / 4., 1 / 2., 1 },
                        shapes[] = { 1 / 4., 1 / 2., M_SQRT1_2, M_SQRT2, 2, 4, (double)INFINITY };
    TL_NEW(s->objects = tl_new(a, int, c->classes.n + 1));
    for (int i = 0; i < l->npictures; i++) {
        const tl_picture *p = l->picture + i;
        s->empty += !p->n;
        for (int k = p->first; k < p->first + p->n; k++) {
            const tl_box b = l->object[k].box;
            double w = (double)(b.x2 - b.x1), h = (double)(b.y2 - b.y1);
            s->objects[to[l->object[k].label]]++;
            s->shape[bin_of(w / h, shapes, TL_SHAPE_BINS)]++;
            if (p->w) s->size[bin_of(sqrt(w * h / p->w / p->h), sizes, TL_SIZE_BINS)]++;
        }
    }
    return TL_OK;
}

static tl_status count(tl_arena *a, tl_check *c)
{
    tl_keys names = { .a = a };
    tl_split *s = c->split.at;
    int **to = tl_new(a, int *, c->split.n + 1);
    TL_NEW(to);
    TL_NEW(c->stats = tl_new(a, tl_split_stats, c->split.n + 1));
    for (int k = 0; k < c->split.n; k++) {
        const tl_list *classes = &s[k].labels->classes;
        TL_NEW(to[k] = tl_new(a, int, classes->n + 1));
        for (int i = 0; i < classes->n; i++)
            if ((to[k][i] = tl_keys_add(&names, ((const char **)classes->at)[i])) < 0) return TL_ENOMEM;
    }
    c->classes = names.key;
    for (int k = 0; k < c->split.n; k++) TL_TRY(count_boxes(a, c, s[k].labels, to[k], c->stats + k));
    return TL_OK;
}

static tl_status check_classes(tl_findings *f)
{
    const tl_check *c = f->check;
    const char *const *name = c->classes.at;
    for (int k = 0; k < c->split.n; k++) {
        const int *n = c->stats[k].objects;
        const bool training = !k;
        int most = 0;
        for (int i = 1; i < c->classes.n; i++) most = n[i] > n[most] ? i : most;
        for (int i = 0; i < c->classes.n; i++) {
            if (!n[i]) tl_find(f, false, training ? "class_missing" : "class_unmeasured", k, "%s", name[i]);
            else if (training && n[i] < FEW) tl_find(f, false, "class_small", k, "%s: %d", name[i], n[i]);
            if (training && n[i] && n[most] > UNBALANCED * n[i])
                tl_find(f, false, "imbalance", k, "%s: %d, %s: %d", name[i], n[i], name[most], n[most]);
        }
    }
    return TL_OK;
}

/* ---- Labels ---- */

static bool same_object(const tl_object *x, const tl_object *y)
{
    return x->label == y->label && !memcmp(&x->box, &y->box, sizeof x->box);
}

/* The same object twice in a picture. */
static void check_repeated(tl_findings *f, int split, const tl_labels *l, const tl_picture *p)
{
    const int most = 2000; /* above, a picture's own objects are not compared all with all */
    for (int i = p->first; i < p->first + p->n && p->n < most; i++)
        for (int k = p->first; k < i; k++)
            if (same_object(l->object + i, l->object + k)) {
                const tl_box b = l->object[i].box;
                tl_find(f, false, "object_twice", split, "'%s': %s at %g %g %g %g", p->labels,
                        ((const char **)l->classes.at)[l->object[i].label], (double)b.x1, (double)b.y1, (double)b.x2,
                        (double)b.y2);
                break;
            }
}

static tl_status check_labels(tl_findings *f)
{
    static const char *const fault[TL_BOX_FAULTS] = { "box_empty", "box_inverted", "box_outside", "box_clipped" };
    for (int k = 0; k < f->check->split.n; k++) {
        const tl_labels *l = ((const tl_split *)f->check->split.at)[k].labels;
        if (!l->nobjects) tl_find(f, true, "no_objects", k, NULL);
        for (int i = 0; i < l->npictures; i++) {
            if (!l->picture[i].found) tl_find(f, true, "picture_missing", k, "'%s'", l->picture[i].path);
            check_repeated(f, k, l, l->picture + i);
        }
        for (int i = 0; i < l->unlabeled.n; i++)
            tl_find(f, false, "unlabeled", k, "'%s'", ((const char **)l->unlabeled.at)[i]);
        for (int i = 0; i < l->example.n; i++) {
            const tl_box_example *e = (const tl_box_example *)l->example.at + i;
            tl_find(f, false, fault[e->what], k, "'%s', %s %d: %g %g %g %g", e->file,
                    l->format->files == TL_FILE_SOME ? "record" : "line", e->line, (double)e->box.x1, (double)e->box.y1,
                    (double)e->box.x2, (double)e->box.y2);
        }
        for (int i = 0; i < TL_BOX_FAULTS; i++)
            if (l->fault[i]) tl_find_count(f, fault[i], k, l->fault[i]);
    }
    return TL_OK;
}

/* ---- Pictures ---- */

static tl_status check_pictures(tl_findings *f)
{
    const tl_surveyed *s = f->check->picture.at;
    for (int i = 0, k = 0; i < f->check->picture.n; i++) {
        if (i && s[i].split != s[i - 1].split) k = 0; /* k: its place in the labels, which come first */
        if (s[i].why) tl_find(f, true, "unreadable", s[i].split, "'%s': %s", s[i].path, s[i].why);
        const tl_labels *l = ((const tl_split *)f->check->split.at)[s[i].split].labels;
        while (k < l->npictures && !l->picture[k].found) k++;
        const tl_picture *p = k < l->npictures ? l->picture + k++ : NULL;
        if (p && p->w && !s[i].why && (p->w != s[i].w || p->h != s[i].h))
            tl_find(f, false, "other_size", s[i].split, "'%s': %d x %d in the labels, %d x %d in truth", p->path, p->w, p->h,
                    s[i].w, s[i].h);
    }
    return TL_OK;
}

static int by_hash(const void *x, const void *y)
{
    const tl_surveyed *const *a = x, *const *b = y;
    if ((*a)->hash != (*b)->hash) return (*a)->hash < (*b)->hash ? -1 : 1;
    return (*a > *b) - (*a < *b);
}

typedef struct { tl_findings *f; const tl_surveyed **picture; const tl_look **look; int n; } pairs;

static void near_pair(void *ctx, int i, int k)
{
    const pairs *p = ctx;
    const tl_surveyed *x = p->picture[i], *y = p->picture[k];
    if (x > y) x = p->picture[k], y = p->picture[i];
    tl_find(p->f, false, x->split == y->split ? "similar" : "similar_across", x->split, "'%s' ~ '%s'", x->path, y->path);
}

/* Copies by content; of each content the first goes on to be compared by looks. */
static tl_status check_copies(tl_findings *f)
{
    const tl_check *c = f->check;
    pairs p = { f, tl_new(f->a, const tl_surveyed *, c->picture.n + 1), tl_new(f->a, const tl_look *, c->picture.n + 1), 0 };
    TL_NEW(p.picture && p.look ? p.picture : NULL);
    int n = 0;
    for (int i = 0; i < c->picture.n; i++) {
        const tl_surveyed *s = (const tl_surveyed *)c->picture.at + i;
        if (!s->why) p.picture[n++] = s;
    }
    if (n) qsort(p.picture, (size_t)n, sizeof *p.picture, by_hash);
    for (int i = 0; i < n; i++) {
        const tl_surveyed *s = p.picture[i], *first = p.n ? p.picture[p.n - 1] : NULL;
        if (first && first->hash == s->hash) {
            if (strcmp(first->path, s->path)) /* a record that was repeated is the same file */
                tl_find(f, false, first->split == s->split ? "copy" : "copy_across", first->split, "'%s' = '%s'", first->path,
                        s->path);
            continue;
        }
        p.look[p.n] = &s->look;
        p.picture[p.n++] = s;
    }
    return tl_look_pairs(f->a, p.look, p.n, near_pair, &p);
}

tl_status tl_check_run(tl_arena *a, tl_list splits, const tl_listener *l, tl_check *out)
{
    *out = (tl_check){ .split = splits };
    tl_split *s = splits.at;
    for (int i = 0; i < splits.n; i++) {
        s[i].conf.measure = true;
        TL_TRY(tl_labels_read(a, &s[i].conf, &s[i].labels));
    }
    tl_findings f = { .a = a, .check = out };
    TL_TRY(count(a, out));
    TL_TRY(tl_survey(a, out, l));
    TL_TRY(check_pictures(&f));
    TL_TRY(check_labels(&f));
    TL_TRY(check_classes(&f));
    TL_TRY(check_copies(&f));
    return tl_findings_end(&f);
}
