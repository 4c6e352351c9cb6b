/* test_scenes.c - pictures with objects as DetectNet_v2's training wants them. SPDX-License-Identifier: MIT
 *
 * How one object is drawn is test_raster.c's; here it is which objects are drawn, where, and how much each cell weighs. */
#include "draw.h"
#include "picture.h"
#include "sample.h"
#include "scenes.h"
#include <math.h>
#include <string.h>
#include "folder.h"

enum { WIDE = 96, HIGH = 64, COLS = 6, ROWS = 4, CLASSES = 2, CELLS = COLS * ROWS * CLASSES, OBJECTS = 3, PICTURES = 2 };

static const tl_cells   grid = { WIDE, HIGH, COLS, ROWS, CLASSES, 35, 0.5f };
static const tl_drawing drawing[CLASSES] = { { 0.5f, 0.5f, 0.4f, 0.4f, 1, 0.05f }, { 0.5f, 0.5f, 0.7f, 0.6f, 1, 0.25f } };
static const float      deadzone = 0.5f;

/* Two classes, and one that the network does not know. */
static const tl_box object_box[OBJECTS] = { { 8, 8, 40, 40 }, { 60, 20, 90, 50 }, { 70, 40, 84, 60 } };
static const int    class_of[OBJECTS] = { 1, 0, -1 };

/* Two pictures with the three objects each, not yet on disk. */
static tl_scenes *scenes(const char *path)
{
    static const char *const name[OBJECTS] = { "van", "cat", "sign" };
    tl_labels *l = tl_new(a, tl_labels, 1);
    tl_scenes *s = tl_new(a, tl_scenes, 1);
    *l = (tl_labels){ .npictures = PICTURES, .nobjects = PICTURES * OBJECTS, .picture = tl_new(a, tl_picture, PICTURES),
                      .object = tl_new(a, tl_object, PICTURES * OBJECTS), .classes = { OBJECTS, (void *)(uintptr_t)name } };
    for (int i = 0; i < PICTURES; i++) l->picture[i] = (tl_picture){ path, "", WIDE, HIGH, i * OBJECTS, OBJECTS, true };
    for (int i = 0; i < PICTURES * OBJECTS; i++) l->object[i] = (tl_object){ .box = object_box[i % OBJECTS], .label = (int16_t)(i % OBJECTS) };
    *s = (tl_scenes){ .labels = l, .class_of = class_of, .view = { .w = WIDE, .h = HIGH, .zoom_min = 1, .zoom_max = 1 }, .cells = grid,
                      .drawing = drawing, .deadzone = deadzone };
    return s;
}

static const char *put_picture(const char *name, int w, int h)
{
    const tl_image m = noise(a, w, h, 3);
    ok(tl_image_save(a, &m, in(name)));
    return in(name);
}

/* ---- One row ---- */

typedef struct { float *x, *row; tl_targets t; } made;

static made make(const tl_scenes *s, bool vary, tl_cache *cache, int epoch, int i)
{
    const tl_loader_conf c = { .w = WIDE, .h = HIGH, .c = 3, .vary = vary, .seed = 5,
                               .norm = { { 0, 1, 2 }, { 0, 0, 0 }, { 1 / 255.0f, 1 / 255.0f, 1 / 255.0f } } };
    made m = { .x = tl_new(a, float, WIDE * HIGH * 3), .row = tl_new(a, float, tl_scene_width(s)) };
    tl_dataset d;
    ok(tl_scenes_dataset(a, s, &d));
    assert_int_equal(d.sample.n, PICTURES);
    if (!cache) ok(tl_cache_new(a, PICTURES, 0, &cache));
    ok(tl_scene_make(a, &d, &c, cache, epoch, i, m.x, m.row));
    m.t = (tl_targets){ m.row, m.row + CELLS, m.row + 2 * CELLS, m.row + 6 * CELLS };
    return m;
}

/* Objects drawn as classes; label -1: not. */
static tl_targets drawn(const tl_box *box, const int *label, int n)
{
    tl_targets t;
    ok(tl_targets_new(a, &grid, &t));
    ok(tl_targets_draw(&grid, drawing, deadzone, box, label, n, a, &t));
    return t;
}

static void same(const char *what, const float *got, const float *want, int n, float within)
{
    for (int i = 0; i < n; i++)
        if (!(fabsf(got[i] - want[i]) <= within)) fail_msg("%s[%d]: %g instead of %g", what, i, (double)got[i], (double)want[i]);
}

static void same_targets(const tl_targets *got, const tl_targets *want)
{
    same("coverage", got->cov, want->cov, CELLS, 0);
    same("its weight", got->cov_weight, want->cov_weight, CELLS, 0);
    same("sides", got->bbox, want->bbox, 4 * CELLS, 0);
    same("their weight", got->cov_norm, want->cov_norm, CELLS, 0);
}

/* ---- Tests ---- */

/* Coverage, its weight, sides, their weight, one after the other; the third object is of no class. */
static void a_row_is_four_grids(void **state)
{
    (void)state;
    const tl_scenes *s = scenes(put_picture("a.png", WIDE, HIGH));
    const tl_targets want = drawn(object_box, class_of, 2);
    const made m = make(s, false, NULL, 0, 1);
    assert_int_equal(tl_scene_width(s), 7 * CELLS);
    same_targets(&m.t, &want);
    int covered = 0;
    for (int i = 0; i < CELLS; i++) covered += m.t.cov[i] > 0;
    assert_true(covered > 4);
    tl_view v;
    tl_seen seen;
    tl_view_plain(&s->view, (tl_size){ WIDE, HIGH }, &v);
    ok(tl_scene_objects(a, s, 1, &v, &seen));
    assert_int_equal(seen.n, 2);
    assert_true(seen.label[0] == 1 && seen.label[1] == 0);
    assert_memory_equal(seen.box, object_box, 2 * sizeof(tl_box));
}

static void sources_have_weights(void **state)
{
    (void)state;
    static const float weight[PICTURES] = { 2, 0.5f };
    tl_scenes *s = scenes(put_picture("a.png", WIDE, HIGH));
    s->weight = weight;
    for (int i = 0; i < PICTURES; i++) {
        tl_targets want = drawn(object_box, class_of, OBJECTS);
        const made m = make(s, false, NULL, 0, i);
        for (int k = 0; k < CELLS; k++) want.cov_weight[k] *= weight[i], want.cov_norm[k] *= weight[i];
        same_targets(&m.t, &want);
    }
}

/* ---- Loss masks ---- */

static const bool sign[OBJECTS] = { false, false, true }, cat[OBJECTS] = { false, true, false };
static const struct { const char *what; tl_mask_filter f; bool passes[OBJECTS]; } filters[] = {
    { "all", { .min_w = 0 }, { true, true, true } },
    { "wide", { .min_w = 31 }, { true, false, false } },
    { "high", { .min_h = 30 }, { true, true, false } },
    { "narrow", { .max_w = 14 }, { false, false, true } },
    { "low", { .max_h = 31 }, { false, true, true } },
    { "of one size", { .min_w = 20, .max_w = 31, .min_h = 20, .max_h = 31 }, { false, true, false } },
    { "in a corner", { .near = { 0, 0, 8.5f, 8.5f } }, { true, false, false } },
    { "beside the corner", { .near = { 0, 0, 8, 8 } }, { false, false, false } },
    { "left of all", { .near = { 0, 0, 8, HIGH } }, { false, false, false } },
    { "above all", { .near = { 0, 0, WIDE, 8 } }, { false, false, false } },
    { "right of all", { .near = { 90, 0, WIDE, HIGH } }, { false, false, false } },
    { "below all", { .near = { 0, 60, WIDE, HIGH } }, { false, false, false } },
    { "at the right", { .near = { 64, 0, WIDE, HIGH } }, { false, true, true } },
    { "signs", { .sources = sign }, { false, false, true } },
    { "high cats", { .sources = cat, .min_h = 31 }, { false, false, false } },
};

/* The weights that the cells of class k shall have. */
static void mask_by_hand(const tl_scenes *s, const bool *passes, const tl_mask_filter *f, int k, tl_targets *t)
{
    int label[OBJECTS];
    for (int i = 0; i < OBJECTS; i++) label[i] = passes[i] ? k : -1;
    const tl_targets at = drawn(object_box, label, OBJECTS);
    for (int i = k; i < CELLS; i += CLASSES) {
        if (!(at.cov[i] > 0) || (s->mask_spares && t->cov[i] > 0)) continue;
        if (f->cov) t->cov_weight[i] *= s->mask_by;
        if (f->bbox) t->cov_norm[i] *= s->mask_by;
    }
}

/* Bits: cov, bbox, class 0, class 1, spares. */
static void masks_change_weights(void **state)
{
    (void)state;
    tl_scenes *s = scenes(put_picture("a.png", WIDE, HIGH));
    tl_arena *whole = a;
    int changed = 0;
    s->mask_by = 0.25f;
    for (int i = 0; i < TL_LEN(filters); i++)
        for (int o = 0; o < 32; o++) {
            a = tl_arena_new();
            const bool classes[CLASSES] = { o & 4, o & 8 };
            tl_mask_filter f = filters[i].f;
            f.cov = o & 1, f.bbox = o & 2, f.classes = classes;
            s->mask = &f, s->nmask = 1, s->mask_spares = o & 16;
            const tl_targets plain = drawn(object_box, class_of, OBJECTS);
            tl_targets want = drawn(object_box, class_of, OBJECTS);
            for (int k = 0; k < CLASSES; k++)
                if (classes[k]) mask_by_hand(s, filters[i].passes, &f, k, &want);
            const made m = make(s, false, NULL, 0, 0);
            same(filters[i].what, m.t.cov_weight, want.cov_weight, CELLS, 0);
            same(filters[i].what, m.t.cov_norm, want.cov_norm, CELLS, 0);
            same("coverage", m.t.cov, plain.cov, CELLS, 0);
            changed += memcmp(want.cov_weight, plain.cov_weight, CELLS * sizeof(float)) || memcmp(want.cov_norm, plain.cov_norm, CELLS * sizeof(float));
            tl_arena_free(a);
            a = whole;
        }
    assert_true(changed > 60); /* of 480: what was compared is not always nothing */
}

/* Where two filters meet, both count. */
static void masks_add_up(void **state)
{
    (void)state;
    static const bool first[CLASSES] = { true, false };
    tl_scenes *s = scenes(put_picture("a.png", WIDE, HIGH));
    const tl_mask_filter f[2] = { { .cov = true, .classes = first }, { .min_w = 31, .cov = true, .classes = first } };
    s->mask = f, s->nmask = 2, s->mask_by = 0.5f;
    const made m = make(s, false, NULL, 0, 0);
    const size_t van = (size_t)(1 * COLS + 1) * CLASSES, sign_at = (size_t)(3 * COLS + 4) * CLASSES, none = (size_t)(3 * COLS + 0) * CLASSES;
    assert_true(m.t.cov_weight[van] == 0.95f / 4);
    assert_true(m.t.cov_weight[sign_at] == 0.95f / 2);
    assert_true(m.t.cov_weight[none] == 0.95f);
}

/* ---- Views ---- */

/* What a cell's point is to the left side it is not quite to the right one: it lies half a pixel into the cell. */
static void mirrored_pictures_have_mirrored_grids(void **state)
{
    (void)state;
    enum { STRIDE = WIDE / COLS };
    const float shift = (STRIDE - 2 * 0.5f) / 35;
    tl_scenes *s = scenes(put_picture("a.png", WIDE, HIGH));
    const made p = make(s, false, NULL, 0, 0);
    s->view.hflip = 1;
    const made m = make(s, true, NULL, 0, 0), still = make(s, false, NULL, 0, 0);
    same_targets(&still.t, &p.t); /* nothing is drawn when not training */
    for (int y = 0; y < HIGH; y++)
        for (int x = 0; x < WIDE; x++) same("pixel", m.x + 3 * (y * WIDE + x), p.x + 3 * (y * WIDE + WIDE - 1 - x), 3, 1e-6f);
    for (int y = 0; y < ROWS; y++)
        for (int x = 0; x < COLS; x++)
            for (int k = 0; k < CLASSES; k++) {
                const int at = (y * COLS + x) * CLASSES + k, from = (y * COLS + COLS - 1 - x) * CLASSES + k;
                const float *b = p.t.bbox + 4 * from, by = p.t.cov[from] > 0 ? shift : 0;
                same("coverage", m.t.cov + at, p.t.cov + from, 1, 0);
                same("its weight", m.t.cov_weight + at, p.t.cov_weight + from, 1, 0);
                same("weight of the sides", m.t.cov_norm + at, p.t.cov_norm + from, 1, 1e-6f);
                same("sides", m.t.bbox + 4 * at, (const float[]){ b[2] - by, b[1], b[0] + by, b[3] }, 4, 1e-5f);
            }
}

/* Whatever is drawn, and though the decoder makes large pictures smaller: a picture from the cache is the picture. */
static void cached_pictures_are_the_same(void **state)
{
    (void)state;
    static const struct { const char *name; int w, h; } pictures[] = { { "a.jpg", 8 * WIDE, 8 * HIGH }, { "b.png", 200, 100 }, { "c.png", 40, 30 } };
    for (int i = 0; i < TL_LEN(pictures); i++) {
        tl_scenes *s = scenes(put_picture(pictures[i].name, pictures[i].w, pictures[i].h));
        tl_cache *cache;
        for (int k = 0; k < PICTURES; k++) s->labels->picture[k].w = pictures[i].w, s->labels->picture[k].h = pictures[i].h;
        s->view = (tl_view_conf){ .w = WIDE, .h = HIGH, .stretch = true, .hflip = 0.5f, .move_x = 8, .move_y = 4, .zoom_min = 0.7f,
                                  .zoom_max = 1.3f, .turn = 0.1f, .turn_probability = 0.5f, .hue = 10, .brightness = 0.1f };
        ok(tl_cache_new(a, PICTURES, (size_t)1 << 24, &cache));
        made before = { NULL, NULL, { NULL, NULL, NULL, NULL } };
        for (int epoch = 0; epoch < 4; epoch++) {
            const made x = make(s, true, cache, epoch, 1), y = make(s, true, NULL, epoch, 1);
            assert_memory_equal(x.x, y.x, sizeof(float) * WIDE * HIGH * 3);
            assert_memory_equal(x.row, y.row, sizeof(float) * 7 * CELLS);
            assert_non_null(tl_cache_get(cache, 1));
            if (epoch) assert_true(memcmp(x.x, before.x, sizeof(float) * WIDE * HIGH * 3)); /* each epoch is another */
            before = x;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_row_is_four_grids), IN_FOLDER(sources_have_weights), IN_FOLDER(masks_change_weights), IN_FOLDER(masks_add_up),
        IN_FOLDER(mirrored_pictures_have_mirrored_grids), IN_FOLDER(cached_pictures_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
