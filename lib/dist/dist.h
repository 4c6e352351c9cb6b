/* dist.h - processes that train together. SPDX-License-Identifier: MIT
 *
 * They are started by mpirun or srun, and MPI carries their bytes (transport.h). In each a thread of its own makes all
 * calls of MPI: sums go on while gradients are still being computed, and a process answers the others whatever it is
 * busy with. So one that does not answer is stopped or cut off, and the others say so and end.
 *
 * NULL in place of a tl_dist is a process alone: every function below then does what is left to do, which is nothing.
 */
#ifndef TL_DIST_H
#define TL_DIST_H
#include "arena.h"

typedef struct tl_dist tl_dist;
/* Become one of the job's processes. l->lost is called when another is lost and the caller asks nothing of d for so
 * long that it would not get to know. */
tl_status tl_dist_join(tl_arena *a, const tl_job *job, const tl_listener *l, tl_dist **out);
/* s: how the work ended. Not TL_OK: the others are told, and end; process 0 returns at once and speaks for all, the
 * others give it time to. Returns s with the message to be shown. */
tl_status tl_dist_end(tl_dist *d, tl_status s);
/* All processes are about to end in the same way: there is nothing to tell. */
void tl_dist_agree(tl_dist *d);

int tl_dist_rank(const tl_dist *d);
int tl_dist_size(const tl_dist *d);

/* What follows is called by all processes in the same order. TL_EPEER: another one failed or is lost. */

/* Begin to replace v by its mean over all processes, the same bits in each: sums are made in the order of ranks. v is
 * not to be touched before tl_dist_finish. Large ones are best begun in pieces, as they become ready. */
tl_status tl_dist_mean_start(tl_dist *d, float *v, size_t n);
tl_status tl_dist_finish(tl_dist *d);                   /* everything begun is done */
tl_status tl_dist_mean(tl_dist *d, float *v, size_t n); /* both */
/* all: size x bytes, those of each process in order of ranks. */
tl_status tl_dist_gather(tl_dist *d, const void *mine, size_t bytes, void *all);
tl_status tl_dist_broadcast(tl_dist *d, void *v, size_t bytes); /* from process 0 */
#endif
