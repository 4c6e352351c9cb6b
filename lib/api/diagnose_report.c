/* diagnose_report.c - what was found, in the order of likelihood. SPDX-License-Identifier: MIT */
#include "diagnose.h"
#include "text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *formatted(tl_arena *a, const char *fmt, va_list ap)
{
    char text[1024];
    vsnprintf(text, sizeof text, fmt, ap);
    return tl_strdup(a, text);
}

tl_status tl_diagnose_cause(tl_diagnose *d, double weight, const char *fmt, ...)
{
    va_list ap;
    tl_cause *c = tl_add(d->a, &d->cause, tl_cause);
    TL_NEW(c);
    va_start(ap, fmt);
    *c = (tl_cause){ weight, formatted(d->a, fmt, ap) };
    va_end(ap);
    return c->text ? TL_OK : TL_ENOMEM;
}

tl_status tl_diagnose_fact(tl_diagnose *d, const char *fmt, ...)
{
    va_list ap;
    const char **f = tl_add(d->a, &d->fact, const char *);
    TL_NEW(f);
    va_start(ap, fmt);
    *f = formatted(d->a, fmt, ap);
    va_end(ap);
    return *f ? TL_OK : TL_ENOMEM;
}

static int likelier(const void *a, const void *b)
{
    const tl_cause *x = a, *y = b;
    return x->weight != y->weight ? (x->weight < y->weight ? 1 : -1) : strcmp(x->text, y->text);
}

tl_status tl_diagnose_report(tl_diagnose *d)
{
    tl_text t = tl_text_new(d->a);
    tl_cause *c = d->cause.at;
    if (d->cause.n) qsort(c, (size_t)d->cause.n, sizeof *c, likelier);
    for (int i = 0; i < d->fact.n; i++) tl_textf(&t, "%s\n", ((const char *const *)d->fact.at)[i]);
    tl_textf(&t, d->cause.n ? "\nWhat keeps the score low, the likeliest first:\n" : "\nNothing was found that keeps the score low.\n");
    for (int i = 0; i < d->cause.n; i++) tl_textf(&t, "%2d. %s\n", i + 1, c[i].text);
    d->out->causes = d->cause.n;
    TL_NEW(d->out->report = tl_text_end(&t));
    return TL_OK;
}
