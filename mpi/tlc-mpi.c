/* tlc-mpi.c - transport.h by MPI: tlc-mpi.so, which tlc loads when it is one process of several.
 * SPDX-License-Identifier: MIT
 *
 * Sums are not left to MPI_Allreduce, whose order of additions depends on the library's version, the size and the
 * network: pieces are exchanged, and added in the order of ranks by the caller. That moves as many bytes as the best
 * allreduce: 2 (size-1)/size of them each way. */
#include "transport.h"
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

enum { TAG = 1 };

static MPI_Comm group, aside;                 /* of collectives; of messages */
static MPI_Request running, coming, *leaving; /* leaving: by rank */
static tl_message arrived, *departing;
static int *count, *offset, *got_count, *got_offset;
static int n_ranks, my_rank;

static const char *join(int *rank, int *size)
{
    int level;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level)) return "MPI_Init_thread failed";
    MPI_Comm_rank(MPI_COMM_WORLD, &my_rank);
    MPI_Comm_size(MPI_COMM_WORLD, &n_ranks);
    *rank = my_rank;
    *size = n_ranks;
    MPI_Comm_dup(MPI_COMM_WORLD, &group);
    MPI_Comm_dup(MPI_COMM_WORLD, &aside);
    size_t n = (size_t)n_ranks;
    leaving = malloc(n * sizeof *leaving);
    departing = calloc(n, sizeof *departing);
    int *ints = calloc(4 * n, sizeof *ints);
    if (!leaving || !departing || !ints) return "out of memory";
    count = ints, offset = ints + n, got_count = ints + 2 * n, got_offset = ints + 3 * n;
    for (int k = 0; k < n_ranks; k++) leaving[k] = MPI_REQUEST_NULL;
    running = MPI_REQUEST_NULL;
    MPI_Irecv(&arrived, sizeof arrived, MPI_BYTE, MPI_ANY_SOURCE, TAG, aside, &coming);
    return NULL;
}

static void leave(void)
{
    MPI_Cancel(&coming);
    MPI_Wait(&coming, MPI_STATUS_IGNORE);
    for (int k = 0; k < n_ranks; k++)
        if (leaving[k] != MPI_REQUEST_NULL) MPI_Request_free(&leaving[k]);
    MPI_Finalize();
}

/* count and offset of the pieces of n bytes. */
static void cut(size_t n, size_t piece)
{
    for (int k = 0; k < n_ranks; k++) {
        size_t from = (size_t)k * piece < n ? (size_t)k * piece : n, left = n - from;
        offset[k] = (int)from;
        count[k] = (int)(left < piece ? left : piece);
    }
}

static void scatter(const void *v, size_t n, size_t piece, void *got)
{
    cut(n, piece);
    for (int k = 0; k < n_ranks; k++) {
        got_offset[k] = (int)((size_t)k * piece);
        got_count[k] = count[my_rank];
    }
    MPI_Ialltoallv(v, count, offset, MPI_BYTE, got, got_count, got_offset, MPI_BYTE, group, &running);
}

static void collect(void *v, size_t n, size_t piece)
{
    cut(n, piece);
    MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_BYTE, v, count, offset, MPI_BYTE, group, &running);
}

static void broadcast(void *v, size_t n) { MPI_Ibcast(v, (int)n, MPI_BYTE, 0, group, &running); }

static bool done(void)
{
    int yes;
    MPI_Test(&running, &yes, MPI_STATUS_IGNORE);
    return yes;
}

static void send(int to, const tl_message *m)
{
    int free;
    MPI_Test(&leaving[to], &free, MPI_STATUS_IGNORE);
    if (!free) return;
    departing[to] = *m;
    MPI_Isend(&departing[to], sizeof *m, MPI_BYTE, to, TAG, aside, &leaving[to]);
}

static int receive(tl_message *m)
{
    int yes;
    MPI_Status s;
    MPI_Test(&coming, &yes, &s);
    if (!yes) return -1;
    *m = arrived;
    MPI_Irecv(&arrived, sizeof arrived, MPI_BYTE, MPI_ANY_SOURCE, TAG, aside, &coming);
    return s.MPI_SOURCE;
}

const tl_transport tl_mpi = {
    .version = TL_TRANSPORT_VERSION,
    .join = join,
    .leave = leave,
    .scatter = scatter,
    .collect = collect,
    .broadcast = broadcast,
    .done = done,
    .send = send,
    .receive = receive,
};
