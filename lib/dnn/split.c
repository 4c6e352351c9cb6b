/* split.c - weight gradients that do not depend on the number of threads. SPDX-License-Identifier: MIT
 *
 * oneDNN sums a weight gradient per thread and then over threads, so its last digits change with their number. Here the work
 * is cut into parts, as many as the shapes say, each made by one thread. First the batch is cut: each part has a gradient of
 * all weights, and these are added in order. Where there are fewer pictures than parts wanted, the output's channels are cut
 * as well: such a part makes the gradient of its channels' weights, from a packed copy of its part of dy, and there is nothing
 * to add. (Rows would need no copy, but gradients to add: with few pictures, weights are what costs.) */
#include "split.h"
#include <omp.h>
#include <stdio.h>
#include <string.h>

enum { MOST_PARTS = 32, USUAL_PARTS = 8, LEAST_CHANNELS = 32, VECTOR = 16 };
#define MOST_FLOATS ((size_t)16 << 20) /* of all parts' gradients */

struct tl_split {
    int n, blocks;              /* parts of the batch, of nearly as many pictures each; of the output's channels */
    int pictures, channels;     /* in all */
    tl_dnn_conv **part;         /* n x blocks */
    size_t x, y, pixels;        /* bytes of a picture of x and y, and pixels of the latter */
    size_t weights, bias;       /* of all channels */
    size_t number;              /* bytes of a number of maps */
    size_t gradient;            /* bytes of scratch of a part of the batch: its gradients, when there is more than one */
    size_t copy, each;          /* of a part: its dy; that and its convolution's */
};

/* Enough to keep threads busy, but adding the parts shall not cost more than computing them. */
static int parts(tl_shape x, tl_shape y, size_t weights)
{
    const size_t cheap = (tl_count(x) + tl_count(y)) / (8 * weights);
    int most = cheap > USUAL_PARTS ? (cheap < MOST_PARTS ? (int)cheap : MOST_PARTS) : USUAL_PARTS;
    if (most > x.n) most = x.n;
    while (most > 1 && (size_t)most * weights > MOST_FLOATS) most--;
    return most;
}

static int blocks(tl_shape y, int groups)
{
    const int most = y.c / LEAST_CHANNELS, wanted = USUAL_PARTS / y.n;
    return groups > 1 || wanted < 1 || most < 1 ? 1 : wanted < most ? wanted : most;
}

static int first_picture(const tl_split *s, int part) { return (int)((int64_t)s->pictures * part / s->n); }

static int first_channel(const tl_split *s, int block)
{
    return block == s->blocks ? s->channels : s->channels * block / s->blocks / VECTOR * VECTOR;
}

static size_t round_up(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static tl_status make_parts(tl_arena *a, tl_split *s, tl_shape x, tl_shape y, tl_conv_geom g, tl_conv_conf c)
{
    for (int i = 0; i < s->n * s->blocks; i++) {
        const int pictures = i / s->blocks, block = i % s->blocks;
        size_t bytes, copy;
        x.n = y.n = first_picture(s, pictures + 1) - first_picture(s, pictures);
        y.c = first_channel(s, block + 1) - first_channel(s, block);
        TL_TRY(tl_dnn_conv_new(a, x, y, g, c, &s->part[i], &bytes));
        copy = s->blocks > 1 ? round_up(tl_count(y) * tl_dtype_size(c.maps)) : 0;
        if (copy > s->copy) s->copy = copy;
        if (bytes > s->each) s->each = bytes;
    }
    s->each = s->copy + round_up(s->each);
    return TL_OK;
}

tl_status tl_split_new(tl_arena *a, tl_shape x, tl_shape y, tl_conv_geom g, tl_conv_conf c, tl_split **out, size_t *scratch)
{
    const int threads = omp_get_max_threads();
    const size_t number = tl_dtype_size(c.maps);
    tl_split *s = tl_new(a, tl_split, 1);
    TL_NEW(s);
    s->weights = (size_t)y.c * (size_t)(x.c / g.groups) * (size_t)(g.k * g.k);
    s->bias = c.bias ? (size_t)y.c : 0;
    s->n = parts(x, y, s->weights);
    s->blocks = blocks(y, g.groups);
    s->pictures = x.n;
    s->channels = y.c;
    s->pixels = (size_t)y.h * (size_t)y.w;
    s->number = number;
    s->x = tl_count(x) / (size_t)x.n * number;
    s->y = tl_count(y) / (size_t)y.n * number;
    TL_NEW(s->part = tl_new(a, tl_dnn_conv *, s->n * s->blocks));
    c.whole = c.no_dx = true;
    omp_set_num_threads(1); /* a part is prepared for one thread */
    tl_status status = make_parts(a, s, x, y, g, c);
    omp_set_num_threads(threads);
    if (s->n > 1) s->gradient = round_up((s->weights + s->bias) * sizeof(float));
    *scratch = (size_t)s->n * s->gradient + (size_t)(s->n * s->blocks) * s->each;
    *out = s;
    return status;
}

/* Where the gradients of part i of the batch lie: weights, then bias. */
static float *gradients(const tl_split *s, char *scratch, int i) { return (float *)(void *)(scratch + (size_t)i * s->gradient); }

static void sum(const tl_split *s, char *scratch, size_t from, size_t n, float *to)
{
    enum { PIECE = 4096 }; /* stays in the first-level cache while the parts are added */
#pragma omp parallel for
    for (size_t at = 0; at < n; at += PIECE) {
        const size_t len = n - at < PIECE ? n - at : PIECE;
        memcpy(to + at, gradients(s, scratch, 0) + from + at, len * sizeof *to);
        for (int i = 1; i < s->n; i++) {
            const float *part = gradients(s, scratch, i) + from + at;
#pragma omp simd
            for (size_t k = 0; k < len; k++) to[at + k] += part[k];
        }
    }
}

/* Channels first..end of so many pictures' dy, packed. */
static const char *pack(const tl_split *s, const char *dy, int pictures, int first, int end, char *to)
{
    const size_t pixel = s->y / s->pixels, bytes = (size_t)(end - first) * s->number;
    const char *from = dy + (size_t)first * s->number;
    for (size_t i = 0; i < (size_t)pictures * s->pixels; i++) memcpy(to + i * bytes, from + i * pixel, bytes);
    return to;
}

/* Part p's gradients, into those of its part of the batch, dw and db. */
static tl_status run_part(const tl_split *s, int p, const char *x, const char *dy, float *dw, float *db, char *scratch)
{
    const int i = p / s->blocks, block = p % s->blocks, picture = first_picture(s, i), o = first_channel(s, block);
    dy += (size_t)picture * s->y;
    if (s->blocks > 1) dy = pack(s, dy, first_picture(s, i + 1) - picture, o, first_channel(s, block + 1), scratch);
    return tl_dnn_conv_backward_weights(s->part[p], x + (size_t)picture * s->x, dy, dw + s->weights / (size_t)s->channels * (size_t)o,
                                        s->bias ? db + o : NULL, scratch + s->copy);
}

tl_status tl_split_run(const tl_split *s, const void *x, const void *dy, float *dw, float *db, char *scratch)
{
    tl_status failed = TL_OK;
    char why[256] = "", *own = scratch + (size_t)s->n * s->gradient;
#pragma omp parallel for schedule(dynamic)
    for (int p = 0; p < s->n * s->blocks; p++) {
        float *w = s->n > 1 ? gradients(s, scratch, p / s->blocks) : dw, *b = s->n > 1 ? w + s->weights : db;
        tl_status status = run_part(s, p, x, dy, w, b, own + (size_t)p * s->each);
        if (!status) continue;
#pragma omp critical
        {
            failed = status;
            snprintf(why, sizeof why, "%s", tl_errmsg());
        }
    }
    if (failed) return tl_fail_again(failed, why);
    if (s->n == 1) return TL_OK;
    sum(s, scratch, 0, s->weights, dw);
    sum(s, scratch, s->weights, s->bias, db);
    return TL_OK;
}

const char *tl_split_impl(const tl_split *s)
{
    static const char label[] = "backward weights ";
    return strstr(tl_dnn_conv_impl(s->part[0]), label) + sizeof label - 1;
}
