/* classification_export.c - a model for other programs. SPDX-License-Identifier: MIT
 *
 * Batch norm is folded into the convolutions. The file is written only when what it computes, read
 * back from its own bytes, agrees with the model on sample pictures. */
#include "api.h"
#include "deepstream.h"
#include <math.h>
#include <string.h>

enum { SAMPLES = 8 };
#define MOST      1e-4 /* largest difference of a probability that is accepted */
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

static tl_status answers(tl_arena *a, const tl_model *m, const float *x, int n, float *p)
{
    tl_plan *plan;
    TL_TRY(tl_plan_new(m->g, a, &(tl_plan_conf){ .batch = 1, .constant = true }, &plan));
    tl_tensor in = tl_plan_value(plan, m->image), out = tl_plan_value(plan, m->answer);
    size_t one = tl_count(in.s), classes = tl_count(out.s);
    for (int i = 0; i < n; i++) {
        memcpy(in.f, x + (size_t)i * one, one * sizeof *x);
        TL_TRY(tl_plan_forward(plan));
        memcpy(p + (size_t)i * classes, out.f, classes * sizeof *p);
    }
    return TL_OK;
}

/* The largest difference between the model's answers and those of the bytes to be written. */
static tl_status compare(tl_arena *a, const tl_model *m, tl_bytes file, const char *dir,
                         double *worst, int *n)
{
    tl_model *again;
    size_t one = tl_count(m->g->node[m->image.i].s), classes = (size_t)m->g->node[m->answer.i].s.c;
    float *x = tl_new(a, float, SAMPLES *one), *p = tl_new(a, float, SAMPLES *classes),
          *q = tl_new(a, float, SAMPLES *classes);
    TL_NEW(x && p && q ? x : NULL);
    TL_TRY(tl_model_unpack(a, file, &again));
    TL_TRY(samples(a, m, dir, x, n));
    TL_TRY(answers(a, m, x, *n, p));
    TL_TRY(answers(a, again, x, *n, q));
    *worst = 0;
    for (size_t i = 0; i < (size_t)*n * classes; i++) {
        double d = fabs((double)p[i] - (double)q[i]);
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

/* What DeepStream's nvinfer needs to prepare pictures in the same way. */
static tl_status deepstream(tl_arena *a, const tl_model *m, const char *file)
{
    tl_shape s = m->g->node[m->image.i].s;
    tl_text labels = tl_text_new(a), conf = tl_text_new(a);
    bool bgr = s.c == 3 && m->norm.order[0] == 2;
    for (int i = 0; i < m->classes.n; i++)
        tl_textf(&labels, "%s%s", i ? ";" : "", ((const char **)m->classes.at)[i]);
    tl_textf(&labels, "\n");
    tl_textf(&conf, "[property]\nnet-scale-factor=%.9g\noffsets=", (double)m->norm.rstd[0]);
    for (int c = 0; c < s.c; c++) tl_textf(&conf, "%s%.9g", c ? ";" : "", (double)m->norm.mean[c]);
    tl_textf(&conf,
             "\ninfer-dims=%d;%d;%d\nmodel-color-format=%d\nnetwork-type=1\nnum-detected-classes=%"
             "d\nlabelfile-path=labels.txt\nonnx-file=%s\n",
             s.c, s.h, s.w, s.c == 1 ? 2 : bgr, m->classes.n, tl_path_base(file));
    for (int c = 1; c < s.c; c++)
        if (m->norm.rstd[c] != m->norm.rstd[0]) {
            tl_textf(&conf, "# nvinfer knows one scale only; this model has one per channel: "
                            "export --with-preprocessing is exact\n");
            break;
        }
    return tl_deepstream_write(a, file, &labels, &conf);
}

tl_status tl_classification_export(tl_arena *a, const tl_export_opts *o, const tl_listener *l,
                                   tl_export_summary *out)
{
    tl_model *m, *small;
    tl_graph *folded;
    tl_bytes plain, file;
    int n = 0;
    TL_CHECK(o->model, TL_EARG, "export needs a model (-m)");
    TL_CHECK(!o->gen_ds_config || !o->with_preprocessing, TL_EARG,
             "DeepStream's nvinfer prepares pictures itself, by the file that "
             "--gen_ds_config writes; leave out --with_preprocessing");
    TL_TRY(output_name(a, o, &out->output_file));
    TL_TRY(tl_may_write(out->output_file, o->overwrite));
    TL_TRY(tl_model_open(a, o->model, o->key, &m));
    TL_TRY(tl_fold(m->g, a, &folded));
    TL_TRY(tl_model_with(m, a, folded, &small));
    TL_TRY(tl_classes_of(a, m, o->classmap_json, &small->classes));
    TL_TRY(tl_model_note(small, "tlc %s classification export", tl_version()));
    tl_save_opts save = { .half = o->data_type == 1,
                          .static_batch = o->static_batch_size > 0 ? o->static_batch_size : 0 };
    TL_TRY(tl_model_pack(small, a, &save, &plain));
    TL_TRY(compare(a, m, plain, o->image_dir, &out->worst, &n));
    double most = save.half ? MOST_HALF : MOST;
    TL_CHECK(out->worst <= most, TL_EFORMAT,
             "the exported graph differs from the model by %.2g on %d pictures, more than %.2g; "
             "nothing was written",
             out->worst, n, most);
    save.key = o->key;
    save.with_preprocessing = o->with_preprocessing;
    TL_TRY(tl_model_pack(small, a, &save, &file));
    TL_TRY(tl_file_write(out->output_file, file.p, file.n));
    if (o->gen_ds_config) TL_TRY(deepstream(a, small, out->output_file));
    out->bytes = file.n;
    TL_NEW(out->report = tl_printf(a,
                                   "wrote '%s': %.2f MB, %zu parameters, %.1f million MACs; "
                                   "largest difference from the model on %d %s: %.2g\n",
                                   out->output_file, (double)file.n / 1e6, tl_graph_params(folded),
                                   tl_graph_macs(folded) / 1e6, n,
                                   o->image_dir ? "pictures" : "made-up pictures", out->worst));
    tl_tell(l, out->report);
    return o->results_dir
               ? tl_record(a, o->results_dir, "Export finished successfully.", (tl_list){ 0, NULL })
               : TL_OK;
}
