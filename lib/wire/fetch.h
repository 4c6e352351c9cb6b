/* fetch.h - files from http, https and file addresses. SPDX-License-Identifier: MIT
 *
 * The only code that knows libcurl, which takes proxies from the environment (https_proxy,
 * no_proxy, ...) and passwords from ~/.netrc. */
#ifndef TL_FETCH_H
#define TL_FETCH_H
#include "file.h"

/* The address that url has when it stands in the document at base (NULL: nowhere, it is whole).
 * What is read over https may not send us to http, and nothing from the web to a file: TL_EFORMAT.
 */
tl_status tl_url_resolve(tl_arena *a, const char *base, const char *url, const char **out);
tl_status tl_url_of_path(tl_arena *a, const char *path, const char **out); /* file:///... */
tl_status tl_url_path(tl_arena *a, const char *url,
                      const char **out); /* and back; NULL: it is on the web */

typedef struct {
    const char *url;
    int fd; /* open for writing; what it holds already is the file's beginning, and stays */
    const char *path,
        *name;   /* of fd, for messages; of the thing, for progress: NULL: none is told */
    size_t most; /* bytes; more are an error */
    bool exact;  /* and so are fewer */
    double wait; /* seconds before the second attempt, doubled for each that follows; 0: half a
                    second */
    const tl_listener *listener;
} tl_fetch_conf;
/* What is missing of a file. A connection that breaks, stalls, or a server that is busy or
 * restarts, is tried again from where it stopped, up to 5 times without getting on; the listener is
 * told. On failure, and when stopped (TL_ESTOPPED), fd keeps what came. */
tl_status tl_fetch(const tl_fetch_conf *c);
/* A small file, into memory; as tl_file_read. */
tl_status tl_fetch_bytes(tl_arena *a, const char *url, size_t most, const tl_listener *l,
                         tl_bytes *out);
#endif
