/* spec_common.c - reading a spec and what holds for all its messages. SPDX-License-Identifier: MIT */
#include "spec_common.h"
#include "file.h"
#include <stdio.h>
#include <string.h>

#define MOST_BYTES (1 << 18) /* of a spec file; real ones have a few thousand */

/* ---- Reading ---- */
tl_status tl_spec_text(tl_arena *a, tl_spec_source *s)
{
    tl_bytes file;
    if (s->text) return TL_OK;
    TL_TRY(tl_file_read(a, s->path, MOST_BYTES, &file));
    TL_CHECK(!memchr(file.p, 0, file.n), TL_ESPEC, "'%s' is not a text file: it holds zero bytes", s->path);
    s->text = (const char *)file.p;
    return TL_OK;
}

tl_status tl_spec_read(tl_report *r, const tl_spec_source *s, const tl_msg *m, void *obj)
{
    TL_TRY(tl_prototxt_read(r, s->path, s->text, strlen(s->text), m, obj));
    for (int i = 0; i < s->n; i++) TL_TRY(tl_prototxt_override(r, m, obj, s->overrides[i]));
    return TL_OK;
}

tl_status tl_spec_load(tl_report *r, tl_spec_source source, const tl_msg *m, void *obj,
                       tl_status (*check)(void *self), void *self, const char **warnings)
{
    TL_TRY(tl_spec_text(r->arena, &source));
    tl_status s = tl_spec_read(r, &source, m, obj);
    if (!s) s = tl_spec_complete(r, m, obj);
    if (!s && !r->error.n) s = check(self);
    if (s && s != TL_ESPEC) return s;
    TL_TRY(tl_report_end(r));
    return tl_report_warnings(r, warnings);
}

/* ---- Tables and places ---- */
const tl_field *tl_spec_row(const tl_msg *m, const char *name)
{
    for (const tl_field *f = m->field; f->name; f++)
        if (f->kind == TL_MSG && !strcmp(f->name, name)) return f;
    return NULL;
}

tl_status tl_spec_make(tl_report *r, const tl_msg *m, void *obj, const char *name, tl_place at)
{
    const tl_field *row = tl_spec_row(m, name);
    void **member = tl_field_at(row, obj);
    if (*member) return TL_OK;
    TL_NEW(*member = tl_msg_new(r->arena, row->msg));
    return tl_report_mark(r, *member, NULL, at);
}

tl_status tl_spec_lower(tl_arena *a, const char **s)
{
    if (!*s) return TL_OK;
    char *copy = tl_strdup(a, *s);
    TL_NEW(copy);
    for (char *c = copy; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
    *s = copy;
    return TL_OK;
}

tl_status tl_spec_lower_all(tl_arena *a, const tl_list *names)
{
    const char **s = names->at;
    for (int i = 0; i < names->n; i++) TL_TRY(tl_spec_lower(a, &s[i]));
    return TL_OK;
}

tl_hint tl_spec_hint(const char *name, const char *const *names, int n)
{
    tl_hint hint = { "" };
    tl_nearest near = { .word = name };
    for (int i = 0; i < n; i++) tl_nearest_try(&near, names[i]);
    if (near.best) snprintf(hint.s, sizeof hint.s, "; did you mean '%s'?", near.best);
    return hint;
}

/* ---- Completing ---- */
static bool is_map(const tl_field *row)
{
    return row->kind == TL_MSG && (row->flags & TL_REPEATED) && !strcmp(row->msg->field->name, "key");
}

void *tl_entry_find(const tl_list *map, const char *key)
{
    tl_entry *const *e = map->at;
    for (int i = 0; i < map->n; i++)
        if (!strcmp(e[i]->key, key)) return e[i]->value;
    return NULL;
}

/* Two spellings of one name may stand for the same: "Car" and "car" are both cars. */
static bool same_value(const tl_field *value, const void *x, const void *y)
{
    const char *a = *(const char *const *)tl_field_at(value, x),
               *b = *(const char *const *)tl_field_at(value, y);
    return value->kind == TL_STR && a && b && !strcasecmp(a, b);
}

/* One entry of a map whose first n keys are done. */
static tl_status complete_key(tl_report *r, const tl_field *row, void **entry, int n)
{
    const tl_field *key = &row->msg->field[0], *value = &row->msg->field[1];
    const char **mine = tl_field_at(key, entry[n]);
    if (!*mine) return TL_OK; /* reported: it is required */
    TL_TRY(tl_spec_lower(r->arena, mine));
    tl_place at = tl_report_place(r, entry[n], NULL);
    for (int i = 0; i < n; i++) {
        const char *other = *(const char **)tl_field_at(key, entry[i]);
        if (other && !strcmp(other, *mine) && !same_value(value, entry[i], entry[n]))
            return tl_report_error(r, at,
                                   "%s: the key \"%s\" is given twice (first in line %d); remove one of them",
                                   row->name, *mine, tl_report_place(r, entry[i], NULL).line);
    }
    return value->kind == TL_MSG ? tl_spec_make(r, row->msg, entry[n], value->name, at) : TL_OK;
}

static tl_status complete_pairs(tl_report *r, const tl_field *row, const void *obj)
{
    const tl_list *l = tl_field_at(row, obj);
    tl_pair *p = l->at;
    for (int i = 0; i < l->n; i++) {
        TL_TRY(tl_spec_lower(r->arena, &p[i].key));
        for (int j = 0; j < i; j++)
            if (!strcmp(p[i].key, p[j].key))
                TL_TRY(tl_report_error(r, tl_report_place(r, obj, row->name),
                                       "%s: the key \"%s\" is given twice; remove one of them", row->name,
                                       p[i].key));
    }
    return TL_OK;
}

static tl_status complete_message(tl_report *r, const char *title, const tl_msg *m, void *obj);

/* Whether a required field is missing; not where something was said of it already. */
static bool is_missing(const tl_report *r, const tl_field *row, const void *obj)
{
    if (!tl_report_marked(r, obj, row->name)) return true;
    if (r->error.n) return false;
    const void *at = tl_field_at(row, obj);
    if (row->flags & TL_REPEATED) return !((const tl_list *)at)->n;
    return row->kind == TL_STR && !**(const char *const *)at;
}

static tl_status complete_field(tl_report *r, const char *title, const tl_field *row, void *obj)
{
    void *at = tl_field_at(row, obj);
    if ((row->flags & TL_REQUIRED) && is_missing(r, row, obj))
        return tl_report_error(r, tl_report_place(r, obj, NULL), "%s: '%s' is missing (%s)", title, row->name,
                               row->help);
    if (row->flags & TL_MAP) return complete_pairs(r, row, obj);
    if (row->kind != TL_MSG) return TL_OK;
    if (!(row->flags & TL_REPEATED))
        return *(void **)at ? complete_message(r, row->name, row->msg, *(void **)at) : TL_OK;
    const tl_list *l = at;
    for (int i = 0; i < l->n; i++) {
        void **element = l->at;
        if (is_map(row)) TL_TRY(complete_key(r, row, element, i));
        TL_TRY(complete_message(r, row->name, row->msg, element[i]));
    }
    return TL_OK;
}

static tl_status complete_message(tl_report *r, const char *title, const tl_msg *m, void *obj)
{
    for (const tl_field *row = m->field; row->name; row++) TL_TRY(complete_field(r, title, row, obj));
    return TL_OK;
}

tl_status tl_spec_complete(tl_report *r, const tl_msg *m, void *obj)
{
    return complete_message(r, m->name, m, obj);
}
