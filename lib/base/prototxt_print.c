/* prototxt_print.c - printing protobuf's text format. SPDX-License-Identifier: MIT */
#include "prototxt.h"
#include <string.h>

static void print_message(tl_text *t, const tl_msg *m, const void *obj, int indent);

static void begin(tl_text *t, const tl_field *f, int indent) { tl_textf(t, "%*s%s", indent, "", f->name); }

static void print_inner(tl_text *t, const tl_field *f, const void *obj, int indent)
{
    begin(t, f, indent);
    tl_textf(t, " {\n");
    print_message(t, f->msg, obj, indent + 2);
    tl_textf(t, "%*s}\n", indent, "");
}

static void print_list(tl_text *t, const tl_field *f, const tl_list *l, int indent)
{
    if (f->kind == TL_MSG) {
        for (int i = 0; i < l->n; i++) print_inner(t, f, ((void **)l->at)[i], indent);
        return;
    }
    if (!l->n) return;
    begin(t, f, indent);
    for (int i = 0; i < l->n; i++) {
        tl_textf(t, i ? ", " : ": [");
        tl_value_put(t, f, (const char *)l->at + (size_t)i * tl_value_size(f), true);
    }
    tl_textf(t, "]\n");
}

static void print_map(tl_text *t, const tl_field *f, const tl_list *l, int indent)
{
    const tl_pair *p = l->at;
    for (int i = 0; i < l->n; i++) {
        begin(t, f, indent);
        tl_textf(t, " { key: ");
        tl_text_quote(t, p[i].key);
        tl_textf(t, " value: ");
        tl_text_float(t, p[i].value);
        tl_textf(t, " }\n");
    }
}

static void print_message(tl_text *t, const tl_msg *m, const void *obj, int indent)
{
    for (const tl_field *f = m->field; f->name; f++) {
        const void *at = tl_field_at(f, obj);
        bool given = tl_msg_given(m, obj, f), scalar = f->kind != TL_MSG;
        if (!given && (f->flags & (TL_NOEFFECT | TL_LEGACY | (scalar ? TL_ONEOF : 0)))) continue;
        if (f->flags & TL_MAP) { print_map(t, f, at, indent); continue; }
        if (f->flags & TL_REPEATED) { print_list(t, f, at, indent); continue; }
        if ((!scalar || f->kind == TL_STR) && !*(const void *const *)at) continue;
        if (!scalar) { print_inner(t, f, *(const void *const *)at, indent); continue; }
        begin(t, f, indent);
        tl_textf(t, ": ");
        tl_value_put(t, f, at, true);
        tl_textf(t, given ? "\n" : "  # default\n");
    }
}

void tl_prototxt_print(tl_text *out, const tl_msg *m, const void *obj) { print_message(out, m, obj, 0); }
