/* findings.c - what is wrong with a data set, in words. SPDX-License-Identifier: MIT */
#include "findings.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { EXAMPLES = 5 };

/* One, several: %d is how many, %s in which split. In the order in which they are told. */
static const struct { const char *kind, *one, *many; } kinds[] = {
    { "no_objects", "no object is labeled%s", "no object is labeled%s" },
    { "unreadable", "%d picture%s is unreadable", "%d pictures%s are unreadable" },
    { "picture_missing", "%d picture%s that labels speak of is not there", "%d pictures%s that labels speak of are not there" },
    { "copy_across", "%d picture%s is found in another part as well: what is measured will look better than it is",
      "%d pictures%s are found in another part as well: what is measured will look better than it is" },
    { "similar_across", "%d pair of pictures%s and another part looks alike: what is measured may look better than it is",
      "%d pairs of pictures%s and another part look alike: what is measured may look better than it is" },
    { "copy", "%d picture%s is a copy", "%d pictures%s are copies" },
    { "similar", "%d pair of pictures%s looks alike", "%d pairs of pictures%s look alike" },
    { "unlabeled", "%d picture%s has no labels and is left out; an empty file says that it shows nothing",
      "%d pictures%s have no labels and are left out; an empty file says that it shows nothing" },
    { "other_size", "%d picture%s has another size than the labels say; was it turned or resized?",
      "%d pictures%s have another size than the labels say; were they turned or resized?" },
    { "box_empty", "%d box%s has no width or no height and is left out",
      "%d boxes%s have no width or no height and are left out" },
    { "box_inverted", "%d box%s is inverted and left out", "%d boxes%s are inverted and left out" },
    { "box_outside", "%d box%s is outside of the picture and left out", "%d boxes%s are outside of the picture and left out" },
    { "box_clipped", "%d box%s reaches beyond the picture and is clipped",
      "%d boxes%s reach beyond the picture and are clipped" },
    { "object_twice", "%d object%s is labeled twice", "%d objects%s are labeled twice" },
    { "class_missing", "%d class%s has no object and cannot be learned", "%d classes%s have no object and cannot be learned" },
    { "class_unmeasured", "%d class%s has no object, so nothing is measured of it",
      "%d classes%s have no object, so nothing is measured of them" },
    { "class_small", "%d class%s has fewer than 20 objects, too few to rely on",
      "%d classes%s have fewer than 20 objects, too few to rely on" },
    { "imbalance", "%d class%s has less than a tenth of the objects of the largest",
      "%d classes%s have less than a tenth of the objects of the largest" },
};

typedef struct { tl_finding f; int kind, split; } found;

static int kind_of(const char *name)
{
    int i = 0;
    while (strcmp(kinds[i].kind, name)) i++;
    return i;
}

static found *get(tl_findings *f, const char *name, int split)
{
    const int kind = kind_of(name);
    found *at = f->found.at;
    for (int i = 0; i < f->found.n; i++)
        if (at[i].kind == kind && at[i].split == split) return at + i;
    found *new = tl_add(f->a, &f->found, found);
    if (!new) return f->failed = true, NULL;
    *new = (found){ .f.kind = kinds[kind].kind, .kind = kind, .split = split };
    return new;
}

void tl_find(tl_findings *f, bool error, const char *kind, int split, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    found *of = get(f, kind, split);
    if (!of) return;
    of->f.error = error;
    if (of->f.count++ >= EXAMPLES || !fmt) return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const char **slot = tl_add(f->a, &of->f.example, const char *);
    if (!slot || !(*slot = tl_strdup(f->a, text))) f->failed = true;
}

void tl_find_count(tl_findings *f, const char *kind, int split, int n)
{
    found *of = get(f, kind, split);
    if (of) of->f.count = n;
}

static const char *sentence(tl_findings *f, const found *of)
{
    const char *name = ((const tl_split *)f->check->split.at)[of->split].name,
               *where = *name ? tl_printf(f->a, " of %s", name) : "", *fmt = of->f.count == 1 ? kinds[of->kind].one
                                                                                           : kinds[of->kind].many;
    if (!where) return NULL;
    const char *mark = strstr(fmt, "%s"), *number = strstr(fmt, "%d");
    char count[16] = "";
    if (number) snprintf(count, sizeof count, "%d", of->f.count);
    if (number) number += 2;
    else number = fmt;
    return tl_printf(f->a, "%s%.*s%s%s", count, (int)(mark - number), number, where, mark + 2);
}

tl_status tl_findings_end(tl_findings *f)
{
    const found *at = f->found.at;
    TL_CHECK(!f->failed, TL_ENOMEM, "out of memory");
    for (int k = 0; k < TL_LEN(kinds); k++)
        for (int i = 0; i < f->found.n; i++) {
            if (at[i].kind != k) continue;
            tl_finding *to = tl_add(f->a, &f->check->finding, tl_finding);
            TL_NEW(to);
            *to = at[i].f;
            TL_NEW(to->text = sentence(f, at + i));
            *(to->error ? &f->check->errors : &f->check->warnings) += 1;
        }
    return TL_OK;
}
