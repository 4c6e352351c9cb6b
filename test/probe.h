/* probe.h - two operations of the tests' own, which put another one into the conditions of a network.
 * SPDX-License-Identifier: MIT */
#ifndef TL_PROBE_H
#define TL_PROBE_H
#include "graph.h"
#include <string.h>

/* y = x: makes the op under test read memory that the plan shares out, as inside a network. */
static tl_status copy_forward(tl_io *io)
{
    memcpy(io->y.f, io->x[0].f, tl_count(io->y.s) * sizeof(float));
    return TL_OK;
}
static tl_status copy_backward(tl_io *io)
{
    if (io->dx[0].p) memcpy(io->dx[0].f, io->dy.f, tl_count(io->y.s) * sizeof(float));
    return TL_OK;
}
static const tl_op copy = { .name = "copy", .min_in = 1, .max_in = 1, .attr_size = 1, .shape = tl_shape_same,
                            .forward = copy_forward, .backward = copy_backward };

/* A random direction makes a scalar of any output: y = sum of c * x. */
typedef struct { const float *c; } project_attr;
static tl_status project_shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    (void)attr; (void)nx; (void)x; (void)p;
    *y = (tl_shape){ 1, 1, 1, 1 };
    return TL_OK;
}
static tl_status project_forward(tl_io *io)
{
    const float *c = ((const project_attr *)io->attr)->c;
    io->y.f[0] = 0;
    for (size_t i = 0; i < tl_count(io->x[0].s); i++) io->y.f[0] += c[i] * io->x[0].f[i];
    return TL_OK;
}
static tl_status project_backward(tl_io *io)
{
    const float *c = ((const project_attr *)io->attr)->c;
    for (size_t i = 0; i < tl_count(io->x[0].s); i++) io->dx[0].f[i] = c[i] * io->dy.f[0];
    return TL_OK;
}
static const tl_op project = { .name = "project", .min_in = 1, .max_in = 1, .attr_size = sizeof(project_attr),
                               .shape = project_shape, .forward = project_forward, .backward = project_backward };
#endif
