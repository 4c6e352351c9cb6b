/* conv2d_widened.c - maps of bf16 through oneDNN's convolutions of f32. SPDX-License-Identifier: MIT
 *
 * For processors that multiply floats faster than bf16 (kernel/kernel.c), where oneDNN's kernels for bf16 are slower than those
 * for f32. Some pictures at a time are widened, computed and rounded, so that memory stays that of bf16. The weights' gradients of
 * such pieces are added in order. */
#include "conv2d.h"

#define MOST_FLOATS ((size_t)8 << 20) /* of x and y that are f32 at a time, if these are more than one picture */

typedef struct {
    tl_dnn_conv *conv[2];   /* of a piece, and of the last one, which may be smaller */
    int    all, piece;      /* pictures */
    size_t x, y;            /* numbers of a picture */
    size_t weights, bias;
    /* Scratch, in this order: x and y of a piece, gradients of a piece, all in f32; then oneDNN's. Offsets in floats. */
    size_t ys, dw, own;
} state;

static bool fits(const tl_io *io)
{
    return io->k->maps == TL_BF16 && io->k->products == TL_F32 && !tl_dnn_has_amx();
}

static size_t rounded_up(size_t floats) { return (floats + 15) & ~(size_t)15; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static state cut(const tl_io *io)
{
    const tl_conv2d *a = io->attr;
    const tl_shape x = io->x[0].s, y = io->y.s;
    state s = { .all = y.n, .x = tl_count(x) / (size_t)x.n, .y = tl_count(y) / (size_t)y.n };
    const int most = (int)(MOST_FLOATS / (s.x + s.y)), pieces = most ? (y.n + most - 1) / most : y.n;
    s.piece = (y.n + pieces - 1) / pieces;
    s.weights = (size_t)a->out * (size_t)(x.c / a->groups) * (size_t)(a->k * a->k);
    s.bias = a->nobias ? 0 : (size_t)a->out;
    s.ys = rounded_up((size_t)s.piece * s.x);
    s.dw = s.ys + rounded_up((size_t)s.piece * s.y);
    s.own = s.dw + (io->want_dw && s.piece < s.all ? rounded_up(s.weights + s.bias) : 0);
    return s;
}

static tl_status setup(tl_io *io)
{
    const tl_conv2d *a = io->attr;
    const tl_conv_geom g = { a->k, a->stride, a->pad, a->extra, a->dilation, a->groups };
    const tl_conv_conf c = { .maps = TL_F32, .bias = !a->nobias, .add = io->add, .slope = io->act.slope, .max = io->act.max,
                             .train = io->train, .no_dx = !io->want_dx[0], .no_dw = !io->want_dw, .keep = io->constant };
    tl_shape x = io->x[0].s, y = io->y.s;
    size_t bytes, last = 0;
    state *s = tl_new(io->arena, state, 1);
    TL_NEW(s);
    *s = cut(io);
    x.n = y.n = s->piece;
    TL_TRY(tl_dnn_conv_new(io->arena, x, y, g, c, &s->conv[0], &bytes));
    x.n = y.n = s->all % s->piece;
    if (x.n) TL_TRY(tl_dnn_conv_new(io->arena, x, y, g, c, &s->conv[1], &last));
    io->scratch_bytes = s->own * sizeof(float) + larger(bytes, last);
    io->state = s;
    return TL_OK;
}

static int pictures(const state *s, int first) { return s->all - first < s->piece ? s->all - first : s->piece; }
static tl_dnn_conv *conv(const state *s, int n) { return s->conv[n < s->piece]; }
/* Picture i of a map, in which each has so many numbers. */
static tl_map *picture(tl_tensor map, int i, size_t each) { return (tl_map *)(void *)((uint16_t *)map.p + (size_t)i * each); }

static tl_status forward(tl_io *io)
{
    const state *s = io->state;
    float *xs = io->scratch, *ys = xs + s->ys;
    for (int i = 0, n; i < s->all; i += n) {
        n = pictures(s, i);
        tl_map *y = picture(io->y, i, s->y);
        io->k->widen(picture(io->x[0], i, s->x), (size_t)n * s->x, xs);
        if (io->add) io->k->widen(y, (size_t)n * s->y, ys);
        TL_TRY(tl_dnn_conv_forward(conv(s, n), xs, io->p[0].w, io->p[1].w, ys, xs + s->own));
        io->k->narrow(ys, (size_t)n * s->y, y);
    }
    return TL_OK;
}

static void add(const float *from, size_t n, float *to)
{
    tl_kernel()->accumulate((const tl_map *)(const void *)from, n, (tl_map *)(void *)to);
}

/* Gradients of the weights from pictures i.., which xs and ys hold. */
static tl_status weights(tl_io *io, int i, const float *xs, const float *ys, float *scratch)
{
    const state *s = io->state;
    float *dw = i ? scratch + s->dw : io->p[0].g, *db = i ? dw + s->weights : io->p[1].g;
    TL_TRY(tl_dnn_conv_backward_weights(conv(s, pictures(s, i)), xs, ys, dw, s->bias ? db : NULL, scratch + s->own));
    if (!i) return TL_OK;
    add(dw, s->weights, io->p[0].g);
    if (s->bias) add(db, s->bias, io->p[1].g);
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    const state *s = io->state;
    float *xs = io->scratch, *ys = xs + s->ys;
    for (int i = 0, n; i < s->all; i += n) {
        n = pictures(s, i);
        io->k->widen(picture(io->dy, i, s->y), (size_t)n * s->y, ys);
        if (io->p[0].g) {
            io->k->widen(picture(io->x[0], i, s->x), (size_t)n * s->x, xs);
            TL_TRY(weights(io, i, xs, ys, xs));
        }
        if (!io->dx[0].p) continue;
        TL_TRY(tl_dnn_conv_backward_data(conv(s, n), ys, io->p[0].w, xs, xs + s->own));
        io->k->narrow(xs, (size_t)n * s->x, picture(io->dx[0], i, s->x));
    }
    return TL_OK;
}

const tl_op_kernel tl_conv2d_widened = { "widened", fits, setup, forward, backward, TL_CAN_BF16 };
