/* registry_pull.c - a model from a registry into the cache. SPDX-License-Identifier: MIT
 *
 * What comes goes to FILE.part, held locked, and becomes FILE when all of it is there and its
 * checksum is right. So whatever happens FILE is whole or absent, two pulls at once are one, and a
 * part is there to go on from. */
#include "registry.h"
#include "fetch.h"
#include "listen.h"
#include "lock.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    tl_arena *a; /* of this pull: the lock ends with it */
    const tl_registry_model *m;
    const char *url, *path, *part;
    const tl_listener *l;
    int fd; /* of the part */
} job;

/* Is it here already? Then it is the latest of its name again: see tl_cache_find. */
static bool here(const job *j)
{
    return tl_file_exists(j->path) && !tl_registry_check(j->m, j->path) &&
           !utimensat(AT_FDCWD, j->path, NULL, 0);
}

static tl_status fetch_part(job *j)
{
    struct stat st;
    bool resumed = !fstat(j->fd, &st) && st.st_size > 0;
    tl_fetch_conf c = { .url = j->url,
                        .fd = j->fd,
                        .path = j->part,
                        .name = j->m->name,
                        .most = j->m->size,
                        .exact = true,
                        .listener = j->l };
    if (resumed) tl_say(j->l, "going on with '%s'\n", j->part);
    TL_TRY(tl_fetch(&c));
    tl_status s = tl_registry_check(j->m, j->part);
    if (!s || !resumed) return s;
    tl_say(j->l,
           "warning: what had been fetched of '%s' before was damaged; from the beginning, then\n",
           j->m->name);
    TL_CHECK(!ftruncate(j->fd, 0), TL_EIO, "cannot write '%s'", j->part);
    TL_TRY(tl_fetch(&c));
    return tl_registry_check(j->m, j->part);
}

static tl_status fetch(job *j, bool *fetched)
{
    struct stat st;
    TL_TRY(tl_lock(j->a, j->part, j->l, &j->fd));
    *fetched = !here(j); /* another pull may have brought it while we waited */
    tl_status s = *fetched ? fetch_part(j) : TL_OK;
    if (!s && *fetched) return tl_file_publish(j->fd, j->part, j->path);
    size_t kept = fstat(j->fd, &st) || s == TL_EFORMAT ? 0 : (size_t)st.st_size;
    if (s && kept)
        return tl_note(
            s, "fetching '%s'; %zu of %zu bytes are kept, the same command goes on from there",
            j->m->name, kept, j->m->size);
    unlink(j->part); /* nothing in it, or nothing of use */
    return s;
}

/* How to use it, in a spec. */
static const char *usage(tl_arena *a, const tl_registry_model *m, const char *path, bool fetched)
{
    tl_text t = tl_text_new(a);
    tl_textf(&t, "%s: %s, %s, the checksum is right\n  %s\nin a spec:\n", m->name,
             tl_megabytes(a, m->size), fetched ? "fetched" : "here already", path);
    tl_textf(&t, "  train_config { pretrained_model_path: \"" TL_REGISTRY_PREFIX "%s\" }\n",
             m->name);
    return tl_text_end(&t);
}

static tl_status pull(tl_arena *scratch, const tl_registry *r, const tl_registry_model *m,
                      const tl_listener *l, tl_pull_summary *out)
{
    const char *folder;
    job j = { .a = scratch, .m = m, .path = out->path, .l = l };
    out->fetched = false;
    if (here(&j)) return TL_OK;
    TL_TRY(tl_registry_url(scratch, r, m, &j.url));
    TL_TRY(tl_cache_folder(scratch, &folder));
    TL_TRY(tl_mkdirs(folder));
    TL_NEW(j.part = tl_printf(scratch, "%s.part", j.path));
    return fetch(&j, &out->fetched);
}

tl_status tl_registry_pull(tl_arena *a, const char *registry, const char *name,
                           const tl_listener *l, tl_pull_summary *out)
{
    tl_registry r;
    const tl_registry_model *m;
    TL_TRY(tl_registry_open(a, registry, l, &r));
    TL_TRY(tl_index_get(&r.index, name, &m));
    *out = (tl_pull_summary){ .bytes = m->size };
    TL_TRY(tl_cache_path(a, m, &out->path));
    tl_arena *scratch = tl_arena_new();
    TL_NEW(scratch);
    tl_status s = pull(scratch, &r, m, l, out);
    tl_arena_free(scratch);
    TL_TRY(s);
    out->text = usage(a, m, out->path, out->fetched);
    return out->text ? TL_OK : TL_ENOMEM;
}
