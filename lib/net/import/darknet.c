/* darknet_files.c - networks of darknet: NAME.cfg with NAME.weights beside it.
 * SPDX-License-Identifier: MIT
 *
 * Either file may be given; the other has the same name up to its ending and is a plain file in the same folder.
 *
 * A classifier is imported whole. Of a detector we take the trunk: its layers run until the first that only
 * detectors have
 * ([yolo], [region], [detection], with the convolution before it) or that we do not have, and the trunk ends with
 * the last shortcut on the smallest maps; without shortcuts, with the last layer on the smallest maps.
 *
 * Layer i of the file becomes conv_i, bn_i, leaky_i, ... Darknet divides by sqrt(variance + 0.00001) on GPUs, where
 * networks are trained (its loops for processors differ between versions), so that is batch norm's epsilon. Maximum
 * pooling ignores what lies outside the map where ours sees zeros: a window that reaches outside is read after a
 * ReLU only. */
#include "darknet_files.h"
#include "network.h"
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#define EPS        1e-5f
#define TRUNK_STEP 8 /* a trunk's map is at least so much smaller than the picture */

typedef struct {
    tl_arena *a;
    tl_graph *g;
    tl_darknet_weights w;
    tl_val *at; /* what each layer gives */
    int i;      /* the layer being read */
    const tl_cfg_section *s;
} reader;

static tl_shape shape_of(const reader *r, tl_val x) { return r->g->node[x.i].s; }

/* NULL: out of memory, which adding the node reports. */
static const char *named(const reader *r, const char *kind) { return tl_printf(r->a, "%s_%d", kind, r->i); }

/* ---- Parameters ---- */

static tl_status take(reader *r, tl_val node, int k)
{
    tl_param *p = &r->g->node[node.i].p[k];
    return tl_darknet_take(&r->w, r->a, tl_dims_count(p->dims), &p->w);
}

/* What follows the biases, which are batch norm's beta: scales, means, variances. */
static tl_status take_bn(reader *r, tl_val bn)
{
    enum { GAMMA, BETA, MEAN, VAR };
    const tl_node *d = &r->g->node[bn.i];
    for (int k = GAMMA; k <= VAR; k++)
        if (k != BETA) TL_TRY(take(r, bn, k));
    for (int i = 0; i < d->s.c; i++)
        TL_CHECK(d->p[VAR].w[i] >= 0 && isfinite(d->p[VAR].w[i]), TL_EFORMAT,
                 "variance %d is %g: the weights are those of another network", i, (double)d->p[VAR].w[i]);
    return TL_OK;
}

static tl_status activation(reader *r, tl_val x, tl_val *y)
{
    static const struct {
        const char *name, *node;
        tl_relu attr;
    } known[] = {
        { "leaky", "leaky", { 0.1f, 0 } },
        { "relu", "relu", { 0, 0 } },
        { "relu6", "relu6", { 0, 6 } },
    };
    const char *name = tl_cfg_text(r->s, "activation", strcmp(r->s->name, "shortcut") ? "logistic" : "linear");
    *y = x;
    if (!strcmp(name, "linear")) return TL_OK;
    if (!strcmp(name, "logistic")) return PUT(r->g, y, named(r, name), sigmoid, IN(x), 0);
    if (!strcmp(name, "swish")) return PUT(r->g, y, named(r, name), swish, IN(x), 0);
    for (int i = 0; i < TL_LEN(known); i++)
        if (!strcmp(name, known[i].name))
            return tl_network_put(r->g, named(r, known[i].node), &tl_op_relu, IN(x), &known[i].attr, y);
    return tl_fail(TL_EUNSUP,
                   "the activation '%.40s' is not supported (linear, relu, relu6, leaky, logistic, swish are)",
                   name);
}

/* Keys that change what a layer computes in ways we do not have. */
static tl_status refuse(const reader *r, const char *const *keys)
{
    for (; *keys; keys++) {
        const char *v = tl_cfg_text(r->s, *keys, "0");
        TL_CHECK(!strcmp(v, "0"), TL_EUNSUP, "%s=%.40s is not supported", *keys, v);
    }
    return TL_OK;
}

/* ---- Layers: from x, what the layer before gives ---- */

static tl_status convolutional(reader *r, tl_val x, tl_val *y)
{
    static const char *const odd[] = { "binary",   "xnor",         "bin_output",          "flipped", "stride_x",
                                       "stride_y", "antialiasing", "share_index",         "sway",    "rotate",
                                       "stretch",  "stretch_sway", "assisted_excitation", "cbn",     NULL };
    tl_conv2d a = { .dilation = 1 };
    int bn, same;
    TL_TRY(refuse(r, odd));
    TL_TRY(tl_cfg_int(r->s, "filters", 1, 1, 1 << 20, &a.out));
    TL_TRY(tl_cfg_int(r->s, "size", 1, 1, 63, &a.k));
    TL_TRY(tl_cfg_int(r->s, "stride", 1, 1, 63, &a.stride));
    TL_TRY(tl_cfg_int(r->s, "groups", 1, 1, 1 << 20, &a.groups));
    TL_TRY(tl_cfg_int(r->s, "padding", 0, 0, 63, &a.pad));
    TL_TRY(tl_cfg_int(r->s, "pad", 0, 0, 63, &same));
    TL_TRY(tl_cfg_int(r->s, "dilation", 1, 1, 63, &a.dilation));
    TL_TRY(tl_cfg_int(r->s, "batch_normalize", 0, 0, 1, &bn));
    TL_CHECK(a.dilation == 1 || a.k == 1, TL_EUNSUP, "dilation=%d is not supported", a.dilation);
    a.dilation = 1;
    if (same) a.pad = a.k / 2;
    a.nobias = bn;
    tl_val conv, last;
    TL_TRY(tl_network_put(r->g, named(r, "conv"), &tl_op_conv2d, IN(x), &a, &conv));
    last = conv;
    if (bn) TL_TRY(PUT(r->g, &last, named(r, "bn"), bn, IN(conv), .eps = EPS));
    TL_TRY(activation(r, last, y));
    TL_TRY(take(r, last, 1)); /* the biases, or batch norm's beta */
    if (bn) TL_TRY(take_bn(r, last));
    return take(r, conv, 0);
}

/* Weights are out x in; old files keep them in x out. */
static tl_status take_matrix(reader *r, tl_val dense)
{
    tl_param *p = &r->g->node[dense.i].p[0];
    size_t out = (size_t)p->dims.d[0], in = (size_t)p->dims.d[1];
    TL_TRY(take(r, dense, 0));
    if (!r->w.transposed) return TL_OK;
    float *to = tl_new(r->a, float, out *in);
    TL_NEW(to);
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++) to[o * in + i] = p->w[i * out + o];
    p->w = to;
    return TL_OK;
}

static tl_status connected(reader *r, tl_val x, tl_val *y)
{
    int out, bn;
    tl_val dense, last;
    tl_shape s = shape_of(r, x);
    TL_TRY(tl_cfg_int(r->s, "output", 1, 1, 1 << 20, &out));
    TL_TRY(tl_cfg_int(r->s, "batch_normalize", 0, 0, 1, &bn));
    if (s.h * s.w > 1) TL_TRY(PUT(r->g, &x, named(r, "flatten"), flatten, IN(x), 0));
    TL_TRY(PUT(r->g, &dense, named(r, "connected"), dense, IN(x), .out = out));
    last = dense;
    if (bn) TL_TRY(PUT(r->g, &last, named(r, "bn"), bn, IN(dense), .eps = EPS));
    TL_TRY(activation(r, last, y));
    TL_TRY(take(r, last, 1));
    TL_TRY(take_matrix(r, dense));
    if (!bn) return TL_OK;
    TL_NEW(r->g->node[dense.i].p[1].w = tl_new(r->a, float, out)); /* ours always has a bias */
    return take_bn(r, last);
}

/* padding is what lies outside the map on both sides together, by default size - 1. */
static tl_status maxpool(reader *r, tl_val x, tl_val *y)
{
    static const char *const odd[] = { "stride_x", "stride_y", "maxpool_depth", "antialiasing", NULL };
    int k, stride, padding;
    tl_shape s = shape_of(r, x);
    TL_TRY(refuse(r, odd));
    TL_TRY(tl_cfg_int(r->s, "stride", 1, 1, 63, &stride));
    TL_TRY(tl_cfg_int(r->s, "size", stride, 1, 63, &k));
    TL_TRY(tl_cfg_int(r->s, "padding", k - 1, 0, 63, &padding));
    int pad = padding / 2, extra = padding - 2 * pad, end_h = (s.h + padding - k) / stride * stride + k - pad,
        end_w = (s.w + padding - k) / stride * stride + k - pad;
    if (end_h <= s.h && end_w <= s.w) extra = 0;
    TL_CHECK((!pad && !extra) || tl_network_never_negative(r->g, x), TL_EUNSUP,
             "windows that reach outside the map, %d wide with step %d on %dx%d, are supported after a ReLU only",
             k, stride, s.w, s.h);
    return PUT(r->g, y, named(r, "maxpool"), maxpool, IN(x), .k = k, .stride = stride, .pad = pad, .extra = extra);
}

static tl_status avgpool(reader *r, tl_val x, tl_val *y)
{
    return PUT(r->g, y, named(r, "avgpool"), gap, IN(x), 0);
}

static tl_status dropout(reader *r, tl_val x, tl_val *y)
{
    float rate;
    TL_TRY(tl_cfg_float(r->s, "probability", 0.5f, &rate));
    return PUT(r->g, y, named(r, "dropout"), dropout, IN(x), .rate = rate);
}

static tl_status softmax(reader *r, tl_val x, tl_val *y)
{
    int groups;
    float temperature;
    TL_TRY(refuse(r, (const char *const[]){ "tree", "spatial", NULL }));
    TL_TRY(tl_cfg_int(r->s, "groups", 1, 1, 1 << 20, &groups));
    TL_TRY(tl_cfg_float(r->s, "temperature", 1, &temperature));
    TL_CHECK(groups == 1 && temperature == 1.0f, TL_EUNSUP, "softmax with groups or temperature is not supported");
    return PUT(r->g, y, named(r, "softmax"), softmax, IN(x), 0);
}

static tl_status cost(reader *r, tl_val x, tl_val *y)
{
    (void)r;
    *y = x;
    return TL_OK;
} /* training only */

/* The layers that a key lists: below zero counts back from this one. */
static tl_status earlier(reader *r, const char *key, tl_val *out, int *n)
{
    int at[TL_MAX_IN];
    TL_TRY(tl_cfg_ints(r->s, key, TL_MAX_IN, at, n));
    TL_CHECK(*n, TL_EFORMAT, "%s is missing", key);
    for (int k = 0; k < *n; k++) {
        int i = at[k] < 0 ? r->i + at[k] : at[k];
        TL_CHECK(at[k] >= -r->i && i < r->i, TL_EFORMAT, "%s: %d is no layer before this one, which is layer %d",
                 key, at[k], r->i);
        out[k] = r->at[i];
    }
    return TL_OK;
}

static tl_status shortcut(reader *r, tl_val x, tl_val *y)
{
    tl_val from[TL_MAX_IN];
    int n;
    TL_TRY(refuse(r, (const char *const[]){ "weights_type", NULL }));
    TL_TRY(earlier(r, "from", from, &n));
    TL_CHECK(n == 1 && tl_same(shape_of(r, x), shape_of(r, from[0])), TL_EUNSUP,
             "only the sum of two maps of the same size is supported");
    TL_TRY(PUT(r->g, &x, named(r, "shortcut"), add, IN(x, from[0]), 0));
    return activation(r, x, y);
}

static tl_status route(reader *r, tl_val x, tl_val *y)
{
    tl_val from[TL_MAX_IN];
    int n, groups;
    (void)x;
    TL_TRY(tl_cfg_int(r->s, "groups", 1, 1, 1 << 20, &groups));
    TL_CHECK(groups == 1, TL_EUNSUP, "a part of a map's channels (groups=%d) is not supported", groups);
    TL_TRY(earlier(r, "layers", from, &n));
    *y = from[0];
    return n == 1 ? TL_OK : tl_network_put(r->g, named(r, "route"), &tl_op_concat, from, n, &(tl_concat){ 0 }, y);
}

static const struct {
    const char *name, *also;
    tl_status (*read)(reader *r, tl_val x, tl_val *y);
} layers[] = {
    { "convolutional", "conv", convolutional },
    { "connected", "conn", connected },
    { "maxpool", "max", maxpool },
    { "avgpool", "avg", avgpool },
    { "dropout", "dropout", dropout },
    { "softmax", "soft", softmax },
    { "cost", "cost", cost },
    { "shortcut", "shortcut", shortcut },
    { "route", "route", route },
};

static bool detects(const tl_cfg_section *s)
{
    static const char *const heads[] = { "yolo", "Gaussian_yolo", "region", "detection" };
    for (int i = 0; i < TL_LEN(heads); i++)
        if (!strcmp(s->name, heads[i])) return true;
    return false;
}

static tl_status read_layer(reader *r, tl_val x)
{
    for (int i = 0; i < TL_LEN(layers); i++)
        if (!strcmp(r->s->name, layers[i].name) || !strcmp(r->s->name, layers[i].also))
            return layers[i].read(r, x, &r->at[r->i]);
    return tl_fail(TL_EUNSUP, "this layer is not supported");
}

/* ---- The network ---- */

static tl_status read_net(reader *r, const tl_cfg_section *net, tl_val *image)
{
    int c, h, w;
    r->s = net;
    TL_TRY(tl_cfg_int(net, "channels", 3, 1, 3, &c));
    TL_TRY(tl_cfg_int(net, "height", 0, 1, 1 << 13, &h));
    TL_TRY(tl_cfg_int(net, "width", 0, 1, 1 << 13, &w));
    TL_CHECK(c != 2, TL_EUNSUP, "pictures of 2 channels are not supported");
    return PUT(r->g, image, "input", input, NO_INPUT, .c = c, .h = h, .w = w);
}

/* Of the first n layers of a detector, where its trunk ends. */
static int trunk_end(const reader *r, const tl_cfg_section *s, int n)
{
    int end = n - 1, smallest = INT32_MAX;
    bool sum = false;
    for (int i = 0; i < n; i++) {
        int h = shape_of(r, r->at[i]).h;
        bool shortcut_here = !strcmp(s[i].name, "shortcut");
        if (h > smallest || (h == smallest && sum && !shortcut_here)) continue;
        sum = shortcut_here;
        smallest = h;
        end = i;
    }
    return end;
}

static tl_status cut(reader *r, const tl_cfg_section *s, int n, int *end, const char **note)
{
    *end = n ? trunk_end(r, s, n) : -1;
    bool far = n && shape_of(r, (tl_val){ 0 }).h >= TRUNK_STEP * shape_of(r, r->at[*end]).h;
    if (!far)
        return tl_note(TL_EUNSUP, "looking for a trunk: nothing before it shrinks the picture %d times",
                       TRUNK_STEP);
    TL_NEW(*note = tl_printf(
               r->a,
               "only the trunk of this detector was imported: layers 0 to %d, up to [%s] at line %d of the .cfg",
               *end, s[*end].name, s[*end].line));
    return TL_OK;
}

/* All layers; a detector's up to its trunk's end. */
static tl_status read_layers(reader *r, const tl_cfg_section *s, int n, tl_val image, tl_foreign *out)
{
    bool detector = false;
    int end = n - 1;
    tl_val last = image;
    for (int i = 0; i < n; i++) detector |= detects(s + i);
    for (r->i = 0; r->i < n; last = r->at[r->i++]) {
        r->s = s + r->i;
        bool head = detects(r->s) || (r->i + 1 < n && detects(r->s + 1));
        tl_status status =
            head ? tl_fail(TL_EUNSUP, "the network detects before it has a trunk") : read_layer(r, last);
        if (status) tl_note(status, "reading [%.40s] at line %d of the .cfg", r->s->name, r->s->line);
        if (status && (status != TL_EUNSUP || !detector)) return status;
        if (status) break;
    }
    if (detector) TL_TRY(cut(r, s, r->i, &end, &out->note));
    TL_CHECK(detector || !r->w.left, TL_EFORMAT,
             "%zu of the weights' numbers belong to no layer: they are those of another network", r->w.left);
    last = r->at[end];
    r->g->n = last.i + 1; /* what was read behind the trunk */
    return tl_network_model(r->g, last, &(tl_norm){ { 0, 1, 2 }, { 0 }, { 1 / 255.0f, 1 / 255.0f, 1 / 255.0f } },
                            "darknet", "darknet", out);
}

static tl_status read_files(tl_arena *a, tl_bytes cfg, tl_bytes weights, tl_foreign *out)
{
    tl_list sections;
    tl_val image;
    reader r = { .a = a, .g = tl_graph_new(a) };
    TL_NEW(r.g);
    TL_TRY(tl_cfg_parse(a, cfg, &sections));
    const tl_cfg_section *s = sections.at;
    int n = sections.n - 1;
    TL_CHECK(n > 0 && n <= TL_NETWORK_NODES, TL_EFORMAT, "the .cfg has %d layers, 1 to %d are expected", n,
             TL_NETWORK_NODES);
    TL_NEW(r.at = tl_new(a, tl_val, n));
    TL_TRY(tl_darknet_weights_open(weights, &r.w));
    tl_status status = read_net(&r, s, &image);
    if (status) return tl_note(status, "reading [%.40s] at line %d of the .cfg", s->name, s->line);
    return read_layers(&r, s + 1, n, image, out);
}

/* The file of the same name but for its ending, in the same folder. */
static tl_status read_sibling(tl_arena *a, const char *path, const char *ending, tl_bytes *out)
{
    const char *base = tl_path_base(path), *dot = strrchr(base, '.');
    size_t stem = dot ? (size_t)(dot - path) : strlen(path);
    struct stat st;
    const char *name = tl_printf(a, "%.*s%s", (int)stem, path, ending);
    TL_NEW(name);
    TL_CHECK(!lstat(name, &st) && S_ISREG(st.st_mode), TL_EFORMAT,
             "'%s' is one of a pair: put '%s' beside it, a plain file, not a link", path, tl_path_base(name));
    return tl_file_read(a, name, 0, out);
}

static bool knows(tl_bytes file) { return tl_cfg_knows(file) || tl_darknet_weights_knows(file); }

static tl_status read(tl_arena *a, const char *path, tl_bytes file, tl_foreign *out)
{
    tl_bytes other;
    bool cfg = tl_cfg_knows(file);
    TL_TRY(read_sibling(a, path, cfg ? ".weights" : ".cfg", &other));
    return read_files(a, cfg ? file : other, cfg ? other : file, out);
}

const tl_importer tl_importer_darknet = {
    .name = "darknet",
    .brief = "darknet networks: a .cfg and the .weights beside it",
    .ends = ".cfg .weights",
    .knows = knows,
    .read = read,
};
