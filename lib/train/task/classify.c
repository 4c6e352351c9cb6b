/* classify.c - training a classifier. SPDX-License-Identifier: MIT
 *
 * Before the first epoch the head may be fitted on the frozen trunk (head.c): that is epoch 0, a candidate like the others, or a
 * mark to compare with. */
#include "listen.h"
#include "loop.h"
#include <math.h>
#include <string.h>

typedef struct { float *before[TL_MAX_PARAM]; /* the head's parameters before it was fitted */ } own;

static tl_vals keep(const tl_loop *t) { return (tl_vals){ 1, { t->c->model->raw } }; }

static tl_node *layer(const tl_loop *t) { return &t->c->model->g->node[t->c->model->raw.i]; }

static int argmax(const float *v, int n)
{
    int best = 0;
    for (int k = 1; k < n; k++)
        if (v[k] > v[best]) best = k;
    return best;
}

static void count(tl_loop *t, const tl_batch *b, tl_tally *y)
{
    const tl_tensor raw = tl_plan_value(t->plan, t->c->model->raw);
    for (int i = 0; i < b->n; i++) y->hits += argmax(raw.f + i * raw.s.c, raw.s.c) == argmax(b->target + i * raw.s.c, raw.s.c);
}

/* ---- After an epoch ---- */

static void warn_of_collapse(const tl_loop *t, const tl_confusion *m)
{
    const int k = tl_confusion_collapsed(m);
    if (k >= 0)
        tl_say(&t->c->listener, "warning: every validation picture is taken for '%s'. The network has collapsed to one class; the usual cause is a learning "
            "rate too high for so few pictures: try a tenth of it, or leave optimizer and lr_config out of the spec\n",
            ((const char *const *)t->c->val->classes.at)[k]);
}

static tl_status validate(tl_loop *t, tl_validation *v)
{
    tl_confusion m;
    TL_TRY(tl_confusion_init(t->a, t->c->val->classes.n, 1, &m));
    TL_TRY(tl_evaluate(t->eval, &t->trunk, t->c->model, t->c->val, t->load_val, &m, NULL, NULL));
    TL_TRY(tl_share_confusion(t->a, t->c->dist, &m));
    TL_CHECK(m.n, TL_EDATA, "no validation picture could be read");
    v->score = tl_confusion_accuracy(&m);
    v->loss = m.loss / (double)m.n;
    warn_of_collapse(t, &m);
    return TL_OK;
}

/* What counts is how many pictures are right, then the loss. With a teacher the student comes nearer to it from epoch to epoch; there a
 * picture more or less is luck, and the loss says it better. */
static bool better(const tl_loop *t, const tl_validation *v)
{
    const tl_train_state *s = &t->s;
    if (t->distill) return v->loss < s->best_loss;
    return v->score > s->best_acc || (!(v->score < s->best_acc) && v->loss < s->best_loss);
}

static double accuracy(const tl_loop *t) { return t->s.seen ? (double)t->s.hits / (double)t->s.seen : (double)NAN; }

static int figures(const tl_loop *t, const tl_validation *v, double rate, tl_figure out[TL_FIGURES], int *results)
{
    const tl_validation none = { .loss = 0 };
    if (!v) v = &none;
    const tl_figure all[] = { { "acc", accuracy(t) }, { "loss", tl_loop_loss(t) }, { "lr", rate }, { "val_acc", v->score }, { "val_loss", v->loss } };
    memcpy(out, all, sizeof all);
    *results = 3;
    return TL_LEN(all);
}

static tl_status tell(tl_loop *t, const tl_validation *v, double rate, bool best)
{
    tl_say(&t->c->listener, "epoch %d/%d: loss %.4f acc %.4f val_loss %.4f val_acc %.4f lr %.3g%s\n", t->s.epoch + 1, tl_loop_epochs(t), tl_loop_loss(t),
           accuracy(t), v->loss, v->score, rate, best ? " (best so far)" : "");
    return TL_OK;
}

/* ---- Epoch 0 ---- */

/* Before there are loaders and plans, because it decides how pictures are cut and where averages start. */
static tl_status prepare(tl_loop *t, bool resumed, bool *fitted)
{
    const tl_trainer_conf *c = t->c;
    *fitted = !resumed && (c->head_first || (c->compare && tl_trains_more(c->model))) && tl_head_fits(c->model);
    if (!*fitted) return TL_OK;
    own *o = tl_new(t->a, own, 1);
    TL_NEW(t->own = o);
    for (int k = 0; k < TL_MAX_PARAM; k++) {
        const size_t bytes = tl_dims_count(layer(t)->p[k].dims) * sizeof(float);
        if (!bytes) continue;
        TL_NEW(o->before[k] = tl_alloc(t->a, bytes));
        memcpy(o->before[k], layer(t)->p[k].w, bytes);
    }
    return tl_head_fit(c->model, c->train, c->val, &c->loader, c->class_weight, c->seed, c->choose_crop, &c->listener);
}

/* The fitted head is the first candidate, or, when only compared with, undone. */
static tl_status judge(tl_loop *t)
{
    const tl_trainer_conf *c = t->c;
    const own *o = t->own;
    tl_validation v;
    TL_TRY(validate(t, &v));
    t->last_score = t->s.frozen_acc = v.score;
    tl_say(&c->listener, "frozen trunk with a trained head: val_loss %.4f val_acc %.4f%s\n", v.loss, v.score, c->head_first ? "" : " (for comparison)");
    for (int k = 0; !c->head_first && o && k < TL_MAX_PARAM; k++)
        if (o->before[k]) memcpy(layer(t)->p[k].w, o->before[k], tl_dims_count(layer(t)->p[k].dims) * sizeof(float));
    if (!c->head_first) return TL_OK;
    t->s.best_epoch = 0;
    t->s.best_acc = v.score;
    t->s.best_loss = v.loss;
    TL_TRY(tl_loop_save(t));
    return tl_loop_first(t) ? tl_checkpoint_mark(&t->files, "_best", 0) : TL_OK;
}

static tl_status finish(tl_loop *t, const tl_train_result *r)
{
    (void)r;
    if (t->s.frozen_acc > t->s.best_acc && !t->distill)
        tl_say(&t->c->listener, "warning: the best epoch reaches %.4f on the validation pictures, a trained head on the frozen trunk %.4f. Training the whole network did harm; "
            "the usual cause is a learning rate too high for so few pictures: leave optimizer and lr_config out of the spec, or freeze_blocks\n",
            t->s.best_acc, t->s.frozen_acc);
    return TL_OK;
}

const tl_task tl_task_classify = {
    .head = "classification", .success = "Training finished successfully.", .teaching = 1, .keep = keep, .prepare = prepare, .judge = judge, .count = count,
    .validate = validate, .better = better, .figures = figures, .tell = tell, .finish = finish,
};
