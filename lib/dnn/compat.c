/* compat.c - the two oneDNN APIs, side by side. SPDX-License-Identifier: MIT */
#include "compat.h"

static dnnl_data_type_t type_of(tl_dtype t) { return t == TL_BF16 ? dnnl_bf16 : dnnl_f32; }

#if DNNL_VERSION_MAJOR >= 3

static void drop(void *md) { dnnl_memory_desc_destroy(md); }

tl_status tl_md_new(tl_arena *a, int rank, const dnnl_dims_t dims, tl_dtype type,
                    dnnl_format_tag_t tag, tl_md *out)
{
    dnnl_memory_desc_t md;
    TL_CHECK(!dnnl_memory_desc_create_with_tag(&md, rank, dims, type_of(type), tag), TL_EDNN,
             "oneDNN cannot describe memory of rank %d", rank);
    *out = md;
    return tl_defer(a, drop, md);
}

dnnl_status_t tl_conv_pd(dnnl_primitive_desc_t *pd, tl_conv_pass pass, const tl_conv_desc *c,
                         dnnl_engine_t e, dnnl_primitive_attr_t attr, dnnl_primitive_desc_t hint)
{
    const dnnl_alg_kind_t alg = dnnl_convolution_direct;
    switch (pass) {
    case TL_BACKWARD_DATA:
        return dnnl_convolution_backward_data_primitive_desc_create(
            pd, e, alg, c->x, c->w, c->y, c->stride, c->dilation, c->before, c->after, hint, attr);
    case TL_BACKWARD_WEIGHTS:
        return dnnl_convolution_backward_weights_primitive_desc_create(
            pd, e, alg, c->x, c->dw, c->b, c->y, c->stride, c->dilation, c->before, c->after, hint,
            attr);
    default:
        return dnnl_convolution_forward_primitive_desc_create(
            pd, e, c->train ? dnnl_forward_training : dnnl_forward_inference, alg, c->x, c->w, c->b,
            c->y, c->stride, c->dilation, c->before, c->after, attr);
    }
}

dnnl_status_t tl_post_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef);
}

dnnl_status_t tl_post_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t alg, float alpha, float beta)
{
    return dnnl_post_ops_append_eltwise(ops, alg, alpha, beta);
}

#else

tl_status tl_md_new(tl_arena *a, int rank, const dnnl_dims_t dims, tl_dtype type,
                    dnnl_format_tag_t tag, tl_md *out)
{
    dnnl_memory_desc_t *md = tl_new(a, dnnl_memory_desc_t, 1);
    TL_NEW(md);
    TL_CHECK(!dnnl_memory_desc_init_by_tag(md, rank, dims, type_of(type), tag), TL_EDNN,
             "oneDNN cannot describe memory of rank %d", rank);
    *out = md;
    return TL_OK;
}

dnnl_status_t tl_conv_pd(dnnl_primitive_desc_t *pd, tl_conv_pass pass, const tl_conv_desc *c,
                         dnnl_engine_t e, dnnl_primitive_attr_t attr, dnnl_primitive_desc_t hint)
{
    const dnnl_alg_kind_t alg = dnnl_convolution_direct;
    dnnl_convolution_desc_t d;
    dnnl_status_t s;
    switch (pass) {
    case TL_BACKWARD_DATA:
        s = dnnl_dilated_convolution_backward_data_desc_init(&d, alg, c->x, c->w, c->y, c->stride,
                                                             c->dilation, c->before, c->after);
        break;
    case TL_BACKWARD_WEIGHTS:
        s = dnnl_dilated_convolution_backward_weights_desc_init(
            &d, alg, c->x, c->dw, c->b, c->y, c->stride, c->dilation, c->before, c->after);
        break;
    default:
        s = dnnl_dilated_convolution_forward_desc_init(
            &d, c->train ? dnnl_forward_training : dnnl_forward_inference, alg, c->x, c->w, c->b,
            c->y, c->stride, c->dilation, c->before, c->after);
    }
    return s ? s : dnnl_primitive_desc_create(pd, &d, attr, e, hint);
}

dnnl_status_t tl_post_sum(dnnl_post_ops_t ops) { return dnnl_post_ops_append_sum(ops, 1); }

dnnl_status_t tl_post_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t alg, float alpha, float beta)
{
    return dnnl_post_ops_append_eltwise(ops, 1, alg, alpha, beta);
}

#endif
