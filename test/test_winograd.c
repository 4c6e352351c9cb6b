/* test_winograd.c - 3x3 convolutions against plain ones in double. SPDX-License-Identifier: MIT
 *
 * Errors are relative to the largest number of a result, and compared with those of adding up products one
 * by one in float. With few channels that has hardly any, so a few roundings are allowed in any case. Where maps are bf16,
 * factors are rounded to it, and so are results: see winograd.h for what that should leave. */
#include "isa.h"
#include <stdlib.h>

#define NO_MAX __builtin_inff()

typedef struct {
    int n, h, w, in, out, pad;
} size;

/* Every remainder by 4, maps smaller than a tile, odd channels, channels of several vectors, panels and parts. */
static const size sizes[] = {
    { 1, 1, 1, 1, 1, 1 },    { 2, 2, 3, 3, 5, 1 },    { 3, 3, 3, 5, 3, 0 },    { 1, 4, 5, 17, 33, 1 },
    { 2, 6, 7, 33, 17, 2 },  { 1, 7, 7, 64, 64, 1 },  { 3, 7, 7, 70, 64, 1 },  { 2, 8, 9, 16, 32, 1 },
    { 1, 9, 9, 130, 48, 0 }, { 2, 13, 6, 5, 70, 1 },  { 1, 14, 14, 64, 70, 1 }, { 2, 15, 14, 33, 64, 2 },
    { 1, 28, 28, 8, 17, 1 }, { 3, 28, 27, 3, 64, 1 }, { 2, 1, 9, 4, 4, 2 },    { 1, 7, 6, 65, 129, 0 },
};
/* As the shape asks, and as large maps are cut. */
static const struct { int sharing, block, group; } cuts[] = {
    { 0, 0, 0 },
    { TL_WINO_ALONE, 3, 0 },
    { TL_WINO_ALONE, 40, 0 },
    { TL_WINO_TOGETHER, 5, 1 },
    { TL_WINO_TOGETHER, 2, 3 },
};

/* One problem: maps, filters, what a convolution of them gives in double, and in float. */
typedef struct {
    tl_wino c;
    size_t nx, ny, nw, nout;
    float *x, *w, *dy, *bias, *old, *scratch;
    tl_map *xm, *dym, *oldm;
    double *y, *dx, *dw, *db;
    float *y_float, *dx_float, *dw_float;
} problem;

static void convolve(problem *p)
{
    const tl_shape x = p->c.x, y = p->c.y;
    for (size_t o = 0; o < p->ny; o++) {
        const int c = (int)(o % (size_t)y.c), at = (int)(o / (size_t)y.c);
        const int col = at % y.w, row = at / y.w % y.h, n = at / y.w / y.h;
        p->db[c] += (double)p->dy[o];
        for (int t = 0; t < 9; t++) {
            const int ih = row - p->c.pad + t / 3, iw = col - p->c.pad + t % 3;
            if (ih < 0 || iw < 0 || ih >= x.h || iw >= x.w) continue;
            for (int i = 0; i < x.c; i++) {
                const size_t e = (size_t)(((n * x.h + ih) * x.w + iw) * x.c + i);
                const size_t f = (size_t)((c * x.c + i) * 9 + t);
                p->y[o] += (double)p->x[e] * (double)p->w[f];
                p->dx[e] += (double)p->dy[o] * (double)p->w[f];
                p->dw[f] += (double)p->dy[o] * (double)p->x[e];
                p->y_float[o] += p->x[e] * p->w[f];
                p->dx_float[e] += p->dy[o] * p->w[f];
                p->dw_float[f] += p->dy[o] * p->x[e];
            }
        }
    }
}

static problem pose(size s)
{
    const int grows = 2 * s.pad - 2;
    problem p = { .c = { .x = { s.n, s.in, s.h, s.w }, .y = { s.n, s.out, s.h + grows, s.w + grows }, .pad = s.pad } };
    p.nx = tl_count(p.c.x);
    p.ny = tl_count(p.c.y);
    p.nout = (size_t)s.out;
    p.nw = 9 * (size_t)s.in * p.nout;
    p.x = draw(p.nx, -1, 1);
    p.w = draw(p.nw, -1, 1);
    p.dy = draw(p.ny, -1, 1);
    p.bias = draw(p.nout, -1, 1);
    p.old = draw(p.ny, -1, 1);
    p.xm = map_of(p.x, p.nx);
    p.dym = map_of(p.dy, p.ny);
    p.oldm = map_of(p.old, p.ny);
    double **wide[] = { &p.y, &p.dx, &p.dw, &p.db };
    float **narrow[] = { &p.y_float, &p.dx_float, &p.dw_float };
    const size_t n[] = { p.ny, p.nx, p.nw, p.nout };
    for (int i = 0; i < 4; i++) *wide[i] = tl_new(arena, double, n[i]);
    for (int i = 0; i < 3; i++) *narrow[i] = room(n[i]);
    convolve(&p);
    return p;
}

/* What rounding to bf16 may leave of the largest number at worst, and in the mean square: of what is multiplied, or only of results,
 * whose 8 bits are right to 0.4%. */
static bool rounds(void) { return k->maps == TL_BF16; }
static double most_rounding(void) { return k->products == TL_BF16 ? 0.05 : 0.0045; }
static double mean_rounding(void) { return k->products == TL_BF16 ? 0.02 : 0.0025; }

static double error_of(const float *got, const double *want, size_t n)
{
    double most = 1e-6, error = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs(want[i]));
    for (size_t i = 0; i < n; i++) {
        double e = fabs((double)got[i] - want[i]);
        if (!(e <= error)) error = e;
    }
    return error / most;
}

static double mean_error_of(const float *got, const double *want, size_t n)
{
    double sum = 1e-6, error = 0;
    for (size_t i = 0; i < n; i++) {
        sum += want[i] * want[i];
        error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
    }
    return sqrt(error / sum);
}

/* `times` the error of adding up, and never less than a few roundings. */
static void within(const char *what, const problem *p, const float *got, const double *want, const float *added,
                   size_t n, double times)
{
    double error = error_of(got, want, n), most = times * fmax(error_of(added, want, n), 4e-7);
    if (rounds()) most = most_rounding();
    if (!(error <= most) || (rounds() && n > 99 && mean_error_of(got, want, n) > mean_rounding()))
        fail_msg("%s (%s), " TL_SHAPE_FMT " to %d, padding %d: error %.2g, may be %.2g; in the mean %.2g", what, k->isa,
                 TL_SHAPE(p->c.x), p->c.y.c, p->c.pad, error, most, mean_error_of(got, want, n));
}

/* Cut the work in way i. Scratch holds nothing of use, and there is no more than the threads of this call need. */
static void cut(problem *p, int i)
{
    p->c.sharing = cuts[i].sharing;
    p->c.block = cuts[i].block;
    p->c.group = cuts[i].group;
    p->c.threads = omp_get_max_threads();
    const size_t sizes_of[] = { k->wino_scratch(&p->c, false, false), k->wino_scratch(&p->c, false, true),
                                k->wino_scratch(&p->c, true, false), k->wino_dw_scratch(&p->c) };
    size_t n = 0;
    for (int j = 0; j < TL_LEN(sizes_of); j++) n = sizes_of[j] > n ? sizes_of[j] : n;
    free(p->scratch);
    p->scratch = aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64);
    memset(p->scratch, 0xff, n * sizeof(float));
}

static const tl_wino_end plain = { .act = { 1, NO_MAX } };

static void forward(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(sizes); i++) {
        problem p = pose(sizes[i]);
        tl_map *y = map_room(p.ny), *first = map_room(p.ny);
        float *u = room(k->wino_filter_size(sizes[i].in, sizes[i].out));
        k->wino_filter(p.w, sizes[i].in, sizes[i].out, u);
        for (int j = 0; j < TL_LEN(cuts); j++) {
            SAME_BITS(y, p.ny, cut(&p, j); k->wino(&p.c, p.xm, p.w, NULL, &plain, y, p.scratch));
            within("y", &p, floats(y, p.ny), p.y, p.y_float, p.ny, 3);
            if (j == 0) first = copy_map(y, p.ny);
            assert_memory_equal(first, y, p.ny * SIZE_OF(y)); /* however it is cut */
            SAME_BITS(y, p.ny, cut(&p, j); k->wino(&p.c, p.xm, NULL, u, &plain, y, p.scratch));
            assert_memory_equal(first, y, p.ny * SIZE_OF(y));
        }
        free(p.scratch);
    }
}

static void gradients(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(sizes); i++) {
        problem p = pose(sizes[i]);
        tl_map *dx = map_room(p.nx);
        float *d = room(p.nw + p.nout), *without = room(p.nw);
        for (int j = 0; j < TL_LEN(cuts); j++) {
            SAME_BITS(dx, p.nx, cut(&p, j); k->wino_dx(&p.c, p.dym, p.w, dx, p.scratch));
            within("dx", &p, floats(dx, p.nx), p.dx, p.dx_float, p.nx, 3);
            SAME_BITS(d, p.nw + p.nout, cut(&p, j); k->wino_dw(&p.c, p.xm, p.dym, d, d + p.nw, p.scratch));
            within("dw", &p, d, p.dw, p.dw_float, p.nw, 5);
            expect("db", d + p.nw, p.db, p.nout, 1e-5);
            k->wino_dw(&p.c, p.xm, p.dym, without, NULL, p.scratch);
            assert_memory_equal(d, without, p.nw * sizeof *d);
        }
        free(p.scratch);
    }
}

/* What becomes of the convolution's y with a bias, another summand (NULL: none) and an activation. */
static double *finished(const problem *p, const tl_wino_end *end)
{
    double *y = tl_new(arena, double, p->ny);
    for (size_t e = 0; e < p->ny; e++) {
        double v = p->y[e] + (end->bias ? (double)end->bias[e % p->nout] : 0);
        if (end->add) v += (double)p->old[e];
        v = v > 0 ? v : (double)end->act.slope * v;
        y[e] = v > (double)end->act.max ? (double)end->act.max : v;
    }
    return y;
}

static double *as_double(const float *f, size_t n)
{
    double *d = tl_new(arena, double, n);
    for (size_t i = 0; i < n; i++) d[i] = (double)f[i];
    return d;
}

/* What lies in sums adds up to the sums over y. */
static void expect_sums(const tl_sums *sums, const double *y, size_t n, size_t c)
{
    double *want = tl_new(arena, double, 2 * c), *got = tl_new(arena, double, 2 * c);
    for (size_t e = 0; e < n; e++) {
        double d = y[e] - (sums->near ? (double)sums->near[e % c] : 0);
        want[e % c] += d;
        want[c + e % c] += d * d;
    }
    for (size_t e = 0; e < (size_t)sums->parts * 2 * c; e++) got[e % (2 * c)] += (double)sums->at[e];
    for (size_t e = 0; e < 2 * c; e++)
        if (!(fabs(got[e] - want[e]) <= (rounds() ? 1 / 64.0 : 1e-5) * (1 + fabs(want[c + e % c])))) fail_msg("%g %g, %g", got[e], want[e], want[c + e % c]);
}

/* y, which is added to where end says so. */
static void finish(problem *p, int way, const tl_wino_end *end, tl_map *y)
{
    memcpy(y, p->oldm, p->ny * SIZE_OF(y));
    cut(p, way);
    k->wino(&p->c, p->xm, p->w, NULL, end, y, p->scratch);
}

/* Relative to a channel's products, whose largest sums are about 9 times their number's root. */
static void expect_end(const problem *p, double got, double want)
{
    const double in = p->c.x.c, most = rounds() ? most_rounding() * (3 * sqrt(9 * in) + fabs(want)) : 2e-6 * (9 + in);
    if (!(fabs(got - want) <= most)) fail_msg("%g, not %g, with %d channels", got, want, p->c.x.c);
}

static void the_end_of_an_output(void **state)
{
    (void)state;
    static const tl_act acts[] = { { 1, NO_MAX }, { 0, NO_MAX }, { 0, 2 }, { 0.1f, NO_MAX } };
    for (int i = 0; i < TL_LEN(sizes); i++) {
        problem p = pose(sizes[i]);
        float *near = draw(p.nout, -1, 1);
        for (int j = 0; j < 4 * TL_LEN(acts); j++) {
            const int way = (i + j) % TL_LEN(cuts);
            cut(&p, way);
            const int parts = k->wino_parts(&p.c);
            const size_t nsums = (size_t)parts * 2 * p.nout;
            tl_map *y = map_room(p.ny);
            const tl_sums sums = { room(nsums), parts, j % 3 ? near : NULL };
            const tl_wino_end end = { j & 1 ? p.bias : NULL, j & 2, acts[j / 4], &sums };
            const double *want = finished(&p, &end);
            SAME_BITS(y, p.ny, finish(&p, way, &end, y));
            SAME_BITS(sums.at, nsums, finish(&p, way, &end, y));
            const float *got = floats(y, p.ny);
            for (size_t e = 0; e < p.ny; e++)
                expect_end(&p, (double)got[e], want[e]);
            if (rounds()) want = as_double(got, p.ny); /* what is summed has not been rounded yet */
            expect_sums(&sums, want, p.ny, p.nout);
        }
        free(p.scratch);
    }
}

/* A NaN reaches all that depend on it, and nothing else: padding and neighbors in a vector stay clean. */
static void keeps_nan(void **state)
{
    (void)state;
    problem p = pose((size){ 2, 9, 9, 5, 7, 1 });
    const tl_wino_end relu = { .act = { 0, 6 } };
    tl_map *ym = map_room(p.ny);
    p.x[(4 * 9 + 4) * 5] = NAN;
    p.xm = map_of(p.x, p.nx);
    cut(&p, 0);
    k->wino(&p.c, p.xm, p.w, NULL, &relu, ym, p.scratch);
    free(p.scratch);
    const float *y = floats(ym, p.ny);
    for (int row = 3; row < 6; row++)
        for (int i = 3 * 7; i < 6 * 7; i++) assert_true(isnan(y[row * 9 * 7 + i]));
    for (size_t i = p.ny / 2; i < p.ny; i++) assert_false(isnan(y[i]));
}

/* The bounds are tight enough to see a filter whose last tap is off by a part in a thousand; or of bf16, is missing. */
static void a_wrong_filter_is_seen(void **state)
{
    (void)state;
    problem p = pose((size){ 1, 14, 14, 64, 64, 1 });
    tl_map *y = map_room(p.ny);
    for (size_t i = 8; i < p.nw; i += 9) p.w[i] *= rounds() ? 0 : 1.001f;
    cut(&p, 0);
    k->wino(&p.c, p.xm, p.w, NULL, &plain, y, p.scratch);
    free(p.scratch);
    if (rounds()) assert_true(mean_error_of(floats(y, p.ny), p.y, p.ny) > mean_rounding());
    else assert_true(error_of(floats(y, p.ny), p.y, p.ny) > 3 * error_of(p.y_float, p.y, p.ny));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(forward), TEST(gradients), TEST(the_end_of_an_output), TEST(keeps_nan), TEST(a_wrong_filter_is_seen),
    };
    RUN_FOR_EVERY_ISA(tests);
}
