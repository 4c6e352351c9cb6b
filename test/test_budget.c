/* test_budget.c - a limit on the memory of a training step. SPDX-License-Identifier: MIT */
#include "nets.h"
#include "trainer.h"

static tl_plan_conf step_of(const tl_graph *g, int batch, bool lean)
{
    return (tl_plan_conf){ .batch = batch, .train = true, .loss = { tl_graph_find(g, "loss") }, .lean = lean };
}

static size_t needs(tl_arena *a, const tl_graph *g, int batch, bool lean)
{
    const tl_plan_conf c = step_of(g, batch, lean);
    tl_plan *p;
    ok(tl_plan_new(g, a, &c, &p));
    return p->bytes;
}

static tl_status planned(tl_arena *a, const tl_graph *g, int batch, size_t limit, tl_plan **p)
{
    const tl_plan_conf c = step_of(g, batch, false);
    return tl_budget_plan(g, a, &c, limit, p);
}

/* What is said to fit fits, and one picture more does not. */
static void the_batch_that_fits_is_named(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const tl_graph *g = small_training(a);
    tl_plan *p;
    for (int share = 2; share <= 10; share++) {
        const size_t limit = needs(a, g, 16, true) * (size_t)share / 11;
        assert_int_equal(planned(a, g, 16, limit, &p), TL_ENOMEM);
        const char *named = strstr(tl_errmsg(), "batch_size_per_gpu=");
        assert_non_null(named);
        const int batch = atoi(named + strlen("batch_size_per_gpu="));
        assert_true(needs(a, g, batch, true) <= limit);
        assert_true(needs(a, g, batch + 1, true) > limit);
    }
    tl_arena_free(a);
}

/* Values are kept while there is room. */
static void lean_where_it_must_be(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_graph *g = small_training(a);
    tl_plan *p;
    const size_t whole = needs(a, g, 16, false), lean = needs(a, g, 16, true);
    assert_true(lean < whole);
    ok(planned(a, g, 16, 0, &p));
    assert_false(p->conf.lean);
    ok(planned(a, g, 16, whole, &p));
    assert_false(p->conf.lean);
    ok(planned(a, g, 16, whole - 1, &p));
    assert_true(p->conf.lean && p->bytes == lean);
    tl_arena_free(a);
}

static void nothing_fits_into_nothing(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_plan *p;
    assert_int_equal(planned(a, small_training(a), 4, 1000, &p), TL_ENOMEM);
    assert_non_null(strstr(tl_errmsg(), "with one picture at a time"));
    tl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_batch_that_fits_is_named),
        cmocka_unit_test(lean_where_it_must_be),
        cmocka_unit_test(nothing_fits_into_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
