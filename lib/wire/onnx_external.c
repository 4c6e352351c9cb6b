/* onnx_external.c - weights that an ONNX file keeps in files beside it. SPDX-License-Identifier: MIT
 *
 * The paths come from the file, which may be hostile: each part of one is opened in the folder before it, links are
 * not followed. */
#include "onnx_external.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct { const char *location; size_t size, used; } file_seen;

/* The next part of a path and where the one after it begins; false: no plain name. */
static bool next_part(const char **path, char part[256])
{
    size_t n = strcspn(*path, "/");
    if (!n || n > 255 || memchr(*path, '\\', n)) return false;
    memcpy(part, *path, n);
    part[n] = 0;
    *path += n + ((*path)[n] == '/');
    return strcmp(part, ".") && strcmp(part, "..");
}

/* Below zero: not to be opened, and why is said. */
static int open_inside(const char *folder, const char *location)
{
    const char *rest = location;
    char part[256];
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && *rest) {
        bool plain = next_part(&rest, part), last = !*rest;
        int inner =
            plain ? openat(fd, part, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (last ? O_NONBLOCK : O_DIRECTORY)) : -1;
        int why = plain ? errno : EPERM;
        close(fd);
        fd = inner;
        errno = why;
    }
    if (fd < 0 || !*location)
        tl_fail(TL_EIO, "the model's data file '%s' cannot be opened in its folder: %s", location, strerror(errno));
    return fd;
}

static tl_status file_of(tl_arena *a, tl_onnx_beside *b, const char *location, int fd, file_seen **out)
{
    struct stat st;
    file_seen *f = b->seen.at;
    TL_CHECK(!fstat(fd, &st) && S_ISREG(st.st_mode), TL_EIO, "the model's data file '%s' is no plain file", location);
    for (int i = 0; i < b->seen.n; i++)
        if (!strcmp(f[i].location, location)) {
            *out = f + i;
            return TL_OK;
        }
    TL_NEW(*out = tl_add(a, &b->seen, file_seen));
    **out = (file_seen){ .location = location, .size = (size_t)st.st_size };
    return TL_OK;
}

static tl_status read_part(tl_arena *a, tl_onnx_beside *b, const char *location, int fd, size_t offset, size_t length,
                           tl_bytes *out)
{
    file_seen *f = NULL;
    TL_TRY(file_of(a, b, location, fd, &f));
    if (!length && offset <= f->size) length = f->size - offset;
    TL_CHECK(offset <= f->size && length <= f->size - offset, TL_EFORMAT,
             "the model's data file '%s' has %zu bytes, %zu from %zu on are needed", location, f->size, length, offset);
    TL_CHECK(length <= f->size - f->used, TL_EFORMAT, "the model reads more from '%s' than it holds", location);
    f->used += length;
    uint8_t *p = tl_alloc_raw(a, length ? length : 1);
    TL_NEW(p);
    for (size_t n = 0; n < length;) {
        ssize_t got = pread(fd, p + n, length - n, (off_t)(offset + n));
        if (got < 0 && errno == EINTR) continue;
        TL_CHECK(got > 0, TL_EIO, "cannot read '%s': %s", location, got ? strerror(errno) : "it became shorter");
        n += (size_t)got;
    }
    *out = (tl_bytes){ p, length };
    return TL_OK;
}

tl_status tl_onnx_external(tl_arena *a, tl_onnx_beside *b, const char *location, size_t offset, size_t length,
                           tl_bytes *out)
{
    int fd = open_inside(b->folder, location);
    if (fd < 0 || !*location) {
        if (fd >= 0) close(fd);
        return TL_EIO;
    }
    tl_status s = read_part(a, b, location, fd, offset, length, out);
    close(fd);
    return s;
}
