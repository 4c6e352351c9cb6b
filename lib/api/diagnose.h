/* diagnose.h - what keeps a detector's score low: who looks for causes, and how they tell. SPDX-License-Identifier: MIT */
#ifndef TL_DIAGNOSE_H
#define TL_DIAGNOSE_H
#include "detectnet.h"

typedef struct { double weight; const char *text; } tl_cause;
typedef struct tl_diagnose {
    tl_arena               *a;
    const tl_diagnose_opts *o;
    const tl_listener      *l;
    const tl_detect_spec   *spec;
    const tl_model         *model;      /* as training would begin with it, or the one that was given */
    const tl_dataset       *train, *val; /* val NULL: none */
    tl_detect_goal          goal;
    tl_list                 cause, fact; /* tl_cause, const char * */
    tl_diagnosis           *out;
} tl_diagnose;

/* weight: about what share of the score is lost by it, 0..1: the order in which causes are listed. Text: what, why, and the field to
 * change with a value. */
tl_status tl_diagnose_cause(tl_diagnose *d, double weight, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
tl_status tl_diagnose_fact(tl_diagnose *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
tl_status tl_diagnose_report(tl_diagnose *d);   /* all of it, into out */

tl_status tl_diagnose_labels(tl_diagnose *d);   /* names and classes */
tl_status tl_diagnose_boxes(tl_diagnose *d);    /* sizes, and what is made of them before the network sees any */
tl_status tl_diagnose_learning(tl_diagnose *d); /* a few pictures, learned by heart; thresholds */
#endif
