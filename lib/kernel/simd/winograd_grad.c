/* winograd_grad.c - the gradient of a 3x3 convolution's filters. SPDX-License-Identifier: MIT
 *
 * By Winograd's method, see winograd.h:
 *
 *   V[part][plane][tile][ROWS]   windows of x of a block of tiles, transformed; parts of ROWS input channels
 *   Y[panel][plane][tile][NR]    the same tiles of dy; panels of NR output channels
 *   D[piece][plane][ROWS][NR] += V' * Y for each piece, a part and a panel; in the end transformed to dw
 *
 * A sum over tiles has to be cut the same way for any number of threads. Where D is small, there are
 * several, each for a chunk of the tiles and made by one thread, and in the end they are added up in order
 * (alone). Where D is large, there is one; threads transform a block together, then each takes pieces
 * (together). With but one block a piece is finished at once, and D need not be there whole: each thread
 * has room for a piece.
 *
 * db is one more row of the pieces of the first part: the sums of dy itself. */
#include "winograd.h"
#include <omp.h>

enum {
    ROWS = 64,
    ALONE_BLOCK = 40, TOGETHER_BLOCK = 256, /* tiles */
    MOST_CHUNKS = 16, LEAST_CHUNKS = 8,
    CHUNK_BYTES = 20 << 20,                 /* of all chunks' D */
    CHUNK_TILES = 32                        /* fewer are not worth a D of their own */
};

typedef struct {
    tl_shape xs, ys;
    int pad, threads;
    const tl_map *x, *dy;
    float *dw, *db;
    tiling tiles;
    size_t chunks, block, blocks; /* chunks 1: threads work together; tiles of a block; blocks of a chunk */
    size_t parts, panels, pieces;
    size_t ldv, v_plane, v_part, y_plane, y_panel, d_plane, d; /* floats */
    /* Scratch, in this order: zeros for what lies beyond the map; every D; V and Y, of each thread or all. */
    size_t zeros, sums, own;
} job;

static job job_of(const tl_wino *c)
{
    job j = { .xs = c->x, .ys = c->y, .pad = c->pad, .threads = c->threads, .tiles = tiles_of(c->y) };
    const size_t in = (size_t)c->x.c, out = (size_t)c->y.c;
    j.parts = (in + ROWS - 1) / ROWS;
    j.panels = (out + NR - 1) / NR;
    j.pieces = j.parts * j.panels;
    j.d_plane = odd(least(ROWS, round_up(in, TL_VEC)) * NR);
    j.d = PLANES * j.d_plane + NR;
    const size_t fit = CHUNK_BYTES / (j.pieces * j.d * sizeof(float));
    j.chunks = least(least(fit, j.tiles.all / CHUNK_TILES), MOST_CHUNKS);
    if (c->sharing ? c->sharing == TL_WINO_TOGETHER : j.chunks < LEAST_CHUNKS) j.chunks = 1;
    else if (c->sharing) j.chunks = LEAST_CHUNKS;
    const size_t most = c->block ? (size_t)c->block : j.chunks > 1 ? ALONE_BLOCK : TOGETHER_BLOCK;
    j.blocks = (j.tiles.all + most * j.chunks - 1) / (most * j.chunks);
    j.block = (j.tiles.all + j.blocks * j.chunks - 1) / (j.blocks * j.chunks);
    j.ldv = odd(least(ROWS, round_up(in, TL_VEC)));
    j.v_plane = odd(words(j.block) * j.ldv);
    j.v_part = PLANES * j.v_plane;
    j.y_plane = odd(words(j.block) * NR);
    j.y_panel = PLANES * j.y_plane;
    j.zeros = round_up(in, 16);
    j.sums = (j.chunks == 1 && j.blocks == 1 ? (size_t)j.threads : j.chunks * j.pieces) * j.d;
    j.own = j.parts * j.v_part + j.panels * j.y_panel;
    return j;
}

size_t TL_SIMD(wino_dw_scratch)(const tl_wino *c)
{
    const job j = job_of(c);
    return j.zeros + round_up(j.sums, 16) + j.own * (j.chunks > 1 ? (size_t)j.threads : 1);
}

/* ---- Tiles ---- */

/* The pixels of a tile of h x w, or of its window. */
typedef struct { int h, w; const tl_map *at[PLANES]; } patch;

/* Channels i.. of a tile, one vector. */
INLINE void spread_patch(const transform t, const patch *p, size_t i, size_t c, target to)
{
    if (i + TL_VEC <= c) spread(t, p->h, p->w, (source){ p->at, NULL, i, TL_VEC, TILE * c }, to);
    else
        spread(t, p->h, p->w, (source){ p->at, NULL, i, c - i, 0 }, to);
}

/* All c channels of the n tiles of a word (the depth of these products is tiles), in pieces of `width`, `piece` apart. */
INLINE void spread_pieces(const transform t, const size_t width, size_t n, const patch *p, size_t c, float *const *to, size_t piece)
{
    for (size_t i = 0; i < c; i += TL_VEC) {
        const size_t offset = i / width * piece + i % width;
#ifdef TL_BF16_PRODUCTS
        _Alignas(64) vec both[2][PLANES];
        for (size_t k = 0; k < 2; k++) {
            float *half[PLANES];
            plane_table((float *)both[k], TL_VEC, half);
            if (k >= n || p[k].h < TILE || p[k].w < TILE) memset(both[k], 0, sizeof both[k]); /* planes that it has not */
            if (k < n) spread_patch(t, &p[k], i, c, (target){ half, 0, false });
        }
        for (size_t k = 0; k < PLANES; k++) put(to[k] + offset, pair_lanes(both[0][k], both[1][k]));
#else
        (void)n;
        spread_patch(t, p, i, c, (target){ to, offset, false });
#endif
    }
}

/* Word `word` of the depth of a block's V and Y, whose tiles are first..end. */
static void spread_word(const job *j, size_t word, size_t first, size_t end, const float *zeros, float *v)
{
    const size_t i = first + word * PER_WORD, n = least(PER_WORD, end - i);
    float *y = v + j->parts * j->v_part, *to[PLANES];
    patch x[PER_WORD], dy[PER_WORD];
    for (size_t k = 0; k < n; k++) {
        const tile t = tile_at(&j->tiles, i + k);
        x[k].h = dy[k].h = t.h;
        x[k].w = dy[k].w = t.w;
        pixels(j->x, j->xs, t.n, t.y - j->pad, t.x - j->pad, t.h + 2, t.w + 2, zeros, x[k].at);
        pixels(j->dy, j->ys, t.n, t.y, t.x, t.h, t.w, zeros, dy[k].at);
    }
    plane_table(v + word * j->ldv, j->v_plane, to);
    spread_pieces(WINDOW, ROWS, n, x, (size_t)j->xs.c, to, j->v_part);
    plane_table(y + word * NR, j->y_plane, to);
    spread_pieces(GRADIENT, NR, n, dy, (size_t)j->ys.c, to, j->y_panel);
}

/* ---- Sums over a block ---- */

/* Input channels of a part. */
static size_t rows_of(const job *j, size_t part) { return least(ROWS, (size_t)j->xs.c - part * ROWS); }

/* sum (NR) += dy over the pixels of tiles first..end, channels o.. */
static void add_pixels(const job *j, size_t first, size_t end, size_t o, float *sum)
{
    const size_t c = (size_t)j->ys.c;
    for (size_t h = o; h < least(o + NR, c); h += TL_VEC, sum += TL_VEC) {
        vec s = at(sum);
        for (size_t i = first; i < end; i++) {
            const tile t = tile_at(&j->tiles, i);
            for (int y = t.y; y < t.y + t.h; y++)
                for (int x = t.x; x < t.x + t.w; x++) s += load_map(j->dy + pixel(j->ys, t.n, y, x) + h, c - h);
        }
        put(sum, s);
    }
}

/* What tiles first..end, whose V and Y are at v, add to a piece; or, `fresh`, what they are the first of. */
static void add_block(const job *j, size_t first, size_t end, size_t piece, bool fresh, const float *v,
                      float *d)
{
    const size_t part = piece / j->panels, panel = piece % j->panels, rows = rows_of(j, part);
    const float *y = v + j->parts * j->v_part + panel * j->y_panel;
    float *sum = d + PLANES * j->d_plane;
    v += part * j->v_part;
    for (size_t p = 0; p < PLANES; p++, d += j->d_plane) {
        const span s = tiles_in_plane(&j->tiles, (int)p, first, end);
        const size_t word = s.first / PER_WORD, depth = words(s.first + s.n) - word;
        const float *a = v + p * j->v_plane + word * j->ldv, *b = y + p * j->y_plane + word * NR;
        if (fresh) product_plane(rows, true, false, depth, a, j->ldv, b, d);
        else
            product_plane(rows, true, true, depth, a, j->ldv, b, d);
    }
    if (!j->db || part) return;
    if (fresh) memset(sum, 0, NR * sizeof *sum);
    add_pixels(j, first, end, panel * NR, sum);
}

static void sum_chunk(const job *j, size_t chunk, const float *zeros, float *v, float *d)
{
    for (size_t k = 0; k < j->blocks; k++) {
        const size_t b = chunk * j->blocks + k, first = least(b * j->block, j->tiles.all);
        const size_t end = least(first + j->block, j->tiles.all);
        for (size_t w = 0; w < words(end - first); w++) spread_word(j, w, first, end, zeros, v);
        for (size_t q = 0; q < j->pieces; q++) add_block(j, first, end, q, k == 0, v, d + q * j->d);
    }
}

/* ---- From sums to dw ---- */

/* The chunks' sums, in order, to the first. */
static void add_chunks(const job *j, float *d)
{
    const size_t n = j->pieces * j->d;
#pragma omp for
    for (size_t i = 0; i < n; i += TL_VEC) {
        vec sum = at(d + i);
        for (size_t c = 1; c < j->chunks; c++) sum += at(d + c * n + i);
        put(d + i, sum);
    }
}

/* Rows i.. (up to TL_VEC) of a piece, one vector of output channels: o.. of dw. */
static void filter_vector(const job *j, const float *d, size_t rows, size_t i, size_t o)
{
    _Alignas(64) vec taps[TAPS * TL_VEC];
    const size_t in = (size_t)j->xs.c, out = (size_t)j->ys.c, count = rows * TAPS;
    const float *from[PLANES];
    float *to[PLANES];
    for (size_t k = 0; k < PLANES; k++) from[k] = d + k * j->d_plane;
    for (size_t k = 0; k < TAPS; k++) to[k / 3 * SIDE + k % 3] = (float *)&taps[k];
    for (size_t r = 0; r < rows; r++) {
        const target row = { to, r * TAPS * TL_VEC, false };
        spread(FILTER_GRADIENT, TILE, TILE, (source){ NULL, from, r * NR, TL_VEC, 0 }, row);
    }
    for (size_t f = 0; f < count; f += TL_VEC) {
        transpose(taps + f);
        for (size_t l = 0; l < least(TL_VEC, out - o); l++)
            store(j->dw + ((o + l) * in + i) * TAPS + f, taps[f + l], count - f);
    }
}

/* The piece's part of dw and db: n rows from `row` on. */
static void finish_piece(const job *j, size_t piece, size_t row, size_t n, const float *d)
{
    const size_t part = piece / j->panels, o = piece % j->panels * NR, out = (size_t)j->ys.c;
    const size_t end = least(row + n, rows_of(j, part));
    for (size_t h = 0; h < NR && o + h < out; h += TL_VEC) {
        for (size_t r = row; r < end; r += TL_VEC)
            filter_vector(j, d + r * NR + h, least(TL_VEC, end - r), part * ROWS + r, o + h);
        if (j->db && part == 0 && row == 0) store(j->db + o + h, at(d + PLANES * j->d_plane + h), out - o - h);
    }
}

/* ---- All of it ---- */

static void run_alone(const job *j, const float *zeros, float *v, float *d)
{
#pragma omp for schedule(dynamic)
    for (size_t k = 0; k < j->chunks; k++)
        sum_chunk(j, k, zeros, v + (size_t)omp_get_thread_num() * j->own, d + k * j->pieces * j->d);
    add_chunks(j, d);
#pragma omp for collapse(2)
    for (size_t q = 0; q < j->pieces; q++)
        for (size_t row = 0; row < ROWS; row += TL_VEC) finish_piece(j, q, row, TL_VEC, d + q * j->d);
}

static void run_together(const job *j, const float *zeros, float *v, float *d)
{
    for (size_t b = 0; b < j->blocks; b++) {
        const size_t first = b * j->block, end = least(first + j->block, j->tiles.all);
#pragma omp for
        for (size_t w = 0; w < words(end - first); w++) spread_word(j, w, first, end, zeros, v);
#pragma omp for schedule(dynamic)
        for (size_t q = 0; q < j->pieces; q++) {
            float *piece = d + (j->blocks > 1 ? q : (size_t)omp_get_thread_num()) * j->d;
            add_block(j, first, end, q, b == 0, v, piece);
            if (b == j->blocks - 1) finish_piece(j, q, 0, ROWS, piece);
        }
    }
}

void TL_SIMD(wino_dw)(const tl_wino *c, const tl_map *x, const tl_map *dy, float *dw, float *db, float *scratch)
{
    job j = job_of(c);
    j.x = x;
    j.dy = dy;
    j.dw = dw;
    j.db = db;
    float *d = scratch + j.zeros, *v = d + round_up(j.sums, 16);
    memset(scratch, 0, j.zeros * sizeof *scratch);
#pragma omp parallel num_threads(j.threads)
    if (j.chunks > 1) run_alone(&j, scratch, v, d);
    else
        run_together(&j, scratch, v, d);
}
