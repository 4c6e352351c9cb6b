/* dataset_check.c - what a person should know of a data set before training. SPDX-License-Identifier: MIT */
#include "api.h"
#include "check.h"

tl_status tl_dataset_check(tl_arena *a, const tl_dataset_check_opts *o, const tl_listener *l,
                           tl_dataset_check_summary *out)
{
    tl_list splits;
    tl_check c;
    tl_label_conf conf = { .labels = o->labels ? o->labels : o->folder, .pictures = o->images, .format = o->format };
    TL_CHECK(o->folder, TL_EARG, "a folder to check is needed");
    TL_CHECK(tl_is_dir(o->folder), TL_EDATA, "there is no folder '%s'", o->folder);
    if (o->labels && !conf.pictures) conf.pictures = o->folder;
    TL_TRY(tl_splits_find(a, &conf, &splits));
    if (o->validation) {
        TL_CHECK(splits.n == 1, TL_EARG, "'%s' has a training and other parts already", o->folder);
        tl_split *s = tl_add(a, &splits, tl_split);
        TL_NEW(s);
        s[-1].name = "train";
        *s = (tl_split){ .name = "val", .conf = { .labels = o->validation, .format = o->format } };
    }
    TL_TRY(tl_check_run(a, splits, l, &c));
    *out = (tl_dataset_check_summary){ .errors = c.errors, .warnings = c.warnings };
    for (int i = 0; i < splits.n; i++) {
        out->pictures += ((const tl_split *)splits.at)[i].labels->npictures;
        out->objects += ((const tl_split *)splits.at)[i].labels->nobjects;
    }
    TL_TRY(tl_check_text(a, &c, &out->text));
    return tl_check_json(a, &c, &out->json);
}
