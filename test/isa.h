/* isa.h - what the tests of kernels share: each runs for every instruction set of this machine, and for maps of bf16, against
 * plain loops in double precision. SPDX-License-Identifier: MIT */
#ifndef TL_ISA_H
#define TL_ISA_H
#include "kernel.h"
#include "rng.h"
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const tl_kernels *k; /* under test */
static tl_arena *arena;
static tl_rng rng;

static inline float *draw(size_t n, float lo, float hi)
{
    float *v = tl_new(arena, float, n);
    for (size_t i = 0; i < n; i++) v[i] = tl_uniform_in(&rng, lo, hi);
    return v;
}

static inline float *room(size_t n) { return tl_new(arena, float, n); }

static inline float *copy(const float *v, size_t n) { return memcpy(room(n), v, n * sizeof *v); }

/* ---- Maps, of the type that k has ---- */

static inline tl_map *map_room(size_t n) { return tl_alloc(arena, n * tl_dtype_size(k->maps)); }

/* A map of these numbers, which become what it holds: bf16 rounds them. */
static inline tl_map *map_of(float *v, size_t n)
{
    tl_map *m = map_room(n);
    k->narrow(v, n, m);
    k->widen(m, n, v);
    return m;
}

static inline float *floats(const tl_map *m, size_t n)
{
    float *v = room(n);
    k->widen(m, n, v);
    return v;
}

static inline tl_map *copy_map(const tl_map *m, size_t n) { return memcpy(map_room(n), m, n * tl_dtype_size(k->maps)); }

#define SIZE_OF(p) _Generic((p), tl_map *: tl_dtype_size(k->maps), default: sizeof(float))

/* Run `call` (which fills out, n numbers of a map or floats) with 1, 2 and 3 threads and expect the same bits. */
#define SAME_BITS(out, n, call)                                                                    \
    do {                                                                                           \
        omp_set_num_threads(1);                                                                    \
        call;                                                                                      \
        const size_t bytes_ = (n) * SIZE_OF(out);                                                  \
        void *one_ = memcpy(tl_alloc(arena, bytes_), out, bytes_);                                 \
        for (int t_ = 2; t_ <= 3; t_++) {                                                          \
            omp_set_num_threads(t_);                                                               \
            memset(out, 0xff, bytes_);                                                             \
            call;                                                                                  \
            assert_memory_equal(out, one_, bytes_);                                                \
        }                                                                                          \
    } while (0)

/* Each within `tolerance` of the largest, and `share` of itself. */
static inline void expect_near(const char *what, const float *got, const double *want, size_t n, double tolerance,
                               double share)
{
    double most = 1e-6;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs(want[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= tolerance * most + share * fabs(want[i])))
            fail_msg("%s (%s): element %zu of %zu is %g, not %g", what, k->isa, i, n,
                     (double)got[i], want[i]);
}

static inline void expect(const char *what, const float *got, const double *want, size_t n, double tolerance)
{
    expect_near(what, got, want, n, tolerance, 0);
}

/* A map, whose numbers are rounded to 8 bits when it is bf16. */
static inline void expect_map(const char *what, const tl_map *got, const double *want, size_t n, double tolerance)
{
    expect_near(what, floats(got, n), want, n, tolerance, k->maps == TL_BF16 ? 1 / 255.0 : 0);
}

static inline int setup(void **state)
{
    (void)state;
    arena = tl_arena_new();
    rng = tl_rng_at(7, 0, 0, 0);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    tl_arena_free(arena);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* The number of failures of `tests`, an array of TEST(...). */
#define RUN_FOR_EVERY_ISA(tests)                                                    \
    int failed = 0;                                                                 \
    static const char *const isa[] = { "base", "avx2", "avx512", "widened", "bf16" }; \
    for (int i = 0; i < TL_LEN(isa); i++) {                                         \
        k = tl_kernel_for(isa[i]);                                                  \
        if (k) failed += cmocka_run_group_tests_name(isa[i], tests, NULL, NULL);    \
        else print_message("%s: not on this processor, skipped\n", isa[i]);         \
    }                                                                               \
    return failed
#endif
