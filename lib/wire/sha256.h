/* sha256.h - SHA-256 as 64 hexadecimal digits, which is how the world names files (libsodium).
 * SPDX-License-Identifier: MIT */
#ifndef TL_SHA256_H
#define TL_SHA256_H
#include "file.h"

enum { TL_SHA256_SIZE = 65 };
void tl_sha256(tl_bytes b, char hex[TL_SHA256_SIZE]);
/* Of a whole file, which need not fit into memory; *size: its bytes. */
tl_status tl_sha256_file(const char *path, char hex[TL_SHA256_SIZE], size_t *size);
#endif
