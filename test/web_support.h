/* web_support.h - what the tests of fetching and of registries share: a temporary folder, which is
 * also the cache, an arena for each test, and the server. SPDX-License-Identifier: MIT */
#ifndef TL_WEB_SUPPORT_H
#define TL_WEB_SUPPORT_H
#include "web_server.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

static tl_arena *a;
static char folder[] = "/tmp/test_web_XXXXXX";
static char said[8192];

static inline void hear(void *ctx, const char *text)
{
    (void)ctx;
    strncat(said, text, sizeof said - strlen(said) - 1);
}
static const tl_listener ear = { .say = hear };

static inline void ok(tl_status s)
{
    if (s) fail_msg("%s", tl_errmsg());
}

static inline void fails(tl_status got, tl_status wanted, const char *message)
{
    if (got != wanted || !strstr(tl_errmsg(), message))
        fail_msg("%d, not %d with \"%s\": %s", got, wanted, message, tl_errmsg());
}

static inline const char *in(const char *name) { return tl_path_join(a, folder, name); }
static inline const char *web(const char *mode)
{
    return tl_printf(a, "http://127.0.0.1:%d/%s", web_port, mode);
}
static inline web_mode *mode(const char *name) { return web_find(name, strlen(name)); }
static inline void put(const char *path, const char *text)
{
    ok(tl_file_write(path, text, strlen(text)));
}

static inline int set_up(void **state)
{
    (void)state;
    a = tl_arena_new();
    said[0] = 0;
    for (size_t i = 0; i < LEN(web_modes); i++) web_modes[i].hits = 0;
    return !a || system(tl_printf(a, "rm -rf %s/*", folder));
}

static inline int tear_down(void **state)
{
    (void)state;
    tl_arena_free(a);
    return 0;
}

static inline int start(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    setenv("XDG_CACHE_HOME", folder, 1);
    setenv("no_proxy", "*", 1);
    unsetenv("TLC_REGISTRY");
    return web_start();
}

static inline int finish(void **state)
{
    (void)state;
    char command[80];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#endif
