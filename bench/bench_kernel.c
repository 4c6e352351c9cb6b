/* bench_kernel.c - the time and bandwidth of single kernels on the layers of real nets.
 * SPDX-License-Identifier: MIT
 *
 *   OMP_NUM_THREADS=2 bench_kernel [resnet18|resnet50|vgg16|mobilenet_v2|others [BATCH [RUNS [bf16]]]]
 *
 * For each kind of layer: milliseconds (least of RUNS) and GB/s of the convolution through oneDNN
 * (forward, backward data, backward weights, weight reorders included) and of batch norm with its
 * activation, then the sums over the net, counting repeated layers; of 3x3 kernels of our own,
 * milliseconds and how many times faster than oneDNN they are. Every run gets other memory than the one
 * before, more than any cache holds, as in a training step. */
#include "dnn.h"
#include "kernel.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NO_MAX __builtin_inff()
typedef struct {
    int k, stride, in, out, size, times;
    bool depthwise, linear;
} layer; /* size: of the input map */

static const layer resnet18[] = { { 7, 2, 3, 64, 224, 1, 0, 0 },   { 3, 1, 64, 64, 56, 4, 0, 0 },
                                  { 3, 2, 64, 128, 56, 1, 0, 0 },  { 3, 1, 128, 128, 28, 3, 0, 0 },
                                  { 1, 2, 64, 128, 56, 1, 0, 1 },  { 3, 2, 128, 256, 28, 1, 0, 0 },
                                  { 3, 1, 256, 256, 14, 3, 0, 0 }, { 1, 2, 128, 256, 28, 1, 0, 1 },
                                  { 3, 2, 256, 512, 14, 1, 0, 0 }, { 3, 1, 512, 512, 7, 3, 0, 0 },
                                  { 1, 2, 256, 512, 14, 1, 0, 1 }, { 0 } };

static const layer resnet50[] = {
    { 7, 2, 3, 64, 224, 1, 0, 0 },     { 1, 1, 64, 64, 56, 1, 0, 0 },
    { 3, 1, 64, 64, 56, 3, 0, 0 },     { 1, 1, 64, 256, 56, 4, 0, 1 },
    { 1, 1, 256, 64, 56, 2, 0, 0 },    { 1, 1, 256, 128, 56, 1, 0, 0 },
    { 3, 2, 128, 128, 56, 1, 0, 0 },   { 1, 1, 128, 512, 28, 4, 0, 1 },
    { 1, 2, 256, 512, 56, 1, 0, 1 },   { 1, 1, 512, 128, 28, 3, 0, 0 },
    { 3, 1, 128, 128, 28, 3, 0, 0 },   { 1, 1, 512, 256, 28, 1, 0, 0 },
    { 3, 2, 256, 256, 28, 1, 0, 0 },   { 1, 1, 256, 1024, 14, 6, 0, 1 },
    { 1, 2, 512, 1024, 28, 1, 0, 1 },  { 1, 1, 1024, 256, 14, 5, 0, 0 },
    { 3, 1, 256, 256, 14, 5, 0, 0 },   { 1, 1, 1024, 512, 14, 1, 0, 0 },
    { 3, 2, 512, 512, 14, 1, 0, 0 },   { 1, 1, 512, 2048, 7, 3, 0, 1 },
    { 1, 2, 1024, 2048, 14, 1, 0, 1 }, { 1, 1, 2048, 512, 7, 2, 0, 0 },
    { 3, 1, 512, 512, 7, 2, 0, 0 },    { 0 }
};

static const layer vgg16[] = { { 3, 1, 3, 64, 224, 1, 0, 0 },   { 3, 1, 64, 64, 224, 1, 0, 0 },
                               { 3, 1, 64, 128, 112, 1, 0, 0 }, { 3, 1, 128, 128, 112, 1, 0, 0 },
                               { 3, 1, 128, 256, 56, 1, 0, 0 }, { 3, 1, 256, 256, 56, 2, 0, 0 },
                               { 3, 1, 256, 512, 28, 1, 0, 0 }, { 3, 1, 512, 512, 28, 2, 0, 0 },
                               { 3, 1, 512, 512, 14, 3, 0, 0 }, { 0 } };

static const layer mobilenet_v2[] = { { 3, 2, 3, 32, 224, 1, 0, 0 },
                                      { 3, 1, 32, 32, 112, 1, 1, 0 },
                                      { 1, 1, 32, 16, 112, 1, 0, 1 },
                                      { 1, 1, 16, 96, 112, 1, 0, 0 },
                                      { 3, 2, 96, 96, 112, 1, 1, 0 },
                                      { 1, 1, 96, 24, 56, 1, 0, 1 },
                                      { 1, 1, 24, 144, 56, 2, 0, 0 },
                                      { 3, 1, 144, 144, 56, 1, 1, 0 },
                                      { 1, 1, 144, 24, 56, 1, 0, 1 },
                                      { 3, 2, 144, 144, 56, 1, 1, 0 },
                                      { 1, 1, 144, 32, 28, 1, 0, 1 },
                                      { 1, 1, 32, 192, 28, 3, 0, 0 },
                                      { 3, 1, 192, 192, 28, 2, 1, 0 },
                                      { 1, 1, 192, 32, 28, 2, 0, 1 },
                                      { 3, 2, 192, 192, 28, 1, 1, 0 },
                                      { 1, 1, 192, 64, 14, 1, 0, 1 },
                                      { 1, 1, 64, 384, 14, 4, 0, 0 },
                                      { 3, 1, 384, 384, 14, 4, 1, 0 },
                                      { 1, 1, 384, 64, 14, 3, 0, 1 },
                                      { 1, 1, 384, 96, 14, 1, 0, 1 },
                                      { 1, 1, 96, 576, 14, 3, 0, 0 },
                                      { 3, 1, 576, 576, 14, 2, 1, 0 },
                                      { 1, 1, 576, 96, 14, 2, 0, 1 },
                                      { 3, 2, 576, 576, 14, 1, 1, 0 },
                                      { 1, 1, 576, 160, 7, 1, 0, 1 },
                                      { 1, 1, 160, 960, 7, 3, 0, 0 },
                                      { 3, 1, 960, 960, 7, 3, 1, 0 },
                                      { 1, 1, 960, 160, 7, 2, 0, 1 },
                                      { 1, 1, 960, 320, 7, 1, 0, 1 },
                                      { 1, 1, 320, 1280, 7, 1, 0, 0 },
                                      { 0 } };

static const struct {
    const char *name;
    const layer *layer;
    float max;
} nets[] = { { "resnet18", resnet18, NO_MAX },
             { "resnet50", resnet50, NO_MAX },
             { "vgg16", vgg16, NO_MAX },
             { "mobilenet_v2", mobilenet_v2, 6 } };

/* ---- Memory: slices of one large pool, round and round ---- */
enum { POOL = 192 << 20 }; /* floats */
static struct {
    float *at;
    size_t used;
} pool;

static void *take(size_t n)
{
    n = (n + 1023) & ~(size_t)1023;
    if (pool.used + n > POOL) pool.used = 0;
    float *p = pool.at + pool.used;
    pool.used += n;
    return p;
}

static const tl_kernels *k; /* with maps of f32 or bf16 */
static void *take_map(size_t n) { return take(n * tl_dtype_size(k->maps) / sizeof(float)); }

/* ---- Timing ---- */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int runs = 15;

/* The least milliseconds of `runs` calls, each on other memory: what the kernel needs when nothing
 * else runs. */
#define TIME(call)                                                                                 \
    __extension__({                                                                                \
        double least_ = 1e9;                                                                       \
        for (int r_ = 0; r_ < runs; r_++) {                                                        \
            double from_ = now();                                                                  \
            call;                                                                                  \
            double took_ = now() - from_;                                                          \
            if (took_ < least_) least_ = took_;                                                    \
        }                                                                                          \
        least_;                                                                                    \
    })

/* ---- One layer ---- */
enum { FORWARD, DATA, WEIGHTS, BN_FORWARD, BN_BACKWARD, DW, DW_GRAD, WINO, WINO_DX, WINO_DW, WINO_KEPT, KINDS };
static const char *const kind[KINDS] = { "conv",   "d.data", "d.weight", "bn",     "d.bn", "own dw",
                                         "d.dw",   "own",    "own dx",   "own dw", "kept" };
static const int yardstick[KINDS] = {
    [WINO] = FORWARD, [WINO_DX] = DATA, [WINO_DW] = WEIGHTS, [WINO_KEPT] = FORWARD
};

static void check(tl_status s)
{
    if (!s) return;
    fprintf(stderr, "%s\n", tl_errmsg());
    exit(1);
}

static void time_conv(const layer *l, tl_shape x, tl_shape y, double ms[KINDS])
{
    tl_arena *a = tl_arena_new();
    tl_conv_geom g = { l->k, l->stride, l->k / 2, 0, 1, l->depthwise ? l->in : 1 };
    tl_conv_conf c = { .maps = k->maps, .slope = 1, .max = NO_MAX, .train = true, .no_dx = l->in == 3 };
    size_t nx = tl_count(x), ny = tl_count(y),
           nw = (size_t)l->out * (size_t)(l->in / g.groups) * (size_t)(l->k * l->k);
    size_t scratch;
    tl_dnn_conv *conv;
    check(tl_dnn_conv_new(a, x, y, g, c, &conv, &scratch));
    void *room = tl_alloc(a, scratch);
    float *w = tl_new(a, float, nw);
    ms[FORWARD] = TIME(check(tl_dnn_conv_forward(conv, take_map(nx), w, NULL, take_map(ny), room)));
    ms[DATA] =
        c.no_dx ? 0 : TIME(check(tl_dnn_conv_backward_data(conv, take_map(ny), w, take_map(nx), room)));
    ms[WEIGHTS] =
        TIME(check(tl_dnn_conv_backward_weights(conv, take_map(nx), take_map(ny), w, NULL, room)));
    tl_arena_free(a);
}

static void time_bn(const layer *l, tl_shape y, float max, double ms[KINDS])
{
    tl_arena *arena = tl_arena_new();
    tl_act act = l->linear ? TL_NO_ACT : (tl_act){ 0, max };
    size_t n = tl_count(y), m = n / (size_t)y.c;
    int c = y.c;
    float *scratch = tl_new(arena, float, k->bn_scratch(c)), *v[8];
    for (int i = 0; i < 8; i++) v[i] = tl_new(arena, float, c);
    ms[BN_FORWARD] = TIME({
        const tl_map *x = take_map(n);
        k->bn_stats(x, m, c, v[0], v[1], v[2], scratch);
        k->bn_apply(x, m, c, v[3], v[4], NULL, act, take_map(n));
    });
    ms[BN_BACKWARD] = TIME({
        const tl_map *x = take_map(n);
        const tl_map *dy = take_map(n);
        k->bn_grad_sums(x, dy, m, c, v[3], v[4], act, v[1], v[2], v[5], v[6], scratch);
        k->bn_grad(x, dy, m, c, v[3], v[4], act, v[1], v[2], v[5], v[6], take_map(n));
    });
    tl_arena_free(arena);
}

/* Our own depthwise kernels, beside oneDNN's. */
static void time_depthwise(const layer *l, tl_shape x, tl_shape y, double ms[KINDS])
{
    tl_arena *a = tl_arena_new();
    size_t nx = tl_count(x), ny = tl_count(y);
    float *w = tl_new(a, float, 9 * x.c), *dw = tl_new(a, float, 9 * x.c);
    float *scratch = tl_new(a, float, k->dw_scratch(x, y));
    ms[DW] = TIME(k->dw(take_map(nx), x, y, l->stride, 1, w, NULL, NULL, take_map(ny), scratch));
    ms[DW_GRAD] =
        TIME(k->dw_grad(take_map(nx), take_map(ny), x, y, l->stride, 1, w, NULL, NULL, NULL, take_map(nx), dw, scratch));
    tl_arena_free(a);
}

static bool is_winograd(const layer *l) { return l->k == 3 && l->stride == 1 && !l->depthwise; }

/* Our own 3x3 convolutions; the last with filters transformed beforehand, as when inferring. */
static void time_winograd(tl_shape x, tl_shape y, double ms[KINDS])
{
    tl_arena *a = tl_arena_new();
    const tl_wino c = { .x = x, .y = y, .pad = 1, .threads = omp_get_max_threads() };
    const tl_wino_end end = { .act = TL_NO_ACT };
    const size_t nx = tl_count(x), ny = tl_count(y), nw = 9 * (size_t)x.c * (size_t)y.c;
    float *w = tl_new(a, float, nw), *u = tl_new(a, float, k->wino_filter_size(x.c, y.c));
    float *room[] = { tl_new(a, float, k->wino_scratch(&c, false, false)),
                      tl_new(a, float, k->wino_scratch(&c, true, false)),
                      tl_new(a, float, k->wino_dw_scratch(&c)) };
    ms[WINO] = TIME(k->wino(&c, take_map(nx), w, NULL, &end, take_map(ny), room[0]));
    ms[WINO_DX] = TIME(k->wino_dx(&c, take_map(ny), w, take_map(nx), room[1]));
    ms[WINO_DW] = TIME(k->wino_dw(&c, take_map(nx), take_map(ny), w, NULL, room[2]));
    k->wino_filter(w, x.c, y.c, u);
    ms[WINO_KEPT] = TIME(k->wino(&c, take_map(nx), w, u, &end, take_map(ny), room[0]));
    tl_arena_free(a);
}

static void bench_net(int net, int batch)
{
    double sum[KINDS] = { 0 };
    printf("%s, batch %d, %s, %s kernels, ms (GB/s)\n", nets[net].name, batch, tl_dnn_version(),
           k->isa);
    for (const layer *l = nets[net].layer; l->k; l++) {
        int out = (l->size + 2 * (l->k / 2) - l->k) / l->stride + 1;
        tl_shape x = { batch, l->in, l->size, l->size }, y = { batch, l->out, out, out };
        double ms[KINDS] = { 0 }, nx = (double)tl_count(x), ny = (double)tl_count(y);
        const double moved[KINDS] = { nx + ny, nx + ny, nx + ny,    3 * ny,
                                      5 * ny,  nx + ny, 2 * nx + ny };
        time_conv(l, x, y, ms);
        time_bn(l, y, nets[net].max, ms);
        if (l->depthwise) time_depthwise(l, x, y, ms);
        if (is_winograd(l)) time_winograd(x, y, ms);
        printf("%s %dx%d/%d %4d -> %4d @%3d x%d", l->depthwise ? "dw" : "  ", l->k, l->k, l->stride,
               l->in, l->out, l->size, l->times);
        for (int i = 0; i < (l->depthwise ? KINDS : DW); i++) {
            printf("  %s %6.2f (%5.1f)", kind[i], ms[i], ms[i] > 0 ? moved[i] * 1e-6 * (double)tl_dtype_size(k->maps) / ms[i] : 0);
            sum[i] += ms[i] * l->times;
        }
        for (int i = WINO; is_winograd(l) && i < KINDS; i++) {
            printf("  %s %6.2f (%4.2fx)", kind[i], ms[i], ms[yardstick[i]] / ms[i]);
            sum[i] += ms[i] * l->times;
        }
        printf("\n");
    }
    printf("sum:");
    for (int i = 0; i < KINDS; i++) printf("  %s %.1f", kind[i], sum[i]);
    printf("; convolutions %.1f, batch norm %.1f ms\n", sum[FORWARD] + sum[DATA] + sum[WEIGHTS],
           sum[BN_FORWARD] + sum[BN_BACKWARD]);
}

static void print(const char *name, double ms, double floats)
{
    printf("%-28s %7.3f (%5.1f)\n", name, ms, floats * 4e-6 / ms);
}

/* The rest: ResNet's stem pool and last map, MobileNetV2's largest map, ResNet-50's weights, one
 * picture. */
static void bench_others(int batch)
{
    const tl_act relu6 = { 0, 6 };
    const tl_shape big = { batch, 96, 112, 112 }, stem = { batch, 64, 112, 112 };
    const tl_shape pooled = { batch, 64, 56, 56 }, last = { batch, 2048, 7, 7 };
    const size_t n = tl_count(big), weights = 25557032, pixels = 224 * 224;
    const double nb = (double)n, ns = (double)tl_count(stem), np = (double)tl_count(pooled);
    const double nl = (double)tl_count(last), nw = (double)weights;
    const int order[3] = { 2, 1, 0 };
    uint8_t *winner = (uint8_t *)take(tl_count(pooled));
    printf("other kernels, batch %d, ms (GB/s)\n", batch);
    print("relu6 96x112x112", TIME(k->act(take_map(n), n, relu6, take_map(n))), 2 * nb);
    print("  gradient", TIME(k->act_grad(take_map(n), take_map(n), n, relu6, take_map(n))), 3 * nb);
    print("add 96x112x112", TIME(k->add(take_map(n), take_map(n), n, TL_NO_ACT, take_map(n))), 3 * nb);
    print("max pool 3/2 64x112x112",
          TIME(k->maxpool(take_map((size_t)ns), stem, pooled, 3, 2, 1, winner, take_map((size_t)np))),
          ns + np);
    print("  gradient",
          TIME(k->maxpool_grad(take_map((size_t)np), winner, stem, pooled, 3, 2, 1, take_map((size_t)ns))),
          ns + np);
    print("global average 2048x7x7", TIME(k->gap(take_map((size_t)nl), last, take((size_t)nl))), nl);
    print("  gradient", TIME(k->gap_grad(take((size_t)nl), last, take_map((size_t)nl))), nl);
    print("SGD, 26M weights",
          TIME(k->sgd(take(weights), take(weights), take(weights), weights, 0, 0.9f, false)),
          5 * nw);
    print("sum of squares", TIME(k->sum_squares(take(weights), weights)), nw);
    print("224x224 pixels (one thread)",
          TIME(k->normalize((uint8_t *)take(pixels), pixels, 3, order, pool.at, pool.at,
                            take(3 * pixels))),
          3.75 * (double)pixels);
}

int main(int argc, char **argv)
{
    int batch = argc > 2 ? atoi(argv[2]) : 16;
    if (argc > 3) runs = atoi(argv[3]);
    k = argc > 4 && !strcmp(argv[4], "bf16") ? tl_kernel_bf16() : tl_kernel();
    if (!k) return fprintf(stderr, "this processor has no instructions for bf16\n"), 1;
    if (runs < 1 || batch < 1) return fprintf(stderr, "BATCH and RUNS: from 1\n"), 2;
    tl_arena *arena = tl_arena_new();
    pool.at = tl_new(arena, float, POOL);
    if (!pool.at) return fprintf(stderr, "%s\n", tl_errmsg()), 1;
    for (size_t i = 0; i < POOL; i++) { /* ordinary numbers, as floats and as two halves each */
        const float f = (float)(i * 2654435761u >> 8 & 0xffff) / 16384 - 1;
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        bits = bits >> 16 | (bits & 0xffff0000);
        memcpy(&pool.at[i], &bits, sizeof bits);
    }
    for (int i = 0; i < TL_LEN(nets); i++)
        if (argc < 2 || !strcmp(argv[1], nets[i].name)) bench_net(i, batch);
    if (argc < 2 || !strcmp(argv[1], "others")) bench_others(batch);
    tl_arena_free(arena);
    return 0;
}
