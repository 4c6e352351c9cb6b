/* lock.c - waiting for a file that others may hold. SPDX-License-Identifier: MIT */
#include "lock.h"
#include "listen.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void close_fd(void *fd) { close((int)(intptr_t)fd); }

/* Asking now and then, instead of sleeping in the kernel, lets Ctrl-C through. */
static tl_status hold(int fd, const char *path, const tl_listener *l, bool *told)
{
    while (flock(fd, LOCK_EX | LOCK_NB)) {
        TL_CHECK(errno == EWOULDBLOCK || errno == EINTR, TL_EIO, "cannot lock '%s': %s", path,
                 strerror(errno));
        TL_CHECK(!tl_stopping(l), TL_ESTOPPED,
                 "stopped while waiting for another program that uses '%s'", path);
        if (!*told) tl_say(l, "waiting for another program that uses '%s'\n", path);
        *told = true;
        nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
    }
    return TL_OK;
}

static bool still_there(int fd, const char *path)
{
    struct stat ours, there;
    return !fstat(fd, &ours) && !stat(path, &there) && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

tl_status tl_lock(tl_arena *a, const char *path, const tl_listener *l, int *out)
{
    for (bool told = false;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        TL_CHECK(fd >= 0, TL_EIO, "cannot write '%s': %s", path, strerror(errno));
        tl_status s = hold(fd, path, l, &told);
        if (!s && still_there(fd, path)) {
            *out = fd;
            return tl_defer(a, close_fd, (void *)(intptr_t)fd);
        }
        close(fd);
        TL_TRY(s);
    }
}
