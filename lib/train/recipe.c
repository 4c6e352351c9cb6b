/* recipe.c - how to train: what the spec says, or what we found best for small sets. SPDX-License-Identifier: MIT */
#include "train.h"

/* Fine-tuning a pretrained network on some hundred pictures easily does harm: the rates that suit training from scratch
 * destroy features faster than a few batches can rebuild them. */
static const tl_recipe small_sets = {
    .optimizer = { .kind = TL_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f },
    .schedule = { .kind = TL_LR_COSINE, .base = 1e-4f, .soft_start = 0.1f },
    .block_decay = 0.85f,
    .clip = 1,
    .average = 0.95f,
};

void tl_recipe_for(const tl_classification_spec *s, tl_recipe *out)
{
    *out = small_sets;
    if (s->default_recipe) return;
    *out = (tl_recipe){ .optimizer = s->optimizer, .schedule = s->schedule, .regularizer = s->regularizer, .block_decay = 1 };
}
