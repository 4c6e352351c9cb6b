/* job.c - how this process was started. SPDX-License-Identifier: MIT */
#include "dist.h"
#include <stdlib.h>

/* What mpirun (Open MPI; MPICH and Slurm's PMI) and srun tell. srun's are those of a step: a batch script, which is no
 * process of a job, does not have them. */
static const struct {
    const char *size, *rank, *local;
} names[] = {
    { "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE" },
    { "PMI_SIZE", "PMI_RANK", "MPI_LOCALNRANKS" },
    { "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_STEP_TASKS_PER_NODE" },
};

static int number(const char *name, int otherwise)
{
    const char *v = getenv(name);
    int n = v ? atoi(v) : otherwise; /* "4(x2)", Slurm's "4 on each of 2 machines", is 4 */
    return n >= 0 ? n : otherwise;
}

tl_job tl_job_here(void)
{
    for (int i = 0; i < TL_LEN(names); i++) {
        tl_job j = { number(names[i].size, 1), number(names[i].rank, 0), number(names[i].local, 1) };
        if (j.size > 1) return (tl_job){ j.size, j.rank, j.local > 0 ? j.local : 1 };
    }
    return (tl_job){ 1, 0, 1 };
}
