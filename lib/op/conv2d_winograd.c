/* conv2d_winograd.c - 3x3 convolutions with a quarter of the multiplications. SPDX-License-Identifier: MIT
 *
 * For plans that infer and plans that train, whichever gradients they want. With constant weights filters
 * are transformed once and kept; in training for every use, for they have changed. */
#include "conv2d.h"
#include <omp.h>

/* From where on transforms cost less than they save. Times of oneDNN 2.6 over ours, AVX-512, one thread,
 * for forward and both gradients, and for inferring:
 *   16 pictures of 56x56   8 channels: 0.9, 0.9   12: 1.2, 1.0   16: 1.2, 1.2   24: 2.2, 2.1   64: 2.4, 2.6
 *   512 channels           4 tiles: 1.0, 1.6       8: 2.0, 2.7   16: 2.7, 4.3
 *   a stem, 3 to 64 channels: 0.8, 0.7
 * With 4 tiles and two threads, which wait for four times as many weights from memory, inferring is at 1.0. With
 * AVX2 it is much the same. */
enum { LEAST_TILES = 8, LEAST_CHANNELS = 16 };

typedef struct {
    tl_wino c;
    float  *u; /* kept filters, or NULL */
    bool    made;
} state;

static bool fits(const tl_io *io)
{
    const tl_conv2d *a = io->attr;
    const tl_shape x = io->x[0].s, y = io->y.s;
    const size_t tiles = (size_t)y.n * (size_t)((y.h + 3) / 4) * (size_t)((y.w + 3) / 4);
    const bool possible = a->k == 3 && a->stride == 1 && a->dilation == 1 && a->groups == 1 && a->pad <= 2 && !a->extra;
    return possible && !io->exact && tiles >= LEAST_TILES && x.c >= LEAST_CHANNELS && y.c >= LEAST_CHANNELS;
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static tl_status setup(tl_io *io)
{
    const tl_kernels *k = io->k;
    const tl_conv2d *a = io->attr;
    state *s = tl_new(io->arena, state, 1);
    TL_NEW(s);
    s->c = (tl_wino){ .x = io->x[0].s, .y = io->y.s, .pad = a->pad, .threads = omp_get_max_threads() };
    const size_t filters = k->wino_filter_size(s->c.x.c, s->c.y.c) * sizeof(float);
    if (io->constant) TL_NEW(s->u = tl_alloc_raw(io->arena, filters));
    size_t floats = k->wino_scratch(&s->c, false, s->u != NULL);
    if (io->want_dx[0]) floats = larger(floats, k->wino_scratch(&s->c, true, false));
    if (io->want_dw) floats = larger(floats, k->wino_dw_scratch(&s->c));
    io->scratch_bytes = floats * sizeof(float);
    io->state = s;
    return tl_link_sums(io, k->wino_parts(&s->c), 0);
}

static tl_status forward(tl_io *io)
{
    state *s = io->state;
    const tl_wino_end end = { io->p[1].w, io->add, io->act, tl_link_sums_out(io) };
    if (s->u && !s->made) io->k->wino_filter(io->p[0].w, s->c.x.c, s->c.y.c, s->u);
    s->made = true;
    io->k->wino(&s->c, io->x[0].m, io->p[0].w, s->u, &end, io->y.m, io->scratch);
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    const tl_wino *c = &((state *)io->state)->c;
    if (io->p[0].g) io->k->wino_dw(c, io->x[0].m, io->dy.m, io->p[0].g, io->p[1].g, io->scratch);
    if (io->dx[0].p) io->k->wino_dx(c, io->dy.m, io->p[0].w, io->dx[0].m, io->scratch);
    return TL_OK;
}

const tl_op_kernel tl_conv2d_winograd = { "winograd", fits, setup, forward, backward, TL_CAN_SUM | TL_CAN_BF16 };
