/* test_results.c - detections in files: by hand, as pycocotools reads them, and through failures. SPDX-License-Identifier: MIT */
#include "results.h"
#include "detection_metric.h"
#include "label.h"
#include "rng.h"
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "folder.h"

static const char *const classes[] = { "car", "traffic light" };
static const tl_detection some[] = {
    { 0, 0, { 1.5f, 2.25f, 30.0004f, 40.9996f }, 1.25f, 0.5f },
    { 0, 1, { 0, -0.25f, 7, 8 }, 0.333333f, 0.5f },
};

/* ---- By hand ---- */

static void kitti_by_hand(void **state)
{
    (void)state;
    const tl_results_conf c = { .folder = in("labels"), .classes = classes, .nclasses = 2 };
    tl_results *r;
    ok(tl_results_new(a, &c, &r));
    ok(tl_results_add(r, "one.jpg", some, 2));
    ok(tl_results_add(r, "none.png", NULL, 0));
    ok(tl_results_add(r, "below/here/one.jpg", some, 1));
    ok(tl_results_add(r, "one.png", some + 1, 1));
    ok(tl_results_end(r));
    const char *first = "car 0.00 0 0.00 1.500 2.250 30.000 41.000 0.00 0.00 0.00 0.00 0.00 0.00 0.00 1.250\n";
    const char *second = "traffic_light 0.00 0 0.00 0.000 -0.250 7.000 8.000 0.00 0.00 0.00 0.00 0.00 0.00 0.00 0.333\n";
    assert_string_equal(text_of("labels/one.txt"), tl_printf(a, "%s%s", first, second));
    assert_string_equal(text_of("labels/none.txt"), "");
    assert_string_equal(text_of("labels/below/here/one.txt"), first);
    assert_string_equal(text_of("labels/one.png.txt"), second); /* not over that of one.jpg */
    assert_false(tl_file_exists(in("labels/one.png")));
}

static void coco_by_hand(void **state)
{
    (void)state;
    const tl_results_conf c = { .json = in("found.json"), .classes = classes, .nclasses = 2 };
    tl_results *r;
    ok(tl_results_new(a, &c, &r));
    ok(tl_results_add(r, "none.jpg", NULL, 0));
    assert_false(tl_file_exists(c.json));
    ok(tl_results_add(r, "two \"\xff\".jpg", some, 2));
    ok(tl_results_end(r));
    assert_string_equal(text_of("found.json"),
                        "[\n"
                        "{\"image_id\": 2, \"category_id\": 1, \"bbox\": [1.5, 2.25, 28.5004, 38.7496], \"score\": 1.25, "
                        "\"file_name\": \"two \\\"?\\\".jpg\"},\n"
                        "{\"image_id\": 2, \"category_id\": 2, \"bbox\": [0, -0.25, 7, 8.25], \"score\": 0.333333, "
                        "\"file_name\": \"two \\\"?\\\".jpg\"}\n]\n");
}

static void nothing_found(void **state)
{
    (void)state;
    const tl_results_conf c = { .json = in("found.json"), .classes = classes, .nclasses = 2 };
    tl_results *r;
    ok(tl_results_new(a, &c, &r));
    ok(tl_results_end(r));
    assert_string_equal(text_of("found.json"), "[\n]\n");
}

static void numbers_that_files_can_hold(void **state)
{
    (void)state;
    const tl_detection odd[] = { { 0, 0, { NAN, -INFINITY, INFINITY, 1e30f }, NAN, 0 } };
    const tl_results_conf c = { .folder = dir, .json = in("found.json"), .classes = classes, .nclasses = 2 };
    tl_results *r;
    ok(tl_results_new(a, &c, &r));
    ok(tl_results_add(r, "x.jpg", odd, 1));
    ok(tl_results_end(r));
    assert_string_equal(text_of("x.txt"), "car 0.00 0 0.00 0.000 0.000 0.000 0.000 0.00 0.00 0.00 0.00 0.00 0.00 0.00 0.000\n");
    assert_null(strstr(text_of("found.json"), "nan"));
    assert_null(strstr(text_of("found.json"), "inf"));
}

/* Numbers have points, even in a program whose locale has commas. */
static void in_another_locale(void **state)
{
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "fr_FR.UTF-8")) {
        print_message("skipped: no locale with decimal commas is installed\n");
        skip();
    }
    kitti_by_hand(state);
    coco_by_hand(state);
    setlocale(LC_NUMERIC, "C");
}

/* ---- Numbers of a COCO set ---- */

static const char set[] = "{\"images\": [{\"id\": 70, \"file_name\": \"a/x.jpg\"}, {\"id\": 30, \"file_name\": \"b/x.jpg\"},"
                          "{\"id\": 5, \"file_name\": \"y.jpg\"}, {\"id\": 6, \"file_name\": \"b/y.jpg\"},"
                          "{\"id\": 9, \"file_name\": \"c/z.jpg\"}],"
                          "\"categories\": [{\"id\": 10, \"name\": \"Traffic light\"}, {\"id\": 3, \"name\": \"car\"}],"
                          "\"annotations\": []}";

static void numbers_of_the_set(void **state)
{
    (void)state;
    const tl_results_conf c = { .json = in("found.json"), .classes = classes, .nclasses = 2, .coco = in("set.json") };
    static const struct { const char *picture, *want; } cases[] = {
        { "a/x.jpg", "\"image_id\": 70," }, { "b/x.jpg", "\"image_id\": 30," }, { "y.jpg", "\"image_id\": 5," },
        { "z.jpg", "\"image_id\": 9," }, { "elsewhere/z.jpg", "\"image_id\": 9," },
    };
    tl_results *r;
    ok(tl_file_write(c.coco, set, sizeof set - 1));
    for (int i = 0; i < TL_LEN(cases); i++) {
        ok(tl_results_new(a, &c, &r));
        ok(tl_results_add(r, cases[i].picture, some, 2));
        ok(tl_results_end(r));
        const char *text = text_of("found.json");
        if (!strstr(text, cases[i].want)) fail_msg("%s: %s", cases[i].picture, text);
        assert_true(strstr(text, "\"category_id\": 3,") && strstr(text, "\"category_id\": 10,"));
    }
    ok(tl_results_new(a, &c, &r));
    assert_int_equal(tl_results_add(r, "x.jpg", some, 1), TL_EDATA);
    assert_non_null(strstr(tl_errmsg(), "several images whose names end in 'x.jpg'"));
    assert_int_equal(tl_results_add(r, "w.jpg", some, 1), TL_EDATA);
    assert_non_null(strstr(tl_errmsg(), "'w.jpg' is not among the images"));
}

static void sets_that_will_not_do(void **state)
{
    (void)state;
    static const struct { const char *set; tl_status s; const char *why; } cases[] = {
        { "{\"images\": [], \"categories\": [{\"id\": 1, \"name\": \"car\"}]}", TL_EDATA, "the class 'traffic light' is not among" },
        { "{\"images\": [{\"id\": \"1\", \"file_name\": \"a\"}]}", TL_EFORMAT, "set.json:1: an image without" },
        { "{\"categories\": [{\"id\": 1.5, \"name\": \"car\"}]}", TL_EFORMAT, "a category without" },
        { "[", TL_EFORMAT, "set.json" },
    };
    const tl_results_conf c = { .json = in("found.json"), .classes = classes, .nclasses = 2, .coco = in("set.json") };
    for (int i = 0; i < TL_LEN(cases); i++) {
        tl_results *r;
        ok(tl_file_write(c.coco, cases[i].set, strlen(cases[i].set)));
        assert_int_equal(tl_results_new(a, &c, &r), cases[i].s);
        if (!strstr(tl_errmsg(), cases[i].why)) fail_msg("%s", tl_errmsg());
        assert_false(tl_file_exists(c.json));
    }
}

/* ---- Other programs ---- */

enum { PICTURES = 12, OBJECTS = 60 };

static tl_box random_box(tl_rng *r)
{
    const float x = (float)tl_rng_below(r, 400), y = (float)tl_rng_below(r, 300);
    return (tl_box){ x, y, x + 25 + (float)tl_rng_below(r, 200), y + 25 + (float)tl_rng_below(r, 200) };
}

/* A set of random objects as COCO annotations, and detections near them. */
static void invent(tl_truth *truth, tl_detection *found)
{
    tl_rng r = tl_rng_at(1, 0, 0, 0);
    FILE *f = fopen(in("set.json"), "w");
    assert_non_null(f);
    fprintf(f, "{\"images\": [");
    for (int i = 0; i < PICTURES; i++)
        fprintf(f, "%s{\"id\": %d, \"file_name\": \"p%02d.jpg\", \"width\": 640, \"height\": 480}", i ? "," : "", 100 + i, i);
    fprintf(f, "], \"categories\": [{\"id\": 1, \"name\": \"car\"}, {\"id\": 2, \"name\": \"traffic light\"}], \"annotations\": [");
    for (int i = 0; i < OBJECTS; i++) {
        const tl_box b = random_box(&r);
        const double w = (double)(b.x2 - b.x1), h = (double)(b.y2 - b.y1);
        truth[i] = (tl_truth){ tl_rng_below(&r, PICTURES), tl_rng_below(&r, 2), b, false, false, w * h };
        fprintf(f, "%s{\"id\": %d, \"image_id\": %d, \"category_id\": %d, \"bbox\": [%g, %g, %g, %g], \"area\": %g, \"iscrowd\": 0}",
                i ? "," : "", i + 1, 100 + truth[i].picture, 1 + truth[i].label, (double)b.x1, (double)b.y1, w, h, w * h);
        found[i] = (tl_detection){ truth[i].picture, truth[i].label, b, (float)(1 + tl_rng_below(&r, 999)) / 1000, 0 };
        found[i].box.x1 += (float)tl_rng_below(&r, 20), found[i].box.y2 += (float)tl_rng_below(&r, 20);
        if (i % 7 == 0) found[i].box = random_box(&r);
    }
    fprintf(f, "]}");
    fclose(f);
}

static void write_found(const tl_detection *found)
{
    const tl_results_conf c = { in("labels"), in("found.json"), classes, 2, in("set.json") };
    tl_results *r;
    ok(tl_results_new(a, &c, &r));
    for (int p = 0; p < PICTURES; p++) {
        tl_detection here[OBJECTS];
        int n = 0;
        for (int i = 0; i < OBJECTS; i++)
            if (found[i].picture == p) here[n++] = found[i];
        ok(tl_results_add(r, tl_printf(a, "p%02d.jpg", p), here, n));
    }
    ok(tl_results_end(r));
}

static void pycocotools_agrees(void **state)
{
    (void)state;
    tl_truth truth[OBJECTS];
    tl_detection found[OBJECTS];
    tl_coco_figures f;
    invent(truth, found);
    write_found(found);
    ok(tl_coco_evaluate(truth, OBJECTS, found, OBJECTS, 2, &f));
    const char *const file[] = { in("set.json"), in("found.json"), in("figures"), in("log") };
    int code = system(tl_printf(a, "python3 tools/check_coco.py %s %s > %s 2> %s", file[0], file[1], file[2], file[3]));
    code = WIFEXITED(code) ? WEXITSTATUS(code) : -1;
    if (code == 77 || code == 127) {
        print_message("skipped: Python's pycocotools is not installed\n");
        skip();
    }
    if (code) fail_msg("%s", text_of("log"));
    const double want[] = { f.precision, f.precision_50, f.precision_75, f.precision_small, f.precision_medium, f.precision_large,
                            f.recall_1, f.recall_10, f.recall_100, f.recall_small, f.recall_medium, f.recall_large };
    char *rest = (char *)(uintptr_t)text_of("figures");
    for (int i = 0; i < 12; i++) {
        const double got = strtod(rest, &rest);
        if (!(fabs(got - want[i]) < 1e-9)) fail_msg("figure %d: %.10f by pycocotools, %.10f by us", i, got, want[i]);
    }
    assert_true(f.precision_50 > 0.5 && f.precision_50 < 0.95);
}

/* What we write we can read, in both forms. */
static void read_again(void **state)
{
    (void)state;
    tl_truth truth[OBJECTS];
    tl_detection found[OBJECTS];
    tl_labels *l;
    invent(truth, found);
    write_found(found);
    ok(tl_labels_read(a, &(tl_label_conf){ .labels = in("labels"), .format = "kitti" }, &l));
    assert_int_equal(l->nobjects, OBJECTS);
    assert_int_equal(l->npictures, PICTURES);
    assert_string_equal(((const char **)l->classes.at)[1], "traffic_light");
    for (int i = 0; i < OBJECTS; i++) assert_true(l->object[i].flags & TL_SCORED);
    ok(tl_labels_read(a, &(tl_label_conf){ .labels = in("found.json") }, &l));
    assert_int_equal(l->nobjects, OBJECTS);
}

/* ---- Failures ---- */

static void failing_writes(void **state)
{
    (void)state;
    const tl_results_conf c = { .folder = in("labels"), .json = in("found.json"), .classes = classes, .nclasses = 2 };
    ok(tl_file_write(c.json, "old", 3));
    for (long n = 0;; n++) {
        tl_arena *b = tl_arena_new();
        tl_results *r;
        tl_list names;
        tl_write_countdown = n;
        tl_status s = tl_results_new(b, &c, &r);
        if (!s) s = tl_results_add(r, "x.jpg", some, 2);
        if (!s) s = tl_results_end(r);
        tl_write_countdown = -1;
        tl_arena_free(b);
        ok(tl_dir_list(a, dir, &names));
        assert_int_equal(names.n, 2); /* no temporary file is left */
        if (!s) break;
        assert_int_equal(s, TL_EIO);
        assert_string_equal(text_of("found.json"), "old");
        assert_true(n < 20);
    }
    assert_int_equal(text_of("found.json")[0], '[');
}

static void failing_memory(void **state)
{
    (void)state;
    const tl_results_conf c = { in("labels"), in("found.json"), classes, 2, in("set.json") };
    ok(tl_file_write(c.coco, set, sizeof set - 1));
    for (long n = 0;; n++) {
        tl_arena *b = tl_arena_new();
        tl_results *r;
        tl_oom_countdown = n;
        tl_status s = tl_results_new(b, &c, &r);
        if (!s) s = tl_results_add(r, "y.jpg", some, 2);
        if (!s) s = tl_results_end(r);
        tl_oom_countdown = -1;
        tl_arena_free(b);
        if (!s) break;
        assert_int_equal(s, TL_ENOMEM);
        assert_true(n < 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(kitti_by_hand), IN_FOLDER(coco_by_hand), IN_FOLDER(nothing_found), IN_FOLDER(numbers_that_files_can_hold), IN_FOLDER(in_another_locale),
        IN_FOLDER(numbers_of_the_set), IN_FOLDER(sets_that_will_not_do), IN_FOLDER(pycocotools_agrees), IN_FOLDER(read_again), IN_FOLDER(failing_writes), IN_FOLDER(failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
