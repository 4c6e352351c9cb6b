/* upsample - each pixel becomes by x by pixels: y[i,j] = x[i / by, j / by]. SPDX-License-Identifier: MIT
 *
 * How a map of a deeper layer is brought to the size of an earlier one. */
#include "ops.h"
#include <string.h>

static const tl_field fields[] = {
    TL_F(tl_upsample, by, TL_INT, 2, 2, 16, "how many times larger, in both directions"),
    TL_F_END,
};

static tl_status shape(const void *attr, int nx, const tl_shape *x, tl_shape *y, tl_dims *p)
{
    const tl_upsample *a = attr;
    (void)nx; (void)p;
    *y = (tl_shape){ x->n, x->c, x->h * a->by, x->w * a->by };
    return TL_OK;
}

static tl_status forward(tl_io *io)
{
    const int by = ((const tl_upsample *)io->attr)->by, w = io->x[0].s.w, rows = io->x[0].s.n * io->x[0].s.h;
    const size_t c = (size_t)io->x[0].s.c, wide = (size_t)(w * by) * c;
#pragma omp parallel for
    for (int r = 0; r < rows; r++) {
        float *to = io->y.f + (size_t)(r * by) * wide;
        for (int j = 0; j < w * by; j++) memcpy(to + (size_t)j * c, io->x[0].f + ((size_t)(r * w) + (size_t)(j / by)) * c, c * sizeof *to);
        for (int k = 1; k < by; k++) memcpy(to + (size_t)k * wide, to, wide * sizeof *to);
    }
    return TL_OK;
}

/* The sum over the pixels that one became. */
static tl_status backward(tl_io *io)
{
    const int by = ((const tl_upsample *)io->attr)->by, w = io->x[0].s.w, rows = io->x[0].s.n * io->x[0].s.h;
    const size_t c = (size_t)io->x[0].s.c, wide = (size_t)(w * by) * c;
    if (!io->dx[0].p) return TL_OK;
#pragma omp parallel for
    for (int i = 0; i < rows * w; i++) {
        float *to = io->dx[0].f + (size_t)i * c;
        const float *from = io->dy.f + (size_t)(i / w * by) * wide + (size_t)(i % w * by) * c;
        for (size_t k = 0; k < c; k++) {
            float sum = 0;
            for (int u = 0; u < by; u++)
                for (int v = 0; v < by; v++) sum += from[(size_t)u * wide + (size_t)v * c + k];
            to[k] = sum;
        }
    }
    return TL_OK;
}

static tl_status onnx_out(const void *attr, const tl_onnx_names *n, tl_onnx *m)
{
    enum { AXES = 4 };
    float *scales = tl_new(m->arena, float, AXES);
    tl_onnx_names c = *n;
    tl_onnx_node *node;
    TL_NEW(scales);
    for (int i = 0; i < AXES; i++) scales[i] = i < 2 ? 1 : (float)((const tl_upsample *)attr)->by;
    c.p[0] = ""; /* a region, for other modes */
    TL_NEW(c.p[1] = tl_printf(m->arena, "%s.scales", n->name));
    TL_TRY(tl_onnx_add_init(m, c.p[1], TL_ONNX_FLOAT, 1, (const int64_t[]){ AXES }, scales));
    TL_TRY(tl_onnx_simple("Resize", &c, m, &node));
    TL_TRY(tl_onnx_set_str(m, node, "mode", "nearest"));
    TL_TRY(tl_onnx_set_str(m, node, "coordinate_transformation_mode", "asymmetric"));
    return tl_onnx_set_str(m, node, "nearest_mode", "floor");
}

static bool says(const tl_onnx_node *n, const char *name, const char *value, bool otherwise)
{
    const tl_onnx_attr *a = tl_onnx_attr_find(n, name);
    return a && a->s ? !strcmp(a->s, value) : otherwise;
}

static tl_status onnx_in(const tl_onnx_view *v, void *attr, const tl_onnx_tensor *p[TL_MAX_PARAM])
{
    const float *scale;
    size_t n = 0;
    (void)p;
    if (v->in[2]) TL_TRY(tl_onnx_floats(v->arena, v->in[2], &scale, &n));
    TL_CHECK(n == 4 && scale[0] == 1.0f && scale[1] == 1.0f && scale[2] == scale[3] && scale[2] == (float)(int)scale[2] && scale[2] >= 2 &&
             scale[2] <= 16 && says(v->node, "mode", "nearest", true) && says(v->node, "coordinate_transformation_mode", "asymmetric", false) &&
             says(v->node, "nearest_mode", "floor", false), TL_EUNSUP,
             "Resize is supported by whole factors, to the nearest pixel (asymmetric, floor) only");
    ((tl_upsample *)attr)->by = (int)scale[2];
    return TL_OK;
}

const tl_op tl_op_upsample = {
    .name = "upsample", .brief = "each pixel becomes several", .min_in = 1, .max_in = 1, .field = fields, .attr_size = sizeof(tl_upsample),
    .shape = shape, .forward = forward, .backward = backward, .flow = tl_flow_same, .int8 = TL_INT8_SAME_SCALE,
    .onnx = { "Resize" }, .onnx_out = onnx_out, .onnx_in = onnx_in,
};
