/* fixture.h - an arena per test, for tests that need no more. SPDX-License-Identifier: MIT
 *
 * To be included after cmocka.h. */
#ifndef TL_FIXTURE_H
#define TL_FIXTURE_H
#include "arena.h"

static tl_arena *a;

static inline int set_up(void **state)
{
    (void)state;
    a = tl_arena_new();
    return a ? 0 : -1;
}

static inline int tear_down(void **state)
{
    (void)state;
    tl_arena_free(a);
    return 0;
}

#ifndef ok /* picture.h has one that names the call */
static inline void ok(tl_status s)
{
    if (s) fail_msg("%s", tl_errmsg());
}
#endif
#endif
