/* registry_index.c - reading and writing the index of a registry (jansson).
 * SPDX-License-Identifier: MIT */
#include "registry_index.h"
#include "text.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define VERSION   1
#define MOST      4096                  /* models */
#define MAX_SIZE  ((json_int_t)1 << 46) /* of a model, bytes */
#define NAME_RULE "1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit"

/* The members that are text. */
#define AT(member) offsetof(tl_registry_model, member)
static const struct {
    const char *key;
    size_t off;
    bool needed;
} texts[] = {
    { "name", AT(name), true },
    { "task", AT(task), false },
    { "backbone", AT(backbone), false },
    { "input", AT(input), false },
    { "preprocess", AT(preprocess), false },
    { "accuracy", AT(accuracy), false },
    { "license", AT(license), false },
    { "sha256", AT(sha256), true },
    { "url", AT(url), true },
};
static const char **text_at(const tl_registry_model *m, int i)
{
    return (const char **)((uintptr_t)m + texts[i].off);
}

bool tl_index_name_valid(const char *name)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return n && n <= 64 && !name[n] && !strchr("._-", name[0]);
}

char *tl_index_file(tl_arena *a, const tl_registry_model *m)
{
    return tl_printf(a, "%s-%.*s.onnx", m->name, TL_INDEX_DIGITS, m->sha256);
}

static bool sha256_valid(const char *s) { return strspn(s, "0123456789abcdef") == 64 && !s[64]; }

/* No control characters: neither ASCII's nor, C2 80 to C2 9F in UTF-8, those above it. */
static bool printable(const char *text)
{
    for (const uint8_t *s = (const uint8_t *)text; *s; s++)
        if (*s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0)) return false;
    return true;
}

/* ---- Reading ---- */

typedef struct {
    const tl_index *x;
    int i; /* the model at hand */
    const char *name;
} place;

static tl_status bad(const place *p, const char *key, const char *expected)
{
    return tl_fail(TL_EFORMAT, "'%s', models[%d]%s%s: '%s' must be %s", p->x->from, p->i,
                   p->name ? " " : "", p->name ? p->name : "", key, expected);
}

static tl_status read_text(const place *p, const json_t *from, const char *key, bool needed,
                           const char **out)
{
    const json_t *v = json_object_get(from, key);
    *out = v ? json_string_value(v) : "";
    if (!*out || !printable(*out) || (needed && !**out))
        return bad(p, key, "text, without line ends and other control characters");
    return TL_OK;
}

static tl_status read_size(const place *p, const json_t *from, const char *key, bool needed,
                           size_t *out)
{
    const json_t *v = json_object_get(from, key);
    json_int_t n = v ? json_integer_value(v) : 0;
    if ((v && !json_is_integer(v)) || n < needed || n > MAX_SIZE)
        return bad(p, key, "a whole number above 0");
    *out = (size_t)n;
    return TL_OK;
}

static tl_status read_classes(tl_arena *a, const place *p, const json_t *from, tl_list *out)
{
    json_t *list = json_object_get(from, "classes"), *v;
    size_t i;
    if (list && !json_is_array(list)) return bad(p, "classes", "a list of names, or []");
    json_array_foreach(list, i, v)
    {
        const char **slot = tl_add(a, out, const char *);
        TL_NEW(slot);
        *slot = json_string_value(v);
        if (!*slot || !printable(*slot)) return bad(p, "classes", "a list of names, or []");
    }
    return TL_OK;
}

static tl_status read_model(tl_arena *a, const tl_index *x, int i, const json_t *from,
                            tl_registry_model *m)
{
    place p = { x, i, NULL };
    for (int k = 0; k < TL_LEN(texts); k++) {
        TL_TRY(read_text(&p, from, texts[k].key, texts[k].needed, text_at(m, k)));
        if (k) continue;
        if (!tl_index_name_valid(m->name)) return bad(&p, "name", NAME_RULE);
        p.name = m->name;
    }
    if (!sha256_valid(m->sha256)) return bad(&p, "sha256", "64 hexadecimal digits, lower case");
    TL_TRY(read_size(&p, from, "size", true, &m->size));
    TL_TRY(read_size(&p, from, "parameters", false, &m->parameters));
    return read_classes(a, &p, from, &m->classes);
}

static void unref(void *json) { json_decref(json); }

/* The index that this JSON, ours from here on, is. */
static tl_status take(tl_arena *a, const char *from, json_t *json, tl_index *x)
{
    TL_CHECK(json, TL_ENOMEM, "out of memory");
    TL_TRY(tl_defer(a, unref, json));
    *x = (tl_index){ .from = from, .json = json };
    json_t *version = json_object_get(json, "tlc_registry"),
           *models = json_object_get(json, "models"), *m;
    TL_CHECK(json_is_integer(version) && json_is_array(models), TL_EFORMAT,
             "'%s' is not the index of a registry: {\"tlc_registry\": 1, \"models\": [...]} was "
             "expected",
             from);
    TL_CHECK(json_integer_value(version) == VERSION, TL_EUNSUP,
             "'%s' is an index of version %lld, this program reads %d: a newer one is needed", from,
             (long long)json_integer_value(version), VERSION);
    TL_CHECK(json_array_size(models) <= MOST, TL_EFORMAT,
             "'%s' lists %zu models, an index has at most %d", from, json_array_size(models), MOST);
    size_t i;
    json_array_foreach(models, i, m)
    {
        tl_registry_model one = { .size = 0 };
        TL_TRY(read_model(a, x, (int)i, m, &one));
        TL_CHECK(!tl_index_find(x, one.name), TL_EFORMAT, "'%s' has two models of the name '%s'",
                 from, one.name);
        tl_registry_model *slot = tl_add(a, &x->model, tl_registry_model);
        TL_NEW(slot);
        *slot = one;
    }
    return TL_OK;
}

tl_status tl_index_read(tl_arena *a, const char *from, tl_bytes text, tl_index *out)
{
    json_error_t at;
    TL_CHECK(text.n <= TL_INDEX_MOST, TL_EFORMAT, "'%s' has %zu bytes, an index has at most %zu",
             from, text.n, TL_INDEX_MOST);
    json_t *json = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &at);
    TL_CHECK(json, TL_EFORMAT, "'%s' is not the index of a registry: line %d, column %d: %s", from,
             at.line, at.column, printable(at.text) ? at.text : "not JSON");
    return take(a, from, json, out);
}

tl_status tl_index_new(tl_arena *a, const char *from, tl_index *out)
{
    return take(a, from, json_pack("{s:i, s:[]}", "tlc_registry", VERSION, "models"), out);
}

const tl_registry_model *tl_index_find(const tl_index *x, const char *name)
{
    const tl_registry_model *m = x->model.at;
    for (int i = 0; i < x->model.n; i++)
        if (!strcmp(m[i].name, name)) return m + i;
    return NULL;
}

tl_status tl_index_get(const tl_index *x, const char *name, const tl_registry_model **out)
{
    tl_nearest near = { .word = name };
    const tl_registry_model *m = x->model.at;
    if ((*out = tl_index_find(x, name))) return TL_OK;
    for (int i = 0; i < x->model.n; i++) tl_nearest_try(&near, m[i].name);
    return tl_fail(TL_EARG,
                   "there is no model '%s' in '%s'%s%s%s; 'tlc model list' shows those there are",
                   name, x->from, near.best ? "; did you mean '" : "", near.best ? near.best : "",
                   near.best ? "'?" : "");
}

/* ---- Writing ---- */

static json_t *names(const tl_list *l)
{
    json_t *list = json_array();
    for (int i = 0; i < l->n; i++)
        json_array_append_new(list, json_string(((const char **)l->at)[i]));
    return list;
}

static json_t *describe(const tl_registry_model *m)
{
    json_t *o = json_object();
    bool failed = !o;
    for (int k = 0; k < TL_LEN(texts); k++)
        if (**text_at(m, k))
            failed |= json_object_set_new(o, texts[k].key, json_string(*text_at(m, k))) != 0;
    failed |= json_object_set_new(o, "classes", names(&m->classes)) != 0;
    failed |= json_object_set_new(o, "size", json_integer((json_int_t)m->size)) != 0;
    if (m->parameters)
        failed |=
            json_object_set_new(o, "parameters", json_integer((json_int_t)m->parameters)) != 0;
    if (!failed) return o;
    json_decref(o);
    return NULL;
}

/* In a copy, because the strings of x belong to its JSON. */
tl_status tl_index_put(tl_arena *a, const tl_index *x, const tl_registry_model *m, tl_index *out)
{
    json_t *copy = json_deep_copy(x->json), *models = json_object_get(copy, "models"), *known,
           *found = NULL;
    size_t i;
    json_array_foreach(
        models, i, known) if (!strcmp(json_string_value(json_object_get(known, "name")), m->name))
        found = known;
    json_t *said = describe(m);
    int failed =
        !said || (found ? json_object_update(found, said) : json_array_append(models, said));
    json_decref(said);
    if (!failed) return take(a, x->from, copy, out);
    json_decref(copy);
    return tl_fail(TL_EARG,
                   "the model '%s' cannot be described: out of memory, or text that is not UTF-8",
                   m->name);
}

tl_status tl_index_text(tl_arena *a, const tl_index *x, tl_bytes *out)
{
    char *text = json_dumps(x->json, JSON_INDENT(2));
    TL_CHECK(text, TL_ENOMEM, "out of memory");
    char *line = tl_printf(a, "%s\n", text);
    free(text);
    TL_NEW(line);
    *out = (tl_bytes){ (const uint8_t *)line, strlen(line) };
    return TL_OK;
}
