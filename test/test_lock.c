/* test_lock.c - one at a time at a file. SPDX-License-Identifier: MIT */
#include "lock.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/test_lock_XXXXXX", path[64];

typedef struct {
    tl_status status;
    struct stat got; /* the file that was locked */
    atomic_int told;
    volatile int stop;
} waiter;

static void hear(void *ctx, const char *text)
{
    assert_non_null(strstr(text, "waiting for another program"));
    ((waiter *)ctx)->told++;
}

static void *wait_for_it(void *ctx)
{
    waiter *w = ctx;
    tl_arena *a = tl_arena_new();
    int fd;
    w->status = tl_lock(a, path, &(tl_listener){ .say = hear, .ctx = w, .stop = &w->stop }, &fd);
    if (!w->status) fstat(fd, &w->got);
    tl_arena_free(a);
    return NULL;
}

/* Hold the file, and start another thread that wants it. */
static tl_arena *hold(waiter *w, pthread_t *thread)
{
    tl_arena *a = tl_arena_new();
    int fd;
    assert_int_equal(tl_lock(a, path, NULL, &fd), TL_OK);
    assert_int_equal(pthread_create(thread, NULL, wait_for_it, w), 0);
    while (!w->told) nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    return a;
}

static void test_waits_until_it_is_free(void **state)
{
    (void)state;
    waiter w = { .status = TL_EARG };
    pthread_t thread;
    tl_arena *a = hold(&w, &thread);
    assert_int_equal(w.status, TL_EARG); /* not yet */
    tl_arena_free(a);
    pthread_join(thread, NULL);
    assert_int_equal(w.status, TL_OK);
    assert_int_equal(w.told, 1);
}

/* Who waited for a file that is gone gets the one that is there now. */
static void test_takes_what_is_there(void **state)
{
    (void)state;
    waiter w = { .status = TL_EARG };
    pthread_t thread;
    struct stat now;
    tl_arena *a = hold(&w, &thread);
    char old[80];
    snprintf(old, sizeof old, "%s.old", path);
    assert_int_equal(rename(path, old), 0);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    tl_arena_free(a);
    pthread_join(thread, NULL);
    assert_int_equal(w.status, TL_OK);
    assert_int_equal(stat(path, &now), 0);
    assert_true(w.got.st_ino == now.st_ino);
    unlink(old);
}

static void test_waiting_can_be_stopped(void **state)
{
    (void)state;
    waiter w = { .status = TL_EARG };
    pthread_t thread;
    tl_arena *a = hold(&w, &thread);
    w.stop = 1;
    pthread_join(thread, NULL);
    assert_int_equal(w.status, TL_ESTOPPED);
    tl_arena_free(a);
}

static void test_cannot_be_made(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    int fd;
    assert_int_equal(tl_lock(a, "/no/such/folder/file", NULL, &fd), TL_EIO);
    assert_string_equal(tl_errmsg(),
                        "cannot write '/no/such/folder/file': No such file or directory");
    tl_arena_free(a);
}

static int start(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_until_it_is_free),
        cmocka_unit_test(test_takes_what_is_there),
        cmocka_unit_test(test_waiting_can_be_stopped),
        cmocka_unit_test(test_cannot_be_made),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
