/* schedules.c - the table of learning-rate schedules. SPDX-License-Identifier: MIT */
#include "train.h"
#include <string.h>

#define DECLARE(name) extern const tl_schedule tl_schedule_##name;
TL_SCHEDULES(DECLARE)
#define ROW(name) &tl_schedule_##name,
const tl_schedule *const tl_schedules[] = { TL_SCHEDULES(ROW) NULL };

const tl_schedule *tl_schedule_find(const char *name)
{
    for (const tl_schedule *const *s = tl_schedules; *s; s++)
        if (!strcmp((*s)->name, name)) return *s;
    return NULL;
}
