/* winograd.c - 3x3 convolution and the gradient of its input. SPDX-License-Identifier: MIT
 *
 * What is computed is in winograd.h; here is in which order. Tiles are taken in blocks, output channels in
 * panels of NR:
 *
 *   V[plane][tile][in]           windows of a block of tiles, transformed, in words as they are multiplied
 *   U[panel][plane][in][NR]      filters
 *   M[plane][tile][NR] = V * U   of a block and a panel, 36 products; then the output's transform
 *
 * Where the filters of all panels fit a cache that all threads share, each thread takes blocks of its own
 * (alone): V and M stay in its second-level cache. Where filters are larger than maps, threads transform a
 * group of blocks together, then each takes panels, whose filters it makes itself when they are not kept
 * (together).
 *
 * The gradient of the input is the same convolution of dy with the filters turned by 180 degrees, in and
 * out exchanged, and 2 - pad zeros at the borders.
 *
 * An output is one sum over the input channels, in their order, however the work is cut. */
#include "winograd.h"
#include <omp.h>

enum {
    V_BYTES = 240 << 10,     /* of a block's V, when a thread is alone ... */
    LEAST = 24, MOST = 96,   /* ... but no fewer and no more tiles than that; products want many rows */
    FAIR = 4,                /* blocks come in such a number that 2 or 4 threads get the same share */
    TOGETHER = 48,           /* tiles of a block that is made together */
    SHARED_BYTES = 12 << 20, /* of filters that threads alone read again and again */
    GROUP_BYTES = 9 << 20    /* of V that threads make together */
};

typedef struct {
    tl_shape in, out;
    int pad, threads;
    bool turned;             /* filters: the gradient's */
    const tl_map *x;
    const float *w, *u;      /* u: kept filters, NULL: none */
    tl_map *y;
    tl_wino_end end;
    tiling tiles;
    bool alone;
    size_t block, blocks, group, panels;         /* tiles of a block; blocks in all and of a group */
    size_t ldv, v_plane, v, u_panel, m_plane, m; /* words of a row, a plane and all planes of V, U and M */
    /* Scratch, in this order: zeros for what lies beyond the map; V or U for all threads; each thread's own
     * U or V, and M. */
    size_t zeros, shared, own;
} job;

/* ---- Filters ---- */

static size_t panels_of(int out) { return ((size_t)out + NR - 1) / NR; }
static size_t filter_plane(int in) { return odd(words((size_t)in) * NR); }
static size_t filter_panel_size(int in) { return PLANES * filter_plane(in); }

/* to[f] = number f, of `count`, of each of n <= TL_VEC rows that are ld apart; rounded up to vectors. */
static void turn(const float *from, size_t ld, size_t n, size_t count, vec *to)
{
    for (size_t f = 0; f < count; f += TL_VEC) {
        vec rows[TL_VEC] = { { 0 } };
        for (size_t l = 0; l < n; l++) rows[l] = load(from + l * ld + f, count - f);
        transpose(rows);
        memcpy(to + f, rows, sizeof rows);
    }
}

/* Filters of one input channel, taps[k][lane]. */
static void spread_filter(const vec *taps, bool turned, target to)
{
    const float *from[PLANES];
    for (int k = 0; k < TAPS; k++) from[k / 3 * SIDE + k % 3] = (const float *)&taps[turned ? TAPS - 1 - k : k];
    spread(FILTER, TILE, TILE, (source){ NULL, from, 0, TL_VEC, 0 }, to);
}

/* Of n input channels from i on, to lanes h.. of a panel at u. */
static void spread_filters(const vec *taps, bool turned, size_t n, float *const *u, size_t i, size_t h)
{
#ifdef TL_BF16_PRODUCTS
    for (size_t k = 0; k < n; k += 2) {
        _Alignas(64) vec both[2][PLANES] = { 0 };
        for (size_t j = 0; j < 2 && k + j < n; j++) {
            float *to[PLANES];
            plane_table((float *)both[j], TL_VEC, to);
            spread_filter(taps + (k + j) * TAPS, turned, (target){ to, 0, false });
        }
        for (size_t p = 0; p < PLANES; p++) put(u[p] + (i + k) / 2 * NR + h, pair_lanes(both[0][p], both[1][p]));
    }
#else
    for (size_t k = 0; k < n; k++) spread_filter(taps + k * TAPS, turned, (target){ u, (i + k) * NR + h, false });
#endif
}

/* U's panel of output channels o..: from w (out,in,3,3), or when turned from w (in,out,3,3). */
static void filter_panel(const float *w, bool turned, size_t in, size_t out, size_t o, float *u)
{
    _Alignas(64) vec taps[TAPS * TL_VEC + TL_VEC];
    const size_t step = turned ? PER_WORD : TL_VEC;
    float *plane[PLANES];
    plane_table(u, filter_plane((int)in), plane);
    for (size_t h = 0; h < NR; h += TL_VEC) {
        const size_t n = o + h < out ? least(TL_VEC, out - o - h) : 0;
        for (size_t i = 0; i < in; i += step) {
            const size_t channels = least(step, in - i);
            if (!turned) turn(w + ((o + h) * in + i) * TAPS, in * TAPS, n, channels * TAPS, taps);
            for (size_t k = 0; turned && k < channels; k++)
                turn(w + ((i + k) * out + o + h) * TAPS, TAPS, n, TAPS, taps + k * TAPS);
            spread_filters(taps, turned, channels, plane, i, h);
        }
    }
}

size_t TL_SIMD(wino_filter_size)(int in, int out) { return panels_of(out) * filter_panel_size(in); }

void TL_SIMD(wino_filter)(const float *w, int in, int out, float *u)
{
#pragma omp parallel for
    for (size_t k = 0; k < panels_of(out); k++)
        filter_panel(w, false, (size_t)in, (size_t)out, k * NR, u + k * filter_panel_size(in));
}

/* ---- How the work is cut ---- */

static void cut_blocks(job *j, const tl_wino *c)
{
    const size_t row = PLANES * j->ldv * sizeof(float), filters = j->panels * j->u_panel * sizeof(float);
    j->alone = c->sharing ? c->sharing == TL_WINO_ALONE : filters <= SHARED_BYTES && j->tiles.all >= 4 * LEAST;
    size_t most = TOGETHER;
    if (j->alone) most = V_BYTES / row < LEAST ? LEAST : least(V_BYTES / row, MOST);
    if (c->block) most = (size_t)c->block;
    j->blocks = round_up((j->tiles.all + most - 1) / most, j->alone ? FAIR : 1);
    j->block = (j->tiles.all + j->blocks - 1) / j->blocks;
    j->blocks = (j->tiles.all + j->block - 1) / j->block;
    most = c->group ? (size_t)c->group : GROUP_BYTES / (row * j->block) + 1;
    const size_t groups = (j->blocks + most - 1) / most;
    j->group = j->alone ? 1 : (j->blocks + groups - 1) / groups;
}

static job job_of(const tl_wino *c, bool turned, bool kept)
{
    job j = { .in = turned ? c->y : c->x, .out = turned ? c->x : c->y, .pad = turned ? 2 - c->pad : c->pad,
              .threads = c->threads, .turned = turned, .end.act = TL_NO_ACT };
    j.tiles = tiles_of(j.out);
    j.panels = panels_of(j.out.c);
    j.ldv = odd(words(round_up((size_t)j.in.c, TL_VEC)));
    j.u_panel = filter_panel_size(j.in.c);
    cut_blocks(&j, c);
    j.v_plane = odd(j.block * j.ldv);
    j.v = PLANES * j.v_plane;
    j.m_plane = odd(j.block * NR);
    j.m = PLANES * j.m_plane;
    j.zeros = round_up((size_t)j.in.c, 16);
    j.shared = j.alone ? (kept ? 0 : j.panels * j.u_panel) : j.group * j.v;
    j.own = j.m + (j.alone ? j.v : kept ? 0 : j.u_panel);
    return j;
}

static size_t scratch_of(const job *j) { return j->zeros + j->shared + (size_t)j->threads * j->own; }

size_t TL_SIMD(wino_scratch)(const tl_wino *c, bool turned, bool kept)
{
    const job j = job_of(c, turned, kept);
    return scratch_of(&j);
}

int TL_SIMD(wino_parts)(const tl_wino *c) { return (int)job_of(c, false, false).blocks; }

/* ---- One tile of the input, one panel of the output ---- */

/* The window of tile i to row `row` of a block's V. */
static void spread_window(const job *j, size_t i, size_t row, const float *zeros, float *v)
{
    const tile t = tile_at(&j->tiles, i);
    const size_t c = (size_t)j->in.c;
    const tl_map *from[PLANES];
    float *to[PLANES];
    pixels(j->x, j->in, t.n, t.y - j->pad, t.x - j->pad, t.h + 2, t.w + 2, zeros, from);
    plane_table(v + row * j->ldv, j->v_plane, to);
    for (size_t k = 0; k < c; k += TL_VEC)
        if (k + TL_VEC <= c) spread(WINDOW, t.h, t.w, (source){ from, NULL, k, TL_VEC, TILE * c }, (target){ to, k, PAIRED });
        else
            spread(WINDOW, t.h, t.w, (source){ from, NULL, k, c - k, 0 }, (target){ to, k, PAIRED });
}

/* What a vector of output channels goes through on its way to y: one pixel at a time. */
typedef struct {
    size_t n, ld, c; /* channels that exist; numbers from row to row and from pixel to pixel of y */
    vec bias, near, sum, squares;
    bool add, act_on, summed;
    tl_act act;
} edge;

static edge edge_of(const job *j, size_t o)
{
    const tl_wino_end *end = &j->end;
    const size_t c = (size_t)j->out.c;
    edge e = { .n = c - o, .ld = (size_t)j->out.w * c, .c = c, .act = end->act };
    e.add = end->add;
    e.act_on = tl_act_on(end->act);
    e.summed = end->sums != NULL;
    if (end->bias) e.bias = load(end->bias + o, e.n);
    if (e.summed && end->sums->near) e.near = load(end->sums->near + o, e.n);
    return e;
}

INLINE void finish(edge *e, vec v, tl_map *y, size_t n)
{
    v += e->bias;
    if (e->add) v += load_map(y, n);
    if (e->act_on) v = activate_vec(v, e->act);
    store_map(y, v, n);
    if (!e->summed) return;
    const vec d = v - e->near;
    e->sum += d;
    e->squares += d * d;
}

INLINE void finish_rows(const int m, int rows, vec mid[SIDE][SIDE], edge *e, tl_map *y, size_t n)
{
    for (int i = 0; i < rows; i++, y += e->ld) {
        vec out[SIDE];
        line(OUTPUT, m, mid[i], out);
#pragma GCC unroll 4
        for (size_t k = 0; k < (size_t)m; k++) {
            __builtin_prefetch(y + (k + TILE) * e->c, 1);
            finish(e, out[k], y + k * e->c, n);
        }
    }
}

/* n channels of a tile of h x w: from M to y, where its first pixel lies. */
INLINE void gather(int h, int w, source from, edge *e, tl_map *y, size_t n)
{
    _Alignas(64) vec mid[SIDE][SIDE];
#define CASE(M) \
    case M: down(OUTPUT, M, w + 2, from, mid); break;
    EACH_SIZE(h, CASE)
#undef CASE
#define CASE(M) \
    case M: finish_rows(M, h, mid, e, y, n); break;
    EACH_SIZE(w, CASE)
#undef CASE
}

static void keep_sums(const job *j, const edge *e, size_t block, size_t o)
{
    float *part = j->end.sums->at + block * 2 * e->c + o;
    store(part, e->sum, e->n);
    store(part + e->c, e->squares, e->n);
}

/* From M to y: a block of n tiles from `first` on, output channels o.. of a panel. */
static void gather_panel(const job *j, size_t o, size_t first, size_t n, float *m)
{
    const int vectors = o + TL_VEC < (size_t)j->out.c ? 2 : 1;
    edge e[2] = { edge_of(j, o) };
    float *plane[PLANES];
    plane_table(m, j->m_plane, plane);
    if (vectors == 2) e[1] = edge_of(j, o + TL_VEC);
    for (size_t i = 0; i < n; i++) {
        const tile t = tile_at(&j->tiles, first + i);
        tl_map *y = j->y + pixel(j->out, t.n, t.y, t.x) + o;
        for (int h = 0; h < vectors; h++, y += TL_VEC) {
            const source from = { NULL, (const float *const *)plane, i * NR + (size_t)h * TL_VEC, TL_VEC, 0 };
            if (e[h].n >= TL_VEC) gather(t.h, t.w, from, &e[h], y, TL_VEC);
            else
                gather(t.h, t.w, from, &e[h], y, e[h].n);
        }
    }
    for (int h = 0; j->end.sums && h < vectors; h++)
        keep_sums(j, &e[h], first / j->block, o + (size_t)h * TL_VEC);
}

static void output_panel(const job *j, size_t block, size_t k, const float *u, const float *v, float *m)
{
    const size_t first = block * j->block, end = least(first + j->block, j->tiles.all);
    for (size_t p = 0; p < PLANES; p++) {
        const span rows = tiles_in_plane(&j->tiles, (int)p, first, end);
        product_plane(rows.n, false, false, words((size_t)j->in.c), v + p * j->v_plane + rows.first * j->ldv, j->ldv,
                      u + p * filter_plane(j->in.c), m + p * j->m_plane + rows.first * NR);
    }
    gather_panel(j, k * NR, first, end - first, m);
}

/* ---- All of it ---- */

static void make_panel(const job *j, size_t k, float *u)
{
    filter_panel(j->w, j->turned, (size_t)j->in.c, (size_t)j->out.c, k * NR, u);
}

static void run_alone(const job *j, const float *zeros, float *shared, float *own)
{
    const float *u = j->u ? j->u : shared;
    if (!j->u) {
#pragma omp for schedule(dynamic)
        for (size_t k = 0; k < j->panels; k++) make_panel(j, k, shared + k * j->u_panel);
    }
#pragma omp for schedule(dynamic)
    for (size_t b = 0; b < j->blocks; b++) {
        const size_t first = b * j->block, end = least(first + j->block, j->tiles.all);
        for (size_t i = first; i < end; i++) spread_window(j, i, i - first, zeros, own);
        for (size_t k = 0; k < j->panels; k++) output_panel(j, b, k, u + k * j->u_panel, own, own + j->v);
    }
}

/* Where filters are kept, blocks are shared out too: there may be more threads than panels. */
static void run_together(const job *j, const float *zeros, float *shared, float *own)
{
    float *m = own + (j->u ? 0 : j->u_panel);
    for (size_t b = 0; b < j->blocks; b += j->group) {
        const size_t first = b * j->block, n = least(j->group, j->blocks - b), at_once = j->u ? 1 : n;
#pragma omp for
        for (size_t i = first; i < least(first + n * j->block, j->tiles.all); i++)
            spread_window(j, i, (i - first) % j->block, zeros, shared + (i - first) / j->block * j->v);
#pragma omp for collapse(2) schedule(dynamic)
        for (size_t k = 0; k < j->panels; k++)
            for (size_t q = 0; q < n; q += at_once) {
                const float *u = j->u ? j->u + k * j->u_panel : own;
                if (!j->u) make_panel(j, k, own);
                for (size_t i = q; i < q + at_once; i++) output_panel(j, b + i, k, u, shared + i * j->v, m);
            }
    }
}

static void run(const job *j, float *scratch)
{
    memset(scratch, 0, j->zeros * sizeof *scratch);
#pragma omp parallel num_threads(j->threads)
    {
        float *shared = scratch + j->zeros, *own = shared + j->shared + (size_t)omp_get_thread_num() * j->own;
        if (j->alone) run_alone(j, scratch, shared, own);
        else
            run_together(j, scratch, shared, own);
    }
}

void TL_SIMD(wino)(const tl_wino *c, const tl_map *x, const float *w, const float *u, const tl_wino_end *end,
                   tl_map *y, float *scratch)
{
    job j = job_of(c, false, u != NULL);
    j.x = x;
    j.w = w;
    j.u = u;
    j.end = *end;
    j.y = y;
    run(&j, scratch);
}

void TL_SIMD(wino_dx)(const tl_wino *c, const tl_map *dy, const float *w, tl_map *dx, float *scratch)
{
    job j = job_of(c, true, false);
    j.x = dy;
    j.w = w;
    j.y = dx;
    run(&j, scratch);
}
