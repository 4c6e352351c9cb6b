/* detect.c - training DetectNet_v2. SPDX-License-Identifier: MIT
 *
 * After each epoch the weights of the costs are set anew (autoweighting): what a cost is to weigh over what it came to, within
 * limits. So none of them drowns the others, however far one has fallen. They lie in the parameter of the node "loss".
 *
 * The costs are means over all cells, nearly all of which are empty: some thousandths. A teacher's terms, shares of a map, weigh so little
 * that together they come to about as much. */
#include "listen.h"
#include "loop.h"
#include "text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    float  *w;       /* 2 x classes: of coverage by class, of the sides by class */
    double *sum;     /* of the costs, likewise, over this process' steps of the epoch */
    double *ap;      /* of the last validation */
} own;

static int costs_of(const tl_loop *t) { return 2 * t->c->detect->classes; }
static tl_val costs(const tl_loop *t) { return (tl_val){ t->c->model->g->node[t->label_loss.i].x[0] }; }
static tl_vals keep(const tl_loop *t) { return (tl_vals){ 2, { costs(t), t->label_loss } }; }

/* ---- Weights of the costs ---- */

static void set_weights(const tl_loop *t)
{
    const tl_detect_goal *q = t->c->detect;
    const own *o = t->own;
    float *to = t->c->model->g->node[t->label_loss.i].p[0].w;
    for (int i = 0; i < costs_of(t); i++) to[i] = q->class_weight[i % q->classes] * o->w[i];
}

/* To be found again in a checkpoint. */
static void remember(tl_loop *t)
{
    const own *o = t->own;
    const int n = costs_of(t);
    t->s.nkept = 2 * n;
    for (int i = 0; i < n; i++) {
        t->s.kept[i] = (double)o->w[i];
        t->s.kept[n + i] = o->sum[i];
    }
}

static tl_status begin(tl_loop *t)
{
    const tl_detect_goal *q = t->c->detect;
    const int n = costs_of(t);
    own *o = tl_new(t->a, own, 1);
    TL_CHECK(2 * n <= TL_KEPT, TL_EUNSUP, "%d classes are too many: at most %d are supported", q->classes, TL_KEPT / 4);
    TL_NEW(t->own = o);
    TL_NEW(o->w = tl_new(t->a, float, n));
    TL_NEW(o->sum = tl_new(t->a, double, n));
    TL_NEW(o->ap = tl_new(t->a, double, q->classes));
    for (int k = 0; k < q->classes; k++) o->ap[k] = (double)NAN;
    const bool known = t->s.nkept == 2 * n;
    for (int i = 0; i < n; i++) {
        o->w[i] = known ? (float)t->s.kept[i] : q->initial[i];
        if (known && tl_loop_first(t)) o->sum[i] = t->s.kept[n + i]; /* that of all processes */
    }
    set_weights(t);
    remember(t);
    return TL_OK;
}

static void count(tl_loop *t, const tl_batch *b, tl_tally *y)
{
    const float *c = tl_plan_value(t->plan, costs(t)).f;
    own *o = t->own;
    (void)b; (void)y;
    for (int i = 0; i < costs_of(t); i++) o->sum[i] += (double)c[i];
}

void tl_detect_weigh(const tl_detect_goal *q, int k, const double *sum, float *w)
{
    const int n = q->classes;
    double u[2], all = 0;
    for (int i = 0; i < 2; i++) {
        u[i] = sum[k + i * n] > 0 ? (double)q->goal[k + i * n] / sum[k + i * n] : 0;
        all += u[i];
    }
    for (int i = 0; i < 2 && all > 0; i++) w[k + i * n] = (float)fmin(fmax(u[i] / all, (double)q->least), (double)q->most);
}

static tl_status gather(tl_loop *t, bool epoch_done)
{
    const tl_detect_goal *q = t->c->detect;
    const int n = costs_of(t), size = tl_dist_size(t->c->dist);
    own *o = t->own;
    double *all = tl_new(t->a, double, n * size);
    TL_NEW(all);
    TL_TRY(tl_dist_gather(t->c->dist, o->sum, (size_t)n * sizeof *all, all));
    for (int i = 0; i < n; i++) {
        o->sum[i] = 0;
        for (int r = 0; r < size; r++) o->sum[i] += all[r * n + i];
    }
    for (int k = 0; epoch_done && q->autoweight && k < q->classes; k++) tl_detect_weigh(q, k, o->sum, o->w);
    for (int i = 0; epoch_done && i < n; i++) o->sum[i] = 0;
    set_weights(t);
    remember(t);
    return TL_OK;
}

/* ---- Validation ---- */

/* The lists of all processes, in their order; one: bytes of an item. */
static tl_status share_list(tl_arena *a, tl_dist *d, tl_list *list, size_t one)
{
    const int size = tl_dist_size(d);
    int *n = tl_new(a, int, size), most = 0, total = 0;
    if (!d) return TL_OK;
    TL_NEW(n);
    TL_TRY(tl_dist_gather(d, &list->n, sizeof *n, n));
    for (int r = 0; r < size; r++) most = n[r] > most ? n[r] : most, total += n[r];
    const size_t wide = one * (size_t)most;
    char *mine = tl_alloc(a, wide + 1), *all = tl_alloc(a, wide * (size_t)size + 1), *to = tl_alloc(a, one * (size_t)total + 1);
    TL_NEW(mine && all && to ? mine : NULL);
    if (list->n) memcpy(mine, list->at, one * (size_t)list->n);
    TL_TRY(tl_dist_gather(d, mine, wide, all));
    *list = (tl_list){ total, to };
    for (int r = 0; r < size; to += one * (size_t)n[r], r++) memcpy(to, all + (size_t)r * wide, one * (size_t)n[r]);
    return TL_OK;
}

static tl_status measure(tl_loop *t, tl_arena *a, tl_validation *v)
{
    const tl_detect_goal *q = t->c->detect;
    own *o = t->own;
    tl_detect_sums s;
    double cost[2], *all = tl_new(a, double, 2 * tl_dist_size(t->c->dist));
    TL_NEW(all);
    TL_TRY(tl_detect_run(a, &(tl_detect_pass){ .plan = t->eval, .trunk = &t->trunk, .model = t->c->model, .d = t->c->val, .load = t->load_val,
        .clustering = q->clustering, .target = t->target, .loss = t->label_loss }, &s));
    TL_TRY(share_list(a, t->c->dist, &s.truth, sizeof(tl_truth)));
    TL_TRY(share_list(a, t->c->dist, &s.found, sizeof(tl_detection)));
    cost[0] = s.cost;
    cost[1] = s.pictures;
    TL_TRY(tl_dist_gather(t->c->dist, cost, sizeof cost, all));
    for (int r = 1; r < tl_dist_size(t->c->dist); r++) all[0] += all[2 * r], all[1] += all[2 * r + 1];
    TL_CHECK(all[1] > 0, TL_EDATA, "no validation picture could be read");
    v->loss = all[0] / all[1];
    return tl_detectnet_precision(a, s.truth.at, s.truth.n, s.found.at, s.found.n, &q->metric, o->ap, &v->score);
}

static tl_status validate(tl_loop *t, tl_validation *v)
{
    tl_arena *a = tl_arena_new();
    TL_NEW(a);
    tl_status s = measure(t, a, v);
    tl_arena_free(a);
    return s;
}

static bool better(const tl_loop *t, const tl_validation *v)
{
    return v->score > t->s.best_acc || (!(v->score < t->s.best_acc) && v->loss < t->s.best_loss);
}

/* ---- Telling ---- */

static int figures(const tl_loop *t, const tl_validation *v, double rate, tl_figure out[TL_FIGURES], int *results)
{
    const tl_detect_goal *q = t->c->detect;
    const own *o = t->own;
    int n = 0;
    out[n++] = (tl_figure){ "loss", tl_loop_loss(t) };
    out[n++] = (tl_figure){ "lr", rate };
    *results = n;
    for (int k = 0; k < q->classes; k++) {
        const char *name = tl_printf(t->a, "AP_%s", q->names[k]);
        out[n++] = (tl_figure){ name ? name : "AP", v && v->done ? o->ap[k] : (double)NAN };
    }
    out[n++] = (tl_figure){ "mAP", v ? v->score : 0 };
    out[n++] = (tl_figure){ "validation_loss", v ? v->loss : 0 };
    return n;
}

static void time_text(double s, char out[32])
{
    snprintf(out, 32, "%d:%02d:%06.3f", (int)(s / 3600), (int)(s / 60) % 60, fmod(s, 60));
}

/* monitor.json, which the original keeps for programs that watch. */
static tl_status monitor(const tl_loop *t, const char *spent, const char *left)
{
    const char *path = tl_path_join(t->a, t->c->results, "monitor.json");
    const char *text = tl_printf(t->a, "{\"cur_epoch\": %d, \"max_epoch\": %d, \"loss\": %.6g, \"time_per_epoch\": \"%s\", \"ETA\": \"%s\"}\n",
                                 t->s.epoch + 1, tl_loop_epochs(t), tl_loop_loss(t), spent, left);
    TL_NEW(path && text ? path : NULL);
    return tl_file_write(path, text, strlen(text));
}

static tl_status tell(tl_loop *t, const tl_validation *v, double rate, bool best)
{
    const tl_detect_goal *q = t->c->detect;
    const own *o = t->own;
    char spent[32], left[32];
    const char *table;
    (void)rate;
    time_text(t->s.seconds, spent);
    time_text(t->s.seconds * (tl_loop_epochs(t) - t->s.epoch - 1), left);
    tl_say(&t->c->listener, "Epoch %d/%d: loss: %.5f Time taken: %s ETA: %s\n", t->s.epoch + 1, tl_loop_epochs(t), tl_loop_loss(t), spent, left);
    if (tl_loop_first(t)) TL_TRY(monitor(t, spent, left));
    if (!v->done) return TL_OK;
    TL_TRY(tl_detectnet_table(t->a, q->names, o->ap, q->classes, v->score, v->loss, &table));
    tl_say(&t->c->listener, "%s%s", table, best ? "the best so far\n" : "");
    return TL_OK;
}

static tl_status finish(tl_loop *t, const tl_train_result *r)
{
    (void)r;
    return tl_checkpoint_mark(&t->files, "", t->s.epoch);
}

const tl_task tl_task_detect = {
    .head = "detectnet_v2", .success = "DetectNet_v2 training job complete.", .teaching = 2e-4f, .keep = keep, .begin = begin, .count = count, .validate = validate,
    .better = better, .gather = gather, .figures = figures, .tell = tell, .finish = finish,
};
