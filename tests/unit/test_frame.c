/* tests/unit/test_frame.c - both transports: sending, receiving in any pieces, hostile lengths. */
#include "mtproto/frame.h"
#include "base/bytes.h"
#include "base/packet.h"
#include "base/prng.h"
#include "tests/unit/hex.h"
#include "tests/unit/vectors_mtproto.h"

static struct fault_alloc f;
static gap_deframer_t d;

static const gap_transport_t transports[] = {GAP_TRANSPORT_INTERMEDIATE, GAP_TRANSPORT_ABRIDGED};

static void setup(void)
{
    fault_alloc_init(&f, 0);
    gap_deframer_init(&d, &f.alloc, GAP_TRANSPORT_INTERMEDIATE);
}

static void teardown(void)
{
    gap_deframer_fini(&d);
    gap_deframer_fini(&d);
    ck_assert_int_eq(f.live, 0);
}

static void restart(gap_transport_t t)
{
    gap_deframer_fini(&d);
    gap_deframer_init(&d, &f.alloc, t);
}

/* Give bytes to the deframer as a socket would. @return 0 or its failure. */
static int feed(const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        uint8_t *room;
        size_t cap;
        int r = gap_deframer_buffer(&d, &room, &cap);
        if (r < 0) return r;
        ck_assert_uint_gt(cap, 0);
        if (cap > len) cap = len;
        memcpy(room, bytes, cap);
        gap_deframer_commit(&d, cap);
        bytes += cap;
        len -= cap;
    }
    return 0;
}

START_TEST(test_tags)
{
    uint8_t tag[4];

    ck_assert_uint_eq(gap_frame_tag(GAP_TRANSPORT_ABRIDGED, tag), 1);
    ck_assert_uint_eq(tag[0], 0xef);
    ck_assert_uint_eq(gap_frame_tag(GAP_TRANSPORT_INTERMEDIATE, tag), 4);
    ck_assert_uint_eq(gap_load32(tag), 0xeeeeeeee);
}
END_TEST

static void sends(gap_transport_t t, bool ack, const char *payload_hex, const char *frame_hex)
{
    uint8_t want[1024], got[1024];
    size_t n = hex_to(payload_hex, got + 4, sizeof got - 4);
    uint8_t head[4];

    int h = gap_frame_head(t, n, ack, head);
    ck_assert_int_ge(h, 1);
    memcpy(got + 4 - h, head, (size_t)h);
    hex_exactly(frame_hex, want, (size_t)h + n);
    ck_assert_mem_eq(got + 4 - h, want, (size_t)h + n);
}

START_TEST(test_send_vectors)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(vectors_frame); i++) {
        const struct vector_frame *v = &vectors_frame[i];
        sends(GAP_TRANSPORT_ABRIDGED, false, v->payload, v->abridged);
        sends(GAP_TRANSPORT_INTERMEDIATE, false, v->payload, v->intermediate);
    }
    sends(GAP_TRANSPORT_ABRIDGED, true, vectors_packet[0].packet, vector_ack_request_abridged);
    sends(GAP_TRANSPORT_INTERMEDIATE, true, vectors_packet[0].packet,
          vector_ack_request_intermediate);
}
END_TEST

START_TEST(test_send_limits)
{
    uint8_t head[4];

    for (size_t i = 0; i < GAP_ARRAY_LEN(transports); i++) {
        ck_assert_int_eq(gap_frame_head(transports[i], 0, false, head), GAP_E_ARGUMENT);
        ck_assert_int_eq(gap_frame_head(transports[i], 7, false, head), GAP_E_ARGUMENT);
        ck_assert_int_eq(gap_frame_head(transports[i], 1 << 24, false, head), GAP_E_LIMIT);
        ck_assert_int_eq(gap_frame_head(transports[i], (1 << 24) - 4, false, head), 4);
    }
    ck_assert_int_eq(gap_frame_head(GAP_TRANSPORT_ABRIDGED, 508, true, head), 4);
    ck_assert_uint_eq(gap_load32(head), 0x00007fff);
}
END_TEST

static void receives(gap_transport_t t, const char *frame_hex, const char *payload_hex)
{
    uint8_t bytes[1024], payload[1024];
    size_t n = hex_to(frame_hex, bytes, sizeof bytes);
    size_t len = hex_to(payload_hex, payload, sizeof payload);
    gap_frame_t frame;

    restart(t);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(gap_deframer_next(&d, &frame), 0);
        ck_assert_int_eq(feed(bytes + i, 1), 0);
    }
    ck_assert_int_eq(gap_deframer_next(&d, &frame), 1);
    if (len < 16) {
        ck_assert_int_eq(frame.kind, GAP_FRAME_ERROR);
        ck_assert_int_eq(frame.code, (int32_t)gap_load32(payload));
    } else {
        ck_assert_int_eq(frame.kind, GAP_FRAME_PACKET);
        ck_assert_uint_eq(frame.len, len);
        ck_assert_mem_eq(frame.data, payload, len);
    }
    ck_assert_int_eq(gap_deframer_next(&d, &frame), 0);
}

START_TEST(test_receive_vectors_byte_by_byte)
{
    gap_frame_t frame;
    uint8_t bytes[4];

    for (size_t i = 0; i < GAP_ARRAY_LEN(vectors_frame); i++) {
        const struct vector_frame *v = &vectors_frame[i];
        receives(GAP_TRANSPORT_ABRIDGED, v->abridged, v->payload);
        receives(GAP_TRANSPORT_INTERMEDIATE, v->intermediate, v->payload);
    }
    for (size_t i = 0; i < 2; i++) {
        restart(transports[i]);
        hex_exactly(i == 0 ? vector_quick_ack_intermediate : vector_quick_ack_abridged, bytes, 4);
        ck_assert_int_eq(feed(bytes, 3), 0);
        ck_assert_int_eq(gap_deframer_next(&d, &frame), 0);
        ck_assert_int_eq(feed(bytes + 3, 1), 0);
        ck_assert_int_eq(gap_deframer_next(&d, &frame), 1);
        ck_assert_int_eq(frame.kind, GAP_FRAME_QUICK_ACK);
        ck_assert_uint_eq(frame.token, VECTOR_QUICK_ACK);
    }
}
END_TEST

START_TEST(test_hostile_heads)
{
    static const struct {
        gap_transport_t t;
        const char *bytes;
        int want;
        const char *why;
    } table[] = {
        {GAP_TRANSPORT_INTERMEDIATE, "00000000", GAP_E_PROTOCOL, "nothing"},
        {GAP_TRANSPORT_INTERMEDIATE, "01000000", GAP_E_PROTOCOL, "one byte"},
        {GAP_TRANSPORT_INTERMEDIATE, "16000000", GAP_E_PROTOCOL, "not of words"},
        {GAP_TRANSPORT_INTERMEDIATE, "00000001", GAP_E_LIMIT, "2^24"},
        {GAP_TRANSPORT_INTERMEDIATE, "ffffff7f", GAP_E_LIMIT, "2^31 - 1"},
        {GAP_TRANSPORT_INTERMEDIATE, "fcffff00", 0, "longest of all"},
        {GAP_TRANSPORT_INTERMEDIATE, "0400000001000000", GAP_E_PROTOCOL, "positive code"},
        {GAP_TRANSPORT_INTERMEDIATE, "0400000000000000", 0, "code 0 keeps alive"},
        {GAP_TRANSPORT_INTERMEDIATE, "0c0000006cfeffff0000000000000000", 1, "error with more"},
        {GAP_TRANSPORT_ABRIDGED, "00", GAP_E_PROTOCOL, "nothing"},
        {GAP_TRANSPORT_ABRIDGED, "7f000000", GAP_E_PROTOCOL, "nothing, in the long form"},
        {GAP_TRANSPORT_ABRIDGED, "7f000040", GAP_E_LIMIT, "2^24"},
        {GAP_TRANSPORT_ABRIDGED, "7fffffff", GAP_E_LIMIT, "all ones"},
        {GAP_TRANSPORT_ABRIDGED, "7fffff3f", 0, "longest of all"},
        {GAP_TRANSPORT_ABRIDGED, "7f0100006cfeffff", 1, "short in the long form"},
        {GAP_TRANSPORT_ABRIDGED, "0100000000", 0, "code 0 keeps alive"},
    };
    uint8_t bytes[16];
    gap_frame_t frame;
    uint8_t *room;
    size_t cap;

    for (size_t i = 0; i < GAP_ARRAY_LEN(table); i++) {
        restart(table[i].t);
        size_t n = hex_to(table[i].bytes, bytes, sizeof bytes);
        ck_assert_int_eq(feed(bytes, n), 0);
        int r = gap_deframer_next(&d, &frame);
        ck_assert_msg(r == table[i].want, "%s: %d", table[i].why, r);
        ck_assert_uint_le(d.packet->cap, GAP_READ_BUFFER_BYTES);
        if (r < 0) {
            ck_assert_int_eq(gap_deframer_next(&d, &frame), r);
            ck_assert_int_eq(gap_deframer_buffer(&d, &room, &cap), r);
        }
    }
}
END_TEST

/* Frames of random sizes, cut at random; every view is held to the end and must still be right. */
START_TEST(test_random_pieces_with_held_views)
{
    enum { FRAMES = 120, BYTES_MAX = 1 << 20 };
    static uint8_t stream[BYTES_MAX];
    static gap_frame_t got[FRAMES];
    static size_t starts[FRAMES], lens[FRAMES];
    gap_prng_t rng = {(uint64_t)_i + 1};
    gap_transport_t t = transports[_i % 2];
    size_t n = 0, frames = 0;

    for (size_t i = 0; i < FRAMES; i++) {
        size_t len = 16 + 4 * gap_prng_below(&rng, i % 20 == 0 ? 30000 : 300);
        if (n + len + 4 > sizeof stream) break;
        int h = gap_frame_head(t, len, false, stream + n);
        ck_assert_int_ge(h, 1);
        n += (size_t)h;
        starts[frames] = n;
        lens[frames++] = len;
        for (size_t k = 0; k < len; k++) stream[n++] = (uint8_t)gap_prng_next(&rng);
    }
    restart(t);
    size_t seen = 0, at = 0;
    bool hold = gap_prng_below(&rng, 2) == 0;
    while (at < n) {
        size_t piece = 1 + gap_prng_below(&rng, gap_prng_below(&rng, 4) == 0 ? 70000 : 700);
        if (piece > n - at) piece = n - at;
        ck_assert_int_eq(feed(stream + at, piece), 0);
        at += piece;
        int r;
        while ((r = gap_deframer_next(&d, &got[seen])) == 1) {
            ck_assert_msg(got[seen].len == lens[seen], "seed %d frame %zu", _i + 1, seen);
            ck_assert_mem_eq(got[seen].data, stream + starts[seen], lens[seen]);
            if (hold) gap_packet_ref(got[seen].packet);
            seen++;
        }
        ck_assert_int_eq(r, 0);
    }
    ck_assert_uint_eq(seen, frames);
    for (size_t i = 0; hold && i < seen; i++) {
        ck_assert_mem_eq(got[i].data, stream + starts[i], lens[i]);
        gap_packet_unref(got[i].packet);
    }
}
END_TEST

START_TEST(test_one_read_of_many_frames_is_one_packet)
{
    uint8_t frame_bytes[4 + 64] = {64};
    gap_frame_t frame;
    uint8_t *room;
    size_t cap;

    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(gap_deframer_buffer(&d, &room, &cap), 0);
        size_t n = cap / sizeof frame_bytes;
        for (size_t i = 0; i < n; i++)
            memcpy(room + i * sizeof frame_bytes, frame_bytes, sizeof frame_bytes);
        gap_deframer_commit(&d, n * sizeof frame_bytes);
        gap_packet_t *packet = d.packet;
        for (size_t i = 0; i < n; i++) {
            ck_assert_int_eq(gap_deframer_next(&d, &frame), 1);
            ck_assert_ptr_eq(frame.packet, packet);
            ck_assert_ptr_eq(frame.data, room + i * sizeof frame_bytes + 4);
        }
        ck_assert_int_eq(gap_deframer_next(&d, &frame), 0);
    }
    /* Nobody held the packet: one buffer served all reads. */
    ck_assert_int_eq(f.calls, 1);
}
END_TEST

START_TEST(test_long_frame_grows_as_bytes_come)
{
    const size_t len = (1 << 24) - 4;
    uint8_t head[4];
    static const uint8_t zeros[50000];
    gap_frame_t frame;
    size_t fed = 0;

    ck_assert_int_eq(gap_frame_head(GAP_TRANSPORT_INTERMEDIATE, len, false, head), 4);
    ck_assert_int_eq(feed(head, 4), 0);
    while (fed < len) {
        size_t n = len - fed < sizeof zeros ? len - fed : sizeof zeros;
        ck_assert_int_eq(gap_deframer_next(&d, &frame), 0);
        ck_assert_uint_le(d.packet->cap, 2 * fed + GAP_READ_BUFFER_BYTES);
        ck_assert_int_eq(feed(zeros, n), 0);
        fed += n;
    }
    ck_assert_int_eq(gap_deframer_next(&d, &frame), 1);
    ck_assert_uint_eq(frame.len, len);
    ck_assert_uint_le(d.packet->cap, len + 4 + GAP_READ_ROOM_MIN_BYTES);
    ck_assert_int_lt(f.calls, 12);
}
END_TEST

START_TEST(test_out_of_memory_loses_nothing)
{
    uint8_t bytes[16 + 4] = {16};
    static const uint8_t zeros[100000];
    gap_frame_t frame;

    f.fail_at = 1;
    ck_assert_int_eq(feed(bytes, 20), GAP_E_NOMEM);
    ck_assert_int_eq(feed(bytes, 20), 0);
    ck_assert_int_eq(gap_deframer_next(&d, &frame), 1);
    gap_store32(bytes, sizeof zeros);
    ck_assert_int_eq(feed(bytes, 4), 0);
    ck_assert_int_eq(feed(zeros, 60000), 0);
    ck_assert_int_eq(gap_deframer_next(&d, &frame), 0);
    f.fail_at = f.calls + 1;
    ck_assert_int_eq(feed(zeros, 1), GAP_E_NOMEM);
    ck_assert_int_eq(gap_deframer_next(&d, &frame), 0);
    ck_assert_int_eq(feed(zeros, 40000), 0);
    ck_assert_int_eq(gap_deframer_next(&d, &frame), 1);
    ck_assert_uint_eq(frame.len, sizeof zeros);
}
END_TEST

START_TEST(test_a_silent_stream_gives_its_buffer_back)
{
    static const uint8_t frame[] = {20, 0,  0,  0,  1,  2,  3,  4,  5,  6,  7,  8,
                                    9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
    gap_frame_t out;

    gap_deframer_rest(&d); /* there is none yet */
    ck_assert_int_eq(feed(frame, 10), 0);
    ck_assert_int_eq(gap_deframer_next(&d, &out), 0);
    long live = f.live;
    gap_deframer_rest(&d);
    ck_assert_msg(f.live == live, "half a frame is kept");
    ck_assert_int_eq(feed(frame + 10, sizeof frame - 10), 0);
    ck_assert_int_eq(gap_deframer_next(&d, &out), 1);
    ck_assert_uint_eq(out.len, 20);
    gap_packet_t *kept = gap_packet_ref(out.packet);
    gap_deframer_rest(&d);
    ck_assert_msg(memcmp(out.data, frame + 4, 20) == 0, "a frame that is kept stays");
    gap_packet_unref(kept);
    ck_assert_int_eq(f.live, live - 1);
    ck_assert_int_eq(feed(frame, sizeof frame), 0);
    ck_assert_int_eq(gap_deframer_next(&d, &out), 1);
    ck_assert_uint_eq(out.len, 20);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("frame");
    TCase *t = tcase_create("frame");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_tags);
    tcase_add_test(t, test_send_vectors);
    tcase_add_test(t, test_send_limits);
    tcase_add_test(t, test_receive_vectors_byte_by_byte);
    tcase_add_test(t, test_hostile_heads);
    tcase_add_loop_test(t, test_random_pieces_with_held_views, 0, 20);
    tcase_add_test(t, test_one_read_of_many_frames_is_one_packet);
    tcase_add_test(t, test_long_frame_grows_as_bytes_come);
    tcase_add_test(t, test_out_of_memory_loses_nothing);
    tcase_add_test(t, test_a_silent_stream_gives_its_buffer_back);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
