/* web_server.h - a web server for tests that misbehaves as asked. SPDX-License-Identifier: MIT
 *
 * GET /MODE/anything serves web_body in the way the mode says; GET /MODE/index.json serves the
 * index of a registry with one model, "model", whose address is /MODE/model. The server listens on
 * a free port of this machine in a thread of its own and lasts as long as the program. */
#ifndef TL_WEB_SERVER_H
#define TL_WEB_SERVER_H
#include "sha256.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WEB_SIZE = 300000 };
static uint8_t web_body[WEB_SIZE + 10]; /* ten more for a server that sends too many */
static int web_port;

typedef struct {
    const char *name;
    int code;       /* 0: 200 */
    int bad;        /* so many requests get the code, later ones 200; 0: all */
    const char *to; /* Location */
    size_t cut;     /* break the connection after so many bytes */
    int cuts;       /* this many times; 0: always */
    int more;       /* bytes that the file has more than it should */
    int pause;      /* milliseconds between pieces */
    bool no_range, no_length, flip, garbage;
    atomic_int hits;
    atomic_long from; /* where the last request wanted to begin */
} web_mode;

static web_mode web_modes[] = {
    { .name = "ok" },
    { .name = "slow", .pause = 10 },
    { .name = "cut", .cut = 100000 },
    { .name = "cut_at_once", .cut = 10 },
    { .name = "no_range", .no_range = true },
    { .name = "no_range_cut", .no_range = true, .cut = 100000, .cuts = 1 },
    { .name = "no_range_cut_always", .no_range = true, .cut = 100000 },
    { .name = "no_length", .no_length = true },
    { .name = "no_length_cut", .no_length = true, .cut = 100000 },
    { .name = "flip", .flip = true },
    { .name = "long", .more = 10 },
    { .name = "long_no_length", .more = 10, .no_length = true },
    { .name = "short", .more = -10 },
    { .name = "404", .code = 404 },
    { .name = "403", .code = 403 },
    { .name = "500", .code = 500 },
    { .name = "503", .code = 503, .bad = 2 },
    { .name = "redirect", .code = 302, .to = "/ok/model" },
    { .name = "loop", .code = 302, .to = "/loop/model" },
    { .name = "to_file", .code = 302, .to = "file:///etc/passwd" },
    { .name = "to_ftp", .code = 302, .to = "ftp://127.0.0.1/model" },
    { .name = "garbage", .garbage = true },
};

static inline web_mode *web_find(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof web_modes / sizeof *web_modes; i++)
        if (strlen(web_modes[i].name) == n && !strncmp(web_modes[i].name, name, n))
            return web_modes + i;
    return NULL;
}

static inline bool web_send(int s, const void *p, size_t n)
{
    return send(s, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static inline void web_answer(int s, int code, const char *more, const char *text)
{
    char head[4096];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d Whatever\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s",
                     code, more, strlen(text), text);
    web_send(s, head, (size_t)n);
}

static inline void web_index(int s, const web_mode *m)
{
    char hex[TL_SHA256_SIZE], text[1024];
    tl_sha256((tl_bytes){ web_body, WEB_SIZE }, hex);
    snprintf(text, sizeof text,
             "{\"tlc_registry\": 1, \"models\": [{\"name\": \"model\", \"size\": %d, \"sha256\": "
             "\"%s\", \"url\": \"model\"}]}",
             WEB_SIZE, hex);
    web_answer(s, 200, "", m->garbage ? "<html>Welcome</html>" : text);
}

static inline void web_file(int s, web_mode *m, int hit, size_t from)
{
    char head[512];
    size_t size = (size_t)(WEB_SIZE + m->more), end = size;
    if (m->no_range) from = 0;
    if (from >= size) {
        web_answer(s, 416, "", "");
        return;
    }
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d Whatever\r\nConnection: close\r\n",
                     from ? 206 : 200);
    if (from)
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Range: bytes %zu-%zu/%zu\r\n",
                      from, size - 1, size);
    if (!m->no_length)
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %zu\r\n", size - from);
    web_send(s, strcat(head, "\r\n"), (size_t)n + 2);
    if (m->cut && (!m->cuts || hit < m->cuts) && from + m->cut < end) end = from + m->cut;
    for (size_t piece; from < end; from += piece) {
        piece = end - from < 8192 ? end - from : 8192;
        uint8_t copy[8192];
        memcpy(copy, web_body + from, piece);
        if (m->flip) copy[0] ^= 1;
        if (!web_send(s, copy, piece)) return;
        if (m->pause) nanosleep(&(struct timespec){ .tv_nsec = m->pause * 1000000L }, NULL);
    }
}

static inline void *web_talk(void *socket)
{
    int s = (int)(intptr_t)socket;
    char request[4096] = "", to[300] = "";
    for (size_t n = 0; n < sizeof request - 1 && !strstr(request, "\r\n\r\n");) {
        ssize_t got = recv(s, request + n, sizeof request - 1 - n, 0);
        if (got <= 0) break;
        n += (size_t)got;
    }
    const char *name = request + strlen("GET /"), *range = strstr(request, "Range: bytes=");
    web_mode *m = web_find(name, strcspn(name, "/ "));
    if (!m) web_answer(s, 404, "", "no such mode");
    else if (strstr(request, "/index.json"))
        web_index(s, m);
    else {
        int hit = m->hits++;
        m->from = range ? atol(range + strlen("Range: bytes=")) : 0;
        if (m->to) snprintf(to, sizeof to, "Location: %s\r\n", m->to);
        if (m->code && (!m->bad || hit < m->bad)) web_answer(s, m->code, to, "an error page");
        else
            web_file(s, m, hit, (size_t)m->from);
    }
    close(s);
    return NULL;
}

static inline void *web_serve(void *socket)
{
    for (;;) {
        pthread_t t;
        int s = accept((int)(intptr_t)socket, NULL, NULL);
        if (s >= 0 && !pthread_create(&t, NULL, web_talk, (void *)(intptr_t)s)) pthread_detach(t);
    }
    return NULL;
}

static inline int web_start(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    pthread_t t;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (size_t i = 0; i < sizeof web_body; i++) web_body[i] = (uint8_t)(i * 2654435761u >> 13);
    if (s < 0 || bind(s, (struct sockaddr *)&at, n) || listen(s, 64) ||
        getsockname(s, (struct sockaddr *)&at, &n))
        return -1;
    web_port = ntohs(at.sin_port);
    return pthread_create(&t, NULL, web_serve, (void *)(intptr_t)s) || pthread_detach(t);
}
#endif
