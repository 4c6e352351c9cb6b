/* classification_evaluate.c - how good a classifier is on labeled pictures.
 * SPDX-License-Identifier: MIT */
#include "api.h"

typedef struct {
    const char *model, *images;
    int batch, top_k, threads;
} source; /* from the options, else the spec */

static tl_status where_from(const tl_evaluate_opts *o, const tl_classification_spec *spec,
                            source *out)
{
    const tl_eval_config *e = spec ? spec->eval : NULL;
    *out = (source){ .model = o->model ? o->model
                              : e      ? e->model_path
                                       : NULL,
                     .images = o->images ? o->images
                               : e       ? e->eval_dataset_path
                                         : NULL,
                     .batch = o->batch_size > 0 ? o->batch_size
                              : e               ? e->batch_size
                                                : 16,
                     .top_k = e ? e->top_k : 1,
                     .threads = e ? e->n_workers : 0 };
    TL_CHECK(out->model, TL_EARG, "no model: give -m, or eval_config.model_path in the spec");
    TL_CHECK(out->images, TL_EARG,
             "no pictures: give --images, or eval_config.eval_dataset_path in the spec");
    return TL_OK;
}

static tl_status evaluate(tl_arena *a, const source *s, const tl_model *m,
                          const tl_evaluate_opts *o, const tl_classification_spec *spec,
                          const tl_listener *l, tl_evaluation *out)
{
    tl_dataset *d;
    tl_plan *plan;
    tl_loader *load;
    tl_confusion c;
    tl_loader_conf conf = tl_loader_for(m, s->batch);
    conf.threads = s->threads;
    if (spec && tl_spec_says("eval_config", spec->eval, "enable_center_crop"))
        conf.center_crop = spec->eval->enable_center_crop;
    tl_list classes;
    TL_TRY(tl_classes_of(a, m, o->classmap, &classes));
    TL_TRY(tl_formats[0]->scan(a, s->images, &classes, &d));
    TL_TRY(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = s->batch, .constant = true, .amp = tl_precision(o->use_amp, l) }, &plan));
    TL_TRY(tl_loader_new(a, d, &conf, &load));
    TL_TRY(tl_confusion_init(a, classes.n, s->top_k, &c));
    double start = tl_now();
    TL_TRY(tl_evaluate(plan, NULL, m, d, load, &c, NULL, NULL));
    double spent = tl_now() - start;
    TL_TRY(tl_unreadable_report(a, (const tl_loader *[]){ load }, 1, o->results_dir, l,
                                &out->unreadable));
    TL_CHECK(c.n, TL_EDATA, "no picture in '%s' could be read", s->images);
    TL_TRY(tl_confusion_report(&c, a, &classes, &out->report));
    out->accuracy = tl_confusion_accuracy(&c);
    out->top_k = (double)c.top / (double)c.n;
    out->loss = c.loss / (double)c.n;
    out->pictures = (int)c.n;
    out->pictures_per_second = (double)c.n / spent;
    return TL_OK;
}

tl_status tl_classification_evaluate(tl_arena *a, const tl_evaluate_opts *o, const tl_listener *l,
                                     tl_evaluation *out)
{
    const tl_classification_spec *spec;
    source s;
    tl_model *m;
    tl_graph *folded;
    *out = (tl_evaluation){ 0 };
    TL_TRY(tl_spec_open(a, o->experiment_spec, &o->overrides, 0, l, &spec));
    TL_TRY(where_from(o, spec, &s));
    if (o->results_dir) TL_TRY(tl_mkdirs(o->results_dir));
    TL_TRY(tl_model_open(a, s.model, o->key, &m));
    TL_TRY(tl_fold(m->g, a, &folded));
    TL_TRY(tl_model_with(m, a, folded, &m));
    TL_TRY(evaluate(a, &s, m, o, spec, l, out));
    tl_pair kpi[] = { { "top_k", (float)out->top_k },
                      { "accuracy", (float)out->accuracy },
                      { "loss", (float)out->loss } };
    return o->results_dir ? tl_record(a, o->results_dir, "Evaluation finished successfully.",
                                      (tl_list){ TL_LEN(kpi), kpi })
                          : TL_OK;
}
