/* detectnet_v2_train.c - from a spec to a trained detector. SPDX-License-Identifier: MIT */
#include "detectnet.h"
#include <string.h>

#define NAME "model"

typedef struct {
    tl_arena             *a;
    const tl_train_opts  *o;
    const tl_listener    *l;
    const tl_detect_spec *spec;
    const tl_backbone    *backbone;
    tl_dataset           *train, *val; /* val NULL: none */
    tl_model             *model, *teacher; /* teacher NULL: none */
    tl_recipe             recipe;
    tl_detect_goal        goal;
    bool                  amp;
    tl_dist              *dist;        /* NULL: alone */
} job;

static const tl_detect_model *conf(const job *j) { return j->spec->experiment->model_config; }
static const tl_detect_training *plan_of(const job *j) { return j->spec->experiment->training_config; }

static tl_status name_classes(job *j)
{
    for (int k = 0; k < j->spec->n_classes; k++) {
        const char **name = tl_add(j->a, &j->model->classes, const char *);
        TL_NEW(name);
        *name = j->spec->classes[k].name;
    }
    return TL_OK;
}

/* A fresh head's first answer for a cell is that there is nothing, which is nearly always right (Lin et al., "Focal loss for dense
 * object detection", 2017); otherwise the first epochs are spent on learning that. */
static void expect_nothing(tl_model *m)
{
    static const float log_odds = -4; /* of an object in a cell */
    tl_param *bias = &m->g->node[m->raw.i].p[1];
    for (int k = 0; bias->w && k < bias->dims.d[0]; k++) bias->w[k] = log_odds;
}

static tl_status build(job *j)
{
    const tl_detect_model *m = conf(j);
    const tl_preprocessing *p = j->spec->experiment->augmentation_config->preprocessing;
    tl_model_conf c = {
        .backbone = j->backbone, .head = tl_head_find("detectnet_v2"), .c = p->output_image_channel, .h = p->output_image_height,
        .w = p->output_image_width, .classes = j->spec->n_classes, .seed = (uint64_t)j->spec->experiment->random_seed,
        .conf = { .bn = m->use_batch_norm, .bias = !m->use_batch_norm, .pooling = m->use_pooling, .all_projections = m->all_projections,
                  .dropout = m->dropout_rate, .whole = m->whole_backbone },
    };
    TL_TRY(tl_activation_for(m->activation, &c.conf.act));
    TL_TRY(tl_model_build(j->a, &c, &j->model));
    expect_nothing(j->model);
    TL_TRY(name_classes(j));
    j->model->mode = "unit";
    j->model->bbox_scale = m->objective_set->bbox->scale;
    j->model->bbox_offset = m->objective_set->bbox->offset;
    return tl_norm_for(j->model->mode, c.c, NULL, &j->model->norm);
}

/* The network takes r,g,b / 255, as the original's and as what deploys it expects, whatever its weights were made for. */
static tl_status prepare_as(job *j, const tl_foreign *from, const struct tl_scheme *scheme)
{
    tl_model *m = j->model;
    tl_norm unit = m->norm;
    const tl_filter filter = m->filter;
    const bool crop = m->center_crop;
    bool known = tl_prepare_as(m, from, scheme), done = true;
    if (known) TL_TRY(tl_model_absorb_norm(m, &unit, &done));
    if (known && done) m->mode = "unit";
    m->filter = filter;
    m->center_crop = crop;
    if (!known)
        tl_say(j->l, "warning: the file with the weights does not say how its pictures were prepared; r,g,b / 255 is assumed\n");
    else if (!done)
        tl_say(j->l, "warning: pictures are prepared as for the pretrained weights (%s), not by r,g,b / 255\n", m->mode);
    return TL_OK;
}

static tl_status start_from(job *j)
{
    const tl_detect_model *m = conf(j);
    const tl_match_opts opts = { .keep_act = m->activation, .seed = (uint64_t)j->spec->experiment->random_seed };
    tl_foreign from;
    tl_transfer report = { .scheme = NULL };
    if (!tl_spec_filled(m->pretrained_model_file)) {
        tl_say(j->l, "no pretrained_model_file: the network starts from random weights, which takes many pictures and epochs\n");
        return TL_OK;
    }
    TL_TRY(tl_foreign_open(j->a, m->pretrained_model_file, j->o->key, &from));
    TL_TRY(tl_match(j->model, &from, &opts, &report));
    tl_tell(j->l, report.text);
    TL_TRY(prepare_as(j, &from, report.scheme));
    if (from.model) {
        const char *kept;
        j->model->history = from.model->history;
        TL_TRY(tl_model_keep_classes(j->model, from.model, &kept));
        tl_tell(j->l, kept);
    }
    return tl_model_note(j->model, "started from %s", tl_path_base(m->pretrained_model_file));
}

static tl_status open_teacher(job *j)
{
    const char *path = conf(j)->teacher_model_file;
    tl_cells cells;
    if (!tl_spec_filled(path)) return TL_OK;
    TL_TRY(tl_model_open(j->a, path, j->o->key, &j->teacher));
    TL_TRY(tl_cells_of(j->teacher, &cells));
    return tl_model_note(j->model, "learns from %s", tl_path_base(path));
}

static void freeze(job *j)
{
    const tl_detect_model *m = conf(j);
    const float *block = m->freeze_blocks.at;
    tl_freeze_stats(j->model, m->freeze_bn);
    for (int b = 0; b < m->freeze_blocks.n; b++) tl_freeze_block(j->model, (int)block[b], m->freeze_bn);
    for (int b = j->spec->arch->first_block; m->freeze_pretrained_layers && b <= j->spec->arch->last_block; b++)
        tl_freeze_block(j->model, b, m->freeze_bn);
}

static tl_schedule schedule(const tl_detect_spec *s)
{
    const tl_soft_start *c = s->experiment->training_config->learning_rate->soft_start_annealing_schedule;
    const tl_early_stopping *e = s->experiment->training_config->learning_rate->early_stopping_annealing_schedule;
    if (e) return (tl_schedule){ .kind = TL_LR_ANNEALING, .base = e->max_learning_rate, .least = e->min_learning_rate };
    return (tl_schedule){ .kind = TL_LR_ANNEALING, .base = c->max_learning_rate, .least = c->min_learning_rate,
                          .soft_start = c->soft_start, .annealing = c->annealing };
}

tl_recipe tl_detect_recipe(const tl_detect_spec *s)
{
    static const tl_regularizer_kind kinds[] = { TL_REG_NONE, TL_REG_L1, TL_REG_L2 };
    const tl_detect_training *t = s->experiment->training_config;
    const tl_detect_adam *adam = t->optimizer->adam;
    return (tl_recipe){
        .optimizer = { .kind = TL_ADAM, .beta1 = adam->beta1, .beta2 = adam->beta2, .epsilon = adam->epsilon },
        .schedule = schedule(s),
        .regularizer = { kinds[t->regularizer->type], t->regularizer->weight, .conv = true, .depthwise = true, .bias = true },
        .block_decay = 1, .fixed_stats = s->experiment->model_config->freeze_bn, .average = t->weight_average,
    };
}

static tl_patience patience(const job *j)
{
    const tl_early_stopping *e = plan_of(j)->learning_rate->early_stopping_annealing_schedule;
    if (e) return (tl_patience){ e->patience_steps, true, e->soft_start_epochs, e->annealing_epochs };
    return (tl_patience){ .steps = j->spec->experiment->evaluation_config->early_stopping_patience_steps };
}

tl_status tl_detect_model_for(tl_arena *a, const tl_detect_spec *s, const char *key, const tl_listener *l, tl_model **out)
{
    const tl_train_opts o = { .key = key };
    job j = { .a = a, .o = &o, .l = l, .spec = s };
    TL_TRY(tl_backbone_find(conf(&j)->arch, conf(&j)->num_layers, &j.backbone));
    TL_TRY(build(&j));
    TL_TRY(start_from(&j));
    freeze(&j);
    *out = j.model;
    return TL_OK;
}

static const char *name_of(const job *j) { return j->o->model_name && j->o->model_name[0] ? j->o->model_name : NAME; }

/* The spec as it was meant, with defaults and overrides, so that it can be used again and the model knows how its pictures are seen. */
static tl_status describe(job *j)
{
    const char *spec, *path;
    if (tl_dist_rank(j->dist)) return TL_OK;
    TL_TRY(tl_mkdirs(j->o->results_dir));
    TL_TRY(tl_detect_spec_print(j->a, j->spec, &spec));
    j->model->spec = spec;
    TL_NEW(path = tl_path_join(j->a, j->o->results_dir, "experiment_spec.txt"));
    TL_TRY(tl_file_write(path, spec, strlen(spec)));
    return tl_model_note(j->model, "tlc %s detectnet_v2 train: %d pictures, %d classes", tl_version(), j->train->sample.n, j->spec->n_classes);
}

static tl_trainer_conf training(const job *j)
{
    const tl_detect_training *t = plan_of(j);
    const tl_detect_evaluation *e = j->spec->experiment->evaluation_config;
    tl_loader_conf loader = tl_loader_for(j->model, t->batch_size_per_gpu);
    loader.vary = true;
    loader.seed = (uint64_t)j->spec->experiment->random_seed;
    loader.cache_bytes = (size_t)t->cache_mb << 20;
    loader.max_bad = 0.1f;
    return (tl_trainer_conf){
        .model = j->model, .teacher = j->teacher, .train = j->train, .val = j->val, .loader = loader, .recipe = j->recipe, .epochs = t->num_epochs,
        .patience = patience(j), .validate_every = e->validation_period_during_training, .first_validation = e->first_validation_epoch,
        .save_every = t->checkpoint_interval, .detect = &j->goal, .resume = j->o->resume, .amp = j->amp, .seed = loader.seed,
        .max_memory = (size_t)j->o->max_memory << 20, .results = j->o->results_dir, .name = name_of(j), .key = j->o->key,
        .listener = *j->l, .dist = j->dist,
    };
}

static tl_status train(job *j, tl_train_summary *out)
{
    const tl_trainer_conf c = training(j);
    tl_train_result r;
    TL_TRY(tl_train(j->a, &c, &r));
    *out = (tl_train_summary){ r.best_epoch, c.epochs, c.val ? r.best_acc : -1, r.best_path };
    return TL_OK;
}

static tl_status prepare_and_train(job *j, tl_train_summary *out)
{
    const tl_train_opts *o = j->o;
    TL_TRY(tl_detect_open(j->a, o->experiment_spec, &o->overrides, j->l, &j->spec));
    TL_TRY(tl_backbone_find(conf(j)->arch, conf(j)->num_layers, &j->backbone));
    j->amp = tl_precision(o->use_amp || conf(j)->training_precision->backend_floatx != TL_FLOAT32, j->l);
    if (!tl_dist_rank(j->dist) && !o->plan) TL_TRY(tl_train_check(j->a, o->results_dir, name_of(j), o->resume));
    TL_TRY(build(j));
    TL_TRY(start_from(j));
    TL_TRY(open_teacher(j));
    TL_TRY(tl_detect_goal_of(j->a, j->spec, false, &j->goal));
    TL_TRY(tl_detect_set_open(j->a, j->spec, TL_SET_TRAINING, j->model, j->l, &j->train));
    TL_TRY(tl_detect_set_open(j->a, j->spec, TL_SET_VALIDATION, j->model, j->l, &j->val));
    j->recipe = tl_detect_recipe(j->spec);
    freeze(j);
    if (o->plan) {
        const tl_trainer_conf c = training(j);
        return tl_tell_plan(j->a, &c);
    }
    TL_TRY(describe(j));
    return train(j, out);
}

static tl_status run(tl_arena *a, const tl_train_opts *o, const tl_listener *l, tl_dist *dist, tl_train_summary *out)
{
    job j = { .a = a, .o = o, .l = l, .dist = dist };
    return prepare_and_train(&j, out);
}

tl_status tl_detectnet_v2_train(tl_arena *a, const tl_train_opts *o, const tl_listener *l, tl_train_summary *out)
{
    return tl_train_together(a, o, l, run, out);
}
