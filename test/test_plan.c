/* test_plan.c - plans: sharing of memory, links, freezing, threads, failure. SPDX-License-Identifier: MIT */
#include "nets.h"
#include <malloc.h>
#include <stdio.h>

/* ---- Networks --------------------------------------------------------------------------------- */

static tl_plan *new_plan(tl_arena *a, const tl_graph *g, int batch, bool keep_all, bool unlinked)
{
    tl_val *all = tl_new(a, tl_val, g->n);
    tl_plan *p;
    for (int i = 0; i < g->n; i++) all[i].i = i;
    const tl_plan_conf conf = { .batch = batch, .train = true, .loss = { tl_graph_find(g, "loss") }, .keep = all,
                                .nkeep = keep_all ? g->n : 0, .input_grads = true,
                                .unlinked = unlinked };
    ok(tl_plan_new(g, a, &conf, &p));
    for (int i = 0, input = 0; i < g->n; i++)
        if (!g->node[i].nx) fill(p->io[i].y.f, tl_count(p->io[i].y.s), (uint64_t)++input);
    p->seed = 7;
    return p;
}

static tl_plan *training_plan(tl_arena *a, const tl_graph *g, int batch, bool keep_all)
{
    return new_plan(a, g, batch, keep_all, false);
}

static void step(tl_plan *p)
{
    ok(tl_plan_forward(p));
    ok(tl_plan_backward(p));
}

/* ---- Without sharing: every value and gradient in memory of its own --------------------------- */

static tl_tensor own(tl_arena *a, tl_shape s)
{
    tl_tensor t;
    ok(tl_tensor_init(a, &t, s, TL_F32));
    return t;
}

/* Runs p, which keeps all and so absorbs nothing, with the plainest of executors. */
static void step_unshared(tl_arena *a, tl_plan *p)
{
    for (int j = 0; j < p->nforward; j++) {
        tl_io *io = &p->io[p->forward[j]];
        tl_tensor y = own(a, io->y.s);
        if (!io->nx) memcpy(y.f, io->y.f, tl_count(y.s) * sizeof(float));
        io->y = y;
        io->dy = own(a, io->y.s);
        for (int k = 0; k < io->nx; k++) io->x[k] = p->io[p->g->node[p->forward[j]].x[k]].y;
        io->seed = tl_rng_at(p->seed, (uint64_t)p->forward[j], 0, 0).s;
        ok(io->kernel.forward(io));
    }
    p->io[p->conf.loss.i].dy.f[0] = 1;
    for (int j = 0; j < p->nbackward; j++) {
        const tl_node *d = &p->g->node[p->backward[j].node];
        tl_io *io = &p->io[p->backward[j].node];
        for (int k = 0; k < io->nx; k++)
            if (io->want_dx[k]) io->dx[k] = own(a, io->x[k].s);
        ok(io->kernel.backward(io));
        for (int k = 0; k < io->nx; k++)
            for (size_t i = 0; io->want_dx[k] && i < tl_count(io->dx[k].s); i++)
                p->io[d->x[k]].dy.f[i] += io->dx[k].f[i];
    }
}

/* How far q's loss, gradients and input gradients are from p's; relative to the largest of each parameter, small
 * ones to the largest of all. */
static double gradient_difference(const tl_plan *p, const tl_plan *q)
{
    double most = 0, worst = fabs((double)p->io[p->conf.loss.i].y.f[0] - (double)q->io[q->conf.loss.i].y.f[0]);
    TL_EACH_PARAM(p->g, i, k)
        for (size_t j = 0; p->io[i].p[k].g && j < tl_dims_count(p->io[i].p[k].dims); j++)
            most = fmax(most, fabs((double)p->io[i].p[k].g[j]));
    TL_EACH_PARAM(p->g, i, k) {
        const tl_param *a = &p->io[i].p[k], *b = &q->io[i].p[k];
        int n = (int)tl_dims_count(a->dims);
        if (!a->g != !b->g) return (double)INFINITY;
        if (!a->g) continue;
        tl_tensor x = { .s = { 1, n, 1, 1 }, .f = a->g }, y = { .s = { 1, n, 1, 1 }, .f = b->g };
        double own_most = 1e-30;
        for (int j = 0; j < n; j++) own_most = fmax(own_most, fabs((double)a->g[j]));
        worst = fmax(worst, difference(x, y) * own_most / fmax(own_most, 1e-2 * most));
    }
    return fmax(worst, difference(p->io[0].dy, q->io[0].dy));
}

/* ---- Tests ------------------------------------------------------------------------------------ */

static void shared_memory_gives_the_gradients_of_unshared(void **state)
{
    (void)state;
    const tl_backbone *b;
    for (int i = -1; i < 0 || (b = tl_backbone_at(i)); i++) {
        if (i >= 0 && b->layers > 50) continue; /* the same units as 50 layers, in three times the memory */
        tl_arena *a = tl_arena_new();
        tl_graph *g, *h;
        if (i < 0) {
            g = small_training(a);
        } else {
            tl_model *m;
            ok(random_model(a, b, &(tl_backbone_conf){ .bn = true, .pooling = b->layers > 34 }, 64, &m));
            g = m->g;
            add_loss(g, m->raw);
            ok(g->status);
        }
        ok(tl_graph_copy(g, a, &h));
        tl_plan *p = new_plan(a, g, 2, false, true), *q = new_plan(a, h, 2, true, true); /* the same arithmetic */
        step(p);
        step_unshared(a, q);
        double d = gradient_difference(q, p);
        if (!(d < 1e-4)) fail_msg("%s: off by %g", i < 0 ? "small net" : b->arch, d);
        if (i >= 0) assert_true(p->bytes < q->bytes);
        tl_arena_free(a);
    }
}

/* A net in which batch norms lie between all kinds of convolutions. Nothing is near a kink that rounding might cross: where slopes
 * differ little, so do gradients. */
static tl_val between_convolutions(tl_graph *g)
{
    tl_val x = OP(g, "x", input, NO_INPUT, 3, 16, 16), y;
    x = OP(g, "stem", conv2d, IN(x), .out = 8, .pad = 1, .nobias = true);
    x = OP(g, "bn0", bn, IN(x), 0);
    y = x = OP(g, "act0", relu, IN(x), .slope = 0.9f);
    x = OP(g, "expand", conv2d, IN(x), .out = 24, .k = 1, .nobias = true);
    x = OP(g, "bn1", bn, IN(x), 0);
    x = OP(g, "act1", relu, IN(x), .slope = 0.9f);
    x = OP(g, "dw", conv2d, IN(x), .out = 24, .groups = 24, .pad = 1, .nobias = true);
    x = OP(g, "bn2", bn, IN(x), 0);
    x = OP(g, "act2", relu, IN(x), .slope = 0.9f);
    x = OP(g, "project", conv2d, IN(x), .out = 8, .k = 1, .nobias = true);
    x = OP(g, "bn3", bn, IN(x), 0);
    x = OP(g, "add", add, IN(x, y), 0);
    x = OP(g, "expand2", conv2d, IN(x), .out = 16, .k = 1, .nobias = true);
    x = OP(g, "bn4", bn, IN(x), 0);
    x = OP(g, "act4", relu, IN(x), .slope = 0.9f);
    x = OP(g, "dw2", conv2d, IN(x), .out = 16, .groups = 16, .stride = 2, .pad = 1, .nobias = true);
    x = OP(g, "bn5", bn, IN(x), 0);
    x = OP(g, "point", conv2d, IN(x), .out = 12, .k = 1, .stride = 2, .nobias = true);
    x = OP(g, "bn6", bn, IN(x), 0);
    x = OP(g, "act6", relu, IN(x), .slope = 0.9f); /* which "last", having a bias, does not apply */
    x = OP(g, "last", conv2d, IN(x), .out = 5, .k = 1);
    return OP(g, "gap", gap, IN(x), 0);
}

/* Which links there are, by the batch norm's name: s(ummed), t(hrough), u(ndone). */
static void links_are(const tl_plan *p, const char *want)
{
    char got[256] = "";
    for (int i = 0; i < p->g->n; i++) {
        const tl_link *l = p->io[i].link;
        if (l) snprintf(got + strlen(got), sizeof got - strlen(got), "%s:%s%s%s ", p->g->node[i].name, l->summed ? "s" : "",
                        l->through ? "t" : "", l->undone ? "u" : "");
    }
    assert_string_equal(got, want);
}

static void linked_batch_norms_are_unlinked_ones(void **state)
{
    (void)state;
    for (int fixed = 0; fixed < 2; fixed++) {
        tl_arena *a = tl_arena_new();
        tl_graph *g = tl_graph_new(a), *h;
        add_loss(g, between_convolutions(g));
        ok(g->status);
        ok(randomize(g, 3));
        g->node[tl_graph_find(g, "bn1")].fixed_stats = fixed;
        ok(tl_graph_copy(g, a, &h));
        tl_plan *p = training_plan(a, g, 4, false), *q = new_plan(a, h, 4, false, true);
        links_are(q, "");
        links_are(p, fixed ? "bn1:tu bn2:stu bn3:su bn4:stu bn5:stu bn6:su " : "bn1:stu bn2:stu bn3:su bn4:stu bn5:stu bn6:su ");
        for (int run = 0; run < 2; run++) {
            step(p);
            step(q);
            double d = gradient_difference(q, p);
            if (!(d < 3e-5)) fail_msg("off by %g", d);
        }
        assert_true(p->bytes < q->bytes);
        tl_arena_free(a);
    }
}

/* Whatever the last step left in the shared memory, the next one does not read it. */
static void a_step_depends_on_its_input_only(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_graph *g = small_training(a), *h;
    ok(tl_graph_copy(g, a, &h));
    tl_plan *p = training_plan(a, g, 3, false), *q = training_plan(a, h, 3, false);
    step(p);
    for (int j = 0; j < q->nforward; j++) {
        tl_io *io = &q->io[q->forward[j]];
        for (size_t i = 0; io->nx && i < tl_count(io->y.s); i++) io->y.f[i] = NAN;
        for (size_t i = 0; io->dy.f && i < tl_count(io->y.s); i++) io->dy.f[i] = NAN;
    }
    step(q);
    assert_true(gradient_difference(p, q) == 0);
    tl_arena_free(a);
}

static void running_allocates_nothing(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_plan *p = training_plan(a, small_training(a), 4, false);
    for (int i = 0; i < 3; i++) step(p);
    size_t held = tl_arena_bytes(a), before, after = 0;
    int grown = 0;
    do { /* the OpenMP library allocates once in a while, for itself; what a step does it does every time */
        before = mallinfo2().uordblks;
        for (int i = 0; i < 5; i++) step(p);
        after = mallinfo2().uordblks;
    } while (after != before && ++grown < 4);
    assert_int_equal(tl_arena_bytes(a), held);
    assert_int_equal(after, before);
    tl_arena_free(a);
}

/* Plans are made for the threads that run them: 1 and 3 here, every kernel of every backbone. */
static void threads_change_no_bit(void **state)
{
    (void)state;
    const tl_backbone *b;
    for (int i = 0; (b = tl_backbone_at(i)); i++) {
        if (b->layers == 34 || b->layers == 101) continue; /* the same units as 18 and 50 */
        tl_arena *a = tl_arena_new();
        tl_graph *h;
        tl_model *m;
        ok(random_model(a, b, &(tl_backbone_conf){ .bn = true, .pooling = b->layers > 34 }, 64, &m));
        add_loss(m->g, m->raw);
        ok(m->g->status);
        ok(tl_graph_copy(m->g, a, &h));
        tl_dnn_threads(1);
        tl_plan *p = training_plan(a, m->g, 3, false);
        step(p);
        tl_dnn_threads(3);
        tl_plan *q = training_plan(a, h, 3, false);
        step(q);
        double d = gradient_difference(p, q);
        if (d != 0) fail_msg("%s %d: off by %g", b->arch, b->layers, d);
        TL_EACH_PARAM(h, n, k) /* running statistics too */
            assert_memory_equal(m->g->node[n].p[k].w, h->node[n].p[k].w, tl_dims_count(h->node[n].p[k].dims) * sizeof(float));
        tl_arena_free(a);
    }
    tl_dnn_threads(0);
}

static void four_pictures_are_learned_by_heart(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_graph *g = tl_graph_new(a);
    add_loss(g, small_net(g, 16));
    ok(tl_graph_init(g, 3));
    tl_plan *p = training_plan(a, g, 4, false);
    float *target = tl_plan_value(p, (tl_val){ tl_graph_find(g, "target") }).f,
          *loss = tl_plan_value(p, p->conf.loss).f, first = 0;
    for (int i = 0; i < 16; i++) target[i] = i % 5 == 0;
    for (int s = 0; s < 30; s++) {
        p->seed = (uint64_t)s;
        step(p);
        if (!s) first = *loss;
        TL_EACH_PARAM(g, i, k) {
            const tl_param *w = &p->io[i].p[k];
            for (size_t j = 0; w->g && j < tl_dims_count(w->dims); j++) w->w[j] -= 0.2f * w->g[j];
        }
    }
    if (!(*loss < 0.1f * first)) fail_msg("loss %g after 30 steps, %g before", (double)*loss, (double)first);
    tl_arena_free(a);
}

static void frozen_layers_cost_no_backward(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_graph *g = small_training(a), *h;
    tl_plan *p, *q;
    ok(tl_graph_copy(g, a, &h));
    int last = tl_graph_find(g, "conv3");
    TL_EACH_PARAM(h, i, k) h->node[i].p[k].frozen = i < last;
    tl_plan_conf conf = { .batch = 2, .train = true, .loss = { tl_graph_find(g, "loss") } };
    ok(tl_plan_new(g, a, &conf, &p));
    ok(tl_plan_new(h, a, &conf, &q));
    for (int i = 0; i < g->n; i++)
        if (!g->node[i].nx) {
            fill(p->io[i].y.f, tl_count(p->io[i].y.s), 1);
            fill(q->io[i].y.f, tl_count(q->io[i].y.s), 1);
        }
    step(p);
    step(q);
    assert_int_equal(q->nbackward, 5); /* loss, scores, gap, bn3 with relu3, conv3 */
    assert_true(q->bytes < p->bytes);
    TL_EACH_PARAM(h, i, k) {
        const tl_param *r = &q->io[i].p[k];
        if (i < last) assert_null(r->g);
        else if (!h->node[i].op->param[k].stat)
            assert_memory_equal(r->g, p->io[i].p[k].g, tl_dims_count(r->dims) * sizeof(float));
    }
    TL_EACH_PARAM(h, i, k) h->node[i].p[k].frozen = true;
    ok(tl_plan_new(h, a, &conf, &q));
    assert_int_equal(q->nbackward, 0);
    step(q);
    h->node[last].p[1].frozen = false;
    assert_int_equal(tl_plan_new(h, a, &conf, &q), TL_EUNSUP);
    assert_non_null(strstr(tl_errmsg(), "conv3.weight is frozen, other parameters of conv3 are not"));
    tl_arena_free(a);
}

typedef struct { const tl_plan *p; float *seen; size_t ready; } watcher;

static tl_status note_ready(void *ctx, size_t ready)
{
    watcher *w = ctx;
    assert_in_range(ready, w->ready, w->p->ngrads);
    memcpy(w->seen + w->ready, w->p->grads + w->ready, (ready - w->ready) * sizeof(float));
    w->ready = ready;
    return w->ready == w->p->ngrads ? TL_EIO : TL_OK; /* an error is passed on */
}

/* What is said to be final is, and in the end that is everything. */
static void gradients_are_final_when_they_are_said_to_be(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_graph *g = small_training(a);
    tl_plan *p;
    tl_plan_conf conf = { .batch = 2, .train = true, .loss = { tl_graph_find(g, "loss") } };
    ok(tl_plan_new(g, a, &conf, &p));
    for (int i = 0; i < g->n; i++)
        if (!g->node[i].nx) fill(p->io[i].y.f, tl_count(p->io[i].y.s), 1);
    watcher w = { p, tl_new(a, float, p->ngrads), 0 };
    p->after = note_ready;
    p->after_ctx = &w;
    ok(tl_plan_forward(p));
    assert_int_equal(tl_plan_backward(p), TL_EIO);
    assert_int_equal(w.ready, p->ngrads);
    assert_memory_equal(w.seen, p->grads, p->ngrads * sizeof(float));
    TL_EACH_PARAM(g, i, k) {
        const tl_param *q = &p->io[i].p[k];
        if (!q->g) continue;
        assert_in_range(q->g - p->grads, 0, p->ngrads - tl_dims_count(q->dims));
        assert_int_equal((uintptr_t)q->g % 64, 0);
    }
    tl_arena_free(a);
}

static void profiling_counts_time(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_plan *p = training_plan(a, small_training(a), 2, false);
    int conv = tl_graph_find(p->g, "conv2");
    ok(tl_plan_profile(p));
    step(p);
    assert_true(p->seconds[conv] > 0 && p->seconds[p->g->n + conv] > 0);
    tl_arena_free(a);
}

/* ---- Out of memory ---------------------------------------------------------------------------- */

static tl_status work(void)
{
    tl_arena *a = tl_arena_new();
    tl_graph *g, *out;
    tl_plan *p;
    tl_onnx *m;
    tl_bytes file;
    tl_prune_result r;
    const char *text;
    TL_NEW(a);
    tl_status s = (g = tl_graph_new(a)) ? TL_OK : TL_ENOMEM;
    if (!s) g->output = small_net(g, 8).i;
    if (!s) s = tl_graph_init(g, 1);
    if (!s) s = tl_graph_dump(g, a, &text);
    if (!s) s = tl_fold(g, a, &out);
    if (!s) s = tl_prune(g, a, &(tl_prune_opts){ .granularity = 1, .min = 1, .macs = 0.9 }, &out, &r);
    if (!s) s = tl_graph_to_onnx(g, a, 0, true, &m);
    if (!s) s = tl_onnx_pack(a, m, &file);
    if (!s) s = tl_onnx_parse(a, file, &m);
    if (!s) s = tl_graph_from_onnx(m, a, &out);
    if (!s) add_loss(g, (tl_val){ g->output });
    if (!s) s = tl_plan_new(g, a, &(tl_plan_conf){ .batch = 1, .train = true, .loss = { g->n - 1 } }, &p);
    if (!s) s = tl_plan_forward(p);
    if (!s) s = tl_plan_backward(p);
    if (!s) s = tl_plan_new(g, a, &(tl_plan_conf){ .batch = 8, .cache = 1 }, &p);
    if (!s) s = tl_plan_forward(p);
    tl_arena_free(a);
    return s;
}

static void running_out_of_memory_is_an_error_anywhere(void **state)
{
    (void)state;
    int n = 0;
    for (;; n++) {
        tl_oom_countdown = n;
        tl_status s = work();
        bool fired = tl_oom_countdown < 0;
        tl_oom_countdown = -1;
        if (!fired) break;
        if (s != TL_ENOMEM) fail_msg("allocation %d failed, status %d: %s", n, s, tl_errmsg());
    }
    ok(work());
    assert_true(n > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_memory_gives_the_gradients_of_unshared),
        cmocka_unit_test(linked_batch_norms_are_unlinked_ones),
        cmocka_unit_test(a_step_depends_on_its_input_only),
        cmocka_unit_test(running_allocates_nothing),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(four_pictures_are_learned_by_heart),
        cmocka_unit_test(frozen_layers_cost_no_backward),
        cmocka_unit_test(gradients_are_final_when_they_are_said_to_be),
        cmocka_unit_test(profiling_counts_time),
        cmocka_unit_test(running_out_of_memory_is_an_error_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
