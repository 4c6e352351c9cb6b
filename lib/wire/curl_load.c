/* curl_load.c - finding libcurl and its functions. SPDX-License-Identifier: MIT */
#include "curl_load.h"
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static tl_curl loaded;
static bool complete;

static void load(void)
{
    static const struct {
        const char *name;
        size_t off;
    } functions[] = {
#define ROW(f) { "curl_" #f, offsetof(tl_curl, f) },
        TL_CURL_FUNCTIONS(ROW)
#undef ROW
    };
    void *lib = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        lib = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL); /* Debian's other build of it */
    complete = lib != NULL;
    for (int i = 0; lib && i < TL_LEN(functions); i++) {
        void *f = dlsym(lib, functions[i].name);
        memcpy((char *)&loaded + functions[i].off, &f,
               sizeof f); /* ISO C has no cast for this, POSIX asks for it */
        complete &= f != NULL;
    }
    if (complete) complete = !loaded.global_init(CURL_GLOBAL_DEFAULT);
}

tl_status tl_curl_load(const tl_curl **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    TL_CHECK(complete, TL_EUNSUP,
             "models are fetched with libcurl, which is not installed or too old: on Debian and "
             "Ubuntu, apt-get install libcurl4");
    *out = &loaded;
    return TL_OK;
}
