/* status.c - the per-thread error message. SPDX-License-Identifier: MIT */
#include "status.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Long enough for a spec file with some forty errors, each on its line. */
static _Thread_local char msg[8192];

tl_status tl_fail(tl_status s, const char *fmt, ...)
{
    char text[sizeof msg]; /* the arguments may include the old message */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    memcpy(msg, text, sizeof msg);
    return s;
}

tl_status tl_fail_again(tl_status s, const char *text) { return tl_fail(s, "%s", text); }

tl_status tl_note(tl_status s, const char *fmt, ...)
{
    size_t n = strlen(msg);
    va_list ap;
    n += (size_t)snprintf(msg + n, sizeof msg - n, "\n  while ");
    if (n >= sizeof msg) return s;
    va_start(ap, fmt);
    vsnprintf(msg + n, sizeof msg - n, fmt, ap);
    va_end(ap);
    return s;
}

const char *tl_errmsg(void) { return msg; }
