/* sink.c - what readers of labels found, as it comes. SPDX-License-Identifier: MIT */
#include "sink.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_CLASSES INT16_MAX
#define MAX_SIDE    (1 << 20) /* a picture that claims more has no size */

tl_status tl_sink_fail(const tl_label_sink *s, int line, const char *fmt, ...)
{
    char why[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    if (line) return tl_fail(TL_EFORMAT, "'%s', line %d: %s", s->file, line, why);
    return tl_fail(TL_EFORMAT, "'%s': %s", s->file, why);
}

int tl_sink_picture(tl_label_sink *s, const char *key)
{
    int i = tl_keys_add(&s->picture, key);
    if (i < s->pictures.n) return i; /* an old one, or out of memory */
    tl_picture *p = tl_add(s->tmp, &s->pictures, tl_picture);
    if (!p) return -1;
    *p = (tl_picture){ .path = tl_keys_at(&s->picture, i), .labels = s->file };
    return i;
}

tl_status tl_sink_describe(tl_label_sink *s, int picture, const char *name, double w, double h)
{
    tl_picture *p = (tl_picture *)s->pictures.at + picture;
    if (name) TL_NEW(p->path = tl_strdup(s->tmp, name));
    if (!(w >= 1 && h >= 1 && w <= MAX_SIDE && h <= MAX_SIDE)) return TL_OK;
    p->w = (int)w;
    p->h = (int)h;
    return TL_OK;
}

tl_status tl_sink_class(tl_label_sink *s, const char *key, int16_t *label)
{
    int i = tl_keys_add(&s->class, key);
    if (i < 0) return TL_ENOMEM;
    TL_CHECK(i < MAX_CLASSES, TL_EDATA, "'%s': more than %d different class names", s->file, MAX_CLASSES);
    if (i == s->classes.n) {
        tl_seen_class *c = tl_add(s->tmp, &s->classes, tl_seen_class);
        TL_NEW(c);
        c->name = tl_keys_at(&s->class, i);
    }
    *label = (int16_t)i;
    return TL_OK;
}

tl_status tl_sink_name(tl_label_sink *s, const char *key, const char *name, int64_t rank)
{
    int16_t i;
    TL_TRY(tl_sink_class(s, key, &i));
    tl_seen_class *c = (tl_seen_class *)s->classes.at + i;
    c->rank = rank;
    TL_NEW(c->name = tl_strdup(s->tmp, name));
    return TL_OK;
}

tl_status tl_sink_object(tl_label_sink *s, const tl_seen_object *o, const tl_world *world)
{
    if (world && s->conf->world) {
        tl_world *w = tl_add(s->tmp, &s->worlds, tl_world);
        TL_NEW(w);
        *w = *world;
    }
    tl_seen_object *slot = tl_add(s->tmp, &s->objects, tl_seen_object);
    TL_NEW(slot);
    *slot = *o;
    ((tl_seen_class *)s->classes.at)[o->o.label].objects++;
    return TL_OK;
}
