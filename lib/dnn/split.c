/* split.c - weight gradients that do not depend on the number of threads. SPDX-License-Identifier: MIT
 *
 * oneDNN sums a weight gradient per thread and then over threads, so its last digits change with their number. Here the batch
 * is cut into parts, as many as its size and the weights' say; each part's gradient is made by one thread, and they are added
 * in order. */
#include "split.h"
#include <omp.h>
#include <stdio.h>
#include <string.h>

enum { MOST_PARTS = 32, USUAL_PARTS = 8 };
#define MOST_FLOATS ((size_t)16 << 20) /* of all parts' gradients */

struct tl_split {
    int n, pictures;
    tl_dnn_conv **part;         /* n, of nearly as many pictures each */
    size_t x, y;                /* bytes of a picture */
    size_t weights, bias;
    size_t each;                /* bytes of scratch of a part: its own, then its gradients */
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

static int first_picture(const tl_split *s, int part) { return (int)((int64_t)s->pictures * part / s->n); }

static tl_status make_parts(tl_arena *a, tl_split *s, tl_shape x, tl_shape y, tl_conv_geom g, tl_conv_conf c)
{
    for (int i = 0; i < s->n; i++) {
        size_t bytes;
        x.n = y.n = first_picture(s, i + 1) - first_picture(s, i);
        TL_TRY(tl_dnn_conv_new(a, x, y, g, c, &s->part[i], &bytes));
        if (bytes > s->each) s->each = bytes;
    }
    return TL_OK;
}

tl_status tl_split_new(tl_arena *a, tl_shape x, tl_shape y, tl_conv_geom g, tl_conv_conf c, tl_split **out, size_t *scratch)
{
    const int threads = omp_get_max_threads();
    tl_split *s = tl_new(a, tl_split, 1);
    TL_NEW(s);
    s->weights = (size_t)y.c * (size_t)(x.c / g.groups) * (size_t)(g.k * g.k);
    s->bias = c.bias ? (size_t)y.c : 0;
    s->n = parts(x, y, s->weights);
    s->pictures = x.n;
    s->x = tl_count(x) / (size_t)x.n * tl_dtype_size(c.maps);
    s->y = tl_count(y) / (size_t)y.n * tl_dtype_size(c.maps);
    TL_NEW(s->part = tl_new(a, tl_dnn_conv *, s->n));
    c.whole = c.no_dx = true;
    omp_set_num_threads(1); /* a part is prepared for one thread */
    tl_status status = make_parts(a, s, x, y, g, c);
    omp_set_num_threads(threads);
    s->each = (s->each + (s->weights + s->bias) * sizeof(float) + 63) & ~(size_t)63;
    *scratch = (size_t)s->n * s->each;
    *out = s;
    return status;
}

/* Where part i's gradients lie. */
static float *gradients(const tl_split *s, char *scratch, int i)
{
    return (float *)(void *)(scratch + (size_t)(i + 1) * s->each) - s->weights - s->bias;
}

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

tl_status tl_split_run(const tl_split *s, const void *x, const void *dy, float *dw, float *db, char *scratch)
{
    tl_status failed = TL_OK;
    char why[256] = "";
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < s->n; i++) {
        float *own = gradients(s, scratch, i);
        const size_t first = (size_t)first_picture(s, i);
        const char *xs = (const char *)x + first * s->x, *dys = (const char *)dy + first * s->y;
        tl_status status = tl_dnn_conv_backward_weights(s->part[i], xs, dys, own, s->bias ? own + s->weights : NULL,
                                                        scratch + (size_t)i * s->each);
        if (!status) continue;
#pragma omp critical
        {
            failed = status;
            snprintf(why, sizeof why, "%s", tl_errmsg());
        }
    }
    if (failed) return tl_fail_again(failed, why);
    sum(s, scratch, 0, s->weights, dw);
    sum(s, scratch, s->weights, s->bias, db);
    return TL_OK;
}

const char *tl_split_impl(const tl_split *s)
{
    static const char label[] = "backward weights ";
    return strstr(tl_dnn_conv_impl(s->part[0]), label) + sizeof label - 1;
}
