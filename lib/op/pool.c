/* pool.c - what max and average pooling share. SPDX-License-Identifier: MIT */
#include "pool.h"

tl_status tl_pool_shape(tl_shape x, int k, int stride, int pad, tl_shape *y)
{
    TL_CHECK(x.h + 2 * pad >= k && x.w + 2 * pad >= k, TL_ESHAPE, "a %dx%d window does not fit a %dx%d map", k, k, x.h, x.w);
    TL_CHECK(pad < k, TL_EARG, "pad %d must be smaller than the window, %d", pad, k);
    *y = (tl_shape){ x.n, x.c, (x.h + 2 * pad - k) / stride + 1, (x.w + 2 * pad - k) / stride + 1 };
    return TL_OK;
}

tl_status tl_pool_onnx_out(const char *op, int k, int stride, int pad, const tl_onnx_names *n, tl_onnx *m, tl_onnx_node **out)
{
    TL_TRY(tl_onnx_simple(op, n, m, out));
    TL_TRY(tl_onnx_set_ints(m, *out, "kernel_shape", 2, (int64_t[]){ k, k }));
    TL_TRY(tl_onnx_set_ints(m, *out, "strides", 2, (int64_t[]){ stride, stride }));
    return tl_onnx_set_ints(m, *out, "pads", 4, (int64_t[]){ pad, pad, pad, pad });
}

tl_status tl_pool_onnx_in(const tl_onnx_view *v, int *k, int *stride, int *pad)
{
    const tl_onnx_attr *ks = tl_onnx_attr_find(v->node, "kernel_shape"), *s = tl_onnx_attr_find(v->node, "strides"),
                       *p = tl_onnx_attr_find(v->node, "pads"), *d = tl_onnx_attr_find(v->node, "dilations"),
                       *autopad = tl_onnx_attr_find(v->node, "auto_pad");
    bool ok = ks && ks->n == 2 && ks->ints[0] == ks->ints[1] && ks->ints[0] > 0 && ks->ints[0] < 16 && !tl_onnx_int(v->node, "ceil_mode", 0) &&
              !(autopad && autopad->s && autopad->s[0] && autopad->s[0] != 'N');
    if (ok && s) ok = s->n == 2 && s->ints[0] == s->ints[1] && s->ints[0] > 0 && s->ints[0] < 64;
    if (ok && d) ok = d->n == 2 && d->ints[0] == 1 && d->ints[1] == 1;
    if (ok && p) ok = p->n == 4 && p->ints[0] == p->ints[1] && p->ints[0] == p->ints[2] && p->ints[0] == p->ints[3] && p->ints[0] >= 0;
    TL_CHECK(ok, TL_EUNSUP, "only square pooling windows with equal pads, no dilation, no ceil_mode are supported");
    *k = (int)ks->ints[0];
    *stride = s ? (int)s->ints[0] : 1;
    *pad = p ? (int)p->ints[0] : 0;
    return TL_OK;
}
