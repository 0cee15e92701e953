/*
 * dc/frame.h - the framing of one client connection, told apart by its first bytes: abridged,
 * intermediate, padded intermediate and full, the first three also obfuscated. Pure: bytes in,
 * payloads out.
 * (core.telegram.org/mtproto/mtproto-transports)
 */
#ifndef GAP_DC_FRAME_H
#define GAP_DC_FRAME_H

#include "base/buf.h"
#include "dc/obfuscate.h"

typedef enum gap_dc_transport {
    GAP_DC_UNKNOWN, /* nothing decided yet */
    GAP_DC_ABRIDGED,
    GAP_DC_INTERMEDIATE,
    GAP_DC_PADDED,
    GAP_DC_FULL
} gap_dc_transport_t;

/** Room that a payload needs in front of itself and behind to be wrapped in place. */
#define GAP_DC_FRAME_HEAD 12
#define GAP_DC_FRAME_TAIL 16

typedef struct gap_dc_framer {
    gap_dc_transport_t transport;
    gap_buf_t in;          /* bytes not yet handed out */
    size_t handed;         /* of these, the frame handed out last */
    uint32_t in_seq;       /* full: next number expected */
    uint32_t out_seq;      /* full: next number to send */
    uint32_t max_bytes;    /* longest payload accepted */
    gap_crypto_t *crypto;  /* NULL: no obfuscated transport is known */
    const uint8_t *secret; /* tried before none; may be NULL */
    gap_dc_obfuscation_t obfuscation;
    bool is_obfuscated;
    int failure; /* of the ciphers; nothing goes on after it */
} gap_dc_framer_t;

void gap_dc_framer_init(gap_dc_framer_t *f, const gap_alloc_t *alloc, uint32_t max_bytes);
/**
 * Take obfuscated connections too.
 * @param crypto  Pinned. @param secret  GAP_DC_SECRET_BYTES, pinned: a client that knows it is let
 * in as by a proxy, others come without; may be NULL.
 */
void gap_dc_framer_obfuscated(gap_dc_framer_t *f, gap_crypto_t *crypto, const uint8_t *secret);
/** Safe twice. */
void gap_dc_framer_fini(gap_dc_framer_t *f);

/** Room for the next bytes from the socket. @return 0 with *buf and *cap; GAP_E_NOMEM. */
GAP_NODISCARD int gap_dc_framer_room(gap_dc_framer_t *f, uint8_t **buf, size_t *cap);
/** @p n bytes have been put where gap_dc_framer_room pointed. */
void gap_dc_framer_filled(gap_dc_framer_t *f, size_t n);

/**
 * The next payload.
 *
 * @param payload    A view into the framer, writable, until the next call of any function here.
 * @param quick_ack  The client asks for a quick acknowledgement.
 * @return 1 a payload; 0 more bytes are needed; GAP_E_LIMIT a frame longer than max_bytes;
 *         GAP_E_PROTOCOL no transport begins so, a length that can't be, wrong number or checksum;
 *         GAP_E_LIBCRYPTO.
 *         After a failure nothing more can be read.
 */
GAP_NODISCARD int gap_dc_framer_next(gap_dc_framer_t *f, uint8_t **payload, size_t *len,
                                     bool *quick_ack);

/**
 * Wrap a payload in place.
 *
 * @param payload  GAP_DC_FRAME_HEAD writable bytes lie in front of it, GAP_DC_FRAME_TAIL behind.
 * @param len      Bytes, a multiple of 4, below 2^24.
 * @param filler   Random bytes, the source of padding for the padded transport.
 * @param out      The whole frame as it goes on the wire; frames must go in the order of wrapping.
 * @return 0; GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_dc_framer_wrap(gap_dc_framer_t *f, uint8_t *payload, size_t len,
                                     const uint8_t filler[GAP_DC_FRAME_TAIL], gap_bytes_t *out);

/** Longest quick acknowledgement. */
#define GAP_DC_QUICK_ACK_MAX 12
/**
 * A quick acknowledgement as it goes on the wire; never in the full transport, which has no way to
 * ask for one.
 * @param token  gap_message_quick_ack of the message.
 * @param len    Bytes of @p out in use.
 * @return 0; GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_dc_framer_quick_ack(gap_dc_framer_t *f, uint32_t token,
                                          uint8_t out[GAP_DC_QUICK_ACK_MAX], size_t *len);

/** Length of what MTProto sent inside a payload that may have transport padding behind. */
size_t gap_dc_framer_trim(const gap_dc_framer_t *f, const uint8_t *payload, size_t len);

#endif
