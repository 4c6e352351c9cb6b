/* absorb.c - let a network take pictures prepared in another way than its weights were made for. SPDX-License-Identifier: MIT
 *
 * Pictures are prepared by a factor and a summand for each channel. What one way gives is a linear function of what another gives,
 * which can be moved into the first convolution: w (a u + b) = (w a) u + w b, the latter a bias. Only at the border, where zeros
 * stand for what is outside, do the two ways differ. */
#include "net.h"
#include <string.h>

/* y = a u + b, for channel c of y, which is u's channel `from`. */
typedef struct { float a, b; int from; } linear;

static linear between(const tl_norm *now, const tl_norm *want, int channels, int c)
{
    int from = 0;
    while (from + 1 < channels && want->order[from] != now->order[c]) from++;
    return (linear){ now->rstd[c] / want->rstd[from], (want->mean[from] - now->mean[c]) * now->rstd[c], from };
}

/* The batch norm that alone reads node i, or NULL. */
static tl_node *norm_after(tl_graph *g, int i)
{
    tl_node *found = NULL;
    int readers = 0;
    for (int j = 0; j < g->n; j++)
        for (int k = 0; k < g->node[j].nx; k++)
            if (g->node[j].x[k] == i) readers++, found = &g->node[j];
    return readers == 1 && found->op == &tl_op_bn ? found : NULL;
}

/* Every reader of the picture must be a convolution with a place for a bias. */
static bool possible(const tl_model *m)
{
    for (int i = 0; i < m->g->n; i++) {
        const tl_node *d = &m->g->node[i];
        for (int k = 0; k < d->nx; k++)
            if (d->x[k] == m->image.i && (d->op != &tl_op_conv2d || ((const tl_conv2d *)d->attr)->groups != 1 || !(d->p[1].w || norm_after(m->g, i)))) return false;
    }
    return true;
}

static tl_status change(tl_model *m, int i, const tl_norm *want)
{
    tl_node *d = &m->g->node[i], *bn = norm_after(m->g, i);
    const int out = d->p[0].dims.d[0], in = d->p[0].dims.d[1], window = d->p[0].dims.d[2] * d->p[0].dims.d[3];
    float *w = d->p[0].w, *old = tl_new(m->arena, float, in * window);
    TL_NEW(old);
    for (int o = 0; o < out; o++, w += in * window) {
        double bias = 0;
        memcpy(old, w, sizeof *old * (size_t)(in * window));
        for (int c = 0; c < in; c++) {
            const linear l = between(&m->norm, want, in, c);
            for (int k = 0; k < window; k++) {
                w[l.from * window + k] = old[c * window + k] * l.a;
                bias += (double)(old[c * window + k] * l.b);
            }
        }
        if (d->p[1].w) d->p[1].w[o] += (float)bias;
        else bn->p[2].w[o] -= (float)bias; /* its mean */
    }
    return TL_OK;
}

tl_status tl_model_absorb_norm(tl_model *m, const tl_norm *want, bool *done)
{
    *done = possible(m);
    for (int i = 0; *done && i < m->g->n; i++)
        if (m->g->node[i].nx && m->g->node[i].x[0] == m->image.i) TL_TRY(change(m, i, want));
    if (*done) m->norm = *want;
    return TL_OK;
}
