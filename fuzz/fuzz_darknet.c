/* fuzz_darknet.c - a .cfg, a zero byte, and the .weights are read as a network or refused, in memory that their size warrants.
 * SPDX-License-Identifier: MIT
 *
 * The weights have to lie beside the .cfg, so they go through a file in a folder of the process. */
#include "import.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const tl_importer tl_importer_darknet;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char cfg[64], weights[64];

static void put(const char *path, const uint8_t *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n) abort();
    close(fd);
}

static void leave(void)
{
    unlink(weights);
    *strrchr(cfg, '/') = 0;
    rmdir(cfg);
}

static void start(void)
{
    char ram[] = "/dev/shm/tlc-fuzz-XXXXXX", disk[] = "/tmp/tlc-fuzz-XXXXXX", *dir = mkdtemp(ram);
    if (!dir && !(dir = mkdtemp(disk))) abort();
    snprintf(cfg, sizeof cfg, "%s/n.cfg", dir);
    snprintf(weights, sizeof weights, "%s/n.weights", dir);
    atexit(leave);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t n = zero ? (size_t)(zero - data) : size, rest = zero ? size - n - 1 : 0;
    tl_arena *a = tl_arena_new();
    tl_foreign f = { .note = "" };
    tl_bytes file = { data, n };
    if (!*cfg) start();
    put(weights, zero ? zero + 1 : data, rest);
    if (a && tl_importer_darknet.knows(file) && !tl_importer_darknet.read(a, cfg, file, &f)) {
        const tl_graph *g = f.model->g;
        TL_EACH_PARAM(g, i, k)
            if (!g->node[i].p[k].w) abort(); /* a network without all its weights */
    }
    if (a && tl_arena_bytes(a) > 40 * size + ((size_t)4 << 20)) abort();
    tl_arena_free(a);
    return 0;
}
