/* flatbuffer.c - reading flatbuffers without their schema's generated code. SPDX-License-Identifier: MIT */
#include "flatbuffer.h"
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "flatbuffers are little-endian");

static bool inside(tl_fb *f, size_t at, size_t n)
{
    bool in = at <= f->file.n && n <= f->file.n - at;
    f->bad |= !in;
    return in;
}

/* A signed number; 0 when it is not in the file. */
static int64_t number(tl_fb *f, size_t at, size_t bytes)
{
    uint64_t v = 0;
    if (!inside(f, at, bytes)) return 0;
    memcpy(&v, f->file.p + at, bytes);
    unsigned spare = 64 - 8 * (unsigned)bytes;
    return (int64_t)(v << spare) >> spare;
}

static size_t unsigned_at(tl_fb *f, size_t at, size_t bytes)
{
    return (size_t)number(f, at, bytes) & (bytes == 2 ? 0xffff : 0xffffffff);
}

static tl_fb_table table(tl_fb *f, size_t at)
{
    tl_fb_table t = { .f = f };
    if (!inside(f, at, 4)) return t;
    int64_t vtable = (int64_t)at - number(f, at, 4);
    if (vtable < 0 || !inside(f, (size_t)vtable, 4)) return f->bad = true, t;
    size_t bytes = unsigned_at(f, (size_t)vtable, 2);
    if (bytes < 4 || !inside(f, (size_t)vtable, bytes)) return f->bad = true, t;
    return (tl_fb_table){ f, at, (size_t)vtable, (bytes - 4) / 2 };
}

tl_fb_table tl_fb_root(tl_fb *f) { return table(f, unsigned_at(f, 0, 4)); }

/* Where a field lies; 0: absent. */
static size_t place(tl_fb_table t, int field)
{
    if (!t.at || (size_t)field >= t.fields) return 0;
    size_t offset = unsigned_at(t.f, t.vtable + 4 + 2 * (size_t)field, 2);
    return offset ? t.at + offset : 0;
}

int64_t tl_fb_int(tl_fb_table t, int field, size_t bytes, int64_t otherwise)
{
    size_t at = place(t, field);
    return at ? number(t.f, at, bytes) : otherwise;
}

static float float_at(tl_fb *f, size_t at)
{
    float v = 0;
    if (inside(f, at, sizeof v)) memcpy(&v, f->file.p + at, sizeof v);
    return v;
}

float tl_fb_float(tl_fb_table t, int field, float otherwise)
{
    size_t at = place(t, field);
    return at ? float_at(t.f, at) : otherwise;
}

tl_fb_table tl_fb_inner(tl_fb_table t, int field)
{
    size_t at = place(t, field);
    return at ? table(t.f, at + unsigned_at(t.f, at, 4)) : (tl_fb_table){ .f = t.f };
}

tl_fb_vector tl_fb_list(tl_fb_table t, int field, size_t size)
{
    size_t at = place(t, field), to = at ? at + unsigned_at(t.f, at, 4) : 0;
    size_t n = to ? unsigned_at(t.f, to, 4) : 0;
    tl_fb_vector none = { .f = t.f, .size = size };
    return n && inside(t.f, to + 4, n * size) ? (tl_fb_vector){ t.f, to + 4, n, size } : none;
}

tl_fb_vector tl_fb_text(tl_fb_table t, int field) { return tl_fb_list(t, field, 1); }

int64_t tl_fb_int_at(tl_fb_vector v, size_t i) { return number(v.f, v.at + i * v.size, v.size); }
float tl_fb_float_at(tl_fb_vector v, size_t i) { return float_at(v.f, v.at + i * v.size); }

tl_fb_table tl_fb_table_at(tl_fb_vector v, size_t i)
{
    size_t at = v.at + i * v.size;
    return table(v.f, at + unsigned_at(v.f, at, 4));
}
