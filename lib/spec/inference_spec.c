/* inference_spec.c - checking and understanding DetectNet_v2's inference spec.
 * SPDX-License-Identifier: MIT */
#include "detectnet_v2.h"
#include <string.h>

typedef struct {
    tl_report            report;
    tl_detect_inference *i;
    tl_infer_spec       *out;
    tl_infer_class      *classes;
    const char         **names; /* of the classes, n of them */
    int                  n;
} loader;
#define FAULT(obj, field, ...) tl_report_error(&l->report, tl_report_place(&l->report, obj, field), __VA_ARGS__)

static tl_status check_model(loader *l)
{
    const tl_inferencer *f = l->i->inferencer_config;
    const tl_tensorrt_config *t = f->tensorrt_config;
    if (f->image_channels == 2)
        TL_TRY(FAULT(f, "image_channels", "image_channels: expected 1 or 3, found 2"));
    if (f->tlt_config) {
        l->out->model = f->tlt_config->model;
        return TL_OK;
    }
    if (!t)
        return FAULT(f, NULL,
                     "inferencer_config: expected one of tlt_config, tensorrt_config in it: which model to use");
    const char *const files[] = { t->etlt_model, t->uff_model, t->caffemodel, t->trt_engine };
    for (int i = 0; i < TL_LEN(files); i++) {
        if (!tl_spec_filled(files[i])) continue;
        l->out->model = files[i];
        return TL_OK;
    }
    return FAULT(t, NULL,
                 "tensorrt_config: names no model; give etlt_model, or use tlt_config { model: \"...\" }");
}

static bool listed(const tl_list *names, const char *name)
{
    const char *const *s = names->at;
    for (int i = 0; i < names->n; i++)
        if (!strcmp(s[i], name)) return true;
    return false;
}

/* What the handler says of a class: its own entry, else "default", else the defaults if there are no entries.
 */
static tl_status fill_class(loader *l, tl_infer_class *c)
{
    static const char field[] = "classwise_bbox_handler_config";
    const tl_bbox_handler *h = l->i->bbox_handler_config;
    const tl_list *map = &h->classwise_bbox_handler_config;
    const tl_bbox_class *b = tl_entry_find(map, c->name);
    if (!b) b = tl_entry_find(map, "default");
    if (!b && map->n)
        TL_TRY(FAULT(h, field,
                     "%s: there is no entry for the class '%s'; add one with key: \"%s\", or key: "
                     "\"default\" for all classes without their own",
                     field, c->name, c->name));
    if (b && !strcmp(b->confidence_model, "mlp"))
        TL_TRY(FAULT(b, "confidence_model",
                     "confidence_model: a learned model (\"mlp\") is not supported; use \"aggregate_cov\""));
    c->label = b && tl_spec_filled(b->output_map) ? b->output_map : c->name;
    c->color = b ? b->bbox_color : NULL;
    c->clustering = b ? b->clustering_config : NULL;
    if (!c->clustering) TL_NEW(c->clustering = tl_msg_new(l->report.arena, &tl_clustering_msg));
    c->wanted = !h->postproc_classes.n || listed(&h->postproc_classes, c->name);
    return TL_OK;
}

static tl_status check_classes(loader *l)
{
    const tl_list *classes = &l->i->inferencer_config->target_classes;
    l->n = classes->n;
    l->names = classes->at;
    TL_NEW(l->classes = tl_new(l->report.arena, tl_infer_class, l->n));
    TL_TRY(tl_spec_lower_all(l->report.arena, classes));
    for (int i = 0; i < l->n; i++) {
        const tl_list before = { i, classes->at };
        if (listed(&before, l->names[i]))
            TL_TRY(FAULT(l->i->inferencer_config, "target_classes",
                         "target_classes: '%s' is there twice; remove one of them", l->names[i]));
        l->classes[i].name = l->names[i];
        TL_TRY(fill_class(l, &l->classes[i]));
    }
    return TL_OK;
}

/* Names in the handler that are no classes. */
static tl_status check_strays(loader *l)
{
    const tl_bbox_handler *h = l->i->bbox_handler_config;
    const tl_list *classes = &l->i->inferencer_config->target_classes;
    tl_entry *const *e = h->classwise_bbox_handler_config.at;
    for (int i = 0; i < h->classwise_bbox_handler_config.n; i++) {
        const char *key = e[i]->key;
        if (listed(classes, key) || !strcmp(key, "default")) continue;
        TL_TRY(
            tl_report_warn(&l->report, tl_report_place(&l->report, e[i], NULL),
                           "classwise_bbox_handler_config: the entry for '%s' has no effect, since it is not among "
                           "target_classes%s",
                           key, tl_spec_hint(key, l->names, l->n).s));
    }
    const char *const *p = h->postproc_classes.at;
    for (int i = 0; i < h->postproc_classes.n; i++)
        if (!listed(classes, p[i]))
            TL_TRY(FAULT(h, "postproc_classes", "postproc_classes: '%s' is not among target_classes%s", p[i],
                         tl_spec_hint(p[i], l->names, l->n).s));
    return TL_OK;
}

static tl_status check_all(void *self)
{
    loader *l = self;
    TL_TRY(tl_spec_make(&l->report, &tl_detect_inference_msg, l->i, "bbox_handler_config",
                        tl_report_place(&l->report, l->i, NULL)));
    TL_TRY(tl_spec_lower_all(l->report.arena, &l->i->bbox_handler_config->postproc_classes));
    TL_TRY(check_model(l));
    TL_TRY(check_classes(l));
    return check_strays(l);
}

tl_status tl_infer_spec_load(tl_arena *a, const char *path, const char *text, const char *const *overrides,
                             int n, const tl_infer_spec **out, const char **warnings)
{
    loader l = { .report = tl_report_new(a) };
    tl_spec_source source = { path, text, overrides, n };
    TL_NEW(l.out = tl_new(a, tl_infer_spec, 1));
    TL_NEW(l.i = tl_msg_new(a, &tl_detect_inference_msg));
    TL_TRY(tl_spec_load(&l.report, source, &tl_detect_inference_msg, l.i, check_all, &l, warnings));
    l.out->inference = l.i;
    l.out->n_classes = l.n;
    l.out->classes = l.classes;
    *out = l.out;
    return TL_OK;
}
