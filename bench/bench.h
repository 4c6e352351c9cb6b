/* bench.h - what the benchmarks of networks share. SPDX-License-Identifier: MIT */
#ifndef TL_BENCH_H
#define TL_BENCH_H
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { SIDE = 224, CLASSES = 1000 };

static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, ascending);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* Largest amount of memory this process ever had, in MB. */
static inline double peak_memory(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

/* The networks of the table, as peers.py builds them: resnet18, resnet50, mobilenet_v2. */
static inline tl_status bench_net(tl_arena *a, const char *name, tl_model **m)
{
    tl_model_conf c = { .conf = { .bn = true, .pooling = true, .bn_eps = 1e-5f, .bn_momentum = 0.9f }, .head = tl_head_at(0),
                        .c = 3, .h = SIDE, .w = SIDE, .classes = CLASSES, .seed = 1 };
    int layers = 0;
    char arch[32];
    if (sscanf(name, "resnet%d", &layers) == 1) name = "resnet";
    else c.conf.act.max = 6;
    snprintf(arch, sizeof arch, "%s", name);
    TL_TRY(tl_backbone_find(arch, layers, &c.backbone));
    return tl_model_build(a, &c, m);
}

static inline void fill_noise(tl_tensor t)
{
    tl_rng r = tl_rng_at(1, 2, 3, 4);
    for (size_t i = 0; i < tl_count(t.s); i++) t.f[i] = tl_uniform_in(&r, -1, 1);
}
#endif
