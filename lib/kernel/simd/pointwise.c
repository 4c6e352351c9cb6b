/* pointwise.c - 1x1 convolution of a training step, with the work of batch norms beside it. SPDX-License-Identifier: MIT
 *
 * On maps of m pixels (rows) it is a matrix product, x (m x in) * w' = y (m x out), and backward two: dx = dy * w and dw = dy' * x.
 * Where channels are few, memory is the limit, not arithmetic. So blocks of rows small enough for the second-level cache
 * are taken through everything that is to be done with them: read through the batch norm before (or the gradient through
 * the one after), multiplied, and summed for a batch norm while the results are in registers; backward makes both products from
 * one reading of x and dy. What is multiplied in pairs of bf16 (product.h) are rows as they lie, but for dw, whose depth is rows, two
 * of them must be woven into one. Where maps are bf16 and products of floats, blocks are widened.
 *
 * Rows are cut into parts, which are what threads take. Sums and dw are made per part and added in order. How many parts there
 * are depends on the shape alone. */
#include "product.h"
#include "through.h"
#include <omp.h>

enum { BLOCK = 49152, MOST_ROWS = 24 * MR, PARTS = 64, GRAD_PARTS = 16, MANY_WEIGHTS = 160 << 10 };
enum { PAGE = 1024, GAP = 16 }; /* words */

static size_t clamp(size_t n, size_t low, size_t high) { return n < low ? low : least(n, high); }

/* Rows of a block: a number of words that the second-level cache holds together with a panel of weights. Where it does not hold dw
 * anyway, more: dw is read and written with each block. */
static size_t block_rows(size_t in, size_t out)
{
    return clamp(BLOCK * PER_WORD * (in * out > MANY_WEIGHTS ? 4 : 1) / (in > out ? in : out) / MR, 2, MOST_ROWS / MR) * MR;
}

static size_t forward_parts(size_t m) { return clamp(m / (4 * MR), 1, PARTS); }

/* Each part has a dw of its own: writing and adding them up shall not cost more than a quarter of reading the maps, but a few
 * there must be, for threads. */
static size_t grad_parts(size_t m, size_t in, size_t out)
{
    return least(clamp(m * (in + out) / (4 * in * out), 4, GRAD_PARTS), clamp(m / MR, 1, GRAD_PARTS));
}

static size_t first_row(size_t m, size_t part, size_t parts) { return part == parts ? m : m * part / parts / MR * MR; }

/* ---- Weights in panels of NR columns: [columns/NR][depth][NR] words, zeros where there is none ---- */

static size_t packed(size_t depth, size_t columns) { return round_up(columns, NR) * words(depth); }

/* Panels of w' (depth: in, columns: out). Rows of w are read in pieces, and written across. */
static void pack_forward(const float *w, size_t in, size_t out, float *to)
{
#pragma omp parallel for if (in * out > SERIAL_BELOW)
    for (size_t o = 0; o < out; o += NR) {
        float *panel = to + o * words(in);
        if (out - o < NR || in % PER_WORD) memset(panel, 0, words(in) * NR * sizeof *panel);
        for (size_t i = 0; i < in; i += NR)
            for (size_t j = 0; j < least(NR, out - o); j++)
                for (size_t k = i; k < least(i + NR, in); k++)
                    put_number(panel, (k / PER_WORD * NR + j) * PER_WORD + k % PER_WORD, w[(o + j) * in + k]);
    }
}

/* Panels of w (depth: out, columns: in). */
static void pack_backward(const float *w, size_t in, size_t out, float *to)
{
#pragma omp parallel for if (in * out > SERIAL_BELOW)
    for (size_t i = 0; i < in; i += NR)
        for (size_t o = 0; o < out; o += PER_WORD)
            for (size_t j = i; j < i + NR; j += TL_VEC) {
                float *word = to + i * words(out) + o / PER_WORD * NR + (j - i);
                vec v[2] = { { 0 } };
                for (size_t k = 0; k < least(PER_WORD, out - o) && j < in; k++) v[k] = load(w + (o + k) * in + j, in - j);
                put(word, pair_lanes(v[0], v[1]));
            }
}

/* ---- A panel of columns of a block of rows ---- */

/* Rows that the next block needs are asked for while this one is computed: a few lines with each tile. */
enum { STREAMS = 3 };
typedef struct {
    const char *at[STREAMS], *end[STREAMS];
    size_t step; /* lines of each stream with a tile */
} ahead;

static void ask(ahead *f, int stream, const tl_map *rows, size_t numbers, size_t tiles)
{
    const size_t lines = (numbers * sizeof *rows + 63) / 64;
    f->at[stream] = (const char *)rows;
    f->end[stream] = f->at[stream] + lines * 64;
    if (lines / tiles + 1 > f->step) f->step = lines / tiles + 1;
}

INLINE void fetch(ahead *f)
{
    for (int i = 0; i < STREAMS; i++)
        for (size_t k = 0; k < f->step && f->at[i] < f->end[i]; k++, f->at[i] += 64) __builtin_prefetch(f->at[i], 0, 2);
}

/* What becomes of the products besides being stored, and what was summed. */
typedef struct {
    const tl_map *z;         /* the input of the batch norm that gates them, c numbers a row; NULL: none */
    const tl_bn_read *read;
    const tl_sums *sums;     /* NULL: none */
    float *part;             /* this part's 2 x c sums */
    size_t c;
    bool past;               /* the caches */
    ahead *next;
} finish;

/* The same for one panel: vectors of n channels. */
typedef struct {
    size_t n;
    const tl_map *z;
    bool gated, summed, past;
    tl_act act;
    vec a[2], b[2], near[2], s[2], q[2];
} edge;

static edge edge_of(const finish *f, size_t column)
{
    edge e = { .n = f->c - column, .gated = f->z != NULL, .summed = f->sums != NULL, .past = f->past };
    for (int j = 0; j < 2 && e.n > (size_t)j * TL_VEC; j++) {
        const size_t at_column = column + (size_t)j * TL_VEC, n = f->c - at_column;
        if (e.gated) {
            e.a[j] = load(f->read->a + at_column, n);
            e.b[j] = load(f->read->b + at_column, n);
            e.act = f->read->act;
        }
        if (!e.summed) continue;
        e.near[j] = load(f->sums->near + at_column, n);
        e.s[j] = load(f->part + at_column, n);
        e.q[j] = load(f->part + f->c + at_column, n);
    }
    if (e.gated) e.z = f->z + column;
    return e;
}

static void keep_sums(const finish *f, const edge *e, size_t column)
{
    for (int j = 0; e->summed && j < 2 && e->n > (size_t)j * TL_VEC; j++) {
        const size_t at_column = column + (size_t)j * TL_VEC, n = f->c - at_column;
        store(f->part + at_column, e->s[j], n);
        store(f->part + f->c + at_column, e->q[j], n);
    }
}

INLINE void tile(const int rows, const int nv, size_t depth, const float *a, size_t lda, const float *b, tl_map *y, size_t c,
                 edge *e)
{
    vec sum[MR][2] = { { { 0 } } };
    product(PAIRED, rows, nv, depth, a, lda, 1, b, NR, sum);
#pragma GCC unroll 2
    for (int j = 0; j < nv; j++) {
        const size_t n = e->n - (size_t)j * TL_VEC;
        const vec a_z = e->a[j], b_z = e->b[j], near = e->near[j];
        vec s[2] = { e->s[j] }, q[2] = { e->q[j] }; /* of even and odd rows: half as long a chain of additions */
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            vec v = sum[r][j];
            if (e->gated) {
                vec z = load_map(e->z + (size_t)r * c + j * TL_VEC, n);
                v = gate_vec(z * a_z + b_z, v, e->act);
                s[r % 2] += v;
                q[r % 2] += v * (z - near);
            } else if (e->summed) {
                vec d = v - near;
                s[r % 2] += d;
                q[r % 2] += d * d;
            }
            write_map(y + (size_t)r * c + j * TL_VEC, v, n, e->past);
        }
        e->s[j] = s[0] + s[1];
        e->q[j] = q[0] + q[1];
    }
    if (e->gated) e->z += (size_t)rows * c;
}

/* y (m x c) of columns column.. of a block = a (m x depth words) * panel. Few heights of tiles: what finishes them is long. */
static void panel(size_t m, size_t depth, const float *a, size_t lda, const float *b, size_t column, tl_map *y, const finish *f)
{
    edge e = edge_of(f, column);
    for (size_t r = 0, rows; r < m; r += rows) {
        const float *from = a + r * lda;
        tl_map *to = y + r * f->c + column;
        rows = m - r >= MR ? MR : m - r >= MR / 2 ? MR / 2 : m - r >= 2 ? 2 : 1;
        fetch(f->next);
#define CASE(R) \
    case R: \
        if (e.n > TL_VEC) tile(R, 2, depth, from, lda, b, to, f->c, &e); \
        else \
            tile(R, 1, depth, from, lda, b, to, f->c, &e); \
        break;
        switch (rows) { CASE(MR) CASE(MR / 2) CASE(2) CASE(1) }
#undef CASE
    }
    keep_sums(f, &e, column);
}

/* ---- Forward ---- */

size_t TL_SIMD(pw_parts)(size_t m, int in, int out, bool grad)
{
    return grad ? grad_parts(m, (size_t)in, (size_t)out) : forward_parts(m);
}

/* A block of n rows, *ld words apart: where they lie, if they are words that can be multiplied, need not be `even`, whole vectors apart, and do not
 * compete for the same few lines of the first-level cache, as rows of 4 KiB do; otherwise at `to`, through a batch norm or not. */
static const float *block_of(const tl_map *x, size_t n, size_t c, const tl_bn_read *read, bool even, float *to, size_t *ld)
{
    const size_t whole = round_up(c, TL_VEC);
    *ld = c / PER_WORD;
    if (WORDS_ARE_MAPS && !read && c % PER_WORD == 0 && !(even && whole != c) && *ld % PAGE) return (const void *)x;
    *ld = whole / PER_WORD | GAP;
    if (read) read_rows(x, n, c, *read, PAIRED, to, *ld);
    else
        copy_rows(x, n, c, PAIRED, to, *ld);
    return to;
}

/* Of one thread: a block of x, and backward one of dy; in pairs it is half as large, and again as large when woven. */
static size_t block_floats(size_t in, size_t out) { return block_rows(in, out) * (round_up(in, TL_VEC) + 2 * GAP); }

size_t TL_SIMD(pw_scratch)(size_t m, int in, int out, bool grad)
{
    const size_t i = (size_t)in, o = (size_t)out, threads = (size_t)omp_get_max_threads();
    if (!grad) return round_up(packed(i, o), 16) + threads * block_floats(i, o);
    return round_up(packed(o, i), 16) + grad_parts(m, i, o) * o * round_up(i, TL_VEC) +
           threads * (block_floats(i, o) + block_floats(o, i));
}

static size_t tiles(size_t rows, size_t columns) { return (rows + MR - 1) / MR * ((columns + NR - 1) / NR); }

static finish finish_part(size_t c, const tl_sums *sums, size_t part, bool past, ahead *next)
{
    finish f = { .c = c, .sums = sums, .past = past, .next = next };
    if (!sums) return f;
    f.part = sums->at + part * 2 * c;
    memset(f.part, 0, 2 * c * sizeof *f.part);
    return f;
}

void TL_SIMD(pw)(const tl_map *x, size_t m, int in, int out, const float *w, const tl_bn_read *read, const tl_sums *sums,
                 tl_map *y, float *scratch)
{
    const size_t c = (size_t)in, o = (size_t)out, parts = forward_parts(m), most = block_rows(c, o);
    const bool past = goes_past(y, m * o, o);
    float *panels = scratch, *blocks = scratch + round_up(packed(c, o), 16);
    pack_forward(w, c, o, panels);
#pragma omp parallel for schedule(dynamic) if (m * (c + o) > SERIAL_BELOW)
    for (size_t p = 0; p < parts; p++) {
        float *block = blocks + (size_t)omp_get_thread_num() * block_floats(c, o);
        ahead next = { 0 };
        const finish f = finish_part(o, sums, p, past, &next);
        const size_t end = first_row(m, p + 1, parts);
        for (size_t r = first_row(m, p, parts), n, ld; r < end; r += n) {
            n = least(most, end - r);
            ask(&next, 0, x + (r + n) * c, least(most, end - r - n) * c, tiles(n, o));
            const float *rows = block_of(x + r * c, n, c, read, false, block, &ld);
            for (size_t k = 0; k < o; k += NR) panel(n, words(c), rows, ld, panels + k * words(c), k, y + r * o, &f);
        }
    }
}

/* ---- Backward ---- */

INLINE void outer_tile(const int rows, const int nv, size_t m, const float *dy, size_t ldy, const float *x, size_t ldx, float *dw,
                       size_t c)
{
    vec sum[MR][2];
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int j = 0; j < nv; j++) sum[r][j] = at(dw + (size_t)r * c + j * TL_VEC);
    product(PAIRED, rows, nv, m, dy, 1, ldy, x, ldx, sum);
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int j = 0; j < nv; j++) put(dw + (size_t)r * c + j * TL_VEC, sum[r][j]);
}

/* The n rows of a block, which are *ld words apart, as what dw is made of: words of neighbors in depth, which are rows. */
static const float *woven(const float *rows, size_t n, size_t c, size_t *ld, float *to)
{
#ifdef TL_BF16_PRODUCTS
    const size_t apart = *ld * PER_WORD;
    const tl_map *from = (const void *)rows;
    *ld = round_up(c, TL_VEC);
    for (size_t r = 0; r < n; r += 2)
        for (size_t i = 0; i < c; i += TL_VEC) {
            const vec first = load_map(from + r * apart + i, c - i);
            const vec second = r + 1 < n ? load_map(from + (r + 1) * apart + i, c - i) : (vec){ 0 };
            put(to + r / 2 * *ld + i, pair_lanes(first, second));
        }
    return to;
#else
    (void)n, (void)c, (void)ld, (void)to;
    return rows;
#endif
}

/* dw (out x c) += dy' * x over the m words in depth of a block. */
static void outer(size_t m, const float *dy, size_t ldy, size_t out, const float *x, size_t ldx, size_t c, float *dw)
{
    const size_t parts = (out + MR - 1) / MR;
    for (size_t i = 0; i < c; i += NR)
        for (size_t k = 0; k < parts; k++) {
            const size_t o = out * k / parts, rows = out * (k + 1) / parts - o;
            float *to = dw + o * c + i;
#define CASE(R) \
    case R: \
        if (c - i > TL_VEC) outer_tile(R, 2, m, dy + o, ldy, x + i, ldx, to, c); \
        else \
            outer_tile(R, 1, m, dy + o, ldy, x + i, ldx, to, c); \
        break;
            EACH_HEIGHT(rows, CASE)
#undef CASE
        }
}

static void sum_parts(const float *from, size_t parts, size_t out, size_t in, size_t ld, float *dw)
{
#pragma omp parallel for if (parts * out * in > SERIAL_BELOW)
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i += TL_VEC) {
            vec sum = { 0 };
            for (size_t p = 0; p < parts; p++) sum += at(from + (p * out + o) * ld + i);
            store(dw + o * in + i, sum, in - i);
        }
}

void TL_SIMD(pw_grad)(const tl_map *x, const tl_map *dy, size_t m, int in, int out, const float *w, const tl_bn_read *read,
                      const tl_sums *sums, const tl_bn_undo *undo, tl_map *dx, float *dw, float *scratch)
{
    const size_t c = (size_t)in, o = (size_t)out, parts = grad_parts(m, c, o), most = block_rows(c, o), whole = round_up(c, TL_VEC);
    const bool past = goes_past(dx, m * c, c);
    float *panels = scratch, *dws = panels + round_up(packed(o, c), 16), *blocks = dws + parts * o * whole;
    pack_backward(w, c, o, panels);
#pragma omp parallel for schedule(dynamic) if (m * (c + o) > SERIAL_BELOW)
    for (size_t p = 0; p < parts; p++) {
        float *xs = blocks + (size_t)omp_get_thread_num() * (block_floats(c, o) + block_floats(o, c)), *dys = xs + block_floats(c, o);
        float *own = dws + p * o * whole, *xs_woven = xs + block_floats(c, o) / 2, *dys_woven = dys + block_floats(o, c) / 2;
        ahead next = { 0 };
        finish f = finish_part(c, read ? sums : NULL, p, past, &next);
        const size_t end = first_row(m, p + 1, parts);
        memset(own, 0, o * whole * sizeof *own);
        for (size_t r = first_row(m, p, parts), n, ld, ldy; r < end; r += n) {
            n = least(most, end - r);
            const tl_map *b = x + r * c, *a = dy + r * o;
            const size_t more = least(most, end - r - n);
            ask(&next, 0, b + n * c, more * c, tiles(n, c));
            ask(&next, 1, a + n * o, more * o, tiles(n, c));
            if (undo) ask(&next, 2, undo->z + (r + n) * o, more * o, tiles(n, c));
            const float *rows = block_of(b, n, c, read, !PAIRED, xs, &ld);
            const float *grads = undo ? dys : block_of(a, n, o, NULL, false, dys, &ldy);
            if (undo) undo_rows(a, undo->z + r * o, n, o, *undo, PAIRED, dys, ldy = round_up(o, TL_VEC) / PER_WORD);
            size_t ldw = ldy;
            const float *as = woven(grads, n, o, &ldw, dys_woven), *bs = woven(rows, n, c, &ld, xs_woven);
            outer(words(n), as, ldw, o, bs, ld, whole, own);
            if (read) f.z = b, f.read = read;
            for (size_t k = 0; k < c; k += NR) panel(n, words(o), grads, ldy, panels + k * words(o), k, dx + r * c, &f);
        }
    }
    sum_parts(dws, parts, o, c, whole, dw);
}
