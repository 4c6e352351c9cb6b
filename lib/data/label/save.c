/* save.c - labels to files. SPDX-License-Identifier: MIT */
#include "save.h"
#include "text.h"
#include <errno.h>
#include <string.h>

void tl_save_number(FILE *f, float v)
{
    char text[64];
    tl_text t = tl_text_on(text, sizeof text);
    tl_text_float(&t, v);
    fputs(text, f);
}

/* names: the classes instead of labels. */
static tl_status write_file(const tl_label_save *s, const char *path, int picture, bool names)
{
    FILE *f = fopen(path, "wbe");
    TL_CHECK(f, TL_EIO, "cannot write '%s': %s", path, strerror(errno));
    tl_status status = TL_OK;
    if (names) s->format->write_names(s, f);
    else status = s->format->write(s, f, picture);
    bool bad = ferror(f);
    bad |= fclose(f) != 0;
    if (!status && bad) status = tl_fail(TL_EIO, "cannot write '%s': %s", path, strerror(errno));
    return status;
}

static tl_status write_each(tl_arena *one, const tl_label_save *s)
{
    for (int i = 0; i < s->n; i++) {
        const char *name = s->name[s->picture[i]], *dot = strrchr(name, '.'),
                   *path = tl_printf(one, "%s/%s/%.*s%s", s->folder, s->format->folders[0],
                                     (int)(dot ? dot - name : (long)strlen(name)), name, s->format->suffix);
        TL_NEW(path);
        TL_TRY(write_file(s, path, s->picture[i], false));
        tl_arena_reset(one);
    }
    return TL_OK;
}

tl_status tl_labels_write(tl_arena *a, const tl_label_save *s)
{
    const tl_label_format *f = s->format;
    const bool each = f->files == TL_FILE_EACH;
    TL_CHECK(f->write, TL_EUNSUP, "labels in the form '%s' are read, but not written", f->name);
    const char *path = tl_path_join(a, s->folder, each ? f->folders[0] : f->file),
               *names = f->names ? tl_path_join(a, s->folder, f->names) : "";
    TL_NEW(path && names ? path : NULL);
    TL_TRY(tl_mkdirs(each ? path : s->folder));
    if (f->names) TL_TRY(write_file(s, names, -1, true));
    if (!each) return write_file(s, path, -1, false);
    tl_arena *one = tl_arena_new();
    TL_NEW(one);
    tl_status status = write_each(one, s);
    tl_arena_free(one);
    return status;
}
