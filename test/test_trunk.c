/* test_trunk.c - what a training does not change, computed as in inference. SPDX-License-Identifier: MIT */
#include "support.h"
#include "train.h"

enum { SIZE = 64, BATCH = 6 };
static const char *const archs[] = { "mobilenet_v2", "resnet", "googlenet", "squeezenet", "efficientnet_lite0" };

static const tl_backbone *find(const char *arch)
{
    const tl_backbone *b;
    ok(tl_backbone_find(arch, !strcmp(arch, "resnet") ? 18 : 0, &b));
    return b;
}

/* Blocks 0 to last do not change; stats: nor do running statistics anywhere. */
static void freeze(tl_graph *g, int last, bool stats)
{
    for (int i = 0; i < g->n; i++) {
        tl_node *d = &g->node[i];
        d->fixed_stats = stats && d->op->is_scale;
        for (int k = 0; k < TL_MAX_PARAM; k++) d->p[k].frozen = d->block >= 0 && d->block <= last;
    }
}

/* smooth: activations without a kink, on which gradients would depend at the last bit. */
static tl_model *model(tl_arena *a, const char *arch, bool smooth, tl_vals *target, tl_val *loss)
{
    tl_model *m;
    ok(random_model(a, find(arch), &(tl_backbone_conf){ .bn = true, .act = { .op = smooth ? &tl_op_swish : NULL } }, SIZE, &m));
    *loss = tl_model_loss(m, target);
    ok(m->g->status);
    return m;
}

static void targets(tl_tensor t)
{
    memset(t.f, 0, tl_count(t.s) * sizeof(float));
    for (int i = 0; i < t.s.n; i++) t.f[i * t.s.c + i % t.s.c] = 1;
}

/* One step of a plan: scores, loss and gradients. */
static tl_plan *stepped(tl_arena *a, const tl_trunk *t, const tl_model *m, tl_val target, tl_val loss, const float *x)
{
    tl_plan *p;
    ok(tl_plan_new(&t->rest, a, &(tl_plan_conf){ .batch = BATCH, .train = true, .loss = loss, .keep = &m->raw, .nkeep = 1 }, &p));
    ok(tl_trunk_feed(t, x, p));
    targets(tl_plan_value(p, target));
    ok(tl_plan_forward(p));
    ok(tl_plan_backward(p));
    return p;
}

/* With everything frozen but the scores, and with the later half trained. */
static void front_and_rest_train_as_the_whole(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(archs); i++)
        for (int last = 3; last < 40; last += 36) {
            tl_arena *a = tl_arena_new();
            tl_vals target;
            tl_val loss;
            tl_trunk whole, parts;
            tl_model *m = model(a, archs[i], true, &target, &loss);
            float *x = tl_new(a, float, BATCH * SIZE * SIZE * 3);
            fill(x, BATCH * SIZE * SIZE * 3, 1);
            freeze(m->g, last, true);
            ok(tl_trunk_new(a, m, BATCH, true, &whole));
            ok(tl_trunk_new(a, m, BATCH, false, &parts));
            assert_true(!whole.front.plan && parts.front.plan && parts.cut.i > whole.cut.i);
            tl_plan *p = stepped(a, &whole, m, target.at[0], loss, x), *q = stepped(a, &parts, m, target.at[0], loss, x);
            assert_true(q->nforward < p->nforward);
            double d = difference(tl_plan_value(p, m->raw), tl_plan_value(q, m->raw));
            if (!(d < 1e-4)) fail_msg("%s to block %d: scores are off by %g", archs[i], last, d);
            TL_EACH_PARAM(m->g, n, k) {
                const tl_param *one = &p->io[n].p[k], *two = q->io[n].p ? &q->io[n].p[k] : NULL;
                assert_true((one->g != NULL) == (two && two->g));
                if (!one->g) continue;
                const tl_shape s = { 1, 1, 1, (int)tl_dims_count(one->dims) };
                d = difference((tl_tensor){ .s = s, .f = one->g }, (tl_tensor){ .s = s, .f = two->g });
                if (!(d < 1e-3)) fail_msg("%s to block %d, %s: gradients are off by %g", archs[i], last, m->g->node[n].name, d);
            }
            tl_arena_free(a);
        }
}

static const char *cut_of(tl_arena *a, const tl_model *m)
{
    tl_trunk t;
    ok(tl_trunk_new(a, m, BATCH, false, &t));
    return m->g->node[t.cut.i].name;
}

static void the_cut_is_where_change_begins(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_vals target;
    tl_val loss;
    tl_model *m = model(a, "resnet", false, &target, &loss);
    const struct { int last; bool stats; const char *cut; } rows[] = {
        { -1, true, "input_1" }, { 9, true, "avg_pool" }, { 9, false, "input_1" }, /* conv1 alone does not pay */
        { 3, true, "block_3b_relu" }, { 2, true, "block_2b_relu" },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        freeze(m->g, rows[i].last, rows[i].stats);
        assert_string_equal(cut_of(a, m), rows[i].cut);
    }
    freeze(m->g, 9, true);
    m->g->node[tl_graph_find(m->g, "block_2a_conv_2")].p[0].frozen = false; /* then the shortcut would be a second value */
    assert_string_equal(cut_of(a, m), "block_1b_relu");
    tl_arena_free(a);
}

static void dropout_changes(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_model *m;
    ok(random_model(a, find("mobilenet_v2"), &(tl_backbone_conf){ .bn = true, .dropout = 0.5f }, SIZE, &m));
    freeze(m->g, 99, true);
    assert_string_equal(cut_of(a, m), "avg_pool");
    tl_arena_free(a);
}

/* What a cache of features relies on, bit for bit: in another place, among other pictures. */
static void features_depend_on_nothing_but_the_picture(void **state)
{
    (void)state;
    enum { ONE = SIZE * SIZE * 3 };
    for (int i = 0; i < TL_LEN(archs); i++) {
        tl_arena *a = tl_arena_new();
        tl_vals target;
        tl_val loss;
        tl_model *m = model(a, archs[i], false, &target, &loss);
        tl_front f;
        const float *y;
        float *x = tl_new(a, float, 2 * BATCH * ONE);
        fill(x, 2 * BATCH * ONE, 1);
        ok(tl_front_new(a, m, (tl_val){ m->g->node[m->raw.i].x[0] }, BATCH, &f));
        size_t width = tl_count(tl_plan_value(f.plan, f.out).s) / BATCH;
        float *want = tl_new(a, float, width * BATCH);
        ok(tl_front_run(&f, x, &y));
        memcpy(want, y, sizeof(float) * width * BATCH);
        for (int shift = 1; shift < BATCH; shift++) {
            ok(tl_front_run(&f, x + shift * ONE, &y));
            if (memcmp(y, want + (size_t)shift * width, sizeof(float) * width * (size_t)(BATCH - shift)))
                fail_msg("%s: a picture %d places further has other features", archs[i], shift);
        }
        tl_arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(front_and_rest_train_as_the_whole),
        cmocka_unit_test(the_cut_is_where_change_begins),
        cmocka_unit_test(dropout_changes),
        cmocka_unit_test(features_depend_on_nothing_but_the_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
