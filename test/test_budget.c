/* test_budget.c - a limit on the memory of a training step. SPDX-License-Identifier: MIT */
#include "nets.h"
#include "trainer.h"

static tl_plan *planned(tl_arena *a, const tl_graph *g, int batch)
{
    tl_plan *p;
    ok(tl_plan_new(g, a, &(tl_plan_conf){ .batch = batch, .train = true, .loss = { tl_graph_find(g, "loss") } }, &p));
    return p;
}

/* What is said to fit fits, and one picture more does not. */
static void the_batch_that_fits_is_named(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const tl_graph *g = small_training(a);
    const tl_plan *p = planned(a, g, 16);
    ok(tl_budget_check(p, 0));
    ok(tl_budget_check(p, p->bytes));
    for (int share = 2; share <= 10; share++) {
        const size_t limit = p->bytes * (size_t)share / 11;
        assert_int_equal(tl_budget_check(p, limit), TL_ENOMEM);
        const char *named = strstr(tl_errmsg(), "batch_size_per_gpu=");
        assert_non_null(named);
        const int batch = atoi(named + strlen("batch_size_per_gpu="));
        assert_true(planned(a, g, batch)->bytes <= limit);
        assert_true(planned(a, g, batch + 1)->bytes > limit);
    }
    tl_arena_free(a);
}

static void nothing_fits_into_nothing(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    assert_int_equal(tl_budget_check(planned(a, small_training(a), 4), 1000), TL_ENOMEM);
    assert_non_null(strstr(tl_errmsg(), "with one picture at a time"));
    tl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_batch_that_fits_is_named),
        cmocka_unit_test(nothing_fits_into_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
