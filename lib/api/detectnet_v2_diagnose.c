/* detectnet_v2_diagnose.c - why does a detector's score stay at zero? SPDX-License-Identifier: MIT */
#include "diagnose.h"
#include <string.h>

static tl_status open_model(tl_diagnose *d)
{
    tl_model *m;
    if (d->o->model) {
        TL_TRY(tl_detect_model_open(d->a, d->o->model, d->o->key, &m));
        TL_TRY(tl_detect_same_classes(m, d->goal.names, d->goal.classes));
    } else TL_TRY(tl_detect_model_for(d->a, d->spec, d->o->key, d->l, &m));
    d->model = m;
    return TL_OK;
}

static tl_status open_set(tl_diagnose *d, tl_set_use use, const tl_dataset **out)
{
    tl_dataset *set;
    TL_TRY(tl_detect_set_open(d->a, d->spec, use, d->model, d->l, &set));
    *out = set;
    return TL_OK;
}

static tl_status look(tl_diagnose *d)
{
    TL_TRY(tl_detect_goal_of(d->a, d->spec, false, &d->goal));
    TL_TRY(open_model(d));
    const tl_status s = open_set(d, TL_SET_TRAINING, &d->train);
    if (s == TL_EDATA) return tl_diagnose_cause(d, 1, "%s", tl_errmsg()); /* nothing further can be looked at */
    TL_TRY(s);
    TL_TRY(open_set(d, TL_SET_VALIDATION, &d->val));
    TL_TRY(tl_diagnose_labels(d));
    TL_TRY(tl_diagnose_boxes(d));
    return tl_diagnose_learning(d);
}

static tl_status write_report(const tl_diagnose *d)
{
    const char *path = tl_path_join(d->a, d->o->results_dir, "diagnosis.txt");
    TL_NEW(path);
    TL_TRY(tl_mkdirs(d->o->results_dir));
    return tl_file_write(path, d->out->report, strlen(d->out->report));
}

tl_status tl_detectnet_v2_diagnose(tl_arena *a, const tl_diagnose_opts *o, const tl_listener *l, tl_diagnosis *out)
{
    static const tl_listener deaf;
    tl_diagnose d = { .a = a, .o = o, .l = l ? l : &deaf, .out = out };
    *out = (tl_diagnosis){ .causes = 0 };
    TL_CHECK(o->experiment_spec, TL_EARG, "a diagnosis needs a spec (-e)");
    TL_TRY(tl_detect_open(a, o->experiment_spec, &o->overrides, d.l, &d.spec));
    TL_TRY(look(&d));
    TL_TRY(tl_diagnose_report(&d));
    return o->results_dir ? write_report(&d) : TL_OK;
}
