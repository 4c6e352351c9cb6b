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
