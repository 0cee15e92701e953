/*
 * crypto/rsa_pad.c - the paddings around the bare RSA operation, both ends.
 *
 * Owns nothing; every intermediate value that tells something about the data is wiped.
 */
#include "crypto/rsa.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "crypto/ige.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#define TEMP_KEY 32
#define SEALED   (GAP_RSA_PAD_BYTES + GAP_SHA256_BYTES) /* 224 */
/* A temporary key fails only when its block is not below the modulus: at worst every second one. */
#define ATTEMPTS_MAX 64

static const uint8_t zero_iv[32];

static void reverse(uint8_t *bytes, size_t len)
{
    for (size_t i = 0, j = len - 1; i < j; i++, j--) {
        uint8_t b = bytes[i];
        bytes[i] = bytes[j];
        bytes[j] = b;
    }
}

/* temp_key ^ SHA256(aes_encrypted): hides the key, or gives it back. */
static int mask_key(gap_crypto_t *c, const uint8_t in[TEMP_KEY], const uint8_t *sealed,
                    uint8_t out[TEMP_KEY])
{
    uint8_t h[GAP_SHA256_BYTES];
    gap_bytes_t piece = gap_bytes(sealed, SEALED);
    int r = gap_sha256(c, &piece, 1, h);
    if (r < 0) return r;
    for (int i = 0; i < TEMP_KEY; i++) out[i] = in[i] ^ h[i];
    return 0;
}

static int hash_padded(gap_crypto_t *c, const uint8_t temp_key[TEMP_KEY],
                       const uint8_t padded[GAP_RSA_PAD_BYTES], uint8_t out[GAP_SHA256_BYTES])
{
    const gap_bytes_t pieces[2] = {{temp_key, TEMP_KEY}, {padded, GAP_RSA_PAD_BYTES}};
    return gap_sha256(c, pieces, 2, out);
}

/* One attempt: the 256-byte block that goes through RSA. */
static int seal(gap_crypto_t *c, const uint8_t temp_key[TEMP_KEY],
                const uint8_t padded[GAP_RSA_PAD_BYTES], uint8_t block[GAP_RSA_BYTES])
{
    uint8_t *sealed = block + TEMP_KEY;

    memcpy(sealed, padded, GAP_RSA_PAD_BYTES);
    reverse(sealed, GAP_RSA_PAD_BYTES);
    int r = hash_padded(c, temp_key, padded, sealed + GAP_RSA_PAD_BYTES);
    if (r == 0) r = gap_ige_encrypt(c, temp_key, zero_iv, sealed, sealed, SEALED);
    if (r == 0) r = mask_key(c, temp_key, sealed, block);
    return r;
}

static int raw_rsa(const gap_rsa_key_t *key, bool decrypt, const uint8_t in[GAP_RSA_BYTES],
                   uint8_t out[GAP_RSA_BYTES])
{
    size_t out_len = GAP_RSA_BYTES;
    int r = GAP_E_LIBCRYPTO;

    ERR_set_mark();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (ctx == NULL) goto out;
    if ((decrypt ? EVP_PKEY_decrypt_init(ctx) : EVP_PKEY_encrypt_init(ctx)) != 1) goto out;
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) != 1) goto out;
    int ok = decrypt ? EVP_PKEY_decrypt(ctx, out, &out_len, in, GAP_RSA_BYTES)
                     : EVP_PKEY_encrypt(ctx, out, &out_len, in, GAP_RSA_BYTES);
    if (ok == 1 && out_len == GAP_RSA_BYTES) r = 0;
out:
    EVP_PKEY_CTX_free(ctx);
    ERR_pop_to_mark();
    return r;
}

int gap_rsa_pad_encrypt(gap_crypto_t *c, const gap_rsa_key_t *key, gap_bytes_t data,
                        const gap_random_t *random, uint8_t out[GAP_RSA_BYTES])
{
    uint8_t padded[GAP_RSA_PAD_BYTES] = {0};
    uint8_t temp_key[TEMP_KEY];
    uint8_t block[GAP_RSA_BYTES];

    if (data.len > GAP_RSA_PAD_DATA_MAX) return GAP_E_ARGUMENT;
    if (data.len > 0) memcpy(padded, data.data, data.len);
    int r = gap_random_fill(random, padded + data.len, sizeof padded - data.len);
    if (r < 0) goto out;
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        r = gap_random_fill(random, temp_key, sizeof temp_key);
        if (r == 0) r = seal(c, temp_key, padded, block);
        if (r < 0) goto out;
        if (memcmp(block, key->modulus, GAP_RSA_BYTES) < 0) {
            r = raw_rsa(key, false, block, out);
            goto out;
        }
    }
    r = GAP_E_CRYPTO;
out:
    gap_wipe(padded, sizeof padded);
    gap_wipe(temp_key, sizeof temp_key);
    gap_wipe(block, sizeof block);
    return r;
}

int gap_rsa_decrypt(const gap_rsa_key_t *key, gap_bytes_t in, uint8_t out[GAP_RSA_BYTES])
{
    if (!key->is_private) return GAP_E_ARGUMENT;
    if (in.len != GAP_RSA_BYTES) return GAP_E_CRYPTO;
    if (memcmp(in.data, key->modulus, GAP_RSA_BYTES) >= 0) return GAP_E_CRYPTO;
    return raw_rsa(key, true, in.data, out);
}

int gap_rsa_pad_open(gap_crypto_t *c, const uint8_t raw[GAP_RSA_BYTES],
                     uint8_t out[GAP_RSA_PAD_BYTES])
{
    uint8_t temp_key[TEMP_KEY];
    uint8_t plain[SEALED] = {0};
    uint8_t h[GAP_SHA256_BYTES];

    int r = mask_key(c, raw, raw + TEMP_KEY, temp_key);
    if (r == 0) r = gap_ige_decrypt(c, temp_key, zero_iv, raw + TEMP_KEY, plain, SEALED);
    if (r < 0) goto out;
    reverse(plain, GAP_RSA_PAD_BYTES);
    r = hash_padded(c, temp_key, plain, h);
    if (r < 0) goto out;
    if (gap_secret_equal(h, plain + GAP_RSA_PAD_BYTES, sizeof h)) {
        memcpy(out, plain, GAP_RSA_PAD_BYTES);
    } else {
        r = GAP_E_CRYPTO;
    }
out:
    gap_wipe(temp_key, sizeof temp_key);
    gap_wipe(plain, sizeof plain);
    return r;
}

int gap_rsa_legacy_open(gap_crypto_t *c, const uint8_t raw[GAP_RSA_BYTES], gap_bytes_t *data)
{
    const uint8_t *hash = raw + 1;
    const uint8_t *at = hash + GAP_SHA1_BYTES;
    const size_t room = GAP_RSA_BYTES - 1 - GAP_SHA1_BYTES;
    uint8_t h[GAP_SHA1_BYTES];

    if (raw[0] != 0) return GAP_E_CRYPTO;
    for (size_t len = 4; len <= room; len += 4) {
        gap_bytes_t piece = gap_bytes(at, len);
        int r = gap_sha1(c, &piece, 1, h);
        if (r < 0) return r;
        if (gap_secret_equal(h, hash, sizeof h)) {
            *data = piece;
            return 0;
        }
    }
    return GAP_E_CRYPTO;
}
