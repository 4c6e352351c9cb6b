/* processors.h - how many processors this process may keep busy. SPDX-License-Identifier: MIT */
#ifndef TL_PROCESSORS_H
#define TL_PROCESSORS_H

/* Those it is allowed to run on (taskset, cpusets), but no more than its control group's share of time comes to,
 * rounded up. At least 1. */
int tl_processors(void);
/* The processor time that control groups (Linux cgroups, version 1 or 2, those above ours too) leave us, in
 * processors: 1.5 is 150 ms in every 100 ms. 0: no limit. root: "", or where tests keep files of their own. */
double tl_cgroup_limit(const char *root);
#endif
