/* tflite_model.c - TensorFlow Lite files as plain structs. SPDX-License-Identifier: MIT */
#include "tflite_model.h"
#include <limits.h>
#include <string.h>

#define MOST 65536 /* tensors or operations */

/* Fields of the schema's tables, in its order. */
enum { MODEL_VERSION, MODEL_CODES, MODEL_SUBGRAPHS, MODEL_DESCRIPTION, MODEL_BUFFERS };
enum { CODE_OLD, CODE_CUSTOM, CODE_VERSION, CODE_BUILTIN };
enum { GRAPH_TENSORS, GRAPH_INPUTS, GRAPH_OUTPUTS, GRAPH_OPS };
enum {
    TENSOR_SHAPE,
    TENSOR_TYPE,
    TENSOR_BUFFER,
    TENSOR_NAME,
    TENSOR_QUANTIZATION,
    TENSOR_VARIABLE,
    TENSOR_SPARSITY
};
enum { QUANT_MIN, QUANT_MAX, QUANT_SCALE, QUANT_ZERO, QUANT_DETAILS_TYPE, QUANT_DETAILS, QUANT_AXIS };
enum { OP_CODE, OP_INPUTS, OP_OUTPUTS, OP_OPTIONS_TYPE, OP_OPTIONS };
enum { BUFFER_DATA };

#define CUSTOM 32 /* BuiltinOperator of operators that the schema does not have */

bool tl_tflite_knows(tl_bytes file) { return file.n >= 8 && !memcmp(file.p + 4, "TFL3", 4); }

static tl_element type_of(int64_t code)
{
    static const tl_element types[] = { [0] = TL_EL_F32, [1] = TL_EL_F16, [2] = TL_EL_I32, [3] = TL_EL_U8,
                                        [4] = TL_EL_I64, [7] = TL_EL_I16, [9] = TL_EL_I8,  [10] = TL_EL_F64 };
    return code >= 0 && code < TL_LEN(types) ? types[code] : TL_EL_NONE;
}

/* Names are for people: long ones are cut. */
static tl_status name_of(tl_arena *a, tl_fb_vector v, const char **out)
{
    size_t n = v.n < 120 ? v.n : 120;
    TL_NEW(*out = n ? tl_strndup(a, (const char *)tl_fb_bytes(v), strnlen((const char *)tl_fb_bytes(v), n)) : "");
    return TL_OK;
}

static int small(int64_t v) { return v >= -1 && v <= INT_MAX ? (int)v : -1; }

static tl_status read_tensor(tl_arena *a, tl_fb_table t, tl_fb_vector buffers, tl_tflite_tensor *out)
{
    tl_fb_table q = tl_fb_inner(t, TENSOR_QUANTIZATION);
    tl_fb_vector shape = tl_fb_list(t, TENSOR_SHAPE, 4);
    size_t buffer = (size_t)tl_fb_int(t, TENSOR_BUFFER, 4, 0);
    *out = (tl_tflite_tensor){ .type = type_of(tl_fb_int(t, TENSOR_TYPE, 1, 0)),
                               .axis = small(tl_fb_int(q, QUANT_AXIS, 4, 0)),
                               .scale = tl_fb_list(q, QUANT_SCALE, 4),
                               .zero = tl_fb_list(q, QUANT_ZERO, 8) };
    out->rank = shape.n <= TL_TFLITE_RANK ? (int)shape.n : -1;
    for (int i = 0; i < out->rank; i++) out->dim[i] = small(tl_fb_int_at(shape, (size_t)i));
    TL_CHECK(buffer < buffers.n || !buffer, TL_EFORMAT,
             "a tensor of the TFLite file lies in buffer %zu, there are %zu", buffer, buffers.n);
    if (buffer) out->data = tl_fb_list(tl_fb_table_at(buffers, buffer), BUFFER_DATA, 1);
    if (tl_fb_inner(t, TENSOR_SPARSITY).at) out->rank = -1; /* not stored number by number */
    return name_of(a, tl_fb_text(t, TENSOR_NAME), &out->name);
}

static tl_status read_op(tl_arena *a, tl_fb_table t, tl_fb_vector codes, int tensors, tl_tflite_op *out)
{
    size_t code = (size_t)tl_fb_int(t, OP_CODE, 4, 0);
    tl_fb_vector in = tl_fb_list(t, OP_INPUTS, 4), outs = tl_fb_list(t, OP_OUTPUTS, 4);
    TL_CHECK(code < codes.n, TL_EFORMAT, "an operation of the TFLite file has the code %zu, there are %zu", code,
             codes.n);
    tl_fb_table c = tl_fb_table_at(codes, code);
    *out = (tl_tflite_op){ .code = (int)tl_fb_int(c, CODE_BUILTIN, 4, 0),
                           .out = outs.n ? small(tl_fb_int_at(outs, 0)) : -1,
                           .nin = in.n <= TL_TFLITE_IN ? (int)in.n : -1,
                           .options = tl_fb_inner(t, OP_OPTIONS) };
    int old = (int)tl_fb_int(c, CODE_OLD, 1, 0); /* before there were more than 127 */
    if (old > out->code) out->code = old;
    for (int i = 0; i < out->nin; i++) {
        out->in[i] = small(tl_fb_int_at(in, (size_t)i));
        TL_CHECK(out->in[i] < tensors, TL_EFORMAT, "an operation of the TFLite file reads tensor %d, there are %d",
                 out->in[i], tensors);
    }
    TL_CHECK(out->out >= 0 && out->out < tensors, TL_EFORMAT,
             "an operation of the TFLite file makes tensor %d, there are %d", out->out, tensors);
    return out->code == CUSTOM ? name_of(a, tl_fb_text(c, CODE_CUSTOM), &out->custom) : TL_OK;
}

static tl_status read_model(tl_arena *a, tl_tflite *m)
{
    tl_fb_table root = tl_fb_root(&m->f);
    tl_fb_vector graphs = tl_fb_list(root, MODEL_SUBGRAPHS, 4), buffers = tl_fb_list(root, MODEL_BUFFERS, 4),
                 codes = tl_fb_list(root, MODEL_CODES, 4);
    TL_CHECK(graphs.n, TL_EFORMAT, "there is no graph in the TFLite file: it was cut off or is damaged");
    tl_fb_table g = tl_fb_table_at(graphs, 0);
    tl_fb_vector tensors = tl_fb_list(g, GRAPH_TENSORS, 4), ops = tl_fb_list(g, GRAPH_OPS, 4),
                 in = tl_fb_list(g, GRAPH_INPUTS, 4), outs = tl_fb_list(g, GRAPH_OUTPUTS, 4);
    TL_CHECK(tensors.n <= MOST && ops.n <= MOST, TL_EUNSUP,
             "the TFLite file has %zu tensors and %zu operations; at most %d are supported", tensors.n, ops.n,
             MOST);
    for (size_t i = 0; i < tensors.n; i++) {
        tl_tflite_tensor *t = tl_add(a, &m->tensor, tl_tflite_tensor);
        TL_NEW(t);
        TL_TRY(read_tensor(a, tl_fb_table_at(tensors, i), buffers, t));
    }
    for (size_t i = 0; i < ops.n; i++) {
        tl_tflite_op *o = tl_add(a, &m->op, tl_tflite_op);
        TL_NEW(o);
        TL_TRY(read_op(a, tl_fb_table_at(ops, i), codes, m->tensor.n, o));
    }
    m->nin = (int)in.n;
    m->nout = (int)outs.n;
    m->in = in.n ? small(tl_fb_int_at(in, 0)) : -1;
    m->out = outs.n ? small(tl_fb_int_at(outs, 0)) : -1;
    TL_CHECK(m->in >= 0 && m->in < m->tensor.n && m->out >= 0 && m->out < m->tensor.n, TL_EFORMAT,
             "the TFLite file has no input or output");
    return TL_OK;
}

tl_status tl_tflite_parse(tl_arena *a, tl_bytes file, tl_tflite **out)
{
    TL_CHECK(tl_tflite_knows(file), TL_EFORMAT, "this is not a TFLite file");
    TL_CHECK(file.n <= INT_MAX, TL_EUNSUP, "the file has %zu bytes; a TFLite file has at most 2 GB", file.n);
    tl_tflite *m = tl_new(a, tl_tflite, 1);
    TL_NEW(m);
    m->f.file = file;
    tl_status s = read_model(a, m);
    TL_CHECK(!m->f.bad, TL_EFORMAT, "the TFLite file is cut off or damaged: something in it points outside");
    *out = m;
    return s;
}

size_t tl_tflite_count(const tl_tflite_tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i] < 0 || __builtin_mul_overflow(n, (size_t)t->dim[i], &n)) return 0;
    return t->rank < 0 ? 0 : n;
}

tl_status tl_tflite_floats(const tl_tflite_tensor *t, float *to)
{
    size_t n = tl_tflite_count(t), size = tl_element_size(t->type), step = 1, scales = t->scale.n;
    bool quantized = t->type >= TL_EL_I64;
    TL_CHECK(size, TL_EUNSUP, "the constant '%s' is of a type that is not supported", t->name);
    TL_CHECK(n && t->data.n / size >= n, TL_EFORMAT,
             "the constant '%s' holds %zu bytes, its shape asks for %zu values", t->name, t->data.n, n);
    TL_CHECK(!quantized ||
                 (scales && t->axis >= 0 && t->axis < TL_TFLITE_RANK && (t->zero.n == scales || !t->zero.n) &&
                  (scales == 1 || (t->axis < t->rank && (size_t)t->dim[t->axis] == scales))),
             TL_EFORMAT, "the constant '%s' is quantized, but its scales do not fit", t->name);
    tl_elements_to_f32(t->type, tl_fb_bytes(t->data), size, n, to);
    for (int i = t->axis + 1; quantized && i < t->rank; i++) step *= (size_t)t->dim[i];
    for (size_t i = 0; quantized && i < n; i++) {
        size_t k = scales > 1 ? i / step % scales : 0;
        to[i] = tl_fb_float_at(t->scale, k) * (to[i] - (t->zero.n ? (float)tl_fb_int_at(t->zero, k) : 0));
    }
    return TL_OK;
}
