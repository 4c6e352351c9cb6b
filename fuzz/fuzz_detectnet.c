/* fuzz_detectnet.c - the readers of DetectNet_v2's specs survive anything, and what the first accepts prints to
 * something that it accepts again. SPDX-License-Identifier: MIT */
#include "detectnet_v2.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tl_arena *a = tl_arena_new();
    const char *text = a ? tl_strndup(a, (const char *)data, size) : NULL, *w;
    const tl_detect_spec *s;
    const tl_infer_spec *i;
    const tl_dataset_export *e;
    if (!text || size > 1 << 20) return 0;
    if (!tl_detect_spec_load(a, "t", text, NULL, 0, &s, &w)) {
        tl_text t = tl_text_new(a);
        tl_prototxt_print(&t, &tl_detect_msg, s->experiment);
        if (!(text = tl_text_end(&t)) || tl_detect_spec_load(a, "printed", text, NULL, 0, &s, &w)) abort();
    } else {
        (void)tl_infer_spec_load(a, "t", text, NULL, 0, &i, &w);
        (void)tl_dataset_export_load(a, "t", text, NULL, 0, &e, &w);
    }
    if (tl_arena_bytes(a) > 1000 * size + ((size_t)4 << 20)) abort();
    tl_arena_free(a);
    return 0;
}
