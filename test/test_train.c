/* test_train.c - the training loop: it learns, every setting acts, and it says what goes wrong.
 * SPDX-License-Identifier: MIT */
#include "training.h"

/* ---- Learning ---- */

static void it_learns(void **state)
{
    (void)state;
    training *t = simple("out");
    t->c.epochs = 8;
    ok(run(t));
    if (!(t->loss[7] < 0.5 * t->loss[0]) || t->result.last_acc < 0.7)
        fail_msg("%s", tl_text_end(&t->said));
    assert_true(t->result.best_epoch >= 1 && t->result.best_acc >= t->result.last_acc &&
                t->result.frozen_acc < 0);
    assert_string_equal(t->result.best_path, weights("out", t->result.best_epoch));
    assert_int_equal(t->steps, 8 * STEPS);
}

/* In mixed precision to about the same accuracy, by another way. */
static void it_learns_in_mixed_precision(void **state)
{
    (void)state;
    training *t[2];
    if (!tl_kernel_bf16()) skip();
    for (int amp = 0; amp < 2; amp++) {
        t[amp] = simple(amp ? "amp" : "f32");
        t[amp]->c.epochs = 8;
        t[amp]->c.amp = amp;
        ok(run(t[amp]));
    }
    assert_true(fabs(t[1]->loss[0] - t[0]->loss[0]) < 0.01 * t[0]->loss[0]);
    assert_true(t[1]->loss[7] < 0.5 * t[1]->loss[0] && t[1]->loss[7] != t[0]->loss[7]);
    assert_true(t[1]->result.best_acc >= t[0]->result.best_acc - 0.12); /* a picture of nine */
}

static void it_leaves_what_it_should(void **state)
{
    (void)state;
    training *t = simple("out");
    ok(run(t));
    const char *csv = text_of(in(t->c.results, "training.csv")),
               *status = text_of(in(t->c.results, "status.json")), *said = tl_text_end(&t->said);
    assert_true(!strncmp(csv, "epoch,acc,loss,lr,val_acc,val_loss\n0,", 37));
    assert_non_null(strstr(csv, "\n2,"));
    assert_null(strstr(csv, "\n3,"));
    const char *first = strstr(status, "STARTED"), *middle = strstr(status, "RUNNING"),
               *last = strstr(status, "SUCCESS");
    assert_true(first && middle > first && last > middle && !strstr(status, "FAILURE"));
    for (int e = 1; e <= EPOCHS; e++) {
        tl_model *m;
        ok(tl_model_load(a, weights("out", e), NULL, &m));
        assert_non_null(strstr(said, tl_printf(a, "epoch %d/%d: loss ", e, EPOCHS)));
    }
    tl_list events;
    ok(tl_dir_list(a, in(t->c.results, "events"), &events));
    assert_int_equal(events.n, 1);
    assert_false(tl_file_exists(in(t->c.results, "unreadable.txt")));
    assert_null(strstr(said, "warning"));
}

/* ---- What goes wrong ---- */

static void divergence_is_told(void **state)
{
    (void)state;
    training *t = simple("out");
    t->c.epochs = 1;
    ok(run(t));
    tl_bytes before = slurp(weights("out", 1));
    for (int i = 0; i < 2; i++) {
        t = simple("out");
        t->c.resume = true;
        t->c.recipe.schedule.base = i ? 1e38f : 1e12f;
        refused(run(t), TL_EDIVERGED, "no longer a number in epoch 2");
        assert_non_null(strstr(tl_errmsg(), "try a tenth of it"));
        assert_int_equal(arrays("out").state.epoch, 1);
        tl_bytes after = slurp(weights("out", 1));
        assert_true(before.n == after.n && !memcmp(before.p, after.p, after.n));
        assert_non_null(strstr(text_of(in(t->c.results, "status.json")), "FAILURE"));
    }
    t = simple("out");
    t->c.resume = true;
    ok(run(t));
}

static float *param(const tl_model *m, const char *node, int k)
{
    return m->g->node[tl_graph_find(m->g, node)].p[k].w;
}

static void collapse_is_told(void **state)
{
    (void)state;
    training *t = simple("out");
    t->c.epochs = 1;
    t->c.recipe.schedule.base = 1e-9f;
    param(t->c.model, "predictions", 1)[1] = 100;
    ok(run(t));
    assert_non_null(
        strstr(tl_text_end(&t->said), "warning: every validation picture is taken for 'dog'"));
}

static void unreadable_pictures_are_listed(void **state)
{
    (void)state;
    const char *bad[] = { in(place, "train/dog/1.png"), in(place, "val/owl/2.png") };
    for (int i = 0; i < 2; i++) ok(tl_file_write(bad[i], "not a picture", 13));
    training *t = simple("out");
    ok(run(t));
    const char *said = tl_text_end(&t->said), *list = text_of(in(t->c.results, "unreadable.txt")),
               *told = strstr(said, "2 unreadable pictures left out");
    assert_non_null(told);
    assert_null(strstr(told + strlen("2"), "2 unreadable picture")); /* once */
    for (int i = 0; i < 2; i++) assert_non_null(strstr(list, bad[i]));
    t = simple("strict");
    t->c.loader.max_bad = 0.01f;
    refused(run(t), TL_EDATA, "unreadable");
    assert_non_null(strstr(tl_errmsg(), bad[0]));
    assert_non_null(strstr(text_of(in(t->c.results, "unreadable.txt")), bad[0]));
}

/* ---- What the settings do ---- */

static tl_model *trained(const char *results)
{
    tl_model *m;
    ok(tl_model_load(a, weights(results, EPOCHS), NULL, &m));
    return m;
}

static bool moved(const tl_model *before, const tl_model *after, const char *node, int k)
{
    size_t n = tl_dims_count(before->g->node[tl_graph_find(before->g, node)].p[k].dims);
    return memcmp(param(before, node, k), param(after, node, k), n * sizeof(float));
}

static void frozen_is_frozen(void **state)
{
    (void)state;
    tl_model *start = tiny_model(0, 1);
    training *t = simple("conv");
    t->c.model->g->node[tl_graph_find(t->c.model->g, "conv0")].p[0].frozen = true;
    ok(run(t));
    tl_model *end = trained("conv");
    assert_false(moved(start, end, "conv0", 0));
    assert_true(moved(start, end, "conv1", 0) && moved(start, end, "bn0", 0) &&
                moved(start, end, "predictions", 0));

    t = simple("bn");
    for (int i = 0; i < t->c.model->g->n; i++)
        t->c.model->g->node[i].fixed_stats = t->c.model->g->node[i].op == &tl_op_bn;
    ok(run(t));
    end = trained("bn");
    for (int k = 0; k < 4; k++)
        assert_int_equal(moved(start, end, "bn1", k), !tl_op_bn.param[k].stat);

    t = simple("all");
    TL_EACH_PARAM(t->c.model->g, i, k) t->c.model->g->node[i].p[k].frozen = true;
    refused(run(t), TL_ESPEC, "every layer is frozen");
}

/* Pictures of a class of weight 0 may be anything. Batch norm would still see them, so it keeps its
 * statistics. */
static void classes_without_weight_do_not_count(void **state)
{
    (void)state;
    static const float none[CLASSES] = { 1, 2, 0 }, some[CLASSES] = { 1, 2, 0.5f };
    const struct {
        const char *first, *second;
        const float *weight;
        bool same;
    } rows[] = { { "none", "none-noise", none, true }, { "some", "some-noise", some, false } };
    tl_dataset *noise = scan(put_set(place, "noise", EACH, 1), NULL);
    for (int i = 0; i < EACH; i++)
        put_picture(tl_printf(a, "%s/noise/owl/%d.png", place, i), 0, 77 + (uint64_t)i);
    for (int r = 0; r < TL_LEN(rows); r++) {
        for (int k = 0; k < 2; k++) {
            training *t = simple(k ? rows[r].second : rows[r].first);
            t->c.train = k ? noise : train_set;
            t->c.class_weight = rows[r].weight;
            for (int i = 0; i < t->c.model->g->n; i++)
                t->c.model->g->node[i].fixed_stats = t->c.model->g->node[i].op == &tl_op_bn;
            ok(run(t));
        }
        assert_int_equal(same_weights(trained(rows[r].first)->g, trained(rows[r].second)->g),
                         rows[r].same);
    }
}

static void every_setting_acts(void **state)
{
    (void)state;
    ok(run(simple("plain")));
    for (int i = 0; i < 10; i++) {
        const char *results = tl_printf(a, "with%d", i);
        training *t = simple(results);
        tl_loader_conf *l = &t->c.loader;
        tl_recipe *r = &t->c.recipe;
        static const float weight[CLASSES] = { 1, 1, 2 };
        if (i == 0) l->smoothing = 0.1f;
        if (i == 1) l->mixup_alpha = 0.2f;
        if (i == 2) l->hflip = true;
        if (i == 3) l->random_crop = true;
        if (i == 4) r->regularizer = (tl_regularizer){ TL_REG_L2, 1e-3f, true, true, true, false };
        if (i == 5) r->clip = 0.1f;
        if (i == 6) r->block_decay = 0.5f;
        if (i == 7) r->average = 0.5f;
        if (i == 8) t->c.class_weight = weight;
        if (i == 9) t->c.model = tiny_model(0.5f, 1);
        ok(run(t));
        if (same_weights(trained("plain")->g, trained(results)->g))
            fail_msg("setting %d does nothing", i);
    }
}

/* ---- The head first ---- */

static void the_head_alone_is_epoch_0(void **state)
{
    (void)state;
    training *t = simple("out");
    tl_model *start = tiny_model(0, 1);
    t->c.head_first = true;
    t->c.recipe.schedule.base = 10; /* harmful */
    ok(run(t));
    tl_model *head;
    ok(tl_model_load(a, weights("out", 0), NULL, &head));
    assert_false(moved(start, head, "conv0", 0) || moved(start, head, "bn1", 2));
    assert_true(moved(start, head, "predictions", 0));
    assert_true(t->result.frozen_acc > 0.5);
    assert_true(t->result.best_acc >= t->result.frozen_acc); /* never below it */
    if (t->result.best_epoch == 0) assert_string_equal(t->result.best_path, weights("out", 0));
    assert_true(same_file(t->result.best_path, in(place, "out/weights/tiny_best.onnx")));
}

static void comparing_with_the_head_alone_changes_nothing(void **state)
{
    (void)state;
    training *t = simple("compared");
    ok(run(simple("plain")));
    t->c.compare = true;
    ok(run(t));
    assert_true(t->result.frozen_acc > 0.5);
    assert_non_null(strstr(tl_text_end(&t->said), "(for comparison)"));
    for (int e = 1; e <= EPOCHS; e++)
        assert_true(same_file(weights("plain", e), weights("compared", e)));
    t = simple("harm");
    t->c.compare = true;
    t->c.recipe.schedule.base = 1e-9f; /* leaves the random head as it is */
    ok(run(t));
    assert_true(t->result.best_acc < t->result.frozen_acc);
    assert_non_null(strstr(tl_text_end(&t->said), "did harm"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up_sets, tear_down)
    const struct CMUnitTest tests[] = {
        T(it_learns),
        T(it_learns_in_mixed_precision),
        T(it_leaves_what_it_should),
        T(divergence_is_told),
        T(collapse_is_told),
        T(unreadable_pictures_are_listed),
        T(frozen_is_frozen),
        T(classes_without_weight_do_not_count),
        T(every_setting_acts),
        T(the_head_alone_is_epoch_0),
        T(comparing_with_the_head_alone_changes_nothing),
    };
    tl_dnn_threads(1); /* small maps: threads would cost more than they bring */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
