/* test_data.c - datasets in folders, and what is reported about them. SPDX-License-Identifier: MIT */
#include "places.h"

/* ---- Folder format ---- */

static void folders_are_classes(void **state)
{
    place *p = *state;
    static const char *const files[] = { "b/1.jpg",        "a b/x.PNG",
                                         "a b/sub/y.jpeg", "a b/sub/deeper/z.jpg",
                                         "a b/Z.jpg",      "\xc3\xa9t\xc3\xa9/\xc3\xa9.jpg",
                                         "B/2.jpg",        ".hidden/no.jpg",
                                         "b/.no.jpg",      "stray.jpg" };
    for (int i = 0; i < TL_LEN(files); i++) put_text(p, files[i], "not looked at");
    put_text(p, "b/notes.txt", "");
    put_text(p, "b/old.bmp", "");
    assert_int_equal(symlink(at(p, "b/1.jpg"), at(p, "B/link.jpg")), 0);
    assert_int_equal(symlink(at(p, "b"), at(p, "b/circle")), 0);
    assert_int_equal(symlink(at(p, "b"), at(p, "linked")), 0);
    tl_dataset *d = scan(p, "", NULL);
    static const char *const classes[] = { "B", "a b", "b", "linked", "\xc3\xa9t\xc3\xa9" };
    static const struct {
        const char *path;
        int label;
    } want[] = {
        { "B/2.jpg", 0 },   { "B/link.jpg", 0 },     { "a b/Z.jpg", 1 },
        { "a b/x.PNG", 1 }, { "a b/sub/y.jpeg", 1 }, { "a b/sub/deeper/z.jpg", 1 },
        { "b/1.jpg", 2 },   { "linked/1.jpg", 3 },   { "\xc3\xa9t\xc3\xa9/\xc3\xa9.jpg", 4 },
    };
    assert_int_equal(d->classes.n, TL_LEN(classes));
    for (int i = 0; i < TL_LEN(classes); i++)
        assert_string_equal(((const char **)d->classes.at)[i], classes[i]);
    assert_int_equal(d->sample.n, TL_LEN(want));
    for (int i = 0; i < TL_LEN(want); i++) {
        assert_string_equal(sample(d, i)->path, at(p, want[i].path));
        assert_int_equal(sample(d, i)->label, want[i].label);
    }
    assert_int_equal(d->ignored, 4); /* two in b, seen again through the link */
    assert_string_equal(d->ignored_first, at(p, "b/notes.txt"));
}

static void folder_errors_help(void **state)
{
    place *p = *state;
    put_text(p, "empty/readme.txt", "");
    put_text(p, "single/cats/1.jpg", "");
    put_text(p, "bare/a/1.gif", "");
    put_text(p, "bare/b/1.gif", "");
    put_text(p, "train/a/1.jpg", "");
    put_text(p, "train/b/1.jpg", "");
    put_text(p, "val/a/1.jpg", "");
    put_text(p, "val/c d/1.jpg", "");
    tl_dataset *train = scan(p, "train", NULL), *d;
    const struct {
        const char *path;
        const tl_list *classes;
        const char *says[2];
    } rows[] = {
        { "absent", NULL, { "absent' does not exist", "" } },
        { "empty/readme.txt", NULL, { "is a file", "one folder per class" } },
        { "empty", NULL, { "no class folders in", "" } },
        { "single", NULL, { "a single class, 'cats'", "at least two" } },
        { "bare", NULL, { "no pictures", "bare/a/1.gif" } },
        { "val", &train->classes, { "missing 'b'", "unknown 'c d'" } },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        assert_int_equal(tl_formats[0]->scan(p->a, at(p, rows[i].path), rows[i].classes, &d),
                         TL_EDATA);
        for (int k = 0; k < 2; k++)
            if (!strstr(tl_errmsg(), rows[i].says[k]))
                fail_msg("%s: %s", rows[i].path, tl_errmsg());
    }
    put_text(p, "one/a/1.jpg", "");
    ok(tl_mkdirs(at(p, "one/b")));
    assert_int_equal(scan(p, "one", &train->classes)->sample.n,
                     1); /* an empty class folder is fine, and reported */
}

/* ---- Report ---- */

static void report_tells_all(void **state)
{
    place *p = *state;
    for (int i = 0; i < 21; i++)
        put_text(p, tl_printf(p->a, "train/b\xc3\xa4r/%02d.jpg", i), tl_printf(p->a, "bear %d", i));
    put_text(p, "train/ox/1.jpg", "ox 1");
    put_text(p, "train/ox/2.jpg", "ox 1");
    put_text(p, "train/ox/bear.jpg", "bear 4");
    put_text(p, "train/ox/scan.tiff", "");
    ok(tl_mkdirs(at(p, "train/yak")));
    for (int i = 0; i < 7; i++)
        put_text(p, tl_printf(p->a, "val/b\xc3\xa4r/%d.jpg", i),
                 tl_printf(p->a, "bear %d", 10 + i));
    put_text(p, "val/ox/x.jpg", "ox 3");
    ok(tl_mkdirs(at(p, "val/yak")));
    tl_dataset *train = scan(p, "train", NULL), *val = scan(p, "val", &train->classes);
    const char *text;
    ok(tl_dataset_report(p->a, train, val, &text));
    static const char *const wants[] = {
        ("class    train      val\n"
         "b\xc3\xa4r         21        7\n"
         "ox           3        1\n"
         "yak          0        0\n"
         "all         24        8\n"),
        "\nwarning: class 'ox' has only 3 training pictures",
        "\nwarning: class 'yak' has no training picture",
        "\nwarning: class 'yak' has no validation picture",
        "\nwarning: 1 file in ",
        "scan.tiff'\n",
        "\n1 picture found twice in the same set:\n",
        "\nwarning: 1 picture found with two labels; one of the two must be wrong:\n",
        "\nwarning: 7 pictures of validation found in the training set as well",
        "\n  and 2 more\n",
    };
    for (int i = 0; i < TL_LEN(wants); i++)
        if (!strstr(text, wants[i])) fail_msg("lacks \"%s\":\n%s", wants[i], text);
    assert_non_null(strstr(text, tl_printf(p->a, "  '%s' = '%s'\n", at(p, "train/ox/2.jpg"),
                                           at(p, "train/ox/1.jpg"))));
    assert_non_null(strstr(text, tl_printf(p->a, "  '%s' = '%s'\n", at(p, "train/ox/bear.jpg"),
                                           at(p, "train/b\xc3\xa4r/04.jpg"))));
    ok(tl_dataset_report(p->a, train, NULL, &text));
    assert_null(strstr(text, "val"));
}

/* BLAKE2b with 16 bytes of output, of "ox 1": Python's hashlib.blake2b(b"ox 1", digest_size=16). */
static void hashes_are_blake2b(void **state)
{
    place *p = *state;
    put_text(p, "d/a/1.jpg", "ox 1");
    put_text(p, "d/b/1.jpg", "");
    tl_dataset *d = scan(p, "d", NULL);
    assert_int_equal(unlink(at(p, "d/b/1.jpg")), 0);
    ok(tl_dataset_hash(d));
    assert_memory_equal(&sample(d, 0)->hash, "\x3b\xda\x7f\x13\x1b\x91\x68\xde", 8);
    assert_true(sample(d, 1)->hash == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folders_are_classes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folder_errors_help, set_up, tear_down),
        cmocka_unit_test_setup_teardown(report_tells_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hashes_are_blake2b, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
