/* bench/serial_limit.c - what one packet costs OpenSSL at least when nothing overlaps. */
#include "bench/serial_limit.h"

#include <openssl/evp.h>
#include <string.h>

static const uint8_t key_and_iv[48] = {1};

int bench_serial_limit_init(bench_serial_limit_t *s)
{
    memset(s, 0, sizeof *s);
    s->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    s->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    s->cipher_ctx = EVP_CIPHER_CTX_new();
    s->md_ctx = EVP_MD_CTX_new();
    if (s->cipher == NULL || s->md == NULL || s->cipher_ctx == NULL || s->md_ctx == NULL)
        return GAP_E_LIBCRYPTO;
    if (EVP_EncryptInit_ex2(s->cipher_ctx, s->cipher, key_and_iv, key_and_iv + 32, NULL) != 1)
        return GAP_E_LIBCRYPTO;
    if (EVP_CIPHER_CTX_set_padding(s->cipher_ctx, 0) != 1) return GAP_E_LIBCRYPTO;
    return EVP_DigestInit_ex2(s->md_ctx, s->md, NULL) == 1 ? 0 : GAP_E_LIBCRYPTO;
}

void bench_serial_limit_fini(bench_serial_limit_t *s)
{
    EVP_CIPHER_CTX_free(s->cipher_ctx);
    EVP_MD_CTX_free(s->md_ctx);
    EVP_CIPHER_free(s->cipher);
    EVP_MD_free(s->md);
    memset(s, 0, sizeof *s);
}

int bench_serial_limit_run(bench_serial_limit_t *s, uint8_t *data, size_t len)
{
    uint8_t hash[32];
    int n;

    if (EVP_EncryptUpdate(s->cipher_ctx, data, &n, data, (int)len) != 1) return GAP_E_LIBCRYPTO;
    if (EVP_DigestInit_ex2(s->md_ctx, NULL, NULL) != 1) return GAP_E_LIBCRYPTO;
    if (EVP_DigestUpdate(s->md_ctx, data, len) != 1) return GAP_E_LIBCRYPTO;
    return EVP_DigestFinal_ex(s->md_ctx, hash, NULL) == 1 ? 0 : GAP_E_LIBCRYPTO;
}
