/* conv2d - square-kernel 2-D convolution, optionally grouped or depthwise. SPDX-License-Identifier: MIT
 *
 *   y[n,o,i,j] = b[o] + sum over (c,u,v) of w[o,c,u,v] * x[n, c, i*stride + u*dilation - pad, ...]
 *
 * `pad` zeros lie before each row and column, pad + extra after it: extra = 1 with pad = 0 is how TensorFlow pads
 * a 3x3 window of stride 2 on even sizes.
 *
 * Here: what a convolution is, and how oneDNN computes any of them. Kernels of our own are a file each, conv2d_*.c, in
 * the order of conv2d.h. */
#include "conv2d.h"

static const tl_field fields[] = {
    TL_F(tl_conv2d, out, TL_INT, 0, 1, 1 << 20, "output channels"),
    TL_F(tl_conv2d, k, TL_INT, 3, 1, 63, "kernel size"),
    TL_F(tl_conv2d, stride, TL_INT, 1, 1, 63, "step between windows"),
    TL_F(tl_conv2d, pad, TL_INT, 0, 0, 63, "zeros added at each border"),
    TL_F(tl_conv2d, extra, TL_INT, 0, 0, 63, "further zeros at the right and bottom borders"),
    TL_F(tl_conv2d, dilation, TL_INT, 1, 1, 63, "step inside a window"),
    TL_F(tl_conv2d, groups, TL_INT, 1, 1, 1 << 20, "independent channel groups"),
    TL_F(tl_conv2d, nobias, TL_BOOL, 0, 0, 1, "leave the bias out (a batch norm follows)"),
    TL_F_END,
};

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    const tl_conv2d *a = attr;
    int span = (a->k - 1) * a->dilation + 1, pads = 2 * a->pad + a->extra;
    (void)nx;
    TL_CHECK(x->c % a->groups == 0 && a->out % a->groups == 0, TL_ESHAPE,
             "%d groups do not divide %d input and %d output channels", a->groups, x->c, a->out);
    TL_CHECK(x->h + pads >= span && x->w + pads >= span, TL_ESHAPE,
             "a %d-pixel window does not fit a %dx%d map", span, x->h, x->w);
    *y = (tl_shape){ x->n, a->out, (x->h + pads - span) / a->stride + 1, (x->w + pads - span) / a->stride + 1 };
    p[0] = (tl_dims){ { a->out, x->c / a->groups, a->k, a->k } };
    p[1] = (tl_dims){ { a->nobias ? 0 : a->out, 1, 1, 1 } };
    return TL_OK;
}

/* ---- Any convolution: oneDNN ---- */

static tl_status setup(tl_io *io)
{
    const tl_conv2d *a = io->attr;
    tl_conv_geom g = { a->k, a->stride, a->pad, a->extra, a->dilation, a->groups };
    tl_conv_conf c = { .maps = io->y.t, .bias = !a->nobias, .add = io->add, .slope = io->act.slope, .max = io->act.max,
                       .train = io->train, .no_dx = !io->want_dx[0], .no_dw = !io->want_dw, .keep = io->constant };
    tl_dnn_conv *conv;
    TL_TRY(tl_dnn_conv_new(io->arena, io->x[0].s, io->y.s, g, c, &conv, &io->scratch_bytes));
    io->state = conv;
    return TL_OK;
}

static tl_status forward(tl_io *io)
{
    return tl_dnn_conv_forward(io->state, io->x[0].p, io->p[0].w, io->p[1].w, io->y.p, io->scratch);
}

static tl_status backward(tl_io *io)
{
    if (io->p[0].g)
        TL_TRY(tl_dnn_conv_backward_weights(io->state, io->x[0].p, io->dy.p, io->p[0].g, io->p[1].g, io->scratch));
    if (io->dx[0].p) TL_TRY(tl_dnn_conv_backward_data(io->state, io->dy.p, io->p[0].w, io->dx[0].p, io->scratch));
    return TL_OK;
}

#define ROW(name) &tl_conv2d_##name,
static const tl_op_kernel *const kernels[] = { TL_CONV2D_KERNELS(ROW) NULL };

/* ---- The rest ---- */

static double macs(const void *attr, tl_shape x, tl_shape y)
{
    const tl_conv2d *a = attr;
    return (double)tl_count(y) * (double)(x.c / a->groups) * a->k * a->k;
}

/* A depthwise convolution only passes its channels on. */
static tl_flow flow(const void *attr, const tl_shape *x)
{
    const tl_conv2d *a = attr;
    if (a->groups == 1) return TL_FLOW_NEW;
    return a->groups == x->c && a->out == x->c ? TL_FLOW_SAME : TL_FLOW_FIXED;
}

static void resize(void *attr, int out)
{
    tl_conv2d *a = attr;
    if (a->groups > 1 && a->groups == a->out) a->groups = out;
    a->out = out;
}

static const char *keras(const void *attr)
{
    return ((const tl_conv2d *)attr)->groups > 1 ? "DepthwiseConv2D" : "Conv2D";
}

static void take_scale(void *attr) { ((tl_conv2d *)attr)->nobias = false; }

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    const tl_conv2d *a = attr;
    tl_onnx_node *node;
    int64_t k = a->k, s = a->stride, d = a->dilation, p = a->pad, e = a->pad + a->extra;
    TL_TRY(tl_onnx_simple("Conv", n, m, &node));
    TL_TRY(tl_onnx_set_ints(m, node, "kernel_shape", 2, (int64_t[]){ k, k }));
    TL_TRY(tl_onnx_set_ints(m, node, "strides", 2, (int64_t[]){ s, s }));
    TL_TRY(tl_onnx_set_ints(m, node, "dilations", 2, (int64_t[]){ d, d }));
    TL_TRY(tl_onnx_set_ints(m, node, "pads", 4, (int64_t[]){ p, p, e, e }));
    return tl_onnx_set_int(m, node, "group", a->groups);
}

/* The two equal values of a 2-D attribute; -1 when they differ or are out of reach. */
static int both(const tl_onnx_node *n, const char *name, int otherwise)
{
    const tl_onnx_attr *a = tl_onnx_attr_find(n, name);
    if (!a) return otherwise;
    return a->kind == TL_ONNX_AINTS && a->n == 2 && a->ints[0] == a->ints[1] && a->ints[0] > 0 && a->ints[0] < 64
               ? (int)a->ints[0] : -1;
}

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    tl_conv2d *a = attr;
    const tl_onnx_tensor *w = v->in[1];
    TL_CHECK(w && w->rank == 4 && w->dim[2] == w->dim[3] && w->dim[2] > 0 && w->dim[2] < 64, TL_EUNSUP,
             "only convolutions with constant, square, 2-D kernels are supported");
    a->out = (int)w->dim[0];
    a->k = (int)w->dim[2];
    a->stride = both(v->node, "strides", 1);
    a->dilation = both(v->node, "dilations", 1);
    a->groups = (int)tl_onnx_int(v->node, "group", 1);
    TL_CHECK(a->stride > 0 && a->dilation > 0, TL_EUNSUP, "strides and dilations must be the same in both directions");
    TL_TRY(tl_onnx_pads(v, (a->k - 1) * a->dilation + 1, a->stride, &a->pad, &a->extra));
    a->nobias = !v->in[2];
    p[0] = w;
    p[1] = v->in[2];
    return TL_OK;
}

const tl_op tl_op_conv2d = {
    .name = "conv2d", .brief = "2-D convolution", .min_in = 1, .max_in = 1,
    .param = { { .name = "weight", .axes = "OIhw" }, { .name = "bias", .axes = "O" } },
    .field = fields, .attr_size = sizeof(tl_conv2d), .saves = TL_SAVES_X, .takes_act = TL_ACT_INFER, .takes_sum = true,
    .shape = shape, .setup = setup, .forward = forward, .backward = backward, .kernels = kernels, .macs = macs,
    .amp = TL_AMP_ALL, .flow = flow, .resize = resize, .take_scale = take_scale, .keras = keras, .int8 = TL_INT8_COMPUTES,
    .onnx = { "Conv" }, .onnx_out = onnx_out, .onnx_in = onnx_in,
};
