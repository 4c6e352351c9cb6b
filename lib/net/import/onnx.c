/* onnx.c - a network in ONNX form, of any producer. SPDX-License-Identifier: MIT */
#include "import.h"
#include <string.h>

/* The first field is the IR version, a small number, and what follows it is no text of zeros (which a safetensors
 * file of a very short header would have here). */
static bool knows(tl_bytes f)
{
    static const uint8_t zeros[4];
    return f.n > 8 && f.p[0] == 0x08 && f.p[1] > 0 && f.p[1] < 64 && f.p[2] && memcmp(f.p + 4, zeros, sizeof zeros);
}

/* Other programs' classifiers often end in scores: the answer is their softmax. A network that ends in a map is a
 * trunk, unless it is a detector of ours. */
static tl_status complete(tl_model *m)
{
    const tl_node *last = &m->g->node[m->answer.i];
    if (last->op == &tl_op_softmax || tl_model_is_trunk(m) || m->head->stride16) return TL_OK;
    m->raw = m->answer;
    if (last->s.h * last->s.w == 1) {
        m->answer = OP(m->g, tl_name(m->g, "%s/Softmax", last->name), softmax, IN(m->raw), 0);
        TL_TRY(m->g->status);
        tl_graph_give(m->g, m->answer);
    } else {
        m->classes.n = 0;
    }
    return TL_OK;
}

/* Is the value never below zero? */
static bool positive(const tl_graph *g, int i)
{
    const tl_node *d = &g->node[i];
    if (d->op->is_act) return ((const tl_relu *)d->attr)->slope == 0.0f;
    bool keeps =
        d->op == &tl_op_maxpool || d->op == &tl_op_avgpool || d->op == &tl_op_concat || d->op->passes_when_inferring;
    for (int k = 0; keeps && k < d->nx; k++) keeps = positive(g, d->x[k]);
    return keeps;
}

/* ONNX takes no account of what lies outside a map when it looks for the largest value; our zeros there are the same
 * after a ReLU. */
static tl_status check_pools(const tl_graph *g)
{
    for (int i = 0; i < g->n; i++) {
        const tl_node *d = &g->node[i];
        const tl_maxpool *p = d->attr;
        TL_CHECK(d->op != &tl_op_maxpool || !(p->pad + p->extra) || positive(g, d->x[0]), TL_EUNSUP,
                 "'%s' (MaxPool): padding is supported only where values are not negative, as after a ReLU", d->name);
    }
    return TL_OK;
}

static tl_status read(tl_arena *a, const char *path, tl_bytes file, tl_foreign *out)
{
    tl_onnx *o;
    const char *slash = strrchr(path, '/'), *folder = slash ? tl_strndup(a, path, (size_t)(slash + 1 - path)) : ".";
    TL_NEW(folder);
    TL_TRY(tl_onnx_parse_beside(a, file, out->beside ? folder : NULL, &o));
    TL_TRY(tl_model_from_onnx(a, o, &out->model));
    TL_TRY(check_pools(out->model->g));
    return complete(out->model);
}

const tl_importer tl_importer_onnx = {
    .name = "onnx",
    .brief = "a network, of tlc's own making or another program's",
    .ends = ".onnx",
    .knows = knows,
    .read = read,
};
