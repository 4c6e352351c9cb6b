/* json_items.c - a large JSON file, an element at a time. SPDX-License-Identifier: MIT
 *
 * Jansson makes a tree of all that it is given, which for COCO's 450 MB of annotations takes gigabytes. But it can be
 * told to stop after one value, so only the outer braces, brackets and commas are read here, and each element by
 * Jansson. It is given a byte at a time: with more it would not say where it stopped. Even so it reads one byte too
 * many after a number or a name, which is taken back. */
#include "json_items.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *path;
    FILE *f;
    tl_json_item item;
    void *ctx;
    int line;
    size_t at, n, given; /* of buf; given: bytes of this value */
    bool ended, broken;  /* in this value: the file has no more; it cannot be read on */
    char buf[1 << 15];
} reader;

static bool refill(reader *r)
{
    if (r->at < r->n) return true;
    r->at = 0;
    r->n = fread(r->buf, 1, sizeof r->buf, r->f);
    r->broken = r->broken || ferror(r->f);
    return r->n > 0;
}

static size_t give(void *to, size_t n, void *ctx)
{
    reader *r = ctx;
    r->ended = !n || ++r->given > TL_JSON_ITEM || !refill(r);
    if (r->ended) return 0;
    char c = r->buf[r->at++];
    r->line += c == '\n';
    *(char *)to = c;
    return 1;
}

/* The next character that is not blank, left where it is; 0 at the end. */
static char peek(reader *r)
{
    for (; refill(r) && strchr(" \t\r\n", r->buf[r->at]) && r->buf[r->at]; r->at++)
        r->line += r->buf[r->at] == '\n';
    return refill(r) ? r->buf[r->at] : 0;
}

static tl_status fail(const reader *r, const char *wanted)
{
    TL_CHECK(!r->broken, TL_EIO, "cannot read '%s': %s", r->path, strerror(errno));
    unsigned char c = r->at < r->n ? (unsigned char)r->buf[r->at] : 0;
    if (!c) return tl_fail(TL_EFORMAT, "'%s', line %d: not whole: %s was expected", r->path, r->line, wanted);
    return tl_fail(TL_EFORMAT, "'%s', line %d: not JSON: %s was expected, not '%c'", r->path, r->line, wanted,
                   isprint(c) ? c : '?');
}

static tl_status value(reader *r, json_t **v)
{
    json_error_t e;
    int line = r->line;
    if (!peek(r)) return fail(r, "a value");
    r->given = 0;
    r->ended = false;
    *v = json_load_callback(give, r, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &e);
    TL_CHECK(!r->broken, TL_EIO, "cannot read '%s': %s", r->path, strerror(errno));
    TL_CHECK(*v || r->given <= TL_JSON_ITEM, TL_EFORMAT, "'%s', line %d: an element longer than %d bytes", r->path,
             line, TL_JSON_ITEM);
    TL_CHECK(*v, TL_EFORMAT, "'%s', line %d: not JSON: %s", r->path, r->line, e.text);
    bool closed = json_is_object(*v) || json_is_array(*v) || json_is_string(*v);
    if (closed || r->ended) return TL_OK;
    r->at--;
    r->line -= r->buf[r->at] == '\n';
    return TL_OK;
}

static tl_status one(reader *r, const char *key)
{
    json_t *v;
    peek(r);
    int line = r->line;
    TL_TRY(value(r, &v));
    tl_status s = r->item(r->ctx, key, v, line);
    json_decref(v);
    return s;
}

/* After an element: does another follow? */
static tl_status more(reader *r, char close, bool *another)
{
    char c = peek(r);
    if (c != ',' && c != close) return fail(r, close == ']' ? "',' or ']'" : "',' or '}'");
    r->at++;
    *another = c == ',';
    return TL_OK;
}

static tl_status array(reader *r, const char *key)
{
    bool another = true;
    r->at++;
    if (peek(r) == ']') {
        r->at++;
        return TL_OK;
    }
    while (another) {
        TL_TRY(one(r, key));
        TL_TRY(more(r, ']', &another));
    }
    return TL_OK;
}

static tl_status member(reader *r)
{
    json_t *name;
    char key[64];
    if (peek(r) != '"') return fail(r, "a name in quotes");
    TL_TRY(value(r, &name));
    snprintf(key, sizeof key, "%s", json_string_value(name));
    json_decref(name);
    if (peek(r) != ':') return fail(r, "':'");
    r->at++;
    return peek(r) == '[' ? array(r, key) : one(r, key);
}

static tl_status object(reader *r)
{
    bool another = true;
    r->at++;
    if (peek(r) == '}') {
        r->at++;
        return TL_OK;
    }
    while (another) {
        TL_TRY(member(r));
        TL_TRY(more(r, '}', &another));
    }
    return TL_OK;
}

static tl_status whole(reader *r)
{
    char c = peek(r);
    if (c != '{' && c != '[') return fail(r, "'{' or '['");
    TL_TRY(c == '{' ? object(r) : array(r, ""));
    return refill(r) && peek(r) ? fail(r, "the end") : TL_OK;
}

tl_status tl_json_items(const char *path, tl_json_item item, void *ctx)
{
    reader r = { .path = path, .f = fopen(path, "rb"), .item = item, .ctx = ctx, .line = 1 };
    TL_CHECK(r.f, TL_EIO, "cannot open '%s': %s", path, strerror(errno));
    tl_status s = whole(&r);
    fclose(r.f);
    return s;
}
