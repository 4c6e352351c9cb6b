/* test_postprocess.c - objects made by ONNX's operators are those that we make of the same cells. SPDX-License-Identifier: MIT
 *
 * Needs a python3 with onnxruntime and onnx. Skipped without. */
#include "postprocess.h"
#include "rng.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "folder.h"

#define COV  "output_cov/Sigmoid"
#define BBOX "output_bbox/BiasAdd"
enum { PICTURES = 3 };

/* A model that is nothing but what a network would put out. */
static tl_onnx *outputs_only(const tl_cells *g)
{
    static const char *const names[] = { COV, BBOX };
    tl_onnx *m = tl_onnx_new(a);
    for (int i = 0; i < 2; i++) {
        const int64_t dim[4] = { -1, i ? 4 * g->classes : g->classes, g->h, g->w };
        const char *in = tl_printf(a, "in%d", i);
        ok(tl_onnx_add_value(m, &m->input, in, TL_ONNX_FLOAT, 4, dim));
        ok(tl_onnx_add_value(m, &m->output, names[i], TL_ONNX_FLOAT, 4, dim));
        assert_non_null(tl_onnx_add(m, "Identity", names[i], (const char *[]){ in, NULL }, (const char *[]){ names[i], NULL }));
    }
    return m;
}

static const char *write_channels_first(const char *name, const float *x, int c, int cells)
{
    const char *path = in(name);
    float *y = tl_new(a, float, PICTURES * c * cells);
    for (int n = 0; n < PICTURES; n++)
        for (int i = 0; i < cells; i++)
            for (int k = 0; k < c; k++) y[(n * c + k) * cells + i] = x[(n * cells + i) * c + k];
    ok(tl_file_write(path, y, (size_t)(PICTURES * c * cells) * sizeof *y));
    return path;
}

/* By picture, class, falling score. */
static int compare(const void *p, const void *q)
{
    const tl_detection *x = p, *y = q;
    if (x->picture != y->picture) return x->picture - y->picture;
    if (x->label != y->label) return x->label - y->label;
    return (x->score < y->score) - (x->score > y->score);
}

static tl_list runtimes_objects(const tl_onnx *m, const char *cov, const char *bbox)
{
    tl_bytes file;
    tl_list found = { 0, NULL };
    const char *model = in("model.onnx"), *out = in("objects");
    ok(tl_onnx_pack(a, m, &file));
    ok(tl_file_write(model, file.p, file.n));
    int code = system(tl_printf(a, "python3 tools/postprocess_check.py %s in0=%s in1=%s > %s", model, cov, bbox, out));
    code = WIFEXITED(code) ? WEXITSTATUS(code) : -1;
    if (code == 77 || code == 127) {
        print_message("skipped: Python's onnx and onnxruntime are not installed\n");
        skip();
    }
    assert_int_equal(code, 0);
    FILE *f = fopen(out, "r");
    tl_detection d;
    assert_non_null(f);
    while (fscanf(f, "%d %d %f %f %f %f %f", &d.picture, &d.label, &d.score, &d.box.x1, &d.box.y1, &d.box.x2, &d.box.y2) == 7)
        *tl_add(a, &found, tl_detection) = d;
    fclose(f);
    return found;
}

static float farthest(tl_box p, tl_box q)
{
    return fmaxf(fmaxf(fabsf(p.x1 - q.x1), fabsf(p.y1 - q.y1)), fmaxf(fabsf(p.x2 - q.x2), fabsf(p.y2 - q.y2)));
}

static void same(tl_list got, tl_list want)
{
    const tl_detection *g = got.at, *w = want.at;
    if (got.n) qsort(got.at, (size_t)got.n, sizeof(tl_detection), compare);
    if (want.n) qsort(want.at, (size_t)want.n, sizeof(tl_detection), compare);
    for (int i = 0; i < got.n && i < want.n; i++)
        if (g[i].picture != w[i].picture || g[i].label != w[i].label || g[i].score != w[i].score || farthest(g[i].box, w[i].box) > 1e-3f)
            fail_msg("object %d: picture %d, class %d, score %g instead of %d, %d, %g", i, g[i].picture, g[i].label,
                     (double)g[i].score, w[i].picture, w[i].label, (double)w[i].score);
    assert_int_equal(got.n, want.n);
}

/* Random cells; returns how many objects there are. */
static int check(const tl_cells *g, const tl_clustering *c, uint64_t seed)
{
    tl_rng r = tl_rng_at(seed, 0, 0, 0);
    const int cells = g->w * g->h, n = PICTURES * cells * g->classes;
    float *cov = tl_new(a, float, n), *bbox = tl_new(a, float, 4 * n);
    tl_list want = { 0, NULL };
    for (int i = 0; i < n; i++) cov[i] = tl_uniform(&r);
    for (int i = 0; i < 4 * n; i++) bbox[i] = tl_uniform_in(&r, -0.2f, 1.5f);
    for (int p = 0; p < PICTURES; p++)
        ok(tl_cells_detect(a, g, c, cov + p * cells * g->classes, bbox + 4 * p * cells * g->classes, p, &want));
    tl_onnx *m = outputs_only(g);
    ok(tl_detect_postprocess(m, COV, BBOX, g, c));
    const char *cov_file = write_channels_first("cov", cov, g->classes, cells);
    same(runtimes_objects(m, cov_file, write_channels_first("bbox", bbox, 4 * g->classes, cells)), want);
    return want.n;
}

static void all_classes_alike(void **state)
{
    (void)state;
    const tl_cells g = { 160, 96, 10, 6, 3, 35, 0.5f };
    tl_clustering c[3];
    for (int k = 0; k < 3; k++) c[k] = (tl_clustering){ .kind = TL_NMS, .coverage = 0.4f, .nms_iou = 0.3f, .min_height = 10 };
    const int n = check(&g, c, 1);
    assert_true(n > 20 && n < 300); /* of some 320 cells */
}

static void each_class_its_own(void **state)
{
    (void)state;
    const tl_cells g = { 128, 128, 4, 4, 4, 20, 2 };
    const tl_clustering c[] = {
        { .kind = TL_NMS, .coverage = 0.4f, .nms_iou = 0.3f, .min_height = 10 },
        { .kind = TL_NMS, .coverage = 0.1f, .nms_iou = 0.6f, .nms_confidence = 0.7f },
        { .kind = TL_NMS, .coverage = 0.005f, .nms_iou = 0.3f, .min_height = 20 },
        { .kind = TL_NMS, .coverage = 2, .nms_iou = 0 }, /* never */
    };
    const int n = check(&g, c, 2);
    assert_true(n > 20);
}

static void one_class_and_nothing_found(void **state)
{
    (void)state;
    const tl_cells g = { 64, 32, 4, 2, 1, 35, 0.5f };
    assert_true(check(&g, &(tl_clustering){ .kind = TL_NMS, .nms_iou = 1 }, 3) > 0);
    assert_int_equal(check(&g, &(tl_clustering){ .kind = TL_NMS, .coverage = 1 }, 4), 0);
}

static void outputs_must_be_there(void **state)
{
    (void)state;
    const tl_cells g = { 64, 32, 4, 2, 1, 35, 0.5f };
    const tl_clustering c = { .kind = TL_NMS };
    assert_int_equal(tl_detect_postprocess(outputs_only(&g), COV, "output_bbox", &g, &c), TL_EARG);
    assert_non_null(strstr(tl_errmsg(), "'output_bbox'"));
}

static void no_memory(void **state)
{
    (void)state;
    const tl_cells g = { 64, 32, 4, 2, 2, 35, 0.5f };
    const tl_clustering c[2] = { { .kind = TL_NMS, .nms_iou = 0.1f }, { .kind = TL_NMS } };
    for (long n = 0;; n++) {
        tl_onnx *m = outputs_only(&g);
        tl_oom_countdown = n;
        const tl_status s = tl_detect_postprocess(m, COV, BBOX, &g, c);
        tl_oom_countdown = -1;
        if (!s) break;
        assert_int_equal(s, TL_ENOMEM);
        assert_true(n < 2000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(all_classes_alike), IN_FOLDER(each_class_its_own), IN_FOLDER(one_class_and_nothing_found), IN_FOLDER(outputs_must_be_there), IN_FOLDER(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
