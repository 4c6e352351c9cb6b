/* launch.c - start this command again as several processes, under mpirun. SPDX-License-Identifier: MIT
 *
 * mpirun is kept out of the terminal's process group: Ctrl-C reaches this process alone, which asks the others, through
 * mpirun, to save and stop (SIGUSR1; what mpirun does on Ctrl-C leaves them a second). What mpirun writes about a
 * failed job is many lines between rulers; one sentence is made of it, or nothing where a process has spoken already.
 */
#include "cmd.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_WORDS = 512, LINE = 4096 };

/* ---- The command line ---- */

typedef struct {
    char *at[MOST_WORDS + 1];
    int n;
    char program[PATH_MAX], own[1 << 16], extra[LINE], count[16]; /* what the words point into */
} words;

static void add(words *w, char *word)
{
    if (w->n < MOST_WORDS) w->at[w->n++] = word;
}

/* The name this program was called by, beside the program itself: mpirun need not search for it. */
static void find_program(words *w, const char *called)
{
    const char *slash = strrchr(called, '/'), *name = slash ? slash + 1 : called;
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    char *end = strrchr(exe, '/');
    snprintf(w->program, sizeof w->program, "%.*s/%s", end ? (int)(end - exe) : 0, exe, name);
    if (access(w->program, X_OK)) snprintf(w->program, sizeof w->program, "%s", exe);
}

/* The words this process was started with; those in argv were moved when they were read. */
static bool own_words(words *w)
{
    FILE *f = fopen("/proc/self/cmdline", "rb");
    size_t n = f ? fread(w->own, 1, sizeof w->own - 1, f) : 0;
    if (f) fclose(f);
    if (!n || n == sizeof w->own - 1) return false;
    find_program(w, w->own);
    add(w, w->program);
    for (char *s = w->own + strlen(w->own) + 1; s < w->own + n; s += strlen(s) + 1) add(w, s);
    return w->n < MOST_WORDS;
}

static bool command_line(words *w, int processes, const char *mpirun_arg)
{
    snprintf(w->count, sizeof w->count, "%d", processes);
    snprintf(w->extra, sizeof w->extra, "%s", mpirun_arg ? mpirun_arg : "");
    add(w, "mpirun");
    add(w, "--bind-to");
    add(w, "none");                                    /* threads are our own matter */
    if (geteuid() == 0) add(w, "--allow-run-as-root"); /* containers */
    if (!mpirun_arg) add(w, "--oversubscribe");        /* on this machine alone; how many is for the user to say */
    add(w, "-np");
    add(w, w->count);
    for (char *s = strtok(w->extra, " \t"); s; s = strtok(NULL, " \t")) add(w, s);
    return own_words(w);
}

/* ---- The process ---- */

static void become_mpirun(words *w, int err)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)setpgid(0, 0);
    if (isatty(STDOUT_FILENO)) setenv(CMD_TERMINAL, "1", 1);
    if (dup2(err, STDERR_FILENO) < 0 || !freopen("/dev/null", "r", stdin)) _exit(127);
    execvp(w->at[0], w->at);
    _exit(127);
}

/* ---- What it writes ---- */

typedef struct {
    cmd_call *call;
    int processes;
    char line[LINE], block[4 * LINE]; /* what is between two rulers */
    size_t n, in_block;
    bool inside, said;
    time_t last_words; /* when a process said why it ends; 0: none did */
} reader;

/* "mpirun noticed that process rank 1 with PID 12 on node x exited on signal 9 (Killed)." */
static bool killed(reader *r)
{
    int rank;
    char node[256], how[256];
    const char *at = strstr(r->block, "noticed that process rank");
    if (!at) return false;
    if (sscanf(at, "noticed that process rank %d with PID %*d on node %255s exited on %255[^.\n]", &rank, node, how) ==
        3)
        cmd_fail(r->call, CMD_FAILED,
                 "process %d of %d, on %s, was ended by %s. The last checkpoint stands; the same command with --resume "
                 "goes on from it",
                 rank, r->processes, node, how);
    return true;
}

static void end_block(reader *r)
{
    bool told = strstr(r->block, "non-zero exit code") || strstr(r->block, "non-zero status"); /* by the process */
    if (killed(r)) {
        r->said = true;
        r->last_words = time(NULL);
    } else if (!told && !r->last_words) {
        fputs(r->block, stderr);
        r->said = true;
    }
    r->in_block = 0;
    r->block[0] = 0;
}

/* Open MPI's own lines: on its way to an end that has been explained, and when it passes a signal on. */
static bool chatter(const reader *r)
{
    return (r->last_words && strncmp(r->line, "tlc: ", 5)) || !strncmp(r->line, "mpirun: Forwarding", 18);
}

static void take_line(reader *r)
{
    bool ruler = !strncmp(r->line, "-----", 5);
    if (ruler && r->inside) end_block(r);
    if (ruler) {
        r->inside = !r->inside;
    } else if (r->inside) {
        r->in_block += (size_t)snprintf(r->block + r->in_block, sizeof r->block - r->in_block, "%s\n", r->line);
        if (r->in_block >= sizeof r->block) r->in_block = sizeof r->block - 1;
    } else if (!chatter(r)) {
        fprintf(stderr, "%s\n", r->line);
        if (!strncmp(r->line, "tlc: ", 5)) r->last_words = time(NULL);
        if (r->call->log) fprintf(r->call->log, "%s\n", r->line);
        r->said = true;
    }
}

static void take(reader *r, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool end = s[i] == '\n' || r->n == sizeof r->line - 1;
        if (s[i] != '\n') r->line[r->n++] = s[i];
        if (!end) continue;
        r->line[r->n] = 0;
        r->n = 0;
        take_line(r);
    }
}

/* mpirun ends by itself, unless it waits for machines that it cannot reach. False: it has been killed. */
static bool may_go_on(const reader *r, pid_t mpirun)
{
    time_t passed = r->last_words ? time(NULL) - r->last_words : 0;
    if (passed > 8) kill(mpirun, passed > 12 ? SIGKILL : SIGTERM);
    return passed <= 12;
}

/* Until the pipe ends: nobody writes any more. */
static void listen_to(reader *r, int from, pid_t mpirun)
{
    char some[LINE];
    bool asked = false;
    for (ssize_t n = 1; n && may_go_on(r, mpirun);) {
        if (*r->call->listener.stop && !asked) asked = !kill(mpirun, SIGUSR1);
        struct pollfd p = { .fd = from, .events = POLLIN };
        if (poll(&p, 1, 500) <= 0) continue;
        n = read(from, some, sizeof some);
        if (n < 0 && errno == EINTR) n = 1;
        else if (n > 0)
            take(r, some, (size_t)n);
        else
            n = 0;
    }
    if (r->n) take(r, "\n", 1);
    if (r->inside) end_block(r);
}

static int outcome(reader *r, int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == 0 || r->said) return code == 0 || code == CMD_USAGE ? code : CMD_FAILED;
    if (code == 127)
        return cmd_fail(r->call, CMD_FAILED, "cannot start mpirun; on Debian and Ubuntu, apt-get install openmpi-bin");
    return cmd_fail(r->call, CMD_FAILED, "mpirun ended without saying why (status %d)", status);
}

/* Run mpirun to its end. */
static int run(reader *r, words *w)
{
    int ends[2], status = 0;
    if (pipe2(ends, O_CLOEXEC)) return cmd_fail(r->call, CMD_FAILED, "cannot start mpirun: %s", strerror(errno));
    pid_t mpirun = fork();
    if (mpirun == 0) become_mpirun(w, ends[1]);
    const int why = errno;
    close(ends[1]);
    if (mpirun > 0) listen_to(r, ends[0], mpirun);
    close(ends[0]);
    if (mpirun < 0) return cmd_fail(r->call, CMD_FAILED, "cannot start mpirun: %s", strerror(why));
    while (waitpid(mpirun, &status, 0) < 0 && errno == EINTR) {
    }
    return outcome(r, status);
}

int cmd_launch(cmd_call *c, int processes, const char *mpirun_arg)
{
    words *w = calloc(1, sizeof *w);
    reader *r = calloc(1, sizeof *r);
    int code = CMD_FAILED;
    if (w && r && command_line(w, processes, mpirun_arg)) {
        *r = (reader){ .call = c, .processes = processes };
        code = run(r, w);
    } else {
        cmd_fail(c, code, "cannot start mpirun: the command line is too long, or there is no memory");
    }
    free(w);
    free(r);
    return code;
}
