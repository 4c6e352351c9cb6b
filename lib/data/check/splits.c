/* splits.c - the parts of a data set, told by how folders are called. SPDX-License-Identifier: MIT */
#include "check.h"
#include <string.h>

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

tl_status tl_splits_find(tl_arena *a, const tl_label_conf *conf, tl_list *out)
{
    const char *path;
    *out = (tl_list){ 0, NULL };
    for (int i = 0; i < TL_LEN(parts) && !conf->pictures; i++)
        for (int k = 0; k < 4 && parts[i].folder[k]; k++) {
            TL_TRY(find(a, conf->labels, parts[i].folder[k], &path));
            if (!path) continue;
            TL_TRY(add(a, out, parts[i].name, conf, path));
            break;
        }
    if (!out->n) return add(a, out, "", conf, conf->labels);
    if (out->n == 1) ((tl_split *)out->at)->name = ""; /* KITTI's folder of all that has labels is called training */
    return TL_OK;
}
