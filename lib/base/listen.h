/* listen.h - talking to the listener of a task, and the time. SPDX-License-Identifier: MIT */
#ifndef TL_LISTEN_H
#define TL_LISTEN_H
#include "status.h"

/* Both do nothing when l is NULL or does not listen, or when the text is empty. */
void   tl_tell(const tl_listener *l, const char *text);
void   tl_say(const tl_listener *l, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* up to 4 KB */
bool   tl_stopping(const tl_listener *l); /* does it want an end? */
double tl_now(void);                      /* seconds, from any fixed moment on */
#endif
