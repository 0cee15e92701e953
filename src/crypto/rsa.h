/*
 * crypto/rsa.h - the servers' RSA keys: reading them, fingerprints, and both ends of RSA_PAD.
 * (core.telegram.org/mtproto/auth_key, "RSA_PAD(data, server_public_key)")
 */
#ifndef GAP_CRYPTO_RSA_H
#define GAP_CRYPTO_RSA_H

#include "base/buf.h"
#include "crypto/crypto.h"

#define GAP_RSA_BYTES 256
/** Longest data RSA_PAD takes. */
#define GAP_RSA_PAD_DATA_MAX 144
/** What comes out at the other end: the data and random bytes behind it. */
#define GAP_RSA_PAD_BYTES 192

/** A 2048-bit RSA key, public or whole. Reading it is safe from any thread. */
typedef struct gap_rsa_key {
    EVP_PKEY *pkey;
    uint8_t modulus[GAP_RSA_BYTES]; /* big-endian */
    int64_t fingerprint;            /* as read from the wire */
    bool is_private;
} gap_rsa_key_t;

/**
 * Read a public key: PKCS#1 ("RSA PUBLIC KEY") or SubjectPublicKeyInfo ("PUBLIC KEY"). Text around
 * the first PEM block is ignored.
 * @return 0 (gap_rsa_fini when done); GAP_E_PEM not such a key or not of 2048 bits;
 * GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_rsa_public_from_pem(gap_crypto_t *c, gap_bytes_t pem, gap_rsa_key_t *out);
/** Read a private key, PKCS#1 or PKCS#8, unencrypted. @return as gap_rsa_public_from_pem. */
GAP_NODISCARD int gap_rsa_private_from_pem(gap_crypto_t *c, gap_bytes_t pem, gap_rsa_key_t *out);
/** Public key from modulus and exponent, big-endian. @return as gap_rsa_public_from_pem. */
GAP_NODISCARD int gap_rsa_public_from_numbers(gap_crypto_t *c, gap_bytes_t modulus,
                                              gap_bytes_t exponent, gap_rsa_key_t *out);
/**
 * Make a key of 2048 bits for a server of one's own, from OpenSSL's own random generator. The first
 * hexadecimal digit of its fingerprint is not 0: one client can't find others.
 * @return 0; GAP_E_LIBCRYPTO. Slow work (a second).
 */
GAP_NODISCARD int gap_rsa_generate(gap_crypto_t *c, gap_rsa_key_t *out);
/** Free a key; safe twice and on a zeroed struct. */
void gap_rsa_fini(gap_rsa_key_t *key);

/** Append the public half as PKCS#1 PEM. @return 0, GAP_E_NOMEM, GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_rsa_public_pem(const gap_rsa_key_t *key, gap_buf_t *out);
/** Append the whole key as PKCS#1 PEM: a secret. @return 0, GAP_E_NOMEM, GAP_E_ARGUMENT the key is
 * only a public one, GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_rsa_private_pem(const gap_rsa_key_t *key, gap_buf_t *out);

/**
 * Encrypt with RSA_PAD. Random bytes are drawn in this order: padding of the data, then one 32-byte
 * temporary key for each attempt.
 * @param data  At most GAP_RSA_PAD_DATA_MAX bytes.
 * @return 0; GAP_E_ARGUMENT data too long; GAP_E_CRYPTO the random source gave no usable temporary
 *         key in 64 attempts; GAP_E_LIBCRYPTO; what the random source returned.
 */
GAP_NODISCARD int gap_rsa_pad_encrypt(gap_crypto_t *c, const gap_rsa_key_t *key, gap_bytes_t data,
                                      const gap_random_t *random, uint8_t out[GAP_RSA_BYTES]);

/** The bare private operation. @return 0; GAP_E_CRYPTO not below the modulus; GAP_E_ARGUMENT the
 * key is only a public one; GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_rsa_decrypt(const gap_rsa_key_t *key, gap_bytes_t in,
                                  uint8_t out[GAP_RSA_BYTES]);
/** Undo RSA_PAD on what gap_rsa_decrypt gave: the data followed by random bytes.
 * @return 0; GAP_E_CRYPTO it is not RSA_PAD's; GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_rsa_pad_open(gap_crypto_t *c, const uint8_t raw[GAP_RSA_BYTES],
                                   uint8_t out[GAP_RSA_PAD_BYTES]);
/**
 * The same for the retired padding, 0 | SHA1(data) | data | random, which some clients still use.
 * @param data  A view into @p raw; its length, a multiple of 4, is found by trying.
 * @return 0; GAP_E_CRYPTO it is not of this form; GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_rsa_legacy_open(gap_crypto_t *c, const uint8_t raw[GAP_RSA_BYTES],
                                      gap_bytes_t *data);

#endif
