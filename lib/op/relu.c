/* relu - y = min(x > 0 ? x : slope * x, max): ReLU, leaky ReLU, ReLU6. SPDX-License-Identifier: MIT */
#include "ops.h"
#include <math.h>

static const tl_field fields[] = {
    TL_F(tl_relu, slope, TL_FLOAT, 0, 0, 1, "slope for negative values"),
    TL_F(tl_relu, max, TL_FLOAT, 0, 0, 1e6, "largest output; 0: no limit"),
    TL_F_END,
};

static tl_act is_act(const void *attr)
{
    const tl_relu *a = attr;
    return (tl_act){ a->slope, a->max > 0 ? a->max : INFINITY };
}

static tl_status forward(tl_io *io)
{
    io->k->act(io->x[0].m, tl_count(io->y.s), is_act(io->attr), io->y.m);
    return TL_OK;
}

static tl_status backward(tl_io *io)
{
    if (io->dx[0].p) io->k->act_grad(io->y.m, io->dy.m, tl_count(io->y.s), is_act(io->attr), io->dx[0].m);
    return TL_OK;
}

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    const tl_relu *a = attr;
    tl_onnx_node *node;
    if (a->max > 0) {
        TL_CHECK(a->slope == 0.0f, TL_EUNSUP, "ONNX has no leaky ReLU with an upper limit");
        static const float zero = 0;
        tl_onnx_names c = *n;
        TL_NEW(c.p[0] = tl_printf(m->arena, "%s.min", n->name));
        TL_NEW(c.p[1] = tl_printf(m->arena, "%s.max", n->name));
        TL_TRY(tl_onnx_add_init(m, c.p[0], TL_ONNX_FLOAT, 0, NULL, &zero));
        TL_TRY(tl_onnx_add_init(m, c.p[1], TL_ONNX_FLOAT, 0, NULL, &a->max));
        return tl_onnx_simple("Clip", &c, m, NULL);
    }
    if (a->slope == 0.0f) return tl_onnx_simple("Relu", n, m, NULL);
    TL_TRY(tl_onnx_simple("LeakyRelu", n, m, &node));
    return tl_onnx_set_float(m, node, "alpha", a->slope);
}

/* Clip's limits are constants since opset 11, attributes before. */
static tl_status limit(const tl_onnx_view *v, int input, const char *name, float *out)
{
    const float *f;
    size_t n = 0;
    *out = tl_onnx_float(v->node, name, *out);
    if (!v->in[input]) return TL_OK;
    TL_TRY(tl_onnx_floats(v->arena, v->in[input], &f, &n));
    if (n == 1) *out = f[0];
    return TL_OK;
}

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    tl_relu *a = attr;
    (void)p;
    if (v->node->op[0] == 'L') a->slope = tl_onnx_float(v->node, "alpha", 0.01f);
    if (v->node->op[0] == 'C') {
        float lo = -INFINITY, hi = INFINITY;
        TL_TRY(limit(v, 1, "min", &lo));
        TL_TRY(limit(v, 2, "max", &hi));
        TL_CHECK(lo == 0.0f && hi > 0, TL_EUNSUP, "Clip is supported from 0 upwards only, not from %g to %g", (double)lo, (double)hi);
        a->max = isinf(hi) ? 0 : hi;
    }
    return TL_OK;
}

const tl_op tl_op_relu = {
    .name = "relu", .brief = "rectifier: leaky when slope > 0, clipped when max > 0", .min_in = 1, .max_in = 1,
    .field = fields, .attr_size = sizeof(tl_relu), .saves = TL_SAVES_Y, .y_in_x = true, .dx_in_dy = true, .is_act = is_act,
    .shape = tl_shape_same, .forward = forward, .backward = backward, .amp = TL_AMP_ALL, .flow = tl_flow_same, .int8 = TL_INT8_SAME_SCALE,
    .onnx = { "Relu", "LeakyRelu", "Clip" }, .onnx_out = onnx_out, .onnx_in = onnx_in,
};
