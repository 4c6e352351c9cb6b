/* test_adapt.c - pruned networks adapted on pictures, and how much channels matter. SPDX-License-Identifier: MIT
 *
 * What the pass computes is checked against solutions in double precision made here. */
#include "support.h"

enum { SIDE = 8, PICTURE = 3 * SIDE * SIDE, SEEN = 20, UNSEEN = 9 };

/* ---- Networks --------------------------------------------------------------------------------- */

static tl_val bn_relu(tl_graph *g, tl_val x, const char *name)
{
    x = OP(g, tl_name(g, "%s_bn", name), bn, IN(x), 0);
    return OP(g, tl_name(g, "%s_relu", name), relu, IN(x), 0);
}

static tl_val stem(tl_graph *g, int out)
{
    tl_val x = OP(g, "image", input, NO_INPUT, 3, SIDE, SIDE);
    return bn_relu(g, OP(g, "stem", conv2d, IN(x), .out = out, .pad = 1, .nobias = true), "stem");
}

static void head(tl_graph *g, tl_val x) { OP(g, "fc", dense, IN(OP(g, "gap", gap, IN(x), 0)), .out = 4); }

static void chain(tl_graph *g)
{
    tl_val x = OP(g, "one", conv2d, IN(stem(g, 24)), .out = 32, .k = 1, .nobias = true);
    x = OP(g, "two", conv2d, IN(bn_relu(g, x, "one")), .out = 24, .k = 1);
    head(g, bn_relu(g, x, "two"));
}

static void depthwise(tl_graph *g)
{
    tl_val x = OP(g, "dw", conv2d, IN(stem(g, 32)), .out = 32, .groups = 32, .pad = 1, .nobias = true);
    x = OP(g, "point", conv2d, IN(bn_relu(g, x, "dw")), .out = 24, .k = 1, .nobias = true);
    head(g, bn_relu(g, x, "point"));
}

/* Steps that divide the side and steps that do not. */
static void strided(tl_graph *g)
{
    tl_val x = stem(g, 24), a = OP(g, "a", conv2d, IN(x), .out = 8, .k = 1, .stride = 2, .nobias = true);
    head(g, OP(g, "b", conv2d, IN(bn_relu(g, a, "a")), .out = 8, .k = 1, .stride = 3));
}

static const struct { const char *name; void (*build)(tl_graph *g); int changed; float threshold; } nets[] = {
    { "chain", chain, 3, 0.6f }, { "depthwise", depthwise, 2, 0.6f }, { "strided", strided, 3, 0.6f },
};

/* ---- Helpers ---------------------------------------------------------------------------------- */

typedef struct { tl_arena *a; tl_graph *g, *s; tl_prune_result r; float *x; } fixture;

/* What node i gives for n pictures. */
static tl_tensor watch(tl_arena *a, const tl_graph *g, int i, const float *x, int n)
{
    tl_plan *p;
    tl_val keep = { i };
    ok(tl_plan_new(g, a, &(tl_plan_conf){ .batch = n, .keep = &keep, .nkeep = 1 }, &p));
    memcpy(tl_plan_value(p, (tl_val){ 0 }).f, x, (size_t)n * PICTURE * sizeof *x);
    ok(tl_plan_forward(p));
    return tl_plan_value(p, keep);
}

static double mean_square(tl_arena *a, const tl_graph *g, const tl_graph *s, const float *x, int n)
{
    tl_tensor y = watch(a, g, tl_graph_output(g), x, n), z = watch(a, s, tl_graph_output(s), x, n);
    double sum = 0;
    assert_true(tl_same(y.s, z.s));
    for (size_t k = 0; k < tl_count(y.s); k++) sum += pow((double)y.f[k] - (double)z.f[k], 2);
    return sum / (double)tl_count(y.s);
}

static fixture make(void (*build)(tl_graph *g))
{
    fixture f = { .a = tl_arena_new() };
    f.g = tl_graph_new(f.a);
    build(f.g);
    ok(randomize(f.g, 5));
    f.x = tl_new(f.a, float, (SEEN + UNSEEN) * PICTURE);
    fill(f.x, (SEEN + UNSEEN) * PICTURE, 3);
    return f;
}

static void prune(fixture *f, float threshold)
{
    ok(tl_prune(f->g, f->a, &(tl_prune_opts){ .threshold = threshold, .granularity = 1, .min = 2 }, &f->s, &f->r));
}

/* Keep the first `keep` channels of the node of that name, and all others. */
static void prune_tail(fixture *f, const char *name, int keep)
{
    const float **importance = tl_new(f->a, const float *, f->g->n);
    int i = tl_graph_find(f->g, name), c = f->g->node[i].s.c;
    float *v = tl_new(f->a, float, c);
    for (int k = 0; k < c; k++) v[k] = k < keep ? 1 : 0.1f;
    importance[i] = v;
    const tl_prune_opts o = { .threshold = 0.5f, .granularity = 1, .min = 1, .importance = importance };
    ok(tl_prune(f->g, f->a, &o, &f->s, &f->r));
    assert_int_equal(f->r.kept[i].n, keep);
}

static int adapt(fixture *f, int n)
{
    int changed = -1;
    ok(tl_adapt(f->g, &f->r, f->s, 0, f->x, n, &changed));
    return changed;
}

static bool same_parameter(const tl_param *p, const tl_param *q)
{
    return !memcmp(&p->dims, &q->dims, sizeof p->dims) && !memcmp(p->w, q->w, tl_dims_count(p->dims) * sizeof(float));
}

/* ---- What adapting does ----------------------------------------------------------------------- */

static void outputs_come_nearer(void **state)
{
    (void)state;
    for (int j = 0; j < TL_LEN(nets); j++) {
        fixture f = make(nets[j].build);
        const float *unseen = f.x + SEEN * PICTURE;
        prune(&f, nets[j].threshold);
        double seen = mean_square(f.a, f.g, f.s, f.x, SEEN), other = mean_square(f.a, f.g, f.s, unseen, UNSEEN);
        assert_int_equal(adapt(&f, SEEN), nets[j].changed);
        double seen_after = mean_square(f.a, f.g, f.s, f.x, SEEN);
        double other_after = mean_square(f.a, f.g, f.s, unseen, UNSEEN);
        if (!(seen_after * 3 < seen && other_after * 2 < other))
            fail_msg("%s: %g to %g, unseen %g to %g", nets[j].name, seen, seen_after, other, other_after);
        tl_arena_free(f.a);
    }
}

/* Only what lost inputs changes, and there the weights and the bias; twice the same. */
static void the_rest_is_untouched(void **state)
{
    (void)state;
    fixture f = make(depthwise);
    tl_graph *before, *again;
    prune(&f, 0.6f);
    ok(tl_graph_copy(f.s, f.a, &before));
    ok(tl_graph_copy(f.s, f.a, &again));
    adapt(&f, SEEN);
    TL_EACH_PARAM(before, i, k) {
        const char *name = before->node[i].name;
        bool changes = !strcmp(name, "point") || !strcmp(name, "fc");
        if (same_parameter(&before->node[i].p[k], &f.s->node[i].p[k]) == changes)
            fail_msg("parameter %d of '%s' %s", k, name, changes ? "is as before" : "changed");
    }
    fixture second = f;
    second.s = again;
    adapt(&second, SEEN);
    TL_EACH_PARAM(f.s, i, k) assert_true(same_parameter(&f.s->node[i].p[k], &again->node[i].p[k]));
    tl_arena_free(f.a);
}

static void nothing_lost_nothing_changed(void **state)
{
    (void)state;
    fixture f = make(chain);
    prune(&f, 0);
    assert_int_equal(adapt(&f, 2), 0);
    TL_EACH_PARAM(f.g, i, k) assert_true(same_parameter(&f.g->node[i].p[k], &f.s->node[i].p[k]));
    tl_arena_free(f.a);
}

/* With padding an output pixel may have no input pixel. */
static void padded(tl_graph *g) { head(g, OP(g, "pad", conv2d, IN(stem(g, 12)), .out = 6, .k = 1, .pad = 1)); }

static void padded_layers_are_left(void **state)
{
    (void)state;
    fixture f = make(padded);
    prune_tail(&f, "stem", 6);
    assert_int_equal(adapt(&f, 2), 0);
    tl_arena_free(f.a);
}

static void two_layers(tl_graph *g, int stride)
{
    tl_val x = OP(g, "image", input, NO_INPUT, 3, SIDE, SIDE);
    x = OP(g, "a", conv2d, IN(x), .out = 12, .pad = 1);
    OP(g, "b", conv2d, IN(x), .out = 5, .k = 1, .stride = stride, .nobias = true);
}

static void small(tl_graph *g) { two_layers(g, 1); }
static void far_apart(tl_graph *g) { two_layers(g, 5); } /* reads pixels 0 and 5 of 8 */

/* Channel 6 + k is half channel k less channel k + 1 and something constant: the first six know everything. */
static void make_up_for_dependent_channels(void (*build)(tl_graph *g))
{
    fixture f = make(build);
    tl_node *d = &f.g->node[1];
    size_t row = tl_dims_count(d->p[0].dims) / 12;
    for (size_t k = 0; k < 6; k++) {
        float *w = d->p[0].w, *to = w + (6 + k) * row, *one = w + k * row, *two = w + (k + 1) % 6 * row;
        for (size_t j = 0; j < row; j++) to[j] = 0.5f * one[j] - two[j];
    }
    prune_tail(&f, "a", 6);
    double whole = 0, before = mean_square(f.a, f.g, f.s, f.x, SEEN);
    tl_tensor y = watch(f.a, f.g, 2, f.x, SEEN);
    for (size_t k = 0; k < tl_count(y.s); k++) whole += pow((double)y.f[k], 2) / (double)tl_count(y.s);
    assert_int_equal(adapt(&f, SEEN), 1);
    double after = sqrt(mean_square(f.a, f.g, f.s, f.x, SEEN) / whole);
    /* What is left is the ridge's (1e-3): with a tenth of it the error is below 1e-3 too. */
    if (after > 2e-3 || before < 0.1 * whole) fail_msg("%g before, %g after", sqrt(before / whole), after);
    tl_arena_free(f.a);
}

static void dependent_channels_are_made_up_for(void **state)
{
    (void)state;
    make_up_for_dependent_channels(small);
    make_up_for_dependent_channels(far_apart);
}

static void a_bias_appears_where_none_was(void **state)
{
    (void)state;
    fixture f = make(small);
    tl_onnx *m;
    tl_graph *back;
    tl_bytes file;
    prune_tail(&f, "a", 6);
    assert_int_equal(tl_dims_count(f.s->node[2].p[1].dims), 0);
    adapt(&f, 1); /* one picture is enough to run */
    assert_int_equal(tl_dims_count(f.s->node[2].p[1].dims), 5);
    assert_int_equal(tl_dims_count(f.g->node[2].p[1].dims), 0);
    ok(tl_graph_to_onnx(f.s, f.a, 0, false, &m));
    ok(tl_onnx_pack(f.a, m, &file));
    ok(tl_onnx_parse(f.a, file, &m));
    ok(tl_graph_from_onnx(m, f.a, &back));
    assert_true(mean_square(f.a, f.s, back, f.x, 4) < 1e-12);
    tl_arena_free(f.a);
}

/* One picture, one pixel: all there is to learn is the bias, and it makes the answer exact. */
static void one_picture_sets_the_bias(void **state)
{
    (void)state;
    fixture f = make(chain);
    prune(&f, 0.6f);
    adapt(&f, 1);
    assert_true(mean_square(f.a, f.g, f.s, f.x, 1) < 1e-10);
    tl_arena_free(f.a);
}

/* ---- Against double precision ----------------------------------------------------------------- */

/* Gauss-Jordan with pivots: A is n x n, b is n. */
static void gauss(double *A, double *b, int n)
{
    for (int j = 0; j < n; j++) {
        int top = j;
        for (int i = j; i < n; i++)
            if (fabs(A[i * n + j]) > fabs(A[top * n + j])) top = i;
        for (int k = 0; k <= n; k++) {
            double *p = k < n ? &A[j * n + k] : &b[j], *q = k < n ? &A[top * n + k] : &b[top], t = *p;
            *p = *q;
            *q = t;
        }
        for (int i = 0; i < n; i++) {
            double share = i == j ? 0 : A[i * n + j] / A[j * n + j];
            for (int k = 0; k < n; k++) A[i * n + k] -= share * A[j * n + k];
            b[i] -= share * b[j];
        }
    }
    for (int j = 0; j < n; j++) b[j] /= A[j * n + j];
}

/* Weights and bias together, in one system of which only the weights' part is held down: not how the pass does it. */
static void the_change_is_the_least_squares_one(void **state)
{
    (void)state;
    enum { IN = 7, ALL = IN + 1, N = 5, ROWS = N * SIDE * SIDE };
    fixture f = make(small);
    tl_graph *before;
    prune_tail(&f, "a", IN);
    ok(tl_graph_copy(f.s, f.a, &before));
    tl_tensor x = watch(f.a, before, 1, f.x, N), z = watch(f.a, before, 2, f.x, N), y = watch(f.a, f.g, 2, f.x, N);
    adapt(&f, N);
    double mean[IN] = { 0 }, ridge = 0;
    for (int k = 0; k < ROWS * IN; k++) mean[k % IN] += (double)x.f[k] / ROWS;
    for (int k = 0; k < ROWS * IN; k++) ridge += 1e-3 / IN * pow((double)x.f[k] - mean[k % IN], 2);
    for (int o = 0; o < 5; o++) {
        double A[ALL * ALL] = { 0 }, b[ALL] = { 0 };
        for (int i = 0; i < IN; i++) A[i * ALL + i] = ridge;
        for (int r = 0; r < ROWS; r++) {
            double v[ALL];
            for (int i = 0; i < ALL; i++) v[i] = i < IN ? (double)x.f[r * IN + i] : 1;
            for (int i = 0; i < ALL * ALL; i++) A[i] += v[i / ALL] * v[i % ALL];
            for (int i = 0; i < ALL; i++) b[i] += v[i] * ((double)y.f[r * 5 + o] - (double)z.f[r * 5 + o]);
        }
        gauss(A, b, ALL);
        const tl_param *was = before->node[2].p, *is = f.s->node[2].p;
        for (int i = 0; i < IN; i++)
            assert_true(fabs((double)is[0].w[o * IN + i] - (double)was[0].w[o * IN + i] - b[i]) < 1e-4);
        assert_true(fabs((double)is[1].w[o] - b[IN]) < 1e-4);
    }
    tl_arena_free(f.a);
}

/* ---- Importance ------------------------------------------------------------------------------- */

/* Two read the same value, a 3x3 and a 1x1; a depthwise one reads no channel of its own choice. */
static void readers(tl_graph *g)
{
    tl_val x = stem(g, 10);
    tl_val a = OP(g, "a", conv2d, IN(x), .out = 6, .pad = 1), b = OP(g, "b", conv2d, IN(x), .out = 6, .k = 1),
           c = OP(g, "c", conv2d, IN(OP(g, "dw", conv2d, IN(x), .out = 10, .groups = 10, .pad = 1)), .out = 6, .k = 1);
    head(g, OP(g, "ab", add, IN(OP(g, "bc", add, IN(b, c), 0), a), 0));
}

static double weight_squares(const tl_graph *g, const char *name, int channel)
{
    const tl_param *p = &g->node[tl_graph_find(g, name)].p[0];
    double sum = 0;
    for (size_t j = 0, hw = (size_t)p->dims.d[2] * (size_t)p->dims.d[3]; j < tl_dims_count(p->dims); j++)
        if ((int)(j / hw) % p->dims.d[1] == channel) sum += pow((double)p->w[j], 2);
    return sum;
}

static double variance(tl_tensor t, int channel)
{
    double mean = 0, var = 0;
    int c = t.s.c, n = (int)tl_count(t.s) / c;
    for (int r = 0; r < n; r++) mean += (double)t.f[r * c + channel] / n;
    for (int r = 0; r < n; r++) var += pow((double)t.f[r * c + channel] - mean, 2) / n;
    return var;
}

static void importance_is_deviation_times_weights(void **state)
{
    (void)state;
    fixture f = make(readers);
    const float *const *got;
    int relu = tl_graph_find(f.g, "stem_relu"), dw = tl_graph_find(f.g, "dw"), gap = tl_graph_find(f.g, "gap");
    ok(tl_importance(f.g, f.a, 0, f.x, SEEN, &got));
    const struct { int node; const char *reader[2]; } want[] = {
        { relu, { "a", "b" } }, { dw, { "c" } }, { gap, { "fc" } },
    };
    for (int j = 0; j < TL_LEN(want); j++) {
        tl_tensor t = watch(f.a, f.g, want[j].node, f.x, SEEN);
        for (int k = 0; k < t.s.c; k++) {
            double w = weight_squares(f.g, want[j].reader[0], k);
            if (want[j].reader[1]) w += weight_squares(f.g, want[j].reader[1], k);
            double v = sqrt(w * variance(t, k));
            if (!(fabs((double)got[want[j].node][k] - v) < 1e-4 * v)) fail_msg("%d, channel %d: not %g", j, k, v);
        }
    }
    for (int i = 0; i < f.g->n; i++)
        if (i != relu && i != dw && i != gap) assert_null(got[i]);
    tl_arena_free(f.a);
}

static void halves(tl_graph *g)
{
    tl_val x = OP(g, "image", input, NO_INPUT, 3, SIDE, SIDE);
    x = OP(g, "a_relu", relu, IN(OP(g, "a", conv2d, IN(x), .out = 16, .k = 1)), 0);
    x = OP(g, "b_relu", relu, IN(OP(g, "b", conv2d, IN(x), .out = 16, .k = 1, .stride = 2)), 0);
    OP(g, "c", conv2d, IN(x), .out = 4, .k = 1);
}

/* Of two layers whose channels matter alike, that on the larger map is cut more: what is left is as in a knapsack filled by worth over
 * price, made here by hand. */
static void what_costs_more_goes_first(void **state)
{
    (void)state;
    enum { C = 16, HW = SIDE * SIDE, QUARTER = HW / 4 };
    const double all = 3 * C * HW + C * C * QUARTER + C * 4 * QUARTER, want = 0.5;
    const double price[2] = { (3 * HW + C * QUARTER) / all, (C * QUARTER + 4 * QUARTER) / all };
    fixture f = make(halves);
    const float **v = tl_new(f.a, const float *, f.g->n);
    float *worth = tl_new(f.a, float, C);
    double squares = 0;
    int left[2] = { 0, 0 };
    for (int k = 0; k < C; k++) worth[k] = (float)sqrt(1 + 2 * k), squares += 1 + 2 * k;
    const int node[2] = { tl_graph_find(f.g, "a_relu"), tl_graph_find(f.g, "b_relu") };
    v[node[0]] = v[node[1]] = worth;
    ok(tl_prune(f.g, f.a, &(tl_prune_opts){ .macs = want, .granularity = 1, .min = 1, .importance = v }, &f.s, &f.r));
    for (int j = 0; j < 2; j++)
        for (int k = 0; k < C; k++) left[j] += (1 + 2 * k) / squares / price[j] > (double)f.r.threshold;
    for (int j = 0; j < 2; j++) assert_int_equal(f.r.kept[node[j]].n, left[j]);
    assert_true(left[0] < left[1] && tl_graph_macs(f.s) <= want * tl_graph_macs(f.g));
    /* The best of those that are gone would be too much. */
    const double next[2] = { (1 + 2 * (C - left[0] - 1)) / price[0], (1 + 2 * (C - left[1] - 1)) / price[1] };
    left[next[1] > next[0]]++;
    assert_true(3 * left[0] * HW + left[0] * left[1] * QUARTER + left[1] * 4 * QUARTER > want * all);
    tl_arena_free(f.a);
}

static void the_most_important_stay(void **state)
{
    (void)state;
    fixture f = make(chain);
    const float *const *v;
    tl_graph *s;
    tl_prune_result r;
    ok(tl_importance(f.g, f.a, 0, f.x, SEEN, &v));
    ok(tl_prune(f.g, f.a, &(tl_prune_opts){ .threshold = 0.5f, .granularity = 1, .min = 1, .importance = v }, &s, &r));
    int removed = 0;
    for (int i = 0; i < f.g->n; i++) {
        if (!v[i]) continue;
        float top = 0;
        for (int k = 0; k < f.g->node[i].s.c; k++) top = fmaxf(top, v[i][k]);
        for (int k = 0, m = 0; k < f.g->node[i].s.c; k++) {
            bool stays = m < r.kept[i].n && r.kept[i].at[m] == k;
            if (!strcmp(f.g->node[i].name, "stem_relu")) assert_true(stays == (v[i][k] > 0.5f * top));
            m += stays;
            removed += !stays;
        }
    }
    assert_true(removed > 3);
    tl_arena_free(f.a);
}

/* ---- What goes wrong -------------------------------------------------------------------------- */

static void wrong_use_is_refused(void **state)
{
    (void)state;
    fixture f = make(small);
    const float *const *v;
    int changed;
    prune_tail(&f, "a", 6);
    assert_int_equal(tl_adapt(f.g, &f.r, f.s, 0, f.x, 0, &changed), TL_EARG);
    assert_int_equal(tl_importance(f.g, f.a, 0, f.x, 0, &v), TL_EARG);
    f.r.kept[1].n = 5;
    assert_int_equal(tl_adapt(f.g, &f.r, f.s, 0, f.x, 1, &changed), TL_ESHAPE);
    assert_non_null(strstr(tl_errmsg(), "'a' has 6 channels left, the list of them has 5"));
    f.r.kept[1].n = 6;
    f.x[0] = (float)NAN;
    assert_int_equal(tl_adapt(f.g, &f.r, f.s, 0, f.x, 1, &changed), TL_EARG);
    assert_non_null(strstr(tl_errmsg(), "'b'"));
    tl_arena_free(f.a);
}

static void no_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    fixture f = make(small);
    tl_status s = TL_ENOMEM;
    int n = 0;
    prune_tail(&f, "a", 6);
    for (; s; n++) {
        tl_arena *a = tl_arena_new();
        tl_graph *copy;
        const float *const *v;
        int changed;
        ok(tl_graph_copy(f.s, a, &copy));
        tl_oom_countdown = n;
        if (!(s = tl_importance(f.g, a, 0, f.x, 1, &v))) s = tl_adapt(f.g, &f.r, copy, 0, f.x, 1, &changed);
        tl_oom_countdown = -1;
        if (s) assert_int_equal(s, TL_ENOMEM);
        tl_arena_free(a);
    }
    assert_true(n > 50);
    tl_arena_free(f.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_come_nearer),
        cmocka_unit_test(the_rest_is_untouched),
        cmocka_unit_test(nothing_lost_nothing_changed),
        cmocka_unit_test(padded_layers_are_left),
        cmocka_unit_test(dependent_channels_are_made_up_for),
        cmocka_unit_test(a_bias_appears_where_none_was),
        cmocka_unit_test(one_picture_sets_the_bias),
        cmocka_unit_test(the_change_is_the_least_squares_one),
        cmocka_unit_test(importance_is_deviation_times_weights),
        cmocka_unit_test(what_costs_more_goes_first),
        cmocka_unit_test(the_most_important_stay),
        cmocka_unit_test(wrong_use_is_refused),
        cmocka_unit_test(no_memory_is_an_error_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
