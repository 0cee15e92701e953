/*
 * crypto/rsa.c - RSA keys in and out of PEM, and their fingerprints. The paddings are in rsa_pad.c.
 *
 * Owns an EVP_PKEY per key. Never leaves its own complaints in OpenSSL's error queue, which belongs
 * to the host program.
 */
#include "crypto/rsa.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define RSA_BITS (GAP_RSA_BYTES * 8)

/* Bytes as TL writes them: one length byte or four, the data, zeros up to a multiple of 4. */
static size_t tl_bytes(const uint8_t *data, size_t len, uint8_t *out)
{
    size_t head = len < 254 ? 1 : 4;
    size_t total = (head + len + 3) / 4 * 4;

    memset(out, 0, total);
    if (head == 1) {
        out[0] = (uint8_t)len;
    } else {
        gap_store32(out, (uint32_t)(len << 8) | 0xfeU);
    }
    memcpy(out + head, data, len);
    return total;
}

static int fingerprint(gap_crypto_t *c, const gap_rsa_key_t *key, const BIGNUM *e, int64_t *out)
{
    uint8_t tl[2 * (GAP_RSA_BYTES + 8)];
    uint8_t exponent[GAP_RSA_BYTES];
    uint8_t h[GAP_SHA1_BYTES];

    int e_len = BN_bn2bin(e, exponent);
    size_t n = tl_bytes(key->modulus, GAP_RSA_BYTES, tl);
    n += tl_bytes(exponent, (size_t)e_len, tl + n);
    gap_bytes_t piece = gap_bytes(tl, n);
    int r = gap_sha1(c, &piece, 1, h);
    if (r == 0) *out = (int64_t)gap_load64(h + 12);
    return r;
}

/* Take over @p pkey, also on failure. */
static int adopt(gap_crypto_t *c, EVP_PKEY *pkey, bool is_private, gap_rsa_key_t *out)
{
    gap_rsa_key_t key = {.pkey = pkey, .is_private = is_private};
    BIGNUM *n = NULL;
    BIGNUM *e = NULL;
    int r = GAP_E_PEM;

    if (pkey == NULL || !EVP_PKEY_is_a(pkey, "RSA")) goto out;
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) != 1) goto out;
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1) goto out;
    if (BN_num_bits(n) != RSA_BITS || BN_is_odd(n) == 0) goto out;
    if (BN_num_bits(e) > 64 || BN_is_odd(e) == 0 || BN_is_one(e)) goto out;
    r = GAP_E_LIBCRYPTO;
    if (BN_bn2binpad(n, key.modulus, GAP_RSA_BYTES) != GAP_RSA_BYTES) goto out;
    r = fingerprint(c, &key, e, &key.fingerprint);
out:
    BN_free(e);
    BN_free(n);
    if (r < 0) {
        EVP_PKEY_free(pkey);
    } else {
        *out = key;
    }
    return r;
}

/* DER of the first PEM block whose name is one of two. @return its index, or GAP_E_PEM. */
static int read_pem(gap_bytes_t pem, const char *const names[2], uint8_t **der, long *der_len)
{
    int found = GAP_E_PEM;
    char *name = NULL;
    char *header = NULL;

    if (pem.len == 0 || pem.len > INT32_MAX) return GAP_E_PEM;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    if (bio == NULL) return GAP_E_LIBCRYPTO;
    if (PEM_read_bio(bio, &name, &header, der, der_len) == 1) {
        for (int i = 0; i < 2 && found < 0; i++)
            if (strcmp(name, names[i]) == 0 && header[0] == '\0') found = i;
        if (found < 0) {
            OPENSSL_clear_free(*der, (size_t)*der_len);
            *der = NULL;
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
    }
    BIO_free(bio);
    return found;
}

int gap_rsa_public_from_pem(gap_crypto_t *c, gap_bytes_t pem, gap_rsa_key_t *out)
{
    static const char *const names[2] = {"RSA PUBLIC KEY", "PUBLIC KEY"};
    uint8_t *der = NULL;
    long der_len = 0;

    ERR_set_mark();
    int r = read_pem(pem, names, &der, &der_len);
    if (r >= 0) {
        const uint8_t *at = der;
        EVP_PKEY *pkey = r == 0 ? d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, der_len)
                                : d2i_PUBKEY(NULL, &at, der_len);
        r = adopt(c, pkey, false, out);
        OPENSSL_free(der);
    }
    ERR_pop_to_mark();
    return r;
}

int gap_rsa_private_from_pem(gap_crypto_t *c, gap_bytes_t pem, gap_rsa_key_t *out)
{
    static const char *const names[2] = {"RSA PRIVATE KEY", "PRIVATE KEY"};
    uint8_t *der = NULL;
    long der_len = 0;

    ERR_set_mark();
    int r = read_pem(pem, names, &der, &der_len);
    if (r >= 0) {
        const uint8_t *at = der;
        r = adopt(c, d2i_AutoPrivateKey(NULL, &at, der_len), true, out);
        OPENSSL_clear_free(der, (size_t)der_len);
    }
    ERR_pop_to_mark();
    return r;
}

int gap_rsa_public_from_numbers(gap_crypto_t *c, gap_bytes_t modulus, gap_bytes_t exponent,
                                gap_rsa_key_t *out)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = NULL;
    int r = GAP_E_LIBCRYPTO;

    if (modulus.len > GAP_RSA_BYTES || exponent.len > GAP_RSA_BYTES) return GAP_E_PEM;
    ERR_set_mark();
    BIGNUM *n = BN_bin2bn(modulus.data, (int)modulus.len, NULL);
    BIGNUM *e = BN_bin2bn(exponent.data, (int)exponent.len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (n == NULL || e == NULL || build == NULL || ctx == NULL) goto out;
    if (OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) != 1) goto out;
    if (OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) != 1) goto out;
    params = OSSL_PARAM_BLD_to_param(build);
    if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1) goto out;
    r = GAP_E_PEM;
    if (EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1)
        r = adopt(c, pkey, false, out);
out:
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_BLD_free(build);
    BN_free(e);
    BN_free(n);
    ERR_pop_to_mark();
    return r;
}

int gap_rsa_generate(gap_crypto_t *c, gap_rsa_key_t *out)
{
    enum { TRIES = 64 };
    gap_rsa_key_t key;

    for (int i = 0; i < TRIES; i++) {
        ERR_set_mark();
        EVP_PKEY *pkey = EVP_RSA_gen(RSA_BITS);
        ERR_pop_to_mark();
        if (pkey == NULL) return GAP_E_LIBCRYPTO;
        int r = adopt(c, pkey, true, &key);
        if (r < 0) return GAP_E_LIBCRYPTO;
        if (((uint64_t)key.fingerprint >> 60) != 0) {
            *out = key;
            return 0;
        }
        gap_rsa_fini(&key);
    }
    return GAP_E_LIBCRYPTO;
}

void gap_rsa_fini(gap_rsa_key_t *key)
{
    EVP_PKEY_free(key->pkey);
    memset(key, 0, sizeof *key);
}

static int write_pem(const gap_rsa_key_t *key, bool private_half, gap_buf_t *out)
{
    uint8_t *der = NULL;
    char *text = NULL;
    int r = GAP_E_LIBCRYPTO;
    int ok = 0;

    ERR_set_mark();
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) goto out;
    if (private_half) {
        ok = PEM_write_bio_PrivateKey_traditional(bio, key->pkey, NULL, NULL, 0, NULL, NULL);
    } else {
        int len = i2d_PublicKey(key->pkey, &der);
        if (len > 0) ok = PEM_write_bio(bio, "RSA PUBLIC KEY", "", der, len) > 0;
    }
    long text_len = BIO_get_mem_data(bio, &text);
    if (ok == 1 && text_len > 0) r = gap_buf_append(out, text, (size_t)text_len);
    if (text != NULL && text_len > 0) gap_wipe(text, (size_t)text_len);
out:
    OPENSSL_free(der);
    BIO_free(bio);
    ERR_pop_to_mark();
    return r;
}

int gap_rsa_public_pem(const gap_rsa_key_t *key, gap_buf_t *out)
{
    return write_pem(key, false, out);
}

int gap_rsa_private_pem(const gap_rsa_key_t *key, gap_buf_t *out)
{
    if (!key->is_private) return GAP_E_ARGUMENT;
    return write_pem(key, true, out);
}
