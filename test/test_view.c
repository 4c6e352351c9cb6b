/* test_view.c - what a detector's network sees of a picture, and where boxes are in it: the fixed part by hand, the drawn part
 * by its distributions, and boxes by looking for them in the warped picture. SPDX-License-Identifier: MIT */
#include "augment.h"
#include "picture.h"
#include "view.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "fixture.h"

static const tl_norm plain = { { 0, 1, 2 }, { 0, 0, 0 }, { 1 / 255.0f, 1 / 255.0f, 1 / 255.0f } };
static const tl_view_conf unchanged = { .w = 320, .h = 160, .zoom_min = 1, .zoom_max = 1 };

static void is_map(const tl_affine *m, const double *want, double tolerance)
{
    for (int i = 0; i < 6; i++)
        if (!(fabs(m->m[i / 2][i % 2] - want[i]) <= tolerance))
            fail_msg("number %d of the map is %g, not %g", i, m->m[i / 2][i % 2], want[i]);
}

/* ---- Without random changes ---- */

static void fixed_views(void **state)
{
    (void)state;
    static const struct { tl_view_conf c; tl_size picture; double back[6]; } cases[] = {
        { { .w = 32, .h = 16 }, { 100, 10 }, { 1, 0, 0, 1, 0, 0 } }, /* cut at the right, black below */
        { { .w = 32, .h = 16, .stretch = true }, { 64, 64 }, { 2, 0, 0, 4, 0, 0 } },
        { { .w = 32, .h = 16, .scale_w = 0.5f }, { 64, 64 }, { 2, 0, 0, 1, 0, 0 } },
        { { .w = 32, .h = 16, .crop_l = 5, .crop_t = 7, .crop_r = 37, .crop_b = 23 }, { 64, 64 }, { 1, 0, 0, 1, 5, 7 } },
        { { .w = 32, .h = 16, .scale_w = 0.5f, .scale_h = 0.25f, .crop_l = 5, .crop_t = 7, .crop_r = 37, .crop_b = 23 },
          { 64, 64 }, { 2, 0, 0, 4, 10, 28 } },
        { { .w = 64, .h = 64, .least = 50 }, { 200, 100 }, { 2, 0, 0, 2, 0, 0 } },
        { { .w = 64, .h = 64, .least = 50, .most = 80 }, { 100, 200 }, { 2.5, 0, 0, 2.5, 0, 0 } },
    };
    for (int i = 0; i < TL_LEN(cases); i++) {
        tl_view v;
        tl_view_plain(&cases[i].c, cases[i].picture, &v);
        is_map(&v.back, cases[i].back, 1e-9);
        assert_false(v.recolored);
        assert_true(v.out.w == cases[i].c.w && v.out.h == cases[i].c.h);
    }
}

static void pictures_keep_their_size(void **state)
{
    (void)state;
    tl_image m;
    tl_view v;
    float x[4 * 4 * 3];
    ok(tl_image_new(a, 6, 3, 3, &m));
    for (int i = 0; i < 6 * 3 * 3; i++) m.p[i] = (uint8_t)(2 * i);
    tl_view_plain(&(tl_view_conf){ .w = 4, .h = 4 }, (tl_size){ 6, 3 }, &v);
    tl_view_render(&v, &m, &plain, x);
    for (int i = 0; i < 4 * 4 * 3; i++) {
        const int row = i / 12, want = row < 3 ? m.p[row * 18 + i % 12] : 0;
        assert_float_equal(x[i], (float)want / 255, 1e-6f);
    }
}

static void from_the_spec(void **state)
{
    (void)state;
    tl_preprocessing p = { .output_image_width = 640, .output_image_height = 368, .enable_auto_resize = true, .crop_right = 3,
                           .crop_bottom = 4, .crop_left = 1, .crop_top = 2, .output_image_min = 5, .output_image_max = 6,
                           .min_bbox_width = 7, .min_bbox_height = 8, .scale_width = 9, .scale_height = 10 };
    tl_spatial_augmentation s = { 0, 0.1f, 0.2f, 0.3f, 0.4f, 5, 6, 0.7f, 0.8f };
    tl_color_augmentation c = { 0, 0.1f, 25, 0.3f, 0.4f, 0.5f };
    tl_view_conf v;
    tl_view_conf_from(&(tl_detect_augmentation){ 0, &p, &s, &c }, &v);
    assert_true(v.w == 640 && v.h == 368 && v.stretch && v.crop_l == 1 && v.crop_t == 2 && v.crop_r == 3 && v.crop_b == 4);
    assert_true(v.least == 5 && v.most == 6 && v.min_box_w == 7 && v.min_box_h == 8 && v.scale_w == 9 && v.scale_h == 10);
    assert_true(v.hflip == 0.1f && v.vflip == 0.2f && v.zoom_min == 0.3f && v.zoom_max == 0.4f && v.move_x == 5 && v.move_y == 6);
    assert_true(v.turn == 0.7f && v.turn_probability == 0.8f && v.brightness == 0.1f && v.hue == 25 && v.saturation == 0.3f);
    assert_true(v.contrast == 0.4f && v.center == 0.5f);
}

/* ---- What is drawn ---- */

enum { DRAWS = 4000 };

static tl_view drawn(const tl_view_conf *c, uint64_t i)
{
    tl_view v;
    tl_view_draw(c, (tl_size){ 320, 160 }, 11, 3, i, &v);
    return v;
}

static void mirrored_as_often_as_said(void **state)
{
    (void)state;
    tl_view_conf c = unchanged;
    int x = 0, y = 0, both = 0;
    c.hflip = 0.25f, c.vflip = 0.5f;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const tl_view v = drawn(&c, i);
        const bool fx = v.back.m[0][0] < 0, fy = v.back.m[1][1] < 0;
        is_map(&v.back, (double[]){ fx ? -1 : 1, 0, 0, fy ? -1 : 1, fx ? 320 : 0, fy ? 160 : 0 }, 1e-9);
        x += fx, y += fy, both += fx && fy;
    }
    assert_true(abs(x - DRAWS / 4) < 120 && abs(y - DRAWS / 2) < 140 && abs(both - DRAWS / 8) < 100);
}

static void moved_by_whole_pixels(void **state)
{
    (void)state;
    tl_view_conf c = unchanged;
    int at[17] = { 0 };
    c.move_x = 8, c.move_y = 3;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const tl_view v = drawn(&c, i);
        const double x = v.back.m[2][0], y = v.back.m[2][1];
        assert_true(x == floor(x) && fabs(x) <= 8 && y == floor(y) && fabs(y) <= 3);
        at[(int)x + 8]++;
    }
    for (int i = 0; i < 17; i++) assert_true(abs(at[i] - DRAWS / 17) < 75);
}

/* Zoomed out, the whole picture is seen; zoomed in, the frame lies in the picture. */
static void zoomed_within_the_frame(void **state)
{
    (void)state;
    tl_view_conf c = unchanged;
    double sum = 0;
    c.zoom_min = 0.5f, c.zoom_max = 2;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const tl_view v = drawn(&c, i);
        const double by = v.back.m[0][0], x = v.there.m[2][0], y = v.there.m[2][1];
        assert_true(by >= 0.5 && by <= 2 && v.back.m[1][1] == by && v.back.m[0][1] == 0);
        const double most_x = 320 - 320 / by, most_y = 160 - 160 / by;
        assert_true(x >= fmin(0, most_x) - 1e-9 && x <= fmax(0, most_x) + 1e-9);
        assert_true(y >= fmin(0, most_y) - 1e-9 && y <= fmax(0, most_y) + 1e-9);
        sum += by / DRAWS;
    }
    assert_true(fabs(sum - 1.25) < 0.03);
}

/* The original's matrix: about the middle of the canvas. */
static void turned_about_the_middle(void **state)
{
    (void)state;
    tl_view_conf c = unchanged;
    int turned = 0;
    c.turn = 0.5f, c.turn_probability = 0.25f;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const tl_view v = drawn(&c, i);
        const double t = atan2(v.back.m[0][1], v.back.m[0][0]), w = 320, h = 160;
        is_map(&v.back, (double[]){ cos(t), sin(t), -sin(t), cos(t), h * sin(t) / 2 - w * cos(t) / 2 + w / 2,
                                    -h * cos(t) / 2 + h / 2 - w * sin(t) / 2 }, 1e-9);
        assert_true(fabs(t) <= 0.5);
        turned += t != 0;
    }
    assert_true(abs(turned - DRAWS / 4) < 120);
}

/* Each change is found again when it comes with others: as many numbers are drawn. */
static void order_and_independence(void **state)
{
    (void)state;
    tl_view_conf all = unchanged;
    all.hflip = 0.5f, all.move_x = 20, all.move_y = 10, all.zoom_min = 0.8f, all.zoom_max = 1.25f, all.turn = 0.3f,
    all.turn_probability = 0.5f;
    for (uint64_t i = 0; i < 200; i++) {
        tl_view_conf one = unchanged;
        one.hflip = all.hflip;
        tl_affine m = drawn(&one, i).back; /* the first change is the rightmost factor */
        one = unchanged, one.move_x = 20, one.move_y = 10;
        tl_affine next = drawn(&one, i).back;
        m = tl_affine_times(&next, &m);
        one = unchanged, one.zoom_min = 0.8f, one.zoom_max = 1.25f;
        next = drawn(&one, i).back;
        m = tl_affine_times(&next, &m);
        one = unchanged, one.turn = 0.3f, one.turn_probability = 0.5f;
        next = drawn(&one, i).back;
        m = tl_affine_times(&next, &m);
        is_map(&m, &drawn(&all, i).back.m[0][0], 1e-9);
    }
}

static void names_of_draws(void **state)
{
    (void)state;
    tl_view_conf c = unchanged;
    tl_view v[4];
    c.zoom_min = 0.5f, c.zoom_max = 2, c.brightness = 0.1f;
    static const uint64_t name[4][3] = { { 1, 2, 3 }, { 1, 2, 3 }, { 1, 3, 3 }, { 1, 2, 4 } };
    for (int i = 0; i < 4; i++) {
        memset(&v[i], 0, sizeof v[i]);
        tl_view_draw(&c, (tl_size){ 50, 50 }, name[i][0], name[i][1], name[i][2], &v[i]);
    }
    assert_memory_equal(&v[0].back, &v[1].back, sizeof v[0].back);
    assert_memory_equal(v[0].rows, v[1].rows, sizeof v[0].rows);
    for (int i = 2; i < 4; i++) assert_true(v[0].back.m[0][0] != v[i].back.m[0][0] && v[0].rows[3] != v[i].rows[3]);
}

/* ---- Colors ---- */

/* The original's 4 x 4 matrices, whose product acts on rows r g b 1: contrast, then hue and saturation, then brightness. */
static void color_matrices(const tl_color_change *c, float rows[12])
{
    const double gain = (double)c->contrast, bias = -(gain - 1) * (double)c->center, turn = (double)c->degrees * 3.14159265358979 / 180;
    const double s = (double)c->saturation, co = s * cos(turn), si = s * sin(turn), up = (double)c->brightness;
    static const double k[4][3] = { { .299, .299, .299 }, { .587, .587, .587 }, { .114, .114, .114 } },
                        A[4][3] = { { .701, -.299, -.299 }, { -.587, .413, -.587 }, { -.114, -.114, .886 } },
                        B[4][3] = { { .168, -.328, 1.25 }, { .330, .035, -1.05 }, { -.497, .292, -.203 } };
    double m[3][4][4] = { { { gain }, { 0, gain }, { 0, 0, gain }, { bias, bias, bias, 1 } },
                          { { 0 }, { 0 }, { 0 }, { 0, 0, 0, 1 } },
                          { { 1 }, { 0, 1 }, { 0, 0, 1 }, { up, up, up, 1 } } };
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) m[1][i][j] = k[i][j] + co * A[i][j] + si * B[i][j];
    double p[4][4], q[4][4];
    memcpy(p, m[0], sizeof p);
    for (int f = 1; f < 3; f++) {
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++) {
                q[i][j] = 0;
                for (int l = 0; l < 4; l++) q[i][j] += p[i][l] * m[f][l][j];
            }
        memcpy(p, q, sizeof p);
    }
    for (int out = 0; out < 3; out++)
        for (int in = 0; in < 4; in++) rows[4 * out + in] = (float)p[in][out];
}

static void colors_are_products_of_matrices(void **state)
{
    (void)state;
    static const tl_color_change cases[] = {
        { 0, 1, 1, 0.5f, 0 }, { 0, 1, 2.5f, 0.5f, 0 }, { 45, 1, 1, 0.5f, 0 }, { 0, 1, 1, 0.5f, -0.5f },
        { -20, 0.7f, 1.2f, 0.3f, 0.1f }, { 360, 0, 0.5f, 0.5f, 0.2f }, { 10, 1.5f, 0.9f, 0, -0.1f },
    };
    for (int i = 0; i < TL_LEN(cases); i++) {
        float rows[12], want[12];
        tl_color_rows(&cases[i], rows);
        color_matrices(&cases[i], want);
        for (int j = 0; j < 12; j++) assert_float_equal(rows[j], want[j], 2e-6f);
    }
}

static void colors_drawn(void **state)
{
    (void)state;
    tl_view_conf c = unchanged;
    double sum = 0, square = 0, least = 1, most = 0;
    assert_false(drawn(&c, 0).recolored);
    c.brightness = 0.2f;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const tl_view v = drawn(&c, i);
        const double up = (double)v.rows[3];
        assert_true(v.recolored && v.rows[3] == v.rows[7] && v.rows[3] == v.rows[11] && fabs(up) <= 0.4001);
        sum += up / DRAWS, square += up * up / DRAWS;
    }
    assert_true(fabs(sum) < 0.01 && fabs(sqrt(square) - 0.2 * 0.8796) < 0.007); /* a normal cut at 2 sigma */
    c.brightness = 0, c.contrast = 0.5f, c.center = 0.5f;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const tl_view v = drawn(&c, i);
        const float gain = v.rows[0] + v.rows[1] + v.rows[2];
        assert_true(fabsf(gain - 1) <= 0.501f);
        assert_float_equal(v.rows[3], (1 - gain) * 0.5f, 1e-3f);
    }
    c.contrast = 0, c.saturation = 0.3f;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const double s = ((double)drawn(&c, i).rows[0] - 0.299) / 0.701;
        least = fmin(least, s), most = fmax(most, s);
    }
    assert_true(least >= 0.699 && least < 0.71 && most <= 1.301 && most > 1.29);
}

/* ---- Boxes ---- */

static void boxes_by_hand(void **state)
{
    (void)state;
    tl_view v;
    tl_box b;
    const tl_view_conf c = { .w = 100, .h = 50, .stretch = true, .min_box_w = 3, .min_box_h = 2 };
    tl_view_plain(&c, (tl_size){ 200, 200 }, &v);
    assert_true(tl_view_box(&v, (tl_box){ 20, 40, 60, 80 }, &b));
    assert_true(b.x1 == 10 && b.y1 == 10 && b.x2 == 30 && b.y2 == 20);
    b = tl_view_box_back(&v, b);
    assert_true(b.x1 == 20 && b.y1 == 40 && b.x2 == 60 && b.y2 == 80);
    assert_true(tl_view_box(&v, (tl_box){ -50, 190, 20, 300 }, &b) && b.x1 == 0 && b.y2 == 50);
    assert_false(tl_view_box(&v, (tl_box){ 20, 40, 25, 80 }, &b));  /* too narrow */
    assert_false(tl_view_box(&v, (tl_box){ 20, 40, 60, 46 }, &b));  /* too low */
    assert_true(tl_view_box(&v, (tl_box){ 20, 40, 26, 48 }, &b));   /* just right */
    assert_false(tl_view_box(&v, (tl_box){ 195, 40, 300, 80 }, &b)); /* what is left of it is too narrow */
    assert_false(tl_view_box(&v, (tl_box){ 201, 40, 300, 80 }, &b));
    assert_false(tl_view_box(&v, (tl_box){ NAN, 40, NAN, 80 }, &b));
    v.min_box_w = v.min_box_h = 0;
    assert_false(tl_view_box(&v, (tl_box){ 20, 40, 20, 80 }, &b));
    b = tl_view_box_back(&v, (tl_box){ -10, 10, 150, 20 });
    assert_true(b.x1 == 0 && b.x2 == 200);
}

/* The box around all that is brighter than half. */
static tl_box seen(const float *x, int w, int h)
{
    tl_box b = { (float)w, (float)h, 0, 0 };
    for (int i = 0; i < w * h; i++) {
        if (x[3 * i] < 0.5f) continue;
        const float px = (float)(i % w), py = (float)(i / w);
        b = (tl_box){ fminf(b.x1, px), fminf(b.y1, py), fmaxf(b.x2, px + 1), fmaxf(b.y2, py + 1) };
    }
    return b;
}

static float largest_gap(tl_box p, tl_box q)
{
    return fmaxf(fmaxf(fabsf(p.x1 - q.x1), fabsf(p.y1 - q.y1)), fmaxf(fabsf(p.x2 - q.x2), fabsf(p.y2 - q.y2)));
}

static void boxes_move_with_their_pixels(void **state)
{
    (void)state;
    tl_view_conf c = { .w = 160, .h = 96, .hflip = 0.5f, .vflip = 0.5f, .move_x = 16, .move_y = 8, .zoom_min = 0.7f,
                       .zoom_max = 1.3f };
    int found = 0;
    for (uint64_t i = 0; i < 300; i++) {
        tl_rng r = tl_rng_at(5, i, 0, 0);
        const tl_size size = { 100 + tl_rng_below(&r, 200), 60 + tl_rng_below(&r, 150) };
        const int x1 = tl_rng_below(&r, size.w - 20), y1 = tl_rng_below(&r, size.h - 20);
        const int w = 12 + tl_rng_below(&r, 60), h = 12 + tl_rng_below(&r, 60);
        const bool turns = i % 3 == 2;
        tl_image m;
        tl_view v;
        tl_box b;
        c.stretch = i % 3 == 1, c.turn = 0.4f, c.turn_probability = turns ? 1 : 0;
        tl_arena_reset(a);
        float *x = tl_new(a, float, 160 * 96 * 3);
        ok(tl_image_new(a, size.w, size.h, 3, &m));
        memset(m.p, 0, (size_t)(size.w * size.h * 3));
        for (int row = y1; row < y1 + h && row < size.h; row++)
            for (int col = x1; col < x1 + w && col < size.w; col++) memset(m.p + 3 * (row * size.w + col), 255, 3);
        tl_view_draw(&c, size, 2, 0, i, &v);
        const tl_box inside = { (float)x1, (float)y1, fminf((float)(x1 + w), (float)size.w), fminf((float)(y1 + h), (float)size.h) };
        tl_view_render(&v, &m, &plain, x);
        if (!tl_view_box(&v, inside, &b)) continue;
        if (b.x2 - b.x1 < 6 || b.y2 - b.y1 < 6) continue;
        const tl_box s = seen(x, 160, 96);
        /* Half a pixel; a turned corner is sharp and ends some pixels further out than it is bright, and its cut may
         * lie outside altogether. */
        if (turns && (b.x1 <= 0 || b.y1 <= 0 || b.x2 >= 160 || b.y2 >= 96)) continue;
        if (!(largest_gap(s, b) <= (turns ? 2 : 1.01f)))
            fail_msg("view %d: seen %g %g %g %g, moved %g %g %g %g", (int)i, (double)s.x1, (double)s.y1, (double)s.x2, (double)s.y2,
                     (double)b.x1, (double)b.y1, (double)b.x2, (double)b.y2);
        found++;
    }
    assert_true(found > 120);
}

static void there_and_back(void **state)
{
    (void)state;
    tl_view_conf c = { .w = 160, .h = 96, .hflip = 0.5f, .vflip = 0.5f, .zoom_min = 1, .zoom_max = 1.5f, .stretch = true };
    for (uint64_t i = 0; i < 200; i++) {
        tl_rng r = tl_rng_at(6, i, 0, 0);
        tl_view v;
        tl_box b, in = { tl_uniform_in(&r, 0, 300), tl_uniform_in(&r, 0, 150), 0, 0 };
        in.x2 = in.x1 + tl_uniform_in(&r, 5, 100), in.y2 = in.y1 + tl_uniform_in(&r, 5, 50);
        tl_view_draw(&c, (tl_size){ 400, 200 }, 2, 0, i, &v);
        assert_true(tl_view_box(&v, in, &b));
        b = tl_view_box_back(&v, b);
        assert_true(largest_gap(b, in) < 1e-3f);
    }
}

/* A picture decoded at a half looks the same, but smoother. */
static void decoded_smaller(void **state)
{
    (void)state;
    tl_image m, half;
    tl_view v;
    float x[40 * 20], y[40 * 20];
    tl_view_plain(&(tl_view_conf){ .w = 40, .h = 20, .stretch = true }, (tl_size){ 160, 80 }, &v);
    const tl_size least = tl_view_least(&v);
    assert_true(least.w == 40 && least.h == 20);
    ok(tl_image_new(a, 160, 80, 1, &m));
    ok(tl_image_new(a, 80, 40, 1, &half));
    for (int i = 0; i < 160 * 80; i++) m.p[i] = (uint8_t)(i % 160 + i / 160);
    for (int i = 0; i < 80 * 40; i++) half.p[i] = (uint8_t)(2 * (i % 80 + i / 80) + 1);
    tl_view_render(&v, &m, &plain, x);
    tl_view_render(&v, &half, &plain, y);
    for (int i = 0; i < 40 * 20; i++) assert_float_equal(x[i], y[i], 1.01f / 255);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(fixed_views), T(pictures_keep_their_size), T(from_the_spec), T(mirrored_as_often_as_said), T(moved_by_whole_pixels),
        T(zoomed_within_the_frame), T(turned_about_the_middle), T(order_and_independence), T(names_of_draws),
        T(colors_are_products_of_matrices), T(colors_drawn), T(boxes_by_hand), T(boxes_move_with_their_pixels),
        T(there_and_back), T(decoded_smaller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
