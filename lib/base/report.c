/* report.c - collecting errors and warnings with their places. SPDX-License-Identifier: MIT */
#include "report.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { const void *obj; const char *field; tl_place at; } mark;
typedef struct { tl_place at; int order; const char *text; } item;

tl_report tl_report_new(tl_arena *a) { return (tl_report){ .arena = a }; }

static tl_status add(tl_report *r, tl_list *l, tl_place at, const char *fmt, va_list ap)
{
    char text[1024];
    vsnprintf(text, sizeof text, fmt, ap);
    const char *copy = tl_strdup(r->arena, text);
    TL_NEW(copy);
    item *i = tl_add(r->arena, l, item);
    TL_NEW(i);
    *i = (item){ at, l->n, copy };
    return TL_OK;
}

tl_status tl_report_error(tl_report *r, tl_place at, const char *fmt, ...)
{
    if (r->error.n >= TL_REPORT_MOST) return TL_ESPEC;
    va_list ap;
    va_start(ap, fmt);
    tl_status s = add(r, &r->error, at, fmt, ap);
    va_end(ap);
    return s ? s : r->error.n == TL_REPORT_MOST ? TL_ESPEC : TL_OK;
}

tl_status tl_report_warn(tl_report *r, tl_place at, const char *fmt, ...)
{
    if (r->warning.n >= TL_REPORT_MOST) return TL_OK;
    va_list ap;
    va_start(ap, fmt);
    tl_status s = add(r, &r->warning, at, fmt, ap);
    va_end(ap);
    return s;
}

tl_status tl_report_mark(tl_report *r, const void *obj, const char *field, tl_place at)
{
    mark *m = tl_add(r->arena, &r->mark, mark);
    TL_NEW(m);
    *m = (mark){ obj, field, at };
    return TL_OK;
}

static const mark *find(const tl_report *r, const void *obj, const char *field)
{
    const mark *m = r->mark.at;
    for (int i = r->mark.n; i-- > 0;) {
        bool same = field && m[i].field ? !strcmp(m[i].field, field) : m[i].field == field;
        if (m[i].obj == obj && same) return &m[i];
    }
    return NULL;
}

tl_place tl_report_place(const tl_report *r, const void *obj, const char *field)
{
    const mark *m = find(r, obj, field);
    if (!m) m = find(r, obj, NULL);
    if (!m && r->mark.n) m = r->mark.at;
    return m ? m->at : (tl_place){ "spec", 1, 1 };
}

bool tl_report_marked(const tl_report *r, const void *obj, const char *field) { return find(r, obj, field); }

static int by_place(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (!x->at.line != !y->at.line) return x->at.line ? -1 : 1; /* arguments come last */
    if (x->at.line != y->at.line) return x->at.line < y->at.line ? -1 : 1;
    if (x->at.col != y->at.col) return x->at.col < y->at.col ? -1 : 1;
    return x->order - y->order;
}

static void put(tl_text *t, const item *i)
{
    if (i->at.line) tl_textf(t, "%s:%d:%d: %s", i->at.file, i->at.line, i->at.col, i->text);
    else tl_textf(t, "%s: %s", i->at.file, i->text);
}

tl_status tl_report_end(const tl_report *r)
{
    if (!r->error.n) return TL_OK;
    char all[8000], one[1200];
    tl_text t = tl_text_on(all, sizeof all);
    item *e = r->error.at;
    qsort(e, (size_t)r->error.n, sizeof *e, by_place);
    for (int i = 0; i < r->error.n; i++) {
        tl_text line = tl_text_on(one, sizeof one);
        put(&line, &e[i]);
        if (t.n + line.n + 64 > sizeof all) {
            tl_textf(&t, "\nand %d more", r->error.n - i);
            break;
        }
        tl_textf(&t, "%s%s", i ? "\n" : "", one);
    }
    if (r->error.n >= TL_REPORT_MOST) tl_textf(&t, "\nstopped after %d errors", TL_REPORT_MOST);
    return tl_fail(TL_ESPEC, "%s", all);
}

tl_status tl_report_warnings(tl_report *r, const char **text)
{
    tl_text t = tl_text_new(r->arena);
    item *w = r->warning.at;
    if (r->warning.n) qsort(w, (size_t)r->warning.n, sizeof *w, by_place);
    for (int i = 0; i < r->warning.n; i++) {
        tl_textf(&t, "warning: ");
        put(&t, &w[i]);
        tl_textf(&t, "\n");
    }
    const char *const *path = r->noeffect.at;
    for (int i = 0; i < r->noeffect.n; i++)
        tl_textf(&t, "%s%s", i ? ", " : "warning: accepted, but without effect here: ", path[i]);
    if (r->noeffect.n) tl_textf(&t, "\n");
    TL_NEW(*text = tl_text_end(&t));
    return TL_OK;
}
