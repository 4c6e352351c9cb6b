/* bench_list.c - what a list of many pictures costs. SPDX-License-Identifier: MIT
 *
 *     bench_list FOLDER      class folders of pictures, which are not opened
 *
 * Prints pictures, bytes of memory per picture for the list and for a loader's order of an epoch, and the seconds
 * that finding them and beginning an epoch took. */
#include "bench.h"
#include "data.h"

static tl_status bench(tl_arena *a, const char *folder)
{
    tl_dataset *d;
    tl_loader *l;
    const double start = now();
    TL_TRY(tl_formats[0]->scan(a, folder, NULL, &d));
    const double found = now();
    const size_t list = tl_arena_bytes(a);
    const tl_loader_conf c = { .w = 32, .h = 32, .c = 3, .batch = 1, .threads = 1, .shuffle = true, .wrap = true, .max_bad = 1, .norm = { .rstd = { 1, 1, 1 } } };
    TL_TRY(tl_loader_new(a, d, &c, &l));
    TL_TRY(tl_loader_start(l, 1, 0));
    const size_t n = (size_t)d->sample.n;
    printf("list pictures %zu bytes %.0f loader %.0f seconds %.3f epoch %.3f\n", n, (double)list / (double)n,
           (double)(tl_arena_bytes(a) - list) / (double)n, found - start, now() - found);
    return TL_OK;
}

int main(int argc, char **argv)
{
    tl_arena *a = tl_arena_new();
    if (argc != 2 || !a) {
        fprintf(stderr, "usage: bench_list FOLDER\n");
        return 2;
    }
    tl_status s = bench(a, argv[1]);
    if (s) fprintf(stderr, "%s\n", tl_errmsg());
    tl_arena_free(a);
    return s != TL_OK;
}
