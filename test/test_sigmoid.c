/* test_sigmoid.c - sigmoid, swish and gates against double precision; the same bits for any number of threads, and when the
 * result overwrites its argument. SPDX-License-Identifier: MIT */
#include "isa.h"

enum { N = 60000 }; /* values: enough to be shared among threads */

static double exact(double x) { return 1 / (1 + exp(-x)); }

/* In units of the last place of a float as large as `want`, besides what rounding to bf16 does. */
static double ulps(float got, double want)
{
    int e;
    frexp(want, &e);
    return fabs((double)got - want) / ldexp(1, e - 24) - (k->maps == TL_BF16 ? 1 << 15 : 0);
}

/* From -90 to 90, dense near zero. */
static float *numbers(void)
{
    float *x = room(N);
    for (int i = 0; i < N; i++) x[i] = tl_uniform_in(&rng, -1, 1) * powf(10, tl_uniform_in(&rng, -6, 1.93f));
    return x;
}

static void values_are_exact_to_a_few_last_places(void **state)
{
    (void)state;
    float *x = numbers();
    tl_map *xm = map_of(x, N), *sm = map_room(N), *ym = map_room(N);
    k->sigmoid(xm, N, sm);
    k->swish(xm, N, ym);
    const float *s = floats(sm, N), *y = floats(ym, N);
    for (int j = 0; j < N; j++) {
        if (x[j] < -86) continue; /* where exp(x) is no longer a normal number it stays at exp(-87) */
        if (ulps(s[j], exact((double)x[j])) > 3) fail_msg("%s: sigmoid(%g) is %g", k->isa, (double)x[j], (double)s[j]);
        if (ulps(y[j], (double)x[j] * exact((double)x[j])) > 4)
            fail_msg("%s: swish(%g) is %g", k->isa, (double)x[j], (double)y[j]);
    }
}

static void gradients_follow_the_definition(void **state)
{
    (void)state;
    float *x = numbers(), *dy = room(N);
    for (int j = 0; j < N; j++) dy[j] = (float)(j % 7) - 3;
    tl_map *xm = map_of(x, N), *dym = map_of(dy, N), *sm = map_room(N), *ds = map_room(N), *dx = map_room(N);
    double *want = tl_new(arena, double, N), *want_swish = tl_new(arena, double, N);
    k->sigmoid(xm, N, sm);
    k->sigmoid_grad(sm, dym, N, ds);
    k->swish_grad(xm, dym, N, dx);
    const float *s = floats(sm, N);
    for (int j = 0; j < N; j++) {
        double v = (double)x[j], p = exact(v), d = (double)dy[j];
        want[j] = d * (double)s[j] * (1 - (double)s[j]);
        want_swish[j] = d * p * (1 + v * (1 - p));
    }
    expect_map("sigmoid_grad", ds, want, N, 2e-6);
    expect_map("swish_grad", dx, want_swish, N, 1e-6);
}

static void extremes_stay_sane(void **state)
{
    (void)state;
    float x[] = { NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 0, -0.0f, -87.5f, 200 };
    const float want[] = { NAN, 1, 0, 1, 0, 0.5f, 0.5f, 0, 1 };
    const tl_map *xm = map_of(x, TL_LEN(x));
    tl_map *y = map_room(TL_LEN(x));
    k->sigmoid(xm, TL_LEN(x), y);
    const float *got = floats(y, TL_LEN(x));
    for (int j = 0; j < TL_LEN(x); j++)
        if (isnan(want[j]) != isnan(got[j]) || fabsf(got[j] - want[j]) > 1e-37f)
            fail_msg("%s: %g gives %g", k->isa, (double)x[j], (double)got[j]);
    k->swish(xm, TL_LEN(x), y);
    got = floats(y, TL_LEN(x));
    assert_true(isnan(got[0]) && got[3] == x[3] && got[5] == 0.0f && fabsf(got[7]) < 1e-35f);
}

static void gates_multiply_and_sum(void **state)
{
    static const tl_shape shapes[] = {
        { 1, 1, 1, 1 }, { 2, 3, 5, 4 }, { 3, 257, 7, 7 }, { 2, 96, 28, 28 }, { 1, 600, 1, 1 }
    };
    (void)state;
    for (int j = 0; j < TL_LEN(shapes); j++) {
        const tl_shape q = shapes[j];
        const size_t n = tl_count(q), c = (size_t)q.c, gates = (size_t)q.n * c, picture = n / (size_t)q.n;
        float *x = draw(n, -1, 1), *dy = draw(n, -1, 1), *s = draw(gates, 0, 1), *ds = room(gates);
        tl_map *xm = map_of(x, n), *dym = map_of(dy, n), *y = map_room(n);
        double *want = tl_new(arena, double, n), *sums = tl_new(arena, double, gates);
        for (size_t e = 0; e < n; e++) {
            const size_t g = e / picture * c + e % c;
            want[e] = (double)x[e] * (double)s[g];
            sums[g] += (double)x[e] * (double)dy[e];
        }
        SAME_BITS(y, n, k->gate(xm, s, q, y));
        SAME_BITS(ds, gates, k->gate_grad(xm, dym, q, ds));
        expect_map("gate", y, want, n, 1e-7);
        expect("gate_grad", ds, sums, gates, 1e-6);
        k->gate(xm, s, q, xm);
        assert_memory_equal(xm, y, n * SIZE_OF(y));
    }
}

static void run(int what, const tl_map *x, const tl_map *dy, tl_map *to)
{
    if (what == 0) k->sigmoid(x, N, to);
    if (what == 1) k->swish(x, N, to);
    if (what == 2) k->sigmoid_grad(x, dy, N, to);
    if (what == 3) k->swish_grad(x, dy, N, to);
    if (what == 4) k->mul(x, dy, N, to);
}

static void threads_and_places_make_no_difference(void **state)
{
    (void)state;
    const tl_map *x = map_of(numbers(), N), *dy = map_of(numbers(), N);
    tl_map *y = map_room(N);
    for (int what = 0; what < 5; what++) {
        SAME_BITS(y, N, run(what, x, dy, y));
        tl_map *place = copy_map(x, N);
        run(what, place, dy, place);
        assert_memory_equal(place, y, N * SIZE_OF(y));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_are_exact_to_a_few_last_places),
        TEST(gradients_follow_the_definition),
        TEST(extremes_stay_sane),
        TEST(gates_multiply_and_sum),
        TEST(threads_and_places_make_no_difference),
    };
    RUN_FOR_EVERY_ISA(tests);
}
