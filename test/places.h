/* places.h - what the tests of data share: folders of pictures, made for one test. SPDX-License-Identifier: MIT */
#ifndef TL_PLACES_H
#define TL_PLACES_H
#include "data.h"
#include "picture.h"
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMAGES "test/data/images/"

/* ---- Folders made for a test, in a temporary place ---- */

typedef struct {
    tl_arena *a;
    char root[64];
} place;

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

static inline int set_up(void **state)
{
    place *p = calloc(1, sizeof *p);
    p->a = tl_arena_new();
    snprintf(p->root, sizeof p->root, "/tmp/tlc-test-data-XXXXXX");
    *state = p;
    return mkdtemp(p->root) ? 0 : -1;
}

static inline int tear_down(void **state)
{
    place *p = *state;
    nftw(p->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    tl_arena_free(p->a);
    free(p);
    return 0;
}

static inline char *at(place *p, const char *name) { return tl_path_join(p->a, p->root, name); }

static inline void put(place *p, const char *name, const void *bytes, size_t n)
{
    char *path = at(p, name), *dir = tl_strdup(p->a, path);
    *strrchr(dir, '/') = 0;
    ok(tl_mkdirs(dir));
    ok(tl_file_write(path, bytes, n));
}

static inline void put_text(place *p, const char *name, const char *text)
{
    put(p, name, text, strlen(text));
}

static inline void put_image(place *p, const char *name, const char *image)
{
    tl_bytes b;
    ok(tl_file_read(p->a, tl_path_join(p->a, IMAGES, image), 0, &b));
    put(p, name, b.p, b.n);
}

static inline tl_dataset *scan(place *p, const char *name, const tl_list *classes)
{
    tl_dataset *d;
    ok(tl_formats[0]->scan(p->a, at(p, name), classes, &d));
    return d;
}

static inline const tl_sample *sample(const tl_dataset *d, int i)
{
    return (const tl_sample *)d->sample.at + i;
}
#endif
