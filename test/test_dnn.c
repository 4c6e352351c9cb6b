/* test_dnn.c - convolutions, of f32 and of bf16, against a plain double-precision one. SPDX-License-Identifier: MIT */
#include "kernel.h"
#include "dnn.h"
#include "rng.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define NO_MAX __builtin_inff()
static const tl_conv_conf training = { .bias = true, .slope = 1, .max = NO_MAX, .train = true };

typedef struct { /* one convolution, its arrays and what they should hold */
    tl_arena *arena;
    tl_shape x, y;
    tl_conv_geom g;
    tl_conv_conf conf;
    size_t weights;                   /* O * I/groups * k * k */
    float *xs, *ws, *b, *dy, *before; /* inputs; before: what y holds beforehand */
    float *ys, *dx, *dw, *db;         /* results */
    double *y0, *dx0, *dw0, *db0;     /* reference */
    tl_dnn_conv *conv;
    void *scratch;
} fixture;

static int out_size(int n, tl_conv_geom g)
{
    return (n + 2 * g.pad + g.extra - (g.k - 1) * g.dilation - 1) / g.stride + 1;
}

static float *draw(tl_arena *a, tl_rng *r, size_t n)
{
    float *v = tl_new(a, float, n);
    for (size_t i = 0; i < n; i++) v[i] = tl_uniform_in(r, -1, 1);
    return v;
}

/* What a map of bf16 holds of v (n), in v. */
static void round_to_bf16(tl_arena *a, float *v, size_t n)
{
    tl_map *m = tl_alloc(a, n * tl_dtype_size(TL_BF16));
    tl_kernel_bf16()->narrow(v, n, m);
    tl_kernel_bf16()->widen(m, n, v);
}

/* v (n) as a map of f; v itself when that is f32. */
static void *to_map(const fixture *f, float *v, size_t n)
{
    if (f->conf.maps == TL_F32) return v;
    tl_map *m = tl_alloc(f->arena, n * tl_dtype_size(TL_BF16));
    tl_kernel_bf16()->narrow(v, n, m);
    return m;
}

static void from_map(const fixture *f, const void *m, float *v, size_t n)
{
    if (f->conf.maps == TL_BF16) tl_kernel_bf16()->widen(m, n, v);
}

static fixture fixture_new(tl_shape x, int o, tl_conv_geom g, tl_conv_conf conf)
{
    fixture f = { .arena = tl_arena_new(), .x = x, .g = g, .conf = conf };
    tl_rng r = tl_rng_at(1, (uint64_t)x.c, (uint64_t)o, (uint64_t)g.k);
    f.y = (tl_shape){ x.n, o, out_size(x.h, g), out_size(x.w, g) };
    f.weights = (size_t)(o * (x.c / g.groups) * g.k * g.k);
    f.xs = draw(f.arena, &r, tl_count(f.x));
    f.dy = draw(f.arena, &r, tl_count(f.y));
    f.before = draw(f.arena, &r, tl_count(f.y));
    f.ws = draw(f.arena, &r, f.weights);
    f.b = draw(f.arena, &r, (size_t)o);
    if (conf.maps == TL_BF16) {
        round_to_bf16(f.arena, f.xs, tl_count(f.x));
        round_to_bf16(f.arena, f.dy, tl_count(f.y));
        round_to_bf16(f.arena, f.before, tl_count(f.y));
        round_to_bf16(f.arena, f.ws, f.weights);
    }
    f.ys = tl_new(f.arena, float, tl_count(f.y));
    f.dx = tl_new(f.arena, float, tl_count(f.x));
    f.dw = tl_new(f.arena, float, f.weights);
    f.db = tl_new(f.arena, float, o);
    f.y0 = tl_new(f.arena, double, tl_count(f.y));
    f.dx0 = tl_new(f.arena, double, tl_count(f.x));
    f.dw0 = tl_new(f.arena, double, f.weights);
    f.db0 = tl_new(f.arena, double, o);
    size_t scratch;
    if (tl_dnn_conv_new(f.arena, f.x, f.y, g, conf, &f.conv, &scratch)) fail_msg("%s", tl_errmsg());
    f.scratch = tl_alloc(f.arena, scratch);
    return f;
}

static double activate(double v, tl_conv_conf c)
{
    v = v > 0 ? v : (double)c.slope * v;
    return v < (double)c.max ? v : (double)c.max;
}

/* Visits every (output, input, weight) triple once and fills y0, dx0 and dw0. */
static void reference(fixture *f)
{
    const tl_conv_geom g = f->g;
    const int o_per = f->y.c / g.groups, i_per = f->x.c / g.groups;
    for (int n = 0; n < f->y.n; n++)
        for (int h = 0; h < f->y.h; h++)
            for (int w = 0; w < f->y.w; w++)
                for (int o = 0; o < f->y.c; o++) {
                    size_t at_y =
                        (size_t)((n * f->y.h + h) * f->y.w + w) * (size_t)f->y.c + (size_t)o;
                    double dy = (double)f->dy[at_y], sum = f->conf.bias ? (double)f->b[o] : 0;
                    f->db0[o] += dy;
                    for (int kh = 0; kh < g.k; kh++)
                        for (int kw = 0; kw < g.k; kw++) {
                            int ih = h * g.stride - g.pad + kh * g.dilation;
                            int iw = w * g.stride - g.pad + kw * g.dilation;
                            if (ih < 0 || iw < 0 || ih >= f->x.h || iw >= f->x.w) continue;
                            for (int i = 0; i < i_per; i++) {
                                size_t at_w = (size_t)(((o * i_per + i) * g.k + kh) * g.k + kw);
                                size_t at_x =
                                    (size_t)((n * f->x.h + ih) * f->x.w + iw) * (size_t)f->x.c +
                                    (size_t)(o / o_per * i_per + i);
                                sum += (double)f->xs[at_x] * (double)f->ws[at_w];
                                f->dx0[at_x] += dy * (double)f->ws[at_w];
                                f->dw0[at_w] += dy * (double)f->xs[at_x];
                            }
                        }
                    f->y0[at_y] =
                        activate(sum + (f->conf.add ? (double)f->before[at_y] : 0), f->conf);
                }
}

/* Largest difference relative to the largest value; sums that cancel are taken as 0.1. */
static double error(const float *got, const double *want, size_t n)
{
    double worst = 0, most = 0.1;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - want[i]);
        if (!(d <= worst)) worst = d;
        if (fabs(want[i]) > most) most = fabs(want[i]);
    }
    return worst / most;
}

static void forward(fixture *f)
{
    memcpy(f->ys, f->before, tl_count(f->y) * sizeof(float));
    const float *b = f->conf.bias ? f->b : NULL;
    void *x = to_map(f, f->xs, tl_count(f->x)), *y = to_map(f, f->ys, tl_count(f->y));
    if (tl_dnn_conv_forward(f->conv, x, f->ws, b, y, f->scratch)) fail_msg("%s", tl_errmsg());
    from_map(f, y, f->ys, tl_count(f->y));
}

static void backward(fixture *f)
{
    float *db = f->conf.bias ? f->db : NULL;
    void *x = to_map(f, f->xs, tl_count(f->x)), *dx = to_map(f, f->dx, tl_count(f->x)), *dy = to_map(f, f->dy, tl_count(f->y));
    if (!f->conf.no_dx && tl_dnn_conv_backward_data(f->conv, dy, f->ws, dx, f->scratch)) fail_msg("%s", tl_errmsg());
    if (!f->conf.no_dw && tl_dnn_conv_backward_weights(f->conv, x, dy, f->dw, db, f->scratch)) fail_msg("%s", tl_errmsg());
    from_map(f, dx, f->dx, tl_count(f->x));
}

static void expect_close(const fixture *f, const char *what, const float *got, const double *want,
                         size_t n)
{
    double e = error(got, want, n);
    if (!(e < (f->conf.maps == TL_BF16 ? 1.0 / 200 : 1e-5)))
        fail_msg("%s of " TL_SHAPE_FMT
                 " -> %d channels, k %d stride %d pad %d+%d dilation %d groups %d: "
                 "error %g (%s)",
                 what, TL_SHAPE(f->x), f->y.c, f->g.k, f->g.stride, f->g.pad, f->g.extra,
                 f->g.dilation, f->g.groups, e, tl_dnn_conv_impl(f->conv));
}

static void check_maps(tl_shape x, int o, tl_conv_geom g, tl_conv_conf conf)
{
    fixture f = fixture_new(x, o, g, conf);
    reference(&f);
    forward(&f);
    expect_close(&f, "output", f.ys, f.y0, tl_count(f.y));
    if (conf.train) {
        backward(&f);
        if (!conf.no_dx) expect_close(&f, "input gradient", f.dx, f.dx0, tl_count(f.x));
        if (!conf.no_dw) expect_close(&f, "weight gradient", f.dw, f.dw0, f.weights);
        if (!conf.no_dw && conf.bias) expect_close(&f, "bias gradient", f.db, f.db0, (size_t)o);
    }
    tl_arena_free(f.arena);
}

static void check(tl_shape x, int o, tl_conv_geom g, tl_conv_conf conf)
{
    check_maps(x, o, g, conf);
    conf.maps = TL_BF16;
    if (tl_kernel_bf16()) check_maps(x, o, g, conf);
}

/* A fixed quarter of all combinations that make sense and are small enough to multiply out naively.
 */
static void every_shape(void **state)
{
    (void)state;
    static const int channels[] = { 1, 3, 5, 17, 24, 96, 116 };
    static const int kernels[] = { 1, 3, 5, 7, 11 }, strides[] = { 1, 2, 4 };
    enum { PADDED = 1, DILATED = 2, VARIANTS = 4 };
    const double most_macs = 5e5;
    int count = TL_LEN(channels) * TL_LEN(channels) * TL_LEN(kernels) * TL_LEN(strides) * VARIANTS;
    for (int at = 0; at < count; at += 4) {
        int rest = at + at / 64 % 4; /* the four variants by turns */
        int variant = rest % VARIANTS, s = strides[(rest /= VARIANTS) % TL_LEN(strides)];
        int k = kernels[(rest /= TL_LEN(strides)) % TL_LEN(kernels)];
        int in = channels[(rest /= TL_LEN(kernels)) % TL_LEN(channels)],
            out = channels[rest / TL_LEN(channels)];
        int dilation = variant & DILATED && k > 1 ? 2 : 1, span = (k - 1) * dilation;
        tl_conv_geom g = { k, s, variant & PADDED ? span / 2 : 0, variant == 3, dilation, 1 };
        tl_shape x = { 2, in, 7 + span - 2 * g.pad, 8 + span - 2 * g.pad };
        if (2.0 * out_size(x.h, g) * out_size(x.w, g) * k * k * in * out <= most_macs)
            check(x, out, g, training);
    }
}

static void grouped(void **state)
{
    (void)state;
    static const struct {
        int in, out, groups;
    } t[] = { { 1, 1, 1 },    { 3, 3, 3 },       { 5, 5, 5 },   { 17, 17, 17 }, { 24, 24, 24 },
              { 96, 96, 96 }, { 116, 116, 116 }, { 10, 10, 2 }, { 10, 6, 2 },   { 9, 15, 3 },
              { 24, 48, 24 }, { 32, 32, 2 },     { 48, 96, 3 }, { 116, 58, 29 } };
    static const struct {
        int k, stride, pad, extra, dilation;
    } g[] = { { 3, 1, 1, 0, 1 }, { 3, 2, 1, 0, 1 }, { 3, 2, 0, 1, 1 }, { 5, 1, 2, 0, 1 },
              { 5, 2, 1, 1, 1 }, { 7, 2, 3, 0, 1 }, { 3, 1, 2, 0, 2 }, { 1, 1, 0, 0, 1 },
              { 1, 2, 0, 0, 1 }, { 11, 4, 5, 0, 1 } };
    for (int i = 0; i < TL_LEN(t); i++)
        for (int j = 0; j < TL_LEN(g); j++) {
            tl_conv_geom geom = { g[j].k,     g[j].stride,   g[j].pad,
                                  g[j].extra, g[j].dilation, t[i].groups };
            check((tl_shape){ 2, t[i].in, 9, 12 }, t[i].out, geom, training);
        }
}

static void dense_layers(void **state)
{
    (void)state;
    static const struct {
        int n, in, out;
    } t[] = { { 1, 512, 5 },    { 1, 1280, 1000 }, { 2, 3, 1 }, { 16, 512, 20 },
              { 32, 2048, 37 }, { 7, 9216, 64 },   { 32, 1, 2 } };
    const tl_conv_geom g = { 1, 1, 0, 0, 1, 1 };
    for (int i = 0; i < TL_LEN(t); i++)
        check((tl_shape){ t[i].n, t[i].in, 1, 1 }, t[i].out, g, training);
}

/* Bias, residual and activation in every combination, on every kind of kernel. */
static void after_the_sum(void **state)
{
    (void)state;
    static const struct {
        float slope, max;
    } act[] = { { 1, NO_MAX },    { 0, NO_MAX },  { 0, 0.6f },
                { 0.1f, NO_MAX }, { 0.1f, 0.6f }, { 1, 0.6f } };
    static const struct {
        int in, out;
        tl_conv_geom g;
    } t[] = { { 16, 32, { 1, 1, 0, 0, 1, 1 } }, { 16, 32, { 3, 1, 1, 0, 1, 1 } },
              { 3, 17, { 7, 2, 3, 0, 1, 1 } },  { 32, 32, { 3, 2, 1, 0, 1, 32 } },
              { 10, 10, { 3, 1, 1, 0, 1, 2 } }, { 5, 5, { 3, 1, 1, 0, 1, 5 } },
              { 8, 2, { 11, 1, 10, 1, 2, 1 } } };
    for (int i = 0; i < TL_LEN(t); i++)
        for (int j = 0; j < TL_LEN(act); j++)
            for (int bits = 0; bits < 4; bits++) {
                tl_conv_conf c = {
                    .bias = bits & 1, .add = bits & 2, .slope = act[j].slope, .max = act[j].max
                };
                check((tl_shape){ 2, t[i].in, 7, 9 }, t[i].out, t[i].g, c);
            }
}

static void one_gradient_only(void **state)
{
    (void)state;
    const tl_conv_geom g = { 3, 1, 1, 0, 1, 1 };
    tl_conv_conf c = training;
    c.bias = false;
    c.no_dx = true;
    check((tl_shape){ 2, 3, 9, 9 }, 8, g, c);
    c.no_dx = false;
    c.no_dw = true;
    check((tl_shape){ 2, 3, 9, 9 }, 8, g, c);
}

/* With keep the first call's weights stay, forward and backward, whatever is passed later. */
static void keeps_weights(void **state)
{
    (void)state;
    tl_conv_conf c = training;
    c.keep = true;
    fixture f = fixture_new((tl_shape){ 2, 24, 9, 9 }, 40, (tl_conv_geom){ 3, 1, 1, 0, 1, 1 }, c);
    reference(&f);
    forward(&f);
    backward(&f);
    memset(f.ws, 0, f.weights * sizeof(float));
    memset(f.dx, 0, tl_count(f.x) * sizeof(float));
    forward(&f);
    backward(&f);
    expect_close(&f, "output", f.ys, f.y0, tl_count(f.y));
    expect_close(&f, "input gradient", f.dx, f.dx0, tl_count(f.x));
    tl_arena_free(f.arena);
}

/* Nothing beyond the scratch asked for is written, and no result depends on what lies in it. */
static void scratch_is_enough(void **state)
{
    (void)state;
    static const struct {
        int in, out;
        tl_conv_geom g;
    } t[] = { { 3, 32, { 3, 2, 1, 0, 1, 1 } },
              { 17, 5, { 3, 1, 1, 0, 1, 1 } },
              { 96, 96, { 3, 1, 1, 0, 1, 96 } },
              { 8, 2, { 11, 1, 10, 1, 2, 1 } } };
    for (int i = 0; i < TL_LEN(t); i++) {
        fixture f = fixture_new((tl_shape){ 2, t[i].in, 12, 12 }, t[i].out, t[i].g, training);
        tl_dnn_conv *conv;
        size_t bytes;
        enum { GUARD = 4096 };
        assert_int_equal(tl_dnn_conv_new(f.arena, f.x, f.y, f.g, f.conf, &conv, &bytes), TL_OK);
        unsigned char *room = tl_alloc(f.arena, bytes + GUARD);
        memset(room, 0xff, bytes + GUARD); /* as floats: NaN */
        f.scratch = room;
        reference(&f);
        forward(&f);
        backward(&f);
        expect_close(&f, "output", f.ys, f.y0, tl_count(f.y));
        expect_close(&f, "input gradient", f.dx, f.dx0, tl_count(f.x));
        expect_close(&f, "weight gradient", f.dw, f.dw0, f.weights);
        for (int k = 0; k < GUARD; k++) assert_int_equal(room[bytes + (size_t)k], 0xff);
        tl_arena_free(f.arena);
    }
}

/* Any number of threads gives the same bits, whether weight gradients are cut by pictures, by channels of the output, or both. */
static void same_bits(void **state)
{
    (void)state;
    static const struct {
        int in, out;
        tl_conv_geom g;
    } t[] = { { 3, 32, { 3, 2, 1, 0, 1, 1 } },
              { 32, 64, { 1, 1, 0, 0, 1, 1 } },
              { 64, 64, { 3, 1, 1, 0, 1, 1 } },
              { 24, 300, { 3, 1, 1, 0, 1, 1 } }, /* channels that no cut divides */
              { 96, 96, { 3, 1, 1, 0, 1, 96 } } };
    static const int batches[] = { 1, 2, 4, 9 };
    for (int i = 0; i < TL_LEN(t) * TL_LEN(batches); i++) {
        const int batch = batches[i % TL_LEN(batches)], at = i / TL_LEN(batches);
        fixture f[3];
        for (int run = 0; run < 3; run++) {
            tl_dnn_threads(run + 1);
            f[run] = fixture_new((tl_shape){ batch, t[at].in, 14, 14 }, t[at].out, t[at].g, training);
            forward(&f[run]);
            backward(&f[run]);
        }
        for (int run = 0; run < 2; run++) {
            const struct { const char *what; const float *one, *two; size_t n; } all[] = {
                { "output", f[run].ys, f[2].ys, tl_count(f[run].y) }, { "input gradient", f[run].dx, f[2].dx, tl_count(f[run].x) },
                { "weight gradient", f[run].dw, f[2].dw, f[1].weights }, { "bias gradient", f[run].db, f[2].db, (size_t)f[1].y.c },
            };
            /* A picture's own gradient is never asked for, and oneDNN 3.2's of one picture depends on the threads. */
            const bool picture = t[at].in == 3;
            for (int k = 0; k < TL_LEN(all); k++)
                if (!(picture && all[k].one == f[run].dx) && memcmp(all[k].one, all[k].two, all[k].n * sizeof(float)))
                    fail_msg("%s of %d pictures, %d to %d channels: %d threads and 3 differ", all[k].what, batch, t[at].in, t[at].out, run + 1);
        }
        reference(&f[2]);
        expect_close(&f[2], "weight gradient", f[2].dw, f[2].dw0, f[2].weights);
        expect_close(&f[2], "bias gradient", f[2].db, f[2].db0, (size_t)f[2].y.c);
        for (int run = 0; run < 3; run++) tl_arena_free(f[run].arena);
    }
    tl_dnn_threads(0);
}

/* Shapes of real nets run on oneDNN's own fast kernels. */
static void real_nets_are_fast(void **state)
{
    (void)state;
    static const struct {
        int in, size, out;
        tl_conv_geom g;
    } t[] = { { 3, 224, 64, { 7, 2, 3, 0, 1, 1 } },    { 3, 227, 96, { 11, 4, 0, 0, 1, 1 } },
              { 64, 56, 64, { 3, 1, 1, 0, 1, 1 } },    { 512, 7, 512, { 3, 1, 1, 0, 1, 1 } },
              { 96, 112, 96, { 3, 2, 1, 0, 1, 96 } },  { 960, 7, 160, { 1, 1, 0, 0, 1, 1 } },
              { 61, 28, 83, { 3, 1, 1, 0, 1, 1 } },    { 2048, 1, 20, { 1, 1, 0, 0, 1, 1 } },
              { 240, 28, 240, { 5, 1, 2, 0, 1, 240 } } };
    const int types = tl_kernel_bf16() ? 2 : 1;
    for (int i = 0; i < TL_LEN(t) * types; i++) {
        tl_arena *a = tl_arena_new();
        const int j = i / types;
        tl_shape x = { 2, t[j].in, t[j].size, t[j].size };
        tl_shape y = { 2, t[j].out, out_size(x.h, t[j].g), out_size(x.w, t[j].g) };
        tl_conv_conf c = training;
        c.maps = i % types ? TL_BF16 : TL_F32;
        tl_dnn_conv *conv;
        size_t scratch;
        assert_int_equal(tl_dnn_conv_new(a, x, y, t[j].g, c, &conv, &scratch), TL_OK);
        assert_null(strstr(tl_dnn_conv_impl(conv), "direct"));
        assert_null(strstr(tl_dnn_conv_impl(conv), "ref"));
        tl_arena_free(a);
    }
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_dnn_conv *conv;
    size_t scratch;
    const tl_shape x = { 1, 3, 8, 8 }, y = { 1, 4, 99, 8 };
    tl_status s =
        tl_dnn_conv_new(a, x, y, (tl_conv_geom){ 3, 1, 1, 0, 1, 1 }, training, &conv, &scratch);
    assert_int_equal(s, TL_EDNN);
    assert_non_null(strstr(tl_errmsg(), "1x3x8x8 -> 1x4x99x8, kernel 3, stride 1"));
    tl_arena_free(a);
}

static void survives_lack_of_memory(void **state)
{
    (void)state;
    const tl_shape s = { 1, 8, 8, 8 };
    const tl_conv_geom g = { 3, 1, 1, 0, 1, 1 };
    for (long n = 0;; n++) {
        tl_arena *a = tl_arena_new();
        tl_dnn_conv *conv;
        size_t scratch;
        tl_oom_countdown = n;
        tl_status got = tl_dnn_conv_new(a, s, s, g, training, &conv, &scratch);
        tl_oom_countdown = -1;
        tl_arena_free(a);
        if (got == TL_OK) break;
        assert_int_equal(got, TL_ENOMEM);
    }
}

static void names_the_library(void **state)
{
    (void)state;
    assert_int_equal(strncmp(tl_dnn_version(), "oneDNN ", 7), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape),
        cmocka_unit_test(grouped),
        cmocka_unit_test(dense_layers),
        cmocka_unit_test(after_the_sum),
        cmocka_unit_test(one_gradient_only),
        cmocka_unit_test(keeps_weights),
        cmocka_unit_test(scratch_is_enough),
        cmocka_unit_test(same_bits),
        cmocka_unit_test(real_nets_are_fast),
        cmocka_unit_test(wrong_shapes_are_refused),
        cmocka_unit_test(survives_lack_of_memory),
        cmocka_unit_test(names_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
