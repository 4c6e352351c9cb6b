/* registry_list.c - what is in a registry, and whether its files are what the index says.
 * SPDX-License-Identifier: MIT */
#include "registry.h"
#include "listen.h"
#include <string.h>

/* ---- The table ---- */

/* "resnet" is every ResNet, "resnet18" that one. */
static bool wanted(const tl_registry_model *m, const char *which)
{
    return !which || !strcmp(m->name, which) || !strncmp(m->backbone, which, strlen(which));
}

static const char *said(const char *text) { return *text ? text : "-"; }

static tl_status add_row(tl_arena *a, tl_text *t, const tl_registry_model *m)
{
    const char *cached, *classes = m->classes.n ? tl_printf(a, "%d", m->classes.n) : "trunk";
    TL_TRY(tl_cache_path(a, m, &cached));
    tl_textf(t, "%-28s %-17s %-8s %-11s %10s  %s%s\n", m->name, said(m->backbone), classes,
             said(m->input), tl_megabytes(a, m->size), said(m->license),
             tl_file_exists(cached) ? ", pulled" : "");
    if (*m->accuracy) tl_textf(t, "    accuracy %s\n", m->accuracy);
    return TL_OK;
}

tl_status tl_registry_list(tl_arena *a, const char *registry, const char *which,
                           const tl_listener *l, tl_list *models, const char **text)
{
    tl_registry r;
    tl_text t = tl_text_new(a);
    *models = (tl_list){ 0, NULL };
    TL_TRY(tl_registry_open(a, registry, l, &r));
    const tl_registry_model *m = r.index.model.at;
    tl_textf(&t, "%-28s %-17s %-8s %-11s %10s  %s\n", "name", "backbone", "classes", "input",
             "size", "license");
    for (int i = 0; i < r.index.model.n; i++) {
        if (!wanted(m + i, which)) continue;
        tl_registry_model *slot = tl_add(a, models, tl_registry_model);
        TL_NEW(slot);
        *slot = m[i];
        TL_TRY(add_row(a, &t, slot));
    }
    TL_CHECK(models->n || !which, TL_EARG,
             "'%s' has no model for '%s'; 'tlc model list' shows all it has", r.index.from, which);
    *text = tl_text_end(&t);
    return *text ? TL_OK : TL_ENOMEM;
}

/* ---- Verifying ---- */

typedef struct {
    tl_arena *a;
    tl_text text;
    tl_verify_summary *sum;
} job;

static void record(job *j, tl_status s, const char *path)
{
    tl_textf(&j->text, "%s  %s\n", s ? "WRONG" : "right", path);
    if (s) tl_textf(&j->text, "       %s\n", tl_errmsg());
    (*(s ? &j->sum->wrong : &j->sum->right))++;
}

/* The index's entry for a file of the cache; NULL: it is from elsewhere. */
static const tl_registry_model *entry_of(job *j, const tl_index *x, const char *file)
{
    const tl_registry_model *m = x->model.at;
    for (int i = 0; i < x->model.n; i++) {
        const char *own = tl_index_file(j->a, m + i);
        if (own && !strcmp(own, file)) return m + i;
    }
    return NULL;
}

static tl_status verify_cache(job *j, const tl_index *x, const tl_listener *l)
{
    const char *folder;
    tl_list files = { 0, NULL };
    TL_TRY(tl_cache_folder(j->a, &folder));
    if (tl_is_dir(folder)) TL_TRY(tl_dir_list(j->a, folder, &files));
    for (int i = 0; i < files.n; i++) {
        const char *file = ((const char **)files.at)[i], *path = tl_path_join(j->a, folder, file);
        TL_NEW(path);
        TL_CHECK(!tl_stopping(l), TL_ESTOPPED, "stopped");
        const tl_registry_model *m = entry_of(j, x, file);
        size_t n = strlen(file);
        if (n > 5 && !strcmp(file + n - 5, ".part")) tl_textf(&j->text, "begun  %s\n", path);
        else
            record(j, m ? tl_registry_check(m, path) : tl_cache_check(path), path);
    }
    return TL_OK;
}

static tl_status verify_registry(job *j, const tl_registry *r, const tl_listener *l)
{
    const tl_registry_model *m = r->index.model.at;
    for (int i = 0; r->url && i < r->index.model.n; i++) {
        const char *path;
        TL_CHECK(!tl_stopping(l), TL_ESTOPPED, "stopped");
        TL_TRY(tl_registry_path(j->a, r, m + i, &path));
        if (path) record(j, tl_registry_check(m + i, path), path);
    }
    return TL_OK;
}

tl_status tl_registry_verify(tl_arena *a, const char *registry, const tl_listener *l,
                             tl_verify_summary *out)
{
    tl_registry r;
    job j = { .a = a, .text = tl_text_new(a), .sum = out };
    *out = (tl_verify_summary){ .right = 0 };
    TL_TRY(tl_registry_open(a, registry, l, &r));
    TL_TRY(verify_registry(&j, &r, l));
    TL_TRY(verify_cache(&j, &r.index, l));
    tl_textf(&j.text, "%d right, %d wrong%s\n", out->right, out->wrong,
             out->wrong ? "; 'tlc model pull NAME' fetches a damaged one of the cache again" : "");
    out->text = tl_text_end(&j.text);
    return out->text ? TL_OK : TL_ENOMEM;
}
