/* curl_load.h - libcurl, loaded when it is first needed. SPDX-License-Identifier: MIT
 *
 * It brings some twenty libraries with it. Linked as usual they would make every start of the
 * program, and of any that our library is part of, 10 ms longer (12 to 15 instead of 2 to 3), for
 * what few of them need. */
#ifndef TL_CURL_LOAD_H
#define TL_CURL_LOAD_H
#include "status.h"
#include <curl/curl.h>

#define TL_CURL_FUNCTIONS(X)                                                                       \
    X(global_init)                                                                                 \
    X(easy_init) X(easy_setopt) X(easy_perform) X(easy_getinfo) X(easy_strerror) X(easy_cleanup)   \
        X(url) X(url_set) X(url_get) X(url_strerror) X(url_cleanup) X(free)

/* Each function under its name without "curl_". */
typedef struct {
#define TL_CURL_MEMBER(f) __typeof__(curl_##f) *f;
    TL_CURL_FUNCTIONS(TL_CURL_MEMBER)
#undef TL_CURL_MEMBER
} tl_curl;

/* From any thread, any number of times. TL_EUNSUP: it is not installed. */
tl_status tl_curl_load(const tl_curl **out);
#endif
