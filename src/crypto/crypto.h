/*
 * crypto/crypto.h - what every cryptographic function works with: fetched algorithms and reused
 * contexts of OpenSSL, hashes, and the source of random bytes.
 *
 * One gap_crypto_t belongs to one thread at a time. Fetching an algorithm or making a context costs
 * several times what hashing a small packet does; this is why they are kept.
 */
#ifndef GAP_CRYPTO_CRYPTO_H
#define GAP_CRYPTO_CRYPTO_H

#include <gapless/base.h>
#include <openssl/types.h>

#define GAP_SHA1_BYTES   20
#define GAP_SHA256_BYTES 32

typedef struct gap_crypto {
    EVP_MD *sha1_md;
    EVP_MD *sha256_md;
    EVP_CIPHER *ecb;
    EVP_CIPHER *cbc;
    EVP_MD_CTX *sha1;
    EVP_MD_CTX *sha256;
    EVP_CIPHER_CTX *ecb_decrypt; /* AES-256, padding off, re-keyed for every packet */
    EVP_CIPHER_CTX *cbc_encrypt;
    bool aesni; /* use the processor's AES instructions; false forces the portable path */
} gap_crypto_t;

/** Source of random bytes. Keys depend on it: the environment's, never a seeded one outside tests
 * and the virtual world. */
typedef struct gap_random {
    /** Fill @p out. @return 0, or negative: no randomness to be had (forwarded unchanged). */
    int (*fill)(void *arg, uint8_t *out, size_t len);
    void *arg;
} gap_random_t;

/** OpenSSL's own generator, where there is no environment to ask. Any thread and process, also
 * after a fork. @return 0 or GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_random_own(void *out, size_t len);

/** Fetch algorithms, make contexts, detect AES instructions. @return 0, or GAP_E_LIBCRYPTO (nothing
 * to fini, though fini is allowed). */
GAP_NODISCARD int gap_crypto_init(gap_crypto_t *c);
/** Free everything; the contexts are cleansed. Safe twice, and on a zeroed struct. */
void gap_crypto_fini(gap_crypto_t *c);
/** Choose between the processor's AES instructions and the portable path (tests and benches); true
 * has no effect where the instructions are missing. */
void gap_crypto_use_aesni(gap_crypto_t *c, bool on);

/** SHA-1 of @p count pieces one after the other. @return 0 or GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_sha1(gap_crypto_t *c, const gap_bytes_t *pieces, size_t count,
                           uint8_t out[GAP_SHA1_BYTES]);
/** SHA-256 of @p count pieces one after the other. @return 0 or GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_sha256(gap_crypto_t *c, const gap_bytes_t *pieces, size_t count,
                             uint8_t out[GAP_SHA256_BYTES]);

/* SHA-256 in steps; one at a time per context, and gap_sha256 ends one that was begun. Each returns
 * 0 or GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_sha256_begin(gap_crypto_t *c);
GAP_NODISCARD int gap_sha256_update(gap_crypto_t *c, const uint8_t *data, size_t len);
GAP_NODISCARD int gap_sha256_end(gap_crypto_t *c, uint8_t out[GAP_SHA256_BYTES]);

/** Compare without telling by the time taken where the first difference is. */
GAP_NODISCARD bool gap_secret_equal(const uint8_t *a, const uint8_t *b, size_t len);

/** Fill @p out from @p random. @return 0 or what the source returned. */
GAP_NODISCARD static inline int gap_random_fill(const gap_random_t *random, uint8_t *out,
                                                size_t len)
{
    return len > 0 ? random->fill(random->arg, out, len) : 0;
}

#endif
