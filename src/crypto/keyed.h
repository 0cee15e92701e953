/*
 * crypto/keyed.h - keyed hashes: SipHash-2-4 with 128 bits for names of things (fast, can't fail),
 * HMAC-SHA256 where a number has to be beyond anybody's guess.
 */
#ifndef GAP_CRYPTO_KEYED_H
#define GAP_CRYPTO_KEYED_H

#include "crypto/crypto.h"

#define GAP_SIPHASH_BYTES 16

/** A hash in the making. */
typedef struct gap_siphash {
    uint64_t v[4];
    uint64_t tail; /* bytes that don't make a word yet */
    uint64_t len;  /* bytes so far */
} gap_siphash_t;

void gap_siphash_begin(gap_siphash_t *h, const uint8_t key[16]);
void gap_siphash_update(gap_siphash_t *h, const void *data, size_t len);
void gap_siphash_update64(gap_siphash_t *h, uint64_t value);
void gap_siphash_end(gap_siphash_t *h, uint8_t out[GAP_SIPHASH_BYTES]);

/** HMAC-SHA256 of @p count pieces one after the other. @return 0 or GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_hmac_sha256(const uint8_t key[32], const gap_bytes_t *pieces, size_t count,
                                  uint8_t out[GAP_SHA256_BYTES]);

#endif
