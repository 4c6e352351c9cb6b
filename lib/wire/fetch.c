/* fetch.c - downloads that go on where they stopped (libcurl). SPDX-License-Identifier: MIT
 *
 * An attempt is one request for what is missing. How it ended decides what follows: done, failed
 * for good (404, too many bytes, no space), again at once from the beginning (the server cannot
 * send a part, or has no such part), or again after a while. Attempts that bring something new do
 * not count, as long as it is more than STEP: the end is never put off for ever. */
#include "fetch.h"
#include "curl_load.h"
#include "listen.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    ATTEMPTS = 5,
    STEP = 64 << 10, /* bytes */
    REDIRECTS = 5,
    CONNECT_SECONDS = 20,
    STALL_SECONDS = 30, /* without a byte */
    LONGEST_WAIT = 30,
};

/* ---- Addresses ---- */

/* From what trusts most to what trusts least. */
static const char *const schemes[] = { "file", "http", "https" };

/* The scheme's place in the list; -1: another. */
static int scheme_of(const char *url)
{
    for (int i = 0; i < TL_LEN(schemes); i++) {
        size_t n = strlen(schemes[i]);
        if (!strncasecmp(url, schemes[i], n) && !strncmp(url + n, "://", 3)) return i;
    }
    return -1;
}

/* An address being taken apart or put together. */
typedef struct {
    const tl_curl *curl;
    CURLU *u;
} parts;

static void drop_parts(void *ctx)
{
    parts *p = ctx;
    p->curl->url_cleanup(p->u);
}

static tl_status new_parts(tl_arena *a, parts **out)
{
    parts *p = *out = tl_new(a, parts, 1);
    TL_NEW(p);
    TL_TRY(tl_curl_load(&p->curl));
    TL_CHECK(p->u = p->curl->url(), TL_ENOMEM, "out of memory");
    return tl_defer(a, drop_parts, p);
}

/* The whole of it or one part, as text in a. */
static tl_status text_of(tl_arena *a, const parts *p, CURLUPart part, unsigned flags,
                         const char **out)
{
    char *text;
    TL_CHECK(!p->curl->url_get(p->u, part, &text, flags), TL_EFORMAT,
             "an address cannot be taken apart");
    *out = tl_strdup(a, text);
    p->curl->free(text);
    return *out ? TL_OK : TL_ENOMEM;
}

tl_status tl_url_resolve(tl_arena *a, const char *base, const char *url, const char **out)
{
    parts *p;
    TL_TRY(new_parts(a, &p));
    CURLUcode bad = base ? p->curl->url_set(p->u, CURLUPART_URL, base, 0) : CURLUE_OK;
    if (!bad) bad = p->curl->url_set(p->u, CURLUPART_URL, url, CURLU_DISALLOW_USER);
    TL_CHECK(bad != CURLUE_USER_NOT_ALLOWED, TL_EARG,
             "an address must not have a password in it: put it into ~/.netrc instead");
    TL_CHECK(!bad, TL_EFORMAT, "'%s' is not an address: %s", url, p->curl->url_strerror(bad));
    TL_TRY(text_of(a, p, CURLUPART_URL, 0, out));
    int from = base ? scheme_of(base) : 0, to = scheme_of(*out);
    TL_CHECK(to >= 0, TL_EFORMAT, "'%s': only http, https and file addresses are read", *out);
    TL_CHECK(to >= from, TL_EFORMAT, "'%s' is refused: what is read from %s may not send us to %s",
             *out, schemes[from], schemes[to]);
    return TL_OK;
}

tl_status tl_url_of_path(tl_arena *a, const char *path, const char **out)
{
    parts *p;
    TL_TRY(new_parts(a, &p));
    bool ok = !p->curl->url_set(p->u, CURLUPART_URL, "file:///", 0) &&
              !p->curl->url_set(p->u, CURLUPART_PATH, path, CURLU_URLENCODE);
    TL_CHECK(ok, TL_EARG, "'%s' cannot be made an address", path);
    return text_of(a, p, CURLUPART_URL, 0, out);
}

tl_status tl_url_path(tl_arena *a, const char *url, const char **out)
{
    parts *p;
    *out = NULL;
    if (scheme_of(url) != 0) return TL_OK;
    TL_TRY(new_parts(a, &p));
    TL_CHECK(!p->curl->url_set(p->u, CURLUPART_URL, url, 0), TL_EFORMAT,
             "'%s' is not the address of a file", url);
    return text_of(a, p, CURLUPART_PATH, CURLU_URLDECODE, out);
}

/* ---- An attempt ---- */

typedef struct {
    const tl_fetch_conf *conf;
    const tl_curl *curl;
    CURL *handle;
    size_t have, from; /* bytes in the file: now, at the beginning of the attempt */
    double began;
    tl_status broken; /* what one of the functions below ran into */
} job;
typedef enum { FOR_GOOD, AT_ONCE, LATER } again; /* what a failure means for the next attempt */

static size_t on_data(char *data, size_t one, size_t n, void *ctx)
{
    job *j = ctx;
    const tl_fetch_conf *c = j->conf;
    (void)one;
    if (n > c->most - j->have)
        j->broken =
            tl_fail(TL_EFORMAT, "'%s' sends more than the %zu bytes it may have", c->url, c->most);
    else
        j->broken = tl_write_all(c->fd, c->path, data, n);
    if (j->broken) return 0;
    j->have += n;
    return n;
}

/* Called often; 1 ends the transfer. */
static int on_progress(void *ctx, curl_off_t size, curl_off_t done, curl_off_t up_size,
                       curl_off_t up_done)
{
    const job *j = ctx;
    const tl_listener *l = j->conf->listener;
    (void)size, (void)done, (void)up_size, (void)up_done;
    if (l && l->progress && j->conf->name) {
        double rate = (double)(j->have - j->from) / (tl_now() - j->began + 1e-3);
        l->progress(l->ctx, &(tl_progress){
                                .stage = j->conf->name,
                                .done = (double)j->have,
                                .size = (double)j->conf->most,
                                .eta = rate > 0 ? (double)(j->conf->most - j->have) / rate : 0 });
    }
    return tl_stopping(l);
}

static bool begin_again(job *j)
{
    j->have = 0;
    return !ftruncate(j->conf->fd, 0);
}

/* The server's answer was no. */
static tl_status refused(const job *j, long code, again *next)
{
    const char *url = j->conf->url;
    *next = code == 408 || code == 429 || code >= 500 ? LATER : FOR_GOOD;
    TL_CHECK(code != 404 && code != 410, TL_EIO,
             "'%s' is not there (HTTP %ld): check the address, or ask who keeps the registry", url,
             code);
    TL_CHECK(code != 401 && code != 403, TL_EIO,
             "'%s' is not for everyone (HTTP %ld): passwords are read from ~/.netrc", url, code);
    return tl_fail(TL_EIO, "'%s' cannot be had: the server answers HTTP %ld", url, code);
}

/* What the end of a transfer means. */
static tl_status judge(job *j, CURLcode r, const char *why, again *next)
{
    const tl_fetch_conf *c = j->conf;
    long code = 0;
    curl_off_t announced = -1;
    j->curl->easy_getinfo(j->handle, CURLINFO_RESPONSE_CODE, &code);
    j->curl->easy_getinfo(j->handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    *next = FOR_GOOD;
    if (j->broken) return j->broken;
    TL_CHECK(r != CURLE_ABORTED_BY_CALLBACK, TL_ESTOPPED, "stopped");
    if (j->from && (r == CURLE_RANGE_ERROR || r == CURLE_BAD_DOWNLOAD_RESUME || code == 416)) {
        *next = begin_again(j) ? AT_ONCE : FOR_GOOD;
        return tl_fail(TL_EIO, "'%s' cannot be had from byte %zu on", c->url, j->from);
    }
    if (code >= 400) return refused(j, code, next);
    switch (r) {
    case CURLE_OK:
        if (!c->exact || j->have == c->most) return TL_OK;
        *next = announced < 0 ? LATER : FOR_GOOD; /* of unknown length: it may have been cut off */
        return tl_fail(TL_EFORMAT, "'%s' ends after %zu bytes, it should have %zu", c->url, j->have,
                       c->most);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_FILE_COULDNT_READ_FILE:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_NOT_BUILT_IN: break;
    default: *next = LATER; /* all else is the network, which comes and goes */
    }
    return tl_fail(TL_EIO, "cannot fetch '%s': %s", c->url, *why ? why : j->curl->easy_strerror(r));
}

static tl_status attempt(job *j, again *next)
{
    char why[CURL_ERROR_SIZE] = "";
    j->from = j->have;
    j->began = tl_now();
    TL_CHECK(lseek(j->conf->fd, (off_t)j->have, SEEK_SET) >= 0, TL_EIO, "cannot write '%s': %s",
             j->conf->path, strerror(errno));
    j->curl->easy_setopt(j->handle, CURLOPT_ERRORBUFFER, why);
    j->curl->easy_setopt(j->handle, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)j->have);
    CURLcode r = j->curl->easy_perform(j->handle);
    return judge(j, r, why, next);
}

/* ---- Attempt after attempt ---- */

static void set_up(job *j)
{
    const tl_fetch_conf *c = j->conf;
    CURL *h = j->handle;
    __typeof__(j->curl->easy_setopt) set = j->curl->easy_setopt;
    bool tls = scheme_of(c->url) == 2;
    set(h, CURLOPT_URL, c->url);
    set(h, CURLOPT_PROTOCOLS_STR, "file,http,https");
    set(h, CURLOPT_FOLLOWLOCATION, 1L);
    set(h, CURLOPT_REDIR_PROTOCOLS_STR, tls ? "https" : "http,https");
    set(h, CURLOPT_MAXREDIRS, (long)REDIRECTS);
    set(h, CURLOPT_FAILONERROR, 1L);
    set(h, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
    set(h, CURLOPT_NOSIGNAL, 1L); /* other threads have their own plans with signals */
    set(h, CURLOPT_USERAGENT, "tlc");
    set(h, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    set(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(h, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    set(h, CURLOPT_WRITEFUNCTION, on_data);
    set(h, CURLOPT_WRITEDATA, j);
    set(h, CURLOPT_NOPROGRESS, 0L);
    set(h, CURLOPT_XFERINFOFUNCTION, on_progress);
    set(h, CURLOPT_XFERINFODATA, j);
}

/* Servers that are busy may say how long. */
static tl_status pause_before(const job *j, int failures)
{
    double wait = (j->conf->wait > 0 ? j->conf->wait : 0.5) * (1 << (failures - 1));
    curl_off_t asked = 0;
    j->curl->easy_getinfo(j->handle, CURLINFO_RETRY_AFTER, &asked);
    if ((double)asked > wait) wait = (double)asked;
    if (wait > LONGEST_WAIT) wait = LONGEST_WAIT;
    tl_say(j->conf->listener, "warning: %s; trying again in %.1f s\n", tl_errmsg(), wait);
    for (double end = tl_now() + wait; tl_now() < end;) {
        TL_CHECK(!tl_stopping(j->conf->listener), TL_ESTOPPED, "stopped");
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    }
    return TL_OK;
}

static tl_status run(job *j)
{
    size_t most = j->have;
    for (int failures = 0;;) {
        again next = FOR_GOOD;
        tl_status s = attempt(j, &next);
        if (!s || next == FOR_GOOD) return s;
        failures = j->have >= most + STEP ? 1 : failures + 1;
        if (j->have > most) most = j->have;
        if (failures >= ATTEMPTS) return tl_note(s, "trying %d times", ATTEMPTS);
        if (next == LATER) TL_TRY(pause_before(j, failures));
    }
}

tl_status tl_fetch(const tl_fetch_conf *c)
{
    off_t have = lseek(c->fd, 0, SEEK_END);
    TL_CHECK(have >= 0, TL_EIO, "cannot read '%s': %s", c->path, strerror(errno));
    job j = { .conf = c, .have = (size_t)have };
    if (j.have > c->most)
        TL_CHECK(begin_again(&j), TL_EIO, "cannot write '%s': %s", c->path, strerror(errno));
    if (c->exact && j.have == c->most) return TL_OK;
    TL_TRY(tl_curl_load(&j.curl));
    TL_CHECK(j.handle = j.curl->easy_init(), TL_ENOMEM, "out of memory");
    set_up(&j);
    tl_status s = run(&j);
    j.curl->easy_cleanup(j.handle);
    return s;
}

static void close_fd(void *fd) { close((int)(intptr_t)fd); }

tl_status tl_fetch_bytes(tl_arena *a, const char *url, size_t most, const tl_listener *l,
                         tl_bytes *out)
{
    char path[32];
    int fd = memfd_create("tlc", MFD_CLOEXEC);
    TL_CHECK(fd >= 0, TL_EIO, "cannot make a file in memory: %s", strerror(errno));
    TL_TRY(tl_defer(a, close_fd, (void *)(intptr_t)fd));
    TL_TRY(tl_fetch(
        &(tl_fetch_conf){ .url = url, .fd = fd, .path = "memory", .most = most, .listener = l }));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return tl_file_read(a, path, most, out);
}
