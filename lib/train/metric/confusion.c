/* confusion.c - the confusion matrix and the table of precision, recall and F1.
 * SPDX-License-Identifier: MIT
 *
 * Names and averages are scikit-learn's classification_report, which the original prints. */
#include "text.h"
#include "train.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

tl_status tl_confusion_init(tl_arena *a, int classes, int top_k, tl_confusion *m)
{
    *m = (tl_confusion){ .classes = classes,
                         .top_k = top_k < 1         ? 1
                                  : top_k > classes ? classes
                                                    : top_k };
    TL_NEW(m->confusion = tl_new(a, int64_t, (size_t)classes * (size_t)classes));
    return TL_OK;
}

void tl_confusion_add(tl_confusion *m, const float *p, const int *label, int n)
{
    for (int i = 0; i < n; i++, p += m->classes) {
        int best = 0, above = 0;
        for (int k = 1; k < m->classes; k++)
            if (p[k] > p[best]) best = k;
        for (int k = 0; k < m->classes; k++) above += p[k] > p[label[i]];
        m->confusion[(size_t)label[i] * (size_t)m->classes + (size_t)best]++;
        m->top += above < m->top_k;
        m->n++;
        m->loss -=
            log(p[label[i]] < 1e-7f ? 1e-7 : (double)p[label[i]]); /* Keras' epsilon; NaN stays */
    }
}

double tl_confusion_accuracy(const tl_confusion *m)
{
    int64_t hits = 0;
    for (int k = 0; k < m->classes; k++)
        hits += m->confusion[(size_t)k * (size_t)m->classes + (size_t)k];
    return m->n ? (double)hits / (double)m->n : 0;
}

int tl_confusion_collapsed(const tl_confusion *m)
{
    const size_t c = (size_t)m->classes;
    for (size_t k = 0; k < c; k++) {
        int64_t said = 0, is = 0;
        for (size_t j = 0; j < c; j++) {
            said += m->confusion[j * c + k];
            is += m->confusion[k * c + j];
        }
        if (said == m->n && is < m->n) return (int)k;
    }
    return -1;
}

typedef struct {
    double precision, recall, f1;
    int64_t support;
} row;

static row row_of(const tl_confusion *m, int k)
{
    size_t c = (size_t)m->classes;
    int64_t hit = m->confusion[(size_t)k * c + (size_t)k], said = 0, is = 0;
    for (size_t j = 0; j < c; j++) {
        said += m->confusion[j * c + (size_t)k];
        is += m->confusion[(size_t)k * c + j];
    }
    row r = { said ? (double)hit / (double)said : 0, is ? (double)hit / (double)is : 0, 0, is };
    if (r.precision + r.recall > 0) r.f1 = 2 * r.precision * r.recall / (r.precision + r.recall);
    return r;
}

static void add_share(row *to, row r, double share)
{
    to->precision += share * r.precision;
    to->recall += share * r.recall;
    to->f1 += share * r.f1;
}

static int characters(const char *utf8)
{
    int n = 0;
    for (; *utf8; utf8++) n += (*utf8 & 0xc0) != 0x80;
    return n;
}

static void print_row(tl_text *t, int width, const char *name, row r)
{
    width += (int)strlen(name) - characters(name); /* printf pads by bytes */
    tl_textf(t, "%*s  %9.2f %9.2f %9.2f %9lld\n", width, name, r.precision, r.recall, r.f1,
             (long long)r.support);
}

/* As numpy prints a matrix: all columns as wide as the widest number. */
static void print_matrix(const tl_confusion *m, tl_text *t)
{
    size_t c = (size_t)m->classes;
    int width = 1;
    for (size_t i = 0; i < c * c; i++) {
        int digits = snprintf(NULL, 0, "%lld", (long long)m->confusion[i]);
        if (digits > width) width = digits;
    }
    tl_textf(t, "Confusion Matrix\n");
    for (size_t i = 0; i < c; i++) {
        tl_textf(t, "%s", i ? " [" : "[[");
        for (size_t j = 0; j < c; j++)
            tl_textf(t, "%s%*lld", j ? " " : "", width, (long long)m->confusion[i * c + j]);
        tl_textf(t, "%s\n", i + 1 < c ? "]" : "]]");
    }
}

/* What m says class by class, and averaged: each class alike, and by its share of the samples. */
static void print_classes(const tl_confusion *m, tl_text *t, const char *const *name, int width)
{
    row macro = { .support = m->n }, weighted = { .support = m->n };
    for (int k = 0; k < m->classes; k++) {
        row r = row_of(m, k);
        double even = 1.0 / m->classes, share = m->n ? (double)r.support / (double)m->n : 0;
        print_row(t, width, name[k], r);
        add_share(&macro, r, even);
        add_share(&weighted, r, share);
    }
    tl_textf(t, "\n%*s  %9s %9s %9.2f %9lld\n", width, "accuracy", "", "", tl_confusion_accuracy(m),
             (long long)m->n);
    print_row(t, width, "macro avg", macro);
    print_row(t, width, "weighted avg", weighted);
}

tl_status tl_confusion_report(const tl_confusion *m, tl_arena *a, const tl_list *classes,
                              const char **text)
{
    tl_text t = tl_text_new(a);
    double n = m->n ? (double)m->n : 1;
    int width = (int)strlen("weighted avg");
    for (int k = 0; k < classes->n; k++) {
        int own = characters(((const char *const *)classes->at)[k]);
        if (own > width) width = own;
    }
    tl_textf(&t, "Evaluation Loss: %.6f\nEvaluation Top %d accuracy: %.6f\n", m->loss / n, m->top_k,
             (double)m->top / n);
    print_matrix(m, &t);
    tl_textf(&t, "Classification Report\n%*s  %9s %9s %9s %9s\n\n", width, "", "precision",
             "recall", "f1-score", "support");
    print_classes(m, &t, classes->at, width);
    *text = tl_text_end(&t);
    return *text ? TL_OK : TL_ENOMEM;
}
