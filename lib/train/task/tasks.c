/* tasks.c - the table of tasks. SPDX-License-Identifier: MIT */
#include "loop.h"

#define DECLARE(name) extern const tl_task tl_task_##name;
TL_TASKS(DECLARE)
#define ROW(name) &tl_task_##name,
const tl_task *const tl_tasks[] = { TL_TASKS(ROW) NULL };
