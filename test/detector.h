/* detector.h - a detector made by hand, whose answers are known, and pictures for it. SPDX-License-Identifier: MIT
 *
 * Of a picture of 64 x 64 pixels each cell of 16 x 16 is looked at alone. How red it is, on average, is the coverage of class
 * "red", how blue, that of "blue"; green is not looked at. The box is always that of the cell. So a red square that fills a
 * cell is found there and has exactly its place. */
#ifndef TL_TEST_DETECTOR_H
#define TL_TEST_DETECTOR_H
#include "draw.h"
#include "text.h"
#include "tiny.h"

enum { INPUT = 64, CELL = 16, KINDS = 2 };
static const char *const kind_name[KINDS] = { "red", "blue" };

#define IN_PLACE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* ---- What a task says ---- */

static tl_text said;
static inline void hear(void *ctx, const char *text)
{
    (void)ctx;
    tl_textf(&said, "%s", text);
}
static const tl_listener ear = { .say = hear };
static inline bool heard(const char *words) { return strstr(tl_text_end(&said), words) != NULL; }

static inline const char *put_text(const char *name, const char *text)
{
    const char *path = in(place, name);
    ok(tl_file_write(path, text, strlen(text)));
    return path;
}

/* ---- The detector ---- */

/* The weights of a layer, by name; k: which parameter. */
static inline float *weights_of(const tl_graph *g, const char *node, int k)
{
    const int i = tl_graph_find(g, node);
    assert_true(i >= 0);
    return g->node[i].p[k].w;
}

/* sigmoid(20 * color - 10): black 0.00005, full 0.99995. Sides: half a pixel less than the cell's, which its point lies in by. */
static inline void set_weights(const tl_graph *g)
{
    float *look = weights_of(g, "look", 0), *cov = weights_of(g, "output_cov", 0), *bias = weights_of(g, "output_cov", 1);
    float *side = weights_of(g, "output_bbox/BiasAdd", 1);
    memset(weights_of(g, "output_bbox/BiasAdd", 0), 0, sizeof(float) * 4 * KINDS * KINDS);
    memset(look, 0, sizeof(float) * KINDS * 3 * CELL * CELL);
    for (int k = 0; k < KINDS; k++) {
        for (int i = 0; i < CELL * CELL; i++) look[(k * 3 + 2 * k) * CELL * CELL + i] = 1.0f / (CELL * CELL);
        for (int c = 0; c < KINDS; c++) cov[k * KINDS + c] = k == c ? 20 : 0;
        bias[k] = -10;
        for (int s = 0; s < 4; s++) side[4 * k + s] = (s < 2 ? 0.5f : CELL - 0.5f) / 35;
    }
}

static inline tl_model *hand_made(const char *inside)
{
    tl_model *m = tl_new(a, tl_model, 1);
    tl_graph *g = tl_graph_new(a);
    *m = (tl_model){ .arena = a, .head = tl_head_find("detectnet_v2"), .g = g, .arch = "hand", .classes = { KINDS, (void *)(uintptr_t)kind_name },
                     .mode = "unit", .bbox_scale = 35, .bbox_offset = 0.5f, .spec = inside, .history = "" };
    ok(tl_norm_for("unit", 3, NULL, &m->norm));
    m->image = OP(g, "input_1", input, NO_INPUT, .c = 3, .h = INPUT, .w = INPUT);
    const tl_val x = OP(g, "look", conv2d, IN(m->image), .out = KINDS, .k = CELL, .stride = CELL, .nobias = true);
    const tl_val sides = OP(g, "output_bbox/BiasAdd", conv2d, IN(x), .out = 4 * KINDS, .k = 1);
    m->raw = OP(g, "output_cov", conv2d, IN(x), .out = KINDS, .k = 1);
    m->answer = OP(g, "output_cov/Sigmoid", sigmoid, IN(m->raw), 0);
    g->output = m->answer.i;
    g->more = (tl_vals){ 1, { sides } };
    ok(g->status);
    ok(tl_graph_init(g, 1));
    set_weights(g);
    return m;
}

static inline const char *put_model(const char *name, const tl_model *m)
{
    const char *path = in(place, name);
    ok(tl_model_save(m, path, &(tl_save_opts){ .key = NULL }));
    return path;
}

/* A spec it could have been trained by: how pictures are seen (in preprocessing), and how cells become objects of either kind. */
static inline const char *trained(const char *view, const char *red, const char *blue)
{
    return tl_printf(a, "dataset_config { data_sources { label_directory_path: \"l\" image_directory_path: \"d\" } "
                     "target_class_mapping { key: \"red\" value: \"red\" } target_class_mapping { key: \"blue\" value: \"blue\" } }\n"
                     "augmentation_config { preprocessing { output_image_width: 64 output_image_height: 64 %s } }\n"
                     "model_config { arch: \"resnet\" }\n"
                     "cost_function_config { target_classes { name: \"red\" } target_classes { name: \"blue\" } }\n"
                     "training_config { batch_size_per_gpu: 4 num_epochs: 10 }\n"
                     "postprocessing_config { target_class_config { key: \"red\" value { clustering_config { clustering_algorithm: NMS %s } } } "
                     "target_class_config { key: \"blue\" value { clustering_config { clustering_algorithm: NMS %s } } } }\n", view, red, blue);
}

/* ---- Pictures ---- */

/* A black picture of w x h with one square of a kind (-1: none). */
static inline const char *put_scene(const char *path, int w, int h, int kind, tl_box b)
{
    tl_image m;
    ok(tl_image_new(a, w, h, 3, &m));
    memset(m.p, 0, (size_t)w * (size_t)h * 3);
    for (int y = (int)b.y1; y < (int)b.y2; y++)
        for (int x = (int)b.x1; x < (int)b.x2; x++)
            if (kind >= 0) m.p[(y * w + x) * 3 + 2 * kind] = 255;
    ok(tl_image_save(a, &m, path));
    return path;
}

/* n pictures of w x h in NAME/images, in each a square of the kinds in turn, `side` large, and its label in NAME/labels. Other words
 * in the set's labels are `red` and `blue`. */
static inline const char *put_labeled(const char *name, int n, int w, int h, int side)
{
    char *root = in(place, name);
    ok(tl_mkdirs(in(root, "images")));
    ok(tl_mkdirs(in(root, "labels")));
    for (int i = 0; i < n; i++) {
        tl_rng r = tl_rng_at(5, (uint64_t)i, 0, 0);
        const int x = tl_rng_below(&r, w - side + 1), y = tl_rng_below(&r, h - side + 1);
        const char *line = tl_printf(a, "%s 0.00 0 0.00 %d.00 %d.00 %d.00 %d.00 0 0 0 0 0 0 0\n", kind_name[i % KINDS], x, y, x + side, y + side);
        put_scene(tl_printf(a, "%s/images/%02d.png", root, i), w, h, i % KINDS, (tl_box){ (float)x, (float)y, (float)(x + side), (float)(y + side) });
        put_text(tl_printf(a, "%s/labels/%02d.txt", name, i), line);
    }
    return root;
}

/* The spec of a small network that trains on such a set and validates with it; more in its sections. */
typedef struct { const char *data, *view, *model, *training, *evaluation, *sections; } small_spec;
static inline const char *put_small_spec(const char *root, small_spec c)
{
    const char *const more[] = { c.data ? c.data : "target_class_mapping { key: \"red\" value: \"red\" } target_class_mapping { key: \"blue\" value: \"blue\" }",
                                 c.view ? c.view : "enable_auto_resize: true", c.model ? c.model : "", c.training ? c.training : "num_epochs: 200",
                                 c.evaluation ? c.evaluation : "",
                                 c.sections ? c.sections : "" };
    return put_text("small.txt", tl_printf(a,
        "random_seed: 3\n"
        "dataset_config {\n"
        "  data_sources { label_directory_path: \"%s/labels\" image_directory_path: \"%s/images\" }\n"
        "  validation_data_source { label_directory_path: \"%s/labels\" image_directory_path: \"%s/images\" } %s\n"
        "}\n"
        "augmentation_config { preprocessing { output_image_width: 64 output_image_height: 64 output_image_channel: 3 %s } }\n"
        "model_config { arch: \"resnet\" num_layers: 10 use_batch_norm: true %s }\n"
        "cost_function_config { target_classes { name: \"red\" coverage_foreground_weight: 0.5 } target_classes { name: \"blue\" coverage_foreground_weight: 0.5 } }\n"
        "training_config { batch_size_per_gpu: 4 %s\n"
        "  learning_rate { soft_start_annealing_schedule { min_learning_rate: 1e-5 max_learning_rate: 3e-3 soft_start: 0.1 annealing: 0.5 } } }\n"
        "evaluation_config { validation_period_during_training: 50 first_validation_epoch: 50 %s }\n%s\n",
        root, root, root, root, more[0], more[1], more[2], more[3], more[4], more[5]));
}
#endif
