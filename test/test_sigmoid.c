/* test_sigmoid.c - sigmoid, swish and gates, for every instruction set of this machine, against double precision; the
 * same bits for any number of threads, and when the result overwrites its argument. SPDX-License-Identifier: MIT */
#include "kernel.h"
#include "rng.h"
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { N = 60000 }; /* values: enough to be shared among threads */

static double exact(double x) { return 1 / (1 + exp(-x)); }

/* In units of the last place of a float as large as `want`. */
static double ulps(float got, double want)
{
    int e;
    frexp(want, &e);
    return fabs((double)got - want) / ldexp(1, e - 24);
}

static const tl_kernels *each_isa(int i)
{
    static const char *const names[] = { "base", "avx2", "avx512" };
    return i < TL_LEN(names) ? tl_kernel_for(names[i]) : NULL;
}

/* x: from -90 to 90, dense near zero. */
static float *numbers(tl_arena *a)
{
    float *x = tl_new(a, float, N);
    tl_rng r = tl_rng_at(1, 2, 3, 4);
    for (int i = 0; i < N; i++) x[i] = tl_uniform_in(&r, -1, 1) * powf(10, tl_uniform_in(&r, -6, 1.93f));
    return x;
}

static void values_are_exact_to_a_few_last_places(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    float *x = numbers(a), *s = tl_new(a, float, N), *y = tl_new(a, float, N);
    const tl_kernels *k;
    for (int i = 0; (k = each_isa(i)); i++) {
        k->sigmoid(x, N, s);
        k->swish(x, N, y);
        for (int j = 0; j < N; j++) {
            if (x[j] < -86) continue; /* where exp(x) is no longer a normal number it stays at exp(-87) */
            if (ulps(s[j], exact((double)x[j])) > 3)
                fail_msg("%s: sigmoid(%g) is %g", k->isa, (double)x[j], (double)s[j]);
            if (ulps(y[j], (double)x[j] * exact((double)x[j])) > 4)
                fail_msg("%s: swish(%g) is %g", k->isa, (double)x[j], (double)y[j]);
        }
    }
    tl_arena_free(a);
}

static void gradients_follow_the_definition(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    float *x = numbers(a), *s = tl_new(a, float, N), *ds = tl_new(a, float, N), *dy = tl_new(a, float, N);
    const tl_kernels *k;
    for (int j = 0; j < N; j++) dy[j] = (float)(j % 7) - 3;
    for (int i = 0; (k = each_isa(i)); i++) {
        k->sigmoid(x, N, s);
        k->sigmoid_grad(s, dy, N, ds);
        k->swish_grad(x, dy, N, s);
        for (int j = 0; j < N; j++) {
            double v = (double)x[j], p = exact(v), d = (double)dy[j];
            assert_true(fabs((double)ds[j] - d * p * (1 - p)) < 1e-6);
            assert_true(fabs((double)s[j] - d * p * (1 + v * (1 - p))) < 2e-6);
        }
    }
    tl_arena_free(a);
}

static void extremes_stay_sane(void **state)
{
    (void)state;
    const float x[] = { NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 0, -0.0f, -87.5f, 200 };
    const float want[] = { NAN, 1, 0, 1, 0, 0.5f, 0.5f, 0, 1 };
    float y[TL_LEN(x)];
    const tl_kernels *k;
    for (int i = 0; (k = each_isa(i)); i++) {
        k->sigmoid(x, TL_LEN(x), y);
        for (int j = 0; j < TL_LEN(x); j++)
            if (isnan(want[j]) != isnan(y[j]) || fabsf(y[j] - want[j]) > 1e-37f)
                fail_msg("%s: %g gives %g", k->isa, (double)x[j], (double)y[j]);
        k->swish(x, TL_LEN(x), y);
        assert_true(isnan(y[0]) && y[3] == 1e30f && y[5] == 0.0f && fabsf(y[7]) < 1e-35f);
    }
}

static void gates_multiply_and_sum(void **state)
{
    static const tl_shape shapes[] = {
        { 1, 1, 1, 1 }, { 2, 3, 5, 4 }, { 3, 257, 7, 7 }, { 2, 96, 28, 28 }, { 1, 600, 1, 1 }
    };
    (void)state;
    const tl_kernels *k;
    for (int i = 0; (k = each_isa(i)); i++)
        for (int j = 0; j < TL_LEN(shapes); j++) {
            tl_shape q = shapes[j];
            size_t n = tl_count(q), gates = (size_t)q.n * (size_t)q.c, hw = n / gates;
            tl_arena *a = tl_arena_new();
            float *x = tl_new(a, float, n), *dy = tl_new(a, float, n), *s = tl_new(a, float, gates);
            float *y = tl_new(a, float, n), *ds = tl_new(a, float, gates), *once = tl_new(a, float, gates);
            tl_rng r = tl_rng_at(5, 6, 7, 8);
            for (size_t e = 0; e < n; e++) x[e] = tl_uniform_in(&r, -1, 1), dy[e] = tl_uniform_in(&r, -1, 1);
            for (size_t e = 0; e < gates; e++) s[e] = tl_uniform_in(&r, 0, 1);
            for (int threads = 1; threads <= 3; threads++) {
                omp_set_num_threads(threads);
                k->gate(x, s, q, y);
                k->gate_grad(x, dy, q, ds);
                if (threads == 1) memcpy(once, ds, gates * sizeof *ds);
                assert_memory_equal(once, ds, gates * sizeof *ds);
            }
            for (size_t e = 0; e < n; e++)
                assert_true(y[e] == x[e] * s[e / (hw * (size_t)q.c) * (size_t)q.c + e % (size_t)q.c]);
            for (size_t e = 0; e < gates; e++) {
                double sum = 0;
                for (size_t p = 0; p < hw; p++) {
                    size_t at = (e / (size_t)q.c * hw + p) * (size_t)q.c + e % (size_t)q.c;
                    sum += (double)x[at] * (double)dy[at];
                }
                assert_true(fabs((double)ds[e] - sum) < 1e-5);
            }
            k->gate(x, s, q, x);
            assert_memory_equal(x, y, n * sizeof *x);
            tl_arena_free(a);
        }
}

/* One call with one, two and three threads, and in place. */
static void threads_and_places_make_no_difference(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    float *x = numbers(a), *dy = numbers(a), *one = tl_new(a, float, N), *y = tl_new(a, float, N);
    const tl_kernels *k;
    for (int i = 0; (k = each_isa(i)); i++)
        for (int what = 0; what < 5; what++)
            for (int threads = 1; threads <= 4; threads++) {
                float *to = threads == 1 ? one : y;
                const float *from = x;
                omp_set_num_threads(threads % 4 ? threads : 2);
                if (threads == 4) from = memcpy(to, x, N * sizeof *x); /* in place */
                if (what == 0) k->sigmoid(from, N, to);
                if (what == 1) k->swish(from, N, to);
                if (what == 2) k->sigmoid_grad(from, dy, N, to);
                if (what == 3) k->swish_grad(from, dy, N, to);
                if (what == 4) k->mul(from, dy, N, to);
                assert_memory_equal(to, one, N * sizeof *one);
            }
    tl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_exact_to_a_few_last_places),
        cmocka_unit_test(gradients_follow_the_definition),
        cmocka_unit_test(extremes_stay_sane),
        cmocka_unit_test(gates_multiply_and_sum),
        cmocka_unit_test(threads_and_places_make_no_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
