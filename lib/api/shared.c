/* shared.c - what the tasks of the public interface share. SPDX-License-Identifier: MIT */
#include "api.h"
#include "layers.h"
#include "registry.h"
#include "statusjson.h"
#include <string.h>

bool tl_precision(bool wanted, const tl_listener *l)
{
    const bool can = tl_kernel_bf16() != NULL;
    if (wanted && can)
        tl_say(l, "mixed precision: maps in bf16, weights and sums in f32%s\n", tl_kernel_bf16()->products == TL_F32 ? ", and products" : "");
    else if (wanted) tl_say(l, "note: mixed precision needs a processor with AVX512-BF16, which this one is not; computing in f32\n");
    return wanted && can;
}

tl_status tl_spec_open(tl_arena *a, const char *path, const tl_list *overrides, unsigned needs,
                       const tl_listener *l, const tl_classification_spec **out)
{
    const char *warnings;
    *out = NULL;
    if (!path) return TL_OK;
    TL_TRY(tl_classification_spec_load(a, path, NULL, overrides->at, overrides->n, needs, out,
                                       &warnings));
    tl_tell(l, warnings);
    return TL_OK;
}

bool tl_spec_says(const char *section, const void *obj, const char *field)
{
    return tl_msg_has(tl_field_find(tl_classification_msg.field, section)->msg, obj, field);
}

/* resnet_080.tlt asked for, resnet_080.onnx there: without a key models are plain ONNX. */
static const char *other_suffix(tl_arena *a, const char *path)
{
    static const char *const suffix[] = { ".tlt", ".onnx", ".etlt", ".hdf5" };
    const char *dot = strrchr(path, '.');
    for (int i = 0; dot && i < TL_LEN(suffix); i++) {
        const char *p = tl_printf(a, "%.*s%s", (int)(dot - path), path, suffix[i]);
        if (p && tl_file_exists(p)) return p;
    }
    return NULL;
}

tl_status tl_model_find(tl_arena *a, const char *path, const char **out)
{
    const size_t prefix = strlen(TL_REGISTRY_PREFIX);
    *out = path;
    if (!strncmp(path, TL_REGISTRY_PREFIX, prefix)) return tl_cache_find(a, path + prefix, out);
    const char *other = tl_file_exists(path) ? NULL : other_suffix(a, path);
    TL_CHECK(!other, TL_EIO, "there is no model '%s', but there is '%s'", path, other);
    return TL_OK;
}

tl_status tl_model_open(tl_arena *a, const char *path, const char *key, tl_model **out)
{
    TL_TRY(tl_model_find(a, path, &path));
    return tl_model_load(a, path, key, out);
}

tl_status tl_foreign_open(tl_arena *a, const char *path, const char *key, tl_foreign *out)
{
    TL_TRY(tl_model_find(a, path, &path));
    return tl_import(a, path, key, out);
}

tl_loader_conf tl_loader_for(const tl_model *m, int batch)
{
    tl_shape s = m->g->node[m->image.i].s;
    return (tl_loader_conf){ .w = s.w,
                             .h = s.h,
                             .c = s.c,
                             .filter = m->filter,
                             .center_crop = m->center_crop,
                             .norm = m->norm,
                             .batch = batch,
                             .max_bad = 1 };
}

tl_status tl_may_write(const char *path, bool overwrite)
{
    TL_CHECK(overwrite || !tl_file_exists(path), TL_EARG,
             "'%s' exists already; choose another name, or add --overwrite", path);
    return TL_OK;
}

tl_status tl_classes_read(tl_arena *a, const char *path, tl_list *out)
{
    tl_bytes f;
    *out = (tl_list){ 0, NULL };
    TL_TRY(tl_file_read(a, path, 1 << 24, &f));
    if (f.p[strspn((const char *)f.p, " \t\r\n")] == '{') return tl_classmap_read(a, path, out);
    for (const char *s = (const char *)f.p, *end; *s; s = *end ? end + 1 : end) {
        end = s + strcspn(s, "\n");
        size_t n = (size_t)(end - s);
        while (n && (s[n - 1] == '\r' || s[n - 1] == ' ')) n--;
        if (!n) continue;
        const char **slot = tl_add(a, out, const char *);
        TL_NEW(slot);
        TL_NEW(*slot = tl_strndup(a, s, n));
    }
    TL_CHECK(out->n >= 2, TL_EDATA, "'%s' must name at least two classes, a line each", path);
    return TL_OK;
}

tl_status tl_classes_of(tl_arena *a, const tl_model *m, const char *path, tl_list *out)
{
    *out = m->classes;
    TL_CHECK(!tl_model_is_trunk(m), TL_EARG,
             "the model (%s) has no classes: it is a trunk to start a training from", m->arch);
    if (!path) return TL_OK;
    TL_TRY(tl_classes_read(a, path, out));
    TL_CHECK(out->n == m->classes.n, TL_EDATA, "'%s' names %d classes, the model has %d", path,
             out->n, m->classes.n);
    return TL_OK;
}

tl_status tl_record(tl_arena *a, const char *folder, const char *message, tl_list kpi)
{
    const char *path = tl_path_join(a, folder, "status.json");
    TL_NEW(path);
    TL_TRY(tl_mkdirs(folder));
    return tl_statusjson_add(
        path, &(tl_run_event){ .state = TL_RUN_SUCCESS, .message = message, .kpi = kpi });
}

tl_status tl_activation_for(const tl_activation_config *c, tl_activation *out)
{
    *out = (tl_activation){ .op = NULL };
    if (!c) return TL_OK;
    const char *type = c->activation_type;
    const tl_pair *alpha = tl_map_find(&c->activation_parameters, "alpha");
    out->op = &tl_op_relu;
    if (!strcmp(type, "relu")) return TL_OK;
    if (!strcmp(type, "relu6")) out->attr.relu.max = 6;
    else if (!strcmp(type, "leaky_relu")) out->attr.relu.slope = alpha ? alpha->value : 0.1f;
    else if (!strcmp(type, "swish")) *out = (tl_activation){ .op = &tl_op_swish };
    else return tl_fail(TL_ESPEC, "model_config.activation: '%s' is not available here; relu, relu6, leaky_relu and swish are", type);
    return TL_OK;
}

void tl_freeze_block(tl_model *m, int block, bool stats)
{
    for (int i = 0; i < m->g->n; i++) {
        tl_node *d = &m->g->node[i];
        for (int k = 0; k < TL_MAX_PARAM && (stats || !d->op->is_scale); k++) d->p[k].frozen |= d->block == block;
    }
}

void tl_freeze_stats(tl_model *m, bool keep)
{
    for (int i = 0; i < m->g->n; i++)
        if (m->g->node[i].op->is_scale) m->g->node[i].fixed_stats = keep;
}

/* Become one of so many processes of a job. *dist NULL: this one is alone. */
static tl_status join(tl_arena *a, int processes, tl_listener *l, tl_dist **dist)
{
    const tl_job here = tl_job_here();
    if (processes <= 1) return TL_OK;
    TL_CHECK(processes == here.size, TL_EARG, "num_processes is %d, but this process was started as one of %d", processes, here.size);
    if (here.rank) *l = (tl_listener){ .lost = l->lost, .ctx = l->ctx, .stop = l->stop };
    TL_TRY(tl_dist_join(a, &here, l, dist));
    tl_say(l, "%d processes train together, %d on this machine\n", here.size, here.local);
    return TL_OK;
}

tl_status tl_train_together(tl_arena *a, const tl_train_opts *o, const tl_listener *l, tl_train_run *run, tl_train_summary *out)
{
    tl_listener *listener = tl_new(a, tl_listener, 1);
    tl_dist *dist = NULL;
    TL_NEW(listener);
    if (l) *listener = *l;
    TL_CHECK(o->experiment_spec && o->results_dir, TL_EARG, "training needs a spec and a results folder");
    TL_TRY(join(a, o->num_processes, listener, &dist));
    return tl_dist_end(dist, run(a, o, listener, dist, out));
}

tl_status tl_tell_plan(tl_arena *a, const tl_trainer_conf *c)
{
    enum { RUNS = 3 };
    const int global = c->loader.batch * tl_dist_size(c->dist), n = c->train->sample.n, batches = (n + global - 1) / global;
    tl_plan *p;
    tl_layers_sum sum;
    const char *text;
    TL_TRY(tl_train_plan(a, c, &p));
    TL_TRY(tl_layers_measure(a, p, RUNS, &sum, &text));
    tl_tell(&c->listener, text);
    tl_say(&c->listener, "an epoch of %d pictures is %d steps: about %.0f s, and %d epochs %.1f min, without loading and validation\n", n, batches,
           1e-3 * sum.ms * batches, c->epochs, 1e-3 * sum.ms * batches * c->epochs / 60);
    return TL_OK;
}
