/* tell.c - what was found of a data set, for people and for programs. SPDX-License-Identifier: MIT */
#include "check.h"
#include "text.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const sizes[TL_SIZE_BINS] = { "up to 1/64", "1/64 to 1/32", "1/32 to 1/16", "1/16 to 1/8",
                                                 "1/8 to 1/4", "1/4 to 1/2", "above 1/2" },
                  *const shapes[TL_SHAPE_BINS] = { "below 1/4 (tall)", "1/4 to 1/2", "1/2 to 1/1.4", "about square",
                                                   "1.4 to 2", "2 to 4", "above 4 (wide)" };

static const tl_split *split(const tl_check *c, int k) { return (const tl_split *)c->split.at + k; }

static int columns(const char *s)
{
    int n = 0;
    for (; *s; s++) n += (*s & 0xc0) != 0x80;
    return n;
}

/* ---- For people ---- */

static void name(tl_text *t, int width, const char *s) { tl_textf(t, "%s%*s", s, width - columns(s), ""); }

static void table(tl_text *t, const tl_check *c)
{
    int width = columns("class");
    for (int i = 0; i < c->classes.n; i++)
        if (columns(((const char **)c->classes.at)[i]) > width) width = columns(((const char **)c->classes.at)[i]);
    tl_textf(t, "\n%-*s", width, "class");
    for (int k = 0; k < c->split.n; k++) tl_textf(t, "  %8s", c->split.n > 1 ? split(c, k)->name : "objects");
    tl_textf(t, "\n");
    for (int i = 0; i < c->classes.n; i++) {
        name(t, width, ((const char **)c->classes.at)[i]);
        for (int k = 0; k < c->split.n; k++) tl_textf(t, "  %8d", c->stats[k].objects[i]);
        tl_textf(t, "\n");
    }
    name(t, width, "all");
    for (int k = 0; k < c->split.n; k++) tl_textf(t, "  %8d", split(c, k)->labels->nobjects);
    tl_textf(t, "\n");
}

static void histogram(tl_text *t, const tl_check *c, const char *title, const char *const *bin, int n, size_t off)
{
    enum { WIDTH = 18, BAR = 40 };
    int most = 1;
    int sum[TL_SIZE_BINS > TL_SHAPE_BINS ? TL_SIZE_BINS : TL_SHAPE_BINS] = { 0 };
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < c->split.n; k++) sum[i] += ((const int *)((const char *)(c->stats + k) + off))[i];
        if (sum[i] > most) most = sum[i];
    }
    tl_textf(t, "\n%s\n", title);
    for (int i = 0; i < n; i++) {
        tl_textf(t, "  %-*s %7d%s", WIDTH, bin[i], sum[i], sum[i] ? " " : "");
        for (int b = (int)((long)sum[i] * BAR / most) + (sum[i] > 0); b > 0; b--) tl_textf(t, "#");
        tl_textf(t, "\n");
    }
}

static void finding(tl_text *t, const tl_finding *f)
{
    tl_textf(t, "%s: %s\n", f->error ? "error" : "warning", f->text);
    for (int i = 0; i < f->example.n; i++) tl_textf(t, "  %s\n", ((const char **)f->example.at)[i]);
    if (f->example.n && f->count > f->example.n) tl_textf(t, "  and %d more\n", f->count - f->example.n);
}

tl_status tl_check_text(tl_arena *a, const tl_check *c, const char **text)
{
    tl_text t = tl_text_new(a);
    for (int k = 0; k < c->split.n; k++) {
        const tl_labels *l = split(c, k)->labels;
        tl_textf(&t, "%s%s%s labels in '%s': %d pictures, %d of them without objects; %d objects\n", split(c, k)->name,
                 *split(c, k)->name ? ": " : "", l->format->name, split(c, k)->conf.labels, l->npictures, c->stats[k].empty,
                 l->nobjects);
    }
    table(&t, c);
    histogram(&t, c, "size of objects, as the square root of their part of the picture", sizes, TL_SIZE_BINS,
              offsetof(tl_split_stats, size));
    histogram(&t, c, "width / height of objects", shapes, TL_SHAPE_BINS, offsetof(tl_split_stats, shape));
    tl_textf(&t, "\n");
    for (int i = 0; i < c->finding.n; i++) finding(&t, (const tl_finding *)c->finding.at + i);
    tl_textf(&t, "%d error%s, %d warning%s\n", c->errors, c->errors == 1 ? "" : "s", c->warnings,
             c->warnings == 1 ? "" : "s");
    *text = tl_text_end(&t);
    return *text ? TL_OK : TL_ENOMEM;
}

/* ---- For programs ---- */

/* Bytes that are not UTF-8, as in names of files, become question marks. */
static json_t *string(tl_arena *a, const char *s)
{
    json_t *j = json_string(s);
    char *copy = j ? NULL : tl_strdup(a, s);
    for (char *p = copy; p && *p; p++)
        if (*p & 0x80) *p = '?';
    return j || !copy ? j : json_string(copy);
}

static json_t *numbers(const int *n, int count)
{
    json_t *j = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(j, json_integer(n[i]));
    return j;
}

static json_t *split_json(tl_arena *a, const tl_check *c, int k)
{
    const tl_split *s = split(c, k);
    const tl_labels *l = s->labels;
    json_t *classes = json_object();
    for (int i = 0; i < c->classes.n; i++) {
        json_t *key = string(a, ((const char **)c->classes.at)[i]);
        json_object_set_new(classes, json_string_value(key), json_integer(c->stats[k].objects[i]));
        json_decref(key);
    }
    return json_pack("{s:o, s:s, s:o, s:i, s:i, s:i, s:i, s:o, s:o, s:o}", "name", string(a, s->name), "format",
                     l->format->name, "labels", string(a, s->conf.labels), "pictures", l->npictures, "without_objects",
                     c->stats[k].empty, "unlabeled", l->unlabeled.n, "objects", l->nobjects, "classes", classes, "sizes",
                     numbers(c->stats[k].size, TL_SIZE_BINS), "shapes", numbers(c->stats[k].shape, TL_SHAPE_BINS));
}

static json_t *finding_json(tl_arena *a, const tl_finding *f)
{
    json_t *examples = json_array();
    for (int i = 0; i < f->example.n; i++) json_array_append_new(examples, string(a, ((const char **)f->example.at)[i]));
    return json_pack("{s:s, s:s, s:i, s:o, s:o}", "level", f->error ? "error" : "warning", "kind", f->kind, "count",
                     f->count, "text", string(a, f->text), "examples", examples);
}

tl_status tl_check_json(tl_arena *a, const tl_check *c, const char **json)
{
    json_t *splits = json_array(), *findings = json_array();
    for (int k = 0; k < c->split.n; k++) json_array_append_new(splits, split_json(a, c, k));
    for (int i = 0; i < c->finding.n; i++)
        json_array_append_new(findings, finding_json(a, (const tl_finding *)c->finding.at + i));
    json_t *all = json_pack("{s:i, s:i, s:o, s:o}", "errors", c->errors, "warnings", c->warnings, "splits", splits,
                            "findings", findings);
    char *text = all ? json_dumps(all, 0) : NULL;
    json_decref(all);
    *json = text ? tl_printf(a, "%s\n", text) : NULL;
    free(text);
    return *json ? TL_OK : tl_fail(TL_ENOMEM, "out of memory");
}
