/* conv2d_pointwise.c - a 1x1 convolution in training, which does the work of batch norms beside it.
 * SPDX-License-Identifier: MIT */
#include "conv2d.h"
#include <string.h>

/* Where windows do not touch every pixel, it is one on those that they touch: these are copied together, and their gradient is spread
 * again, with zeros between. */
typedef struct {
    tl_shape all, touched;
    size_t pixel;       /* bytes */
    size_t x, dx;       /* where in scratch they lie */
} step;

static bool fits(const tl_io *io)
{
    const tl_conv2d *a = io->attr;
    return io->train && a->k == 1 && a->pad == 0 && a->extra == 0 && a->groups == 1 && a->nobias && !tl_act_on(io->act) &&
           io->want_dw && io->want_dx[0];
}

static size_t pixels(const tl_io *io) { return tl_count(io->y.s) / (size_t)io->y.s.c; }

static size_t aligned(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static tl_status setup(tl_io *io)
{
    const tl_conv2d *a = io->attr;
    const size_t m = pixels(io);
    const int in = io->x[0].s.c, out = io->y.s.c;
    const size_t forward = io->k->pw_scratch(m, in, out, false), backward = io->k->pw_scratch(m, in, out, true);
    io->scratch_bytes = (forward > backward ? forward : backward) * sizeof(float);
    if (a->stride > 1) {
        step *s = tl_new(io->arena, step, 1);
        TL_NEW(s);
        *s = (step){ .all = io->x[0].s, .touched = { io->y.s.n, in, io->y.s.h, io->y.s.w }, .pixel = (size_t)in * tl_dtype_size(io->x[0].t) };
        s->x = aligned(io->scratch_bytes);
        s->dx = s->x + aligned(m * s->pixel);
        io->scratch_bytes = s->dx + m * s->pixel;
        io->state = s;
    }
    return tl_link_sums(io, (int)io->k->pw_parts(m, in, out, false), (int)io->k->pw_parts(m, in, out, true));
}

/* The pixels of x that are touched. */
static const tl_map *gather(const tl_io *io)
{
    const step *s = io->state;
    const int stride = ((const tl_conv2d *)io->attr)->stride;
    if (!s) return io->x[0].m;
    char *to = (char *)io->scratch + s->x;
#pragma omp parallel for collapse(2)
    for (int n = 0; n < s->touched.n; n++)
        for (int y = 0; y < s->touched.h; y++) {
            const char *from = (const char *)io->x[0].p + ((size_t)n * (size_t)s->all.h + (size_t)(y * stride)) * (size_t)s->all.w * s->pixel;
            char *row = to + ((size_t)n * (size_t)s->touched.h + (size_t)y) * (size_t)s->touched.w * s->pixel;
            for (size_t x = 0; x < (size_t)s->touched.w; x++) memcpy(row + x * s->pixel, from + x * (size_t)stride * s->pixel, s->pixel);
        }
    return (const tl_map *)(const void *)to;
}

/* Their gradient, to where it belongs. */
static void scatter(const tl_io *io, const char *from)
{
    const step *s = io->state;
    const int stride = ((const tl_conv2d *)io->attr)->stride;
    const size_t line = (size_t)s->all.w * s->pixel;
#pragma omp parallel for collapse(2)
    for (int n = 0; n < s->all.n; n++)
        for (int y = 0; y < s->all.h; y++) {
            char *to = (char *)io->dx[0].p + ((size_t)n * (size_t)s->all.h + (size_t)y) * line;
            const char *row = from + ((size_t)n * (size_t)s->touched.h + (size_t)(y / stride)) * (size_t)s->touched.w * s->pixel;
            memset(to, 0, line);
            if (y % stride || y / stride >= s->touched.h) continue;
            for (size_t x = 0; x < (size_t)s->touched.w; x++) memcpy(to + x * (size_t)stride * s->pixel, row + x * s->pixel, s->pixel);
        }
}

static tl_status forward(tl_io *io)
{
    io->k->pw(gather(io), pixels(io), io->x[0].s.c, io->y.s.c, io->p[0].w, tl_link_read(io), tl_link_sums_out(io), io->y.m, io->scratch);
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    const step *s = io->state;
    char *dx = s ? (char *)io->scratch + s->dx : io->dx[0].p;
    io->k->pw_grad(gather(io), io->dy.m, pixels(io), io->x[0].s.c, io->y.s.c, io->p[0].w, tl_link_read(io), tl_link_sums_in(io),
                   tl_link_undo(io), (tl_map *)(void *)dx, io->p[0].g, io->scratch);
    if (s) scatter(io, dx);
    return TL_OK;
}

const tl_op_kernel tl_conv2d_pointwise = {
    "pointwise", fits, setup, forward, backward, TL_CAN_SUM | TL_CAN_READ_THROUGH | TL_CAN_UNDO | TL_CAN_BF16,
};
