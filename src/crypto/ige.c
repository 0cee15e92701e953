/*
 * crypto/ige.c - the portable way to compute AES-256-IGE, and the choice between it and the
 * processor's AES instructions (ige_x86.c).
 *
 * Portable decryption goes block by block through ECB. Portable encryption is one CBC call: with
 * d[i] = c[i] ^ p[i-1] the rule becomes d[i] = E((p[i] ^ p[i-2]) ^ d[i-1]), which is CBC over
 * p[i] ^ p[i-2]. AES_ige_encrypt of OpenSSL is neither used nor wanted: deprecated, and it does not
 * know the AES instructions.
 */
#include "crypto/ige.h"

#include "base/alloc.h"
#include "crypto/ige_x86.h"

#include <openssl/evp.h>
#include <string.h>

#define BLOCK 16
/* Bytes that go through CBC at a time: on the stack, wiped afterwards. */
#define CBC_CHUNK 2048
/* Bytes decrypted between two calls of the hash: two of its blocks. */
#define HASH_CHUNK 128

static inline void xor_block(uint8_t *out, const uint8_t *a, const uint8_t *b)
{
    uint64_t x[2];
    uint64_t y[2];

    memcpy(x, a, BLOCK);
    memcpy(y, b, BLOCK);
    x[0] ^= y[0];
    x[1] ^= y[1];
    memcpy(out, x, BLOCK);
}

static int portable_encrypt(gap_crypto_t *c, const uint8_t key[32], const uint8_t iv[32],
                            const uint8_t *in, uint8_t *out, size_t len)
{
    uint8_t d[CBC_CHUNK];
    uint8_t before[2][BLOCK] = {{0}}; /* p[i-2], p[i-1] at the start of the chunk */
    uint8_t after[2][BLOCK];
    int n;
    int r = GAP_E_LIBCRYPTO;

    memcpy(before[1], iv + BLOCK, BLOCK);
    if (EVP_EncryptInit_ex2(c->cbc_encrypt, NULL, key, iv, NULL) != 1) goto out;
    while (len > 0) {
        size_t chunk = len < CBC_CHUNK ? len : CBC_CHUNK;
        for (size_t i = 0; i < chunk; i += BLOCK)
            xor_block(d + i, in + i, i >= 2 * BLOCK ? in + i - 2 * BLOCK : before[i / BLOCK]);
        if (EVP_EncryptUpdate(c->cbc_encrypt, d, &n, d, (int)chunk) != 1) goto out;
        memcpy(after[1], in + chunk - BLOCK, BLOCK);
        memcpy(after[0], chunk > BLOCK ? in + chunk - 2 * BLOCK : before[1], BLOCK);
        /* Backwards: in place, p[i-1] is still there when c[i] needs it. */
        for (size_t i = chunk - BLOCK; i > 0; i -= BLOCK) xor_block(out + i, d + i, in + i - BLOCK);
        xor_block(out, d, before[1]);
        memcpy(before, after, sizeof before);
        in += chunk;
        out += chunk;
        len -= chunk;
    }
    r = 0;
out:
    gap_wipe(d, sizeof d);
    gap_wipe(before, sizeof before);
    gap_wipe(after, sizeof after);
    return r;
}

static int portable_decrypt(gap_crypto_t *c, const uint8_t key[32], const uint8_t iv[32],
                            const uint8_t *in, uint8_t *out, size_t len)
{
    uint8_t chain[2][BLOCK]; /* ciphertext and plaintext of the block before */
    uint8_t cipher[BLOCK];
    uint8_t x[BLOCK];
    int n;
    int r = GAP_E_LIBCRYPTO;

    memcpy(chain, iv, sizeof chain);
    if (EVP_DecryptInit_ex2(c->ecb_decrypt, NULL, key, NULL, NULL) != 1) goto out;
    for (; len > 0; len -= BLOCK, in += BLOCK, out += BLOCK) {
        memcpy(cipher, in, BLOCK);
        xor_block(x, cipher, chain[1]);
        if (EVP_DecryptUpdate(c->ecb_decrypt, x, &n, x, BLOCK) != 1) goto out;
        xor_block(chain[1], x, chain[0]);
        memcpy(chain[0], cipher, BLOCK);
        memcpy(out, chain[1], BLOCK);
    }
    r = 0;
out:
    gap_wipe(chain, sizeof chain);
    gap_wipe(x, sizeof x);
    return r;
}

int gap_ige_encrypt(gap_crypto_t *c, const uint8_t key[32], const uint8_t iv[32], const uint8_t *in,
                    uint8_t *out, size_t len)
{
    gap_ige_x86_t s;

    if (len % BLOCK != 0) return GAP_E_ARGUMENT;
    if (len == 0) return 0;
    if (!c->aesni) return portable_encrypt(c, key, iv, in, out, len);
    gap_ige_x86_encrypt_init(&s, key, iv);
    gap_ige_x86_encrypt(&s, in, out, len / BLOCK);
    gap_wipe(&s, sizeof s);
    return 0;
}

int gap_ige_decrypt(gap_crypto_t *c, const uint8_t key[32], const uint8_t iv[32], const uint8_t *in,
                    uint8_t *out, size_t len)
{
    gap_ige_x86_t s;

    if (len % BLOCK != 0) return GAP_E_ARGUMENT;
    if (len == 0) return 0;
    if (!c->aesni) return portable_decrypt(c, key, iv, in, out, len);
    gap_ige_x86_decrypt_init(&s, key, iv);
    gap_ige_x86_decrypt(&s, in, out, len / BLOCK);
    gap_wipe(&s, sizeof s);
    return 0;
}

int gap_ige_decrypt_hash(gap_crypto_t *c, const uint8_t key[32], const uint8_t iv[32],
                         uint8_t *data, size_t len)
{
    gap_ige_x86_t s;
    size_t at = 0;
    size_t chunk = 2 * BLOCK;
    int r;

    if (len % BLOCK != 0) return GAP_E_ARGUMENT;
    if (!c->aesni) {
        r = gap_ige_decrypt(c, key, iv, data, data, len);
        return r < 0 ? r : gap_sha256_update(c, data, len);
    }
    gap_ige_x86_decrypt_init(&s, key, iv);
    for (r = 0; at < len && r == 0; at += chunk, chunk = HASH_CHUNK) {
        if (chunk > len - at) chunk = len - at;
        gap_ige_x86_decrypt(&s, data + at, data + at, chunk / BLOCK);
        r = gap_sha256_update(c, data + at, chunk);
    }
    gap_wipe(&s, sizeof s);
    return r;
}
