/* modelfile.c - models to and from ONNX files. SPDX-License-Identifier: MIT
 *
 * What ONNX has no place for is in metadata_props: tlc.classes and tlc.preprocess (JSON), tlc.arch, tlc.spec, tlc.history. A file
 * of another producer lacks them; its classes are then numbered and its pictures prepared as the spec says. */
#include "net.h"
#include "pass.h"
#include "seal.h"
#include "text.h"
#include <jansson.h>
#include <limits.h>
#include <string.h>

#define APPENDED "tlc.appended" /* the graph goes on after the network */
#define TRUNK "features" /* tlc.task of a file without a head: its output is the features */

static void drop_json(void *j) { json_decref(j); }

static tl_status set_json(tl_onnx *m, const char *key, json_t *j)
{
    TL_CHECK(j, TL_ENOMEM, "out of memory");
    char *s = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(j);
    TL_CHECK(s, TL_ENOMEM, "out of memory");
    tl_status st = tl_onnx_set_meta(m, key, s);
    free(s);
    return st;
}

static json_t *classes_json(const tl_list *classes)
{
    json_t *j = json_array();
    for (int i = 0; i < classes->n; i++) json_array_append_new(j, json_string(((const char *const *)classes->at)[i]));
    return j;
}

static json_t *preprocess_json(const tl_model *m)
{
    const tl_norm *n = &m->norm;
    int c = m->g->node[m->image.i].s.c;
    json_t *order = json_array(), *mean = json_array(), *scale = json_array();
    for (int i = 0; i < c; i++) {
        json_array_append_new(order, json_integer(n->order[i]));
        json_array_append_new(mean, json_real((double)n->mean[i]));
        json_array_append_new(scale, json_real((double)n->rstd[i]));
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:s, s:b}", "mode", m->mode, "channel_order", order, "mean", mean, "scale", scale, "resize",
                     m->filter == TL_BICUBIC ? "bicubic" : "bilinear", "center_crop", m->center_crop);
}

/* {"block_1_expand": [0, 2, 5], ...} for the nodes that pruning has left fewer channels. */
static json_t *kept_json(const tl_graph *g)
{
    json_t *j = json_object();
    for (int i = 0; i < g->n; i++) {
        json_t *list = g->node[i].kept ? json_array() : NULL;
        for (int k = 0; list && k < g->node[i].s.c; k++) json_array_append_new(list, json_integer(g->node[i].kept[k]));
        if (list) json_object_set_new(j, g->node[i].name, list);
    }
    return j;
}

static tl_status describe(const tl_model *m, tl_onnx *o, const char *const *extra)
{
    o->producer = "tlc";
    o->graph_name = m->arch;
    TL_TRY(set_json(o, "tlc.classes", classes_json(&m->classes)));
    TL_TRY(set_json(o, "tlc.preprocess", preprocess_json(m)));
    TL_TRY(tl_onnx_set_meta(o, "tlc.task", tl_model_is_trunk(m) ? TRUNK : m->head ? m->head->name : tl_head_at(0)->name));
    if (m->bbox_scale > 0) TL_TRY(set_json(o, "tlc.bbox", json_pack("{s:f, s:f}", "scale", (double)m->bbox_scale, "offset", (double)m->bbox_offset)));
    TL_TRY(tl_onnx_set_meta(o, "tlc.arch", m->arch));
    TL_TRY(tl_onnx_set_meta(o, "tlc.spec", m->spec));
    TL_TRY(set_json(o, "tlc.kept", kept_json(m->g)));
    TL_TRY(tl_onnx_set_meta(o, "tlc.history", m->history));
    for (; extra && extra[0]; extra += 2) TL_TRY(tl_onnx_set_meta(o, extra[0], extra[1]));
    return TL_OK;
}

static tl_onnx_node *chain(tl_onnx *m, const char *op, const char *a, const char *b, const char *y)
{
    return tl_onnx_add(m, op, y, (const char *[]){ a, b, NULL }, (const char *[]){ y, NULL });
}

/* Before the network: a uint8 N,H,W,C picture becomes its input. The steps are those of tl_norm. */
static tl_status preprocess_nodes(const tl_model *m, tl_onnx *o, int batch)
{
    const tl_node *in = &m->g->node[m->image.i];
    tl_list rest = o->node;
    int64_t c = in->s.c, *order = tl_new(o->arena, int64_t, c);
    tl_onnx_node *n;
    TL_NEW(order);
    for (int i = 0; i < c; i++) order[i] = m->norm.order[i];
    o->node = o->input = (tl_list){ 0, NULL };
    TL_TRY(tl_onnx_add_value(o, &o->input, "image", TL_ONNX_UINT8, 4, (int64_t[]){ batch ? batch : -1, in->s.h, in->s.w, c }));
    TL_TRY(tl_onnx_add_init(o, "preprocess.order", TL_ONNX_INT64, 1, &c, order));
    TL_TRY(tl_onnx_add_init(o, "preprocess.mean", TL_ONNX_FLOAT, 1, &c, m->norm.mean));
    TL_TRY(tl_onnx_add_init(o, "preprocess.scale", TL_ONNX_FLOAT, 1, &c, m->norm.rstd));
    TL_NEW(n = chain(o, "Cast", "image", NULL, "preprocess.float"));
    TL_TRY(tl_onnx_set_int(o, n, "to", TL_ONNX_FLOAT));
    TL_NEW(n = chain(o, "Gather", "preprocess.float", "preprocess.order", "preprocess.ordered"));
    TL_TRY(tl_onnx_set_int(o, n, "axis", 3));
    TL_NEW(chain(o, "Sub", "preprocess.ordered", "preprocess.mean", "preprocess.centered"));
    TL_NEW(chain(o, "Mul", "preprocess.centered", "preprocess.scale", "preprocess.scaled"));
    TL_NEW(n = chain(o, "Transpose", "preprocess.scaled", NULL, in->name));
    TL_TRY(tl_onnx_set_ints(o, n, "perm", 4, (int64_t[]){ 0, 3, 1, 2 }));
    for (int i = 0; i < rest.n; i++) {
        tl_onnx_node *to = tl_add(o->arena, &o->node, tl_onnx_node);
        TL_NEW(to);
        *to = ((tl_onnx_node *)rest.at)[i];
    }
    return TL_OK;
}

tl_status tl_model_pack(const tl_model *m, tl_arena *a, const tl_save_opts *opts, tl_bytes *out)
{
    tl_onnx *o;
    TL_TRY(tl_graph_to_onnx(m->g, a, opts->static_batch, opts->half, &o));
    TL_TRY(describe(m, o, opts->extra));
    if (opts->append) TL_TRY(tl_onnx_set_meta(o, APPENDED, "true"));
    if (opts->append) TL_TRY(opts->append(opts->ctx, o));
    if (opts->with_preprocessing) TL_TRY(preprocess_nodes(m, o, opts->static_batch));
    TL_TRY(tl_onnx_pack(a, o, out));
    return opts->key && opts->key[0] ? tl_seal(a, opts->key, *out, out) : TL_OK;
}

tl_status tl_model_save(const tl_model *m, const char *path, const tl_save_opts *opts)
{
    tl_arena *a = tl_arena_new();
    tl_bytes file;
    TL_NEW(a);
    tl_status s = tl_model_pack(m, a, opts, &file);
    if (!s) s = tl_file_write(path, file.p, file.n);
    tl_arena_free(a);
    return s ? tl_note(s, "writing the model '%s'", path) : TL_OK;
}

static tl_status parse_json(tl_arena *a, const tl_onnx *o, const char *key, json_t **out)
{
    const char *text = tl_onnx_meta_find(o, key);
    json_error_t e;
    *out = NULL;
    if (!text) return TL_OK;
    TL_CHECK((*out = json_loads(text, JSON_REJECT_DUPLICATES, &e)), TL_EFORMAT, "the model's %s is damaged: %s", key, e.text);
    return tl_defer(a, drop_json, *out);
}

static tl_status read_classes(tl_model *m, const tl_onnx *o)
{
    json_t *j;
    int want = m->g->node[m->answer.i].s.c;
    TL_CHECK(want <= 1 << 15, TL_EUNSUP, "the network answers with %d classes; at most %d are supported", want, 1 << 15);
    TL_TRY(parse_json(m->arena, o, "tlc.classes", &j));
    TL_CHECK(!j || (json_is_array(j) && ((int)json_array_size(j) == want || !json_array_size(j))), TL_EFORMAT,
             "the model's tlc.classes does not list its %d classes", want);
    for (int i = 0; i < want; i++) {
        const char **slot = tl_add(m->arena, &m->classes, const char *), *name = json_string_value(json_array_get(j, (size_t)i));
        TL_NEW(slot);
        TL_NEW(*slot = name ? tl_strdup(m->arena, name) : tl_printf(m->arena, "class%d", i));
    }
    return TL_OK;
}

static tl_status read_preprocess(tl_model *m, const tl_onnx *o)
{
    json_t *j, *order, *mean, *scale;
    const char *mode, *resize;
    int crop, c = m->g->node[m->image.i].s.c;
    TL_CHECK(c == 1 || c == 3, TL_EUNSUP, "the model wants pictures of %d channels; 1 or 3 are supported", c);
    TL_TRY(tl_norm_for("caffe", c, NULL, &m->norm));
    TL_TRY(parse_json(m->arena, o, "tlc.preprocess", &j));
    if (!j) return TL_OK;
    bool ok = !json_unpack(j, "{s:s, s:o, s:o, s:o, s:s, s:b}", "mode", &mode, "channel_order", &order, "mean", &mean, "scale", &scale,
                           "resize", &resize, "center_crop", &crop);
    for (int i = 0; ok && i < c; i++) {
        json_int_t from = json_integer_value(json_array_get(order, (size_t)i));
        ok = from >= 0 && from < c && json_is_number(json_array_get(mean, (size_t)i)) && json_is_number(json_array_get(scale, (size_t)i));
        if (!ok) break;
        m->norm.order[i] = (int)from;
        m->norm.mean[i] = (float)json_number_value(json_array_get(mean, (size_t)i));
        m->norm.rstd[i] = (float)json_number_value(json_array_get(scale, (size_t)i));
    }
    TL_CHECK(ok, TL_EFORMAT, "the model's tlc.preprocess is damaged");
    TL_NEW(m->mode = tl_strdup(m->arena, mode));
    m->filter = !strcmp(resize, "bicubic") ? TL_BICUBIC : TL_BILINEAR;
    m->center_crop = crop;
    return TL_OK;
}

static tl_status read_kept(tl_model *m, const tl_onnx *o)
{
    json_t *j, *list;
    const char *name;
    TL_TRY(parse_json(m->arena, o, "tlc.kept", &j));
    if (!j) return TL_OK;
    json_object_foreach(j, name, list) {
        int i = tl_graph_find(m->g, name), last = -1;
        if (i < 0) continue; /* folded away since */
        tl_node *d = &m->g->node[i];
        int *kept = tl_new(m->arena, int, d->s.c);
        TL_NEW(kept);
        for (int k = 0; k < d->s.c; k++) {
            json_int_t v = json_integer_value(json_array_get(list, (size_t)k));
            TL_CHECK(json_array_size(list) == (size_t)d->s.c && v > last && v < INT_MAX, TL_EFORMAT, "the model's tlc.kept is damaged at '%s'", name);
            kept[k] = last = (int)v;
        }
        d->kept = kept;
    }
    return TL_OK;
}

/* How a detector's distances are meant, and that it has them. */
static tl_status read_boxes(tl_model *m, const tl_onnx *o)
{
    json_t *j;
    double scale, offset;
    const tl_graph *g = m->g;
    TL_TRY(parse_json(m->arena, o, "tlc.bbox", &j));
    if (!j) {
        TL_CHECK(!m->head || !m->head->stride16, TL_EFORMAT, "the model's tlc.bbox is missing");
        tl_graph_give(m->g, m->answer); /* what else another program's network gives is not asked for */
        return TL_OK;
    }
    TL_CHECK(!json_unpack(j, "{s:F, s:F}", "scale", &scale, "offset", &offset) && scale > 0 && g->more.n == 1 &&
             g->node[g->more.at[0].i].s.c == 4 * g->node[m->raw.i].s.c, TL_EFORMAT, "the model's tlc.bbox is damaged, or its boxes are missing");
    m->bbox_scale = (float)scale;
    m->bbox_offset = (float)offset;
    return TL_OK;
}

static tl_status meta_text(tl_model *m, const tl_onnx *o, const char *key, const char **out)
{
    const char *text = tl_onnx_meta_find(o, key);
    TL_NEW(*out = tl_strdup(m->arena, text ? text : ""));
    return TL_OK;
}

tl_status tl_model_from_onnx(tl_arena *a, const tl_onnx *o, tl_model **out)
{
    tl_model *m = tl_new(a, tl_model, 1);
    TL_NEW(m);
    *m = (tl_model){ .arena = a, .mode = "caffe" };
    const tl_onnx_value *in = o->input.at;
    TL_CHECK(!o->input.n || in->type != TL_ONNX_UINT8, TL_EUNSUP, "the preprocessing is part of this model's graph "
             "(export --with-preprocessing): such a file is for other programs; use the one it was exported from");
    TL_CHECK(!tl_onnx_meta_find(o, APPENDED), TL_EUNSUP, "objects are made by this model's graph (export --with-postprocessing): such a file "
             "is for other programs; use the one it was exported from");
    TL_TRY(tl_graph_from_onnx(o, a, &m->g));
    m->answer.i = tl_graph_output(m->g);
    const char *task = tl_onnx_meta_find(o, "tlc.task");
    bool trunk = task && !strcmp(task, TRUNK);
    m->head = trunk ? NULL : task ? tl_head_find(task) : tl_head_at(0);
    TL_CHECK(trunk || m->head, TL_EUNSUP, "the model is for %s, which this version of tlc does not know", task);
    m->raw.i = trunk ? m->answer.i : m->g->node[m->answer.i].x[0];
    TL_CHECK(m->g->n >= 2 && !m->g->node[0].nx, TL_EFORMAT, "the model has no picture input");
    TL_TRY(meta_text(m, o, "tlc.arch", &m->arch));
    TL_TRY(meta_text(m, o, "tlc.spec", &m->spec));
    TL_TRY(meta_text(m, o, "tlc.history", &m->history));
    if (!trunk) TL_TRY(read_classes(m, o));
    TL_TRY(read_preprocess(m, o));
    TL_TRY(read_kept(m, o));
    TL_TRY(read_boxes(m, o));
    *out = m;
    return TL_OK;
}

tl_status tl_model_unpack(tl_arena *a, tl_bytes file, tl_model **out)
{
    tl_onnx *o;
    TL_TRY(tl_onnx_parse(a, file, &o));
    return tl_model_from_onnx(a, o, out);
}

tl_status tl_model_load(tl_arena *a, const char *path, const char *key, tl_model **out)
{
    tl_bytes file;
    TL_TRY(tl_file_read(a, path, 0, &file));
    tl_status s = tl_unseal(a, key, path, file, &file);
    if (!s) s = tl_model_unpack(a, file, out);
    return s ? tl_note(s, "reading the model '%s'", path) : TL_OK;
}
