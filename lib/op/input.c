/* input - where data enters a graph; whoever runs the plan fills it. SPDX-License-Identifier: MIT */
#include "ops.h"

static const tl_field fields[] = {
    TL_F(tl_input, c, TL_INT, 3, 1, 1 << 20, "channels"),
    TL_F(tl_input, h, TL_INT, 1, 1, 1 << 15, "height"),
    TL_F(tl_input, w, TL_INT, 1, 1, 1 << 15, "width"),
    TL_F_END,
};

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    const tl_input *a = attr;
    (void)nx; (void)x; (void)p;
    *y = (tl_shape){ 1, a->c, a->h, a->w };
    return TL_OK;
}

static tl_status forward(tl_io *io) { (void)io; return TL_OK; }

const tl_op tl_op_input = {
    .name = "input", .brief = "data from outside the graph", .min_in = 0, .max_in = 0,
    .field = fields, .attr_size = sizeof(tl_input), .shape = shape, .forward = forward, .flow = tl_flow_fixed,
};
