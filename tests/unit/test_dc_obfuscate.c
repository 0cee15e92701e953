/*
 * tests/unit/test_dc_obfuscate.c - obfuscated connections: published and computed vectors, every
 * cut, wrong secrets, quick acknowledgements and errors in each framing.
 */
#include "base/bytes.h"
#include "base/prng.h"
#include "dc/frame.h"
#include "tests/check_main.h"
#include "tests/unit/hex.h"
#include "tests/unit/vectors_clients.h"
#include "tests/unit/vectors_mtproto.h"

#define MAX_BYTES  8192U
#define STREAM_MAX 4096U

static gap_crypto_t crypto;

static void set_up(void)
{
    ck_assert_int_eq(gap_crypto_init(&crypto), 0);
}

static void tear_down(void)
{
    gap_crypto_fini(&crypto);
}

/* The secret of a vector, or NULL. */
static const uint8_t *secret_of(const struct vector_obfuscated *v, uint8_t room[16])
{
    if (v->secret[0] == '\0') return NULL;
    hex_exactly(v->secret, room, 16);
    return room;
}

START_TEST(test_streams)
{
    const struct vector_obfuscated *v = &vectors_obfuscated[_i];
    uint8_t secret[16];
    uint8_t header[64];
    uint8_t tag[4];
    uint8_t bytes[STREAM_MAX];
    uint8_t clear[STREAM_MAX];
    gap_dc_obfuscation_t o;

    hex_exactly(v->header, header, sizeof header);
    hex_exactly(v->tag, tag, sizeof tag);
    ck_assert_int_eq(gap_dc_obfuscation_begin(&o, &crypto, header, secret_of(v, secret)), 1);
    ck_assert_msg(o.tag == gap_load32(tag), "%s: tag %08x", v->name, (unsigned)o.tag);
    if (v->dc != 0) ck_assert_msg(o.dc == v->dc, "%s: dc %d", v->name, o.dc);
    ck_assert_int_eq(o.is_secret, v->secret[0] != '\0');
    size_t n = hex_to(v->client_stream, bytes, sizeof bytes);
    ck_assert_uint_eq(hex_to(v->client_frames, clear, sizeof clear), n);
    ck_assert_int_eq(gap_ctr_crypt(&o.rx, bytes, n), 0);
    ck_assert_msg(memcmp(bytes, clear, n) == 0, "%s: client's stream", v->name);
    n = hex_to(v->server_frames, bytes, sizeof bytes);
    ck_assert_uint_eq(hex_to(v->server_stream, clear, sizeof clear), n);
    for (size_t i = 0; i < n; i++) ck_assert_int_eq(gap_ctr_crypt(&o.tx, bytes + i, 1), 0);
    ck_assert_msg(memcmp(bytes, clear, n) == 0, "%s: server's stream", v->name);
    gap_dc_obfuscation_fini(&o);
    gap_dc_obfuscation_fini(&o);
}
END_TEST

/* Read a client's bytes in pieces; payloads one after the other go to @p out. @return result of
 * the call that ended it. */
static int read_stream(gap_dc_framer_t *f, const uint8_t *bytes, size_t len, size_t step,
                       uint8_t *out, size_t *out_len)
{
    uint8_t *payload;
    uint8_t *room;
    size_t cap;
    size_t n;
    bool quick;
    int r = 0;

    *out_len = 0;
    for (size_t at = 0; at < len && r == 0; at += step) {
        n = len - at < step ? len - at : step;
        ck_assert_int_eq(gap_dc_framer_room(f, &room, &cap), 0);
        ck_assert_uint_ge(cap, n);
        memcpy(room, bytes + at, n);
        gap_dc_framer_filled(f, n);
        while ((r = gap_dc_framer_next(f, &payload, &n, &quick)) > 0) {
            ck_assert_uint_le(*out_len + n, STREAM_MAX);
            memcpy(out + *out_len, payload, n);
            *out_len += n;
        }
    }
    return r;
}

/* A client's whole stream, and what is inside its frames. @return its length. */
static size_t whole_stream(const struct vector_obfuscated *v, uint8_t *stream, uint8_t *clear,
                           size_t *clear_len)
{
    size_t n = hex_to(v->header, stream, 64);

    n += hex_to(v->client_stream, stream + n, STREAM_MAX - n);
    *clear_len = hex_to(v->client_frames, clear, STREAM_MAX);
    return n;
}

#define FRAMED_VECTORS 4 /* the others hold no frames */

START_TEST(test_every_cut)
{
    const struct vector_obfuscated *v = &vectors_obfuscated[_i];
    uint8_t stream[STREAM_MAX];
    uint8_t clear[STREAM_MAX];
    uint8_t got[STREAM_MAX];
    uint8_t expected[STREAM_MAX];
    uint8_t tag[4];
    uint8_t secret[16];
    size_t clear_len;
    size_t got_len;
    size_t expected_len;
    size_t n = whole_stream(v, stream, clear, &clear_len);
    gap_dc_framer_t f;

    hex_exactly(v->tag, tag, sizeof tag);
    for (size_t step = 1; step <= n; step++) {
        /* The same frames in clear, behind their tag, are what the data centre read before. */
        gap_dc_framer_init(&f, gap_alloc_default(), MAX_BYTES);
        uint8_t plain[STREAM_MAX];
        size_t tag_len = tag[0] == 0xef ? 1 : 4;
        memcpy(plain, tag, tag_len);
        memcpy(plain + tag_len, clear, clear_len);
        ck_assert_int_eq(read_stream(&f, plain, tag_len + clear_len, step, expected, &expected_len),
                         0);
        gap_dc_framer_fini(&f);

        gap_dc_framer_init(&f, gap_alloc_default(), MAX_BYTES);
        gap_dc_framer_obfuscated(&f, &crypto, secret_of(v, secret));
        ck_assert_msg(read_stream(&f, stream, n, step, got, &got_len) == 0, "%s", v->name);
        ck_assert_msg(got_len == expected_len && memcmp(got, expected, got_len) == 0,
                      "%s: cut into %zu", v->name, step);
        ck_assert_uint_gt(got_len, 0);
        ck_assert(f.is_obfuscated);
        gap_dc_framer_fini(&f);
    }
}
END_TEST

START_TEST(test_truncated)
{
    const struct vector_obfuscated *v = &vectors_obfuscated[_i];
    uint8_t stream[STREAM_MAX];
    uint8_t clear[STREAM_MAX];
    uint8_t got[STREAM_MAX];
    uint8_t secret[16];
    size_t clear_len;
    size_t got_len;
    size_t n = whole_stream(v, stream, clear, &clear_len);

    for (size_t len = 0; len < 64 + 40 && len < n; len++) {
        gap_dc_framer_t f;
        gap_dc_framer_init(&f, gap_alloc_default(), MAX_BYTES);
        gap_dc_framer_obfuscated(&f, &crypto, secret_of(v, secret));
        ck_assert_int_eq(read_stream(&f, stream, len, len + 1, got, &got_len), 0);
        ck_assert_uint_eq(got_len, 0);
        gap_dc_framer_fini(&f);
    }
}
END_TEST

/* With a secret the client that does not know it still gets in without any, but one that mixed in
 * another gets nowhere. */
START_TEST(test_secrets)
{
    static const uint8_t other[16] = {1, 2, 3};
    const struct vector_obfuscated *v = &vectors_obfuscated[_i];
    uint8_t stream[STREAM_MAX];
    uint8_t clear[STREAM_MAX];
    uint8_t got[STREAM_MAX];
    size_t clear_len;
    size_t got_len;
    size_t n = whole_stream(v, stream, clear, &clear_len);
    gap_dc_framer_t f;

    gap_dc_framer_init(&f, gap_alloc_default(), MAX_BYTES);
    gap_dc_framer_obfuscated(&f, &crypto, other);
    int r = read_stream(&f, stream, n, n, got, &got_len);
    ck_assert_msg(r == (v->secret[0] == '\0' ? 0 : GAP_E_PROTOCOL), "%s: %d", v->name, r);
    if (r == 0) ck_assert(!f.obfuscation.is_secret);
    gap_dc_framer_fini(&f);
}
END_TEST

/* A frame that the server makes, read back with the client's key. */
static size_t sent_by_server(const struct vector_obfuscated *v, uint8_t *bytes, size_t len)
{
    uint8_t header[64];
    uint8_t secret[16];
    gap_dc_obfuscation_t o;

    hex_exactly(v->header, header, sizeof header);
    ck_assert_int_eq(gap_dc_obfuscation_begin(&o, &crypto, header, secret_of(v, secret)), 1);
    ck_assert_int_eq(gap_ctr_crypt(&o.tx, bytes, len), 0);
    gap_dc_obfuscation_fini(&o);
    return len;
}

START_TEST(test_what_the_server_sends)
{
    const struct vector_obfuscated *v = &vectors_obfuscated[_i];
    uint8_t stream[STREAM_MAX];
    uint8_t room[GAP_DC_FRAME_HEAD + 4 + GAP_DC_FRAME_TAIL] = {0};
    uint8_t filler[GAP_DC_FRAME_TAIL] = {0};
    uint8_t all[64];
    uint8_t secret[16];
    uint8_t got[STREAM_MAX];
    size_t got_len;
    size_t ack_len;
    gap_bytes_t frame;
    gap_dc_framer_t f;

    gap_dc_framer_init(&f, gap_alloc_default(), MAX_BYTES);
    gap_dc_framer_obfuscated(&f, &crypto, secret_of(v, secret));
    size_t n = hex_to(v->header, stream, 64);
    ck_assert_int_eq(read_stream(&f, stream, n, n, got, &got_len), 0);
    gap_store32(room + GAP_DC_FRAME_HEAD, (uint32_t)-404);
    ck_assert_int_eq(gap_dc_framer_wrap(&f, room + GAP_DC_FRAME_HEAD, 4, filler, &frame), 0);
    memcpy(all, frame.data, frame.len);
    ck_assert_int_eq(gap_dc_framer_quick_ack(&f, VECTOR_QUICK_ACK, all + frame.len, &ack_len), 0);
    n = sent_by_server(v, all, frame.len + ack_len);
    size_t head = f.transport == GAP_DC_ABRIDGED ? 1 : 4;
    ck_assert_uint_eq(frame.len, head + 4);
    ck_assert_int_eq((int32_t)gap_load32(all + head), -404);
    ck_assert_uint_eq(n, frame.len + (f.transport == GAP_DC_PADDED ? 12 : 4));
    ck_assert((all[frame.len + (f.transport == GAP_DC_ABRIDGED ? 0 : ack_len - 1)] & 0x80) != 0);
    gap_dc_framer_fini(&f);
}
END_TEST

START_TEST(test_quick_ack)
{
    static const struct {
        gap_dc_transport_t transport;
        const char *hex;
    } acks[] = {{GAP_DC_ABRIDGED, vector_quick_ack_abridged},
                {GAP_DC_INTERMEDIATE, vector_quick_ack_intermediate},
                {GAP_DC_PADDED, "08000000ffffffffb0e5b2c4"}};
    uint8_t expected[GAP_DC_QUICK_ACK_MAX];
    uint8_t ack[GAP_DC_QUICK_ACK_MAX];
    size_t len;
    gap_dc_framer_t f;

    gap_dc_framer_init(&f, gap_alloc_default(), MAX_BYTES);
    f.transport = acks[_i].transport;
    ck_assert_int_eq(gap_dc_framer_quick_ack(&f, VECTOR_QUICK_ACK, ack, &len), 0);
    ck_assert_uint_eq(hex_to(acks[_i].hex, expected, sizeof expected), len);
    ck_assert(memcmp(ack, expected, len) == 0);
    gap_dc_framer_fini(&f);
}
END_TEST

START_TEST(test_frames)
{
    const struct vector_frame *v = &vectors_frame[_i];
    uint8_t expected[STREAM_MAX];
    uint8_t room[GAP_DC_FRAME_HEAD + STREAM_MAX + GAP_DC_FRAME_TAIL];
    uint8_t filler[GAP_DC_FRAME_TAIL] = {0};
    const char *const hex[2] = {v->abridged, v->intermediate};
    static const gap_dc_transport_t transports[2] = {GAP_DC_ABRIDGED, GAP_DC_INTERMEDIATE};
    gap_bytes_t frame;

    for (unsigned i = 0; i < 2; i++) {
        gap_dc_framer_t f;
        gap_dc_framer_init(&f, gap_alloc_default(), MAX_BYTES);
        f.transport = transports[i];
        size_t n = hex_to(v->payload, room + GAP_DC_FRAME_HEAD, STREAM_MAX);
        ck_assert_int_eq(gap_dc_framer_wrap(&f, room + GAP_DC_FRAME_HEAD, n, filler, &frame), 0);
        size_t expected_len = hex_to(hex[i], expected, sizeof expected);
        ck_assert_msg(frame.len == expected_len && memcmp(frame.data, expected, frame.len) == 0,
                      "%s", v->name);
        gap_dc_framer_fini(&f);
    }
}
END_TEST

/* Whoever sends 64 bytes that mean nothing is told so, whichever way they are cut. */
START_TEST(test_garbage)
{
    static const uint8_t secret[16] = {9};
    gap_prng_t prng = {(uint64_t)_i + 1};
    uint8_t bytes[256];
    uint8_t got[STREAM_MAX];
    size_t got_len;

    for (unsigned round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)gap_prng_next(&prng);
        bytes[0] = 0x40; /* none of the tags */
        bytes[4] = 1;
        size_t step = 1 + gap_prng_below(&prng, sizeof bytes);
        gap_dc_framer_t f;
        gap_dc_framer_init(&f, gap_alloc_default(), MAX_BYTES);
        gap_dc_framer_obfuscated(&f, &crypto, _i % 2 == 0 ? secret : NULL);
        ck_assert_int_eq(read_stream(&f, bytes, sizeof bytes, step, got, &got_len), GAP_E_PROTOCOL);
        gap_dc_framer_fini(&f);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_obfuscate");
    TCase *tc = tcase_create("obfuscate");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, test_streams, 0, GAP_ARRAY_LEN(vectors_obfuscated));
    tcase_add_loop_test(tc, test_every_cut, 0, FRAMED_VECTORS);
    tcase_add_loop_test(tc, test_truncated, 0, FRAMED_VECTORS);
    tcase_add_loop_test(tc, test_secrets, 0, FRAMED_VECTORS);
    tcase_add_loop_test(tc, test_what_the_server_sends, 0, FRAMED_VECTORS);
    tcase_add_loop_test(tc, test_quick_ack, 0, 3);
    tcase_add_loop_test(tc, test_frames, 0, GAP_ARRAY_LEN(vectors_frame));
    tcase_add_loop_test(tc, test_garbage, 0, 10);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
