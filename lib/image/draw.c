/* draw.c - boxes and plates on a picture, through cairo. SPDX-License-Identifier: MIT
 *
 * All lengths follow the picture's size. Boxes come first, then the plates, of which the first marks get the best places: each
 * is tried at several sides of its box and then further away, until it covers none of those before. In a crowd letters become
 * smaller, and a plate without a free place near its box is left out: the color still tells the class. */
#include "draw.h"
#include "text.h"
#include <cairo/cairo.h>
#include <math.h>
#include <string.h>

#define LINES    300  /* a picture is so many line widths in size, the geometric mean of its sides */
#define LETTERS  55   /* likewise, font sizes; a line of text takes about 1.2 */
#define SMALLEST 10   /* font size, pixels */
#define TINIEST  7    /* the same, where a text would not fit into the picture, or all plates together hide it */
#define CROWDED  0.25 /* the share of a picture that plates may hide */
#define PADDING  0.2  /* of a plate around its text, in font sizes */

typedef struct {
    const tl_image *m;
    cairo_t *cr;
    double line, font;
} canvas;

typedef struct { double x, y, w, h, font; } plate;

/* ---- Pixels, to and from cairo: 32 bits, red in bits 16 to 23 ---- */

static void to_surface(const tl_image *m, cairo_surface_t *s)
{
    unsigned char *row = cairo_image_surface_get_data(s);
    const uint8_t *p = m->p;
    for (int y = 0; y < m->h; y++, row += cairo_image_surface_get_stride(s))
        for (int x = 0; x < m->w; x++, p += m->c) {
            const uint32_t g = p[m->c == 3], b = p[m->c == 3 ? 2 : 0], v = (uint32_t)p[0] << 16 | g << 8 | b;
            memcpy(row + 4 * x, &v, sizeof v);
        }
    cairo_surface_mark_dirty(s);
}

static void from_surface(cairo_surface_t *s, tl_image *m)
{
    cairo_surface_flush(s);
    const unsigned char *row = cairo_image_surface_get_data(s);
    uint8_t *p = m->p;
    for (int y = 0; y < m->h; y++, row += cairo_image_surface_get_stride(s))
        for (int x = 0; x < m->w; x++, p += 3) {
            uint32_t v;
            memcpy(&v, row + 4 * x, sizeof v);
            p[0] = (uint8_t)(v >> 16), p[1] = (uint8_t)(v >> 8), p[2] = (uint8_t)v;
        }
}

/* ---- Colors ---- */

static void use(cairo_t *cr, tl_rgb c) { cairo_set_source_rgb(cr, c.r / 255.0, c.g / 255.0, c.b / 255.0); }

static double light(uint8_t v) { return pow(v / 255.0, 2.2); }

/* Black or white, whichever has more contrast: WCAG 2, where both are equal at a luminance of 0.179. */
static tl_rgb letters_on(tl_rgb c)
{
    const double luminance = 0.2126 * light(c.r) + 0.7152 * light(c.g) + 0.0722 * light(c.b);
    return luminance > 0.179 ? (tl_rgb){ 0, 0, 0 } : (tl_rgb){ 255, 255, 255 };
}

/* ---- Boxes ---- */

static double between(double v, double lo, double hi) { return fmin(fmax(v, lo), fmax(lo, hi)); }

/* The part of a box that is inside of the picture. */
static tl_box visible(const canvas *v, tl_box b)
{
    const double w = v->m->w, h = v->m->h, x1 = between((double)b.x1, 0, w), y1 = between((double)b.y1, 0, h);
    return (tl_box){ (float)x1, (float)y1, (float)between((double)b.x2, x1, w), (float)between((double)b.y2, y1, h) };
}

/* The line lies within the box as far as the picture ends there. Dark edges show it on a ground of its own color. */
static void draw_box(const canvas *v, const tl_mark *k)
{
    const tl_box b = visible(v, k->box);
    const double half = v->line / 2, x1 = fmax((double)b.x1, half), y1 = fmax((double)b.y1, half);
    const double x2 = fmax(x1, fmin((double)b.x2, v->m->w - half)), y2 = fmax(y1, fmin((double)b.y2, v->m->h - half));
    cairo_rectangle(v->cr, x1, y1, x2 - x1, y2 - y1);
    cairo_set_line_width(v->cr, v->line + fmax(1, v->line / 2));
    cairo_set_source_rgba(v->cr, 0, 0, 0, 0.5);
    cairo_stroke_preserve(v->cr);
    cairo_set_line_width(v->cr, v->line);
    use(v->cr, k->color);
    cairo_stroke(v->cr);
}

/* ---- Plates ---- */

static double overlap(const plate *p, const plate *q)
{
    const double w = fmin(p->x + p->w, q->x + q->w) - fmax(p->x, q->x), h = fmin(p->y + p->h, q->y + q->h) - fmax(p->y, q->y);
    return w > 0 && h > 0 ? w * h : 0;
}

static double text_width(const canvas *v, const char *text, double font)
{
    cairo_text_extents_t e;
    cairo_set_font_size(v->cr, font);
    cairo_text_extents(v->cr, text, &e);
    return e.x_advance;
}

static plate measure(const canvas *v, const char *text)
{
    plate p = { .font = v->font };
    const double most = v->m->w - 2 * PADDING * p.font, wide = text_width(v, text, p.font);
    cairo_font_extents_t e;
    if (wide > most) p.font = fmax(TINIEST, floor(p.font * most / wide));
    p.w = ceil(text_width(v, text, p.font) + 2 * PADDING * p.font);
    cairo_font_extents(v->cr, &e);
    p.h = ceil(e.ascent + e.descent);
    return p;
}

static bool is_free(const plate *p, const plate *before, int n)
{
    for (int i = 0; i < n; i++)
        if (overlap(p, &before[i]) > 0) return false;
    return true;
}

/* Put p where it covers none of the n before it. False: there is no such place. */
static bool place(const canvas *v, const tl_mark *k, const plate *before, int n, plate *p)
{
    enum { SIDES = 8, AWAY = 4 };
    const tl_box b = visible(v, k->box);
    const double half = v->line / 2, left = (double)b.x1 - half, right = (double)b.x2 + half, top = (double)b.y1, bottom = (double)b.y2;
    const double at[SIDES][2] = { { left, top - p->h }, { left, top }, { left, bottom }, { right - p->w, top - p->h },
                                  { right - p->w, bottom }, { left, bottom - p->h }, { right, top }, { left - p->w, top } };
    for (int i = top < p->h; i < SIDES + 2 * AWAY; i++) { /* pushed down from above it would hide the box's line */
        const int far = i - SIDES, steps = far / 2 + 1;
        p->x = between(i < SIDES ? at[i][0] : left, 0, v->m->w - p->w);
        p->y = between(i < SIDES ? at[i][1] : far % 2 ? top + steps * p->h : top - (1 + steps) * p->h, 0, v->m->h - p->h);
        if (is_free(p, before, n)) return true;
    }
    return false;
}

static void draw_plate(const canvas *v, const tl_mark *k, const char *text, const plate *p)
{
    cairo_font_extents_t e;
    cairo_rectangle(v->cr, floor(p->x), floor(p->y), p->w, p->h);
    use(v->cr, k->color);
    cairo_fill(v->cr);
    cairo_set_font_size(v->cr, p->font);
    cairo_font_extents(v->cr, &e);
    cairo_move_to(v->cr, floor(p->x) + round(PADDING * p->font), floor(p->y) + e.ascent);
    use(v->cr, letters_on(k->color));
    cairo_show_text(v->cr, text);
}

/* Cairo takes UTF-8 only; what else there is becomes question marks. */
static const char *printable(tl_arena *a, const char *text)
{
    if (!text || tl_utf8_valid(text, strlen(text))) return text;
    char *s = tl_strdup(a, text);
    for (char *c = s; c && *c; c++)
        if ((unsigned char)*c > 126) *c = '?';
    return s;
}

/* The font with which all plates together hide no more than they may. */
static void fit(canvas *v, const char *const *text, int n)
{
    double area = 0;
    for (int i = 0; i < n; i++) {
        const plate p = text[i] ? measure(v, text[i]) : (plate){ .w = 0 };
        area += p.w * p.h;
    }
    const double most = CROWDED * v->m->w * v->m->h;
    if (area > most) v->font = fmax(TINIEST, floor(v->font * sqrt(most / area)));
}

static tl_status draw_plates(tl_arena *a, canvas *v, const tl_mark *mark, int n)
{
    plate *placed = tl_new(a, plate, n);
    const char **text = tl_new(a, const char *, n);
    if (!placed || !text) return TL_ENOMEM;
    for (int i = 0; i < n; i++)
        if (mark[i].text && *mark[i].text) TL_NEW(text[i] = printable(a, mark[i].text));
    fit(v, text, n);
    for (int i = 0; i < n; i++) {
        if (!text[i]) continue;
        placed[i] = measure(v, text[i]);
        if (place(v, &mark[i], placed, i, &placed[i])) draw_plate(v, &mark[i], text[i], &placed[i]);
        else placed[i] = (plate){ .w = 0 };
    }
    return TL_OK;
}

/* ---- All of it ---- */

static void destroy_surface(void *s) { cairo_surface_destroy(s); }
static void destroy_context(void *cr) { cairo_destroy(cr); }

/* Not smoothed by the colors of a screen's pixels. */
static void gray_letters(cairo_t *cr)
{
    cairo_font_options_t *o = cairo_font_options_create();
    cairo_font_options_set_antialias(o, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(cr, o);
    cairo_font_options_destroy(o);
}

static tl_status refused(cairo_status_t s)
{
    if (s == CAIRO_STATUS_NO_MEMORY) return tl_fail(TL_ENOMEM, "out of memory");
    return s ? tl_fail(TL_EUNSUP, "cannot draw into the picture: %s", cairo_status_to_string(s)) : TL_OK;
}

tl_status tl_image_draw(tl_arena *a, const tl_image *in, const tl_mark *mark, int n, int line, tl_image *out)
{
    const double size = sqrt((double)in->w * in->h);
    cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, in->w, in->h);
    TL_TRY(tl_defer(a, destroy_surface, s));
    TL_TRY(refused(cairo_surface_status(s)));
    cairo_t *cr = cairo_create(s);
    TL_TRY(tl_defer(a, destroy_context, cr));
    canvas v = { in, cr, line > 0 ? line : fmax(1, round(size / LINES)), fmax(SMALLEST, round(size / LETTERS)) };
    to_surface(in, s);
    gray_letters(cr);
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    for (int i = n - 1; i >= 0; i--) draw_box(&v, &mark[i]);
    TL_TRY(draw_plates(a, &v, mark, n));
    TL_TRY(refused(cairo_status(cr)));
    TL_TRY(tl_image_new(a, in->w, in->h, 3, out));
    from_surface(s, out);
    return TL_OK;
}
