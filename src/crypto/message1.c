/*
 * crypto/message1.c - opening messages of MTProto 1.0.
 * Owns nothing. Never used for traffic: what it protects is the binding of a key.
 */
#include "crypto/message1.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "crypto/ige.h"

#include <string.h>

#define MSG_KEY_LEN 16
#define BLOCK       16

int gap_message1_derive(gap_crypto_t *c, const gap_auth_key_t *key, gap_direction_t direction,
                        const uint8_t msg_key[16], uint8_t aes_key[32], uint8_t aes_iv[32])
{
    const uint8_t *k = key->key + direction;
    const gap_bytes_t m = {msg_key, MSG_KEY_LEN};
    const gap_bytes_t for_a[2] = {m, {k, 32}};
    const gap_bytes_t for_b[3] = {{k + 32, 16}, m, {k + 48, 16}};
    const gap_bytes_t for_c[2] = {{k + 64, 32}, m};
    const gap_bytes_t for_d[2] = {m, {k + 96, 32}};
    uint8_t h[4][GAP_SHA1_BYTES];
    int r = gap_sha1(c, for_a, 2, h[0]);

    if (r == 0) r = gap_sha1(c, for_b, 3, h[1]);
    if (r == 0) r = gap_sha1(c, for_c, 2, h[2]);
    if (r == 0) r = gap_sha1(c, for_d, 2, h[3]);
    if (r == 0) {
        memcpy(aes_key, h[0], 8);
        memcpy(aes_key + 8, h[1] + 8, 12);
        memcpy(aes_key + 20, h[2] + 4, 12);
        memcpy(aes_iv, h[0] + 8, 12);
        memcpy(aes_iv + 12, h[1], 8);
        memcpy(aes_iv + 20, h[2] + 16, 4);
        memcpy(aes_iv + 24, h[3], 8);
    }
    gap_wipe(h, sizeof h);
    return r;
}

int gap_message1_key(gap_crypto_t *c, gap_bytes_t plain, uint8_t msg_key[16])
{
    uint8_t h[GAP_SHA1_BYTES];
    int r = gap_sha1(c, &plain, 1, h);

    if (r == 0) memcpy(msg_key, h + 4, MSG_KEY_LEN);
    return r;
}

/* Hash and lengths of a plaintext. */
static int check(gap_crypto_t *c, const uint8_t *msg_key, const uint8_t *plain, size_t len)
{
    const size_t room = len - GAP_MESSAGE1_HEAD_BYTES;
    const size_t body_len = gap_load32(plain + 28); /* a negative length is a huge one */
    uint8_t ours[MSG_KEY_LEN];

    if (body_len > room || body_len % 4 != 0 || room - body_len >= BLOCK) return GAP_E_CRYPTO;
    int r = gap_message1_key(c, gap_bytes(plain, GAP_MESSAGE1_HEAD_BYTES + body_len), ours);
    if (r < 0) return r;
    return gap_secret_equal(ours, msg_key, MSG_KEY_LEN) ? 0 : GAP_E_CRYPTO;
}

int gap_message1_open(gap_crypto_t *c, const gap_auth_key_t *key, gap_bytes_t packet,
                      uint8_t *plain, gap_plaintext_t *out)
{
    uint8_t aes_key[32];
    uint8_t aes_iv[32];
    int r;

    if (packet.len < GAP_MESSAGE1_ENVELOPE_BYTES + GAP_MESSAGE1_HEAD_BYTES) return GAP_E_CRYPTO;
    const size_t len = packet.len - GAP_MESSAGE1_ENVELOPE_BYTES;
    if (len % BLOCK != 0 || (int64_t)gap_load64(packet.data) != key->id) return GAP_E_CRYPTO;
    r = gap_message1_derive(c, key, GAP_TO_SERVER, packet.data + 8, aes_key, aes_iv);
    if (r == 0)
        r = gap_ige_decrypt(c, aes_key, aes_iv, packet.data + GAP_MESSAGE1_ENVELOPE_BYTES, plain,
                            len);
    gap_wipe(aes_key, sizeof aes_key);
    gap_wipe(aes_iv, sizeof aes_iv);
    if (r == 0) r = check(c, packet.data + 8, plain, len);
    if (r < 0) {
        gap_wipe(plain, len);
        return r;
    }
    memset(out, 0, sizeof *out);
    out->msg_id = (int64_t)gap_load64(plain + 16);
    out->seqno = (int32_t)gap_load32(plain + 24);
    out->body = gap_bytes(plain + GAP_MESSAGE1_HEAD_BYTES, gap_load32(plain + 28));
    return 0;
}
