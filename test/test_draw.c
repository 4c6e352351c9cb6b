/* test_draw.c - marks in pictures, the colors of classes, and pictures written to files. SPDX-License-Identifier: MIT */
#include "draw.h"
#include "picture.h"
#include "rng.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "folder.h"

static tl_image flat(int w, int h, int c, int value)
{
    tl_image m;
    ok(tl_image_new(a, w, h, c, &m));
    memset(m.p, value, (size_t)w * (size_t)h * (size_t)c);
    return m;
}

static const uint8_t *pixel(const tl_image *m, int x, int y) { return m->p + (y * m->w + x) * m->c; }

static bool is(const uint8_t *p, tl_rgb c) { return p[0] == c.r && p[1] == c.g && p[2] == c.b; }

/* ---- Colors ---- */

/* CIELAB under D65. */
static void lab(tl_rgb c, double out[3])
{
    const double v[3] = { c.r / 255.0, c.g / 255.0, c.b / 255.0 };
    double l[3], f[3];
    for (int i = 0; i < 3; i++) l[i] = v[i] <= 0.04045 ? v[i] / 12.92 : pow((v[i] + 0.055) / 1.055, 2.4);
    const double xyz[3] = { (0.4124 * l[0] + 0.3576 * l[1] + 0.1805 * l[2]) / 0.9505, 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2],
                            (0.0193 * l[0] + 0.1192 * l[1] + 0.9505 * l[2]) / 1.089 };
    for (int i = 0; i < 3; i++) f[i] = xyz[i] > 0.008856 ? cbrt(xyz[i]) : 7.787 * xyz[i] + 16 / 116.0;
    out[0] = 116 * f[1] - 16, out[1] = 500 * (f[0] - f[1]), out[2] = 200 * (f[1] - f[2]);
}

static void classes_look_different(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        double p[3], q[3];
        lab(tl_palette(i), p);
        assert_true(p[0] > 40 && hypot(p[1], p[2]) > 25); /* neither dark nor gray */
        for (int j = 0; j < i; j++) {
            lab(tl_palette(j), q);
            const double far = hypot(hypot(p[0] - q[0], p[1] - q[1]), p[2] - q[2]);
            if (!(far > (i < 6 ? 35 : 18))) fail_msg("colors %d and %d are %g apart", i, j, far);
        }
    }
    assert_true(tl_palette(5000).r || tl_palette(5000).g);
}

/* ---- Boxes and plates ---- */

static const tl_rgb red = { 255, 0, 0 }, yellow = { 255, 255, 0 };

static void a_box(void **state)
{
    (void)state;
    const tl_image m = flat(200, 100, 1, 90);
    tl_image out;
    ok(tl_image_draw(a, &m, &(tl_mark){ { 50, 20, 150, 80 }, NULL, red }, 1, 2, &out));
    assert_true(out.w == 200 && out.h == 100 && out.c == 3);
    for (int x = 50; x < 150; x++) assert_true(is(pixel(&out, x, 20), red) && is(pixel(&out, x, 79), red));
    for (int y = 20; y < 80; y++) assert_true(is(pixel(&out, 50, y), red) && is(pixel(&out, 149, y), red));
    for (int y = 0; y < 100; y++)
        for (int x = 0; x < 200; x++) {
            const bool near = x >= 46 && x < 154 && y >= 16 && y < 84, inside = x >= 54 && x < 146 && y >= 24 && y < 76;
            if (!near || inside) assert_true(is(pixel(&out, x, y), (tl_rgb){ 90, 90, 90 }));
        }
    assert_int_equal(m.p[0], 90);
}

/* Where a color is, as a box. */
static tl_box where(const tl_image *m, tl_rgb c, int *count)
{
    tl_box b = { 1e9f, 1e9f, -1, -1 };
    *count = 0;
    for (int y = 0; y < m->h; y++)
        for (int x = 0; x < m->w; x++) {
            if (!is(pixel(m, x, y), c)) continue;
            b = (tl_box){ fminf(b.x1, (float)x), fminf(b.y1, (float)y), fmaxf(b.x2, (float)x + 1), fmaxf(b.y2, (float)y + 1) };
            ++*count;
        }
    return b;
}

/* A plate that is cut off has fewer pixels than one in the middle. */
static void plates_stay_inside(void **state)
{
    (void)state;
    static const tl_box boxes[] = {
        { 140, 90, 180, 110 }, { -20, -20, 20, 20 }, { 300, 0, 340, 30 }, { 0, 180, 30, 220 }, { 290, 170, 340, 240 }, { 0, 0, 320, 200 },
    };
    int whole = 0;
    for (int i = 0; i < TL_LEN(boxes); i++) {
        const tl_image m = flat(320, 200, 3, 0);
        tl_image with, without;
        tl_mark k = { boxes[i], "car 0.87", yellow };
        ok(tl_image_draw(a, &m, &k, 1, 1, &with));
        k.text = NULL;
        ok(tl_image_draw(a, &m, &k, 1, 1, &without));
        int extra = 0;
        for (int p = 0; p < 320 * 200; p++) extra += memcmp(with.p + 3 * p, without.p + 3 * p, 3) != 0;
        if (!i) whole = extra;
        assert_true(whole > 300);
        if (abs(extra - whole) > whole / 3) fail_msg("box %d: %d pixels of plate instead of %d", i, extra, whole);
    }
}

static void plates_make_room(void **state)
{
    (void)state;
    const tl_image m = flat(320, 200, 3, 0);
    tl_image out;
    tl_mark k[4];
    int alone, n;
    for (int i = 0; i < 4; i++) k[i] = (tl_mark){ { 140, 90, 180, 110 }, "truck 0.50", { 255, 255, (uint8_t)(i + 1) } };
    ok(tl_image_draw(a, &m, k, 1, 1, &out));
    where(&out, k[0].color, &alone);
    ok(tl_image_draw(a, &m, k, 4, 1, &out));
    for (int i = 0; i < 4; i++) {
        where(&out, k[i].color, &n);
        if (n < alone / 2) fail_msg("plate %d: %d pixels are left of %d", i, n, alone);
    }
}

/* Letters and lines grow with the picture. */
static void as_large_as_the_picture_asks_for(void **state)
{
    (void)state;
    float before = 0;
    for (int side = 240; side <= 3840; side *= 4) {
        const tl_image m = flat(side, side, 3, 0);
        tl_image out;
        int n;
        const float half = (float)side / 2;
        ok(tl_image_draw(a, &m, &(tl_mark){ { half, half, half, half }, "car", yellow }, 1, 0, &out));
        const tl_box b = where(&out, yellow, &n);
        assert_true(b.y2 - b.y1 > before * 1.5f && b.y2 - b.y1 >= (float)side / 60 && b.y2 - b.y1 <= (float)side / 10);
        before = b.y2 - b.y1;
    }
}

static void dark_letters_on_light_plates(void **state)
{
    (void)state;
    static const struct { tl_rgb plate; int letters; } cases[] = { { { 255, 255, 0 }, 0 }, { { 0, 0, 160 }, 255 }, { { 40, 160, 40 }, 0 } };
    for (int i = 0; i < TL_LEN(cases); i++) {
        const tl_image m = flat(960, 600, 3, 128); /* large enough for letters with pixels that are all theirs */
        tl_image out;
        ok(tl_image_draw(a, &m, &(tl_mark){ { 100, 100, 200, 150 }, "MMMMMM", cases[i].plate }, 1, 1, &out));
        int n;
        const uint8_t v = (uint8_t)cases[i].letters;
        where(&out, (tl_rgb){ v, v, v }, &n);
        assert_true(n > 10);
    }
}

static void strange_marks(void **state)
{
    (void)state;
    char longest[2000];
    memset(longest, 'W', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    const char *const texts[] = { "", NULL, "\xff\xfe", "\xe4\xb8\xad", "a\nb", longest };
    const float odd[] = { NAN, INFINITY, -INFINITY, 1e30f, -5, 0, 3 };
    for (int side = 1; side < 200; side = side * 5 + 3)
        for (int t = 0; t < TL_LEN(texts); t++)
            for (int i = 0; i < TL_LEN(odd); i++)
                for (int j = 0; j < TL_LEN(odd); j++) {
                    const tl_image m = flat(side, side + 1, 3, 7);
                    const tl_mark k[] = { { { odd[i], odd[j], odd[j], odd[i] }, texts[t], red }, { { odd[j], 0, 2, odd[i] }, "x", red } };
                    tl_image out;
                    ok(tl_image_draw(a, &m, k, 2, i, &out));
                    tl_arena_reset(a);
                }
    const tl_image wide = flat(40000, 1, 1, 0);
    tl_image out;
    assert_int_equal(tl_image_draw(a, &wide, NULL, 0, 0, &out), TL_EUNSUP);
    assert_non_null(strstr(tl_errmsg(), "cannot draw into the picture"));
}

static void out_of_memory_everywhere(void **state)
{
    (void)state;
    const tl_image m = flat(60, 50, 3, 7);
    const tl_mark k = { { 5, 5, 20, 20 }, "x\xff", red };
    for (long n = 0;; n++) {
        tl_arena *b = tl_arena_new();
        tl_image out;
        tl_bytes file;
        tl_oom_countdown = n;
        tl_status s = tl_image_draw(b, &m, &k, 1, 0, &out);
        if (!s) s = tl_image_encode(b, &out, true, &file);
        if (!s) s = tl_image_encode(b, &out, false, &file);
        tl_oom_countdown = -1;
        tl_arena_free(b);
        if (!s) break;
        assert_int_equal(s, TL_ENOMEM);
        assert_true(n < 60);
    }
}

/* ---- Files ---- */

static tl_image waves(int w, int h, int c)
{
    tl_image m;
    ok(tl_image_new(a, w, h, c, &m));
    for (int i = 0; i < w * h * c; i++)
        m.p[i] = (uint8_t)(128 + 100 * sin(0.05 * (i / c % w) + i % c) * cos(0.07 * (i / c / w)));
    return m;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    for (int c = 1; c <= 3; c += 2)
        for (int png = 0; png <= 1; png++) {
            const tl_image m = waves(61, 47, c);
            tl_bytes file;
            tl_image back;
            ok(tl_image_encode(a, &m, png, &file));
            assert_memory_equal(file.p, png ? "\x89PNG" : "\xff\xd8\xff", 3);
            ok(tl_image_decode(a, file, c, (tl_size){ 0, 0 }, &back));
            assert_true(back.w == 61 && back.h == 47 && back.c == c);
            for (int i = 0; i < 61 * 47 * c; i++)
                if (abs(m.p[i] - back.p[i]) > (png ? 0 : 8)) fail_msg("channels %d, png %d: byte %d", c, png, i);
        }
}

/* Chroma at half the resolution, as JPEG has it by default, would mix them. */
static void thin_lines_keep_their_color(void **state)
{
    (void)state;
    tl_image m = flat(64, 64, 3, 0), back;
    tl_bytes file;
    for (int y = 0; y < 64; y++) m.p[(y * 64 + 31) * 3] = 255;
    ok(tl_image_encode(a, &m, false, &file));
    ok(tl_image_decode(a, file, 3, (tl_size){ 0, 0 }, &back));
    for (int y = 0; y < 64; y++) assert_true(pixel(&back, 31, y)[0] > 200 && pixel(&back, 31, y)[1] < 50);
}

static void written_whole_or_not_at_all(void **state)
{
    (void)state;
    const tl_image m = waves(20, 10, 3), other = flat(5, 5, 1, 3);
    const char *path = in("out.PNG");
    tl_image back;
    tl_list names;
    ok(tl_image_save(a, &other, path));
    for (long n = 0;; n++) {
        tl_write_countdown = n;
        const tl_status s = tl_image_save(a, &m, path);
        tl_write_countdown = -1;
        ok(tl_dir_list(a, dir, &names));
        assert_int_equal(names.n, 1);
        ok(tl_image_load(a, path, 3, (tl_size){ 0, 0 }, &back));
        if (!s) break;
        assert_int_equal(s, TL_EIO);
    }
    assert_int_equal(back.w, 20);
    assert_memory_equal(back.p, m.p, 20 * 10 * 3);
    assert_int_equal(tl_image_save(a, &m, "/nowhere/at/all.jpg"), TL_EIO);
    assert_non_null(strstr(tl_errmsg(), "/nowhere/at/all.jpg"));
    const tl_image wide = flat(65520, 1, 1, 0); /* more than libjpeg can */
    assert_int_equal(tl_image_save(a, &wide, "/nowhere/wide.jpg"), TL_EUNSUP);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(classes_look_different), T(a_box), T(plates_stay_inside), T(plates_make_room), T(as_large_as_the_picture_asks_for),
        T(dark_letters_on_light_plates), T(strange_marks), T(out_of_memory_everywhere), T(what_is_written_is_read),
        T(thin_lines_keep_their_color), IN_FOLDER(written_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
