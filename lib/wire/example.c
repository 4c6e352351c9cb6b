/* example.c - tf.train.Example to and from plain structs. SPDX-License-Identifier: MIT */
#include "example.h"
#include "example.pb-c.h"
#include "unpack.h"
#include <limits.h>
#include <string.h>

/* ---- Reading ---- */

/* A copy that is followed by a zero, which protobuf-c's own is not. */
static tl_status text(tl_unpack *u, ProtobufCBinaryData from, tl_bytes *to)
{
    uint8_t *s = tl_unpack_take(u, from.len + 1);
    if (!s) return u->failed;
    if (from.len) memcpy(s, from.data, from.len);
    s[from.len] = 0;
    *to = (tl_bytes){ s, from.len };
    return TL_OK;
}

static tl_status texts(tl_unpack *u, const Tl__BytesList *l, tl_feature *f)
{
    tl_bytes *b = tl_unpack_take(u, l->n_value * sizeof *b);
    if (!b) return u->failed;
    for (size_t i = 0; i < l->n_value; i++) TL_TRY(text(u, l->value[i], b + i));
    f->bytes = b;
    f->n = (int)l->n_value;
    return TL_OK;
}

static tl_status read_feature(tl_unpack *u, const Tl__Features__Entry *e, tl_feature *f)
{
    const Tl__Feature *v = e->value;
    tl_bytes name = { (const uint8_t *)"", 0 };
    if (e->has_key) TL_TRY(text(u, e->key, &name));
    *f = (tl_feature){ .name = (const char *)name.p };
    if (v && v->bytes_list) return texts(u, v->bytes_list, f);
    if (v && v->float_list) {
        f->kind = TL_FEATURE_FLOAT;
        f->number = v->float_list->value;
        f->n = (int)v->float_list->n_value;
    }
    if (v && v->int64_list) {
        f->kind = TL_FEATURE_INT;
        f->integer = v->int64_list->value;
        f->n = (int)v->int64_list->n_value;
    }
    return TL_OK;
}

tl_status tl_example_read(tl_arena *a, tl_bytes record, tl_example *out)
{
    *out = (tl_example){ 0, NULL };
    TL_CHECK(record.n <= INT_MAX, TL_EUNSUP, "%zu bytes, but a message has at most 2 GB", record.n);
    tl_unpack u = tl_unpack_new(a, record.n);
    ProtobufCAllocator from = tl_unpack_allocator(&u);
    const Tl__Example *e = tl__example__unpack(&from, record.n, record.p);
    if (!e) return u.failed ? u.failed : tl_fail(TL_EFORMAT, "not a tf.train.Example");
    const size_t n = e->features ? e->features->n_feature : 0;
    tl_feature *f = tl_unpack_take(&u, n * sizeof *f);
    if (!f) return u.failed;
    for (size_t i = 0; i < n; i++) TL_TRY(read_feature(&u, e->features->feature[i], f + i));
    *out = (tl_example){ (int)n, f };
    return TL_OK;
}

const tl_feature *tl_example_find(const tl_example *e, const char *name, tl_feature_kind kind)
{
    for (int i = 0; i < e->n; i++)
        if (e->feature[i].kind == kind && !strcmp(e->feature[i].name, name)) return e->feature + i;
    return NULL;
}

/* ---- Writing ---- */

/* What a feature takes in protobuf-c's form. */
typedef struct {
    Tl__Features__Entry entry;
    Tl__Feature value;
    union { Tl__BytesList bytes; Tl__FloatList number; Tl__Int64List integer; } list;
} parts;

static ProtobufCBinaryData data(const void *p, size_t n)
{
    return (ProtobufCBinaryData){ n, (uint8_t *)(uintptr_t)p };
}

static tl_status fill(tl_arena *a, const tl_feature *f, parts *p)
{
    p->entry = (Tl__Features__Entry)TL__FEATURES__ENTRY__INIT;
    p->value = (Tl__Feature)TL__FEATURE__INIT;
    p->entry.has_key = true;
    p->entry.key = data(f->name, strlen(f->name));
    p->entry.value = &p->value;
    if (f->kind == TL_FEATURE_FLOAT) {
        p->list.number = (Tl__FloatList)TL__FLOAT_LIST__INIT;
        p->list.number.n_value = (size_t)f->n;
        p->list.number.value = (float *)(uintptr_t)f->number;
        p->value.float_list = &p->list.number;
    } else if (f->kind == TL_FEATURE_INT) {
        p->list.integer = (Tl__Int64List)TL__INT64_LIST__INIT;
        p->list.integer.n_value = (size_t)f->n;
        p->list.integer.value = (int64_t *)(uintptr_t)f->integer;
        p->value.int64_list = &p->list.integer;
    } else {
        p->list.bytes = (Tl__BytesList)TL__BYTES_LIST__INIT;
        p->list.bytes.n_value = (size_t)f->n;
        TL_NEW(p->list.bytes.value = tl_new(a, ProtobufCBinaryData, f->n + 1));
        for (int i = 0; i < f->n; i++) p->list.bytes.value[i] = data(f->bytes[i].p, f->bytes[i].n);
        p->value.bytes_list = &p->list.bytes;
    }
    return TL_OK;
}

tl_status tl_example_write(tl_arena *a, const tl_example *e, size_t before, size_t after, tl_bytes *out)
{
    Tl__Example message = TL__EXAMPLE__INIT;
    Tl__Features features = TL__FEATURES__INIT;
    parts *p = tl_new(a, parts, e->n + 1);
    TL_NEW(p);
    TL_NEW(features.feature = tl_new(a, Tl__Features__Entry *, e->n + 1));
    for (int i = 0; i < e->n; i++) {
        TL_TRY(fill(a, e->feature + i, p + i));
        features.feature[i] = &p[i].entry;
    }
    features.n_feature = (size_t)e->n;
    message.features = &features;
    const size_t n = before + tl__example__get_packed_size(&message) + after;
    uint8_t *to = tl_alloc(a, n);
    TL_NEW(to);
    tl__example__pack(&message, to + before);
    *out = (tl_bytes){ to, n };
    return TL_OK;
}
