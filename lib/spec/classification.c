/* classification.c - loading, checking and understanding a classification spec.
 * SPDX-License-Identifier: MIT
 *
 * In this order: read the text, apply overrides, make the three messages, rewrite TLT 2.0 to 3.0,
 * check. Every step notes its errors and lets the next one look too. A check of a field that could
 * not be read sees the default and keeps quiet. */
#include "classification.h"
#include <string.h>

typedef struct {
    tl_arena        *arena;
    tl_report        report;
    tl_experiment   *e;
    tl_model_config *m;
    tl_train_config *t;
    tl_eval_config  *v;
    tl_classification_spec *out;
    unsigned         needs;
} loader;

/* ---- Tables and places ---- */
static const tl_msg *inner(const tl_msg *m, const char *name) { return tl_spec_row(m, name)->msg; }
static const tl_msg *train_msg(void) { return inner(&tl_classification_msg, "train_config"); }

/* Note an error or a warning at a field of obj; `l` is in scope. */
#define FAULT(obj, field, ...)   tl_report_error(&l->report, tl_report_place(&l->report, obj, field), __VA_ARGS__)
#define CAUTION(obj, field, ...) tl_report_warn(&l->report, tl_report_place(&l->report, obj, field), __VA_ARGS__)

static tl_status make(loader *l, const tl_msg *m, void *obj, const char *name, tl_place at)
{
    return tl_spec_make(&l->report, m, obj, name, at);
}

static tl_status make_all(loader *l)
{
    static const char *const names[] = { "model_config", "train_config", "eval_config" };
    for (int i = 0; i < TL_LEN(names); i++)
        TL_TRY(make(l, &tl_classification_msg, l->e, names[i], tl_report_place(&l->report, l->e, NULL)));
    l->m = l->e->model_config;
    l->t = l->e->train_config;
    l->v = l->e->eval_config;
    return TL_OK;
}

/* ---- TLT 2.0 to 3.0 ---- */
static tl_status make_optimizer(loader *l, const char *name, tl_place at)
{
    TL_TRY(make(l, train_msg(), l->t, "optimizer", at));
    TL_TRY(make(l, inner(train_msg(), "optimizer"), l->t->optimizer, name, at));
    if (l->t->optimizer->sgd) l->t->optimizer->sgd->momentum = 0.9f; /* TLT 2.0 had no field for it */
    return TL_OK;
}

static tl_status upgrade_optimizer(loader *l)
{
    const char *name = l->t->optimizer_2_0;
    if (name) TL_TRY(make_optimizer(l, name, tl_report_place(&l->report, l->t, "optimizer")));
    for (const tl_field *f = train_msg()->field; f->name; f++)
        if (f->flags & TL_LEGACY) tl_msg_unset(train_msg(), l->t, f);
    return TL_OK;
}

/* Move one field of lr_config into the schedule's own message, where a row has the same name. */
static tl_status move(loader *l, const tl_field *from, const tl_msg *to, void *obj)
{
    tl_lr_config *lr = l->t->lr_config;
    tl_place at = tl_report_place(&l->report, lr, from->name);
    const tl_field *row = tl_field_find(to->field, from->name);
    if (!row)
        return tl_report_warn(&l->report, at, "'%s' has no effect with scheduler \"%s\"",
                              from->name, lr->scheduler);
    const char *text = tl_field_get(l->arena, from, lr);
    TL_NEW(text);
    tl_status s = tl_field_set(l->arena, row, obj, text);
    if (s == TL_EARG) return tl_report_error(&l->report, at, "%s", tl_errmsg());
    if (s) return s;
    tl_msg_give(to, obj, row);
    return tl_report_mark(&l->report, obj, row->name, at);
}

static tl_status upgrade_schedule(loader *l)
{
    tl_lr_config *lr = l->t->lr_config;
    if (!lr) return TL_OK;
    const tl_msg *m = inner(train_msg(), "lr_config");
    const tl_field *old = NULL;
    for (const tl_field *f = m->field; f->name && !old; f++)
        if ((f->flags & TL_LEGACY) && tl_report_marked(&l->report, lr, f->name)) old = f;
    const char *form = lr->step ? "step" : lr->soft_anneal ? "soft_anneal" : lr->cosine ? "cosine" : NULL;
    if (!old)
        return form ? TL_OK
                    : FAULT(l->t, "lr_config",
                            "lr_config: expected one of step, soft_anneal, cosine in it");
    if (form)
        return FAULT(
            lr, old->name,
            "lr_config: '%s' is the form of TLT 2.0 and '%s { ... }' that of 3.0; use one of them",
            old->name, form);
    if (!tl_report_marked(&l->report, lr, "scheduler"))
        return FAULT(lr, NULL, "lr_config: 'scheduler' is missing, one of \"step\", \"soft_anneal\", \"cosine\"");
    if (!lr->scheduler) return TL_OK; /* given, but not one of these: reported */
    TL_TRY(make(l, m, lr, lr->scheduler, tl_report_place(&l->report, lr, "scheduler")));
    const tl_field *to = tl_spec_row(m, lr->scheduler);
    for (const tl_field *f = m->field; f->name; f++)
        if ((f->flags & TL_LEGACY) && tl_msg_given(m, lr, f) && strcmp(f->name, "scheduler"))
            TL_TRY(move(l, f, to->msg, *(void **)tl_field_at(to, lr)));
    for (const tl_field *f = m->field; f->name; f++)
        if (f->flags & TL_LEGACY) tl_msg_unset(m, lr, f);
    return TL_OK;
}

/* Neither optimizer nor lr_config asks for our own recipe; the one without the other is completed. */
static tl_status complete_recipe(loader *l)
{
    tl_train_config *t = l->t;
    l->out->default_recipe = !t->optimizer && !t->lr_config;
    if (!t->optimizer == !t->lr_config) return TL_OK;
    if (!t->optimizer) return make_optimizer(l, "sgd", tl_report_place(&l->report, t, "lr_config"));
    const tl_optimizer_config *o = t->optimizer;
    tl_place at = tl_report_place(&l->report, t, "optimizer");
    TL_TRY(make(l, train_msg(), t, "lr_config", at));
    TL_TRY(make(l, inner(train_msg(), "lr_config"), t->lr_config, "soft_anneal", at)); /* without points: constant */
    float lr = o->sgd ? o->sgd->lr : o->adam ? o->adam->lr : o->rmsprop ? o->rmsprop->lr : 0;
    if (lr > 0) t->lr_config->soft_anneal->learning_rate = lr;
    return TL_OK;
}

/* ---- Checks: what must be there ---- */
static tl_status need(loader *l, const char *config, const void *obj, const char *name, const char *value)
{
    if (value && *value) return TL_OK;
    const tl_msg *m = inner(&tl_classification_msg, config);
    const tl_field *row = tl_field_find(m->field, name);
    if (!value && tl_report_marked(&l->report, obj, name)) return TL_OK; /* given, but wrong: reported */
    return FAULT(obj, name, "%s.%s is required: %s", config, name, row->help);
}

static tl_status check_needs(loader *l)
{
    if (l->needs & TL_NEEDS_MODEL) TL_TRY(need(l, "model_config", l->m, "arch", l->m->arch));
    if (l->needs & TL_NEEDS_TRAIN) {
        TL_TRY(need(l, "train_config", l->t, "train_dataset_path", l->t->train_dataset_path));
        TL_TRY(need(l, "train_config", l->t, "val_dataset_path", l->t->val_dataset_path));
    }
    if (l->needs & TL_NEEDS_EVAL) {
        TL_TRY(need(l, "eval_config", l->v, "eval_dataset_path", l->v->eval_dataset_path));
        TL_TRY(need(l, "eval_config", l->v, "model_path", l->v->model_path));
    }
    return TL_OK;
}

/* ---- Checks: the network ---- */
static tl_status check_size(loader *l)
{
    static const char form[] = "expected \"C,H,W\" with C 1 or 3 and H, W at least 16, as in \"3,224,224\"";
    static const tl_field row = { "input_image_size",        TL_INT,      0,    0,    1,   16384,
                                  "channels, height, width", TL_REPEATED, NULL, NULL, NULL };
    tl_list size = { 0, NULL };
    tl_status s = tl_field_set(l->arena, &row, &size, l->m->input_image_size);
    if (s == TL_EARG) return FAULT(l->m, row.name, "%s", tl_errmsg());
    if (s) return s;
    const int *d = size.at;
    if (size.n != 3 || (d[0] != 1 && d[0] != 3) || d[1] < 16 || d[2] < 16)
        return FAULT(l->m, row.name, "%s: %s, found \"%s\"", row.name, form, l->m->input_image_size);
    l->out->c = d[0];
    l->out->h = d[1];
    l->out->w = d[2];
    return TL_OK;
}

static tl_status check_arch(loader *l)
{
    tl_model_config *m = l->m;
    if (!m->arch) return TL_OK;
    const tl_arch *a = tl_arch_find(m->arch);
    TL_TRY(tl_arch_layers(&l->report, tl_report_place(&l->report, m, "n_layers"), a, "n_layers", &m->n_layers));
    if (!a->widths && m->alpha != 1) TL_TRY(CAUTION(m, "alpha", "alpha has no effect: %s comes in one width", a->name));
    const int *b = m->freeze_blocks.at;
    for (int i = 0; i < m->freeze_blocks.n; i++)
        TL_TRY(tl_arch_block(&l->report, tl_report_place(&l->report, m, "freeze_blocks"), a, b[i]));
    return TL_OK;
}

static tl_status check_model(loader *l)
{
    const tl_activation_config *act = l->m->activation;
    if (act && !act->activation_type && !tl_report_marked(&l->report, act, "activation_type"))
        TL_TRY(FAULT(act, NULL, "activation: 'activation_type' is missing"));
    bool byom = l->m->byom_model && *l->m->byom_model, asks = l->m->arch && !strcmp(l->m->arch, "onnx");
    if (byom && !asks) TL_TRY(FAULT(l->m, "byom_model", "byom_model: expected arch: \"onnx\" with it"));
    if (asks && !byom) TL_TRY(FAULT(l->m, "arch", "arch: \"onnx\" needs byom_model, the file with the network"));
    if (l->m->byom_cut && !byom) TL_TRY(CAUTION(l->m, "byom_cut", "byom_cut has no effect without byom_model"));
    const tl_bn_config *bn = l->m->batch_norm_config;
    l->out->bn_momentum = bn ? bn->momentum : 0.9f;
    l->out->bn_epsilon = bn ? bn->epsilon : 1e-5f;
    return TL_OK;
}

/* ---- Checks: training ---- */
static tl_status check_optimizer(loader *l)
{
    const tl_optimizer_config *c = l->t->optimizer;
    tl_optimizer *o = &l->out->optimizer;
    if (!c) return TL_OK;
    if (c->sgd)
        *o = (tl_optimizer){ .kind = TL_SGD,
                             .momentum = c->sgd->momentum,
                             .decay = c->sgd->decay,
                             .nesterov = c->sgd->nesterov };
    else if (c->adam)
        *o = (tl_optimizer){ .kind = TL_ADAM,
                             .beta1 = c->adam->beta_1,
                             .beta2 = c->adam->beta_2,
                             .epsilon = c->adam->epsilon,
                             .decay = c->adam->decay };
    else if (c->rmsprop)
        *o = (tl_optimizer){ .kind = TL_RMSPROP,
                             .rho = c->rmsprop->rho,
                             .epsilon = c->rmsprop->epsilon,
                             .decay = c->rmsprop->decay };
    else return FAULT(l->t, "optimizer", "optimizer: expected one of sgd, adam, rmsprop in it");
    return TL_OK;
}

static tl_status check_points(loader *l, const tl_soft_anneal_config *c)
{
    const float *p = c->annealing_points.at;
    int n = c->annealing_points.n;
    if (n && c->soft_start >= p[0])
        TL_TRY(FAULT(c, "soft_start", "soft_start: expected less than the first of annealing_points, %g, found %g",
                     (double)p[0], (double)c->soft_start));
    for (int i = 1; i < n; i++)
        if (p[i] <= p[i - 1])
            return FAULT(c, "annealing_points",
                         "annealing_points: expected ascending numbers, found %g after %g",
                         (double)p[i], (double)p[i - 1]);
    return TL_OK;
}

static tl_status check_schedule(loader *l)
{
    const tl_lr_config *c = l->t->lr_config;
    tl_schedule *s = &l->out->schedule;
    if (c && c->step) {
        *s = (tl_schedule){ .kind = TL_LR_STEP,
                            .base = c->step->learning_rate,
                            .gamma = c->step->gamma,
                            .step_size = c->step->step_size };
    } else if (c && c->soft_anneal) {
        const tl_soft_anneal_config *a = c->soft_anneal;
        *s = (tl_schedule){ .kind = TL_LR_SOFT_ANNEAL,
                            .base = a->learning_rate,
                            .soft_start = a->soft_start,
                            .divider = a->annealing_divider,
                            .n_points = a->annealing_points.n,
                            .points = a->annealing_points.at };
        return check_points(l, a);
    } else if (c && c->cosine) {
        *s = (tl_schedule){ .kind = TL_LR_COSINE,
                            .base = c->cosine->learning_rate,
                            .soft_start = c->cosine->soft_start,
                            .min_ratio = c->cosine->min_lr_ratio };
    }
    return TL_OK;
}

/* One layer type of reg_config.scope, n bytes at s. */
static tl_status add_scope(loader *l, const char *s, size_t n)
{
    static const char *const types[] = { "Conv2D", "DepthwiseConv2D", "Dense" };
    tl_regularizer *g = &l->out->regularizer;
    bool *const member[] = { &g->conv, &g->depthwise, &g->dense };
    char word[64];
    tl_text t = tl_text_on(word, sizeof word);
    tl_text_add(&t, s, n);
    tl_nearest near = { .word = word };
    for (int i = 0; i < TL_LEN(types); i++) {
        if (!strcmp(types[i], word)) { *member[i] = true; return TL_OK; }
        tl_nearest_try(&near, types[i]);
    }
    return FAULT(l->t->reg_config, "scope",
                 "scope: expected Conv2D, DepthwiseConv2D or Dense, found \"%s\"%s%s%s", word,
                 near.best ? "; did you mean '" : "", near.best ? near.best : "",
                 near.best ? "'?" : "");
}

static tl_status check_regularizer(loader *l)
{
    const tl_reg_config *c = l->t->reg_config;
    tl_regularizer *g = &l->out->regularizer;
    if (!c) return TL_OK;
    g->kind = !strcmp(c->type, "L1") ? TL_REG_L1 : !strcmp(c->type, "L2") ? TL_REG_L2 : TL_REG_NONE;
    g->weight = c->weight_decay;
    if (g->kind != TL_REG_NONE && g->weight <= 0)
        TL_TRY(CAUTION(c, "weight_decay", "reg_config has no effect: weight_decay is 0"));
    for (const char *s = c->scope; *s;) {
        s += strspn(s, " ,");
        size_t n = strcspn(s, " ,");
        if (n) TL_TRY(add_scope(l, s, n));
        s += n;
    }
    return TL_OK;
}

/* image_mean has exactly the keys of the picture's channels. */
static tl_status check_mean(loader *l)
{
    static const char *const color[] = { "b", "g", "r" }, *const grey[] = { "l" };
    const tl_list *mean = &l->t->image_mean;
    if (!mean->n || !l->out->c) return TL_OK;
    int n = l->out->c;
    for (int i = 0; i < n; i++) {
        const tl_pair *p = tl_map_find(mean, n == 3 ? color[i] : grey[i]);
        if (!p || mean->n != n)
            return FAULT(
                l->t, "image_mean",
                n == 3 ? "image_mean: expected the keys \"b\", \"g\" and \"r\", for 3 channels"
                       : "image_mean: expected the key \"l\", for 1 channel");
        l->out->mean[i] = p->value;
    }
    l->out->has_mean = true;
    if (strcmp(l->t->preprocess_mode, "caffe"))
        return CAUTION(l->t, "image_mean", "image_mean has no effect with preprocess_mode \"%s\"",
                       l->t->preprocess_mode);
    return TL_OK;
}

static tl_status check_augmentation(loader *l)
{
    if (l->t->enable_color_augmentation && !l->t->enable_random_crop)
        return CAUTION(l->t, "enable_color_augmentation",
                       "enable_color_augmentation has no effect without enable_random_crop, as in the original");
    return TL_OK;
}

/* ---- Loading ---- */
static tl_status check_all(loader *l)
{
    static tl_status (*const steps[])(loader *) = {
        make_all,          upgrade_optimizer,  upgrade_schedule, complete_recipe, check_needs,
        check_size,        check_arch,         check_model,      check_optimizer, check_schedule,
        check_regularizer, check_augmentation, check_mean,
    };
    for (int i = 0; i < TL_LEN(steps); i++) TL_TRY(steps[i](l));
    return TL_OK;
}

tl_status tl_classification_spec_load(tl_arena *a, const char *path, const char *text,
                                      const char *const *overrides, int n, unsigned needs,
                                      const tl_classification_spec **out, const char **warnings)
{
    loader l = { .arena = a, .report = tl_report_new(a), .needs = needs };
    TL_NEW(l.out = tl_new(a, tl_classification_spec, 1));
    TL_NEW(l.e = tl_msg_new(a, &tl_classification_msg));
    tl_spec_source source = { path, text, overrides, n };
    TL_TRY(tl_spec_text(a, &source));
    tl_status s = tl_spec_read(&l.report, &source, &tl_classification_msg, l.e);
    if (!s) s = check_all(&l);
    if (s && s != TL_ESPEC) return s;
    TL_TRY(tl_report_end(&l.report));
    TL_TRY(tl_report_warnings(&l.report, warnings));
    l.out->experiment = l.e;
    l.out->model = l.m;
    l.out->train = l.t;
    l.out->eval = l.v;
    *out = l.out;
    return TL_OK;
}

tl_status tl_classification_spec_print(tl_arena *a, const tl_classification_spec *s, const char **text)
{
    tl_text t = tl_text_new(a);
    tl_textf(&t, "# Classification experiment, whole, with defaults.\n");
    if (s->default_recipe)
        tl_textf(&t, "# Neither optimizer nor lr_config is given: the recipe for small sets will "
                     "be used.\n");
    tl_prototxt_print(&t, &tl_classification_msg, s->experiment);
    TL_NEW(*text = tl_text_end(&t));
    return TL_OK;
}
