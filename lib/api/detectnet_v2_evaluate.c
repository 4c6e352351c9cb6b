/* detectnet_v2_evaluate.c - how good a detector is on labeled pictures. SPDX-License-Identifier: MIT */
#include "detectnet.h"

typedef struct {
    tl_arena                      *a;
    const tl_detect_evaluate_opts *o;
    const tl_listener             *l;
    const tl_detect_spec          *spec;
    tl_model                      *model;
    tl_dataset                    *d;
    tl_detect_goal                 goal;
} job;

static tl_status open_model(job *j)
{
    const tl_preprocessing *p = j->spec->experiment->augmentation_config->preprocessing;
    tl_cells cells;
    TL_TRY(tl_detect_model_open(j->a, j->o->model, j->o->key, &j->model));
    TL_TRY(tl_cells_of(j->model, &cells));
    TL_TRY(tl_detect_same_classes(j->model, j->goal.names, j->goal.classes));
    TL_CHECK(cells.in_w == p->output_image_width && cells.in_h == p->output_image_height, TL_EDATA,
             "the spec's pictures are %dx%d, the model's %dx%d; see augmentation_config.preprocessing", p->output_image_width, p->output_image_height,
             cells.in_w, cells.in_h);
    return TL_OK;
}

/* The weights of the costs as training began with them: the model file does not say what became of them. */
static tl_status make_plan(job *j, int batch, tl_detect_pass *pass)
{
    TL_TRY(tl_detect_loss(j->model, &j->goal, &pass->target, &pass->loss));
    return tl_plan_new(j->model->g, j->a, &(tl_plan_conf){ .batch = batch, .constant = true, .keep = &pass->loss, .nkeep = 1,
                                                 .amp = tl_precision(j->o->use_amp, j->l) }, &pass->plan);
}

static tl_status score(job *j, const tl_detect_sums *s, tl_detect_scores *out)
{
    double *ap = tl_new(j->a, double, j->goal.classes);
    tl_coco_figures coco;
    TL_NEW(ap);
    TL_TRY(tl_detectnet_precision(j->a, s->truth.at, s->truth.n, s->found.at, s->found.n, &j->goal.metric, ap, &out->mean_precision));
    TL_TRY(tl_coco_evaluate(s->truth.at, s->truth.n, s->found.at, s->found.n, j->goal.classes, &coco));
    out->precision_50 = coco.precision_50;
    out->precision_coco = coco.precision;
    return tl_detectnet_table(j->a, j->goal.names, ap, j->goal.classes, out->mean_precision, out->cost, &out->report);
}

static tl_status run(job *j, tl_detect_scores *out)
{
    const tl_detect_training *t = j->spec->experiment->training_config;
    tl_detect_pass pass = { .clustering = j->goal.clustering, .model = j->model, .d = j->d, .listener = j->l };
    tl_loader_conf conf = tl_loader_for(j->model, j->o->batch_size > 0 ? j->o->batch_size : t->batch_size_per_gpu);
    tl_detect_sums s;
    TL_TRY(make_plan(j, conf.batch, &pass));
    TL_TRY(tl_loader_new(j->a, j->d, &conf, &pass.load));
    const double start = tl_now();
    TL_TRY(tl_detect_run(j->a, &pass, &s));
    const double spent = tl_now() - start;
    TL_TRY(tl_unreadable_report(j->a, (const tl_loader *[]){ pass.load }, 1, j->o->results_dir, j->l, &out->unreadable));
    TL_CHECK(s.pictures, TL_EDATA, "no picture could be read");
    out->cost = s.cost / s.pictures;
    out->pictures = s.pictures;
    out->seconds = s.seconds;
    out->pictures_per_second = s.pictures / spent;
    return score(j, &s, out);
}

tl_status tl_detectnet_v2_evaluate(tl_arena *a, const tl_detect_evaluate_opts *o, const tl_listener *l, tl_detect_scores *out)
{
    static const tl_listener deaf;
    job j = { .a = a, .o = o, .l = l ? l : &deaf };
    *out = (tl_detect_scores){ 0 };
    TL_CHECK(o->experiment_spec && o->model, TL_EARG, "evaluation needs a spec and a model");
    TL_TRY(tl_detect_open(a, o->experiment_spec, &o->overrides, j.l, &j.spec));
    if (o->results_dir) TL_TRY(tl_mkdirs(o->results_dir));
    TL_TRY(tl_detect_goal_of(a, j.spec, o->compat, &j.goal));
    TL_TRY(open_model(&j));
    TL_TRY(tl_detect_set_open(a, j.spec, o->use_training_set ? TL_SET_TRAINING : TL_SET_VALIDATION, j.model, j.l, &j.d));
    TL_CHECK(j.d, TL_ESPEC, "dataset_config: nothing to validate with; give validation_fold or validation_data_source, or --use_training_set");
    TL_TRY(run(&j, out));
    tl_pair kpi[] = { { "mAP", (float)out->mean_precision }, { "validation_cost", (float)out->cost }, { "AP50", (float)out->precision_50 } };
    return o->results_dir ? tl_record(a, o->results_dir, "Evaluation finished successfully.", (tl_list){ TL_LEN(kpi), kpi }) : TL_OK;
}
