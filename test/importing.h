/* importing.h - what the tests of importers share. SPDX-License-Identifier: MIT */
#ifndef TL_IMPORTING_H
#define TL_IMPORTING_H
#include "import.h"
#include "support.h"
#include <stdio.h>
#include <unistd.h>

#define IMPORT_DATA "test/data/import/"

/* Read a file of test/data/import, as a user would. */
static inline tl_status import_file(const tl_importer *with, tl_arena *a, const char *path, tl_foreign *out)
{
    tl_bytes file;
    TL_TRY(tl_file_read(a, path, 0, &file));
    TL_CHECK(with->knows(file), TL_EFORMAT, "the importer does not know '%s'", path);
    return with->read(a, path, file, out);
}

/* These bytes, given under this name, fail with the status and a message that has the words in it. */
static inline void refused(const tl_importer *with, const char *path, const void *bytes, size_t n, tl_status want, const char *words)
{
    tl_arena *a = tl_arena_new();
    tl_foreign out;
    uint8_t *copy = malloc(n ? n : 1); /* so that reading past the end is seen */
    assert_non_null(a);
    assert_non_null(copy);
    if (n) memcpy(copy, bytes, n);
    tl_status s = with->read(a, path, (tl_bytes){ copy, n }, &out);
    if (s != want || !strstr(tl_errmsg(), words)) fail_msg("'%s' in: %d %s", words, (int)s, s ? tl_errmsg() : "it was read");
    free(copy);
    tl_arena_free(a);
}

/* A file cut off anywhere, or with a byte changed anywhere, is read or refused; the sanitizers say whether in order. What is held in
 * memory follows the file's size. */
static inline void survives_damage(const tl_importer *with, const char *path, tl_bytes file, size_t step)
{
    uint8_t *copy = malloc(file.n);
    tl_foreign out;
    assert_non_null(copy);
    for (size_t i = 0; i < file.n; i += step)
        for (int change = 0; change < 3; change++) {
            tl_arena *a = tl_arena_new();
            assert_non_null(a);
            memcpy(copy, file.p, file.n);
            if (change) copy[i] = change == 1 ? 255 : copy[i] ^ 1;
            (void)with->read(a, path, (tl_bytes){ copy, change ? file.n : i }, &out);
            assert_true(tl_arena_bytes(a) <= 40 * file.n + ((size_t)4 << 20));
            tl_arena_free(a);
        }
    free(copy);
}
#endif
