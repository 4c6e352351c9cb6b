/* ops.c - the table of operations and the rules many of them share. SPDX-License-Identifier: MIT */
#include "ops.h"
#include <string.h>

#define ROW(name, ...) &tl_op_##name,
const tl_op *const tl_ops[] = { TL_OPS(ROW) NULL };

const tl_op *tl_op_find(const char *name)
{
    for (const tl_op *const *o = tl_ops; *o; o++)
        if (!strcmp((*o)->name, name)) return *o;
    return NULL;
}

#define FLOW(name, value) \
    tl_flow tl_flow_##name(const void *attr, const tl_shape *x) { (void)attr; (void)x; return value; }
FLOW(same, TL_FLOW_SAME)
FLOW(new, TL_FLOW_NEW)
FLOW(fixed, TL_FLOW_FIXED)
FLOW(cat, TL_FLOW_CAT)

static tl_status sums_new(tl_arena *a, int parts, int c, tl_sums *s)
{
    s->parts = parts;
    TL_NEW(s->at = tl_new(a, float, 2 * (size_t)parts * (size_t)c));
    return TL_OK;
}

tl_status tl_link_sums(tl_io *io, int out, int in)
{
    if (io->link_out && io->link_out->summed) TL_TRY(sums_new(io->arena, out, io->y.s.c, &io->link_out->sums));
    return io->link_in ? sums_new(io->arena, in, io->x[0].s.c, &io->link_in->grad_sums) : TL_OK;
}

tl_status tl_shape_same(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    (void)attr;
    (void)p;
    for (int i = 1; i < nx; i++)
        TL_CHECK(tl_same(x[i], x[0]), TL_ESHAPE, "input %d is " TL_SHAPE_FMT ", input 0 is " TL_SHAPE_FMT, i,
                 TL_SHAPE(x[i]), TL_SHAPE(x[0]));
    *y = x[0];
    return TL_OK;
}

tl_status tl_onnx_simple(const char *op, const tl_onnx_names *n, tl_onnx *m, tl_onnx_node **out)
{
    const char *in[TL_MAX_IN + TL_MAX_PARAM + 1] = { NULL }, *y[] = { n->y, NULL };
    int k = 0;
    for (int i = 0; i < TL_MAX_IN && n->x[i]; i++) in[k++] = n->x[i];
    for (int i = 0; i < TL_MAX_PARAM && n->p[i]; i++) in[k++] = n->p[i];
    tl_onnx_node *node = tl_onnx_add(m, op, n->name, in, y);
    TL_NEW(node);
    if (out) *out = node;
    return TL_OK;
}

/* So that the output has ceil(size / stride) pixels. */
static int same_padding(int size, int span, int stride)
{
    int total = ((size + stride - 1) / stride - 1) * stride + span - size;
    return total > 0 ? total : 0;
}

tl_status tl_onnx_pads(const tl_onnx_view *v, int span, int stride, int *pad, int *extra)
{
    const tl_onnx_attr *pads = tl_onnx_attr_find(v->node, "pads"), *automatic = tl_onnx_attr_find(v->node, "auto_pad");
    const char *how = automatic && automatic->s && automatic->s[0] ? automatic->s : "NOTSET";
    int64_t q[4] = { 0 };
    if (!strncmp(how, "SAME_", 5)) {
        const int total[] = { same_padding(v->xs.h, span, stride), same_padding(v->xs.w, span, stride) };
        for (int i = 0; i < 2; i++) {
            q[i] = !strcmp(how, "SAME_LOWER") ? (total[i] + 1) / 2 : total[i] / 2;
            q[i + 2] = total[i] - q[i];
        }
    } else if (strcmp(how, "VALID") && pads) {
        TL_CHECK(pads->kind == TL_ONNX_AINTS && pads->n == 4, TL_EUNSUP, "pads of %d numbers are not supported",
                 pads->n);
        memcpy(q, pads->ints, sizeof q);
    }
    TL_CHECK(q[0] == q[1] && q[2] == q[3] && q[0] >= 0 && q[2] >= q[0] && q[2] < 64, TL_EUNSUP,
             "pads %d,%d,%d,%d: only equal ones in both directions are supported", (int)q[0], (int)q[1], (int)q[2],
             (int)q[3]);
    *pad = (int)q[0];
    *extra = (int)(q[2] - q[0]);
    return TL_OK;
}

tl_status tl_onnx_constant(tl_arena *a, const float *f, size_t n, const tl_onnx_tensor **out)
{
    tl_onnx_tensor *t = tl_new(a, tl_onnx_tensor, 1);
    TL_NEW(t);
    *t = (tl_onnx_tensor){
        .name = "", .type = TL_ONNX_FLOAT, .rank = 1, .dim = { (int64_t)n }, .data = f, .bytes = n * sizeof *f
    };
    *out = t;
    return TL_OK;
}
