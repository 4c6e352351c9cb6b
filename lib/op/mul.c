/* mul - the product of two maps, or of a map and a gate: one number per channel. SPDX-License-Identifier: MIT
 *
 *   y[n,c,h,w] = x[n,c,h,w] * s[n,c]
 *   ds[n,c] = sum over h,w of dy * x
 *
 * How a squeeze-and-excite weighs channels (Hu et al. 2017). Either input may be the gate. */
#include "ops.h"

/* The map, when the other input is a gate; both are maps: the first. */
static int map_of(const tl_shape *x) { return x[1].h * x[1].w > x[0].h * x[0].w; }
static bool gated(tl_shape a, tl_shape b) { return a.h * a.w != b.h * b.w; }

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    int map = map_of(x);
    tl_shape s = x[!map];
    (void)attr; (void)nx; (void)p;
    TL_CHECK(tl_same(x[0], x[1]) || (s.h == 1 && s.w == 1 && s.c == x[map].c && s.n == x[map].n), TL_ESHAPE,
             TL_SHAPE_FMT " times " TL_SHAPE_FMT ": want two maps alike, or a map and one number per channel",
             TL_SHAPE(x[0]), TL_SHAPE(x[1]));
    *y = x[map];
    return TL_OK;
}

static tl_status forward(tl_io *io)
{
    const tl_shape xs[2] = { io->x[0].s, io->x[1].s };
    int map = map_of(xs);
    if (gated(xs[0], xs[1])) io->k->gate(io->x[map].m, io->x[!map].f, io->y.s, io->y.m);
    else io->k->mul(io->x[0].m, io->x[1].m, tl_count(io->y.s), io->y.m);
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    const tl_shape xs[2] = { io->x[0].s, io->x[1].s };
    for (int k = 0; k < 2; k++) {
        const tl_tensor other = io->x[!k];
        if (!io->dx[k].p) continue;
        if (!gated(xs[0], xs[1])) io->k->mul(io->dy.m, other.m, tl_count(io->y.s), io->dx[k].m);
        else if (k == map_of(xs)) io->k->gate(io->dy.m, other.f, io->y.s, io->dx[k].m);
        else io->k->gate_grad(other.m, io->dy.m, io->y.s, io->dx[k].f);
    }
    return TL_OK;
}

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    (void)attr;
    return tl_onnx_simple("Mul", n, m, NULL);
}

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    (void)attr; (void)p;
    TL_CHECK(!v->in[0] && !v->in[1], TL_EUNSUP, "only Mul of two computed maps is supported, not by a constant");
    return TL_OK;
}

const tl_op tl_op_mul = {
    .name = "mul", .brief = "product of two maps, or of a map and one number per channel", .min_in = 2, .max_in = 2,
    .attr_size = sizeof(tl_mul), .is_product = true, .saves = TL_SAVES_X,
    .shape = shape, .forward = forward, .backward = backward, .amp = TL_AMP_MAPS, .flow = tl_flow_same,
    .onnx = { "Mul" }, .onnx_out = onnx_out, .onnx_in = onnx_in,
};
