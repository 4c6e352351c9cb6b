/* bn - batch normalization over N,H,W for each channel. SPDX-License-Identifier: MIT
 *
 *   y = act((x - mean) / sqrt(var + eps) * gamma + beta)
 *
 * Ioffe and Szegedy 2015. In a training step mean and var are the batch's, and the running statistics move towards
 * them (var as Keras and PyTorch do it: unbiased, m/(m-1)); otherwise the running ones are used. The activation that
 * follows is applied while y is in registers, and its gradient is recomputed from x, so it costs no pass over memory.
 * Convolutions beside it may do the passes that are left (io->link), while they read and write x, y and their gradients
 * anyway; then only the coefficients are made here.
 * With io->dist the batch is that of all processes: what is summed over it is summed over them, too. */
#include "ops.h"
#include <math.h>
#include <string.h>

static const tl_field fields[] = {
    TL_F(tl_bn, eps, TL_FLOAT, 1e-3, 1e-12, 1, "added to the variance"),
    TL_F(tl_bn, momentum, TL_FLOAT, 0.99, 0, 1, "share of the old running statistics kept at each step"),
    TL_F_END,
};
enum { GAMMA, BETA, MEAN, VAR };

/* Per channel: y = x*a + b; the mean and 1/sqrt(var+eps) they were made from; dx = (g - k1 - (x - mean)*rstd*k2) * a, or,
 * for those who undo it, g*a + (x - mean)*u1 + u2; room for the reductions. */
typedef struct {
    float *a, *b, *mean, *var, *rstd, *k1, *k2, *u1, *u2, *dgamma, *dbeta;
    double *total; /* 2 x c */
    float *shared; /* 2 x c: on their way between processes */
} state;

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    for (int i = 0; i < 4; i++) p[i] = (tl_dims){ { x->c, 1, 1, 1 } };
    return tl_shape_same(attr, nx, x, y, p);
}

static tl_status setup(tl_io *io)
{
    size_t c = (size_t)io->y.s.c;
    state *s = tl_new(io->arena, state, 1);
    TL_NEW(s);
    float **part[] = { &s->a, &s->b, &s->mean, &s->var, &s->rstd, &s->k1, &s->k2,
                       &s->u1, &s->u2, &s->dgamma, &s->dbeta };
    for (int i = 0; i < TL_LEN(part); i++) TL_NEW(*part[i] = tl_new(io->arena, float, c));
    TL_NEW(s->total = tl_new(io->arena, double, 2 * c));
    TL_NEW(s->shared = tl_new(io->arena, float, 2 * c));
    io->state = s;
    if (io->link) io->link->sums.near = io->p[MEAN].w;
    if (io->link) io->link->grad_sums.near = s->mean;
    io->scratch_bytes = io->k->bn_scratch(io->y.s.c) * sizeof(float);
    return TL_OK;
}

static bool batch_stats(const tl_io *io) { return io->train && !io->fixed_stats; }

static void move_running(const tl_io *io, const state *s, size_t m)
{
    const tl_bn *a = io->attr;
    if (io->dist) m *= (size_t)tl_dist_size(io->dist);
    float unbias = m > 1 ? (float)((double)m / (double)(m - 1)) : 1.0f;
    for (int k = 0; k < io->y.s.c; k++) {
        io->p[MEAN].w[k] += (1 - a->momentum) * (s->mean[k] - io->p[MEAN].w[k]);
        io->p[VAR].w[k] += (1 - a->momentum) * (s->var[k] * unbias - io->p[VAR].w[k]);
    }
}

/* Mean and biased variance of this process' batch. */
static void statistics(const tl_io *io, state *s, size_t m)
{
    const int c = io->y.s.c;
    const float *near = io->p[MEAN].w;
    if (!io->link || !io->link->summed) {
        io->k->bn_stats(io->x[0].m, m, c, near, s->mean, s->var, io->scratch);
        return;
    }
    io->k->sums_total(&io->link->sums, c, s->total);
    for (int k = 0; k < c; k++) {
        double d = s->total[k] / (double)m, v = s->total[c + k] / (double)m - d * d;
        s->mean[k] = (float)((double)near[k] + d);
        s->var[k] = (float)(v < 0 ? 0 : v);
    }
}

/* Those of all processes' batches, which are of the same size. With d = mean - near, which is the same number in all of
 * them, the mean square around near is var + d*d, and near is close enough that nothing cancels. */
static tl_status statistics_of_all(const tl_io *io, state *s)
{
    const int c = io->y.s.c;
    const float *near = io->p[MEAN].w;
    if (!io->dist) return TL_OK;
    for (int k = 0; k < c; k++) {
        float d = s->mean[k] - near[k];
        s->shared[k] = d;
        s->shared[c + k] = s->var[k] + d * d;
    }
    TL_TRY(tl_dist_mean(io->dist, s->shared, 2 * (size_t)c));
    for (int k = 0; k < c; k++) {
        float d = s->shared[k], v = s->shared[c + k] - d * d;
        s->mean[k] = near[k] + d;
        s->var[k] = v < 0 ? 0 : v;
    }
    return TL_OK;
}

static tl_status remake(tl_io *io)
{
    const state *s = io->state;
    const int c = io->y.s.c;
    io->k->bn_apply(io->x[0].m, tl_count(io->y.s) / (size_t)c, c, s->a, s->b, NULL, io->act, io->y.m);
    return TL_OK;
}

static tl_status forward(tl_io *io)
{
    const tl_bn *a = io->attr;
    state *s = io->state;
    int c = io->y.s.c;
    size_t m = tl_count(io->y.s) / (size_t)c;
    const float *mean = io->p[MEAN].w, *var = io->p[VAR].w;
    if (batch_stats(io)) {
        statistics(io, s, m);
        TL_TRY(statistics_of_all(io, s));
        mean = s->mean;
        var = s->var;
    }
    for (int k = 0; k < c; k++) {
        s->mean[k] = mean[k];
        s->rstd[k] = 1.0f / sqrtf(var[k] + a->eps);
        s->a[k] = io->p[GAMMA].w[k] * s->rstd[k];
        s->b[k] = io->p[BETA].w[k] - mean[k] * s->a[k];
    }
    if (io->link && io->link->through) io->link->read = (tl_bn_read){ s->a, s->b, io->act };
    else
        TL_TRY(remake(io));
    if (batch_stats(io)) move_running(io, s, m);
    return TL_OK;
}

static void gradients(const tl_io *io, state *s, size_t m, float *dgamma, float *dbeta)
{
    const int c = io->y.s.c;
    if (!io->link || !io->link->through) {
        io->k->bn_grad_sums(io->x[0].m, io->dy.m, m, c, s->a, s->b, io->act, s->mean, s->rstd, dgamma, dbeta, io->scratch);
        return;
    }
    io->k->sums_total(&io->link->grad_sums, c, s->total);
    for (int k = 0; k < c; k++) {
        dbeta[k] = (float)s->total[k];
        dgamma[k] = (float)(s->total[c + k] * (double)s->rstd[k]);
    }
}

/* k1 and k2 from the sums over the batch: this process' are in dgamma and dbeta, where the mean over processes is the
 * business of who trains. */
static tl_status shares(const tl_io *io, state *s, size_t m, const float *dgamma, const float *dbeta)
{
    const size_t c = (size_t)io->y.s.c;
    memcpy(s->shared, dbeta, c * sizeof(float));
    memcpy(s->shared + c, dgamma, c * sizeof(float));
    TL_TRY(tl_dist_mean(io->dist, s->shared, 2 * c));
    for (size_t k = 0; k < c; k++) {
        s->k1[k] = s->shared[k] / (float)m;
        s->k2[k] = s->shared[c + k] / (float)m;
    }
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    state *s = io->state;
    int c = io->y.s.c;
    size_t m = tl_count(io->y.s) / (size_t)c;
    float *dgamma = io->p[GAMMA].g ? io->p[GAMMA].g : s->dgamma, *dbeta = io->p[BETA].g ? io->p[BETA].g : s->dbeta;
    bool batch = batch_stats(io);
    if (batch || io->p[GAMMA].g) gradients(io, s, m, dgamma, dbeta);
    if (batch) TL_TRY(shares(io, s, m, dgamma, dbeta));
    if (!io->dx[0].p) return TL_OK;
    for (int k = 0; k < c; k++) {
        s->u1[k] = -s->a[k] * s->rstd[k] * s->k2[k];
        s->u2[k] = -s->a[k] * s->k1[k];
    }
    const tl_act act = io->link && io->link->through ? TL_NO_ACT : io->act; /* who reads through it has gated dy */
    if (io->link && io->link->undone) {
        io->link->undo = (tl_bn_undo){ io->x[0].m, s->mean, s->a, s->u1, s->u2, { s->a, s->b, act } };
        return TL_OK;
    }
    io->k->bn_grad(io->x[0].m, io->dy.m, m, c, s->a, s->b, act, s->mean, s->rstd, batch ? s->k1 : NULL,
                   batch ? s->k2 : NULL, io->dx[0].m);
    return TL_OK;
}

static void is_scale(const void *attr, const tl_param *p, int c, float *a, float *b)
{
    for (int k = 0; k < c; k++) {
        a[k] = p[GAMMA].w[k] / sqrtf(p[VAR].w[k] + ((const tl_bn *)attr)->eps);
        b[k] = p[BETA].w[k] - p[MEAN].w[k] * a[k];
    }
}

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    const tl_bn *a = attr;
    tl_onnx_node *node;
    TL_TRY(tl_onnx_simple("BatchNormalization", n, m, &node));
    TL_TRY(tl_onnx_set_float(m, node, "epsilon", a->eps));
    return tl_onnx_set_float(m, node, "momentum", a->momentum);
}

/* A constant as one value per channel of x: it may be one number, or have nothing but channels. */
static tl_status per_channel(const tl_onnx_view *v, const tl_onnx_tensor *t, const float **out, size_t *step)
{
    size_t n;
    bool vector = v->xs.h * v->xs.w == 1;
    TL_TRY(tl_onnx_floats(v->arena, t, out, &n));
    *step = n > 1;
    bool ok = n == 1 || (n == (size_t)v->xs.c && (vector || (t->rank >= 3 && t->dim[t->rank - 3] == v->xs.c)));
    TL_CHECK(ok, TL_EUNSUP, "only constants with one value, or one per channel, are supported");
    return TL_OK;
}

/* Mul, Add, Sub and Div by a constant: gamma and beta of a batch norm whose statistics do nothing. */
static tl_status affine(const tl_onnx_view *v, tl_bn *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    bool first = v->in[0] != NULL; /* constant - x, constant / x */
    char op = v->node->op[0];
    int c = v->xs.c;
    const float *k;
    size_t step;
    float *w[4];
    TL_CHECK(c <= 1 << 16, TL_EUNSUP, "%s of a constant and %d channels is not supported", v->node->op, c);
    TL_CHECK((v->in[0] || v->in[1]) && !(op == 'D' && first), TL_EUNSUP,
             "only %s of a map and a constant is supported", v->node->op);
    TL_TRY(per_channel(v, v->in[!first], &k, &step));
    attr->eps = 1e-5f;
    for (int j = 0; j < 4; j++) TL_NEW(w[j] = tl_new(v->arena, float, c));
    for (int i = 0; i < c; i++) {
        float value = k[(size_t)i * step];
        w[GAMMA][i] = op == 'M' ? value : op == 'D' ? 1 / value : op == 'S' && first ? -1 : 1;
        w[BETA][i] = op == 'A' || (op == 'S' && first) ? value : op == 'S' ? -value : 0;
        w[VAR][i] = 1 - attr->eps;
    }
    for (int j = 0; j < 4; j++) TL_TRY(tl_onnx_constant(v->arena, w[j], (size_t)c, &p[j]));
    return TL_OK;
}

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    tl_bn *a = attr;
    if (v->node->op[0] != 'B') return affine(v, a, p);
    for (int i = 0; i < 4; i++) {
        TL_CHECK(v->in[i + 1], TL_EUNSUP,
                 "only BatchNormalization with constant scale, bias, mean and variance is supported");
        p[i] = v->in[i + 1];
    }
    a->eps = tl_onnx_float(v->node, "epsilon", 1e-5f);
    a->momentum = tl_onnx_float(v->node, "momentum", 0.9f);
    return TL_OK;
}

const tl_op tl_op_bn = {
    .name = "bn",
    .brief = "batch normalization",
    .min_in = 1,
    .max_in = 1,
    .param = { { .name = "gamma", .axes = "O", .init = 1 },
               { .name = "beta", .axes = "O" },
               { .name = "mean", .axes = "O", .stat = true },
               { .name = "var", .axes = "O", .init = 1, .stat = true } },
    .field = fields,
    .attr_size = sizeof(tl_bn),
    .saves = TL_SAVES_X,
    .takes_act = TL_ACT_INFER | TL_ACT_TRAIN,
    .dx_in_dy = true,
    .is_norm = true,
    .shape = shape,
    .setup = setup,
    .forward = forward,
    .backward = backward,
    .remake = remake,
    .amp = TL_AMP_ALL,
    .flow = tl_flow_same,
    .is_scale = is_scale,
    .onnx = { "BatchNormalization", "Mul", "Add", "Sub", "Div" },
    .onnx_out = onnx_out,
    .onnx_in = onnx_in,
};
