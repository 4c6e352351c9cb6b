/* folder.c - a folder per class: root/CLASS/picture.jpg. SPDX-License-Identifier: MIT
 *
 * As Keras' flow_from_directory, which the original uses: classes are the root's folders in byte
 * order, pictures may lie in folders below. A link to a file or to a class folder is followed, a
 * link to a folder further down is not, so there are no circles. Names that begin with a dot are
 * skipped: editors, notebooks and archives leave such things behind. */
#include "data.h"
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_DEPTH 64

static bool is_link(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static tl_status collect(tl_arena *a, tl_dataset *d, const char *path, int label, int depth);

/* The same with names in an arena of their own: of a million pictures only the paths shall stay. */
static tl_status collect_in(tl_arena *a, tl_arena *tmp, tl_dataset *d, const char *path, int label, int depth)
{
    tl_list names, below = { 0, NULL };
    TL_TRY(tl_dir_list(tmp, path, &names));
    for (int i = 0; i < names.n; i++) {
        const char *name = ((const char **)names.at)[i];
        if (name[0] == '.') continue;
        char *full = tl_path_join(tmp, path, name);
        TL_NEW(full);
        if (tl_is_dir(full)) {
            if (is_link(full)) continue;
            const char **slot = tl_add(tmp, &below, const char *);
            TL_NEW(slot);
            *slot = full;
        } else if (tl_image_name(name)) {
            tl_sample *s = tl_add(a, &d->sample, tl_sample);
            TL_NEW(s);
            *s = (tl_sample){ tl_strdup(a, full), label, 0 };
            TL_NEW(s->path);
        } else if (!d->ignored++)
            TL_NEW(d->ignored_first = tl_strdup(a, full));
    }
    for (int i = 0; i < below.n; i++)
        TL_TRY(collect(a, d, ((const char **)below.at)[i], label, depth + 1));
    return TL_OK;
}

/* All pictures below path: first its files, then its folders, each in byte order. */
static tl_status collect(tl_arena *a, tl_dataset *d, const char *path, int label, int depth)
{
    TL_CHECK(depth < MAX_DEPTH, TL_EDATA, "folders nest deeper than %d levels at '%s'", MAX_DEPTH,
             path);
    tl_arena *tmp = tl_arena_new();
    TL_NEW(tmp);
    tl_status s = collect_in(a, tmp, d, path, label, depth);
    tl_arena_free(tmp);
    return s;
}

tl_status tl_pictures_below(tl_arena *a, const char *path, tl_dataset *out)
{
    *out = (tl_dataset){ .root = path };
    TL_CHECK(tl_is_dir(path), TL_EDATA, "there is no folder '%s'", path);
    TL_TRY(collect(a, out, path, 0, 0));
    TL_CHECK(out->sample.n, TL_EDATA, "there is no picture (.jpg, .jpeg, .png) in '%s'", path);
    return TL_OK;
}

static tl_status class_folders(tl_arena *a, const char *root, tl_list *found)
{
    tl_list names;
    TL_CHECK(tl_file_exists(root), TL_EDATA, "the picture folder '%s' does not exist", root);
    TL_CHECK(tl_is_dir(root), TL_EDATA,
             "'%s' is a file; a folder with one folder per class was expected", root);
    TL_TRY(tl_dir_list(a, root, &names));
    for (int i = 0; i < names.n; i++) {
        const char *name = ((const char **)names.at)[i];
        char *full = tl_path_join(a, root, name);
        TL_NEW(full);
        if (name[0] == '.' || !tl_is_dir(full)) continue;
        const char **slot = tl_add(a, found, const char *);
        TL_NEW(slot);
        *slot = name;
    }
    return TL_OK;
}

static bool has(const tl_list *names, const char *name)
{
    for (int i = 0; i < names->n; i++)
        if (!strcmp(((const char **)names->at)[i], name)) return true;
    return false;
}

/* The names of `in` that `other` lacks, quoted, at most ten; "" when there are none. */
static const char *lacking(tl_arena *a, const tl_list *in, const tl_list *other)
{
    const char *text = "";
    int n = 0;
    for (int i = 0; i < in->n && text; i++) {
        const char *name = ((const char **)in->at)[i];
        if (has(other, name)) continue;
        if (n++ < 10) text = tl_printf(a, "%s%s'%s'", text, n > 1 ? ", " : "", name);
    }
    return text && n > 10 ? tl_printf(a, "%s and %d more", text, n - 10) : text;
}

static tl_status check_classes(tl_arena *a, const char *root, const tl_list *found,
                               const tl_list *wanted)
{
    if (!wanted) {
        TL_CHECK(
            found->n, TL_EDATA,
            "no class folders in '%s': put the pictures of each class into a folder of its own "
            "there",
            root);
        TL_CHECK(found->n > 1, TL_EDATA,
                 "a single class, '%s', in '%s': there is nothing to tell apart; at least two "
                 "class folders are needed",
                 *(const char **)found->at, root);
        return TL_OK;
    }
    const char *missing = lacking(a, wanted, found), *unknown = lacking(a, found, wanted);
    if (!missing || !unknown) return TL_ENOMEM;
    if (!*missing && !*unknown) return TL_OK;
    return tl_fail(
        TL_EDATA,
        "the class folders in '%s' are not the model's or training set's classes:%s%s%s%s%s", root,
        *missing ? " missing " : "", missing, *missing && *unknown ? ";" : "",
        *unknown ? " unknown " : "", unknown);
}

static tl_status scan(tl_arena *a, const char *path, const tl_list *classes, tl_dataset **out)
{
    tl_dataset *d = tl_new(a, tl_dataset, 1);
    TL_NEW(d);
    TL_NEW(d->root = tl_strdup(a, path));
    tl_list found = { 0, NULL };
    TL_TRY(class_folders(a, path, &found));
    TL_TRY(check_classes(a, path, &found, classes));
    d->classes = classes ? *classes : found;
    for (int i = 0; i < d->classes.n; i++) {
        const char *name = ((const char **)d->classes.at)[i], *full = tl_path_join(a, path, name);
        TL_NEW(full);
        TL_TRY(collect(a, d, full, i, 0));
    }
    TL_CHECK(d->sample.n, TL_EDATA,
             "no pictures in the class folders of '%s': *.jpg, *.jpeg or *.png are read%s%s", path,
             d->ignored ? ", not files such as " : "", d->ignored ? d->ignored_first : "");
    *out = d;
    return TL_OK;
}

const tl_format tl_format_folder = { "folder",
                                     "one folder per class, with JPEG and PNG pictures below it",
                                     scan };
