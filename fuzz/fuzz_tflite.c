/* fuzz_tflite.c - whatever is taken for a TFLite file is read or refused, in memory that its size warrants.
 * SPDX-License-Identifier: MIT */
#include "import.h"
#include <stdlib.h>

extern const tl_importer tl_importer_tflite;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tl_arena *a = tl_arena_new();
    tl_foreign f = { .note = "" };
    tl_bytes file = { data, size };
    if (a && tl_importer_tflite.knows(file) && !tl_importer_tflite.read(a, "x.tflite", file, &f)) {
        const tl_graph *g = f.model->g;
        TL_EACH_PARAM(g, i, k)
            if (!g->node[i].p[k].w) abort(); /* a network without all its weights */
    }
    if (a && tl_arena_bytes(a) > 40 * size + ((size_t)4 << 20)) abort();
    tl_arena_free(a);
    return 0;
}
