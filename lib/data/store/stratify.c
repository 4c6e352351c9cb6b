/* stratify.c - groups of pictures to parts, so that each part has its share of every class. SPDX-License-Identifier: MIT
 *
 * Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011), for groups in place of single examples: the class with the
 * fewest pictures left is dealt first, while there is still a choice. Each of its groups, those with most of its pictures
 * first, goes to the part that lacks most of the class; among equals to the one that lacks most pictures. Pictures without
 * objects are dealt last. What a part lacks is its share less what it has. */
#include "store.h"
#include "rng.h"
#include <stdlib.h>
#include <string.h>

typedef struct { int group, n, tie; } entry; /* n pictures of the class at hand */

typedef struct {
    int     groups, classes, parts;
    int    *has;         /* groups x (classes + 1): pictures with each class; the last column: all pictures */
    double *lacks;       /* parts x (classes + 1) */
    int    *part, *tie;  /* of each group; part -1: not dealt yet */
    entry  *row;         /* groups, scratch */
} dealer;

static int *has(const dealer *d, int g) { return d->has + (size_t)g * (size_t)(d->classes + 1); }
static double *lacks(const dealer *d, int p) { return d->lacks + (size_t)p * (size_t)(d->classes + 1); }

static void count(dealer *d, const tl_labels *l, const int *group)
{
    for (int i = 0; i < l->npictures; i++) {
        const tl_picture *p = l->picture + i;
        int *of = has(d, group[i]);
        of[d->classes]++;
        for (int k = p->first; k < p->first + p->n; k++) {
            bool before = false;
            for (int m = p->first; m < k && !before; m++) before = l->object[m].label == l->object[k].label;
            of[l->object[k].label] += !before;
        }
    }
}

static void give(dealer *d, int g, int part)
{
    d->part[g] = part;
    for (int c = 0; c <= d->classes; c++) lacks(d, part)[c] -= has(d, g)[c];
}

static int neediest(const dealer *d, int class)
{
    int best = 0;
    for (int p = 1; p < d->parts; p++) {
        double more = lacks(d, p)[class] - lacks(d, best)[class],
               room = lacks(d, p)[d->classes] - lacks(d, best)[d->classes];
        if (more > 1e-9 || (more > -1e-9 && room > 1e-9)) best = p;
    }
    return best;
}

static int by_count(const void *x, const void *y)
{
    const entry *a = x, *b = y;
    return a->n != b->n ? b->n - a->n : a->tie - b->tie;
}

/* Deal all groups that have the class. */
static void deal(dealer *d, int class)
{
    int n = 0;
    for (int g = 0; g < d->groups; g++)
        if (d->part[g] < 0 && has(d, g)[class]) d->row[n++] = (entry){ g, has(d, g)[class], d->tie[g] };
    if (n) qsort(d->row, (size_t)n, sizeof *d->row, by_count);
    for (int i = 0; i < n; i++) give(d, d->row[i].group, neediest(d, class));
}

/* The class with the fewest pictures that are not dealt yet; the column of all pictures when no class is left. */
static int rarest(const dealer *d)
{
    int best = d->classes;
    long least = 0;
    for (int c = 0; c < d->classes; c++) {
        long left = 0;
        for (int g = 0; g < d->groups; g++)
            if (d->part[g] < 0) left += has(d, g)[c];
        if (left && (best == d->classes || left < least)) best = c, least = left;
    }
    return best;
}

static void start(dealer *d, const double *share)
{
    for (int g = 0; g < d->groups; g++) {
        d->part[g] = -1;
        for (int p = 0; p < d->parts; p++)
            for (int c = 0; c <= d->classes; c++) lacks(d, p)[c] += share[p] * has(d, g)[c];
    }
}

tl_status tl_stratify(tl_arena *a, const tl_labels *l, const int *group, int ngroups, const double *share, int parts,
                      uint64_t seed, int **part)
{
    dealer d = { ngroups, l->classes.n, parts, NULL, NULL, NULL, NULL, NULL };
    const size_t columns = (size_t)l->classes.n + 1;
    tl_rng r = tl_rng_at(seed, 0, 0, 0);
    TL_NEW(d.has = tl_new(a, int, (size_t)ngroups * columns + 1));
    TL_NEW(d.lacks = tl_new(a, double, (size_t)parts * columns));
    TL_NEW(d.part = tl_new(a, int, ngroups + 1));
    TL_NEW(d.tie = tl_new(a, int, ngroups + 1));
    TL_NEW(d.row = tl_new(a, entry, ngroups + 1));
    TL_NEW(*part = tl_new(a, int, l->npictures + 1));
    for (int g = 0; g < ngroups; g++) d.tie[g] = g;
    tl_shuffle(&r, d.tie, ngroups);
    count(&d, l, group);
    start(&d, share);
    for (int c; (c = rarest(&d)) < d.classes;) deal(&d, c);
    deal(&d, d.classes);
    for (int i = 0; i < l->npictures; i++) (*part)[i] = d.part[group[i]];
    return TL_OK;
}
