/* budget.c - does a training step fit into the memory that it may use? SPDX-License-Identifier: MIT */
#include "trainer.h"

/* What a step of this batch needs, by planning it; memory that nobody touches costs nothing. */
static tl_status bytes_at(const tl_graph *g, tl_plan_conf c, int batch, size_t *bytes)
{
    tl_arena *a = tl_arena_new();
    tl_plan *p;
    TL_NEW(a);
    c.batch = batch;
    tl_status s = tl_plan_new(g, a, &c, &p);
    if (!s) *bytes = p->bytes;
    tl_arena_free(a);
    return s;
}

/* The largest batch below p's that fits; 0: none. What it needs grows nearly linearly, so a guess is at most a few off. */
static tl_status largest(const tl_plan *p, size_t limit, int *batch, size_t *bytes)
{
    size_t more;
    *batch = p->conf.batch;
    *bytes = p->bytes;
    while (*bytes > limit && *batch > 1) {
        int guess = (int)((double)*batch * (double)limit / (double)*bytes);
        *batch = guess < 1 ? 1 : guess < *batch ? guess : *batch - 1;
        TL_TRY(bytes_at(p->g, p->conf, *batch, bytes));
    }
    if (*bytes > limit) *batch = 0;
    while (*batch && *batch + 1 < p->conf.batch) {
        TL_TRY(bytes_at(p->g, p->conf, *batch + 1, &more));
        if (more > limit) return TL_OK;
        *bytes = more;
        ++*batch;
    }
    return TL_OK;
}

/* p, which is as lean as it gets, needs more than limit: say what would fit. */
static tl_status refuse(const tl_plan *p, size_t limit)
{
    size_t bytes;
    int batch;
    TL_TRY(largest(p, limit, &batch, &bytes));
    TL_CHECK(batch, TL_ENOMEM, "a training step needs %zu MB for values and gradients, %zu MB with one picture at a time; "
             "--max-memory allows %zu. Smaller pictures, a smaller network or more freeze_blocks need less",
             p->bytes >> 20, bytes >> 20, limit >> 20);
    return tl_fail(TL_ENOMEM, "a training step of %d pictures needs %zu MB for values and gradients; --max-memory allows %zu. "
                   "%d pictures would fit, with %zu MB: train_config.batch_size_per_gpu=%d",
                   p->conf.batch, p->bytes >> 20, limit >> 20, batch, bytes >> 20, batch);
}

tl_status tl_budget_plan(const tl_graph *g, tl_arena *a, const tl_plan_conf *c, size_t limit, tl_plan **out)
{
    tl_plan_conf lean = *c;
    TL_TRY(tl_plan_new(g, a, c, out));
    if (!limit || (*out)->bytes <= limit) return TL_OK;
    lean.lean = true;
    TL_TRY(tl_plan_new(g, a, &lean, out));
    return (*out)->bytes <= limit ? TL_OK : refuse(*out, limit);
}
