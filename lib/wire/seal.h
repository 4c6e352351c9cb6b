/* seal.h - model files under a key, and checksums (libsodium). SPDX-License-Identifier: MIT
 *
 * A sealed file is
 *     0  magic "TLCSEAL1"
 *     8  passes, 12  memory in KiB (both 32-bit little-endian): the cost of deriving the key
 *    16  salt, 16 bytes
 *    32  nonce, 24 bytes
 *    56  the file, encrypted, and a tag of 16 bytes
 * The key is Argon2id of the user's text and the salt; the cipher is XChaCha20-Poly1305, which also
 * authenticates the first 56 bytes. Nothing tells a wrong key from a changed byte. */
#ifndef TL_SEAL_H
#define TL_SEAL_H
#include "file.h"

tl_status tl_seal(tl_arena *a, const char *key, tl_bytes plain, tl_bytes *out);
/* Open what tl_seal made. A file that is not sealed is returned as it is, with a key or without;
 * key NULL or empty: none given. name is for messages. */
tl_status tl_unseal(tl_arena *a, const char *key, const char *name, tl_bytes file, tl_bytes *out);
bool      tl_is_sealed(tl_bytes file);

typedef struct { uint32_t passes, kib; } tl_seal_cost;
/* tl_seal at another cost than libsodium's "interactive" one (2 passes over 64 MiB); for tests. */
tl_status tl_seal_at(tl_arena *a, tl_seal_cost cost, const char *key, tl_bytes plain, tl_bytes *out);

/* BLAKE2b-256 of the bytes as 64 hexadecimal digits. */
enum { TL_CHECKSUM_SIZE = 65 };
tl_status tl_checksum(tl_bytes b, char hex[TL_CHECKSUM_SIZE]);
#endif
