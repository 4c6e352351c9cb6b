/* run.c - run a plan forward and backward: two loops. SPDX-License-Identifier: MIT */
#include "plan.h"
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void tl_move_run(const tl_move *m)
{
    const tl_kernels *bf16 = tl_kernel_bf16();
    const size_t n = tl_count(m->to.s);
    if (m->add) (m->to.t == TL_BF16 ? bf16 : tl_kernel())->accumulate(m->from.m, n, m->to.m);
    else if (m->to.t == TL_BF16)
        bf16->narrow(m->from.f, n, m->to.m);
    else
        bf16->widen(m->from.m, n, m->to.f);
}

tl_status tl_plan_forward(tl_plan *p)
{
    const tl_cast *cast = p->cast, *last = cast + p->ncast;
    if (p->lanes->n) TL_TRY(tl_lanes_forward(p->lanes, p));
    for (int j = 0; j < p->nforward; j++) {
        int i = p->forward[j];
        tl_io *io = &p->io[i];
        double start = p->seconds ? now() : 0;
        for (; cast < last && cast->node == i; cast++) tl_move_run(&cast->move);
        io->seed = tl_rng_at(p->seed, (uint64_t)i, 0, 0).s;
        tl_status s = io->kernel.forward(io);
        if (s) return tl_note(s, "running %s", p->g->node[i].name);
        if (p->seconds) p->seconds[i] += now() - start;
    }
    return TL_OK;
}

tl_status tl_plan_backward(tl_plan *p)
{
    assert(p->conf.train);
    if (!p->nbackward) return TL_OK; /* nothing trains */
    p->io[p->conf.loss.i].dy.f[0] = 1;
    for (int j = 0; j < p->nbackward; j++) {
        const tl_step *step = &p->backward[j];
        double start = p->seconds ? now() : 0;
        tl_status s = TL_OK;
        for (int k = 0; k < step->nremake && !s; k++) s = p->g->node[step->remake[k]].op->remake(&p->io[step->remake[k]]);
        if (!s) s = p->io[step->node].kernel.backward(&p->io[step->node]);
        if (s) return tl_note(s, "differentiating %s", p->g->node[step->node].name);
        for (int k = 0; k < step->nmove; k++) tl_move_run(&step->move[k]);
        if (p->seconds) p->seconds[p->g->n + step->node] += now() - start;
        if (p->after) TL_TRY(p->after(p->after_ctx, step->grads));
    }
    return TL_OK;
}

tl_status tl_plan_profile(tl_plan *p)
{
    TL_NEW(p->seconds = tl_new(p->arena, double, 2 * p->g->n));
    for (int i = 0; i < p->lanes->n; i++) TL_TRY(tl_plan_profile(p->lanes->lane[i]));
    return TL_OK;
}
