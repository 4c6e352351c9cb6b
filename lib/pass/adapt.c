/* adapt.c - after pruning, let what is left make up for what is gone. SPDX-License-Identifier: MIT
 *
 * A layer that lost inputs computes something else than before. On pictures both networks can be watched: the layer's
 * output Y in the whole network, its input X and output Z in the pruned one. The change of weights that brings Z
 * nearest to Y is a linear least squares problem, D = argmin |X D - (Y - Z)|^2 + ridge |D|^2, solved layer by layer
 * from the picture on, so that each layer also mends what the ones before it left (He et al. 2017, "Channel Pruning for
 * Accelerating Very Deep Neural Networks"). Labels are not needed, some hundred pictures are enough.
 *
 * Only layers whose output pixel depends on one input pixel (1x1 convolutions, dense): in MobileNets those are all that
 * lose inputs besides depthwise ones, which lose the channel as a whole. */
#include "pass.h"
#include <math.h>
#include <string.h>

enum { BATCH = 16, ROWS = 16384 }; /* ROWS: pixels used per layer, spread evenly over all pictures */
#define RIDGE 1e-3                 /* share of the mean square of an input */

typedef struct {
    const tl_graph *g;             /* whole */
    tl_graph       *s;             /* pruned; its weights change */
    const tl_kept  *kept;
    const float    *x;             /* n pictures */
    int             n, input;
    tl_arena       *a;
} adapter;

typedef struct { int rows, width; float *at; } matrix;

/* Reads its input's channels with weights of its own, so a channel can be missed. */
static bool reads_channels(const tl_graph *g, int i)
{
    const tl_node *d = &g->node[i];
    return d->op->take_scale && d->nx == 1 && d->p[0].dims.d[1] == g->node[d->x[0]].s.c && d->p[0].dims.d[1] > 1;
}

/* A strided 1x1 convolution reads every step-th pixel: a line of step + 1 is the first to give two. 0: the layer pads,
 * so an output pixel may depend on none. */
static int step_of(const tl_graph *g, int i)
{
    const tl_node *d = &g->node[i];
    tl_shape x = g->node[d->x[0]].s, y;
    tl_dims p[TL_MAX_PARAM];
    int step = 1;
    for (tl_shape line = { 1, x.c, 1, 2 }; x.w > d->s.w && line.w <= x.w; line.w++, step++)
        if (d->op->shape(d->attr, 1, &line, &y, p) || y.w > 1) break;
    return (x.h - 1) / step + 1 == d->s.h && (x.w - 1) / step + 1 == d->s.w ? step : 0;
}

static bool lost_inputs(const adapter *q, int i)
{
    const tl_node *d = &q->g->node[i];
    const tl_dims *w = &d->p[0].dims;
    return reads_channels(q->g, i) && w->d[2] == 1 && w->d[3] == 1 && step_of(q->g, i) &&
           q->kept[d->x[0]].n < q->g->node[d->x[0]].s.c;
}

static size_t pixels(const adapter *q, int i)
{
    return (size_t)q->n * (size_t)q->g->node[i].s.h * (size_t)q->g->node[i].s.w;
}

static size_t common_divisor(size_t a, size_t b) { return b ? common_divisor(b, a % b) : a; }

/* Every which pixel of node i's output is used: prime to the picture's size, else some columns would never be met. */
static size_t stride_of(const adapter *q, int i)
{
    size_t every = (pixels(q, i) + ROWS - 1) / ROWS, hw = pixels(q, i) / (size_t)q->n;
    while (common_divisor(every, hw) > 1) every++;
    return every;
}

static tl_status matrix_new(const adapter *q, int i, int width, matrix *m)
{
    m->rows = (int)((pixels(q, i) + stride_of(q, i) - 1) / stride_of(q, i));
    m->width = width;
    TL_NEW(m->at = tl_new(q->a, float, (size_t)m->rows * (size_t)width));
    return TL_OK;
}

/* From a batch's value t at (or feeding) node i: the pixels in use, into their rows. first: its first picture. */
static void collect(const adapter *q, int i, int first, int count, tl_tensor t, const tl_kept *only, matrix *m)
{
    tl_shape y = q->g->node[i].s;
    size_t every = stride_of(q, i), hw = (size_t)y.h * (size_t)y.w, from = (size_t)first * hw;
    size_t end = from + (size_t)count * hw, step = t.s.h == y.h && t.s.w == y.w ? 1 : (size_t)step_of(q->g, i);
    for (size_t at = (from + every - 1) / every * every; at < end; at += every) {
        size_t local = at - from, n = local / hw, py = local % hw / (size_t)y.w, px = local % (size_t)y.w;
        const float *v = t.f + ((n * (size_t)t.s.h + py * step) * (size_t)t.s.w + px * step) * (size_t)t.s.c;
        float *row = m->at + at / every * (size_t)m->width;
        for (int k = 0; k < m->width; k++) row[k] = v[only ? only->at[k] : k];
    }
}

static tl_status run_batch(const adapter *q, tl_plan *p, int first, int count)
{
    tl_tensor in = tl_plan_value(p, (tl_val){ q->input });
    size_t one = tl_count(in.s) / (size_t)in.s.n;
    memcpy(in.f, q->x + (size_t)first * one, (size_t)count * one * sizeof(float));
    return tl_plan_forward(p);
}

/* What the whole network makes at each of the nodes, the surviving channels of it. */
static tl_status watch_whole(const adapter *q, const int *node, int count, matrix *y)
{
    tl_plan *p;
    tl_val *keep = tl_new(q->a, tl_val, count);
    TL_NEW(keep);
    for (int j = 0; j < count; j++) {
        keep[j].i = node[j];
        TL_TRY(matrix_new(q, node[j], q->kept[node[j]].n, &y[j]));
    }
    const tl_plan_conf conf = { .batch = BATCH, .constant = true, .keep = keep, .nkeep = count };
    TL_TRY(tl_plan_new(q->g, q->a, &conf, &p));
    for (int first = 0; first < q->n; first += BATCH) {
        int now = q->n - first < BATCH ? q->n - first : BATCH;
        TL_TRY(run_batch(q, p, first, now));
        for (int j = 0; j < count; j++)
            collect(q, node[j], first, now, tl_plan_value(p, keep[j]), &q->kept[node[j]], &y[j]);
    }
    return TL_OK;
}

/* Input and output of node i in the pruned network; only what lies before it is run. */
static tl_status watch_pruned(const adapter *q, tl_arena *a, int i, matrix *x, matrix *z)
{
    tl_plan *p;
    tl_graph part = *q->s;
    tl_val keep[] = { { q->s->node[i].x[0] }, { i } };
    tl_graph_give(&part, (tl_val){ i });
    TL_TRY(tl_plan_new(&part, a, &(tl_plan_conf){ .batch = BATCH, .constant = true, .keep = keep, .nkeep = 2 }, &p));
    for (int first = 0; first < q->n; first += BATCH) {
        int now = q->n - first < BATCH ? q->n - first : BATCH;
        TL_TRY(run_batch(q, p, first, now));
        collect(q, i, first, now, tl_plan_value(p, keep[0]), NULL, x);
        collect(q, i, first, now, tl_plan_value(p, keep[1]), NULL, z);
    }
    return TL_OK;
}

static void center(matrix *m, float *mean)
{
    for (int k = 0; k < m->width; k++) {
        double sum = 0;
        for (int r = 0; r < m->rows; r++) sum += (double)m->at[(size_t)r * (size_t)m->width + (size_t)k];
        mean[k] = (float)(sum / m->rows);
    }
    for (int r = 0; r < m->rows; r++)
        for (int k = 0; k < m->width; k++) m->at[(size_t)r * (size_t)m->width + (size_t)k] -= mean[k];
}

/* out = b' a, b.width x a.width: what a 1x1 convolution's weight gradient is. */
static tl_status product(tl_arena *a, const matrix *x, const matrix *y, float *out)
{
    tl_dnn_conv *c;
    size_t scratch;
    tl_shape xs = { 1, x->width, x->rows, 1 }, ys = { 1, y->width, y->rows, 1 };
    tl_conv_geom g = { .k = 1, .stride = 1, .dilation = 1, .groups = 1 };
    tl_conv_conf conf = { .slope = 1, .max = INFINITY, .train = true, .no_dx = true };
    TL_TRY(tl_dnn_conv_new(a, xs, ys, g, conf, &c, &scratch));
    void *room = tl_alloc(a, scratch);
    TL_NEW(room);
    return tl_dnn_conv_backward_weights(c, x->at, y->at, out, NULL, room);
}

/* Solve A d = r for each of `count` right sides, A symmetric positive definite of order m; Cholesky, in place.
 * A: m x m; r: count x m, replaced by d. */
static tl_status solve(double *A, int m, double *r, int count)
{
    for (int j = 0; j < m; j++) {
        double *row = A + (size_t)j * (size_t)m;
        for (int k = 0; k <= j; k++) {
            const double *other = A + (size_t)k * (size_t)m;
            double v = row[k];
            for (int l = 0; l < k; l++) v -= row[l] * other[l];
            if (k < j) row[k] = v / other[k];
            else if (!(v > 0)) return tl_fail(TL_EARG, "the pictures say too little about this layer");
            else row[j] = sqrt(v);
        }
    }
    for (int c = 0; c < count; c++, r += m) {
        for (int j = 0; j < m; j++) {
            for (int l = 0; l < j; l++) r[j] -= A[(size_t)j * (size_t)m + (size_t)l] * r[l];
            r[j] /= A[(size_t)j * (size_t)m + (size_t)j];
        }
        for (int j = m - 1; j >= 0; j--) {
            for (int l = j + 1; l < m; l++) r[j] -= A[(size_t)l * (size_t)m + (size_t)j] * r[l];
            r[j] /= A[(size_t)j * (size_t)m + (size_t)j];
        }
    }
    return TL_OK;
}

/* The layer must have a bias to take the mean of what is missing. */
static tl_status give_bias(const adapter *q, tl_node *d)
{
    tl_shape x = q->s->node[d->x[0]].s, y;
    tl_dims p[TL_MAX_PARAM] = { { { 0 } } };
    if (d->p[1].w) return TL_OK;
    d->op->take_scale(d->attr);
    TL_TRY(d->op->shape(d->attr, 1, &x, &y, p));
    d->p[1].dims = p[1];
    TL_NEW(d->p[1].w = tl_new(q->s->arena, float, tl_dims_count(p[1])));
    return TL_OK;
}

static tl_status mend(const adapter *q, tl_arena *a, int i, const matrix *y)
{
    tl_node *d = &q->s->node[i];
    int m = q->s->node[d->x[0]].s.c, out = d->s.c;
    matrix x, z;
    TL_TRY(matrix_new(q, i, m, &x));
    TL_TRY(matrix_new(q, i, out, &z));
    TL_TRY(watch_pruned(q, a, i, &x, &z));
    for (size_t k = 0, n = (size_t)z.rows * (size_t)out; k < n; k++) z.at[k] = y->at[k] - z.at[k]; /* what is missing */

    size_t mm = (size_t)m * (size_t)m, om = (size_t)out * (size_t)m;
    float *xm = tl_new(a, float, m), *zm = tl_new(a, float, out);
    float *xx = tl_new(a, float, mm), *zx = tl_new(a, float, om);
    double *A = tl_new(a, double, mm), *r = tl_new(a, double, om), trace = 0;
    TL_NEW(xm && zm && xx && zx && A && r ? A : NULL);
    center(&x, xm);
    center(&z, zm);
    TL_TRY(product(a, &x, &x, xx));
    TL_TRY(product(a, &x, &z, zx));
    for (size_t k = 0; k < mm; k++) A[k] = (double)xx[k];
    for (int k = 0; k < m; k++) trace += A[(size_t)k * (size_t)(m + 1)];
    for (int k = 0; k < m; k++) A[(size_t)k * (size_t)(m + 1)] += RIDGE * trace / m + 1e-12;
    for (size_t k = 0; k < om; k++) r[k] = (double)zx[k];
    TL_TRY(solve(A, m, r, out));

    TL_TRY(give_bias(q, d));
    for (int o = 0; o < out; o++) {
        double b = (double)zm[o];
        for (int k = 0; k < m; k++) {
            size_t at = (size_t)o * (size_t)m + (size_t)k;
            d->p[0].w[at] += (float)r[at];
            b -= r[at] * (double)xm[k];
        }
        d->p[1].w[o] += (float)b;
    }
    return TL_OK;
}

static tl_status adapt(const adapter *q, int *changed)
{
    int *node = tl_new(q->a, int, q->g->n), count = 0;
    TL_NEW(node);
    for (int i = 0; i < q->g->n; i++)
        if (lost_inputs(q, i)) node[count++] = i;
    matrix *y = tl_new(q->a, matrix, count);
    TL_NEW(y);
    TL_TRY(watch_whole(q, node, count, y));
    for (int j = 0; j < count; j++) {
        adapter one = *q;
        TL_NEW(one.a = tl_arena_new());
        tl_status s = mend(&one, one.a, node[j], &y[j]);
        tl_arena_free(one.a);
        if (s) return tl_note(s, "adapting '%s' to what was pruned before it", q->g->node[node[j]].name);
    }
    *changed = count;
    return TL_OK;
}

tl_status tl_adapt(const tl_graph *g, const tl_prune_result *r, tl_graph *s, int input, const float *x, int n,
                   int *changed)
{
    TL_CHECK(n > 0, TL_EARG, "adapting needs at least one picture");
    TL_CHECK(s->n == g->n, TL_ESHAPE, "the pruned graph has %d nodes, the whole one %d", s->n, g->n);
    for (int i = 0; i < g->n; i++)
        TL_CHECK(r->kept[i].n == s->node[i].s.c, TL_ESHAPE, "'%s' has %d channels left, the list of them has %d",
                 s->node[i].name, s->node[i].s.c, r->kept[i].n);
    adapter q = { .g = g, .s = s, .kept = r->kept, .x = x, .n = n, .input = input, .a = tl_arena_new() };
    TL_NEW(q.a);
    tl_status st = adapt(&q, changed);
    tl_arena_free(q.a);
    return st;
}

/* ---- Importance ---- */

static void add_squares(tl_tensor t, int count, double *sum, double *squares)
{
    size_t c = (size_t)t.s.c, m = (size_t)count * (size_t)t.s.h * (size_t)t.s.w;
    for (size_t r = 0; r < m; r++)
        for (size_t k = 0; k < c; k++) {
            double v = (double)t.f[r * c + k];
            sum[k] += v;
            squares[k] += v * v;
        }
}

static double weight_squares(const tl_node *d, int channel)
{
    const tl_dims w = d->p[0].dims;
    size_t hw = (size_t)w.d[2] * (size_t)w.d[3];
    double sum = 0;
    for (int o = 0; o < w.d[0]; o++)
        for (size_t j = 0; j < hw; j++) {
            double v = (double)d->p[0].w[((size_t)o * (size_t)w.d[1] + (size_t)channel) * hw + j];
            sum += v * v;
        }
    return sum;
}

tl_status tl_importance(const tl_graph *g, tl_arena *a, int input, const float *x, int n, const float *const **out)
{
    adapter q = { .g = g, .x = x, .n = n, .input = input, .a = a };
    tl_val *keep = tl_new(a, tl_val, g->n);
    double **sum = tl_new(a, double *, g->n), **squares = tl_new(a, double *, g->n);
    float **score = tl_new(a, float *, g->n);
    tl_plan *p;
    int count = 0;
    TL_NEW(keep && sum && squares && score ? keep : NULL);
    TL_CHECK(n > 0, TL_EARG, "how much a channel matters is seen on at least one picture");
    for (int i = 0; i < g->n; i++) {
        int from = g->node[i].nx ? g->node[i].x[0] : i;
        if (!reads_channels(g, i) || score[from] || !g->node[from].nx) continue;
        TL_NEW(score[from] = tl_new(a, float, g->node[from].s.c));
        TL_NEW(sum[from] = tl_new(a, double, g->node[from].s.c));
        TL_NEW(squares[from] = tl_new(a, double, g->node[from].s.c));
        keep[count++].i = from;
    }
    const tl_plan_conf conf = { .batch = BATCH, .constant = true, .keep = keep, .nkeep = count };
    TL_TRY(tl_plan_new(g, a, &conf, &p));
    for (int first = 0; first < n; first += BATCH) {
        int now = n - first < BATCH ? n - first : BATCH;
        TL_TRY(run_batch(&q, p, first, now));
        for (int j = 0; j < count; j++)
            add_squares(tl_plan_value(p, keep[j]), now, sum[keep[j].i], squares[keep[j].i]);
    }
    for (int i = 0; i < g->n; i++) {
        int from = g->node[i].nx ? g->node[i].x[0] : i;
        if (!reads_channels(g, i) || !score[from]) continue;
        double m = (double)n * g->node[from].s.h * g->node[from].s.w;
        for (int k = 0; k < g->node[from].s.c; k++) {
            double mean = sum[from][k] / m, var = fmax(squares[from][k] / m - mean * mean, 0);
            double before = (double)score[from][k];
            score[from][k] = (float)sqrt(before * before + var * weight_squares(&g->node[i], k));
        }
    }
    *out = (const float *const *)score;
    return TL_OK;
}
