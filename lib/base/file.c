/* file.c - reading and crash-safe writing. SPDX-License-Identifier: MIT */
#include "file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

long tl_write_countdown = -1;

static bool refuse(void)
{
    if (tl_write_countdown < 0 || tl_write_countdown-- != 0) return false;
    errno = ENOSPC;
    return true;
}

static void close_fd(void *fd) { close((int)(intptr_t)fd); }

tl_status tl_file_read(tl_arena *a, const char *path, size_t limit, tl_bytes *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    TL_CHECK(fd >= 0, TL_EIO, "cannot open '%s': %s", path, strerror(errno));
    struct stat st;
    tl_status s = TL_OK;
    if (fstat(fd, &st)) s = tl_fail(TL_EIO, "cannot read '%s': %s", path, strerror(errno));
    else if (S_ISDIR(st.st_mode)) s = tl_fail(TL_EIO, "'%s' is a folder, a file was expected", path);
    else if (limit && (size_t)st.st_size > limit)
        s = tl_fail(TL_EIO, "'%s' has %zu bytes, more than the %zu allowed", path, (size_t)st.st_size, limit);
    uint8_t *p = NULL;
    size_t n = 0, size = s ? 0 : (size_t)st.st_size;
    if (!s && !(p = tl_alloc_raw(a, size + 1))) s = TL_ENOMEM;
    while (!s && n < size) {
        ssize_t got = read(fd, p + n, size - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) s = tl_fail(TL_EIO, "cannot read '%s': %s", path, strerror(errno));
        if (got <= 0) break;
        n += (size_t)got;
    }
    close_fd((void *)(intptr_t)fd);
    if (s) return s;
    p[n] = 0;
    *out = (tl_bytes){ p, n };
    return TL_OK;
}

static tl_status cannot_write(const char *path, int why)
{
    bool full = why == ENOSPC || why == EDQUOT;
    return tl_fail(TL_EIO, "cannot write '%s': %s%s", path, strerror(why),
                   full ? " (free some room and run the same command again)" : "");
}

tl_status tl_write_all(int fd, const char *path, const void *bytes, size_t n)
{
    for (const char *p = bytes; n;) {
        ssize_t put = refuse() ? -1 : write(fd, p, n);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return cannot_write(path, errno);
        p += put;
        n -= (size_t)put;
    }
    return TL_OK;
}

/* The rename itself is only on disk once the folder is. Some file systems cannot sync a folder;
 * that is no reason to fail. */
static void sync_folder_of(const char *path)
{
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash) slash[slash == dir] = 0;
    int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

tl_status tl_file_publish(int fd, const char *tmp, const char *path)
{
    if (refuse() || fsync(fd) || refuse() || rename(tmp, path)) return cannot_write(path, errno);
    sync_folder_of(path);
    return TL_OK;
}

tl_status tl_file_write(const char *path, const void *bytes, size_t n)
{
    char tmp[PATH_MAX];
    int len = snprintf(tmp, sizeof tmp, "%s.%ld.tmp", path, (long)getpid());
    TL_CHECK(len > 0 && len < (int)sizeof tmp, TL_EIO, "the path '%s' is too long", path);
    int fd = refuse() ? -1 : open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return cannot_write(path, errno);
    tl_status s = tl_write_all(fd, path, bytes, n);
    if (!s) s = tl_file_publish(fd, tmp, path);
    close(fd); /* after fsync there is nothing left for it to lose */
    if (s) unlink(tmp);
    return s;
}

struct tl_growing { int fd; bool published; const char *path, *tmp; };

static void end_growing(void *arg)
{
    const tl_growing *g = arg;
    close(g->fd);
    if (!g->published) unlink(g->tmp);
}

tl_status tl_growing_new(tl_arena *a, const char *path, tl_growing **out)
{
    tl_growing *g = tl_new(a, tl_growing, 1);
    TL_NEW(g);
    TL_NEW(g->path = tl_strdup(a, path));
    TL_NEW(g->tmp = tl_printf(a, "%s.%ld.tmp", path, (long)getpid()));
    g->fd = refuse() ? -1 : open(g->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (g->fd < 0) return cannot_write(path, errno);
    *out = g;
    return tl_defer(a, end_growing, g);
}

tl_status tl_growing_add(tl_growing *g, const void *bytes, size_t n) { return tl_write_all(g->fd, g->path, bytes, n); }

tl_status tl_growing_publish(tl_growing *g)
{
    TL_TRY(tl_file_publish(g->fd, g->tmp, g->path));
    g->published = true;
    return TL_OK;
}

tl_status tl_file_append(const char *path, const char *text)
{
    int fd = refuse() ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) return cannot_write(path, errno);
    tl_status s = tl_write_all(fd, path, text, strlen(text));
    if (close(fd) && !s) s = cannot_write(path, errno);
    return s;
}

bool tl_file_exists(const char *path) { return access(path, F_OK) == 0; }

bool tl_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

tl_status tl_mkdirs(const char *path)
{
    char part[PATH_MAX];
    TL_CHECK(snprintf(part, sizeof part, "%s", path) < (int)sizeof part, TL_EIO, "the path '%s' is too long", path);
    for (char *p = part + 1;; p++) {
        if (*p && *p != '/') continue;
        char end = *p;
        *p = 0;
        if (mkdir(part, 0777) && errno != EEXIST)
            return tl_fail(TL_EIO, "cannot make the folder '%s': %s", part, strerror(errno));
        if (!end) break;
        *p = end;
    }
    TL_CHECK(tl_is_dir(path), TL_EIO, "'%s' is a file, a folder was expected", path);
    return TL_OK;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }
static void close_folder(void *d) { closedir(d); }

tl_status tl_dir_list(tl_arena *a, const char *path, tl_list *names)
{
    *names = (tl_list){ 0, NULL };
    DIR *d = opendir(path);
    TL_CHECK(d, TL_EIO, "cannot open the folder '%s': %s", path, strerror(errno));
    TL_TRY(tl_defer(a, close_folder, d));
    for (struct dirent *e; (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        const char **slot = tl_add(a, names, const char *);
        TL_NEW(slot);
        TL_NEW(*slot = tl_strdup(a, e->d_name));
    }
    if (names->n) qsort(names->at, (size_t)names->n, sizeof(char *), by_bytes);
    return TL_OK;
}

char *tl_path_join(tl_arena *a, const char *dir, const char *name)
{
    size_t n = strlen(dir);
    if (name[0] == '/' || !n) return tl_strdup(a, name);
    return tl_printf(a, "%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", name);
}

const char *tl_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
