/* bench_train.c - the time and memory of a training step. SPDX-License-Identifier: MIT
 *
 *     bench_train NET [STEPS [BATCH]]          as tlc list backbones has it; 10; 16
 *     PROFILE=1 bench_train NET ...            and where the time goes, by kind of operation
 *     AMP=1 bench_train NET ...                in mixed precision
 *     LEAN=1 bench_train NET ...               values made again in backward rather than kept, where that is cheap
 *
 * A step is forward, backward and SGD with momentum, on 224x224 pictures. Prints milliseconds
 * per step (median after a step that warms up), peak memory in MB, and the share of the best step that
 * convolutions and dense layers need when each is run alone, by the kernel that was chosen for it, at
 * its best time of so many: what the rest of the step costs can be seen from that. */
#include "bench.h"
#include "train.h"

/* The least seconds that each layer with weights to multiply took alone, so far. */
static tl_status time_alone(const tl_plan *p, double *least)
{
    for (int j = 0; j < p->nforward; j++) {
        const int i = p->forward[j];
        tl_io *io = &p->io[i];
        if (!p->g->node[i].op->macs) continue;
        double start = now();
        TL_TRY(io->kernel.forward(io));
        TL_TRY(io->kernel.backward(io));
        double took = now() - start;
        if (least[i] == 0 || took < least[i]) least[i] = took;
    }
    return TL_OK;
}

static double sum(const double *v, int n)
{
    double s = 0;
    for (int i = 0; i < n; i++) s += v[i];
    return s;
}

static tl_status bench(tl_arena *a, const char *net, int steps, int batch)
{
    tl_model *m;
    tl_plan *p;
    tl_vals target;
    tl_recipe recipe = { .optimizer = { .kind = TL_SGD, .momentum = 0.9f }, .block_decay = 1 };
    tl_weights w;
    double *ms = tl_new(a, double, steps), *least, update = 0;
    TL_NEW(ms);
    TL_TRY(bench_net(a, net, &m));
    tl_val loss = tl_model_loss(m, &target);
    const tl_plan_conf conf = { .batch = batch, .train = true, .loss = loss, .amp = getenv("AMP") != NULL, .lean = getenv("LEAN") != NULL };
    TL_TRY(tl_plan_new(m->g, a, &conf, &p));
    TL_TRY(tl_weights_new(a, p, &recipe, &w));
    TL_NEW(least = tl_new(a, double, m->g->n));
    fill_noise(tl_plan_value(p, m->image));
    for (int i = 0; i < batch; i++) tl_plan_value(p, target.at[0]).f[i * CLASSES + i] = 1;
    for (int s = -1; s < steps; s++) {
        if (s == 0 && getenv("PROFILE")) TL_TRY(tl_plan_profile(p));
        double start = now();
        TL_TRY(tl_plan_forward(p));
        TL_TRY(tl_plan_backward(p));
        double before = now();
        tl_weights_step(&w, 1e-3f, s + 1);
        if (s < 0) continue;
        update += now() - before;
        ms[s] = 1e3 * (now() - start);
        TL_TRY(time_alone(p, least));
    }
    double step = median(ms, steps) / 1e3; /* which sorts ms */
    printf("train %s ms %.1f MB %.0f share %.3f\n", net, 1e3 * step, peak_memory(), 1e3 * sum(least, m->g->n) / ms[0]);
    if (!p->seconds) return TL_OK;
    print_profile(p, steps, step);
    printf("%-16s %19.1f %6.1f%%\n", "optimizer", 1e3 * update / steps,
           100 * update / steps / step);
    return TL_OK;
}

int main(int argc, char **argv)
{
    int steps = argc > 2 ? atoi(argv[2]) : 10, batch = argc > 3 ? atoi(argv[3]) : 16;
    tl_arena *a = tl_arena_new();
    if (argc < 2 || steps < 1 || batch < 1 || batch > CLASSES || !a) {
        fprintf(stderr, "usage: bench_train NET [STEPS [BATCH]]\n");
        return 2;
    }
    tl_status s = bench(a, argv[1], steps, batch);
    if (s) fprintf(stderr, "%s\n", tl_errmsg());
    tl_arena_free(a);
    return s != TL_OK;
}
