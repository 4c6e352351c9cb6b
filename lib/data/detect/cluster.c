/* cluster.c - gathers the cells that saw the same object. SPDX-License-Identifier: MIT
 *
 * DBSCAN: Ester et al., "A density-based algorithm for discovering clusters in large spatial databases with noise", KDD
 * 1996, with weighted points as scikit-learn has them. A cell with enough coverage around it is a core; cores that are
 * neighbors, and whoever is a neighbor of theirs, are a cluster; the rest is noise. Distances are not kept but computed
 * again: memory grows with the cells and not with their square. */
#include "detect.h"
#include <math.h>
#include <stdlib.h>

/* ---- DBSCAN ---- */

static bool neighbors(const tl_cell_answer *a, const tl_cell_answer *b, float eps)
{
    double common = tl_box_intersection(a->box, b->box, TL_EDGES);
    double all = tl_box_union(a->box, b->box, TL_EDGES) + 1e-5; /* not zero for two empty boxes */
    return 1 - common / all <= (double)eps;
}

/* Coverage of each cell and its neighbors. */
static double *densities(tl_arena *a, const tl_cell_answer *const *cell, int n, float eps)
{
    double *d = tl_new(a, double, n);
    for (int i = 0; d && i < n; i++) {
        if (neighbors(cell[i], cell[i], eps)) d[i] += (double)cell[i]->cov;
        for (int j = 0; j < i; j++)
            if (neighbors(cell[i], cell[j], eps)) {
                d[i] += (double)cell[j]->cov;
                d[j] += (double)cell[i]->cov;
            }
    }
    return d;
}

/* of[i]: the cluster of cell i, -1: noise. A cell at the border of several belongs to the first. */
static tl_status dbscan(tl_arena *a, const tl_clustering *c, const tl_cell_answer *const *cell, int n, int *of,
                        int *clusters)
{
    const double least = c->min_samples > 1 ? c->min_samples : 1;
    const double *density = densities(a, cell, n, c->eps);
    int *open = tl_new(a, int, n), k = 0; /* cores whose neighbors are still to be visited */
    if (!density || !open) return TL_ENOMEM;
    for (int i = 0; i < n; i++) of[i] = -1;
    for (int i = 0; i < n; i++) {
        if (of[i] >= 0 || density[i] < least) continue;
        int top = 1;
        open[0] = i;
        of[i] = k;
        while (top) {
            int core = open[--top];
            for (int j = 0; j < n; j++) {
                if (of[j] >= 0 || !neighbors(cell[core], cell[j], c->eps)) continue;
                of[j] = k;
                if (density[j] >= least) open[top++] = j;
            }
        }
        k++;
    }
    *clusters = k;
    return TL_OK;
}

/* ---- From cells to detections ---- */

typedef struct {
    tl_arena            *a;
    const tl_clustering *c;
    int                  picture, label;
    tl_list             *out;
    int                  first; /* of this picture and class in out */
} task;

static bool high_enough(const task *t, tl_box b) { return b.y2 - b.y1 > t->c->min_height; }

/* Add one behind those with as high a score. */
static tl_status add(const task *t, tl_box box, float score, float coverage)
{
    TL_NEW(tl_add(t->a, t->out, tl_detection));
    tl_detection *d = t->out->at;
    int i = t->out->n - 1;
    for (; i > t->first && d[i - 1].score < score; i--) d[i] = d[i - 1];
    d[i] = (tl_detection){ t->picture, t->label, box, score, coverage };
    return TL_OK;
}

/* Sums over the cells of a cluster: of coverage, of coverage times sides. */
typedef struct { double cov, x1, y1, x2, y2; int n; } sums;

static void include(sums *s, const tl_cell_answer *cell)
{
    double w = (double)cell->cov;
    s->cov += w;
    s->x1 += w * (double)cell->box.x1;
    s->y1 += w * (double)cell->box.y1;
    s->x2 += w * (double)cell->box.x2;
    s->y2 += w * (double)cell->box.y2;
    s->n++;
}

static tl_box mean_box(const sums *s)
{
    return (tl_box){ (float)(s->x1 / s->cov), (float)(s->y1 / s->cov), (float)(s->x2 / s->cov),
                     (float)(s->y2 / s->cov) };
}

static bool good(const task *t, const sums *s)
{
    return high_enough(t, mean_box(s)) && (float)s->cov >= t->c->min_confidence;
}

/* Falling coverage; cells alike keep their order. */
static int compare(const void *a, const void *b)
{
    const tl_cell_answer *x = *(const tl_cell_answer *const *)a, *y = *(const tl_cell_answer *const *)b;
    if (x->cov < y->cov || x->cov > y->cov) return x->cov < y->cov ? 1 : -1;
    return (x > y) - (x < y);
}

float tl_nms_least(const tl_clustering *c) { return c->nms_confidence > c->coverage ? c->nms_confidence : c->coverage; }

/* Greedy non-maximum suppression. Changes the order of cell. */
static tl_status suppress(const task *t, const tl_cell_answer **cell, int n)
{
    int kept = 0;
    qsort(cell, (size_t)n, sizeof *cell, compare);
    for (int i = 0; i < n && cell[i]->cov > t->c->nms_confidence; i++) {
        int k = 0;
        if (!high_enough(t, cell[i]->box)) continue;
        while (k < kept && tl_box_iou(cell[k]->box, cell[i]->box, TL_PIXELS) <= (double)t->c->nms_iou) k++;
        if (k < kept) continue;
        cell[kept++] = cell[i];
        TL_TRY(add(t, cell[i]->box, cell[i]->cov, cell[i]->cov));
    }
    return TL_OK;
}

/* DBSCAN; then each good cluster is a detection or, with HYBRID, its cells go on to NMS. */
static tl_status gather(const task *t, const tl_cell_answer **cell, int n)
{
    int clusters, *of = tl_new(t->a, int, n), members = 0;
    TL_NEW(of);
    TL_TRY(dbscan(t->a, t->c, cell, n, of, &clusters));
    sums *s = tl_new(t->a, sums, clusters);
    TL_NEW(s);
    for (int i = 0; i < n; i++)
        if (of[i] >= 0) include(&s[of[i]], cell[i]);
    if (t->c->kind == TL_HYBRID) {
        for (int i = 0; i < n; i++)
            if (of[i] >= 0 && good(t, &s[of[i]])) cell[members++] = cell[i];
        return suppress(t, cell, members);
    }
    for (int k = 0; k < clusters; k++)
        if (good(t, &s[k])) TL_TRY(add(t, mean_box(&s[k]), (float)s[k].cov, (float)(s[k].cov / s[k].n)));
    return TL_OK;
}

tl_status tl_cluster(tl_arena *a, const tl_clustering *c, const tl_cell_answer *cell, int n, int picture, int label,
                     tl_list *out)
{
    const task t = { a, c, picture, label, out, out->n };
    const tl_cell_answer **some = tl_new(a, const tl_cell_answer *, n);
    int m = 0;
    TL_NEW(some);
    for (int i = 0; i < n; i++)
        if (cell[i].cov > c->coverage) some[m++] = &cell[i];
    return c->kind == TL_NMS ? suppress(&t, some, m) : gather(&t, some, m);
}

/* ---- From the network's outputs to cells ---- */

static float between(float v, float lo, float hi) { return fminf(fmaxf(v, lo), hi); }

tl_cell_answer tl_cells_answer(const tl_cells *g, const float *cov, const float *bbox, int x, int y, int label)
{
    const size_t at = ((size_t)y * (size_t)g->w + (size_t)x) * (size_t)g->classes + (size_t)label;
    const float *side = bbox + 4 * at, w = (float)g->in_w, h = (float)g->in_h;
    const float px = (float)x * (w / (float)g->w) + g->offset, py = (float)y * (h / (float)g->h) + g->offset;
    tl_box b = { between(px - g->scale * side[0], 0, w), between(py - g->scale * side[1], 0, h), 0, 0 };
    b.x2 = between(px + g->scale * side[2], b.x1, w);
    b.y2 = between(py + g->scale * side[3], b.y1, h);
    return (tl_cell_answer){ b, cov[at] };
}

tl_status tl_cells_detect(tl_arena *a, const tl_cells *g, const tl_clustering *c, const float *cov, const float *bbox,
                          int picture, tl_list *out)
{
    const int n = g->w * g->h;
    tl_cell_answer *cell = tl_new(a, tl_cell_answer, n);
    TL_NEW(cell);
    for (int k = 0; k < g->classes; k++) {
        for (int i = 0; i < n; i++) cell[i] = tl_cells_answer(g, cov, bbox, i % g->w, i / g->w, k);
        TL_TRY(tl_cluster(a, &c[k], cell, n, picture, k, out));
    }
    return TL_OK;
}
