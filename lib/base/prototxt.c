/* prototxt.c - reader and printer of protobuf's text format. SPDX-License-Identifier: MIT
 *
 * A recursive descent over the tables: read_message, read_field, read_value, read_scalar. The depth
 * is that of the tables, never that of the text. Recovery aims at one error per mistake:
 *   - an unknown field that looks like a known one is reported, then read as the known one;
 *   - any other unknown field is skipped with its value, braces matched;
 *   - a message that belongs to an enclosing message means that a '}' is missing: the enclosing
 *     message goes on;
 *   - after what cannot begin a field the rest of the line is skipped. */
#include "prototxt_reader.h"
#include <stdio.h>
#include <string.h>

/* A map entry; TL_MAP rows are read as protobuf defines maps, as messages of key and value. */
typedef struct { uint64_t set; const char *key; float value; } entry;

/* ---- Tokens ---- */
void tl_reader_next(tl_reader *r)
{
    r->tok = tl_lexer_next(&r->lex);
    if (r->argument) r->tok.place = (tl_place){ r->lex.place.file, 0, 0 };
}

static bool accept(tl_reader *r, char sign)
{
    if (!tl_token_is(&r->tok, sign)) return false;
    tl_reader_next(r);
    return true;
}

static bool opens(const tl_token *t) { return tl_token_is(t, '{') || tl_token_is(t, '<'); }
static bool closes(const tl_token *t) { return tl_token_is(t, '}') || tl_token_is(t, '>'); }

/* Skip to what may begin the next field: the end of this line, or a closing brace. */
static void skip_line(tl_reader *r)
{
    int line = r->tok.place.line, depth = 0;
    while (r->tok.kind != TL_TOK_END && (depth || r->tok.place.line == line)) {
        if (closes(&r->tok) && depth-- == 0) return;
        if (opens(&r->tok)) depth++;
        tl_reader_next(r);
    }
}

static void skip_value(tl_reader *r)
{
    int depth = 0;
    do {
        if (opens(&r->tok) || tl_token_is(&r->tok, '[')) depth++;
        else if (!depth && (closes(&r->tok) || tl_token_is(&r->tok, ']'))) return;
        else if (closes(&r->tok) || tl_token_is(&r->tok, ']')) depth--;
        else if (!depth) accept(r, '-');
        bool text = r->tok.kind == TL_TOK_STRING;
        tl_reader_next(r);
        while (!depth && text && r->tok.kind == TL_TOK_STRING) tl_reader_next(r);
    } while (depth && r->tok.kind != TL_TOK_END);
}

/* ---- Names ---- */
/* Where in the tables below m a field of this name lives: "train_config.lr_config". */
static bool find_home(const tl_msg *m, const char *name, tl_text *path)
{
    size_t n = path->n;
    for (const tl_field *f = m->field; f->name; f++) {
        if (f->kind != TL_MSG) continue;
        tl_textf(path, "%s%s", n ? "." : "", f->name);
        if (tl_field_find(f->msg->field, name) || find_home(f->msg, name, path)) return true;
        path->at[path->n = n] = 0;
    }
    return false;
}

static const char *title(const tl_frame *f) { return f->name ? f->name : f->msg->name; }

const tl_field *tl_reader_row(const tl_msg *m, const char *name, bool message)
{
    const tl_field *first = tl_field_find(m->field, name);
    for (const tl_field *f = first; f && f->name; f++) {
        bool takes = f->kind == TL_MSG || (f->flags & TL_MAP);
        if (takes == message && !strcmp(f->name, name)) return f;
    }
    return first;
}

tl_status tl_reader_unknown(tl_report *r, const tl_frame *f, const char *name, tl_place at, const tl_field **guess)
{
    char home[256];
    tl_text path = tl_text_on(home, sizeof home);
    const tl_frame *root = f;
    while (root->up) root = root->up;
    *guess = NULL;
    if (find_home(root->msg, name, &path))
        return tl_report_error(r, at, "%s has no field '%s'; it belongs to %s", title(f), name, home);
    const char *near = tl_field_nearest(f->msg->field, name);
    if (!near) return tl_report_error(r, at, "%s has no field '%s'", title(f), name);
    *guess = tl_field_find(f->msg->field, near);
    return tl_report_error(r, at, "%s has no field '%s'; did you mean '%s'?", title(f), name, near);
}

/* ---- Giving a field ---- */
tl_status tl_reader_noeffect(tl_report *r, const tl_frame *f, const tl_field *row)
{
    if (f->silent || !(row->flags & TL_NOEFFECT)) return TL_OK;
    const char *path = row->name;
    for (; f->name; f = f->up) TL_NEW(path = tl_printf(r->arena, "%s.%s", f->name, path));
    const char **slot = r->noeffect.at;
    for (int i = 0; i < r->noeffect.n; i++)
        if (!strcmp(slot[i], path)) return TL_OK;
    TL_NEW(slot = tl_add(r->arena, &r->noeffect, const char *));
    *slot = path;
    return TL_OK;
}

const tl_field *tl_reader_rival(const tl_frame *f, const tl_field *row)
{
    for (const tl_field *g = f->msg->field; g->name; g++) {
        bool same = !strcmp(g->name, row->name), both = g->flags & row->flags & TL_ONEOF;
        if ((same || both) && tl_msg_given(f->msg, f->obj, g)) return g;
    }
    return NULL;
}

/* Mark the row as given; *taken tells that something stands in its way. */
static tl_status give(tl_report *r, const tl_frame *f, const tl_field *row, tl_place at, bool *taken)
{
    bool list = row->flags & (TL_REPEATED | TL_MAP), again = tl_msg_given(f->msg, f->obj, row);
    const tl_field *other = list ? NULL : tl_reader_rival(f, row);
    *taken = other;
    if (other) {
        int line = tl_report_place(r, f->obj, other->name).line;
        if (strcmp(other->name, row->name))
            return tl_report_error(r, at, "%s: '%s' excludes '%s' (given in line %d); choose one of them",
                                   title(f), row->name, other->name, line);
        return tl_report_error(r, at, "%s: '%s' is given twice (first in line %d)", title(f), row->name, line);
    }
    if (again) return TL_OK; /* one more element */
    tl_msg_give(f->msg, f->obj, row);
    TL_TRY(tl_reader_noeffect(r, f, row));
    return tl_report_mark(r, f->obj, row->name, at);
}

/* ---- Values ---- */
static tl_status read_message(tl_reader *r, const tl_frame *f, char close);

/* Adjacent strings are one string. */
static tl_status read_string(tl_reader *r, bool *ok)
{
    *ok = true;
    for (; r->tok.kind == TL_TOK_STRING; tl_reader_next(r)) {
        const char *why;
        if (!tl_token_string(&r->tok, &r->word, &why)) {
            *ok = false;
            TL_TRY(tl_report_error(r->report, r->tok.place, "%s", why));
        }
    }
    return TL_OK;
}

/* One int, float, bool, enum or string to its place; a value that does not fit leaves it as it is. */
static tl_status read_scalar(tl_reader *r, const tl_field *row, void *at)
{
    tl_place place = r->tok.place;
    tl_token first = r->tok;
    bool quoted = first.kind == TL_TOK_STRING, ok = true;
    r->word.n = 0;
    tl_text_add(&r->word, "", 0);
    if (first.kind == TL_TOK_BAD) {
        tl_reader_next(r);
        return tl_report_error(r->report, place, "%s", first.why);
    }
    if (!quoted && accept(r, '-')) tl_text_add(&r->word, "-", 1);
    if (quoted) {
        TL_TRY(read_string(r, &ok));
    } else if (r->tok.kind == TL_TOK_NAME || r->tok.kind == TL_TOK_NUMBER) {
        tl_text_add(&r->word, r->tok.at, r->tok.n);
        tl_reader_next(r);
    } else {
        tl_field_mismatch(row, tl_token_show(&first).s);
        skip_line(r);
        return tl_report_error(r->report, place, "%s", tl_errmsg());
    }
    TL_NEW(tl_text_end(&r->word));
    if (!ok) return TL_OK; /* reported already */
    if (quoted == (row->kind == TL_STR)) {
        tl_status s = tl_value_set(r->report->arena, row, r->word.at, at);
        if (s != TL_EARG) return s;
    } else {
        tl_field_mismatch(row, quoted ? tl_token_show(&first).s : r->word.at);
    }
    return tl_report_error(r->report, place, "%s", tl_errmsg());
}

static tl_status read_inner(tl_reader *r, const tl_frame *f, const tl_field *row, const tl_msg *m, void *obj)
{
    tl_frame inner = { f, m, obj, row->name, r->tok.place, f->silent || (row->flags & TL_NOEFFECT) };
    char close = tl_token_is(&r->tok, '{') ? '}' : '>';
    tl_reader_next(r);
    TL_TRY(tl_report_mark(r->report, obj, NULL, inner.open));
    return read_message(r, &inner, close);
}

static tl_status read_entry(tl_reader *r, const tl_frame *f, const tl_field *row, tl_list *l)
{
    const tl_field rows[] = {
        TL_FX(entry, key, TL_STR, 0, 0, 0, "name in the map", .flags = TL_REQUIRED),
        TL_FX(entry, value, TL_FLOAT, 0, row->lo, row->hi, row->help, .flags = 0),
        TL_F_END
    };
    const tl_msg m = { row->name, rows, sizeof(entry), "" };
    tl_place at = r->tok.place;
    entry e;
    tl_msg_defaults(&m, &e);
    TL_TRY(read_inner(r, f, row, &m, &e));
    if (!e.key) return tl_report_error(r->report, at, "%s: this entry has no key", row->name);
    if (tl_map_find(l, e.key))
        return tl_report_error(r->report, at, "%s: the key \"%s\" is given twice", row->name, e.key);
    return tl_map_set(r->report->arena, l, e.key, e.value);
}

/* One value: the member itself, or one more element of a list or map. */
static tl_status read_one(tl_reader *r, const tl_frame *f, const tl_field *row)
{
    tl_arena *a = r->report->arena;
    void *at = tl_field_at(row, f->obj);
    if ((row->kind == TL_MSG || (row->flags & TL_MAP)) && !opens(&r->tok)) {
        tl_place place = r->tok.place;
        tl_field message = { .name = row->name, .kind = TL_MSG, .help = row->help };
        tl_field_mismatch(&message, tl_token_show(&r->tok).s);
        skip_value(r);
        return tl_report_error(r->report, place, "%s", tl_errmsg());
    }
    if (row->flags & TL_MAP) return read_entry(r, f, row, at);
    union { int i; float f; bool b; void *p; } v = { .p = NULL };
    int errors = r->report->error.n;
    if (row->kind == TL_MSG) {
        TL_NEW(v.p = tl_msg_new(a, row->msg));
        if (!(row->flags & TL_REPEATED)) *(void **)at = v.p;
        TL_TRY(read_inner(r, f, row, row->msg, v.p));
    } else {
        TL_TRY(read_scalar(r, row, row->flags & TL_REPEATED ? &v : at));
    }
    bool ok = r->report->error.n == errors;
    if (!(row->flags & TL_REPEATED)) {
        if (!ok && row->kind != TL_MSG) tl_msg_unset(f->msg, f->obj, row); /* checks of values are to skip it */
        return TL_OK;
    }
    if (!ok) return TL_OK;
    void *slot = tl_grow(a, at, tl_value_size(row));
    TL_NEW(slot);
    memcpy(slot, &v, tl_value_size(row));
    return TL_OK;
}

tl_status tl_reader_value(tl_reader *r, const tl_frame *f, const tl_field *row)
{
    if (!tl_token_is(&r->tok, '[')) return read_one(r, f, row);
    tl_place at = r->tok.place;
    if (!(row->flags & (TL_REPEATED | TL_MAP))) {
        skip_value(r);
        return tl_report_error(r->report, at, "%s takes one value, not a list", row->name);
    }
    tl_reader_next(r);
    if (accept(r, ']')) return TL_OK;
    do TL_TRY(read_one(r, f, row)); while (!r->leave && accept(r, ','));
    if (r->leave || accept(r, ']')) return TL_OK;
    at = r->tok.place;
    tl_shown found = tl_token_show(&r->tok);
    skip_line(r);
    return tl_report_error(r->report, at, "%s: expected ',' or ']', found %s", row->name, found.s);
}

/* ---- Fields and messages ---- */
/* How many frames up a message of this name lives; 0: nowhere. */
static int frames_to(const tl_frame *f, const char *name)
{
    int n = 1;
    for (f = f->up; f; f = f->up, n++) {
        const tl_field *row = tl_reader_row(f->msg, name, true);
        if (row && row->kind == TL_MSG) return n;
    }
    return 0;
}

static tl_status missing_brace(tl_reader *r, const tl_frame *f, tl_place at, const char *before)
{
    if (!f->open.line) return tl_report_error(r->report, at, "expected '}' before %s", before);
    return tl_report_error(r->report, at, "expected '}' before %s, to close '%s' of line %d",
                           before, title(f), f->open.line);
}

typedef struct { char s[64]; } word; /* a name, cut to more than any known name has */
static word word_of(const tl_token *t)
{
    word w;
    snprintf(w.s, sizeof w.s, "%.*s", (int)t->n, t->at);
    return w;
}

/* "n_epochs:" and then the next field: the value was forgotten. */
static bool forgotten(const tl_reader *r, const tl_frame *f, const tl_token *name)
{
    return r->tok.kind == TL_TOK_NAME && r->tok.place.line > name->place.line
        && tl_field_find(f->msg->field, word_of(&r->tok).s);
}

/* What comes after the name, and the value. */
static tl_status read_rest(tl_reader *r, const tl_frame *f, const tl_field *row, const tl_token *name)
{
    bool scalar = row->kind != TL_MSG && !(row->flags & TL_MAP), taken;
    const tl_token sign = r->tok;
    bool colon = accept(r, ':'), equals = !colon && accept(r, '=');
    TL_TRY(give(r->report, f, row, name->place, &taken));
    if (equals || (scalar && !colon))
        TL_TRY(tl_report_error(r->report, sign.place, "expected ':' after '%s', found %s",
                               row->name, tl_token_show(&sign).s));
    if (taken) {
        skip_value(r);
        return TL_OK;
    }
    if (!scalar || !forgotten(r, f, name)) return tl_reader_value(r, f, row);
    tl_field_mismatch(row, "the end of the line");
    return tl_report_error(r->report, sign.place, "%s", tl_errmsg());
}

/* Whether a message follows the name; the reader stays where it is. */
static bool message_follows(tl_reader r)
{
    if (!accept(&r, ':')) accept(&r, '=');
    return opens(&r.tok);
}

static tl_status read_field(tl_reader *r, const tl_frame *f)
{
    const tl_token name = r->tok;
    const word w = word_of(&name);
    const tl_reader before = *r;
    tl_reader_next(r);
    bool message = message_follows(*r);
    const tl_field *row = tl_reader_row(f->msg, w.s, message);
    if (row) return read_rest(r, f, row, &name);
    int leave = message ? frames_to(f, w.s) : 0;
    if (leave) { /* the enclosing message will read this field */
        *r = before;
        r->leave = leave;
        return missing_brace(r, f, name.place, tl_token_show(&name).s);
    }
    TL_TRY(tl_reader_unknown(r->report, f, w.s, name.place, &row));
    if (row) row = tl_reader_row(f->msg, row->name, message);
    if (row && !tl_reader_rival(f, row)) return read_rest(r, f, row, &name);
    if (!accept(r, ':')) accept(r, '=');
    skip_value(r);
    return TL_OK;
}

/* Fields up to `close` (0: the end of the text). */
static tl_status read_message(tl_reader *r, const tl_frame *f, char close)
{
    for (;;) {
        if (r->tok.kind == TL_TOK_END) {
            if (!close) return TL_OK;
            return missing_brace(r, f, r->tok.place, "the end of the text");
        }
        if (close && closes(&r->tok)) {
            bool right = tl_token_is(&r->tok, close);
            tl_place at = r->tok.place;
            tl_reader_next(r);
            return right ? TL_OK : tl_report_error(r->report, at, "expected '%c' to close '%s'", close, title(f));
        }
        if (r->tok.kind == TL_TOK_NAME) {
            TL_TRY(read_field(r, f));
            if (r->leave) { r->leave--; return TL_OK; }
            if (!accept(r, ',')) accept(r, ';');
            continue;
        }
        tl_token bad = r->tok;
        if (closes(&r->tok)) tl_reader_next(r);
        else skip_line(r);
        TL_TRY(bad.why ? tl_report_error(r->report, bad.place, "%s", bad.why)
                       : tl_report_error(r->report, bad.place,
                                         "expected the name of a field of %s, found %s", title(f),
                                         tl_token_show(&bad).s));
    }
}

tl_status tl_prototxt_read(tl_report *report, const char *file, const char *text, size_t n, const tl_msg *m, void *obj)
{
    tl_reader r = { .report = report, .lex = tl_lexer_new(file, text, n), .word = tl_text_new(report->arena) };
    tl_frame root = { .msg = m, .obj = obj, .open = r.lex.place };
    TL_TRY(tl_report_mark(report, obj, NULL, root.open));
    tl_reader_next(&r);
    return read_message(&r, &root, 0);
}
