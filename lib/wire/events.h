/* events.h - TensorBoard event files. SPDX-License-Identifier: MIT */
#ifndef TL_EVENTS_H
#define TL_EVENTS_H
#include "file.h"

typedef struct tl_events tl_events;

/* Begin a new file events.out.tfevents.SECONDS.HOST.PID.N in dir, which is made when absent. Files
 * of earlier runs stay: TensorBoard shows all of a folder as one. Closed when the arena dies. */
tl_status tl_events_open(tl_arena *a, const char *dir, tl_events **out);
/* One point of the curve `tag`. On disk (as far as the system goes) when this returns, so nothing
 * needs flushing; after a failure (TL_EIO) the file ends with the last whole point. */
tl_status tl_events_scalar(tl_events *e, const char *tag, int64_t step, double value, double walltime);
#endif
