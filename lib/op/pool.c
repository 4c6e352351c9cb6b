/* pool.c - what max and average pooling share. SPDX-License-Identifier: MIT */
#include "pool.h"

tl_status tl_pool_shape(tl_shape x, tl_pool_geom w, tl_shape *y)
{
    int pads = 2 * w.pad + w.extra;
    TL_CHECK(x.h + pads >= w.k && x.w + pads >= w.k, TL_ESHAPE, "a %dx%d window does not fit a %dx%d map", w.k, w.k,
             x.h, x.w);
    TL_CHECK(w.pad + w.extra < w.k, TL_EARG, "pad %d must be smaller than the window, %d", w.pad + w.extra, w.k);
    *y = (tl_shape){ x.n, x.c, (x.h + pads - w.k) / w.stride + 1, (x.w + pads - w.k) / w.stride + 1 };
    return TL_OK;
}

tl_status tl_pool_onnx_out(const char *op, tl_pool_geom w, const tl_onnx_names *n, tl_onnx *m, tl_onnx_node **out)
{
    int64_t k = w.k, s = w.stride, p = w.pad, e = w.pad + w.extra;
    TL_TRY(tl_onnx_simple(op, n, m, out));
    TL_TRY(tl_onnx_set_ints(m, *out, "kernel_shape", 2, (int64_t[]){ k, k }));
    TL_TRY(tl_onnx_set_ints(m, *out, "strides", 2, (int64_t[]){ s, s }));
    return tl_onnx_set_ints(m, *out, "pads", 4, (int64_t[]){ p, p, e, e });
}

/* Rounding the output's size up (ceil_mode) is rounding it down with stride - 1 more pixels of padding at the end.
 * With padding at the beginning as well producers disagree about a last window that would lie in padding only. */
static bool add_ceil(tl_pool_geom *w)
{
    w->extra += w->stride - 1;
    return !w->pad || w->stride == 1;
}

tl_status tl_pool_onnx_in(const tl_onnx_view *v, tl_pool_geom *w)
{
    const tl_onnx_attr *ks = tl_onnx_attr_find(v->node, "kernel_shape"), *s = tl_onnx_attr_find(v->node, "strides"),
                       *d = tl_onnx_attr_find(v->node, "dilations");
    bool ok = ks && ks->n == 2 && ks->ints[0] == ks->ints[1] && ks->ints[0] > 0 && ks->ints[0] < 16;
    if (ok && s) ok = s->n == 2 && s->ints[0] == s->ints[1] && s->ints[0] > 0 && s->ints[0] < 64;
    if (ok && d) ok = d->n == 2 && d->ints[0] == 1 && d->ints[1] == 1;
    TL_CHECK(ok, TL_EUNSUP, "only square pooling windows of at most 15 pixels without dilation are supported");
    *w = (tl_pool_geom){ .k = (int)ks->ints[0], .stride = s ? (int)s->ints[0] : 1 };
    TL_TRY(tl_onnx_pads(v, w->k, w->stride, &w->pad, &w->extra));
    TL_CHECK(!tl_onnx_int(v->node, "ceil_mode", 0) || add_ceil(w), TL_EUNSUP,
             "ceil_mode together with padding is not supported");
    return TL_OK;
}
