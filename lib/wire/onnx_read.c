/* onnx_read.c - from the bytes of an ONNX file to plain structs. SPDX-License-Identifier: MIT
 *
 * protobuf-c unpacks the file through an allocator that draws on the arena, up to a budget that
 * follows the file's size: a few bytes can declare large messages, and this is where that ends.
 * The plain structs then point into what was unpacked, so weights are copied once. Hosts are
 * little-endian, as ONNX data is; values stored in the typed lists are used as they are. */
#include "onnx.h"
#include "onnx_external.h"
#include "onnx.pb-c.h"
#include "unpack.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ONNX data is little-endian");

typedef struct {
    tl_unpack memory;
    tl_onnx_beside beside; /* folder NULL: external data is refused */
} reader;

static bool varint(tl_bytes f, size_t *at, uint64_t *v)
{
    *v = 0;
    for (int shift = 0; shift < 64 && *at < f.n; shift += 7) {
        uint8_t byte = f.p[(*at)++];
        *v |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

/* protobuf-c says only that it failed. Nearly all of a file lies in one field of the outermost
 * message, so walking that message tells a file that was cut off from one that is damaged. */
static tl_status check_frame(tl_bytes f)
{
    TL_CHECK(f.n, TL_EFORMAT, "the file is empty; an ONNX model was expected");
    for (size_t at = 0; at < f.n;) {
        size_t start = at;
        uint64_t tag, len = 0;
        bool whole = varint(f, &at, &tag);
        unsigned wire = tag & 7;
        bool known = tag >> 3 >= 1 && tag >> 3 <= 100 && (wire <= 2 || wire == 5);
        TL_CHECK(known || (!whole && at == f.n), TL_EFORMAT,
                 "this is not an ONNX file (byte %zu starts no field)", start);
        if (wire == 1) len = 8;
        else if (wire == 5) len = 4;
        else if (whole) whole = varint(f, &at, &len);
        if (wire == 0) len = 0; /* the number was the whole field */
        TL_CHECK(whole && len <= f.n - at, TL_EFORMAT,
                 "the ONNX file is cut off: the field at byte %zu needs %llu bytes more, %zu are left", start,
                 (unsigned long long)len, f.n - at);
        at += len;
    }
    return TL_OK;
}

static tl_status text(reader *r, ProtobufCBinaryData b, const char **out)
{
    TL_CHECK(!b.len || !memchr(b.data, 0, b.len), TL_EFORMAT, "a name or text in the file has a zero byte inside");
    char *s = tl_unpack_take(&r->memory, b.len + 1);
    if (!s) return r->memory.failed;
    if (b.len) memcpy(s, b.data, b.len);
    s[b.len] = 0;
    *out = s;
    return TL_OK;
}

static tl_status texts(reader *r, size_t n, const ProtobufCBinaryData *b, tl_list *out)
{
    for (size_t i = 0; i < n; i++) {
        const char **s = tl_add(r->memory.arena, out, const char *);
        TL_NEW(s);
        TL_TRY(text(r, b[i], s));
    }
    return TL_OK;
}

/* The typed list with the elements, as packed bytes. Small integers and float16 are stored one in an int32. */
static tl_status gather(reader *r, const Tl__TensorProto *p, tl_onnx_tensor *t)
{
    static const struct { int32_t lo, hi; } range[] = {
        [TL_ONNX_UINT8] = { 0, 255 }, [TL_ONNX_INT8] = { -128, 127 }, [TL_ONNX_FLOAT16] = { 0, 65535 },
        [TL_ONNX_BFLOAT16] = { 0, 65535 },
    };
    size_t size = tl_onnx_type_size(t->type);
    switch (t->type) {
    case TL_ONNX_FLOAT: t->data = p->float_data, t->bytes = p->n_float_data * size; return TL_OK;
    case TL_ONNX_DOUBLE: t->data = p->double_data, t->bytes = p->n_double_data * size; return TL_OK;
    case TL_ONNX_INT64: t->data = p->int64_data, t->bytes = p->n_int64_data * size; return TL_OK;
    case TL_ONNX_INT32: t->data = p->int32_data, t->bytes = p->n_int32_data * size; return TL_OK;
    default: break;
    }
    uint8_t *to = tl_unpack_take(&r->memory, p->n_int32_data * size);
    if (!to) return r->memory.failed;
    for (size_t i = 0; i < p->n_int32_data; i++) {
        int32_t v = p->int32_data[i];
        TL_CHECK(v >= range[t->type].lo && v <= range[t->type].hi, TL_EFORMAT,
                 "element %zu of the constant '%s' is %d, which its type cannot hold", i, t->name, v);
        memcpy(to + i * size, &v, size);
    }
    t->data = to;
    t->bytes = p->n_int32_data * size;
    return TL_OK;
}

static bool is_key(ProtobufCBinaryData b, const char *key)
{
    return b.len == strlen(key) && !memcmp(b.data, key, b.len);
}

/* Where the data of an external tensor lies, as texts: location, offset, length. */
static tl_status external(reader *r, const Tl__TensorProto *p, tl_onnx_tensor *t)
{
    static const char *const keys[] = { "location", "offset", "length" };
    const char *value[] = { "", "0", "0" };
    tl_bytes data = { NULL, 0 };
    TL_CHECK(r->beside.folder, TL_EUNSUP,
             "the constant '%s' lies in another file (external data), which is read only when asked for: "
             "tlc import --external_data, or save the model as one file",
             t->name);
    for (size_t i = 0; i < p->n_external_data; i++)
        for (int k = 0; k < TL_LEN(keys); k++)
            if (is_key(p->external_data[i]->key, keys[k])) TL_TRY(text(r, p->external_data[i]->value, &value[k]));
    TL_TRY(tl_onnx_external(r->memory.arena, &r->beside, value[0], strtoull(value[1], NULL, 10),
                            strtoull(value[2], NULL, 10), &data));
    t->data = data.p;
    t->bytes = data.n;
    return TL_OK;
}

static tl_status read_tensor(reader *r, const void *message, void *out)
{
    const Tl__TensorProto *p = message;
    tl_onnx_tensor *t = out;
    TL_TRY(text(r, p->name, &t->name));
    TL_CHECK(p->n_dims <= TL_ONNX_RANK, TL_EUNSUP, "the constant '%s' has %zu dimensions; at most %d are supported",
             t->name, p->n_dims, TL_ONNX_RANK);
    t->type = (tl_onnx_type)p->data_type;
    t->rank = (int)p->n_dims;
    t->data = p->raw_data.data;
    t->bytes = p->raw_data.len;
    if (p->data_location == 1) TL_TRY(external(r, p, t));
    size_t size = tl_onnx_type_size(t->type), want = size;
    for (int i = 0; i < t->rank; i++) {
        t->dim[i] = p->dims[i];
        TL_CHECK(t->dim[i] >= 0 && !__builtin_mul_overflow(want, (size_t)t->dim[i], &want), TL_EFORMAT,
                 "the constant '%s' cannot have the size %lld in dimension %d", t->name, (long long)t->dim[i], i);
    }
    if (!size) return TL_OK; /* not one of our types: an error for whoever uses it */
    if (!t->bytes) TL_TRY(gather(r, p, t));
    TL_CHECK(t->bytes == want, TL_EFORMAT, "the constant '%s' holds %zu bytes, its dimensions and type ask for %zu",
             t->name, t->bytes, want);
    return TL_OK;
}

static tl_status read_value(reader *r, const void *message, void *out)
{
    const Tl__ValueInfoProto *p = message;
    tl_onnx_value *v = out;
    TL_TRY(text(r, p->name, &v->name));
    const Tl__TypeProto__Tensor *t = p->type ? p->type->tensor_type : NULL;
    if (!t) return TL_OK;
    v->type = (tl_onnx_type)t->elem_type;
    size_t rank = t->shape ? t->shape->n_dim : 0;
    TL_CHECK(rank <= TL_ONNX_RANK, TL_EUNSUP, "'%s' has %zu dimensions; at most %d are supported",
             v->name, rank, TL_ONNX_RANK);
    v->rank = (int)rank;
    for (int i = 0; i < v->rank; i++) {
        const Tl__TensorShapeProto__Dimension *d = t->shape->dim[i];
        v->dim[i] = d->has_dim_value && d->dim_value >= 0 ? d->dim_value : -1;
    }
    return TL_OK;
}

static tl_status read_attr(reader *r, const void *message, void *out)
{
    /* By AttributeProto.AttributeType; beyond the table are graphs and lists of text and tensors. */
    static const int kinds[] = { TL_ONNX_AOTHER, TL_ONNX_AF, TL_ONNX_AI, TL_ONNX_AS,
                                 TL_ONNX_AT, TL_ONNX_AOTHER, TL_ONNX_AFLOATS, TL_ONNX_AINTS };
    const Tl__AttributeProto *p = message;
    tl_onnx_attr *a = out;
    TL_TRY(text(r, p->name, &a->name));
    a->kind = p->type >= 0 && p->type < TL_LEN(kinds) ? kinds[p->type] : TL_ONNX_AOTHER;
    a->f = p->f;
    a->i = p->i;
    a->ints = p->ints;
    a->floats = p->floats;
    a->n = (int)(a->kind == TL_ONNX_AINTS ? p->n_ints : a->kind == TL_ONNX_AFLOATS ? p->n_floats : 0);
    if (a->kind == TL_ONNX_AT && p->t) {
        tl_onnx_tensor *t = tl_new(r->memory.arena, tl_onnx_tensor, 1);
        TL_NEW(t);
        a->t = t;
        return read_tensor(r, p->t, t);
    }
    return a->kind == TL_ONNX_AS ? text(r, p->s, &a->s) : TL_OK;
}

static bool standard(ProtobufCBinaryData domain)
{
    return !domain.len || (domain.len == 7 && !memcmp(domain.data, "ai.onnx", 7));
}

typedef tl_status row_reader(reader *r, const void *message, void *row);

static tl_status read_rows(reader *r, size_t n, void *messages, row_reader *read, size_t size, tl_list *out)
{
    for (size_t i = 0; i < n; i++) {
        void *row = tl_grow(r->memory.arena, out, size);
        TL_NEW(row);
        TL_TRY(read(r, ((void **)messages)[i], row));
    }
    return TL_OK;
}

static tl_status read_node(reader *r, const void *message, void *out)
{
    const Tl__NodeProto *p = message;
    tl_onnx_node *n = out;
    TL_TRY(text(r, p->name, &n->name));
    TL_TRY(text(r, p->op_type, &n->op));
    TL_CHECK(*n->op, TL_EFORMAT, "the node '%s' has no operator", n->name);
    if (!standard(p->domain)) { /* somebody else's Conv is not our Conv */
        const char *domain;
        TL_TRY(text(r, p->domain, &domain));
        TL_NEW(n->op = tl_printf(r->memory.arena, "%s::%s", domain, n->op));
    }
    TL_TRY(texts(r, p->n_input, p->input, &n->in));
    TL_TRY(texts(r, p->n_output, p->output, &n->out));
    return read_rows(r, p->n_attribute, p->attribute, read_attr, sizeof(tl_onnx_attr), &n->attr);
}

static tl_status read_meta(reader *r, const void *message, void *out)
{
    const Tl__StringStringEntryProto *p = message;
    tl_onnx_meta *m = out;
    TL_TRY(text(r, p->key, &m->key));
    return text(r, p->value, &m->value);
}

static tl_status read_model(reader *r, const Tl__ModelProto *p, tl_onnx *m)
{
    const Tl__GraphProto *g = p->graph;
    TL_CHECK(g, TL_EFORMAT, "there is no graph in the file: it was cut off, or is not an ONNX model");
    for (size_t i = 0; i < p->n_opset_import; i++)
        if (standard(p->opset_import[i]->domain)) m->opset = p->opset_import[i]->version;
    TL_CHECK(m->opset > 0, TL_EFORMAT, "the file does not say which ONNX operator set it uses: it was cut off, "
             "or is not an ONNX model");
    m->ir_version = p->ir_version;
    TL_TRY(text(r, p->producer_name, &m->producer));
    TL_TRY(text(r, g->name, &m->graph_name));
    TL_TRY(read_rows(r, g->n_node, g->node, read_node, sizeof(tl_onnx_node), &m->node));
    TL_TRY(read_rows(r, g->n_initializer, g->initializer, read_tensor, sizeof(tl_onnx_tensor), &m->init));
    TL_TRY(read_rows(r, g->n_input, g->input, read_value, sizeof(tl_onnx_value), &m->input));
    TL_TRY(read_rows(r, g->n_output, g->output, read_value, sizeof(tl_onnx_value), &m->output));
    return read_rows(r, p->n_metadata_props, p->metadata_props, read_meta, sizeof(tl_onnx_meta), &m->meta);
}

tl_status tl_onnx_parse(tl_arena *a, tl_bytes file, tl_onnx **out) { return tl_onnx_parse_beside(a, file, NULL, out); }

tl_status tl_onnx_parse_beside(tl_arena *a, tl_bytes file, const char *folder, tl_onnx **out)
{
    TL_CHECK(file.n <= INT_MAX, TL_EUNSUP, "the file has %zu bytes; an ONNX file has at most 2 GB", file.n);
    TL_TRY(check_frame(file));
    reader r = { .memory = tl_unpack_new(a, file.n), .beside.folder = folder };
    ProtobufCAllocator from = tl_unpack_allocator(&r.memory);
    Tl__ModelProto *p = tl__model_proto__unpack(&from, file.n, file.p);
    if (!p) return r.memory.failed ? r.memory.failed : tl_fail(TL_EFORMAT, "the file is damaged, or not an ONNX model");
    tl_onnx *m = tl_new(a, tl_onnx, 1);
    TL_NEW(m);
    m->arena = a;
    TL_TRY(read_model(&r, p, m));
    *out = m;
    return TL_OK;
}
