/* fuzz_registry.c - the index of a registry survives anything, and what it accepts is safe to use
 * and reads back. SPDX-License-Identifier: MIT */
#include "registry_index.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(tl_arena *a, const tl_registry_model *m)
{
    const char *file = tl_index_file(a, m);
    if (!file || strchr(file, '/') || file[0] == '.' || strlen(m->sha256) != 64 || !m->size ||
        !*m->url)
        abort();
    for (const char *s = m->accuracy; *s; s++)
        if (*s == '\033' || *s == '\n') abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tl_arena *a = tl_arena_new();
    tl_index x, again;
    tl_bytes text;
    if (!a || size > 1 << 20) return 0;
    if (!tl_index_read(a, "index.json", (tl_bytes){ data, size }, &x)) {
        const tl_registry_model *m = x.model.at;
        for (int i = 0; i < x.model.n; i++) check(a, m + i);
        if (tl_index_text(a, &x, &text) || tl_index_read(a, "again", text, &again) ||
            again.model.n != x.model.n)
            abort();
        if (x.model.n && (tl_index_put(a, &x, m, &again) || again.model.n != x.model.n)) abort();
    }
    tl_arena_free(a);
    return 0;
}
