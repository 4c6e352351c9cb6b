/* links.h - a convolution beside batch norms, in double: what test_pointwise and test_depthwise compare with.
 * SPDX-License-Identifier: MIT */
#ifndef LINKS_H
#define LINKS_H
#include "isa.h"

/* Visits every product of the convolution once: y[y] += x[x] * w[w]. */
typedef void products(const void *shape, void (*term)(void *ctx, size_t y, size_t x, size_t w), void *ctx);

typedef struct {
    size_t nx, ny, nw, in, out;   /* numbers in x, y and w; channels of x and y */
    bool read, undo;              /* x is read through a batch norm; dy is */
    float *x, *dy, *z, *w, *near; /* z: of undone; near: of y */
    tl_map *xm, *dym;             /* x and dy as maps */
    tl_bn_read through;
    tl_bn_undo undone;
    float *mean;                  /* of x, near which dx's second sums are taken */
    double *y0, *dx0, *dw0, *sums0, *dx_sums0;
} linked;

typedef struct { const double *x, *dy; double *y, *dx, *dw; const float *w; } linked_run;

static inline double passed(double z, tl_act f)
{
    double y = z > 0 ? z : (double)f.slope * z;
    return y > (double)f.max ? (double)f.max : y;
}

static inline double passes_on(double z, tl_act f) { return z >= (double)f.max ? 0 : z > 0 ? 1 : (double)f.slope; }

static inline void term(void *ctx, size_t y, size_t x, size_t w)
{
    linked_run *r = ctx;
    r->y[y] += r->x[x] * (double)r->w[w];
    r->dx[x] += r->dy[y] * (double)r->w[w];
    r->dw[w] += r->dy[y] * r->x[x];
}

/* Move what is read at a kink, or within rounding of it. */
static inline tl_map *map_off_kinks(float *x, size_t n, size_t c, tl_bn_read f)
{
    for (;;) {
        tl_map *m = map_of(x, n);
        size_t moved = 0;
        for (size_t i = 0; i < n; i++) {
            double z = (double)x[i] * (double)f.a[i % c] + (double)f.b[i % c];
            if (fabs(z) >= 1e-3 && fabs(z - (double)f.act.max) >= 1e-3) continue;
            x[i] *= 1.01f;
            moved++;
        }
        if (!moved) return m;
    }
}

/* Random numbers, means far from zero. */
static inline linked linked_new(size_t nx, size_t ny, size_t nw, int in, int out, tl_act act, bool read, bool undo)
{
    linked l = { nx, ny, nw, (size_t)in, (size_t)out, read, undo, draw(nx, 9, 11), draw(ny, -1, 1), draw(ny, 9, 11),
                 draw(nw, -1, 1), draw((size_t)out, -1, 1), .mean = draw((size_t)in, 9, 11) };
    const tl_bn_read gate = { draw(l.out, 0.5f, 1.5f), draw(l.out, -12, -8), read ? TL_NO_ACT : act }; /* with one, and without */
    l.through = (tl_bn_read){ draw(l.in, 0.5f, 1.5f), draw(l.in, -12, -8), act };
    l.xm = map_off_kinks(l.x, nx, l.in, l.through);
    l.dym = map_of(l.dy, ny);
    l.undone = (tl_bn_undo){ map_off_kinks(l.z, ny, l.out, gate), draw(l.out, 9, 11), draw(l.out, 0.5f, 1),
                             draw(l.out, -1, 1), draw(l.out, -1, 1), gate };
    l.y0 = tl_new(arena, double, ny);
    l.dx0 = tl_new(arena, double, nx);
    l.dw0 = tl_new(arena, double, nw);
    l.sums0 = tl_new(arena, double, 2 * l.out);
    l.dx_sums0 = tl_new(arena, double, 2 * l.in);
    return l;
}

static inline void linked_solve(linked *l, products *each, const void *shape)
{
    double *x = tl_new(arena, double, l->nx), *dy = tl_new(arena, double, l->ny);
    for (size_t i = 0; i < l->nx; i++) {
        double z = (double)l->x[i] * (double)l->through.a[i % l->in] + (double)l->through.b[i % l->in];
        x[i] = l->read ? passed(z, l->through.act) : (double)l->x[i];
    }
    for (size_t i = 0; i < l->ny; i++) {
        size_t c = i % l->out;
        double d = (double)l->z[i] - (double)l->undone.mean[c];
        dy[i] = (double)l->dy[i];
        const double gate = (double)l->z[i] * (double)l->undone.gate.a[c] + (double)l->undone.gate.b[c];
        if (!l->undo) continue;
        dy[i] = dy[i] * passes_on(gate, l->undone.gate.act) * (double)l->undone.k0[c] + d * (double)l->undone.k1[c] +
                (double)l->undone.k2[c];
    }
    each(shape, term, &(linked_run){ x, dy, l->y0, l->dx0, l->dw0, l->w });
    for (size_t i = 0; i < l->ny; i++) {
        double d = l->y0[i] - (double)l->near[i % l->out];
        l->sums0[i % l->out] += d;
        l->sums0[l->out + i % l->out] += d * d;
    }
    for (size_t i = 0; l->read && i < l->nx; i++) {
        size_t c = i % l->in;
        l->dx0[i] *= passes_on((double)l->x[i] * (double)l->through.a[c] + (double)l->through.b[c], l->through.act);
        l->dx_sums0[c] += l->dx0[i];
        l->dx_sums0[l->in + c] += l->dx0[i] * ((double)l->x[i] - (double)l->mean[c]);
    }
}

/* The parts that a kernel made, added up by the kernel for that, against the reference. */
static inline void expect_sums(const char *what, const tl_sums *s, int c, const double *want, double tolerance)
{
    double *total = tl_new(arena, double, 2 * c);
    float *got = room(2 * (size_t)c);
    k->sums_total(s, c, total);
    for (int i = 0; i < 2 * c; i++) got[i] = (float)total[i];
    expect(what, got, want, (size_t)c, tolerance);
    expect(what, got + c, want + c, (size_t)c, tolerance);
}
#endif
