/* detectnet_v2_diagnose.c - why does a detector's score stay at zero? SPDX-License-Identifier: MIT */
#include "diagnose.h"
#include "text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Findings ---- */

static const char *formatted(tl_arena *a, const char *fmt, va_list ap)
{
    char text[1024];
    vsnprintf(text, sizeof text, fmt, ap);
    return tl_strdup(a, text);
}

tl_status tl_diagnose_cause(tl_diagnose *d, double weight, const char *fmt, ...)
{
    va_list ap;
    tl_cause *c = tl_add(d->a, &d->cause, tl_cause);
    TL_NEW(c);
    va_start(ap, fmt);
    *c = (tl_cause){ weight, formatted(d->a, fmt, ap) };
    va_end(ap);
    return c->text ? TL_OK : TL_ENOMEM;
}

tl_status tl_diagnose_fact(tl_diagnose *d, const char *fmt, ...)
{
    va_list ap;
    const char **f = tl_add(d->a, &d->fact, const char *);
    TL_NEW(f);
    va_start(ap, fmt);
    *f = formatted(d->a, fmt, ap);
    va_end(ap);
    return *f ? TL_OK : TL_ENOMEM;
}

static int likelier(const void *a, const void *b)
{
    const tl_cause *x = a, *y = b;
    return x->weight != y->weight ? (x->weight < y->weight ? 1 : -1) : strcmp(x->text, y->text);
}

static tl_status report(tl_diagnose *d)
{
    tl_text t = tl_text_new(d->a);
    tl_cause *c = d->cause.at;
    if (d->cause.n) qsort(c, (size_t)d->cause.n, sizeof *c, likelier);
    for (int i = 0; i < d->fact.n; i++) tl_textf(&t, "%s\n", ((const char *const *)d->fact.at)[i]);
    tl_textf(&t, d->cause.n ? "\nWhat keeps the score low, the likeliest first:\n" : "\nNothing was found that keeps the score low.\n");
    for (int i = 0; i < d->cause.n; i++) tl_textf(&t, "%2d. %s\n", i + 1, c[i].text);
    d->out->causes = d->cause.n;
    TL_NEW(d->out->report = tl_text_end(&t));
    return TL_OK;
}

/* ---- Looking ---- */

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
    TL_TRY(report(&d));
    return o->results_dir ? write_report(&d) : TL_OK;
}
