/* place.c - where a plan's buffers lie in its memory. SPDX-License-Identifier: MIT
 *
 * Buffers whose spans of time do not meet may lie at the same address: biggest first, each at the lowest address where it meets
 * no placed buffer that lives at the same time (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference",
 * 2020). */
#include "plan.h"
#include <stdlib.h>

static int by_size(const void *a, const void *b)
{
    const tl_buffer *x = *(tl_buffer *const *)a, *y = *(tl_buffer *const *)b;
    return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : (x->in.from > y->in.from) - (x->in.from < y->in.from);
}

static int by_offset(const void *a, const void *b)
{
    const tl_buffer *x = *(tl_buffer *const *)a, *y = *(tl_buffer *const *)b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static bool overlap(tl_span a, tl_span b)
{
    const bool both = a.from <= a.to && b.from <= b.to;
    return both && a.from <= b.to && b.from <= a.to;
}

static bool meet(const tl_buffer *a, const tl_buffer *b)
{
    return overlap(a->in, b->in) || overlap(a->in, b->again) || overlap(a->again, b->in) || overlap(a->again, b->again);
}

tl_status tl_buffers_place(tl_arena *tmp, const tl_list *buffers, size_t *total)
{
    const int n = buffers->n;
    tl_buffer **order = tl_new(tmp, tl_buffer *, n), **meets = tl_new(tmp, tl_buffer *, n);
    TL_NEW(order && meets ? order : NULL);
    for (int i = 0; i < n; i++) order[i] = (tl_buffer *)buffers->at + i;
    qsort(order, (size_t)n, sizeof *order, by_size);
    for (int i = 0; i < n; i++) {
        tl_buffer *b = order[i];
        int m = 0;
        for (int j = 0; j < i; j++)
            if (meet(order[j], b)) meets[m++] = order[j];
        qsort(meets, (size_t)m, sizeof *meets, by_offset);
        for (int j = 0; j < m && meets[j]->offset < b->offset + b->bytes; j++)
            if (meets[j]->offset + meets[j]->bytes > b->offset) b->offset = meets[j]->offset + meets[j]->bytes;
        if (b->offset + b->bytes > *total) *total = b->offset + b->bytes;
    }
    return TL_OK;
}
