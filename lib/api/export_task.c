/* export_task.c - what exporting models of all kinds has in common. SPDX-License-Identifier: MIT */
#include "export_task.h"
#include "text.h"
#include <math.h>
#include <string.h>

enum { SAMPLES = 8 };
#define MOST      1e-4 /* largest difference of an answer that is accepted, of one above 1 as a share of it */
#define MOST_HALF 5e-3 /* the same for weights stored in 16 bits */

/* Inputs to compare on: the user's pictures, or smooth made-up ones (sums of waves, so that every
 * scale occurs). */
static tl_status samples(tl_arena *a, const tl_model *m, const char *dir, float *x, int *n)
{
    tl_shape s = m->g->node[m->image.i].s;
    size_t one = tl_count(s);
    tl_loader_conf conf = tl_loader_for(m, 1);
    tl_dataset found = { .sample = { 0, NULL } };
    if (dir) TL_TRY(tl_pictures_below(a, dir, &found));
    *n = dir && found.sample.n < SAMPLES ? found.sample.n : SAMPLES;
    for (int i = 0; i < *n; i++) {
        float *to = x + (size_t)i * one;
        if (dir) {
            TL_TRY(tl_picture_read(a, ((const tl_sample *)found.sample.at)[i].path, &conf, to));
            continue;
        }
        tl_rng r = tl_rng_at(7, (uint64_t)i, 0, 0);
        float f[6];
        for (int k = 0; k < 6; k++) f[k] = tl_uniform_in(&r, 0.01f, 0.6f);
        for (size_t j = 0; j < one; j++) {
            int c = (int)(j % (size_t)s.c), px = (int)(j / (size_t)s.c) % s.w,
                py = (int)(j / (size_t)s.c) / s.w;
            float wave = sinf(f[0] * (float)px + f[1] * (float)py + (float)c) +
                         sinf(f[2] * (float)px - f[3] * (float)py + f[4] * (float)c);
            to[j] = (127.5f * (1 + 0.5f * wave) - m->norm.mean[c]) * m->norm.rstd[c];
        }
    }
    return TL_OK;
}

/* How many numbers all outputs have for one picture. */
static size_t answers_of(const tl_model *m)
{
    size_t n = 0;
    for (int k = 0, i; (i = tl_graph_output_at(m->g, k)) >= 0; k++) n += tl_count(m->g->node[i].s);
    return n;
}

/* All outputs for n pictures, to: n x answers_of(m). */
static tl_status answers(tl_arena *a, const tl_model *m, const float *x, int n, float *to)
{
    tl_plan *plan;
    TL_TRY(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = 1, .constant = true }, &plan));
    const tl_tensor in = tl_plan_value(plan, m->image);
    const size_t one = tl_count(in.s);
    for (int p = 0; p < n; p++) {
        memcpy(in.f, x + (size_t)p * one, one * sizeof *x);
        TL_TRY(tl_plan_forward(plan));
        for (int k = 0, i; (i = tl_graph_output_at(m->g, k)) >= 0; k++) {
            const tl_tensor out = tl_plan_value(plan, (tl_val){ i });
            memcpy(to, out.f, tl_count(out.s) * sizeof *to);
            to += tl_count(out.s);
        }
    }
    return TL_OK;
}

/* The largest difference between the model's answers and those of the bytes to be written. */
static tl_status compare(tl_arena *a, const tl_model *m, tl_bytes file, const char *dir, double *worst, int *n)
{
    tl_model *again;
    const size_t one = tl_count(m->g->node[m->image.i].s), many = answers_of(m);
    float *x = tl_new(a, float, SAMPLES * one), *p = tl_new(a, float, SAMPLES * many), *q = tl_new(a, float, SAMPLES * many);
    TL_NEW(x && p && q ? x : NULL);
    TL_TRY(tl_model_unpack(a, file, &again));
    TL_CHECK(answers_of(again) == many, TL_EFORMAT, "the exported graph has other outputs than the model; nothing was written");
    TL_TRY(samples(a, m, dir, x, n));
    TL_TRY(answers(a, m, x, *n, p));
    TL_TRY(answers(a, again, x, *n, q));
    *worst = 0;
    for (size_t i = 0; i < (size_t)*n * many; i++) {
        const double d = fabs((double)p[i] - (double)q[i]) / fmax(1, fabs((double)p[i]));
        if (isnan(d) || d > *worst) *worst = d; /* not a number: the worst of all, and it stays */
    }
    return TL_OK;
}

static tl_status output_name(tl_arena *a, const tl_export_opts *o, const char **out)
{
    const char *dot = strrchr(tl_path_base(o->model), '.');
    int n = dot ? (int)(dot - o->model) : (int)strlen(o->model);
    *out = o->output_file ? o->output_file
                          : tl_printf(a, "%.*s%s", n, o->model,
                                      o->key && o->key[0] ? ".etlt" : "_export.onnx");
    return *out ? TL_OK : TL_ENOMEM;
}

/* Files for DeepStream have fixed names, which a user's own may have, too. */
static tl_status may_write(const tl_export *e)
{
    static const char *const beside[] = { "labels.txt", "nvinfer_config.txt" };
    const char *file = e->out->output_file;
    TL_TRY(tl_may_write(file, e->o->overwrite));
    for (int i = 0; e->o->gen_ds_config && i < TL_LEN(beside); i++) {
        const char *path = tl_printf(e->a, "%.*s%s", (int)(tl_path_base(file) - file), file, beside[i]);
        TL_NEW(path);
        TL_TRY(tl_may_write(path, e->o->overwrite));
    }
    return TL_OK;
}

tl_status tl_export_open(tl_export *e)
{
    const tl_export_opts *o = e->o;
    tl_graph *folded;
    TL_CHECK(o->model, TL_EARG, "export needs a model (-m)");
    TL_CHECK(!o->gen_ds_config || !o->with_preprocessing, TL_EARG,
             "DeepStream's nvinfer prepares pictures itself, by the file that --gen_ds_config writes; leave out --with_preprocessing");
    TL_TRY(output_name(e->a, o, &e->out->output_file));
    TL_TRY(may_write(e));
    TL_TRY(tl_model_open(e->a, o->model, o->key, &e->whole));
    TL_TRY(tl_fold(e->whole->g, e->a, &folded));
    TL_TRY(tl_model_with(e->whole, e->a, folded, &e->model));
    return tl_model_note(e->model, "tlc %s %s export", tl_version(), e->task);
}

static tl_status report(const tl_export *e, int pictures)
{
    tl_export_summary *out = e->out;
    TL_NEW(out->report = tl_printf(e->a, "wrote '%s': %.2f MB, %zu parameters, %.1f million MACs; largest difference from the model on %d %s: %.2g\n",
                                   out->output_file, (double)out->bytes / 1e6, tl_graph_params(e->model->g), tl_graph_macs(e->model->g) / 1e6, pictures,
                                   e->o->image_dir ? "pictures" : "made-up pictures", out->worst));
    tl_tell(e->l, out->report);
    return e->o->results_dir ? tl_record(e->a, e->o->results_dir, "Export finished successfully.", (tl_list){ 0, NULL }) : TL_OK;
}

tl_status tl_export_write(const tl_export *e)
{
    const tl_export_opts *o = e->o;
    tl_export_summary *out = e->out;
    tl_save_opts save = { .half = o->data_type == 1, .static_batch = o->static_batch_size > 0 ? o->static_batch_size : 0 };
    const double most = save.half ? MOST_HALF : MOST;
    tl_bytes file;
    int n = 0;
    TL_TRY(tl_model_pack(e->model, e->a, &save, &file));
    TL_TRY(compare(e->a, e->whole, file, o->image_dir, &out->worst, &n));
    TL_CHECK(out->worst <= most, TL_EFORMAT, "the exported graph differs from the model by %.2g on %d pictures, more than %.2g; nothing was written",
             out->worst, n, most);
    save.key = o->key;
    save.with_preprocessing = o->with_preprocessing;
    save.append = e->append;
    save.ctx = e->ctx;
    TL_TRY(tl_model_pack(e->model, e->a, &save, &file));
    TL_TRY(tl_file_write(out->output_file, file.p, file.n));
    out->bytes = file.n;
    if (o->gen_ds_config) TL_TRY(e->deepstream(e));
    return report(e, n);
}
