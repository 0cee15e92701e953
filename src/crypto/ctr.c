/*
 * crypto/ctr.c - AES-256 in counter mode on OpenSSL's EVP.
 * Owns a context. Never fails on what the bytes are: every byte is a fine ciphertext.
 */
#include "crypto/ctr.h"

#include <limits.h>
#include <openssl/evp.h>

int gap_ctr_init(gap_ctr_t *s, const uint8_t key[32], const uint8_t iv[16])
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-CTR", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int r = GAP_E_LIBCRYPTO;

    if (cipher != NULL && ctx != NULL && EVP_EncryptInit_ex2(ctx, cipher, key, iv, NULL) == 1) {
        s->ctx = ctx;
        ctx = NULL;
        r = 0;
    }
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    return r;
}

int gap_ctr_crypt(gap_ctr_t *s, uint8_t *data, size_t len)
{
    while (len > 0) {
        int n = len > INT_MAX / 2 ? INT_MAX / 2 : (int)len;
        int done = 0;
        if (EVP_EncryptUpdate(s->ctx, data, &done, data, n) != 1 || done != n)
            return GAP_E_LIBCRYPTO;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

void gap_ctr_fini(gap_ctr_t *s)
{
    EVP_CIPHER_CTX_free(s->ctx);
    s->ctx = NULL;
}
