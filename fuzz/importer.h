/* importer.h - the body of a fuzz target for an importer: whatever it takes for its own is read whole or refused, in memory
 * that the file's size warrants. SPDX-License-Identifier: MIT */
#ifndef TL_FUZZ_IMPORTER_H
#define TL_FUZZ_IMPORTER_H
#include "import.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void touch(const tl_foreign *f)
{
    float sum = 0;
    for (int i = 0; i < f->tensor.n; i++) {
        const tl_foreign_tensor *t = (const tl_foreign_tensor *)f->tensor.at + i;
        for (size_t k = 0; k < tl_dims_count(t->dims); k++) sum += t->at[k]; /* all of it is there */
    }
    volatile float keep = sum;
    (void)keep;
    if (!f->model) return;
    const tl_graph *g = f->model->g;
    TL_EACH_PARAM(g, i, k)
        if (!g->node[i].p[k].w) abort(); /* a network without all its weights */
}

static inline int read_whole(const tl_importer *im, const char *path, const uint8_t *data, size_t size, size_t least)
{
    tl_arena *a = tl_arena_new();
    tl_foreign f = { .note = "" };
    tl_bytes file = { data, size };
    if (a && im->knows(file) && !im->read(a, path, file, &f)) touch(&f);
    if (a && tl_arena_bytes(a) > 40 * size + least) abort();
    tl_arena_free(a);
    return 0;
}

/* least: bytes that any file may take, however small. */
#define FUZZ_IMPORTER(name, path, least)                              \
    extern const tl_importer tl_importer_##name;                      \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)      \
    {                                                                 \
        return read_whole(&tl_importer_##name, path, data, size, (size_t)(least)); \
    }
#endif
