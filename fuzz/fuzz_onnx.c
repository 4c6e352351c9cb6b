/* fuzz_onnx.c - whatever the ONNX reader accepts can be written and read again.
 * SPDX-License-Identifier: MIT */
#include "onnx.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tl_arena *a = tl_arena_new();
    tl_onnx *m, *back;
    tl_bytes out;
    bool read = a && !tl_onnx_parse(a, (tl_bytes){ data, size }, &m);
    if (read) {
        const tl_onnx_tensor *t = m->init.at;
        const float *f;
        size_t n;
        for (int i = 0; i < m->init.n; i++) (void)tl_onnx_floats(a, t + i, &f, &n);
        if (!tl_onnx_pack(a, m, &out) && tl_onnx_parse(a, out, &back)) abort();
    }
    if (a && tl_arena_bytes(a) > 40 * size + ((size_t)4 << 20)) abort();
    tl_arena_free(a);
    return 0;
}
