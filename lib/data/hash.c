/* hash.c - content hashes, to find copies of a picture. SPDX-License-Identifier: MIT */
#include "data.h"
#include <sodium.h>
#include <string.h>

tl_status tl_hash_start(void)
{
    TL_CHECK(sodium_init() >= 0, TL_EIO, "libsodium does not start");
    return TL_OK;
}

uint64_t tl_hash_bytes(tl_bytes b)
{
    uint8_t digest[crypto_generichash_BYTES_MIN];
    uint64_t h = 0;
    crypto_generichash(digest, sizeof digest, b.p, b.n, NULL, 0);
    memcpy(&h, digest, sizeof h);
    return h ? h : 1;
}

/* Hash one file; 0 when it cannot be read: the loader will say why. */
static uint64_t hash_file(tl_arena *a, const char *path)
{
    tl_bytes file;
    return tl_file_read(a, path, 0, &file) ? 0 : tl_hash_bytes(file);
}

tl_status tl_dataset_hash(tl_dataset *d)
{
    TL_TRY(tl_hash_start());
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
