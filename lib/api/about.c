/* about.c - what is in the tables, and what a model file is. SPDX-License-Identifier: MIT */
#include "api.h"
#include "label.h"
#include "detectnet_v2.h"
#include "dist.h"
#include "processors.h"
#include "registry.h"
#include "text.h"
#include <string.h>

const char *tl_build(void)
{
    static _Thread_local char text[96];
    tl_text t = tl_text_on(text, sizeof text);
    const tl_kernels *bf16 = tl_kernel_bf16();
    tl_textf(&t, "%s, %s kernels%s", tl_dnn_version(), tl_kernel()->isa,
             !bf16 ? "" : bf16->products == TL_BF16 ? ", bf16 multiplied in pairs" : ", bf16 widened to be multiplied");
    return text;
}

/* Processes of a job that run on this machine share it. */
void tl_threads(int n)
{
    int most = tl_processors(), share = most / tl_job_here().local;
    tl_dnn_threads(n > most ? most : n > 0 ? n : share > 1 ? share : 1);
}

void tl_exact(bool on) { tl_kernel_exact(on); }

tl_status tl_classification_spec_text(tl_arena *a, const char *path, const tl_list *overrides,
                                      const char **text, const char **warnings)
{
    const tl_classification_spec *spec;
    TL_TRY(tl_classification_spec_load(a, path, NULL, overrides->at, overrides->n, 0, &spec,
                                       warnings));
    return tl_classification_spec_print(a, spec, text);
}

tl_status tl_detectnet_v2_spec_text(tl_arena *a, const char *path, const tl_list *overrides, const char **text, const char **warnings)
{
    const tl_detect_spec *spec;
    TL_TRY(tl_detect_spec_load(a, path, NULL, overrides->at, overrides->n, &spec, warnings));
    return tl_detect_spec_print(a, spec, text);
}

tl_status tl_model_describe(tl_arena *a, const char *path, const char *key, tl_model_info *out)
{
    tl_model *m;
    tl_bytes file;
    tl_text t = tl_text_new(a);
    TL_TRY(tl_model_find(a, path, &path));
    TL_TRY(tl_model_open(a, path, key, &m));
    TL_TRY(tl_file_read(a, path, 0, &file));
    tl_shape s = m->g->node[m->image.i].s;
    *out = (tl_model_info){ tl_graph_params(m->g), file.n, tl_graph_macs(m->g), NULL };
    tl_textf(&t,
             "architecture  %s\ninput         %d x %d x %d, preprocess mode %s%s\nparameters    "
             "%zu\nMACs          %.0f\nfile          %zu bytes\n",
             m->arch, s.c, s.h, s.w, m->mode, m->center_crop ? ", center crop" : "", out->params,
             out->macs, out->bytes);
    tl_textf(&t, "classes       ");
    for (int i = 0; i < m->classes.n; i++)
        tl_textf(&t, "%s%s", i ? ", " : "", ((const char **)m->classes.at)[i]);
    tl_textf(&t, "%s\nhistory\n%s", m->classes.n ? "" : "none: a trunk to start from", m->history);
    out->text = tl_text_end(&t);
    return out->text ? TL_OK : TL_ENOMEM;
}

/* ---- The tables ---- */

static tl_status list_ops(tl_text *t)
{
    for (const tl_op *const *o = tl_ops; *o; o++)
        tl_textf(t, "  %-14s %s\n", (*o)->name, (*o)->brief);
    return TL_OK;
}

typedef struct {
    size_t params;
    double macs;
    char strides[40]; /* "2 4 8 16" */
} measured;

/* A backbone for 224x224 RGB pictures, built as the original's default has it, without a head. */
static tl_status measure(const tl_backbone *b, measured *out)
{
    tl_arena *a = tl_arena_new();
    TL_NEW(a);
    tl_graph *g = tl_graph_new(a);
    tl_pyramid p = { .lo = 0 };
    tl_status s = g ? TL_OK : TL_ENOMEM;
    if (!s) {
        b->build(g, OP(g, "input_1", input, NO_INPUT, .c = 3, .h = 224, .w = 224), b,
                 &(tl_backbone_conf){ .bn = true }, &p);
        s = g->status;
    }
    if (!s) {
        tl_text t = tl_text_on(out->strides, sizeof out->strides);
        for (int l = p.lo; l <= p.hi; l++) tl_textf(&t, "%s%d", l > p.lo ? " " : "", 1 << l);
        out->params = tl_graph_params(g);
        out->macs = tl_graph_macs(g);
    }
    tl_arena_free(a);
    return s;
}

/* The pretrained models of this backbone that come with TLC, after `before`; nothing when there are none. */
static void add_weights(tl_text *t, const tl_index *x, const char *backbone, const char *before)
{
    const tl_registry_model *m = x->model.at;
    for (int i = 0; i < x->model.n; i++) {
        if (strcmp(m[i].backbone, backbone)) continue;
        tl_textf(t, "%s" TL_REGISTRY_PREFIX "%s", before, m[i].name);
        before = ", ";
    }
}

static tl_status list_backbones(tl_text *t)
{
    char name[32];
    tl_index shipped;
    TL_TRY(tl_registry_builtin(t->arena, &shipped));
    tl_textf(t, "  %-17s %11s %12s  strides\n", "", "parameters", "MACs at 224");
    for (int i = 0; tl_backbone_at(i); i++) {
        const tl_backbone *b = tl_backbone_at(i);
        measured m;
        TL_TRY(measure(b, &m));
        tl_textf(t, "  %-17s %10.2fM %11.0fM  %-14s  %s", tl_backbone_name(b, name), (double)m.params / 1e6,
                 m.macs / 1e6, m.strides, b->brief);
        add_weights(t, &shipped, name, "; weights: ");
        tl_textf(t, "\n");
    }
    return TL_OK;
}

static tl_status list_heads(tl_text *t)
{
    for (int i = 0; tl_head_at(i); i++)
        tl_textf(t, "  %-14s %s\n", tl_head_at(i)->name, tl_head_at(i)->brief);
    return TL_OK;
}

static tl_status list_optimizers(tl_text *t)
{
    for (const tl_optim *const *o = tl_optims; *o; o++)
        tl_textf(t, "  %-14s %s\n", (*o)->name, (*o)->brief);
    return TL_OK;
}

static tl_status list_schedules(tl_text *t)
{
    for (const tl_scheduler *const *s = tl_schedulers; *s; s++)
        tl_textf(t, "  %-14s %s\n", (*s)->name, (*s)->brief);
    return TL_OK;
}

static tl_status list_formats(tl_text *t)
{
    for (const tl_format *const *f = tl_formats; *f; f++)
        tl_textf(t, "  %-14s %s\n", (*f)->name, (*f)->brief);
    for (const tl_label_format *const *f = tl_label_formats; *f; f++)
        tl_textf(t, "  %-14s labels of objects. %s%s\n", (*f)->name, (*f)->brief, (*f)->write ? "" : "; read only");
    return TL_OK;
}

static tl_status list_importers(tl_text *t)
{
    for (int i = 0; tl_importer_at(i); i++)
        tl_textf(t, "  %-14s %s (%s)\n", tl_importer_at(i)->name, tl_importer_at(i)->brief, tl_importer_at(i)->ends);
    return TL_OK;
}

static const struct {
    const char *name;
    tl_status (*print)(tl_text *t);
} kinds[] = {
    { "ops", list_ops },
    { "backbones", list_backbones },
    { "heads", list_heads },
    { "optimizers", list_optimizers },
    { "schedules", list_schedules },
    { "formats", list_formats },
    { "importers", list_importers },
};

tl_status tl_list_text(tl_arena *a, const char *kind, const char **text)
{
    tl_text t = tl_text_new(a);
    tl_nearest near = { .word = kind };
    bool all = !kind || !strcmp(kind, "all"), found = false;
    for (int i = 0; i < TL_LEN(kinds); i++) {
        if (kind) tl_nearest_try(&near, kinds[i].name);
        if (!all && strcmp(kind, kinds[i].name)) continue;
        found = true;
        tl_textf(&t, "%s%s\n", i && all ? "\n" : "", kinds[i].name);
        TL_TRY(kinds[i].print(&t));
    }
    TL_CHECK(found, TL_EARG,
             "there is no table '%s'%s%s%s; there are ops, backbones, heads, optimizers, "
             "schedules, formats, importers",
             kind, near.best ? "; did you mean '" : "", near.best ? near.best : "",
             near.best ? "'?" : "");
    *text = tl_text_end(&t);
    return *text ? TL_OK : TL_ENOMEM;
}

/* ---- Reference pages ---- */

static tl_status page_ops(tl_text *t)
{
    static const char *const q[] = { "stays in f32", "keeps its input's scale",
                                     "computes in int8" };
    tl_textf(t, "# Operations\n\nPrinted by `tlc docs` from the operation table.\n");
    for (const tl_op *const *o = tl_ops; *o; o++) {
        tl_textf(t, "\n## %s\n\n%s.\n\nONNX: ", (*o)->name, (*o)->brief);
        for (int i = 0; i < TL_LEN((*o)->onnx) && (*o)->onnx[i]; i++)
            tl_textf(t, "%s%s", i ? ", " : "", (*o)->onnx[i]);
        tl_textf(t, "%s. Int8: %s.\n", (*o)->onnx[0] ? "" : "none", q[(*o)->int8]);
        for (int k = 0; k < TL_MAX_PARAM && (*o)->param[k].name; k++)
            tl_textf(t, "%s`%s` (%s)", k ? ", " : "\nParameters: ", (*o)->param[k].name,
                     (*o)->param[k].axes);
        if ((*o)->param[0].name) tl_textf(t, ".\n");
        if ((*o)->field) {
            tl_textf(t, "\n");
            tl_field_markdown(t, (*o)->field);
        }
    }
    return TL_OK;
}

static tl_status page_backbones(tl_text *t)
{
    char name[32];
    tl_index shipped;
    TL_TRY(tl_registry_builtin(t->arena, &shipped));
    tl_textf(
        t,
        "# Backbones\n\nPrinted by `tlc docs` from the backbone table. Parameters (running statistics included) and "
        "MACs at 224x224, with batch norm, without biases, pooling and the head. Strides are those of the feature "
        "maps that a head can read. Weights come with TLC; `tlc model list` shows those of other registries.\n\n"
        "| name | arch | n_layers | parameters | MACs | strides | | weights |\n|---|---|---|---|---|---|---|---|\n");
    for (int i = 0; tl_backbone_at(i); i++) {
        const tl_backbone *b = tl_backbone_at(i);
        measured m;
        TL_TRY(measure(b, &m));
        tl_textf(t, "| %s | `%s` | %d | %zu | %.0f | %s | %s |", tl_backbone_name(b, name), b->arch, b->layers,
                 m.params, m.macs, m.strides, b->brief);
        add_weights(t, &shipped, name, " ");
        tl_textf(t, " |\n");
    }
    return TL_OK;
}

static tl_status page_spec(tl_text *t)
{
    tl_textf(
        t, "# The classification spec\n\nPrinted by `tlc docs` from the tables that read it.\n\n");
    tl_msg_markdown(t, &tl_classification_msg);
    return TL_OK;
}

static tl_status page_detectnet(tl_text *t)
{
    tl_textf(t, "# The specs of detectnet_v2\n\nPrinted by `tlc docs` from the tables that read them: `Experiment` for "
                "training, `Inference` for inference, `DatasetExportConfig` for dataset_convert.\n\n");
    tl_msg_markdown(t, &tl_detect_msg);
    tl_textf(t, "\n");
    tl_msg_markdown(t, &tl_detect_inference_msg);
    return TL_OK; /* the experiment has DatasetExportConfig in it */
}

static tl_status page_training(tl_text *t)
{
    tl_textf(t, "# Training\n\nPrinted by `tlc docs` from the tables.\n\n## Optimizers\n\n");
    for (const tl_optim *const *o = tl_optims; *o; o++)
        tl_textf(t, "* `%s`: %s\n", (*o)->name, (*o)->brief);
    tl_textf(t, "\n## Schedules\n\n");
    for (const tl_scheduler *const *s = tl_schedulers; *s; s++)
        tl_textf(t, "* `%s`: %s\n", (*s)->name, (*s)->brief);
    tl_textf(t, "\n## Data formats\n\n");
    for (const tl_format *const *f = tl_formats; *f; f++)
        tl_textf(t, "* `%s`: %s\n", (*f)->name, (*f)->brief);
    tl_textf(t, "\n## Labels of objects\n\n");
    for (const tl_label_format *const *f = tl_label_formats; *f; f++)
        tl_textf(t, "* `%s`: %s%s\n", (*f)->name, (*f)->brief, (*f)->write ? "" : "; read only");
    return TL_OK;
}

tl_status tl_docs_page(tl_arena *a, int i, const char **name, const char **text)
{
    static const struct {
        const char *name;
        tl_status (*print)(tl_text *t);
    } pages[] = {
        { "ops.md", page_ops },
        { "backbones.md", page_backbones },
        { "spec-classification.md", page_spec },
        { "spec-detectnet_v2.md", page_detectnet },
        { "training.md", page_training },
    };
    *name = NULL;
    if (i >= TL_LEN(pages)) return TL_OK;
    tl_text t = tl_text_new(a);
    TL_TRY(pages[i].print(&t));
    *name = pages[i].name;
    *text = tl_text_end(&t);
    return *text ? TL_OK : TL_ENOMEM;
}
