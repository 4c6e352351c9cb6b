/* test_fetch.c - addresses, checksums, and downloads from servers that misbehave.
 * SPDX-License-Identifier: MIT */
#include "web_support.h"
#include "fetch.h"
#include <fcntl.h>

static void test_sha256(void **state)
{
    (void)state; /* FIPS 180-2, appendix B.1 */
    char hex[TL_SHA256_SIZE];
    size_t n;
    put(in("abc"), "abc");
    ok(tl_sha256_file(in("abc"), hex, &n));
    assert_int_equal(n, 3);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* ---- Addresses ---- */

static const struct {
    const char *base, *url, *is, *message;
} addresses[] = {
    { "https://h/r/index.json", "m.onnx", "https://h/r/m.onnx", NULL },
    { "https://h/r/index.json", "/m.onnx", "https://h/m.onnx", NULL },
    { "https://h/r/index.json", "https://other/m", "https://other/m", NULL },
    { "http://h:8/r/index.json", "../m", "http://h:8/m", NULL },
    { "http://h/index.json", "https://h/m", "https://h/m", NULL },
    { "file:///r/index.json", "m.onnx", "file:///r/m.onnx", NULL },
    { "file:///r/index.json", "https://h/m", "https://h/m", NULL },
    { NULL, "HTTPS://h/m", "https://h/m", NULL },
    { "https://h/r/index.json", "http://h/m", NULL,
      "is refused: what is read from https may not send us to http" },
    { "https://h/r/index.json", "file:///etc/passwd", NULL, "is refused" },
    { "http://h/r/index.json", "file:///etc/passwd", NULL, "is refused" },
    { "http://h/r/index.json", "ftp://h/m", NULL, "only http, https and file" },
    { "https://h/i", "https://me:secret@h/m", NULL, "~/.netrc" },
    { "https://h/i", "https://", NULL, "is not an address" },
};

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(addresses); i++) {
        const char *got;
        tl_status s = tl_url_resolve(a, addresses[i].base, addresses[i].url, &got);
        if (addresses[i].message) {
            if (!s) fail_msg("%s gives %s", addresses[i].url, got);
            assert_non_null(strstr(tl_errmsg(), addresses[i].message));
            assert_null(strstr(tl_errmsg(), "secret"));
        } else {
            ok(s);
            assert_string_equal(got, addresses[i].is);
        }
    }
    const char *url, *path;
    ok(tl_url_of_path(a, "/a b/100%/ü.onnx", &url));
    assert_null(strchr(url, ' '));
    ok(tl_url_path(a, url, &path));
    assert_string_equal(path, "/a b/100%/ü.onnx");
}

/* ---- Fetching: what each server makes of a file of which some bytes are there already ---- */

static const struct {
    const char *mode;
    int begun; /* bytes that are there */
    int requests;
    const char *message; /* NULL: it arrives, whole and right */
    int kept;            /* on failure: bytes that are there in the end */
} fetches[] = {
    { "ok", 0, 1, NULL, 0 },
    { "ok", 123456, 1, NULL, 0 },
    { "ok", WEB_SIZE, 0, NULL, 0 },
    { "ok", WEB_SIZE + 5, 1, NULL, 0 }, /* too many: from the beginning */
    { "slow", 0, 1, NULL, 0 },
    { "cut", 0, 3, NULL, 0 },
    { "cut_at_once", 0, 5, "trying 5 times", 50 },
    { "no_range", 0, 1, NULL, 0 },
    { "no_range", 1000, 2, NULL, 0 },
    { "no_range_cut", 0, 3, NULL, 0 },
    { "no_range_cut_always", 0, -1, "trying 5 times", -1 },
    { "no_length", 0, 1, NULL, 0 },
    { "no_length_cut", 0, 3, NULL, 0 },
    { "long", 0, 1, "sends more than the 300000 bytes", -1 },
    { "long_no_length", 0, 1, "sends more than the 300000 bytes", -1 },
    { "short", 0, 1, "ends after 299990 bytes, it should have 300000", WEB_SIZE - 10 },
    { "short", WEB_SIZE - 5, 2, "ends after 299990 bytes",
      WEB_SIZE - 10 }, /* 416, then from the beginning */
    { "404", 0, 1, "is not there (HTTP 404)", 0 },
    { "404", 50, 1, "is not there (HTTP 404)", 50 },
    { "403", 0, 1, "is not for everyone (HTTP 403)", 0 },
    { "500", 70, 5, "answers HTTP 500\n  while trying 5 times", 70 },
    { "503", 0, 3, NULL, 0 },
    { "redirect", 0, 1, NULL, 0 },
    { "loop", 0, 6, "redirects", 0 },
    { "to_file", 0, 1, "cannot fetch", 0 },
    { "to_ftp", 0, 1, "cannot fetch", 0 },
};

static void check_fetch(size_t i)
{
    const char *path = in(tl_printf(a, "file%zu", i)), *name = fetches[i].mode;
    tl_bytes got;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    mode(name)->hits = 0;
    assert_int_equal(write(fd, web_body, (size_t)fetches[i].begun), fetches[i].begun);
    tl_status s = tl_fetch(&(tl_fetch_conf){ .url = tl_printf(a, "%s/model", web(name)),
                                             .fd = fd,
                                             .path = path,
                                             .most = WEB_SIZE,
                                             .exact = true,
                                             .wait = 0.01,
                                             .listener = &ear });
    close(fd);
    ok(tl_file_read(a, path, 0, &got));
    int requests = mode(name)->hits;
    if (fetches[i].requests >= 0 && requests != fetches[i].requests)
        fail_msg("%s: %d requests, not %d", name, requests, fetches[i].requests);
    if (!fetches[i].message) {
        if (s) fail_msg("%s: %s", name, tl_errmsg());
        assert_int_equal(got.n, WEB_SIZE);
        assert_memory_equal(got.p, web_body, WEB_SIZE);
        return;
    }
    if (!s || !strstr(tl_errmsg(), fetches[i].message))
        fail_msg("%s: %s", name, s ? tl_errmsg() : "it arrived");
    if (fetches[i].kept >= 0 && got.n != (size_t)fetches[i].kept)
        fail_msg("%s: %zu bytes are left", name, got.n);
    assert_true(got.n <= WEB_SIZE);
    assert_memory_equal(got.p, web_body, got.n);
}

static void test_fetch(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(fetches); i++) check_fetch(i);
    assert_non_null(strstr(said, "warning: "));
    assert_non_null(strstr(said, "trying again in 0.0 s"));
}

static void test_fetch_meets_a_full_disk(void **state)
{
    (void)state;
    int fd = open(in("file"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    tl_write_countdown = 3;
    tl_status s = tl_fetch(&(tl_fetch_conf){ .url = tl_printf(a, "%s/model", web("ok")),
                                             .fd = fd,
                                             .path = "there",
                                             .most = WEB_SIZE,
                                             .exact = true });
    tl_write_countdown = -1;
    close(fd);
    fails(s, TL_EIO, "cannot write 'there': No space left on device (free some room");
    assert_int_equal(mode("ok")->hits, 1);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    int fd = open(in("file"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    tl_status s = tl_fetch(&(tl_fetch_conf){
        .url = "http://127.0.0.1:1/", .fd = fd, .path = "there", .most = 9, .wait = 0.01 });
    close(fd);
    fails(s, TL_EIO, "cannot fetch 'http://127.0.0.1:1/'");
    assert_non_null(strstr(tl_errmsg(), "trying 5 times"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sha256),         TEST(test_addresses),
        TEST(test_fetch),          TEST(test_fetch_meets_a_full_disk),
        TEST(test_nobody_listens),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
