/* dropout - in training, zero a share of the values and scale up the rest; else nothing. SPDX-License-Identifier: MIT
 *
 * Srivastava et al. 2014. With `whole` all values of a picture fall together: stochastic depth (Huang et al. 2016),
 * which skips a residual block for that picture. What falls depends on (seed of the step and node, position) only.
 * ONNX has no attribute for `whole`, and needs none to infer; so that training goes on as it was, the name of the
 * constant holding the rate tells. */
#include "ops.h"
#include "rng.h"
#include <string.h>

#define WHOLE ".picture_ratio"

static const tl_field fields[] = {
    TL_F(tl_dropout, rate, TL_FLOAT, 0.5, 0, 0.99, "share of the values set to zero"),
    TL_F(tl_dropout, whole, TL_BOOL, 0, 0, 1, "set a share of the pictures to zero, each as a whole"),
    TL_F_END,
};

/* Values that fall or stay together. */
static size_t together(const tl_io *io)
{
    return ((const tl_dropout *)io->attr)->whole ? tl_count(io->y.s) / (size_t)io->y.s.n : 1;
}

static tl_status setup(tl_io *io)
{
    io->scratch_bytes = tl_count(io->y.s) / together(io) * sizeof(float);
    return TL_OK;
}

/* y = x * keep for forward, dx = dy * keep for backward, with the same draws. */
static void drop(const tl_io *io, const tl_map *from, tl_map *to)
{
    const tl_dropout *a = io->attr;
    const size_t n = tl_count(io->y.s), each = together(io);
    const float scale = 1.0f / (1.0f - a->rate);
    float *keep = io->scratch;
    tl_rng r = tl_rng_at(io->seed, 0, 0, 0);
    for (size_t i = 0; i < n / each; i++) keep[i] = tl_uniform(&r) < a->rate ? 0 : scale;
    io->k->drop(from, keep, n, each, to);
}

static tl_status forward(tl_io *io) { drop(io, io->x[0].m, io->y.m); return TL_OK; }

static tl_status backward(tl_io *io)
{
    if (io->dx[0].p) drop(io, io->dy.m, io->dx[0].m);
    return TL_OK;
}

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    const tl_dropout *a = attr;
    tl_onnx_names c = *n;
    TL_NEW(c.p[0] = tl_printf(m->arena, "%s%s", n->name, a->whole ? WHOLE : ".ratio"));
    TL_TRY(tl_onnx_add_init(m, c.p[0], TL_ONNX_FLOAT, 0, NULL, &a->rate));
    return tl_onnx_simple("Dropout", &c, m, NULL);
}

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    tl_dropout *a = attr;
    const float *f;
    size_t n = 0;
    (void)p;
    a->rate = tl_onnx_float(v->node, "ratio", 0.5f);
    if (!v->in[1]) return TL_OK;
    TL_TRY(tl_onnx_floats(v->arena, v->in[1], &f, &n));
    if (n == 1) a->rate = f[0];
    size_t at = strlen(v->in[1]->name), end = strlen(WHOLE);
    a->whole = at > end && !strcmp(v->in[1]->name + at - end, WHOLE);
    return TL_OK;
}

const tl_op tl_op_dropout = {
    .name = "dropout", .brief = "random zeros in training", .min_in = 1, .max_in = 1, .field = fields,
    .attr_size = sizeof(tl_dropout), .y_in_x = true, .dx_in_dy = true, .passes_when_inferring = true,
    .shape = tl_shape_same, .setup = setup, .forward = forward, .backward = backward, .amp = TL_AMP_ALL, .flow = tl_flow_same, .int8 = TL_INT8_SAME_SCALE,
    .onnx = { "Dropout" }, .onnx_out = onnx_out, .onnx_in = onnx_in,
};
