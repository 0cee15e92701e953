/*
 * crypto/auth_key.h - authorization keys, and everything the key exchange derives from nonces.
 * (core.telegram.org/mtproto/auth_key)
 */
#ifndef GAP_CRYPTO_AUTH_KEY_H
#define GAP_CRYPTO_AUTH_KEY_H

#include "crypto/crypto.h"

#define GAP_AUTH_KEY_BYTES 256

/** Secret: wipe with gap_wipe when it is no longer needed. */
typedef struct gap_auth_key {
    uint8_t key[GAP_AUTH_KEY_BYTES]; /* big-endian, padded on the left */
    int64_t id;                      /* low 64 bits of SHA1(key), as read from the wire */
    int64_t aux_hash;                /* high 64 bits of SHA1(key), as read from the wire */
} gap_auth_key_t;

/** Compute id and aux_hash of k->key. @return 0 or GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_auth_key_derive(gap_crypto_t *c, gap_auth_key_t *k);

/** tmp_aes_key and tmp_aes_iv of the key exchange. @return 0 or GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_dh_tmp_aes(gap_crypto_t *c, const uint8_t new_nonce[32],
                                 const uint8_t server_nonce[16], uint8_t key[32], uint8_t iv[32]);

/** new_nonce_hash1, 2 or 3 (@p n) that goes with dh_gen_ok, _retry and _fail.
 * @return 0 or GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_new_nonce_hash(gap_crypto_t *c, const uint8_t new_nonce[32], uint8_t n,
                                     int64_t aux_hash, uint8_t out[16]);

/** The first server salt of a new key. */
int64_t gap_first_salt(const uint8_t new_nonce[32], const uint8_t server_nonce[16]);

/* Bytes that gap_dh_seal adds at most: SHA-1 in front, up to 15 random ones behind. */
#define GAP_DH_SEAL_EXTRA (GAP_SHA1_BYTES + 15)

/**
 * Encrypt server_DH_inner_data or client_DH_inner_data: SHA1(data) | data | random up to a multiple
 * of 16.
 *
 * @param out  len + GAP_DH_SEAL_EXTRA bytes of room; not overlapping @p data.
 * @return bytes written (> 0); GAP_E_LIBCRYPTO; what the random source returned.
 */
GAP_NODISCARD int64_t gap_dh_seal(gap_crypto_t *c, const uint8_t key[32], const uint8_t iv[32],
                                  const gap_random_t *random, gap_bytes_t data, uint8_t *out);

/**
 * Decrypt what gap_dh_seal made; the data begins at out + GAP_SHA1_BYTES. How long it is only its
 * parser knows: gap_dh_verify is to be called with that length before anything is believed.
 * @return 0; GAP_E_CRYPTO the length can't be; GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_dh_open(gap_crypto_t *c, const uint8_t key[32], const uint8_t iv[32],
                              gap_bytes_t sealed, uint8_t *out);

/** Check padding (0 to 15) and hash of what gap_dh_open gave: @p len bytes of which @p data_len are
 * the object. @return 0; GAP_E_CRYPTO; GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_dh_verify(gap_crypto_t *c, const uint8_t *opened, size_t len,
                                size_t data_len);

#endif
