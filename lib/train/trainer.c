/* trainer.c - the training loop. SPDX-License-Identifier: MIT
 *
 *   (epoch 0: the head on the frozen trunk)
 *   for each epoch
 *       for each batch: load, forward, backward, optimizer step
 *       validate; write checkpoint, training.csv, status.json, TensorBoard events; mark the best
 *
 * All that changes from step to step is in tl_train_state, the weights and the optimizer's arrays, which are what a checkpoint
 * holds; what is drawn at random depends on (seed, epoch, batch or sample) only. So a resumed training goes on as if nothing
 * had happened.
 *
 * Several processes (together.h) run this loop side by side and hold the same state; process 0 alone deals with files. */
#include "trainer.h"
#include "events.h"
#include "listen.h"
#include "statusjson.h"
#include "together.h"
#include <math.h>
#include <string.h>
#include <time.h>

typedef struct {
    const tl_trainer_conf *c;
    tl_arena       *a;
    tl_val          target, loss;
    tl_distill     *distill;     /* NULL: no teacher */
    tl_trunk        trunk;
    tl_plan        *plan, *eval; /* of the trunk's rest */
    tl_loader      *load, *load_val;
    tl_weights      weights;
    tl_together     together;
    tl_train_state  s;
    tl_checkpoints  files;
    tl_events      *events;
    const char     *csv, *status;
    int             batches;     /* per epoch */
    bool            stopping;    /* all processes have agreed to */
    double          started;     /* when this run began its first step */
    long            first_step;  /* which that was */
    double          last_acc;
    float          *before[TL_MAX_PARAM]; /* the head's parameters before it was fitted */
    int             unreadable;  /* pictures already told about */
} trainer;

/* ---- Setting up ---- */

static bool first(const trainer *t) { return tl_dist_rank(t->c->dist) == 0; }
static int pictures(const trainer *t) { return t->c->loader.batch * tl_dist_size(t->c->dist); } /* in a batch */

static tl_status open_outputs(trainer *t)
{
    const tl_trainer_conf *c = t->c;
    const char *events = tl_path_join(t->a, c->results, "events");
    t->files = (tl_checkpoints){ tl_path_join(t->a, c->results, "weights"), c->name, c->key };
    t->csv = tl_path_join(t->a, c->results, "training.csv");
    t->status = tl_path_join(t->a, c->results, "status.json");
    TL_NEW(events && t->files.dir && t->csv && t->status ? events : NULL);
    if (!first(t)) return TL_OK;
    TL_TRY(tl_mkdirs(t->files.dir));
    return tl_events_open(t->a, events, &t->events);
}

tl_status tl_train_check(tl_arena *a, const char *results, const char *name, bool resume)
{
    tl_list files = { 0, NULL };
    const char *dir = tl_path_join(a, results, "weights");
    int own = 0, any = 0;
    size_t n = strlen(name);
    TL_NEW(dir);
    if (tl_is_dir(dir)) TL_TRY(tl_dir_list(a, dir, &files));
    for (int i = 0; i < files.n; i++) {
        const char *file = ((const char **)files.at)[i], *end = strrchr(file, '.');
        if (!end || strcmp(end, ".state")) continue;
        any++;
        own += !strncmp(file, name, n) && file[n] == '_';
    }
    TL_CHECK(!resume || own, TL_EARG, "there is no checkpoint of %s to resume from in '%s'; run without --resume to begin", name, dir);
    TL_CHECK(resume || !any, TL_EARG, "'%s' holds a training already. Add --resume to go on with it, or choose another results folder", dir);
    return TL_OK;
}

/* The model's parameters and the counters from the newest checkpoint; the optimizer's arrays follow when there is a plan. */
static tl_status find_checkpoint(trainer *t, tl_checkpoint *k)
{
    const char *notes;
    tl_transfer report;
    *k = (tl_checkpoint){ 0 };
    TL_TRY(tl_train_check(t->a, t->c->results, t->c->name, t->c->resume));
    if (!t->c->resume) return TL_OK;
    TL_TRY(tl_checkpoint_find(t->a, &t->files, k, &notes));
    TL_CHECK(k->model, TL_EFORMAT, "no checkpoint in '%s' can be used, so there is nothing to resume:\n%s", t->files.dir, notes);
    tl_tell(&t->c->listener, notes);
    t->s = k->state;
    tl_say(&t->c->listener, "resuming from '%s': %d epochs and %d batches done\n", k->path, t->s.epoch, t->s.batch);
    t->c->model->center_crop = k->model->center_crop;
    if (!t->s.pictures) t->s.pictures = pictures(t);
    return tl_model_transfer(t->c->model, k->model, false, false, t->c->seed, &report);
}

static tl_status make_loaders(trainer *t)
{
    tl_loader_conf train = t->c->loader, val;
    train.center_crop = t->c->model->center_crop;
    train.share = tl_dist_rank(t->c->dist);
    train.shares = tl_dist_size(t->c->dist);
    val = train;
    train.shuffle = train.wrap = true;
    val.random_crop = val.color = val.hflip = val.shuffle = val.wrap = false;
    val.mixup_alpha = val.smoothing = 0;
    train.rows = val.rows = t->trunk.rows;
    val.first_row = (size_t)t->c->train->sample.n * (train.hflip ? 2 : 1);
    TL_TRY(tl_loader_new(t->a, t->c->train, &train, &t->load));
    TL_TRY(tl_loader_new(t->a, t->c->val, &val, &t->load_val));
    t->batches = tl_loader_batches(t->load);
    return TL_OK;
}

/* The graph with its loss, in a part that stays as it is and a part that is trained. */
static tl_status make_trunk(trainer *t)
{
    tl_model *m = t->c->model;
    t->loss = tl_head_at(0)->loss(m->g, m->raw, &t->target);
    if (t->c->teacher) TL_TRY(tl_distill_new(t->a, t->c->teacher, m, t->c->loader.batch, &t->loss, &t->distill));
    TL_TRY(m->g->status);
    return tl_trunk_new(t->a, m, t->c->loader.batch, t->distill, &t->trunk);
}

static tl_status plan_step(trainer *t)
{
    const tl_model *m = t->c->model;
    tl_plan_conf train = { .batch = t->c->loader.batch, .train = true, .loss = t->loss, .keep = &m->raw, .nkeep = 1, .amp = t->c->amp,
                           .dist = t->c->sync_bn ? t->c->dist : NULL };
    TL_TRY(tl_budget_plan(&t->trunk.rest, t->a, &train, t->c->max_memory, &t->plan));
    if (t->plan->conf.lean)
        tl_say(&t->c->listener, "to stay within --max-memory, maps are made again rather than kept where that is cheap: %zu MB\n",
               t->plan->bytes >> 20);
    return TL_OK;
}

static tl_status make_plans(trainer *t)
{
    TL_TRY(plan_step(t));
    TL_TRY(tl_plan_new(&t->trunk.rest, t->a, &(tl_plan_conf){ .batch = t->c->loader.batch }, &t->eval));
    TL_TRY(tl_weights_new(t->a, t->plan, &t->c->recipe, &t->weights));
    TL_CHECK(t->weights.n, TL_ESPEC, "every layer is frozen: there is nothing to train (see freeze_blocks)");
    return tl_together_new(t->a, t->c->dist, t->plan, &t->together);
}

/* ---- One epoch ---- */

static int argmax(const float *v, int n)
{
    int best = 0;
    for (int k = 1; k < n; k++)
        if (v[k] > v[best]) best = k;
    return best;
}

static tl_status fill(trainer *t, const tl_batch *b)
{
    tl_tensor y = tl_plan_value(t->plan, t->target);
    TL_TRY(tl_trunk_feed(&t->trunk, b->x, t->plan));
    memcpy(y.f, b->target, tl_count(y.s) * sizeof(float));
    for (int i = 0; t->c->class_weight && i < y.s.n; i++)
        for (int k = 0; k < y.s.c; k++) y.f[i * y.s.c + k] *= t->c->class_weight[k];
    return TL_OK;
}

/* How this process' share of a step went. */
static tl_tally count(const trainer *t, const tl_batch *b)
{
    tl_tensor raw = tl_plan_value(t->plan, t->c->model->raw);
    tl_tally y = { .loss = (double)tl_plan_value(t->plan, t->loss).f[0], .seen = b->n, .stop = tl_stopping(&t->c->listener) };
    for (int i = 0; i < b->n; i++) y.hits += argmax(raw.f + i * raw.s.c, raw.s.c) == argmax(b->target + i * raw.s.c, raw.s.c);
    return y;
}

static void tell_progress(const trainer *t, double rate)
{
    const tl_listener *l = &t->c->listener;
    double spent = tl_now() - t->started, done = (double)(t->s.step - t->first_step), left = (double)((long)t->c->epochs * t->batches - t->s.step);
    if (!l->progress) return;
    l->progress(l->ctx, &(tl_progress){ .stage = "train", .epoch = t->s.epoch + 1, .epochs = t->c->epochs, .batch = t->s.batch, .batches = t->batches,
        .loss = t->s.loss_sum / t->s.batch, .accuracy = (double)t->s.hits / (double)t->s.seen, .rate = rate,
        .pictures_per_second = done * pictures(t) / spent, .eta = left * spent / done });
}

static tl_status diverged(const trainer *t, const char *what, double rate)
{
    return tl_fail(TL_EDIVERGED, "the %s no longer a number in epoch %d after %d batches (learning rate %g). The rate is too high for this network and "
                   "data: try a tenth of it, or a longer soft_start. Checkpoints of earlier epochs, if any, are in '%s'",
                   what, t->s.epoch + 1, t->s.batch, rate, t->files.dir);
}

static tl_status step(trainer *t, const tl_batch *b, double *rate)
{
    const tl_recipe *r = &t->c->recipe;
    *rate = tl_schedulers[r->schedule.kind]->rate(&r->schedule, t->s.step, (long)t->c->epochs * t->batches);
    TL_TRY(fill(t, b));
    if (t->distill) TL_TRY(tl_distill_targets(t->distill, t->plan, t->c->model->image));
    t->plan->seed = tl_rng_at(t->c->seed, (uint64_t)t->s.step, (uint64_t)tl_dist_rank(t->c->dist), 1).s;
    TL_TRY(tl_plan_forward(t->plan));
    tl_tally mine = count(t, b), all;
    TL_TRY(tl_together_begin(&t->together));
    TL_TRY(tl_plan_backward(t->plan));
    TL_TRY(tl_together_finish(&t->together, &mine, &all));
    if (!isfinite(all.loss)) return diverged(t, "loss is", *rate);
    t->stopping = all.stop > 0;
    t->s.loss_sum += all.loss / tl_dist_size(t->c->dist);
    t->s.hits += (int64_t)all.hits;
    t->s.seen += (int64_t)all.seen;
    if (!isfinite(tl_weights_step(&t->weights, (float)*rate, t->s.step))) return diverged(t, "gradients are", *rate);
    t->s.step++;
    t->s.batch++;
    return TL_OK;
}

/* Save, with the averaged weights in the model where there are any. */
static tl_status save(trainer *t)
{
    if (!first(t)) return TL_OK;
    tl_weights_swap(&t->weights);
    tl_status s = tl_checkpoint_save(&t->files, t->c->model, &t->s, &t->weights);
    tl_weights_swap(&t->weights);
    return s;
}

/* Alone, at once; else all after the same step. */
static bool stopping(const trainer *t) { return t->c->dist ? t->stopping : tl_stopping(&t->c->listener); }

static tl_status stop(trainer *t)
{
    if (t->s.batch || !t->s.epoch) TL_TRY(save(t)); /* the end of an epoch is saved already */
    tl_dist_agree(t->c->dist);
    return tl_fail(TL_ESTOPPED, "stopped in epoch %d after %d of %d batches; everything is saved. The same command with --resume goes on from here",
                   t->s.epoch + 1, t->s.batch, t->batches);
}

static tl_status train_epoch(trainer *t, double *rate)
{
    const tl_batch *b;
    double start = tl_now() - t->s.seconds;
    TL_TRY(tl_loader_start(t->load, t->s.epoch + 1, t->s.batch));
    for (;;) {
        TL_TRY(tl_loader_next(t->load, &b));
        if (!b) return TL_OK;
        TL_TRY(step(t, b, rate));
        t->s.seconds = tl_now() - start;
        tell_progress(t, *rate);
        if (stopping(t) && t->s.batch < t->batches) return stop(t);
    }
}

/* ---- After an epoch ---- */

static tl_status validate(trainer *t, tl_confusion *m)
{
    TL_TRY(tl_confusion_init(t->a, t->c->val->classes.n, 1, m));
    TL_TRY(tl_evaluate(t->eval, &t->trunk, t->c->model, t->c->val, t->load_val, m, NULL, NULL));
    TL_TRY(tl_share_confusion(t->a, t->c->dist, m));
    TL_CHECK(m->n, TL_EDATA, "no validation picture could be read");
    t->last_acc = tl_confusion_accuracy(m);
    return TL_OK;
}

static void warn_of_collapse(const trainer *t, const tl_confusion *m)
{
    const int k = tl_confusion_collapsed(m);
    if (k >= 0)
        tl_say(&t->c->listener, "warning: every validation picture is taken for '%s'. The network has collapsed to one class; the usual cause is a learning "
            "rate too high for so few pictures: try a tenth of it, or leave optimizer and lr_config out of the spec\n",
            ((const char *const *)t->c->val->classes.at)[k]);
}

static tl_status record(trainer *t, const tl_confusion *m, double rate)
{
    if (!first(t)) return TL_OK;
    double loss = t->s.batch ? t->s.loss_sum / t->s.batch : (double)NAN, acc = t->s.seen ? (double)t->s.hits / (double)t->s.seen : (double)NAN;
    double val_loss = m->loss / (double)m->n, wall = (double)time(NULL);
    int epoch = t->s.epoch;
    const struct { const char *tag; double value; } point[] = { { "loss", loss }, { "acc", acc }, { "lr", rate }, { "val_loss", val_loss }, { "val_acc", t->last_acc } };
    for (int i = 0; i < TL_LEN(point); i++)
        if (isfinite(point[i].value)) TL_TRY(tl_events_scalar(t->events, point[i].tag, epoch, point[i].value, wall));
    TL_TRY(tl_traincsv_add(t->csv, &(tl_traincsv_row){ epoch, acc, loss, rate, t->last_acc, val_loss }));
    tl_pair kpi[] = { { "val_acc", (float)t->last_acc }, { "val_loss", (float)val_loss } };
    return tl_statusjson_add(t->status, &(tl_run_event){ .state = TL_RUN_RUNNING, .message = "epoch done", .kpi = { TL_LEN(kpi), kpi },
        .epoch = epoch + 1, .max_epoch = t->c->epochs, .time_per_epoch = t->s.seconds, .eta = t->s.seconds * (t->c->epochs - epoch - 1) });
}

static tl_status tell_unreadable(trainer *t)
{
    const tl_loader *both[] = { t->load, t->load_val };
    if (!first(t) || tl_loader_bad(t->load).n + tl_loader_bad(t->load_val).n == t->unreadable) return TL_OK;
    return tl_unreadable_report(t->a, both, TL_LEN(both), t->c->results, &t->c->listener, &t->unreadable);
}

/* Is this epoch the best so far? What counts is how many pictures are right, then the loss. With a teacher the student comes
 * nearer to it from epoch to epoch; there a picture more or less is luck, and the loss says it better. */
static bool better(const trainer *t, double loss)
{
    const tl_train_state *s = &t->s;
    if (s->best_epoch < 0) return true;
    if (t->distill) return loss < s->best_loss;
    return t->last_acc > s->best_acc || (t->last_acc == s->best_acc && loss < s->best_loss);
}

/* Processors of different kinds may have come to differ in a last bit, which would grow. */
static tl_status keep_equal(trainer *t)
{
    bool same;
    TL_TRY(tl_same_weights(t->a, t->c->dist, t->c->model->g, &same));
    if (same) return TL_OK;
    tl_say(&t->c->listener, "note: the processes' weights differ, as on processors of different kinds; all go on with those of process 0\n");
    return tl_share_weights(t->c->dist, t->c->model->g, &t->weights);
}

static tl_status end_epoch(trainer *t, double rate)
{
    tl_confusion m;
    TL_TRY(keep_equal(t));
    tl_weights_swap(&t->weights); /* validate what will be saved */
    tl_status s = validate(t, &m);
    tl_weights_swap(&t->weights);
    TL_TRY(s);
    TL_TRY(tell_unreadable(t));
    double loss = m.loss / (double)m.n;
    if (!isfinite(loss)) return diverged(t, "validation loss is", rate);
    bool best = better(t, loss);
    TL_TRY(record(t, &m, rate));
    tl_say(&t->c->listener, "epoch %d/%d: loss %.4f acc %.4f val_loss %.4f val_acc %.4f lr %.3g%s\n", t->s.epoch + 1, t->c->epochs,
        t->s.loss_sum / t->s.batch, (double)t->s.hits / (double)t->s.seen, loss, t->last_acc, rate, best ? " (best so far)" : "");
    warn_of_collapse(t, &m);
    t->s.epoch++;
    t->s.batch = 0;
    t->s.loss_sum = t->s.seconds = 0;
    t->s.hits = t->s.seen = 0;
    if (best) { t->s.best_epoch = t->s.epoch; t->s.best_acc = t->last_acc; t->s.best_loss = loss; }
    TL_TRY(save(t));
    return best && first(t) ? tl_checkpoint_mark_best(&t->files, t->s.epoch) : TL_OK;
}

/* ---- Epoch 0 ---- */

/* Before there are loaders and plans, because it decides how pictures are cut and where averages start. */
static tl_status fit_head(trainer *t)
{
    const tl_trainer_conf *c = t->c;
    const tl_node *d = &c->model->g->node[c->model->raw.i];
    for (int k = 0; k < TL_MAX_PARAM; k++) {
        size_t bytes = tl_dims_count(d->p[k].dims) * sizeof(float);
        if (!bytes) continue;
        TL_NEW(t->before[k] = tl_alloc(t->a, bytes));
        memcpy(t->before[k], d->p[k].w, bytes);
    }
    return tl_head_fit(c->model, c->train, c->val, &c->loader, c->class_weight, c->seed, c->choose_crop, &c->listener);
}

/* The fitted head is the first candidate, or, when only compared with, undone. */
static tl_status judge_head(trainer *t)
{
    const tl_trainer_conf *c = t->c;
    tl_node *d = &c->model->g->node[c->model->raw.i];
    tl_confusion m;
    TL_TRY(validate(t, &m));
    t->s.frozen_acc = t->last_acc;
    tl_say(&c->listener, "frozen trunk with a trained head: val_loss %.4f val_acc %.4f%s\n", m.loss / (double)m.n, t->last_acc,
           c->head_first ? "" : " (for comparison)");
    for (int k = 0; !c->head_first && k < TL_MAX_PARAM; k++)
        if (t->before[k]) memcpy(d->p[k].w, t->before[k], tl_dims_count(d->p[k].dims) * sizeof(float));
    if (!c->head_first) return TL_OK;
    t->s.best_epoch = 0;
    t->s.best_acc = t->last_acc;
    t->s.best_loss = m.loss / (double)m.n;
    TL_TRY(save(t));
    return first(t) ? tl_checkpoint_mark_best(&t->files, 0) : TL_OK;
}

/* ---- All of it ---- */

/* What process 0 found in the folder, or fitted, for all. */
static tl_status share_beginning(trainer *t, bool *resumed, bool *head)
{
    tl_dist *d = t->c->dist;
    struct { tl_train_state s; bool resumed, head, crop; } all = { t->s, *resumed, *head, t->c->model->center_crop };
    TL_TRY(tl_dist_broadcast(d, &all, sizeof all));
    t->s = all.s;
    t->c->model->center_crop = all.crop;
    *resumed = all.resumed;
    *head = all.head;
    return tl_share_weights(d, t->c->model->g, NULL);
}

/* A batch may have been larger or smaller when the training was interrupted: the same pictures are done. */
static void settle_position(trainer *t)
{
    tl_train_state *s = &t->s;
    int before = s->batch;
    if (s->pictures == pictures(t)) return;
    if (s->pictures) {
        s->batch = (int)((int64_t)s->batch * s->pictures / pictures(t));
        s->step = (long)s->epoch * t->batches + s->batch;
        s->loss_sum *= before ? (double)s->batch / before : 0;
        tl_say(&t->c->listener, "a batch is now %d pictures instead of %d: going on after %d of %d batches\n", pictures(t), s->pictures,
               s->batch, t->batches);
    }
    s->pictures = pictures(t);
}

/* Process 0 alone: where the training begins. */
static tl_status find_beginning(trainer *t, tl_checkpoint *k, bool *head)
{
    TL_TRY(find_checkpoint(t, k));
    *head = !k->model && (t->c->head_first || (t->c->compare && tl_trains_more(t->c->model))) && tl_head_fits(t->c->model);
    return *head ? fit_head(t) : TL_OK;
}

/* Process 0 alone: what needs the plans, and the first lines of the records. */
static tl_status restore(trainer *t, const tl_checkpoint *k)
{
    if (k->model) {
        TL_TRY(tl_checkpoint_restore(k, &t->weights));
        tl_weights_swap(&t->weights); /* the model holds averages, the arrays the raw weights */
        if (t->s.best_epoch >= 0) TL_TRY(tl_checkpoint_mark_best(&t->files, t->s.best_epoch)); /* a crash may have come before */
    }
    TL_TRY(tl_traincsv_begin(t->csv, t->s.epoch));
    return tl_statusjson_add(t->status, &(tl_run_event){ .state = TL_RUN_STARTED, .message = k->model ? "training resumed" : "training started" });
}

static tl_status begin(trainer *t)
{
    tl_checkpoint k = { 0 };
    bool head = false, resumed;
    TL_TRY(open_outputs(t));
    if (first(t)) TL_TRY(find_beginning(t, &k, &head));
    resumed = k.model != NULL;
    TL_TRY(share_beginning(t, &resumed, &head));
    TL_TRY(make_trunk(t));
    TL_TRY(tl_features_cache(t->a, t->c, &t->trunk));
    TL_TRY(make_loaders(t));
    settle_position(t);
    TL_TRY(make_plans(t));
    if (first(t)) TL_TRY(restore(t, &k));
    if (resumed) TL_TRY(tl_share_weights(t->c->dist, t->c->model->g, &t->weights));
    if (!head) return TL_OK;
    TL_TRY(judge_head(t));
    return tl_share_weights(t->c->dist, t->c->model->g, NULL);
}

static tl_status finish(trainer *t, tl_train_result *out)
{
    TL_CHECK(t->s.best_epoch >= 0, TL_ESPEC, "n_epochs is 0, and there is no head to fit: that takes a pretrained_model_path, neither optimizer nor lr_config, "
             "and a network that ends in one dense layer");
    *out = (tl_train_result){ t->s.best_epoch, t->s.best_acc, t->s.best_loss, t->last_acc, t->s.frozen_acc, NULL };
    TL_NEW(out->best_path = tl_checkpoint_path(t->a, &t->files, t->s.best_epoch, t->c->key && t->c->key[0] ? ".tlt" : ".onnx"));
    if (t->s.frozen_acc > t->s.best_acc && !t->distill)
        tl_say(&t->c->listener, "warning: the best epoch reaches %.4f on the validation pictures, a trained head on the frozen trunk %.4f. Training the whole network did harm; "
            "the usual cause is a learning rate too high for so few pictures: leave optimizer and lr_config out of the spec, or freeze_blocks\n",
            t->s.best_acc, t->s.frozen_acc);
    if (!first(t)) return TL_OK;
    return tl_statusjson_add(t->status, &(tl_run_event){ .state = TL_RUN_SUCCESS, .message = "Training finished successfully." });
}

static tl_status run(trainer *t, tl_train_result *out)
{
    double rate = 0;
    TL_TRY(begin(t));
    t->started = tl_now();
    t->first_step = t->s.step;
    while (t->s.epoch < t->c->epochs) {
        if (stopping(t)) return stop(t);
        TL_TRY(train_epoch(t, &rate));
        TL_TRY(end_epoch(t, rate));
    }
    return finish(t, out);
}

tl_status tl_train_plan(tl_arena *a, const tl_trainer_conf *c, tl_plan **out)
{
    trainer t = { .c = c, .a = a };
    TL_TRY(make_trunk(&t));
    TL_TRY(plan_step(&t));
    *out = t.plan;
    return TL_OK;
}

tl_status tl_train(tl_arena *a, const tl_trainer_conf *c, tl_train_result *out)
{
    trainer t = { .c = c, .a = a, .s = { .best_epoch = -1, .frozen_acc = -1 } };
    tl_status s = run(&t, out);
    if (t.trunk.rows) tl_rows_leave(t.trunk.rows, !s);
    if (s && t.status && first(&t)) {
        const char *why = tl_strdup(a, tl_errmsg());
        if (s == TL_EDATA && t.load && t.load_val) (void)tell_unreadable(&t);
        (void)tl_statusjson_add(t.status, &(tl_run_event){ .state = TL_RUN_FAILURE, .message = why });
        if (why) tl_fail_again(s, why); /* the first failure is the one to report */
    }
    return s;
}
