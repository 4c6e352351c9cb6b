/* load.c - finding tlc-mpi.so. SPDX-License-Identifier: MIT
 *
 * It lies beside the program where that was built, and in lib/tlc beside bin where it is installed. */
#include "load.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const places[] = { "tlc-mpi.so", "../lib/tlc/tlc-mpi.so",
                                      "../tlc-mpi.so" }; /* the last: of test programs */

/* Global: Open MPI's own plugins look for its symbols. */
static void *open_beside(const char *program)
{
    char path[4096];
    void *lib = NULL;
    const char *slash = strrchr(program, '/');
    for (int i = 0; !lib && slash && i < TL_LEN(places); i++) {
        snprintf(path, sizeof path, "%.*s/%s", (int)(slash - program), program, places[i]);
        if (!access(path, R_OK)) lib = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
        if (!lib && !access(path, R_OK)) tl_fail(TL_EUNSUP, "cannot load '%s': %s", path, dlerror());
    }
    return lib;
}

tl_status tl_transport_load(const tl_transport **out)
{
    char program[4096];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = 0;
    tl_fail(
        TL_EUNSUP,
        "training by several processes needs MPI, which this program was built without: on Debian and Ubuntu, apt-get "
        "install openmpi-bin libopenmpi-dev, then build and install tlc again (tlc-mpi.so belongs beside it, or in "
        "lib/tlc)");
    void *lib = open_beside(program);
    const tl_transport *t = lib ? dlsym(lib, TL_TRANSPORT_SYMBOL) : NULL;
    if (!lib) return TL_EUNSUP;
    TL_CHECK(t && t->version == TL_TRANSPORT_VERSION, TL_EUNSUP,
             "tlc-mpi.so is of another version of tlc; build and install tlc again");
    *out = t;
    return TL_OK;
}

tl_status tl_job_check(void)
{
    const tl_transport *t;
    return tl_transport_load(&t);
}
