/* test_prototxt.c - the reader and printer of protobuf text. SPDX-License-Identifier: MIT
 *
 * Oracle: test/data/prototxt_golden.tsv is what Google's protobuf made of 200 tricky texts, see
 * tools/make_prototxt_golden.py. Error texts are compared whole, place and all. */
#include "lexer.h"
#include "prototxt.h"
#include "file.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* ---- The message of the golden file ---- */
typedef struct { uint64_t set; int x; const char *y; } inner;
typedef struct {
    uint64_t set;
    int i, e;
    float f;
    bool b;
    const char *s, *two_s;
    tl_list li, lf, ls, lm, mp;
    inner *m, *p, *q, *two, *gpu;
} outer;

static const char *const kinds[] = { "A", "B", "C", NULL };
static const tl_field inner_rows[] = { TL_F(inner, x, TL_INT, 0, 0, 0, "a number"),
                                       TL_F(inner, y, TL_STR, 0, 0, 0, "a word"), TL_F_END };
static const tl_msg inner_msg = { "Inner", inner_rows, sizeof(inner), "Inner." };
#define INNER(m, bits) TL_FX(outer, m, TL_MSG, 0, 0, 0, "inside", .flags = bits, .msg = &inner_msg)
static const tl_field outer_rows[] = {
    TL_F(outer, i, TL_INT, 0, 0, 0, "an int"),
    TL_F(outer, f, TL_FLOAT, 0, 0, 0, "a float"),
    TL_F(outer, b, TL_BOOL, 0, 0, 1, "a bool"),
    TL_F(outer, s, TL_STR, 0, 0, 0, "a string"),
    TL_FX(outer, e, TL_ENUM, 0, 0, 0, "an enum", .names = kinds),
    TL_FX(outer, li, TL_INT, 0, 0, 0, "ints", .flags = TL_REPEATED),
    TL_FX(outer, lf, TL_FLOAT, 0, 0, 0, "floats", .flags = TL_REPEATED),
    TL_FX(outer, ls, TL_STR, 0, 0, 0, "strings", .flags = TL_REPEATED),
    INNER(m, 0),
    INNER(lm, TL_REPEATED),
    TL_FX(outer, mp, TL_FLOAT, 0, 0, 0, "a map", .flags = TL_MAP),
    INNER(p, TL_ONEOF),
    INNER(q, TL_ONEOF),
    INNER(two, 0),
    { .name = "two",
      .kind = TL_STR,
      .off = offsetof(outer, two_s),
      .help = "the old form",
      .flags = TL_LEGACY },
    INNER(gpu, TL_NOEFFECT),
    TL_F_END
};
static const tl_msg outer_msg = { "Outer", outer_rows, sizeof(outer), "Outer." };

/* ---- The same dump as the script's ---- */
static void put_hex(tl_text *t, const char *s)
{
    for (; s && *s; s++) tl_textf(t, "%02x", (unsigned)(unsigned char)*s);
}

static void put_bits(tl_text *t, float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    if (f != f) tl_textf(t, "nan");
    else tl_textf(t, "%08x", u);
}

static void put_inner(tl_text *t, const char *name, const inner *m)
{
    if (!m) return;
    tl_textf(t, " %s{%d ", name, m->x);
    put_hex(t, m->y);
    tl_textf(t, "}");
}

static const char *dump(tl_arena *a, const outer *m)
{
    tl_text t = tl_text_new(a);
    tl_textf(&t, "i=%d f=", m->i);
    put_bits(&t, m->f);
    tl_textf(&t, " b=%d s=", m->b);
    put_hex(&t, m->s);
    tl_textf(&t, " e=%d li=", m->e);
    for (int i = 0; i < m->li.n; i++) tl_textf(&t, "%s%d", i ? "," : "", ((int *)m->li.at)[i]);
    tl_textf(&t, " lf=");
    for (int i = 0; i < m->lf.n; i++) { tl_textf(&t, i ? "," : ""); put_bits(&t, ((float *)m->lf.at)[i]); }
    tl_textf(&t, " ls=");
    for (int i = 0; i < m->ls.n; i++) { tl_textf(&t, i ? "," : ""); put_hex(&t, ((const char **)m->ls.at)[i]); }
    put_inner(&t, "m", m->m);
    for (int i = 0; i < m->lm.n; i++) put_inner(&t, "lm", ((inner **)m->lm.at)[i]);
    for (int i = 0; i < m->mp.n; i++) {
        const tl_pair *p = (tl_pair *)m->mp.at + i;
        tl_textf(&t, " mp{");
        put_hex(&t, p->key);
        tl_textf(&t, " ");
        put_bits(&t, p->value);
        tl_textf(&t, "}");
    }
    put_inner(&t, "p", m->p);
    put_inner(&t, "q", m->q);
    return tl_text_end(&t);
}

/* ---- Reading one text ---- */
static tl_status read_text(tl_arena *a, const char *text, const char *const *args, outer **out, tl_report *r)
{
    *r = tl_report_new(a);
    TL_NEW(*out = tl_msg_new(a, &outer_msg));
    tl_status s = tl_prototxt_read(r, "t", text, strlen(text), &outer_msg, *out);
    for (; !s && args && *args; args++) s = tl_prototxt_override(r, &outer_msg, *out, *args);
    return s && s != TL_ESPEC ? s : tl_report_end(r);
}

static void golden(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_bytes file;
    assert_int_equal(tl_file_read(a, "test/data/prototxt_golden.tsv", 0, &file), TL_OK);
    int cases = 0, wrong = 0;
    for (char *line = strtok((char *)(uintptr_t)file.p, "\n"); line; line = strtok(NULL, "\n"), cases++) {
        char *tab = strstr(line, "\"\t");
        assert_non_null(tab);
        tl_text text = tl_text_new(a);
        const char *why;
        tl_token token = { .at = line, .n = (size_t)(tab + 1 - line) };
        assert_true(tl_token_string(&token, &text, &why));
        outer *m;
        tl_report r;
        const char *got = read_text(a, tl_text_end(&text), NULL, &m, &r) ? "error" : dump(a, m);
        if (strcmp(got, tab + 2)) {
            wrong++;
            print_error("%.*s\n  protobuf %s\n  ours     %s %s\n", (int)token.n, line, tab + 2, got,
                        strcmp(got, "error") ? "" : tl_errmsg());
        }
    }
    assert_true(cases > 180);
    assert_int_equal(wrong, 0);
    tl_arena_free(a);
}

/* ---- Errors, whole texts ---- */
static const struct { const char *text, *error; } errors[] = {
    { "i: \"3\"", "t:1:4: i: expected a whole number, found '\"3\"' (an int)" },
    { "f: 0x10",
      "t:1:4: f: expected a number, found 0x10 (a float)" },
    { "b: TRUE\nf: 1\ne: D",
      "t:1:4: b: expected true or false, found TRUE (a bool)\n"
      "t:3:4: e: expected one of A, B, C, found D (an enum)" },
    { "s: abc",
      "t:1:4: s: expected a string in quotes, found abc (a string)" },
    { "i = 3",
      "t:1:3: expected ':' after 'i', found '='" },
    { "i 3",
      "t:1:3: expected ':' after 'i', found '3'" },
    { "i:\ns: \"a\"",
      "t:1:2: i: expected a whole number, found the end of the line (an int)" },
    { "i: }",
      "t:1:4: i: expected a whole number, found '}' (an int)\n"
      "t:1:4: expected the name of a field of Outer, found '}'" },
    { "m {\n  x: 1\n\nlm { x: 2 }\nmp { key: \"a\" value: 1 }",
      "t:4:1: expected '}' before 'lm', to close 'm' of line 1" },
    { "m {\n  x: 1\n",
      "t:3:1: expected '}' before the end of the text, to close 'm' of line 1" },
    { "m { x: 1 >\ni: 2",
      "t:1:10: expected '}' to close 'm'" },
    { "i: 1 }\nf: x",
      "t:1:6: expected the name of a field of Outer, found '}'\n"
      "t:2:4: f: expected a number, found x (a float)" },
    { "s: \"abc\ni: x",
      "t:1:4: this string does not end on its line: a closing quote is missing\n"
      "t:2:4: i: expected a whole number, found x (an int)" },
    { "s: 'a\\q' 'b\\400'\ni: x",
      "t:1:4: there is no such escape; for a backslash write \\\\\n"
      "t:1:10: an octal escape goes up to \\377\n"
      "t:2:4: i: expected a whole number, found x (an int)" },
    { "i: 1\ni: 2",
      "t:2:1: Outer: 'i' is given twice (first in line 1)" },
    { "p { x: 1 }\nq { x: y }",
      "t:2:1: Outer: 'q' excludes 'p' (given in line 1); choose one of them" },
    { "two: \"a\" two { x: 1 }",
      "t:1:10: Outer: 'two' is given twice (first in line 1)" },
    { "lii: [1, z]\nx: 3\nquux { i: 3 [ < ] } }\nf: x",
      "t:1:1: Outer has no field 'lii'; did you mean 'li'?\n"
      "t:1:10: li: expected a whole number, found z (ints)\n"
      "t:2:1: Outer has no field 'x'; it belongs to m\n"
      "t:3:1: Outer has no field 'quux'\n"
      "t:4:4: f: expected a number, found x (a float)" },
    { "i: [1, 2]\nf: x",
      "t:1:4: i takes one value, not a list\n"
      "t:2:4: f: expected a number, found x (a float)" },
    { "li: [1 2]\nf: x",
      "t:1:8: li: expected ',' or ']', found '2'\n"
      "t:2:4: f: expected a number, found x (a float)" },
    { "mp { key: \"a\" value: 1 } mp { key: \"a\" } mp { value: 2 }",
      "t:1:29: mp: the key \"a\" is given twice\n"
      "t:1:45: mp: this entry has no key" },
    { "mp: 3 m: 3",
      "t:1:5: mp: expected '{', found '3' (a map)\n"
      "t:1:10: m: expected '{', found '3' (inside)" },
    { "\xC3\xA9: 3\n# \xC3\xA9\n\"\xC3\xA9\" i: 3\ns: \"\xC3\xA9\" i: x",
      "t:1:1: expected the name of a field of Outer, found 'é'\n"
      "t:3:1: expected the name of a field of Outer, found '\"é\"'\n"
      "t:4:11: i: expected a whole number, found x (an int)" },
    { "s: \"\xFF\"",
      "t:1:4: this string is not valid UTF-8" },
    { "i: +3\nf: 1/3\nf: x",
      "t:1:4: i: expected a whole number, found '+' (an int)\n"
      "t:2:5: expected the name of a field of Outer, found '/'\n"
      "t:3:1: Outer: 'f' is given twice (first in line 2)" },
    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 1",
      "t:1:1: Outer has no field 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'" },
};

static void every_error(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(errors); i++) {
        tl_arena *a = tl_arena_new();
        outer *m;
        tl_report r;
        assert_int_equal(read_text(a, errors[i].text, NULL, &m, &r), TL_ESPEC);
        assert_string_equal(tl_errmsg(), errors[i].error);
        tl_arena_free(a);
    }
}

/* ---- Command-line arguments ---- */
static const struct { const char *text, *args[4], *result; } overrides[] = {
    { "i: 1", { "map.\xff=1" }, "map.\xff=1: this is not valid UTF-8, as all of a spec must be" },
    { "i: 1", { "s=caf\xe9" }, "s=caf\xe9: this is not valid UTF-8, as all of a spec must be" },
    { "i: 1", { "i=2", "f=.5", "e=C", "b=t" },
      "i: 2\n"
      "f: 0.5\n"
      "b: true\n"
      "e: C\n" },
    { "s: \"a\"", { "s=it's \"b\" {c}" },
      "s: \"it's \\\"b\\\" {c}\"\n" },
    { "s: \"a\"", { "s='b' \"c\"" },
      "s: \"bc\"\n" },
    { "li: [1, 2]", { "li=3,4", "lf=[1, .5]", "ls=[\"a,b\", 'c']" },
      "li: [3, 4]\n"
      "lf: [1, 0.5]\n"
      "ls: [\"a,b\", \"c\"]\n" },
    { "li: [1, 2]", { "li=" }, "" },
    { "m { y: \"a\" }", { "m.x=3" },
      "m {\n"
      "  x: 3\n"
      "  y: \"a\"\n"
      "}\n" },
    { "p { x: 1 y: \"a\" }", { "q.x=3" },
      "q {\n"
      "  x: 3\n"
      "}\n" },
    { "p { x: 1 y: \"a\" }", { "p={x: 5}" },
      "p {\n"
      "  x: 5\n"
      "}\n" },
    { "two: \"a\"", { "two.x=3" },
      "two {\n"
      "  x: 3\n"
      "}\n" },
    { "two { x: 3 }", { "two=b" },
      "two: \"b\"\n" },
    { "mp { key: \"a\" value: 1 } mp { key: \"b\" value: 2 }", { "mp.a=3", "mp.c.d=4" },
      "mp { key: \"a\" value: 3 }\n"
      "mp { key: \"b\" value: 2 }\n"
      "mp { key: \"c.d\" value: 4 }\n" },
    { "mp { key: \"a\" value: 1 }", { "mp=b=2,c=3" },
      "mp { key: \"b\" value: 2 }\n"
      "mp { key: \"c\" value: 3 }\n" },
    { "i: 1", { "i=x", "ii=3", "m.z=3", "i" },
      "i=x: i: expected a whole number, found x (an int)\n"
      "ii=3: Outer has no field 'ii'; did you mean 'i'?\n"
      "m.z=3: m has no field 'z'\n"
      "i: expected name=value, as in train_config.n_epochs=3" },
    { "i: 1", { "i.x=3", "lm.x=3", "m=3", "mp=3" },
      "i.x=3: i has no fields that could be set one by one\n"
      "lm.x=3: lm has no fields that could be set one by one\n"
      "m=3: m: expected '{', found 3 (inside)\n"
      "mp=3: mp: expected name=number, found '3' (a map)" },
    { "i: 1", { "m={x: 3", "m={x: z}", "s=\"a\" 3", "mp.a=z" },
      "m={x: 3: expected '}' before the end of the text\n"
      "m={x: z}: x: expected a whole number, found z (a number)\n"
      "s=\"a\" 3: s: expected one value, found '3' after it\n"
      "mp.a=z: mp: expected a number, found z (a map)" },
    { "i: 1", { "li=[1,z]", "=3", "m.=3" },
      "li=[1,z]: li: expected a whole number, found z (ints)\n"
      "=3: Outer has no field ''\n"
      "m.=3: m has no field ''" },
};

/* Remove the lines that say "# default". */
static char *without_defaults(char *text)
{
    char *out = text;
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n") + 1;
        if (memmem(line, (size_t)(end - line), "# default", 9)) continue;
        memmove(out, line, (size_t)(end - line));
        out += end - line;
    }
    *out = 0;
    return text;
}

static void every_override(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(overrides); i++) {
        tl_arena *a = tl_arena_new();
        const char *args[5] = { NULL };
        memcpy(args, overrides[i].args, sizeof overrides[i].args);
        outer *m;
        tl_report r;
        tl_text t = tl_text_new(a);
        tl_status s = read_text(a, overrides[i].text, args, &m, &r);
        if (!s) tl_prototxt_print(&t, &outer_msg, m);
        const char *got = s ? tl_errmsg() : without_defaults(tl_strdup(a, tl_text_end(&t)));
        assert_string_equal(got, overrides[i].result);
        tl_arena_free(a);
    }
}

/* ---- Printing ---- */
/* Whatever a message holds, its print reads back to the same. Deterministic noise for values. */
static void round_trip(void **state)
{
    (void)state;
    uint32_t noise = 1;
    for (int k = 0; k < 200; k++) {
        tl_arena *a = tl_arena_new();
        outer *m = tl_msg_new(a, &outer_msg), *back;
        char s[] = "\1\n\t\"'\\\x7f a\xC3\xA9?#{}", y[] = "\\x41";
        inner in = { 0, k, y };
        m->s = s + k % 8;
        m->i = k * 7919;
        m->e = k % 3;
        m->b = k & 1;
        m->m = k & 2 ? &in : NULL;
        for (int i = 0; i < k % 5; i++) {
            float f;
            noise = noise * 1664525u + 1013904223u;
            memcpy(&f, &noise, 4);
            *tl_add(a, &m->lf, float) = f;
            *tl_add(a, &m->ls, const char *) = s + i;
            *tl_add(a, &m->lm, inner *) = &in;
            assert_int_equal(tl_map_set(a, &m->mp, s + i, f), TL_OK);
            m->f = f;
        }
        tl_text t = tl_text_new(a);
        tl_prototxt_print(&t, &outer_msg, m);
        tl_report r;
        assert_int_equal(read_text(a, tl_text_end(&t), NULL, &back, &r), TL_OK);
        assert_string_equal(dump(a, back), dump(a, m));
        tl_arena_free(a);
    }
}

static void without_effect(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    outer *m;
    tl_report r;
    const char *w;
    assert_int_equal(read_text(a, "gpu { x: 1 }", (const char *[]){ "gpu.y=a", NULL }, &m, &r), TL_OK);
    assert_int_equal(tl_report_warn(&r, tl_report_place(&r, m, "gpu"), "careful"), TL_OK);
    assert_int_equal(tl_report_warnings(&r, &w), TL_OK);
    assert_string_equal(w, "warning: gpu.y=a: careful\nwarning: accepted, but without effect here: gpu\n");
    tl_arena_free(a);
}

static void too_many(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    outer *m;
    tl_report r;
    tl_text t = tl_text_new(a);
    for (int i = 0; i < 1000; i++) tl_textf(&t, "i: an_identifier_that_is_long_%d_%d\n", i, i);
    assert_int_equal(read_text(a, tl_text_end(&t), NULL, &m, &r), TL_ESPEC);
    assert_int_equal(r.error.n, TL_REPORT_MOST);
    assert_non_null(strstr(tl_errmsg(), "t:40:4: i: expected"));
    assert_non_null(strstr(tl_errmsg(), "\nstopped after 40 errors"));
    tl_arena_free(a);
}

static void no_memory(void **state)
{
    (void)state;
    tl_status s = TL_ENOMEM;
    for (int n = 0; s; n++) {
        assert_true(n < 1000);
        tl_arena *a = tl_arena_new();
        outer *m;
        tl_report r;
        tl_text t = tl_text_new(a);
        tl_oom_countdown = n;
        s = read_text(a,
                      "s: \"a\" li: [1, 2, 3, 4, 5, 6, 7, 8, 9] m { x: 1 } mp { key: \"k\" value: "
                      "1 } lm {} ls: 'x' gpu {} z: 1",
                      (const char *[]){ "mp.a=3", "ls=a,b", "q.y=\"b\"", NULL }, &m, &r);
        if (s == TL_ESPEC) tl_prototxt_print(&t, &outer_msg, m);
        if (s == TL_ESPEC) s = tl_text_end(&t) ? TL_OK : TL_ENOMEM;
        tl_oom_countdown = -1;
        assert_true(s == TL_OK || s == TL_ENOMEM);
        if (s) assert_non_null(strstr(tl_errmsg(), "out of memory"));
        tl_arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),         cmocka_unit_test(every_error),
        cmocka_unit_test(every_override), cmocka_unit_test(round_trip),
        cmocka_unit_test(without_effect), cmocka_unit_test(too_many),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
