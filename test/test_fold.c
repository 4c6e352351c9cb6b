/* test_fold.c - folding batch norm changes no result. SPDX-License-Identifier: MIT */
#include "support.h"

static int count(const tl_graph *g, const tl_op *op)
{
    int n = 0;
    for (int i = 0; i < g->n; i++) n += g->node[i].op == op;
    return n;
}

static void every_backbone_computes_the_same_without_batch_norm(void **state)
{
    (void)state;
    const tl_backbone *b;
    for (int i = 0; (b = tl_backbone_at(i)); i++)
        for (int bias = 0; bias < 2; bias++) {
            if (b->layers > 18 && bias != b->layers / 10 % 2) continue; /* deep ones have one style each: time */
            tl_arena *a = tl_arena_new();
            tl_model *m;
            tl_graph *f;
            tl_tensor want, got;
            ok(random_model(a, b, &(tl_backbone_conf){ .bn = true, .bias = bias, .all_projections = bias }, 64, &m));
            ok(tl_fold(m->g, a, &f));
            int folded = count(m->g, &tl_op_bn);
            assert_int_equal(count(f, &tl_op_bn), 0);
            assert_int_equal(f->n, m->g->n - folded);
            assert_true(folded > 5 || !strcmp(b->arch, "squeezenet"));
            ok(answer(a, m->g, 2, &want));
            ok(answer(a, f, 2, &got));
            if (difference(want, got) > 1e-4) fail_msg("%s: off by %g", m->arch, difference(want, got));
            tl_arena_free(a);
        }
}

/* A batch norm stays where what it reads is read by others too, is the answer, or comes from no weights. */
static void what_others_read_is_left_alone(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_graph *g = tl_graph_new(a), *f;
    tl_tensor want, got;
    tl_val x = OP(g, "x", input, NO_INPUT, 3, 8, 8), y;
    x = OP(g, "bn0", bn, IN(x), 0);
    x = OP(g, "conv1", conv2d, IN(x), .out = 6);
    y = OP(g, "bn1", bn, IN(x), 0);
    x = OP(g, "sum", add, IN(x, y), 0);
    x = OP(g, "dw", conv2d, IN(x), .out = 6, .groups = 6, .nobias = true);
    x = OP(g, "dw_bn", bn, IN(x), 0);
    x = OP(g, "dw_bn2", bn, IN(x), 0);
    x = OP(g, "gap", gap, IN(x), 0);
    x = OP(g, "fc", dense, IN(x), .out = 5);
    x = OP(g, "fc_bn", bn, IN(x), 0);
    x = OP(g, "last", dense, IN(x), .out = 4);
    y = OP(g, "last_bn", bn, IN(x), 0);
    ok(g->status);
    ok(randomize(g, 4));
    for (int i = 0; i < 2; i++) {
        static const char *const gone[] = { "dw_bn", "fc_bn" }, *const left[] = { "bn0", "bn1", "dw_bn2" };
        g->output = i ? x.i : y.i; /* the last convolution's own value, or what batch norm makes of it */
        ok(tl_fold(g, a, &f));
        for (int j = 0; j < TL_LEN(gone); j++) assert_int_equal(tl_graph_find(f, gone[j]), -1);
        for (int j = 0; j < TL_LEN(left); j++) assert_true(tl_graph_find(f, left[j]) >= 0);
        assert_int_equal(tl_graph_find(f, "last_bn") >= 0, i);
        ok(answer(a, g, 3, &want));
        ok(answer(a, f, 3, &got));
        assert_true(difference(want, got) < 1e-5);
    }
    tl_arena_free(a);
}

static void the_original_is_untouched(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_graph *f, *twice;
    tl_tensor before, after, again;
    tl_model *m;
    const tl_backbone *b;
    ok(tl_backbone_find("mobilenet_v1", 0, &b));
    ok(random_model(a, b, &(tl_backbone_conf){ .bn = true, .alpha = 0.25f }, 32, &m));
    ok(answer(a, m->g, 1, &before));
    ok(tl_fold(m->g, a, &f));
    ok(answer(a, m->g, 1, &after));
    assert_true(difference(before, after) == 0);
    ok(tl_fold(f, a, &twice));
    ok(answer(a, f, 1, &after));
    ok(answer(a, twice, 1, &again));
    assert_int_equal(f->n, twice->n);
    assert_true(difference(after, again) == 0);
    tl_arena_free(a);
}

/* Tests of the test: a scale that forgets something is seen. */
static void scale_without_mean(const void *attr, const tl_param *p, int c, float *a, float *b)
{
    tl_op_bn.is_scale(attr, p, c, a, b);
    for (int k = 0; k < c; k++) b[k] = p[1].w[k];
}

static void a_wrong_scale_is_caught(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_op wrong = tl_op_bn;
    tl_tensor want, got;
    tl_graph *f;
    tl_model *m;
    wrong.is_scale = scale_without_mean;
    ok(random_model(a, tl_backbone_at(0), &(tl_backbone_conf){ .bn = true }, 32, &m));
    for (int i = 0; i < m->g->n; i++)
        if (m->g->node[i].op == &tl_op_bn) m->g->node[i].op = &wrong;
    ok(tl_fold(m->g, a, &f));
    ok(answer(a, m->g, 1, &want));
    ok(answer(a, f, 1, &got));
    assert_true(difference(want, got) > 1e-2);
    tl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_backbone_computes_the_same_without_batch_norm),
        cmocka_unit_test(what_others_read_is_left_alone),
        cmocka_unit_test(the_original_is_untouched),
        cmocka_unit_test(a_wrong_scale_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
