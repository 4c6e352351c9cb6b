/* field.h - what the rows of tlc.h's tl_field and tl_msg are good for. SPDX-License-Identifier: MIT
 *
 * A list of rows describes the members of a struct. A bare list (attributes of an operation,
 * options of a command) knows nothing about what was given. A tl_msg does: its struct begins with
 * `uint64_t set`, bit i of which says that row i was given.
 *
 * Two rows may have the same name and different kinds: `optimizer: "sgd"` and `optimizer { ... }`.
 * What is found in the file chooses the row; at most one of them may be given.
 *
 * A protobuf map<string, float> is a TL_MAP row. A map to anything else needs nothing special: in
 * text, a map is a repeated message with the fields `key` and `value`. */
#ifndef TL_FIELD_H
#define TL_FIELD_H
#include "text.h"

/* TL_F with any other members by name: TL_FX(T, m, TL_STR, 0, 0, 0, "help", .names = modes). */
#define TL_FX(T, m, k, d, l, h, text, ...) \
    { .name = #m, .kind = k, .off = offsetof(T, m), .def = d, .lo = l, .hi = h, .help = text, __VA_ARGS__ }

/* tlc.h has the functions on lists of rows (list NULL: no rows). tl_field_check: every number
 * within lo..hi (lo == hi: any), every name one of names, TL_EARG otherwise. tl_field_set: strings
 * without quotes; lists take "a, b" or "[a, b]" and maps "key=1, other=2". */
/* A Markdown table of the rows, for docs/ref. */
void      tl_field_markdown(tl_text *out, const tl_field *list);

/* ---- One row ---- */
void        tl_field_default(const tl_field *f, void *obj);
/* One value, not a list, to or from the place of the member or the element. */
tl_status   tl_value_set(tl_arena *a, const tl_field *f, const char *text, void *at);
void        tl_value_put(tl_text *out, const tl_field *f, const void *at, bool quoted);
size_t      tl_value_size(const tl_field *f);
/* Fail with what f expects, what was found instead, and the nearest of f's names. */
tl_status   tl_field_mismatch(const tl_field *f, const char *found);
static inline void *tl_field_at(const tl_field *f, const void *obj) { return (char *)(uintptr_t)obj + f->off; }

/* ---- Maps: the tl_list of a TL_MAP member ---- */
tl_pair  *tl_map_find(const tl_list *map, const char *key); /* NULL: no such key */
tl_status tl_map_set(tl_arena *a, tl_list *map, const char *key, float value); /* replaces; key is copied */

/* ---- Messages ---- */
void  tl_msg_defaults(const tl_msg *m, void *obj);     /* all members, nothing given */
void *tl_msg_new(tl_arena *a, const tl_msg *m);        /* with defaults; NULL: out of memory */
bool  tl_msg_has(const tl_msg *m, const void *obj, const char *name); /* was it given? */
bool  tl_msg_given(const tl_msg *m, const void *obj, const tl_field *row);
void  tl_msg_give(const tl_msg *m, void *obj, const tl_field *row);
void  tl_msg_unset(const tl_msg *m, void *obj, const tl_field *row); /* back to the default, not given */
/* The message and those inside it, one section each, leaving out those that the text has already. */
void  tl_msg_markdown(tl_text *out, const tl_msg *m);
#endif
