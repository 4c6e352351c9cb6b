/* test_classes.c - classes come and go: what a detector knew of those that stay. SPDX-License-Identifier: MIT */
#include "support.h"

enum { PIXELS = 64, BATCH = 2 };

static tl_arena *a;

static const char *const old_names[] = { "car", "bus", "person" }, *const new_names[] = { "Bus", "bike", "CAR", "tram" };

static tl_model *detector_of(float alpha, const char *const *name, int n, const char *head, uint64_t seed)
{
    tl_model_conf c = { .conf = { .bn = true, .alpha = alpha }, .head = tl_head_find(head), .c = 3, .h = PIXELS, .w = PIXELS, .classes = n, .seed = seed };
    tl_model *m;
    ok(tl_backbone_find("mobilenet_v1", 0, &c.backbone));
    ok(tl_model_build(a, &c, &m));
    m->classes = (tl_list){ n, (void *)(uintptr_t)name };
    ok(randomize(m->g, seed));
    return m;
}

static tl_model *detector(const char *const *name, int n, const char *head, uint64_t seed) { return detector_of(0.25f, name, n, head, seed); }

typedef struct { tl_tensor cov, sides; } outputs;

static outputs answers(const tl_model *m)
{
    tl_plan *p;
    tl_graph *g;
    ok(tl_graph_copy(m->g, a, &g));
    g->output = m->raw.i;
    ok(tl_plan_new(g, a, &(tl_plan_conf){ .batch = BATCH, .constant = true }, &p));
    fill(tl_plan_value(p, m->image).f, (size_t)BATCH * 3 * PIXELS * PIXELS, 7);
    ok(tl_plan_forward(p));
    return (outputs){ tl_plan_value(p, m->raw), tl_plan_value(p, g->more.at[0]) };
}

/* Do maps x and y answer alike for class i of one and j of the other? */
static bool alike(tl_tensor x, int classes_x, int i, tl_tensor y, int classes_y, int j)
{
    const int each = x.s.c / classes_x;
    double most = 0, worst = 0;
    assert_int_equal(y.s.c / classes_y, each);
    assert_int_equal(tl_count(x.s) / (size_t)x.s.c, tl_count(y.s) / (size_t)y.s.c);
    for (size_t cell = 0; cell < tl_count(x.s) / (size_t)x.s.c; cell++)
        for (int k = 0; k < each; k++) {
            const double u = (double)x.f[cell * (size_t)x.s.c + (size_t)(i * each + k)], v = (double)y.f[cell * (size_t)y.s.c + (size_t)(j * each + k)];
            most = fmax(most, fabs(u));
            worst = fmax(worst, fabs(u - v));
        }
    return worst < 1e-4 * most;
}

/* After the transfer: what is said of classes of the same name is what was said, of others it is not. */
static void check(const tl_model *from, const tl_model *m)
{
    static const int was[4] = { 1, -1, 0, -1 };
    const outputs x = answers(from), y = answers(m);
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 3; j++) {
            const bool cov = alike(x.cov, 3, j, y.cov, 4, k), sides = alike(x.sides, 3, j, y.sides, 4, k);
            if (cov != (was[k] == j) || sides != cov) fail_msg("%s and %s: coverage %d, sides %d", old_names[j], new_names[k], cov, sides);
        }
}

static void classes_that_stay_are_known(void **state)
{
    (void)state;
    const tl_model *from = detector(old_names, 3, "detectnet_v2", 1);
    tl_model *m = detector(new_names, 4, "detectnet_v2", 2);
    tl_transfer t;
    const char *text;
    ok(tl_model_transfer(m, from, false, false, 1, &t));
    assert_false(t.took_graph);
    ok(tl_model_keep_classes(m, from, &text));
    assert_string_equal(text, "classes that stay keep what they have learned: Bus, CAR; new: bike, tram; gone: person\n");
    check(from, m);
}

/* A pruned model's graph is taken as it is, with layers that answer for other classes. */
static void of_a_pruned_model_too(void **state)
{
    (void)state;
    const tl_model *whole = detector(old_names, 3, "detectnet_v2", 1);
    tl_model *from, *m = detector(new_names, 4, "detectnet_v2", 2);
    tl_graph *small;
    tl_prune_result r;
    tl_transfer t;
    const char *text;
    ok(tl_prune(whole->g, a, &(tl_prune_opts){ .params = 0.5, .granularity = 4, .min = 4 }, &small, &r));
    ok(tl_model_with(whole, a, small, &from));
    ok(tl_model_transfer(m, from, false, false, 1, &t));
    assert_true(t.took_graph);
    assert_int_equal(m->g->node[m->raw.i].s.c, 4);
    assert_int_equal(m->g->node[m->g->more.at[0].i].s.c, 16);
    assert_true(tl_graph_params(m->g) < 0.6 * (double)tl_graph_params(whole->g));
    ok(tl_model_keep_classes(m, from, &text));
    assert_non_null(strstr(text, "Bus, CAR;"));
    check(from, m);
}

/* Where there is nothing to keep, nothing changes and nothing is said. */
static void otherwise_nothing_happens(void **state)
{
    (void)state;
    static const char *const others[] = { "cat", "dog", "owl" }, *const same[] = { "Car", "BUS", "person" };
    const tl_model *from = detector(old_names, 3, "detectnet_v2", 1);
    tl_model *cases[] = {
        detector(others, 3, "detectnet_v2", 2), detector(same, 3, "detectnet_v2", 2), detector(new_names, 4, "classification", 2),
        detector(NULL, 3, "detectnet_v2", 2), detector_of(0.5f, new_names, 4, "detectnet_v2", 2), /* reads other channels */
    };
    cases[3]->classes.n = 0; /* they are not known */
    for (int i = 0; i < TL_LEN(cases); i++) {
        tl_graph *before;
        const char *text;
        ok(tl_graph_copy(cases[i]->g, a, &before));
        ok(tl_model_keep_classes(cases[i], from, &text));
        assert_string_equal(text, "");
        TL_EACH_PARAM(before, n, k)
            assert_memory_equal(before->node[n].p[k].w, cases[i]->g->node[n].p[k].w, tl_dims_count(before->node[n].p[k].dims) * sizeof(float));
    }
}

static int set_up(void **state) { (void)state; return (a = tl_arena_new()) ? 0 : -1; }
static int tear_down(void **state) { (void)state; tl_arena_free(a); return 0; }

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(classes_that_stay_are_known), T(of_a_pruned_model_too), T(otherwise_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
