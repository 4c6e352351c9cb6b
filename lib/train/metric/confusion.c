/* confusion.c - the confusion matrix and the table of precision, recall and F1. SPDX-License-Identifier: MIT
 *
 * Names and averages are scikit-learn's classification_report, which the original prints. */
#include "text.h"
#include "train.h"
#include <math.h>
#include <string.h>

tl_status tl_confusion_init(tl_arena *a, int classes, int top_k, tl_confusion *m)
{
    *m = (tl_confusion){ .classes = classes, .top_k = top_k < 1 ? 1 : top_k > classes ? classes : top_k };
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
        m->loss -= log(fmax((double)p[label[i]], 1e-7)); /* Keras' epsilon */
    }
}

double tl_confusion_accuracy(const tl_confusion *m)
{
    int64_t hits = 0;
    for (int k = 0; k < m->classes; k++) hits += m->confusion[(size_t)k * (size_t)m->classes + (size_t)k];
    return m->n ? (double)hits / (double)m->n : 0;
}

typedef struct { double precision, recall, f1; int64_t support; } row;

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

static void print_row(tl_text *t, int width, const char *name, row r)
{
    tl_textf(t, "%*s  %9.2f %9.2f %9.2f %9lld\n", width, name, r.precision, r.recall, r.f1, (long long)r.support);
}

static void print_matrix(const tl_confusion *m, tl_text *t)
{
    size_t c = (size_t)m->classes;
    tl_textf(t, "Confusion Matrix\n");
    for (size_t i = 0; i < c; i++) {
        tl_textf(t, "%s", i ? " [" : "[[");
        for (size_t j = 0; j < c; j++) tl_textf(t, "%s%4lld", j ? " " : "", (long long)m->confusion[i * c + j]);
        tl_textf(t, "%s\n", i + 1 < c ? "]" : "]]");
    }
}

tl_status tl_confusion_report(const tl_confusion *m, tl_arena *a, const tl_list *classes, const char **text)
{
    tl_text t = tl_text_new(a);
    row macro = { .support = m->n }, weighted = { .support = m->n };
    double n = m->n ? (double)m->n : 1, accuracy = tl_confusion_accuracy(m);
    int width = (int)strlen("weighted avg");
    for (int k = 0; k < classes->n; k++) width = (int)fmax(width, (double)strlen(((const char *const *)classes->at)[k]));
    tl_textf(&t, "Evaluation Loss: %.6f\nEvaluation Top %d accuracy: %.6f\n", m->loss / n, m->top_k, (double)m->top / n);
    print_matrix(m, &t);
    tl_textf(&t, "Classification Report\n%*s  %9s %9s %9s %9s\n\n", width, "", "precision", "recall", "f1-score", "support");
    for (int k = 0; k < m->classes; k++) {
        row r = row_of(m, k);
        double share = (double)r.support / n;
        print_row(&t, width, ((const char *const *)classes->at)[k], r);
        macro = (row){ macro.precision + r.precision / m->classes, macro.recall + r.recall / m->classes, macro.f1 + r.f1 / m->classes, m->n };
        weighted = (row){ weighted.precision + share * r.precision, weighted.recall + share * r.recall, weighted.f1 + share * r.f1, m->n };
    }
    tl_textf(&t, "\n%*s  %9s %9s %9.2f %9lld\n", width, "accuracy", "", "", accuracy, (long long)m->n);
    print_row(&t, width, "macro avg", macro);
    print_row(&t, width, "weighted avg", weighted);
    *text = tl_text_end(&t);
    return *text ? TL_OK : TL_ENOMEM;
}
