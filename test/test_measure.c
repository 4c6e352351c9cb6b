/* test_measure.c - a picture's size without decoding is the decoded picture's. SPDX-License-Identifier: MIT */
#include "places.h"

static void size_is_the_decoders(void **state)
{
    place *p = *state;
    tl_list names;
    int pictures = 0;
    ok(tl_dir_list(p->a, IMAGES, &names));
    for (int i = 0; i < names.n; i++) {
        const char *name = ((const char **)names.at)[i];
        if (!tl_image_name(name)) continue;
        tl_image m;
        tl_size size;
        ok(tl_image_load(p->a, tl_path_join(p->a, IMAGES, name), 3, (tl_size){ 0, 0 }, &m));
        ok(tl_image_measure(tl_path_join(p->a, IMAGES, name), &size));
        if (size.w != m.w || size.h != m.h) fail_msg("%s: %d x %d, not %d x %d", name, size.w, size.h, m.w, m.h);
        pictures++;
    }
    assert_true(pictures > 40);
}

static void what_is_no_picture_is_refused(void **state)
{
    place *p = *state;
    static const struct { const char *bytes; size_t n;
    } rows[] = {
        { "", 0 },
        { "\xff", 1 },
        { "\xff\xd8", 2 },
        { "\xff\xd8\xff\xe0\0\1", 6 },
        { "\xff\xd8\xff\xff\xff\xc0\0\x0b\x08\0\0\0\0", 13 },
        { "\xff\xd8\xff\xda\0\2", 6 },
        { "\x89PNG\r\n\x1a\n", 8 },
        { "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\0\0\0\0\1", 24 },
        { "GIF89a", 6 },
    };
    tl_size size;
    for (int i = 0; i < TL_LEN(rows); i++) {
        put(p, "x.jpg", rows[i].bytes, rows[i].n);
        assert_int_equal(tl_image_measure(at(p, "x.jpg"), &size), TL_EFORMAT);
        assert_non_null(strstr(tl_errmsg(), "x.jpg"));
    }
    assert_int_equal(tl_image_measure(at(p, "absent.jpg"), &size), TL_EIO);
    put(p, "big.png", "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\1\0\0\0\0\0\1\x08\2\0\0\0....", 33);
    assert_int_equal(tl_image_measure(at(p, "big.png"), &size), TL_EUNSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(size_is_the_decoders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_picture_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
