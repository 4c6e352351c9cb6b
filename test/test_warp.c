/* test_warp.c - maps of the plane and pictures seen through them: against the original's pictures, against PyTorch, and
 * properties. SPDX-License-Identifier: MIT */
#include "picture.h"
#include "rng.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "fixture.h"

static const int same[] = { 0, 1, 2 };
static const float zeros[3], ones[] = { 1, 1, 1 };
static const tl_finish bytes = { NULL, same, zeros, ones }; /* numbers as in the picture, 0..255 */
static const tl_affine identity = { { { 1, 0 }, { 0, 1 }, { 0, 0 } } };

static float *warped(const tl_image *m, const tl_affine *back, int w, int h)
{
    float *x = tl_new(a, float, w * h * m->c);
    assert_non_null(x);
    tl_image_warp(m, back, &bytes, w, h, x);
    return x;
}

/* ---- The original's own pictures ---- */

#define ORACLES "../shared/data/nvidia-oracles/test_spatial_transform_ref__test_zoom_transform_"

static tl_image oracle(const char *name)
{
    tl_image m;
    const char *path = tl_printf(a, ORACLES "%s.png", name);
    if (!tl_file_exists(path)) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    ok(tl_image_load(a, path, 3, (tl_size){ 0, 0 }, &m));
    return m;
}

/* The original's bytes are cut, not rounded. */
static void bytes_are(const float *x, const tl_image *want)
{
    for (int i = 0; i < want->w * want->h * want->c; i++)
        if ((int)x[i] != want->p[i]) fail_msg("number %d is %g instead of %d", i, (double)x[i], want->p[i]);
}

static void as_the_original(void **state)
{
    (void)state;
    const tl_image m = oracle("1x_nearest"), twice = oracle("2x_bilinear"), blocks = oracle("2x_nearest");
    const tl_affine half = { { { 0.5, 0 }, { 0, 0.5 }, { 0, 0 } } };
    const tl_image once = oracle("1x_bilinear");
    bytes_are(warped(&m, &identity, m.w, m.h), &once);
    bytes_are(warped(&m, &half, m.w, m.h), &twice);
    for (int y = 0; y < m.h; y++) /* the nearest pixel is the bilinear one, where a pixel's middle is asked for */
        for (int x = 0; x < m.w; x++) {
            const tl_affine middle = { { { 1, 0 }, { 0, 1 }, { floor((x + 0.5) * 0.5), floor((y + 0.5) * 0.5) } } };
            float rgb[3];
            tl_image_warp(&m, &middle, &bytes, 1, 1, rgb);
            for (int k = 0; k < 3; k++) assert_int_equal((int)rgb[k], blocks.p[(y * m.w + x) * 3 + k]);
        }
}

/* ---- Another program ---- */

static void as_pytorch(void **state)
{
    (void)state;
    FILE *f = fopen("test/data/warp.txt", "r");
    int w, h, c, ow, oh, cases = 0;
    tl_affine m;
    assert_non_null(f);
    while (fscanf(f, " case %d %d %d %d %d %lf %lf %lf %lf %lf %lf", &w, &h, &c, &ow, &oh, &m.m[0][0], &m.m[0][1], &m.m[1][0],
                  &m.m[1][1], &m.m[2][0], &m.m[2][1]) == 11) {
        const tl_image in = noise(a, w, h, c);
        const float *x = warped(&in, &m, ow, oh);
        for (int i = 0; i < ow * oh * c; i++) {
            double want;
            assert_int_equal(fscanf(f, "%lf", &want), 1);
            if (!(fabs((double)x[i] - want) < 0.02)) fail_msg("case %d, number %d: %g, not %g", cases, i, (double)x[i], want);
        }
        cases++;
    }
    fclose(f);
    assert_int_equal(cases, 8);
}

/* ---- Colors and numbers ---- */

static void colors_then_numbers(void **state)
{
    (void)state;
    static const float rows[12] = { 2, 0, 0, 0.1f, 0, 0, 1, -0.5f, 0, 1, 0, 0 }, mean[] = { 10, 20, 30 }, rstd[] = { 1, 2, 4 };
    static const int bgr[] = { 2, 1, 0 };
    uint8_t rgb[] = { 100, 7, 200 };
    const tl_image m = { 1, 1, 3, rgb };
    const tl_finish f = { rows, bgr, mean, rstd };
    float x[3];
    tl_image_warp(&m, &identity, &f, 1, 1, x);
    assert_float_equal(x[0], 7 - 10, 1e-4f);
    assert_float_equal(x[1], (200 - 127.5f - 20) * 2, 1e-3f);
    assert_float_equal(x[2], (225.5f - 30) * 4, 1e-3f);
    rgb[0] = 200, rgb[2] = 0; /* clipped at both ends */
    tl_image_warp(&m, &identity, &f, 1, 1, x);
    assert_float_equal(x[1], -40, 1e-4f);
    assert_float_equal(x[2], (255 - 30) * 4, 1e-3f);
}

/* ---- Maps ---- */

static void a_map_and_its_inverse(void **state)
{
    (void)state;
    tl_affine i, p;
    for (uint64_t seed = 0; seed < 100; seed++) {
        tl_rng r = tl_rng_at(seed, 0, 0, 0);
        tl_affine m;
        for (int k = 0; k < 6; k++) m.m[k / 2][k % 2] = (double)tl_uniform_in(&r, -3, 3);
        if (!tl_affine_inverse(&m, &i)) continue;
        p = tl_affine_times(&m, &i);
        double far = 0;
        for (int k = 0; k < 6; k++) far = fmax(far, fabs(p.m[k / 2][k % 2] - identity.m[k / 2][k % 2]));
        assert_true(far < 1e-6);
    }
    const tl_affine flat = { { { 1, 2 }, { 2, 4 }, { 5, 6 } } }, broken = { { { NAN, 2 }, { 2, 4 }, { 5, 6 } } };
    assert_false(tl_affine_inverse(&flat, &i));
    assert_false(tl_affine_inverse(&broken, &i));
    const tl_affine left = { { { 2, 0 }, { 0, 2 }, { 0, 0 } } }, right = { { { 1, 0 }, { 0, 1 }, { 3, 4 } } };
    p = tl_affine_times(&left, &right); /* doubled, then moved */
    assert_true(p.m[0][0] == 2 && p.m[2][0] == 3 && p.m[2][1] == 4);
    p = tl_affine_times(&right, &left);
    assert_true(p.m[2][0] == 6 && p.m[2][1] == 8);
}

static void strange_maps(void **state)
{
    (void)state;
    static const double odd[] = { NAN, INFINITY, -INFINITY, 1e300, -1e300, 1e20, 1e-300, 0, 3e9, -3e9, 0.5 };
    for (int c = 1; c <= 3; c += 2)
        for (int size = 1; size < 40; size += 19) {
            const tl_image m = noise(a, size, size, c);
            for (int i = 0; i < 6 * TL_LEN(odd) * TL_LEN(odd); i++) {
                tl_affine map = identity;
                const int at = i / TL_LEN(odd) / TL_LEN(odd), next = (at + 1) % 6;
                map.m[at / 2][at % 2] = odd[i / TL_LEN(odd) % TL_LEN(odd)];
                map.m[next / 2][next % 2] = odd[i % TL_LEN(odd)];
                const float *x = warped(&m, &map, 70, 3);
                for (int k = 0; k < 70 * 3 * c; k++) assert_true(x[k] >= -0.001f && x[k] <= 255.001f);
            }
            tl_arena_reset(a);
        }
}

/* ---- Decoding at a smaller size ---- */

static void how_small_to_decode(void **state)
{
    (void)state;
    static const struct { tl_affine back; tl_size want; } cases[] = {
        { { { { 1, 0 }, { 0, 1 }, { 0, 0 } } }, { 1001, 500 } },
        { { { { 0.5, 0 }, { 0, 4 }, { 9, 9 } } }, { 1001, 500 } }, /* enlarged along x */
        { { { { 2, 0 }, { 0, 4 }, { 9, 9 } } }, { 501, 250 } },
        { { { { 0, -4 }, { 4, 0 }, { 0, 500 } } }, { 251, 125 } }, /* turned */
    };
    for (int i = 0; i < TL_LEN(cases); i++) {
        const tl_size s = tl_warp_least(&cases[i].back, (tl_size){ 1001, 500 });
        if (s.w != cases[i].want.w || s.h != cases[i].want.h) fail_msg("case %d: %d x %d", i, s.w, s.h);
    }
}

/* A smooth picture is the same at every size. */
static void reduced_is_the_same_place(void **state)
{
    (void)state;
    const tl_size full = { 203, 101 };
    const tl_affine back = { { { 8, 1 }, { -1, 8 }, { 20, 5 } } };
    float *want = NULL;
    for (int by = 1; by <= 8; by *= 2) {
        tl_image m;
        ok(tl_image_new(a, (full.w + by - 1) / by, (full.h + by - 1) / by, 1, &m));
        for (int y = 0; y < m.h; y++)
            for (int x = 0; x < m.w; x++) m.p[y * m.w + x] = (uint8_t)((x + 0.5) * by + 0.4 * (y + 0.5) * by);
        const tl_affine smaller = tl_warp_reduced(&back, full, (tl_size){ m.w, m.h });
        const float *x = warped(&m, &smaller, 10, 6);
        if (!want) want = memcpy(tl_new(a, float, 60), x, 60 * sizeof *x);
        for (int i = 0; i < 60; i++)
            if (!(fabsf(x[i] - want[i]) < 1.5f)) fail_msg("1/%d: %d is %g, not %g", by, i, (double)x[i], (double)want[i]);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(as_the_original), T(as_pytorch), T(colors_then_numbers), T(a_map_and_its_inverse), T(strange_maps),
        T(how_small_to_decode), T(reduced_is_the_same_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
