/* bench_train.c - the time and memory of a training step. SPDX-License-Identifier: MIT
 *
 *     bench_train NET [STEPS [BATCH]]          as tlc list backbones has it; 10; 16
 *     PROFILE=1 bench_train NET ...            and where the time goes, by kind of operation
 *
 * A step is forward, backward and SGD with momentum, on 224x224 pictures, f32. Prints milliseconds
 * per step (median after a step that warms up), peak memory in MB, and the yardstick: the share of the best step that
 * oneDNN needs for the convolutions alone. Each is run by itself after every step, forward and backward, and its best
 * time counts; oneDNN's also where we train with a kernel of our own, which thus cannot look bad by being fast. */
#include "bench.h"
#include "train.h"

/* Every node of p as it is, but convolutions by oneDNN. */
static tl_status yardstick(tl_arena *a, const tl_plan *p, tl_io **out)
{
    tl_io *io = tl_new(a, tl_io, p->g->n);
    TL_NEW(io);
    memcpy(io, p->io, (size_t)p->g->n * sizeof *io);
    for (int i = 0; i < p->g->n; i++) {
        const tl_op *op = p->g->node[i].op;
        if (op != &tl_op_conv2d || io[i].kernel.forward == op->forward) continue;
        TL_TRY(op->setup(&io[i]));
        TL_NEW(io[i].scratch = tl_alloc(a, io[i].scratch_bytes));
    }
    *out = io;
    return TL_OK;
}

/* The least seconds that each convolution took alone, so far. */
static tl_status time_convolutions(const tl_graph *g, tl_io *io, double *least)
{
    for (int i = 0; i < g->n; i++) {
        if (g->node[i].op != &tl_op_conv2d) continue;
        double start = now();
        TL_TRY(tl_op_conv2d.forward(&io[i]));
        TL_TRY(tl_op_conv2d.backward(&io[i]));
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
    tl_val target;
    tl_recipe recipe = { .optimizer = { .kind = TL_SGD, .momentum = 0.9f }, .block_decay = 1 };
    tl_weights w;
    tl_io *convs;
    double *ms = tl_new(a, double, steps), *least, update = 0;
    TL_NEW(ms);
    TL_TRY(bench_net(a, net, &m));
    tl_val loss = tl_head_at(0)->loss(m->g, m->raw, &target);
    TL_TRY(
        tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = batch, .train = true, .loss = loss }, &p));
    TL_TRY(tl_weights_new(a, p, &recipe, &w));
    TL_NEW(least = tl_new(a, double, m->g->n));
    TL_TRY(yardstick(a, p, &convs));
    fill_noise(tl_plan_value(p, m->image));
    for (int i = 0; i < batch; i++) tl_plan_value(p, target).f[i * CLASSES + i] = 1;
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
        TL_TRY(time_convolutions(m->g, convs, least));
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
