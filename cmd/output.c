/* output.c - what a command prints: messages, errors, the progress line, the log, results for
 * programs. SPDX-License-Identifier: MIT */
#include "cmd.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Take the progress line off the terminal. */
static void clear(cmd_call *c)
{
    if (c->live) fputs("\r\033[K", stdout);
    c->live = false;
}

static void emit(cmd_call *c, FILE *to, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    clear(c);
    vfprintf(to, fmt, ap);
    fflush(to);
    if (c->log) {
        vfprintf(c->log, fmt, again);
        fflush(c->log);
    }
    va_end(again);
}

void cmd_say(cmd_call *c, const char *fmt, ...)
{
    va_list ap;
    if (c->mute) return;
    va_start(ap, fmt);
    emit(c, stdout, fmt, ap);
    va_end(ap);
}

static void complain(cmd_call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(cmd_call *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    emit(c, stderr, fmt, ap);
    va_end(ap);
}

int cmd_fail(cmd_call *c, int code, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    complain(c, "tlc: %s\n", text);
    return code;
}

int cmd_done(cmd_call *c, tl_status s)
{
    if (!s) return CMD_OK;
    complain(c, "tlc: %s\n", tl_errmsg());
    return CMD_FAILED;
}

void cmd_value(cmd_call *c, const char *name, const char *fmt, ...)
{
    va_list ap;
    if (!c->values) return;
    fprintf(c->values, "%s=", name);
    va_start(ap, fmt);
    vfprintf(c->values, fmt, ap);
    va_end(ap);
    fputc('\n', c->values);
}

/* ---- Listening to the library ---- */
static void say(void *ctx, const char *text)
{
    size_t n = strlen(text);
    if (n) cmd_say(ctx, "%s%s", text, text[n - 1] == '\n' ? "" : "\n");
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void training_line(const tl_progress *p)
{
    if (p->epochs > 0) printf(" %d/%d", p->epoch, p->epochs);
    printf("  batch %d/%d", p->batch, p->batches);
    if (p->loss > 0) printf("  loss %.4f", p->loss);
    if (p->loss > 0 && p->accuracy >= 0) printf("  accuracy %.3f", p->accuracy);
    if (p->pictures_per_second > 0) printf("  %.1f images/s", p->pictures_per_second);
}

/* A line that is drawn again and again, a few times a second. Only on a terminal: elsewhere the
 * library's own line at the end of an epoch is all there is. */
static void progress(void *ctx, const tl_progress *p)
{
    cmd_call *c = ctx;
    double t = now();
    bool last = p->size > 0 ? p->done >= p->size : p->batch >= p->batches;
    if (t - c->shown < 0.1 && !last) return;
    c->shown = t;
    c->live = true;
    printf("\r%s", p->stage);
    if (p->size > 0) printf("  %.1f of %.1f MB", p->done / 1e6, p->size / 1e6);
    else
        training_line(p);
    if (p->eta > 0) printf("  ETA %d:%02d", (int)p->eta / 60, (int)p->eta % 60);
    fputs("\033[K", stdout);
    fflush(stdout);
}

/* ---- Files ---- */
static int open_file(cmd_call *c, const char *path, const char *mode, FILE **out)
{
    if (!path || (*out = fopen(path, mode))) return CMD_OK;
    return cmd_fail(c, CMD_FAILED, "cannot write '%s': %s", path, strerror(errno));
}

/* The main thread may be in the middle of anything: nothing is taken down. */
static void lost(void *ctx, const char *why)
{
    (void)ctx;
    fprintf(stderr, "tlc: %s\n", why);
    _exit(CMD_FAILED);
}

int cmd_open(cmd_call *c, const volatile int *stop)
{
    int code = CMD_OK;
    c->mute = c->cmd->joins && tl_job_here().rank > 0;
    if (!c->mute) code = open_file(c, c->common.log_file, "a", &c->log);
    if (!c->mute && !code) code = open_file(c, c->common.values, "w", &c->values);
    /* mpirun gives every process a terminal of its own making. */
    bool terminal = tl_job_here().size > 1 ? getenv(CMD_TERMINAL) != NULL : isatty(STDOUT_FILENO);
    c->listener = (tl_listener){
        .say = say, .progress = terminal && !c->mute ? progress : NULL, .ctx = c, .stop = stop, .lost = lost
    };
    return code;
}

static bool unwritten(FILE *f) { return f && (fflush(f) || ferror(f)); }

int cmd_close(cmd_call *c, int code)
{
    clear(c);
    const char *what = unwritten(stdout) ? "the output"
                       : unwritten(c->values) ? c->common.values
                       : unwritten(c->log)    ? c->common.log_file
                                         : NULL;
    if (what) fprintf(stderr, "tlc: cannot write %s: %s\n", what, strerror(errno));
    if (c->values) fclose(c->values);
    if (c->log) fclose(c->log);
    return what && !code ? CMD_FAILED : code;
}
