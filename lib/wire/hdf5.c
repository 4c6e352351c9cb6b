/* hdf5.c - reading the HDF5 files that Keras writes.
 * SPDX-License-Identifier: MIT
 *
 * Every access goes through span(), which refuses what does not lie in the file. What points from one structure to
 * the next can form cycles in a hostile file: each walk has a budget. */
#include "hdf5.h"
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers in the file are little-endian");

enum {
    DATASPACE = 1,
    DATATYPE = 3,
    EXTERNAL = 7,
    LAYOUT = 8,
    ATTRIBUTE = 12,
    CONTINUATION = 16,
    SYMBOLS = 17
};                                            /* message types */
enum { FLOAT = 1, STRING = 3, VARIABLE = 9 }; /* datatype classes */

typedef struct {
    const uint8_t *p;
    size_t n;
} part;
typedef struct {
    int class, size;
    const uint8_t *p;
} type;

static uint64_t num(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    memcpy(&v, p, (size_t)bytes);
    return v;
}

static const uint8_t *span(const tl_h5 *h, uint64_t at, uint64_t n)
{
    return at <= h->file.n && n <= h->file.n - at ? h->file.p + at : NULL;
}

static tl_status damaged(const char *what, uint64_t at)
{
    return tl_fail(TL_EFORMAT, "the HDF5 file is cut off or damaged: no proper %s at byte %llu", what,
                   (unsigned long long)at);
}

/* ---- Object headers: a list of messages ---- */

typedef struct {
    int type, flags;
    part data;
} message;
typedef struct {
    const tl_h5 *h;
    part now, next[8];
    int nnext, left;
} messages;

static tl_status first(const tl_h5 *h, uint64_t object, messages *m)
{
    const uint8_t *p = span(h, object, 16);
    if (!p) return damaged("object header", object);
    TL_CHECK(p[0] == 1, TL_EUNSUP,
             "the HDF5 file uses newer structures than Keras writes (object header at byte %llu); "
             "load it in Keras and save it again",
             (unsigned long long)object);
    *m = (messages){ .h = h, .left = (int)num(p + 2, 2), .now.n = (size_t)num(p + 8, 4) };
    m->now.p = span(h, object + 16, m->now.n);
    return m->now.p ? TL_OK : damaged("object header", object);
}

/* A header goes on in another place of the file. */
static void follow(messages *m, part data)
{
    if (data.n < 16 || m->nnext == TL_LEN(m->next)) return;
    part to = { span(m->h, num(data.p, 8), num(data.p + 8, 8)), (size_t)num(data.p + 8, 8) };
    if (to.p) m->next[m->nnext++] = to;
}

static bool next(messages *m, message *out)
{
    while (m->left-- > 0) {
        while (m->now.n < 8 && m->nnext) m->now = m->next[--m->nnext];
        if (m->now.n < 8) return false;
        const uint8_t *p = m->now.p;
        size_t n = (size_t)num(p + 2, 2);
        if (n > m->now.n - 8) return false;
        *out = (message){ (int)num(p, 2), p[4], { p + 8, n } };
        m->now = (part){ p + 8 + n, m->now.n - 8 - n };
        if (out->type != CONTINUATION) return true;
        follow(m, out->data);
    }
    return false;
}

/* ---- Types and shapes ---- */

static bool read_type(part d, type *out)
{
    if (d.n < 8) return false;
    *out = (type){ d.p[0] & 15, (int)num(d.p + 4, 4), d.p };
    if (out->class ==
        FLOAT) { /* IEEE little-endian, told by the size of its exponent; others are not floats to us */
        bool ieee = d.n >= 20 && !(d.p[1] & 65) &&
                    ((out->size == 4 && d.p[13] == 8) || (out->size == 8 && d.p[13] == 11) ||
                     (out->size == 2 && d.p[13] == 5));
        if (!ieee) out->class = -1;
    }
    return out->size > 0;
}

static bool read_shape(part d, tl_h5_array *out)
{
    if (d.n < 4 || d.p[0] < 1 || d.p[0] > 2 || d.p[1] > TL_H5_RANK) return false;
    size_t head = d.p[0] == 1 ? 8 : 4;
    bool null = d.p[0] == 2 && d.p[3] == 2; /* no elements at all */
    *out = (tl_h5_array){ .rank = d.p[1], .n = !null };
    if (d.n < head + 8 * (size_t)out->rank) return false;
    for (int i = 0; i < out->rank; i++) {
        out->dim[i] = (size_t)num(d.p + head + 8 * i, 8);
        if (__builtin_mul_overflow(out->n, out->dim[i], &out->n)) return false;
    }
    return true;
}

/* ---- Groups: a B-tree of nodes of (name, object), names in a heap ---- */

typedef struct {
    const tl_h5 *h;
    part names;
    const char *want;
    size_t len, budget;
    uint64_t found;
} search;

static tl_status search_leaf(search *s, uint64_t at)
{
    const uint8_t *p = span(s->h, at, 8);
    size_t n = p ? (size_t)num(p + 6, 2) : 0;
    if (!p || memcmp(p, "SNOD", 4) || !(p = span(s->h, at, 8 + 40 * n))) return damaged("list of names", at);
    for (size_t i = 0; i < n && !s->found; i++) {
        const uint8_t *entry = p + 8 + 40 * i;
        uint64_t name = num(entry, 8);
        if (name >= s->names.n || s->names.n - name <= s->len) continue;
        const char *text = (const char *)s->names.p + name;
        if (!memcmp(text, s->want, s->len) && !text[s->len]) s->found = num(entry + 8, 8);
    }
    return TL_OK;
}

static tl_status search_tree(search *s, uint64_t at, int level)
{
    const uint8_t *p = span(s->h, at, 24);
    size_t n = p ? (size_t)num(p + 6, 2) : 0;
    bool ok = p && !memcmp(p, "TREE", 4) && !p[4] && p[5] < 16 && (level < 0 || p[5] == level);
    if (!ok || !(p = span(s->h, at, 24 + 16 * n))) return damaged("group", at);
    for (size_t i = 0; i < n && !s->found; i++) {
        if (!s->budget--) return damaged("group", at);
        uint64_t child = num(p + 32 + 16 * i, 8);
        TL_TRY(p[5] ? search_tree(s, child, p[5] - 1) : search_leaf(s, child));
    }
    return TL_OK;
}

static tl_status search_group(const tl_h5 *h, uint64_t group, const char *name, size_t len, uint64_t *out)
{
    messages m;
    message x;
    *out = 0;
    TL_TRY(first(h, group, &m));
    while (next(&m, &x)) {
        if (x.type != SYMBOLS || x.data.n < 16) continue;
        uint64_t heap = num(x.data.p + 8, 8);
        const uint8_t *p = span(h, heap, 32);
        if (!p || memcmp(p, "HEAP", 4)) return damaged("heap of names", heap);
        search s = {
            .h = h, .want = name, .len = len, .budget = h->file.n / 64 + 16, .names.n = (size_t)num(p + 8, 8)
        };
        if (!(s.names.p = span(h, num(p + 24, 8), s.names.n))) return damaged("heap of names", heap);
        TL_TRY(search_tree(&s, num(x.data.p, 8), -1));
        *out = s.found;
        return TL_OK;
    }
    return TL_OK;
}

tl_status tl_h5_child(const tl_h5 *h, uint64_t group, const char *path, uint64_t *out)
{
    *out = group;
    while (*path && *out) {
        size_t len = strcspn(path, "/");
        if (len) TL_TRY(search_group(h, *out, path, len, out));
        path += len + (path[len] == '/');
    }
    return TL_OK;
}

/* ---- Attributes ---- */

typedef struct {
    const char *name;
    type type;
    tl_h5_array shape;
    part data;
} attribute;

static bool cut_off(part *rest, size_t n, size_t padded, part *out)
{
    if (n > rest->n) return false;
    *out = (part){ rest->p, n };
    padded = padded < rest->n ? padded : rest->n;
    *rest = (part){ rest->p + padded, rest->n - padded };
    return true;
}

static bool read_attribute(part d, attribute *out)
{
    if (d.n < 9 || d.p[0] < 1 || d.p[0] > 3 || (d.p[0] > 1 && d.p[1])) return false;
    size_t head = d.p[0] == 3 ? 9 : 8;
    part piece[3];
    out->data = (part){ d.p + head, d.n - head };
    for (int i = 0; i < 3; i++) { /* name, type, shape: version 1 pads each to 8 bytes */
        size_t n = (size_t)num(d.p + 2 + 2 * i, 2), padded = d.p[0] == 1 ? (n + 7) & ~(size_t)7 : n;
        if (!cut_off(&out->data, n, padded, &piece[i])) return false;
    }
    out->name = (const char *)piece[0].p;
    return piece[0].n && !out->name[piece[0].n - 1] && read_type(piece[1], &out->type) &&
           read_shape(piece[2], &out->shape);
}

/* A string of variable length: 4 bytes of length, then where it lies in a shared heap: address, number. */
static tl_status heap_text(const tl_h5 *h, const uint8_t *p, part *out)
{
    uint64_t at = num(p + 4, 8), want = num(p + 12, 4);
    const uint8_t *heap = span(h, at, 16);
    uint64_t size = heap && !memcmp(heap, "GCOL", 4) ? num(heap + 8, 8) : 0;
    if (size < 16 || !span(h, at, size)) return damaged("text", at);
    for (uint64_t i = 16; size - i >= 16;) {
        uint64_t n = num(heap + i + 8, 8), room = size - i - 16;
        if (n > room) break;
        *out = (part){ heap + i + 16, (size_t)n < (size_t)num(p, 4) ? (size_t)n : (size_t)num(p, 4) };
        if (num(heap + i, 2) == want) return TL_OK;
        n = (n + 7) & ~(uint64_t)7;
        if (!num(heap + i, 2) || n > room) break;
        i += 16 + n;
    }
    return damaged("text", at);
}

static tl_status read_texts(tl_arena *a, tl_h5 *h, const attribute *t, tl_list *out)
{
    size_t size = t->type.class == VARIABLE ? 16 : (size_t)t->type.size;
    if (!t->shape.n) return TL_OK; /* an empty list is one of numbers */
    TL_CHECK(t->type.class == STRING ||
                 (t->type.class == VARIABLE && t->type.size == 16 && (t->type.p[1] & 15) == 1),
             TL_EFORMAT, "the attribute '%s' of the HDF5 file is not text", t->name);
    TL_CHECK(t->shape.n <= t->data.n / size, TL_EFORMAT, "the attribute '%s' of the HDF5 file is cut off", t->name);
    for (size_t i = 0; i < t->shape.n; i++) {
        part x = { t->data.p + i * size, size };
        if (t->type.class == VARIABLE) TL_TRY(heap_text(h, x.p, &x));
        size_t n = strnlen((const char *)x.p, x.n);
        TL_CHECK(n + 8 <= h->left, TL_EFORMAT,
                 "the HDF5 file declares more text than it can hold; it is damaged or hostile");
        h->left -= n + 8;
        const char **slot = tl_add(a, out, const char *);
        TL_NEW(slot);
        TL_NEW(*slot = tl_strndup(a, (const char *)x.p, n));
    }
    return TL_OK;
}

tl_status tl_h5_texts(tl_arena *a, tl_h5 *h, uint64_t object, const char *name, tl_list *out)
{
    messages m;
    message x;
    attribute t;
    *out = (tl_list){ 0, NULL };
    TL_TRY(first(h, object, &m));
    while (next(&m, &x))
        if (x.type == ATTRIBUTE && !(x.flags & 2) && read_attribute(x.data, &t) && !strcmp(t.name, name))
            return read_texts(a, h, &t, out);
    return TL_OK;
}

/* ---- Datasets ---- */

static tl_status read_layout(const tl_h5 *h, part d, size_t bytes, const uint8_t **at)
{
    TL_CHECK(
        d.n >= 2 && d.p[0] == 3 && d.p[1] <= 1, TL_EUNSUP,
        "it is stored in chunks or compressed, which Keras does not do; load the model in Keras and save it again");
    bool compact = !d.p[1], whole = d.n >= (compact ? 4 : 18);
    uint64_t have = whole ? num(d.p + (compact ? 2 : 10), compact ? 2 : 8) : 0;
    *at = compact ? d.p + 4 : whole ? span(h, num(d.p + 2, 8), have) : NULL;
    TL_CHECK(whole && *at && have >= bytes && (!compact || have <= d.n - 4), TL_EFORMAT,
             "its %zu bytes do not lie in the file: it is cut off or damaged", bytes);
    return TL_OK;
}

tl_status tl_h5_dataset(const tl_h5 *h, uint64_t object, tl_h5_array *out)
{
    messages m;
    message x;
    part layout = { NULL, 0 };
    type t = { 0 };
    bool shaped = false;
    TL_TRY(first(h, object, &m));
    while (next(&m, &x)) {
        TL_CHECK(x.type != EXTERNAL, TL_EUNSUP, "its numbers lie in another file, which is not opened");
        if (x.flags & 2) continue;
        if (x.type == DATASPACE) shaped = read_shape(x.data, out);
        if (x.type == DATATYPE && !read_type(x.data, &t)) t.size = 0;
        if (x.type == LAYOUT) layout = x.data;
    }
    size_t bytes;
    TL_CHECK(shaped && t.size && !__builtin_mul_overflow(out->n, (size_t)t.size, &bytes), TL_EFORMAT,
             "it has no proper shape and type: the file is damaged");
    out->type = t.class != FLOAT ? TL_EL_NONE : t.size == 8 ? TL_EL_F64 : t.size == 4 ? TL_EL_F32 : TL_EL_F16;
    return out->type && out->n ? read_layout(h, layout, bytes, &out->at) : TL_OK;
}

float tl_h5_float(const tl_h5_array *x, size_t i)
{
    float f;
    size_t size = tl_element_size(x->type);
    tl_elements_to_f32(x->type, x->at + i * size, size, 1, &f);
    return f;
}

/* ---- The file ---- */

bool tl_h5_knows(tl_bytes file) { return file.n >= 8 && !memcmp(file.p, "\211HDF\r\n\032\n", 8); }

tl_status tl_h5_open(tl_bytes file, tl_h5 *out)
{
    *out = (tl_h5){ .file = file, .left = 4 * file.n };
    TL_CHECK(tl_h5_knows(file), TL_EFORMAT, "this is not an HDF5 file");
    const uint8_t *p = span(out, 0, 100);
    if (!p) return damaged("superblock", 0);
    size_t at = p[8] == 1 ? 28 : 24; /* of the addresses */
    TL_CHECK(
        p[8] <= 1 && p[13] == 8 && p[14] == 8 && !num(p + at, 8), TL_EUNSUP,
        "the HDF5 file uses newer structures than Keras writes (superblock %d); load it in Keras and save it again",
        p[8]);
    out->root = num(p + at + 40, 8);
    return TL_OK;
}
