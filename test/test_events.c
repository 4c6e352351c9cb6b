/* test_events.c - TensorBoard event files, beside TensorBoard's own. SPDX-License-Identifier: MIT */
#include "events.h"
#include "tfrecord.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

/* What tools/make_events_golden.py wrote, too. */
static const struct { const char *tag; int64_t step; double value, time; } point[] = {
    { "loss", 0, 0.5, 1600000000.5 },
    { "loss", 1, 0.25, 1600000001.5 },
    { "val/accuracy", (int64_t)1 << 40, -1e-3, 1600000002.5 },
};

typedef struct { tl_arena *a; char root[64]; const char *dir; tl_events *e; } fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->a = tl_arena_new();
    strcpy(f->root, "/tmp/test_events.XXXXXX");
    if (!mkdtemp(f->root)) return -1;
    f->dir = tl_path_join(f->a, f->root, "events"); /* made by tl_events_open */
    *state = f;
    return tl_events_open(f->a, f->dir, &f->e);
}

static int teardown(void **state)
{
    fixture *f = *state;
    int failed = system(tl_printf(f->a, "rm -r %s", f->root));
    tl_arena_free(f->a);
    free(f);
    return failed;
}

static tl_bytes only_file(fixture *f)
{
    tl_list names;
    tl_bytes file;
    assert_int_equal(tl_dir_list(f->a, f->dir, &names), TL_OK);
    assert_int_equal(names.n, 1);
    const char *name = *(const char **)names.at;
    assert_int_equal(strncmp(name, "events.out.tfevents.", 20), 0);
    assert_int_equal(tl_file_read(f->a, tl_path_join(f->a, f->dir, name), 0, &file), TL_OK);
    return file;
}

static void write_points(tl_events *e)
{
    for (int i = 0; i < TL_LEN(point); i++)
        assert_int_equal(tl_events_scalar(e, point[i].tag, point[i].step, point[i].value, point[i].time), TL_OK);
}

/* Check a record's frame and return the position behind it. */
static size_t skip_record(tl_bytes f, size_t at)
{
    uint64_t n;
    uint32_t sum;
    memcpy(&n, f.p + at, 8);
    memcpy(&sum, f.p + at + 8, 4);
    assert_int_equal(sum, tl_crc32c_masked(f.p + at, 8));
    memcpy(&sum, f.p + at + 12 + n, 4);
    assert_int_equal(sum, tl_crc32c_masked(f.p + at + 12, n));
    return at + 12 + n + 4;
}

/* Behind the first record (version and time of writing) our file is TensorBoard's, byte for byte. */
static void same_as_golden(void **state)
{
    fixture *f = *state;
    write_points(f->e);
    tl_bytes ours = only_file(f), golden;
    assert_int_equal(tl_file_read(f->a, "test/data/events.golden", 0, &golden), TL_OK);
    size_t i = skip_record(ours, 0), k = skip_record(golden, 0);
    assert_non_null(memmem(ours.p, i, "brain.Event:2", 13));
    assert_int_equal(ours.n - i, golden.n - k);
    assert_memory_equal(ours.p + i, golden.p + k, ours.n - i);
    while (i < ours.n) i = skip_record(ours, i);
    assert_int_equal(i, ours.n);
}

/* CRC-32C of "123456789" is e3069283 (RFC 3720, appendix B.4, and its catalogues). */
static void checksum(void **state)
{
    (void)state;
    uint32_t masked = tl_crc32c_masked("123456789", 9) - 0xa282ead8;
    assert_int_equal(masked << 15 | masked >> 17, 0xe3069283);
}

static void tensorboard_reads_it(void **state)
{
    fixture *f = *state;
    tl_events *later;
    write_points(f->e);
    assert_int_equal(tl_events_open(f->a, f->dir, &later), TL_OK); /* a resumed run, in the same second */
    assert_int_equal(tl_events_scalar(later, "loss", 2, 0.125, 1600000003), TL_OK);
    char text[1024] = "";
    FILE *p = popen(tl_printf(f->a, "python3 tools/check_events.py %s 2>%s/log", f->dir, f->root), "r");
    assert_non_null(p);
    text[fread(text, 1, sizeof text - 1, p)] = 0;
    int exit_code = pclose(p);
    if (WIFEXITED(exit_code) && (WEXITSTATUS(exit_code) == 3 || WEXITSTATUS(exit_code) == 127)) {
        print_message("skipped: Python's tensorboard is not installed\n");
        skip();
    }
    assert_string_equal(text, "loss 0 0.5 1600000000.500\n"
                              "loss 1 0.25 1600000001.500\n"
                              "loss 2 0.125 1600000003.000\n"
                              "val/accuracy 1099511627776 -0.001 1600000002.500\n");
}

/* A file that may not grow: the failed record leaves nothing behind, and the next one fits again. */
static void no_room(void **state)
{
    fixture *f = *state;
    size_t before = only_file(f).n;
    struct rlimit old, tight;
    getrlimit(RLIMIT_FSIZE, &old);
    tight = old;
    tight.rlim_cur = before + 20;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &tight);
    tl_status s = tl_events_scalar(f->e, "loss", 1, 1, 0);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(s, TL_EIO);
    assert_non_null(strstr(tl_errmsg(), "cannot write '"));
    assert_int_equal(only_file(f).n, before);
    write_points(f->e);
    tl_bytes file = only_file(f);
    size_t at = 0;
    while (at < file.n) at = skip_record(file, at);
    assert_int_equal(at, file.n);
}

static void bad_calls(void **state)
{
    fixture *f = *state;
    tl_events *e;
    char tag[300];
    memset(tag, 'x', sizeof tag);
    tag[256] = 0;
    assert_int_equal(tl_events_scalar(f->e, tag, INT64_MAX, -1, -1), TL_OK); /* the largest record there is */
    assert_int_equal(tl_events_scalar(f->e, tag, -1, -1, -1), TL_OK);
    tag[256] = 'x', tag[257] = 0;
    assert_int_equal(tl_events_scalar(f->e, tag, 0, 0, 0), TL_EARG);
    const char *file = tl_path_join(f->a, f->root, "file");
    assert_int_equal(tl_file_append(file, ""), TL_OK);
    assert_int_equal(tl_events_open(f->a, file, &e), TL_EIO);
    assert_int_equal(tl_events_open(f->a, tl_path_join(f->a, file, "below"), &e), TL_EIO);
}

static void out_of_memory_anywhere(void **state)
{
    fixture *f = *state;
    tl_status s = TL_ENOMEM;
    for (int n = 0; s; n++) {
        tl_arena *a = tl_arena_new();
        tl_events *e;
        const char *dir = tl_printf(f->a, "%s/%d", f->dir, n);
        tl_oom_countdown = n;
        s = tl_events_open(a, dir, &e);
        tl_oom_countdown = -1;
        assert_true(s == TL_OK || s == TL_ENOMEM);
        tl_arena_free(a);
        assert_in_range(n, 0, 10);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(same_as_golden), cmocka_unit_test(checksum), TEST(tensorboard_reads_it),
        TEST(no_room),        TEST(bad_calls),            TEST(out_of_memory_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
