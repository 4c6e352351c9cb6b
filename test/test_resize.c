/* test_resize.c - resampling, bit for bit as PIL. SPDX-License-Identifier: MIT
 *
 * Cases and hashes come from tools/make_image_goldens.py. */
#include "picture.h"
#include <math.h>
#include <string.h>

static void as_pil(void **state)
{
    (void)state;
    FILE *f = fopen("test/data/resize.txt", "r");
    assert_non_null(f);
    int w, h, c, ow, oh, filter, lines = 0;
    tl_crop b;
    unsigned long long hash;
    while (fscanf(f, "%d %d %d %f %f %f %f %d %d %d %llx", &w, &h, &c, &b.x, &b.y, &b.w, &b.h, &ow,
                  &oh, &filter, &hash) == 11) {
        tl_arena *a = tl_arena_new();
        tl_image in = noise(a, w, h, c), out;
        ok(tl_image_resize(a, &in, b, ow, oh, (tl_filter)filter, &out));
        assert_true(out.w == ow && out.h == oh && out.c == c);
        if (hash_of(&out) != hash)
            fail_msg("%dx%dx%d, box %g,%g %gx%g to %dx%d, filter %d", w, h, c, (double)b.x,
                     (double)b.y, (double)b.w, (double)b.h, ow, oh, filter);
        tl_arena_free(a);
        lines++;
    }
    fclose(f);
    assert_true(lines >= 60);
}

/* What augment.h relies on: cutting after resizing is resizing a box. */
static void cut_after_resize_is_a_box(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_image in = noise(a, 90, 60, 3), whole, part;
    ok(tl_image_resize(a, &in, (tl_crop){ 0, 0, 90, 60 }, 48, 32, TL_BILINEAR, &whole));
    ok(tl_image_resize(a, &in, (tl_crop){ 15, 7.5f, 45, 45 }, 24, 24, TL_BILINEAR, &part));
    for (int y = 0; y < 24; y++)
        assert_memory_equal(part.p + y * 24 * 3, whole.p + ((y + 4) * 48 + 8) * 3, 24 * 3);
    tl_arena_free(a);
}

static void box_must_lie_inside(void **state)
{
    (void)state;
    static const tl_crop out[] = {
        { -1, 0, 5, 5 }, { 0, 0, 11, 5 }, { 0, 0, 5, 9 }, { 2, 2, 0, 3 }, { 0, 0, NAN, 1 }
    };
    tl_arena *a = tl_arena_new();
    tl_image in = noise(a, 10, 8, 1), m;
    for (int i = 0; i < TL_LEN(out); i++)
        assert_int_equal(tl_image_resize(a, &in, out[i], 4, 4, TL_BILINEAR, &m), TL_EARG);
    ok(tl_image_resize(a, &in, (tl_crop){ 0.3f, 0, 9.7000002f, 8 }, 4, 4, TL_BILINEAR,
                       &m)); /* rounding is forgiven */
    assert_int_equal(tl_image_new(a, 1 << 15, 1 << 15, 1, &m), TL_EUNSUP);
    assert_int_equal(tl_image_new(a, 1 << 16, 1, 1, &m), TL_EUNSUP);
    tl_arena_free(a);
}

static void out_of_memory_everywhere(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        tl_arena *a = tl_arena_new();
        tl_image in = noise(a, 20, 20, 3), m;
        tl_oom_countdown = n;
        tl_status s = tl_image_resize(a, &in, (tl_crop){ 0, 0, 20, 20 }, 9, 9, TL_BICUBIC, &m);
        tl_oom_countdown = -1;
        tl_arena_free(a);
        if (!s) {
            assert_true(n >= 8);
            break;
        }
        assert_int_equal(s, TL_ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_pil),
        cmocka_unit_test(cut_after_resize_is_a_box),
        cmocka_unit_test(box_must_lie_inside),
        cmocka_unit_test(out_of_memory_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
