/* unpack.c - memory for protobuf-c's unpacking. SPDX-License-Identifier: MIT */
#include "unpack.h"

#define SMALL ((size_t)1 << 10) /* requests up to this size share blocks, or each would cost 64 bytes */
#define BLOCK ((size_t)1 << 14)

tl_unpack tl_unpack_new(tl_arena *a, size_t size)
{
    return (tl_unpack){ .arena = a, .left = 8 * size + ((size_t)1 << 20) };
}

void *tl_unpack_take(tl_unpack *u, size_t n)
{
    n = ((n ? n : 1) + 15) & ~(size_t)15;
    if (n > u->left) {
        u->failed = tl_fail(TL_EFORMAT, "the file declares far more than its size can hold; "
                            "it is damaged or hostile");
        return NULL;
    }
    u->left -= n;
    if (n <= SMALL && n > u->room) {
        u->block = tl_alloc_raw(u->arena, BLOCK);
        u->room = u->block ? BLOCK : 0;
    }
    void *p = n <= SMALL ? u->block : tl_alloc_raw(u->arena, n);
    if (!p) u->failed = TL_ENOMEM;
    if (p && n <= SMALL) u->block += n, u->room -= n;
    return p;
}

static void *take(void *self, size_t n) { return tl_unpack_take(self, n); }
static void  leave(void *self, void *p) { (void)self, (void)p; }

ProtobufCAllocator tl_unpack_allocator(tl_unpack *u) { return (ProtobufCAllocator){ take, leave, u }; }
