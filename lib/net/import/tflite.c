/* tflite.c - TensorFlow Lite networks, float and quantized, as float ones.
 * SPDX-License-Identifier: MIT
 *
 * Weights of 8 or 16 bits become what they stand for, so what is computed is the network that was quantized, not
 * its rounding. Maps lie as N,H,W,C in both, weights do not. A value has the name of the file's tensor; what comes
 * before the activation that an operation brings along is NAME/linear.
 *
 * Three things have no operation of ours and travel with the value instead: a copy of a constant in another type,
 * the zeros of PAD, which the next convolution or pooling adds, and the order of a map that was made a vector pixel
 * by pixel, which the dense layer's weights are changed for. */
#include "network.h"
#include "text.h"
#include "tflite_model.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    bool made;
    tl_val at;
    int constant;   /* the tensor whose numbers it has; -1: it is computed */
    int pad, extra; /* zeros to come: before, and further ones after */
    tl_shape map;   /* what was flattened; c 0: nothing was */
} value;

typedef struct {
    tl_arena *a;
    tl_tflite *m;
    tl_graph *g;
    value *value; /* one a tensor */
    size_t left;  /* numbers that constants may still fill: operations can share one */
    tl_text missing;
    int nmissing;
} reader;

/* Fields of the schema's options. */
enum { CONV_PADDING, CONV_STRIDE_W, CONV_STRIDE_H, CONV_ACT, CONV_DILATION_W, CONV_DILATION_H };
enum { DEPTHWISE_MULTIPLIER = 3, DEPTHWISE_ACT, DEPTHWISE_DILATION_W, DEPTHWISE_DILATION_H };
enum { POOL_PADDING, POOL_STRIDE_W, POOL_STRIDE_H, POOL_W, POOL_H, POOL_ACT };
enum { ONLY_ACT = 0, CONCAT_AXIS = 0, CONCAT_ACT = 1, SOFTMAX_BETA = 0, LEAKY_ALPHA = 0 };
enum { SAME, VALID };
enum { ACT_NONE, ACT_RELU, ACT_RELU6 = 3 };

static const tl_tflite_tensor *tensor(const reader *r, int i)
{
    return (const tl_tflite_tensor *)r->m->tensor.at + i;
}
static int option(const tl_tflite_op *op, int field, size_t bytes, int otherwise)
{
    return (int)tl_fb_int(op->options, field, bytes, otherwise);
}
static tl_shape shape_of(const reader *r, tl_val x) { return r->g->node[x.i].s; }

/* ---- Values ---- */

/* Input k, computed before; NULL, message written: it is not. */
static const value *computed(const reader *r, const tl_tflite_op *op, int k)
{
    const value *v = k < op->nin && op->in[k] >= 0 ? &r->value[op->in[k]] : NULL;
    if (v && v->made) return v;
    tl_fail(TL_EUNSUP, v && v->constant >= 0 ? "input %d is a constant" : "input %d is computed nowhere", k);
    return NULL;
}

/* The same, for operations that do not know of padding and orders that travel along. */
static tl_status plain(const reader *r, const tl_tflite_op *op, int k, tl_val *x)
{
    const value *v = computed(r, op, k);
    if (!v) return TL_EUNSUP;
    TL_CHECK(!v->pad && !v->extra, TL_EUNSUP, "only a convolution or pooling may follow PAD");
    TL_CHECK(!v->map.c, TL_EUNSUP, "only FULLY_CONNECTED may follow the flattening of a map");
    *x = v->at;
    return TL_OK;
}

/* The tensor that has the numbers of input k; -1: it is not constant. */
static int constant_of(const reader *r, const tl_tflite_op *op, int k)
{
    return k < op->nin && op->in[k] >= 0 ? r->value[op->in[k]].constant : -1;
}

/* The numbers of constant input k, n of them. */
static tl_status constant(reader *r, const tl_tflite_op *op, int k, size_t n, float **out)
{
    int i = constant_of(r, op, k);
    TL_CHECK(i >= 0, TL_EUNSUP, "input %d is not a constant", k);
    TL_CHECK(tl_tflite_count(tensor(r, i)) == n, TL_EFORMAT, "input %d has %zu values, %zu are needed", k,
             tl_tflite_count(tensor(r, i)), n);
    TL_CHECK(n <= r->left, TL_EFORMAT, "the operations use more weights than the file can hold; it is damaged");
    r->left -= n;
    TL_NEW(*out = tl_new(r->a, float, n));
    return tl_tflite_floats(tensor(r, i), *out);
}

/* Constant input k as n integers. */
static tl_status integers(const reader *r, const tl_tflite_op *op, int k, size_t n, int32_t *out)
{
    int i = constant_of(r, op, k);
    bool fits = i >= 0 && tensor(r, i)->type == TL_EL_I32 && tensor(r, i)->data.n == n * sizeof *out;
    TL_CHECK(fits, TL_EUNSUP, "input %d is not a constant of %zu integers", k, n);
    memcpy(out, tl_fb_bytes(tensor(r, i)->data), n * sizeof *out);
    return TL_OK;
}

static bool is(int dim, int ours) { return dim < 0 || dim == ours; }

/* The dimensions the file gives to what we computed must be ours. */
static tl_status give(reader *r, const tl_tflite_op *op, value v)
{
    const tl_tflite_tensor *t = tensor(r, op->out);
    tl_shape s = shape_of(r, v.at);
    bool map = t->rank == 4 && !v.pad && !v.extra, vector = t->rank == 2, same = true;
    if (map) same = is(t->dim[1], s.h) && is(t->dim[2], s.w) && is(t->dim[3], s.c);
    if (vector) same = s.h == 1 && s.w == 1 && is(t->dim[1], s.c);
    TL_CHECK(same, TL_EFORMAT, "the file gives its output other dimensions than %d x %d x %d", s.h, s.w, s.c);
    v.made = true;
    v.constant = -1;
    r->value[op->out] = v;
    return TL_OK;
}

/* The name for an operation's own node, when an activation may follow. */
static const char *name_of(const reader *r, const tl_tflite_op *op, int act)
{
    const char *name = tensor(r, op->out)->name;
    return act == ACT_NONE ? name : tl_printf(r->a, "%s/linear", name);
}

static tl_status finish(reader *r, const tl_tflite_op *op, tl_val y, int act)
{
    TL_CHECK(act == ACT_NONE || act == ACT_RELU || act == ACT_RELU6, TL_EUNSUP,
             "its activation (number %d) is not supported", act);
    if (act != ACT_NONE)
        TL_TRY(PUT(r->g, &y, name_of(r, op, ACT_NONE), relu, IN(y), .max = act == ACT_RELU6 ? 6 : 0));
    return give(r, op, (value){ .at = y });
}

/* ---- Padding ---- */

/* How many zeros SAME adds in one direction, or stay to come from PAD. */
static int same_total(int n, int span, int stride)
{
    int total = ((n + stride - 1) / stride - 1) * stride + span - n;
    return total > 0 ? total : 0;
}

/* SAME puts the odd zero after, as conv2d's extra. */
static tl_status pads(const value *v, tl_shape s, int how, int span, int stride, int *pad, int *extra)
{
    *pad = v->pad;
    *extra = v->extra;
    if (how == VALID) return TL_OK;
    int h = same_total(s.h, span, stride), w = same_total(s.w, span, stride);
    TL_CHECK(!v->pad && !v->extra, TL_EUNSUP, "padding after PAD is not supported");
    TL_CHECK(h == w, TL_EUNSUP, "padding height and width of %dx%d differently is not supported", s.h, s.w);
    *pad = h / 2;
    *extra = h % 2;
    return TL_OK;
}

static tl_status window(const tl_tflite_op *op, int field, int h, int w, int *stride)
{
    int sh = option(op, field + 1, 4, 1), sw = option(op, field, 4, 1); /* width comes first in the schema */
    TL_CHECK(h == w && sh == sw && h > 0 && h < 64 && sh > 0 && sh < 64, TL_EUNSUP,
             "a window of %dx%d with steps of %d,%d: only square ones below 64 are supported", h, w, sh, sw);
    *stride = sh;
    return TL_OK;
}

/* ---- Operations ---- */

/* O x I x pixels from a constant where they lie so far apart. */
static void reorder(const float *from, size_t o_step, size_t i_step, size_t pixel_step, tl_dims d, float *to)
{
    size_t out = (size_t)d.d[0], in = (size_t)d.d[1], pixels = (size_t)d.d[2] * (size_t)d.d[3];
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t p = 0; p < pixels; p++)
                to[(o * in + i) * pixels + p] = from[o * o_step + i * i_step + p * pixel_step];
}

static tl_status conv_weights(reader *r, const tl_tflite_op *op, tl_val y, bool depthwise)
{
    tl_param *p = r->g->node[y.i].p;
    size_t n = tl_dims_count(p[0].dims), out = (size_t)p[0].dims.d[0], in = (size_t)p[0].dims.d[1];
    float *w;
    TL_TRY(constant(r, op, 1, n, &w));
    TL_NEW(p[0].w = tl_new(r->a, float, n));
    /* They lie as O,h,w,I; depthwise as 1,h,w,O. */
    reorder(w, depthwise ? 1 : n / out, 1, depthwise ? out : in, p[0].dims, p[0].w);
    return p[1].dims.d[0] ? constant(r, op, 2, out, &p[1].w) : TL_OK;
}

static tl_status convolution(reader *r, const tl_tflite_op *op, bool depthwise)
{
    const value *v = computed(r, op, 0);
    int k = constant_of(r, op, 1);
    if (!v) return TL_EUNSUP;
    TL_CHECK(k >= 0 && tensor(r, k)->rank == 4 && !v->map.c, TL_EUNSUP,
             "only convolutions of maps with constant weights are supported");
    const int *d = tensor(r, k)->dim;
    int act = option(op, depthwise ? DEPTHWISE_ACT : CONV_ACT, 1, ACT_NONE),
        first = depthwise ? DEPTHWISE_DILATION_W : CONV_DILATION_W;
    tl_shape s = shape_of(r, v->at);
    tl_conv2d c = { .k = d[1], .out = depthwise ? d[3] : d[0], .dilation = option(op, first, 4, 1) };
    c.nobias = op->nin < 3 || op->in[2] < 0;
    TL_TRY(window(op, CONV_STRIDE_W, d[1], d[2], &c.stride));
    TL_CHECK(c.dilation == option(op, first + 1, 4, 1) && c.dilation > 0 && c.dilation < 64, TL_EUNSUP,
             "its dilation is too large or differs by direction");
    bool fits = depthwise || (d[3] > 0 && s.c % d[3] == 0);
    TL_CHECK(fits, TL_EFORMAT, "weights for %d channels do not fit %d", d[3], s.c);
    c.groups = depthwise ? s.c : s.c / d[3];
    TL_TRY(pads(v, s, option(op, CONV_PADDING, 1, SAME), (c.k - 1) * c.dilation + 1, c.stride, &c.pad, &c.extra));
    tl_val y;
    TL_TRY(tl_network_put(r->g, name_of(r, op, act), &tl_op_conv2d, IN(v->at), &c, &y));
    TL_TRY(conv_weights(r, op, y, depthwise));
    return finish(r, op, y, act);
}

static tl_status conv(reader *r, const tl_tflite_op *op) { return convolution(r, op, false); }
static tl_status depthwise(reader *r, const tl_tflite_op *op) { return convolution(r, op, true); }

static tl_status pool(reader *r, const tl_tflite_op *op, bool max)
{
    const value *v = computed(r, op, 0);
    int k = option(op, POOL_H, 4, 0), kw = option(op, POOL_W, 4, 0), act = option(op, POOL_ACT, 1, ACT_NONE);
    int how = option(op, POOL_PADDING, 1, SAME), stride, pad, extra;
    if (!v) return TL_EUNSUP;
    TL_CHECK(!v->map.c, TL_EUNSUP, "only maps can be pooled");
    tl_shape s = shape_of(r, v->at);
    tl_val y;
    bool whole = !max && k == s.h && kw == s.w && !v->pad && !v->extra && tensor(r, op->out)->rank == 4 &&
                 tensor(r, op->out)->dim[1] == 1 && tensor(r, op->out)->dim[2] == 1;
    if (whole) {
        TL_TRY(PUT(r->g, &y, name_of(r, op, act), gap, IN(v->at), 0));
        return finish(r, op, y, act);
    }
    TL_TRY(window(op, POOL_STRIDE_W, k, kw, &stride));
    TL_TRY(pads(v, s, how, k, stride, &pad, &extra));
    bool ignores = how == SAME && (pad || extra); /* what lies outside, where ours sees zeros, as PAD does */
    TL_CHECK(!ignores || (max && tl_network_never_negative(r->g, v->at)), TL_EUNSUP,
             "windows that reach outside the map are supported for MAX_POOL_2D after a ReLU only");
    TL_CHECK(max || !extra, TL_EUNSUP, "padding at one side only is not supported");
    tl_maxpool m = { k, stride, pad, extra };
    tl_avgpool a = { k, stride, pad };
    TL_TRY(tl_network_put(r->g, name_of(r, op, act), max ? &tl_op_maxpool : &tl_op_avgpool, IN(v->at),
                          max ? (void *)&m : (void *)&a, &y));
    return finish(r, op, y, act);
}

static tl_status average_pool(reader *r, const tl_tflite_op *op) { return pool(r, op, false); }
static tl_status max_pool(reader *r, const tl_tflite_op *op) { return pool(r, op, true); }

static tl_status of_one(reader *r, const tl_tflite_op *op, const tl_op *ours, const void *attr)
{
    tl_val x;
    TL_TRY(plain(r, op, 0, &x));
    TL_TRY(tl_network_put(r->g, name_of(r, op, ACT_NONE), ours, IN(x), attr, &x));
    return give(r, op, (value){ .at = x });
}

static tl_status mean(reader *r, const tl_tflite_op *op)
{
    int32_t axis[2];
    TL_TRY(integers(r, op, 1, 2, axis));
    TL_CHECK((axis[0] == 1 && axis[1] == 2) || (axis[0] == 2 && axis[1] == 1), TL_EUNSUP,
             "only the mean over height and width is supported");
    return of_one(r, op, &tl_op_gap, &(tl_gap){ 0 });
}

/* A map becomes a vector in our order, channel by channel; who reads it must know. */
static tl_status flatten(reader *r, const char *name, tl_val x, value *out)
{
    *out = (value){ .at = x, .map = shape_of(r, x) };
    if (out->map.h * out->map.w == 1) out->map.c = 0;
    return out->map.c ? PUT(r->g, &out->at, name, flatten, IN(x), 0) : TL_OK;
}

static tl_status reshape(reader *r, const tl_tflite_op *op)
{
    const tl_tflite_tensor *t = tensor(r, op->out);
    const value *from = computed(r, op, 0);
    if (!from) return TL_EUNSUP;
    value v = *from;
    tl_shape s = shape_of(r, v.at);
    bool same = t->rank == 4 && t->dim[1] == s.h && t->dim[2] == s.w && t->dim[3] == s.c;
    bool supported = !v.pad && !v.extra && (same || t->rank == 2);
    TL_CHECK(supported, TL_EUNSUP, "only the flattening of a map to a vector is supported");
    if (t->rank == 2 && !v.map.c) TL_TRY(flatten(r, t->name, v.at, &v));
    return give(r, op, v);
}

static tl_status dense(reader *r, const tl_tflite_op *op)
{
    const value *from = computed(r, op, 0);
    int k = constant_of(r, op, 1), act = option(op, ONLY_ACT, 1, ACT_NONE);
    if (!from) return TL_EUNSUP;
    value v = *from;
    TL_CHECK(k >= 0 && tensor(r, k)->rank == 2 && !v.pad && !v.extra, TL_EUNSUP,
             "only constant weights of two dimensions are supported");
    if (!v.map.c) TL_TRY(flatten(r, tl_printf(r->a, "%s/flatten", tensor(r, op->out)->name), v.at, &v));
    tl_val y;
    TL_TRY(PUT(r->g, &y, name_of(r, op, act), dense, IN(v.at), .out = tensor(r, k)->dim[0]));
    tl_param *p = r->g->node[y.i].p;
    size_t out = (size_t)p[0].dims.d[0], in = (size_t)p[0].dims.d[1];
    TL_TRY(constant(r, op, 1, out * in, &p[0].w));
    if (v.map.c) {
        float *w = p[0].w;
        size_t n = out * in;
        TL_NEW(p[0].w = tl_new(r->a, float, n));
        reorder(w, in, 1, (size_t)v.map.c, (tl_dims){ { (int)out, v.map.c, v.map.h, v.map.w } }, p[0].w);
    }
    TL_NEW(p[1].w = tl_new(r->a, float, out)); /* ours always has a bias */
    if (op->nin > 2 && op->in[2] >= 0) TL_TRY(constant(r, op, 2, out, &p[1].w));
    return finish(r, op, y, act);
}

static tl_status of_two(reader *r, const tl_tflite_op *op, const tl_op *ours, const void *attr)
{
    int act = option(op, ONLY_ACT, 1, ACT_NONE);
    tl_val a, b, y;
    TL_TRY(plain(r, op, 0, &a));
    TL_TRY(plain(r, op, 1, &b));
    TL_TRY(tl_network_put(r->g, name_of(r, op, act), ours, IN(a, b), attr, &y));
    return finish(r, op, y, act);
}

static tl_status add(reader *r, const tl_tflite_op *op) { return of_two(r, op, &tl_op_add, &(tl_add){ 0 }); }
static tl_status multiply(reader *r, const tl_tflite_op *op) { return of_two(r, op, &tl_op_mul, &(tl_mul){ 0 }); }

static tl_status concatenation(reader *r, const tl_tflite_op *op)
{
    int axis = option(op, CONCAT_AXIS, 4, 0), act = option(op, CONCAT_ACT, 1, ACT_NONE),
        rank = tensor(r, op->out)->rank;
    tl_val x[TL_MAX_IN], y;
    TL_CHECK(op->nin <= TL_MAX_IN && (axis == -1 || axis == rank - 1), TL_EUNSUP,
             "only up to %d inputs along the channels are supported", TL_MAX_IN);
    for (int k = 0; k < op->nin; k++) TL_TRY(plain(r, op, k, &x[k]));
    TL_TRY(tl_network_put(r->g, name_of(r, op, act), &tl_op_concat, x, op->nin, &(tl_concat){ 0 }, &y));
    return finish(r, op, y, act);
}

static tl_status pad(reader *r, const tl_tflite_op *op)
{
    const value *v = computed(r, op, 0);
    int32_t p[8]; /* before and after, for n, h, w, c */
    if (!v) return TL_EUNSUP;
    TL_TRY(integers(r, op, 1, 8, p));
    TL_CHECK(!p[0] && !p[1] && !p[6] && !p[7] && p[2] == p[4] && p[3] == p[5] && p[2] >= 0 && p[3] >= p[2] &&
                 p[3] < 64 && !v->pad && !v->extra && !v->map.c,
             TL_EUNSUP, "only padding of height and width alike, after no less than before, is supported");
    return give(r, op, (value){ .at = v->at, .pad = p[2], .extra = p[3] - p[2] });
}

static tl_status relu(reader *r, const tl_tflite_op *op) { return of_one(r, op, &tl_op_relu, &(tl_relu){ 0 }); }
static tl_status relu6(reader *r, const tl_tflite_op *op)
{
    return of_one(r, op, &tl_op_relu, &(tl_relu){ .max = 6 });
}

static tl_status leaky(reader *r, const tl_tflite_op *op)
{
    return of_one(r, op, &tl_op_relu, &(tl_relu){ .slope = tl_fb_float(op->options, LEAKY_ALPHA, 0) });
}

static tl_status logistic(reader *r, const tl_tflite_op *op)
{
    return of_one(r, op, &tl_op_sigmoid, &(tl_sigmoid){ 0 });
}

static tl_status softmax(reader *r, const tl_tflite_op *op)
{
    TL_CHECK(tl_fb_float(op->options, SOFTMAX_BETA, 0) == 1.0f, TL_EUNSUP,
             "softmax is supported with beta = 1 only");
    return of_one(r, op, &tl_op_softmax, &(tl_softmax){ 0 });
}

/* From one type to another: the same real values, to us. */
static tl_status convert(reader *r, const tl_tflite_op *op)
{
    int from = op->nin == 1 ? op->in[0] : -1;
    TL_CHECK(from >= 0, TL_EFORMAT, "it has %d inputs, 1 is needed", op->nin);
    if (r->value[from].constant < 0 && !computed(r, op, 0)) return TL_EUNSUP;
    r->value[op->out] = r->value[from];
    return TL_OK;
}

/* BuiltinOperator of the schema. Those without a function are here for their names. */
static const struct {
    int code;
    const char *name;
    tl_status (*read)(reader *r, const tl_tflite_op *op);
} operations[] = {
    { 0, "ADD", add }, { 1, "AVERAGE_POOL_2D", average_pool }, { 2, "CONCATENATION", concatenation },
    { 3, "CONV_2D", conv }, { 4, "DEPTHWISE_CONV_2D", depthwise }, { 6, "DEQUANTIZE", convert },
    { 9, "FULLY_CONNECTED", dense }, { 14, "LOGISTIC", logistic }, { 17, "MAX_POOL_2D", max_pool },
    { 18, "MUL", multiply }, { 19, "RELU", relu }, { 21, "RELU6", relu6 }, { 22, "RESHAPE", reshape },
    { 25, "SOFTMAX", softmax }, { 34, "PAD", pad }, { 40, "MEAN", mean }, { 43, "SQUEEZE", reshape },
    { 98, "LEAKY_RELU", leaky }, { 114, "QUANTIZE", convert },
    { 23, "RESIZE_BILINEAR", NULL }, { 28, "TANH", NULL }, { 39, "TRANSPOSE", NULL }, { 41, "SUB", NULL },
    { 45, "STRIDED_SLICE", NULL }, { 49, "SPLIT", NULL }, { 54, "PRELU", NULL }, { 67, "TRANSPOSE_CONV", NULL },
    { 77, "SHAPE", NULL }, { 83, "PACK", NULL }, { 97, "RESIZE_NEAREST_NEIGHBOR", NULL }, { 117, "HARD_SWISH", NULL },
};

static tl_status read_op(reader *r, const tl_tflite_op *op)
{
    char number[32];
    const char *name = op->custom ? op->custom : number;
    snprintf(number, sizeof number, "operator %d", op->code);
    tl_status s = tl_fail(TL_EUNSUP, "this operator is not supported");
    for (int i = 0; !op->custom && i < TL_LEN(operations); i++) {
        if (operations[i].code != op->code) continue;
        name = operations[i].name;
        if (operations[i].read && op->nin >= 0) s = operations[i].read(r, op);
    }
    if (s && s != TL_EUNSUP) return tl_note(s, "reading '%s' (%s)", tensor(r, op->out)->name, name);
    for (int k = 0; s && k < op->nin; k++)
        if (op->in[k] >= 0 && !r->value[op->in[k]].made && r->value[op->in[k]].constant < 0)
            return TL_OK; /* it comes from one that was not read */
    if (s && r->nmissing++ < 20)
        tl_textf(&r->missing, "\n  '%s' (%s): %s", tensor(r, op->out)->name, name, tl_errmsg());
    return TL_OK;
}

/* ---- The network ---- */

static tl_status read_input(reader *r, tl_norm *norm, const char **note)
{
    const tl_tflite_tensor *t = tensor(r, r->m->in);
    TL_CHECK(t->rank == 4 && (t->dim[3] == 1 || t->dim[3] == 3) && t->dim[1] > 0 && t->dim[2] > 0 &&
                 t->dim[1] <= 1 << 13 && t->dim[2] <= 1 << 13,
             TL_EUNSUP, "its input '%s' is not a picture of 1 or 3 channels and a fixed size", t->name);
    bool bytes = (t->type == TL_EL_U8 || t->type == TL_EL_I8) && t->scale.n == 1;
    TL_CHECK(bytes || t->type == TL_EL_F32, TL_EUNSUP, "its input '%s' is neither of floats nor of quantized bytes",
             t->name);
    float zero = t->zero.n ? (float)tl_fb_int_at(t->zero, 0) : 0,
          scale = bytes ? tl_fb_float_at(t->scale, 0) : 1 / 127.5f;
    if (t->type == TL_EL_I8) zero += 128; /* a pixel p is given as p - 128 */
    if (!bytes) zero = 127.5f;
    *norm = (tl_norm){ { 0, 1, 2 }, { zero, zero, zero }, { scale, scale, scale } };
    *note = bytes ? "quantized weights and biases became floats"
                  : "the file does not tell how pixels become numbers; pixel / 127.5 - 1 was assumed, as "
                    "TensorFlow's networks have it";
    TL_CHECK(scale > 0 && scale < 1e6f, TL_EFORMAT, "the scale of the input '%s' is %g", t->name, (double)scale);
    value *v = &r->value[r->m->in];
    v->made = true;
    return PUT(r->g, &v->at, t->name, input, NO_INPUT, .c = t->dim[3], .h = t->dim[1], .w = t->dim[2]);
}

static tl_status read_network(reader *r, tl_foreign *out)
{
    tl_norm norm;
    const tl_tflite *m = r->m;
    TL_NEW(r->value = tl_new(r->a, value, m->tensor.n));
    for (int i = 0; i < m->tensor.n; i++) r->value[i].constant = tensor(r, i)->data.n ? i : -1;
    TL_TRY(read_input(r, &norm, &out->note));
    for (int i = 0; i < m->op.n; i++) TL_TRY(read_op(r, (const tl_tflite_op *)m->op.at + i));
    TL_CHECK(!m->f.bad, TL_EFORMAT, "the file is cut off or damaged: something in it points outside");
    TL_CHECK(!r->nmissing, TL_EUNSUP, "%d of its %d operations cannot be read:%s", r->nmissing, m->op.n,
             tl_text_end(&r->missing));
    TL_CHECK(m->nin == 1 && m->nout == 1, TL_EUNSUP,
             "it has %d inputs and %d outputs; networks with one of each are supported", m->nin, m->nout);
    const value *last = &r->value[m->out];
    TL_CHECK(last->made, TL_EFORMAT, "nothing makes its output '%s'", tensor(r, m->out)->name);
    TL_CHECK(!last->pad && !last->extra && !last->map.c, TL_EUNSUP, "it ends in PAD or the flattening of a map");
    r->g->n = last->at.i + 1;
    return tl_network_model(r->g, last->at, &norm, "tf", "tflite", out);
}

static tl_status read(tl_arena *a, const char *path, tl_bytes file, tl_foreign *out)
{
    reader r = { .a = a, .g = tl_graph_new(a), .left = 2 * file.n, .missing = tl_text_new(a) };
    TL_NEW(r.g);
    (void)path;
    TL_TRY(tl_tflite_parse(a, file, &r.m));
    return read_network(&r, out);
}

const tl_importer tl_importer_tflite = {
    .name = "tflite",
    .brief = "TensorFlow Lite networks, float or quantized",
    .ends = ".tflite",
    .knows = tl_tflite_knows,
    .read = read,
};
