/* store.c - a data set for detection into a new folder. SPDX-License-Identifier: MIT */
#include "store.h"
#include "../label/keys.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { tl_arena *a, *one; const tl_labels *l; const tl_store_conf *c; const tl_listener *to; const char **name, *tmp; } job;

/* ---- Names ---- */

/* Two pictures of one name in one part would become one. The same picture twice, as in records that are repeated, is one. */
static tl_status check_names(job *j)
{
    tl_keys stems = { .a = j->a };
    int *first = tl_new(j->a, int, j->l->npictures + 1);
    TL_NEW(first);
    TL_NEW(j->name = tl_new(j->a, const char *, j->l->npictures + 1));
    for (int i = 0; i < j->l->npictures; i++) {
        const tl_picture *p = j->l->picture + i;
        const char *base = j->name[i] = tl_path_base(p->path), *dot = tl_image_name(base) ? strrchr(base, '.') : NULL;
        const char *stem = tl_printf(j->a, "%d/%.*s", j->c->part ? j->c->part[i] : 0, dot ? (int)(dot - base) : (int)strlen(base), base);
        TL_NEW(stem);
        TL_CHECK(p->found || j->c->how == TL_LABELS_ONLY, TL_EDATA,
                 "the picture '%s', of which '%s' speaks, is not there", p->path, p->labels);
        int before = stems.key.n, k = tl_keys_add(&stems, stem);
        if (k < 0) return TL_ENOMEM;
        if (k == before) first[k] = i;
        const char *other = j->l->picture[first[k]].path;
        TL_CHECK(k == before || !strcmp(other, p->path), TL_EDATA,
                 "the pictures '%s' and '%s' have the same name; one of them has to be renamed", other, p->path);
    }
    return TL_OK;
}

static tl_status check_folder(const job *j)
{
    tl_list names;
    const char *folder = j->c->folder;
    if (!tl_file_exists(folder)) return TL_OK;
    TL_CHECK(tl_is_dir(folder), TL_EARG, "'%s' is there already, and no folder", folder);
    TL_TRY(tl_dir_list(j->a, folder, &names));
    TL_CHECK(!names.n, TL_EARG, "the folder '%s' is not empty; choose another", folder);
    return TL_OK;
}

/* ---- Pictures ---- */

static tl_status copy(job *j, const char *from, const char *to)
{
    tl_bytes b;
    TL_TRY(tl_file_read(j->one, from, 0, &b));
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    TL_CHECK(fd >= 0, TL_EIO, "cannot write '%s': %s", to, strerror(errno));
    tl_status s = tl_write_all(fd, to, b.p, b.n);
    if (close(fd) && !s) s = tl_fail(TL_EIO, "cannot write '%s': %s", to, strerror(errno));
    return s;
}

static tl_status link_to(const char *from, const char *to)
{
    char path[PATH_MAX];
    TL_CHECK(realpath(from, path) && !symlink(path, to), TL_EIO, "cannot make the link '%s': %s", to, strerror(errno));
    return TL_OK;
}

static tl_status put_pictures(job *j, const char *folder, const int *picture, int n)
{
    const char *dir = tl_path_join(j->a, folder, "images");
    TL_NEW(dir);
    TL_TRY(tl_mkdirs(dir));
    for (int i = 0; i < n; i++) {
        const char *from = j->l->picture[picture[i]].path, *to = tl_path_join(j->one, dir, j->name[picture[i]]);
        TL_NEW(to);
        TL_CHECK(!tl_stopping(j->to), TL_ESTOPPED, "stopped; nothing was written");
        TL_TRY(j->c->how == TL_LINK ? link_to(from, to) : copy(j, from, to));
        tl_arena_reset(j->one);
    }
    return TL_OK;
}

/* ---- Parts ---- */

static tl_status put_part(job *j, int part)
{
    const tl_labels *l = j->l;
    int *picture = tl_new(j->a, int, l->npictures + 1);
    const char *folder = j->c->parts > 1 ? tl_path_join(j->a, j->tmp, j->c->name[part]) : j->tmp;
    tl_label_save save = { .format = j->c->format, .labels = l, .picture = picture, .name = j->name, .folder = folder };
    TL_NEW(picture && folder ? picture : NULL);
    for (int i = 0; i < l->npictures; i++) {
        if (j->c->part && j->c->part[i] != part) continue;
        if (save.n && !strcmp(l->picture[picture[save.n - 1]].path, l->picture[i].path)) continue;
        picture[save.n++] = i;
    }
    TL_TRY(tl_labels_write(j->a, &save));
    return j->c->how == TL_LABELS_ONLY ? TL_OK : put_pictures(j, folder, picture, save.n);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

static tl_status store(job *j)
{
    size_t n = strlen(j->c->folder);
    TL_CHECK(n, TL_EARG, "the name of the folder to make is empty");
    TL_TRY(check_folder(j));
    TL_TRY(check_names(j));
    while (n > 1 && j->c->folder[n - 1] == '/') n--;
    TL_NEW(j->tmp = tl_printf(j->a, "%.*s.%ld.tmp", (int)n, j->c->folder, (long)getpid()));
    TL_CHECK(!tl_file_exists(j->tmp), TL_EIO, "'%s', where the data set was to be made, is there already", j->tmp);
    tl_status s = tl_mkdirs(j->tmp);
    for (int i = 0; i < j->c->parts && !s; i++) s = put_part(j, i);
    if (!s && rename(j->tmp, j->c->folder)) s = tl_fail(TL_EIO, "cannot make '%s': %s", j->c->folder, strerror(errno));
    if (s) nftw(j->tmp, remove_one, 16, FTW_DEPTH | FTW_PHYS); /* links are removed, not what they lead to */
    return s;
}

tl_status tl_store(tl_arena *a, const tl_labels *l, const tl_store_conf *c, const tl_listener *to)
{
    job j = { .a = a, .one = tl_arena_new(), .l = l, .c = c, .to = to };
    TL_NEW(j.one);
    tl_status s = store(&j);
    tl_arena_free(j.one);
    return s;
}
