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
    *out = (tl_foreign){ .format = with->name, .note = "" };
    TL_TRY(tl_file_read(a, path, 0, &file));
    TL_CHECK(with->knows(file), TL_EFORMAT, "the importer does not know '%s'", path);
    return with->read(a, path, file, out);
}

/* The input that the golden answers belong to; tools/make_tflite_golden.py and make_darknet_golden.py have the
 * same. */
static inline void golden_picture(float *f, size_t n)
{
    for (size_t i = 0; i < n; i++) f[i] = (float)((i * 37 + 11) % 101) / 50 - 1;
}

/* What the network gives at `node` for that input. */
static inline tl_tensor golden_run(tl_arena *a, const tl_model *m, int node)
{
    tl_plan *p;
    const tl_plan_conf conf = { .batch = 1, .constant = true, .keep = &(tl_val){ node }, .nkeep = 1 };
    ok(tl_plan_new(m->g, a, &conf, &p));
    tl_tensor x = tl_plan_value(p, m->image);
    golden_picture(x.f, tl_count(x.s));
    ok(tl_plan_forward(p));
    return tl_plan_value(p, (tl_val){ node });
}

/* The model as it comes back from a file of ours: what is imported can be kept. */
static inline tl_model *kept(tl_arena *a, const tl_model *m)
{
    tl_bytes file;
    tl_model *back;
    ok(tl_model_pack(m, a, &(tl_save_opts){ .half = false }, &file));
    ok(tl_model_unpack(a, file, &back));
    return back;
}

/* A line of a golden file holds a name and values at equal steps: the largest difference, relative to the largest
 * value. The line is used up; -1: it is not of this name. */
static inline double golden_difference(tl_tensor y, char *line, const char *name)
{
    char *rest, *word = strtok_r(line, "\t\n", &rest);
    size_t n = tl_count(y.s), step = n / 32 ? n / 32 : 1, i = 0;
    double worst = 0, most = 1e-30;
    if (strcmp(word, name)) return -1;
    for (; (word = strtok_r(NULL, "\t\n", &rest)); i += step) {
        assert_true(i < n);
        double want = strtod(word, NULL), d = fabs((double)y.f[i] - want);
        most = fmax(most, fabs(want));
        worst = d <= worst ? worst : d;
    }
    assert_true(i >= n); /* all of it was compared */
    return worst / most;
}

/* These bytes, given under this name, fail with the status and a message that has the words in it. */
static inline void refused(const tl_importer *with, const char *path, const void *bytes, size_t n, tl_status want,
                           const char *words)
{
    tl_arena *a = tl_arena_new();
    tl_foreign out = { .note = "" };
    uint8_t *copy = malloc(n ? n : 1); /* so that reading past the end is seen */
    assert_non_null(a);
    assert_non_null(copy);
    if (n) memcpy(copy, bytes, n);
    tl_status s = with->read(a, path, (tl_bytes){ copy, n }, &out);
    if (s != want || !strstr(tl_errmsg(), words))
        fail_msg("'%s' in: %d %s", words, (int)s, s ? tl_errmsg() : "it was read");
    free(copy);
    tl_arena_free(a);
}

/* Whichever allocation fails, reading fails with it. */
static inline void survives_want(const tl_importer *with, const char *path)
{
    tl_status s = TL_ENOMEM;
    for (long n = 0; s; n++) {
        tl_arena *a = tl_arena_new();
        tl_foreign out;
        assert_non_null(a);
        tl_oom_countdown = n;
        s = import_file(with, a, path, &out);
        tl_oom_countdown = -1;
        assert_true(!s || s == TL_ENOMEM);
        tl_arena_free(a);
    }
}

/* A file cut off anywhere, or with a byte changed anywhere, is read or refused; the sanitizers say whether in
 * order. What is held in memory follows the file's size. */
static inline void survives_damage(const tl_importer *with, const char *path, tl_bytes file, size_t step)
{
    uint8_t *copy = malloc(file.n);
    assert_non_null(copy);
    for (size_t i = 0; i < file.n; i += step)
        for (int change = 0; change < 3; change++) {
            tl_arena *a = tl_arena_new();
            assert_non_null(a);
            memcpy(copy, file.p, file.n);
            if (change) copy[i] = change == 1 ? 255 : copy[i] ^ 1;
            tl_foreign out = { .note = "" };
            (void)with->read(a, path, (tl_bytes){ copy, change ? file.n : i }, &out);
            assert_true(tl_arena_bytes(a) <= 40 * file.n + ((size_t)4 << 20));
            tl_arena_free(a);
        }
    free(copy);
}
#endif
