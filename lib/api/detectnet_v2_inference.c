/* detectnet_v2_inference.c - which objects are on these pictures, and where? SPDX-License-Identifier: MIT
 *
 * A detector must see pictures as in its training: stretched to its input, or cut, or whatever its spec said, which lies in the
 * model. Where it does not, pictures are stretched, as the original does always. Answers are moved back by the same map. */
#include "detectnet.h"
#include "draw.h"
#include "results.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { AS_TRAINED, STRETCHED };
#define BATCH 8 /* pictures at a time, where nothing is said */

typedef struct {
    tl_arena                       *a, *one; /* one: for one picture */
    const tl_detect_inference_opts *o;
    const tl_listener              *l;
    const tl_infer_spec            *spec;    /* NULL: not given */
    const tl_detect_spec           *trained; /* what the model says; NULL: nothing */
    tl_model                       *model;
    const tl_infer_class           *classes;
    const char                    **labels;  /* names in files, by class */
    tl_clustering                  *clustering;
    tl_scenes                       scenes;  /* without objects */
    tl_dataset                      d;
    const char                     *annotated; /* folder; NULL: none wanted */
    tl_results                     *results;
    tl_detect_inference_summary    *out;
} job;

/* ---- The model and its classes ---- */

static tl_status open_model(job *j)
{
    const char *path = j->o->model ? j->o->model : j->spec ? j->spec->model : NULL;
    TL_CHECK(path, TL_EARG, "no model: give -m, or a spec with inferencer_config.tlt_config.model (-e)");
    TL_TRY(tl_detect_model_open(j->a, path, j->o->key, &j->model));
    return tl_detect_spec_inside(j->a, j->model, j->l, &j->trained);
}

/* What the inference spec says of the model must be true of it. */
static tl_status check_spec(const job *j)
{
    const tl_inferencer *i = j->spec->inference->inferencer_config;
    const tl_shape in = j->model->g->node[j->model->image.i].s;
    const struct { const char *field; int said, is; } side[] = {
        { "image_width", i->image_width, in.w }, { "image_height", i->image_height, in.h }, { "image_channels", i->image_channels, in.c }
    };
    for (int k = 0; k < TL_LEN(side); k++)
        TL_CHECK(!side[k].said || side[k].said == side[k].is, TL_EDATA, "inferencer_config.%s is %d, but the model's is %d: correct it, or "
                 "leave it out", side[k].field, side[k].said, side[k].is);
    return tl_detect_same_classes(j->model, i->target_classes.at, i->target_classes.n);
}

/* Without an inference spec: as training validated. */
static tl_status classes_of_model(job *j)
{
    const char *const *name = j->model->classes.at;
    tl_infer_class *c = tl_new(j->a, tl_infer_class, j->model->classes.n);
    TL_NEW(c);
    for (int k = 0; k < j->model->classes.n; k++) {
        c[k] = (tl_infer_class){ .name = name[k], .label = name[k], .wanted = true };
        if (j->trained) c[k].clustering = j->trained->classes[k].clustering;
        else TL_NEW(c[k].clustering = tl_msg_new(j->a, &tl_clustering_msg));
    }
    j->classes = c;
    return TL_OK;
}

static tl_status open_classes(job *j)
{
    const int n = j->model->classes.n;
    if (j->spec) TL_TRY(check_spec(j));
    if (j->spec) j->classes = j->spec->classes;
    else TL_TRY(classes_of_model(j));
    TL_NEW(j->labels = tl_new(j->a, const char *, n));
    TL_NEW(j->clustering = tl_new(j->a, tl_clustering, n));
    for (int k = 0; k < n; k++) {
        j->labels[k] = j->classes[k].label;
        j->clustering[k] = tl_clustering_of(j->classes[k].clustering);
    }
    return TL_OK;
}

/* ---- Pictures ---- */

static void set_view(job *j)
{
    tl_view_conf *v = &j->scenes.view;
    if (j->trained && j->o->fit == AS_TRAINED) tl_view_conf_from(j->trained->experiment->augmentation_config, v);
    else *v = (tl_view_conf){ .stretch = true };
    v->w = j->scenes.cells.in_w;
    v->h = j->scenes.cells.in_h;
}

static tl_status list_pictures(job *j)
{
    const char *path = j->o->images, *slash = strrchr(path, '/');
    if (tl_is_dir(path)) return tl_pictures_below(j->a, path, &j->d);
    TL_CHECK(tl_file_exists(path), TL_EDATA, "there is no picture and no folder '%s'", path);
    tl_sample *s = tl_add(j->a, &j->d.sample, tl_sample);
    TL_NEW(s);
    *s = (tl_sample){ .path = path };
    TL_NEW(j->d.root = slash ? tl_strndup(j->a, path, (size_t)(slash - path) + (slash == path)) : ".");
    return TL_OK;
}

/* Headers that cannot be understood may belong to pictures that can; otherwise the loader finds out why not. */
static tl_status measure(job *j, const char *path, tl_size *size)
{
    tl_image m;
    if (!tl_image_measure(path, size)) return TL_OK;
    *size = (tl_size){ 1, 1 };
    const tl_status s = tl_image_load(j->one, path, 3, (tl_size){ 0, 0 }, &m);
    if (!s) *size = (tl_size){ m.w, m.h };
    tl_arena_reset(j->one);
    return s == TL_ENOMEM ? s : TL_OK;
}

/* How many pictures show something that the network does not see. */
static void warn_of_cuts(const job *j, int cut)
{
    if (cut)
        tl_say(j->l, "warning: of %d pictures the network does not see all, because it was trained without enable_auto_resize, on pictures that "
               "were cut; --fit stretch shows it all of them\n", cut);
}

static bool is_cut(const tl_view *v)
{
    const tl_box seen = tl_view_box_back(v, (tl_box){ 0, 0, (float)v->out.w, (float)v->out.h });
    return seen.x1 > 1 || seen.y1 > 1 || seen.x2 < (float)v->picture.w - 1 || seen.y2 < (float)v->picture.h - 1;
}

static tl_status open_pictures(job *j)
{
    tl_scenes *s = &j->scenes;
    tl_labels *labels = tl_new(j->a, tl_labels, 1);
    int cut = 0;
    TL_TRY(list_pictures(j));
    TL_NEW(labels);
    labels->npictures = j->d.sample.n;
    TL_NEW(labels->picture = tl_new(j->a, tl_picture, labels->npictures));
    TL_TRY(tl_cells_of(j->model, &s->cells));
    TL_NEW(s->drawing = tl_new(j->a, tl_drawing, s->cells.classes));
    s->labels = labels;
    set_view(j);
    for (int i = 0; i < labels->npictures; i++) {
        tl_size size;
        tl_view v;
        const char *path = ((const tl_sample *)j->d.sample.at)[i].path;
        TL_CHECK(!tl_stopping(j->l), TL_ESTOPPED, "stopped before any picture was looked at");
        TL_TRY(measure(j, path, &size));
        labels->picture[i] = (tl_picture){ .path = path, .w = size.w, .h = size.h, .found = true };
        tl_view_plain(&s->view, size, &v);
        cut += is_cut(&v);
    }
    warn_of_cuts(j, cut);
    const char *root = j->d.root;
    TL_TRY(tl_scenes_dataset(j->a, s, &j->d));
    j->d.root = root;
    return TL_OK;
}

/* ---- Results ---- */

/* Nobody's labels are lost, and no picture is drawn into. */
static tl_status may_write(const job *j, const char *dir)
{
    tl_list names;
    char from[PATH_MAX], to[PATH_MAX];
    if (!tl_file_exists(dir)) return TL_OK;
    const size_t n = realpath(j->d.root, from) && realpath(dir, to) ? strlen(to) : 0;
    TL_CHECK(!n || strncmp(from, to, n) || (from[n] && from[n] != '/'), TL_EARG,
             "the pictures lie in '%s', where results are to be written; choose another folder for results", dir);
    if (!tl_is_dir(dir)) return tl_may_write(dir, j->o->overwrite);
    TL_TRY(tl_dir_list(j->a, dir, &names));
    return names.n ? tl_may_write(dir, j->o->overwrite) : TL_OK;
}

static tl_status open_results(job *j)
{
    const tl_bbox_handler *h = j->spec ? j->spec->inference->bbox_handler_config : NULL;
    const bool kitti = !h || h->kitti_dump, drawn = !h || !h->disable_overlay;
    tl_results_conf *c = tl_new(j->a, tl_results_conf, 1);
    TL_NEW(c);
    const char *dir = j->o->results_dir, *labels = tl_path_join(j->a, dir, "labels"), *json = tl_path_join(j->a, dir, "detections.json");
    const char *annotated = tl_path_join(j->a, dir, "images_annotated");
    TL_NEW(labels && json && annotated ? c : NULL);
    if (kitti) TL_TRY(may_write(j, labels));
    if (drawn) TL_TRY(may_write(j, annotated));
    TL_TRY(may_write(j, json));
    TL_TRY(tl_mkdirs(dir));
    if (drawn) TL_TRY(tl_mkdirs(annotated));
    j->annotated = drawn ? annotated : NULL;
    *c = (tl_results_conf){ .folder = kitti ? labels : NULL, .json = json, .classes = j->labels, .nclasses = j->model->classes.n };
    return tl_results_new(j->a, c, &j->results);
}

static float least_score(const job *j)
{
    if (j->o->threshold >= 0) return j->o->threshold;
    return j->spec ? 0 : TL_FOR_PEOPLE;
}

/* Objects of the wanted classes that are certain enough, in pixels of the picture; what lies outside of it is gone. */
static tl_status settle(const job *j, int picture, const tl_detection *found, int n, tl_list *out)
{
    const tl_picture *p = &j->scenes.labels->picture[picture];
    tl_view v;
    tl_view_plain(&j->scenes.view, (tl_size){ p->w, p->h }, &v);
    *out = (tl_list){ 0, NULL };
    for (int i = 0; i < n; i++) {
        const tl_box b = tl_view_box_back(&v, found[i].box);
        if (!j->classes[found[i].label].wanted || found[i].score < least_score(j) || b.x2 <= b.x1 || b.y2 <= b.y1) continue;
        tl_detection *d = tl_add(j->one, out, tl_detection);
        TL_NEW(d);
        *d = found[i];
        d->box = b;
    }
    return TL_OK;
}

static tl_rgb color_of(const job *j, int label)
{
    const tl_bbox_color *c = j->classes[label].color;
    return c ? (tl_rgb){ (uint8_t)c->R, (uint8_t)c->G, (uint8_t)c->B } : tl_palette(label);
}

/* The picture in full, with its objects, under its own name. */
static tl_status draw(const job *j, const char *path, const char *name, const tl_detection *d, int n)
{
    tl_image in, out;
    tl_mark *mark = tl_new(j->one, tl_mark, n);
    char *to = tl_path_join(j->one, j->annotated, name);
    TL_NEW(mark && to ? to : NULL);
    for (int i = 0; i < n; i++) {
        mark[i] = (tl_mark){ d[i].box, tl_printf(j->one, "%s %.2f", j->labels[d[i].label], (double)d[i].score), color_of(j, d[i].label) };
        TL_NEW(mark[i].text);
    }
    TL_TRY(tl_image_load(j->one, path, 3, (tl_size){ 0, 0 }, &in));
    TL_TRY(tl_image_draw(j->one, &in, mark, n, j->spec ? j->spec->inference->bbox_handler_config->overlay_linewidth : 0, &out));
    if (strchr(name, '/')) {
        char *folder = tl_strdup(j->one, to);
        TL_NEW(folder);
        *strrchr(folder, '/') = 0;
        TL_TRY(tl_mkdirs(folder));
    }
    return tl_image_save(j->one, &out, to);
}

static const char *name_in(const char *root, const char *path)
{
    const size_t n = strlen(root);
    if (strncmp(path, root, n)) return tl_path_base(path);
    for (path += n; *path == '/'; path++) {}
    return path;
}

static tl_status one_picture(void *ctx, int sample, const tl_detection *found, int n)
{
    job *j = ctx;
    const char *path = j->scenes.labels->picture[sample].path, *name = name_in(j->d.root, path);
    tl_list seen;
    tl_arena_reset(j->one);
    TL_TRY(settle(j, sample, found, n, &seen));
    TL_TRY(tl_results_add(j->results, name, seen.at, seen.n));
    if (j->annotated) TL_TRY(draw(j, path, name, seen.at, seen.n));
    j->out->objects += seen.n;
    j->out->pictures++;
    return TL_OK;
}

/* ---- All of it ---- */

static int batch_of(const job *j)
{
    const int batch = j->o->batch_size > 0 ? j->o->batch_size : j->spec ? j->spec->inference->inferencer_config->batch_size : BATCH;
    return batch < j->d.sample.n ? batch : j->d.sample.n;
}

static tl_status run(job *j)
{
    tl_detect_pass pass = { .model = j->model, .d = &j->d, .clustering = j->clustering, .each = one_picture, .ctx = j, .listener = j->l };
    tl_loader_conf conf = tl_loader_for(j->model, batch_of(j));
    tl_detect_sums s;
    TL_TRY(tl_plan_new(j->model->g, j->a, &(tl_plan_conf){ .batch = conf.batch, .constant = true, .amp = tl_precision(j->o->use_amp, j->l) }, &pass.plan));
    TL_TRY(tl_loader_new(j->a, &j->d, &conf, &pass.load));
    const double start = tl_now();
    const tl_status ran = tl_detect_run(j->a, &pass, &s);
    if (ran && ran != TL_ESTOPPED) return ran;
    j->out->pictures_per_second = j->out->pictures / (tl_now() - start);
    TL_TRY(tl_unreadable_report(j->a, (const tl_loader *[]){ pass.load }, 1, j->o->results_dir, j->l, &j->out->unreadable));
    if (!ran) TL_CHECK(j->out->pictures, TL_EDATA, "no picture in '%s' could be read", j->o->images);
    TL_TRY(tl_results_end(j->results));
    if (!ran) return TL_OK;
    return tl_fail(TL_ESTOPPED, "stopped after %d of %d pictures; what was found in these is in '%s'", j->out->pictures, j->d.sample.n, j->o->results_dir);
}

static void free_arena(void *a) { tl_arena_free(a); }

tl_status tl_detectnet_v2_inference(tl_arena *a, const tl_detect_inference_opts *o, const tl_listener *l, tl_detect_inference_summary *out)
{
    static const tl_listener deaf;
    job j = { .a = a, .o = o, .l = l ? l : &deaf, .out = out };
    const char *warnings;
    *out = (tl_detect_inference_summary){ 0 };
    TL_CHECK(o->images && o->results_dir, TL_EARG, "inference needs pictures (-i) and a folder for results (-o)");
    TL_NEW(j.one = tl_arena_new());
    TL_TRY(tl_defer(a, free_arena, j.one));
    if (o->experiment_spec) {
        TL_TRY(tl_infer_spec_load(a, o->experiment_spec, NULL, o->overrides.at, o->overrides.n, &j.spec, &warnings));
        tl_tell(j.l, warnings);
    }
    TL_TRY(open_model(&j));
    TL_TRY(open_classes(&j));
    TL_TRY(open_pictures(&j));
    TL_TRY(open_results(&j));
    TL_TRY(run(&j));
    const tl_pair kpi[] = { { "pictures", (float)out->pictures }, { "objects", (float)out->objects } };
    return tl_record(a, o->results_dir, "Inference finished successfully.", (tl_list){ TL_LEN(kpi), (void *)(uintptr_t)kpi });
}
