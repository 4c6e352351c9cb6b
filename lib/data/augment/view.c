/* view.c - one map and one change of colors a picture. SPDX-License-Identifier: MIT
 *
 * The map is built backwards, from the network's pixels to the picture's: each further change of the picture is multiplied
 * from the left, as the original does. */
#include "augment.h"
#include "view.h"
#include <math.h>

void tl_view_conf_from(const tl_detect_augmentation *spec, tl_view_conf *out)
{
    const tl_preprocessing *p = spec->preprocessing;
    const tl_spatial_augmentation *s = spec->spatial_augmentation;
    const tl_color_augmentation *c = spec->color_augmentation;
    *out = (tl_view_conf){
        .w = p->output_image_width, .h = p->output_image_height, .stretch = p->enable_auto_resize,
        .least = p->output_image_min, .most = p->output_image_max, .scale_w = p->scale_width, .scale_h = p->scale_height,
        .crop_l = p->crop_left, .crop_t = p->crop_top, .crop_r = p->crop_right, .crop_b = p->crop_bottom,
        .min_box_w = p->min_bbox_width, .min_box_h = p->min_bbox_height,
        .hflip = s->hflip_probability, .vflip = s->vflip_probability,
        .move_x = (int)s->translate_max_x, .move_y = (int)s->translate_max_y,
        .zoom_min = s->zoom_min, .zoom_max = s->zoom_max, .turn = s->rotate_rad_max, .turn_probability = s->rotate_probability,
        .brightness = c->color_shift_stddev, .hue = c->hue_rotation_max, .saturation = c->saturation_shift_max,
        .contrast = c->contrast_scale_max, .center = c->contrast_center,
    };
}

/* ---- The map ---- */

/* The picture is changed so that what is at p then was at p * (x, y scaled) + (left, top) before. */
static void change(tl_view *v, double xx, double xy, double yx, double yy, double left, double top)
{
    const tl_affine step = { { { xx, xy }, { yx, yy }, { left, top } } };
    v->back = tl_affine_times(&step, &v->back);
}

static void scale(tl_view *v, double x, double y) { change(v, 1 / x, 0, 0, 1 / y, 0, 0); }

/* How much output_image_min and _max shrink or enlarge the picture. */
static double fit(const tl_view_conf *c, tl_size picture)
{
    const int lesser = picture.w < picture.h ? picture.w : picture.h, larger = picture.w + picture.h - lesser;
    const double by = (double)c->least / lesser, most = c->most ? (double)c->most / larger : by;
    return by < most ? by : most;
}

static void fixed(const tl_view_conf *c, tl_size picture, tl_view *v)
{
    *v = (tl_view){ picture, { c->w, c->h }, c->min_box_w, c->min_box_h, { { { 1, 0 }, { 0, 1 }, { 0, 0 } } }, .recolored = false };
    if (c->least) scale(v, fit(c, picture), fit(c, picture));
    else if (c->stretch) scale(v, (double)c->w / picture.w, (double)c->h / picture.h);
    scale(v, c->scale_w > 0 ? (double)c->scale_w : 1, c->scale_h > 0 ? (double)c->scale_h : 1);
    change(v, 1, 0, 0, 1, c->crop_l, c->crop_t);
}

static void mirror(tl_view *v, bool x, bool y)
{
    change(v, x ? -1 : 1, 0, 0, y ? -1 : 1, x ? v->out.w : 0, y ? v->out.h : 0);
}

/* The smaller picture lies anywhere in the frame, or the frame anywhere in the larger picture. */
static void zoom(tl_view *v, double by, double across, double down)
{
    const double left = across * (v->out.w - v->out.w / by), top = down * (v->out.h - v->out.h / by);
    change(v, by, 0, 0, by, -left * by, -top * by);
}

static void turn(tl_view *v, double angle)
{
    const double c = cos(angle), s = sin(angle), w = v->out.w / 2.0, h = v->out.h / 2.0;
    change(v, c, s, -s, c, h * s - w * c + w, h - h * c - w * s);
}

static int within(tl_rng *r, int most) { return tl_rng_below(r, 2 * most + 1) - most; }

/* As many numbers whatever the configuration, so that switching one change on leaves the others as they were. */
static void draw_map(const tl_view_conf *c, tl_rng *r, tl_view *v)
{
    const bool x = tl_uniform(r) < c->hflip, y = tl_uniform(r) < c->vflip;
    mirror(v, x, y);
    const int left = within(r, c->move_x), top = within(r, c->move_y);
    change(v, 1, 0, 0, 1, left, top);
    const float by = tl_uniform_in(r, c->zoom_min, c->zoom_max), across = tl_uniform(r), down = tl_uniform(r);
    if (by > 0) zoom(v, (double)by, (double)across, (double)down);
    const float chance = tl_uniform(r), angle = tl_uniform_in(r, -c->turn, c->turn);
    if (chance < c->turn_probability) turn(v, (double)angle);
}

static void close_map(tl_view *v)
{
    const bool can = tl_affine_inverse(&v->back, &v->there);
    assert(can);
    (void)can;
}

/* ---- Colors ---- */

static void draw_colors(const tl_view_conf *c, tl_rng *r, tl_view *v)
{
    tl_color_change by = { .center = c->center };
    by.brightness = c->brightness * tl_truncated_normal(r);
    by.degrees = c->hue / 2 * tl_truncated_normal(r);
    by.saturation = 1 + tl_uniform_in(r, -c->saturation, c->saturation);
    by.contrast = 1 + c->contrast / 2 * tl_truncated_normal(r);
    v->recolored = c->brightness > 0 || c->hue > 0 || c->saturation > 0 || c->contrast > 0;
    tl_color_rows(&by, v->rows);
}

/* ---- Views ---- */

void tl_view_plain(const tl_view_conf *c, tl_size picture, tl_view *out)
{
    fixed(c, picture, out);
    close_map(out);
}

void tl_view_draw(const tl_view_conf *c, tl_size picture, uint64_t seed, uint64_t epoch, uint64_t sample, tl_view *out)
{
    tl_rng map = tl_rng_at(seed, epoch, sample, TL_DRAW_VIEW), colors = tl_rng_at(seed, epoch, sample, TL_DRAW_COLOR);
    fixed(c, picture, out);
    draw_map(c, &map, out);
    draw_colors(c, &colors, out);
    close_map(out);
}

void tl_view_render(const tl_view *v, const tl_image *m, const tl_norm *n, float *x)
{
    const tl_affine back = tl_warp_reduced(&v->back, v->picture, (tl_size){ m->w, m->h });
    const tl_finish finish = { v->recolored && m->c == 3 ? v->rows : NULL, n->order, n->mean, n->rstd };
    tl_image_warp(m, &back, &finish, v->out.w, v->out.h, x);
}

tl_size tl_view_least(const tl_view *v) { return tl_warp_least(&v->back, v->picture); }

/* ---- Boxes ---- */

/* The box around where the map takes a box's corners: extremes of sums are sums of extremes. */
static tl_box mapped(const tl_affine *a, tl_box b)
{
    const double from[2][2] = { { (double)b.x1, (double)b.y1 }, { (double)b.x2, (double)b.y2 } };
    double lo[2], hi[2];
    for (int j = 0; j < 2; j++) {
        lo[j] = hi[j] = a->m[2][j];
        for (int i = 0; i < 2; i++) {
            const double one = from[0][i] * a->m[i][j], other = from[1][i] * a->m[i][j];
            lo[j] += fmin(one, other);
            hi[j] += fmax(one, other);
        }
    }
    return (tl_box){ (float)lo[0], (float)lo[1], (float)hi[0], (float)hi[1] };
}

static tl_box cut(tl_box b, tl_size frame)
{
    const float w = (float)frame.w, h = (float)frame.h;
    return (tl_box){ fminf(fmaxf(b.x1, 0), w), fminf(fmaxf(b.y1, 0), h), fminf(fmaxf(b.x2, 0), w), fminf(fmaxf(b.y2, 0), h) };
}

bool tl_view_box(const tl_view *v, tl_box in_picture, tl_box *in_network)
{
    const tl_box b = cut(mapped(&v->there, in_picture), v->out);
    const float w = b.x2 - b.x1, h = b.y2 - b.y1;
    *in_network = b;
    return w > 0 && h > 0 && w >= v->min_box_w && h >= v->min_box_h;
}

tl_box tl_view_box_back(const tl_view *v, tl_box in_network) { return cut(mapped(&v->back, in_network), v->picture); }
