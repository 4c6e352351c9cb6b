/* registry_push.c - models into a registry that is a folder. SPDX-License-Identifier: MIT
 *
 * The model is there, whole, before the index speaks of it, and its name holds its checksum: who
 * pulls meanwhile gets the former model or the new one. The index is read, changed and replaced
 * under a lock, so what others add at the same time stays. */
#include "api.h"
#include "lock.h"
#include "registry.h"
#include "sha256.h"
#include <string.h>
#include <sys/stat.h>

typedef struct {
    tl_arena *a;
    const tl_push_opts *o;
    const char *folder; /* of the index, with the slash */
    tl_index index;
    tl_text text;
} job;

static const char *or_empty(const char *s) { return s ? s : ""; }

/* What the model says of itself. */
static tl_status describe(job *j, const char *path, tl_bytes file, tl_registry_model *m)
{
    tl_model *model;
    tl_arena *a = j->a;
    tl_status s = tl_model_open(a, path, j->o->key, &model);
    if (s)
        return tl_note(s,
                       "reading '%s': a registry holds models that tlc wrote; 'tlc import' makes "
                       "one of another program's file",
                       path);
    const char *base = tl_path_base(path), *dot = strrchr(base, '.');
    tl_shape in = model->g->node[model->image.i].s;
    char *hex = tl_new(a, char, TL_SHA256_SIZE);
    TL_NEW(hex);
    tl_sha256(file, hex);
    *m = (tl_registry_model){
        .name = j->o->name ? j->o->name
                           : tl_strndup(a, base, dot ? (size_t)(dot - base) : strlen(base)),
        .task = "classification",
        .backbone = model->arch,
        .input = tl_printf(a, "%dx%dx%d", in.c, in.h, in.w),
        .preprocess = model->mode,
        .accuracy = or_empty(j->o->accuracy),
        .license = or_empty(j->o->license),
        .url = "",
        .sha256 = hex,
        .size = file.n,
        .parameters = tl_graph_params(model->g),
        .classes = model->classes,
    };
    return m->name && m->input ? TL_OK : TL_ENOMEM;
}

/* A model that lies in the registry already stays where it is. */
static tl_status place(job *j, const char *path, tl_bytes file, tl_registry_model *m)
{
    const char *base = tl_path_base(path), *there = tl_path_join(j->a, j->folder, base);
    struct stat one, other;
    TL_NEW(there);
    if (tl_index_name_valid(base) && !stat(path, &one) && !stat(there, &other) &&
        one.st_dev == other.st_dev && one.st_ino == other.st_ino) {
        m->url = base;
        return TL_OK;
    }
    TL_NEW(m->url = tl_index_file(j->a, m));
    const char *to = tl_path_join(j->a, j->folder, m->url);
    TL_NEW(to);
    return tl_file_exists(to) && !tl_registry_check(m, to) ? TL_OK
                                                           : tl_file_write(to, file.p, file.n);
}

static tl_status push(job *j, const char *path)
{
    tl_bytes file;
    tl_registry_model m;
    TL_TRY(tl_file_read(j->a, path, 0, &file));
    TL_TRY(describe(j, path, file, &m));
    const tl_registry_model *known = tl_index_find(&j->index, m.name);
    TL_CHECK(!known || !strcmp(known->sha256, m.sha256) || j->o->overwrite, TL_EARG,
             "'%s' has another model of the name '%s'; give this one another with --name, or add "
             "--overwrite",
             j->index.from, m.name);
    TL_CHECK(tl_index_name_valid(m.name), TL_EARG,
             "'%s' cannot be a model's name; give it one with --name", m.name);
    TL_TRY(place(j, path, file, &m));
    TL_TRY(tl_index_put(j->a, &j->index, &m, &j->index));
    const char *classes =
        m.classes.n ? tl_printf(j->a, "%d classes", m.classes.n) : "a trunk to start from";
    tl_textf(&j->text, "%s: %s, %s, %s, %s, SHA-256 %s\n", m.name, m.backbone, m.input, classes,
             tl_megabytes(j->a, m.size), m.sha256);
    if (!*m.license)
        tl_textf(&j->text, "  others will want to know under which license: --license\n");
    return TL_OK;
}

static tl_status open_index(job *j, const tl_registry *r)
{
    tl_bytes text;
    if (!tl_file_exists(r->path)) return tl_index_new(j->a, r->path, &j->index);
    TL_TRY(tl_file_read(j->a, r->path, TL_INDEX_MOST, &text));
    return tl_index_read(j->a, r->path, text, &j->index);
}

static tl_status push_all(tl_arena *scratch, const tl_push_opts *o, const tl_listener *l,
                          tl_text *text)
{
    tl_registry r;
    tl_bytes index;
    int fd;
    TL_CHECK(o->files.n == 1 || (!o->name && !o->accuracy), TL_EARG,
             "a name and an accuracy belong to one model: push them one by one");
    TL_TRY(tl_registry_place(scratch, o->registry, &r));
    job j = { .a = scratch, .o = o, .text = *text };
    TL_NEW(j.folder = tl_strndup(scratch, r.path, (size_t)(tl_path_base(r.path) - r.path)));
    TL_TRY(tl_mkdirs(j.folder));
    TL_TRY(tl_lock(scratch, tl_printf(scratch, "%s.lock", r.path), l, &fd));
    TL_TRY(open_index(&j, &r));
    for (int i = 0; i < o->files.n; i++) {
        TL_CHECK(!tl_stopping(l), TL_ESTOPPED, "stopped; the index is as it was");
        TL_TRY(push(&j, ((const char **)o->files.at)[i]));
    }
    TL_TRY(tl_index_text(scratch, &j.index, &index));
    TL_TRY(tl_file_write(r.path, index.p, index.n));
    *text = j.text;
    tl_textf(text, "wrote '%s'\n", r.path);
    return TL_OK;
}

tl_status tl_registry_push(tl_arena *a, const tl_push_opts *o, const tl_listener *l,
                           const char **out)
{
    tl_text text = tl_text_new(a);
    tl_arena *scratch = tl_arena_new(); /* the lock and the models end with it */
    TL_NEW(scratch);
    tl_status s = push_all(scratch, o, l, &text);
    tl_arena_free(scratch);
    TL_TRY(s);
    *out = tl_text_end(&text);
    return *out ? TL_OK : TL_ENOMEM;
}
