/* test_spec_detectnet.c - DetectNet_v2's specs: experiment, inference, conversion.
 * SPDX-License-Identifier: MIT
 *
 * The sample files together give every field of the original, which the test counts. */
#include "detect.h"
#include "detection_metric.h"
#include "detectnet_v2.h"
#include "minimal_spec.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define FOLDER "test/data/specs/"
#define SAME(x, y) assert_true((x) == (y))

static const tl_detect_spec *load(tl_arena *a, const char *path, const char *text, const char **warnings)
{
    const tl_detect_spec *s = NULL;
    if (tl_detect_spec_load(a, path, text, NULL, 0, &s, warnings)) fail_msg("%s", tl_errmsg());
    return s;
}

static const tl_infer_spec *load_inference(tl_arena *a, const char *path, const char **warnings)
{
    const tl_infer_spec *s = NULL;
    if (tl_infer_spec_load(a, path, NULL, NULL, 0, &s, warnings)) fail_msg("%s", tl_errmsg());
    return s;
}

static const tl_dataset_export *load_export(tl_arena *a, const char *path, const char **warnings)
{
    const tl_dataset_export *s = NULL;
    if (tl_dataset_export_load(a, path, NULL, NULL, 0, &s, warnings)) fail_msg("%s", tl_errmsg());
    return s;
}

static const char *string_at(const tl_list *l, int i) { return ((const char *const *)l->at)[i]; }

/* ---- What the samples say ---- */
static void check_training(const tl_detect_spec *s)
{
    const tl_detect_training *t = s->experiment->training_config;
    assert_int_equal(t->batch_size_per_gpu, 4);
    assert_int_equal(t->num_epochs, 120);
    const tl_soft_start *lr = t->learning_rate->soft_start_annealing_schedule;
    assert_true(lr->min_learning_rate == 5e-6f && lr->max_learning_rate == 5e-4f);
    assert_true(lr->soft_start == 0.1f && lr->annealing == 0.7f);
    assert_true(t->regularizer->type == TL_L1 && t->regularizer->weight == 3e-9f);
    const tl_detect_adam *o = t->optimizer->adam;
    assert_true(o->epsilon == 1e-8f && o->beta1 == 0.9f && o->beta2 == 0.999f);
    assert_false(t->cost_scaling->enabled);
}

static void train_2_0(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const char *w;
    const tl_detect_spec *s = load(a, FOLDER "detectnet_train_2_0.txt", NULL, &w);
    const tl_detect_experiment *e = s->experiment;
    assert_string_equal(w, "");
    static const struct { const char *name; float weight, radius, overlap, samples; int height; } classes[] = {
        { "car", 1, 0.4f, 0.7f, 0.05f, 40 }, { "cyclist", 8, 1, 0.5f, 1, 20 }, { "pedestrian", 4, 0.4f, 0.5f, 1,
              25 },
    };
    assert_int_equal(s->n_classes, 3);
    for (int i = 0; i < 3; i++) {
        const tl_detect_class *c = &s->classes[i];
        assert_string_equal(c->name, classes[i].name);
        SAME(c->cost->class_weight, classes[i].weight);
        SAME(c->cost->coverage_foreground_weight, 0.05f);
        assert_true(c->cov->initial_weight == 1 && c->cov->weight_target == 1 && c->bbox->initial_weight == 10);
        SAME(c->bbox->weight_target, i == 1 ? 1 : 10);
        assert_true(c->raster->cov_radius_x == classes[i].radius && c->raster->cov_radius_y == classes[i].radius);
        SAME(c->overlap, classes[i].overlap);
        SAME(c->clustering->dbscan_min_samples, classes[i].samples);
        SAME(c->clustering->dbscan_eps, 0.15f);
        assert_int_equal(c->box->minimum_height, classes[i].height);
        assert_int_equal(c->box->maximum_width, 9999);
    }
    SAME(tl_detect_spec_class(s, "VAN"), &s->classes[0]);
    SAME(tl_detect_spec_class(s, "person_sitting"), &s->classes[2]);
    assert_null(tl_detect_spec_class(s, "dontcare"));
    assert_int_equal(e->dataset_config->validation_fold, 0);
    assert_null(e->dataset_config->validation_data_source);
    assert_string_equal((*(tl_data_source **)e->dataset_config->data_sources.at)->image_directory_path,
          "/data/training");
    assert_int_equal(e->augmentation_config->preprocessing->output_image_width, 1248);
    assert_true(e->augmentation_config->color_augmentation->hue_rotation_max == 25);
    assert_string_equal(s->arch->name, "resnet");
    assert_int_equal(e->model_config->num_layers, 18);
    assert_int_equal(e->evaluation_config->average_precision_mode, TL_AP_INTEGRATE);
    assert_int_equal(e->evaluation_config->first_validation_epoch, 30);
    assert_true(e->cost_function_config->enable_autoweighting);
    check_training(s);
    tl_arena_free(a);
}

static void check_filters(const tl_loss_mask *m)
{
    tl_objective_filter **f = m->objective_label_filter_configs.at;
    assert_int_equal(m->objective_label_filter_configs.n, 3);
    assert_true(f[0]->label_filter->bbox_dimensions_label_filter->max_height == 40);
    assert_string_equal(string_at(&f[0]->target_class_names, 0), "mask");
    assert_string_equal(string_at(&f[0]->objective_names, 1), "bbox");
    assert_true(f[1]->label_filter->bbox_crop_label_filter->crop_right == 20);
    assert_string_equal(string_at(&f[2]->label_filter->source_class_label_filter->source_class_names, 0),
          "dontcare");
    assert_true(m->mask_multiplier == 0.1f && m->preserve_ground_truth);
}

static void retrain_3_0(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const char *w;
    const tl_detect_spec *s = load(a, FOLDER "detectnet_retrain_3_0.txt", NULL, &w);
    const tl_detect_experiment *e = s->experiment;
    const tl_detect_dataset *d = e->dataset_config;
    tl_data_source **source = d->data_sources.at;
    assert_true(source[0]->source_weight == 0.5f && source[1]->source_weight == 1);
    assert_int_equal(d->validation_fold, -1);
    assert_string_equal(d->validation_data_source->image_directory_path, "/data/val");
    assert_int_equal(d->sampling_mode, TL_SAMPLE_PROPORTIONAL);
    assert_int_equal(e->augmentation_config->preprocessing->output_image_channel, 3);
    assert_true(e->augmentation_config->preprocessing->enable_auto_resize);
    assert_true(e->augmentation_config->spatial_augmentation->rotate_rad_max == 0.69f);
    assert_string_equal(s->classes[0].name, "no-mask"); /* the order of the cost function, not of the mapping */
    assert_int_equal(s->classes[0].clustering->clustering_algorithm, TL_NMS);
    assert_int_equal(s->classes[1].clustering->clustering_algorithm, TL_HYBRID);
    assert_true(s->classes[1].confidence == 0.75f && s->classes[0].confidence == 0);
    assert_true(s->classes[0].overlap == 0.4f && s->classes[1].overlap == 0.6f);
    assert_true(e->model_config->load_graph && e->model_config->freeze_bn && !e->model_config->use_batch_norm);
    assert_int_equal(e->model_config->training_precision->backend_floatx, TL_FLOAT16);
    assert_true(((float *)e->model_config->freeze_blocks.at)[1] == 1);
    assert_true(e->model_config->objective_set->bbox->scale == 30);
    assert_int_equal(e->training_config->checkpoint_interval, 10);
    assert_int_equal(e->training_config->learning_rate->early_stopping_annealing_schedule->annealing_epochs, 20);
    assert_null(e->training_config->learning_rate->soft_start_annealing_schedule);
    SAME(e->bbox_rasterizer_config->deadzone_radius, 0.5f);
    check_filters(e->loss_mask_label_filter);
    assert_string_equal(w, "warning: accepted, but without effect here: dataset_config.dataloader_mode, dataset_config.sampling_mode, "
                           "postprocessing_config.target_class_config.value.clustering_config.neighborhood_size, "
                           "postprocessing_config.target_class_config.value.confidence_config."
                           "confidence_model_filename, "
                           "postprocessing_config.target_class_config.value.confidence_config.normalization_mode, "
                           "model_config.allow_loaded_model_modification, model_config.objective_set.bbox.input, "
                           "model_config.objective_set.cov.input, training_config.enable_qat, "
                           "training_config.visualizer\n");
    tl_arena_free(a);
}

static void inference(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const char *w;
    const tl_infer_spec *s = load_inference(a, FOLDER "detectnet_inference_tlt.txt", &w);
    assert_string_equal(s->model, "/data/resnet18.tlt");
    assert_int_equal(s->n_classes, 3);
    assert_string_equal(s->classes[0].name, "car");
    assert_string_equal(s->classes[0].label, "Car");
    assert_int_equal(s->classes[0].color->G, 255);
    SAME(s->classes[0].clustering->dbscan_eps, 0.3f);
    assert_string_equal(s->classes[2].label, "pedestrian");
    assert_int_equal(s->classes[2].color->R, 255);
    assert_int_equal(s->classes[2].clustering->clustering_algorithm, TL_NMS);
    assert_true(s->classes[0].wanted && s->classes[1].wanted && !s->classes[2].wanted);
    assert_true(s->inference->bbox_handler_config->kitti_dump);
    s = load_inference(a, FOLDER "detectnet_inference_trt.txt", &w);
    assert_string_equal(s->model, "/data/model.etlt");
    assert_int_equal(s->inference->inferencer_config->tensorrt_config->backend_data_type, TL_ENGINE_INT8);
    assert_true(s->classes[0].wanted && !s->classes[0].color);
    assert_int_equal(s->inference->inferencer_config->stride, 16);
    tl_arena_free(a);
}

static void conversion(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const char *w;
    const tl_dataset_export *e = load_export(a, FOLDER "convert_kitti.txt", &w);
    assert_string_equal(e->kitti_config->partition_mode, "sequence");
    assert_int_equal(e->kitti_config->num_partitions, 5);
    assert_int_equal(e->kitti_config->num_shards, 10);
    SAME(e->kitti_config->val_split, 14);
    assert_string_equal(((tl_pair *)e->sample_modifier_config->minimum_target_class_imbalance.at)->key,
          "cyclist");
    assert_string_equal((*(tl_string_entry **)e->target_class_mapping.at)->key, "truck");
    assert_string_equal((*(tl_string_entry **)e->target_class_mapping.at)->value, "car");
    e = load_export(a, FOLDER "convert_coco.txt", &w);
    assert_string_equal(w, "");
    assert_string_equal(string_at(&e->coco_config->img_dir_names, 1), "train2017");
    assert_int_equal(((int *)e->coco_config->num_shards.at)[1], 256);
    tl_arena_free(a);
}

/* ---- Every field is in a sample ---- */
typedef struct { const tl_msg *msg; uint64_t given; } seen;
typedef struct { seen at[96]; int n; } seen_list;

static seen *seen_of(seen_list *l, const tl_msg *m)
{
    for (int i = 0; i < l->n; i++)
        if (l->at[i].msg == m) return &l->at[i];
    assert_true(l->n < TL_LEN(l->at));
    l->at[l->n] = (seen){ m, 0 };
    return &l->at[l->n++];
}

static void see(seen_list *l, const tl_msg *m, const void *obj)
{
    if (!obj) return;
    seen_of(l, m)->given |= *(const uint64_t *)obj;
    for (const tl_field *f = m->field; f->name; f++) {
        const void *at = (const char *)obj + f->off;
        const tl_list *list = at;
        if (f->kind != TL_MSG) continue;
        if (!(f->flags & TL_REPEATED)) see(l, f->msg, *(void *const *)at);
        else
            for (int i = 0; i < list->n; i++) see(l, f->msg, ((void *const *)list->at)[i]);
    }
}

static void every_field(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const char *w;
    seen_list l = { .n = 0 };
    see(&l, &tl_detect_msg, load(a, FOLDER "detectnet_train_2_0.txt", NULL, &w)->experiment);
    see(&l, &tl_detect_msg, load(a, FOLDER "detectnet_retrain_3_0.txt", NULL, &w)->experiment);
    see(&l, &tl_detect_inference_msg, load_inference(a, FOLDER "detectnet_inference_tlt.txt", &w)->inference);
    see(&l, &tl_detect_inference_msg, load_inference(a, FOLDER "detectnet_inference_trt.txt", &w)->inference);
    see(&l, &tl_dataset_export_msg, load_export(a, FOLDER "convert_kitti.txt", &w));
    see(&l, &tl_dataset_export_msg, load_export(a, FOLDER "convert_coco.txt", &w));
    for (int i = 0; i < l.n; i++)
        for (const tl_field *f = l.at[i].msg->field; f->name; f++) {
            if (f->kind == TL_MSG) seen_of(&l, f->msg);
            if (!(l.at[i].given >> (f - l.at[i].msg->field) & 1)) fail_msg("%s.%s is in no sample",
                  l.at[i].msg->name, f->name);
        }
    tl_arena_free(a);
}

/* ---- Defaults ---- */
static void check_class_defaults(const tl_detect_class *c)
{
    const tl_clustering_config *k = c->clustering;
    assert_true(c->raster->cov_center_x == 0.5f && c->raster->cov_center_y == 0.5f);
    assert_true(c->raster->cov_radius_x == 0.4f && c->raster->cov_radius_y == 0.4f && c->raster->bbox_min_radius == 1);
    assert_true(c->cov->initial_weight == 1 && c->cov->weight_target == 1);
    assert_true(c->bbox->initial_weight == 10 && c->bbox->weight_target == 10);
    assert_true(c->cost->class_weight == 1 && c->cost->coverage_foreground_weight == 0.05f);
    assert_true(c->overlap == 0.5f && c->confidence == 0);
    assert_true(c->box->minimum_height == 0 && c->box->maximum_height == 9999);
    assert_true(c->box->minimum_width == 0 && c->box->maximum_width == 9999);
    assert_int_equal(k->clustering_algorithm, TL_DBSCAN);
    assert_true(k->coverage_threshold == 0.005f && k->dbscan_eps == 0.13f && k->dbscan_min_samples == 1);
    assert_true(k->minimum_bounding_box_height == 0 && k->dbscan_confidence_threshold == 0);
    assert_true(k->nms_iou_threshold == 0.2f && k->nms_confidence_threshold == 0);
}

static void defaults(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const char *w;
    const tl_detect_spec *s = load(a, "t", MINIMAL, &w);
    const tl_detect_experiment *e = s->experiment;
    assert_string_equal(w, "");
    check_class_defaults(&s->classes[0]);
    assert_int_equal(e->random_seed, 42);
    assert_string_equal(e->dataset_config->image_extension, "png");
    assert_true((*(tl_data_source **)e->dataset_config->data_sources.at)->source_weight == 1);
    assert_int_equal(e->augmentation_config->preprocessing->output_image_channel, 3);
    const tl_spatial_augmentation *g = e->augmentation_config->spatial_augmentation;
    assert_true(g->zoom_min == 1 && g->zoom_max == 1 && g->hflip_probability == 0 && g->rotate_rad_max == 0);
    assert_true(e->augmentation_config->color_augmentation->contrast_center == 0.5f);
    assert_int_equal(e->model_config->num_layers, 18);
    const tl_bbox_objective *b = e->model_config->objective_set->bbox;
    assert_true(b->scale == 35 && b->offset == 0.5f);
    assert_int_equal(e->model_config->training_precision->backend_floatx, TL_FLOAT32);
    assert_int_equal(e->evaluation_config->average_precision_mode, TL_AP_SAMPLE);
    assert_int_equal(e->training_config->checkpoint_interval, 10);
    assert_int_equal(e->training_config->regularizer->type, TL_NO_REG);
    const tl_soft_start *lr = e->training_config->learning_rate->soft_start_annealing_schedule;
    assert_true(lr->min_learning_rate == 5e-6f && lr->max_learning_rate == 5e-4f && lr->annealing == 0.7f);
    assert_true(e->training_config->optimizer->adam->epsilon == 1e-8f);
    const tl_cost_function *c = e->cost_function_config;
    assert_true(!c->enable_autoweighting && c->max_objective_weight == 0.9999f && c->min_objective_weight == 0.0001f);
    SAME(e->bbox_rasterizer_config->deadzone_radius, 0.67f);
    assert_null(e->loss_mask_label_filter);
    tl_arena_free(a);
}

/* ---- Printing, overriding ---- */
static const char *printed(tl_arena *a, const tl_detect_spec *s)
{
    tl_text t = tl_text_new(a);
    tl_prototxt_print(&t, &tl_detect_msg, s->experiment);
    return tl_text_end(&t);
}

static void prints_and_reads_back(void **state)
{
    (void)state;
    static const char *const files[] = { FOLDER "detectnet_train_2_0.txt", FOLDER "detectnet_retrain_3_0.txt" };
    for (int i = 0; i < TL_LEN(files); i++) {
        tl_arena *a = tl_arena_new();
        const char *w, *first = printed(a, load(a, files[i], NULL, &w));
        const char *second = printed(a, load(a, "printed", first, &w));
        /* What was a default is given now, and no longer marked. */
        char *x = tl_strdup(a, first);
        static const char mark[] = "  # default\n";
        for (char *m = x; (m = strstr(m, mark));) memmove(m, m + sizeof mark - 2,
              strlen(m + sizeof mark - 2) + 1);
        assert_string_equal(x, second);
        tl_arena_free(a);
    }
}

static void overrides(void **state)
{
    (void)state;
    static const char *const arguments[] = {
        "training_config.num_epochs=3", "model_config.load_graph=true",
              "model_config.pretrained_model_file=p.onnx",
        "dataset_config.validation_data_source={ tfrecords_path: \"v\" }",
              "evaluation_config.minimum_detection_ground_truth_overlap.car=0.6"
    };
    tl_arena *a = tl_arena_new();
    const tl_detect_spec *s;
    const char *w;
    if (tl_detect_spec_load(a, "t", MINIMAL, arguments, TL_LEN(arguments), &s, &w)) fail_msg("%s", tl_errmsg());
    assert_int_equal(s->experiment->training_config->num_epochs, 3);
    assert_true(s->experiment->model_config->load_graph);
    assert_int_equal(s->experiment->dataset_config->validation_fold, -1);
    assert_string_equal(s->experiment->dataset_config->validation_data_source->tfrecords_path, "v");
    SAME(s->classes[0].overlap, 0.6f);
    tl_arena_free(a);
}

/* The specs that people start from are without complaint; the one for pruned detectors makes the same ones as the other. */
static void recipes(void **state)
{
    static const char *const file[] = { "examples/detect/vehicles.txt", "examples/detect/vehicles-retrain.txt", "bench/detect-masks.txt" };
    const tl_detect_experiment *x[3];
    (void)state;
    tl_arena *a = tl_arena_new();
    for (int i = 0; i < 3; i++) {
        const char *w;
        x[i] = load(a, file[i], NULL, &w)->experiment;
        assert_string_equal(w, "");
        assert_int_equal(x[i]->dataset_config->target_class_mapping.n, x[i]->cost_function_config->target_classes.n);
        assert_int_equal(x[i]->cost_function_config->target_classes.n, i < 2 ? 5 : 2);
    }
    const tl_preprocessing *p = x[0]->augmentation_config->preprocessing, *q = x[1]->augmentation_config->preprocessing;
    assert_int_equal(p->output_image_width, q->output_image_width);
    assert_int_equal(p->output_image_height, q->output_image_height);
    assert_true(x[1]->model_config->load_graph && !x[0]->model_config->load_graph);
    assert_int_equal(x[1]->model_config->freeze_blocks.n, 0);
    tl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(train_2_0),       cmocka_unit_test(retrain_3_0),  cmocka_unit_test(inference),
        cmocka_unit_test(conversion),      cmocka_unit_test(every_field),  cmocka_unit_test(defaults),
        cmocka_unit_test(prints_and_reads_back), cmocka_unit_test(overrides),  cmocka_unit_test(recipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
