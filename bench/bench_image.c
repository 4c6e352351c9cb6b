/* bench_image.c - pictures/s of the loading path: read, decode, crop, resize, normalize.
 * SPDX-License-Identifier: MIT
 *
 *     bench_image FOLDER [SIDE] [THREADS]     FOLDER: one folder per class; 224; 1
 *
 * Runs a loader over all pictures a few times for each way of augmenting and prints medians:
 * pictures per second as the clock has it, and per second of processor time, which other programs
 * on the machine disturb less. */
#include "data.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 5

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static tl_status epoch(tl_loader *l, int e, double *per_second, double *per_cpu_second)
{
    const tl_batch *b;
    double start = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    int pictures = 0;
    TL_TRY(tl_loader_start(l, e, 0));
    do {
        TL_TRY(tl_loader_next(l, &b));
        if (b) pictures += b->n;
    } while (b);
    *per_second = pictures / (now(CLOCK_MONOTONIC) - start);
    *per_cpu_second = pictures / (now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    return TL_OK;
}

static tl_status measure(const tl_dataset *d, const char *name, tl_loader_conf c)
{
    tl_arena *a = tl_arena_new();
    tl_loader *l;
    double wall[ROUNDS], cpu[ROUNDS];
    tl_status s = a ? tl_loader_new(a, d, &c, &l) : TL_ENOMEM;
    for (int e = 0; !s && e <= ROUNDS; e++)
        s = epoch(l, e, &wall[e % ROUNDS], &cpu[e % ROUNDS]); /* epoch 0 warms up */
    tl_arena_free(a);
    if (s) return s;
    qsort(wall, ROUNDS, sizeof *wall, ascending);
    qsort(cpu, ROUNDS, sizeof *cpu, ascending);
    printf("%-36s %8.0f pictures/s, %8.0f per second of processor time\n", name, wall[ROUNDS / 2],
           cpu[ROUNDS / 2]);
    return TL_OK;
}

static tl_status bench(tl_arena *a, const char *folder, int side, int threads)
{
    tl_dataset *d;
    tl_loader_conf c = {
        .w = side, .h = side, .c = 3, .batch = 16, .threads = threads, .max_bad = 1
    };
    TL_TRY(tl_norm_for("torch", 3, NULL, &c.norm));
    TL_TRY(tl_formats[0]->scan(a, folder, NULL, &d));
    printf("%d pictures to %dx%d, %d thread%s\n", d->sample.n, side, side, threads,
           threads > 1 ? "s" : "");
    TL_TRY(measure(d, "resize", c));
    c.filter = TL_BICUBIC;
    TL_TRY(measure(d, "resize, bicubic", c));
    c.filter = TL_BILINEAR;
    c.center_crop = true;
    TL_TRY(measure(d, "center crop", c));
    c.random_crop = c.hflip = c.shuffle = c.wrap = true;
    TL_TRY(measure(d, "random crop, flip", c));
    c.color = true;
    TL_TRY(measure(d, "random crop, flip, color", c));
    c.cache_bytes = (size_t)1 << 30;
    TL_TRY(measure(d, "random crop, flip, color, cached", c));
    c.random_crop = c.color = false;
    return measure(d, "center crop, flip, cached", c);
}

int main(int argc, char **argv)
{
    if (argc < 2) return fprintf(stderr, "usage: %s FOLDER [SIDE] [THREADS]\n", argv[0]), 2;
    tl_arena *a = tl_arena_new();
    tl_status s =
        a ? bench(a, argv[1], argc > 2 ? atoi(argv[2]) : 224, argc > 3 ? atoi(argv[3]) : 1)
          : TL_ENOMEM;
    if (s) fprintf(stderr, "%s\n", tl_errmsg());
    tl_arena_free(a);
    return s ? 1 : 0;
}
