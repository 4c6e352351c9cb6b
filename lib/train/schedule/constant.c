/* constant.c - always the base rate. SPDX-License-Identifier: MIT */
#include "train.h"

static double rate(const tl_schedule_conf *c, long step, long total) { (void)step; (void)total; return (double)c->rate; }

const tl_schedule tl_schedule_constant = { "constant", "always the base rate", rate };
