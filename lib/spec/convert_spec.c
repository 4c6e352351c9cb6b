/* convert_spec.c - checking the spec of dataset_convert. SPDX-License-Identifier: MIT */
#include "detectnet_v2.h"
#include <string.h>

typedef struct { tl_report report; tl_dataset_export *e; } loader;
#define FAULT(obj, field, ...) tl_report_error(r, tl_report_place(r, obj, field), __VA_ARGS__)

static tl_status check_kitti(tl_report *r, const tl_kitti_config *k)
{
    bool sequence = !strcmp(k->partition_mode, "sequence");
    if (sequence && !tl_spec_filled(k->kitti_sequence_to_frames_file))
        return FAULT(k, "partition_mode",
                     "partition_mode: \"sequence\" needs kitti_sequence_to_frames_file, a JSON file of "
                     "sequences and their frames");
    if (!sequence && k->num_partitions != 2)
        return FAULT(k, "num_partitions",
                     "num_partitions: expected 2 with partition_mode \"random\", found %d",
                     k->num_partitions);
    return TL_OK;
}

static tl_status check_count(tl_report *r, const tl_coco_config *c, const char *field, int n)
{
    if (n == c->num_partitions) return TL_OK;
    return FAULT(c, field, "%s: expected as many as num_partitions, %d, found %d", field, c->num_partitions,
                 n);
}

static tl_status check_coco(tl_report *r, const tl_coco_config *c)
{
    TL_TRY(check_count(r, c, "img_dir_names", c->img_dir_names.n));
    TL_TRY(check_count(r, c, "annotation_files", c->annotation_files.n));
    return c->num_shards.n > 1 ? check_count(r, c, "num_shards", c->num_shards.n) : TL_OK;
}

static tl_status check_modifier(tl_report *r, const tl_sample_modifier *m)
{
    if (m->minimum_target_class_imbalance.n && !m->dominant_target_classes.n)
        return FAULT(m, "minimum_target_class_imbalance",
                     "minimum_target_class_imbalance: needs dominant_target_classes, with which to compare");
    return TL_OK;
}

static tl_status lower_values(tl_report *r, const tl_list *map)
{
    tl_string_entry *const *m = map->at;
    for (int i = 0; i < map->n; i++) TL_TRY(tl_spec_lower(r->arena, &m[i]->value));
    return TL_OK;
}

tl_status tl_dataset_export_check(tl_report *r, const tl_dataset_export *e)
{
    const tl_sample_modifier *m = e->sample_modifier_config;
    if (m) {
        TL_TRY(check_modifier(r, m));
        TL_TRY(tl_spec_lower_all(r->arena, &m->filter_samples_containing_only));
        TL_TRY(tl_spec_lower_all(r->arena, &m->dominant_target_classes));
        TL_TRY(lower_values(r, &m->source_to_target_class_mapping));
    }
    TL_TRY(lower_values(r, &e->target_class_mapping));
    if (e->kitti_config) return check_kitti(r, e->kitti_config);
    if (e->coco_config) return check_coco(r, e->coco_config);
    return FAULT(e, NULL, "expected one of kitti_config, coco_config in it: where the labels are");
}

static tl_status check(void *self)
{
    loader *l = self;
    return tl_dataset_export_check(&l->report, l->e);
}

tl_status tl_dataset_export_load(tl_arena *a, const char *path, const char *text,
                                 const char *const *overrides, int n, const tl_dataset_export **out,
                                 const char **warnings)
{
    loader l = { .report = tl_report_new(a) };
    tl_spec_source source = { path, text, overrides, n };
    TL_NEW(l.e = tl_msg_new(a, &tl_dataset_export_msg));
    TL_TRY(tl_spec_load(&l.report, source, &tl_dataset_export_msg, l.e, check, &l, warnings));
    *out = l.e;
    return TL_OK;
}
