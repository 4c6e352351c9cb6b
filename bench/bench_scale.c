/* bench_scale.c - how training grows with processes, from a measured step and a modeled network.
 * SPDX-License-Identifier: MIT
 *
 *     bench_scale NET [STEPS [BATCH [SPEED]]]  as tlc list backbones has it; 5; 16; 1
 *
 * Measured here, by one process: when in a step each bucket of gradients becomes ready, when the backward pass ends,
 * and the optimizer's time; the best of STEPS. Modeled: N such processes, each on a machine of its own, on Ethernet of
 * some speed, full duplex, no contention in the switch. A bucket of b bytes is under way, one after another, for
 *
 *     2 (N-1) (overhead + b / N / bandwidth) + 2 latency
 *
 * (pieces out to all others and sums back), then the four numbers of the log. Prints pictures per second, and the share
 * of N times one process' that is. SPEED: of machines that compute so many times as fast as this one. What is left out:
 * processes that wait for the slowest one, and reading pictures. */
#include "bench.h"
#include "together.h"

static const double gigabits[] = { 1, 10, 25 };
static const double overhead = 5e-6, latency = 30e-6; /* seconds: of a message for the sender; on the way, TCP */

enum { MOST_BUCKETS = 1024 };
typedef struct {
    const tl_plan *plan;
    double begun, ready[MOST_BUCKETS], bytes[MOST_BUCKETS], backward, update; /* ready: seconds since the step began */
    size_t given;
    int n;
} timeline;

static tl_status note(void *ctx, size_t ready)
{
    timeline *t = ctx;
    if ((ready - t->given < TL_BUCKET && ready < t->plan->ngrads) || t->n == MOST_BUCKETS) return TL_OK;
    t->ready[t->n] = now() - t->begun;
    t->bytes[t->n++] = (double)(ready - t->given) * sizeof(float);
    t->given = ready;
    return TL_OK;
}

static tl_status measure(tl_arena *a, const char *net, int steps, int batch, timeline *best)
{
    tl_model *m;
    tl_plan *p;
    tl_vals target;
    tl_recipe recipe = { .optimizer = { .kind = TL_SGD, .momentum = 0.9f }, .block_decay = 1 };
    tl_weights w;
    TL_TRY(bench_net(a, net, &m));
    tl_val loss = tl_model_loss(m, &target);
    TL_TRY(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = batch, .train = true, .loss = loss }, &p));
    TL_TRY(tl_weights_new(a, p, &recipe, &w));
    fill_noise(tl_plan_value(p, m->image));
    for (int i = 0; i < batch; i++) tl_plan_value(p, target.at[0]).f[i * CLASSES + i] = 1;
    best->backward = 1e9;
    p->after = note;
    for (int s = 0; s <= steps; s++) {
        timeline t = { .plan = p, .begun = now() };
        p->after_ctx = &t;
        TL_TRY(tl_plan_forward(p));
        TL_TRY(tl_plan_backward(p));
        t.backward = now() - t.begun;
        tl_weights_step(&w, 1e-3f, s);
        t.update = now() - t.begun - t.backward;
        if (s && t.backward < best->backward) *best = t; /* the first one warms up */
    }
    return TL_OK;
}

static void hasten(timeline *t, double speed)
{
    for (int b = 0; b < t->n; b++) t->ready[b] /= speed;
    t->backward /= speed;
    t->update /= speed;
}

/* Seconds of a step of n processes. */
static double step_of(const timeline *t, int n, double gigabit)
{
    const double bandwidth = gigabit * 1e9 / 8;
    double end = 0;
    for (int b = 0; n > 1 && b < t->n; b++) {
        double from = end > t->ready[b] ? end : t->ready[b];
        end = from + 2 * (n - 1) * (overhead + t->bytes[b] / n / bandwidth) + 2 * latency;
    }
    if (end < t->backward) end = t->backward;
    return end + t->update + (n > 1 ? (n - 1) * overhead + latency : 0);
}

int main(int argc, char **argv)
{
    const int batch = argc > 3 ? atoi(argv[3]) : 16, steps = argc > 2 ? atoi(argv[2]) : 5;
    const double speed = argc > 4 ? atof(argv[4]) : 1;
    static timeline t;
    tl_arena *a = tl_arena_new();
    if (argc < 2 || batch < 1 || batch > CLASSES || steps < 1 || !(speed > 0) ||
        measure(a, argv[1], steps, batch, &t)) {
        fprintf(stderr, argc < 2 ? "usage: bench_scale NET [STEPS [BATCH [SPEED]]]\n" : "%s\n", tl_errmsg());
        return 1;
    }
    hasten(&t, speed);
    const double one = step_of(&t, 1, 1);
    double bytes = 0;
    for (int b = 0; b < t.n; b++) bytes += t.bytes[b];
    printf("%s, batch %d per process: %.0f ms per step, %.1f MB of gradients in %d buckets\n\n| processes |", argv[1],
           batch, 1e3 * one, bytes * 1e-6, t.n);
    for (int g = 0; g < TL_LEN(gigabits); g++) printf(" %g Gbit/s |", gigabits[g]);
    printf("\n|---|");
    for (int g = 0; g < TL_LEN(gigabits); g++) printf("---|");
    for (int n = 1; n <= 64; n *= 2) {
        printf("\n| %d |", n);
        for (int g = 0; g < TL_LEN(gigabits); g++) {
            double s = step_of(&t, n, gigabits[g]);
            printf(" %.0f images/s, %.2f |", n * batch / s, one / s);
        }
    }
    printf("\n");
    tl_arena_free(a);
    return 0;
}
