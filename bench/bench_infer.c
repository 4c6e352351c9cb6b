/* bench_infer.c - the time of an answer. SPDX-License-Identifier: MIT
 *
 *     bench_infer NET [BATCH [RUNS [FILE]]]    as tlc list backbones has it; 1; 20
 *
 * Batch norm folded, weights constant, 224x224 pictures, f32. Prints milliseconds per run (median
 * after two that warm up). FILE: also write the network there as ONNX, for a peer to run.
 * PROFILE=1: also where the time goes. AMP=1: maps in bf16. */
#include "bench.h"
#include "pass.h"

static tl_status bench(tl_arena *a, const char *net, int batch, int runs, const char *file)
{
    tl_model *m, *small;
    tl_graph *g;
    tl_plan *p;
    double *ms = tl_new(a, double, runs);
    TL_NEW(ms);
    TL_TRY(bench_net(a, net, &m));
    TL_TRY(tl_fold(m->g, a, &g));
    TL_TRY(tl_model_with(m, a, g, &small));
    if (file) TL_TRY(tl_model_save(small, file, &(tl_save_opts){ .static_batch = batch }));
    const tl_plan_conf conf = { .batch = batch, .constant = true, .amp = getenv("AMP") != NULL };
    TL_TRY(tl_plan_new(g, a, &conf, &p));
    fill_noise(tl_plan_value(p, small->image));
    for (int r = -2; r < runs; r++) {
        if (r == 0 && getenv("PROFILE")) TL_TRY(tl_plan_profile(p));
        double start = now();
        TL_TRY(tl_plan_forward(p));
        if (r >= 0) ms[r] = 1e3 * (now() - start);
    }
    double run = median(ms, runs);
    printf("infer %s batch %d ms %.2f MB %.0f\n", net, batch, run, peak_memory());
    if (p->seconds) print_profile(p, runs, run / 1e3);
    return TL_OK;
}

int main(int argc, char **argv)
{
    int batch = argc > 2 ? atoi(argv[2]) : 1, runs = argc > 3 ? atoi(argv[3]) : 20;
    tl_arena *a = tl_arena_new();
    if (argc < 2 || batch < 1 || runs < 1 || !a) {
        fprintf(stderr, "usage: bench_infer NET [BATCH [RUNS [FILE]]]\n");
        return 2;
    }
    tl_status s = bench(a, argv[1], batch, runs, argc > 4 ? argv[4] : NULL);
    if (s) fprintf(stderr, "%s\n", tl_errmsg());
    tl_arena_free(a);
    return s != TL_OK;
}
