/* test_lanes.c - the front of a network, inferred picture by picture. SPDX-License-Identifier: MIT */
#include "nets.h"

/* A plan whose image is noise, run twice: the second finds what the first left in memory. */
static tl_plan *inferred(tl_arena *a, const tl_model *m, const tl_plan_conf *c)
{
    tl_plan *p;
    ok(tl_plan_new(m->g, a, c, &p));
    tl_tensor image = tl_plan_value(p, m->image);
    assert_int_equal(image.s.n, c->batch);
    fill(image.f, tl_count(image.s), 1);
    for (int run = 0; run < 2; run++) ok(tl_plan_forward(p));
    return p;
}

/* A front of any length changes no answer, nor a value kept on either side. */
static void pictures_one_by_one_give_the_answers_of_all_at_once(void **state)
{
    (void)state;
    static const size_t caches[] = { 1, 300 << 10, 1 << 20 };
    const tl_backbone *b;
    tl_dnn_threads(2);
    for (int i = 0; (b = tl_backbone_at(i)); i++) {
        if (b->layers > 50) continue;
        tl_arena *a = tl_arena_new();
        tl_model *m;
        ok(random_model(a, b, &(tl_backbone_conf){ .bn = true }, 64, &m));
        const tl_val keep[] = { { m->g->n / 5 }, { m->g->n / 2 }, m->raw };
        tl_plan_conf c = { .batch = 6, .constant = true, .keep = keep, .nkeep = TL_LEN(keep), .cache = SIZE_MAX };
        tl_plan *whole = inferred(a, m, &c);
        assert_int_equal(whole->lanes->n, 0);
        for (int r = 0; r < TL_LEN(caches); r++) {
            c.cache = caches[r];
            tl_plan *p = inferred(a, m, &c);
            assert_int_equal(p->lanes->n, 2);
            assert_true(p->nforward < whole->nforward);
            for (int k = 0; k < TL_LEN(keep); k++) {
                double d = difference(tl_plan_value(whole, keep[k]), tl_plan_value(p, keep[k]));
                if (!(d < 1e-5)) fail_msg("%s, cache %zu, value %d: off by %g", m->arch, c.cache, keep[k].i, d);
            }
        }
        tl_arena_free(a);
    }
    tl_dnn_threads(0);
}

/* Where a picture's result depends on the others, and where threads would wait for the last one. */
static void pictures_stay_together_where_they_must(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_graph *g = small_training(a);
    const int loss = tl_graph_find(g, "loss");
    tl_plan *p, *q;
    tl_plan_conf c = { .batch = 8, .keep = &(tl_val){ loss }, .nkeep = 1, .cache = 1 };
    tl_dnn_threads(2);
    ok(tl_plan_new(g, a, &c, &p));
    c.cache = SIZE_MAX;
    ok(tl_plan_new(g, a, &c, &q));
    for (int i = 0; i < g->n; i++)
        if (!g->node[i].nx) {
            fill(tl_plan_value(p, (tl_val){ i }).f, tl_count(tl_plan_value(p, (tl_val){ i }).s), 1);
            fill(tl_plan_value(q, (tl_val){ i }).f, tl_count(tl_plan_value(q, (tl_val){ i }).s), 1);
        }
    ok(tl_plan_forward(p));
    ok(tl_plan_forward(q));
    assert_true(p->lanes->n > 0 && p->lanes->front.n < loss);
    assert_true(difference(tl_plan_value(q, c.keep[0]), tl_plan_value(p, c.keep[0])) < 1e-5);
    c = (tl_plan_conf){ .batch = 3, .cache = 1 };
    ok(tl_plan_new(g, a, &c, &p));
    assert_int_equal(p->lanes->n, 0);
    tl_dnn_threads(0);
    tl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_one_by_one_give_the_answers_of_all_at_once),
        cmocka_unit_test(pictures_stay_together_where_they_must),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
