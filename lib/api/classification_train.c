/* classification_train.c - from a spec to a trained classifier. SPDX-License-Identifier: MIT */
#include "api.h"
#include "statusjson.h"
#include <string.h>

typedef struct {
    tl_arena                     *a;
    const tl_train_opts          *o;
    const tl_listener            *l;
    const tl_classification_spec *spec;
    const tl_backbone            *backbone;
    tl_dataset                   *train, *val;
    tl_foreign                    from; /* the pretrained weights, or the user's own network */
    tl_model                     *model, *teacher; /* teacher NULL: none */
    tl_recipe                     recipe;
    bool                          amp;
    tl_dist                      *dist;   /* NULL: alone */
} job;

static tl_status open_data(job *j)
{
    tl_list given = { 0, NULL };
    const char *report;
    if (j->o->classmap) TL_TRY(tl_classes_read(j->a, j->o->classmap, &given));
    TL_TRY(tl_formats[0]->scan(j->a, j->spec->train->train_dataset_path, given.n ? &given : NULL, &j->train));
    TL_TRY(tl_formats[0]->scan(j->a, j->spec->train->val_dataset_path, &j->train->classes, &j->val));
    if (tl_dist_rank(j->dist)) return TL_OK;
    TL_TRY(tl_dataset_report(j->a, j->train, j->val, &report));
    tl_tell(j->l, report);
    return TL_OK;
}

/* The user's own network in place of a backbone. */
static tl_status bring(job *j, const tl_model_conf *c)
{
    const tl_model_config *m = j->spec->model;
    TL_TRY(tl_foreign_open(j->a, m->byom_model, j->o->key, &j->from));
    TL_CHECK(j->from.model, TL_ESPEC, "byom_model: '%s' (%s) holds weights without a network; give them as train_config.pretrained_model_path, "
             "with the arch they are for", m->byom_model, j->from.format);
    TL_TRY(tl_byom_build(j->a, j->from.model, m->byom_cut, c, &j->model));
    const tl_graph *g = j->model->g;
    int cut = 0;
    for (int i = 0; i < g->n; i++) cut = g->node[i].block >= 0 ? i : cut;
    tl_say(j->l, "%s: cut after '%s', whose map is %dx%dx%d for pictures of %dx%d; with the new head %zu parameters\n",
           tl_path_base(m->byom_model), g->node[cut].name, g->node[cut].s.c, g->node[cut].s.h, g->node[cut].s.w, c->w, c->h, tl_graph_params(g));
    return TL_OK;
}

static tl_status build(job *j)
{
    const tl_model_config *m = j->spec->model;
    tl_model_conf c = {
        .backbone = j->backbone, .head = tl_head_at(0), .own_head = m->retain_head, .c = j->spec->c, .h = j->spec->h, .w = j->spec->w,
        .classes = j->train->classes.n, .seed = (uint64_t)j->spec->train->random_seed,
        .conf = { .bn = m->use_batch_norm, .bias = m->use_bias, .pooling = m->use_pooling, .all_projections = m->all_projections,
                  .alpha = m->alpha, .bn_eps = j->spec->bn_epsilon, .bn_momentum = j->spec->bn_momentum, .dropout = m->dropout },
    };
    TL_TRY(tl_activation_for(m->activation, &c.conf.act));
    TL_TRY(j->backbone == &tl_byom_backbone ? bring(j, &c) : tl_model_build(j->a, &c, &j->model));
    j->model->classes = j->train->classes;
    j->model->filter = m->resize_interpolation_method ? TL_BICUBIC : TL_BILINEAR;
    j->model->center_crop = j->spec->train->enable_center_crop;
    j->model->mode = j->spec->train->preprocess_mode;
    return tl_norm_for(j->model->mode, c.c, j->spec->has_mean ? j->spec->mean : NULL, &j->model->norm);
}

/* Where the spec does not say how pictures are prepared, as for the weights. Size and cut stay the spec's. */
static void prepare_as(job *j, const struct tl_scheme *scheme)
{
    tl_model *m = j->model;
    const tl_filter filter = m->filter;
    const bool crop = m->center_crop;
    if (tl_spec_says("train_config", j->spec->train, "preprocess_mode") || j->spec->has_mean) return;
    if (tl_prepare_as(m, &j->from, scheme))
        tl_say(j->l, "pictures are prepared as for the pretrained weights (preprocess_mode %s)\n", m->mode);
    else if (*j->from.format)
        tl_say(j->l, "warning: the file with the weights does not say how its pictures were prepared; if not as preprocess_mode \"%s\" has "
               "it, set that (\"torch\" for most of PyTorch's)\n", m->mode);
    m->filter = filter;
    m->center_crop = crop;
}

/* No layer matched. If the file is of a network that is known, a spec can say so, which is better than a list of layers. */
static tl_status explain(job *j, tl_status s)
{
    tl_model_conf c = { .c = j->spec->c, .h = j->spec->h, .w = j->spec->w };
    const struct tl_scheme *scheme;
    const char *why = tl_strdup(j->a, tl_errmsg());
    const tl_model *net = j->from.model;
    TL_NEW(why);
    if (net && !tl_model_is_trunk(net)) c.classes = net->g->node[net->answer.i].s.c;
    if (s != TL_EDATA || tl_guess(&j->from, NULL, 0, &c, &scheme)) return tl_fail_again(s, why);
    return tl_fail(s, "pretrained_model_path: no layer matches; these are the weights for model_config { arch: \"%s\" n_layers: %d alpha: %g }",
                   c.backbone->arch, c.backbone->layers, c.conf.alpha > 0 ? (double)c.conf.alpha : 1.0);
}

static tl_status start_from(job *j)
{
    const tl_train_config *t = j->spec->train;
    const tl_model_config *m = j->spec->model;
    const char *path = t->pretrained_model_path;
    tl_transfer report = { .scheme = NULL };
    if (path) {
        const tl_match_opts opts = { .keep_bn = m->batch_norm_config, .keep_act = m->activation, .seed = (uint64_t)t->random_seed };
        TL_TRY(tl_foreign_open(j->a, path, j->o->key, &j->from));
        tl_status s = tl_match(j->model, &j->from, &opts, &report);
        if (s) return explain(j, s);
        tl_tell(j->l, report.text);
    } else if (j->backbone == &tl_byom_backbone) {
        path = m->byom_model;
    } else {
        tl_say(j->l, "no pretrained_model_path: the network starts from random weights, which takes many pictures and epochs\n");
        return TL_OK;
    }
    prepare_as(j, report.scheme);
    if (j->from.model) j->model->history = j->from.model->history;
    return tl_model_note(j->model, "started from %s", tl_path_base(path));
}

/* Both must see the same pictures. */
static tl_status open_teacher(job *j)
{
    const tl_train_config *t = j->spec->train;
    if (!t->teacher_model_path) return TL_OK;
    TL_TRY(tl_model_open(j->a, t->teacher_model_path, j->o->key, &j->teacher));
    if (!tl_spec_says("train_config", t, "enable_center_crop")) j->model->center_crop = j->teacher->center_crop;
    return tl_model_note(j->model, "learns from %s", tl_path_base(t->teacher_model_path));
}

static void freeze(job *j)
{
    const tl_list *blocks = &j->spec->model->freeze_blocks;
    tl_freeze_stats(j->model, j->recipe.fixed_stats);
    for (int b = 0; b < blocks->n; b++) tl_freeze_block(j->model, ((int *)blocks->at)[b], j->spec->model->freeze_bn);
}

static tl_status class_weights(const job *j, const float **out)
{
    const tl_list *given = &j->spec->train->class_weights, *classes = &j->train->classes;
    float *w = tl_new(j->a, float, classes->n);
    *out = NULL;
    TL_NEW(w);
    for (int i = 0; i < given->n; i++) {
        const tl_pair *p = (const tl_pair *)given->at + i;
        bool known = false;
        for (int k = 0; k < classes->n; k++) known |= !strcmp(p->key, ((const char **)classes->at)[k]);
        TL_CHECK(known, TL_ESPEC, "train_config.class_weights names '%s', which is no class of '%s'", p->key, j->train->root);
    }
    for (int k = 0; k < classes->n; k++) {
        const tl_pair *p = tl_map_find(given, ((const char **)classes->at)[k]);
        w[k] = p ? p->value : 1;
    }
    if (given->n) *out = w;
    return TL_OK;
}

static tl_loader_conf loader(const job *j)
{
    const tl_train_config *t = j->spec->train;
    tl_loader_conf c = tl_loader_for(j->model, t->batch_size_per_gpu);
    c.random_crop = t->enable_random_crop;
    c.color = t->enable_color_augmentation;
    c.hflip = !t->disable_horizontal_flip;
    c.threads = t->n_workers;
    c.mixup_alpha = t->mixup_alpha;
    c.smoothing = t->label_smoothing;
    c.seed = (uint64_t)t->random_seed;
    c.cache_bytes = (size_t)t->cache_mb << 20;
    c.max_bad = t->max_unreadable;
    return c;
}

static void choose_precision(job *j)
{
    const tl_training_precision *p = j->spec->model->training_precision;
    j->amp = tl_precision(j->o->use_amp || (p && p->backend_floatx != TL_FLOAT32), j->l);
}

/* What describes the run, in its folder: the whole spec and the order of the classes. */
static tl_status describe(job *j)
{
    const char *spec, *path;
    if (tl_dist_rank(j->dist)) return TL_OK;
    TL_TRY(tl_mkdirs(j->o->results_dir));
    TL_TRY(tl_classification_spec_print(j->a, j->spec, &spec));
    j->model->spec = spec;
    TL_NEW(path = tl_path_join(j->a, j->o->results_dir, "experiment_spec.txt"));
    TL_TRY(tl_file_write(path, spec, strlen(spec)));
    TL_NEW(path = tl_path_join(j->a, j->o->results_dir, "classmap.json"));
    TL_TRY(tl_classmap_write(path, &j->train->classes));
    return tl_model_note(j->model, "tlc %s classification train: %d pictures of %d classes", tl_version(), j->train->sample.n, j->train->classes.n);
}

static tl_trainer_conf training(const job *j)
{
    const tl_train_config *t = j->spec->train;
    bool pretrained = t->pretrained_model_path || j->backbone == &tl_byom_backbone;
    return (tl_trainer_conf){
        .model = j->model, .teacher = j->teacher, .train = j->train, .val = j->val, .loader = loader(j), .recipe = j->recipe, .amp = j->amp, .epochs = t->n_epochs, .seed = (uint64_t)t->random_seed,
        .head_first = pretrained && j->spec->default_recipe, .compare = pretrained,
        .choose_crop = j->spec->default_recipe && !j->teacher && !tl_spec_says("train_config", t, "enable_center_crop"), .resume = j->o->resume,
        .cache_features = (size_t)j->o->cache_features << 20, .max_memory = (size_t)j->o->max_memory << 20, .results = j->o->results_dir,
        .name = j->backbone->arch, .key = j->o->key, .listener = *j->l, .dist = j->dist, .sync_bn = t->sync_bn,
    };
}

static tl_status train(job *j, tl_train_summary *out)
{
    tl_trainer_conf c = training(j);
    tl_train_result r;
    TL_TRY(class_weights(j, &c.class_weight));
    TL_TRY(tl_train(j->a, &c, &r));
    *out = (tl_train_summary){ r.best_epoch, c.epochs, r.best_acc, r.best_path };
    return TL_OK;
}

static tl_status plan(job *j)
{
    const tl_trainer_conf c = training(j);
    return tl_tell_plan(j->a, &c);
}

static tl_status prepare_and_train(job *j, tl_train_summary *out)
{
    const tl_train_opts *o = j->o;
    TL_TRY(tl_spec_open(j->a, o->experiment_spec, &o->overrides, TL_NEEDS_MODEL | TL_NEEDS_TRAIN, j->l, &j->spec));
    if (!strcmp(j->spec->model->arch, tl_byom_backbone.arch)) j->backbone = &tl_byom_backbone;
    else TL_TRY(tl_backbone_find(j->spec->model->arch, j->spec->model->n_layers, &j->backbone));
    choose_precision(j);
    if (!tl_dist_rank(j->dist) && !o->plan) TL_TRY(tl_train_check(j->a, o->results_dir, j->backbone->arch, o->resume));
    TL_TRY(open_data(j));
    TL_TRY(build(j));
    TL_TRY(start_from(j));
    TL_TRY(open_teacher(j));
    tl_recipe_for(j->spec, &j->recipe);
    freeze(j);
    if (o->plan) return plan(j);
    TL_TRY(describe(j));
    return train(j, out);
}

static tl_status run(tl_arena *a, const tl_train_opts *o, const tl_listener *l, tl_dist *dist, tl_train_summary *out)
{
    job j = { .a = a, .o = o, .l = l, .dist = dist };
    return prepare_and_train(&j, out);
}

tl_status tl_classification_train(tl_arena *a, const tl_train_opts *o, const tl_listener *l, tl_train_summary *out)
{
    return tl_train_together(a, o, l, run, out);
}
