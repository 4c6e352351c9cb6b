/* test_seal.c - sealing, every way of failing to unseal, checksums. SPDX-License-Identifier: MIT */
#include "seal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const tl_seal_cost cheap = { 1, 8 };
static const char text[] = "weights of a model";
static const tl_bytes plain = { (const uint8_t *)text, sizeof text - 1 };
#define REFUSED "'m.onnx' cannot be opened: wrong key, or the file is damaged"

static void opens(tl_arena *a, const char *key, tl_bytes file, tl_bytes want)
{
    tl_bytes got;
    assert_int_equal(tl_unseal(a, key, "m.onnx", file, &got), TL_OK);
    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.p, want.p, want.n);
}

static void refused(tl_arena *a, const char *key, tl_bytes file)
{
    tl_bytes got;
    assert_int_equal(tl_unseal(a, key, "m.onnx", file, &got), TL_EFORMAT);
    assert_string_equal(tl_errmsg(), REFUSED);
}

static void round_trip(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_bytes one, two, empty = { (const uint8_t *)"", 0 };
    assert_int_equal(tl_seal(a, "nvidia_tlt", plain, &one), TL_OK); /* at the usual cost, once */
    assert_true(tl_is_sealed(one));
    assert_int_equal(one.n, 56 + plain.n + 16);
    assert_null(memmem(one.p, one.n, "weights", 7));
    opens(a, "nvidia_tlt", one, plain);
    refused(a, "nvidia_tlt ", one);

    assert_int_equal(tl_seal_at(a, cheap, "k", plain, &one), TL_OK);
    assert_int_equal(tl_seal_at(a, cheap, "k", plain, &two), TL_OK);
    assert_memory_not_equal(one.p + 16, two.p + 16, one.n - 16); /* fresh salt and nonce each time */
    assert_int_equal(tl_seal_at(a, cheap, "Schlüssel", empty, &one), TL_OK);
    opens(a, "Schlüssel", one, empty);
    tl_arena_free(a);
}

static void keys(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_bytes file, got;
    assert_int_equal(tl_seal_at(a, cheap, "", plain, &file), TL_EARG);
    assert_int_equal(tl_seal_at(a, cheap, "right", plain, &file), TL_OK);
    static const char *const wrong[] = { "Right", "righ", "right\n", "wrong" };
    for (int i = 0; i < TL_LEN(wrong); i++) refused(a, wrong[i], file);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tl_unseal(a, i ? "" : NULL, "m.onnx", file, &got), TL_EARG);
        assert_string_equal(tl_errmsg(), "'m.onnx' is sealed: give its key with -k");
    }
    opens(a, "right", plain, plain); /* a plain file opens with a key or without */
    opens(a, NULL, plain, plain);
    tl_arena_free(a);
}

static void any_byte_changed_or_missing(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_bytes file;
    assert_int_equal(tl_seal_at(a, cheap, "k", plain, &file), TL_OK);
    for (size_t i = 0; i < file.n; i++) {
        uint8_t *copy = malloc(file.n);
        memcpy(copy, file.p, file.n);
        if (i >= 8) refused(a, "k", (tl_bytes){ copy, i }); /* shorter, it is not a sealed file at all */
        copy[i] ^= 1;
        if (i < 8) assert_false(tl_is_sealed((tl_bytes){ copy, file.n }));
        else refused(a, "k", (tl_bytes){ copy, file.n });
        free(copy);
    }
    tl_arena_free(a);
}

/* A file cannot make us compute for minutes or take all memory. */
static void cost_is_bounded(void **state)
{
    (void)state;
    static const tl_seal_cost bad[] = { { 0, 8 }, { 9, 8 }, { UINT32_MAX, 8 }, { 1, 0 }, { 1, 7 },
                                        { 1, 256 * 1024 + 1 }, { 1, UINT32_MAX } };
    tl_arena *a = tl_arena_new();
    tl_bytes file;
    assert_int_equal(tl_seal_at(a, cheap, "k", plain, &file), TL_OK);
    for (int i = 0; i < TL_LEN(bad); i++) {
        memcpy((uint8_t *)file.p + 8, &bad[i], sizeof bad[i]);
        refused(a, "k", file);
    }
    tl_arena_free(a);
}

static void out_of_memory_anywhere(void **state)
{
    (void)state;
    for (int n = 0; n < 2; n++) {
        tl_arena *a = tl_arena_new();
        tl_bytes file, got;
        tl_oom_countdown = n;
        tl_status s = tl_seal_at(a, cheap, "k", plain, &file);
        if (!s) s = tl_unseal(a, "k", "m.onnx", file, &got);
        tl_oom_countdown = -1;
        assert_int_equal(s, TL_ENOMEM);
        tl_arena_free(a);
    }
}

/* Values of Python's hashlib.blake2b(data, digest_size=32). */
static void checksums(void **state)
{
    (void)state;
    static const struct { const char *data, *hex; } row[] = {
        { "", "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8" },
        { "abc", "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319" },
    };
    for (int i = 0; i < TL_LEN(row); i++) {
        char hex[TL_CHECKSUM_SIZE];
        assert_int_equal(tl_checksum((tl_bytes){ (const uint8_t *)row[i].data, strlen(row[i].data) }, hex), TL_OK);
        assert_string_equal(hex, row[i].hex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),      cmocka_unit_test(keys),
        cmocka_unit_test(cost_is_bounded), cmocka_unit_test(any_byte_changed_or_missing),
        cmocka_unit_test(checksums),       cmocka_unit_test(out_of_memory_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
