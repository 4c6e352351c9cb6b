/* layers.c - a network, layer by layer: kernels, memory, time. SPDX-License-Identifier: MIT */
#include "layers.h"
#include "text.h"
#include <stdio.h>
#include <string.h>

typedef struct { double forward, backward, macs; size_t bytes; } row;

static tl_status run(tl_plan *p)
{
    TL_TRY(tl_plan_forward(p));
    return p->conf.train ? tl_plan_backward(p) : TL_OK;
}

/* What computes it. A batch norm says what its neighbors do for it: sums, reading through it, undoing. */
static const char *kernel_of(const tl_node *d, const tl_io *io, char text[32])
{
    const tl_link *l = io->link;
    if (!io->kernel.name) return "";
    snprintf(text, 32, "%s", !strcmp(io->kernel.name, d->op->name) && d->op->macs ? "oneDNN" : io->kernel.name);
    if (l) snprintf(text, 32, "%s%s%s%s", d->op->name, l->summed ? ", summed" : "", l->through ? ", read" : "", l->undone ? ", undone" : "");
    return text;
}

/* Bytes of the node's own value; 0: it lies in its input's. */
static size_t own_bytes(const tl_io *io)
{
    for (int k = 0; k < io->nx; k++)
        if (io->x[k].p == io->y.p) return 0;
    return io->kernel.name ? tl_count(io->y.s) * tl_dtype_size(io->y.t) : 0;
}

static row row_of(const tl_plan *p, int i, int runs)
{
    const tl_node *d = &p->g->node[i];
    const tl_io *io = tl_plan_io(p, i);
    row r = { .forward = 1e3 * p->seconds[i] / runs, .backward = 1e3 * p->seconds[p->g->n + i] / runs, .bytes = own_bytes(io) };
    tl_shape y = p->io[i].y.s;
    y.n = p->conf.batch;
    if (d->op->macs && d->nx) r.macs = d->op->macs(d->attr, io->x[0].s, y) * (1 + io->want_dw + io->want_dx[0]);
    return r;
}

static void put_row(tl_text *t, const tl_plan *p, int i, row r, double whole)
{
    const tl_node *d = &p->g->node[i];
    char kernel[32], size[32];
    const double ms = r.forward + r.backward;
    snprintf(size, sizeof size, "%dx%dx%d", d->s.c, d->s.h, d->s.w);
    tl_textf(t, "%-26s %-26s %-13s %9.1f %8.2f %8.2f %8.2f", d->name, kernel_of(d, tl_plan_io(p, i), kernel), size, r.macs / 1e6,
             (double)r.bytes / 1e6, r.forward, r.backward);
    if (r.macs > 0 && ms > 0) tl_textf(t, " %8.0f", 2e-6 * r.macs / ms);
    else
        tl_textf(t, " %8s", "");
    tl_textf(t, " %5.1f%%\n", 100 * ms / whole);
}

tl_status tl_layers_measure(tl_arena *a, tl_plan *p, int runs, tl_layers_sum *sum, const char **text)
{
    tl_text t = tl_text_new(a);
    double whole = 0;
    *sum = (tl_layers_sum){ 0 };
    TL_TRY(run(p));
    TL_TRY(tl_plan_profile(p));
    for (int k = 0; k < runs; k++) TL_TRY(run(p));
    for (int i = 0; i < 2 * p->g->n; i++) whole += 1e3 * p->seconds[i] / runs;
    tl_textf(&t, "%-26s %-26s %-13s %9s %8s %8s %8s %8s %6s\n", "layer", "computed by", "output", "MMACs", "MB", "ms", "ms back",
             "GFLOP/s", "share");
    for (int i = 0; i < p->g->n; i++) {
        row r = row_of(p, i, runs);
        sum->macs += r.macs;
        if (r.forward + r.backward > 0) put_row(&t, p, i, r, whole);
    }
    sum->ms = whole;
    tl_textf(&t, "\nbatch of %d: %.1f ms, %.1f pictures/s, %.1f GMACs, %.0f GFLOP/s; memory: values and gradients of values %.0f MB, "
             "parameters %.0f MB%s", p->conf.batch, whole, 1e3 * p->conf.batch / whole, sum->macs / 1e9, 2e-6 * sum->macs / whole,
             (double)p->bytes / 1e6, (double)tl_graph_params(p->g) * sizeof(float) / 1e6, p->conf.train ? "" : "\n");
    if (p->conf.train) tl_textf(&t, ", their gradients %.0f MB\n", (double)p->ngrads * sizeof(float) / 1e6);
    *text = tl_text_end(&t);
    return *text ? TL_OK : TL_ENOMEM;
}
