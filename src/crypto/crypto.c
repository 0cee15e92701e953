/*
 * crypto/crypto.c - fetched algorithms and hashes.
 *
 * Owns the OpenSSL objects of one thread. Never fetches or allocates after init: every operation
 * resets or re-keys a context that exists.
 */
#include "crypto/crypto.h"

#include "base/alloc.h"
#include "crypto/ige_x86.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

int gap_random_own(void *out, size_t len)
{
    return RAND_bytes_ex(NULL, out, len, 0) == 1 ? 0 : GAP_E_LIBCRYPTO;
}

static int make_contexts(gap_crypto_t *c)
{
    static const uint8_t zero[32];

    c->sha1 = EVP_MD_CTX_new();
    c->sha256 = EVP_MD_CTX_new();
    c->ecb_decrypt = EVP_CIPHER_CTX_new();
    c->cbc_encrypt = EVP_CIPHER_CTX_new();
    if (c->sha1 == NULL || c->sha256 == NULL || c->ecb_decrypt == NULL || c->cbc_encrypt == NULL)
        return GAP_E_LIBCRYPTO;
    if (EVP_DigestInit_ex2(c->sha1, c->sha1_md, NULL) != 1) return GAP_E_LIBCRYPTO;
    if (EVP_DigestInit_ex2(c->sha256, c->sha256_md, NULL) != 1) return GAP_E_LIBCRYPTO;
    if (EVP_DecryptInit_ex2(c->ecb_decrypt, c->ecb, zero, NULL, NULL) != 1) return GAP_E_LIBCRYPTO;
    if (EVP_EncryptInit_ex2(c->cbc_encrypt, c->cbc, zero, zero, NULL) != 1) return GAP_E_LIBCRYPTO;
    /* With padding on, decryption keeps the last block back. */
    if (EVP_CIPHER_CTX_set_padding(c->ecb_decrypt, 0) != 1) return GAP_E_LIBCRYPTO;
    if (EVP_CIPHER_CTX_set_padding(c->cbc_encrypt, 0) != 1) return GAP_E_LIBCRYPTO;
    return 0;
}

int gap_crypto_init(gap_crypto_t *c)
{
    int r = GAP_E_LIBCRYPTO;

    memset(c, 0, sizeof *c);
    c->sha1_md = EVP_MD_fetch(NULL, "SHA1", NULL);
    c->sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
    c->ecb = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    c->cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (c->sha1_md != NULL && c->sha256_md != NULL && c->ecb != NULL && c->cbc != NULL)
        r = make_contexts(c);
    if (r < 0) {
        gap_crypto_fini(c);
        return r;
    }
    gap_crypto_use_aesni(c, true);
    return 0;
}

void gap_crypto_fini(gap_crypto_t *c)
{
    EVP_CIPHER_CTX_free(c->cbc_encrypt);
    EVP_CIPHER_CTX_free(c->ecb_decrypt);
    EVP_MD_CTX_free(c->sha256);
    EVP_MD_CTX_free(c->sha1);
    EVP_CIPHER_free(c->cbc);
    EVP_CIPHER_free(c->ecb);
    EVP_MD_free(c->sha256_md);
    EVP_MD_free(c->sha1_md);
    memset(c, 0, sizeof *c);
}

void gap_crypto_use_aesni(gap_crypto_t *c, bool on)
{
    c->aesni = on && gap_aesni_available();
}

static int hash(EVP_MD_CTX *ctx, const gap_bytes_t *pieces, size_t count, uint8_t *out)
{
    if (EVP_DigestInit_ex2(ctx, NULL, NULL) != 1) return GAP_E_LIBCRYPTO;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].len == 0) continue;
        if (EVP_DigestUpdate(ctx, pieces[i].data, pieces[i].len) != 1) return GAP_E_LIBCRYPTO;
    }
    return EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? 0 : GAP_E_LIBCRYPTO;
}

int gap_sha1(gap_crypto_t *c, const gap_bytes_t *pieces, size_t count, uint8_t out[GAP_SHA1_BYTES])
{
    return hash(c->sha1, pieces, count, out);
}

int gap_sha256(gap_crypto_t *c, const gap_bytes_t *pieces, size_t count,
               uint8_t out[GAP_SHA256_BYTES])
{
    return hash(c->sha256, pieces, count, out);
}

int gap_sha256_begin(gap_crypto_t *c)
{
    return EVP_DigestInit_ex2(c->sha256, NULL, NULL) == 1 ? 0 : GAP_E_LIBCRYPTO;
}

int gap_sha256_update(gap_crypto_t *c, const uint8_t *data, size_t len)
{
    return EVP_DigestUpdate(c->sha256, data, len) == 1 ? 0 : GAP_E_LIBCRYPTO;
}

int gap_sha256_end(gap_crypto_t *c, uint8_t out[GAP_SHA256_BYTES])
{
    return EVP_DigestFinal_ex(c->sha256, out, NULL) == 1 ? 0 : GAP_E_LIBCRYPTO;
}

bool gap_secret_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
