/*
 * bench/fixture.h - the bytes that the benchmarks run on: Updates objects with messages of an
 * ordinary kind, made with the TL writer.
 */
#ifndef GAP_BENCH_FIXTURE_H
#define GAP_BENCH_FIXTURE_H

#include "base/packet.h"
#include "base/buf.h"

/** Most messages of one object. */
#define FIXTURE_MESSAGES_MAX 512

/**
 * Append one boxed `updates` with new messages of one channel; one user and that channel beside
 * them.
 *
 * @param pts       Of the first message; each counts 1.
 * @param count     1 to FIXTURE_MESSAGES_MAX.
 * @param text_len  Bytes of each message's text, at most 256.
 */
void fixture_channel_updates(gap_buf_t *out, int64_t channel, int32_t pts, uint32_t count,
                             uint32_t text_len);

/** Many equal Updates objects of one message each, whose pts can be set again. */
struct fixture_stream {
    gap_buf_t bytes;      /* the objects, one behind the other, each `size` bytes */
    gap_packet_t *packet; /* a copy of them: what is fed */
    size_t size;
    uint32_t count;
    size_t pts_at[2];     /* where an object holds its pts: as message id and as pts */
    size_t channel_at[2]; /* where it holds its channel: of the message, and the channel itself,
                             whose access hash follows */
};

/** Build @p count objects for channels FIXTURE_CHANNEL + i % channels. */
void fixture_stream_init(struct fixture_stream *s, uint32_t count, uint32_t channels,
                         uint32_t text_len);
void fixture_stream_fini(struct fixture_stream *s);
/** The bytes of object @p i. */
const uint8_t *fixture_stream_at(const struct fixture_stream *s, uint32_t i);
/** Set the pts (and message id) of object @p i. */
void fixture_stream_set_pts(struct fixture_stream *s, uint32_t i, int32_t pts);
/** Set the channel of object @p i. */
void fixture_stream_set_channel(struct fixture_stream *s, uint32_t i, int64_t channel);

#define FIXTURE_CHANNEL INT64_C(1000000001)

#endif
