/* listen.c - talking to the listener of a task, and the time. SPDX-License-Identifier: MIT */
#include "listen.h"
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

void tl_tell(const tl_listener *l, const char *text)
{
    if (l && l->say && text[0]) l->say(l->ctx, text);
}

void tl_say(const tl_listener *l, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    tl_tell(l, text);
}

bool tl_stopping(const tl_listener *l) { return l && l->stop && *l->stop; }

double tl_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
