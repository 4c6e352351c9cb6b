/* test_kernel.c - vector kernels: the same bits for one, two and three threads. SPDX-License-Identifier: MIT */
#include "links.h"

#define NO_MAX __builtin_inff()
enum { ACTS = 5, MAPS = 10 };
static const tl_act acts[ACTS] = {
    { 1, NO_MAX }, { 0, NO_MAX }, { 0, 0.5f }, { 0.1f, NO_MAX }, { 0.1f, 0.5f }
};
/* Rows and channels: below, at and above vectors, lines and chunks, odd ones and serial ones. */
static const struct {
    size_t m;
    int c;
} maps[MAPS] = { { 1, 1 },     { 7, 3 },     { 33, 5 },   { 2000, 16 }, { 1031, 17 },
                 { 5000, 24 }, { 129, 255 }, { 70, 257 }, { 1500, 1 },  { 300, 1600 } };

static double act(double x, tl_act a)
{
    double y = x > 0 ? x : (double)a.slope * x;
    return y > (double)a.max ? (double)a.max : y;
}

static double passes(double x, tl_act a)
{
    return x >= (double)a.max ? 0 : x > 0 ? 1 : (double)a.slope;
}

/* ---- Batch norm ---- */

static void stats(void **state)
{
    (void)state;
    for (int i = 0; i < MAPS; i++) {
        size_t m = maps[i].m, c = (size_t)maps[i].c;
        float *x = draw(m * c, -1, 1), *near = draw(c, 99, 101), *out = room(2 * c);
        double *want = tl_new(arena, double, 2 * c);
        for (size_t j = 0; j < m * c; j++)
            x[j] += 100; /* a mean far from zero must not cancel the variance */
        const tl_map *xm = map_of(x, m * c);
        for (size_t j = 0; j < m * c; j++) want[j % c] += (double)x[j] / (double)m;
        for (size_t j = 0; j < m * c; j++)
            want[c + j % c] += pow((double)x[j] - want[j % c], 2) / (double)m;
        float *scratch = room(k->bn_scratch(maps[i].c));
        SAME_BITS(out, 2 * c, k->bn_stats(xm, m, maps[i].c, near, out, out + c, scratch));
        expect("mean", out, want, c, 1e-6);
        expect("variance", out + c, want + c, c, m > 1 ? 1e-5 : 1);
    }
}

static void apply(void **state)
{
    (void)state;
    for (int i = 0; i < MAPS; i++)
        for (int j = 0; j < 2 * ACTS; j++) {
            size_t n = maps[i].m * (size_t)maps[i].c, c = (size_t)maps[i].c;
            tl_act f = acts[j / 2];
            float *x = draw(n, -1, 1), *a = draw(c, -1, 1), *b = draw(c, -1, 1);
            float *add = j % 2 ? draw(n, -1, 1) : NULL;
            tl_map *xm = map_of(x, n), *addm = add ? map_of(add, n) : NULL, *y = map_room(n);
            double *want = tl_new(arena, double, n);
            for (size_t e = 0; e < n; e++) {
                double z = (double)x[e] * (double)a[e % c] + (double)b[e % c];
                want[e] = act(z + (add ? (double)add[e] : 0), f);
            }
            SAME_BITS(y, n, k->bn_apply(xm, maps[i].m, maps[i].c, a, b, addm, f, y));
            expect_map("apply", y, want, n, 1e-6);
            k->bn_apply(xm, maps[i].m, maps[i].c, a, b, addm, f, xm);
            assert_memory_equal(xm, y, n * SIZE_OF(y));
        }
}

static void gradient(void **state)
{
    (void)state;
    for (int i = 0; i < MAPS; i++)
        for (int j = 0; j < ACTS; j++) {
            size_t m = maps[i].m, c = (size_t)maps[i].c, n = m * c;
            tl_act f = acts[j];
            float *x = draw(n, -1, 1), *dy = draw(n, -1, 1), *a = draw(c, 0.5f, 1), *b = draw(c, -1, 1);
            float *mean = draw(c, -1, 1), *rstd = draw(c, 0.5f, 2), *k1 = draw(c, -1, 1),
                  *k2 = draw(c, -1, 1);
            const tl_map *xm = map_off_kinks(x, n, c, (tl_bn_read){ a, b, f });
            tl_map *dym = map_of(dy, n), *dx = map_room(n);
            double *sums = tl_new(arena, double, 2 * c), *want = tl_new(arena, double, n),
                   *fixed = tl_new(arena, double, n);
            for (size_t e = 0; e < n; e++) {
                size_t ch = e % c;
                double g = (double)dy[e] * passes((double)x[e] * (double)a[ch] + (double)b[ch], f);
                double h = ((double)x[e] - (double)mean[ch]) * (double)rstd[ch];
                sums[ch] += g * h;
                sums[c + ch] += g;
                fixed[e] = (double)a[ch] * g;
                want[e] = (double)a[ch] * (g - (double)k1[ch] - h * (double)k2[ch]);
            }
            float *scratch = room(k->bn_scratch(maps[i].c)), *got = room(2 * c);
            SAME_BITS(
                got, 2 * c,
                k->bn_grad_sums(xm, dym, m, maps[i].c, a, b, f, mean, rstd, got, got + c, scratch));
            expect("dgamma", got, sums, c, 1e-4);
            expect("dbeta", got + c, sums + c, c, 1e-4);
            SAME_BITS(dx, n, k->bn_grad(xm, dym, m, maps[i].c, a, b, f, mean, rstd, NULL, NULL, dx));
            expect_map("dx, fixed statistics", dx, fixed, n, 1e-6);
            SAME_BITS(dx, n, k->bn_grad(xm, dym, m, maps[i].c, a, b, f, mean, rstd, k1, k2, dx));
            expect_map("dx", dx, want, n, 1e-5);
            k->bn_grad(xm, dym, m, maps[i].c, a, b, f, mean, rstd, k1, k2, dym);
            assert_memory_equal(dym, dx, n * SIZE_OF(dx));
        }
}

/* ---- Elementwise ---- */

static void elementwise(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 15, 16, 1000, 20001 };
    for (int i = 0; i < TL_LEN(sizes); i++)
        for (int j = 0; j < ACTS; j++) {
            size_t n = sizes[i];
            tl_act f = acts[j];
            float *a = draw(n, -1, 1), *b = draw(n, -1, 1);
            tl_map *am = map_of(a, n), *bm = map_of(b, n), *y = map_room(n), *z = map_room(n);
            double *want = tl_new(arena, double, n);
            for (size_t e = 0; e < n; e++) want[e] = act((double)a[e], f);
            SAME_BITS(y, n, k->act(am, n, f, y));
            expect_map("act", y, want, n, 1e-7);
            const float *seen = floats(y, n);
            for (size_t e = 0; e < n; e++) want[e] = (double)b[e] * passes((double)seen[e], f);
            SAME_BITS(z, n, k->act_grad(y, bm, n, f, z));
            expect_map("act_grad", z, want, n, 1e-7);
            z = copy_map(bm, n);
            k->act_grad(y, z, n, f, z);
            expect_map("act_grad in place", z, want, n, 1e-7);
            y = copy_map(am, n);
            k->act(y, n, f, y);
            for (size_t e = 0; e < n; e++) want[e] = act((double)a[e], f);
            expect_map("act in place", y, want, n, 1e-7);
            for (size_t e = 0; e < n; e++) want[e] = act((double)a[e] + (double)b[e], f);
            SAME_BITS(y, n, k->add(am, bm, n, f, y));
            expect_map("add", y, want, n, 1e-6);
            z = copy_map(bm, n);
            k->add(am, z, n, f, z);
            assert_memory_equal(z, y, n * SIZE_OF(z));
        }
}

static void sums(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 17, 1000, 100003 };
    for (int i = 0; i < TL_LEN(sizes); i++) {
        size_t n = sizes[i];
        float *x = draw(n, -1, 1), *y = draw(n, -1, 1);
        tl_map *xm = map_of(x, n), *sum = map_of(y, n);
        double squares = 0, *want = tl_new(arena, double, n);
        for (size_t e = 0; e < n; e++) squares += (double)x[e] * (double)x[e];
        omp_set_num_threads(1);
        double one = k->sum_squares(x, n);
        omp_set_num_threads(3);
        assert_true(k->sum_squares(x, n) == one);
        assert_true(fabs(one - squares) <= 1e-12 * squares);
        for (size_t e = 0; e < n; e++) want[e] = (double)x[e] + (double)y[e];
        k->accumulate(xm, n, sum);
        expect_map("accumulate", sum, want, n, 1e-7);
        float *z = floats(sum, n);
        for (size_t e = 0; e < n; e++) want[e] = (double)z[e] * 0.3;
        k->scale(z, n, 0.3f);
        expect("scale", z, want, n, 1e-6);
        for (size_t e = 0; e < n; e++) want[e] = (double)x[e] - (double)y[e];
        k->sub(x, y, n, z);
        expect("sub", z, want, n, 1e-6);
    }
}

static void keeps_nan(void **state)
{
    (void)state;
    const tl_shape xs = { 1, 20, 3, 3 }, ys = { 1, 20, 2, 2 };
    float x[180], one[20];
    tl_map *y = map_room(180), *w = map_room(80);
    for (int j = 0; j < ACTS; j++)
        for (int at = 0; at < 20; at++) {
            for (int i = 0; i < 180; i++) x[i] = -1;
            for (int i = 0; i < 20; i++) one[i] = 1;
            x[at] = NAN;
            tl_map *xm = map_of(x, 180);
            k->act(xm, 20, acts[j], y);
            assert_true(isnan(floats(y, 20)[at]) && !isnan(floats(y, 20)[(at + 1) % 20]));
            k->add(xm, map_of(one, 20), 20, acts[j], y);
            assert_true(isnan(floats(y, 20)[at]));
            k->bn_apply(xm, 1, 20, one, one, NULL, acts[j], y);
            assert_true(isnan(floats(y, 20)[at]));
            k->maxpool(xm, xs, ys, 2, 1, 0, NULL, w);
            assert_true(isnan(floats(w, 80)[at]));
            x[at] = -1;
            x[4 * 20 + at] = NAN; /* last of the first window, first of the last one */
            xm = map_of(x, 180);
            k->maxpool(xm, xs, ys, 2, 1, 0, NULL, w);
            for (int i = 0; i < 4; i++) assert_true(isnan(floats(w, 80)[i * 20 + at]));
            float mean[20];
            k->gap(xm, xs, mean);
            assert_true(isnan(mean[at]));
            x[0] = -NO_MAX;
            k->act(map_of(x, 180), 20, acts[j], y);
            assert_true(floats(y, 1)[0] == (acts[j].slope == 0 ? 0 : -NO_MAX));
        }
}

/* Values that stay or fall together, and with a factor each. */
static void drops(void **state)
{
    (void)state;
    static const struct {
        size_t n, each;
    } t[] = { { 1, 1 }, { 1000, 1 }, { 30000, 1 }, { 30000, 1500 }, { 33, 11 } };
    for (int i = 0; i < TL_LEN(t); i++) {
        float *x = draw(t[i].n, -1, 1), *by = draw(t[i].n / t[i].each, 0, 2);
        tl_map *xm = map_of(x, t[i].n), *y = map_room(t[i].n);
        double *want = tl_new(arena, double, t[i].n);
        for (size_t e = 0; e < t[i].n; e++) want[e] = (double)x[e] * (double)by[e / t[i].each];
        SAME_BITS(y, t[i].n, k->drop(xm, by, t[i].n, t[i].each, y));
        expect_map("drop", y, want, t[i].n, 1e-7);
        k->drop(xm, by, t[i].n, t[i].each, xm);
        assert_memory_equal(xm, y, t[i].n * SIZE_OF(y));
    }
}

/* What a map makes of numbers: bf16 has 8 bits, and of two equally near ones takes the even. */
static void rounding(void **state)
{
    (void)state;
    static const struct {
        uint32_t f32;
        uint16_t bf16;
    } t[] = { { 0, 0 },
              { 0x80000000, 0x8000 },
              { 0x3f800000, 0x3f80 },
              { 0x3f808000, 0x3f80 }, /* half way: to the even one, below */
              { 0x3f818000, 0x3f82 }, /* and above */
              { 0x3f808001, 0x3f81 },
              { 0x3f817fff, 0x3f81 },
              { 0xbf80ffff, 0xbf81 },
              { 0x3fffffff, 0x4000 }, /* to the next power of two */
              { 0x7f7fffff, 0x7f80 }, /* too large */
              { 0xff800000, 0xff80 } };
    float v[2][TL_LEN(t) + 1];
    uint16_t bits[TL_LEN(t) + 1];
    for (int i = 0; i < TL_LEN(t); i++) memcpy(&v[0][i], &t[i].f32, sizeof(float));
    const uint32_t faint = 0x7f800001; /* NaN by a bit that is cut off */
    memcpy(&v[0][TL_LEN(t)], &faint, sizeof faint);
    memcpy(v[1], v[0], sizeof v[1]);
    tl_map *m = map_of(v[1], TL_LEN(v[1]));
    assert_true(isnan(v[1][TL_LEN(t)]));
    if (k->maps == TL_F32) {
        assert_memory_equal(v[1], v[0], TL_LEN(t) * sizeof(float));
        return;
    }
    memcpy(bits, m, sizeof bits);
    for (int i = 0; i < TL_LEN(t); i++) assert_int_equal(bits[i], t[i].bf16);
}

/* ---- Pooling ---- */

typedef struct {
    tl_shape x, y;
    int k, s, p;
} pool;

static size_t offset(tl_shape s, int n, int c, int h, int w)
{
    return (size_t)(((n * s.h + h) * s.w + w) * s.c + c);
}

/* Reference: y of max and average pooling, and their gradients for dy. */
static void pool_reference(pool v, const float *x, const float *dy, double *most, double *mean,
                           double *dmost, double *dmean)
{
    const double share = 1.0 / (v.k * v.k);
    for (int n = 0; n < v.y.n; n++)
        for (int c = 0; c < v.y.c; c++)
            for (int h = 0; h < v.y.h; h++)
                for (int w = 0; w < v.y.w; w++) {
                    size_t o = offset(v.y, n, c, h, w), best = SIZE_MAX;
                    bool padding = false;
                    double top = -1e30;
                    mean[o] = 0;
                    for (int t = 0; t < v.k * v.k; t++) {
                        int ih = h * v.s - v.p + t / v.k, iw = w * v.s - v.p + t % v.k;
                        if (ih < 0 || iw < 0 || ih >= v.x.h || iw >= v.x.w) {
                            padding = true;
                            continue;
                        }
                        size_t at = offset(v.x, n, c, ih, iw);
                        if ((double)x[at] > top) {
                            top = (double)x[at];
                            best = at;
                        }
                        mean[o] += share * (double)x[at];
                        dmean[at] += share * (double)dy[o];
                    }
                    most[o] = padding && top < 0 ? 0 : top;
                    if (!(padding && top < 0)) dmost[best] += (double)dy[o];
                }
}

static void pooling(void **state)
{
    (void)state;
    static const struct {
        int k, s, p;
    } t[] = { { 3, 2, 1 }, { 2, 2, 0 }, { 3, 1, 1 }, { 3, 2, 0 },
              { 5, 1, 2 }, { 2, 3, 0 }, { 1, 2, 0 }, { 13, 1, 6 } };
    static const int channels[] = { 1, 3, 17, 64, 300 };
    for (int i = 0; i < TL_LEN(t); i++)
        for (int j = 0; j < TL_LEN(channels); j++) {
            pool v = {
                { 2, channels[j], 13, 14 }, { 2, channels[j], 0, 0 }, t[i].k, t[i].s, t[i].p
            };
            v.y.h = (v.x.h + 2 * v.p - v.k) / v.s + 1;
            v.y.w = (v.x.w + 2 * v.p - v.k) / v.s + 1;
            size_t nx = tl_count(v.x), ny = tl_count(v.y);
            float *x = draw(nx, -1, 0.1f), *dy = draw(ny, -1, 1);
            tl_map *xm = map_of(x, nx), *dym = map_of(dy, ny), *y = map_room(ny), *dx = map_room(nx);
            uint8_t *winner = tl_new(arena, uint8_t, ny);
            double *most = tl_new(arena, double, ny), *mean = tl_new(arena, double, ny);
            double *dmost = tl_new(arena, double, nx), *dmean = tl_new(arena, double, nx);
            pool_reference(v, x, dy, most, mean, dmost, dmean);
            SAME_BITS(y, ny, k->maxpool(xm, v.x, v.y, v.k, v.s, v.p, NULL, y));
            expect_map("maxpool without winners", y, most, ny, 0);
            SAME_BITS(y, ny, k->maxpool(xm, v.x, v.y, v.k, v.s, v.p, winner, y));
            expect_map("maxpool", y, most, ny, 0);
            SAME_BITS(dx, nx, k->maxpool_grad(dym, winner, v.x, v.y, v.k, v.s, v.p, dx));
            expect_map("maxpool_grad", dx, dmost, nx, 1e-6);
            SAME_BITS(y, ny, k->avgpool(xm, v.x, v.y, v.k, v.s, v.p, y));
            expect_map("avgpool", y, mean, ny, 1e-6);
            SAME_BITS(dx, nx, k->avgpool_grad(dym, v.x, v.y, v.k, v.s, v.p, dx));
            expect_map("avgpool_grad", dx, dmean, nx, 1e-6);
        }
}

static void global(void **state)
{
    (void)state;
    static const tl_shape t[] = {
        { 1, 1, 1, 1 }, { 3, 17, 5, 4 }, { 2, 600, 7, 7 }, { 1, 8, 112, 112 }
    };
    for (int i = 0; i < TL_LEN(t); i++) {
        size_t nx = tl_count(t[i]), ny = (size_t)(t[i].n * t[i].c),
               area = (size_t)(t[i].h * t[i].w), c = (size_t)t[i].c;
        float *x = draw(nx, 0, 1), *dy = draw(ny, -1, 1), *y = room(ny);
        tl_map *xm = map_of(x, nx), *dx = map_room(nx);
        double *want = tl_new(arena, double, ny), *back = tl_new(arena, double, nx);
        for (size_t e = 0; e < nx; e++) {
            size_t o = e / (area * c) * c + e % c;
            want[o] += (double)x[e] / (double)area;
            back[e] = (double)dy[o] / (double)area;
        }
        SAME_BITS(y, ny, k->gap(xm, t[i], y));
        expect("gap", y, want, ny, 1e-6);
        SAME_BITS(dx, nx, k->gap_grad(dy, t[i], dx));
        expect_map("gap_grad", dx, back, nx, 1e-6);
    }
}

/* ---- Optimizers ---- */

static void optimizers(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 19, 20003 };
    for (int i = 0; i < TL_LEN(sizes); i++)
        for (int nesterov = 0; nesterov < 2; nesterov++) {
            size_t n = sizes[i];
            float *g = draw(n, -1, 1), *m = draw(n, -1, 1), *v = draw(n, 0, 1), *w = draw(n, -1, 1);
            double *wm = tl_new(arena, double, n), *ww = tl_new(arena, double, n),
                   *wa = tl_new(arena, double, n), *wr = tl_new(arena, double, n);
            for (size_t e = 0; e < n; e++) {
                double x = (double)w[e], d = (double)g[e], vel = 0.9 * (double)m[e] - 0.1 * d;
                double mom = 0.9 * (double)m[e] + 0.1 * d, sq = 0.99 * (double)v[e] + 0.01 * d * d;
                wm[e] = vel;
                ww[e] = x + (nesterov ? 0.9 * vel - 0.1 * d : vel);
                wa[e] = x - 0.01 * mom / (sqrt(sq) + 1e-3) - 0.02 * x;
                wr[e] = x - 0.01 * d / (sqrt(sq) + 1e-3);
            }
            float *w1 = copy(w, n), *w2 = copy(w, n), *m1 = copy(m, n), *m2 = copy(m, n),
                  *v2 = copy(v, n);
            k->sgd(w1, g, m1, n, 0.1f, 0.9f, nesterov);
            expect("sgd", w1, ww, n, 1e-6);
            expect("velocity", m1, wm, n, 1e-6);
            k->adam(w2, g, m2, v2, n, 0.01f, 0.9f, 0.99f, 1e-3f, 0.02f);
            expect("adam", w2, wa, n, 1e-5);
            k->rmsprop(w, g, v, n, 0.01f, 0.99f, 1e-3f);
            expect("rmsprop", w, wr, n, 1e-5);
            assert_memory_equal(v, v2, n * sizeof *v);
        }
}

static void dispatch(void **state)
{
    (void)state;
    assert_non_null(tl_kernel_for("base"));
    assert_null(tl_kernel_for("abacus"));
    assert_string_equal(tl_kernel_for("base")->isa, "base");
    assert_ptr_equal(tl_kernel(), tl_kernel());
    assert_int_equal(tl_kernel()->maps, TL_F32);
    assert_true(!tl_kernel_bf16() || tl_kernel_bf16()->maps == TL_BF16);
    assert_int_equal(!tl_kernel_for("widened"), !tl_kernel_for("bf16")); /* a processor has both or none */
    if (!tl_kernel_for("bf16")) return;
    assert_int_equal(tl_kernel_for("bf16")->products, TL_BF16);
    assert_int_equal(tl_kernel_for("widened")->products, TL_F32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stats), TEST(apply), TEST(gradient), TEST(rounding), TEST(elementwise), TEST(sums), TEST(drops), TEST(keeps_nan), TEST(pooling),
        TEST(global), TEST(optimizers), TEST(dispatch),
    };
    RUN_FOR_EVERY_ISA(tests);
}
