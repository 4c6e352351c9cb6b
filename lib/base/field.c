/* field.c - defaults, checks and text of described structs. SPDX-License-Identifier: MIT */
#include "field.h"
#include <stdio.h>
#include <string.h>

#define EACH_ROW(f, list) for (const tl_field *f = (list); f && f->name; f++)
#define IS_LIST(f)        ((f)->flags & (TL_REPEATED | TL_MAP))

/* ---- Defaults ---- */
void tl_field_default(const tl_field *f, void *obj)
{
    void *at = tl_field_at(f, obj);
    if (IS_LIST(f)) { *(tl_list *)at = (tl_list){ 0, NULL }; return; }
    switch (f->kind) {
    case TL_INT:
    case TL_ENUM:  *(int *)at = (int)f->def; break;
    case TL_FLOAT: *(float *)at = (float)f->def; break;
    case TL_BOOL:  *(bool *)at = f->def != 0; break;
    case TL_STR:   *(const char **)at = f->sdef; break;
    case TL_MSG:   *(void **)at = NULL; break;
    }
}

static bool is_zero(const tl_field *f, const void *obj)
{
    const void *at = tl_field_at(f, obj);
    switch (f->kind) {
    case TL_INT:
    case TL_ENUM:  return *(const int *)at == 0;
    case TL_FLOAT: return *(const float *)at == 0;
    case TL_BOOL:  return !*(const bool *)at;
    case TL_STR:   return !*(const char *const *)at;
    case TL_MSG:   return false;
    }
    return false;
}

void tl_field_defaults(const tl_field *list, void *obj)
{
    EACH_ROW(f, list)
        if (!IS_LIST(f) && is_zero(f, obj)) tl_field_default(f, obj);
}

/* ---- What is allowed ---- */
static int name_index(const tl_field *f, const char *text)
{
    for (int i = 0; f->names && f->names[i]; i++)
        if (!strcmp(f->names[i], text)) return i;
    return -1;
}

static int name_count(const tl_field *f)
{
    int n = 0;
    while (f->names && f->names[n]) n++;
    return n;
}

/* Bounds are compared as the member's own type: 0.1f is within ..0.1. */
static bool in_range(const tl_field *f, const void *at)
{
    if (f->kind == TL_STR) {
        const char *s = *(const char *const *)at;
        return !s || !f->names || name_index(f, s) >= 0;
    }
    if (f->kind == TL_ENUM) return *(const int *)at >= 0 && *(const int *)at < name_count(f);
    if (f->lo >= f->hi) return true;
    if (f->kind == TL_INT) return *(const int *)at >= f->lo && *(const int *)at <= f->hi;
    if (f->kind == TL_FLOAT) return *(const float *)at >= (float)f->lo && *(const float *)at <= (float)f->hi;
    return true;
}

static void expected(tl_text *t, const tl_field *f)
{
    switch (f->kind) {
    case TL_INT:   tl_textf(t, "a whole number"); break;
    case TL_FLOAT: tl_textf(t, "a number"); break;
    case TL_BOOL:  tl_textf(t, "true or false"); return;
    case TL_MSG:   tl_textf(t, "'{'"); return;
    case TL_STR:   if (!f->names) tl_textf(t, "a string in quotes");
                   /* fall through */
    case TL_ENUM:
        if (f->names) tl_textf(t, name_count(f) > 1 ? "one of " : "");
        for (int i = 0; f->names && f->names[i]; i++)
            tl_textf(t, f->kind == TL_STR ? "%s\"%s\"" : "%s%s", i ? ", " : "", f->names[i]);
        return;
    }
    if (f->lo < f->hi) tl_textf(t, " from %.10g to %.10g", f->lo, f->hi);
}

tl_status tl_field_mismatch(const tl_field *f, const char *found)
{
    char buf[768], mean[80] = "";
    tl_text t = tl_text_on(buf, sizeof buf);
    expected(&t, f);
    tl_nearest n = { .word = found };
    for (int i = 0; f->names && f->names[i]; i++) tl_nearest_try(&n, f->names[i]);
    if (n.best && strcmp(n.best, found)) snprintf(mean, sizeof mean, "; did you mean '%s'?", n.best);
    return tl_fail(TL_EARG, "%s: expected %s, found %s%s (%s)", f->name, buf,
                   *found ? found : "nothing", mean, f->help);
}

/* ---- Elements: a member that is not a list is a list of one ---- */
typedef struct { const char *at; size_t step; int n; } elements;

static elements elements_of(const tl_field *f, const void *obj)
{
    const void *at = tl_field_at(f, obj);
    if (!IS_LIST(f)) return (elements){ at, 0, 1 };
    const tl_list *l = at;
    if (f->flags & TL_REPEATED) return (elements){ l->at, tl_value_size(f), l->n };
    return (elements){ l->n ? (const char *)l->at + offsetof(tl_pair, value) : NULL, sizeof(tl_pair), l->n };
}

tl_status tl_field_check(const tl_field *list, const void *obj)
{
    EACH_ROW(f, list) {
        if (f->kind == TL_MSG) continue;
        elements e = elements_of(f, obj);
        for (int i = 0; i < e.n; i++) {
            const char *at = e.at + (size_t)i * e.step;
            if (in_range(f, at)) continue;
            char buf[128];
            tl_text t = tl_text_on(buf, sizeof buf);
            tl_value_put(&t, f, at, false);
            return tl_field_mismatch(f, buf);
        }
    }
    return TL_OK;
}

const tl_field *tl_field_find(const tl_field *list, const char *name)
{
    EACH_ROW(f, list)
        if (!strcmp(f->name, name)) return f;
    return NULL;
}

const char *tl_field_nearest(const tl_field *list, const char *name)
{
    tl_nearest n = { .word = name };
    EACH_ROW(f, list) tl_nearest_try(&n, f->name);
    return n.best;
}

/* ---- Values as text ---- */
size_t tl_value_size(const tl_field *f)
{
    switch (f->kind) {
    case TL_INT:
    case TL_ENUM:  return sizeof(int);
    case TL_FLOAT: return sizeof(float);
    case TL_BOOL:  return sizeof(bool);
    case TL_STR:
    case TL_MSG:   break;
    }
    return sizeof(void *);
}

/* protobuf's spellings, no others. */
static bool parse_bool(const char *s, bool *v)
{
    static const char *const words[] = { "false", "False", "f", "0", "true", "True", "t", "1" };
    for (int i = 0; i < TL_LEN(words); i++)
        if (!strcmp(words[i], s)) { *v = i >= TL_LEN(words) / 2; return true; }
    return false;
}

tl_status tl_value_set(tl_arena *a, const tl_field *f, const char *text, void *at)
{
    union { int i; float f; bool b; const char *s; } v = { .s = NULL };
    bool ok = false;
    switch (f->kind) {
    case TL_INT:   ok = tl_parse_int(text, &v.i); break;
    case TL_FLOAT: ok = tl_parse_float(text, &v.f); break;
    case TL_BOOL:  ok = parse_bool(text, &v.b); break;
    case TL_STR:   ok = true; v.s = text; break;
    case TL_ENUM:  ok = (v.i = name_index(f, text)) >= 0 || tl_parse_int(text, &v.i); break;
    case TL_MSG:   break;
    }
    if (!ok || !in_range(f, &v)) return tl_field_mismatch(f, text);
    if (f->kind == TL_STR) TL_NEW(v.s = tl_strdup(a, text));
    memcpy(at, &v, tl_value_size(f));
    return TL_OK;
}

void tl_value_put(tl_text *t, const tl_field *f, const void *at, bool quoted)
{
    const char *s;
    switch (f->kind) {
    case TL_INT:   tl_textf(t, "%d", *(const int *)at); break;
    case TL_FLOAT: tl_text_float(t, *(const float *)at); break;
    case TL_BOOL:  tl_textf(t, *(const bool *)at ? "true" : "false"); break;
    case TL_ENUM:  tl_textf(t, "%s", f->names[*(const int *)at]); break;
    case TL_STR:
        s = *(const char *const *)at ? *(const char *const *)at : "";
        if (quoted) tl_text_quote(t, s);
        else tl_text_add(t, s, strlen(s));
        break;
    case TL_MSG:   break;
    }
}

/* Add one element of a list, or "key=value" of a map. */
static tl_status add_element(tl_arena *a, const tl_field *f, tl_list *l, char *item)
{
    union { int i; float f; bool b; const char *s; } v = { .s = NULL };
    char *equals = f->flags & TL_MAP ? strrchr(item, '=') : NULL;
    if (f->flags & TL_MAP) {
        TL_CHECK(equals && equals > item, TL_EARG, "%s: expected name=number, found '%s' (%s)", f->name, item, f->help);
        *equals = 0;
    }
    TL_TRY(tl_value_set(a, f, equals ? equals + 1 : item, &v));
    if (equals) return tl_map_set(a, l, item, v.f);
    void *slot = tl_grow(a, l, tl_value_size(f));
    TL_NEW(slot);
    memcpy(slot, &v, tl_value_size(f));
    return TL_OK;
}

static char *trim(char *s)
{
    s += strspn(s, " \t");
    size_t n = strlen(s);
    while (n && strchr(" \t", s[n - 1])) n--;
    s[n] = 0;
    return s;
}

tl_status tl_field_set(tl_arena *a, const tl_field *f, void *obj, const char *text)
{
    if (!IS_LIST(f)) return tl_value_set(a, f, text, tl_field_at(f, obj));
    char *s = tl_strdup(a, text);
    TL_NEW(s);
    s = trim(s);
    size_t n = strlen(s);
    if (n >= 2 && s[0] == '[' && s[n - 1] == ']') {
        s[n - 1] = 0;
        s = trim(s + 1);
    }
    while (s && *s) {
        char *comma = strchr(s, ',');
        if (comma) *comma = 0;
        TL_TRY(add_element(a, f, tl_field_at(f, obj), trim(s)));
        s = comma ? comma + 1 : NULL;
    }
    return TL_OK;
}

const char *tl_field_get(tl_arena *a, const tl_field *f, const void *obj)
{
    tl_text t = tl_text_new(a);
    elements e = elements_of(f, obj);
    for (int i = 0; i < e.n; i++) {
        if (i) tl_text_add(&t, ", ", 2);
        if (f->flags & TL_MAP)
            tl_textf(&t,
                     "%s=", ((const tl_pair *)((const tl_list *)tl_field_at(f, obj))->at)[i].key);
        tl_value_put(&t, f, e.at + (size_t)i * e.step, false);
    }
    return tl_text_end(&t);
}

/* ---- Maps ---- */
tl_pair *tl_map_find(const tl_list *map, const char *key)
{
    tl_pair *p = map->at;
    for (int i = 0; i < map->n; i++)
        if (!strcmp(p[i].key, key)) return &p[i];
    return NULL;
}

tl_status tl_map_set(tl_arena *a, tl_list *map, const char *key, float value)
{
    tl_pair *p = tl_map_find(map, key);
    if (!p) {
        const char *copy = tl_strdup(a, key);
        TL_NEW(copy);
        TL_NEW(p = tl_add(a, map, tl_pair));
        p->key = copy;
    }
    p->value = value;
    return TL_OK;
}

/* ---- Messages ---- */
static uint64_t bit(const tl_msg *m, const tl_field *row)
{
    assert(row >= m->field && row - m->field < 64);
    return (uint64_t)1 << (row - m->field);
}

void tl_msg_defaults(const tl_msg *m, void *obj)
{
    *(uint64_t *)obj = 0;
    EACH_ROW(f, m->field) tl_field_default(f, obj);
}

void *tl_msg_new(tl_arena *a, const tl_msg *m)
{
    void *obj = tl_alloc(a, m->size);
    if (obj) tl_msg_defaults(m, obj);
    return obj;
}

bool tl_msg_given(const tl_msg *m, const void *obj, const tl_field *row)
{
    return *(const uint64_t *)obj & bit(m, row);
}

bool tl_msg_has(const tl_msg *m, const void *obj, const char *name)
{
    EACH_ROW(f, m->field)
        if (!strcmp(f->name, name) && tl_msg_given(m, obj, f)) return true;
    return false;
}

void tl_msg_give(const tl_msg *m, void *obj, const tl_field *row) { *(uint64_t *)obj |= bit(m, row); }

void tl_msg_unset(const tl_msg *m, void *obj, const tl_field *row)
{
    *(uint64_t *)obj &= ~bit(m, row);
    tl_field_default(row, obj);
}

/* ---- Reference pages ---- */
static void type_text(tl_text *t, const tl_field *f)
{
    static const char *const kinds[] = { "int", "float", "bool", "string", "enum", "message" };
    bool is_map = f->kind == TL_MSG && !strncmp(f->msg->name, "map<", 4); /* its message is the entry's */
    if (f->flags & TL_MAP) tl_textf(t, "map<string, float>");
    else
        tl_textf(t, "%s%s", (f->flags & TL_REPEATED) && !is_map ? "repeated " : "",
                 f->kind == TL_MSG ? f->msg->name : kinds[f->kind]);
}

static void allowed_text(tl_text *t, const tl_field *f)
{
    if ((f->kind == TL_INT || f->kind == TL_FLOAT) && f->lo < f->hi) tl_textf(t, "%.10g .. %.10g", f->lo, f->hi);
    for (int i = 0; f->names && f->names[i]; i++) tl_textf(t, "%s%s", i ? ", " : "", f->names[i]);
}

static void default_text(tl_text *t, const tl_field *f)
{
    union { int i; float f; bool b; const char *s; void *p; tl_list l; } v;
    tl_field local = *f;
    local.off = 0;
    tl_field_default(&local, &v);
    if (f->flags & TL_REQUIRED) tl_textf(t, "required");
    else if (!IS_LIST(f) && f->kind != TL_MSG) tl_value_put(t, &local, &v, false);
}

void tl_field_markdown(tl_text *t, const tl_field *list)
{
    static const struct { unsigned flag; const char *note; } notes[] = {
        { TL_ONEOF, "at most one of these may be given" },
        { TL_LEGACY, "TLT 2.0 form" },
        { TL_NOEFFECT, "accepted, without effect here" },
        { TL_EXTRA, "our own: the original does not have it" },
    };
    tl_textf(t, "| field | type | default | allowed | meaning |\n|---|---|---|---|---|\n");
    EACH_ROW(f, list) {
        tl_textf(t, "| `%s` | ", f->name);
        type_text(t, f);
        tl_textf(t, " | ");
        default_text(t, f);
        tl_textf(t, " | ");
        allowed_text(t, f);
        tl_textf(t, " | %s", f->help);
        for (int i = 0; i < TL_LEN(notes); i++)
            if (f->flags & notes[i].flag) tl_textf(t, " (%s)", notes[i].note);
        tl_textf(t, " |\n");
    }
}

/* Does the text have the section of m already? Messages are shared. */
static bool described(const tl_text *t, const tl_msg *m)
{
    size_t n = strlen(m->name);
    for (const char *s = t->at; s && (s = strstr(s, "### ")); s += 4)
        if (!strncmp(s + 4, m->name, n) && s[4 + n] == '\n') return true;
    return false;
}

void tl_msg_markdown(tl_text *t, const tl_msg *m)
{
    tl_textf(t, "### %s\n\n%s\n\n", m->name, m->help);
    tl_field_markdown(t, m->field);
    EACH_ROW(f, m->field) {
        if (f->kind != TL_MSG || described(t, f->msg)) continue;
        tl_textf(t, "\n");
        tl_msg_markdown(t, f->msg);
    }
}
