/* findings.h - what is wrong with a data set, each kind once; private to data/. SPDX-License-Identifier: MIT */
#ifndef TL_FINDINGS_H
#define TL_FINDINGS_H
#include "../check.h"

typedef struct {
    tl_arena *a;
    tl_check *check;
    tl_list   found;    /* of findings.c */
    bool      failed;   /* out of memory */
} tl_findings;

/* One more of a kind in a split; the first few examples are kept. fmt NULL: without one. */
void tl_find(tl_findings *f, bool error, const char *kind, int split, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void tl_find_count(tl_findings *f, const char *kind, int split, int n); /* there are n, more than were found here */
tl_status tl_findings_end(tl_findings *f);                              /* into the check */
#endif
