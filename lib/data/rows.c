/* rows.c - numbers made from pictures once, in memory or in a file that may be torn. SPDX-License-Identifier: MIT
 *
 * The file, in this machine's byte order:
 *     0  magic "TLCROWS1"
 *     8  the key, 64 hexadecimal digits
 *    72  rows, in order: a checksum (SipHash-2-4 under the row's number, never 0) and its numbers
 * A row counts when its checksum is right. So it needs no care when a program is killed or a machine stops while rows are
 * written: what did not reach the disk is not there, and is made again. */
#include "rows.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <unistd.h>

enum { KEY = 64, HEADER = 8 + KEY };
static const char magic[9] = "TLCROWS1";

struct tl_rows {
    tl_rows_conf c;
    float       *memory; /* n x width; NULL: in the file */
    uint64_t    *sum;    /* per row; 0: it is not there */
    int          fd;
};

static size_t row_bytes(const tl_rows_conf *c) { return c->width * sizeof(float); }
static off_t place_of(const tl_rows *r, size_t i) { return (off_t)(HEADER + i * (sizeof(uint64_t) + row_bytes(&r->c))); }
size_t tl_rows_bytes(const tl_rows_conf *c) { return c->n * (sizeof(uint64_t) + row_bytes(c)); }

static uint64_t sum_of(const tl_rows *r, size_t i, const float *x)
{
    const uint64_t name[2] = { i, r->c.width };
    uint64_t sum;
    crypto_shorthash((uint8_t *)&sum, (const uint8_t *)x, row_bytes(&r->c), (const uint8_t *)name);
    return sum ? sum : 1;
}

/* Row i from the file, right or wrong; false: it ends before. */
static bool read_row(const tl_rows *r, size_t i, uint64_t *sum, float *x)
{
    const struct iovec to[] = { { sum, sizeof *sum }, { x, row_bytes(&r->c) } };
    ssize_t want = (ssize_t)(sizeof *sum + row_bytes(&r->c)), got;
    do got = preadv(r->fd, to, 2, place_of(r, i));
    while (got < 0 && errno == EINTR);
    return got == want;
}

static bool same_key(const tl_rows *r)
{
    char header[HEADER];
    return pread(r->fd, header, HEADER, 0) == HEADER && !memcmp(header, magic, 8) && !memcmp(header + 8, r->c.key, KEY);
}

static tl_status take_over(tl_arena *a, tl_rows *r)
{
    float *x = tl_alloc_raw(a, row_bytes(&r->c));
    TL_NEW(x);
    for (size_t i = 0; i < r->c.n; i++) {
        uint64_t sum;
        if (read_row(r, i, &sum, x) && sum == sum_of(r, i, x)) r->sum[i] = sum;
    }
    return TL_OK;
}

/* An empty file, its room reserved where the file system can do that: better to fail now than in hours. */
static tl_status begin(const tl_rows *r)
{
    const char *path = r->c.path;
    TL_CHECK(!ftruncate(r->fd, 0), TL_EIO, "cannot empty '%s': %s", path, strerror(errno));
    int e = fallocate(r->fd, 0, 0, place_of(r, r->c.n)) ? errno : 0;
    if (e == ENOSPC || e == EFBIG || e == EDQUOT) {
        (void)!ftruncate(r->fd, 0);
        return tl_fail(TL_EIO, "there is no room for %.1f GB in '%s': %s", (double)place_of(r, r->c.n) * 1e-9, path, strerror(e));
    }
    TL_TRY(tl_write_all(r->fd, path, magic, 8));
    return tl_write_all(r->fd, path, r->c.key, KEY);
}

static void close_fd(void *fd) { close((int)(intptr_t)fd); }

static tl_status open_file(tl_arena *a, tl_rows *r)
{
    const char *path = r->c.path;
    r->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    TL_CHECK(r->fd >= 0, TL_EIO, "cannot write '%s': %s", path, strerror(errno));
    TL_TRY(tl_defer(a, close_fd, (void *)(intptr_t)r->fd));
    TL_CHECK(!flock(r->fd, LOCK_EX | LOCK_NB), TL_EIO, "'%s' is in use by another program", path);
    tl_status s = same_key(r) ? take_over(a, r) : begin(r);
    if (s) flock(r->fd, LOCK_UN);
    return s;
}

tl_status tl_rows_new(tl_arena *a, const tl_rows_conf *c, tl_rows **out)
{
    tl_rows *r = tl_new(a, tl_rows, 1);
    TL_NEW(r);
    *r = (tl_rows){ .c = *c };
    TL_CHECK(sodium_init() >= 0, TL_EIO, "libsodium does not start");
    TL_NEW(r->sum = tl_new(a, uint64_t, c->n));
    if (c->path) TL_TRY(open_file(a, r));
    else TL_NEW(r->memory = tl_alloc_raw(a, c->n * row_bytes(c)));
    *out = r;
    return TL_OK;
}

size_t tl_rows_width(const tl_rows *r) { return r->c.width; }
bool   tl_rows_has(const tl_rows *r, size_t i) { return r->sum[i]; }

tl_status tl_rows_put(tl_rows *r, size_t i, const float *x)
{
    uint64_t sum = r->memory ? 1 : sum_of(r, i, x);
    if (r->memory) {
        memcpy(r->memory + i * r->c.width, x, row_bytes(&r->c));
    } else {
        TL_CHECK(lseek(r->fd, place_of(r, i), SEEK_SET) >= 0, TL_EIO, "cannot write '%s': %s", r->c.path, strerror(errno));
        TL_TRY(tl_write_all(r->fd, r->c.path, &sum, sizeof sum));
        TL_TRY(tl_write_all(r->fd, r->c.path, x, row_bytes(&r->c)));
    }
    r->sum[i] = sum;
    return TL_OK;
}

tl_status tl_rows_get(const tl_rows *r, size_t i, float *x)
{
    uint64_t sum;
    assert(r->sum[i]);
    if (r->memory) {
        memcpy(x, r->memory + i * r->c.width, row_bytes(&r->c));
        return TL_OK;
    }
    TL_CHECK(read_row(r, i, &sum, x) && sum == r->sum[i] && sum == sum_of(r, i, x), TL_EDATA,
             "'%s' was changed or damaged while it was in use; what is wrong in it is made again when you go on", r->c.path);
    return TL_OK;
}

void tl_rows_leave(const tl_rows *r, bool remove)
{
    if (r->memory) return;
    if (remove) unlink(r->c.path);
    flock(r->fd, LOCK_UN);
}
