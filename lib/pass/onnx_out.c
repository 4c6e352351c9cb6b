/* onnx_out.c - a graph as an ONNX model. SPDX-License-Identifier: MIT
 *
 * A value is named as the node that makes it, a parameter "node.parameter". Maps are N,C,H,W in the file, as ONNX wants it. */
#include "pass.h"

/* Dims as ONNX has them: trailing ones that the axes letters do not name are not part of the tensor. */
static tl_status add_param(tl_onnx *m, const tl_node *d, int k, const char *name, bool half)
{
    const tl_param *p = &d->p[k];
    int rank = 0;
    int64_t dim[4];
    size_t n = tl_dims_count(p->dims);
    for (const char *c = d->op->param[k].axes; *c; c++, rank++) dim[rank] = p->dims.d[rank];
    if (!half || d->op->param[k].stat) return tl_onnx_add_init(m, name, TL_ONNX_FLOAT, rank, dim, p->w);

    uint16_t *h = tl_new(m->arena, uint16_t, n);
    const char *stored = tl_printf(m->arena, "%s.f16", name);
    TL_NEW(h && stored ? h : NULL);
    for (size_t j = 0; j < n; j++) h[j] = tl_f16_from_f32(p->w[j]);
    TL_TRY(tl_onnx_add_init(m, stored, TL_ONNX_FLOAT16, rank, dim, h));
    tl_onnx_node *cast = tl_onnx_add(m, "Cast", stored, (const char *[]){ stored, NULL }, (const char *[]){ name, NULL });
    TL_NEW(cast);
    return tl_onnx_set_int(m, cast, "to", TL_ONNX_FLOAT);
}

static tl_status add_node(tl_onnx *m, const tl_graph *g, const tl_node *d, bool half)
{
    tl_onnx_names n = { .name = d->name, .y = d->name, .ys = d->s };
    TL_CHECK(d->op->onnx_out, TL_EUNSUP, "'%s' (%s) has no ONNX form", d->name, d->op->name);
    for (int k = 0; k < d->nx; k++) n.x[k] = g->node[d->x[k]].name;
    if (d->nx) n.xs = g->node[d->x[0]].s;
    for (int k = 0; k < TL_MAX_PARAM && d->op->param[k].name; k++) {
        if (!tl_dims_count(d->p[k].dims)) continue;
        TL_NEW(n.p[k] = tl_printf(m->arena, "%s.%s", d->name, d->op->param[k].name));
        TL_TRY(add_param(m, d, k, n.p[k], half));
    }
    return d->op->onnx_out(d->attr, &n, m);
}

static tl_status add_value(tl_onnx *m, tl_list *where, const tl_node *d, int batch, bool vector)
{
    int64_t dim[4] = { batch ? batch : -1, d->s.c, d->s.h, d->s.w };
    return tl_onnx_add_value(m, where, d->name, TL_ONNX_FLOAT, vector ? 2 : 4, dim);
}

tl_status tl_graph_to_onnx(const tl_graph *g, tl_arena *a, int batch, bool half, tl_onnx **out)
{
    TL_TRY(g->status);
    int end = 0;
    tl_onnx *m = tl_onnx_new(a);
    bool *need = tl_new(a, bool, g->n);
    TL_NEW(m && need ? m : NULL);
    m->opset = TL_OPSET;
    for (int k = 0, i; (i = tl_graph_output_at(g, k)) >= 0; k++) {
        need[i] = true;
        end = i > end ? i : end;
    }
    for (int i = end; i >= 0; i--)
        for (int k = 0; need[i] && k < g->node[i].nx; k++) need[g->node[i].x[k]] = true;
    for (int i = 0; i <= end; i++) {
        const tl_node *d = &g->node[i];
        if (!need[i]) continue;
        tl_status s = d->nx ? add_node(m, g, d, half) : add_value(m, &m->input, d, batch, false);
        if (s) return tl_note(s, "writing '%s'", d->name);
    }
    for (int k = 0, i; (i = tl_graph_output_at(g, k)) >= 0; k++) {
        const tl_node *d = &g->node[i];
        TL_TRY(add_value(m, &m->output, d, batch, d->s.h == 1 && d->s.w == 1));
    }
    *out = m;
    return TL_OK;
}
