/* fuzz_state.c - the checkpoint reader against hostile state files. SPDX-License-Identifier: MIT
 *
 * The checksum at the end would stop nearly everything, so the input is read twice: as it is, and
 * with the right checksum after it. */
#include "seal.h"
#include "train.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted makes sense, and its arrays lie inside the file. */
static void read_state(tl_arena *a, tl_bytes f)
{
    tl_checkpoint k = { 0 };
    const char *sum;
    if (tl_checkpoint_parse(a, f, &k, &sum)) return;
    const tl_train_state *s = &k.state;
    if (s->epoch < 0 || s->batch < 0 || s->step < 0 || s->best_epoch < -1 ||
        s->best_epoch > s->epoch || s->hits > s->seen)
        abort();
    if (k.arrays.n % sizeof(float) || k.arrays.p < f.p || k.arrays.p + k.arrays.n > f.p + f.n ||
        !strlen(sum))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tl_arena *a = tl_arena_new();
    char sum[TL_CHECKSUM_SIZE];
    uint8_t *whole = a ? tl_alloc_raw(a, size + TL_CHECKSUM_SIZE) : NULL;
    if (whole && !tl_checksum((tl_bytes){ data, size }, sum)) {
        read_state(a, (tl_bytes){ data, size });
        memcpy(whole, data, size);
        memcpy(whole + size, sum, TL_CHECKSUM_SIZE);
        read_state(a, (tl_bytes){ whole, size + TL_CHECKSUM_SIZE - 1 });
    }
    if (a && tl_arena_bytes(a) > 40 * size + ((size_t)4 << 20)) abort();
    tl_arena_free(a);
    return 0;
}
