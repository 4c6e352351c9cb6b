/* import.c - other programs' weights and networks as a model of ours. SPDX-License-Identifier: MIT */
#include "api.h"
#include "field.h"
#include "import.h"
#include "match.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    tl_arena             *a;
    const tl_import_opts *o;
    const tl_listener    *l;
    tl_foreign            from;
    tl_model             *m;
    tl_transfer           report;
    int                   classes; /* 0: a trunk */
} job;

static tl_status picture_size(const job *j, tl_model_conf *c)
{
    static const tl_field row = { "input_image_size",        TL_INT,      0,    0,    1,   8192,
                                  "channels, height, width", TL_REPEATED, NULL, NULL, NULL };
    tl_list size = { 0, NULL };
    if (j->from.model) {
        tl_shape s = j->from.model->g->node[j->from.model->image.i].s;
        c->c = s.c, c->h = s.h, c->w = s.w;
        c->classes = tl_model_is_trunk(j->from.model) ? 0 : j->from.model->g->node[j->from.model->answer.i].s.c;
        return TL_OK;
    }
    TL_TRY(tl_field_set(j->a, &row, &size, j->o->input_image_size ? j->o->input_image_size : "3,224,224"));
    const int *d = size.at;
    TL_CHECK(size.n == 3 && (d[0] == 1 || d[0] == 3), TL_EARG,
             "input_image_size: expected \"C,H,W\" with C 1 or 3, as in \"3,224,224\"");
    c->c = d[0], c->h = d[1], c->w = d[2];
    return TL_OK;
}

/* How pictures are to be prepared: as the user says, else as the file or its makers do. */
static tl_status prepare(job *j)
{
    static const tl_scheme imagenet = { .mode = "imagenet", .center_crop = true };
    const tl_foreign nothing = { .model = NULL };
    const char *mode = j->o->preprocess_mode;
    tl_model *m = j->m;
    if (mode && !strcmp(mode, "imagenet")) {
        (void)tl_prepare_as(m, &nothing, &imagenet);
    } else if (mode) {
        TL_NEW(m->mode = tl_strdup(j->a, mode));
        return tl_norm_for(mode, m->g->node[m->image.i].s.c, NULL, &m->norm);
    } else if (!tl_prepare_as(m, &j->from, j->report.scheme)) {
        TL_TRY(tl_norm_for("caffe", m->g->node[m->image.i].s.c, NULL, &m->norm));
        tl_say(j->l, "warning: the file does not say how pictures are prepared; caffe is assumed. Say it with "
                     "--preprocess_mode (imagenet for "
                     "most of PyTorch's, tf for most of TensorFlow's)\n");
    }
    return TL_OK;
}

/* Leave the head away: the last feature map is all there is. */
static void be_trunk(tl_model *m)
{
    for (int i = 0; i < m->g->n; i++)
        if (m->g->node[i].block >= 0) m->answer.i = i;
    m->raw = m->answer;
    tl_graph_give(m->g, m->answer);
    m->g->n = m->answer.i + 1;
}

static tl_status fill(job *j)
{
    tl_model_conf c = { .seed = 1 };
    const tl_scheme *scheme;
    TL_TRY(picture_size(j, &c));
    TL_TRY(tl_guess(&j->from, j->o->arch, j->o->n_layers, &c, &scheme));
    j->classes = c.classes;
    if (!c.classes) c.classes = 1;
    TL_TRY(tl_model_build(j->a, &c, &j->m));
    TL_TRY(tl_match(j->m, &j->from, &(tl_match_opts){ .exact = true, .all = true, .scheme = scheme }, &j->report));
    if (!j->classes) be_trunk(j->m);
    return TL_OK;
}

static tl_status keep(job *j)
{
    tl_model *m = j->m = j->from.model;
    j->classes = tl_model_is_trunk(m) ? 0 : m->g->node[m->answer.i].s.c;
    TL_NEW(j->report.text = tl_printf(j->a, "the network is kept as it is: %d operations%s%s\n", m->g->n,
                                      *j->from.note ? "; " : "", j->from.note));
    return TL_OK;
}

static tl_status name_classes(job *j)
{
    tl_list *to = &j->m->classes;
    const char *path = j->o->labels;
    const tl_model *other = j->from.model;
    if (!to->n && other && other->classes.n == j->classes) *to = other->classes;
    if (path) {
        TL_CHECK(j->classes, TL_EARG, "the weights have no classifier, so there is nothing that --labels could name");
        TL_TRY(tl_classes_read(j->a, path, to));
        TL_CHECK(to->n == j->classes, TL_EDATA, "'%s' names %d classes, the classifier has %d", path, to->n,
                 j->classes);
    }
    for (int i = to->n; i < j->classes; i++) {
        const char **slot = tl_add(j->a, to, const char *);
        TL_NEW(slot);
        TL_NEW(*slot = tl_printf(j->a, "class%d", i));
    }
    return TL_OK;
}

static tl_status write(job *j, tl_import_summary *out)
{
    tl_bytes file;
    if (!*j->m->arch) j->m->arch = j->from.format;
    TL_TRY(tl_model_note(j->m, "tlc %s import: %s (%s)", tl_version(), tl_path_base(j->o->input), j->from.format));
    TL_TRY(tl_model_pack(j->m, j->a, &(tl_save_opts){ .key = j->o->key }, &file));
    TL_TRY(tl_file_write(j->o->output_file, file.p, file.n));
    *out = (tl_import_summary){ .matched = j->report.matched,
                                .skipped = j->report.skipped,
                                .fresh = j->report.fresh,
                                .classes = j->classes,
                                .params = tl_graph_params(j->m->g),
                                .bytes = file.n,
                                .format = j->from.format,
                                .arch = j->m->arch };
    char classes[32] = "no classifier";
    if (j->classes) snprintf(classes, sizeof classes, "%d classes", j->classes);
    TL_NEW(out->report =
               tl_printf(j->a, "%sread as %s: %s, %s, %zu parameters\nwrote '%s': %.2f MB\n", j->report.text,
                         j->from.format, j->m->arch, classes, out->params, j->o->output_file, (double)file.n / 1e6));
    return TL_OK;
}

tl_status tl_model_import(tl_arena *a, const tl_import_opts *o, const tl_listener *l, tl_import_summary *out)
{
    job j = { .a = a, .o = o, .l = l };
    TL_CHECK(o->input && o->output_file, TL_EARG, "import needs a file to read and one to write (-o)");
    TL_TRY(tl_may_write(o->output_file, o->overwrite));
    TL_TRY((o->external_data ? tl_import_beside : tl_import)(a, o->input, o->key, &j.from));
    TL_TRY(j.from.model && !o->arch ? keep(&j) : fill(&j));
    TL_TRY(prepare(&j));
    TL_TRY(name_classes(&j));
    return write(&j, out);
}
