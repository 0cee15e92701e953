/*
 * crypto/message.h - encrypted packets of MTProto 2.0, both directions.
 * (core.telegram.org/mtproto/description)
 *
 *   auth_key_id:8 | msg_key:16 | IGE( salt:8 session_id:8 msg_id:8 seqno:4 len:4 body padding )
 */
#ifndef GAP_CRYPTO_MESSAGE_H
#define GAP_CRYPTO_MESSAGE_H

#include "crypto/auth_key.h"

/** Bytes in front of the ciphertext: auth_key_id and msg_key. */
#define GAP_ENVELOPE_BYTES 24
/** Bytes of a packet before the body. */
#define GAP_MESSAGE_HEAD_BYTES (GAP_ENVELOPE_BYTES + 32)
#define GAP_PADDING_MIN_BYTES  12
#define GAP_PADDING_MAX_BYTES  1024
/** Longest body that is sealed; the transport's limit is a little above it. */
#define GAP_BODY_MAX_BYTES (((size_t)1 << 24) - 4096)

/** Who reads the packet; the value is the offset into the key that the specification calls x. */
typedef enum gap_direction { GAP_TO_SERVER = 0, GAP_TO_CLIENT = 8 } gap_direction_t;

/** Length of a packet says something about its content: how much is that hidden? */
typedef enum gap_padding {
    GAP_PADDING_LEAST,  /* 12 to 27 bytes */
    GAP_PADDING_BUCKETS /* up to the next of a few sizes: 64, 128, ... 1280, then steps of 448 */
} gap_padding_t;

/** The plaintext of a packet. */
typedef struct gap_plaintext {
    int64_t salt;
    int64_t session_id;
    int64_t msg_id;
    int32_t seqno;
    gap_bytes_t body; /* opened: a view into the packet */
} gap_plaintext_t;

/** Padding bytes for a body of @p body_len bytes (a multiple of 4): what fills up the cipher's
 * blocks, 12 to 1024. */
size_t gap_message_padding(gap_padding_t policy, size_t body_len);

/** Bytes of the whole packet. */
static inline size_t gap_message_size(size_t body_len, size_t padding_len)
{
    return GAP_MESSAGE_HEAD_BYTES + body_len + padding_len;
}

/**
 * Make a packet.
 *
 * @param message      Borrowed. The body may already lie where it belongs, at
 *                     out + GAP_MESSAGE_HEAD_BYTES: then it is not copied.
 * @param padding_len  From gap_message_padding.
 * @param out          gap_message_size(body.len, padding_len) bytes.
 * @param quick_ack    Token by which the server may acknowledge receipt; may be NULL.
 * @return 0; GAP_E_ARGUMENT body or padding of a length that can't be sent; GAP_E_LIBCRYPTO; what
 *         the random source returned. On failure @p out is wiped.
 */
GAP_NODISCARD int gap_message_seal(gap_crypto_t *c, const gap_auth_key_t *key,
                                   gap_direction_t direction, const gap_plaintext_t *message,
                                   size_t padding_len, const gap_random_t *random, uint8_t *out,
                                   uint32_t *quick_ack);

/**
 * Open a packet in place: the plaintext replaces the ciphertext, and out->body is a view into it.
 *
 * Checked: length, auth_key_id, msg_key over the whole plaintext (always and in constant time, also
 * if the lengths inside are wrong), message_data_length, padding of 12 to 1024 bytes. Session,
 * order and time are the session's to check. All failures look alike and wipe the packet.
 *
 * @param packet  Without transport padding.
 * @return 0; GAP_E_CRYPTO refused; GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_message_open(gap_crypto_t *c, const gap_auth_key_t *key,
                                   gap_direction_t direction, uint8_t *packet, size_t len,
                                   gap_plaintext_t *out);

/**
 * The token by which receipt of a packet is acknowledged at once, computed from its plaintext.
 * @param packet  Opened by gap_message_open. @return 0; GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_message_quick_ack(gap_crypto_t *c, const gap_auth_key_t *key,
                                        gap_direction_t direction, const uint8_t *packet,
                                        size_t len, uint32_t *out);

/** The key id a packet claims; 0 for an unencrypted message. @p packet has at least 8 bytes. */
int64_t gap_message_key_id(const uint8_t *packet);

#endif
