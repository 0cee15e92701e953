/*
 * crypto/message.c - sealing and opening MTProto 2.0 packets.
 *
 * Owns nothing; works in the caller's buffer. Never acts on a plaintext before its msg_key has been
 * checked, and never gives away by error or by time which check failed.
 */
#include "crypto/message.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "crypto/ige.h"

#define BLOCK         16
#define QUICK_ACK_BIT 0x80000000U /* what tells a token from a length */
#define HEADER        32          /* salt, session_id, msg_id, seqno, length */
#define MSG_KEY_LEN   16

struct packet_keys {
    uint8_t key[32];
    uint8_t iv[32];
};

static int derive(gap_crypto_t *c, const gap_auth_key_t *k, gap_direction_t x,
                  const uint8_t msg_key[MSG_KEY_LEN], struct packet_keys *out)
{
    uint8_t a[GAP_SHA256_BYTES];
    uint8_t b[GAP_SHA256_BYTES];
    const gap_bytes_t for_a[2] = {{msg_key, MSG_KEY_LEN}, {k->key + x, 36}};
    const gap_bytes_t for_b[2] = {{k->key + 40 + x, 36}, {msg_key, MSG_KEY_LEN}};

    int r = gap_sha256(c, for_a, 2, a);
    if (r == 0) r = gap_sha256(c, for_b, 2, b);
    if (r == 0) {
        memcpy(out->key, a, 8);
        memcpy(out->key + 8, b + 8, 16);
        memcpy(out->key + 24, a + 24, 8);
        memcpy(out->iv, b, 8);
        memcpy(out->iv + 8, a + 8, 16);
        memcpy(out->iv + 24, b + 24, 8);
    }
    gap_wipe(a, sizeof a);
    gap_wipe(b, sizeof b);
    return r;
}

size_t gap_message_padding(gap_padding_t policy, size_t body_len)
{
    static const uint16_t buckets[] = {64, 128, 192, 256, 384, 512, 768, 1024, 1280};
    const size_t last = buckets[GAP_ARRAY_LEN(buckets) - 1];
    const size_t used = HEADER + body_len;
    size_t size = (used + GAP_PADDING_MIN_BYTES + BLOCK - 1) / BLOCK * BLOCK;

    if (policy == GAP_PADDING_LEAST) return size - used;
    for (size_t i = 0; i < GAP_ARRAY_LEN(buckets); i++)
        if (size <= buckets[i]) return buckets[i] - used;
    size = (size - last + 447) / 448 * 448 + last;
    return size - used;
}

int gap_message_seal(gap_crypto_t *c, const gap_auth_key_t *key, gap_direction_t direction,
                     const gap_plaintext_t *message, size_t padding_len, const gap_random_t *random,
                     uint8_t *out, uint32_t *quick_ack)
{
    const size_t body_len = message->body.len;
    const size_t plain_len = HEADER + body_len + padding_len;
    uint8_t *plain = out + GAP_ENVELOPE_BYTES;
    uint8_t large[GAP_SHA256_BYTES];
    struct packet_keys keys;

    if (body_len > GAP_BODY_MAX_BYTES || body_len % 4 != 0) return GAP_E_ARGUMENT;
    if (padding_len < GAP_PADDING_MIN_BYTES || padding_len > GAP_PADDING_MAX_BYTES)
        return GAP_E_ARGUMENT;
    if (plain_len % BLOCK != 0) return GAP_E_ARGUMENT;
    if (body_len > 0 && message->body.data != plain + HEADER)
        memmove(plain + HEADER, message->body.data, body_len);
    gap_store64(plain, (uint64_t)message->salt);
    gap_store64(plain + 8, (uint64_t)message->session_id);
    gap_store64(plain + 16, (uint64_t)message->msg_id);
    gap_store32(plain + 24, (uint32_t)message->seqno);
    gap_store32(plain + 28, (uint32_t)body_len);
    int r = gap_random_fill(random, plain + HEADER + body_len, padding_len);
    if (r < 0) goto out;
    const gap_bytes_t pieces[2] = {{key->key + 88 + direction, 32}, {plain, plain_len}};
    r = gap_sha256(c, pieces, 2, large);
    if (r < 0) goto out;
    gap_store64(out, (uint64_t)key->id);
    memcpy(out + 8, large + 8, MSG_KEY_LEN);
    r = derive(c, key, direction, out + 8, &keys);
    if (r == 0) r = gap_ige_encrypt(c, keys.key, keys.iv, plain, plain, plain_len);
    if (r == 0 && quick_ack != NULL) *quick_ack = gap_load32(large) | QUICK_ACK_BIT;
    gap_wipe(&keys, sizeof keys);
out:
    if (r < 0) gap_wipe(out, GAP_ENVELOPE_BYTES + plain_len);
    return r;
}

/* Decrypt in place and compute what msg_key ought to be. */
static int decrypt(gap_crypto_t *c, const gap_auth_key_t *key, gap_direction_t direction,
                   uint8_t *packet, size_t plain_len, uint8_t large[GAP_SHA256_BYTES])
{
    struct packet_keys keys;

    int r = derive(c, key, direction, packet + 8, &keys);
    if (r == 0) r = gap_sha256_begin(c);
    if (r == 0) r = gap_sha256_update(c, key->key + 88 + direction, 32);
    if (r == 0)
        r = gap_ige_decrypt_hash(c, keys.key, keys.iv, packet + GAP_ENVELOPE_BYTES, plain_len);
    if (r == 0) r = gap_sha256_end(c, large);
    gap_wipe(&keys, sizeof keys);
    return r;
}

int gap_message_open(gap_crypto_t *c, const gap_auth_key_t *key, gap_direction_t direction,
                     uint8_t *packet, size_t len, gap_plaintext_t *out)
{
    uint8_t large[GAP_SHA256_BYTES];

    if (len < GAP_ENVELOPE_BYTES + HEADER + BLOCK) return GAP_E_CRYPTO;
    const size_t plain_len = len - GAP_ENVELOPE_BYTES;
    if (plain_len % BLOCK != 0) return GAP_E_CRYPTO;
    if (gap_message_key_id(packet) != key->id) return GAP_E_CRYPTO;

    int r = decrypt(c, key, direction, packet, plain_len, large);
    if (r < 0) goto out;
    const uint8_t *plain = packet + GAP_ENVELOPE_BYTES;
    const size_t room = plain_len - HEADER;
    const size_t body_len = gap_load32(plain + 28); /* a negative length is a huge one */
    const size_t padding = room - body_len;         /* wraps around where body_len > room */
    bool ok = gap_secret_equal(large + 8, packet + 8, MSG_KEY_LEN);
    ok &= body_len <= room;
    ok &= body_len % 4 == 0;
    ok &= padding >= GAP_PADDING_MIN_BYTES;
    ok &= padding <= GAP_PADDING_MAX_BYTES;
    if (!ok) {
        r = GAP_E_CRYPTO;
        goto out;
    }
    out->salt = (int64_t)gap_load64(plain);
    out->session_id = (int64_t)gap_load64(plain + 8);
    out->msg_id = (int64_t)gap_load64(plain + 16);
    out->seqno = (int32_t)gap_load32(plain + 24);
    out->body = gap_bytes(plain + HEADER, body_len);
out:
    if (r < 0) gap_wipe(packet, len);
    return r;
}

int gap_message_quick_ack(gap_crypto_t *c, const gap_auth_key_t *key, gap_direction_t direction,
                          const uint8_t *packet, size_t len, uint32_t *out)
{
    const gap_bytes_t pieces[2] = {{key->key + 88 + direction, 32},
                                   {packet + GAP_ENVELOPE_BYTES, len - GAP_ENVELOPE_BYTES}};
    uint8_t large[GAP_SHA256_BYTES];
    int r = gap_sha256(c, pieces, 2, large);

    if (r == 0) *out = gap_load32(large) | QUICK_ACK_BIT;
    return r;
}

int64_t gap_message_key_id(const uint8_t *packet)
{
    return (int64_t)gap_load64(packet);
}
