/* test_json_items.c - large JSON an element at a time: the same values, in order, and errors where they are.
 * SPDX-License-Identifier: MIT */
#include "places.h"
#include "json_items.h"
#include "text.h"

static tl_status note(void *ctx, const char *key, const json_t *v, int line)
{
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    tl_textf(ctx, "%s:%d:%s\n", key, line, text);
    free(text);
    return TL_OK;
}

static tl_status split(place *p, const char *json, const char **text)
{
    tl_text t = tl_text_new(p->a);
    put_text(p, "x.json", json);
    tl_status s = tl_json_items(at(p, "x.json"), note, &t);
    *text = tl_text_end(&t);
    return s;
}

static void elements_come_in_order(void **state)
{
    place *p = *state;
    static const struct { const char *json, *want; } rows[] = {
        { "{}", "" },
        { " [ ] \n", "" },
        { "[1,2,[3]]", ":1:1\n:1:2\n:1:[3]\n" },
        { "[1 , -2.5e0\n,true\n, null]", ":1:1\n:1:-2.5\n:2:true\n:3:null\n" },
        { "{\"a\":[{\"b\":[1]},\n{}],\"c\":7,\"d\":\"x]\\\"}\",\n\"e\":false}",
          "a:1:{\"b\":[1]}\na:2:{}\nc:2:7\nd:2:\"x]\\\"}\"\ne:3:false\n" },
        { "{\"a\":1\n}", "a:1:1\n" },
        { "{\"\":[]}", "" },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        const char *text;
        ok(split(p, rows[i].json, &text));
        assert_string_equal(text, rows[i].want);
    }
}

static void damage_is_told(void **state)
{
    place *p = *state;
    static const struct { const char *json, *says; } rows[] = {
        { "", "line 1: not whole: '{' or '['" },
        { "7", "'{' or '[' was expected, not '7'" },
        { "[1,\n2", "line 2: not whole: ',' or ']'" },
        { "[1 2]", "',' or ']' was expected, not '2'" },
        { "{\"a\":\n\n[}]}", "line 3: not JSON" },
        { "{\"a\" 1}", "':' was expected" },
        { "{a:1}", "a name in quotes" },
        { "{\"a\":1,}", "a name in quotes" },
        { "{\"a\":1]", "',' or '}' was expected" },
        { "[]x", "the end was expected" },
        { "[\"\xff\"]", "not JSON" },
        { "[1e999]", "not JSON" },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        const char *text;
        tl_status s = split(p, rows[i].json, &text);
        if (s != TL_EFORMAT || !strstr(tl_errmsg(), rows[i].says))
            fail_msg("%s: %d, %s", rows[i].json, s, s ? tl_errmsg() : "");
    }
    tl_text t = tl_text_new(p->a);
    assert_int_equal(tl_json_items(at(p, "absent.json"), note, &t), TL_EIO);
}

/* Numbers, whose end is seen only one byte later, at every place of the buffer's border; and an element beyond the
 * limit. */
static void borders_do_not_matter(void **state)
{
    place *p = *state;
    enum { BUFFER = 1 << 15 };
    char *json = tl_new(p->a, char, TL_JSON_ITEM + 100);
    for (int shift = 0; shift < 8; shift++) {
        const char *text;
        memset(json, ' ', BUFFER);
        json[0] = '[';
        strcpy(json + BUFFER - 4 - shift, "12345,true,6]");
        ok(split(p, json, &text));
        assert_string_equal(text, ":1:12345\n:1:true\n:1:6\n");
    }
    const char *text;
    memset(json, ' ', TL_JSON_ITEM + 50);
    json[0] = json[1] = '[';
    strcpy(json + TL_JSON_ITEM + 20, "]]");
    assert_int_equal(split(p, json, &text), TL_EFORMAT);
    assert_non_null(strstr(tl_errmsg(), "an element longer than"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(elements_come_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(borders_do_not_matter, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
