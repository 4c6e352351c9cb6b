/* optims.c - the table of optimizers. SPDX-License-Identifier: MIT */
#include "train.h"

#define DECLARE(name) extern const tl_optim tl_optim_##name;
TL_OPTIMS(DECLARE)
#define ROW(name) &tl_optim_##name,
const tl_optim *const tl_optims[] = { TL_OPTIMS(ROW) NULL };
