/*
 * crypto/keyed.c - SipHash-2-4-128 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", and
 * its variant with 128 bits of result) and HMAC-SHA256, which is OpenSSL's.
 *
 * SipHash is written out because OpenSSL's may be left out of a build, and costs more to set up
 * than the whole hash of a name.
 */
#include "crypto/keyed.h"

#include "base/bytes.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

static inline uint64_t rotate(uint64_t x, unsigned by)
{
    return (x << by) | (x >> (64 - by));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static inline void compress(gap_siphash_t *h, uint64_t word)
{
    h->v[3] ^= word;
    sip_round(h->v);
    sip_round(h->v);
    h->v[0] ^= word;
}

void gap_siphash_begin(gap_siphash_t *h, const uint8_t key[16])
{
    uint64_t k0 = gap_load64(key);
    uint64_t k1 = gap_load64(key + 8);

    h->v[0] = k0 ^ UINT64_C(0x736f6d6570736575);
    h->v[1] = k1 ^ UINT64_C(0x646f72616e646f6d) ^ 0xee; /* 0xee: 128 bits are wanted */
    h->v[2] = k0 ^ UINT64_C(0x6c7967656e657261);
    h->v[3] = k1 ^ UINT64_C(0x7465646279746573);
    h->tail = 0;
    h->len = 0;
}

void gap_siphash_update(gap_siphash_t *h, const void *data, size_t len)
{
    const uint8_t *p = data;

    while (len > 0 && (h->len & 7) != 0) {
        h->tail |= (uint64_t)*p << (8 * (h->len & 7));
        h->len++;
        p++;
        len--;
        if ((h->len & 7) != 0) continue;
        compress(h, h->tail);
        h->tail = 0;
    }
    for (; len >= 8; len -= 8, p += 8, h->len += 8) compress(h, gap_load64(p));
    for (; len > 0; len--, p++, h->len++) h->tail |= (uint64_t)*p << (8 * (h->len & 7));
}

void gap_siphash_update64(gap_siphash_t *h, uint64_t value)
{
    uint8_t bytes[8];

    gap_store64(bytes, value);
    gap_siphash_update(h, bytes, sizeof bytes);
}

void gap_siphash_end(gap_siphash_t *h, uint8_t out[GAP_SIPHASH_BYTES])
{
    compress(h, h->tail | h->len << 56);
    h->v[2] ^= 0xee;
    for (int i = 0; i < 4; i++) sip_round(h->v);
    gap_store64(out, h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3]);
    h->v[1] ^= 0xdd;
    for (int i = 0; i < 4; i++) sip_round(h->v);
    gap_store64(out + 8, h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3]);
}

/* H((key ^ opad) | H((key ^ ipad) | message)), RFC 2104; the key is shorter than a block. */
int gap_hmac_sha256(const uint8_t key[32], const gap_bytes_t *pieces, size_t count,
                    uint8_t out[GAP_SHA256_BYTES])
{
    uint8_t block[64] = {0};
    unsigned len = GAP_SHA256_BYTES;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL;

    memcpy(block, key, 32);
    for (size_t i = 0; i < sizeof block; i++) block[i] ^= 0x36;
    good = good && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
           EVP_DigestUpdate(ctx, block, sizeof block) == 1;
    for (size_t i = 0; good && i < count; i++)
        good = pieces[i].len == 0 || EVP_DigestUpdate(ctx, pieces[i].data, pieces[i].len) == 1;
    good = good && EVP_DigestFinal_ex(ctx, out, &len) == 1;
    for (size_t i = 0; i < sizeof block; i++) block[i] ^= 0x36 ^ 0x5c;
    good = good && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
           EVP_DigestUpdate(ctx, block, sizeof block) == 1 &&
           EVP_DigestUpdate(ctx, out, GAP_SHA256_BYTES) == 1 &&
           EVP_DigestFinal_ex(ctx, out, &len) == 1;
    OPENSSL_cleanse(block, sizeof block);
    EVP_MD_CTX_free(ctx);
    return good ? 0 : GAP_E_LIBCRYPTO;
}
