/* warp.c - maps of the plane, and pictures seen through them. SPDX-License-Identifier: MIT */
#include "image.h"
#include "kernel.h"
#include <math.h>

/* ---- Maps ---- */

tl_affine tl_affine_times(const tl_affine *a, const tl_affine *b)
{
    tl_affine p;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 2; j++)
            p.m[i][j] = a->m[i][0] * b->m[0][j] + a->m[i][1] * b->m[1][j] + (i == 2 ? b->m[2][j] : 0);
    return p;
}

bool tl_affine_inverse(const tl_affine *a, tl_affine *out)
{
    const double(*m)[2] = a->m, det = m[0][0] * m[1][1] - m[0][1] * m[1][0];
    if (!isnormal(det)) return false;
    *out = (tl_affine){ { { m[1][1] / det, -m[0][1] / det },
                          { -m[1][0] / det, m[0][0] / det },
                          { (m[1][0] * m[2][1] - m[1][1] * m[2][0]) / det,
                            (m[0][1] * m[2][0] - m[0][0] * m[2][1]) / det } } };
    return true;
}

/* ---- Pictures ---- */

void tl_image_warp(const tl_image *in, const tl_affine *back, const tl_finish *f, int w, int h, float *to)
{
    const tl_warping warping = { in->p, in->w, in->h, in->c, f->rows, f->order, f->mean, f->rstd };
    const double(*m)[2] = back->m;
    assert(!f->rows || in->c == 3);
    for (int y = 0; y < h; y++, to += (size_t)w * (size_t)in->c) {
        const double at_x = 0.5 * m[0][0] + (y + 0.5) * m[1][0] + m[2][0] - 0.5;
        const double at_y = 0.5 * m[0][1] + (y + 0.5) * m[1][1] + m[2][1] - 0.5;
        tl_kernel()->warp(&warping, at_x, at_y, m[0][0], m[0][1], (size_t)w, to);
    }
}

/* ---- Shrinking ---- */

/* How many pixels of the picture at least are between neighbors of the result, whatever the direction: the smaller singular
 * value. */
static double least_step(const tl_affine *a)
{
    const double(*m)[2] = a->m;
    const double squares = m[0][0] * m[0][0] + m[0][1] * m[0][1] + m[1][0] * m[1][0] + m[1][1] * m[1][1];
    const double det = m[0][0] * m[1][1] - m[0][1] * m[1][0];
    return sqrt(fmax(0, (squares - sqrt(fmax(0, squares * squares - 4 * det * det))) / 2));
}

tl_size tl_warp_least(const tl_affine *back, tl_size full)
{
    const double step = fmax(1, least_step(back) * (1 + 1e-9));
    return (tl_size){ (int)ceil(full.w / step), (int)ceil(full.h / step) };
}

/* A decoder rounds sizes up: 2 of 3 pixels are 3 halved. */
tl_affine tl_warp_reduced(const tl_affine *back, tl_size full, tl_size decoded)
{
    int by = 1;
    while (by < 8 && ((full.w + by - 1) / by > decoded.w || (full.h + by - 1) / by > decoded.h)) by *= 2;
    const tl_affine smaller = { { { 1.0 / by, 0 }, { 0, 1.0 / by }, { 0, 0 } } };
    return tl_affine_times(back, &smaller);
}
