/* recipe.c - how to train: what the spec says, or what we found best for small sets. SPDX-License-Identifier: MIT */
#include "train.h"

/* Fine-tuning a pretrained network on some hundred pictures easily does harm: the rates that suit training from scratch destroy
 * features faster than a few batches can rebuild them. So: batch norm keeps the statistics of the large set; Adam, because channels of tiny
 * variance have gradients many times the others' and would set the pace for SGD; rates that fall toward the first blocks, whose features are
 * general; and an average of the weights. The head has been fitted before (head.c).
 *
 * With a teacher most of the loss is about maps, of which every picture gives ten thousands of numbers: there is little to overfit, the
 * first blocks have as much to mend as the last, so all train at the same rate, twenty times the other. */
static const tl_recipe small_sets = {
    .optimizer = { .kind = TL_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f },
    .schedule = { .kind = TL_LR_COSINE, .base = 5e-5f, .soft_start = 0.1f },
    .block_decay = 0.9f,
    .average = 0.98f,
    .fixed_stats = true,
};

void tl_recipe_for(const tl_classification_spec *s, tl_recipe *out)
{
    *out = small_sets;
    if (s->train->teacher_model_path) {
        out->schedule.base = 1e-3f;
        out->block_decay = 1;
    }
    if (s->default_recipe) return;
    *out = (tl_recipe){ .optimizer = s->optimizer, .schedule = s->schedule, .regularizer = s->regularizer, .block_decay = 1,
                        .fixed_stats = s->model->freeze_bn };
}
