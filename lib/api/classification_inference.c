/* classification_inference.c - what is on these pictures? SPDX-License-Identifier: MIT */
#include "api.h"
#include "text.h"
#include <string.h>

static int argmax(const float *p, int n)
{
    int best = 0;
    for (int k = 1; k < n; k++)
        if (p[k] > p[best]) best = k;
    return best;
}

/* The original's three lines. */
static tl_status one(tl_arena *a, const tl_model *m, const tl_list *classes, const char *path,
                     bool amp, tl_inference *out)
{
    tl_plan *plan;
    tl_text t = tl_text_new(a);
    tl_loader_conf c = tl_loader_for(m, 1);
    TL_TRY(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = 1, .constant = true, .amp = amp }, &plan));
    TL_TRY(tl_picture_read(a, path, &c, tl_plan_value(plan, m->image).f));
    double start = tl_now();
    TL_TRY(tl_plan_forward(plan));
    tl_tensor p = tl_plan_value(plan, m->answer);
    int best = argmax(p.f, p.s.c);
    tl_textf(&t, "Current predictions: [[");
    for (int k = 0; k < p.s.c; k++) tl_textf(&t, "%s%.6g", k ? " " : "", (double)p.f[k]);
    tl_textf(&t, "]]\nClass label = %d\nClass name = %s\n", best,
             ((const char **)classes->at)[best]);
    *out = (tl_inference){ .pictures = 1,
                           .pictures_per_second = 1 / (tl_now() - start),
                           .text = tl_text_end(&t) };
    return out->text ? TL_OK : TL_ENOMEM;
}

typedef struct {
    const tl_dataset *d;
    const tl_list *classes;
    tl_text *csv;
} writer;

static void csv_field(tl_text *t, const char *s)
{
    if (!strpbrk(s, ",\"\n\r")) {
        tl_textf(t, "%s", s);
        return;
    }
    tl_textf(t, "\"");
    for (; *s; s++) tl_textf(t, *s == '"' ? "\"\"" : "%c", *s);
    tl_textf(t, "\"");
}

static tl_status row(void *ctx, const tl_prediction *p)
{
    const writer *w = ctx;
    int best = argmax(p->p, w->classes->n);
    csv_field(w->csv, ((const tl_sample *)w->d->sample.at)[p->sample].path);
    tl_textf(w->csv, ",");
    csv_field(w->csv, ((const char **)w->classes->at)[best]);
    tl_textf(w->csv, ",%.6f\n", (double)p->p[best]);
    return TL_OK;
}

static tl_status folder(tl_arena *a, const tl_model *m, const tl_list *classes,
                        const tl_inference_opts *o, int batch, const tl_listener *l,
                        tl_inference *out)
{
    tl_dataset d;
    tl_text csv = tl_text_new(a);
    tl_plan *plan;
    tl_loader *load;
    tl_confusion c;
    tl_loader_conf conf = tl_loader_for(m, batch);
    writer w = { &d, classes, &csv };
    TL_TRY(tl_pictures_below(a, o->image_dir, &d));
    d.classes = *classes;
    TL_TRY(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = batch, .constant = true, .amp = tl_precision(o->use_amp, l) }, &plan));
    TL_TRY(tl_loader_new(a, &d, &conf, &load));
    TL_TRY(tl_confusion_init(a, classes->n, 1, &c));
    double start = tl_now();
    TL_TRY(tl_evaluate(plan, NULL, m, &d, load, &c, row, &w));
    double spent = tl_now() - start;
    const char *dir = o->results_dir ? o->results_dir : ".", *text = tl_text_end(&csv);
    *out = (tl_inference){ .pictures = (int)c.n,
                           .pictures_per_second = (double)c.n / spent,
                           .csv = tl_path_join(a, dir, "result.csv") };
    TL_NEW(text && out->csv ? text : NULL);
    TL_TRY(tl_mkdirs(dir));
    TL_TRY(tl_unreadable_report(a, (const tl_loader *[]){ load }, 1, o->results_dir, l,
                                &out->unreadable));
    return tl_file_write(out->csv, text, strlen(text));
}

tl_status tl_classification_inference(tl_arena *a, const tl_inference_opts *o, const tl_listener *l,
                                      tl_inference *out)
{
    const tl_classification_spec *spec;
    tl_model *m;
    tl_graph *folded;
    *out = (tl_inference){ 0 };
    TL_CHECK(o->model, TL_EARG, "inference needs a model (-m)");
    TL_CHECK(!o->image != !o->image_dir, TL_EARG, "give either one picture (-i) or a folder (-d)");
    TL_TRY(tl_spec_open(a, o->experiment_spec, &o->overrides, 0, l, &spec));
    TL_TRY(tl_model_open(a, o->model, o->key, &m));
    TL_TRY(tl_fold(m->g, a, &folded));
    TL_TRY(tl_model_with(m, a, folded, &m));
    tl_list classes;
    TL_TRY(tl_classes_of(a, m, o->classmap, &classes));
    int batch = o->batch_size > 0 ? o->batch_size : spec ? spec->eval->batch_size : 16;
    return o->image ? one(a, m, &classes, o->image, tl_precision(o->use_amp, l), out) : folder(a, m, &classes, o, batch, l, out);
}
