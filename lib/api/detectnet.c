/* detectnet.c - from a spec of DetectNet_v2 to what the library computes with. SPDX-License-Identifier: MIT */
#include "detectnet.h"
#include "detect_sources.h"
#include "text.h"
#include <string.h>
#include <strings.h>

tl_status tl_detect_open(tl_arena *a, const char *path, const tl_list *overrides, const tl_listener *l, const tl_detect_spec **out)
{
    const char *warnings;
    TL_TRY(tl_detect_spec_load(a, path, NULL, overrides->at, overrides->n, out, &warnings));
    tl_tell(l, warnings);
    return TL_OK;
}

tl_clustering tl_clustering_of(const tl_clustering_config *c)
{
    return (tl_clustering){ .kind = (tl_cluster_kind)c->clustering_algorithm, .coverage = c->coverage_threshold,
                            .min_height = (float)c->minimum_bounding_box_height, .eps = c->dbscan_eps,
                            .min_samples = (int)c->dbscan_min_samples, .min_confidence = c->dbscan_confidence_threshold,
                            .nms_iou = c->nms_iou_threshold, .nms_confidence = c->nms_confidence_threshold };
}

tl_status tl_cells_of(const tl_model *m, tl_cells *out)
{
    TL_CHECK(m->head && m->head->stride16, TL_EARG, "the model (%s) is not one of DetectNet_v2", m->arch);
    const tl_shape in = m->g->node[m->image.i].s, grid = m->g->node[m->raw.i].s;
    *out = (tl_cells){ in.w, in.h, grid.w, grid.h, grid.c, m->bbox_scale, m->bbox_offset };
    return TL_OK;
}

/* ---- Trained models ---- */

tl_status tl_detect_model_open(tl_arena *a, const char *path, const char *key, tl_model **out)
{
    tl_model *m;
    tl_graph *folded;
    tl_cells cells;
    TL_TRY(tl_model_open(a, path, key, &m));
    TL_TRY(tl_cells_of(m, &cells));
    TL_TRY(tl_fold(m->g, a, &folded));
    return tl_model_with(m, a, folded, out);
}

tl_status tl_detect_same_classes(const tl_model *m, const char *const *names, int n)
{
    const char *const *name = m->classes.at;
    for (int k = 0; k < n || k < m->classes.n; k++)
        TL_CHECK(k < n && k < m->classes.n && !strcasecmp(names[k], name[k]), TL_EDATA,
                 "the spec and the model have other classes, or in another order: class %d is '%s' in the spec and '%s' in the model", k,
                 k < n ? names[k] : "missing", k < m->classes.n ? name[k] : "missing");
    return TL_OK;
}

tl_status tl_detect_spec_inside(tl_arena *a, const tl_model *m, const tl_listener *l, const tl_detect_spec **out)
{
    const tl_detect_spec *found;
    const char *warnings, *const *names = NULL;
    *out = NULL;
    if (!tl_spec_filled(m->spec)) return TL_OK;
    tl_status s = tl_detect_spec_load(a, "spec in the model", m->spec, NULL, 0, &found, &warnings);
    if (!s) TL_NEW(names = tl_detect_names(a, found));
    if (!s) s = tl_detect_same_classes(m, names, found->n_classes);
    if (s == TL_ENOMEM) return s;
    if (s) tl_say(l, "note: the spec in the model is of no use here: %s\n", tl_errmsg());
    else *out = found;
    return TL_OK;
}

/* ---- What training aims at ---- */

const char *const *tl_detect_names(tl_arena *a, const tl_detect_spec *s)
{
    const char **names = tl_new(a, const char *, s->n_classes);
    for (int k = 0; names && k < s->n_classes; k++) names[k] = s->classes[k].name;
    return names;
}

static tl_box_limits limits_of(const tl_detect_class *c)
{
    return (tl_box_limits){ c->overlap, (float)c->box->minimum_width, (float)c->box->minimum_height, (float)c->box->maximum_width,
                            (float)c->box->maximum_height };
}

tl_status tl_detect_goal_of(tl_arena *a, const tl_detect_spec *s, bool compat, tl_detect_goal *out)
{
    const int n = s->n_classes;
    const tl_cost_function *f = s->experiment->cost_function_config;
    tl_clustering *clustering = tl_new(a, tl_clustering, n);
    tl_box_limits *limits = tl_new(a, tl_box_limits, n);
    const char *const *names = tl_detect_names(a, s);
    float *class_weight = tl_new(a, float, n), *initial = tl_new(a, float, 2 * n), *goal = tl_new(a, float, 2 * n), all = 0;
    TL_NEW(clustering && limits && names && class_weight && initial && goal ? names : NULL);
    for (int k = 0; k < n; k++) all += s->classes[k].cost->class_weight;
    for (int k = 0; k < n; k++) {
        const tl_detect_class *c = &s->classes[k];
        const float both = c->cov->initial_weight + c->bbox->initial_weight;
        clustering[k] = tl_clustering_of(c->clustering);
        limits[k] = limits_of(c);
        class_weight[k] = all > 0 ? c->cost->class_weight / all : 1 / (float)n;
        initial[k] = both > 0 ? c->cov->initial_weight / both : 0.5f;
        initial[n + k] = both > 0 ? c->bbox->initial_weight / both : 0.5f;
        goal[k] = c->cov->weight_target;
        goal[n + k] = c->bbox->weight_target;
    }
    *out = (tl_detect_goal){
        .classes = n, .clustering = clustering, .names = names, .class_weight = class_weight, .initial = initial, .goal = goal,
        .metric = { limits, n, (tl_ap_mode)s->experiment->evaluation_config->average_precision_mode, compat },
        .autoweight = f->enable_autoweighting, .least = f->min_objective_weight, .most = f->max_objective_weight,
    };
    return TL_OK;
}

/* ---- Pictures and their objects ---- */

typedef struct {
    tl_arena             *a;
    const tl_detect_spec *s;
    tl_labels            *labels;
    float                *weight;
} set;

/* Masks speak of names as they are in the labels. */
static bool masked_by_name(const tl_detect_spec *s)
{
    const tl_loss_mask *m = s->experiment->loss_mask_label_filter;
    tl_objective_filter *const *f = m ? m->objective_label_filter_configs.at : NULL;
    for (int i = 0; m && i < m->objective_label_filter_configs.n; i++)
        if (f[i]->label_filter->source_class_label_filter) return true;
    return false;
}

/* target_class_mapping; empty where names must stay as they are, or are those of the classes. */
static tl_status mapping_of(const set *q, tl_list *out)
{
    const tl_list *map = &q->s->experiment->dataset_config->target_class_mapping;
    tl_string_entry *const *m = map->at;
    *out = (tl_list){ 0, NULL };
    for (int i = 0; i < map->n && !masked_by_name(q->s); i++) {
        tl_class_pair *p = tl_add(q->a, out, tl_class_pair);
        TL_NEW(p);
        *p = (tl_class_pair){ m[i]->key, m[i]->value };
    }
    return TL_OK;
}

static tl_status read_sources(set *q, tl_set_use use)
{
    const tl_detect_dataset *c = q->s->experiment->dataset_config;
    const bool own = use == TL_SET_VALIDATION && c->validation_data_source;
    tl_data_source *const *from = own ? (tl_data_source *const[]){ c->validation_data_source } : c->data_sources.at;
    const int n = own ? 1 : c->data_sources.n;
    tl_detect_source *source = tl_new(q->a, tl_detect_source, n);
    tl_list map;
    TL_NEW(source);
    for (int i = 0; i < n; i++)
        source[i] = (tl_detect_source){
            .labels = tl_spec_filled(from[i]->tfrecords_path) ? from[i]->tfrecords_path : from[i]->label_directory_path,
            .pictures = tl_spec_filled(from[i]->image_directory_path) ? from[i]->image_directory_path : NULL,
            .image_extension = c->image_extension, .weight = from[i]->source_weight,
            .fold = own ? -1 : c->validation_fold, .fold_only = use == TL_SET_VALIDATION,
        };
    TL_TRY(mapping_of(q, &map));
    return tl_detect_sources_read(q->a, source, n, &map, NULL, &q->labels, &q->weight);
}

/* The class of the network that a name in the set stands for; -1: none. */
static int class_named(const tl_detect_spec *s, const char *name)
{
    const tl_detect_class *c = tl_detect_spec_class(s, name);
    for (int k = 0; !c && k < s->n_classes; k++) /* the name is a class already, or there is no mapping */
        if (!strcasecmp(s->classes[k].name, name)) return k;
    return c ? (int)(c - s->classes) : -1;
}

static tl_status class_table(const set *q, const int **out)
{
    int *of = tl_new(q->a, int, q->labels->classes.n);
    TL_NEW(of);
    for (int i = 0; i < q->labels->classes.n; i++) of[i] = class_named(q->s, ((const char *const *)q->labels->classes.at)[i]);
    *out = of;
    return TL_OK;
}

static tl_status drawings(const set *q, const tl_drawing **out)
{
    tl_drawing *d = tl_new(q->a, tl_drawing, q->s->n_classes);
    TL_NEW(d);
    for (int k = 0; k < q->s->n_classes; k++) {
        const tl_raster_class *r = q->s->classes[k].raster;
        d[k] = (tl_drawing){ r->cov_center_x, r->cov_center_y, r->cov_radius_x, r->cov_radius_y, r->bbox_min_radius,
                             q->s->classes[k].cost->coverage_foreground_weight };
    }
    *out = d;
    return TL_OK;
}

/* Which of n things have one of these names; all when there are no names. */
static bool *named(tl_arena *a, int n, const char *(*name)(const void *of, int i), const void *of, const tl_list *names)
{
    bool *is = tl_new(a, bool, n);
    for (int i = 0; is && i < n; i++) {
        is[i] = !names->n;
        for (int k = 0; k < names->n; k++) is[i] |= !strcasecmp(name(of, i), ((const char *const *)names->at)[k]);
    }
    return is;
}

static const char *class_at(const void *s, int i) { return ((const tl_detect_spec *)s)->classes[i].name; }
static const char *label_at(const void *l, int i) { return ((const char *const *)((const tl_labels *)l)->classes.at)[i]; }

static bool names_objective(const tl_list *names, const char *what)
{
    for (int i = 0; i < names->n; i++)
        if (!strcasecmp(((const char *const *)names->at)[i], what)) return true;
    return !names->n;
}

static tl_status mask_filter(const set *q, const tl_objective_filter *o, tl_mask_filter *f)
{
    const tl_filter_size *size = o->label_filter->bbox_dimensions_label_filter;
    const tl_filter_crop *crop = o->label_filter->bbox_crop_label_filter;
    const tl_filter_class *source = o->label_filter->source_class_label_filter;
    *f = (tl_mask_filter){ .cov = names_objective(&o->objective_names, "cov"), .bbox = names_objective(&o->objective_names, "bbox") };
    if (size) f->min_w = size->min_width, f->min_h = size->min_height, f->max_w = size->max_width, f->max_h = size->max_height;
    if (crop) f->near = (tl_box){ crop->crop_left, crop->crop_top, crop->crop_right, crop->crop_bottom };
    if (source) TL_NEW(f->sources = named(q->a, q->labels->classes.n, label_at, q->labels, &source->source_class_names));
    TL_NEW(f->classes = named(q->a, q->s->n_classes, class_at, q->s, &o->target_class_names));
    return TL_OK;
}

static tl_status masks(const set *q, tl_scenes *to)
{
    const tl_loss_mask *m = q->s->experiment->loss_mask_label_filter;
    if (!m) return TL_OK;
    tl_objective_filter *const *o = m->objective_label_filter_configs.at;
    tl_mask_filter *f = tl_new(q->a, tl_mask_filter, m->objective_label_filter_configs.n);
    TL_NEW(f);
    for (int i = 0; i < m->objective_label_filter_configs.n; i++) TL_TRY(mask_filter(q, o[i], &f[i]));
    to->mask = f;
    to->nmask = m->objective_label_filter_configs.n;
    to->mask_by = m->mask_multiplier;
    to->mask_spares = m->preserve_ground_truth;
    return TL_OK;
}

static tl_status tell(const set *q, tl_set_use use, const tl_listener *l)
{
    const char *text;
    TL_TRY(tl_labels_text(q->a, q->labels, &text));
    tl_say(l, "%s: %d pictures with %d objects (%s)\n", use == TL_SET_TRAINING ? "training" : "validation", q->labels->npictures,
           q->labels->nobjects, q->labels->format ? q->labels->format->name : "several forms");
    tl_tell(l, text);
    return TL_OK;
}

static tl_status any_object(const set *q, const tl_scenes *s)
{
    for (int i = 0; i < q->labels->nobjects; i++)
        if (s->class_of[q->labels->object[i].label] >= 0) return TL_OK;
    const char *const *name = q->labels->classes.at;
    return tl_fail(TL_EDATA, "no object of the training pictures is of one of the spec's classes: the labels call them '%s'%s; see "
                   "dataset_config.target_class_mapping", q->labels->classes.n ? name[0] : "", q->labels->classes.n > 1 ? " and otherwise" : "");
}

tl_status tl_detect_set_open(tl_arena *a, const tl_detect_spec *s, tl_set_use use, const tl_model *m, const tl_listener *l, tl_dataset **out)
{
    const tl_detect_dataset *c = s->experiment->dataset_config;
    set q = { .a = a, .s = s };
    tl_scenes *scenes = tl_new(a, tl_scenes, 1);
    *out = NULL;
    TL_NEW(scenes);
    if (use == TL_SET_VALIDATION && !c->validation_data_source && c->validation_fold < 0) return TL_OK;
    TL_TRY(read_sources(&q, use));
    TL_CHECK(q.labels->npictures, TL_EDATA, "there are no pictures to %s", use == TL_SET_TRAINING ? "train on" : "validate with");
    scenes->labels = q.labels;
    scenes->weight = q.weight;
    scenes->deadzone = s->experiment->bbox_rasterizer_config->deadzone_radius;
    tl_view_conf_from(s->experiment->augmentation_config, &scenes->view);
    TL_TRY(tl_cells_of(m, &scenes->cells));
    TL_TRY(class_table(&q, &scenes->class_of));
    TL_TRY(drawings(&q, &scenes->drawing));
    TL_TRY(masks(&q, scenes));
    TL_TRY(tell(&q, use, l));
    if (use == TL_SET_TRAINING) TL_TRY(any_object(&q, scenes));
    TL_NEW(*out = tl_new(a, tl_dataset, 1));
    return tl_scenes_dataset(a, scenes, *out);
}
