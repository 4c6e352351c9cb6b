/* folder.h - an arena and an empty folder per test. SPDX-License-Identifier: MIT
 *
 * To be included after cmocka.h. */
#ifndef TL_FOLDER_H
#define TL_FOLDER_H
#include "file.h"
#include "fixture.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static char dir[64];

static inline int make_folder(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/tlc-test-XXXXXX");
    return !mkdtemp(dir) || set_up(state);
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

static inline int remove_folder(void **state)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return tear_down(state);
}

static inline const char *in(const char *name) { return tl_path_join(a, dir, name); }

static inline const char *text_of(const char *name)
{
    tl_bytes file;
    ok(tl_file_read(a, in(name), 0, &file));
    return (const char *)file.p;
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
#endif
