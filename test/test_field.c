/* test_field.c - described structs, growing text, numbers and nearest words. SPDX-License-Identifier: MIT */
#include "field.h"
#include <setjmp.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- A bare list: no `set` member, as the attributes of an operation ---- */
typedef struct { int k, mode; float slope; bool nobias; const char *name; tl_list ints, words, map; } attr;
static const char *const modes[] = { "nearest", "linear", NULL }, *const names[] = { "tf", "caffe", "torch", NULL };
static const tl_field rows[] = {
    TL_F(attr, k, TL_INT, 3, 1, 63, "window size"),
    TL_FX(attr, mode, TL_ENUM, 1, 0, 0, "filter", .names = modes),
    TL_F(attr, slope, TL_FLOAT, 0.1, 0, 0.1, "below zero"),
    TL_F(attr, nobias, TL_BOOL, 0, 0, 1, "leave the bias out"),
    TL_FX(attr, name, TL_STR, 0, 0, 0, "preprocessing", .sdef = "caffe", .names = names),
    TL_FX(attr, ints, TL_INT, 0, 0, 9, "digits", .flags = TL_REPEATED),
    TL_FX(attr, words, TL_STR, 0, 0, 0, "words", .flags = TL_REPEATED),
    TL_FX(attr, map, TL_FLOAT, 0, 0, 255, "means", .flags = TL_MAP),
    TL_F_END
};

static void defaults(void **state)
{
    (void)state;
    attr a = { .k = 5 };
    tl_field_defaults(rows, &a);
    assert_int_equal(a.k, 5); /* given ones stay */
    assert_int_equal(a.mode, 1);
    assert_true(a.slope == 0.1f);
    assert_string_equal(a.name, "caffe");
    assert_int_equal(tl_field_check(rows, &a), TL_OK);
    tl_field_defaults(NULL, &a);
    assert_int_equal(tl_field_check(NULL, &a), TL_OK);
}

static void checks(void **state)
{
    (void)state;
    const struct { attr a; const char *error;
    } cases[] = {
        { { .k = 64 }, "k: expected a whole number from 1 to 63, found 64 (window size)" },
        { { .k = 3, .slope = NAN },
          "slope: expected a number from 0 to 0.1, found nan (below zero)" },
        { { .k = 3, .slope = 0.5f },
          "slope: expected a number from 0 to 0.1, found 0.5 (below zero)" },
        { { .k = 3, .name = "tff" },
          "name: expected one of \"tf\", \"caffe\", \"torch\", found tff; did you mean 'tf'? "
          "(preprocessing)" },
        { { .k = 3, .ints = { 2, (int[]){ 3, 10 } } },
          "ints: expected a whole number from 0 to 9, found 10 (digits)" },
        { { .k = 3, .map = { 1, &(tl_pair){ "b", -1 } } },
          "map: expected a number from 0 to 255, found -1 (means)" },
    };
    for (int i = 0; i < TL_LEN(cases); i++) {
        assert_int_equal(tl_field_check(rows, &cases[i].a), TL_EARG);
        assert_string_equal(tl_errmsg(), cases[i].error);
    }
}

/* Set from text, get the text back; or the error. */
static void text_both_ways(void **state)
{
    (void)state;
    static const struct { const char *field, *text, *back; tl_status status;
    } cases[] = {
        { "k", "0x10", "16", TL_OK },
        { "mode", "nearest", "nearest", TL_OK },
        { "mode", "0", "nearest", TL_OK },
        { "slope", ".1f", "0.1", TL_OK },
        { "nobias", "t", "true", TL_OK },
        { "name", "tf", "tf", TL_OK },
        { "ints", "1,2 , 3", "1, 2, 3", TL_OK },
        { "ints", "[4]", "4", TL_OK },
        { "ints", "", "", TL_OK },
        { "ints", " [ ] ", "", TL_OK },
        { "words", "a b, c", "a b, c", TL_OK },
        { "map", "b=1, g=2.5,b=3", "b=3, g=2.5", TL_OK },
        { "k", "", "k: expected a whole number from 1 to 63, found nothing (window size)",
          TL_EARG },
        { "k", "7x", "k: expected a whole number from 1 to 63, found 7x (window size)", TL_EARG },
        { "mode", "liner",
          "mode: expected one of nearest, linear, found liner; did you mean 'linear'? (filter)",
          TL_EARG },
        { "nobias", "yes", "nobias: expected true or false, found yes (leave the bias out)",
          TL_EARG },
        { "ints", "1,,2", "ints: expected a whole number from 0 to 9, found nothing (digits)",
          TL_EARG },
        { "map", "b", "map: expected name=number, found 'b' (means)", TL_EARG },
        { "map", "=1", "map: expected name=number, found '=1' (means)", TL_EARG },
    };
    for (int i = 0; i < TL_LEN(cases); i++) {
        tl_arena *a = tl_arena_new();
        attr obj = { 0 };
        const tl_field *f = tl_field_find(rows, cases[i].field);
        assert_int_equal(tl_field_set(a, f, &obj, cases[i].text), cases[i].status);
        assert_string_equal(cases[i].status ? tl_errmsg() : tl_field_get(a, f, &obj), cases[i].back);
        tl_arena_free(a);
    }
}

/* ---- A message ---- */
typedef struct { uint64_t set; int x; const char *s; attr *inside; } message;
static const tl_msg inside_msg = { "Inside", rows, sizeof(attr), "What is inside." };
static const tl_field message_rows[] = {
    TL_FX(message, x, TL_INT, 7, 0, 9, "a digit", .flags = TL_REQUIRED),
    TL_FX(message, s, TL_STR, 0, 0, 0, "a word", .flags = TL_EXTRA),
    TL_FX(message, inside, TL_MSG, 0, 0, 0, "more", .msg = &inside_msg),
    TL_F_END
};
static const tl_msg message_msg = { "Message", message_rows, sizeof(message), "For the test." };

static void messages(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    message *m = tl_msg_new(a, &message_msg);
    assert_int_equal(m->x, 7);
    assert_false(tl_msg_has(&message_msg, m, "x"));
    tl_msg_give(&message_msg, m, &message_rows[1]);
    assert_true(tl_msg_has(&message_msg, m, "s"));
    assert_false(tl_msg_has(&message_msg, m, "x"));
    m->s = "a";
    tl_msg_unset(&message_msg, m, &message_rows[1]);
    assert_false(tl_msg_has(&message_msg, m, "s"));
    assert_null(m->s);
    tl_text t = tl_text_new(a);
    tl_msg_markdown(&t, &message_msg);
    assert_string_equal(tl_text_end(&t),
        "### Message\n\nFor the test.\n\n"
        "| field | type | default | allowed | meaning |\n|---|---|---|---|---|\n"
        "| `x` | int | required | 0 .. 9 | a digit |\n"
        "| `s` | string |  |  | a word (our own: the original does not have it) |\n"
        "| `inside` | Inside |  |  | more |\n\n"
        "### Inside\n\nWhat is inside.\n\n"
        "| field | type | default | allowed | meaning |\n|---|---|---|---|---|\n"
        "| `k` | int | 3 | 1 .. 63 | window size |\n"
        "| `mode` | enum | linear | nearest, linear | filter |\n"
        "| `slope` | float | 0.1 | 0 .. 0.1 | below zero |\n"
        "| `nobias` | bool | false |  | leave the bias out |\n"
        "| `name` | string | caffe | tf, caffe, torch | preprocessing |\n"
        "| `ints` | repeated int |  | 0 .. 9 | digits |\n"
        "| `words` | repeated string |  |  | words |\n"
        "| `map` | map<string, float> |  | 0 .. 255 | means |\n");
    tl_arena_free(a);
}

/* ---- Text ---- */
static void growing(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_text t = tl_text_new(a);
    assert_string_equal(tl_text_end(&t), "");
    for (int i = 0; i < 1000; i++) tl_textf(&t, "%d,", i);
    assert_int_equal(strlen(tl_text_end(&t)), 3890);
    char buf[8];
    t = tl_text_on(buf, sizeof buf);
    tl_textf(&t, "%s", "1234");
    tl_textf(&t, "%s", "56789");
    tl_text_add(&t, "x", 1);
    assert_string_equal(buf, "1234567");
    assert_true(t.failed);
    t = tl_text_on(buf, sizeof buf);
    tl_text_add(&t, "123456789", 9);
    assert_string_equal(tl_text_end(&t), "1234567");
    tl_oom_countdown = 1;
    t = tl_text_new(a);
    tl_textf(&t, "%0127d", 1);
    tl_textf(&t, "%d", 1);
    tl_oom_countdown = -1;
    tl_textf(&t, "%d", 1);
    assert_null(tl_text_end(&t));
    tl_arena_free(a);
}

/* The shortest decimal, and one that reads back, also where a comma is the decimal point. */
static void floats(void **state)
{
    (void)state;
    static const struct { float f; const char *s;
    } cases[] = {
        { 0.1f, "0.1" },
        { 5e-5f, "5e-05" },
        { 16777217.0f, "16777216" },
        { 1.0f / 3, "0.33333334" },
        { 1e30f, "1e+30" },
        { -0.0f, "-0" },
        { INFINITY, "inf" },
        { -INFINITY, "-inf" },
        { NAN, "nan" },
    };
    bool comma = setlocale(LC_ALL, "de_DE.UTF-8") || setlocale(LC_ALL, "fr_FR.UTF-8");
    if (!comma) print_message("no locale with decimal commas here: only the C locale is tried\n");
    for (int i = 0; i < TL_LEN(cases); i++) {
        char buf[32];
        float back;
        tl_text t = tl_text_on(buf, sizeof buf);
        tl_text_float(&t, cases[i].f);
        assert_string_equal(buf, cases[i].s);
        assert_true(tl_parse_float(buf, &back));
        assert_true(back == cases[i].f || back != back);
    }
    setlocale(LC_ALL, "C");
}

static void distances(void **state)
{
    (void)state;
    static const struct { const char *a, *b; int d;
    } cases[] = {
        { "", "", 0 },
        { "", "abc", 3 },
        { "abc", "abc", 0 },
        { "abc", "acb", 1 },
        { "abc", "ab", 1 },
        { "kitten", "sitting", 3 },
        { "ca", "abc", 3 },
        { "n_epoch", "n_epochs", 1 },
        { "a cat", "an abct", 4 },
    };
    for (int i = 0; i < TL_LEN(cases); i++) {
        assert_int_equal(tl_edit_distance(cases[i].a, cases[i].b), cases[i].d);
        assert_int_equal(tl_edit_distance(cases[i].b, cases[i].a), cases[i].d);
    }
    char longer[200];
    memset(longer, 'a', 199);
    longer[199] = 0;
    assert_int_equal(tl_edit_distance(longer, "a"), 199);
    assert_string_equal(tl_field_nearest(rows, "mdoe"), "mode");
    assert_null(tl_field_nearest(rows, "x"));
    assert_null(tl_field_nearest(rows, "something"));
}

static void utf8(void **state)
{
    (void)state;
    static const struct { const char *s; bool valid;
    } cases[] = {
        { "", true },
        { "a", true },
        { "\xC3\xA9", true },
        { "\xE2\x82\xAC", true },
        { "\xF0\x9F\x98\x80", true },
        { "\xEF\xBF\xBF", true },
        { "\xC3", false },
        { "\xA9", false },
        { "\xC0\x80", false },
        { "\xE0\x80\x80", false },
        { "\xED\xA0\x80", false },
        { "\xF4\x90\x80\x80", false },
        { "\xF5\x80\x80\x80", false },
        { "\xF0\x80\x80\x80", false },
        { "\xE2\x82", false },
        { "\xC3(", false },
    };
    for (int i = 0; i < TL_LEN(cases); i++)
        assert_int_equal(tl_utf8_valid(cases[i].s, strlen(cases[i].s)), cases[i].valid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),  cmocka_unit_test(checks),  cmocka_unit_test(text_both_ways),
        cmocka_unit_test(messages),  cmocka_unit_test(growing), cmocka_unit_test(floats),
        cmocka_unit_test(distances), cmocka_unit_test(utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
