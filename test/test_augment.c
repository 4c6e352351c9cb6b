/* test_augment.c - normalization and augmentation. SPDX-License-Identifier: MIT */
#include "augment.h"
#include "picture.h"
#include <math.h>
#include <string.h>

/* ---- Normalization ---- */

static void modes_as_the_original(void **state)
{
    (void)state;
    static const float own[] = { 1, 2, 3 };
    static const struct {
        const char *mode;
        int c;
        const float *mean;
        float want[3];
    } rows[] = {
        /* of RGB 10, 100, 255 */
        { "caffe", 3, NULL, { 255 - 103.939f, 100 - 116.779f, 10 - 123.68f } },
        { "", 3, own, { 254, 98, 7 } },
        { NULL, 1, NULL, { 10 - 117.3786f } },
        { "caffe", 1, own, { 9 } },
        { "torch",
          3,
          NULL,
          { (10 / 255.0f - 0.485f) / 0.224f, (100 / 255.0f - 0.456f) / 0.224f,
            (1 - 0.406f) / 0.224f } },
        { "torch", 1, NULL, { (10 / 255.0f - 0.449f) / 0.224f } },
        { "tf", 3, NULL, { 10 / 127.5f - 1, 100 / 127.5f - 1, 1 } },
        { "tf", 1, NULL, { 10 / 127.5f - 1 } },
    };
    static const uint8_t x[] = { 10, 100, 255 };
    tl_norm n;
    for (int i = 0; i < TL_LEN(rows); i++) {
        ok(tl_norm_for(rows[i].mode, rows[i].c, rows[i].mean, &n));
        for (int c = 0; c < rows[i].c; c++)
            assert_float_equal((x[n.order[c]] - n.mean[c]) * n.rstd[c], rows[i].want[c],
                               1e-5f * (1 + fabsf(rows[i].want[c])));
    }
    assert_int_equal(tl_norm_for("cafe", 3, NULL, &n), TL_EARG);
    assert_non_null(strstr(tl_errmsg(), "\"cafe\"; use caffe, torch or tf"));
    assert_int_equal(tl_norm_for("tf", 3, own, &n), TL_EARG);
    assert_int_equal(tl_norm_for("tf", 4, NULL, &n), TL_EARG);
}

/* ---- Augmentation ---- */

static void center_crop_is_centered(void **state)
{
    (void)state;
    /* 500 x 375 covers 256 x 256 as 341 x 256; cut 224 at 170 - 112 = 58 and 128 - 112 = 16. */
    tl_crop b = tl_crop_center(500, 375, 224, 224);
    assert_float_equal(b.x, 58 * 500 / 341.0f, 1e-3f);
    assert_float_equal(b.w, 224 * 500 / 341.0f, 1e-3f);
    assert_float_equal(b.y, 16 * 375 / 256.0f, 1e-3f);
    assert_float_equal(b.h, 224 * 375 / 256.0f, 1e-3f);
}

static void random_crop_keeps_shape_and_bounds(void **state)
{
    (void)state;
    static const int sizes[][4] = { { 500, 375, 224, 224 },
                                    { 100, 700, 64, 32 },
                                    { 224, 224, 224, 224 },
                                    { 3, 2, 50, 40 },
                                    { 65535, 1, 224, 224 } };
    for (int k = 0; k < TL_LEN(sizes); k++) {
        int sw = sizes[k][0], sh = sizes[k][1], w = sizes[k][2], h = sizes[k][3];
        double tight = fmax((double)w / sw, (double)h / sh), sum = 0, left = 0;
        float least = 1, most = 0;
        for (uint64_t i = 0; i < 4000; i++) {
            tl_rng r = tl_rng_at(1, 0, i, TL_DRAW_CROP);
            tl_crop b = tl_crop_random(&r, sw, sh, w, h);
            assert_true(b.x >= 0 && b.y >= 0 && b.x + b.w <= (float)sw + 0.01f &&
                        b.y + b.h <= (float)sh + 0.01f);
            float f = (float)(sw * tight >= w && (double)h / sh < tight ? b.w / (float)sw
                                                                        : b.h / (float)sh);
            least = fminf(least, f);
            most = fmaxf(most, f);
            sum += (double)f / 4000;
            left += (double)(b.x / fmaxf((float)sw - b.w, 1e-3f)) / 4000;
        }
        assert_true(least > 0.44f && least < 0.46f && most > 0.985f && most <= 1.001f);
        assert_float_equal(sum, 0.725f, 0.01f);
        if (k < 3) assert_float_equal(left, 0.5f, 0.03f);
    }
}

static void color_changes_as_drawn(void **state)
{
    (void)state;
    float m[12], same[12], sum = 0, square = 0;
    tl_color_rows(&(tl_color_change){ 0, 1, 1, 0.5f, 0 }, m);
    for (int i = 0; i < 12; i++) assert_float_equal(m[i], i == 0 || i == 5 || i == 10, 1e-6f);
    tl_color_rows(&(tl_color_change){ 0, 0, 1, 0.5f, 0 }, m); /* no saturation: luminance everywhere */
    for (int i = 0; i < 3; i++) assert_float_equal(m[4 * i + 1], 0.587f, 1e-6f);
    tl_color_rows(&(tl_color_change){ 20, 1, 1, 0.5f, 0 }, m); /* a turn keeps gray, and luminance, nearly: the matrices are rounded */
    for (int i = 0; i < 3; i++) {
        assert_float_equal(m[4 * i] + m[4 * i + 1] + m[4 * i + 2], 1, 0.01f);
        assert_float_equal(0.299f * m[i] + 0.587f * m[4 + i] + 0.114f * m[8 + i],
                           ((float[]){ 0.299f, 0.587f, 0.114f })[i], 0.01f);
    }
    tl_color_rows(&(tl_color_change){ 0, 1, 1.1f, 0.5f, 0 }, m); /* contrast about the middle */
    assert_float_equal(m[0] * 0.5f + m[3], 0.5f, 1e-6f);
    assert_float_equal(m[0] * 1.0f + m[3], 1.05f, 1e-6f);
    for (uint64_t i = 0; i < 4000; i++) {
        tl_rng r = tl_rng_at(3, 0, i, TL_DRAW_COLOR);
        tl_color_draw(&r, m);
        r = tl_rng_at(3, 0, i, TL_DRAW_COLOR);
        float degrees = 12.5f * tl_truncated_normal(&r), saturation = tl_uniform_in(&r, 0.8f, 1.2f);
        tl_color_rows(&(tl_color_change){ degrees, saturation, 1 + 0.05f * tl_truncated_normal(&r), 0.5f, 0 }, same);
        assert_memory_equal(m, same, sizeof m);
        sum += degrees / 4000;
        square += degrees * degrees / 4000;
    }
    assert_float_equal(sum, 0, 0.6f);
    assert_float_equal(sqrtf(square), 12.5f * 0.8796f,
                       0.4f); /* a normal cut at 2 sigma has 0.8796 sigma */
}

static void mixup_blends_with_the_reverse(void **state)
{
    (void)state;
    float x[] = { 0, 10, 1, 11, 4, 14 }, sum = 0;
    tl_mixup(x, 3, 2, (float[]){ 0.75f, 0.5f, 1 });
    static const float want[] = { 1, 11, 1, 11, 4, 14 };
    for (int i = 0; i < 6; i++) assert_float_equal(x[i], want[i], 1e-6f);
    for (uint64_t i = 0; i < 4000; i++) {
        tl_rng r = tl_rng_at(5, 0, i, TL_DRAW_MIXUP);
        float l = tl_mixup_draw(&r, 1);
        assert_true(l >= 0.5f && l <= 1);
        sum += l / 4000;
    }
    assert_float_equal(sum, 0.75f, 0.01f); /* uniform on [1/2, 1] */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_as_the_original),
        cmocka_unit_test(center_crop_is_centered),
        cmocka_unit_test(random_crop_keeps_shape_and_bounds),
        cmocka_unit_test(color_changes_as_drawn),
        cmocka_unit_test(mixup_blends_with_the_reverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
