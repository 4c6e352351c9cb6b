/* group.c - which pictures belong together. SPDX-License-Identifier: MIT */
#include "store.h"
#include "check.h"
#include "../label/keys.h"
#include <jansson.h>
#include <regex.h>
#include <string.h>

typedef struct { tl_arena *a; const tl_labels *l; tl_keys key; int *group; } grouper;

static tl_status put(grouper *g, int picture, const char *key)
{
    return (g->group[picture] = tl_keys_add(&g->key, key)) < 0 ? TL_ENOMEM : TL_OK;
}

static char *stem_of(grouper *g, int picture)
{
    char *s = tl_strdup(g->a, tl_path_base(g->l->picture[picture].path)), *dot = s ? strrchr(s, '.') : NULL;
    if (dot && tl_image_name(s)) *dot = 0;
    return s;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* "cam1_0007" to "cam1_"; a name without digits is a group of its own. */
static tl_status by_prefix(grouper *g)
{
    for (int i = 0; i < g->l->npictures; i++) {
        char *s = stem_of(g, i);
        TL_NEW(s);
        size_t n = strlen(s);
        while (n && !is_digit(s[n - 1])) n--;
        if (n) {
            while (n && is_digit(s[n - 1])) n--;
            s[n] = 0;
        }
        TL_TRY(put(g, i, s));
    }
    return TL_OK;
}

/* A picture listed twice (a record that is repeated) stays with itself. */
static tl_status alone(grouper *g)
{
    for (int i = 0; i < g->l->npictures; i++) TL_TRY(put(g, i, g->l->picture[i].path));
    return TL_OK;
}

/* ---- By looks ---- */

/* Union-find: the first picture of a group stands for it. */
static int first_of(int *parent, int i)
{
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

static void join(void *parent, int i, int k)
{
    const int x = first_of(parent, i), y = first_of(parent, k);
    ((int *)parent)[x > y ? x : y] = x > y ? y : x;
}

static tl_status by_looks(grouper *g)
{
    tl_split all = { .labels = (tl_labels *)(uintptr_t)g->l };
    tl_check c = { .split = { 1, &all } };
    const int n = g->l->npictures;
    int seen = 0, *parent = tl_new(g->a, int, n + 1);
    const tl_look **look = tl_new(g->a, const tl_look *, n + 1);
    TL_NEW(parent ? look : NULL);
    TL_TRY(tl_survey(g->a, &c, NULL));
    const tl_surveyed *s = c.picture.at; /* of the pictures that are there, in their order, and more */
    for (int i = 0; i < n; i++) {
        parent[i] = i;
        if (!g->l->picture[i].found) continue;
        TL_CHECK(!s->why, TL_EDATA, "'%s': %s", s->path, s->why);
        look[seen++] = &s++->look;
    }
    TL_CHECK(seen == n, TL_EDATA, "%d of the %d pictures are not there to be looked at", n - seen, n);
    TL_TRY(tl_look_pairs(g->a, look, seen, join, parent));
    for (int i = 0; i < n; i++) TL_TRY(put(g, i, g->l->picture[first_of(parent, i)].path));
    return TL_OK;
}

/* ---- By an expression, by a list ---- */

static tl_status match(grouper *g, const regex_t *r, const char *rule)
{
    for (int i = 0; i < g->l->npictures; i++) {
        regmatch_t m[2];
        const char *name = tl_path_base(g->l->picture[i].path), *key;
        TL_CHECK(!regexec(r, name, 2, m, 0) && m[1].rm_so >= 0, TL_EDATA,
                 "the rule '%s', which tells groups, does not match the name '%s'", rule, name);
        TL_NEW(key = tl_strndup(g->a, name + m[1].rm_so, (size_t)(m[1].rm_eo - m[1].rm_so)));
        TL_TRY(put(g, i, key));
    }
    return TL_OK;
}

static tl_status by_expression(grouper *g, const char *rule)
{
    regex_t r;
    char why[200];
    int bad = regcomp(&r, rule, REG_EXTENDED);
    if (bad) {
        regerror(bad, &r, why, sizeof why);
        return tl_fail(TL_EARG, "the rule '%s', which tells groups, is no regular expression: %s", rule, why);
    }
    tl_status s = match(g, &r, rule);
    regfree(&r);
    return s;
}

static tl_status read_map(tl_arena *a, const char *path, const json_t *map, tl_keys *names, tl_list *groups)
{
    const char *group;
    json_t *list;
    json_object_foreach((json_t *)(uintptr_t)map, group, list)
        for (size_t k = 0; k < json_array_size(list); k++) {
            const char *name = json_string_value(json_array_get(list, k));
            TL_CHECK(name, TL_EDATA, "'%s': a name of the group '%s' is no string", path, group);
            int before = names->key.n, key = tl_keys_add(names, name);
            if (key < 0) return TL_ENOMEM;
            TL_CHECK(key == before, TL_EDATA, "'%s': '%s' is in two groups", path, name);
            const char **slot = tl_add(a, groups, const char *);
            TL_NEW(slot);
            TL_NEW(*slot = tl_strdup(a, group));
        }
    return TL_OK;
}

static tl_status by_file(grouper *g, const char *path)
{
    json_error_t e;
    tl_keys names = { .a = g->a };
    tl_list groups = { 0, NULL };
    TL_CHECK(tl_file_exists(path), TL_EARG,
             "--group: expected none, prefix, similar, a regular expression with parentheses, or a file, found '%s'", path);
    json_t *map = json_load_file(path, 0, &e);
    TL_CHECK(map, TL_EDATA, "'%s', line %d: %s", path, e.line, e.text);
    tl_status s = read_map(g->a, path, map, &names, &groups);
    json_decref(map);
    TL_TRY(s);
    for (int i = 0; i < g->l->npictures; i++) {
        const char *stem = stem_of(g, i);
        TL_NEW(stem);
        int k = tl_keys_find(&names, stem);
        TL_CHECK(k >= 0, TL_EDATA, "'%s' puts the picture '%s' into no group", path, stem);
        TL_TRY(put(g, i, ((const char **)groups.at)[k]));
    }
    return TL_OK;
}

tl_status tl_group(tl_arena *a, const tl_labels *l, const char *rule, int **group, int *ngroups)
{
    grouper g = { .a = a, .l = l, .key.a = a, .group = tl_new(a, int, l->npictures + 1) };
    TL_NEW(g.group);
    if (!strcmp(rule, "none")) TL_TRY(alone(&g));
    else if (!strcmp(rule, "prefix")) TL_TRY(by_prefix(&g));
    else if (!strcmp(rule, "similar")) TL_TRY(by_looks(&g));
    else if (strchr(rule, '(')) TL_TRY(by_expression(&g, rule));
    else TL_TRY(by_file(&g, rule));
    *group = g.group;
    *ngroups = g.key.key.n;
    return TL_OK;
}
