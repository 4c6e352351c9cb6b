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
    tl_model_conf c = {
        .conf = { .bn = true, .pooling = true, .bn_eps = 1e-5f, .bn_momentum = 0.9f },
        .head = tl_head_at(0),
        .c = 3,
        .h = SIDE,
        .w = SIDE,
        .classes = CLASSES,
        .seed = 1
    };
    char row[32];
    if (!strcmp(name, "mobilenet_v2")) c.conf.act = (tl_activation){ &tl_op_relu, { .relu = { .max = 6 } } };
    for (int i = 0; (c.backbone = tl_backbone_at(i)) && strcmp(tl_backbone_name(c.backbone, row), name); i++) {}
    TL_CHECK(c.backbone, TL_EARG, "there is no backbone '%s'", name);
    return tl_model_build(a, &c, m);
}

static inline void fill_noise(tl_tensor t)
{
    tl_rng r = tl_rng_at(1, 2, 3, 4);
    for (size_t i = 0; i < tl_count(t.s); i++) t.f[i] = tl_uniform_in(&r, -1, 1);
}

/* ---- Where the time goes, by kind of operation ---- */
typedef struct {
    char name[40];
    double forward, backward;
} bench_kind;

static inline const char *kind_name(const tl_node *d, char text[40])
{
    const tl_conv2d *c = d->attr;
    if (d->op != &tl_op_conv2d) snprintf(text, 40, "%s", d->op->name);
    else
        snprintf(text, 40, "%s %dx%d", c->groups > 1 ? "depthwise" : "conv2d", c->k, c->k);
    return text;
}

/* What p counted over `runs` runs of `seconds` each. */
static inline void print_profile(const tl_plan *p, int runs, double seconds)
{
    bench_kind kinds[32] = { 0 };
    int n = 0, k;
    char name[40];
    for (int i = 0; i < p->g->n; i++) {
        kind_name(&p->g->node[i], name);
        for (k = 0; k < n && strcmp(kinds[k].name, name);) k++;
        if (k == n) snprintf(kinds[n++].name, sizeof name, "%s", name);
        kinds[k].forward += 1e3 * p->seconds[i] / runs;
        kinds[k].backward += 1e3 * p->seconds[p->g->n + i] / runs;
    }
    printf("%-16s %9s %9s %7s\n", "milliseconds", "forward", "backward", "share");
    for (k = 0; k < n; k++) {
        double both = kinds[k].forward + kinds[k].backward;
        if (both > 0.01)
            printf("%-16s %9.2f %9.2f %6.1f%%\n", kinds[k].name, kinds[k].forward,
                   kinds[k].backward, both / seconds / 10);
    }
}
#endif
