/* save.h - what the writers of labels share; private to data/label. SPDX-License-Identifier: MIT */
#ifndef TL_SAVE_H
#define TL_SAVE_H
#include "../label.h"

void tl_save_number(FILE *f, float v); /* the shortest decimal that reads back as v */
static inline const char *tl_save_class(const tl_label_save *s, const tl_object *o)
{
    return ((const char *const *)s->labels->classes.at)[o->label];
}
#endif
