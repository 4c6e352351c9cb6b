/* support.h - what the tests of graphs share. SPDX-License-Identifier: MIT */
#ifndef TL_SUPPORT_H
#define TL_SUPPORT_H
#include "net.h"
#include "pass.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static inline void ok(tl_status s)
{
    if (!s) return;
    fail_msg("%s", tl_errmsg());
    abort(); /* fail_msg does not return, but the compiler is not told */
}

static inline void fill(float *f, size_t n, uint64_t seed)
{
    tl_rng r = tl_rng_at(seed, n, 0, 0);
    for (size_t i = 0; i < n; i++) f[i] = tl_uniform_in(&r, -1, 1);
}

/* Every parameter random, because equal or zero ones hide mistakes: matrices as He et al. 2015 draw them, so that
 * signals neither vanish nor explode, but each row by another factor, so that pruning has something to choose from. */
static inline tl_status randomize(tl_graph *g, uint64_t seed)
{
    TL_TRY(tl_graph_init(g, seed));
    TL_EACH_PARAM(g, i, k) {
        tl_param *p = &g->node[i].p[k];
        const tl_param_def *def = &g->node[i].op->param[k];
        size_t row = tl_dims_count(p->dims) / (size_t)p->dims.d[0];
        tl_rng r = tl_rng_at(seed, (uint64_t)i, (uint64_t)k, 1);
        for (int o = 0; o < p->dims.d[0]; o++) {
            float size = def->axes[1] ? sqrtf(6 / (float)row) * tl_uniform_in(&r, 0.3f, 1.6f) : 0.5f;
            for (size_t j = 0; j < row; j++) p->w[(size_t)o * row + j] = def->init + tl_uniform_in(&r, -size, size);
        }
    }
    return TL_OK;
}

/* What an inference plan computes on `batch` random pictures. */
static inline tl_status answer(tl_arena *a, const tl_graph *g, int batch, tl_tensor *y)
{
    tl_plan *p;
    TL_TRY(tl_plan_new(g, a, &(tl_plan_conf){ .batch = batch, .constant = true }, &p));
    for (int i = 0, input = 0; i < g->n; i++)
        if (!g->node[i].nx && p->io[i].y.f) fill(p->io[i].y.f, tl_count(p->io[i].y.s), (uint64_t)++input);
    TL_TRY(tl_plan_forward(p));
    *y = tl_plan_value(p, (tl_val){ tl_graph_output(g) });
    return TL_OK;
}

/* The largest difference, relative to the largest value; infinite when shapes differ or something is not a number. */
static inline double difference(tl_tensor a, tl_tensor b)
{
    double most = 1e-30, worst = 0;
    if (!tl_same(a.s, b.s)) return (double)INFINITY;
    for (size_t i = 0; i < tl_count(a.s); i++) {
        double d = fabs((double)a.f[i] - (double)b.f[i]);
        most = fmax(most, fabs((double)a.f[i]));
        if (!(d <= worst)) worst = isnan(d) ? (double)INFINITY : d;
    }
    return worst / most;
}

static inline int channels_removed(const tl_graph *g, const tl_kept *kept)
{
    int n = 0;
    for (int i = 0; i < g->n; i++) n += g->node[i].s.c - kept[i].n;
    return n;
}

/* Set to zero all that makes the channels that are not kept. */
static inline void mask(tl_graph *g, const tl_kept *kept)
{
    TL_EACH_PARAM(g, i, k) {
        tl_param *p = &g->node[i].p[k];
        if (g->node[i].op->param[k].axes[0] != 'O') continue;
        size_t row = tl_dims_count(p->dims) / (size_t)p->dims.d[0];
        for (int c = 0, m = 0; c < p->dims.d[0]; c++) {
            if (m < kept[i].n && kept[i].at[m] == c) m++;
            else memset(p->w + (size_t)c * row, 0, row * sizeof(float));
        }
    }
}

/* Pruning must compute what masking computes: *diff is how far it is from that. */
static inline tl_status prune_and_mask(tl_arena *a, const tl_graph *g, const tl_prune_opts *o, double *diff,
                                       int *removed)
{
    tl_graph *small, *masked;
    tl_prune_result r;
    tl_tensor want, got;
    TL_TRY(tl_prune(g, a, o, &small, &r));
    TL_TRY(tl_graph_copy(g, a, &masked));
    mask(masked, r.kept);
    TL_TRY(answer(a, masked, 2, &want));
    TL_TRY(answer(a, small, 2, &got));
    *diff = difference(want, got);
    *removed = channels_removed(g, r.kept);
    return TL_OK;
}

/* A model of three classes for pictures of `size` pixels a side, with every parameter random; its output is the raw
 * one, because softmax hides differences. */
static inline tl_status random_model(tl_arena *a, const tl_backbone *b, const tl_backbone_conf *conf, int size,
                                     tl_model **m)
{
    const tl_model_conf c = { .backbone = b, .conf = *conf, .head = tl_head_at(0), .c = 3, .h = size, .w = size,
                              .classes = 3, .own_head = !strcmp(b->arch, "squeezenet"), .seed = 1 };
    TL_TRY(tl_model_build(a, &c, m));
    (*m)->g->output = (*m)->raw.i;
    return randomize((*m)->g, 5);
}
#endif
