/* onnx_build.c - making ONNX structs and looking things up in them. SPDX-License-Identifier: MIT */
#include "elements.h"
#include "onnx.h"
#include <string.h>

static const struct { const char *name; size_t size; } types[] = {
    [TL_ONNX_FLOAT] = { "float", 4 }, [TL_ONNX_UINT8] = { "uint8", 1 }, [TL_ONNX_INT8] = { "int8", 1 },
    [TL_ONNX_INT32] = { "int32", 4 }, [TL_ONNX_INT64] = { "int64", 8 }, [TL_ONNX_FLOAT16] = { "float16", 2 },
    [TL_ONNX_DOUBLE] = { "double", 8 }, [TL_ONNX_BFLOAT16] = { "bfloat16", 2 },
};

/* The type comes from a file: any number. */
size_t tl_onnx_type_size(tl_onnx_type t) { return (size_t)t < TL_LEN(types) ? types[t].size : 0; }

/* ---- Building ---------------------------------------------------------------------------------- */

/* IR version 7 and operator set 13 are of one release of ONNX (1.8), old enough for any runtime. */
tl_onnx *tl_onnx_new(tl_arena *a)
{
    tl_onnx *m = tl_new(a, tl_onnx, 1);
    if (m) *m = (tl_onnx){ .arena = a, .ir_version = 7, .opset = 13, .producer = "tlc", .graph_name = "tlc" };
    return m;
}

static tl_status add_texts(tl_arena *a, tl_list *l, const char *const *s)
{
    for (; *s; s++) {
        const char **slot = tl_add(a, l, const char *);
        TL_NEW(slot);
        TL_NEW(*slot = tl_strdup(a, *s));
    }
    return TL_OK;
}

tl_onnx_node *tl_onnx_add(tl_onnx *m, const char *op, const char *name, const char *const *in, const char *const *out)
{
    tl_onnx_node n = { .op = tl_strdup(m->arena, op), .name = tl_strdup(m->arena, name) };
    if (!n.op || !n.name || add_texts(m->arena, &n.in, in) || add_texts(m->arena, &n.out, out)) return NULL;
    tl_onnx_node *slot = tl_add(m->arena, &m->node, tl_onnx_node);
    if (slot) *slot = n;
    return slot;
}

static tl_status add_attr(tl_onnx *m, tl_onnx_node *n, const char *name, tl_onnx_attr attr)
{
    TL_NEW(attr.name = tl_strdup(m->arena, name));
    tl_onnx_attr *slot = tl_add(m->arena, &n->attr, tl_onnx_attr);
    TL_NEW(slot);
    *slot = attr;
    return TL_OK;
}

tl_status tl_onnx_set_int(tl_onnx *m, tl_onnx_node *n, const char *name, int64_t v)
{
    return add_attr(m, n, name, (tl_onnx_attr){ .kind = TL_ONNX_AI, .i = v });
}

tl_status tl_onnx_set_float(tl_onnx *m, tl_onnx_node *n, const char *name, float v)
{
    return add_attr(m, n, name, (tl_onnx_attr){ .kind = TL_ONNX_AF, .f = v });
}

tl_status tl_onnx_set_str(tl_onnx *m, tl_onnx_node *n, const char *name, const char *v)
{
    const char *s = tl_strdup(m->arena, v);
    TL_NEW(s);
    return add_attr(m, n, name, (tl_onnx_attr){ .kind = TL_ONNX_AS, .s = s });
}

tl_status tl_onnx_set_ints(tl_onnx *m, tl_onnx_node *n, const char *name, int count, const int64_t *v)
{
    int64_t *ints = tl_new(m->arena, int64_t, count);
    TL_NEW(ints);
    memcpy(ints, v, (size_t)count * sizeof *v);
    return add_attr(m, n, name, (tl_onnx_attr){ .kind = TL_ONNX_AINTS, .n = count, .ints = ints });
}

tl_status tl_onnx_add_init(tl_onnx *m, const char *name, tl_onnx_type t, int rank, const int64_t *dim,
                           const void *data)
{
    assert(rank <= TL_ONNX_RANK && tl_onnx_type_size(t));
    tl_onnx_tensor c = { .name = tl_strdup(m->arena, name), .type = t, .rank = rank, .data = data };
    TL_NEW(c.name);
    c.bytes = tl_onnx_type_size(t);
    for (int i = 0; i < rank; i++) c.bytes *= (size_t)(c.dim[i] = dim[i]);
    tl_onnx_tensor *slot = tl_add(m->arena, &m->init, tl_onnx_tensor);
    TL_NEW(slot);
    *slot = c;
    return TL_OK;
}

tl_status tl_onnx_add_value(tl_onnx *m, tl_list *where, const char *name, tl_onnx_type t, int rank, const int64_t *dim)
{
    assert(rank <= TL_ONNX_RANK);
    tl_onnx_value v = { .name = tl_strdup(m->arena, name), .type = t, .rank = rank };
    TL_NEW(v.name);
    for (int i = 0; i < rank; i++) v.dim[i] = dim[i];
    tl_onnx_value *slot = tl_add(m->arena, where, tl_onnx_value);
    TL_NEW(slot);
    *slot = v;
    return TL_OK;
}

static tl_onnx_meta *find_meta(const tl_onnx *m, const char *key)
{
    tl_onnx_meta *at = m->meta.at;
    for (int i = 0; i < m->meta.n; i++)
        if (!strcmp(at[i].key, key)) return at + i;
    return NULL;
}

tl_status tl_onnx_set_meta(tl_onnx *m, const char *key, const char *value)
{
    tl_onnx_meta new = { tl_strdup(m->arena, key), tl_strdup(m->arena, value) };
    if (!new.key || !new.value) return TL_ENOMEM;
    tl_onnx_meta *slot = find_meta(m, key);
    if (!slot) slot = tl_add(m->arena, &m->meta, tl_onnx_meta);
    TL_NEW(slot);
    *slot = new;
    return TL_OK;
}

/* ---- Reading ----------------------------------------------------------------------------------- */

const tl_onnx_attr *tl_onnx_attr_find(const tl_onnx_node *n, const char *name)
{
    const tl_onnx_attr *at = n->attr.at;
    for (int i = 0; i < n->attr.n; i++)
        if (!strcmp(at[i].name, name)) return at + i;
    return NULL;
}

int64_t tl_onnx_int(const tl_onnx_node *n, const char *name, int64_t otherwise)
{
    const tl_onnx_attr *a = tl_onnx_attr_find(n, name);
    return a && a->kind == TL_ONNX_AI ? a->i : otherwise;
}

float tl_onnx_float(const tl_onnx_node *n, const char *name, float otherwise)
{
    const tl_onnx_attr *a = tl_onnx_attr_find(n, name);
    return a && a->kind == TL_ONNX_AF ? a->f : otherwise;
}

const tl_onnx_tensor *tl_onnx_init_find(const tl_onnx *m, const char *name)
{
    const tl_onnx_tensor *at = m->init.at;
    for (int i = 0; i < m->init.n; i++)
        if (!strcmp(at[i].name, name)) return at + i;
    return NULL;
}

const char *tl_onnx_meta_find(const tl_onnx *m, const char *key)
{
    const tl_onnx_meta *at = find_meta(m, key);
    return at ? at->value : NULL;
}

tl_status tl_onnx_floats(tl_arena *a, const tl_onnx_tensor *t, const float **out, size_t *n)
{
    static const struct { tl_onnx_type type; tl_element element; } floats[] = {
        { TL_ONNX_FLOAT, TL_EL_F32 }, { TL_ONNX_FLOAT16, TL_EL_F16 }, { TL_ONNX_DOUBLE, TL_EL_F64 }, { TL_ONNX_BFLOAT16, TL_EL_BF16 },
    };
    for (int i = 0; i < TL_LEN(floats); i++) {
        if (floats[i].type != t->type) continue;
        size_t size = tl_onnx_type_size(t->type);
        *n = t->bytes / size;
        float *f = tl_alloc_raw(a, *n * sizeof *f);
        TL_NEW(f);
        tl_elements_to_f32(floats[i].element, t->data, size, *n, f);
        *out = f;
        return TL_OK;
    }
    const char *name = tl_onnx_type_size(t->type) ? types[t->type].name : "a type not known here";
    return tl_fail(TL_EFORMAT, "the constant '%s' is %s (ONNX type %d) where a floating-point type was expected", t->name, name, (int)t->type);
}
