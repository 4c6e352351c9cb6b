/* test_detection_metric.c - average precision: by hand, against its definition, and where others' figures are known.
 * SPDX-License-Identifier: MIT */
#include "detection_metric.h"
#include "file.h"
#include "rng.h"
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fixture.h"

static void equal(const char *what, double got, double want)
{
    if (!(fabs(got - want) <= 1e-6)) fail_msg("%s: %.10f instead of %.10f", what, got, want);
}

/* ---- Curves ---- */

/* A curve from letters: x is a hit, - is none. */
static tl_curve curve(const char *s, int truths)
{
    tl_curve c = { (int)strlen(s), truths, tl_new(a, int, strlen(s)), NULL };
    for (int i = 0, hits = 0; i < c.n; i++) c.hits[i] = hits += s[i] == 'x';
    return c;
}

static void areas_by_hand(void **state)
{
    (void)state;
    static const struct {
        const char *hits;
        int    truths;
        double sample, integrate, compat;
    } cases[] = {
        { "", 0, 0, 0, 0 },
        { "-", 0, 0, 0, 0 },
        { "", 3, 0, 0, 0 },
        { "--", 3, 0, 0, 0 },
        { "x", 1, 1, 1, 0 },                                   /* the original: a perfect detector of one object */
        { "xxxx", 4, 1, 1, 0.75 },
        { "xxxx-", 4, 1, 1, 0.75 },
        { "-x", 1, 0.5, 0.5, 0 },                              /* the precision at the last recall is forgotten, */
        { "-xx", 2, 2.0 / 3, 2.0 / 3, 0.5 },                   /* but nothing left out where recall 0 is there */
        { "x-x", 2, (6 + 5 * 2 / 3.0) / 11, 0.5 + 1 / 3.0, 0.5 },
        { "x", 2, 6 / 11.0, 0.5, 0 },
    };
    for (int i = 0; i < TL_LEN(cases); i++) {
        tl_curve c = curve(cases[i].hits, cases[i].truths);
        equal(cases[i].hits, tl_precision_sampled(&c, 11), cases[i].sample);
        equal(cases[i].hits, tl_precision_integrated(&c), cases[i].integrate);
        equal(cases[i].hits, tl_precision_integrated_compat(&c), cases[i].compat);
    }
}

/* The best precision at recalls of at least r, and above it. */
static double best_from(const tl_curve *c, double r)
{
    double best = 0;
    for (int i = 0; i < c->n; i++)
        if ((double)c->hits[i] / c->truths >= r) best = fmax(best, (double)c->hits[i] / (i + 1));
    return best;
}

/* The original's sum, as algorithms go by its rule and not by its code: over the recalls that occur but the last. */
static double compat_by_rule(const tl_curve *c)
{
    double sum = 0;
    int last = c->n ? c->hits[c->n - 1] : 0;
    for (int k = c->n ? c->hits[0] : 0; k < last; k++) {
        double best = 0;
        for (int i = 0; i < c->n; i++)
            if (c->hits[i] >= k && c->hits[i] < last) best = fmax(best, (double)c->hits[i] / (i + 1));
        sum += best / c->truths;
    }
    return sum;
}

static void areas_by_definition(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        tl_rng r = tl_rng_at(seed, 0, 0, 0);
        char s[41] = "";
        double sum = 0;
        for (int i = 0, n = tl_rng_below(&r, 40); i < n; i++) s[i] = tl_rng_below(&r, 3) ? '-' : 'x';
        tl_curve c = curve(s, 0);
        int hits = c.n ? c.hits[c.n - 1] : 0;
        c.truths = hits + 1 + tl_rng_below(&r, 5);
        for (int k = 1; k <= hits; k++) sum += best_from(&c, (double)k / c.truths) / c.truths;
        equal("integrated", tl_precision_integrated(&c), sum);
        equal("compat", tl_precision_integrated_compat(&c), compat_by_rule(&c));
        sum = 0;
        for (int k = 0; k <= 100; k++) sum += best_from(&c, k < 100 ? k * 0.01 : 1) / 101;
        equal("sampled", tl_precision_sampled(&c, 101), sum);
        assert_true(fabs(tl_precision_sampled(&c, 20001) - tl_precision_integrated(&c)) < 2e-3);
    }
}

/* ---- Matching ---- */

static tl_curve matched(const tl_truth *t, int truths, const tl_detection *d, int n, const tl_matching *c)
{
    tl_curve out;
    ok(tl_match_detections(a, t, truths, d, n, 0, c, &out));
    return out;
}

static void is(const tl_curve *c, const char *want, int truths)
{
    tl_curve w = curve(want, truths);
    if (c->n != w.n || c->truths != truths) fail_msg("%d of %d instead of %s of %d", c->n, c->truths, want, truths);
    for (int i = 0; i < w.n; i++)
        if (c->hits[i] != w.hits[i]) fail_msg("%d. of %s: %d hits", i, want, c->hits[i]);
}

#define OBJECT(p, ...) { .picture = p, .box = { __VA_ARGS__ } }
#define FOUND(p, s, ...) { .picture = p, .score = s, .box = { __VA_ARGS__ } }

static void matching_by_hand(void **state)
{
    (void)state;
    static const tl_truth t[] = { OBJECT(0, 0, 0, 10, 10), OBJECT(0, 0, 0, 10, 14), OBJECT(2, 0, 0, 10, 10) };
    static const tl_detection d[] = {
        FOUND(0, 0.9f, 0, 0, 10, 10), FOUND(0, 0.8f, 0, 0, 10, 11), FOUND(2, 0.7f, 0, 0, 10, 5),
        FOUND(1, 0.6f, 0, 0, 10, 10), FOUND(2, 0.5f, 0, 0, 10, 10), FOUND(2, 0.4f, 0, 0, 10, 10),
        { .picture = 0, .label = 1, .score = 1, .box = { 0, 0, 10, 10 } }, /* of another class */
    };
    const int n = TL_LEN(d);
    tl_curve c = matched(t, 3, d, n, &(tl_matching){ .overlap = 0.5 });
    is(&c, "x-x---", 3); /* the second finds the best object taken */
    c = matched(t, 3, d, n, &(tl_matching){ .overlap = 0.5, .second_best = true });
    is(&c, "xxx---", 3);
    c = matched(t, 3, d, n, &(tl_matching){ .overlap = 0.6, .second_best = true });
    is(&c, "xx--x-", 3); /* half of the object was enough, is not any more */
    c = matched(t, 3, d, n, &(tl_matching){ .overlap = 0.54, .rule = TL_PIXELS });
    is(&c, "x-x---", 3); /* 11 x 6 of 11 x 11 pixels: 0.545 */
    c = matched(t, 3, d, n, &(tl_matching){ .overlap = 0.5, .most = 1 });
    is(&c, "xx-", 3);
    for (int i = 1; i < c.n; i++) assert_true(c.score[i] < c.score[i - 1]);
    c = matched(t, 0, d, n, &(tl_matching){ .overlap = 0.5 });
    is(&c, "------", 0);
    c = matched(t, 3, d, 0, &(tl_matching){ .overlap = 0.5 });
    is(&c, "", 3);
}

static void ignored_objects(void **state)
{
    (void)state;
    static const tl_truth t[] = {
        { .picture = 0, .box = { 0, 0, 10, 10 }, .ignored = true, .area = 100 },
        { .picture = 0, .box = { 0, 0, 10, 14 }, .area = 140 },
        { .picture = 1, .box = { 0, 0, 100, 100 }, .crowd = true, .area = 10000 },
    };
    static const tl_detection d[] = {
        FOUND(0, 0.9f, 0, 0, 10, 10),   FOUND(0, 0.8f, 0, 0, 10, 10),   FOUND(0, 0.7f, 0, 0, 10, 14),
        FOUND(1, 0.6f, 20, 20, 30, 30), FOUND(1, 0.5f, 90, 90, 99, 99), FOUND(1, 0.4f, 96, 90, 106, 99),
    };
    tl_curve c = matched(t, 3, d, 6, &(tl_matching){ .overlap = 0.5 });
    is(&c, "x-", 1); /* two fall on the ignored one, two into the crowd */
    c = matched(t, 3, d, 6, &(tl_matching){ .overlap = 0.5, .second_best = true });
    is(&c, "x--", 1); /* the first takes the object that counts, the second the ignored one, none is left */
    c = matched(t, 3, d, 6, &(tl_matching){ .overlap = 0.5, .second_best = true, .lo = 120, .hi = 1000 });
    is(&c, "x-", 1); /* the last is too small to count */
}

static void equals_keep_their_order(void **state)
{
    (void)state;
    static const tl_truth t[] = { OBJECT(0, 0, 0, 10, 10), OBJECT(1, 0, 0, 10, 10) };
    static const tl_detection d[] = {
        FOUND(1, 0.5f, 0, 0, 10, 10), FOUND(0, 0.5f, 50, 50, 60, 60), FOUND(0, 0.5f, 0, 0, 10, 10),
    };
    tl_curve c = matched(t, 2, d, 3, &(tl_matching){ .overlap = 0.5 });
    is(&c, "-xx", 2); /* by picture, then as given */
}

/* A detection halfway over two objects: VOC gives it the first, COCO the last, which leaves the first for another. */
static void between_two_objects(void **state)
{
    (void)state;
    static const tl_truth t[] = { OBJECT(0, 0, 0, 10, 10), OBJECT(0, 10, 0, 20, 10) };
    static const tl_detection d[] = { FOUND(0, 0.9f, 0, 0, 20, 10), FOUND(0, 0.8f, 0, 0, 10, 10) };
    tl_curve c = matched(t, 2, d, 2, &(tl_matching){ .overlap = 0.5 });
    is(&c, "x-", 2);
    c = matched(t, 2, d, 2, &(tl_matching){ .overlap = 0.5, .second_best = true });
    is(&c, "xx", 2);
}

/* ---- DetectNet_v2's evaluation ---- */

static void sizes_and_rounding(void **state)
{
    (void)state;
    static const tl_truth t[] = {
        OBJECT(0, 0, 0, 100, 40), OBJECT(0, 0, 100, 100, 139), /* too low */
        { .picture = 0, .label = 1, .box = { 0.5f, 1.5f, 10.5f, 11.5f } }, { .picture = 0, .label = -1 },
    };
    static const tl_detection d[] = {
        FOUND(0, 0.9f, 0, 0, 100, 40), FOUND(0, 0.95f, 0, 100, 100, 139), /* too low */
        { .picture = 0, .label = 1, .box = { 0, 2, 10, 12 }, .score = 0.5f },
        { .picture = 0, .label = 2, .box = { 0, 2, 10, 12 }, .score = 0.5f }, /* no such class */
    };
    static const tl_box_limits limits[] = { { 0.7f, 20, 40, 9999, 9999 }, { 1, 0, 0, 9999, 9999 } };
    tl_detectnet_metric c = { limits, 2, TL_AP_INTEGRATE, false };
    double ap[2], mean;
    ok(tl_detectnet_precision(a, t, 4, d, 4, &c, ap, &mean));
    equal("low ones left out", ap[0], 1);
    equal("halves to even", ap[1], 1);
    equal("mean", mean, 1);
    c.compat = true;
    ok(tl_detectnet_precision(a, t, 4, d, 4, &c, ap, &mean));
    equal("compat", ap[0], 0);
    c.mode = TL_AP_SAMPLE;
    ok(tl_detectnet_precision(a, t, 2, d, 4, &c, ap, &mean)); /* none of the second class */
    equal("sample", ap[0], 1);
    equal("without objects", ap[1], 0);
    equal("which counts", mean, 0.5);
}

/* ---- Others' figures ---- */

#define PLACE "../shared/data/metrics-reference/"

typedef struct {
    tl_list truth, found; /* tl_truth, tl_detection */
    tl_list names;        /* const char *, by label */
} boxes;

static void needs_figures(void)
{
    if (tl_file_exists(PLACE "EXPECTED.json")) return;
    print_message("skipped: " PLACE " is not there\n");
    skip();
}

static int label_of(boxes *b, const char *name)
{
    const char **names = b->names.at;
    for (int i = 0; i < b->names.n; i++)
        if (!strcmp(names[i], name)) return i;
    *tl_add(a, &b->names, const char *) = name;
    return b->names.n - 1;
}

/* Lines "NAME [SCORE] X Y X Y" or, with sizes, "NAME [SCORE] X Y W H". */
static void read_lines(boxes *b, const char *path, int picture, bool found, bool sizes)
{
    tl_bytes file;
    char *rest = NULL;
    ok(tl_file_read(a, path, 0, &file));
    for (char *line = strtok_r((char *)(uintptr_t)file.p, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        float v[5];
        size_t word = strcspn(line, " \t");
        int label = label_of(b, tl_strndup(a, line, word));
        line += word;
        for (int i = found ? 0 : 1; i < 5; i++) v[i] = strtof(line, &line);
        tl_box box = { v[1], v[2], sizes ? v[1] + v[3] : v[3], sizes ? v[2] + v[4] : v[4] };
        if (found)
            *tl_add(a, &b->found, tl_detection) = (tl_detection){ picture, label, box, v[0], 0 };
        else
            *tl_add(a, &b->truth, tl_truth) = (tl_truth){ .picture = picture, .label = label, .box = box };
    }
}

static boxes read_folders(const char *truth, const char *found, bool sizes)
{
    boxes b = { .names = { 0, NULL } };
    tl_list files = { 0, NULL };
    ok(tl_dir_list(a, truth, &files));
    for (int i = 0; i < files.n; i++) {
        const char *name = ((const char **)files.at)[i];
        read_lines(&b, tl_path_join(a, truth, name), i, false, sizes);
        read_lines(&b, tl_path_join(a, found, name), i, true, sizes);
    }
    return b;
}

static json_t *expected(const char *name)
{
    static json_t *all;
    if (!all) all = json_load_file(PLACE "EXPECTED.json", 0, NULL);
    json_t *one = json_object_get(all, name);
    assert_non_null(one);
    return one;
}

static double figure(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

/* Of several figures under one key the k-th. */
static double figure_at(const json_t *o, const char *key, size_t k)
{
    json_t *v = json_object_get(o, key);
    return json_is_array(v) ? json_number_value(json_array_get(v, k)) : figure(o, key);
}

static void pascal_voc_by_two_tools(void **state)
{
    (void)state;
    needs_figures();
    static const struct { const char *name, *truth, *found; } sets[] = {
        { "odm", PLACE "odm/groundtruths", PLACE "odm/detections" },
        { "rodm/tests/test_case_1", PLACE "rodm/tests/test_case_1/gts", PLACE "rodm/tests/test_case_1/dets" },
    };
    for (int i = 0; i < TL_LEN(sets); i++) {
        boxes b = read_folders(sets[i].truth, sets[i].found, true);
        json_t *want = expected(sets[i].name), *iou = json_object_get(want, "iou");
        for (size_t k = 0; k < (json_is_array(iou) ? json_array_size(iou) : 1); k++) {
            tl_matching m = { .overlap = figure_at(want, "iou", k), .rule = TL_PIXELS };
            tl_curve c = matched(b.truth.at, b.truth.n, b.found.at, b.found.n, &m);
            equal(sets[i].name, tl_precision_integrated(&c), figure_at(want, "AP_allpoint", k));
            equal(sets[i].name, tl_precision_sampled(&c, 11), figure_at(want, "AP_11point", k));
        }
    }
}

/* Class by class, from lines "22.73% = backpack AP", and the mean over classes that have objects. */
static void pascal_voc_by_a_third(void **state)
{
    (void)state;
    needs_figures();
    boxes b = read_folders(PLACE "cartucho-map/ground-truth", PLACE "cartucho-map/detection-results", false);
    json_t *want = expected("cartucho-map");
    const tl_matching m = { .overlap = figure(want, "iou"), .rule = TL_PIXELS };
    tl_bytes report;
    double sum = 0;
    int classes = 0;
    ok(tl_file_read(a, PLACE "cartucho-map/expected-output.txt", 0, &report));
    for (int k = 0; k < b.names.n; k++) {
        const char *name = ((const char **)b.names.at)[k];
        tl_curve c;
        ok(tl_match_detections(a, b.truth.at, b.truth.n, b.found.at, b.found.n, k, &m, &c));
        if (!c.truths) continue;
        double ap = tl_precision_integrated(&c);
        const char *line = tl_printf(a, "\n%.2f%% = %s AP", 100 * ap, name);
        if (!strstr((const char *)report.p, line)) fail_msg("the report does not say:%s", line);
        sum += ap;
        classes++;
    }
    equal("mean", sum / classes, figure(want, "mAP_allpoint"));
}

/* ---- COCO ---- */

static tl_box coco_box(const json_t *o)
{
    json_t *b = json_object_get(o, "bbox");
    double v[4];
    for (size_t i = 0; i < 4; i++) v[i] = json_number_value(json_array_get(b, i));
    return (tl_box){ (float)v[0], (float)v[1], (float)(v[0] + v[2]), (float)(v[1] + v[3]) };
}

static boxes read_coco(const char *truth, const char *found)
{
    boxes b = { .names = { 0, NULL } };
    json_t *t = json_load_file(truth, 0, NULL), *d = json_load_file(found, 0, NULL), *o;
    json_t *list = json_is_array(d) ? d : json_object_get(d, "annotations");
    size_t i;
    assert_true(t && list);
    json_array_foreach(json_object_get(t, "annotations"), i, o)
        *tl_add(a, &b.truth, tl_truth) = (tl_truth){
            (int)figure(o, "image_id"), (int)figure(o, "category_id"), coco_box(o), false,
            figure(o, "iscrowd") > 0, figure(o, "area"),
        };
    json_array_foreach(list, i, o)
        *tl_add(a, &b.found, tl_detection) = (tl_detection){
            (int)figure(o, "image_id"), (int)figure(o, "category_id"), coco_box(o), (float)figure(o, "score"), 0,
        };
    json_decref(t);
    json_decref(d);
    return b;
}

static void compare_coco(const char *truth, const char *found, const json_t *want)
{
    boxes b = read_coco(truth, found);
    tl_coco_figures f;
    ok(tl_coco_evaluate(b.truth.at, b.truth.n, b.found.at, b.found.n, 91, &f));
    const struct { const char *name; double got; } figures[] = {
        { "AP", f.precision }, { "AP50", f.precision_50 }, { "AP75", f.precision_75 },
        { "AP_small", f.precision_small }, { "AP_medium", f.precision_medium }, { "AP_large", f.precision_large },
        { "AR1", f.recall_1 }, { "AR10", f.recall_10 }, { "AR100", f.recall_100 },
        { "AR_small", f.recall_small }, { "AR_medium", f.recall_medium }, { "AR_large", f.recall_large },
    };
    for (int i = 0; i < TL_LEN(figures); i++) equal(figures[i].name, figures[i].got, figure(want, figures[i].name));
}

static void coco_by_pycocotools(void **state)
{
    (void)state;
    needs_figures();
#define COCO PLACE "coco-eval/dataset/cocoapi/"
    compare_coco(COCO "instances_val2014_100.json", COCO "instances_val2014_fakebbox100_results.json",
                 json_object_get(expected("coco-eval/dataset/cocoapi"), "bbox"));
#define RODM PLACE "rodm/tests/test_coco_eval/"
    compare_coco(RODM "gts/sampled_gts_bbox_area.json", RODM "dets/sampled_bbox_results.json",
                 expected("rodm/tests/test_coco_eval"));
}

static void coco_without_objects(void **state)
{
    (void)state;
    static const tl_detection d[] = { FOUND(0, 0.9f, 0, 0, 10, 10) };
    tl_coco_figures f;
    ok(tl_coco_evaluate(NULL, 0, d, 1, 1, &f));
    equal("precision", f.precision, -1);
    equal("recall", f.recall_small, -1);
}

static void no_memory(void **state)
{
    (void)state;
    static const tl_truth t[] = { OBJECT(0, 0, 0, 10, 10) };
    static const tl_detection d[] = { FOUND(0, 0.9f, 0, 0, 10, 10) };
    static const tl_box_limits limits[] = { { 0.5f, 0, 0, 9999, 9999 } };
    const tl_detectnet_metric c = { limits, 1, TL_AP_SAMPLE, false };
    for (long n = 0;; n++) {
        double ap, mean;
        tl_coco_figures f;
        tl_oom_countdown = n;
        tl_status s = tl_detectnet_precision(a, t, 1, d, 1, &c, &ap, &mean);
        if (!s) s = tl_coco_evaluate(t, 1, d, 1, 1, &f);
        tl_oom_countdown = -1;
        if (!s) break;
        assert_int_equal(s, TL_ENOMEM);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(areas_by_hand), T(areas_by_definition), T(matching_by_hand), T(ignored_objects), T(equals_keep_their_order),
        T(between_two_objects), T(sizes_and_rounding), T(pascal_voc_by_two_tools), T(pascal_voc_by_a_third),
        T(coco_by_pycocotools), T(coco_without_objects), T(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
