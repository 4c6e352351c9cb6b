/* test_statusjson.c - status.json, classmap.json and training.csv. SPDX-License-Identifier: MIT */
#include "statusjson.h"
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct { tl_arena *a; char dir[64]; const char *path, *csv; } fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->a = tl_arena_new();
    strcpy(f->dir, "/tmp/test_statusjson.XXXXXX");
    if (!mkdtemp(f->dir)) return -1;
    f->path = tl_path_join(f->a, f->dir, "file");
    f->csv = tl_path_join(f->a, f->dir, "csv");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    int failed = system(tl_printf(f->a, "rm -r %s", f->dir));
    tl_arena_free(f->a);
    free(f);
    return failed;
}

static const char *content(fixture *f)
{
    tl_bytes file;
    assert_int_equal(tl_file_read(f->a, f->path, 0, &file), TL_OK);
    return (const char *)file.p;
}

static void put(fixture *f, const char *text) { assert_int_equal(tl_file_write(f->path, text, strlen(text)), TL_OK); }

/* ---- status.json ------------------------------------------------------------------------------- */

/* Cut off the date and time in front, after checking that they are one. */
static const char *undated(const char *line)
{
    int month, day, year, hour, minute, second, n = 0;
    int got = sscanf(line, "{\"date\": \"%d/%d/%d\", \"time\": \"%d:%d:%d\", %n",
                     &month, &day, &year, &hour, &minute, &second, &n);
    assert_int_equal(got, 6);
    assert_true(month >= 1 && month <= 12 && day >= 1 && day <= 31 && year >= 2025 && hour <= 23 && minute <= 59);
    return line + n;
}

static void status_lines(void **state)
{
    fixture *f = *state;
    tl_pair kpi[] = { { "val_acc", 0.9f }, { "val_loss", NAN } };
    tl_pair curve[] = { { "loss", 1e-7f } }, class[] = { { "a\xff", 1 } };
    const tl_run_event events[] = {
        { .state = TL_RUN_STARTED, .message = "Starting \"it\"\n" },
        { .state = TL_RUN_RUNNING, .epoch = 0, .max_epoch = 80, .time_per_epoch = 15.25, .eta = 3 * 3600 + 62.5,
          .graphical = { 1, curve }, .kpi = { 2, kpi }, .categorical = { 1, class } },
        { .state = TL_RUN_SUCCESS }, { .state = TL_RUN_SKIPPED },
        { .state = TL_RUN_FAILURE, .message = "caf\xe9", .verbosity = "ERROR" },
    };
    static const char *const want[] = {
        "\"status\": \"STARTED\", \"verbosity\": \"INFO\", \"message\": \"Starting \\\"it\\\"\\n\"}",
        "\"status\": \"RUNNING\", \"verbosity\": \"INFO\", \"message\": \"\", \"categorical\": {\"a?\": 1.0}, "
        "\"graphical\": {\"loss\": 1e-7}, \"kpi\": {\"val_acc\": 0.9, \"val_loss\": null}, \"epoch\": 0, "
        "\"max_epoch\": 80, \"time_per_epoch\": \"0:00:15.250000\", \"eta\": \"3:01:02.500000\"}",
        "\"status\": \"SUCCESS\", \"verbosity\": \"INFO\", \"message\": \"\"}",
        "\"status\": \"SKIPPED\", \"verbosity\": \"INFO\", \"message\": \"\"}",
        "\"status\": \"FAILURE\", \"verbosity\": \"ERROR\", \"message\": \"caf?\"}",
    };
    for (int i = 0; i < TL_LEN(events); i++) assert_int_equal(tl_statusjson_add(f->path, &events[i]), TL_OK);
    char *rest = (char *)content(f);
    for (int i = 0; i < TL_LEN(want); i++) {
        const char *line = strsep(&rest, "\n");
        json_t *j = json_loads(line, 0, NULL);
        assert_non_null(j);
        json_decref(j);
        assert_string_equal(undated(line), want[i]);
    }
    assert_string_equal(rest, "");
}

/* ---- classmap.json ----------------------------------------------------------------------------- */

static void classmap_round_trip(void **state)
{
    fixture *f = *state;
    const char *names[] = { "truck", "bus \"x\"", "Käfer", "" }, *latin1[] = { "K\xe4" "fer" };
    tl_list back;
    assert_int_equal(tl_classmap_write(f->path, &(tl_list){ 4, names }), TL_OK);
    assert_string_equal(content(f), "{\"truck\": 0, \"bus \\\"x\\\"\": 1, \"Käfer\": 2, \"\": 3}\n");
    assert_int_equal(tl_classmap_read(f->a, f->path, &back), TL_OK);
    assert_int_equal(back.n, 4);
    for (int i = 0; i < 4; i++) assert_string_equal(((const char **)back.at)[i], names[i]);
    assert_int_equal(tl_classmap_write(f->path, &(tl_list){ 1, latin1 }), TL_EDATA);

    put(f, "{\"b\": 1, \"c\": 2, \"a\": 0}"); /* any order, as Python writes it */
    assert_int_equal(tl_classmap_read(f->a, f->path, &back), TL_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(*((const char **)back.at)[i], 'a' + i);
}

static void classmap_errors(void **state)
{
    static const struct { const char *text, *message; } row[] = {
        { "", "line 1, column 0" },
        { "{\n\"a\" 0}", "line 2, column 5" },
        { "{\"a\": 0, \"a\": 1}", "duplicate" },
        { "{\"a\\u0000b\": 0}", "line 1" },
        { "[0]", "names no class" },
        { "{}", "names no class" },
        { "{\"a\": 0, \"b\": 2}", "the index of the class 'b' must be a whole number from 0 to 1" },
        { "{\"a\": -1}", "the index of the class 'a'" },
        { "{\"a\": 0.0}", "the index of the class 'a'" },
        { "{\"a\": \"0\"}", "the index of the class 'a'" },
        { "{\"a\": 9223372036854775807}", "the index of the class 'a'" },
        { "{\"a\": 0, \"b\": 0}", "the classes 'a' and 'b' have the same index 0" },
    };
    fixture *f = *state;
    tl_list back;
    for (int i = 0; i < TL_LEN(row); i++) {
        put(f, row[i].text);
        tl_status s = tl_classmap_read(f->a, f->path, &back);
        if (s != TL_EFORMAT || !strstr(tl_errmsg(), row[i].message) || !strstr(tl_errmsg(), f->path))
            fail_msg("%s: status %d, %s", row[i].text, s, tl_errmsg());
    }
    assert_int_equal(tl_classmap_read(f->a, "/no/such/file", &back), TL_EIO);
}

/* ---- training.csv ------------------------------------------------------------------------------ */

#define HEADER "epoch,acc,loss,lr,val_acc,val_loss\n"
#define ROW(acc, loss, lr, val_acc, val_loss) \
    (const tl_figure[]){ { "acc", acc }, { "loss", loss }, { "lr", lr }, { "val_acc", val_acc }, { "val_loss", val_loss } }, 5
static void csv_rows(void **state)
{
    fixture *f = *state;
    assert_int_equal(tl_traincsv_begin(f->path, ROW(0, 0, 0, 0, 0), 0), TL_OK);
    assert_int_equal(tl_traincsv_add(f->path, 0, ROW(0.5, 1.25, 1e-3, -(double)NAN, (double)INFINITY)), TL_OK);
    assert_int_equal(tl_traincsv_add(f->path, 1, ROW(1, 0.1, 1e-30, 1.0 / 3, -1e300)), TL_OK);
    assert_string_equal(content(f), HEADER "0,0.5,1.25,0.001,nan,inf\n1,1,0.1,1e-30,0.333333333,-1e+300\n");
}

static void csv_resume(void **state)
{
    static const struct { const char *old; int epoch; const char *new; } row[] = {
        { HEADER "0,a\n1,b\n2,c\n", 2, HEADER "0,a\n1,b\n" },
        { HEADER "0,a\n1,b\n2,c\n", 3, HEADER "0,a\n1,b\n2,c\n" },
        { HEADER "0,a\n1,b\n2,c\n", 0, HEADER },
        { HEADER "0,a\n1,b", 2, HEADER "0,a\n" },           /* torn by a crash */
        { HEADER "0,a\n1", 2, HEADER "0,a\n" },
        { HEADER "9,a\n10,b\n11,c\n", 10, HEADER "9,a\n" }, /* by number, not by text */
        { HEADER "\nx\n0,a\n", 2, HEADER "0,a\n" },
        { "something else", 0, HEADER },
        { NULL, 5, HEADER },
    };
    fixture *f = *state;
    for (int i = 0; i < TL_LEN(row); i++) {
        if (row[i].old) put(f, row[i].old);
        else remove(f->path);
        assert_int_equal(tl_traincsv_begin(f->path, ROW(0, 0, 0, 0, 0), row[i].epoch), TL_OK);
        assert_string_equal(content(f), row[i].new);
    }
    put(f, "epoch,loss\n0,1\n");
    assert_int_equal(tl_traincsv_begin(f->path, ROW(0, 0, 0, 0, 0), 1), TL_EFORMAT);
    assert_non_null(strstr(tl_errmsg(), "does not have the columns epoch,acc,loss,lr,val_acc,val_loss;"));
    assert_string_equal(content(f), "epoch,loss\n0,1\n");
    assert_int_equal(tl_traincsv_begin(f->path, &(tl_figure){ "AP_a,\"b\"", 0 }, 1, 0), TL_OK);
    assert_string_equal(content(f), "epoch,AP_a__b_\n");
}

/* ---- Everything -------------------------------------------------------------------------------- */

static tl_status all(fixture *f, tl_arena *a)
{
    const char *names[] = { "a", "b" };
    tl_pair kpi[] = { { "x\xff", 1 } };
    tl_list back;
    TL_TRY(tl_statusjson_add(f->csv, &(tl_run_event){ .max_epoch = 1, .kpi = { 1, kpi } }));
    TL_TRY(tl_classmap_write(f->path, &(tl_list){ 2, names }));
    TL_TRY(tl_classmap_read(a, f->path, &back));
    TL_TRY(tl_traincsv_begin(f->csv, ROW(0, 0, 0, 0, 0), 0));
    TL_TRY(tl_traincsv_begin(f->csv, ROW(0, 0, 0, 0, 0), 1));
    return tl_traincsv_add(f->csv, 0, ROW(0, 0, 0, 0, 0));
}

static void out_of_memory_anywhere(void **state)
{
    fixture *f = *state;
    bool refused = true;
    int n = 0;
    for (; refused; n++) {
        tl_arena *a = tl_arena_new();
        tl_oom_countdown = n;
        tl_status s = all(f, a);
        refused = tl_oom_countdown < 0;
        tl_oom_countdown = -1;
        assert_true(s == TL_OK || (refused && s == TL_ENOMEM));
        tl_arena_free(a);
    }
    assert_in_range(n, 15, 100);
}

static void disk_full_anywhere(void **state)
{
    fixture *f = *state;
    tl_status s = TL_EIO;
    int n = 0;
    for (; s; n++) {
        tl_arena *a = tl_arena_new();
        tl_write_countdown = n;
        s = all(f, a);
        tl_write_countdown = -1;
        assert_true(s == TL_OK || s == TL_EIO);
        tl_arena_free(a);
    }
    assert_in_range(n, 10, 50);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(status_lines), TEST(classmap_round_trip),    TEST(classmap_errors),    TEST(csv_rows),
        TEST(csv_resume),   TEST(out_of_memory_anywhere), TEST(disk_full_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
