/* op_rig.h - one case of an operation as a graph that is planned, and the same in double. SPDX-License-Identifier: MIT */
#ifndef TL_OP_RIG_H
#define TL_OP_RIG_H
#include "support.h"
#include "op_cases.h"
#include "probe.h"
#include "reference.h"

typedef void reference(const tl_problem *);

typedef struct {
    tl_graph  *g;
    tl_plan   *p;
    tl_val     in[3], y, out; /* out: y or the activation after it */
    float     *direction;
    tl_problem q;
    double    *x[3], *param[TL_MAX_PARAM];
} rig;

static inline reference *reference_of(const char *name)
{
#define ROW(name, ...) { #name, tl_ref_##name },
#define tl_ref_input NULL
    static const struct { const char *name; reference *f; } all[] = { TL_OPS(ROW) };
    for (int i = 0; i < TL_LEN(all); i++)
        if (!strcmp(all[i].name, name)) return all[i].f;
    return NULL;
}

/* Values between -8 and 8, all different and none near zero, in random order: no winner of a pool is close, no kink
 * near. */
static inline void spread(float *f, size_t n, uint64_t seed)
{
    tl_rng r = tl_rng_at(seed, n, 0, 0);
    for (size_t i = 0; i < n; i++) f[i] = ((float)i - (float)(n / 2) + 0.25f) * 16 / (float)n;
    for (size_t i = n; i-- > 1;) {
        size_t j = (size_t)tl_rng_below(&r, (int)i + 1);
        float t = f[i];
        f[i] = f[j];
        f[j] = t;
    }
}

static inline double *as_double(tl_arena *a, const float *f, size_t n)
{
    double *d = tl_new(a, double, n);
    for (size_t i = 0; i < n; i++) d[i] = (double)f[i];
    return d;
}

static inline tl_status build(tl_arena *a, const op_case *k, rig *r)
{
    tl_val x[3];
    *r = (rig){ .g = tl_graph_new(a) };
    for (int i = 0; i < k->nx; i++) {
        r->in[i] = OP(r->g, tl_name(r->g, "x%d", i), input, NO_INPUT, k->x[i].c, k->x[i].h, k->x[i].w);
        x[i] = tl_put(r->g, tl_name(r->g, "copy%d", i), &copy, &r->in[i], 1, "");
    }
    r->out = r->y = tl_put(r->g, "y", k->op, x, k->nx, k->attr);
    if (k->then) r->out = tl_put(r->g, "then", &tl_op_relu, &r->y, 1, k->then);
    TL_TRY(r->g->status);
    r->g->node[r->y.i].fixed_stats = k->fixed;
    return randomize(r->g, 3);
}

/* A value's numbers as floats of their own. */
static inline float *floats(tl_arena *a, tl_tensor t)
{
    float *f = tl_new(a, float, tl_count(t.s));
    if (t.t == TL_F32) return memcpy(f, t.f, tl_count(t.s) * sizeof *f);
    tl_kernel_bf16()->widen(t.m, tl_count(t.s), f);
    return f;
}

static inline void round_to_bf16(tl_arena *a, float *f, size_t n)
{
    tl_map *m = tl_alloc(a, n * tl_dtype_size(TL_BF16));
    tl_kernel_bf16()->narrow(f, n, m);
    tl_kernel_bf16()->widen(m, n, f);
}

/* read: the op's output is wanted afterwards. Otherwise its memory is shared, too. amp: in mixed precision, from numbers
 * that bf16 holds. */
static inline tl_status plan_as(tl_arena *a, const op_case *k, bool train, bool read, bool amp, rig *r)
{
    TL_TRY(build(a, k, r));
    tl_shape s = r->g->node[r->out.i].s;
    size_t n = tl_count(s) * (size_t)k->x[0].n;
    TL_NEW(r->direction = tl_new(a, float, n));
    fill(r->direction, n, 9);
    tl_val loss = tl_put(r->g, "loss", &project, &r->out, 1, &(project_attr){ r->direction });
    r->g->output = r->out.i;
    const tl_plan_conf conf = { .batch = k->x[0].n, .train = train, .loss = loss, .keep = &r->out, .nkeep = read,
                                .input_grads = true, .amp = amp };
    TL_TRY(tl_plan_new(r->g, a, &conf, &r->p));
    for (int i = 0; i < k->nx; i++) spread(tl_plan_value(r->p, r->in[i]).f, tl_count(k->x[i]), (uint64_t)i);
    for (int i = 0; amp && i < k->nx; i++) round_to_bf16(a, tl_plan_value(r->p, r->in[i]).f, tl_count(k->x[i]));
    r->p->seed = 4;
    return TL_OK;
}

static inline tl_status plan(tl_arena *a, const op_case *k, bool train, bool read, rig *r)
{
    return plan_as(a, k, train, read, false, r);
}

/* The same in double. To be called before a run changes running statistics. */
static inline void pose(tl_arena *a, const op_case *k, bool train, rig *r)
{
    const tl_node *d = &r->g->node[r->y.i];
    const tl_io *io = &r->p->io[r->y.i];
    r->q = (tl_problem){ .attr = d->attr, .nx = k->nx, .ys = io->y.s, .y = tl_new(a, double, tl_count(io->y.s)),
                         .training = train, .batch_stats = train && !k->fixed, .seen = tl_plan_value(r->p, r->out).f };
    for (int i = 0; i < k->nx; i++) {
        r->q.xs[i] = k->x[i];
        r->q.x[i] = r->x[i] = as_double(a, tl_plan_value(r->p, r->in[i]).f, tl_count(k->x[i]));
    }
    for (int i = 0; i < TL_MAX_PARAM; i++)
        if (d->p[i].w) r->q.p[i] = r->param[i] = as_double(a, d->p[i].w, tl_dims_count(d->p[i].dims));
}

static inline void solve(const op_case *k, rig *r)
{
    reference_of(k->op->name)(&r->q);
    for (size_t i = 0; k->then && i < tl_count(r->q.ys); i++) r->q.y[i] = tl_ref_act(r->q.y[i], k->then);
}

/* In mixed precision an activation is taken as linear about what the library computed: where that is near a kink, rounding decides
 * about the side. */
static inline double loss_of(const op_case *k, rig *r)
{
    double sum = 0;
    if (!r->p->conf.amp) solve(k, r);
    else
        reference_of(k->op->name)(&r->q);
    for (size_t i = 0; i < tl_count(r->q.ys); i++) {
        const double slope = r->p->conf.amp && k->then ? tl_ref_act_slope((double)r->q.seen[i], k->then) : 1;
        sum += slope * r->q.y[i] * (double)r->direction[i];
    }
    return sum;
}
#endif
