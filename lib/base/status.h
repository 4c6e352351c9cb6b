/* status.h - how anything fails. SPDX-License-Identifier: MIT
 *
 * Whoever finds an error writes the message; everyone above only returns it with TL_TRY. The
 * message lives in a fixed per-thread buffer, so failing never allocates. One line of context is
 * added with tl_note() at a boundary the user knows: a file, a line, a layer, a model. */
#ifndef TL_STATUS_H
#define TL_STATUS_H
#include "tlc.h"
#include <assert.h>

/* Write the message and return s, so that finding an error is one statement. */
tl_status tl_fail(tl_status s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Append "\n  while <fmt>" to the message and return s. */
tl_status tl_note(tl_status s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Take over a message written on another thread (see tl_errmsg). */
tl_status tl_fail_again(tl_status s, const char *msg);

#define TL_TRY(e)        do { tl_status s_ = (e); if (s_) return s_; } while (0)
#define TL_CHECK(c, ...) do { if (!(c)) return tl_fail(__VA_ARGS__); } while (0)
/* For the result of tl_new and friends, which have already written the message. */
#define TL_NEW(p)        do { if (!(p)) return TL_ENOMEM; } while (0)
#define TL_LEN(array)    ((int)(sizeof(array) / sizeof *(array)))
#endif
