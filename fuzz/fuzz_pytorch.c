/* fuzz_pytorch.c - PyTorch's zip files and the pickles in them are read or refused, in memory that their size warrants.
 * SPDX-License-Identifier: MIT */
#include "import.h"
#include <stdlib.h>

extern const tl_importer tl_importer_pytorch;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tl_arena *a = tl_arena_new();
    tl_foreign f = { .note = "" };
    tl_bytes file = { data, size };
    if (a && tl_importer_pytorch.knows(file) && !tl_importer_pytorch.read(a, "x", file, &f)) {
        float sum = 0;
        for (int i = 0; i < f.tensor.n; i++) {
            const tl_foreign_tensor *t = (const tl_foreign_tensor *)f.tensor.at + i;
            for (size_t k = 0; k < tl_dims_count(t->dims); k++) sum += t->at[k]; /* all of it is there */
        }
        volatile float keep = sum;
        (void)keep;
    }
    if (a && tl_arena_bytes(a) > 40 * size + ((size_t)64 << 20)) abort();
    tl_arena_free(a);
    return 0;
}
