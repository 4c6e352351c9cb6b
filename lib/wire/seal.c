/* seal.c - authenticated encryption of whole files. SPDX-License-Identifier: MIT */
#include "seal.h"
#include <sodium.h>
#include <string.h>

#define MAGIC "TLCSEAL1"
enum {
    AT_COST = 8, AT_SALT = 16, AT_NONCE = 32, HEADER = 56,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES, KEY = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    /* A file may not ask for more than this to derive its key: it could be made to exhaust us. */
    MAX_PASSES = 8, MIN_KIB = crypto_pwhash_MEMLIMIT_MIN / 1024, MAX_KIB = 256 * 1024,
};
_Static_assert(AT_SALT + crypto_pwhash_SALTBYTES == AT_NONCE, "layout");
_Static_assert(AT_NONCE + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == HEADER, "layout");

/* libsodium allows this from any thread, any number of times. */
static tl_status start(void)
{
    TL_CHECK(sodium_init() >= 0, TL_EIO, "libsodium cannot start: the system has no source of random numbers");
    return TL_OK;
}

static tl_status derive(const uint8_t *header, const char *text, uint8_t key[KEY])
{
    tl_seal_cost c;
    memcpy(&c, header + AT_COST, sizeof c);
    int failed = crypto_pwhash(key, KEY, text, strlen(text), header + AT_SALT, c.passes, (size_t)c.kib * 1024,
                               crypto_pwhash_ALG_ARGON2ID13);
    TL_CHECK(!failed, TL_ENOMEM, "deriving the key needs %u MiB of memory, which are not available", c.kib / 1024 + 1);
    return TL_OK;
}

tl_status tl_seal_at(tl_arena *a, tl_seal_cost cost, const char *key, tl_bytes plain, tl_bytes *out)
{
    TL_TRY(start());
    TL_CHECK(*key, TL_EARG, "the key is empty; give a text with -k, or none at all for a plain file");
    uint8_t *to = tl_alloc_raw(a, HEADER + plain.n + TAG), secret[KEY];
    TL_NEW(to);
    memcpy(to, MAGIC, AT_COST);
    memcpy(to + AT_COST, &cost, sizeof cost);
    randombytes_buf(to + AT_SALT, HEADER - AT_SALT);
    TL_TRY(derive(to, key, secret));
    crypto_aead_xchacha20poly1305_ietf_encrypt(to + HEADER, NULL, plain.p, plain.n, to, HEADER, NULL,
                                               to + AT_NONCE, secret);
    sodium_memzero(secret, sizeof secret);
    *out = (tl_bytes){ to, HEADER + plain.n + TAG };
    return TL_OK;
}

tl_status tl_seal(tl_arena *a, const char *key, tl_bytes plain, tl_bytes *out)
{
    tl_seal_cost cost = { crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE / 1024 };
    return tl_seal_at(a, cost, key, plain, out);
}

bool tl_is_sealed(tl_bytes file) { return file.n >= AT_COST && !memcmp(file.p, MAGIC, AT_COST); }

static tl_status refused(const char *name)
{
    return tl_fail(TL_EFORMAT, "'%s' cannot be opened: wrong key, or the file is damaged", name);
}

tl_status tl_unseal(tl_arena *a, const char *key, const char *name, tl_bytes file, tl_bytes *out)
{
    *out = file;
    if (!tl_is_sealed(file)) return TL_OK;
    TL_CHECK(key && *key, TL_EARG, "'%s' is sealed: give its key with -k", name);
    tl_seal_cost c = { 0 };
    if (file.n >= HEADER + TAG) memcpy(&c, file.p + AT_COST, sizeof c);
    bool sane = c.passes >= 1 && c.passes <= MAX_PASSES && c.kib >= MIN_KIB && c.kib <= MAX_KIB;
    if (!sane) return refused(name);
    TL_TRY(start());
    uint8_t secret[KEY], *to = tl_alloc_raw(a, file.n - HEADER - TAG + 1);
    TL_NEW(to);
    TL_TRY(derive(file.p, key, secret));
    int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(to, NULL, NULL, file.p + HEADER, file.n - HEADER,
                                                            file.p, HEADER, file.p + AT_NONCE, secret);
    sodium_memzero(secret, sizeof secret);
    if (failed) return refused(name);
    to[file.n - HEADER - TAG] = 0; /* as tl_file_read does */
    *out = (tl_bytes){ to, file.n - HEADER - TAG };
    return TL_OK;
}

tl_status tl_checksum(tl_bytes b, char hex[TL_CHECKSUM_SIZE])
{
    TL_TRY(start());
    uint8_t sum[TL_CHECKSUM_SIZE / 2];
    crypto_generichash(sum, sizeof sum, b.p, b.n, NULL, 0);
    sodium_bin2hex(hex, TL_CHECKSUM_SIZE, sum, sizeof sum);
    return TL_OK;
}
