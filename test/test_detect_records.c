/* test_detect_records.c - training from TFRecords: stopped anywhere, inside an epoch or between two, and gone on with, it ends with
 * the same weights. SPDX-License-Identifier: MIT */
#include "detectnet.h"
#include "draw.h"
#include "picture.h"
#include "rng.h"
#include "text.h"
#include <string.h>
#include "folder.h"
#include "scene_set.h"

enum { PICTURES = 10, BATCH = 4, EPOCHS = 3 };

typedef struct { tl_text said; int steps, stop_after; volatile int stop; } ear;

static void hear(void *ctx, const char *text) { tl_textf(&((ear *)ctx)->said, "%s", text); }

static void watch(void *ctx, const tl_progress *p)
{
    ear *e = ctx;
    if (!strcmp(p->stage, "train") && ++e->steps == e->stop_after) e->stop = 1;
}

/* Two folds of two files each; the second one is for validation. */
static const char *records_spec(void)
{
    const char *root = in("set"), *path = in("spec.txt"), *export = in("export.txt");
    tl_dataset_convert_summary s;
    put_scenes("set", PICTURES, 2);
    write_text(export, tl_printf(a, "kitti_config { root_directory_path: \"%s\" image_dir_name: \"images\" label_dir_name: \"labels\" image_extension: "
                                    "\".png\" partition_mode: \"random\" num_partitions: 2 val_split: 30 num_shards: 2 }\n", root));
    ok(tl_detectnet_v2_dataset_convert(a, &(tl_dataset_convert_opts){ .dataset_export_spec = export, .output_filename = in("records/set"),
                                                                       .validation_fold = -1 }, NULL, &s));
    assert_int_equal(s.records, PICTURES);
    write_text(path, tl_printf(a,
        "random_seed: 3\n"
        "dataset_config { data_sources { tfrecords_path: \"%s/*\" image_directory_path: \"%s\" } image_extension: \"png\" validation_fold: 0\n"
        "  target_class_mapping { key: \"box\" value: \"box\" } target_class_mapping { key: \"disc\" value: \"disc\" } }\n"
        "augmentation_config { preprocessing { output_image_width: 96 output_image_height: 96 output_image_channel: 3 }\n"
        "  spatial_augmentation { hflip_probability: 0.5 translate_max_x: 8 zoom_min: 0.8 zoom_max: 1.2 } }\n"
        "model_config { arch: \"mobilenet_v2\" use_batch_norm: true }\n"
        "cost_function_config { target_classes { name: \"box\" } target_classes { name: \"disc\" }\n"
        "  enable_autoweighting: true min_objective_weight: 0.0001 max_objective_weight: 0.9999 }\n"
        "training_config { batch_size_per_gpu: %d num_epochs: %d checkpoint_interval: 1\n"
        "  learning_rate { soft_start_annealing_schedule { min_learning_rate: 1e-5 max_learning_rate: 1e-3 soft_start: 0.1 annealing: 0.5 } } }\n"
        "evaluation_config { validation_period_during_training: 1 first_validation_epoch: 1 }\n", in("records"), root, BATCH, EPOCHS));
    return path;
}

static tl_status train(const char *spec, const char *results, bool resume, ear *e)
{
    tl_train_summary s;
    e->said = tl_text_new(a);
    return tl_detectnet_v2_train(a, &(tl_train_opts){ .experiment_spec = spec, .results_dir = in(results), .resume = resume },
                                 &(tl_listener){ .say = hear, .progress = watch, .ctx = e, .stop = &e->stop }, &s);
}

static bool same_file(const char *one, const char *two)
{
    tl_bytes x, y;
    ok(tl_file_read(a, in(one), 0, &x));
    ok(tl_file_read(a, in(two), 0, &y));
    return x.n == y.n && !memcmp(x.p, y.p, x.n);
}

static void stopped_and_resumed(void **state)
{
    (void)state;
    ear e = { .stop_after = -1 };
    const char *spec = records_spec();
    ok(train(spec, "whole", false, &e));
    const char *text = tl_text_end(&e.said);
    if (!strstr(text, "validation: 3 pictures") || !strstr(text, "training: 7 pictures")) fail_msg("it said:\n%s", text);
    /* Seven pictures are two steps an epoch: in the middle of the first, at its end, in the last. */
    for (int at = 1; at < 2 * EPOCHS; at += 2) {
        const char *name = tl_printf(a, "parts%d", at);
        e = (ear){ .stop_after = at };
        assert_int_equal(train(spec, name, false, &e), TL_ESTOPPED);
        e = (ear){ .stop_after = -1 };
        ok(train(spec, name, true, &e));
        if (!same_file("whole/weights/model.onnx", tl_printf(a, "%s/weights/model.onnx", name))) fail_msg("stopped after %d steps: other weights", at);
        assert_string_equal(text_of("whole/training.csv"), text_of(tl_printf(a, "%s/training.csv", name)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { IN_FOLDER(stopped_and_resumed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
