/* lock.h - one at a time: programs, and threads of one. SPDX-License-Identifier: MIT */
#ifndef TL_LOCK_H
#define TL_LOCK_H
#include "arena.h"

/* Open the file, made when absent, for reading and writing, and wait until nobody else holds it; it
 * is ours until a dies. While waiting the listener is told so once, and may ask to stop
 * (TL_ESTOPPED). The lock is advisory (flock) and ends with the process, so a crash leaves nothing
 * to clean up. Who holds it may rename or remove the file: the next one notices and takes what is
 * at the path then. */
tl_status tl_lock(tl_arena *a, const char *path, const tl_listener *l, int *fd);
#endif
