/* schedules.c - the table of learning-rate schedules. SPDX-License-Identifier: MIT */
#include "train.h"

#define DECLARE(name) extern const tl_scheduler tl_scheduler_##name;
TL_SCHEDULERS(DECLARE)
#define ROW(name) &tl_scheduler_##name,
const tl_scheduler *const tl_schedulers[] = { TL_SCHEDULERS(ROW) NULL };
