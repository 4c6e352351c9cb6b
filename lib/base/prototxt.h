/* prototxt.h - protobuf's text format, read and printed by tl_msg tables. SPDX-License-Identifier: MIT
 *
 * Reading never stops at the first error: it notes what was expected where, recovers, and goes on.
 * Errors of the text are in the report (see tl_report_end); the functions below return TL_OK then
 * too, and something else only when reading had to stop (out of memory, too many errors). */
#ifndef TL_PROTOTXT_H
#define TL_PROTOTXT_H
#include "field.h"
#include "report.h"

/* Read n bytes of text into obj, a struct of m with its defaults in. Strings are copied. */
tl_status tl_prototxt_read(tl_report *r, const char *file, const char *text, size_t n, const tl_msg *m, void *obj);

/* One "train_config.n_epochs=3": makes messages on the way, replaces what the file said (lists and
 * other members of a oneof included). Lists are "1,2" or "[1,2]", one key of a map is "weights.car=2";
 * a value that begins with a quote or a bracket is read as in a file. */
tl_status tl_prototxt_override(tl_report *r, const tl_msg *m, void *obj, const char *argument);

/* The whole message with its defaults, which are marked, as text that reads back to the same values.
 * Left out: strings, messages and members of a oneof that are not set, and older spellings. */
void tl_prototxt_print(tl_text *out, const tl_msg *m, const void *obj);
#endif
