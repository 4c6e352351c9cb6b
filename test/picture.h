/* picture.h - what the tests on pictures share. SPDX-License-Identifier: MIT */
#ifndef PICTURE_H
#define PICTURE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "image.h"

#define ok(call)                                                                                   \
    do {                                                                                           \
        tl_status s_ = (call);                                                                     \
        if (s_) fail_msg("%s: %d, %s", #call, s_, tl_errmsg());                                    \
    } while (0)

/* 64-bit FNV-1a, continued from h; begin with FNV. */
#define FNV UINT64_C(0xcbf29ce484222325)
static inline uint64_t fnv(uint64_t h, const void *bytes, size_t n)
{
    for (const uint8_t *p = bytes; n; n--, p++) h = (h ^ *p) * UINT64_C(0x100000001b3);
    return h;
}

static inline uint64_t hash_of(const tl_image *m)
{
    return fnv(FNV, m->p, (size_t)m->w * (size_t)m->h * (size_t)m->c);
}

/* What the goldens of resizing and warping were made of: bytes of a linear congruential generator. */
static inline tl_image noise(tl_arena *a, int w, int h, int c)
{
    tl_image m;
    uint32_t s = 1;
    ok(tl_image_new(a, w, h, c, &m));
    for (int i = 0; i < w * h * c; i++) m.p[i] = (uint8_t)((s = s * 1664525u + 1013904223u) >> 24);
    return m;
}
#endif
