/*
 * crypto/auth_key.c - derivations of the key exchange. Owns nothing; intermediate hashes of secrets
 * are wiped.
 */
#include "crypto/auth_key.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "crypto/ige.h"

int gap_auth_key_derive(gap_crypto_t *c, gap_auth_key_t *k)
{
    uint8_t h[GAP_SHA1_BYTES];
    gap_bytes_t piece = gap_bytes(k->key, sizeof k->key);
    int r = gap_sha1(c, &piece, 1, h);
    if (r < 0) return r;
    k->aux_hash = (int64_t)gap_load64(h);
    k->id = (int64_t)gap_load64(h + 12);
    gap_wipe(h, sizeof h);
    return 0;
}

static int sha1_pair(gap_crypto_t *c, const uint8_t *a, size_t a_len, const uint8_t *b,
                     size_t b_len, uint8_t out[GAP_SHA1_BYTES])
{
    gap_bytes_t pieces[2] = {{a, a_len}, {b, b_len}};
    return gap_sha1(c, pieces, 2, out);
}

int gap_dh_tmp_aes(gap_crypto_t *c, const uint8_t new_nonce[32], const uint8_t server_nonce[16],
                   uint8_t key[32], uint8_t iv[32])
{
    uint8_t ns[GAP_SHA1_BYTES];
    uint8_t sn[GAP_SHA1_BYTES];
    uint8_t nn[GAP_SHA1_BYTES];
    int r = sha1_pair(c, new_nonce, 32, server_nonce, 16, ns);
    if (r == 0) r = sha1_pair(c, server_nonce, 16, new_nonce, 32, sn);
    if (r == 0) r = sha1_pair(c, new_nonce, 32, new_nonce, 32, nn);
    if (r < 0) goto out;
    memcpy(key, ns, 20);
    memcpy(key + 20, sn, 12);
    memcpy(iv, sn + 12, 8);
    memcpy(iv + 8, nn, 20);
    memcpy(iv + 28, new_nonce, 4);
out:
    gap_wipe(ns, sizeof ns);
    gap_wipe(sn, sizeof sn);
    gap_wipe(nn, sizeof nn);
    return r;
}

int gap_new_nonce_hash(gap_crypto_t *c, const uint8_t new_nonce[32], uint8_t n, int64_t aux_hash,
                       uint8_t out[16])
{
    uint8_t h[GAP_SHA1_BYTES];
    uint8_t tail[9];

    tail[0] = n;
    gap_store64(tail + 1, (uint64_t)aux_hash);
    int r = sha1_pair(c, new_nonce, 32, tail, sizeof tail, h);
    if (r == 0) memcpy(out, h + 4, 16);
    gap_wipe(tail, sizeof tail);
    return r;
}

int64_t gap_first_salt(const uint8_t new_nonce[32], const uint8_t server_nonce[16])
{
    return (int64_t)(gap_load64(new_nonce) ^ gap_load64(server_nonce));
}

int64_t gap_dh_seal(gap_crypto_t *c, const uint8_t key[32], const uint8_t iv[32],
                    const gap_random_t *random, gap_bytes_t data, uint8_t *out)
{
    size_t used = GAP_SHA1_BYTES + data.len;
    size_t len = (used + 15) / 16 * 16;
    int r = gap_sha1(c, &data, 1, out);
    if (r < 0) return r;
    memcpy(out + GAP_SHA1_BYTES, data.data, data.len);
    r = gap_random_fill(random, out + used, len - used);
    if (r == 0) r = gap_ige_encrypt(c, key, iv, out, out, len);
    if (r < 0) {
        gap_wipe(out, len);
        return r;
    }
    return (int64_t)len;
}

int gap_dh_open(gap_crypto_t *c, const uint8_t key[32], const uint8_t iv[32], gap_bytes_t sealed,
                uint8_t *out)
{
    if (sealed.len % 16 != 0 || sealed.len <= GAP_SHA1_BYTES) return GAP_E_CRYPTO;
    return gap_ige_decrypt(c, key, iv, sealed.data, out, sealed.len);
}

int gap_dh_verify(gap_crypto_t *c, const uint8_t *opened, size_t len, size_t data_len)
{
    uint8_t h[GAP_SHA1_BYTES];

    if (len < GAP_SHA1_BYTES || data_len > len - GAP_SHA1_BYTES) return GAP_E_CRYPTO;
    if (len - GAP_SHA1_BYTES - data_len > 15) return GAP_E_CRYPTO;
    gap_bytes_t data = gap_bytes(opened + GAP_SHA1_BYTES, data_len);
    int r = gap_sha1(c, &data, 1, h);
    if (r < 0) return r;
    return gap_secret_equal(h, opened, GAP_SHA1_BYTES) ? 0 : GAP_E_CRYPTO;
}
