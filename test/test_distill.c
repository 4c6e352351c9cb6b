/* test_distill.c - learning from a teacher: which channels are compared, and that it helps. SPDX-License-Identifier: MIT */
#include "training.h"
#include "pass.h"

/* Half of its channels, in two steps. */
static tl_model *pruned(const tl_model *m)
{
    tl_prune_result r;
    tl_model *small = NULL;
    for (int keep = 4; keep >= 3; keep--, m = small) {
        tl_graph *g;
        ok(tl_prune(m->g, a, &(tl_prune_opts){ .threshold = 2, .granularity = 1, .min = keep }, &g, &r));
        ok(tl_model_with(m, a, g, &small));
    }
    return small;
}

/* A copy through a file. */
static tl_model *saved(const tl_model *m)
{
    tl_bytes file;
    tl_model *out;
    ok(tl_model_pack(m, a, &(tl_save_opts){ 0 }, &file));
    ok(tl_model_unpack(a, file, &out));
    return out;
}

static void pruned_channels_know_their_origin(void **state)
{
    (void)state;
    tl_model *whole = tiny_model(0, 1), *twice = pruned(whole), *copies[] = { twice, saved(twice), tiny_model(0, 2) };
    tl_transfer report;
    ok(tl_model_transfer(copies[2], twice, false, false, 1, &report));
    assert_true(report.took_graph);
    for (int c = 0; c < TL_LEN(copies); c++) {
        int i = tl_graph_find(whole->g, "conv0"), j = tl_graph_find(copies[c]->g, "conv0");
        const tl_node *from = &whole->g->node[i], *to = &copies[c]->g->node[j];
        size_t row = tl_dims_count(from->p[0].dims) / 6;
        assert_int_equal(to->s.c, 3);
        assert_non_null(to->kept);
        for (int k = 0; k < 3; k++)
            assert_memory_equal(to->p[0].w + (size_t)k * row, from->p[0].w + (size_t)to->kept[k] * row, row * sizeof(float));
        assert_null(copies[c]->g->node[tl_graph_find(copies[c]->g, "predictions")].kept);
    }
}

static void damaged_origins_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "{\"relu0\":[0]}", "{\"relu0\":[2,1,0]}", "{\"relu0\":[0,1,-1]}", "{\"relu0\":7}", "{" };
    for (int i = 0; i < TL_LEN(bad); i++) {
        tl_model *m;
        tl_bytes file;
        ok(tl_model_pack(pruned(tiny_model(0, 1)), a, &(tl_save_opts){ .extra = (const char *const[]){ "tlc.kept", bad[i], NULL } }, &file));
        refused(tl_model_unpack(a, file, &m), TL_EFORMAT, "tlc.kept is damaged");
    }
}

/* Loss and targets against the same by hand, from plans of both networks. */
static void the_loss_is_the_sum_of_distances(void **state)
{
    (void)state;
    static const char *const compared[] = { "relu0", "relu1", "predictions" };
    tl_model *teacher = tiny_model(0, 1), *m = pruned(teacher);
    tl_val loss, seen[TL_LEN(compared)], shown[TL_LEN(compared)];
    tl_distill *d;
    tl_plan *p, *q;
    int before = m->g->n;
    for (int i = 0; i < TL_LEN(compared); i++) {
        seen[i].i = tl_graph_find(m->g, compared[i]);
        shown[i].i = tl_graph_find(teacher->g, compared[i]);
    }
    loss = OP(m->g, "nothing", mse, IN(seen[0], seen[0]), 0);
    ok(tl_distill_new(a, teacher, m, BATCH, 0.5f, &loss, &d));
    assert_int_equal(m->g->n, before + 1 + 3 * TL_LEN(compared));
    ok(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = BATCH, .train = true, .loss = loss, .keep = seen, .nkeep = TL_LEN(seen) }, &p));
    ok(tl_plan_new(teacher->g, a, &(tl_plan_conf){ .batch = BATCH, .keep = shown, .nkeep = TL_LEN(shown) }, &q));
    tl_tensor x = tl_plan_value(p, m->image);
    tl_rng r = tl_rng_at(1, 0, 0, 0);
    for (size_t i = 0; i < tl_count(x.s); i++) x.f[i] = tl_uniform_in(&r, -1, 1);
    memcpy(tl_plan_value(q, teacher->image).f, x.f, tl_count(x.s) * sizeof(float));
    for (int i = 0; i < m->g->n; i++) m->g->node[i].fixed_stats = true;
    ok(tl_plan_forward(q));
    ok(tl_distill_targets(d, p, m->image));
    ok(tl_plan_forward(p));
    double sum = 0;
    for (int i = 0; i < TL_LEN(compared); i++) {
        tl_tensor y = tl_plan_value(p, seen[i]), t = tl_plan_value(q, shown[i]);
        const int *kept = m->g->node[seen[i].i].kept;
        double apart = 0, size = 0;
        for (size_t at = 0; at < tl_count(y.s); at++) {
            size_t pixel = at / (size_t)y.s.c, k = at % (size_t)y.s.c;
            double want = (double)t.f[pixel * (size_t)t.s.c + (kept ? (size_t)kept[k] : k)];
            apart += ((double)y.f[at] - want) * ((double)y.f[at] - want);
            size += want * want;
        }
        sum += apart / size;
    }
    assert_true(sum > 0.01 && fabs(2 * (double)tl_plan_value(p, loss).f[0] - sum) < 1e-4 * sum);
}

/* The last column of training.csv. */
static double val_loss(const char *results, int epoch)
{
    const char *row = text_of(tl_printf(a, "%s/%s/training.csv", place, results));
    for (int i = 0; i < epoch; i++) row = strchr(row, '\n') + 1;
    for (int i = 0; i < 5; i++) row = strchr(row, ',') + 1;
    return strtod(row, NULL);
}

/* Without a word about labels, a network of other weights becomes more like the teacher. */
static void it_learns_from_the_teacher_alone(void **state)
{
    (void)state;
    static const float none[CLASSES] = { 0 };
    training *t = simple("out"), *s = simple("small");
    t->c.epochs = s->c.epochs = 6;
    ok(run(t));
    tl_model *teacher;
    ok(tl_model_load(a, t->result.best_path, NULL, &teacher));
    s->c.teacher = teacher;
    s->c.model = tiny_model(0, 2);
    s->c.class_weight = none;
    ok(run(s));
    if (!(s->loss[5] < 0.5 * s->loss[0])) fail_msg("%s", tl_text_end(&s->said));
    for (int e = 1; e <= 6; e++) assert_true(val_loss("small", e) >= val_loss("small", s->result.best_epoch));
}

static void strangers_cannot_teach(void **state)
{
    (void)state;
    tl_model *m = tiny_model(0, 1), *other = tiny_model(0, 1);
    tl_distill *d;
    tl_val loss = m->raw;
    for (int i = 1; i < other->g->n; i++) other->g->node[i].name = tl_printf(a, "other%d", i);
    refused(tl_distill_new(a, other, m, 2, 1, &loss, &d), TL_ESPEC, "same architecture");
    other = tiny_model(0, 1);
    other->g->node[other->image.i].s.w = 48;
    refused(tl_distill_new(a, other, m, 2, 1, &loss, &d), TL_ESPEC, "another size");
    other = tiny_model(0, 1);
    other->norm.mean[1] = 7;
    refused(tl_distill_new(a, other, m, 2, 1, &loss, &d), TL_ESPEC, "prepared in another way");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pruned_channels_know_their_origin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_origins_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_loss_is_the_sum_of_distances, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_learns_from_the_teacher_alone, set_up_sets, tear_down),
        cmocka_unit_test_setup_teardown(strangers_cannot_teach, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
