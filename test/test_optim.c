/* test_optim.c - optimizers and learning-rate schedules against Keras, PyTorch and their formulas.
 * SPDX-License-Identifier: MIT */
#include "file.h"
#include "train.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void ok(tl_status s)
{
    if (s) fail_msg("%s", tl_errmsg());
}

/* ---- Optimizers ---- */

enum { WEIGHTS = 5, STEPS = 7 }; /* as in tools/make_optim_golden.py */
static double start(int i) { return sin(3.0 * i + 1); }
static double gradient(int step, int i) { return cos(1.7 * i + 0.9 * step); }

typedef struct {
    tl_optimizer c;
    float rate;
    double want[WEIGHTS];
} golden;

static tl_optimizer_kind kind_of(const char *name)
{
    for (int i = 0; tl_optims[i]; i++)
        if (!strcmp(tl_optims[i]->name, name)) return (tl_optimizer_kind)i;
    fail_msg("no optimizer '%s'", name);
    return TL_SGD;
}

/* kind, rate, decay, momentum, nesterov, beta1, beta2, rho, epsilon, weights */
static golden golden_row(char *line)
{
    char *rest = NULL;
    golden g = { .c.kind = kind_of(strtok_r(line, "\t", &rest)) };
    float v[8];
    for (int i = 0; i < TL_LEN(v); i++) v[i] = strtof(strtok_r(NULL, "\t", &rest), NULL);
    for (int i = 0; i < WEIGHTS; i++) g.want[i] = strtod(strtok_r(NULL, "\t", &rest), NULL);
    g.rate = v[0];
    g.c = (tl_optimizer){ .kind = g.c.kind,
                          .decay = v[1],
                          .momentum = v[2],
                          .nesterov = v[3] > 0,
                          .beta1 = v[4],
                          .beta2 = v[5],
                          .rho = v[6],
                          .epsilon = v[7] };
    return g;
}

/* STEPS steps of n weights; the first WEIGHTS are given. */
static void run(const golden *g, size_t n, float *w)
{
    tl_arena *a = tl_arena_new();
    const tl_optim *o = tl_optims[g->c.kind];
    float *slot[TL_SLOTS] = { NULL }, *grad = tl_new(a, float, n);
    assert_in_range(o->slots, 1, TL_SLOTS);
    for (int k = 0; k < o->slots; k++) slot[k] = tl_new(a, float, n);
    for (size_t i = 0; i < n; i++) w[i] = (float)start((int)i);
    for (int s = 0; s < STEPS; s++) {
        for (size_t i = 0; i < n; i++) grad[i] = (float)gradient(s, (int)i);
        o->update(&g->c, g->rate, s, w, grad, slot, n);
    }
    tl_arena_free(a);
}

static void optimizers_are_those_of_keras(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_bytes file;
    char *rest = NULL;
    int rows = 0;
    ok(tl_file_read(a, "test/data/optim.tsv", 0, &file));
    for (char *line = strtok_r((char *)(uintptr_t)file.p, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        if (line[0] == '#') continue;
        golden g = golden_row(line);
        float w[WEIGHTS];
        run(&g, WEIGHTS, w);
        for (int i = 0; i < WEIGHTS; i++)
            if (!(fabs((double)w[i] - g.want[i]) < 2e-6))
                fail_msg("row %d (%s), weight %d: %.8g instead of %.8g", rows,
                         tl_optims[g.c.kind]->name, i, (double)w[i], g.want[i]);
        rows++;
    }
    assert_int_equal(rows, 8);
    tl_arena_free(a);
}

/* A long array crosses vectors and threads; what a weight becomes depends on itself alone. */
static void long_arrays_are_like_short_ones(void **state)
{
    (void)state;
    enum { LONG = 100003 };
    tl_arena *a = tl_arena_new();
    float *w = tl_new(a, float, LONG), few[WEIGHTS];
    const golden rows[] = {
        { .c = { .kind = TL_SGD, .momentum = 0.9f, .nesterov = true, .decay = 0.1f },
          .rate = 0.1f },
        { .c = { .kind = TL_ADAM, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-7f }, .rate = 0.1f },
        { .c = { .kind = TL_RMSPROP, .rho = 0.9f, .epsilon = 1e-7f }, .rate = 0.1f },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        run(&rows[i], LONG, w);
        run(&rows[i], WEIGHTS, few);
        for (int k = 0; k < WEIGHTS; k++) assert_true(fabs((double)w[k] - (double)few[k]) < 1e-6);
        for (int k = 0; k < LONG; k++) assert_true(isfinite(w[k]));
    }
    tl_arena_free(a);
}

/* ---- Schedules ---- */

/* The formulas of the original once more, on the progress p = step / total. Points and shares are
 * given to it as 32-bit floats, so they are here. */
static double soft_anneal(const tl_schedule *c, double p)
{
    double soft = (double)c->soft_start, rate = (double)c->base;
    if (p < soft) return p / soft * rate + (1 - p / soft) * 3e-4;
    for (int i = 0; i < c->n_points; i++) rate /= p > (double)c->points[i] ? (double)c->divider : 1;
    return rate;
}

static double cosine(const tl_schedule *c, double p)
{
    double soft = (double)c->soft_start, hi = (double)c->base, lo = hi * (double)c->min_ratio;
    return p < soft ? lo + (hi - lo) * p / soft
                    : lo + 0.5 * (hi - lo) * (1 + cos(acos(-1.0) * (p - soft)));
}

static const float points[] = { 0.25f, 0.5f, 0.75f };
static const tl_schedule anneal = { .kind = TL_LR_SOFT_ANNEAL,
                                    .base = 0.05f,
                                    .soft_start = 0.125f,
                                    .divider = 10,
                                    .n_points = 3,
                                    .points = points };
static const tl_schedule anneal_at_once = {
    .kind = TL_LR_SOFT_ANNEAL, .base = 0.05f, .divider = 2, .n_points = 3, .points = points
};
static const tl_schedule wave = {
    .kind = TL_LR_COSINE, .base = 0.04f, .soft_start = 0.25f, .min_ratio = 0.01f
};
static const tl_schedule wave_at_once = { .kind = TL_LR_COSINE, .base = 0.04f, .min_ratio = 0.5f };
static const tl_schedule fall = {
    .kind = TL_LR_STEP, .base = 0.006f, .gamma = 0.1f, .step_size = 30
};
static const tl_schedule hill = {
    .kind = TL_LR_ANNEALING, .base = 1e-2f, .least = 1e-4f, .soft_start = 0.25f, .annealing = 0.5f
};
static const tl_schedule slope = { .kind = TL_LR_ANNEALING, .base = 1e-2f, .least = 1e-4f, .annealing = 0.5f };
static const tl_schedule rise = { .kind = TL_LR_ANNEALING, .base = 1e-2f, .least = 1e-4f, .soft_start = 0.5f, .annealing = 1 };
static const tl_schedule fall_never = {
    .kind = TL_LR_STEP, .base = 0.006f, .gamma = 0.5f, .step_size = 1
};

static void schedules_follow_their_formulas(void **state)
{
    (void)state;
    const struct {
        const tl_schedule *c;
        double (*want)(const tl_schedule *c, double p);
    } rows[] = { { &anneal, soft_anneal },
                 { &anneal_at_once, soft_anneal },
                 { &wave, cosine },
                 { &wave_at_once, cosine } };
    for (int i = 0; i < TL_LEN(rows); i++)
        for (long total = 1; total <= 1000; total = total * 3 + 1)
            for (long s = 0; s < total; s++) {
                double got = tl_schedulers[rows[i].c->kind]->rate(rows[i].c, s, total);
                double want = rows[i].want(rows[i].c, (double)s / (double)total);
                if (!(fabs(got - want) <= 1e-12))
                    fail_msg("row %d, step %ld of %ld: %g instead of %g", i, s, total, got, want);
            }
}

/* Numbers worked out by hand, the quirks among them. */
static void schedules_at_points(void **state)
{
    (void)state;
    static const struct {
        const tl_schedule *c;
        long step, total;
        double want;
        const char *why;
    } rows[] = {
        { &anneal, 0, 800, 3e-4, "the warm-up begins at 3e-4, whatever the rate" },
        { &anneal, 50, 800, 0.5 * 0.05 + 0.5 * 3e-4, "half way up" },
        { &anneal, 100, 800, 0.05, "the top" },
        { &anneal, 200, 800, 0.05, "at a point: not yet divided" },
        { &anneal, 201, 800, 0.005, "after it" },
        { &anneal, 799, 800, 0.00005, "after three" },
        { &anneal_at_once, 0, 800, 0.05, "no warm-up" },
        { &wave, 0, 100, 0.0004, "the warm-up begins at the minimum" },
        { &wave, 25, 100, 0.04, "the top" },
        { &wave, 75, 100, 0.0004 + 0.0396 / 2, "a quarter turn after it" },
        { &wave, 100, 100, 0.0004 + 0.0396 * (1 - M_SQRT1_2) / 2,
          "the end stays above the minimum" },
        { &wave_at_once, 0, 100, 0.04, "no warm-up" },
        { &wave_at_once, 100, 100, 0.02, "the end is the minimum" },
        { &fall, 0, 100, 0.006, "" },
        { &fall, 15, 100, 0.006 * 0.31622776601683794, "between the steps, too: no staircase" },
        { &fall, 30, 100, 0.0006, "" },
        { &fall, 30, 101, 0.0006, "30 % of 101 steps are 30" },
        { &fall, 90, 100, 0.000006, "" },
        { &fall_never, 49, 50, 0.006, "1 % of 50 steps is none: constant" },
        { &hill, 0, 400, 1e-4, "the least rate" },
        { &hill, 50, 400, 1e-3, "half way up: the geometric mean" },
        { &hill, 25, 400, 3.1622776601683795e-4, "a quarter of the way: the fourth root of 100 above the least" },
        { &hill, 100, 400, 1e-2, "the top" },
        { &hill, 150, 400, 1e-2, "the plateau" },
        { &hill, 200, 400, 1e-2, "the last of it" },
        { &hill, 300, 400, 1e-3, "half way down" },
        { &hill, 350, 400, 3.1622776601683795e-4, "three quarters down" },
        { &hill, 399, 400, 1.0232929922807541e-4, "the last step: 100^(1/200) above the least" },
        { &hill, 400, 400, 1e-4, "the end" },
        { &slope, 0, 400, 1e-2, "no soft start" },
        { &slope, 300, 400, 1e-3, "half way down" },
        { &rise, 100, 400, 1e-3, "half way up" },
        { &rise, 399, 400, 1e-2, "no annealing" },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        double got = tl_schedulers[rows[i].c->kind]->rate(rows[i].c, rows[i].step, rows[i].total);
        if (!(fabs(got - rows[i].want) <= 1e-6 * rows[i].want))
            fail_msg("row %d: %g instead of %g (%s)", i, got, rows[i].want, rows[i].why);
    }
}

/* ---- Tables ---- */

static void every_row_is_described(void **state)
{
    (void)state;
    int n = 0;
    for (; tl_optims[n]; n++) {
        assert_true(tl_optims[n]->name[0] && tl_optims[n]->brief[0] && tl_optims[n]->update);
        assert_in_range(tl_optims[n]->slots, 0, TL_SLOTS);
    }
    assert_int_equal(n, TL_RMSPROP + 1);
    assert_string_equal(tl_optims[TL_SGD]->name, "sgd");
    assert_string_equal(tl_optims[TL_ADAM]->name, "adam");
    assert_string_equal(tl_optims[TL_RMSPROP]->name, "rmsprop");
    for (n = 0; tl_schedulers[n]; n++)
        assert_true(tl_schedulers[n]->name[0] && tl_schedulers[n]->brief[0] &&
                    tl_schedulers[n]->rate);
    assert_int_equal(n, TL_LR_ANNEALING + 1);
    assert_string_equal(tl_schedulers[TL_LR_STEP]->name, "step");
    assert_string_equal(tl_schedulers[TL_LR_SOFT_ANNEAL]->name, "soft_anneal");
    assert_string_equal(tl_schedulers[TL_LR_COSINE]->name, "cosine");
    assert_string_equal(tl_schedulers[TL_LR_ANNEALING]->name, "annealing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optimizers_are_those_of_keras),
        cmocka_unit_test(long_arrays_are_like_short_ones),
        cmocka_unit_test(schedules_follow_their_formulas),
        cmocka_unit_test(schedules_at_points),
        cmocka_unit_test(every_row_is_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
