/* dense - fully connected layer on vectors (1x1 maps). SPDX-License-Identifier: MIT
 *
 *   y[n,o] = b[o] + sum over i of w[o,i] * x[n,i]: a convolution with a 1x1 kernel on a 1x1 map, but for the
 * weights' gradient, where there is no map to sum over. */
#include "ops.h"

static const tl_field fields[] = { TL_F(tl_dense, out, TL_INT, 0, 1, 1 << 20, "output channels"), TL_F_END };

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    const tl_dense *a = attr;
    (void)nx;
    TL_CHECK(x->h == 1 && x->w == 1, TL_ESHAPE, "dense wants vectors, not %dx%d maps: pool or flatten first", x->h,
             x->w);
    *y = (tl_shape){ x->n, a->out, 1, 1 };
    p[0] = (tl_dims){ { a->out, x->c, 1, 1 } };
    p[1] = (tl_dims){ { a->out, 1, 1, 1 } };
    return TL_OK;
}

static tl_status setup(tl_io *io)
{
    tl_conv_geom g = { .k = 1, .stride = 1, .dilation = 1, .groups = 1 };
    tl_conv_conf c = { .bias = true, .slope = io->act.slope, .max = io->act.max, .train = io->train,
                       .no_dx = !io->want_dx[0], .no_dw = true, .keep = io->constant };
    tl_dnn_conv *conv;
    TL_TRY(tl_dnn_conv_new(io->arena, io->x[0].s, io->y.s, g, c, &conv, &io->scratch_bytes));
    io->state = conv;
    return TL_OK;
}

static tl_status forward(tl_io *io)
{
    return tl_dnn_conv_forward(io->state, io->x[0].f, io->p[0].w, io->p[1].w, io->y.f, io->scratch);
}

static tl_status backward(tl_io *io)
{
    const tl_shape x = io->x[0].s;
    if (io->p[0].g) io->k->dense_grad(io->x[0].f, io->dy.f, (size_t)x.n, x.c, io->y.s.c, io->p[0].g, io->p[1].g);
    if (io->dx[0].p) TL_TRY(tl_dnn_conv_backward_data(io->state, io->dy.f, io->p[0].w, io->dx[0].f, io->scratch));
    return TL_OK;
}

static double macs(const void *attr, tl_shape x, tl_shape y) { (void)attr; return (double)y.n * y.c * x.c; }
static void   resize(void *attr, int out) { ((tl_dense *)attr)->out = out; }

static const char *keras(const void *attr) { (void)attr; return "Dense"; }

static void take_scale(void *attr) { (void)attr; } /* it always has a bias */

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    tl_onnx_node *node;
    (void)attr;
    TL_TRY(tl_onnx_simple("Gemm", n, m, &node));
    return tl_onnx_set_int(m, node, "transB", 1);
}

/* The weights in the order out x in, whichever the file has, and zeros where it has no bias. */
static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    const tl_onnx_tensor *w = v->in[1], *b = v->in[2];
    bool gemm = v->node->op[0] == 'G', swapped = !gemm || !tl_onnx_int(v->node, "transB", 0);
    const float *from;
    size_t n;
    TL_CHECK(w && w->rank == 2 && (!b || b->rank == 1) && !tl_onnx_int(v->node, "transA", 0) &&
                 tl_onnx_float(v->node, "alpha", 1) == 1.0f && tl_onnx_float(v->node, "beta", 1) == 1.0f,
             TL_EUNSUP, "only %s with constant weights and bias, without transA, alpha and beta is supported",
             v->node->op);
    TL_TRY(tl_onnx_floats(v->arena, w, &from, &n));
    size_t out = (size_t)w->dim[swapped], in = (size_t)w->dim[!swapped];
    TL_CHECK(n && out <= 1 << 20, TL_EUNSUP, "weights of %zu x %zu are not supported", out, in);
    ((tl_dense *)attr)->out = (int)out;
    p[0] = w;
    p[1] = b;
    float *zeros = tl_new(v->arena, float, out), *to = swapped ? tl_new(v->arena, float, n) : NULL;
    TL_NEW(zeros);
    if (!b) TL_TRY(tl_onnx_constant(v->arena, zeros, out, &p[1]));
    if (!swapped) return TL_OK;
    TL_NEW(to);
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++) to[o * in + i] = from[i * out + o];
    return tl_onnx_constant(v->arena, to, n, &p[0]);
}

const tl_op tl_op_dense = {
    .name = "dense", .brief = "fully connected layer", .min_in = 1, .max_in = 1,
    .param = { { .name = "weight", .axes = "OI" }, { .name = "bias", .axes = "O" } },
    .field = fields, .attr_size = sizeof(tl_dense), .saves = TL_SAVES_X, .takes_act = TL_ACT_INFER,
    .shape = shape, .setup = setup, .forward = forward, .backward = backward, .macs = macs,
    .flow = tl_flow_new, .resize = resize, .take_scale = take_scale, .keras = keras, .int8 = TL_INT8_COMPUTES,
    .onnx = { "Gemm", "MatMul" }, .onnx_out = onnx_out, .onnx_in = onnx_in,
};
