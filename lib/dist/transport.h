/* transport.h - the little that is wanted of MPI. SPDX-License-Identifier: MIT
 *
 * tlc-mpi.so (mpi/tlc-mpi.c) gives these functions; the program is not linked to MPI and works without it. All are
 * called by one and the same thread. Of scatter, collect and broadcast one is under way at a time: it is begun, and
 * done() is asked until it says so; memory is not to be touched until then. Sizes are in bytes. */
#ifndef TL_TRANSPORT_H
#define TL_TRANSPORT_H
#include <stdbool.h>
#include <stddef.h>

/* Small messages beside the others: "I am here", or, with words, "I cannot go on, because". */
typedef struct {
    char why[1000];
} tl_message;

typedef struct tl_transport {
    int version;
    const char *(*join)(int *rank, int *size); /* NULL, or what is wrong */
    void (*leave)(void);                       /* when all others do, too */
    /* Piece k of v (`piece` bytes, the last ones shorter or empty) goes to process k; got: what came from each of them,
     * `piece` bytes apart. */
    void (*scatter)(const void *v, size_t n, size_t piece, void *got);
    void (*collect)(void *v, size_t n, size_t piece); /* piece k of v is what process k has there */
    void (*broadcast)(void *v, size_t n);             /* v is what process 0 has there */
    bool (*done)(void);
    void (*send)(int to, const tl_message *m); /* left out when an earlier one has not left yet */
    int (*receive)(tl_message *m);             /* from whom; -1: there is none */
} tl_transport;
#define TL_TRANSPORT_VERSION 1
#define TL_TRANSPORT_SYMBOL  "tl_mpi"
#endif
