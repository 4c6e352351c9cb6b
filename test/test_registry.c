/* test_registry.c - registries: indexes, pulling, the cache, pushing, verifying.
 * SPDX-License-Identifier: MIT */
#include "web_support.h"
#include "registry.h"

#define MODEL "models/mobilenet_v2_imagenet.onnx"
#define SHA   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* ---- The index ---- */

#define ONE(more)                                                                                  \
    "{\"tlc_registry\": 1, \"models\": [{\"name\": \"m\", \"size\": 9, \"sha256\": \"" SHA         \
    "\", \"url\": \"m.onnx\"" more "}]}"
static const struct {
    const char *text, *message; /* message NULL: fine */
} indexes[] = {
    { ONE(""), NULL },
    { ONE(", \"classes\": [\"a\", \"\\u00fc\"], \"parameters\": 7, \"task\": \"x\", \"new\": "
          "{\"in\": \"2031\"}"),
      NULL },
    { "{\"tlc_registry\": 1, \"models\": []}", NULL },
    { "", "line 1, column 0" },
    { "<html>", "is not the index of a registry: line 1" },
    { "[1, 2]", "was expected" },
    { "{\"tlc_registry\": 1}", "was expected" },
    { "{\"tlc_registry\": 2, \"models\": []}", "version 2" },
    { "{\"tlc_registry\": 1, \"models\": [7]}", "models[0]: 'name' must be" },
    { "{\"tlc_registry\": 1, \"models\": [{\"name\": \"m\"}]}", "models[0] m: 'sha256' must be" },
    { "{\"tlc_registry\": 1, \"models\": [{\"name\": \"../m\"}]}",
      "models[0]: 'name' must be 1 to 64" },
    { "{\"tlc_registry\": 1, \"models\": [{\"name\": \"a/b\"}]}", "'name' must be" },
    { "{\"tlc_registry\": 1, \"models\": [{\"name\": \".m\"}]}", "'name' must be" },
    { "{\"tlc_registry\": 1, \"models\": [{\"name\": \"-m\"}]}", "'name' must be" },
    { "{\"tlc_registry\": 1, \"models\": [{\"name\": \"m\\n\"}]}", "'name' must be" },
    { "{\"tlc_registry\": 1, \"models\": [{\"name\": \"m\", \"name\": \"n\"}]}", "duplicate" },
    { ONE(", \"accuracy\": \"\\u001b[2J\""), "'accuracy' must be text" },
    { ONE(", \"license\": \"\\u009b2J\""), "'license' must be text" },
    { ONE(", \"license\": 3"), "'license' must be text" },
    { ONE(", \"classes\": \"car\""), "'classes' must be" },
    { ONE(", \"classes\": [1]"), "'classes' must be" },
    { ONE(", \"parameters\": -1"), "'parameters' must be" },
    { "{\"tlc_registry\": 1, \"models\": [{\"name\": \"m\", \"size\": 0, \"sha256\": \"" SHA
      "\", \"url\": \"u\"}]}",
      "'size' must be" },
    { "{\"tlc_registry\": 1, \"models\": [{\"name\": \"m\", \"size\": 1e9, \"sha256\": \"" SHA
      "\", \"url\": \"u\"}]}",
      "'size' must be" },
    { "{\"tlc_registry\": 1, \"models\": [{\"name\": \"m\", \"size\": 9999999999999999, "
      "\"sha256\": \"" SHA "\", \"url\": \"u\"}]}",
      "'size'" },
    { "{\"tlc_registry\": 1, \"models\": [{\"name\": \"m\", \"size\": 9, \"sha256\": \"ABC\", "
      "\"url\": \"u\"}]}",
      "'sha256' must be" },
    { "{\"tlc_registry\": 1, \"models\": [{\"name\": \"m\", \"size\": 9, \"sha256\": \"" SHA
      "\", \"url\": \"u\"},"
      "{\"name\": \"m\", \"size\": 9, \"sha256\": \"" SHA "\", \"url\": \"u\"}]}",
      "two models of the name 'm'" },
};

static void test_index(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(indexes); i++) {
        tl_index x;
        tl_bytes text = { (const uint8_t *)indexes[i].text, strlen(indexes[i].text) };
        tl_status s = tl_index_read(a, "index.json", text, &x);
        if (!indexes[i].message) ok(s);
        else if (!s || !strstr(tl_errmsg(), indexes[i].message))
            fail_msg("%s: %s", indexes[i].text, s ? tl_errmsg() : "accepted");
    }
}

static void test_index_keeps_what_it_does_not_know(void **state)
{
    (void)state;
    tl_index x;
    tl_bytes text = { (const uint8_t *)ONE(", \"stars\": 5"), strlen(ONE(", \"stars\": 5")) };
    tl_registry_model m;
    ok(tl_index_read(a, "i", text, &x));
    m = *(const tl_registry_model *)x.model.at;
    m.license = "MIT";
    ok(tl_index_put(a, &x, &m, &x));
    m.name = "other";
    ok(tl_index_put(a, &x, &m, &x));
    ok(tl_index_text(a, &x, &text));
    assert_non_null(strstr((const char *)text.p, "\"stars\": 5"));
    ok(tl_index_read(a, "i", text, &x));
    assert_int_equal(x.model.n, 2);
    assert_string_equal(tl_index_find(&x, "m")->license, "MIT");
    fails(tl_index_get(&x, "othr", &(const tl_registry_model *){ NULL }), TL_EARG,
          "did you mean 'other'?");
}

/* ---- Pulling ---- */

/* What is in the cache, names separated by blanks. */
static const char *cached(void)
{
    tl_list names = { 0, NULL };
    tl_text t = tl_text_new(a);
    const char *cache;
    ok(tl_cache_folder(a, &cache));
    if (tl_is_dir(cache)) ok(tl_dir_list(a, cache, &names));
    for (int i = 0; i < names.n; i++)
        tl_textf(&t, "%s%s", i ? " " : "", ((const char **)names.at)[i]);
    return tl_text_end(&t);
}

static const char *cache_name(void)
{
    char hex[TL_SHA256_SIZE];
    tl_sha256((tl_bytes){ web_body, WEB_SIZE }, hex);
    return tl_printf(a, "model-%.12s.onnx", hex);
}

static void test_pull(void **state)
{
    (void)state;
    tl_pull_summary s;
    tl_bytes got;
    const char *found;
    fails(tl_cache_find(a, "model", &found), TL_EIO,
          "'registry:model' has not been pulled yet: 'tlc model pull model'");
    ok(tl_registry_pull(a, web("cut"), "model", &ear, &s));
    assert_true(s.fetched);
    assert_non_null(strstr(s.text, "pretrained_model_path: \"registry:model\""));
    ok(tl_file_read(a, s.path, 0, &got));
    assert_int_equal(got.n, WEB_SIZE);
    assert_memory_equal(got.p, web_body, WEB_SIZE);
    assert_string_equal(cached(), cache_name());
    ok(tl_registry_pull(a, web("404"), "model", &ear,
                        &s)); /* it is here already: nobody is asked */
    assert_false(s.fetched);
    assert_int_equal(mode("404")->hits, 0);
    ok(tl_cache_find(a, "model", &found));
    assert_string_equal(found, s.path);
    fails(tl_cache_find(a, "mode", &found), TL_EIO, "has not been pulled");

    put(s.path, "damaged");
    fails(tl_cache_find(a, "model", &found), TL_EFORMAT, "is not what was pulled");
    ok(tl_registry_pull(a, web("ok"), "model", &ear, &s));
    assert_true(s.fetched);
    ok(tl_cache_find(a, "model", &found));
}

static const struct {
    const char *mode, *message;
} refused[] = {
    { "flip", "is not what the index describes: its SHA-256 is" },
    { "long", "sends more than" },
    { "short", "ends after" },
    { "404", "is not there" },
    { "to_file", "cannot fetch" },
    { "garbage", "/garbage/index.json' is not the index of a registry" },
};

/* Neither a file nor a part of one is left of what is of no use. */
static void test_pull_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(refused); i++) {
        tl_pull_summary s;
        if (!tl_registry_pull(a, web(refused[i].mode), "model", &ear, &s))
            fail_msg("%s: pulled", refused[i].mode);
        if (!strstr(tl_errmsg(), refused[i].message))
            fail_msg("%s: %s", refused[i].mode, tl_errmsg());
        if (*cached()) fail_msg("%s: left %s", refused[i].mode, cached());
    }
    fails(tl_registry_pull(a, web("ok"), "modle", &ear, &(tl_pull_summary){ 0 }), TL_EARG,
          "did you mean 'model'?");
}

static volatile int stop;
static void stop_halfway(void *ctx, const tl_progress *p)
{
    (void)ctx;
    assert_string_equal(p->stage, "model");
    assert_true(p->size == WEB_SIZE && p->done <= p->size);
    if (p->done > WEB_SIZE / 2) stop = 1;
}

static void test_stopped_pull_goes_on(void **state)
{
    (void)state;
    tl_pull_summary s;
    const tl_listener l = { .say = hear, .progress = stop_halfway, .stop = &stop };
    stop = 0;
    fails(tl_registry_pull(a, web("slow"), "model", &l, &s), TL_ESTOPPED,
          "the same command goes on from there");
    assert_string_equal(cached(), tl_printf(a, "%s.part", cache_name()));
    ok(tl_registry_pull(a, web("ok"), "model", &ear, &s));
    assert_true(mode("ok")->from > WEB_SIZE / 2);
    assert_non_null(strstr(said, "going on with"));
    assert_string_equal(cached(), cache_name());
}

static void test_damaged_part_is_fetched_again(void **state)
{
    (void)state;
    tl_pull_summary s;
    const char *cache;
    ok(tl_cache_folder(a, &cache));
    ok(tl_mkdirs(cache));
    put(tl_printf(a, "%s/%s.part", cache, cache_name()), "not the beginning");
    ok(tl_registry_pull(a, web("ok"), "model", &ear, &s));
    assert_int_equal(mode("ok")->hits, 2);
    assert_int_equal(mode("ok")->from, 0);
    assert_non_null(strstr(said, "was damaged"));
}

static void *pull_too(void *fetched)
{
    tl_arena *own = tl_arena_new();
    tl_pull_summary s = { 0 };
    *(int *)fetched = tl_registry_pull(own, tl_printf(own, "http://127.0.0.1:%d/slow", web_port),
                                       "model", NULL, &s)
                          ? -1
                          : s.fetched;
    tl_arena_free(own);
    return NULL;
}

static void test_two_pulls_are_one(void **state)
{
    (void)state;
    enum { N = 4 };
    pthread_t thread[N];
    int fetched[N], sum = 0;
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(thread + i, NULL, pull_too, fetched + i), 0);
    for (int i = 0; i < N; i++) {
        pthread_join(thread[i], NULL);
        assert_true(fetched[i] >= 0);
        sum += fetched[i];
    }
    assert_int_equal(sum, 1);
    assert_int_equal(mode("slow")->hits, 1);
    assert_string_equal(cached(), cache_name());
}

/* Failing at any allocation is told, leaks nothing, and leaves at most a part. */
static void test_pull_without_memory(void **state)
{
    (void)state;
    const char *there = web("ok");
    for (long n = 0;; n++) {
        tl_pull_summary s;
        tl_oom_countdown = n;
        tl_status got = tl_registry_pull(a, there, "model", NULL, &s);
        tl_oom_countdown = -1;
        if (!got) break;
        if (got != TL_ENOMEM || n > 1000) fail_msg("allocation %ld: %s", n, tl_errmsg());
    }
    assert_string_equal(cached(), cache_name());
}

/* What was written before the disk was full stays, and the next pull goes on from there. */
static void test_pull_meets_a_full_disk(void **state)
{
    (void)state;
    tl_pull_summary s;
    tl_write_countdown = 3;
    tl_status got = tl_registry_pull(a, web("slow"), "model", NULL, &s);
    tl_write_countdown = -1;
    fails(got, TL_EIO, "No space left on device (free some room");
    assert_non_null(strstr(tl_errmsg(), "are kept, the same command goes on from there"));
    assert_string_equal(cached(), tl_printf(a, "%s.part", cache_name()));
    ok(tl_registry_pull(a, web("ok"), "model", NULL, &s));
    assert_true(mode("ok")->from > 0);
    assert_string_equal(cached(), cache_name());
}

static void test_where_the_cache_is(void **state)
{
    (void)state;
    const char *cache, *xdg = tl_strdup(a, getenv("XDG_CACHE_HOME")),
                       *home = tl_strdup(a, getenv("HOME"));
    setenv("HOME", "/home/me", 1);
    setenv("XDG_CACHE_HOME", "relative", 1); /* which the standard says to ignore */
    ok(tl_cache_folder(a, &cache));
    assert_string_equal(cache, "/home/me/.cache/tlc/models");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    fails(tl_cache_folder(a, &cache), TL_EIO, "neither HOME nor XDG_CACHE_HOME");
    setenv("HOME", home, 1);
    setenv("XDG_CACHE_HOME", xdg, 1);
}

/* ---- The models that come with TLC ---- */

static void test_builtin(void **state)
{
    (void)state;
    tl_list models;
    tl_pull_summary s;
    tl_verify_summary v;
    const char *text;
    ok(tl_registry_list(a, NULL, "mobilenet_v2", NULL, &models, &text));
    assert_int_equal(models.n, 1);
    assert_non_null(strstr(text, "mobilenet_v2_imagenet"));
    assert_null(strstr(text, "pulled"));
    ok(tl_registry_pull(a, NULL, "mobilenet_v2_imagenet", NULL, &s));
    ok(tl_registry_verify(a, NULL, NULL, &v));
    assert_int_equal(v.right, 2); /* there, and in the cache */
    assert_int_equal(v.wrong, 0);
    tl_model_info info;
    ok(tl_model_describe(a, "registry:mobilenet_v2_imagenet", NULL, &info));
    assert_int_equal(info.params, ((tl_registry_model *)models.at)->parameters);
    fails(tl_registry_list(a, NULL, "resnet", NULL, &models, &text), TL_EARG,
          "has no model for 'resnet'");
}

/* ---- Pushing ---- */

static tl_status push(const char *registry, const char *file, const char *name,
                      const char *accuracy)
{
    const char *text;
    return tl_registry_push(a,
                            &(tl_push_opts){ .registry = registry,
                                             .files = { 1, &file },
                                             .name = name,
                                             .license = "Apache-2.0",
                                             .accuracy = accuracy },
                            &ear, &text);
}

static void test_push(void **state)
{
    (void)state;
    const char *there = in("reg istry"), *text;
    tl_registry r;
    tl_verify_summary v;
    tl_pull_summary s;
    ok(push(there, MODEL, "one", "0.9 on vehicles test"));
    ok(push(there, MODEL, NULL, NULL));
    ok(push(there, MODEL, "one", NULL)); /* the same again: what was said of it stays */
    ok(tl_registry_open(a, there, NULL, &r));
    assert_int_equal(r.index.model.n, 2);
    const tl_registry_model *m = tl_index_find(&r.index, "one");
    assert_string_equal(m->accuracy, "0.9 on vehicles test");
    assert_string_equal(m->license, "Apache-2.0");
    assert_string_equal(m->backbone, "mobilenet_v2");
    assert_string_equal(m->input, "3x224x224");
    assert_string_equal(
        m->sha256,
        "ecf1b91db022f1aee02563ebda1df21d7e09d684ac7b398b2695c71787959dd7"); /* sha256sum's */
    assert_int_equal(m->size, 4694365);
    assert_non_null(tl_index_find(&r.index, "mobilenet_v2_imagenet"));
    ok(tl_registry_pull(a, there, "one", NULL, &s));
    ok(tl_registry_verify(a, there, NULL, &v));
    assert_int_equal(v.right, 3);

    const char *url;
    ok(tl_registry_path(a, &r, m, &url));
    put(url, "damaged");
    put(s.path, "damaged");
    ok(tl_registry_verify(a, there, NULL, &v));
    assert_int_equal(v.right, 1);
    assert_int_equal(v.wrong, 2);
    assert_non_null(strstr(v.text, "has 7 bytes, the index says 4694365"));

    fails(push(web("ok"), MODEL, NULL, NULL), TL_EARG,
          "can be read, not written to: push to a folder");
    fails(push(NULL, MODEL, NULL, NULL), TL_EARG, "which registry?");
    fails(push(there, MODEL, "../x", NULL), TL_EARG, "cannot be a model's name");
    fails(push(there, MODEL, "x", "with a\nline"), TL_EFORMAT, "'accuracy' must be text");
    fails(push(there, "Makefile", NULL, NULL), TL_EFORMAT, "'tlc import' makes one");
    ok(tl_mkdirs(in("other")));
    put(in("other/index.json"), "not ours");
    fails(push(in("other"), MODEL, NULL, NULL), TL_EFORMAT, "is not the index of a registry");
    fails(tl_registry_push(a,
                           &(tl_push_opts){ .registry = there,
                                            .name = "n",
                                            .files = { 2, (const char *[]){ MODEL, MODEL } } },
                           NULL, &text),
          TL_EARG, "push them one by one");
}

/* Another model under a name that is taken. */
static void test_push_replaces_only_when_asked(void **state)
{
    (void)state;
    const char *there = in("registry"), *file = MODEL, *text;
    tl_registry r;
    ok(tl_mkdirs(there));
    put(in("registry/index.json"), ONE(", \"stars\": 5"));
    fails(
        push(there, MODEL, "m", NULL), TL_EARG,
        "has another model of the name 'm'; give this one another with --name, or add --overwrite");
    ok(tl_registry_push(a,
                        &(tl_push_opts){ .registry = in("registry/index.json"),
                                         .files = { 1, &file },
                                         .name = "m",
                                         .overwrite = true },
                        NULL, &text));
    ok(tl_registry_open(a, there, NULL, &r));
    assert_int_equal(r.index.model.n, 1);
    assert_int_equal(((tl_registry_model *)r.index.model.at)->size, 4694365);
}

static void *push_too(void *name)
{
    tl_arena *own = tl_arena_new();
    const char *file = MODEL, *text;
    tl_status s =
        tl_registry_push(own,
                         &(tl_push_opts){ .registry = tl_printf(own, "%s/together", folder),
                                          .files = { 1, &file },
                                          .name = name },
                         NULL, &text);
    tl_arena_free(own);
    return (void *)(intptr_t)s;
}

static void test_pushes_at_once_all_stay(void **state)
{
    (void)state;
    static const char *const names[] = { "one", "two", "three" };
    pthread_t thread[LEN(names)];
    tl_registry r;
    for (size_t i = 0; i < LEN(names); i++)
        assert_int_equal(pthread_create(thread + i, NULL, push_too, (void *)(uintptr_t)names[i]),
                         0);
    for (size_t i = 0; i < LEN(names); i++) {
        void *status;
        pthread_join(thread[i], &status);
        assert_null(status);
    }
    ok(tl_registry_open(a, in("together"), NULL, &r));
    assert_int_equal(r.index.model.n, LEN(names));
}

/* Failing at any write leaves the index as it was, and no temporary file. */
static void test_push_meets_a_full_disk(void **state)
{
    (void)state;
    tl_list names;
    tl_bytes index;
    ok(push(in("registry"), MODEL, "one", NULL));
    for (long n = 0;; n++) {
        tl_write_countdown = n;
        tl_status s = push(in("registry"), MODEL, "two", NULL);
        tl_write_countdown = -1;
        ok(tl_file_read(a, in("registry/index.json"), 0, &index));
        if (!s) break;
        fails(s, TL_EIO, "No space left");
        assert_null(strstr((const char *)index.p, "two"));
        ok(tl_dir_list(a, in("registry"), &names));
        for (int i = 0; i < names.n; i++) assert_null(strstr(((const char **)names.at)[i], ".tmp"));
        assert_true(n < 100);
    }
    assert_non_null(strstr((const char *)index.p, "two"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_index),
        TEST(test_index_keeps_what_it_does_not_know),
        TEST(test_pull),
        TEST(test_pull_refuses),
        TEST(test_stopped_pull_goes_on),
        TEST(test_damaged_part_is_fetched_again),
        TEST(test_two_pulls_are_one),
        TEST(test_pull_without_memory),
        TEST(test_pull_meets_a_full_disk),
        TEST(test_where_the_cache_is),
        TEST(test_builtin),
        TEST(test_push),
        TEST(test_push_replaces_only_when_asked),
        TEST(test_pushes_at_once_all_stay),
        TEST(test_push_meets_a_full_disk),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
