/* safetensors_read.c - Hugging Face's safetensors files. SPDX-License-Identifier: MIT */
#include "safetensors.h"
#include <jansson.h>
#include <string.h>

#define MOST_HEADER ((size_t)100 << 20) /* as the reference implementation has it */

static uint64_t header_size(tl_bytes f)
{
    uint64_t n = 0;
    if (f.n >= 8) memcpy(&n, f.p, 8);
    return n;
}

bool tl_is_safetensors(tl_bytes f)
{
    uint64_t n = header_size(f);
    return f.n > 8 && n >= 2 && n <= MOST_HEADER && f.p[8] == '{';
}

static void drop_json(void *j) { json_decref(j); }

static const struct { const char *name; tl_element type; } types[] = {
    { "F64", TL_EL_F64 }, { "F32", TL_EL_F32 }, { "F16", TL_EL_F16 }, { "BF16", TL_EL_BF16 }, { "I64", TL_EL_I64 },
    { "I32", TL_EL_I32 }, { "I16", TL_EL_I16 }, { "I8", TL_EL_I8 },   { "U8", TL_EL_U8 },     { "BOOL", TL_EL_BOOL },
};

static tl_element type_named(const char *name)
{
    for (int i = 0; i < TL_LEN(types); i++)
        if (!strcmp(types[i].name, name)) return types[i].type;
    return TL_EL_NONE;
}

static tl_status read_shape(const json_t *shape, tl_array *x, size_t *bytes)
{
    *bytes = tl_element_size(x->type);
    TL_CHECK(json_is_array(shape) && json_array_size(shape) <= TL_ARRAY_RANK, TL_EUNSUP,
             "the tensor '%s' has no shape of at most %d dimensions", x->name, TL_ARRAY_RANK);
    x->rank = (int)json_array_size(shape);
    for (int i = 0; i < x->rank; i++) {
        json_int_t d = json_integer_value(json_array_get(shape, (size_t)i));
        TL_CHECK(d >= 0 && !__builtin_mul_overflow(*bytes, (size_t)d, bytes), TL_EFORMAT,
                 "the tensor '%s' cannot have the size %lld in dimension %d", x->name, (long long)d, i);
        x->dim[i] = (size_t)d;
    }
    tl_array_pack(x);
    return TL_OK;
}

static tl_status read_tensor(const json_t *row, tl_bytes data, tl_array *x)
{
    const char *type = json_string_value(json_object_get(row, "dtype"));
    const json_t *at = json_object_get(row, "data_offsets");
    size_t bytes;
    TL_CHECK(type && json_array_size(at) == 2, TL_EFORMAT, "the header's entry for '%s' is damaged", x->name);
    x->type = type_named(type);
    TL_CHECK(x->type, TL_EUNSUP, "the tensor '%s' is of type %s; F64, F32, F16, BF16 and integers are read", x->name,
             type);
    TL_TRY(read_shape(json_object_get(row, "shape"), x, &bytes));
    json_int_t from = json_integer_value(json_array_get(at, 0)), to = json_integer_value(json_array_get(at, 1));
    TL_CHECK(
        from >= 0 && to >= from && (size_t)to <= data.n, TL_EFORMAT,
        "the tensor '%s' lies at bytes %lld to %lld of the data, which has %zu: the file was cut off or is damaged",
        x->name, (long long)from, (long long)to, data.n);
    TL_CHECK((size_t)(to - from) == bytes, TL_EFORMAT,
             "the tensor '%s' has %lld bytes, its shape and type ask for %zu", x->name, (long long)(to - from),
             bytes);
    x->data = data.p + from;
    return TL_OK;
}

/* Tensors may not share bytes: their sum is at most the file, so converting them costs a fixed multiple of it. */
static tl_status read_all(tl_arena *a, json_t *header, tl_bytes data, tl_list *out)
{
    const char *name;
    json_t *row;
    size_t sum = 0;
    json_object_foreach(header, name, row) {
        if (!strcmp(name, "__metadata__")) continue;
        tl_array x = { .name = tl_strdup(a, name) };
        TL_NEW(x.name);
        TL_TRY(read_tensor(row, data, &x));
        sum += tl_array_count(&x) * tl_element_size(x.type);
        TL_CHECK(sum <= data.n, TL_EFORMAT, "the tensors together are larger than the file: it is damaged or hostile");
        tl_array *slot = tl_add(a, out, tl_array);
        TL_NEW(slot);
        *slot = x;
    }
    return TL_OK;
}

tl_status tl_safetensors_parse(tl_arena *a, tl_bytes f, tl_list *out)
{
    json_error_t e;
    uint64_t n = header_size(f);
    *out = (tl_list){ 0, NULL };
    TL_CHECK(tl_is_safetensors(f), TL_EFORMAT, "this is not a safetensors file");
    TL_CHECK(n <= f.n - 8, TL_EFORMAT, "the safetensors file is cut off: its header has %llu bytes, %zu are there",
             (unsigned long long)n, f.n - 8);
    json_t *header = json_loadb((const char *)f.p + 8, (size_t)n, JSON_REJECT_DUPLICATES, &e);
    TL_CHECK(header, TL_EFORMAT, "the safetensors header is damaged: %s", e.text);
    TL_TRY(tl_defer(a, drop_json, header));
    TL_CHECK(json_is_object(header), TL_EFORMAT, "the safetensors header is no JSON object");
    return read_all(a, header, (tl_bytes){ f.p + 8 + n, f.n - 8 - (size_t)n }, out);
}
