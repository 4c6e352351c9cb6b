/* test_raster.c - objects drawn into grids: by hand, against the original's pictures, against numpy, and properties.
 * SPDX-License-Identifier: MIT */
#include "detect.h"
#include "image.h"
#include "rng.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fixture.h"

static tl_cells grid(int w, int h, int stride, int classes)
{
    return (tl_cells){ w * stride, h * stride, w, h, classes, 35, 0.5f };
}

static const tl_drawing whole = { 0.5f, 0.5f, 1, 1, 0.1f, 0.05f }, usual = { 0.5f, 0.5f, 0.4f, 0.4f, 1, 0.05f };

static tl_targets drawn(const tl_cells *g, const tl_drawing *d, float deadzone, const tl_box *box, const int *label,
                        int n)
{
    tl_targets t;
    ok(tl_targets_new(a, g, &t));
    ok(tl_targets_draw(g, d, deadzone, box, label, n, a, &t));
    return t;
}

static size_t numbers(const tl_cells *g) { return (size_t)g->w * (size_t)g->h * (size_t)g->classes; }

/* cov of one class, in sixteenths */
static void covers(const tl_cells *g, const tl_targets *t, const int *want)
{
    for (int i = 0; i < g->w * g->h; i++)
        if (t->cov[i] * 16 != (float)want[i])
            fail_msg("cell %d,%d: %g sixteenths instead of %d", i % g->w, i / g->w, (double)t->cov[i] * 16, want[i]);
}

/* ---- By hand ---- */

static void a_circle(void **state)
{
    (void)state;
    static const int want[] = { 6, 15, 15, 6, 15, 16, 16, 15, 15, 16, 16, 15, 6, 15, 15, 6 };
    tl_cells g = grid(4, 4, 16, 1);
    tl_targets t = drawn(&g, &whole, 0.5f, &(tl_box){ 0, 0, 64, 64 }, (int[]){ 0 }, 1);
    covers(&g, &t, want);
    for (int i = 0; i < 16; i++) {
        float x = 16 * (float)(i % 4) + 0.5f, y = 16 * (float)(i / 4) + 0.5f;
        const float side[4] = { x / 35, y / 35, (64 - x) / 35, (64 - y) / 35 };
        assert_memory_equal(t.bbox + 4 * i, side, sizeof side);
        assert_true(t.cov_norm[i] == t.cov[i] / 16);
        assert_true(t.cov_weight[i] == (want[i] > 8 ? 0.05f : 1 - 0.05f));
    }
}

/* An input that is not as wide and high as the grid asks for: cells of 16 x 32 pixels. */
static void an_ellipse(void **state)
{
    (void)state;
    static const int want[] = { 6, 15, 15, 6, 15, 16, 16, 15, 15, 16, 16, 15, 6, 15, 15, 6 };
    tl_cells g = { 64, 128, 4, 4, 1, 35, 0.5f };
    tl_targets t = drawn(&g, &whole, 0.5f, &(tl_box){ 0, 0, 64, 128 }, (int[]){ 0 }, 1);
    covers(&g, &t, want);
    assert_true(t.bbox[4 * 9 + 1] == 64.5f / 35 && t.bbox[4 * 9 + 2] == (64 - 16.5f) / 35);
}

/* The ellipse grows to the least radius, and keeps its shape. */
static void small_objects_are_seen(void **state)
{
    (void)state;
    static const int none[15] = { 0 }, point[15] = { [7] = 4 }, oval[15] = { [7] = 8 };
    tl_cells g = grid(5, 3, 16, 1);
    tl_drawing d = whole;
    tl_targets t = drawn(&g, &d, 0, &(tl_box){ 40, 24, 40, 24 }, (int[]){ 0 }, 1);
    covers(&g, &t, none); /* a tenth of a cell, between the points that are tried */
    d.min_radius = 0.2f;
    t = drawn(&g, &d, 0, &(tl_box){ 40, 24, 40, 24 }, (int[]){ 0 }, 1);
    covers(&g, &t, point);
    assert_true(t.cov_norm[7] == 0.25f); /* over 1, not over the area of 0.16 cells */
    const float side[4] = { 0.5f / 35, 0.5f / 35, -0.5f / 35, -0.5f / 35 }; /* without width and height */
    assert_memory_equal(t.bbox + 4 * 7, side, sizeof side);
    d.min_radius = 0.3f; /* radii 0.6 and 0.3 */
    t = drawn(&g, &d, 0, &(tl_box){ 36, 22, 44, 26 }, (int[]){ 0 }, 1);
    covers(&g, &t, oval);
}

/* The middle lies where the class says, and the ellipse ends at the nearest side. */
static void the_center_moves(void **state)
{
    (void)state;
    static const int want[] = { 0, 0, 0, 16, 16, 0, 0, 0 };
    tl_cells g = grid(8, 1, 16, 1);
    tl_drawing d = { 0.5f, 0.5f, 1, 1, 0.1f, 0.5f };
    d.center_x = 0.75f;
    d.radius_y = 100; /* all of the height */
    tl_targets t = drawn(&g, &d, 0, &(tl_box){ 16, 0, 80, 16 }, (int[]){ 0 }, 1);
    covers(&g, &t, want);
    d.center_x = 0.25f;
    t = drawn(&g, &d, 0, &(tl_box){ 48, 0, 112, 16 }, (int[]){ 0 }, 1);
    covers(&g, &t, want);
}

/* The object whose lower edge is lower is nearer. Its dead zone clears cells, its ellipse takes cells. All are so high
 * that only x matters. */
static void nearer_objects_hide_others(void **state)
{
    (void)state;
    static const struct {
        float  radius_x, deadzone;
        tl_box box[2];
        int    want[4];
    } cases[] = {
        { 1, 0, { { 0, -100, 48, 115 } }, { 16, 16, 16, 0 } },
        { 1, 1, { { 48, -100, 64, 116 }, { 0, -100, 48, 115 } }, { 16, 16, 16, 16 } }, /* side by side */
        { 1 / 3.0f, 1, { { 16, -100, 64, 116 }, { 0, -100, 48, 115 } }, { 0, 0, 16, 0 } },
        { 1 / 3.0f, 1, { { 16, -100, 64, 115 }, { 0, -100, 48, 116 } }, { 0, 16, 0, 0 } },
        { 1 / 3.0f, 1, { { 16, -100, 64, 115 }, { 0, -100, 48, 115 } }, { 0, 16, 0, 0 } }, /* the last given */
        { 1 / 3.0f, 0.5f, { { 16, -100, 64, 116 }, { 0, -100, 48, 115 } }, { 0, 16, 16, 0 } }, /* half of the cell */
    };
    for (int i = 0; i < TL_LEN(cases); i++) {
        tl_cells g = grid(4, 1, 16, 1);
        tl_drawing d = { 0.5f, 0.5f, cases[i].radius_x, 100, 0.1f, 0 };
        tl_targets t = drawn(&g, &d, cases[i].deadzone, cases[i].box, (int[]){ 0, i ? 0 : -1 }, 2);
        covers(&g, &t, cases[i].want);
    }
}

static void classes_do_not_hide_each_other(void **state)
{
    (void)state;
    tl_cells g = grid(4, 1, 16, 2);
    const tl_drawing d[] = { { 0.5f, 0.5f, 1, 100, 0.1f, 0 }, { 0.5f, 0.5f, 1 / 3.0f, 100, 0.1f, 0 } };
    const tl_box box[] = { { 0, -100, 48, 115 }, { 16, -100, 64, 116 } };
    static const float want[8] = { 1, 0, 1, 0, 1, 1, 0, 0 };
    tl_targets t = drawn(&g, d, 1, box, (int[]){ 0, 1 }, 2);
    assert_memory_equal(t.cov, want, sizeof want);
}

static void strange_objects(void **state)
{
    (void)state;
    static const tl_box box[] = {
        { NAN, 0, 30, 30 }, { 0, NAN, 30, NAN }, { -INFINITY, -INFINITY, INFINITY, INFINITY },
        { 1e30f, 1e30f, 2e30f, 2e30f }, { -1e30f, -10, -1e29f, 50 }, { 50, 50, 10, 10 },
        { 0, 0, 30, 30 }, { 0, 0, 30, 30 },
    };
    static const int label[] = { 0, 0, 0, 0, 0, 0, -1, 1 }; /* the last two are of no class */
    static const int none[12] = { 0 };
    tl_cells g = grid(4, 3, 16, 1);
    for (int i = 0; i < TL_LEN(box); i++) {
        tl_targets t = drawn(&g, &usual, 0.67f, &box[i], &label[i], 1);
        if (i != 5) covers(&g, &t, none);
    }
    tl_targets t = drawn(&g, &usual, 0.67f, NULL, NULL, 0);
    covers(&g, &t, none);
}

/* ---- The original's own pictures ---- */

#define ORACLES "../shared/data/nvidia-oracles/"

/* One ellipse in one of the pictures' tiles of 160 x 120 cells: coverage times the gray value, cut to whole numbers. */
typedef struct {
    const char *file;
    int         tile;
    tl_box      box;
    float       radius_x, radius_y, value;
    int         quadrants; /* bits: which quarters of the tile hold nothing else */
} oracle;

static void compare_tile(const oracle *o, const tl_image *m)
{
    tl_cells g = grid(160, 120, 1, 1);
    tl_drawing d = { 0.5f, 0.5f, o->radius_x, o->radius_y, 0.1f, 0 };
    tl_targets t = drawn(&g, &d, 1, &o->box, (int[]){ 0 }, 1);
    for (int y = 0; y < 120; y++)
        for (int x = 0; x < 160; x++) {
            int quadrant = (x >= 80) + 2 * (y >= 60);
            if (!(o->quadrants >> quadrant & 1)) continue;
            int got = (int)(t.cov[y * 160 + x] * o->value), want = m->p[(o->tile * 120 + y) * 160 + x];
            if (got != want) fail_msg("%s tile %d, %d,%d: %d instead of %d", o->file, o->tile, x, y, got, want);
        }
}

static void ellipses_are_those_of_the_original(void **state)
{
    (void)state;
    static const oracle cases[] = {
        { "test_0", 0, { 0, 0, 80, 60 }, 1, 1, 32, 15 },
        { "test_0", 3, { 80, 60, 160, 120 }, 1, 1, 128, 15 },
        { "test_0", 2, { 0, 60, 80, 120 }, 1, 1, 192, 15 },
        { "test_0", 7, { 40, 30, 120, 90 }, 1, 1, 224, 15 },
        { "test_1", 1, { 0, 0, 160, 120 }, 1, 1, 32, 15 },
        { "test_2", 0, { 40, 30, 120, 90 }, 0.8f, 0.9f, 255, 6 },
        { "test_3", 0, { 40, 30, 120, 90 }, 0.8f, 0.9f, 255, 6 },
    };
    for (int i = 0; i < TL_LEN(cases); i++) {
        const char *path = tl_printf(a, ORACLES "test_bbox_rasterizer_ref__%s_chfirst_cpu.png", cases[i].file);
        tl_image m;
        if (!tl_file_exists(path)) {
            print_message("skipped: %s is not there\n", path);
            skip();
        }
        ok(tl_image_load(a, path, 1, (tl_size){ 0, 0 }, &m));
        assert_int_equal(m.w, 160);
        compare_tile(&cases[i], &m);
    }
}

/* ---- Cases of tools/make_detect_golden.py ---- */

typedef struct {
    tl_cells   g;
    float      deadzone;
    tl_drawing drawing[4];
    tl_box     box[32];
    int        label[32], classes, boxes;
    tl_targets want;
} scene;

/* The words of a line as numbers; returns how many. */
static int read_numbers(const char *s, float *v, int most)
{
    int n = 0;
    for (char *end; n < most; s = end) {
        v[n] = strtof(s, &end);
        if (end == s) break;
        n++;
    }
    return n;
}

static void read_line(scene *s, const char *line)
{
    float v[9];
    const int n = read_numbers(strchr(line, ' '), v, 9);
    if (!strncmp(line, "case", 4)) {
        *s = (scene){ .g = grid((int)v[0], (int)v[1], (int)v[2], (int)v[3]), .deadzone = v[4] };
        ok(tl_targets_new(a, &s->g, &s->want));
    } else if (!strncmp(line, "class", 5)) {
        s->drawing[s->classes++] = (tl_drawing){ v[0], v[1], v[2], v[3], v[4], 0.25f };
    } else if (!strncmp(line, "box", 3)) {
        s->label[s->boxes] = (int)v[0];
        s->box[s->boxes++] = (tl_box){ v[1], v[2], v[3], v[4] };
    } else {
        assert_int_equal(n, 9);
        int at = ((int)v[1] * s->g.w + (int)v[0]) * s->g.classes + (int)v[2];
        s->want.cov[at] = v[3];
        s->want.cov_norm[at] = v[4];
        memcpy(s->want.bbox + 4 * at, v + 5, 4 * sizeof *v);
    }
}

static void compare_targets(const scene *s, int number)
{
    const size_t n = numbers(&s->g);
    tl_targets t = drawn(&s->g, s->drawing, s->deadzone, s->box, s->label, s->boxes);
    for (size_t i = 0; i < n; i++) {
        if (t.cov[i] != s->want.cov[i] || t.cov_norm[i] != s->want.cov_norm[i])
            fail_msg("case %d, number %zu: %.9g %.9g instead of %.9g %.9g", number, i, (double)t.cov[i],
                     (double)t.cov_norm[i], (double)s->want.cov[i], (double)s->want.cov_norm[i]);
        for (size_t k = 4 * i; k < 4 * i + 4; k++)
            if (t.bbox[k] != s->want.bbox[k])
                fail_msg("case %d, side %zu: %.9g instead of %.9g", number, k, (double)t.bbox[k],
                         (double)s->want.bbox[k]);
    }
}

static void targets_are_those_of_numpy(void **state)
{
    (void)state;
    tl_bytes file;
    scene s = { .boxes = 0 };
    int cases = 0;
    char *rest = NULL;
    ok(tl_file_read(a, "test/data/detect/raster.txt", 0, &file));
    for (char *line = strtok_r((char *)(uintptr_t)file.p, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strcmp(line, "end")) read_line(&s, line);
        else compare_targets(&s, cases++);
    }
    assert_int_equal(cases, 5);
}

/* ---- Properties of random scenes ---- */

static void random_scene(uint64_t seed, scene *s)
{
    tl_rng r = tl_rng_at(seed, 0, 0, 0);
    *s = (scene){ .g = grid(5 + tl_rng_below(&r, 20), 5 + tl_rng_below(&r, 20), tl_rng_below(&r, 2) ? 16 : 32, 3) };
    s->deadzone = tl_uniform(&r);
    s->boxes = 1 + tl_rng_below(&r, 12);
    for (int k = 0; k < 3; k++)
        s->drawing[k] = (tl_drawing){ 0.5f, 0.5f, tl_uniform(&r), tl_uniform(&r), tl_uniform(&r), tl_uniform(&r) };
    for (int i = 0; i < s->boxes; i++) {
        float x = tl_uniform(&r) * (float)s->g.in_w, y = tl_uniform(&r) * (float)s->g.in_h;
        float w = tl_uniform(&r) * ((float)s->g.in_w - x), h = tl_uniform(&r) * ((float)s->g.in_h - y);
        s->box[i] = (tl_box){ x, y, x + w, y + h };
        s->label[i] = tl_rng_below(&r, 3);
    }
}

static bool is_box_of(const scene *s, tl_box b, int label)
{
    for (int i = 0; i < s->boxes; i++) {
        tl_box c = s->box[i];
        float off = fmaxf(fmaxf(fabsf(b.x1 - c.x1), fabsf(b.y1 - c.y1)), fmaxf(fabsf(b.x2 - c.x2), fabsf(b.y2 - c.y2)));
        if (s->label[i] == label && off < 1e-3f) return true;
    }
    return false;
}

/* Each covered cell decodes to one of the boxes, and uncovered ones are zero. */
static void cells_know_their_box(void **state)
{
    (void)state;
    int covered = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        scene s;
        random_scene(seed, &s);
        tl_targets t = drawn(&s.g, s.drawing, s.deadzone, s.box, s.label, s.boxes);
        for (size_t i = 0; i < numbers(&s.g); i++) {
            int k = (int)(i % 3), x = (int)(i / 3) % s.g.w, y = (int)(i / 3) / s.g.w;
            tl_cell_answer c = tl_cells_answer(&s.g, t.cov, t.bbox, x, y, k);
            float sixteenths = 16 * t.cov[i], front = s.drawing[k].foreground_weight;
            assert_true(sixteenths == floorf(sixteenths) && sixteenths >= 0 && sixteenths <= 16 && c.cov == t.cov[i]);
            assert_true(t.cov_norm[i] <= t.cov[i] && (t.cov_norm[i] > 0) == (t.cov[i] > 0));
            assert_true(t.cov_weight[i] == (t.cov[i] > 0.5f ? front : 1 - front));
            if (t.cov[i] > 0 && !is_box_of(&s, c.box, k)) fail_msg("seed %d, cell %d,%d", (int)seed, x, y);
            for (size_t j = 4 * i; t.cov[i] <= 0 && j < 4 * i + 4; j++) assert_true(t.bbox[j] == 0);
            covered += t.cov[i] > 0;
        }
    }
    assert_true(covered > 1000);
}

static void the_order_of_boxes_does_not_matter(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        scene s;
        random_scene(seed, &s);
        tl_targets t = drawn(&s.g, s.drawing, s.deadzone, s.box, s.label, s.boxes);
        for (int i = 0, j = s.boxes - 1; i < j; i++, j--) {
            tl_box b = s.box[i];
            int k = s.label[i];
            s.box[i] = s.box[j], s.label[i] = s.label[j];
            s.box[j] = b, s.label[j] = k;
        }
        tl_targets u = drawn(&s.g, s.drawing, s.deadzone, s.box, s.label, s.boxes);
        assert_memory_equal(t.cov, u.cov, numbers(&s.g) * sizeof(float));
        assert_memory_equal(t.bbox, u.bbox, 4 * numbers(&s.g) * sizeof(float));
    }
}

/* A large ellipse covers as many cells as its area has. */
static void areas(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        tl_rng r = tl_rng_at(seed, 1, 0, 0);
        tl_cells g = grid(40, 40, 16, 1);
        float w = tl_uniform_in(&r, 200, 300), h = tl_uniform_in(&r, 200, 300), sum = 0, norm = 0;
        tl_box b = { tl_uniform(&r) * 300, tl_uniform(&r) * 300, 0, 0 };
        b.x2 = b.x1 + w;
        b.y2 = b.y1 + h;
        tl_targets t = drawn(&g, &whole, 0.5f, &b, (int[]){ 0 }, 1);
        for (size_t i = 0; i < numbers(&g); i++) sum += t.cov[i], norm += t.cov_norm[i];
        assert_true(fabsf(sum / (3.14159265f / 4 * w * h / 256) - 1) < 0.02f);
        assert_true(fabsf(norm - 3.14159265f / 4) < 0.02f); /* whatever the size */
    }
}

static void no_memory(void **state)
{
    (void)state;
    tl_cells g = grid(4, 4, 16, 1);
    for (long n = 0;; n++) {
        tl_targets t;
        tl_oom_countdown = n;
        tl_status s = tl_targets_new(a, &g, &t);
        if (!s) s = tl_targets_draw(&g, &usual, 0.5f, &(tl_box){ 0, 0, 64, 64 }, (int[]){ 0 }, 1, a, &t);
        tl_oom_countdown = -1;
        if (!s) break;
        assert_int_equal(s, TL_ENOMEM);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_circle), T(an_ellipse), T(small_objects_are_seen), T(the_center_moves), T(nearer_objects_hide_others),
        T(classes_do_not_hide_each_other), T(strange_objects),
        T(ellipses_are_those_of_the_original), T(targets_are_those_of_numpy), T(cells_know_their_box),
        T(the_order_of_boxes_does_not_matter), T(areas), T(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
