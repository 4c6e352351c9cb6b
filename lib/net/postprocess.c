/* postprocess.c - from cells to objects in operators of ONNX. SPDX-License-Identifier: MIT
 *
 * Nodes are rows of tables, names of values their columns; a leading + stands for the name of a group. Every class has boxes of its
 * own, while NonMaxSuppression shares boxes among classes, so to the operator classes are further pictures: N, C, cells become
 * N * C, 1, cells. It has one threshold for overlaps, so classes with the same threshold are a group, which mostly is all of them. */
#include "postprocess.h"
#include <string.h>

#define P "detect." /* before all names, so that they are nobody else's */

enum { NONE = -9 }; /* no axis */
typedef struct { const char *op, *in[3], *out; int axis; } step;

/* C: classes, S: cells. */
static const step decode[] = {
    { "Reshape", { "bbox", "to_sides" }, "sides", NONE },               /* N,C,4,S: left, top, right, bottom */
    { "Mul", { "sides", "scale" }, "offsets", NONE },
    { "Add", { "offsets", "points" }, "corners", NONE },
    { "Gather", { "corners", "first_two" }, "upper", 2 },               /* N,C,2,S */
    { "Gather", { "corners", "last_two" }, "lower", 2 },
    { "Max", { "upper", "zero" }, "upper_some", NONE },                 /* cut at the picture's border, as tl_cells_answer does */
    { "Min", { "upper_some", "border" }, "upper_cut", NONE },
    { "Max", { "lower", "upper_cut" }, "lower_some", NONE },
    { "Min", { "lower_some", "border" }, "lower_cut", NONE },
    { "Concat", { "upper_cut", "lower_cut" }, "box_rows", 2 },          /* N,C,4,S */
    { "Transpose", { "box_rows" }, "boxes", NONE },                     /* N,C,S,4 */
    { "Sub", { "lower_cut", "upper_cut" }, "extents", NONE },
    { "Gather", { "extents", "one" }, "heights", 2 },                   /* N,C,S */
    { "Greater", { "heights", "min_height" }, "high", NONE },
    { "Reshape", { "cov", "to_scores" }, "coverage", NONE },            /* N,C,S */
    { "Greater", { "coverage", "threshold" }, "sure", NONE },
    { "And", { "high", "sure" }, "good", NONE },
    { "Where", { "good", "coverage", "never" }, "scores", NONE },
    { "Add", { "boxes", "pixel" }, "inclusive", NONE },                 /* the last pixel is inside, for IoU: TL_PIXELS */
};
static const step select_group[] = { /* only where there are several */
    { "Gather", { "inclusive", "+classes" }, "+boxes", 1 },
    { "Gather", { "scores", "+classes" }, "+scores", 1 },
};
static const step suppress[] = {
    { "Reshape", { "+boxes", "to_nms_boxes" }, "+nms_boxes", NONE },    /* N*C,S,4 */
    { "Reshape", { "+scores", "to_nms_scores" }, "+nms_scores", NONE }, /* N*C,1,S */
    { "NonMaxSuppression", { "+nms_boxes", "+nms_scores" }, "+found", NONE }, /* K,3: row of N*C, 0, cell */
    { "Gather", { "+found", "zero_index" }, "+row", 1 },
    { "Gather", { "+found", "two" }, "+cell", 1 },
    { "Div", { "+row", "+count" }, "+picture", NONE },
    { "Mod", { "+row", "+count" }, "+place", NONE },
    { "Gather", { "+classes", "+place" }, "+class", 0 },
};
static const step finish[] = {
    { "Mul", { "pictures", "count" }, "first_row", NONE },
    { "Add", { "first_row", "classes" }, "row", NONE },
    { "Mul", { "row", "cells" }, "first_cell", NONE },
    { "Add", { "first_cell", "cell" }, "at", NONE },
    { "Reshape", { "boxes", "to_list" }, "box_list", NONE },            /* N*C*S,4 */
    { "Reshape", { "scores", "all" }, "score_list", NONE },
    { "Gather", { "box_list", "at" }, "out_boxes", 0 },
    { "Gather", { "score_list", "at" }, "out_scores", 0 },
};

/* Values whose names are not made by us, or are for users. */
typedef struct { const char *ours, *name; } alias;
typedef struct {
    tl_onnx             *m;
    const tl_cells      *g;
    const tl_clustering *c;
    alias                alias[8]; /* the last two: where a group of all classes finds its boxes and scores */
    int                  group;
} builder;

/* The value's name in the file. */
static const char *name_of(const builder *b, const char *ours)
{
    for (int i = 0; i < TL_LEN(b->alias); i++)
        if (!strcmp(ours, b->alias[i].ours)) return b->alias[i].name;
    return *ours == '+' ? tl_printf(b->m->arena, P "%d.%s", b->group, ours + 1) : tl_printf(b->m->arena, P "%s", ours);
}

/* ---- Constants ---- */

static tl_status floats(const builder *b, const char *ours, int rank, const int64_t *dim, const float *v)
{
    const char *name = name_of(b, ours);
    TL_NEW(name);
    return tl_onnx_add_init(b->m, name, TL_ONNX_FLOAT, rank, dim, v);
}

static tl_status ints(const builder *b, const char *ours, int n, const int64_t *v)
{
    const int64_t dim = n ? n : 1; /* n 0: a scalar */
    int64_t *own = tl_new(b->m->arena, int64_t, dim);
    const char *name = name_of(b, ours);
    TL_NEW(name && own ? own : NULL);
    memcpy(own, v, (size_t)dim * sizeof *v);
    return tl_onnx_add_init(b->m, name, TL_ONNX_INT64, n ? 1 : 0, &dim, own);
}

static tl_status shapes(const builder *b)
{
    const int64_t classes = b->g->classes, cells = (int64_t)b->g->w * b->g->h;
    TL_TRY(ints(b, "to_sides", 4, (int64_t[]){ 0, classes, 4, cells }));
    TL_TRY(ints(b, "to_scores", 3, (int64_t[]){ 0, classes, cells }));
    TL_TRY(ints(b, "to_nms_boxes", 3, (int64_t[]){ -1, cells, 4 }));
    TL_TRY(ints(b, "to_nms_scores", 3, (int64_t[]){ -1, 1, cells }));
    TL_TRY(ints(b, "to_list", 2, (int64_t[]){ -1, 4 }));
    TL_TRY(ints(b, "all", 1, (int64_t[]){ -1 }));
    TL_TRY(ints(b, "first_two", 2, (int64_t[]){ 0, 1 }));
    TL_TRY(ints(b, "last_two", 2, (int64_t[]){ 2, 3 }));
    TL_TRY(ints(b, "zero_index", 0, (int64_t[]){ 0 }));
    TL_TRY(ints(b, "one", 0, (int64_t[]){ 1 }));
    TL_TRY(ints(b, "two", 0, (int64_t[]){ 2 }));
    TL_TRY(ints(b, "count", 1, &classes));
    TL_TRY(ints(b, "cells", 1, &cells));
    return ints(b, "most", 1, &cells);
}

/* points: 4 x cells, the pixel that each cell stands for, as x, y, x, y. */
static tl_status points(const builder *b, float *at)
{
    const tl_cells *g = b->g;
    const int64_t cells = (int64_t)g->w * g->h;
    for (int64_t i = 0; i < cells; i++) {
        at[i] = at[2 * cells + i] = (float)(i % g->w) * ((float)g->in_w / (float)g->w) + g->offset;
        at[cells + i] = at[3 * cells + i] = (float)(i / g->w) * ((float)g->in_h / (float)g->h) + g->offset;
    }
    return floats(b, "points", 4, (int64_t[]){ 1, 1, 4, cells }, at);
}

static tl_status numbers(const builder *b)
{
    static const float zero[1] = { 0 }, never[1] = { -1 }, pixel[4] = { 0, 0, 1, 1 };
    const tl_cells *g = b->g;
    const int64_t classes = g->classes, cells = (int64_t)g->w * g->h;
    float *at = tl_new(b->m->arena, float, 4 * cells + 2 * classes + 6), *least = at + 4 * cells, *high = least + classes,
          *scale = high + classes, *border = scale + 4;
    TL_NEW(at);
    for (int64_t k = 0; k < classes; k++) {
        const tl_clustering *c = &b->c[k];
        least[k] = tl_nms_least(c);
        if (least[k] < 0) least[k] = 0;
        high[k] = c->min_height;
    }
    for (int i = 0; i < 4; i++) scale[i] = i < 2 ? -g->scale : g->scale;
    border[0] = (float)g->in_w;
    border[1] = (float)g->in_h;
    TL_TRY(points(b, at));
    TL_TRY(floats(b, "threshold", 2, (int64_t[]){ classes, 1 }, least));
    TL_TRY(floats(b, "min_height", 2, (int64_t[]){ classes, 1 }, high));
    TL_TRY(floats(b, "scale", 4, (int64_t[]){ 1, 1, 4, 1 }, scale));
    TL_TRY(floats(b, "border", 4, (int64_t[]){ 1, 1, 2, 1 }, border));
    TL_TRY(floats(b, "zero", 1, (int64_t[]){ 1 }, zero));
    TL_TRY(floats(b, "never", 1, (int64_t[]){ 1 }, never));
    return floats(b, "pixel", 1, (int64_t[]){ 4 }, pixel);
}

/* ---- Nodes ---- */

static tl_status put(const builder *b, const step *s)
{
    const char *in[6] = { NULL }, *out[2] = { name_of(b, s->out), NULL };
    int n = 0;
    TL_NEW(out[0]);
    for (; n < TL_LEN(s->in) && s->in[n]; n++) TL_NEW(in[n] = name_of(b, s->in[n]));
    if (!strcmp(s->op, "NonMaxSuppression")) {
        const char *const more[] = { "most", "+overlap", "zero" }; /* how many at most; thresholds of IoU and score */
        for (int i = 0; i < TL_LEN(more); i++) TL_NEW(in[n++] = name_of(b, more[i]));
    }
    tl_onnx_node *node = tl_onnx_add(b->m, s->op, out[0], in, out);
    TL_NEW(node);
    if (!strcmp(s->op, "Transpose")) TL_TRY(tl_onnx_set_ints(b->m, node, "perm", 4, (int64_t[]){ 0, 1, 3, 2 }));
    return s->axis == NONE ? TL_OK : tl_onnx_set_int(b->m, node, "axis", s->axis);
}

static tl_status put_all(const builder *b, const step *s, int n)
{
    for (int i = 0; i < n; i++) TL_TRY(put(b, &s[i]));
    return TL_OK;
}

/* The classes from first on that share its threshold; those before it have been in groups. */
static tl_status put_group(builder *b, int first, bool *done)
{
    const int n = b->g->classes;
    int64_t *member = tl_new(b->m->arena, int64_t, n), members = 0;
    float *overlap = tl_new(b->m->arena, float, 1);
    TL_NEW(member && overlap ? member : NULL);
    *overlap = b->c[first].nms_iou;
    for (int k = first; k < n; k++)
        if (!done[k] && b->c[k].nms_iou == b->c[first].nms_iou) done[k] = true, member[members++] = k;
    TL_TRY(ints(b, "+classes", (int)members, member));
    TL_TRY(ints(b, "+count", 1, &members));
    TL_TRY(floats(b, "+overlap", 1, (int64_t[]){ 1 }, overlap));
    if (members < n) TL_TRY(put_all(b, select_group, TL_LEN(select_group)));
    else {
        b->alias[6] = (alias){ "+boxes", P "inclusive" };
        b->alias[7] = (alias){ "+scores", P "scores" };
    }
    return put_all(b, suppress, TL_LEN(suppress));
}

/* One after another, what the groups found. */
static tl_status join(builder *b, const char *part, const char *whole)
{
    const int groups = b->group;
    const char **in = tl_new(b->m->arena, const char *, groups + 1), *out[2] = { name_of(b, whole), NULL };
    TL_NEW(in && out[0] ? in : NULL);
    for (b->group = 0; b->group < groups; b->group++) TL_NEW(in[b->group] = name_of(b, part));
    tl_onnx_node *node = tl_onnx_add(b->m, "Concat", out[0], in, out);
    TL_NEW(node);
    return tl_onnx_set_int(b->m, node, "axis", 0);
}

/* ---- All ---- */

static bool is_output(const tl_onnx *m, const char *name)
{
    const tl_onnx_value *v = m->output.at;
    for (int i = 0; i < m->output.n; i++)
        if (!strcmp(v[i].name, name)) return true;
    return false;
}

static tl_status put_outputs(tl_onnx *m)
{
    const int64_t many[2] = { TL_ONNX_MANY, 4 };
    m->output = (tl_list){ 0, NULL };
    TL_TRY(tl_onnx_add_value(m, &m->output, "boxes", TL_ONNX_FLOAT, 2, many));
    TL_TRY(tl_onnx_add_value(m, &m->output, "scores", TL_ONNX_FLOAT, 1, many));
    TL_TRY(tl_onnx_add_value(m, &m->output, "classes", TL_ONNX_INT64, 1, many));
    return tl_onnx_add_value(m, &m->output, "pictures", TL_ONNX_INT64, 1, many);
}

tl_status tl_detect_postprocess(tl_onnx *m, const char *cov, const char *bbox, const tl_cells *g, const tl_clustering *c)
{
    builder b = { m, g, c, { { "cov", cov }, { "bbox", bbox }, { "out_boxes", "boxes" }, { "out_scores", "scores" },
                             { "classes", "classes" }, { "pictures", "pictures" }, { "", NULL }, { "", NULL } }, 0 };
    TL_CHECK(is_output(m, cov) && is_output(m, bbox), TL_EARG, "the model has no outputs '%s' and '%s'", cov, bbox);
    bool *done = tl_new(m->arena, bool, g->classes);
    TL_NEW(done);
    TL_TRY(shapes(&b));
    TL_TRY(numbers(&b));
    TL_TRY(put_all(&b, decode, TL_LEN(decode)));
    for (int k = 0; k < g->classes; k++)
        if (!done[k]) {
            TL_TRY(put_group(&b, k, done));
            b.group++;
        }
    TL_TRY(join(&b, "+picture", "pictures"));
    TL_TRY(join(&b, "+class", "classes"));
    TL_TRY(join(&b, "+cell", "cell"));
    TL_TRY(put_all(&b, finish, TL_LEN(finish)));
    return put_outputs(m);
}
