/* prototxt_override.c - command-line arguments that replace values of a settings file.
 * SPDX-License-Identifier: MIT */
#include "prototxt_reader.h"
#include <stdio.h>
#include <string.h>

/* What an argument gives replaces what the file gave: namesakes and other members of the oneof. */
static void clear_rivals(const tl_frame *f, const tl_field *row)
{
    for (const tl_field *g; (g = tl_reader_rival(f, row)) && g != row;) tl_msg_unset(f->msg, f->obj, g);
}

static tl_status give_argument(tl_report *r, const tl_frame *f, const tl_field *row, tl_place at)
{
    clear_rivals(f, row);
    tl_msg_give(f->msg, f->obj, row);
    TL_TRY(tl_reader_noeffect(r, f, row));
    return tl_report_mark(r, f->obj, row->name, at);
}

/* Values with quotes or braces are read as in a file; others are plain text. */
static bool as_in_file(const char *value)
{
    static const char signs[] = "{<\"'";
    return *value && (strchr(signs, *value) || (*value == '[' && strpbrk(value, signs)));
}

static tl_status assign(tl_reader *r, const tl_frame *f, const tl_field *row, const char *key,
                        const char *value, tl_place at)
{
    if (!key) tl_msg_unset(f->msg, f->obj, row);
    TL_TRY(give_argument(r->report, f, row, at));
    if (as_in_file(value) && !key) {
        r->lex = tl_lexer_new(at.file, value, strlen(value));
        tl_reader_next(r);
        TL_TRY(tl_reader_value(r, f, row));
        if (r->tok.kind == TL_TOK_END) return TL_OK;
        return tl_report_error(r->report, at, "%s: expected one value, found %s after it",
                               row->name, tl_token_show(&r->tok).s);
    }
    float v;
    tl_status s = key ? tl_value_set(r->report->arena, row, value, &v)
                      : tl_field_set(r->report->arena, row, f->obj, value);
    if (s == TL_EARG) {
        s = tl_report_error(r->report, at, "%s", tl_errmsg());
        if (!key) tl_msg_unset(f->msg, f->obj, row);
        return s;
    }
    return s || !key ? s : tl_map_set(r->report->arena, tl_field_at(row, f->obj), key, v);
}

/* From "a.b.c=value", where f stands and path begins at a. */
static tl_status follow(tl_reader *r, const tl_frame *f, const char *path, const char *equals, tl_place at)
{
    size_t n = strcspn(path, ".=");
    bool last = path[n] == '=';
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)n, path);
    const tl_field *row = tl_reader_row(f->msg, name, !last || equals[1] == '{' || equals[1] == '<');
    if (!row) return tl_reader_unknown(r->report, f, name, at, &row);
    if (last) return assign(r, f, row, NULL, equals + 1, at);
    if (row->flags & TL_MAP) {
        const char *key = tl_strndup(r->report->arena, path + n + 1, (size_t)(equals - path) - n - 1);
        TL_NEW(key);
        return assign(r, f, row, key, equals + 1, at);
    }
    if (row->kind != TL_MSG || (row->flags & TL_REPEATED))
        return tl_report_error(r->report, at, "%s has no fields that could be set one by one", row->name);
    void **obj = tl_field_at(row, f->obj);
    TL_TRY(give_argument(r->report, f, row, at));
    if (!*obj) {
        TL_NEW(*obj = tl_msg_new(r->report->arena, row->msg));
        TL_TRY(tl_report_mark(r->report, *obj, NULL, at));
    }
    tl_frame inner = { f, row->msg, *obj, row->name, at, f->silent || (row->flags & TL_NOEFFECT) };
    return follow(r, &inner, path + n + 1, equals, at);
}

tl_status tl_prototxt_override(tl_report *report, const tl_msg *m, void *obj, const char *argument)
{
    tl_place at = { argument, 0, 0 };
    const char *equals = strchr(argument, '=');
    if (!equals) return tl_report_error(report, at, "expected name=value, as in train_config.n_epochs=3");
    if (!tl_utf8_valid(argument, strlen(argument))) return tl_report_error(report, at, "this is not valid UTF-8, as all of a spec must be");
    tl_reader r = { .report = report, .word = tl_text_new(report->arena), .argument = true };
    tl_frame root = { .msg = m, .obj = obj, .open = at };
    return follow(&r, &root, argument, equals, at);
}
