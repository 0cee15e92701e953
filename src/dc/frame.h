/*
 * dc/frame.h - the framing of one client connection, told apart by its first bytes: abridged,
 * intermediate, padded intermediate and full. Pure: bytes in, payloads out.
 * (core.telegram.org/mtproto/mtproto-transports)
 */
#ifndef GAP_DC_FRAME_H
#define GAP_DC_FRAME_H

#include "base/buf.h"

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
    gap_buf_t in;       /* bytes not yet handed out */
    size_t handed;      /* of these, the frame handed out last */
    uint32_t in_seq;    /* full: next number expected */
    uint32_t out_seq;   /* full: next number to send */
    uint32_t max_bytes; /* longest payload accepted */
} gap_dc_framer_t;

void gap_dc_framer_init(gap_dc_framer_t *f, const gap_alloc_t *alloc, uint32_t max_bytes);
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
 *         GAP_E_PROTOCOL no transport begins so, a length that can't be, wrong number or checksum.
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
 * @return the whole frame.
 */
gap_bytes_t gap_dc_framer_wrap(gap_dc_framer_t *f, uint8_t *payload, size_t len,
                               const uint8_t filler[GAP_DC_FRAME_TAIL]);

/** Length of what MTProto sent inside a payload that may have transport padding behind. */
size_t gap_dc_framer_trim(const gap_dc_framer_t *f, const uint8_t *payload, size_t len);

#endif
