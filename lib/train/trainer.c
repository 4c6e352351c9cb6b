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
 * What is particular to a kind of model is in its task (loop.h).
 *
 * Several processes (together.h) run this loop side by side and hold the same state; process 0 alone deals with files. */
#include "listen.h"
#include "loop.h"
#include <math.h>
#include <string.h>
#include <time.h>

/* ---- Setting up ---- */

static int pictures(const tl_loop *t) { return t->c->loader.batch * tl_dist_size(t->c->dist); } /* in a batch */

static tl_status open_outputs(tl_loop *t)
{
    const tl_trainer_conf *c = t->c;
    const char *events = tl_path_join(t->a, c->results, "events");
    t->files = (tl_checkpoints){ tl_path_join(t->a, c->results, "weights"), c->name, c->key };
    t->csv = tl_path_join(t->a, c->results, "training.csv");
    t->status = tl_path_join(t->a, c->results, "status.json");
    TL_NEW(events && t->files.dir && t->csv && t->status ? events : NULL);
    if (!tl_loop_first(t)) return TL_OK;
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
static tl_status find_checkpoint(tl_loop *t, tl_checkpoint *k)
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

static tl_status make_loaders(tl_loop *t)
{
    tl_loader_conf train = t->c->loader, val;
    train.center_crop = t->c->model->center_crop;
    train.share = tl_dist_rank(t->c->dist);
    train.shares = tl_dist_size(t->c->dist);
    val = train;
    train.shuffle = train.wrap = true;
    val.random_crop = val.color = val.hflip = val.vary = val.shuffle = val.wrap = false;
    val.mixup_alpha = val.smoothing = 0;
    train.rows = val.rows = t->trunk.rows;
    val.first_row = (size_t)t->c->train->sample.n * (train.hflip ? 2 : 1);
    TL_TRY(tl_loader_new(t->a, t->c->train, &train, &t->load));
    if (t->c->val) TL_TRY(tl_loader_new(t->a, t->c->val, &val, &t->load_val));
    t->batches = tl_loader_batches(t->load);
    return TL_OK;
}

/* The graph with its loss, in a part that stays as it is and a part that is trained. */
static tl_status make_trunk(tl_loop *t)
{
    tl_model *m = t->c->model;
    t->loss = t->label_loss = tl_model_loss(m, &t->target);
    if (t->c->teacher) TL_TRY(tl_distill_new(t->a, t->c->teacher, m, t->c->loader.batch, t->task->teaching, &t->loss, &t->distill));
    TL_TRY(tl_graph_init(m->g, t->c->seed)); /* parameters of the loss */
    return tl_trunk_new(t->a, m, t->c->loader.batch, t->distill, &t->trunk);
}

static tl_status plan_step(tl_loop *t)
{
    const tl_vals keep = t->task->keep(t);
    tl_plan_conf train = { .batch = t->c->loader.batch, .train = true, .loss = t->loss, .keep = keep.at, .nkeep = keep.n, .amp = t->c->amp,
                           .dist = t->c->sync_bn ? t->c->dist : NULL };
    TL_TRY(tl_budget_plan(&t->trunk.rest, t->a, &train, t->c->max_memory, &t->plan));
    if (t->plan->conf.lean)
        tl_say(&t->c->listener, "to stay within --max-memory, maps are made again rather than kept where that is cheap: %zu MB\n",
               t->plan->bytes >> 20);
    return TL_OK;
}

static tl_status make_plans(tl_loop *t)
{
    TL_TRY(plan_step(t));
    const tl_vals keep = t->task->keep(t);
    TL_TRY(tl_plan_new(&t->trunk.rest, t->a, &(tl_plan_conf){ .batch = t->c->loader.batch, .keep = keep.at, .nkeep = keep.n }, &t->eval));
    TL_TRY(tl_weights_new(t->a, t->plan, &t->c->recipe, &t->weights));
    TL_CHECK(t->weights.n, TL_ESPEC, "every layer is frozen: there is nothing to train (see freeze_blocks)");
    return tl_together_new(t->a, t->c->dist, t->plan, &t->together);
}

/* ---- One epoch ---- */

tl_status tl_loop_fill(const tl_loop *t, const tl_batch *b, tl_plan *p)
{
    TL_TRY(tl_trunk_feed(&t->trunk, b->x, p));
    tl_targets_fill(p, &t->target, b);
    return TL_OK;
}

static void weigh_classes(const tl_loop *t)
{
    const tl_tensor y = tl_plan_value(t->plan, t->target.at[0]);
    for (int i = 0; t->c->class_weight && i < y.s.n; i++)
        for (int k = 0; k < y.s.c; k++) y.f[i * y.s.c + k] *= t->c->class_weight[k];
}

/* How this process' share of a step went. */
static tl_tally count(tl_loop *t, const tl_batch *b)
{
    tl_tally y = { .loss = (double)tl_plan_value(t->plan, t->loss).f[0], .seen = b->n, .stop = tl_stopping(&t->c->listener) };
    if (t->task->count) t->task->count(t, b, &y);
    return y;
}

static void tell_progress(const tl_loop *t, double rate)
{
    const tl_listener *l = &t->c->listener;
    double spent = tl_now() - t->started, done = (double)(t->s.step - t->first_step), left = (double)((long)tl_loop_epochs(t) * t->batches - t->s.step);
    if (!l->progress) return;
    l->progress(l->ctx, &(tl_progress){ .stage = "train", .epoch = t->s.epoch + 1, .epochs = tl_loop_epochs(t), .batch = t->s.batch, .batches = t->batches,
        .loss = tl_loop_loss(t), .accuracy = t->task->count ? (double)t->s.hits / (double)t->s.seen : -1, .rate = rate,
        .pictures_per_second = done * pictures(t) / spent, .eta = left * spent / done });
}

static tl_status diverged(const tl_loop *t, const char *what, double rate)
{
    return tl_fail(TL_EDIVERGED, "the %s no longer a number in epoch %d after %d batches (learning rate %g). The rate is too high for this network and "
                   "data: try a tenth of it, or a longer soft_start. Checkpoints of earlier epochs, if any, are in '%s'",
                   what, t->s.epoch + 1, t->s.batch, rate, t->files.dir);
}

/* The recipe's, or, with patience, as it is now known to be. */
static tl_schedule schedule(const tl_loop *t)
{
    const tl_patience *p = &t->c->patience;
    const float epochs = (float)tl_loop_epochs(t);
    tl_schedule s = t->c->recipe.schedule;
    if (!p->anneals) return s;
    s.soft_start = (float)p->rise / epochs;
    s.annealing = fmaxf(1 - (float)p->fall / epochs, s.soft_start);
    return s;
}

static tl_status step(tl_loop *t, const tl_batch *b, double *rate)
{
    const tl_schedule now = schedule(t);
    *rate = tl_schedulers[now.kind]->rate(&now, t->s.step, (long)tl_loop_epochs(t) * t->batches);
    TL_TRY(tl_loop_fill(t, b, t->plan));
    weigh_classes(t);
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

/* With the averaged weights in the model where there are any. */
tl_status tl_loop_save(tl_loop *t)
{
    if (!t->s.batch) t->saved = t->s.epoch;
    if (!tl_loop_first(t)) return TL_OK;
    tl_weights_swap(&t->weights);
    tl_status s = tl_checkpoint_save(&t->files, t->c->model, &t->s, &t->weights);
    tl_weights_swap(&t->weights);
    return s;
}

/* Alone, at once; else all after the same step. */
static bool stopping(const tl_loop *t) { return t->c->dist ? t->stopping : tl_stopping(&t->c->listener); }

static tl_status stop(tl_loop *t)
{
    if (t->task->gather) TL_TRY(t->task->gather(t, false));
    if (t->s.batch || t->saved != t->s.epoch) TL_TRY(tl_loop_save(t));
    tl_dist_agree(t->c->dist);
    return tl_fail(TL_ESTOPPED, "stopped in epoch %d after %d of %d batches; everything is saved. The same command with --resume goes on from here",
                   t->s.epoch + 1, t->s.batch, t->batches);
}

static tl_status train_epoch(tl_loop *t, double *rate)
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

/* Figures into all the records. v NULL: names alone, to begin with. */
static tl_status record(tl_loop *t, const tl_validation *v, double rate)
{
    tl_figure f[TL_FIGURES];
    tl_pair kpi[TL_FIGURES];
    int results = 0, epoch = t->s.epoch, nkpi = 0;
    const int n = t->task->figures(t, v, rate, f, &results);
    if (!v) return tl_traincsv_begin(t->csv, f, n, epoch);
    const double wall = (double)time(NULL);
    for (int i = 0; i < n; i++) {
        if (isfinite(f[i].value)) TL_TRY(tl_events_scalar(t->events, f[i].name, epoch, f[i].value, wall));
        if (i >= results && isfinite(f[i].value)) kpi[nkpi++] = (tl_pair){ f[i].name, (float)f[i].value };
    }
    TL_TRY(tl_traincsv_add(t->csv, epoch, f, n));
    return tl_statusjson_add(t->status, &(tl_run_event){ .state = TL_RUN_RUNNING, .message = "epoch done", .kpi = { nkpi, kpi },
        .epoch = epoch + 1, .max_epoch = tl_loop_epochs(t), .time_per_epoch = t->s.seconds, .eta = t->s.seconds * (tl_loop_epochs(t) - epoch - 1) });
}

static tl_status tell_unreadable(tl_loop *t)
{
    const tl_loader *both[] = { t->load, t->load_val };
    const int n = t->load_val ? 2 : 1, bad = tl_loader_bad(t->load).n + (n > 1 ? tl_loader_bad(t->load_val).n : 0);
    if (!tl_loop_first(t) || bad == t->unreadable) return TL_OK;
    return tl_unreadable_report(t->a, both, n, t->c->results, &t->c->listener, &t->unreadable);
}

/* Processors of different kinds may have come to differ in a last bit, which would grow. */
static tl_status keep_equal(tl_loop *t)
{
    bool same;
    TL_TRY(tl_same_weights(t->a, t->c->dist, t->c->model->g, &same));
    if (same) return TL_OK;
    tl_say(&t->c->listener, "note: the processes' weights differ, as on processors of different kinds; all go on with those of process 0\n");
    return tl_share_weights(t->c->dist, t->c->model->g, &t->weights);
}

/* Counting from 1. */
static bool due(int epoch, int first, int every) { return epoch >= first && (epoch - first) % (every > 1 ? every : 1) == 0; }

static tl_status validate(tl_loop *t, double rate, tl_validation *v)
{
    const tl_trainer_conf *c = t->c;
    const int epoch = t->s.epoch + 1;
    *v = (tl_validation){ .loss = (double)NAN, .score = (double)NAN };
    if (!c->val || !(due(epoch, c->first_validation, c->validate_every) || epoch == tl_loop_epochs(t))) return TL_OK;
    tl_weights_swap(&t->weights); /* validate what will be saved */
    tl_status s = t->task->validate(t, v);
    tl_weights_swap(&t->weights);
    TL_TRY(s);
    v->done = true;
    t->last_score = v->score;
    return isfinite(v->loss) ? TL_OK : diverged(t, "validation loss is", rate);
}

/* The checkpoint of an epoch that is no longer the best, if it was made for that alone. */
static tl_status forget(tl_loop *t, int epoch)
{
    const bool wanted = epoch < 0 || t->c->save_every <= 1 || epoch % t->c->save_every == 0;
    return wanted ? TL_OK : tl_checkpoint_drop(&t->files, epoch);
}

static tl_status note_best(tl_loop *t, const tl_validation *v)
{
    const int was = t->s.best_epoch;
    t->s.best_epoch = t->s.epoch;
    t->s.best_acc = v->score;
    t->s.best_loss = v->loss;
    TL_TRY(tl_loop_save(t));
    if (!tl_loop_first(t)) return TL_OK;
    TL_TRY(tl_checkpoint_mark(&t->files, "_best", t->s.epoch));
    return forget(t, was);
}

/* Is the end in sight? Counted in epochs that are complete. */
static void lose_patience(tl_loop *t, const tl_validation *v)
{
    const tl_patience *p = &t->c->patience;
    const int fall = p->anneals ? p->fall : 0;
    if (!p->steps || !v->done || t->s.epoch >= tl_loop_epochs(t) - fall) return;
    if (!(t->s.lowest > 0) || v->loss < t->s.lowest) {
        t->s.lowest = v->loss;
        t->s.waited = 0;
    } else if (++t->s.waited >= p->steps) {
        t->s.last_epoch = t->s.epoch + fall;
        tl_say(&t->c->listener, "the validation loss has not fallen %d times in a row; %s epoch %d\n", p->steps,
               fall ? "the learning rate now falls, and the training ends after" : "the training ends with", t->s.last_epoch);
    }
}

static tl_status end_epoch(tl_loop *t, double rate)
{
    tl_validation v;
    TL_TRY(keep_equal(t));
    if (t->task->gather) TL_TRY(t->task->gather(t, true));
    TL_TRY(validate(t, rate, &v));
    TL_TRY(tell_unreadable(t));
    const bool best = v.done && (t->s.best_epoch < 0 || t->task->better(t, &v));
    if (tl_loop_first(t)) TL_TRY(record(t, &v, rate));
    TL_TRY(t->task->tell(t, &v, rate, best));
    t->s.epoch++;
    t->s.batch = 0;
    t->s.loss_sum = t->s.seconds = 0;
    t->s.hits = t->s.seen = 0;
    lose_patience(t, &v);
    if (best) return note_best(t, &v);
    return due(t->s.epoch, 0, t->c->save_every) || t->s.epoch == tl_loop_epochs(t) ? tl_loop_save(t) : TL_OK;
}

/* ---- All of it ---- */

/* What process 0 found in the folder, or fitted, for all. */
static tl_status share_beginning(tl_loop *t, bool *resumed, bool *head)
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
static void settle_position(tl_loop *t)
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
static tl_status find_beginning(tl_loop *t, tl_checkpoint *k, bool *head)
{
    TL_TRY(find_checkpoint(t, k));
    *head = false;
    return t->task->prepare ? t->task->prepare(t, k->model != NULL, head) : TL_OK;
}

/* Process 0 alone: what needs the plans, and the first lines of the records. */
static tl_status restore(tl_loop *t, const tl_checkpoint *k)
{
    if (k->model) {
        TL_TRY(tl_checkpoint_restore(k, &t->weights));
        tl_weights_swap(&t->weights); /* the model holds averages, the arrays the raw weights */
        if (t->s.best_epoch >= 0) TL_TRY(tl_checkpoint_mark(&t->files, "_best", t->s.best_epoch)); /* a crash may have come before */
    }
    TL_TRY(record(t, NULL, 0));
    return tl_statusjson_add(t->status, &(tl_run_event){ .state = TL_RUN_STARTED, .message = k->model ? "training resumed" : "training started" });
}

static tl_status begin(tl_loop *t)
{
    tl_checkpoint k = { 0 };
    bool head = false, resumed;
    TL_TRY(open_outputs(t));
    if (tl_loop_first(t)) TL_TRY(find_beginning(t, &k, &head));
    resumed = k.model != NULL;
    TL_TRY(share_beginning(t, &resumed, &head));
    TL_TRY(make_trunk(t));
    TL_TRY(tl_features_cache(t->a, t->c, &t->trunk));
    TL_TRY(make_loaders(t));
    settle_position(t);
    TL_TRY(make_plans(t));
    if (tl_loop_first(t)) TL_TRY(restore(t, &k));
    if (resumed) TL_TRY(tl_share_weights(t->c->dist, t->c->model->g, &t->weights));
    if (t->task->begin) TL_TRY(t->task->begin(t));
    if (!head) return TL_OK;
    TL_TRY(t->task->judge(t));
    return tl_share_weights(t->c->dist, t->c->model->g, NULL);
}

static tl_status finish(tl_loop *t, tl_train_result *out)
{
    const int told = t->c->val ? t->s.best_epoch : t->s.epoch;
    TL_CHECK(told >= 0, TL_ESPEC, "n_epochs is 0, and there is no head to fit: that takes a pretrained_model_path, neither optimizer nor lr_config, "
             "and a network that ends in one dense layer");
    *out = (tl_train_result){ told, t->s.best_acc, t->s.best_loss, t->last_score, t->s.frozen_acc, NULL };
    TL_NEW(out->best_path = tl_checkpoint_path(t->a, &t->files, told, t->c->key && t->c->key[0] ? ".tlt" : ".onnx"));
    if (!tl_loop_first(t)) return TL_OK;
    if (t->task->finish) TL_TRY(t->task->finish(t, out));
    return tl_statusjson_add(t->status, &(tl_run_event){ .state = TL_RUN_SUCCESS, .message = t->task->success });
}

static tl_status run(tl_loop *t, tl_train_result *out)
{
    double rate = 0;
    TL_TRY(begin(t));
    t->started = tl_now();
    t->first_step = t->s.step;
    while (t->s.epoch < tl_loop_epochs(t)) {
        if (stopping(t)) return stop(t);
        TL_TRY(train_epoch(t, &rate));
        TL_TRY(end_epoch(t, rate));
    }
    return finish(t, out);
}

static const tl_task *task_of(const tl_model *m)
{
    int i = 0;
    while (strcmp(tl_tasks[i]->head, m->head->name)) i++;
    return tl_tasks[i];
}

tl_status tl_train_plan(tl_arena *a, const tl_trainer_conf *c, tl_plan **out)
{
    tl_loop *t = tl_new(a, tl_loop, 1); /* as long as the plan, whose graph is in it */
    TL_NEW(t);
    *t = (tl_loop){ .c = c, .a = a, .task = task_of(c->model) };
    TL_TRY(make_trunk(t));
    TL_TRY(plan_step(t));
    *out = t->plan;
    return TL_OK;
}

tl_status tl_train(tl_arena *a, const tl_trainer_conf *c, tl_train_result *out)
{
    tl_loop t = { .c = c, .a = a, .task = task_of(c->model), .saved = -1, .s = { .best_epoch = -1, .frozen_acc = -1 } };
    tl_status s = run(&t, out);
    if (t.trunk.rows) tl_rows_leave(t.trunk.rows, !s);
    if (s && t.status && tl_loop_first(&t)) {
        const char *why = tl_strdup(a, tl_errmsg());
        if (s == TL_EDATA && t.load && (t.load_val || !c->val)) (void)tell_unreadable(&t);
        (void)tl_statusjson_add(t.status, &(tl_run_event){ .state = TL_RUN_FAILURE, .message = why });
        if (why) tl_fail_again(s, why); /* the first failure is the one to report */
    }
    return s;
}
