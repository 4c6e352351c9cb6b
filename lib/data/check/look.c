/* look.c - pictures that look alike. SPDX-License-Identifier: MIT
 *
 * A picture is shrunk to 17 x 16 gray pixels; each of 256 bits says whether a pixel is darker than its right neighbor
 * (the difference hash). Compressing, resizing and brightening change few bits. Pairs that differ in at most 15 are
 * found without comparing all with all: of the 16 columns of 16 bits at least one must then be the same in both, so
 * only pictures that share a column are compared, at the first column that they share. */
#include "check.h"
#include <string.h>

enum { SIDE = 16, COLUMNS = 16, VALUES = 1 << 16 };
_Static_assert(TL_LOOK_NEAR < COLUMNS, "else no column needs to be the same");

tl_status tl_look_at(tl_arena *a, const tl_image *gray, tl_look *out)
{
    tl_image small;
    TL_TRY(tl_image_resize(a, gray, (tl_crop){ 0, 0, (float)gray->w, (float)gray->h }, SIDE + 1, SIDE, TL_BILINEAR,
                           &small));
    memset(out, 0, sizeof *out);
    for (int x = 0; x < SIDE; x++)
        for (int y = 0; y < SIDE; y++) {
            const uint8_t *p = small.p + y * (SIDE + 1) + x;
            if (p[0] < p[1]) out->bits[x / 4] |= UINT64_C(1) << (x % 4 * 16 + y);
        }
    return TL_OK;
}

int tl_look_distance(const tl_look *x, const tl_look *y)
{
    int n = 0;
    for (int i = 0; i < 4; i++) n += __builtin_popcountll(x->bits[i] ^ y->bits[i]);
    return n;
}

static unsigned column(const tl_look *l, int c) { return (unsigned)(l->bits[c / 4] >> (c % 4 * 16)) & (VALUES - 1); }

static bool share_before(const tl_look *x, const tl_look *y, int c)
{
    for (int i = 0; i < c; i++)
        if (column(x, i) == column(y, i)) return true;
    return false;
}

/* Counting sort: order[first[v] .. first[v + 1]] are those with the value v in column c. */
static void sort(const tl_look *const *look, int n, int c, int *first, int *order)
{
    memset(first, 0, sizeof(int) * (VALUES + 1));
    for (int i = 0; i < n; i++) first[column(look[i], c) + 1]++;
    for (int v = 0; v < VALUES; v++) first[v + 1] += first[v];
    for (int i = 0; i < n; i++) order[first[column(look[i], c)]++] = i;
    for (int v = VALUES; v > 0; v--) first[v] = first[v - 1];
    first[0] = 0;
}

tl_status tl_look_pairs(tl_arena *a, const tl_look *const *look, int n, void (*found)(void *ctx, int i, int k), void *ctx)
{
    int *first = tl_new(a, int, VALUES + 1), *order = tl_new(a, int, n + 1);
    TL_NEW(first ? order : NULL);
    for (int c = 0; c < COLUMNS; c++) {
        sort(look, n, c, first, order);
        for (int v = 0; v < VALUES; v++)
            for (int i = first[v]; i < first[v + 1]; i++)
                for (int k = i + 1; k < first[v + 1]; k++) {
                    const tl_look *x = look[order[i]], *y = look[order[k]];
                    if (tl_look_distance(x, y) <= TL_LOOK_NEAR && !share_before(x, y, c)) found(ctx, order[i], order[k]);
                }
    }
    return TL_OK;
}
