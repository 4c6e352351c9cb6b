/* prune_task.c - a smaller model from a trained one, whatever it answers. SPDX-License-Identifier: MIT */
#include "detectnet.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>

/* "macs=0.5" or "params=0.3". */
static tl_status target(const char *text, tl_prune_opts *p)
{
    float share = 0;
    bool macs = !strncmp(text, "macs=", 5), params = !strncmp(text, "params=", 7);
    bool ok =
        (macs || params) && tl_parse_float(strchr(text, '=') + 1, &share) && share > 0 && share < 1;
    TL_CHECK(
        ok, TL_EARG,
        "--target %s: macs=SHARE or params=SHARE is expected, the share between 0 and 1: macs=0.5",
        text);
    *(macs ? &p->macs : &p->params) = (double)share;
    return TL_OK;
}

/* The layers whose own channels were chosen, with what is left of them. */
static const char *table(tl_arena *a, const tl_graph *before, const tl_graph *after)
{
    tl_text t = tl_text_new(a);
    tl_textf(&t, "%-28s %8s %8s %7s\n", "layer", "channels", "kept", "share");
    for (int i = 0; i < before->n; i++) {
        const tl_node *d = &before->node[i];
        int c = d->s.c, k = after->node[i].s.c;
        if (d->op->resize) tl_textf(&t, "%-28s %8d %8d %6.1f%%\n", d->name, c, k, 100.0 * k / c);
    }
    return tl_text_end(&t);
}

enum { PICTURES = 256 }; /* to adapt on, at most, spread evenly over what there is */

typedef struct { float *x; int n; } pictures;

static tl_status read_pictures(tl_arena *a, const tl_model *m, const char *images, const tl_listener *l,
                               pictures *out)
{
    tl_dataset d = { .root = images };
    tl_loader_conf conf = tl_loader_for(m, 1);
    size_t one = tl_count(m->g->node[m->image.i].s);
    TL_TRY(tl_pictures_below(a, images, &d));
    TL_CHECK(d.sample.n, TL_EDATA, "there is no picture (.jpg, .jpeg, .png) in '%s'", images);
    size_t n = d.sample.n < PICTURES ? (size_t)d.sample.n : PICTURES;
    TL_NEW(out->x = tl_new(a, float, n * one));
    for (size_t i = 0; i < n; i++) {
        const tl_sample *s = (const tl_sample *)d.sample.at + i * (size_t)d.sample.n / n;
        tl_status st = tl_picture_read(a, s->path, &conf, out->x + (size_t)out->n * one);
        if (st == TL_ENOMEM) return st;
        if (st) tl_say(l, "warning: %s; it is left out\n", tl_errmsg());
        out->n += !st;
    }
    TL_CHECK(out->n, TL_EDATA, "no picture in '%s' could be read", images);
    return TL_OK;
}

/* What kind of model it is, and how a pruned one is trained again. */
typedef struct { const char *name, *again; } task;

static tl_status prune(tl_arena *a, const tl_model *m, const tl_prune_cmd_opts *o, const task *k, const tl_listener *l, tl_prune_summary *out)
{
    tl_model *small;
    tl_graph *g;
    tl_prune_result r;
    pictures seen = { NULL, 0 };
    int changed;
    tl_prune_opts p = { .threshold = o->pruning_threshold,
                        .l2 = o->normalizer,
                        .equalization = (tl_equalization)o->equalization_criterion,
                        .granularity = o->pruning_granularity,
                        .min = o->min_num_filters };
    if (o->target) TL_TRY(target(o->target, &p));
    const char **exclude = tl_new(a, const char *, o->excluded_layers.n + 1);
    TL_NEW(exclude);
    if (o->excluded_layers.n)
        memcpy(exclude, o->excluded_layers.at, (size_t)o->excluded_layers.n * sizeof *exclude);
    p.exclude = exclude;
    if (o->images) {
        TL_TRY(read_pictures(a, m, o->images, l, &seen));
        TL_TRY(tl_importance(m->g, a, m->image.i, seen.x, seen.n, &p.importance));
    }
    TL_TRY(tl_prune(m->g, a, &p, &g, &r));
    if (o->images) {
        TL_TRY(tl_adapt(m->g, &r, g, m->image.i, seen.x, seen.n, &changed));
        tl_say(l, "adapted %d layers to what is left, on %d pictures\n", changed, seen.n);
    }
    *out = (tl_prune_summary){ .params = tl_graph_params(g),
                               .macs = (size_t)tl_graph_macs(g),
                               .threshold = r.threshold,
                               .table = table(a, m->g, g) };
    TL_NEW(out->table);
    out->ratio = (double)out->params / (double)tl_graph_params(m->g);
    out->macs_ratio = tl_graph_macs(g) / tl_graph_macs(m->g);
    TL_TRY(tl_model_with(m, a, g, &small));
    TL_TRY(tl_model_note(
        small,
        "tlc %s %s prune: threshold %g, %.4f of the parameters, %.4f of the MACs",
        tl_version(), k->name, (double)r.threshold, out->ratio, out->macs_ratio));
    TL_TRY(tl_model_save(small, o->output_file, &(tl_save_opts){ .key = o->key }));
    tl_say(l, "wrote '%s'; its accuracy is back only after training it again, with it as %s\n", o->output_file, k->again);
    return o->results_dir ? tl_record(a, o->results_dir, "Pruning finished successfully.",
                                      (tl_list){ 0, NULL })
                          : TL_OK;
}

static tl_status open_model(tl_arena *a, const tl_prune_cmd_opts *o, tl_model **out)
{
    TL_CHECK(o->model && o->output_file, TL_EARG, "pruning needs a model and the name of the file to write");
    TL_TRY(tl_may_write(o->output_file, o->overwrite));
    return tl_model_open(a, o->model, o->key, out);
}

/* TLT 2.0's tlt-prune is told no task: it is the model that says what it is. */
static tl_status prune_any(tl_arena *a, const tl_model *m, const tl_prune_cmd_opts *o, const tl_listener *l, tl_prune_summary *out)
{
    const bool detects = m->head && m->head->stride16;
    const char *again = tl_printf(a, detects ? "model_config.pretrained_model_file, load_graph: true, and '%s' as teacher_model_file"
                                             : "train_config.pretrained_model_path and '%s' as teacher_model_path", o->model);
    TL_NEW(again);
    return prune(a, m, o, &(task){ detects ? m->head->name : "classification", again }, l, out);
}

tl_status tl_classification_prune(tl_arena *a, const tl_prune_cmd_opts *o, const tl_listener *l, tl_prune_summary *out)
{
    tl_model *m;
    TL_TRY(open_model(a, o, &m));
    return prune_any(a, m, o, l, out);
}

tl_status tl_detectnet_v2_prune(tl_arena *a, const tl_prune_cmd_opts *o, const tl_listener *l, tl_prune_summary *out)
{
    tl_model *m;
    tl_cells cells;
    TL_TRY(open_model(a, o, &m));
    TL_TRY(tl_cells_of(m, &cells));
    return prune_any(a, m, o, l, out);
}
