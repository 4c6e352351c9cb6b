/* unpack.h - memory for protobuf-c's unpacking: an arena's, within a budget. SPDX-License-Identifier: MIT
 *
 * A few bytes can declare large messages. The budget follows the size of what is unpacked, and this is where that
 * ends. Nothing is freed before the arena is. */
#ifndef TL_UNPACK_H
#define TL_UNPACK_H
#include "arena.h"
#include <protobuf-c/protobuf-c.h>

typedef struct {
    tl_arena *arena;
    size_t    left;       /* bytes that may still be taken */
    uint8_t  *block;      /* the rest of the current block for small requests */
    size_t    room;
    tl_status failed;     /* why the last request was refused; the message is written */
} tl_unpack;

tl_unpack tl_unpack_new(tl_arena *a, size_t size);  /* size: bytes that will be unpacked */
void     *tl_unpack_take(tl_unpack *u, size_t n);   /* NULL: refused */
/* To hand to an unpacking function; lives as long as u stays where it is. */
ProtobufCAllocator tl_unpack_allocator(tl_unpack *u);
#endif
