/* onnx_write.c - from plain structs to the bytes of an ONNX file. SPDX-License-Identifier: MIT
 *
 * The protobuf messages live in an arena of their own and borrow all texts and weights; only the
 * finished file is copied, once. */
#include "onnx.h"
#include "onnx.pb-c.h"
#include <limits.h>
#include <string.h>

/* n initialised messages, as the array of pointers that protobuf-c wants. */
static void *messages(tl_arena *a, const ProtobufCMessageDescriptor *d, int n)
{
    void **at = tl_new(a, void *, n);
    char *block = at ? tl_alloc_raw(a, (size_t)n * d->sizeof_message) : NULL;
    if (!block) return NULL;
    for (int i = 0; i < n; i++) protobuf_c_message_init(d, at[i] = block + (size_t)i * d->sizeof_message);
    return at;
}

static ProtobufCBinaryData text(const char *s) { return (ProtobufCBinaryData){ strlen(s), (uint8_t *)s }; }

static ProtobufCBinaryData *texts(tl_arena *a, const tl_list *l)
{
    ProtobufCBinaryData *b = tl_new(a, ProtobufCBinaryData, l->n);
    for (int i = 0; b && i < l->n; i++) b[i] = text(((const char **)l->at)[i]);
    return b;
}

static tl_status put_attr(const tl_onnx_node *n, const tl_onnx_attr *a, Tl__AttributeProto *p)
{
    p->has_name = p->has_type = true;
    p->name = text(a->name);
    switch (a->kind) {
    case TL_ONNX_AF: p->type = 1, p->has_f = true, p->f = a->f; break;
    case TL_ONNX_AI: p->type = 2, p->has_i = true, p->i = a->i; break;
    case TL_ONNX_AS: p->type = 3, p->has_s = true, p->s = text(a->s); break;
    case TL_ONNX_AFLOATS: p->type = 6, p->n_floats = (size_t)a->n, p->floats = (float *)a->floats; break;
    case TL_ONNX_AINTS: p->type = 7, p->n_ints = (size_t)a->n, p->ints = (int64_t *)a->ints; break;
    case TL_ONNX_AT:
    case TL_ONNX_AOTHER:
        return tl_fail(TL_EUNSUP, "the attribute '%s' of the node '%s' is of a kind that cannot be written",
                       a->name, n->name);
    }
    return TL_OK;
}

static tl_status put_node(tl_arena *a, const tl_onnx_node *n, Tl__NodeProto *p)
{
    p->has_name = p->has_op_type = true;
    p->name = text(n->name);
    p->op_type = text(n->op);
    p->n_input = (size_t)n->in.n;
    p->n_output = (size_t)n->out.n;
    p->n_attribute = (size_t)n->attr.n;
    TL_NEW(p->input = texts(a, &n->in));
    TL_NEW(p->output = texts(a, &n->out));
    TL_NEW(p->attribute = messages(a, &tl__attribute_proto__descriptor, n->attr.n));
    for (int i = 0; i < n->attr.n; i++) TL_TRY(put_attr(n, (const tl_onnx_attr *)n->attr.at + i, p->attribute[i]));
    return TL_OK;
}

static void put_tensor(const tl_onnx_tensor *t, Tl__TensorProto *p)
{
    p->has_name = p->has_data_type = p->has_raw_data = true;
    p->name = text(t->name);
    p->data_type = (int32_t)t->type;
    p->n_dims = (size_t)t->rank;
    p->dims = (int64_t *)t->dim;
    p->raw_data = (ProtobufCBinaryData){ t->bytes, (uint8_t *)t->data };
}

static tl_status put_value(tl_arena *a, const tl_onnx_value *v, Tl__ValueInfoProto *p)
{
    p->has_name = true;
    p->name = text(v->name);
    Tl__TypeProto **type = messages(a, &tl__type_proto__descriptor, 1);
    Tl__TypeProto__Tensor **tensor = messages(a, &tl__type_proto__tensor__descriptor, 1);
    Tl__TensorShapeProto **shape = messages(a, &tl__tensor_shape_proto__descriptor, 1);
    Tl__TensorShapeProto__Dimension **dim = messages(a, &tl__tensor_shape_proto__dimension__descriptor, v->rank);
    if (!type || !tensor || !shape || !dim) return TL_ENOMEM;
    p->type = *type;
    p->type->tensor_type = *tensor;
    (*tensor)->has_elem_type = true;
    (*tensor)->elem_type = (int32_t)v->type;
    (*tensor)->shape = *shape;
    (*shape)->n_dim = (size_t)v->rank;
    (*shape)->dim = dim;
    for (int i = 0; i < v->rank; i++) {
        bool fixed = v->dim[i] >= 0;
        dim[i]->has_dim_value = fixed;
        dim[i]->has_dim_param = !fixed;
        dim[i]->dim_value = v->dim[i];
        dim[i]->dim_param = text(v->dim[i] == TL_ONNX_MANY ? "K" : "N");
    }
    return TL_OK;
}

static tl_status put_values(tl_arena *a, const tl_list *l, size_t *n, Tl__ValueInfoProto ***out)
{
    TL_NEW(*out = messages(a, &tl__value_info_proto__descriptor, l->n));
    *n = (size_t)l->n;
    for (int i = 0; i < l->n; i++) TL_TRY(put_value(a, (const tl_onnx_value *)l->at + i, (*out)[i]));
    return TL_OK;
}

static tl_status put_graph(tl_arena *a, const tl_onnx *m, Tl__GraphProto *g)
{
    g->has_name = true;
    g->name = text(m->graph_name);
    g->n_node = (size_t)m->node.n;
    g->n_initializer = (size_t)m->init.n;
    TL_NEW(g->node = messages(a, &tl__node_proto__descriptor, m->node.n));
    TL_NEW(g->initializer = messages(a, &tl__tensor_proto__descriptor, m->init.n));
    for (int i = 0; i < m->node.n; i++) TL_TRY(put_node(a, (const tl_onnx_node *)m->node.at + i, g->node[i]));
    for (int i = 0; i < m->init.n; i++) put_tensor((const tl_onnx_tensor *)m->init.at + i, g->initializer[i]);
    TL_TRY(put_values(a, &m->input, &g->n_input, &g->input));
    return put_values(a, &m->output, &g->n_output, &g->output);
}

static tl_status put_model(tl_arena *a, const tl_onnx *m, Tl__ModelProto *p)
{
    Tl__GraphProto **graph = messages(a, &tl__graph_proto__descriptor, 1);
    TL_NEW(graph);
    TL_NEW(p->opset_import = messages(a, &tl__operator_set_id_proto__descriptor, 1));
    TL_NEW(p->metadata_props = messages(a, &tl__string_string_entry_proto__descriptor, m->meta.n));
    p->graph = *graph;
    p->has_ir_version = p->has_producer_name = true;
    p->ir_version = m->ir_version;
    p->producer_name = text(m->producer);
    p->n_opset_import = 1;
    p->opset_import[0]->has_domain = p->opset_import[0]->has_version = true;
    p->opset_import[0]->domain = text("");
    p->opset_import[0]->version = m->opset;
    p->n_metadata_props = (size_t)m->meta.n;
    for (int i = 0; i < m->meta.n; i++) {
        const tl_onnx_meta *from = (const tl_onnx_meta *)m->meta.at + i;
        Tl__StringStringEntryProto *to = p->metadata_props[i];
        to->has_key = to->has_value = true;
        to->key = text(from->key);
        to->value = text(from->value);
    }
    return put_graph(a, m, p->graph);
}

static tl_status pack(tl_arena *a, tl_arena *scratch, const tl_onnx *m, tl_bytes *out)
{
    Tl__ModelProto p = TL__MODEL_PROTO__INIT;
    TL_TRY(put_model(scratch, m, &p));
    size_t n = tl__model_proto__get_packed_size(&p);
    TL_CHECK(n <= INT_MAX, TL_EUNSUP, "the model takes %zu bytes; an ONNX file has at most 2 GB", n);
    uint8_t *to = tl_alloc_raw(a, n);
    TL_NEW(to);
    tl__model_proto__pack(&p, to);
    *out = (tl_bytes){ to, n };
    return TL_OK;
}

tl_status tl_onnx_pack(tl_arena *a, const tl_onnx *m, tl_bytes *out)
{
    tl_arena *scratch = tl_arena_new();
    TL_NEW(scratch);
    tl_status s = pack(a, scratch, m, out);
    tl_arena_free(scratch);
    return s;
}
