/* sha256.c - SHA-256 of bytes and of files. SPDX-License-Identifier: MIT */
#include "sha256.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

static void finish(crypto_hash_sha256_state *h, char hex[TL_SHA256_SIZE])
{
    uint8_t sum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(h, sum);
    sodium_bin2hex(hex, TL_SHA256_SIZE, sum, sizeof sum);
}

void tl_sha256(tl_bytes b, char hex[TL_SHA256_SIZE])
{
    crypto_hash_sha256_state h;
    crypto_hash_sha256_init(&h);
    crypto_hash_sha256_update(&h, b.p, b.n);
    finish(&h, hex);
}

tl_status tl_sha256_file(const char *path, char hex[TL_SHA256_SIZE], size_t *size)
{
    uint8_t piece[1 << 16];
    crypto_hash_sha256_state h;
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    TL_CHECK(fd >= 0, TL_EIO, "cannot open '%s': %s", path, strerror(errno));
    crypto_hash_sha256_init(&h);
    *size = 0;
    while ((n = read(fd, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR)) {
        if (n < 0) continue;
        crypto_hash_sha256_update(&h, piece, (size_t)n);
        *size += (size_t)n;
    }
    int why = errno;
    close(fd);
    TL_CHECK(!n, TL_EIO, "cannot read '%s': %s", path, strerror(why));
    finish(&h, hex);
    return TL_OK;
}
