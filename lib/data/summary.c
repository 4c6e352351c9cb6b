/* summary.c - what a person should know about the pictures before training.
 * SPDX-License-Identifier: MIT */
#include "data.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN      5   /* examples of each kind of trouble */
#define FEW        20  /* training pictures of a class, below which results are chance */
#define UNBALANCED 3.0 /* largest over smallest class */

/* Text that grows in an arena; at NULL: out of memory. */
typedef struct {
    tl_arena *a;
    char *at;
    size_t n, room;
} text;

static text new_text(tl_arena *a) { return (text){ a, tl_alloc(a, 1024), 0, 1024 }; }

__attribute__((format(printf, 2, 3))) static void say(text *t, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    size_t need = t->n + (size_t)vsnprintf(NULL, 0, fmt, ap) + 1;
    if (t->at && need > t->room) {
        char *grown = tl_alloc_raw(t->a, t->room = 2 * need);
        t->at = grown ? memcpy(grown, t->at, t->n) : NULL;
    }
    if (t->at) t->n += (size_t)vsnprintf(t->at + t->n, t->room - t->n, fmt, again);
    va_end(again);
    va_end(ap);
}

/* Columns that a UTF-8 string takes, one a character. */
static int columns(const char *s)
{
    int n = 0;
    for (; *s; s++) n += (*s & 0xc0) != 0x80;
    return n;
}

static int *count_labels(tl_arena *a, const tl_dataset *d)
{
    int *n = tl_new(a, int, d->classes.n);
    for (int i = 0; n && i < d->sample.n; i++) n[((const tl_sample *)d->sample.at)[i].label]++;
    return n;
}

static const char *class_name(const tl_dataset *d, int k)
{
    return ((const char **)d->classes.at)[k];
}

static void row(text *t, int width, const char *name, int train, bool with_val, int val)
{
    say(t, "%s%*s  %7d", name, width - columns(name), "", train);
    if (with_val) say(t, "  %7d", val);
    say(t, "\n");
}

static void table(text *t, const tl_dataset *train, const int *n, const tl_dataset *val,
                  const int *m)
{
    int width = columns("class");
    for (int k = 0; k < train->classes.n; k++)
        if (columns(class_name(train, k)) > width) width = columns(class_name(train, k));
    say(t, "%-*s  %7s%s\n", width, "class", "train", val ? "      val" : "");
    for (int k = 0; k < train->classes.n; k++)
        row(t, width, class_name(train, k), n[k], val, m ? m[k] : 0);
    row(t, width, "all", train->sample.n, val, val ? val->sample.n : 0);
}

static void check_counts(text *t, const tl_dataset *d, const int *n)
{
    int least = 0, most = 0;
    for (int k = 1; k < d->classes.n; k++) {
        if (n[k] < n[least]) least = k;
        if (n[k] > n[most]) most = k;
    }
    if (n[least])
        say(t, "imbalance: class '%s' has %.1f times the training pictures of class '%s'\n",
            class_name(d, most), (double)n[most] / n[least], class_name(d, least));
    if (n[least] && n[most] > UNBALANCED * n[least])
        say(t, "warning: predictions will lean toward the large classes; class weights help\n");
    for (int k = 0; k < d->classes.n; k++) {
        if (!n[k])
            say(t, "warning: class '%s' has no training picture and cannot be learned\n",
                class_name(d, k));
        else if (n[k] < FEW)
            say(t, "warning: class '%s' has only %d training pictures, too few to rely on\n",
                class_name(d, k), n[k]);
    }
}

static void check_set(text *t, const tl_dataset *d)
{
    if (d->ignored)
        say(t, "warning: %d file%s in '%s' left out, not JPEG or PNG by name, such as '%s'\n",
            d->ignored, d->ignored > 1 ? "s" : "", d->root, d->ignored_first);
}

static void check_val(text *t, const tl_dataset *val, const int *m)
{
    for (int k = 0; k < val->classes.n; k++)
        if (!m[k]) say(t, "warning: class '%s' has no validation picture\n", class_name(val, k));
}

/* ---- Copies ---- */

typedef struct {
    const tl_sample *s;
    bool val;
} entry;

/* By content; within the same content by set and place, so that reports do not depend on qsort. */
static int by_content(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->s->hash != y->s->hash) return x->s->hash < y->s->hash ? -1 : 1;
    if (x->val != y->val) return x->val - y->val;
    return (x->s > y->s) - (x->s < y->s);
}

typedef enum { SAME, ACROSS, RELABELED, KINDS } copy_kind;
static const char *const copy_text[KINDS] = {
    "found twice in the same set",
    "of validation found in the training set as well; validation will look better than it is",
    "found with two labels; one of the two must be wrong",
};

/* The worst thing about e, a copy of `first`. */
static copy_kind kind_of(const entry *first, const entry *e)
{
    return first->s->label != e->s->label ? RELABELED : first->val != e->val ? ACROSS : SAME;
}

static void check_copies(text *t, const entry *e, int n)
{
    for (int kind = KINDS - 1; kind >= 0; kind--) {
        text shown = new_text(t->a);
        int found = 0, first = 0; /* first: of those with the same content */
        for (int i = 1; i < n; i++) {
            if (e[i].s->hash != e[first].s->hash) first = i;
            if (first == i || !e[i].s->hash || kind_of(&e[first], &e[i]) != (copy_kind)kind)
                continue;
            if (found++ < SHOWN) say(&shown, "  '%s' = '%s'\n", e[i].s->path, e[first].s->path);
        }
        if (!shown.at) t->at = NULL;
        if (!found) continue;
        say(t, "%s%d picture%s %s:\n%s", kind == SAME ? "" : "warning: ", found,
            found > 1 ? "s" : "", copy_text[kind], shown.at);
        if (found > SHOWN) say(t, "  and %d more\n", found - SHOWN);
    }
}

static void add(entry *e, int *n, const tl_dataset *d, bool val)
{
    for (int i = 0; i < d->sample.n; i++)
        e[(*n)++] = (entry){ (const tl_sample *)d->sample.at + i, val };
}

tl_status tl_dataset_report(tl_arena *a, tl_dataset *train, tl_dataset *val, const char **out)
{
    TL_TRY(tl_dataset_hash(train));
    if (val) TL_TRY(tl_dataset_hash(val));
    text t = new_text(a);
    int n = 0, *count = count_labels(a, train), *val_count = val ? count_labels(a, val) : NULL;
    entry *e = tl_new(a, entry, train->sample.n + (val ? val->sample.n : 0));
    if (!t.at || !count || (val && !val_count) || !e) return TL_ENOMEM;
    table(&t, train, count, val, val_count);
    check_counts(&t, train, count);
    check_set(&t, train);
    if (val) {
        check_val(&t, val, val_count);
        check_set(&t, val);
    }
    add(e, &n, train, false);
    if (val) add(e, &n, val, true);
    qsort(e, (size_t)n, sizeof *e, by_content);
    check_copies(&t, e, n);
    TL_NEW(t.at);
    *out = t.at;
    return TL_OK;
}
