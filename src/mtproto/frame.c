/*
 * mtproto/frame.c - framing of both directions of a client's TCP stream.
 *
 *   packet->data:  | handed out ... | at: partial or complete frames | packet->len: room |
 *
 * Owns one reference to the read buffer. A buffer in which nothing is left to read and that nobody
 * else holds is used again from its start; otherwise reading goes on behind what was handed out
 * until the room runs low, and then a new buffer takes over the partial frame.
 * Never writes to bytes before `at` while somebody holds the packet, and never allocates for bytes
 * that have not come: a partial frame at most doubles the buffer, up to its own length.
 */
#include "mtproto/frame.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/packet.h"

#define QUICK_ACK_BIT 0x80000000U
#define ABRIDGED_LONG 127
#define ABRIDGED_ACK  0x80

size_t gap_frame_tag(gap_transport_t transport, uint8_t out[GAP_FRAME_TAG_MAX_BYTES])
{
    if (transport == GAP_TRANSPORT_ABRIDGED) {
        out[0] = 0xef;
        return 1;
    }
    memset(out, 0xee, 4);
    return 4;
}

int gap_frame_head(gap_transport_t transport, size_t len, bool quick_ack,
                   uint8_t out[GAP_FRAME_HEAD_MAX_BYTES])
{
    if (len == 0 || len % 4 != 0) return GAP_E_ARGUMENT;
    if (len > GAP_FRAME_MAX_BYTES) return GAP_E_LIMIT;
    if (transport == GAP_TRANSPORT_INTERMEDIATE) {
        gap_store32(out, (uint32_t)len | (quick_ack ? QUICK_ACK_BIT : 0));
        return 4;
    }
    uint8_t ack = quick_ack ? ABRIDGED_ACK : 0;
    uint32_t words = (uint32_t)(len / 4);
    if (words < ABRIDGED_LONG) {
        out[0] = (uint8_t)(words | ack);
        return 1;
    }
    gap_store32(out, words << 8 | ABRIDGED_LONG | ack);
    return 4;
}

void gap_deframer_init(gap_deframer_t *d, const gap_alloc_t *alloc, gap_transport_t transport)
{
    memset(d, 0, sizeof *d);
    d->alloc = alloc;
    d->transport = transport;
}

void gap_deframer_fini(gap_deframer_t *d)
{
    gap_packet_unref(d->packet);
    d->packet = NULL;
    d->at = 0;
}

void gap_deframer_rest(gap_deframer_t *d)
{
    if (d->packet != NULL && d->at == d->packet->len) gap_deframer_fini(d);
}

/* A new buffer of @p cap bytes that begins with what is unread. */
static int exchange(gap_deframer_t *d, size_t unread, size_t cap)
{
    gap_packet_t *fresh;
    int r = gap_packet_new(d->alloc, cap, &fresh);

    if (r < 0) return r;
    if (unread > 0) memcpy(fresh->data, d->packet->data + d->at, unread);
    fresh->len = (uint32_t)unread;
    gap_packet_unref(d->packet);
    d->packet = fresh;
    d->at = 0;
    return 0;
}

int gap_deframer_buffer(gap_deframer_t *d, uint8_t **out, size_t *cap)
{
    gap_packet_t *p = d->packet;
    size_t unread = p == NULL ? 0 : p->len - d->at;

    if (d->failed < 0) return d->failed;
    if (p != NULL && p->refs == 1 && d->at > 0 &&
        (unread == 0 || p->cap - p->len < GAP_READ_ROOM_MIN_BYTES)) {
        memmove(p->data, p->data + d->at, unread);
        p->len = (uint32_t)unread;
        d->at = 0;
    }
    if (p == NULL || p->cap - p->len < GAP_READ_ROOM_MIN_BYTES) {
        size_t want = d->partial + GAP_READ_ROOM_MIN_BYTES;
        if (want > unread * 2) want = unread * 2;
        if (want < unread + GAP_READ_ROOM_MIN_BYTES) want = unread + GAP_READ_ROOM_MIN_BYTES;
        int r = exchange(d, unread, want > GAP_READ_BUFFER_BYTES ? want : GAP_READ_BUFFER_BYTES);
        if (r < 0) return r;
        p = d->packet;
    }
    *out = p->data + p->len;
    *cap = p->cap - p->len;
    return 0;
}

void gap_deframer_commit(gap_deframer_t *d, size_t n)
{
    if (n == 0) return;
    GAP_ASSERT(d->packet != NULL);
    GAP_ASSERT(n <= d->packet->cap - d->packet->len);
    d->packet->len += (uint32_t)n;
}

/* What stands at the head of a frame. @return its length; 0 more bytes are needed. */
static size_t read_head(gap_transport_t transport, const uint8_t *at, size_t have, bool *ack,
                        uint32_t *value)
{
    if (transport == GAP_TRANSPORT_INTERMEDIATE) {
        if (have < 4) return 0;
        *value = gap_load32(at);
        *ack = (*value & QUICK_ACK_BIT) != 0;
        return 4;
    }
    if (have < 1) return 0;
    *ack = (at[0] & ABRIDGED_ACK) != 0;
    if (!*ack && at[0] != ABRIDGED_LONG) {
        *value = at[0] * 4U;
        return 1;
    }
    if (have < 4) return 0;
    /* The token's bytes come reversed, so that bit 31 comes first. */
    *value = *ack ? __builtin_bswap32(gap_load32(at)) : (gap_load32(at) >> 8) * 4U;
    return 4;
}

static int fail(gap_deframer_t *d, int status)
{
    d->failed = status;
    return status;
}

int gap_deframer_next(gap_deframer_t *d, gap_frame_t *out)
{
    bool ack;
    uint32_t value;

    if (d->failed < 0) return d->failed;
    for (;;) {
        if (d->packet == NULL) return 0;
        uint8_t *at = d->packet->data + d->at;
        size_t have = d->packet->len - d->at;
        size_t head = read_head(d->transport, at, have, &ack, &value);
        if (head == 0) return 0;
        if (ack) {
            d->at += head;
            *out = (gap_frame_t){.kind = GAP_FRAME_QUICK_ACK, .token = value};
            return 1;
        }
        if (value > GAP_FRAME_MAX_BYTES) return fail(d, GAP_E_LIMIT);
        if (value == 0 || value % 4 != 0) return fail(d, GAP_E_PROTOCOL);
        d->partial = head + value;
        if (have < d->partial) return 0;
        d->at += d->partial;
        if (value >= GAP_PACKET_MIN_BYTES) {
            *out = (gap_frame_t){
                .kind = GAP_FRAME_PACKET, .packet = d->packet, .data = at + head, .len = value};
            return 1;
        }
        int32_t code = (int32_t)gap_load32(at + head);
        if (code > 0) return fail(d, GAP_E_PROTOCOL);
        if (code == 0) continue; /* keeps the connection alive and means nothing */
        *out = (gap_frame_t){.kind = GAP_FRAME_ERROR, .code = code};
        return 1;
    }
}
