/* hash.c - content hashes, to find copies of a picture. SPDX-License-Identifier: MIT */
#include "data.h"
#include <sodium.h>
#include <string.h>

/* Hash one file; 0 when it cannot be read: the loader will say why. */
static uint64_t hash_file(tl_arena *a, const char *path)
{
    uint8_t digest[crypto_generichash_BYTES_MIN];
    uint64_t h = 0;
    tl_bytes file;
    if (tl_file_read(a, path, 0, &file)) return 0;
    crypto_generichash(digest, sizeof digest, file.p, file.n, NULL, 0);
    memcpy(&h, digest, sizeof h);
    return h ? h : 1;
}

tl_status tl_dataset_hash(tl_dataset *d)
{
    TL_CHECK(sodium_init() >= 0, TL_EIO, "libsodium does not start");
    tl_sample *s = d->sample.at;
    bool failed = false;
#pragma omp parallel reduction(|| : failed)
    {
        tl_arena *a = tl_arena_new();
        failed = !a;
#pragma omp for schedule(dynamic, 16)
        for (int i = 0; i < d->sample.n; i++) {
            if (!a || s[i].hash) continue;
            s[i].hash = hash_file(a, s[i].path);
            tl_arena_reset(a);
        }
        tl_arena_free(a);
    }
    return failed ? tl_fail(TL_ENOMEM, "out of memory") : TL_OK;
}
