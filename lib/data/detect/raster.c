/* raster.c - draws labeled objects into DetectNet_v2's target grids. SPDX-License-Identifier: MIT
 *
 * An object covers an ellipse inside its box, for a network finds the middle of things more easily than their corners.
 * Sixteen points of each cell are tried. Objects are drawn by rising lower edge, that is, in traffic, from far to near:
 * a nearer one first clears its dead zone, then takes the cells of which it covers at least as much as what is there.
 * So far is what has been drawn, and nothing else needs to be remembered.
 *
 * Arithmetic is in float and in the order of the original's kernel (points are mapped to the unit circle of the dead
 * zone, and from there to that of the ellipse): a point on the very edge falls to the same side. */
#include "detect.h"
#include <math.h>
#include <stdlib.h>

/* One side's worth of an object, in cells. */
typedef struct { float center, half, cover, dead; } axis;

/* center, and half: from there to the nearest side of the box */
static axis axis_of(float lo, float hi, float center, float radius)
{
    float c = lo + center * (hi - lo), half = center < 0.5f ? c - lo : hi - c;
    return (axis){ c, half, fmaxf(radius * half, 0.1f), 0 };
}

/* Small ellipses grow until each radius is at least `least`, without changing their shape as long as that will do. */
static void grow(axis *x, axis *y, float least)
{
    if (x->cover < least) {
        y->cover = least * y->cover / x->cover;
        x->cover = least;
    }
    if (y->cover < least) {
        x->cover = least * x->cover / y->cover;
        y->cover = least;
    }
}

static void set_dead(axis *a, float deadzone)
{
    a->dead = fmaxf((float)(1 - (double)deadzone) * a->cover + deadzone * a->half, a->cover);
}

/* Shares of cell (px,py) inside the ellipse and inside the dead zone. */
static void shares(const axis *x, const axis *y, int px, int py, float *cover, float *dead)
{
    float ix = 1 / x->dead, iy = 1 / y->dead, ox = -x->center * ix, oy = -y->center * iy;
    float cx = 1 / (x->cover * ix), cy = 1 / (y->cover * iy);
    int in_cover = 0, in_dead = 0;
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 4; i++) {
            float u = ((float)px + 0.125f + 0.25f * (float)i) * ix + ox;
            float v = ((float)py + 0.125f + 0.25f * (float)j) * iy + oy;
            in_dead += u * u + v * v < 1;
            in_cover += (u * cx) * (u * cx) + (v * cy) * (v * cy) < 1;
        }
    *cover = (float)in_cover / 16;
    *dead = (float)in_dead / 16;
}

/* Distances from cell i's pixel to the sides lo and hi of a box. In a box without width the pixel is on the side. */
static void distances(float i, float stride, float lo, float hi, const tl_cells *g, float *to_lo, float *to_hi)
{
    float at = hi == lo ? lo : i * stride;
    *to_lo = (at + g->offset - lo) / g->scale;
    *to_hi = (hi - at - g->offset) / g->scale;
}

typedef struct {
    const tl_cells   *g;
    const tl_targets *to;
    tl_box            box;  /* pixels */
    axis              x, y;
    int               label;
} object;

static void draw_cell(const object *o, int px, int py)
{
    const tl_cells *g = o->g;
    size_t at = ((size_t)py * (size_t)g->w + (size_t)px) * (size_t)g->classes + (size_t)o->label;
    float cover, dead, *cov = &o->to->cov[at], *side = &o->to->bbox[4 * at];
    shares(&o->x, &o->y, px, py, &cover, &dead);
    if (dead > 0 && dead >= *cov) *cov = o->to->cov_norm[at] = side[0] = side[1] = side[2] = side[3] = 0;
    if (!(cover > 0 && cover >= *cov)) return;
    *cov = cover;
    o->to->cov_norm[at] = cover * (1 / fmaxf(o->x.cover * o->y.cover * 4, 1));
    distances((float)px, (float)g->in_w / (float)g->w, o->box.x1, o->box.x2, g, &side[0], &side[2]);
    distances((float)py, (float)g->in_h / (float)g->h, o->box.y1, o->box.y2, g, &side[1], &side[3]);
}

/* First and last of n cells that the dead zone can touch, with one to spare on each side for rounding. */
static int first_cell(const axis *a, int n) { return (int)fminf(fmaxf(floorf(a->center - a->dead) - 1, 0), (float)n); }
static int last_cell(const axis *a, int n) { return (int)fmaxf(fminf(a->center + a->dead + 1, (float)(n - 1)), -1); }

static void draw(const tl_cells *g, const tl_drawing *d, float deadzone, tl_box b, int label, const tl_targets *to)
{
    const float sx = (float)g->w / (float)g->in_w, sy = (float)g->h / (float)g->in_h;
    object o = { g, to, b, axis_of(b.x1 * sx, b.x2 * sx, d->center_x, d->radius_x),
                 axis_of(b.y1 * sy, b.y2 * sy, d->center_y, d->radius_y), label };
    grow(&o.x, &o.y, d->min_radius);
    set_dead(&o.x, deadzone);
    set_dead(&o.y, deadzone);
    for (int y = first_cell(&o.y, g->h); y <= last_cell(&o.y, g->h); y++)
        for (int x = first_cell(&o.x, g->w); x <= last_cell(&o.x, g->w); x++) draw_cell(&o, x, y);
}

typedef struct { float depth; int i; } place;

static int compare(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->depth < y->depth || x->depth > y->depth) return x->depth < y->depth ? -1 : 1;
    return (x->i > y->i) - (x->i < y->i);
}

/* The boxes by rising lower edge; those alike keep their order. */
static place *by_depth(tl_arena *a, const tl_box *box, int n)
{
    place *order = tl_new(a, place, n);
    if (!order) return NULL;
    for (int i = 0; i < n; i++) order[i] = (place){ box[i].y2, i };
    qsort(order, (size_t)n, sizeof *order, compare);
    return order;
}

tl_status tl_targets_new(tl_arena *a, const tl_cells *g, tl_targets *out)
{
    size_t n = (size_t)g->w * (size_t)g->h * (size_t)g->classes;
    TL_NEW(out->cov = tl_new(a, float, n));
    TL_NEW(out->cov_weight = tl_new(a, float, n));
    TL_NEW(out->bbox = tl_new(a, float, 4 * n));
    TL_NEW(out->cov_norm = tl_new(a, float, n));
    return TL_OK;
}

tl_status tl_targets_draw(const tl_cells *g, const tl_drawing *drawing, float deadzone, const tl_box *box,
                          const int *label, int n, tl_arena *a, const tl_targets *out)
{
    const size_t cells = (size_t)g->w * (size_t)g->h * (size_t)g->classes;
    place *order = by_depth(a, box, n);
    TL_NEW(order);
    for (size_t i = 0; i < cells; i++) out->cov[i] = out->cov_norm[i] = 0;
    for (size_t i = 0; i < 4 * cells; i++) out->bbox[i] = 0;
    for (int i = 0; i < n; i++) {
        int k = label[order[i].i];
        if (k >= 0 && k < g->classes) draw(g, &drawing[k], deadzone, box[order[i].i], k, out);
    }
    for (size_t i = 0; i < cells; i++) {
        float front = drawing[i % (size_t)g->classes].foreground_weight;
        out->cov_weight[i] = out->cov[i] > 0.5f ? front : 1 - front;
    }
    return TL_OK;
}
