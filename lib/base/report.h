/* report.h - what is wrong with a settings file: everything at once, each with its place.
 * SPDX-License-Identifier: MIT
 *
 * The reader and the checks after it write into one report. Places of given fields are remembered,
 * so that a check of values, long after reading, still names file, line and column. */
#ifndef TL_REPORT_H
#define TL_REPORT_H
#include "text.h"

typedef struct { const char *file; int line, col; } tl_place; /* line 0: file is a command-line argument */

typedef struct tl_report {
    tl_arena *arena;
    tl_list   mark;      /* places of fields, in order of reading */
    tl_list   error, warning;
    tl_list   noeffect;  /* const char *: paths of given fields that do nothing here */
} tl_report;
#define TL_REPORT_MOST 40 /* after so many errors reading stops */

tl_report tl_report_new(tl_arena *a);
/* TL_OK: noted, go on. TL_ESPEC: enough, stop. TL_ENOMEM. */
tl_status tl_report_error(tl_report *r, tl_place at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
tl_status tl_report_warn(tl_report *r, tl_place at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Remember where the field (borrowed; NULL: the message itself) of obj was given; the latest counts. */
tl_status tl_report_mark(tl_report *r, const void *obj, const char *field, tl_place at);
/* Of the field, else of the message obj, else of the whole file. */
tl_place  tl_report_place(const tl_report *r, const void *obj, const char *field);
bool      tl_report_marked(const tl_report *r, const void *obj, const char *field); /* given, rightly or wrongly */

/* TL_OK, or TL_ESPEC with all errors in the message, one a line, in order of place. */
tl_status tl_report_end(const tl_report *r);
/* All warnings, one a line, each "warning: ..."; fields without effect share one. */
tl_status tl_report_warnings(tl_report *r, const char **text);
#endif
