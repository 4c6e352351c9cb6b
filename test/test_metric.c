/* test_metric.c - the confusion matrix and its report against scikit-learn.
 * SPDX-License-Identifier: MIT */
#include "file.h"
#include "train.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fixture.h"

/* ---- Cases of tools/make_metric_golden.py ---- */

static char *next_line(char **at)
{
    char *line = *at, *end = strchr(line, '\n');
    assert_non_null(end);
    *end = 0;
    *at = end + 1;
    return line;
}

static tl_list read_classes(char *line)
{
    tl_list names = { 0, NULL };
    char *rest = NULL;
    assert_string_equal(strtok_r(line, "\t", &rest), "classes");
    for (char *name; (name = strtok_r(NULL, "\t", &rest));) *tl_add(a, &names, const char *) = name;
    return names;
}

/* One sample at a time, or all in one call: the same. */
static void read_samples(char **at, tl_confusion *m)
{
    float p[16];
    for (char *line; strcmp(line = next_line(at), "report");) {
        int label = (int)strtol(line, &line, 10);
        for (int k = 0; k < m->classes; k++) p[k] = strtof(line, &line);
        tl_confusion_add(m, p, &label, 1);
    }
}

static void reports_are_those_of_scikit_learn(void **state)
{
    (void)state;
    tl_bytes file;
    int cases = 0;
    ok(tl_file_read(a, "test/data/metric.txt", 0, &file));
    for (char *at = (char *)(uintptr_t)file.p; *at; cases++) {
        char *name = next_line(&at) + strlen("case "), *blank = strchr(name, ' ');
        tl_list classes = read_classes(next_line(&at));
        tl_confusion m;
        const char *got;
        ok(tl_confusion_init(a, classes.n, atoi(blank), &m));
        read_samples(&at, &m);
        char *want = at, *end = strstr(at, "end\n");
        *end = 0;
        at = end + strlen("end\n");
        ok(tl_confusion_report(&m, a, &classes, &got));
        if (strcmp(got, want)) fail_msg("case %s:\n%s\ninstead of\n%s", name, got, want);
    }
    assert_int_equal(cases, 7);
}

/* ---- By hand ---- */

static void ties_go_to_the_first_class_and_to_the_label(void **state)
{
    (void)state;
    static const struct {
        float p[3];
        int label, top_k, said, top;
    } rows[] = {
        { { 0.4f, 0.4f, 0.2f }, 1, 1, 0, 1 }, /* predicted is the first of the equal, top-k counts
                                                 both (in_top_k) */
        { { 0.4f, 0.4f, 0.2f }, 0, 1, 0, 1 }, { { 0.4f, 0.4f, 0.2f }, 2, 2, 0, 0 },
        { { 0.2f, 0.4f, 0.4f }, 0, 2, 1, 0 }, { { 0.2f, 0.4f, 0.4f }, 2, 1, 1, 1 },
        { { 0.2f, 0.5f, 0.3f }, 0, 3, 1, 1 }, { { 0.2f, 0.5f, 0.3f }, 2, 2, 1, 1 },
        { { 0.2f, 0.5f, 0.3f }, 0, 9, 1, 1 }, /* more than there are classes: all */
        { { 0.2f, 0.5f, 0.3f }, 2, 0, 1, 0 }, /* 0: 1 */
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_confusion m;
        ok(tl_confusion_init(a, 3, rows[i].top_k, &m));
        tl_confusion_add(&m, rows[i].p, &rows[i].label, 1);
        for (int k = 0; k < 9; k++)
            assert_int_equal(m.confusion[k], k == rows[i].label * 3 + rows[i].said);
        assert_int_equal(m.top, rows[i].top);
        assert_int_equal(m.n, 1);
    }
}

static void many_at_once_are_like_one_by_one(void **state)
{
    (void)state;
    static const float p[] = { 0.5f, 0.25f, 0.25f, 0.125f, 0.125f, 0.75f, 0, 1, 0 };
    static const int label[] = { 0, 1, 1 };
    tl_confusion one, all;
    ok(tl_confusion_init(a, 3, 2, &one));
    ok(tl_confusion_init(a, 3, 2, &all));
    for (int i = 0; i < 3; i++) tl_confusion_add(&one, p + 3 * i, &label[i], 1);
    tl_confusion_add(&all, p, label, 3);
    assert_memory_equal(one.confusion, all.confusion, 9 * sizeof(int64_t));
    assert_true(one.top == all.top && one.n == all.n && fabs(one.loss - all.loss) < 1e-12);
    assert_true(fabs(tl_confusion_accuracy(&all) - 2.0 / 3) < 1e-12);
    assert_true(fabs(all.loss - log(2.0) - log(8.0)) < 1e-12);
}

static void odd_numbers(void **state)
{
    (void)state;
    static const float certain[] = { 0, 1 }, broken[] = { NAN, NAN };
    tl_confusion m;
    const char *text;
    tl_list names = { 2, (const char *[]){ "a", "b" } };
    ok(tl_confusion_init(a, 2, 1, &m));
    assert_true(tl_confusion_accuracy(&m) <= 0);
    ok(tl_confusion_report(&m, a, &names, &text)); /* nothing counted: zeros, no division by zero */
    assert_null(strstr(text, "nan"));
    tl_confusion_add(&m, certain, (int[]){ 0 }, 1);
    assert_true(fabs(m.loss + log(1e-7)) <
                1e-9); /* certain and wrong: Keras' epsilon, not infinity */
    tl_confusion_add(&m, broken, (int[]){ 0 }, 1);
    assert_true(isnan(m.loss)); /* a broken network shows */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_are_those_of_scikit_learn),
        cmocka_unit_test(ties_go_to_the_first_class_and_to_the_label),
        cmocka_unit_test(many_at_once_are_like_one_by_one),
        cmocka_unit_test(odd_numbers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
