/* fuzz_onnx_import.c - ONNX networks of any producer become graphs or are refused, in memory that their size warrants.
 * SPDX-License-Identifier: MIT */
#include "import.h"
#include <stdlib.h>

extern const tl_importer tl_importer_onnx;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tl_arena *a = tl_arena_new();
    tl_foreign f = { .note = "" };
    tl_bytes file = { data, size };
    if (a && tl_importer_onnx.knows(file) && !tl_importer_onnx.read(a, "x.onnx", file, &f)) {
        const tl_graph *g = f.model->g;
        float sum = 0;
        TL_EACH_PARAM(g, i, k)
            for (size_t j = 0; j < tl_dims_count(g->node[i].p[k].dims); j++) sum += g->node[i].p[k].w[j]; /* all of it is there */
        volatile float keep = sum;
        (void)keep;
    }
    if (a && tl_arena_bytes(a) > 400 * size + ((size_t)64 << 20)) abort();
    tl_arena_free(a);
    return 0;
}
