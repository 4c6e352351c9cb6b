/* detectnet_v2_export.c - a detector for other programs. SPDX-License-Identifier: MIT
 *
 * Its outputs are grids. How they become objects is for others to do: for DeepStream's nvinfer, which is told how by its
 * configuration, or for operators that are appended to the graph. Both want the thresholds of a spec. */
#include "deepstream.h"
#include "detectnet.h"
#include "export_task.h"
#include "postprocess.h"

typedef struct {
    tl_export      e;
    tl_cells       cells;
    tl_clustering *clustering; /* of each class; NULL: not needed */
} job;

/* From the spec that is given, or the one that the model was trained with. */
static tl_status find_clustering(job *j)
{
    const tl_export *e = &j->e;
    const tl_detect_spec *s;
    if (e->o->experiment_spec) {
        TL_TRY(tl_detect_open(e->a, e->o->experiment_spec, &e->o->overrides, e->l, &s));
        const char *const *names = tl_detect_names(e->a, s);
        TL_NEW(names);
        TL_TRY(tl_detect_same_classes(e->model, names, s->n_classes));
    } else TL_TRY(tl_detect_spec_inside(e->a, e->model, e->l, &s));
    TL_CHECK(s, TL_EARG, "how cells become objects is not known, since the model has no spec in it that can be used: give the experiment spec (-e)");
    TL_NEW(j->clustering = tl_new(e->a, tl_clustering, s->n_classes));
    for (int k = 0; k < s->n_classes; k++) j->clustering[k] = tl_clustering_of(s->classes[k].clustering);
    return TL_OK;
}

/* What nvinfer finds is seen by people. It clusters all classes as the first one; scores of NMS are coverages, DBSCAN's are sums, of
 * which this says nothing. */
static void raise_thresholds(job *j)
{
    bool raised = false;
    for (int k = 0; j->clustering[0].kind == TL_NMS && k < j->cells.classes; k++) {
        tl_clustering *c = &j->clustering[k];
        if (tl_nms_least(c) >= TL_FOR_PEOPLE) continue;
        c->nms_confidence = TL_FOR_PEOPLE;
        raised = true;
    }
    if (raised) tl_say(j->e.l, "note: the thresholds of the training are for evaluation; DeepStream is told to show objects with a score of %g or more "
                       "(pre-cluster-threshold). With -e those of a spec are taken as they are\n", (double)TL_FOR_PEOPLE);
}

static tl_status deepstream(const tl_export *e)
{
    const job *j = e->ctx;
    return tl_deepstream_detectnet(e->a, e->out->output_file, e->model->classes.at, e->model->g->node[e->model->image.i].s.c, &j->cells, j->clustering);
}

static tl_status append(const void *ctx, tl_onnx *o)
{
    const job *j = ctx;
    const tl_graph *g = j->e.model->g;
    return tl_detect_postprocess(o, g->node[j->e.model->answer.i].name, g->node[g->more.at[0].i].name, &j->cells, j->clustering);
}

/* The graph clusters by NMS, whatever the spec says. */
static void warn(const job *j)
{
    for (int k = 0; k < j->cells.classes; k++)
        if (j->clustering[k].kind != TL_NMS) {
            tl_say(j->e.l, "note: the graph makes objects by NMS, and the score of one is the coverage of its best cell; thresholds that were chosen "
                   "for DBSCAN's sums do not fit\n");
            return;
        }
}

/* What nvinfer is told is r,g,b / 255 and distances as the original has them; better no file than one without its configuration. */
static tl_status check_deepstream(const job *j)
{
    const tl_norm *n = &j->e.model->norm;
    for (int c = 0; c < j->e.model->g->node[j->e.model->image.i].s.c; c++)
        TL_CHECK(n->order[c] == c && n->mean[c] == 0 && n->rstd[c] > 0.00392f && n->rstd[c] < 0.003922f, TL_EUNSUP,
                 "the configuration for DeepStream is for pictures as r,g,b / 255, and this model takes them otherwise (%s)", j->e.model->mode);
    return tl_deepstream_detectnet_can(&j->cells);
}

tl_status tl_detectnet_v2_export(tl_arena *a, const tl_export_opts *o, const tl_listener *l, tl_export_summary *out)
{
    job j = { .e = { .a = a, .o = o, .l = l, .task = "detectnet_v2", .out = out, .deepstream = deepstream, .append = o->with_postprocessing ? append : NULL } };
    j.e.ctx = &j;
    TL_CHECK(!o->gen_ds_config || !o->with_postprocessing, TL_EARG,
             "DeepStream's nvinfer makes objects itself, by the file that --gen_ds_config writes; leave out --with_postprocessing");
    TL_TRY(tl_export_open(&j.e));
    TL_TRY(tl_cells_of(j.e.model, &j.cells));
    if (o->gen_ds_config || o->with_postprocessing) TL_TRY(find_clustering(&j));
    if (o->gen_ds_config && !o->experiment_spec) raise_thresholds(&j);
    if (o->gen_ds_config) TL_TRY(check_deepstream(&j));
    if (o->with_postprocessing) warn(&j);
    return tl_export_write(&j.e);
}
