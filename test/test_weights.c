/* test_weights.c - one step on all parameters: penalties, clipping, rates by block, averages.
 * SPDX-License-Identifier: MIT */
#include "tiny.h"

typedef struct {
    tl_recipe recipe;
    tl_model *m;
    tl_weights w;
    float *before[64], *grad[64];
} stepped;

static const tl_recipe plain = { .optimizer = { .kind = TL_SGD }, .block_decay = 1 };

/* This model, whose weights and gradients are known, after n steps of rate 0.5. */
static stepped *step_on(tl_model *m, const tl_recipe *r, int n)
{
    tl_vals target;
    tl_plan *p;
    stepped *s = tl_new(a, stepped, 1);
    s->recipe = *r;
    s->m = m;
    tl_val loss = tl_model_loss(s->m, &target);
    ok(tl_plan_new(s->m->g, a, &(tl_plan_conf){ .batch = 2, .train = true, .loss = loss }, &p));
    ok(tl_weights_new(a, p, &s->recipe, &s->w));
    assert_in_range(s->w.n, 1, TL_LEN(s->before));
    for (int i = 0; i < s->w.n; i++) {
        tl_weight *w = &s->w.at[i];
        s->before[i] = tl_new(a, float, w->n);
        s->grad[i] = tl_new(a, float, w->n);
        memcpy(s->before[i], w->w, w->n * sizeof(float));
        for (size_t j = 0; j < w->n; j++) s->grad[i][j] = cosf((float)j + (float)i);
    }
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < s->w.n; i++)
            memcpy(s->w.at[i].g, s->grad[i], s->w.at[i].n * sizeof(float));
        (void)tl_weights_step(&s->w, 0.5f, k);
    }
    return s;
}

static stepped *step(const tl_recipe *r, int n) { return step_on(tiny_model(0, 1), r, n); }

/* Which parameter of which layer weight i is. */
static const tl_node *owner(const stepped *s, int i, int *k)
{
    TL_EACH_PARAM(s->m->g, n, q)
    if (s->m->g->node[n].p[q].w == s->w.at[i].w) {
        *k = q;
        return &s->m->g->node[n];
    }
    fail_msg("weight %d belongs to no layer", i);
    return NULL;
}

static void penalties_are_for_kernels_of_the_named_layers(void **state)
{
    (void)state;
    const tl_regularizer rows[] = {
        { TL_REG_NONE, 0.125f, true, true, true, false }, { TL_REG_L1, 0.125f, true, false, false, false },
        { TL_REG_L2, 0.125f, true, false, false, false }, { TL_REG_L2, 0.125f, false, false, true, false },
        { TL_REG_L1, 0.25f, true, true, true, false },    { TL_REG_L2, 0.125f, false, true, false, false },
    };
    for (int r = 0; r < TL_LEN(rows); r++) {
        tl_recipe recipe = plain;
        int penalized = 0;
        recipe.regularizer = rows[r];
        stepped *s = step(&recipe, 1);
        for (int i = 0; i < s->w.n; i++) {
            int k;
            const tl_node *d = owner(s, i, &k);
            bool hit = rows[r].kind && k == 0 &&
                       ((rows[r].conv && d->op == &tl_op_conv2d) ||
                        (rows[r].dense && d->op == &tl_op_dense));
            penalized += hit;
            for (size_t j = 0; j < s->w.at[i].n; j++) {
                double w = (double)s->before[i][j], weight = hit ? (double)rows[r].weight : 0;
                double penalty = rows[r].kind == TL_REG_L1 ? weight * (w > 0   ? 1
                                                                       : w < 0 ? -1
                                                                               : 0)
                                                           : weight * 2 * w; /* d|w|, d w^2 */
                double want = w - 0.5 * ((double)s->grad[i][j] + penalty);
                if (!(fabs((double)s->w.at[i].w[j] - want) < 1e-6))
                    fail_msg("row %d, %s %d [%zu]", r, d->name, k, j);
            }
        }
        assert_int_equal(penalized, rows[r].kind ? 2 * rows[r].conv + rows[r].dense : 0);
    }
}

/* Biases in all types of layers, and a batch norm's, which is not one. */
static tl_model *biased_model(void)
{
    tl_model *m = tl_new(a, tl_model, 1);
    tl_graph *g = tl_graph_new(a);
    *m = (tl_model){ .arena = a, .head = tl_head_at(0), .g = g, .classes = { CLASSES, (void *)(uintptr_t)class_name } };
    tl_val x = m->image = OP(g, "input_1", input, NO_INPUT, .c = 3, .h = SIDE, .w = SIDE);
    x = OP(g, "conv", conv2d, IN(x), .out = 4, .k = 3, .stride = 4);
    x = OP(g, "bn", bn, IN(x), 0);
    x = OP(g, "dw", conv2d, IN(x), .out = 4, .k = 3, .groups = 4);
    x = OP(g, "pool", gap, IN(x), 0);
    m->raw = OP(g, "predictions", dense, IN(x), .out = CLASSES);
    m->answer = OP(g, "softmax", softmax, IN(m->raw), 0);
    g->output = m->answer.i;
    ok(g->status);
    ok(tl_graph_init(g, 1));
    TL_EACH_PARAM(g, i, k)
        for (size_t j = 0; j < tl_dims_count(g->node[i].p[k].dims); j++)
            if (!g->node[i].op->param[k].axes[1]) g->node[i].p[k].w[j] = 0.5f + (float)j; /* a bias of zero has no penalty */
    return m;
}

static void penalties_are_for_biases_where_asked(void **state)
{
    (void)state;
    static const struct { tl_regularizer r; const char *with, *without; } rows[] = {
        { { TL_REG_L2, 0.125f, true, true, false, true }, "conv dw", "bn predictions" }, /* DetectNet_v2's */
        { { TL_REG_L1, 0.125f, false, false, true, true }, "predictions", "conv bn dw" },
        { { TL_REG_L2, 0.25f, true, false, false, true }, "conv", "bn dw predictions" },
        { { TL_REG_L2, 0.25f, true, true, true, false }, "", "conv bn dw predictions" },
    };
    for (int r = 0; r < TL_LEN(rows); r++) {
        tl_recipe recipe = plain;
        int vectors = 0;
        recipe.regularizer = rows[r].r;
        stepped *s = step_on(biased_model(), &recipe, 1);
        for (int i = 0; i < s->w.n; i++) {
            int k;
            const tl_node *d = owner(s, i, &k);
            if (d->op->param[k].axes[1]) continue; /* a kernel */
            const bool hit = strstr(rows[r].with, d->name);
            assert_true(hit || strstr(rows[r].without, d->name));
            vectors++;
            for (size_t j = 0; j < s->w.at[i].n; j++) {
                const double w = (double)s->before[i][j], slope = rows[r].r.kind == TL_REG_L1 ? 1 : 2 * w; /* they are positive */
                const double want = w - 0.5 * ((double)s->grad[i][j] + hit * (double)rows[r].r.weight * slope);
                if (!(fabs((double)s->w.at[i].w[j] - want) < 1e-6)) fail_msg("row %d, %s %d [%zu]", r, d->name, k, j);
            }
        }
        assert_int_equal(vectors, 5); /* three biases, and the batch norm's two */
    }
}

static void gradients_are_clipped_together(void **state)
{
    (void)state;
    double squares = 0;
    tl_recipe recipe = plain;
    stepped *s = step(&plain, 0);
    for (int i = 0; i < s->w.n; i++)
        for (size_t j = 0; j < s->w.at[i].n; j++)
            squares += (double)s->grad[i][j] * (double)s->grad[i][j];
    const double norm = sqrt(squares), limit[] = { 0, 1, norm / 2, norm * 1.01 };
    for (int r = 0; r < TL_LEN(limit); r++) {
        recipe.clip = (float)limit[r];
        double scale = limit[r] > 0 && limit[r] < norm ? limit[r] / norm : 1;
        s = step(&recipe, 1);
        for (int i = 0; i < s->w.n; i++)
            for (size_t j = 0; j < s->w.at[i].n; j++) {
                double want = (double)s->before[i][j] - 0.5 * scale * (double)s->grad[i][j];
                assert_true(fabs((double)s->w.at[i].w[j] - want) < 1e-6);
            }
        for (int i = 0; i < s->w.n; i++)
            memcpy(s->w.at[i].g, s->grad[i], s->w.at[i].n * sizeof(float));
        assert_true(fabs(tl_weights_step(&s->w, 0, 1) - norm) <
                    1e-5 * norm); /* the norm before clipping */
    }
}

static void earlier_blocks_are_slower(void **state)
{
    (void)state;
    tl_recipe recipe = plain;
    recipe.block_decay = 0.5f;
    stepped *s = step(&recipe, 1);
    for (int i = 0; i < s->w.n; i++) {
        int k;
        double rate = pow(0.5, owner(s, i, &k)->block < 0 ? 0 : 2 - owner(s, i, &k)->block);
        for (size_t j = 0; j < s->w.at[i].n; j++)
            assert_true(fabs((double)s->w.at[i].w[j] -
                             ((double)s->before[i][j] - 0.5 * rate * (double)s->grad[i][j])) <
                        1e-6);
    }
}

static void averages_run_after_the_weights(void **state)
{
    (void)state;
    tl_recipe recipe = plain;
    recipe.average = 0.75f;
    stepped *s = step(&recipe, 3);
    for (int i = 0; i < s->w.n; i++)
        for (size_t j = 0; j < s->w.at[i].n; j++) {
            double w = (double)s->before[i][j], mean = w;
            for (int k = 0; k < 3; k++) {
                w -= 0.5 * (double)s->grad[i][j];
                mean = 0.75 * mean + 0.25 * w;
            }
            assert_true(fabs((double)s->w.at[i].w[j] - w) < 1e-5 &&
                        fabs((double)s->w.at[i].mean[j] - mean) < 1e-5);
        }
    float w = s->w.at[0].w[0], mean = s->w.at[0].mean[0];
    tl_weights_swap(&s->w);
    assert_memory_equal(&s->w.at[0].w[0], &mean, sizeof mean);
    tl_weights_swap(&s->w);
    assert_memory_equal(&s->w.at[0].w[0], &w, sizeof w);
    stepped *none = step(&plain, 1);
    tl_weights_swap(&none->w);
    assert_null(none->w.at[0].mean);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = { T(penalties_are_for_kernels_of_the_named_layers),
                                        T(penalties_are_for_biases_where_asked),
                                        T(gradients_are_clipped_together),
                                        T(earlier_blocks_are_slower),
                                        T(averages_run_after_the_weights) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
