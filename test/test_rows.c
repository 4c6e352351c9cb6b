/* test_rows.c - rows of numbers in memory and in a file that may be torn. SPDX-License-Identifier: MIT */
#include "rows.h"
#include "tiny.h"
#include <fcntl.h>

enum { N = 7, WIDTH = 5, HEADER = 72, ROW = 8 + 4 * WIDTH };
static const char key[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static const char *path(void) { return in(place, "rows"); }

static float value(size_t i, int k) { return (float)i * 10 + (float)k + 0.5f; }

static tl_rows *rows(tl_arena *b, const char *file, const char *k)
{
    tl_rows *r;
    ok(tl_rows_new(b, &(tl_rows_conf){ N, WIDTH, file, k }, &r));
    assert_int_equal(tl_rows_width(r), WIDTH);
    return r;
}

static tl_status put(tl_rows *r, size_t i)
{
    float x[WIDTH];
    for (int k = 0; k < WIDTH; k++) x[k] = value(i, k);
    return tl_rows_put(r, i, x);
}

/* Just the rows whose letter in `want` is not '-' are there, with what was put. */
static void holds(const tl_rows *r, const char *want)
{
    float x[WIDTH];
    for (size_t i = 0; i < N; i++) {
        if (tl_rows_has(r, i) != (want[i] != '-')) fail_msg("row %zu of %s", i, want);
        if (want[i] == '-') continue;
        ok(tl_rows_get(r, i, x));
        for (int k = 0; k < WIDTH; k++) assert_true(x[k] == value(i, k));
    }
}

static void what_is_put_is_there(void **state)
{
    (void)state;
    for (int file = 0; file < 2; file++) {
        tl_rows *r = rows(a, file ? path() : NULL, key);
        holds(r, "-------");
        ok(put(r, 6));
        ok(put(r, 0));
        ok(put(r, 3));
        holds(r, "x--x--x");
    }
}

/* Rows 1 and 2 are written, and the program ends. */
static void write_some(void)
{
    tl_arena *b = tl_arena_new();
    tl_rows *r = rows(b, path(), key);
    ok(put(r, 1));
    ok(put(r, 2));
    tl_arena_free(b);
}

static void damage(off_t at, const char *bytes, size_t n)
{
    int fd = open(path(), O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, bytes, n, at) == (ssize_t)n);
    close(fd);
}

static void a_file_is_used_again_as_far_as_it_is_whole(void **state)
{
    (void)state;
    static const char other[] = "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const struct { const char *key; off_t at, cut; const char *want; } cases[] = {
        { key, -1, -1, "-xx----" },                       /* as it was left */
        { other, -1, -1, "-------" },                     /* made under another key */
        { key, 0, -1, "-------" },                        /* not such a file */
        { key, HEADER + ROW + 11, -1, "--x----" },        /* a changed number */
        { key, HEADER + 2 * ROW, -1, "-x-----" },         /* a changed checksum */
        { key, -1, HEADER + 3 * ROW - 1, "-x-----" },     /* cut off inside row 2 */
        { key, -1, HEADER - 1, "-------" },
        { key, -1, 0, "-------" },
    };
    for (int i = 0; i < TL_LEN(cases); i++) {
        tl_arena *b = tl_arena_new();
        unlink(path());
        write_some();
        if (cases[i].at >= 0) damage(cases[i].at, "\x55", 1);
        if (cases[i].cut >= 0) assert_int_equal(truncate(path(), cases[i].cut), 0);
        tl_rows *r = rows(b, path(), cases[i].key);
        holds(r, cases[i].want);
        ok(put(r, 1));
        ok(put(r, 4));
        assert_true(tl_rows_has(r, 1) && tl_rows_has(r, 4));
        tl_arena_free(b);
    }
}

/* A row under another's number is no row. */
static void rows_do_not_change_places(void **state)
{
    (void)state;
    char row[ROW];
    write_some();
    int fd = open(path(), O_RDONLY);
    assert_int_equal(pread(fd, row, ROW, HEADER + ROW), ROW);
    close(fd);
    damage(HEADER + 5 * ROW, row, ROW);
    holds(rows(a, path(), key), "-xx----");
}

static void what_changes_under_way_is_noticed(void **state)
{
    (void)state;
    float x[WIDTH];
    tl_rows *r = rows(a, path(), key);
    ok(put(r, 1));
    ok(put(r, 2));
    damage(HEADER + ROW + 10, "\x55", 1);
    refused(tl_rows_get(r, 1, x), TL_EDATA, "changed or damaged");
    ok(tl_rows_get(r, 2, x));
    assert_int_equal(truncate(path(), HEADER), 0);
    refused(tl_rows_get(r, 2, x), TL_EDATA, path());
}

static void one_program_at_a_time(void **state)
{
    (void)state;
    tl_arena *b = tl_arena_new();
    tl_rows *r = rows(a, path(), key), *second;
    refused(tl_rows_new(b, &(tl_rows_conf){ N, WIDTH, path(), key }, &second), TL_EIO, "in use by another program");
    ok(put(r, 0));
    tl_rows_leave(r, false);
    second = rows(b, path(), key);
    holds(second, "x------");
    tl_rows_leave(second, true);
    assert_false(tl_file_exists(path()));
    holds(r, "x------"); /* it lives on */
    tl_arena_free(b);
}

static void no_room(void **state)
{
    (void)state;
    tl_rows *r;
    refused(tl_rows_new(a, &(tl_rows_conf){ 1, WIDTH, in(place, "absent/rows"), key }, &r), TL_EIO, "cannot write");
    for (long n = 0; n < 4; n++) { /* magic, key, a row's sum and numbers */
        tl_arena *b = tl_arena_new();
        unlink(path());
        tl_write_countdown = n;
        tl_status s = tl_rows_new(b, &(tl_rows_conf){ N, WIDTH, path(), key }, &r);
        if (!s) s = put(r, 1);
        tl_write_countdown = -1;
        refused(s, TL_EIO, "rows");
        tl_arena_free(b);
        write_some();
        b = tl_arena_new();
        holds(rows(b, path(), key), "-xx----");
        tl_arena_free(b);
    }
}

static void no_memory(void **state)
{
    (void)state;
    for (int file = 0; file < 2; file++)
        for (long n = 0;; n++) {
            tl_arena *b = tl_arena_new();
            tl_rows *r;
            write_some(); /* whose rows are taken over */
            tl_oom_countdown = n;
            tl_status s = tl_rows_new(b, &(tl_rows_conf){ N, WIDTH, file ? path() : NULL, key }, &r);
            tl_oom_countdown = -1;
            tl_arena_free(b);
            if (!s) break;
            assert_int_equal(s, TL_ENOMEM);
        }
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_put_is_there), T(a_file_is_used_again_as_far_as_it_is_whole), T(rows_do_not_change_places),
        T(what_changes_under_way_is_noticed), T(one_program_at_a_time), T(no_room), T(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
