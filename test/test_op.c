/* test_op.c - every operation: values, gradients, ONNX both ways, pruning. SPDX-License-Identifier: MIT
 *
 * A new operation needs two cases in op_cases.h and one reference in reference.h. The last tests give the checkers
 * wrong operations, which they must catch. */
#include "field.h"
#include "op_rig.h"

/* ---- The checks; each says what is wrong ------------------------------------------------------ */

static tl_status compare(const float *got, const double *want, size_t n, double tolerance, const char *what)
{
    double most = 1e-3;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs(want[i]));
    for (size_t i = 0; i < n; i++)
        TL_CHECK(fabs((double)got[i] - want[i]) <= tolerance * most, TL_EARG, "%s[%zu] is %.7g, should be %.7g; the largest is %.3g",
                 what, i, (double)got[i], want[i], most);
    return TL_OK;
}

static tl_status check_values(tl_arena *a, const op_case *k)
{
    for (int train = 0; train < 2; train++) {
        rig r;
        TL_TRY(plan(a, k, train, true, &r));
        pose(a, k, train, &r);
        TL_TRY(tl_plan_forward(r.p));
        solve(k, &r);
        TL_TRY(compare(tl_plan_value(r.p, r.out).f, r.q.y, tl_count(r.q.ys), 1e-5, train ? "training: y" : "y"));
    }
    return TL_OK;
}

/* v: where the reference reads the n numbers that `gradient` belongs to. */
static tl_status check_gradient(tl_arena *a, const op_case *k, rig *r, double *v, const float *gradient, size_t n,
                                double tolerance, const char *what)
{
    const double step = 1e-6;
    double *want = tl_new(a, double, n);
    for (size_t i = 0; i < n; i++) {
        double old = v[i];
        v[i] = old + step;
        double above = loss_of(k, r);
        v[i] = old - step;
        want[i] = (above - loss_of(k, r)) / (2 * step);
        v[i] = old;
    }
    return compare(gradient, want, n, tolerance, what);
}

/* After backward. */
static tl_status check_all_gradients(tl_arena *a, const op_case *k, rig *r, double tolerance)
{
    for (int i = 0; i < k->nx; i++) {
        const float *dx = r->p->io[r->in[i].i].dy.f;
        TL_CHECK(dx, TL_EARG, "x%d has no gradient", i);
        TL_TRY(check_gradient(a, k, r, r->x[i], dx, tl_count(k->x[i]), tolerance, i ? "d x1" : "d x0"));
    }
    for (int i = 0; i < TL_MAX_PARAM; i++) {
        const tl_param *p = &r->p->io[r->y.i].p[i];
        if (!p->w || k->op->param[i].stat) continue;
        TL_CHECK(p->g, TL_EARG, "%s has no gradient", k->op->param[i].name);
        TL_TRY(check_gradient(a, k, r, r->param[i], p->g, tl_dims_count(p->dims), tolerance, k->op->param[i].name));
    }
    return TL_OK;
}

static tl_status check_gradients(tl_arena *a, const op_case *k)
{
    rig r;
    TL_TRY(plan(a, k, true, k->op->passes_when_inferring, &r));
    pose(a, k, true, &r);
    TL_TRY(tl_plan_forward(r.p));
    TL_TRY(tl_plan_backward(r.p));
    return check_all_gradients(a, k, &r, 1e-4);
}

/* Mixed precision: values and gradients are the same, as far as 8 bits go; also where bf16 and f32 meet. */
static tl_status check_amp(tl_arena *a, const op_case *k)
{
    for (int read = 0; read < 2; read++) {
        rig r;
        TL_TRY(plan_as(a, k, true, read || k->op->passes_when_inferring, true, &r));
        pose(a, k, true, &r);
        TL_TRY(tl_plan_forward(r.p));
        tl_tensor y = tl_plan_value(r.p, r.out);
        r.q.seen = floats(a, y);
        TL_CHECK(!k->op->amp || y.s.h * y.s.w == 1 || y.t == TL_BF16, TL_EARG, "the map is %s", tl_dtype_name(y.t));
        if (read) {
            solve(k, &r);
            TL_TRY(compare(r.q.seen, r.q.y, tl_count(r.q.ys), 1 / 12.0, "y"));
        }
        TL_TRY(tl_plan_backward(r.p));
        TL_TRY(check_all_gradients(a, k, &r, 1 / 25.0));
    }
    return TL_OK;
}

/* The op between graph inputs and output, without the tests' own ones. */
static tl_status bare(tl_arena *a, const op_case *k, tl_graph **out)
{
    tl_graph *g = tl_graph_new(a);
    tl_val x[3];
    for (int i = 0; i < k->nx; i++)
        x[i] = OP(g, tl_name(g, "x%d", i), input, NO_INPUT, k->x[i].c, k->x[i].h, k->x[i].w);
    tl_val y = tl_put(g, "y", k->op, x, k->nx, k->attr);
    if (k->then) tl_put(g, "then", &tl_op_relu, &y, 1, k->then);
    *out = g;
    return g->status ? g->status : randomize(g, 3);
}

static tl_status check_onnx(tl_arena *a, const op_case *k)
{
    tl_graph *g, *back;
    tl_onnx *m;
    tl_bytes file;
    tl_tensor want, got;
    if (!k->op->onnx_out) {
        TL_CHECK(k->op->flow == tl_flow_fixed, TL_EARG, "no ONNX form, and not a loss either");
        return TL_OK;
    }
    TL_TRY(bare(a, k, &g));
    TL_TRY(tl_graph_to_onnx(g, a, 0, false, &m));
    TL_TRY(tl_onnx_pack(a, m, &file));
    TL_TRY(tl_onnx_parse(a, file, &m));
    TL_TRY(tl_graph_from_onnx(m, a, &back));
    TL_TRY(answer(a, g, k->x[0].n, &want));
    TL_TRY(answer(a, back, k->x[0].n, &got));
    TL_CHECK(k->op != &tl_op_dropout || !memcmp(back->node[1].attr, g->node[1].attr, sizeof(tl_dropout)), TL_EARG,
             "other attributes");
    TL_CHECK(g->n == back->n && difference(want, got) == 0, TL_EARG, "%d nodes became %d, results differ by %g",
             g->n, back->n, difference(want, got));
    return TL_OK;
}

/* Between convolutions, whose channels are pruned; without ops that make something of a masked channel's zeros. */
static tl_status check_pruning(tl_arena *a, const op_case *k)
{
    const tl_prune_opts opts = { .threshold = 0.9f, .granularity = 1, .min = 1, .equalization = TL_EQ_INTERSECTION };
    tl_graph *g = tl_graph_new(a);
    tl_val x[3], y;
    double diff;
    int removed;
    if (k->op == &tl_op_softmax || k->op == &tl_op_softmax_ce || k->op == &tl_op_sigmoid) return TL_OK;
    for (int i = 0; i < k->nx; i++) {
        x[i] = OP(g, tl_name(g, "x%d", i), input, NO_INPUT, 3, k->x[i].h, k->x[i].w);
        x[i] = OP(g, tl_name(g, "conv%d", i), conv2d, IN(x[i]), .out = k->x[i].c, .k = 1);
    }
    y = tl_put(g, "y", k->op, x, k->nx, k->attr);
    if (k->then) y = tl_put(g, "then", &tl_op_relu, &y, 1, k->then);
    OP(g, "tail", conv2d, IN(y), .out = 3, .k = 1);
    TL_TRY(g->status);
    TL_TRY(randomize(g, 3));
    TL_TRY(prune_and_mask(a, g, &opts, &diff, &removed));
    bool whole = k->op->flow(k->attr, k->x) == TL_FLOW_FIXED || k->x[0].c == 1;
    TL_CHECK(removed || whole, TL_EARG, "nothing was pruned");
    TL_CHECK(diff < 1e-5, TL_EARG, "pruned and masked differ by %g", diff);
    return TL_OK;
}

static tl_status check_kernels(tl_arena *a, const op_case *k)
{
    rig r;
    TL_TRY(plan(a, k, true, true, &r));
    const tl_io *io = &r.p->io[r.y.i];
    if (!k->op->macs || io->kernel.forward != k->op->forward) return TL_OK; /* not oneDNN's */
    const char *impl = tl_dnn_conv_impl(io->state);
    TL_CHECK(!strstr(impl, "ref") && !strstr(impl, "direct"), TL_EARG, "slow reference kernel: %s", impl);
    return TL_OK;
}

typedef tl_status check(tl_arena *, const op_case *);
static tl_status run(check *f, const op_case *k)
{
    tl_arena *a = tl_arena_new();
    tl_status s = f(a, k);
    tl_arena_free(a);
    return s;
}

static void all(check *f)
{
    int bad = 0;
    for (int i = 0; i < TL_LEN(cases); i++)
        if (run(f, &cases[i])) print_error("case %d, %s: %s\n", i, cases[i].op->name, tl_errmsg()), bad++;
    assert_int_equal(bad, 0);
}

/* ---- Tests ------------------------------------------------------------------------------------ */
static void values_match_the_definition(void **state) { (void)state; all(check_values); }
static void gradients_match_finite_differences(void **state) { (void)state; all(check_gradients); }
static void mixed_precision_is_close(void **state)
{
    (void)state;
    if (tl_kernel_bf16()) all(check_amp);
    else
        print_message("no bf16 on this processor, skipped\n");
}
static void onnx_brings_back_the_same(void **state) { (void)state; all(check_onnx); }
static void pruning_is_masking(void **state) { (void)state; all(check_pruning); }
static void no_slow_kernel_is_used(void **state) { (void)state; all(check_kernels); }

static void every_row_is_described_and_tested(void **state)
{
    (void)state;
    for (const tl_op *const *op = tl_ops; *op; op++) {
        int found = 0;
        for (int i = 0; i < TL_LEN(cases); i++) found += cases[i].op == *op;
        if (found < 2 && *op != &tl_op_input) fail_msg("%s has %d cases, wants two", (*op)->name, found);
        if (!(*op)->brief || !(*op)->brief[0]) fail_msg("%s has no brief", (*op)->name);
        if (!(*op)->shape || !(*op)->forward || !(*op)->flow) fail_msg("%s lacks shape, forward or flow", (*op)->name);
        if (tl_op_find((*op)->name) != *op) fail_msg("%s is there twice", (*op)->name);
        for (const tl_field *f = (*op)->field; f && f->name; f++)
            if (!f->help || !f->help[0]) fail_msg("%s: %s has no help", (*op)->name, f->name);
    }
    assert_null(tl_op_find("no such operation"));
}

static void kernels_are_chosen_by_their_rules(void **state)
{
    (void)state;
    const tl_conv2d depthwise = { .out = 8, .groups = 8, .pad = 1, .nobias = true };
    const tl_conv2d dense = { .out = 8, .nobias = true }, grouped = { .out = 16, .groups = 8, .nobias = true };
    const tl_conv2d biased = { .out = 8, .groups = 8 }, wide = { .out = 8, .k = 5, .groups = 8, .nobias = true };
    const tl_conv2d full = { .out = 16, .pad = 1, .nobias = true }, narrow = { .out = 15, .pad = 1 }, strided = { .out = 16, .stride = 2 };
    const tl_conv2d far = { .out = 16, .pad = 3 }, uneven = { .out = 16, .pad = 1, .extra = 1 };
    const tl_conv2d dilated = { .out = 8, .groups = 8, .dilation = 2, .nobias = true };
    const struct { const tl_conv2d *attr; bool infer, frozen, exact; int in, side; const char *kernel; } rows[] = { /* 0: 8, 9 */
        { &depthwise, .kernel = "depthwise" },
        { &depthwise, .infer = true, .kernel = "conv2d" },
        { &depthwise, .frozen = true, .kernel = "conv2d" },
        { &dense, .kernel = "conv2d" },
        { &grouped, .kernel = "conv2d" },
        { &biased, .kernel = "conv2d" },
        { &wide, .kernel = "conv2d" },
        { &dilated, .kernel = "conv2d" },
        { &full, .in = 16, .kernel = "winograd" },
        { &full, .in = 16, .infer = true, .kernel = "winograd" },
        { &full, .in = 16, .frozen = true, .kernel = "winograd" },
        { &full, .in = 16, .exact = true, .kernel = "conv2d" },
        { &full, .in = 15, .kernel = "conv2d" },
        { &full, .in = 16, .side = 4, .kernel = "conv2d" },
        { &narrow, .in = 16, .kernel = "conv2d" },
        { &strided, .in = 16, .kernel = "conv2d" },
        { &far, .in = 16, .kernel = "conv2d" },
        { &uneven, .in = 16, .kernel = "conv2d" },
    };
    for (int i = 0; i < TL_LEN(rows); i++) {
        tl_arena *a = tl_arena_new();
        const int in = rows[i].in ? rows[i].in : 8, side = rows[i].side ? rows[i].side : 9;
        const op_case k = { .op = &tl_op_conv2d, .attr = rows[i].attr, X(2, in, side, side) };
        tl_plan *p;
        rig r;
        ok(plan(a, &k, !rows[i].infer, true, &r));
        tl_plan_conf conf = r.p->conf;
        conf.exact = rows[i].exact;
        r.g->node[r.y.i].p[0].frozen = rows[i].frozen;
        ok(tl_plan_new(r.g, a, &conf, &p));
        assert_string_equal(p->io[r.y.i].kernel.name, rows[i].kernel);
        tl_arena_free(a);
    }
}

static void running_statistics_follow_the_batch(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const op_case k = { A(bn, .eps = 1e-3f, .momentum = 0.8f), X(3, 4, 2, 2) };
    double mean, var, m = 3 * 2 * 2;
    rig r;
    ok(plan(a, &k, true, true, &r));
    pose(a, &k, true, &r);
    ok(tl_plan_forward(r.p));
    for (int c = 0; c < 4; c++) {
        const tl_param *p = r.g->node[r.y.i].p;
        tl_ref_moments(&r.q, c, &mean, &var);
        assert_true(fabs((double)p[2].w[c] - (0.8 * r.param[2][c] + 0.2 * mean)) < 1e-5);
        assert_true(fabs((double)p[3].w[c] - (0.8 * r.param[3][c] + 0.2 * var * m / (m - 1))) < 1e-4);
    }
    tl_arena_free(a);
}

static void dropout_drops_its_share_anew_each_step(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const op_case k = { A(dropout, .rate = 0.3f), X(10, 100, 10, 1) };
    float *before = tl_new(a, float, 10000);
    int dropped = 0, same = 0;
    rig r;
    ok(plan(a, &k, true, true, &r));
    const float *y = tl_plan_value(r.p, r.out).f;
    ok(tl_plan_forward(r.p));
    memcpy(before, y, 10000 * sizeof *y);
    r.p->seed++;
    ok(tl_plan_forward(r.p));
    for (int i = 0; i < 10000; i++) {
        dropped += y[i] == 0.0f;
        same += (y[i] == 0.0f) == (before[i] == 0.0f);
    }
    assert_in_range(dropped, 2850, 3150);
    assert_in_range(same, 5600, 6000); /* 0.3^2 + 0.7^2 = 0.58 when independent */
    r.p->seed--;
    ok(tl_plan_forward(r.p));
    assert_memory_equal(before, y, 10000 * sizeof *y);
    tl_arena_free(a);
}

static void dropout_can_drop_whole_pictures(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const op_case k = { A(dropout, .rate = 0.4f, .whole = true), X(1000, 3, 2, 1) };
    int dropped = 0;
    rig r;
    ok(plan(a, &k, true, true, &r));
    ok(tl_plan_forward(r.p));
    const float *y = tl_plan_value(r.p, r.out).f;
    for (int i = 0; i < 1000; i++, y += 6) {
        dropped += y[0] == 0.0f;
        for (int j = 1; j < 6; j++) assert_true((y[j] == 0.0f) == (y[0] == 0.0f));
    }
    assert_in_range(dropped, 350, 450);
    tl_arena_free(a);
}

/* In a file it is x * sigmoid(x), unless somebody else reads the sigmoid. */
static void swish_is_found_in_two_nodes(void **state)
{
    (void)state;
    for (int others = 0; others < 2; others++) {
        tl_arena *a = tl_arena_new();
        tl_graph *g = tl_graph_new(a), *back;
        tl_onnx *m;
        tl_val x = OP(g, "x", input, NO_INPUT, 3, 4, 4), s = OP(g, "s", sigmoid, IN(x), 0);
        tl_val y = OP(g, "y", mul, IN(s, x), 0);
        if (others) OP(g, "sum", add, IN(y, s), 0);
        ok(tl_graph_to_onnx(g, a, 0, false, &m));
        ok(tl_graph_from_onnx(m, a, &back));
        assert_int_equal(back->n, others ? 4 : 2);
        assert_ptr_equal(back->node[1].op, others ? &tl_op_sigmoid : &tl_op_swish);
        tl_arena_free(a);
    }
}

static void what_does_not_fit_is_said(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(misfits); i++) {
        tl_arena *a = tl_arena_new();
        rig r;
        assert_int_equal(build(a, &misfits[i].k, &r), misfits[i].status);
        if (!strstr(tl_errmsg(), misfits[i].says)) fail_msg("'%s' does not say '%s'", tl_errmsg(), misfits[i].says);
        assert_non_null(strstr(tl_errmsg(), "to the network"));
        tl_arena_free(a);
    }
}

/* ---- Wrong operations ------------------------------------------------------------------------- */

static tl_status backward_of_plain_relu(tl_io *io)
{
    for (size_t i = 0; i < tl_count(io->y.s); i++) io->dx[0].f[i] = io->y.f[i] > 0 ? io->dy.f[i] : 0;
    return TL_OK;
}

static tl_status backward_of_first_input_only(tl_io *io)
{
    memcpy(io->dx[0].f, io->dy.f, tl_count(io->y.s) * sizeof(float));
    return TL_OK;
}

static tl_status onnx_without_slope(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    (void)attr;
    return tl_onnx_simple("Relu", n, m, NULL);
}

static tl_status forward_without_bias(tl_io *io)
{
    return tl_dnn_conv_forward(io->state, io->x[0].f, io->p[0].w, tl_new(io->arena, float, io->y.s.c), io->y.f,
                               io->scratch);
}

static void wrong_operations_are_caught(void **state)
{
    (void)state;
    tl_op bad;
#define WRONG(f, name, with, map, ...)                                             \
    bad = tl_op_##name;                                                            \
    __VA_ARGS__;                                                                   \
    if (!run(f, &(op_case){ .op = &bad, .attr = with, XS(bad.min_in, map, map) })) \
        fail_msg("%s: nobody noticed " #name ": " #__VA_ARGS__, #f)
    const tl_shape map = { 2, 8, 6, 6 }, vector = { 2, 8, 1, 1 };
    const tl_conv2d conv = { .out = 8 }, narrowing = { .out = 6 }, depthwise = { .out = 8, .groups = 8 };
    const tl_bn bn = { .eps = 1e-3f };
    const tl_add none = { 0 };
    WRONG(check_gradients, relu, &leaky, map, bad.backward = backward_of_plain_relu);
    WRONG(check_gradients, add, &none, map, bad.backward = backward_of_first_input_only);
    WRONG(check_gradients, bn, &bn, map, bad.saves = 0);
    WRONG(check_gradients, conv2d, &conv, map, bad.saves = 0);
    WRONG(check_gradients, swish, &none, map, bad.saves = 0);
    WRONG(check_gradients, mul, &none, map, bad.saves = 0);
    WRONG(check_gradients, softmax, &none, vector, bad.saves = 0);
    WRONG(check_gradients, conv2d, &conv, map, bad.backward = NULL);
    WRONG(check_values, conv2d, &conv, map, bad.forward = forward_without_bias);
    WRONG(check_values, gap, &none, map, bad.forward = copy_forward);
    WRONG(check_onnx, relu, &leaky, map, bad.onnx_out = onnx_without_slope);
    WRONG(check_onnx, relu, &relu, map, bad.onnx_out = NULL);
    WRONG(check_onnx, swish, &none, map, bad.onnx_out = tl_op_sigmoid.onnx_out);
    WRONG(check_pruning, bn, &bn, map, bad.flow = tl_flow_new);
    WRONG(check_pruning, bn, &bn, map, bad.param[1].axes = "x");
    WRONG(check_pruning, conv2d, &conv, map, bad.param[0].axes = "OJhw");
    WRONG(check_pruning, conv2d, &narrowing, map, bad.flow = tl_flow_same);
    WRONG(check_pruning, conv2d, &depthwise, map, bad.flow = tl_flow_new);
    WRONG(check_pruning, add, &none, map, bad.flow = tl_flow_cat);
    WRONG(check_pruning, mul, &none, map, bad.flow = tl_flow_cat);
    WRONG(check_pruning, concat, &none, map, bad.min_in = 2; bad.flow = tl_flow_same);
    WRONG(check_pruning, flatten, &none, map, bad.flow = tl_flow_same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_described_and_tested),
        cmocka_unit_test(values_match_the_definition),
        cmocka_unit_test(gradients_match_finite_differences),
        cmocka_unit_test(mixed_precision_is_close),
        cmocka_unit_test(running_statistics_follow_the_batch),
        cmocka_unit_test(dropout_drops_its_share_anew_each_step),
        cmocka_unit_test(dropout_can_drop_whole_pictures),
        cmocka_unit_test(swish_is_found_in_two_nodes),
        cmocka_unit_test(onnx_brings_back_the_same),
        cmocka_unit_test(pruning_is_masking),
        cmocka_unit_test(no_slow_kernel_is_used),
        cmocka_unit_test(kernels_are_chosen_by_their_rules),
        cmocka_unit_test(what_does_not_fit_is_said),
        cmocka_unit_test(wrong_operations_are_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
