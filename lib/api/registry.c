/* registry.c - finding registries, what is in them, and the cache. SPDX-License-Identifier: MIT */
#include "registry.h"
#include "fetch.h"
#include "sha256.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const char tl_models_index[]; /* models/index.json, put into the program by the Makefile */
#define BUILTIN "the models that come with TLC"

/* ---- Where a registry is ---- */

/* The folder of the models that come with TLC: beside the program, installed or in its checkout.
 * NULL: not found. */
static const char *shipped(tl_arena *a)
{
    static const char *const from_program[] = { "../share/tlc/models", "../models",
                                                "../../models" };
    char program[PATH_MAX], real[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0) return NULL;
    program[n] = 0;
    *strrchr(program, '/') = 0;
    for (int i = 0; i < TL_LEN(from_program); i++) {
        const char *path = tl_printf(a, "%s/%s/index.json", program, from_program[i]);
        if (path && realpath(path, real)) return tl_strdup(a, real);
    }
    return NULL;
}

static bool names_index(const char *where)
{
    size_t n = strlen(where);
    return n > 5 && !strcmp(where + n - 5, ".json");
}

/* The index's path or address, of what the user calls the registry. */
static const char *index_of(tl_arena *a, const char *where)
{
    return names_index(where) ? where : tl_path_join(a, where, "index.json");
}

static const char *absolute(tl_arena *a, const char *path)
{
    char here[PATH_MAX];
    return path[0] == '/' || !getcwd(here, sizeof here) ? path : tl_path_join(a, here, path);
}

static const char *given(const char *where)
{
    if (!where) where = getenv("TLC_REGISTRY");
    return where && *where ? where : NULL;
}

/* where NULL: none was named, and *r is left without a place. */
static tl_status locate(tl_arena *a, const char *where, tl_registry *r)
{
    const char *index = where ? index_of(a, where) : shipped(a);
    *r = (tl_registry){ .url = NULL };
    if (!index) return where ? TL_ENOMEM : TL_OK;
    if (strstr(index, "://")) return tl_url_resolve(a, NULL, index, &r->url);
    TL_NEW(r->path = absolute(a, index));
    return tl_url_of_path(a, r->path, &r->url);
}

tl_status tl_registry_place(tl_arena *a, const char *where, tl_registry *r)
{
    TL_CHECK(
        where = given(where), TL_EARG,
        "which registry? Give a folder with --registry, or in the environment as TLC_REGISTRY");
    TL_TRY(locate(a, where, r));
    TL_CHECK(r->path, TL_EARG,
             "'%s' can be read, not written to: push to a folder with --registry FOLDER, then "
             "upload its index.json and models",
             where);
    return TL_OK;
}

tl_status tl_registry_builtin(tl_arena *a, tl_index *out)
{
    return tl_index_read(
        a, BUILTIN, (tl_bytes){ (const uint8_t *)tl_models_index, strlen(tl_models_index) }, out);
}

tl_status tl_registry_open(tl_arena *a, const char *where, const tl_listener *l, tl_registry *r)
{
    tl_bytes text;
    where = given(where);
    TL_TRY(locate(a, where, r));
    if (!where) return tl_registry_builtin(a, &r->index);
    if (!r->path) TL_TRY(tl_fetch_bytes(a, r->url, TL_INDEX_MOST, l, &text));
    else
        TL_TRY(tl_file_read(a, r->path, TL_INDEX_MOST, &text));
    return tl_index_read(a, r->path ? r->path : r->url, text, &r->index);
}

tl_status tl_registry_url(tl_arena *a, const tl_registry *r, const tl_registry_model *m,
                          const char **out)
{
    TL_CHECK(r->url, TL_EIO,
             "the models that come with TLC are not where they were installed, in "
             "share/tlc/models; name their folder with --registry");
    tl_status s = tl_url_resolve(a, r->url, m->url, out);
    return s ? tl_note(s, "looking for '%s' of '%s'", m->name, r->index.from) : s;
}

tl_status tl_registry_path(tl_arena *a, const tl_registry *r, const tl_registry_model *m,
                           const char **out)
{
    const char *url;
    TL_TRY(tl_registry_url(a, r, m, &url));
    return tl_url_path(a, url, out);
}

/* ---- The cache ---- */

tl_status tl_cache_folder(tl_arena *a, const char **out)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (xdg && xdg[0] == '/') *out = tl_path_join(a, xdg, "tlc/models");
    else {
        TL_CHECK(home && home[0] == '/', TL_EIO,
                 "there is no place for models: neither HOME nor XDG_CACHE_HOME is set");
        *out = tl_path_join(a, home, ".cache/tlc/models");
    }
    return *out ? TL_OK : TL_ENOMEM;
}

tl_status tl_cache_path(tl_arena *a, const tl_registry_model *m, const char **out)
{
    const char *folder, *file = tl_index_file(a, m);
    TL_NEW(file);
    TL_TRY(tl_cache_folder(a, &folder));
    *out = tl_path_join(a, folder, file);
    return *out ? TL_OK : TL_ENOMEM;
}

/* Is this NAME-DIGITS.onnx? */
static bool is_file_of(const char *file, const char *name)
{
    size_t n = strlen(name);
    return !strncmp(file, name, n) && file[n] == '-' &&
           strspn(file + n + 1, "0123456789abcdef") == TL_INDEX_DIGITS &&
           !strcmp(file + n + 1 + TL_INDEX_DIGITS, ".onnx");
}

/* When it was written or pulled again, in seconds. */
static double time_of(const char *path)
{
    struct stat st;
    return stat(path, &st) ? 0 : (double)st.st_mtim.tv_sec + 1e-9 * (double)st.st_mtim.tv_nsec;
}

tl_status tl_cache_find(tl_arena *a, const char *name, const char **out)
{
    tl_list files = { 0, NULL };
    const char *folder;
    TL_TRY(tl_cache_folder(a, &folder));
    if (tl_is_dir(folder)) TL_TRY(tl_dir_list(a, folder, &files));
    *out = NULL;
    for (int i = 0; i < files.n; i++) {
        const char *file = ((const char **)files.at)[i], *path;
        if (!is_file_of(file, name)) continue;
        TL_NEW(path = tl_path_join(a, folder, file));
        if (!*out || time_of(path) > time_of(*out)) *out = path;
    }
    TL_CHECK(*out, TL_EIO,
             "'" TL_REGISTRY_PREFIX
             "%s' has not been pulled yet: 'tlc model pull %s' fetches it into '%s'",
             name, name, folder);
    return tl_cache_check(*out);
}

/* ---- Files ---- */

tl_status tl_registry_check(const tl_registry_model *m, const char *path)
{
    char hex[TL_SHA256_SIZE];
    size_t size;
    TL_TRY(tl_sha256_file(path, hex, &size));
    TL_CHECK(size == m->size, TL_EFORMAT, "'%s' has %zu bytes, the index says %zu", path, size,
             m->size);
    TL_CHECK(!strcmp(hex, m->sha256), TL_EFORMAT,
             "'%s' is not what the index describes: its SHA-256 is %s and not %s", path, hex,
             m->sha256);
    return TL_OK;
}

tl_status tl_cache_check(const char *path)
{
    char hex[TL_SHA256_SIZE];
    size_t size, n = strlen(path), tail = TL_INDEX_DIGITS + strlen(".onnx");
    TL_TRY(tl_sha256_file(path, hex, &size));
    TL_CHECK(n > tail && !strncmp(path + n - tail, hex, TL_INDEX_DIGITS), TL_EFORMAT,
             "'%s' is not what was pulled: its SHA-256 is %s", path, hex);
    return TL_OK;
}

char *tl_megabytes(tl_arena *a, size_t bytes)
{
    return tl_printf(a, "%.1f MB", (double)bytes / 1e6);
}
