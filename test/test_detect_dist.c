/* test_detect_dist.c - detectors trained by several processes, each a real one under mpirun. SPDX-License-Identifier: MIT
 *
 * Skipped where there is no mpirun, or the program was built without MPI. */
#include "detector.h"
#include "processes.h"

enum { TRAINED_ON = 16, VALIDATED_WITH = 5 };

/* n pictures, each with a square of one kind, and their labels, in the form of KITTI. */
static void put_squares(const char *name, int n, uint64_t seed)
{
    const char *root = in(place, name);
    ok(tl_mkdirs(in(root, "images")));
    ok(tl_mkdirs(in(root, "labels")));
    for (int i = 0; i < n; i++) {
        tl_rng r = tl_rng_at(seed, (uint64_t)i, 0, 0);
        const int x = tl_rng_below(&r, 40), y = tl_rng_below(&r, 40), side = 20 + i % 5, kind = i % KINDS;
        const char *label = tl_printf(a, "%s 0.00 0 0.00 %d.00 %d.00 %d.00 %d.00 0 0 0 0 0 0 0\n", kind_name[kind], x, y, x + side, y + side);
        put_scene(tl_printf(a, "%s/images/%02d.png", root, i), INPUT, INPUT, kind, (tl_box){ (float)x, (float)y, (float)(x + side), (float)(y + side) });
        ok(tl_file_write(tl_printf(a, "%s/labels/%02d.txt", root, i), label, strlen(label)));
    }
}

/* Batch norms are fixed: those of a process know only its share. Adam's large epsilon keeps rounding from deciding where a gradient is
 * next to nothing. Any cell is an object, so that there is something to validate. */
static int begin_test(void **state)
{
    if (set_up(state)) return -1;
    put_squares("train", TRAINED_ON, 1);
    put_squares("val", VALIDATED_WITH, 2);
    const char *clusters = "clustering_config { clustering_algorithm: NMS coverage_threshold: 0.001 nms_iou_threshold: 0.3 }";
    const char *text = tl_printf(a,
        "random_seed: 3\n"
        "dataset_config { data_sources { label_directory_path: \"%s/train/labels\" image_directory_path: \"%s/train/images\" }\n"
        "  validation_data_source { label_directory_path: \"%s/val/labels\" image_directory_path: \"%s/val/images\" }\n"
        "  target_class_mapping { key: \"red\" value: \"red\" } target_class_mapping { key: \"blue\" value: \"blue\" } }\n"
        "augmentation_config { preprocessing { output_image_width: 64 output_image_height: 64 output_image_channel: 3 }\n"
        "  spatial_augmentation { hflip_probability: 0.5 translate_max_x: 4 } color_augmentation { hue_rotation_max: 10 } }\n"
        "model_config { arch: \"mobilenet_v2\" use_batch_norm: true freeze_bn: true pretrained_model_file: \"models/mobilenet_v2_imagenet.onnx\" }\n"
        "cost_function_config { target_classes { name: \"red\" } target_classes { name: \"blue\" }\n"
        "  enable_autoweighting: true min_objective_weight: 0.0001 max_objective_weight: 0.9999 }\n"
        "training_config { batch_size_per_gpu: 8 num_epochs: 2 checkpoint_interval: 1 optimizer { adam { epsilon: 0.01 beta1: 0.9 beta2: 0.999 } }\n"
        "  learning_rate { soft_start_annealing_schedule { min_learning_rate: 1e-3 max_learning_rate: 2e-3 soft_start: 0.1 annealing: 0.5 } } }\n"
        "evaluation_config { validation_period_during_training: 1 first_validation_epoch: 1\n"
        "  minimum_detection_ground_truth_overlap { key: \"red\" value: 0.05 } minimum_detection_ground_truth_overlap { key: \"blue\" value: 0.05 } }\n"
        "postprocessing_config { target_class_config { key: \"red\" value { %s } } target_class_config { key: \"blue\" value { %s } } }\n",
        place, place, place, place, clusters, clusters);
    ok(tl_file_write(in(place, "spec.txt"), text, strlen(text)));
    return 0;
}

static int end_test(void **state)
{
    kill_all(place);
    return tear_down(state);
}

static result train(const char *results, int processes, int batch)
{
    return shell(results, tl_printf(a, "%s/tlc detectnet_v2 train -e %s/spec.txt -r %s/%s --threads 1 -np %d training_config.batch_size_per_gpu=%d",
                                    build, place, place, results, processes, batch));
}

static const char *weights(const char *results, int epoch) { return tl_printf(a, "%s/%s/weights/model_%03d.onnx", place, results, epoch); }
static const char *csv(const char *results) { return text_of(tl_printf(a, "%s/%s/training.csv", place, results)); }

static tl_graph *graph(const char *results, int epoch)
{
    tl_model *m;
    ok(tl_model_load(a, weights(results, epoch), NULL, &m));
    return m->g;
}

/* All numbers of two tables, line by line, are close. */
static void same_figures(const char *one, const char *two)
{
    int numbers = 0;
    const char *x = strchr(one, '\n'), *y = strchr(two, '\n');
    assert_true(x && y);
    assert_memory_equal(one, two, (size_t)(x - one));
    while (*x && *y) {
        char *after_x, *after_y;
        const double u = strtod(x + 1, &after_x), v = strtod(y + 1, &after_y);
        if (after_x == x + 1) break;
        if (!(fabs(u - v) <= 1e-3 * fabs(u) + 1e-6) && !(isnan(u) && isnan(v))) fail_msg("%g and %g in\n%s\n%s", u, v, one, two);
        x = after_x, y = after_y, numbers++;
    }
    assert_true(numbers >= 2 * 7); /* epoch, loss, rate, two classes, their mean, cost */
}

/* The sums for autoweighting and the validation's lists come from both. */
static void as_one_process_with_the_same_batch(void **state)
{
    (void)state;
    skip_without_mpi();
    says(train("one", 1, 8), 0, "Epoch 2/2");
    says(train("two", 2, 4), 0, "2 processes train together");
    tl_graph *one = graph("one", 2);
    const double step = distance(one, graph("one", 1)), two = distance(one, graph("two", 2));
    if (!(step > 1e-4 && two < 2e-2 * step)) fail_msg("an epoch moves weights by %g; 2 processes differ by %g", step, two);
    same_figures(csv("one"), csv("two"));
    double best = 0, score; /* in one of the epochs objects are found, or the lists would be of no weight */
    for (const char *line = strchr(csv("two"), '\n'); line && line[1]; line = strchr(line + 1, '\n'))
        if (sscanf(line, "%*f,%*f,%*f,%*f,%*f,%lf", &score) == 1) best = fmax(best, score);
    if (!(best > 0)) fail_msg("nothing is found:\n%s", csv("two"));
}

static void twice_the_same_bits(void **state)
{
    (void)state;
    skip_without_mpi();
    says(train("x", 2, 4), 0, "Epoch 2/2");
    says(train("y", 2, 4), 0, "Epoch 2/2");
    assert_true(same_file(weights("x", 2), weights("y", 2)));
    assert_string_equal(csv("x"), csv("y"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin_test, end_test)
    const struct CMUnitTest tests[] = { T(as_one_process_with_the_same_batch), T(twice_the_same_bits) };
    find_build();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
