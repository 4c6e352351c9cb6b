/* test_depthwise.c - 3x3 depthwise convolutions, alone and between batch norms. SPDX-License-Identifier: MIT */
#include "links.h"

typedef struct { tl_shape x, y; int s, p; } shape;

static void each_product(const void *shape_, void (*f)(void *, size_t, size_t, size_t), void *ctx)
{
    const shape *v = shape_;
    const size_t channels = (size_t)v->x.c, width = (size_t)v->x.w;
    for (size_t o = 0; o < tl_count(v->y); o++) {
        const int at = (int)(o / channels), col = at % v->y.w, row = at / v->y.w % v->y.h, n = at / v->y.w / v->y.h;
        const size_t c = o % channels;
        for (int t = 0; t < 9; t++) {
            int ih = row * v->s - v->p + t / 3, iw = col * v->s - v->p + t % 3;
            if (ih < 0 || iw < 0 || ih >= v->x.h || iw >= v->x.w) continue;
            size_t pixel = ((size_t)n * (size_t)v->x.h + (size_t)ih) * width + (size_t)iw;
            f(ctx, o, pixel * channels + c, c * 9 + (size_t)t);
        }
    }
}

static tl_sums sums_of(int c, const float *near)
{
    return (tl_sums){ room(2 * TL_DW_PARTS * (size_t)c), TL_DW_PARTS, near };
}

static void check(shape v, tl_act act, bool read, bool undo, bool summed)
{
    const size_t nx = tl_count(v.x), ny = tl_count(v.y), nw = 9 * (size_t)v.x.c;
    linked l = linked_new(nx, ny, nw, v.x.c, v.x.c, act, read, undo);
    const tl_bn_read *through = read ? &l.through : NULL;
    const tl_bn_undo *undone = undo ? &l.undone : NULL;
    tl_sums sums = sums_of(v.x.c, l.near), dx_sums = sums_of(v.x.c, l.mean);
    const double close = read || undo ? 1e-5 : 1e-6; /* z*a + b cancels a digit: means are far from zero */
    linked_solve(&l, each_product, &v);
    omp_set_num_threads(3); /* the most that SAME_BITS runs on */
    tl_map *y = map_room(ny), *dx = map_room(nx);
    float *dw = room(nw), *scratch = room(k->dw_scratch(v.x, v.y));
    SAME_BITS(y, ny, k->dw(l.xm, v.x, v.y, v.s, v.p, l.w, through, summed ? &sums : NULL, y, scratch));
    expect_map("depthwise", y, l.y0, ny, close);
    if (summed) expect_sums("sums of y", &sums, v.x.c, l.sums0, 1e-5);
    SAME_BITS(dx, nx, k->dw_grad(l.xm, l.dym, v.x, v.y, v.s, v.p, l.w, through, &dx_sums, undone, dx, dw, scratch));
    SAME_BITS(dw, nw, k->dw_grad(l.xm, l.dym, v.x, v.y, v.s, v.p, l.w, through, &dx_sums, undone, dx, dw, scratch));
    expect_map("depthwise dx", dx, l.dx0, nx, close);
    expect("depthwise dw", dw, l.dw0, nw, 1e-5);
    if (read) expect_sums("sums of dx", &dx_sums, v.x.c, l.dx_sums0, 1e-5);
}

static void between_batch_norms(void **state)
{
    (void)state;
    static const int channels[] = { 1, 3, 8, 16, 17, 96 };
    static const tl_act acts[] = { { 0, 1 }, { 0, __builtin_inff() }, { 0.1f, 1 }, { 1, __builtin_inff() } };
    static const struct {
        int h, w, s, p, extra;
    } t[] = { { 14, 14, 1, 1, 0 }, { 7, 9, 1, 1, 0 },   { 1, 1, 1, 1, 0 },  { 2, 3, 1, 1, 0 },
              { 9, 12, 1, 0, 0 },  { 13, 5, 2, 1, 0 },  { 14, 8, 2, 1, 0 }, { 12, 14, 2, 0, 1 },
              { 1, 2, 2, 1, 0 },   { 28, 33, 2, 1, 0 }, { 28, 33, 1, 1, 0 } };
    for (int i = 0; i < TL_LEN(t); i++)
        for (int j = 0; j < TL_LEN(channels); j++) {
            shape v = { { 3, channels[j], t[i].h, t[i].w }, { 3, channels[j], 0, 0 }, t[i].s, t[i].p };
            v.y.h = (v.x.h + 2 * v.p + t[i].extra - 3) / v.s + 1;
            v.y.w = (v.x.w + 2 * v.p + t[i].extra - 3) / v.s + 1;
            check(v, acts[0], false, false, false);
            check(v, acts[(i + j) % TL_LEN(acts)], (i + j) & 1, (i + j) & 2, true);
            check(v, acts[(i + j) % TL_LEN(acts)], true, true, true);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(between_batch_norms) };
    RUN_FOR_EVERY_ISA(tests);
}
