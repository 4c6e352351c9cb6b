/* test_deepstream.c - configurations of DeepStream's nvinfer. SPDX-License-Identifier: MIT */
#include "deepstream.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "folder.h"

static const tl_cells cells = { 960, 544, 60, 34, 2, 35, 0.5f };
static const char *const names[] = { "car", "road\nsign" };

/* What is written for these two classes. */
static const char *config(const tl_clustering *c, int channels)
{
    ok(tl_deepstream_detectnet(a, in("model.onnx"), names, channels, &cells, c));
    assert_string_equal(text_of("labels.txt"), "car\nroad sign\n");
    return text_of("nvinfer_config.txt");
}

static void dbscan(void **state)
{
    (void)state;
    const tl_clustering c[] = {
        { .kind = TL_DBSCAN, .coverage = 0.005f, .eps = 0.2f, .min_samples = 1, .min_height = 20, .nms_iou = 0.2f },
        { .kind = TL_DBSCAN, .coverage = 0.1f, .eps = 0.15f, .min_samples = 4 },
    };
    assert_string_equal(config(c, 3),
                        "[property]\nnet-scale-factor=0.0039215697906911373\nmodel-color-format=0\nonnx-file=model.onnx\n"
                        "labelfile-path=labels.txt\ninfer-dims=3;544;960\nmaintain-aspect-ratio=0\nbatch-size=1\nnetwork-mode=0\n"
                        "network-type=0\nnum-detected-classes=2\ninterval=0\ngie-unique-id=1\n"
                        "output-blob-names=output_cov/Sigmoid;output_bbox/BiasAdd\ncluster-mode=1\n"
                        "\n# car\n[class-attrs-0]\npre-cluster-threshold=0.005\neps=0.2\nminBoxes=1\ndbscan-min-score=1\ndetected-min-h=21\n"
                        "\n# road sign\n[class-attrs-1]\npre-cluster-threshold=0.1\neps=0.15\nminBoxes=4\ndbscan-min-score=4\n");
}

static void nms_and_gray(void **state)
{
    (void)state;
    const tl_clustering c[] = {
        { .kind = TL_NMS, .coverage = 0.005f, .nms_iou = 0.3f, .nms_confidence = 0.4f },
        { .kind = TL_DBSCAN, .coverage = 0.1f, .eps = 0.15f, .min_samples = 4, .nms_iou = 0.2f },
    };
    const char *text = config(c, 1);
    assert_non_null(strstr(text, "model-color-format=2\n"));
    assert_non_null(strstr(text, "infer-dims=1;544;960\n"));
    assert_non_null(strstr(text, "cluster-mode=2\n"));
    assert_non_null(strstr(text, "[class-attrs-0]\npre-cluster-threshold=0.4\nnms-iou-threshold=0.3\n"));
    assert_non_null(strstr(text, "[class-attrs-1]\npre-cluster-threshold=0.1\nnms-iou-threshold=0.2\n# its spec asks for DBSCAN;"));
    assert_null(strstr(text, "eps="));
}

static void both(void **state)
{
    (void)state;
    tl_clustering c[2];
    for (int i = 0; i < 2; i++) c[i] = (tl_clustering){ .kind = TL_HYBRID, .coverage = 0.1f, .eps = 0.2f, .nms_iou = 0.4f };
    const char *text = config(c, 3);
    assert_non_null(strstr(text, "cluster-mode=3\n"));
    assert_non_null(strstr(text, "eps=0.2\nminBoxes=1\ndbscan-min-score=1\nnms-iou-threshold=0.4\n"));
}

/* nvinfer would put boxes in other places. */
static void other_units(void **state)
{
    (void)state;
    tl_cells g = cells;
    const tl_clustering c[2] = { { .coverage = 0.1f }, { .coverage = 0.1f } };
    g.scale = 30;
    assert_int_equal(tl_deepstream_detectnet(a, in("model.onnx"), names, 3, &g, c), TL_EUNSUP);
    assert_non_null(strstr(tl_errmsg(), "this model's are 30 and 0.5"));
    assert_false(tl_file_exists(in("nvinfer_config.txt")));
}

int main(void)
{
    const struct CMUnitTest tests[] = { IN_FOLDER(dbscan), IN_FOLDER(nms_and_gray), IN_FOLDER(both), IN_FOLDER(other_units) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
