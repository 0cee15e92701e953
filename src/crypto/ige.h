/*
 * crypto/ige.h - AES-256 in IGE mode, the cipher of MTProto:
 * c[i] = E(p[i] ^ c[i-1]) ^ p[i-1], where the 32-byte iv is c[-1] | p[-1].
 */
#ifndef GAP_CRYPTO_IGE_H
#define GAP_CRYPTO_IGE_H

#include "crypto/crypto.h"

/**
 * Encrypt or decrypt @p len bytes, a multiple of 16 (0 is allowed). @p in and @p out are the same
 * or don't overlap.
 * @return 0; GAP_E_ARGUMENT len is not a multiple of 16; GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_ige_encrypt(gap_crypto_t *c, const uint8_t key[32], const uint8_t iv[32],
                                  const uint8_t *in, uint8_t *out, size_t len);
GAP_NODISCARD int gap_ige_decrypt(gap_crypto_t *c, const uint8_t key[32], const uint8_t iv[32],
                                  const uint8_t *in, uint8_t *out, size_t len);

/**
 * Decrypt in place, and SHA-256 the plaintext into the hash begun with gap_sha256_begin (32 bytes
 * are already in it, so that a first piece of 32 aligns the rest with the hash's blocks). On the
 * AES instructions the two overlap in the processor.
 * @return as gap_ige_decrypt.
 */
GAP_NODISCARD int gap_ige_decrypt_hash(gap_crypto_t *c, const uint8_t key[32], const uint8_t iv[32],
                                       uint8_t *data, size_t len);

#endif
