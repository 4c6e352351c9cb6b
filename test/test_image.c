/* test_image.c - decoding every kind of picture, against PIL. SPDX-License-Identifier: MIT
 *
 * The pictures and what PIL makes of them come from tools/make_image_goldens.py. */
#include "image.h"
#include "picture.h"
#include <math.h>
#include <string.h>

#define IMAGES "test/data/images/"

static tl_bytes load(tl_arena *a, const char *name)
{
    tl_bytes b;
    ok(tl_file_read(a, tl_path_join(a, IMAGES, name), 0, &b));
    return b;
}

static void every_kind_as_pil(void **state)
{
    (void)state;
    FILE *f = fopen(IMAGES "expected.txt", "r");
    assert_non_null(f);
    char name[64];
    int at_least, w, h, lines = 0;
    unsigned long long rgb, gray;
    while (fscanf(f, "%63s %d %d %d %llx %llx", name, &at_least, &w, &h, &rgb, &gray) == 6) {
        tl_arena *a = tl_arena_new();
        for (int c = 1; c <= 3; c += 2) {
            tl_image m;
            ok(tl_image_decode(a, load(a, name), c, (tl_size){ at_least, at_least }, &m));
            if (m.w != w || m.h != h || m.c != c || hash_of(&m) != (c == 3 ? rgb : gray))
                fail_msg("%s at least %d, %d channels: %dx%dx%d, %016llx", name, at_least, c, m.w,
                         m.h, m.c, (unsigned long long)hash_of(&m));
        }
        tl_arena_free(a);
        lines++;
    }
    fclose(f);
    assert_true(lines > 50);
}

/* Decoded to no less than `least`, then resized. */
static tl_image shrunk(tl_arena *a, const char *path, tl_size least, tl_size to, tl_size *decoded)
{
    tl_image m, out;
    ok(tl_image_load(a, path, 3, least, &m));
    *decoded = (tl_size){ m.w, m.h };
    ok(tl_image_resize(a, &m, (tl_crop){ 0, 0, (float)m.w, (float)m.h }, to.w, to.h, TL_BILINEAR, &out));
    return out;
}

/* Peak signal to noise ratio in dB. */
static double psnr(const tl_image *x, const tl_image *y)
{
    const int n = x->w * x->h * x->c;
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (x->p[i] - y->p[i]) * (x->p[i] - y->p[i]);
    return sum > 0 ? 10 * log10(255.0 * 255.0 * n / sum) : 99;
}

/* Photographs of about 240x240: decoded at a reduced size and then resized they are much as decoded in full, and never
 * enlarged. */
static void reduced_decoding_is_close(void **state)
{
    (void)state;
#define VEHICLES "examples/vehicles/test/"
    static const char *const photos[] = {
        VEHICLES "ambulance/75738d3d8b999eb0_1.jpg", VEHICLES "bus/a9cbd4910c5d9086_1.jpg",
        VEHICLES "motorcycle/897ab2755c40c9d5_1.jpg", VEHICLES "motorcycle/d8457fa9476ca19f_1.jpg",
    };
    static const struct { tl_size to; int by; } rows[] = {
        { { 121, 30 }, 1 }, { { 116, 112 }, 2 }, { { 64, 64 }, 2 }, { { 116, 30 }, 2 }, { { 56, 56 }, 4 }, { { 24, 29 }, 8 },
    };
    for (int i = 0; i < TL_LEN(photos); i++)
        for (int r = 0; r < TL_LEN(rows); r++) {
            tl_arena *a = tl_arena_new();
            const tl_size to = rows[r].to;
            tl_size full, small;
            tl_image x = shrunk(a, photos[i], (tl_size){ 0, 0 }, to, &full), y = shrunk(a, photos[i], to, to, &small);
            assert_int_equal((full.w + small.w / 2) / small.w, rows[r].by);
            assert_true(small.w >= to.w && small.h >= to.h);
            if (!(psnr(&x, &y) > 28)) fail_msg("%s to %dx%d, decoded at 1/%d: %g dB", photos[i], to.w, to.h, rows[r].by, psnr(&x, &y));
            tl_arena_free(a);
        }
}

/* Whatever is cut off, the file is not a picture any more. */
static void truncated_is_damaged(void **state)
{
    (void)state;
    static const char *const names[] = { "baseline.jpg",     "progressive.jpg",
                                         "restarts.jpg",     "cmyk.jpg",
                                         "rgb8.png",         "gray16_interlaced.png",
                                         "palette8_trns.png" };
    for (int i = 0; i < TL_LEN(names); i++) {
        tl_arena *keep = tl_arena_new(), *a = tl_arena_new();
        tl_bytes whole = load(keep, names[i]);
        for (size_t n = 0; n < whole.n; n++) {
            tl_image m;
            if (tl_image_decode(a, (tl_bytes){ whole.p, n }, 3, (tl_size){ 0, 0 }, &m) != TL_EFORMAT)
                fail_msg("%s cut to %zu of %zu bytes: %s", names[i], n, whole.n, tl_errmsg());
            tl_arena_reset(a);
        }
        tl_arena_free(a);
        tl_arena_free(keep);
    }
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        tl_status s;
        const char *says;
    } rows[] = {
        { "", 0, TL_EFORMAT, "empty" },
        { "hello", 5, TL_EFORMAT, "not a picture" },
        { "GIF89a....", 10, TL_EUNSUP, "GIF" },
        { "RIFF....WEBPVP8 ", 16, TL_EUNSUP, "WebP" },
        { "\0\0\0\x18"
          "ftypheic",
          12, TL_EUNSUP, "HEIF" },
        { "\xff\xd8\xff\xd9", 4, TL_EFORMAT, "damaged JPEG" },
        { "\x89PNG\r\n\x1a\n", 8, TL_EFORMAT, "damaged PNG: the file ends too early" },
        /* JPEG headers of 50000 x 50000 and of 40000 x 4000 pixels, with nothing behind. */
        { "\xff\xd8\xff\xc0\0\x0b\x08\xc3\x50\xc3\x50\1\1\x11\0\xff\xda\0\x08\1\1\0\0\x3f\0", 25,
          TL_EUNSUP, "too large" },
        { "\xff\xd8\xff\xc0\0\x0b\x08\x0f\xa0\x9c\x40\1\1\x11\0\xff\xda\0\x08\1\1\0\0\x3f\0", 25,
          TL_EFORMAT, "cannot hold" },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_arena *a = tl_arena_new();
        tl_image m;
        tl_status s =
            tl_image_decode(a, (tl_bytes){ (const uint8_t *)rows[i].bytes, rows[i].n }, 3, (tl_size){ 0, 0 }, &m);
        if (s != rows[i].s || !strstr(tl_errmsg(), rows[i].says))
            fail_msg("row %d: %d, %s", i, s, tl_errmsg());
        tl_arena_free(a);
    }
    tl_arena *a = tl_arena_new();
    tl_image m;
    assert_int_equal(tl_image_load(a, IMAGES "absent.png", 3, (tl_size){ 0, 0 }, &m), TL_EIO);
    assert_non_null(strstr(tl_errmsg(), IMAGES "absent.png"));
    assert_int_equal(tl_image_load(a, IMAGES "expected.txt", 3, (tl_size){ 0, 0 }, &m), TL_EFORMAT);
    assert_non_null(strstr(tl_errmsg(), "'" IMAGES "expected.txt': not a picture"));
    tl_arena_free(a);
}

/* A damaged byte in the middle may go unnoticed, but must not crash. */
static void survives_changed_bytes(void **state)
{
    (void)state;
    static const char *const names[] = { "progressive.jpg", "ycck.jpg", "exif6.jpg",
                                         "rgba8_interlaced.png", "palette4.png" };
    for (int i = 0; i < TL_LEN(names); i++) {
        tl_arena *keep = tl_arena_new(), *a = tl_arena_new();
        tl_bytes b = load(keep, names[i]);
        uint8_t *p = (uint8_t *)b.p;
        for (size_t n = 0; n < b.n; n++) {
            tl_image m;
            p[n] ^= 0x55;
            (void)tl_image_decode(a, b, 1, (tl_size){ 8, 8 }, &m);
            p[n] ^= 0x55;
            tl_arena_reset(a);
        }
        tl_arena_free(a);
        tl_arena_free(keep);
    }
}

/* Rubbish before a marker: real files have it. */
static void extraneous_bytes_are_no_damage(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_bytes b = load(a, "baseline.jpg");
    uint8_t *p = tl_alloc(a, b.n + 2), *sof = memmem(b.p, b.n, "\xff\xc0", 2);
    size_t before = (size_t)(sof - b.p);
    memcpy(p, b.p, before);
    memcpy(p + before, "xx", 2);
    memcpy(p + before + 2, sof, b.n - before);
    tl_image m, same;
    ok(tl_image_decode(a, (tl_bytes){ p, b.n + 2 }, 3, (tl_size){ 0, 0 }, &m));
    ok(tl_image_decode(a, b, 3, (tl_size){ 0, 0 }, &same));
    assert_true(hash_of(&m) == hash_of(&same));
    tl_arena_free(a);
}

static void out_of_memory_everywhere(void **state)
{
    (void)state;
    static const char *const names[] = { "exif6.jpg", "ycck.jpg", "rgba16_interlaced.png",
                                         "rgb8_exif8.png" };
    for (int i = 0; i < TL_LEN(names); i++)
        for (long n = 0;; n++) {
            tl_arena *a = tl_arena_new();
            tl_bytes b = load(a, names[i]);
            tl_image m;
            tl_oom_countdown = n;
            tl_status s = tl_image_decode(a, b, 3, (tl_size){ 0, 0 }, &m);
            tl_oom_countdown = -1;
            tl_arena_free(a);
            if (!s) {
                assert_true(n >= 3);
                break;
            }
            assert_int_equal(s, TL_ENOMEM);
        }
}

static void names(void **state)
{
    (void)state;
    assert_true(tl_image_name("a.jpg") && tl_image_name("A b.JPG") &&
                tl_image_name("\xc3\xa9.JpEg") && tl_image_name("x.y.png"));
    assert_false(tl_image_name("jpg") || tl_image_name("a.jpg.txt") || tl_image_name("a.gif") ||
                 tl_image_name(""));
}

static void flips(void **state)
{
    (void)state;
    uint8_t p[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18 };
    tl_image m = { 3, 2, 3, p }, gray = { 4, 1, 1, p };
    tl_image_flip(&m);
    assert_memory_equal(
        p, ((uint8_t[]){ 7, 8, 9, 4, 5, 6, 1, 2, 3, 16, 17, 18, 13, 14, 15, 10, 11, 12 }), 18);
    tl_image_flip(&gray);
    assert_memory_equal(p, ((uint8_t[]){ 4, 9, 8, 7 }), 4);
}

static void color_matrix(void **state)
{
    (void)state;
    uint8_t p[] = { 0, 100, 255, 200, 50, 10 };
    tl_image m = { 2, 1, 3, p };
    /* Swap red and blue; half of green plus a tenth: 50 + 25.5, 25 + 25.5 */
    tl_image_color(&m, (float[12]){ 0, 0, 1, 0, 0, 0.5f, 0, 0.1f, 1, 0, 0, 0 });
    assert_memory_equal(p, ((uint8_t[]){ 255, 76, 0, 10, 51, 200 }), 6);
    tl_image_color(&m, (float[12]){ 2, 0, 0, 0, 1, -1, 0, -0.5f, 0, 0, 1, 1 });
    assert_memory_equal(p, ((uint8_t[]){ 255, 52, 255, 20, 0, 255 }), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_as_pil),
        cmocka_unit_test(reduced_decoding_is_close),
        cmocka_unit_test(truncated_is_damaged),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(survives_changed_bytes),
        cmocka_unit_test(extraneous_bytes_are_no_damage),
        cmocka_unit_test(out_of_memory_everywhere),
        cmocka_unit_test(names),
        cmocka_unit_test(flips),
        cmocka_unit_test(color_matrix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
