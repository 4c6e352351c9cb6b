/* statusjson.c - status.json, classmap.json and training.csv. SPDX-License-Identifier: MIT
 *
 * Each function works in a scratch arena of its own, which also owns what jansson makes. */
#include "statusjson.h"
#include "text.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_FILE ((size_t)64 << 20)

/* What `call` returns, given a scratch arena to work in. */
#define IN_SCRATCH(call)                      \
    do {                                      \
        tl_arena *scratch = tl_arena_new();   \
        TL_NEW(scratch);                      \
        tl_status s_ = (call);                \
        tl_arena_free(scratch);               \
        return s_;                            \
    } while (0)

static void unref(void *j) { json_decref(j); }

/* Give j to the arena. */
static tl_status own(tl_arena *a, json_t *j)
{
    TL_CHECK(j, TL_ENOMEM, "out of memory");
    return tl_defer(a, unref, j);
}

/* j as text with a line end; numbers with the digits that a float has. */
static tl_status dump(tl_arena *a, const json_t *j, const char **out)
{
    char *text = json_dumps(j, JSON_REAL_PRECISION(7));
    TL_CHECK(text, TL_ENOMEM, "out of memory");
    *out = tl_printf(a, "%s\n", text);
    free(text);
    return *out ? TL_OK : TL_ENOMEM;
}

static bool utf8(const char *s)
{
    json_t *j = json_string(s);
    json_decref(j);
    return j != NULL;
}

/* ---- status.json ------------------------------------------------------------------------------- */

static const char *clean(tl_arena *a, const char *s)
{
    if (utf8(s)) return s;
    char *t = tl_strdup(a, s);
    for (char *p = t; p && *p; p++)
        if (*p & 0x80) *p = '?';
    return t ? t : "";
}

/* NULL for an empty list. JSON has no infinities and no NaN: null. */
static json_t *pairs(tl_arena *a, const tl_list *l)
{
    json_t *o = l->n ? json_object() : NULL;
    for (int i = 0; o && i < l->n; i++) {
        const tl_pair *p = (const tl_pair *)l->at + i;
        json_object_set_new(o, clean(a, p->key), isfinite(p->value) ? json_real((double)p->value) : json_null());
    }
    return o;
}

static json_t *duration(double seconds)
{
    long minutes = (long)(seconds / 60);
    return json_sprintf("%ld:%02ld:%09.6f", minutes / 60, minutes % 60, seconds - 60.0 * (double)minutes);
}

static tl_status add_line(tl_arena *a, const char *path, const tl_run_event *e)
{
    static const char *const state[] = { "STARTED", "RUNNING", "SUCCESS", "FAILURE", "SKIPPED" };
    time_t now = time(NULL);
    struct tm t;
    localtime_r(&now, &t);
    bool epoch = e->max_epoch > 0;
    json_t *line = json_pack("{so so ss ss ss so* so* so* so* so* so* so*}", /* o*: left out when NULL */
        "date", json_sprintf("%d/%d/%d", t.tm_mon + 1, t.tm_mday, t.tm_year + 1900),
        "time", json_sprintf("%d:%d:%d", t.tm_hour, t.tm_min, t.tm_sec),
        "status", state[e->state],
        "verbosity", e->verbosity ? e->verbosity : "INFO",
        "message", e->message ? clean(a, e->message) : "",
        "categorical", pairs(a, &e->categorical),
        "graphical", pairs(a, &e->graphical),
        "kpi", pairs(a, &e->kpi),
        "epoch", epoch ? json_integer(e->epoch) : NULL,
        "max_epoch", epoch ? json_integer(e->max_epoch) : NULL,
        "time_per_epoch", epoch ? duration(e->time_per_epoch) : NULL,
        "eta", epoch ? duration(e->eta) : NULL);
    const char *text;
    TL_TRY(own(a, line));
    TL_TRY(dump(a, line, &text));
    return tl_file_append(path, text);
}

tl_status tl_statusjson_add(const char *path, const tl_run_event *e) { IN_SCRATCH(add_line(scratch, path, e)); }

/* ---- classmap.json ----------------------------------------------------------------------------- */

static tl_status write_map(tl_arena *a, const char *path, const tl_list *classes)
{
    json_t *map = json_object();
    TL_TRY(own(a, map));
    for (int i = 0; i < classes->n; i++) {
        const char *name = ((const char **)classes->at)[i];
        TL_CHECK(utf8(name), TL_EDATA, "the name of the class '%s' is not valid UTF-8: rename its folder", name);
        TL_CHECK(!json_object_set_new(map, name, json_integer(i)), TL_ENOMEM, "out of memory");
    }
    const char *text;
    TL_TRY(dump(a, map, &text));
    return tl_file_write(path, text, strlen(text));
}

tl_status tl_classmap_write(const char *path, const tl_list *classes)
{
    IN_SCRATCH(write_map(scratch, path, classes));
}

tl_status tl_classmap_read(tl_arena *a, const char *path, tl_list *classes)
{
    tl_bytes file;
    json_error_t at;
    TL_TRY(tl_file_read(a, path, MAX_FILE, &file));
    json_t *map = json_loadb((const char *)file.p, file.n, JSON_REJECT_DUPLICATES, &at), *index;
    TL_CHECK(map, TL_EFORMAT, "'%s', line %d, column %d: %s", path, at.line, at.column, at.text);
    TL_TRY(own(a, map));
    int n = (int)json_object_size(map);
    TL_CHECK(n, TL_EFORMAT, "'%s' names no class; {\"class\": index, ...} was expected", path);
    const char **name = tl_new(a, const char *, n), *key;
    TL_NEW(name);
    json_object_foreach(map, key, index) {
        json_int_t i = json_is_integer(index) ? json_integer_value(index) : -1;
        TL_CHECK(i >= 0 && i < n, TL_EFORMAT, "'%s': the index of the class '%s' must be a whole number from 0 to %d",
                 path, key, n - 1);
        TL_CHECK(!name[i], TL_EFORMAT, "'%s': the classes '%s' and '%s' have the same index %d",
                 path, name[i], key, (int)i);
        name[i] = key;
    }
    *classes = (tl_list){ 0, NULL };
    for (int i = 0; i < n; i++) {
        const char **slot = tl_add(a, classes, const char *);
        TL_NEW(slot);
        *slot = name[i];
    }
    return TL_OK;
}

/* ---- training.csv ------------------------------------------------------------------------------ */

/* A comma inside a name (of a class, say) would be taken for the end of a column. */
static tl_status header_of(tl_arena *a, const tl_figure *column, int n, const char **out)
{
    tl_text t = tl_text_new(a);
    tl_textf(&t, "epoch");
    for (int i = 0; i < n; i++) {
        tl_textf(&t, ",");
        for (const char *c = column[i].name; *c; c++) tl_textf(&t, "%c", strchr(",\"\n\r", *c) ? '_' : *c);
    }
    tl_textf(&t, "\n");
    *out = tl_text_end(&t);
    return *out ? TL_OK : TL_ENOMEM;
}

static tl_status rewrite(tl_arena *a, const char *path, const tl_figure *column, int n, int epoch)
{
    const char *header;
    TL_TRY(header_of(a, column, n, &header));
    tl_bytes old = { (const uint8_t *)header, strlen(header) };
    if (epoch && tl_file_exists(path)) TL_TRY(tl_file_read(a, path, MAX_FILE, &old));
    const char *line = (const char *)old.p, *next;
    TL_CHECK(!strncmp(line, header, strlen(header)), TL_EFORMAT,
             "'%s' does not have the columns %.*s; move it away to go on", path, (int)strlen(header) - 1, header);
    char *kept = tl_alloc_raw(a, old.n), *end = kept, *digits;
    TL_NEW(kept);
    for (; (next = strchr(line, '\n')); line = next) {
        next++;
        bool keep = line == (const char *)old.p || (strtol(line, &digits, 10) < epoch && *digits == ',');
        if (keep) end = mempcpy(end, line, (size_t)(next - line));
    }
    return tl_file_write(path, kept, (size_t)(end - kept));
}

tl_status tl_traincsv_begin(const char *path, const tl_figure *column, int n, int epoch)
{
    IN_SCRATCH(rewrite(scratch, path, column, n, epoch));
}

static double plain(double v) { return isnan(v) ? (double)NAN : v; } /* without a sign, which printf would show */

static tl_status add_row(tl_arena *a, const char *path, int epoch, const tl_figure *value, int n)
{
    tl_text t = tl_text_new(a);
    tl_textf(&t, "%d", epoch);
    for (int i = 0; i < n; i++) tl_textf(&t, ",%.9g", plain(value[i].value));
    tl_textf(&t, "\n");
    const char *line = tl_text_end(&t);
    TL_NEW(line);
    return tl_file_append(path, line);
}

tl_status tl_traincsv_add(const char *path, int epoch, const tl_figure *value, int n)
{
    IN_SCRATCH(add_row(scratch, path, epoch, value, n));
}
