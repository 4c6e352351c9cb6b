/* labels.h - what the tests of labels share: do two sets say the same? SPDX-License-Identifier: MIT */
#ifndef TL_TEST_LABELS_H
#define TL_TEST_LABELS_H
#include "places.h"
#include "label.h"
#include <math.h>

#define SHARED "../shared/data/"

static inline const char *class_name(const tl_labels *l, const tl_object *o)
{
    return ((const char **)l->classes.at)[o->label];
}

static inline tl_labels *load(tl_arena *a, tl_label_conf c)
{
    tl_labels *l;
    ok(tl_labels_read(a, &c, &l));
    return l;
}

static inline bool same_box(tl_box a, tl_box b, double most)
{
    return fabs((double)a.x1 - (double)b.x1) <= most && fabs((double)a.y1 - (double)b.y1) <= most &&
           fabs((double)a.x2 - (double)b.x2) <= most && fabs((double)a.y2 - (double)b.y2) <= most;
}

/* The first object of picture p in l that is not yet taken and is o, a class of the same name. */
static inline bool take_same(const tl_labels *l, const tl_picture *p, bool *taken, const char *name, tl_box box,
                      double most)
{
    for (int i = p->first; i < p->first + p->n; i++) {
        if (taken[i] || strcasecmp(class_name(l, l->object + i), name) || !same_box(l->object[i].box, box, most))
            continue;
        return taken[i] = true;
    }
    return false;
}

/* Both have the same pictures with the same objects, in any order. Blanks of names are '_' in KITTI's. */
static inline void assert_agree(tl_arena *a, const tl_labels *x, const tl_labels *y, double most)
{
    assert_int_equal(x->npictures, y->npictures);
    assert_int_equal(x->nobjects, y->nobjects);
    bool *taken = tl_new(a, bool, y->nobjects + 1);
    for (int i = 0; i < x->npictures; i++) {
        const tl_picture *p = x->picture + i, *q = y->picture + i;
        if (strcmp(tl_path_base(p->path), tl_path_base(q->path))) fail_msg("'%s' is '%s'", p->path, q->path);
        if (p->n != q->n) fail_msg("'%s': %d and %d objects", p->path, p->n, q->n);
        for (int k = p->first; k < p->first + p->n; k++) {
            const tl_object *o = x->object + k;
            if (!take_same(y, q, taken, class_name(x, o), o->box, most))
                fail_msg("'%s': no %s at %g %g %g %g in '%s'", p->path, class_name(x, o), (double)o->box.x1,
                         (double)o->box.y1, (double)o->box.x2, (double)o->box.y2, q->labels);
        }
    }
}

static inline const char *shared(const char *path)
{
    static char full[512];
    snprintf(full, sizeof full, SHARED "%s", path);
    if (tl_file_exists(full)) return full;
    print_message("skipped: there is no %s\n", full);
    skip();
    return NULL;
}

#endif
