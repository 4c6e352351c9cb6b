/* test_cluster.c - cells gathered into objects: by hand, against scikit-learn, and there and back through the grid.
 * SPDX-License-Identifier: MIT */
#include "detect.h"
#include "file.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fixture.h"

static const tl_clustering dbscan = { .kind = TL_DBSCAN, .coverage = 0.005f, .eps = 0.3f, .min_samples = 1 };
static const tl_clustering nms = { .kind = TL_NMS, .coverage = 0.005f, .nms_iou = 0.65f, .nms_confidence = 0.1f };

static tl_list clustered(const tl_clustering *c, const tl_cell_answer *cell, int n)
{
    tl_list found = { 0, NULL };
    ok(tl_cluster(a, c, cell, n, 7, 3, &found));
    return found;
}

static const tl_detection *at(const tl_list *l, int i) { return (const tl_detection *)l->at + i; }

static bool near(float x, float y) { return fabsf(x - y) <= 1e-5f * fmaxf(1, fabsf(y)); }

static void is(const tl_detection *d, float score, float coverage, tl_box b)
{
    if (near(d->score, score) && near(d->coverage, coverage) && near(d->box.x1, b.x1) && near(d->box.y1, b.y1) &&
        near(d->box.x2, b.x2) && near(d->box.y2, b.y2))
        return;
    fail_msg("%g (%g) %g %g %g %g instead of %g (%g) %g %g %g %g", (double)d->score, (double)d->coverage,
             (double)d->box.x1, (double)d->box.y1, (double)d->box.x2, (double)d->box.y2, (double)score,
             (double)coverage, (double)b.x1, (double)b.y1, (double)b.x2, (double)b.y2);
}

/* ---- By hand ---- */

static void cells_are_averaged_by_coverage(void **state)
{
    (void)state;
    static const tl_cell_answer cell[] = {
        { { 10, 10, 50, 50 }, 0.75f }, { { 10, 10, 50, 54 }, 0.25f }, { { 200, 10, 240, 50 }, 0.9f },
        { { 200, 10, 240, 50 }, 0.9f }, { { 10, 10, 50, 50 }, 0.005f }, /* not more than the threshold */
    };
    tl_list found = clustered(&dbscan, cell, TL_LEN(cell));
    assert_int_equal(found.n, 2);
    is(at(&found, 0), 1.8f, 0.9f, (tl_box){ 200, 10, 240, 50 });
    is(at(&found, 1), 1, 0.5f, (tl_box){ 10, 10, 50, 51 });
    assert_true(at(&found, 0)->picture == 7 && at(&found, 0)->label == 3);
}

/* What one setting does to two cells that agree on a box 40 high, together with coverage 1.5. */
static void settings(void **state)
{
    (void)state;
    static const tl_cell_answer cell[] = { { { 0, 0, 40, 40 }, 0.75f }, { { 0, 0, 40, 40 }, 0.75f } };
    static const struct { tl_clustering c; int n, want; } cases[] = {
        { { .min_samples = 1 }, 2, 1 },
        { { .min_samples = 1 }, 1, 0 },                           /* 0.75 alone is noise */
        { { .min_samples = 0 }, 1, 0 },                           /* as 1 */
        { { .min_samples = 2 }, 2, 0 },
        { { .min_height = 39.9f }, 2, 1 },
        { { .min_height = 40 }, 2, 0 },                           /* must be higher */
        { { .min_confidence = 1.5f }, 2, 1 },                     /* at least */
        { { .min_confidence = 1.6f }, 2, 0 },
        { { .coverage = 0.75f }, 2, 0 },                          /* must be above */
        { { .kind = TL_NMS, .nms_iou = 0.5f }, 2, 1 },
        { { .kind = TL_NMS, .nms_iou = 0.5f }, 1, 1 },
        { { .kind = TL_NMS, .nms_iou = 1 }, 2, 2 },               /* must overlap by more */
        { { .kind = TL_NMS, .nms_confidence = 0.75f }, 2, 0 },    /* must be above */
        { { .kind = TL_NMS, .nms_confidence = 0.74f }, 2, 1 },
        { { .kind = TL_NMS, .min_height = 40 }, 2, 0 },
        { { .kind = TL_HYBRID }, 2, 1 },
        { { .kind = TL_HYBRID }, 1, 0 },
        { { .kind = TL_HYBRID, .nms_iou = 1 }, 2, 2 },
        { { .kind = TL_HYBRID, .min_confidence = 1.6f }, 2, 0 },
        { { .kind = TL_HYBRID, .nms_confidence = 0.75f }, 2, 0 },
    };
    for (int i = 0; i < TL_LEN(cases); i++) {
        tl_clustering c = cases[i].c;
        c.eps = 0.3f;
        tl_list found = clustered(&c, cell, cases[i].n);
        if (found.n != cases[i].want) fail_msg("case %d: %d instead of %d", i, found.n, cases[i].want);
    }
}

/* Boxes of 100 x 10 pixels are neighbors when shifted by 25 pixels (0.6 in common), but not by 50 (0.33). */
static tl_cell_answer shifted(float x, float cov) { return (tl_cell_answer){ { x, 0, x + 100, 10 }, cov }; }

static void chains_are_one_cluster(void **state)
{
    (void)state;
    const tl_cell_answer cell[] = { shifted(0, 0.6f), shifted(75, 0.6f), shifted(25, 0.6f), shifted(50, 0.6f) };
    tl_clustering c = dbscan;
    c.eps = 0.45f;
    tl_list found = clustered(&c, cell, 4);
    assert_int_equal(found.n, 1);
    is(at(&found, 0), 2.4f, 0.6f, (tl_box){ 37.5f, 0, 137.5f, 10 });
}

/* The cell between two dense ones is not dense itself: it belongs to the cluster that begins first. */
static void borders_belong_to_the_first(void **state)
{
    (void)state;
    const tl_cell_answer between = shifted(25, 0.1f), left[] = { shifted(0, 0.5f), shifted(-25, 3) },
                         right[] = { shifted(50, 0.5f), shifted(75, 3) };
    const struct { tl_cell_answer cell[5]; float with, without; } cases[] = {
        { { between, left[0], left[1], right[0], right[1] }, (2.5f - 75) / 3.6f, (25 + 225) / 3.5f },
        { { between, right[0], right[1], left[0], left[1] }, (2.5f + 25 + 225) / 3.6f, -75 / 3.5f },
    };
    tl_clustering c = dbscan;
    c.eps = 0.45f;
    c.min_samples = 3;
    for (int i = 0; i < TL_LEN(cases); i++) {
        float x = cases[i].with, y = cases[i].without;
        tl_list found = clustered(&c, cases[i].cell, 5);
        assert_int_equal(found.n, 2);
        is(at(&found, 0), 3.6f, 1.2f, (tl_box){ x, 0, x + 100, 10 });
        is(at(&found, 1), 3.5f, 1.75f, (tl_box){ y, 0, y + 100, 10 });
    }
}

static void the_best_boxes_suppress(void **state)
{
    (void)state;
    static const tl_cell_answer cell[] = {
        { { 0, 0, 9, 9 }, 0.5f },   /* suppressed by the next */
        { { 0, 0, 9, 14 }, 0.9f },  /* 10 x 15 pixels, of which 10 x 10 are common: 0.667 (by edges 0.643) */
        { { 0, 5, 9, 24 }, 0.8f },  /* 10 x 20 pixels, 10 x 10 common with the best: 0.4 */
        { { 0, 7, 9, 26 }, 0.8f },  /* as good as the former, but later: suppressed */
        { { 50, 0, 59, 9 }, 0.1f }, /* not good enough */
    };
    tl_list found = clustered(&nms, cell, TL_LEN(cell));
    assert_int_equal(found.n, 2);
    is(at(&found, 0), 0.9f, 0.9f, cell[1].box);
    is(at(&found, 1), 0.8f, 0.8f, cell[2].box);
}

static void hybrid_suppresses_among_cells_of_clusters(void **state)
{
    (void)state;
    static const tl_cell_answer cell[] = {
        { { 0, 0, 40, 40 }, 0.5f }, { { 0, 0, 40, 44 }, 0.75f }, /* a cluster */
        { { 100, 0, 140, 40 }, 0.9f },                           /* noise, though better */
    };
    tl_clustering c = dbscan;
    c.kind = TL_HYBRID;
    c.nms_iou = 0.5f;
    tl_list found = clustered(&c, cell, TL_LEN(cell));
    assert_int_equal(found.n, 1);
    is(at(&found, 0), 0.75f, 0.75f, cell[1].box);
}

/* ---- Against scikit-learn ---- */

typedef struct {
    tl_clustering  c;
    tl_cell_answer cell[256];
    tl_detection   want[32];
    int            cells, wanted;
} scene;

static void read_line(scene *s, char *line)
{
    float v[6] = { 0 };
    char *word = line;
    line += strcspn(line, " ");
    *line++ = 0;
    for (int i = 0; i < 6; i++) v[i] = strtof(line, &line);
    if (!strcmp(word, "case")) {
        *s = (scene){ .c = dbscan };
        s->c.eps = v[0];
        s->c.min_samples = (int)v[1];
    } else if (!strcmp(word, "cell")) {
        s->cell[s->cells++] = (tl_cell_answer){ { v[1], v[2], v[3], v[4] }, v[0] };
    } else {
        s->want[s->wanted++] = (tl_detection){ 7, 3, { v[2], v[3], v[4], v[5] }, v[0], v[1] };
    }
}

static void clusters_are_those_of_scikit_learn(void **state)
{
    (void)state;
    tl_bytes file;
    static scene s;
    int cases = 0, clusters = 0;
    char *rest = NULL;
    ok(tl_file_read(a, "test/data/detect/cluster.txt", 0, &file));
    for (char *line = strtok_r((char *)(uintptr_t)file.p, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strcmp(line, "end")) {
            read_line(&s, line);
            continue;
        }
        tl_list found = clustered(&s.c, s.cell, s.cells);
        if (found.n != s.wanted) fail_msg("case %d: %d clusters instead of %d", cases, found.n, s.wanted);
        for (int i = 0; i < found.n; i++) {
            const tl_detection *w = &s.want[i];
            is(at(&found, i), w->score, w->coverage, w->box);
        }
        cases++;
        clusters += found.n;
    }
    assert_int_equal(cases, 5);
    assert_true(clusters > 15);
}

/* ---- Through the grid ---- */

static void answers_are_decoded(void **state)
{
    (void)state;
    tl_cells g = { 64, 32, 4, 2, 2, 35, 0.5f };
    float cov[16] = { 0 }, bbox[64] = { 0 };
    const int cell = 2 * (1 * 4 + 2) + 1; /* row 1, column 2, class 1: pixel 32.5, 16.5 */
    cov[cell] = 0.625f;
    memcpy(bbox + 4 * cell, (float[]){ 0.5f, 0.25f, 0.75f, 0.125f }, 4 * sizeof(float));
    tl_cell_answer c = tl_cells_answer(&g, cov, bbox, 2, 1, 1);
    assert_true(c.cov == 0.625f && c.box.x1 == 15 && c.box.y1 == 7.75f && c.box.x2 == 58.75f && c.box.y2 == 20.875f);
    memcpy(bbox + 4 * cell, (float[]){ 5, -3, 5, -3 }, 4 * sizeof(float)); /* cut at the border, never inverted */
    c = tl_cells_answer(&g, cov, bbox, 2, 1, 1);
    assert_true(c.box.x1 == 0 && c.box.x2 == 64 && c.box.y1 == 32 && c.box.y2 == 32);
    memcpy(bbox + 4 * cell, (float[]){ NAN, NAN, NAN, NAN }, 4 * sizeof(float));
    c = tl_cells_answer(&g, cov, bbox, 2, 1, 1);
    assert_true(c.box.x1 >= 0 && c.box.x2 <= 64 && c.box.y1 >= 0 && c.box.y2 <= 32);
}

/* A network that answers just the targets finds just the objects. */
static void targets_are_found_again(void **state)
{
    (void)state;
    static const tl_box box[] = { { 20, 30, 140, 120 }, { 200, 40, 300, 180 }, { 100, 200, 260, 310 } };
    static const int label[] = { 0, 1, 1 };
    static const tl_drawing d[] = { { 0.5f, 0.5f, 0.7f, 0.7f, 1, 0.05f }, { 0.5f, 0.5f, 0.7f, 0.7f, 1, 0.05f } };
    const tl_cells g = { 384, 320, 24, 20, 2, 35, 0.5f };
    const tl_clustering c[] = { dbscan, dbscan };
    tl_list found = { 0, NULL };
    tl_targets t;
    ok(tl_targets_new(a, &g, &t));
    ok(tl_targets_draw(&g, d, 0.67f, box, label, 3, a, &t));
    for (int picture = 4; picture < 6; picture++)
        ok(tl_cells_detect(a, &g, c, t.cov, t.bbox, picture, &found));
    assert_int_equal(found.n, 6);
    for (int i = 0; i < 6; i++) {
        const tl_detection *f = at(&found, i);
        assert_true(f->picture == 4 + i / 3 && f->label == (i % 3 > 0) && f->score > 5 && f->coverage <= 1);
        int k = i % 3 == 0 ? 0 : fabsf(f->box.x1 - box[1].x1) < 1 ? 1 : 2;
        is(f, f->score, f->coverage, box[k]);
    }
    assert_true(at(&found, 1)->score >= at(&found, 2)->score);
}

static void no_memory(void **state)
{
    (void)state;
    static const tl_cell_answer cell[] = { { { 0, 0, 40, 40 }, 0.75f }, { { 0, 0, 40, 40 }, 0.75f } };
    for (int kind = TL_DBSCAN; kind <= TL_HYBRID; kind++)
        for (long n = 0;; n++) {
            tl_clustering c = dbscan;
            tl_list found = { 0, NULL };
            c.kind = (tl_cluster_kind)kind;
            tl_oom_countdown = n;
            tl_status s = tl_cluster(a, &c, cell, 2, 0, 0, &found);
            tl_oom_countdown = -1;
            if (!s) break;
            assert_int_equal(s, TL_ENOMEM);
        }
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(cells_are_averaged_by_coverage), T(settings), T(chains_are_one_cluster),
        T(borders_belong_to_the_first), T(the_best_boxes_suppress), T(hybrid_suppresses_among_cells_of_clusters),
        T(clusters_are_those_of_scikit_learn), T(answers_are_decoded),
        T(targets_are_found_again), T(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
