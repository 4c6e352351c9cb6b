/* pair.c - which picture a label speaks of. SPDX-License-Identifier: MIT
 *
 * Label files lie in a folder of their own, beside that of the pictures, whose name depends on who made the set; or
 * in the same. */
#include "pair.h"
#include <stdio.h>
#include <string.h>

/* "a/b.jpg" to "b". */
static char *stem_of(tl_arena *a, const char *name)
{
    char *stem = tl_strdup(a, tl_path_base(name));
    if (stem && tl_image_name(stem)) *strrchr(stem, '.') = 0;
    return stem;
}

/* Take dir for the folder of pictures, if there are any in it. */
static tl_status take(tl_label_sink *s, const char *dir)
{
    tl_list names;
    if (s->folder || !tl_is_dir(dir)) return TL_OK;
    TL_TRY(tl_dir_list(s->one, dir, &names));
    for (int i = 0; i < names.n; i++) {
        const char *name = ((const char **)names.at)[i], *stem;
        if (name[0] == '.' || !tl_image_name(name)) continue;
        TL_NEW(stem = stem_of(s->one, name));
        int k = tl_keys_add(&s->index, stem);
        if (k < 0) return TL_ENOMEM;
        if (k < s->files.n) continue; /* a.jpg beside a.png */
        tl_paired *f = tl_add(s->tmp, &s->files, tl_paired);
        TL_NEW(f);
        TL_NEW(f->name = tl_strdup(s->tmp, name));
    }
    tl_arena_reset(s->one);
    if (s->files.n) TL_NEW(s->folder = tl_strdup(s->tmp, dir));
    return TL_OK;
}

static tl_status take_in(tl_label_sink *s, const char *dir, const char *name)
{
    char *path = tl_path_join(s->tmp, dir, name);
    TL_NEW(path);
    return take(s, path);
}

/* YOLO's rule: .../labels/train goes with .../images/train. */
static tl_status take_mirrored(tl_label_sink *s, const char *dir)
{
    static const char from[] = "labels";
    const size_t n = sizeof from - 1;
    const char *last = NULL;
    for (const char *p = dir; (p = strstr(p, from)); p++)
        if ((p == dir || p[-1] == '/') && (!p[n] || p[n] == '/')) last = p;
    if (!last) return TL_OK;
    char *path = tl_printf(s->tmp, "%.*simages%s", (int)(last - dir), dir, last + n);
    TL_NEW(path);
    return take(s, path);
}

/* COCO's: annotations/instances_train2017.json goes with train2017/. */
static tl_status take_named(tl_label_sink *s, const char *parent, const char *file)
{
    const char *tail = strrchr(file, '_');
    if (!tail) return TL_OK;
    char *name = tl_strndup(s->tmp, tail + 1, strcspn(tail + 1, "."));
    TL_NEW(name);
    return *name ? take_in(s, parent, name) : TL_OK;
}

/* The folder that path lies in. */
static char *parent_of(tl_arena *a, const char *path)
{
    char *p = tl_strdup(a, path);
    if (!p) return NULL;
    for (size_t n = strlen(p); n > 1 && p[n - 1] == '/'; n--) p[n - 1] = 0;
    char *slash = strrchr(p, '/'), *last = slash ? slash + 1 : p;
    if (!*last || !strcmp(last, ".") || !strcmp(last, "..")) return tl_path_join(a, p, "..");
    if (!slash) return tl_strdup(a, ".");
    slash[slash == p] = 0;
    return p;
}

/* Where they usually are: in a folder below that of the labels or beside it, or right there. */
static tl_status search(tl_label_sink *s, const char *labels)
{
    static const char *const usual[] = { "images", "image_2", "JPEGImages", "image", "img" };
    const bool file = !tl_is_dir(labels);
    const char *dir = file ? parent_of(s->tmp, labels) : labels, *parent;
    TL_NEW(dir);
    TL_NEW(parent = parent_of(s->tmp, dir));
    TL_TRY(take_mirrored(s, dir));
    if (file) TL_TRY(take_named(s, parent, tl_path_base(labels)));
    for (int i = 0; i < TL_LEN(usual); i++) TL_TRY(take_in(s, dir, usual[i]));
    for (int i = 0; i < TL_LEN(usual); i++) TL_TRY(take_in(s, parent, usual[i]));
    TL_TRY(take(s, dir));
    return take(s, parent);
}

tl_status tl_sink_pictures(tl_label_sink *s, const char *labels)
{
    const char *dir = s->conf->pictures;
    if (!dir) return search(s, labels);
    TL_CHECK(tl_is_dir(dir), TL_EDATA, "there is no folder of pictures '%s'", dir);
    TL_TRY(take(s, dir));
    TL_NEW(s->folder = tl_strdup(s->tmp, dir)); /* also when they all lie in folders below it */
    return TL_OK;
}

/* A path that the labels give, below the folder or from the current one. */
static tl_status find_path(tl_label_sink *s, tl_picture *p)
{
    const char *path = s->folder ? tl_path_join(s->tmp, s->folder, p->path) : p->path;
    TL_NEW(path);
    if (!tl_image_name(path) || !tl_file_exists(path)) return TL_OK;
    p->path = path;
    p->found = true;
    return TL_OK;
}

/* The file of that name in the folder; any suffix will do when the labels tell none. */
static tl_status find_name(tl_label_sink *s, tl_picture *p)
{
    const char *stem = stem_of(s->one, p->path), *base = tl_path_base(p->path);
    TL_NEW(stem);
    int k = tl_keys_find(&s->index, stem);
    if (k < 0) return TL_OK;
    const char *name = ((const tl_paired *)s->files.at)[k].name;
    if (tl_image_name(base) && strcmp(base, name)) return TL_OK;
    TL_NEW(p->path = tl_path_join(s->tmp, s->folder, name));
    p->found = true;
    return TL_OK;
}

tl_status tl_sink_pair(tl_label_sink *s, tl_picture *p)
{
    bool nested = strchr(p->path, '/');
    tl_arena_reset(s->one);
    if (nested) TL_TRY(find_path(s, p));
    if (!p->found) TL_TRY(find_name(s, p));
    if (!p->found && !nested) TL_TRY(find_path(s, p));
    if (!p->found) return TL_OK;
    const char *stem = stem_of(s->one, p->path);
    TL_NEW(stem);
    int k = tl_keys_find(&s->index, stem);
    if (k >= 0) ((tl_paired *)s->files.at)[k].used = true;
    return TL_OK;
}

tl_status tl_sink_unpaired(tl_label_sink *s, tl_list *out)
{
    const tl_paired *f = s->files.at;
    for (int i = 0; i < s->files.n; i++) {
        if (f[i].used) continue;
        const char **slot = tl_add(s->a, out, const char *);
        TL_NEW(slot);
        TL_NEW(*slot = tl_path_join(s->a, s->folder, f[i].name));
    }
    return TL_OK;
}

tl_status tl_sink_measure(tl_label_sink *s, tl_picture *p)
{
    tl_size size;
    if (p->w) return TL_OK;
    TL_CHECK(
        p->found, TL_EDATA,
        "'%s' has boxes in fractions of the picture '%s', whose size is needed, but there is no such picture%s%s%s",
        p->labels, p->path, s->folder ? " in '" : "; tell the folder with the pictures", s->folder ? s->folder : "",
        s->folder ? "'" : "");
    TL_TRY(tl_image_measure(p->path, &size));
    p->w = size.w;
    p->h = size.h;
    return TL_OK;
}
