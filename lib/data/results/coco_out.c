/* coco_out.c - COCO's results: cocodataset.org/#format-results. SPDX-License-Identifier: MIT
 *
 * Tools join results with a data set by two numbers, so both are looked up in the set when it is there: pictures by the name
 * that it has for them, or by what follows the last slash of it; classes by name, whatever their case. */
#include "coco_out.h"
#include "json_items.h"
#include "text.h"
#include "label/keys.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NOT_THERE = -1 };

/* A picture of the set. whole: by all of its name; otherwise by its end, which several may share. */
typedef struct { json_int_t id; bool whole, shared; } known;

struct tl_coco_out {
    const tl_results_conf *c;
    tl_arena   *a;
    tl_growing *file;
    json_int_t *category;  /* by label */
    tl_keys     name;      /* of pictures in the set, whole and their ends */
    tl_list     known;     /* known, by name */
    int         pictures;  /* that came */
    bool        any;       /* detections before */
};

/* ---- The set's numbers ---- */

static tl_status wrong(const tl_coco_out *o, int line, const char *what)
{
    return tl_fail(TL_EFORMAT, "%s:%d: %s", o->c->coco, line, what);
}

static tl_status remember(tl_coco_out *o, const char *name, json_int_t id, bool whole)
{
    const int before = o->name.key.n, k = tl_keys_add(&o->name, name);
    if (k < 0) return TL_ENOMEM;
    if (k == before) TL_NEW(tl_add(o->a, &o->known, known));
    known *p = (known *)o->known.at + k;
    if (k == before || (whole && !p->whole)) *p = (known){ id, whole, false };
    else if (whole == p->whole) p->shared |= p->id != id;
    return TL_OK;
}

static tl_status image(tl_coco_out *o, const json_t *v, int line)
{
    const json_t *id = json_object_get(v, "id");
    const char *name = json_string_value(json_object_get(v, "file_name"));
    if (!json_is_integer(id) || !name) return wrong(o, line, "an image without an integer \"id\" or a \"file_name\"");
    TL_TRY(remember(o, name, json_integer_value(id), true));
    return strchr(name, '/') ? remember(o, tl_path_base(name), json_integer_value(id), false) : TL_OK;
}

static tl_status category(tl_coco_out *o, const json_t *v, int line)
{
    const json_t *id = json_object_get(v, "id");
    const char *name = json_string_value(json_object_get(v, "name"));
    if (!json_is_integer(id) || !name) return wrong(o, line, "a category without an integer \"id\" or a \"name\"");
    for (int i = 0; i < o->c->nclasses; i++)
        if (!strcasecmp(name, o->c->classes[i])) o->category[i] = json_integer_value(id);
    return TL_OK;
}

static tl_status item(void *ctx, const char *key, const json_t *v, int line)
{
    if (!strcmp(key, "images")) return image(ctx, v, line);
    return !strcmp(key, "categories") ? category(ctx, v, line) : TL_OK;
}

static tl_status read_set(tl_coco_out *o)
{
    const tl_results_conf *c = o->c;
    for (int i = 0; i < c->nclasses; i++) o->category[i] = NOT_THERE;
    TL_TRY(tl_json_items(c->coco, item, o));
    for (int i = 0; i < c->nclasses; i++)
        TL_CHECK(o->category[i] != NOT_THERE, TL_EDATA,
                 "the class '%s' is not among the categories of '%s'; name the class as there, or do without that set's numbers",
                 c->classes[i], c->coco);
    return TL_OK;
}

static tl_status number_of(const tl_coco_out *o, const char *picture, json_int_t *id)
{
    *id = o->pictures;
    if (!o->c->coco) return TL_OK;
    int k = tl_keys_find(&o->name, picture);
    if (k < 0) k = tl_keys_find(&o->name, tl_path_base(picture));
    TL_CHECK(k >= 0, TL_EDATA, "'%s' is not among the images of '%s'", picture, o->c->coco);
    const known *p = (const known *)o->known.at + k;
    *id = p->id;
    TL_CHECK(!p->shared, TL_EDATA, "'%s' has several images whose names end in '%s'; give the folder that they have there",
             o->c->coco, picture);
    return TL_OK;
}

/* ---- Writing ---- */

tl_status tl_coco_out_new(tl_arena *a, const tl_results_conf *c, tl_coco_out **out)
{
    tl_coco_out *o = tl_new(a, tl_coco_out, 1);
    TL_NEW(o);
    *o = (tl_coco_out){ .c = c, .a = a, .name = { .a = a }, .category = tl_new(a, json_int_t, c->nclasses) };
    TL_NEW(o->category);
    for (int i = 0; i < c->nclasses; i++) o->category[i] = i + 1;
    if (c->coco) TL_TRY(read_set(o));
    TL_TRY(tl_growing_new(a, c->json, &o->file));
    *out = o;
    return tl_growing_add(o->file, "[", 1);
}

/* s in quotes; bytes that are no UTF-8, which JSON cannot hold, become question marks. */
static tl_status quoted(tl_arena *one, const char *s, const char **out)
{
    char *clean = tl_strdup(one, s);
    TL_NEW(clean);
    if (!tl_utf8_valid(s, strlen(s)))
        for (char *c = clean; *c; c++)
            if (*c & 0x80) *c = '?';
    json_t *j = json_string(clean);
    char *text = j ? json_dumps(j, JSON_ENCODE_ANY) : NULL;
    *out = text ? tl_strdup(one, text) : NULL;
    free(text);
    json_decref(j);
    TL_CHECK(*out, TL_ENOMEM, "out of memory");
    return TL_OK;
}

static void number(tl_text *t, float v) { tl_text_float(t, isfinite(v) ? v : 0); }

static void write_one(tl_coco_out *o, tl_text *t, json_int_t id, const char *file_name, const tl_detection *d)
{
    const float bbox[] = { d->box.x1, d->box.y1, d->box.x2 - d->box.x1, d->box.y2 - d->box.y1 };
    tl_textf(t, "%s\n{\"image_id\": %" JSON_INTEGER_FORMAT ", \"category_id\": %" JSON_INTEGER_FORMAT ", \"bbox\": [", o->any ? "," : "",
             id, o->category[d->label]);
    for (int i = 0; i < 4; i++) {
        if (i) tl_textf(t, ", ");
        number(t, bbox[i]);
    }
    tl_textf(t, "], \"score\": ");
    number(t, d->score);
    tl_textf(t, ", \"file_name\": %s}", file_name);
    o->any = true;
}

tl_status tl_coco_out_add(tl_coco_out *o, tl_arena *one, const char *picture, const tl_detection *d, int n)
{
    tl_text t = tl_text_new(one);
    const char *file_name, *text;
    json_int_t id;
    o->pictures++;
    TL_TRY(number_of(o, picture, &id));
    TL_TRY(quoted(one, picture, &file_name));
    for (int i = 0; i < n; i++) write_one(o, &t, id, file_name, &d[i]);
    TL_NEW(text = tl_text_end(&t));
    return tl_growing_add(o->file, text, t.n);
}

tl_status tl_coco_out_end(tl_coco_out *o)
{
    TL_TRY(tl_growing_add(o->file, "\n]\n", 3));
    return tl_growing_publish(o->file);
}
