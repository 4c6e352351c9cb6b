/* zip.c - the directory of a zip file. SPDX-License-Identifier: MIT
 *
 * Layout as in PKWARE's APPNOTE 6.3: entries, central directory, end record. Sizes and places that do not fit 32 bits
 * are all ones and stand in an extra field (zip64). Nothing is decompressed: PyTorch stores its files as they are. */
#include "zip.h"
#include <string.h>

enum { LOCAL = 30, CENTRAL = 46, END = 22, END64 = 56, LOCATOR = 20 }; /* sizes of the fixed parts */
#define ALL_ONES UINT32_C(0xffffffff)

static uint64_t number(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    memcpy(&v, p, (size_t)bytes);
    return v;
}

static bool signature(const uint8_t *p, char a, char b) { return p[0] == 'P' && p[1] == 'K' && p[2] == a && p[3] == b; }

bool tl_is_zip(tl_bytes f) { return f.n >= END && signature(f.p, 3, 4); }

/* The end record: in the last bytes, before a comment of at most 65535. */
static const uint8_t *find_end(tl_bytes f)
{
    size_t most = END + 65535;
    for (size_t back = END; back <= f.n && back <= most; back++)
        if (signature(f.p + f.n - back, 5, 6)) return f.p + f.n - back;
    return NULL;
}

typedef struct { uint64_t entries, size, at; } directory;

static tl_status find_directory(tl_bytes f, directory *d)
{
    const uint8_t *end = find_end(f);
    TL_CHECK(end, TL_EFORMAT, "the zip file is cut off: its directory, which is at the end, is missing");
    *d = (directory){ number(end + 10, 2), number(end + 12, 4), number(end + 16, 4) };
    size_t at = (size_t)(end - f.p);
    if (at >= LOCATOR && signature(end - LOCATOR, 6, 7)) {
        uint64_t where = number(end - LOCATOR + 8, 8);
        TL_CHECK(f.n >= END64 && where <= f.n - END64 && signature(f.p + where, 6, 6), TL_EFORMAT,
                 "the zip file's directory is damaged");
        *d = (directory){ number(f.p + where + 32, 8), number(f.p + where + 40, 8), number(f.p + where + 48, 8) };
    }
    TL_CHECK(d->at <= f.n && d->size <= f.n - d->at && d->entries <= d->size / CENTRAL, TL_EFORMAT,
             "the zip file's directory is damaged");
    return TL_OK;
}

/* Replace what is all ones by its 64-bit value in the extra field, in this order. */
static void widen(const uint8_t *extra, size_t n, uint64_t *const value[3])
{
    while (n >= 4) {
        size_t len = number(extra + 2, 2), at = 4;
        if (len > n - 4) return;
        for (int i = 0; number(extra, 2) == 1 && i < 3; i++)
            if (*value[i] == ALL_ONES && at + 8 <= len + 4) *value[i] = number(extra + at, 8), at += 8;
        extra += len + 4;
        n -= len + 4;
    }
}

/* The entry at p; *next: bytes it takes in the directory. */
static tl_status read_entry(tl_arena *a, tl_bytes f, const uint8_t *p, size_t left, tl_zip_entry *e, size_t *next)
{
    TL_CHECK(left >= CENTRAL && signature(p, 1, 2), TL_EFORMAT, "the zip file's directory is damaged");
    size_t name = number(p + 28, 2), extra = number(p + 30, 2);
    *next = CENTRAL + name + extra + number(p + 32, 2);
    TL_CHECK(*next <= left, TL_EFORMAT, "the zip file's directory is damaged");
    TL_NEW(e->name = tl_strndup(a, (const char *)p + CENTRAL, name));
    uint64_t size = number(p + 24, 4), packed = number(p + 20, 4), at = number(p + 42, 4);
    widen(p + CENTRAL + name, extra, (uint64_t *const[3]){ &size, &packed, &at });
    e->stored = number(p + 10, 2) == 0 && !(p[8] & 1);
    if (!e->stored) return TL_OK;
    TL_CHECK(size == packed && f.n >= LOCAL && at <= f.n - LOCAL && signature(f.p + at, 3, 4), TL_EFORMAT,
             "the entry '%s' of the zip file is damaged", e->name);
    uint64_t data = at + LOCAL + number(f.p + at + 26, 2) + number(f.p + at + 28, 2);
    TL_CHECK(data <= f.n && size <= f.n - data, TL_EFORMAT, "the entry '%s' of the zip file is cut off", e->name);
    e->data = (tl_bytes){ f.p + data, (size_t)size };
    return TL_OK;
}

tl_status tl_zip_parse(tl_arena *a, tl_bytes f, tl_list *out)
{
    directory d = { 0, 0, 0 };
    size_t at = 0;
    *out = (tl_list){ 0, NULL };
    TL_CHECK(tl_is_zip(f), TL_EFORMAT, "this is not a zip file");
    TL_TRY(find_directory(f, &d));
    for (uint64_t i = 0; i < d.entries; i++) {
        size_t next = 0;
        tl_zip_entry *e = tl_add(a, out, tl_zip_entry);
        TL_NEW(e);
        TL_TRY(read_entry(a, f, f.p + d.at + at, (size_t)d.size - at, e, &next));
        at += next;
    }
    return TL_OK;
}
