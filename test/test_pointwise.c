/* test_pointwise.c - 1x1 convolutions, alone and between batch norms, and dense layers. SPDX-License-Identifier: MIT */
#include "links.h"

typedef struct { size_t m; int in, out; } shape;

static void each_product(const void *shape_, void (*f)(void *, size_t, size_t, size_t), void *ctx)
{
    const shape *s = shape_;
    const size_t in = (size_t)s->in, out = (size_t)s->out;
    for (size_t r = 0; r < s->m; r++)
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < in; i++) f(ctx, r * out + o, r * in + i, o * in + i);
}

static tl_sums sums_of(shape s, bool grad, const float *near)
{
    int parts = (int)k->pw_parts(s.m, s.in, s.out, grad);
    return (tl_sums){ room(2 * (size_t)parts * (size_t)(grad ? s.in : s.out)), parts, near };
}

static void check(shape s, tl_act act, bool read, bool undo, bool summed)
{
    const size_t nx = s.m * (size_t)s.in, ny = s.m * (size_t)s.out, nw = (size_t)s.in * (size_t)s.out;
    linked l = linked_new(nx, ny, nw, s.in, s.out, act, read, undo);
    const tl_bn_read *through = read ? &l.through : NULL;
    const tl_bn_undo *undone = undo ? &l.undone : NULL;
    tl_sums sums = sums_of(s, false, l.near), dx_sums = sums_of(s, true, l.mean);
    const double tolerance = k->products == TL_BF16 ? 0.01 : 1e-5; /* factors are rounded, or not */
    tl_map *y = map_room(ny), *dx = map_room(nx);
    float *dw = room(nw);
    linked_solve(&l, each_product, &s);
    omp_set_num_threads(3); /* the most that SAME_BITS runs on */
    float *scratch = room(k->pw_scratch(s.m, s.in, s.out, false)), *back = room(k->pw_scratch(s.m, s.in, s.out, true));
    SAME_BITS(y, ny, k->pw(l.xm, s.m, s.in, s.out, l.w, through, summed ? &sums : NULL, y, scratch));
    expect_map("pointwise", y, l.y0, ny, tolerance);
    if (summed) expect_sums("sums of y", &sums, s.out, l.sums0, tolerance);
    SAME_BITS(dx, nx, k->pw_grad(l.xm, l.dym, s.m, s.in, s.out, l.w, through, &dx_sums, undone, dx, dw, back));
    SAME_BITS(dw, nw, k->pw_grad(l.xm, l.dym, s.m, s.in, s.out, l.w, through, &dx_sums, undone, dx, dw, back));
    expect_map("pointwise dx", dx, l.dx0, nx, tolerance);
    expect("pointwise dw", dw, l.dw0, nw, tolerance);
    if (read) expect_sums("sums of dx", &dx_sums, s.in, l.dx_sums0, tolerance);
}

/* Below, at and above tiles, panels, blocks and parts; last vectors of every length. */
static void between_batch_norms(void **state)
{
    (void)state;
    static const shape shapes[] = { { 1, 1, 1 },    { 7, 3, 5 },     { 50, 16, 33 },  { 49, 40, 24 },  { 785, 17, 64 },
                                    { 3000, 8, 9 }, { 200, 65, 31 }, { 300, 24, 300 }, { 97, 130, 7 }, { 4500, 6, 4 } };
    static const tl_act acts[] = { { 0, 1 }, { 0, __builtin_inff() }, { 0.1f, 1 }, { 1, __builtin_inff() } };
    for (int i = 0; i < TL_LEN(shapes); i++)
        for (int j = 0; j < 8; j++) check(shapes[i], acts[(i + j) % TL_LEN(acts)], j & 1, j & 2, j & 4);
}

static void keeps_nan(void **state)
{
    (void)state;
    const shape s = { 60, 5, 18 };
    linked l = linked_new(300, 1080, 90, s.in, s.out, (tl_act){ 0, 6 }, true, true);
    tl_map *y = map_room(1080);
    float *scratch = room(k->pw_scratch(s.m, s.in, s.out, false));
    l.x[5 * 31] = NAN;
    l.xm = map_of(l.x, 300);
    k->pw(l.xm, s.m, s.in, s.out, l.w, &l.through, NULL, y, scratch);
    for (size_t i = 0; i < 1080; i++) assert_int_equal(isnan(floats(y, 1080)[i]), i / 18 == 31);
}

static void dense_gradient(void **state)
{
    (void)state;
    static const shape shapes[] = { { 1, 1, 1 }, { 16, 35, 5 }, { 3, 700, 130 }, { 4, 16, 200 }, { 9, 513, 17 } };
    for (int i = 0; i < TL_LEN(shapes); i++) {
        const shape s = shapes[i];
        const size_t nw = (size_t)s.in * (size_t)s.out;
        float *x = draw(s.m * (size_t)s.in, -1, 1), *dy = draw(s.m * (size_t)s.out, -1, 1), *dw = room(nw), *db = room((size_t)s.out);
        double *dw0 = tl_new(arena, double, nw), *db0 = tl_new(arena, double, s.out);
        for (size_t n = 0; n < s.m; n++)
            for (size_t o = 0; o < (size_t)s.out; o++) {
                const double d = (double)dy[n * (size_t)s.out + o];
                db0[o] += d;
                for (size_t j = 0; j < (size_t)s.in; j++) dw0[o * (size_t)s.in + j] += d * (double)x[n * (size_t)s.in + j];
            }
        SAME_BITS(dw, nw, k->dense_grad(x, dy, s.m, s.in, s.out, dw, db));
        expect("dense dw", dw, dw0, nw, 1e-5);
        expect("dense db", db, db0, (size_t)s.out, 1e-5);
        k->dense_grad(x, dy, s.m, s.in, s.out, dw, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(between_batch_norms), TEST(keeps_nan), TEST(dense_gradient) };
    RUN_FOR_EVERY_ISA(tests);
}
