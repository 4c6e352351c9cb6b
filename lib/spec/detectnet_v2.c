/* detectnet_v2.c - checking and understanding DetectNet_v2's experiment spec.
 * SPDX-License-Identifier: MIT
 *
 * In this order: sections that were left out get their defaults, the classes are gathered from the
 * sections that speak of them, then each section is checked. A section with entries by class must
 * have one for every class, or none at all, which means the defaults. */
#include "detectnet_v2.h"
#include <math.h>
#include <string.h>

typedef struct {
    tl_report             report;
    tl_detect_experiment *e;
    tl_detect_spec       *out;
    const char          **names;   /* of the classes */
    tl_detect_class      *classes;
    int                   n;
} loader;

/* Note an error or a warning at a field of obj; `l` is in scope. */
#define FAULT(obj, field, ...)   tl_report_error(&l->report, tl_report_place(&l->report, obj, field), __VA_ARGS__)
#define CAUTION(obj, field, ...) tl_report_warn(&l->report, tl_report_place(&l->report, obj, field), __VA_ARGS__)

/* ---- Sections that were left out ---- */
static const tl_msg *inner(const tl_msg *m, const char *name) { return tl_spec_row(m, name)->msg; }

/* The messages of these names (NULL ends) in section `name` of the experiment, and the section. */
static tl_status make_section(loader *l, const char *name, const char *const *inside)
{
    tl_place at = tl_report_place(&l->report, l->e, name);
    TL_TRY(tl_spec_make(&l->report, &tl_detect_msg, l->e, name, at));
    const tl_field *row = tl_spec_row(&tl_detect_msg, name);
    void *section = *(void **)tl_field_at(row, l->e);
    for (; inside && *inside; inside++)
        TL_TRY(
            tl_spec_make(&l->report, row->msg, section, *inside, tl_report_place(&l->report, section, NULL)));
    return TL_OK;
}

static tl_status make_all(loader *l)
{
    static const char *const augmentation[] = { "spatial_augmentation", "color_augmentation", NULL };
    static const char *const model[] = { "objective_set", "training_precision", NULL };
    static const char *const training[] = { "learning_rate", "regularizer", "optimizer", "cost_scaling",
                                            NULL };
    TL_TRY(make_section(l, "augmentation_config", augmentation));
    TL_TRY(make_section(l, "postprocessing_config", NULL));
    TL_TRY(make_section(l, "model_config", model));
    TL_TRY(make_section(l, "evaluation_config", NULL));
    TL_TRY(make_section(l, "training_config", training));
    return make_section(l, "bbox_rasterizer_config", NULL);
}

/* Messages one level further down. */
static tl_status make_inner(loader *l)
{
    const tl_msg *model = inner(&tl_detect_msg, "model_config"), *set = inner(model, "objective_set");
    const tl_msg *training = inner(&tl_detect_msg, "training_config");
    tl_objective_set *o = l->e->model_config->objective_set;
    tl_detect_training *t = l->e->training_config;
    tl_place at = tl_report_place(&l->report, o, NULL);
    TL_TRY(tl_spec_make(&l->report, set, o, "bbox", at));
    TL_TRY(tl_spec_make(&l->report, set, o, "cov", at));
    TL_TRY(tl_spec_make(&l->report, inner(training, "optimizer"), t->optimizer, "adam",
                        tl_report_place(&l->report, t->optimizer, NULL)));
    if (t->learning_rate->early_stopping_annealing_schedule) return TL_OK;
    return tl_spec_make(&l->report, inner(training, "learning_rate"), t->learning_rate,
                        "soft_start_annealing_schedule", tl_report_place(&l->report, t->learning_rate, NULL));
}

/* ---- Classes ---- */
static tl_status name_classes(loader *l)
{
    const tl_list *list = &l->e->cost_function_config->target_classes;
    tl_target_class **t = list->at;
    l->n = list->n;
    TL_NEW(l->names = tl_new(l->report.arena, const char *, list->n));
    TL_NEW(l->classes = tl_new(l->report.arena, tl_detect_class, list->n));
    for (int i = 0; i < l->n; i++) {
        TL_TRY(tl_spec_lower(l->report.arena, &t[i]->name));
        l->names[i] = l->classes[i].name = t[i]->name;
        l->classes[i].cost = t[i];
        for (int j = 0; j < i; j++)
            if (!strcmp(l->names[i], l->names[j]))
                TL_TRY(FAULT(t[i], "name",
                             "target_classes: '%s' is there twice (first in line %d); remove one of them",
                             l->names[i], tl_report_place(&l->report, t[j], "name").line));
    }
    return TL_OK;
}

static bool is_class(const loader *l, const char *name)
{
    for (int i = 0; i < l->n; i++)
        if (!strcmp(l->names[i], name)) return true;
    return false;
}

/* cov and bbox of a class: those given, or with the weights of the original's sample. */
static tl_status gather_objectives(loader *l, tl_detect_class *c)
{
    const tl_msg *row =
        inner(inner(inner(&tl_detect_msg, "cost_function_config"), "target_classes"), "objectives");
    static const char *const names[] = { "cov", "bbox" };
    const tl_objective **to[] = { &c->cov, &c->bbox };
    tl_objective **o = c->cost->objectives.at;
    for (int k = 0; k < 2; k++) {
        tl_objective *mine = NULL;
        for (int i = 0; i < c->cost->objectives.n; i++) {
            if (strcmp(o[i]->name, names[k])) continue;
            if (mine)
                TL_TRY(FAULT(o[i], "name",
                             "objectives: '%s' is there twice for the class '%s'; remove one of them",
                             names[k], c->name));
            mine = o[i];
        }
        if (!mine) TL_NEW(mine = tl_msg_new(l->report.arena, row));
        mine->name = names[k];
        if (k && !tl_msg_has(row, mine, "initial_weight")) mine->initial_weight = 10;
        if (k && !tl_msg_has(row, mine, "weight_target")) mine->weight_target = 10;
        *to[k] = mine;
    }
    return TL_OK;
}

/* What the map `field` of a section says of a class: a message, in *out. */
static tl_status entry_of(loader *l, const char *section, const char *field, const char *class,
                          const void **out)
{
    const tl_field *row = tl_spec_row(&tl_detect_msg, section), *map = tl_spec_row(row->msg, field);
    const void *obj = *(void **)tl_field_at(row, l->e);
    const tl_list *entries = tl_field_at(map, obj);
    *out = tl_entry_find(entries, class);
    if (!*out && entries->n)
        TL_TRY(FAULT(obj, field,
                     "%s.%s: there is no entry for the class '%s'; add %s { key: \"%s\" value { ... } }",
                     section, field, class, field, class));
    if (!*out) TL_NEW(*out = tl_msg_new(l->report.arena, map->msg->field[1].msg));
    return TL_OK;
}

static tl_status gather_overlap(loader *l, tl_detect_class *c)
{
    static const char field[] = "minimum_detection_ground_truth_overlap";
    const tl_detect_evaluation *v = l->e->evaluation_config;
    const tl_list *map = &v->minimum_detection_ground_truth_overlap;
    const tl_pair *p = tl_map_find(map, c->name);
    c->overlap = p ? p->value : 0.5f;
    if (p || !map->n) return TL_OK;
    return FAULT(v, field,
                 "evaluation_config.%s: there is no entry for the class '%s'; add %s { key: \"%s\" value: 0.5 }",
                 field, c->name, field, c->name);
}

static tl_status gather_clustering(loader *l, tl_detect_class *c)
{
    const void *found;
    TL_TRY(entry_of(l, "postprocessing_config", "target_class_config", c->name, &found));
    const tl_postprocessing_class *p = found;
    c->confidence = p->confidence_config ? p->confidence_config->confidence_threshold : 0;
    c->clustering = p->clustering_config;
    if (!c->clustering) TL_NEW(c->clustering = tl_msg_new(l->report.arena, &tl_clustering_msg));
    return TL_OK;
}

static tl_status gather(loader *l)
{
    TL_TRY(name_classes(l));
    for (int i = 0; i < l->n; i++) {
        tl_detect_class *c = &l->classes[i];
        const void *found;
        TL_TRY(gather_objectives(l, c));
        TL_TRY(entry_of(l, "bbox_rasterizer_config", "target_class_config", c->name, &found));
        c->raster = found;
        TL_TRY(entry_of(l, "evaluation_config", "evaluation_box_config", c->name, &found));
        c->box = found;
        TL_TRY(gather_overlap(l, c));
        TL_TRY(gather_clustering(l, c));
    }
    return TL_OK;
}

/* Entries for classes that there are not. */
static tl_status check_strays(loader *l)
{
    const tl_detect_experiment *e = l->e;
    const struct {
        const char *name;
        const tl_list *map;
    } maps[] = {
        { "bbox_rasterizer_config.target_class_config", &e->bbox_rasterizer_config->target_class_config },
        { "evaluation_config.evaluation_box_config", &e->evaluation_config->evaluation_box_config },
        { "postprocessing_config.target_class_config", &e->postprocessing_config->target_class_config },
    };
    for (int i = 0; i < TL_LEN(maps); i++) {
        tl_entry *const *entry = maps[i].map->at;
        for (int k = 0; k < maps[i].map->n; k++)
            if (!is_class(l, entry[k]->key))
                TL_TRY(CAUTION(entry[k], NULL,
                               "%s: the entry for '%s' has no effect, since it is no target class%s",
                               maps[i].name, entry[k]->key, tl_spec_hint(entry[k]->key, l->names, l->n).s));
    }
    return TL_OK;
}

/* ---- Data ---- */
static tl_status check_source(loader *l, tl_data_source *s)
{
    if (s->source_weight == 0) s->source_weight = 1;
    bool records = tl_spec_filled(s->tfrecords_path), labels = tl_spec_filled(s->label_directory_path);
    if (!records && !labels)
        return FAULT(s, NULL,
                     "a data source needs tfrecords_path, or label_directory_path with image_directory_path");
    if (records && labels)
        return FAULT(
            s, "label_directory_path",
            "label_directory_path: a data source has either this or tfrecords_path; remove one of them");
    if (labels && !tl_spec_filled(s->image_directory_path))
        return FAULT(s, NULL,
                     "a data source with label_directory_path needs image_directory_path, the pictures' folder");
    return TL_OK;
}

static tl_status check_dataset(loader *l)
{
    tl_detect_dataset *d = l->e->dataset_config;
    tl_data_source **s = d->data_sources.at;
    for (int i = 0; i < d->data_sources.n; i++) {
        TL_TRY(check_source(l, s[i]));
        bool folders = tl_spec_filled(s[i]->label_directory_path) && !tl_spec_filled(s[i]->tfrecords_path);
        if (folders && d->validation_fold >= 0)
            TL_TRY(FAULT(d, "validation_fold",
                         "validation_fold: folders of labels have no folds; use validation_data_source "
                         "instead, or TFRecords"));
    }
    if (d->validation_data_source) return check_source(l, d->validation_data_source);
    if (d->validation_fold < 0)
        return CAUTION(d, NULL,
                       "dataset_config: nothing to validate with; give validation_fold or validation_data_source");
    return TL_OK;
}

static tl_status check_mapping(loader *l)
{
    const tl_list *map = &l->e->dataset_config->target_class_mapping;
    tl_string_entry **m = map->at;
    for (int i = 0; i < map->n; i++) {
        TL_TRY(tl_spec_lower(l->report.arena, &m[i]->value));
        if (!is_class(l, m[i]->value))
            TL_TRY(CAUTION(m[i], "value",
                           "target_class_mapping: labels '%s' are dropped, since '%s' is no target class%s",
                           m[i]->key, m[i]->value, tl_spec_hint(m[i]->value, l->names, l->n).s));
    }
    for (int c = 0; c < l->n; c++) {
        int i = 0;
        while (i < map->n && strcmp(m[i]->value, l->names[c])) i++;
        if (i == map->n)
            TL_TRY(CAUTION(l->classes[c].cost, "name",
                           "target_classes: target_class_mapping maps no label to '%s', so that it cannot be learned",
                           l->names[c]));
    }
    return TL_OK;
}

/* ---- The network and its input ---- */
static tl_status check_network(loader *l)
{
    tl_detect_model *m = l->e->model_config;
    if (!strcmp(m->arch, "onnx"))
        return FAULT(m, "arch", "arch: \"onnx\" is for classification; choose a backbone by its name");
    const tl_arch *a = l->out->arch = tl_arch_find(m->arch);
    TL_TRY(tl_arch_layers(&l->report, tl_report_place(&l->report, m, "num_layers"), a, "num_layers",
                          &m->num_layers));
    const float *b = m->freeze_blocks.at;
    for (int i = 0; i < m->freeze_blocks.n; i++) {
        tl_place at = tl_report_place(&l->report, m, "freeze_blocks");
        if (b[i] != floorf(b[i]))
            TL_TRY(tl_report_error(&l->report, at, "freeze_blocks: expected whole numbers, found %g",
                                   (double)b[i]));
        else
            TL_TRY(tl_arch_block(&l->report, at, a, (int)b[i]));
    }
    if (m->load_graph && !tl_spec_filled(m->pretrained_model_file))
        return FAULT(m, "load_graph",
                     "load_graph: needs pretrained_model_file, the model whose network is to be kept");
    return TL_OK;
}

static tl_status check_side(loader *l, const char *field, int pixels)
{
    const int unit = l->e->model_config->whole_backbone ? 32 : 16;
    if (pixels % unit == 0) return TL_OK;
    return FAULT(l->e->augmentation_config->preprocessing, field,
                 "%s: expected a multiple of %d, found %d; %d would do", field, unit, pixels,
                 (pixels + unit / 2) / unit * unit);
}

static tl_status check_input(loader *l)
{
    tl_preprocessing *p = l->e->augmentation_config->preprocessing;
    if (!p->output_image_channel) p->output_image_channel = 3;
    if (p->output_image_channel == 2)
        TL_TRY(FAULT(p, "output_image_channel", "output_image_channel: expected 1 or 3, found 2"));
    TL_TRY(check_side(l, "output_image_width", p->output_image_width));
    TL_TRY(check_side(l, "output_image_height", p->output_image_height));
    if (p->output_image_max && p->output_image_max < p->output_image_min)
        TL_TRY(FAULT(p, "output_image_max",
                     "output_image_max: expected at least output_image_min, %d, found %d",
                     p->output_image_min, p->output_image_max));
    if (!p->crop_left && !p->crop_top && !p->crop_right && !p->crop_bottom) return TL_OK;
    if (p->crop_right <= p->crop_left)
        TL_TRY(FAULT(p, "crop_right", "crop_right: expected more than crop_left, %d, found %d", p->crop_left,
                     p->crop_right));
    if (p->crop_bottom <= p->crop_top)
        TL_TRY(FAULT(p, "crop_bottom", "crop_bottom: expected more than crop_top, %d, found %d", p->crop_top,
                     p->crop_bottom));
    return TL_OK;
}

/* ---- Pairs of numbers of which one is the smaller ---- */
static tl_status ordered(loader *l, const void *obj, const char *low, float a, const char *high, float b)
{
    if (a <= b) return TL_OK;
    return FAULT(obj, low, "%s: expected at most %s, %g, found %g", low, high, (double)b, (double)a);
}

static tl_status check_augmentation(loader *l)
{
    const tl_spatial_augmentation *s = l->e->augmentation_config->spatial_augmentation;
    if (s->rotate_rad_max > 0 && s->rotate_probability == 0)
        TL_TRY(CAUTION(s, "rotate_rad_max", "rotate_rad_max has no effect: rotate_probability is 0"));
    return ordered(l, s, "zoom_min", s->zoom_min, "zoom_max", s->zoom_max);
}

static tl_status check_rate(loader *l)
{
    const tl_detect_rate *r = l->e->training_config->learning_rate;
    const tl_soft_start *s = r->soft_start_annealing_schedule;
    const tl_early_stopping *e = r->early_stopping_annealing_schedule;
    if (e)
        return ordered(l, e, "min_learning_rate", e->min_learning_rate, "max_learning_rate",
                       e->max_learning_rate);
    TL_TRY(
        ordered(l, s, "min_learning_rate", s->min_learning_rate, "max_learning_rate", s->max_learning_rate));
    if (s->soft_start < s->annealing) return TL_OK;
    return FAULT(s, "soft_start", "soft_start: expected less than annealing, %g, found %g",
                 (double)s->annealing, (double)s->soft_start);
}

static tl_status check_training(loader *l)
{
    tl_detect_training *t = l->e->training_config;
    const tl_cost_function *c = l->e->cost_function_config;
    if (!t->checkpoint_interval) t->checkpoint_interval = 10;
    if (t->cost_scaling->enabled)
        TL_TRY(CAUTION(t->cost_scaling, "enabled",
                       "cost_scaling has no effect: mixed precision is bf16 here, which needs none"));
    if (t->regularizer->type != TL_NO_REG && t->regularizer->weight <= 0)
        TL_TRY(CAUTION(t->regularizer, "type", "regularizer has no effect: weight is 0"));
    return ordered(l, c, "min_objective_weight", c->min_objective_weight, "max_objective_weight",
                   c->max_objective_weight);
}

static tl_status check_boxes(loader *l)
{
    for (int i = 0; i < l->n; i++) {
        const tl_evaluation_box *b = l->classes[i].box;
        TL_TRY(ordered(l, b, "minimum_height", (float)b->minimum_height, "maximum_height",
                       (float)b->maximum_height));
        TL_TRY(ordered(l, b, "minimum_width", (float)b->minimum_width, "maximum_width",
                       (float)b->maximum_width));
    }
    return TL_OK;
}

/* ---- Loss masks ---- */
static tl_status check_filter(loader *l, const tl_objective_filter *o)
{
    const tl_label_filter *f = o->label_filter;
    const tl_filter_size *s = f->bbox_dimensions_label_filter;
    const tl_filter_crop *c = f->bbox_crop_label_filter;
    if (s) {
        TL_TRY(ordered(l, s, "min_width", s->min_width, "max_width", s->max_width));
        TL_TRY(ordered(l, s, "min_height", s->min_height, "max_height", s->max_height));
    } else if (c) {
        TL_TRY(ordered(l, c, "crop_left", c->crop_left, "crop_right", c->crop_right));
        TL_TRY(ordered(l, c, "crop_top", c->crop_top, "crop_bottom", c->crop_bottom));
    } else if (!f->source_class_label_filter) {
        TL_TRY(FAULT(f, NULL,
                     "label_filter: expected one of bbox_dimensions_label_filter, bbox_crop_label_filter, "
                     "source_class_label_filter in it"));
    }
    const char **name = o->target_class_names.at;
    for (int i = 0; i < o->target_class_names.n; i++) {
        TL_TRY(tl_spec_lower(l->report.arena, &name[i]));
        if (!is_class(l, name[i]))
            TL_TRY(FAULT(o, "target_class_names", "target_class_names: there is no target class '%s'%s",
                         name[i], tl_spec_hint(name[i], l->names, l->n).s));
    }
    return TL_OK;
}

static tl_status check_masks(loader *l)
{
    const tl_loss_mask *m = l->e->loss_mask_label_filter;
    if (!m) return TL_OK;
    tl_objective_filter *const *o = m->objective_label_filter_configs.at;
    for (int i = 0; i < m->objective_label_filter_configs.n; i++) TL_TRY(check_filter(l, o[i]));
    return TL_OK;
}

static tl_status check_exports(loader *l)
{
    tl_dataset_export *const *x = l->e->dataset_export_config.at;
    for (int i = 0; i < l->e->dataset_export_config.n; i++) TL_TRY(tl_dataset_export_check(&l->report, x[i]));
    return TL_OK;
}

/* ---- Loading ---- */
static tl_status check_all(void *self)
{
    static tl_status (*const steps[])(loader *) = {
        make_all,       make_inner,    gather,      check_strays,       check_dataset,
        check_mapping,  check_network, check_input, check_augmentation, check_rate,
        check_training, check_boxes,   check_masks, check_exports,
    };
    for (int i = 0; i < TL_LEN(steps); i++) TL_TRY(steps[i](self));
    return TL_OK;
}

tl_status tl_detect_spec_load(tl_arena *a, const char *path, const char *text, const char *const *overrides,
                              int n, const tl_detect_spec **out, const char **warnings)
{
    loader l = { .report = tl_report_new(a) };
    tl_spec_source source = { path, text, overrides, n };
    TL_NEW(l.out = tl_new(a, tl_detect_spec, 1));
    TL_NEW(l.e = tl_msg_new(a, &tl_detect_msg));
    TL_TRY(tl_spec_load(&l.report, source, &tl_detect_msg, l.e, check_all, &l, warnings));
    l.out->experiment = l.e;
    l.out->n_classes = l.n;
    l.out->classes = l.classes;
    *out = l.out;
    return TL_OK;
}

tl_status tl_detect_spec_print(tl_arena *a, const tl_detect_spec *s, const char **text)
{
    tl_text t = tl_text_new(a);
    tl_textf(&t, "# DetectNet_v2 experiment, whole, with defaults.\n");
    tl_prototxt_print(&t, &tl_detect_msg, s->experiment);
    TL_NEW(*text = tl_text_end(&t));
    return TL_OK;
}

const tl_detect_class *tl_detect_spec_class(const tl_detect_spec *s, const char *label)
{
    const tl_list *map = &s->experiment->dataset_config->target_class_mapping;
    tl_string_entry *const *m = map->at;
    for (int i = 0; i < map->n; i++) {
        if (strcasecmp(m[i]->key, label)) continue;
        for (int c = 0; c < s->n_classes; c++)
            if (!strcmp(s->classes[c].name, m[i]->value)) return &s->classes[c];
    }
    return NULL;
}
