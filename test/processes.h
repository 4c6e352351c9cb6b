/* processes.h - what the tests of trainings by several processes share: running programs, finding and ending them, mpirun.
 * SPDX-License-Identifier: MIT */
#ifndef TL_TEST_PROCESSES_H
#define TL_TEST_PROCESSES_H
#include "listen.h"
#include "tiny.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define MPIRUN "mpirun --bind-to none --oversubscribe -np "

static char build[3000]; /* the build folder */

/* ---- Running ---- */

typedef struct {
    int code;
    double seconds;
    const char *out;
} result;

/* Start a shell command; what it writes goes to NAME.txt. No process waits by spinning: there are more than processors.
 */
static inline pid_t start(const char *name, const char *command)
{
    const char *out = tl_printf(a, "%s/%s.txt", place, name);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child) return child;
    int fd = open(out, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    setenv("OMP_WAIT_POLICY", "passive", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* MPI's own */
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || !freopen("/dev/null", "r", stdin)) _exit(99);
    execl("/bin/sh", "sh", "-c", tl_printf(a, "exec %s", command), (char *)NULL);
    _exit(99);
}

static inline void kill_all(const char *word);

/* Wait for it, at most so many seconds; a longer wait is a failure. */
static inline result finish(pid_t child, const char *name, double seconds)
{
    int status;
    double from = tl_now();
    while (!waitpid(child, &status, WNOHANG)) {
        if (tl_now() - from > seconds) {
            kill_all(place);
            waitpid(child, &status, 0);
            fail_msg("%s did not end within %g seconds:\n%s", name, seconds,
                     text_of(tl_printf(a, "%s/%s.txt", place, name)));
        }
        usleep(20000);
    }
    return (result){ WIFEXITED(status) ? WEXITSTATUS(status) : -1, tl_now() - from,
                     text_of(tl_printf(a, "%s/%s.txt", place, name)) };
}

static inline result shell(const char *name, const char *command) { return finish(start(name, command), name, 120); }

static inline void says(result r, int code, const char *words)
{
    if (r.code != code || !strstr(r.out, words))
        fail_msg("exit code %d instead of %d, no '%s' in\n%s", r.code, code, words, r.out);
}

static inline bool holds(const char *path, const char *word)
{
    static char text[1 << 16];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(text, 1, sizeof text, f) : 0;
    if (f) fclose(f);
    return memmem(text, n, word, strlen(word)) != NULL;
}

/* The processes of other programs' jobs have other places in their command lines. */
static inline pid_t find_rank(const char *word, int rank)
{
    DIR *d = opendir("/proc");
    pid_t found = 0;
    char mine[64];
    snprintf(mine, sizeof mine, "OMPI_COMM_WORLD_RANK=%d", rank);
    assert_non_null(d);
    for (struct dirent *e; !found && (e = readdir(d));)
        if (atoi(e->d_name) > 0 && holds(tl_printf(a, "/proc/%s/cmdline", e->d_name), word) &&
            (rank < 0 || holds(tl_printf(a, "/proc/%s/environ", e->d_name), mine)))
            found = atoi(e->d_name);
    closedir(d);
    return found;
}

static inline void kill_all(const char *word)
{
    for (pid_t p; (p = find_rank(word, -1)) > 0; usleep(1000)) kill(p, SIGKILL);
}

static inline void skip_without_mpi(void)
{
    if (!system("command -v mpirun > /dev/null") && !access(tl_printf(a, "%s/tlc-mpi.so", build), R_OK)) return;
    print_message("skipped: there is no mpirun here, or tlc was built without MPI\n");
    skip();
}

static inline bool quietly(const char *command) { return !system(tl_printf(a, "(%s) > /dev/null 2>&1", command)); }

/* The build folder is where this program is below test/. */
static inline void find_build(void)
{
    ssize_t n = readlink("/proc/self/exe", build, sizeof build - 1);
    build[n > 0 ? n : 0] = 0;
    for (int i = 0; i < 2 && strrchr(build, '/'); i++) *strrchr(build, '/') = 0;
}

/* ---- Results ---- */

/* The largest difference of a kernel's weight, by its largest weight. Biases before a batch norm have gradients of
 * almost nothing, which rounding decides: they tell little. */
static inline double distance(const tl_graph *g, const tl_graph *h)
{
    double worst = 0;
    TL_EACH_PARAM(g, i, k)
    {
        double most = 1e-30, far = 0;
        if (!g->node[i].op->param[k].axes[1]) continue;
        for (size_t j = 0; j < tl_dims_count(g->node[i].p[k].dims); j++) {
            double x = (double)g->node[i].p[k].w[j], y = (double)h->node[i].p[k].w[j];
            most = fmax(most, fabs(x));
            far = fmax(far, fabs(x - y));
        }
        worst = fmax(worst, far / most);
    }
    return worst;
}
#endif
