/* fuzz_spec.c - the spec reader survives anything, and what it accepts prints to the same again.
 * SPDX-License-Identifier: MIT
 *
 * A first line that begins with ! is a command-line override of the rest. */
#include "classification.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void cut_comments(char *s)
{
    static const char mark[] = "  # default\n";
    while ((s = strstr(s, mark))) memmove(s, s + sizeof mark - 2, strlen(s + sizeof mark - 2) + 1);
}

static void print_and_reload(tl_arena *a, const tl_classification_spec *s)
{
    const char *first, *second, *w;
    if (tl_classification_spec_print(a, s, &first)) abort();
    if (tl_classification_spec_load(a, "printed", first, NULL, 0, 0, &s, &w)) abort();
    if (tl_classification_spec_print(a, s, &second)) abort();
    char *x = tl_strdup(a, first), *y = tl_strdup(a, second);
    if (!x || !y) abort();
    cut_comments(x);
    cut_comments(y);
    if (strcmp(x, y)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tl_arena *a = tl_arena_new();
    if (!a || size > 1 << 20) return 0;
    tl_report r = tl_report_new(a);
    void *raw = tl_msg_new(a, &tl_classification_msg);
    if (raw) (void)tl_prototxt_read(&r, "raw", (const char *)data, size, &tl_classification_msg, raw);

    const char *text = tl_strndup(a, (const char *)data, size), *argument = NULL;
    if (!text) return 0;
    if (*text == '!') {
        size_t n = strcspn(text, "\n");
        argument = tl_strndup(a, text + 1, n - 1);
        text += n;
    }
    const tl_classification_spec *s;
    const char *w;
    if (!tl_classification_spec_load(a, "t", text, &argument, argument ? 1 : 0, 0, &s, &w)) print_and_reload(a, s);
    if (tl_arena_bytes(a) > 400 * size + ((size_t)4 << 20)) abort();
    tl_arena_free(a);
    return 0;
}
