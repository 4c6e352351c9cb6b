/* evaluate.c - run a model over labeled pictures. SPDX-License-Identifier: MIT */
#include "train.h"
#include <string.h>

void tl_targets_fill(const tl_plan *p, const tl_vals *target, const tl_batch *b)
{
    const float *from = b->target;
    for (int i = 0; i < p->conf.batch; i++)
        for (int k = 0; k < target->n; k++) {
            const tl_tensor y = tl_plan_value(p, target->at[k]);
            const size_t one = tl_count(y.s) / (size_t)y.s.n;
            memcpy(y.f + (size_t)i * one, from, one * sizeof(float));
            from += one;
        }
}

static tl_status count(const tl_dataset *d, const tl_batch *b, const float *p, int classes,
                       tl_confusion *out, tl_status (*each)(void *ctx, const tl_prediction *p),
                       void *ctx)
{
    const tl_sample *sample = d->sample.at;
    for (int i = 0; i < b->n; i++, p += classes) {
        int label = sample[b->sample[i]].label;
        tl_confusion_add(out, p, &label, 1);
        if (each) TL_TRY(each(ctx, &(tl_prediction){ b->sample[i], label, p }));
    }
    return TL_OK;
}

tl_status tl_evaluate(tl_plan *plan, const tl_trunk *trunk, const tl_model *m, const tl_dataset *d,
                      tl_loader *l, tl_confusion *out, tl_status (*each)(void *ctx, const tl_prediction *p),
                      void *ctx)
{
    const tl_trunk none = { .cut = m->image };
    tl_tensor y = tl_plan_value(plan, m->answer);
    const tl_batch *b;
    TL_TRY(tl_loader_start(l, 0, 0));
    for (;;) {
        TL_TRY(tl_loader_next(l, &b));
        if (!b) return TL_OK;
        TL_TRY(tl_trunk_feed(trunk ? trunk : &none, b->x, plan));
        TL_TRY(tl_plan_forward(plan));
        TL_TRY(count(d, b, y.f, y.s.c, out, each, ctx));
    }
}
