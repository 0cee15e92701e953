/*
 * mtproto/frame.h - the transports "intermediate" and "abridged": how packets follow each other on
 * a TCP stream. (core.telegram.org/mtproto/mtproto-transports)
 *
 * The client sends a tag once, then both sides send frames. The server's frames may also be a quick
 * acknowledgement (a token with bit 31 set in place of a length) or a transport error (a payload
 * too short to be a packet: a negative code).
 *
 * The receiving side reads into a gap_packet_t and hands out views of the complete frames in it: no
 * byte is copied but the partial frame at the end of a full buffer. All here: loop thread.
 */
#ifndef GAP_MTPROTO_FRAME_H
#define GAP_MTPROTO_FRAME_H

#include <gapless/base.h>

/** Longest payload that is sent or accepted, bytes. */
#define GAP_FRAME_MAX_BYTES (((size_t)1 << 24) - 1)
/** Size of an ordinary read buffer, bytes. */
#define GAP_READ_BUFFER_BYTES ((size_t)64 * 1024)
/** A read buffer with less room than this is exchanged before the next read, bytes. */
#define GAP_READ_ROOM_MIN_BYTES ((size_t)8 * 1024)
/** Payloads shorter than this are transport errors, not packets, bytes. */
#define GAP_PACKET_MIN_BYTES 16

typedef enum gap_transport { GAP_TRANSPORT_INTERMEDIATE, GAP_TRANSPORT_ABRIDGED } gap_transport_t;

/* ---- sending ---- */

#define GAP_FRAME_TAG_MAX_BYTES  4
#define GAP_FRAME_HEAD_MAX_BYTES 4

/** What the client sends first. @return bytes in @p out. */
size_t gap_frame_tag(gap_transport_t transport, uint8_t out[GAP_FRAME_TAG_MAX_BYTES]);

/**
 * What goes in front of a payload.
 * @param quick_ack  Ask the server for a quick acknowledgement.
 * @return bytes in @p out, 1 to 4; GAP_E_ARGUMENT @p len is 0 or not a multiple of 4; GAP_E_LIMIT
 * it is over GAP_FRAME_MAX_BYTES.
 */
GAP_NODISCARD int gap_frame_head(gap_transport_t transport, size_t len, bool quick_ack,
                                 uint8_t out[GAP_FRAME_HEAD_MAX_BYTES]);

/* ---- receiving ---- */

typedef enum gap_frame_kind {
    GAP_FRAME_PACKET,    /* data, len */
    GAP_FRAME_QUICK_ACK, /* token */
    GAP_FRAME_ERROR      /* code, negative: -404, -429, -444 ... */
} gap_frame_kind_t;

typedef struct gap_frame {
    gap_frame_kind_t kind;
    gap_packet_t *packet; /* whose bytes `data` is; borrowed, take a reference to keep the view */
    uint8_t *data;        /* no other frame shares these bytes: decrypt in place */
    size_t len;
    uint32_t token;
    int32_t code;
} gap_frame_t;

typedef struct gap_deframer {
    const gap_alloc_t *alloc;
    gap_transport_t transport;
    gap_packet_t *packet; /* the read buffer; packet->len is the end of what was read */
    size_t at;            /* first byte that belongs to no frame handed out */
    size_t partial;       /* bytes of the frame that begins there, as far as known */
    int failed;           /* a broken stream stays broken */
} gap_deframer_t;

/** For a fresh connection. Allocates nothing. */
void gap_deframer_init(gap_deframer_t *d, const gap_alloc_t *alloc, gap_transport_t transport);
/** Drop the read buffer (views with a reference live on); safe twice. */
void gap_deframer_fini(gap_deframer_t *d);

/**
 * Where the next bytes from the socket go. Call it when gap_deframer_next has said 0; frames
 * handed out before stay as they are while their packet is referenced, otherwise they are gone.
 * The buffer grows with the bytes that have arrived, never with the length a frame claims.
 *
 * @param cap  > 0.
 * @return 0; GAP_E_NOMEM (try again); the failure that gap_deframer_next reported.
 */
GAP_NODISCARD int gap_deframer_buffer(gap_deframer_t *d, uint8_t **out, size_t *cap);
/** @p n bytes (at most cap) were read to where gap_deframer_buffer said; 0 is allowed. */
void gap_deframer_commit(gap_deframer_t *d, size_t n);

/** Nothing has come for a while: give the read buffer back if nothing unread is in it; the next
 * gap_deframer_buffer makes a new one. Not between gap_deframer_buffer and its commit. */
void gap_deframer_rest(gap_deframer_t *d);

/**
 * The next complete frame.
 * @return 1 with *out set; 0 more bytes are needed; GAP_E_PROTOCOL a length of 0 or not a multiple
 *         of 4, or a transport error with a positive code; GAP_E_LIMIT longer than
 *         GAP_FRAME_MAX_BYTES. After a failure the connection is of no more use.
 */
GAP_NODISCARD int gap_deframer_next(gap_deframer_t *d, gap_frame_t *out);

#endif
