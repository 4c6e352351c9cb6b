/* dnn.c - convolution through oneDNN. SPDX-License-Identifier: MIT
 *
 * Each of the three passes is a primitive plus, where the kernel wants its own weight layout or
 * type, a reorder from (or, for the weights' gradient, to) the plain one in f32. The reordered weights lie in the
 * caller's scratch, before the primitive's own scratchpad: [weights | scratchpad]. Only weights
 * that stay (conf.keep) have memory of their own. Nothing is allocated after tl_dnn_conv_new:
 * memory objects are made once and pointed at each call's arrays.
 *
 * Where oneDNN has nothing but its reference code, the loops of direct.c stand in; not for bf16. Weight gradients are
 * made in parts (split.c).
 *
 * A 1x1 convolution without stride and padding treats every pixel alike, so N small maps of H x W
 * are handed over as one map of N*H x W: the same memory, but the kernels' blocks of pixels no
 * longer end at each picture's border. A dense layer, whose maps are one pixel, gains a factor of
 * 1.3 to 3 mostly, up to 8.5 where its weights are kept. */
#include "dnn.h"
#include "compat.h"
#include "direct.h"
#include "split.h"
#include "processors.h"
#include <float.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#define DNN(e)                                                                                     \
    do {                                                                                           \
        dnnl_status_t d_ = (e);                                                                    \
        if (d_ != dnnl_success) return dnn_fail(d_, #e);                                           \
    } while (0)

static tl_status dnn_fail(dnnl_status_t s, const char *what)
{
    const char *why = s == dnnl_out_of_memory       ? "out of memory"
                      : s == dnnl_invalid_arguments ? "invalid arguments"
                      : s == dnnl_unimplemented     ? "not implemented"
                                                    : "runtime error";
    return tl_fail(s == dnnl_out_of_memory ? TL_ENOMEM : TL_EDNN, "oneDNN: %s (%d) in %s", why,
                   (int)s, what);
}

typedef struct {
    dnnl_primitive_t run;           /* NULL: direct.c */
    dnnl_primitive_t reorder;       /* NULL: the kernel takes the plain layout */
    dnnl_memory_t weights, pad;     /* as the kernel wants them; its scratchpad */
    size_t weight_bytes, pad_bytes; /* of the caller's scratch */
    const char *impl;
    bool keep, kept; /* the weights have memory of their own; and it is filled */
} pass;

struct tl_dnn_conv {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    tl_conv_conf conf;
    tl_direct direct;
    dnnl_memory_t x, y, b, w; /* w: plain */
    pass pass[TL_PASSES];
    tl_split *split; /* makes the weights' gradient, unless conf.whole */
    size_t split_bytes;
    char impl[160];
};

static void drop_engine(void *p) { dnnl_engine_destroy(p); }
static void drop_stream(void *p) { dnnl_stream_destroy(p); }
static void drop_memory(void *p) { dnnl_memory_destroy(p); }
static void drop_primitive(void *p) { dnnl_primitive_destroy(p); }
static void drop_pd(void *p) { dnnl_primitive_desc_destroy(p); }
static void drop_attr(void *p) { dnnl_primitive_attr_destroy(p); }
static void drop_ops(void *p) { dnnl_post_ops_destroy(p); }

static size_t round_up(size_t n) { return (n + 63) & ~(size_t)63; }

/* ---- Preparing ---- */

static tl_status memory_new(tl_arena *a, tl_dnn_conv *c, tl_md md, dnnl_memory_t *out)
{
    DNN(dnnl_memory_create(out, md, c->engine, DNNL_MEMORY_NONE));
    return tl_defer(a, drop_memory, *out);
}

static tl_status attr_new(tl_arena *a, dnnl_primitive_attr_t *attr)
{
    DNN(dnnl_primitive_attr_create(attr));
    TL_TRY(tl_defer(a, drop_attr, *attr));
    DNN(dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user));
    return TL_OK;
}

/* The residual and the activation as post-operations of the forward pass. */
static tl_status post_ops(tl_arena *a, tl_conv_conf f, dnnl_primitive_attr_t attr)
{
    bool capped = f.max < FLT_MAX;
    dnnl_post_ops_t ops;
    DNN(dnnl_post_ops_create(&ops));
    TL_TRY(tl_defer(a, drop_ops, ops));
    if (f.add) DNN(tl_post_sum(ops));
    if (f.slope != 1 && !(f.slope == 0 && capped))
        DNN(tl_post_eltwise(ops, dnnl_eltwise_relu, f.slope, 0));
    if (capped) DNN(tl_post_eltwise(ops, dnnl_eltwise_clip, f.slope == 0 ? 0 : -FLT_MAX, f.max));
    DNN(dnnl_primitive_attr_set_post_ops(attr, ops));
    return TL_OK;
}

static tl_status primitive_new(tl_arena *a, dnnl_primitive_desc_t pd, dnnl_primitive_t *out)
{
    DNN(dnnl_primitive_create(out, pd));
    return tl_defer(a, drop_primitive, *out);
}

/* Make pass p's weights (kernel's layout `inner`) reachable from the plain ones. */
static tl_status weights_new(tl_arena *a, tl_dnn_conv *c, tl_conv_pass which, tl_md plain,
                             tl_md inner)
{
    pass *p = &c->pass[which];
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    TL_TRY(memory_new(a, c, inner, &p->weights));
    if (dnnl_memory_desc_equal(plain, inner)) return TL_OK;
    tl_md from = which == TL_BACKWARD_WEIGHTS ? inner : plain, to = from == inner ? plain : inner;
    TL_TRY(attr_new(a, &attr));
    DNN(dnnl_reorder_primitive_desc_create(&pd, from, c->engine, to, c->engine, attr));
    TL_TRY(tl_defer(a, drop_pd, pd));
    tl_md pad = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    TL_CHECK(dnnl_memory_desc_get_size(pad) == 0, TL_EDNN,
             "oneDNN wants scratch memory for reordering weights");
    size_t bytes = round_up(dnnl_memory_desc_get_size(inner));
    p->keep = c->conf.keep && which != TL_BACKWARD_WEIGHTS;
    if (p->keep) {
        void *own = tl_alloc(a, bytes);
        TL_NEW(own);
        DNN(dnnl_memory_set_data_handle(p->weights, own));
    } else {
        p->weight_bytes = bytes;
    }
    return primitive_new(a, pd, &p->reorder);
}

/* oneDNN's reference code is slow, and its depthwise kernel for processors without AVX crashes on
 * channels that do not fill its vectors (aligned loads of unaligned rows; seen with 2.6.3 and 3.2).
 */
static bool usable(const char *impl, const tl_direct *d)
{
    if (!strncmp(impl, "ref", 3)) return d->conf.maps != TL_F32;
    return !strstr(impl, "dw:sse41") || d->x.c % 8 == 0;
}

static tl_status pass_new(tl_arena *a, tl_dnn_conv *c, tl_conv_pass which, const tl_conv_desc *d,
                          tl_md plain, dnnl_primitive_desc_t *hint)
{
    pass *p = &c->pass[which];
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    TL_TRY(attr_new(a, &attr));
    if (which == TL_FORWARD) TL_TRY(post_ops(a, c->conf, attr));
    DNN(tl_conv_pd(&pd, which, d, c->engine, attr, *hint));
    TL_TRY(tl_defer(a, drop_pd, pd));
    if (which == TL_FORWARD) *hint = pd;
    DNN(dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &p->impl));
    if (!usable(p->impl, &c->direct)) {
        p->impl = "direct";
        p->pad_bytes = dnnl_memory_desc_get_size(plain);
        return TL_OK;
    }
    tl_md pad = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    p->pad_bytes = dnnl_memory_desc_get_size(pad);
    TL_TRY(memory_new(a, c, pad, &p->pad));
    dnnl_query_t what =
        which == TL_BACKWARD_WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
    TL_TRY(weights_new(a, c, which, plain, dnnl_primitive_desc_query_md(pd, what, 0)));
    return primitive_new(a, pd, &p->run);
}

/* Take many small maps as one, where a convolution cannot tell the difference. */
static bool flat(tl_shape x, tl_conv_geom g)
{
    enum {
        BLOCK = 32
    }; /* pixels; on maps that fill the kernels' blocks there is nothing to gain */
    return g.k == 1 && g.stride == 1 && g.pad == 0 && g.extra == 0 && x.h * x.w < BLOCK;
}

static tl_status passes_new(tl_arena *a, tl_dnn_conv *c, tl_shape x, tl_shape y, tl_conv_geom g)
{
    if (flat(x, g)) {
        x.h = y.h = x.n * x.h;
        x.n = y.n = 1;
    }
    int o = y.c / g.groups, i = x.c / g.groups, after = g.pad + g.extra;
    dnnl_dims_t xd = { x.n, x.c, x.h, x.w }, yd = { y.n, y.c, y.h, y.w }, bd = { y.c };
    dnnl_dims_t wd = { y.c, x.c, g.k, g.k }, gd = { g.groups, o, i, g.k, g.k };
    bool grouped = g.groups > 1;
    int rank = grouped ? 5 : 4;
    tl_md b, plain;
    tl_conv_desc d = { .train = c->conf.train,
                       .stride = { g.stride, g.stride },
                       .before = { g.pad, g.pad },
                       .after = { after, after },
                       .dilation = { g.dilation - 1, g.dilation - 1 } };
    TL_TRY(tl_md_new(a, 4, xd, c->conf.maps, dnnl_nhwc, &d.x));
    TL_TRY(tl_md_new(a, 4, yd, c->conf.maps, dnnl_nhwc, &d.y));
    TL_TRY(tl_md_new(a, 1, bd, TL_F32, dnnl_a, &b));
    TL_TRY(tl_md_new(a, rank, grouped ? gd : wd, TL_F32, grouped ? dnnl_goihw : dnnl_oihw, &plain));
    TL_TRY(tl_md_new(a, rank, grouped ? gd : wd, c->conf.maps, dnnl_format_tag_any, &d.w));
    TL_TRY(tl_md_new(a, rank, grouped ? gd : wd, TL_F32, dnnl_format_tag_any, &d.dw));
    if (c->conf.bias) d.b = b;
    TL_TRY(memory_new(a, c, d.x, &c->x));
    TL_TRY(memory_new(a, c, d.y, &c->y));
    TL_TRY(memory_new(a, c, b, &c->b));
    TL_TRY(memory_new(a, c, plain, &c->w));

    dnnl_primitive_desc_t hint = NULL;
    TL_TRY(pass_new(a, c, TL_FORWARD, &d, plain, &hint));
    if (c->conf.train && !c->conf.no_dx) TL_TRY(pass_new(a, c, TL_BACKWARD_DATA, &d, plain, &hint));
    return c->conf.whole ? pass_new(a, c, TL_BACKWARD_WEIGHTS, &d, plain, &hint) : TL_OK;
}

static size_t scratch_bytes(const tl_dnn_conv *c)
{
    size_t most = c->split_bytes;
    for (int i = 0; i < TL_PASSES; i++) {
        size_t n = c->pass[i].weight_bytes + c->pass[i].pad_bytes;
        if (n > most) most = n;
    }
    return most;
}

static void name_impls(tl_dnn_conv *c)
{
    static const char *const label[TL_PASSES] = { "forward ", ", backward data ",
                                                  ", backward weights " };
    size_t n = 0;
    for (int i = 0; i < TL_PASSES && n < sizeof c->impl; i++) {
        const char *impl = i == TL_BACKWARD_WEIGHTS && c->split ? tl_split_impl(c->split) : c->pass[i].impl;
        if (impl) n += (size_t)snprintf(c->impl + n, sizeof c->impl - n, "%s%s", label[i], impl);
    }
}

tl_status tl_dnn_conv_new(tl_arena *a, tl_shape x, tl_shape y, tl_conv_geom g, tl_conv_conf conf,
                          tl_dnn_conv **out, size_t *scratch)
{
    tl_dnn_conv *c = tl_new(a, tl_dnn_conv, 1);
    TL_NEW(c);
    c->conf = conf;
    c->direct = (tl_direct){ x, y, g, conf };
    DNN(dnnl_engine_create(&c->engine, dnnl_cpu, 0));
    TL_TRY(tl_defer(a, drop_engine, c->engine));
    DNN(dnnl_stream_create(&c->stream, c->engine, dnnl_stream_default_flags));
    TL_TRY(tl_defer(a, drop_stream, c->stream));
    tl_status s = passes_new(a, c, x, y, g);
    if (!s && conf.train && !conf.no_dw && !conf.whole)
        s = tl_split_new(a, x, y, g, conf, &c->split, &c->split_bytes);
    if (s)
        return tl_note(s,
                       "preparing a convolution " TL_SHAPE_FMT " -> " TL_SHAPE_FMT
                       ", kernel %d, stride %d, padding %d+%d, dilation %d, groups %d",
                       TL_SHAPE(x), TL_SHAPE(y), g.k, g.stride, g.pad, g.extra, g.dilation,
                       g.groups);
    name_impls(c);
    *scratch = scratch_bytes(c);
    *out = c;
    return TL_OK;
}

const char *tl_dnn_conv_impl(const tl_dnn_conv *c) { return c->impl; }

/* ---- Running ---- */

static tl_status point(dnnl_memory_t m, const void *at)
{
    DNN(dnnl_memory_set_data_handle(m, (void *)(uintptr_t)at));
    return TL_OK;
}

static tl_status reorder(tl_dnn_conv *c, pass *p, dnnl_memory_t from, dnnl_memory_t to)
{
    dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } };
    DNN(dnnl_primitive_execute(p->reorder, c->stream, 2, args));
    return TL_OK;
}

/* Where pass p's weights lie during this call, when not in memory of their own. */
static tl_status place_weights(pass *p, const float *plain, void *scratch)
{
    return p->keep ? TL_OK : point(p->weights, p->reorder ? scratch : plain);
}

static tl_status load_weights(tl_dnn_conv *c, pass *p, const float *w, void *scratch)
{
    TL_TRY(place_weights(p, w, scratch));
    if (!p->reorder || p->kept) return TL_OK;
    TL_TRY(point(c->w, w));
    TL_TRY(reorder(c, p, c->w, p->weights));
    p->kept = p->keep;
    return TL_OK;
}

/* Run pass p on x, y and b, which args name; weights and scratchpad are added here. */
static tl_status run(tl_dnn_conv *c, pass *p, const int role[4], void *scratch)
{
    TL_TRY(point(p->pad, (char *)scratch + p->weight_bytes));
    dnnl_exec_arg_t args[] = { { role[0], c->x },
                               { role[1], p->weights },
                               { role[2], c->y },
                               { DNNL_ARG_SCRATCHPAD, p->pad },
                               { role[3], c->b } };
    DNN(dnnl_primitive_execute(p->run, c->stream, role[3] ? 5 : 4, args));
    return TL_OK;
}

static tl_status wait(tl_dnn_conv *c)
{
    DNN(dnnl_stream_wait(c->stream));
    return TL_OK;
}

tl_status tl_dnn_conv_forward(tl_dnn_conv *c, const void *x, const float *w, const float *b,
                              void *y, void *scratch)
{
    pass *p = &c->pass[TL_FORWARD];
    if (!p->run) return tl_direct_forward(&c->direct, x, w, b, y, scratch), TL_OK;
    const int role[] = { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST,
                         c->conf.bias ? DNNL_ARG_BIAS : 0 };
    TL_TRY(point(c->x, x));
    TL_TRY(point(c->y, y));
    TL_TRY(point(c->b, b));
    TL_TRY(load_weights(c, p, w, scratch));
    TL_TRY(run(c, p, role, scratch));
    return wait(c);
}

tl_status tl_dnn_conv_backward_data(tl_dnn_conv *c, const void *dy, const float *w, void *dx,
                                    void *scratch)
{
    pass *p = &c->pass[TL_BACKWARD_DATA];
    if (!p->run) return tl_direct_backward_data(&c->direct, dy, w, dx, scratch), TL_OK;
    const int role[] = { DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST, 0 };
    TL_TRY(point(c->x, dx));
    TL_TRY(point(c->y, dy));
    TL_TRY(load_weights(c, p, w, scratch));
    TL_TRY(run(c, p, role, scratch));
    return wait(c);
}

tl_status tl_dnn_conv_backward_weights(tl_dnn_conv *c, const void *x, const void *dy, float *dw,
                                       float *db, void *scratch)
{
    pass *p = &c->pass[TL_BACKWARD_WEIGHTS];
    if (c->split) return tl_split_run(c->split, x, dy, dw, db, scratch);
    if (!p->run) return tl_direct_backward_weights(&c->direct, x, dy, dw, db, scratch), TL_OK;
    const int role[] = { DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST,
                         c->conf.bias ? DNNL_ARG_DIFF_BIAS : 0 };
    TL_TRY(point(c->x, x));
    TL_TRY(point(c->y, dy));
    TL_TRY(point(c->b, db));
    TL_TRY(point(c->w, dw));
    TL_TRY(place_weights(p, dw, scratch));
    TL_TRY(run(c, p, role, scratch));
    if (p->reorder) TL_TRY(reorder(c, p, p->weights, c->w));
    return wait(c);
}

/* ---- The library ---- */

const char *tl_dnn_version(void)
{
    static _Thread_local char text[32];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

bool tl_dnn_has_amx(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_amx) == dnnl_cpu_isa_avx512_core_amx;
}

void tl_dnn_threads(int n)
{
    omp_set_num_threads(n > 0 ? n : tl_processors());
}
