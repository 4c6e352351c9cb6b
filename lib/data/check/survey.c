/* survey.c - decode every picture of a data set. SPDX-License-Identifier: MIT */
#include "check.h"
#include "data.h"
#include <string.h>

static tl_status add(tl_arena *a, tl_check *c, const char *path, int split)
{
    tl_surveyed *s = tl_add(a, &c->picture, tl_surveyed);
    TL_NEW(s);
    *s = (tl_surveyed){ .path = path, .split = split };
    return TL_OK;
}

static tl_status list(tl_arena *a, tl_check *c)
{
    for (int k = 0; k < c->split.n; k++) {
        const tl_labels *l = ((const tl_split *)c->split.at)[k].labels;
        for (int i = 0; i < l->npictures; i++)
            if (l->picture[i].found) TL_TRY(add(a, c, l->picture[i].path, k));
        for (int i = 0; i < l->unlabeled.n; i++) TL_TRY(add(a, c, ((const char **)l->unlabeled.at)[i], k));
    }
    return TL_OK;
}

/* A look needs few pixels, but every byte of the file is decoded for them. */
static tl_status look(tl_arena *a, tl_surveyed *s)
{
    static const tl_size enough = { 64, 64 };
    tl_bytes file;
    tl_image gray;
    tl_size size;
    TL_TRY(tl_file_read(a, s->path, 0, &file));
    s->hash = tl_hash_bytes(file);
    TL_TRY(tl_image_decode(a, file, 1, enough, &gray));
    TL_TRY(tl_image_measure(s->path, &size));
    s->w = size.w;
    s->h = size.h;
    return tl_look_at(a, &gray, &s->look);
}

tl_status tl_survey(tl_arena *a, tl_check *c, const tl_listener *l)
{
    bool failed = false, stopped = false;
    TL_TRY(tl_hash_start());
    TL_TRY(list(a, c));
    tl_surveyed *s = c->picture.at;
#pragma omp parallel reduction(|| : failed, stopped)
    {
        tl_arena *own = tl_arena_new();
        failed = !own;
#pragma omp for schedule(dynamic, 4)
        for (int i = 0; i < c->picture.n; i++) {
            stopped = stopped || tl_stopping(l);
            if (!own || stopped) continue;
            if (look(own, s + i)) {
#pragma omp critical(survey)
                s[i].why = tl_strdup(a, tl_errmsg());
                failed = failed || !s[i].why;
            }
            tl_arena_reset(own);
        }
        tl_arena_free(own);
    }
    TL_CHECK(!stopped, TL_ESTOPPED, "stopped");
    return failed ? tl_fail(TL_ENOMEM, "out of memory") : TL_OK;
}
