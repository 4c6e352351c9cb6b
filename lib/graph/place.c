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
    return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : (x->from > y->from) - (x->from < y->from);
}

static int by_offset(const void *a, const void *b)
{
    const tl_buffer *x = *(tl_buffer *const *)a, *y = *(tl_buffer *const *)b;
    return (x->offset > y->offset) - (x->offset < y->offset);
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
            if (order[j]->from <= b->to && b->from <= order[j]->to) meets[m++] = order[j];
        qsort(meets, (size_t)m, sizeof *meets, by_offset);
        for (int j = 0; j < m && meets[j]->offset < b->offset + b->bytes; j++)
            if (meets[j]->offset + meets[j]->bytes > b->offset) b->offset = meets[j]->offset + meets[j]->bytes;
        if (b->offset + b->bytes > *total) *total = b->offset + b->bytes;
    }
    return TL_OK;
}
