/*
 * tests/fuzz/fuzz_frame.c - the frame reader. Byte 0 of the input chooses the transport, byte 1 how
 * the stream is cut into reads; the rest is what the server sends. The same stream read in one go
 * must give the same frames and the same end.
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/packet.h"
#include "mtproto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    uint64_t digest; /* of everything that was handed out */
    uint64_t frames;
    int end;
};

static void mix(struct outcome *o, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) o->digest = (o->digest ^ bytes[i]) * 0x100000001b3U;
    o->digest = (o->digest ^ len) * 0x100000001b3U;
}

static int drain(gap_deframer_t *d, struct outcome *o)
{
    gap_frame_t f;
    int r;

    while ((r = gap_deframer_next(d, &f)) == 1) {
        uint8_t tail[12];
        gap_store32(tail, (uint32_t)f.kind);
        gap_store32(tail + 4, f.token);
        gap_store32(tail + 8, (uint32_t)f.code);
        mix(o, tail, sizeof tail);
        o->frames++;
        if (f.kind != GAP_FRAME_PACKET) continue;
        GAP_ASSERT(f.len >= GAP_PACKET_MIN_BYTES);
        GAP_ASSERT(f.len <= GAP_FRAME_MAX_BYTES);
        GAP_ASSERT(f.data >= f.packet->data);
        GAP_ASSERT(f.data + f.len <= f.packet->data + f.packet->len);
        mix(o, f.data, f.len);
        for (size_t i = 0; i < f.len; i++) f.data[i] ^= 0xff; /* as decrypting in place does */
    }
    return r;
}

/* Read the stream in pieces of at most @p piece bytes. */
static struct outcome read_all(gap_transport_t transport, const uint8_t *data, size_t size,
                               size_t piece)
{
    struct outcome o = {0xcbf29ce484222325U, 0, 0};
    gap_deframer_t d;
    uint8_t *room;
    size_t cap;

    gap_deframer_init(&d, gap_alloc_default(), transport);
    while (size > 0 && o.end == 0) {
        o.end = gap_deframer_buffer(&d, &room, &cap);
        if (o.end < 0) break;
        GAP_ASSERT(cap > 0);
        /* What is kept is bounded by what came. */
        GAP_ASSERT(d.packet->cap <= GAP_FRAME_MAX_BYTES + 2 * GAP_READ_BUFFER_BYTES);
        if (cap > piece) cap = piece;
        if (cap > size) cap = size;
        memcpy(room, data, cap);
        gap_deframer_commit(&d, cap);
        data += cap;
        size -= cap;
        o.end = drain(&d, &o);
    }
    gap_deframer_fini(&d);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    gap_transport_t t = data[0] % 2 == 0 ? GAP_TRANSPORT_INTERMEDIATE : GAP_TRANSPORT_ABRIDGED;
    struct outcome cut = read_all(t, data + 2, size - 2, 1U + data[1]);
    struct outcome whole = read_all(t, data + 2, size - 2, size);
    GAP_ASSERT(cut.digest == whole.digest);
    GAP_ASSERT(cut.frames == whole.frames);
    GAP_ASSERT(cut.end == whole.end);
    return 0;
}
