/* splits.c - the parts of a data set, told by how folders or files are called. SPDX-License-Identifier: MIT */
#include "check.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

/* KITTI's folder "testing" has no labels, and is none of these. */
static const struct { const char *name; const char *folder[4]; } parts[] = {
    { "train", { "train", "training" } },
    { "val", { "val", "valid", "validation" } },
    { "test", { "test" } },
};

static tl_status add(tl_arena *a, tl_list *out, const char *name, const tl_label_conf *conf, const char *labels)
{
    tl_split *s = tl_add(a, out, tl_split);
    TL_NEW(s);
    *s = (tl_split){ .name = name, .conf = *conf };
    s->conf.labels = labels;
    return TL_OK;
}

/* ROOT/train, or YOLO's ROOT/labels/train. */
static tl_status find(tl_arena *a, const char *root, const char *folder, const char **out)
{
    const char *path = tl_path_join(a, root, folder), *labels = tl_printf(a, "%s/labels/%s", root, folder);
    TL_NEW(path && labels ? path : NULL);
    *out = tl_is_dir(path) ? path : tl_is_dir(labels) ? labels : NULL;
    return TL_OK;
}

static tl_status by_folder(tl_arena *a, const tl_label_conf *conf, tl_list *out)
{
    const char *path;
    for (int i = 0; i < TL_LEN(parts); i++)
        for (int k = 0; k < 4 && parts[i].folder[k]; k++) {
            TL_TRY(find(a, conf->labels, parts[i].folder[k], &path));
            if (!path) continue;
            TL_TRY(add(a, out, parts[i].name, conf, path));
            break;
        }
    return TL_OK;
}

/* ---- Forms with one file for many pictures: instances_train2017.json, test_labels.csv ---- */

/* Has the name this word, between other characters than letters? */
static bool has_word(const char *name, const char *word)
{
    const size_t n = strlen(word);
    for (const char *p = name; (p = strcasestr(p, word)); p++)
        if ((p == name || !isalpha((unsigned char)p[-1])) && !isalpha((unsigned char)p[n])) return true;
    return false;
}

static bool is_of(const char *name, int part)
{
    for (int k = 0; k < 4 && parts[part].folder[k]; k++)
        if (has_word(name, parts[part].folder[k])) return true;
    return false;
}

/* Of the form that is asked for, if any. */
static bool holds_many(const char *name, const char *format)
{
    static const struct { const char *suffix, *format; } forms[] = { { ".json", "coco" }, { ".csv", "csv" } };
    const char *end = strrchr(name, '.');
    for (int i = 0; end && end > name && i < TL_LEN(forms); i++)
        if (!strcasecmp(end, forms[i].suffix)) return !format || !strcasecmp(format, forms[i].format);
    return false;
}

/* The file of a part in a folder; of COCO's several the one with boxes. *out NULL: none, or not to be told which. */
static tl_status find_file(tl_arena *a, const char *dir, const char *format, int part, const char **out)
{
    const char *only = NULL, *instances = NULL;
    tl_list names;
    int n = 0;
    *out = NULL;
    TL_TRY(tl_dir_list(a, dir, &names));
    for (int i = 0; i < names.n; i++) {
        const char *name = ((const char **)names.at)[i];
        if (name[0] == '.' || !holds_many(name, format) || !is_of(name, part)) continue;
        only = n++ ? NULL : name;
        if (has_word(name, "instances")) instances = name;
    }
    if (instances) only = instances;
    if (only) TL_NEW(*out = tl_path_join(a, dir, only));
    return TL_OK;
}

static tl_status by_file(tl_arena *a, const tl_label_conf *conf, tl_list *out)
{
    static const char *const folders[] = { "", "annotations", "Annotations" };
    for (int f = 0; f < TL_LEN(folders) && out->n < 2; f++) {
        const char *dir = tl_path_join(a, conf->labels, folders[f]), *path;
        TL_NEW(dir);
        out->n = 0;
        for (int i = 0; i < TL_LEN(parts) && tl_is_dir(dir); i++) {
            TL_TRY(find_file(a, dir, conf->format, i, &path));
            if (path) TL_TRY(add(a, out, parts[i].name, conf, path));
        }
    }
    if (out->n < 2) out->n = 0; /* of a set with one file reading finds it */
    return TL_OK;
}

tl_status tl_splits_find(tl_arena *a, const tl_label_conf *conf, tl_list *out)
{
    *out = (tl_list){ 0, NULL };
    if (!conf->pictures && tl_is_dir(conf->labels)) {
        TL_TRY(by_file(a, conf, out)); /* first: folders of the parts may hold their pictures alone */
        if (!out->n) TL_TRY(by_folder(a, conf, out));
    }
    if (!out->n) return add(a, out, "", conf, conf->labels);
    if (out->n == 1) ((tl_split *)out->at)->name = ""; /* KITTI's folder of all that has labels is called training */
    return TL_OK;
}
