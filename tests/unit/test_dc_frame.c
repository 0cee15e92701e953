/* tests/unit/test_dc_frame.c - the server's framing: detection, limits, cuts at every byte. */
#include "base/bytes.h"
#include "base/prng.h"
#include "dc/frame.h"
#include "tests/check_main.h"

#include <string.h>
#include <zlib.h>

#define MAX_BYTES 4096U

struct seen {
    int result; /* of the call that ended it: 0 more bytes wanted, or negative */
    uint32_t frames;
    size_t bytes; /* of all payloads */
    uint32_t crc; /* of all payloads */
    uint32_t quick;
};

static void feed(gap_dc_framer_t *f, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        uint8_t *buf;
        size_t cap;
        ck_assert_int_eq(gap_dc_framer_room(f, &buf, &cap), 0);
        size_t n = len < cap ? len : cap;
        memcpy(buf, bytes, n);
        gap_dc_framer_filled(f, n);
        bytes += n;
        len -= n;
    }
}

static void drain(gap_dc_framer_t *f, struct seen *s)
{
    uint8_t *payload;
    size_t len;
    bool quick;

    while ((s->result = gap_dc_framer_next(f, &payload, &len, &quick)) > 0) {
        s->frames++;
        s->bytes += len;
        s->crc = (uint32_t)crc32(s->crc, payload, (uInt)len);
        if (quick) s->quick++;
    }
}

/* Feed in pieces of @p step bytes. */
static struct seen read_all(const uint8_t *bytes, size_t len, size_t step)
{
    struct seen s = {0};
    gap_dc_framer_t f;

    gap_dc_framer_init(&f, gap_alloc_default(), MAX_BYTES);
    for (size_t at = 0; at < len && s.result >= 0; at += step) {
        feed(&f, bytes + at, len - at < step ? len - at : step);
        drain(&f, &s);
    }
    gap_dc_framer_fini(&f);
    gap_dc_framer_fini(&f);
    return s;
}

static const struct {
    const char *bytes;
    size_t len;
    int result;
    uint32_t frames;
    const char *why;
} cases[] = {
    {"\xef\x01"
     "abcd",
     6, 0, 1, "abridged"},
    {"\xef\x81"
     "abcd",
     6, 0, 1, "abridged, quick acknowledgement wanted"},
    {"\xef\x7f\x01\x00\x00"
     "abcd",
     9, 0, 1, "abridged, the long form of a short length"},
    {"\xef\x00", 2, GAP_E_PROTOCOL, 0, "abridged, nothing inside"},
    {"\xef\x7f\x01\x04\x00", 5, GAP_E_LIMIT, 0, "abridged, one word too long"},
    {"\xee\xee\xee\xee\x04\0\0\0abcd\x04\0\0\0efgh", 20, 0, 2, "intermediate"},
    {"\xee\xee\xee\xee\x04\0\0\x80"
     "abcd",
     12, 0, 1, "intermediate, quick acknowledgement wanted"},
    {"\xee\xee\xee\xee\x05\0\0\0abcde", 13, GAP_E_PROTOCOL, 0, "intermediate, no multiple of 4"},
    {"\xee\xee\xee\xee\x04\x10\0\0", 8, GAP_E_LIMIT, 0, "intermediate, one word too long"},
    {"\xee\xee\xee\xee\xff\xff\xff\xff", 8, GAP_E_LIMIT, 0, "intermediate, all ones"},
    {"\xdd\xdd\xdd\xdd\x05\0\0\0abcde", 13, 0, 1, "padded takes any length"},
    {"\xdd\xdd\xdd\xdd\x03\0\0\0abc", 11, GAP_E_PROTOCOL, 0, "padded, too short for anything"},
    {"\x10\0\0\0\0\0\0\0abcd\xaf\x57\x9d\xcf", 16, GAP_E_PROTOCOL, 0, "full, wrong checksum"},
    {"\x0b\0\0\0\0\0\0\0abcd", 12, GAP_E_PROTOCOL, 0, "full, shorter than its own head"},
    {"GET / HTTP/1.1", 14, GAP_E_PROTOCOL, 0, "no transport of ours"},
    {"\xee\xee\xee", 3, 0, 0, "not enough to tell"},
    {"", 0, 0, 0, "nothing"},
};

START_TEST(test_cases)
{
    for (size_t step = 1; step <= 16; step++) {
        struct seen s = read_all((const uint8_t *)cases[_i].bytes, cases[_i].len, step);
        ck_assert_msg(s.result == cases[_i].result, "%s: %d, step %zu", cases[_i].why, s.result,
                      step);
        ck_assert_msg(s.frames == cases[_i].frames, "%s: %u frames", cases[_i].why, s.frames);
    }
}
END_TEST

static const char *const tags[] = {"\xef", "\xee\xee\xee\xee", "\xdd\xdd\xdd\xdd", ""};
static const gap_dc_transport_t transports[] = {GAP_DC_ABRIDGED, GAP_DC_INTERMEDIATE, GAP_DC_PADDED,
                                                GAP_DC_FULL};
static const size_t lengths[] = {4, 8, 24, 500, 504, 508, 512, 1024, 4096};

/* Frames of every length, as the other side would write them. @return bytes. */
static size_t write_stream(gap_dc_transport_t transport, const char *tag, uint8_t *out,
                           struct seen *expected)
{
    gap_dc_framer_t f;
    gap_prng_t prng = {42};
    uint8_t room[GAP_DC_FRAME_HEAD + MAX_BYTES + GAP_DC_FRAME_TAIL];
    uint8_t filler[GAP_DC_FRAME_TAIL];
    size_t n = strlen(tag);

    gap_dc_framer_init(&f, gap_alloc_default(), MAX_BYTES);
    f.transport = transport;
    memcpy(out, tag, n);
    memset(expected, 0, sizeof *expected);
    for (size_t i = 0; i < GAP_ARRAY_LEN(lengths); i++) {
        uint8_t *payload = room + GAP_DC_FRAME_HEAD;
        for (size_t j = 0; j < lengths[i]; j++) payload[j] = (uint8_t)gap_prng_next(&prng);
        for (size_t j = 0; j < sizeof filler; j++) filler[j] = (uint8_t)gap_prng_next(&prng);
        if (transport == GAP_DC_PADDED) filler[0] = 0;
        expected->frames++;
        expected->bytes += lengths[i];
        expected->crc = (uint32_t)crc32(expected->crc, payload, (uInt)lengths[i]);
        gap_bytes_t frame;
        ck_assert_int_eq(gap_dc_framer_wrap(&f, payload, lengths[i], filler, &frame), 0);
        ck_assert(frame.data >= room);
        ck_assert(frame.data + frame.len <= room + sizeof room);
        memcpy(out + n, frame.data, frame.len);
        n += frame.len;
    }
    gap_dc_framer_fini(&f);
    return n;
}

START_TEST(test_what_is_wrapped_is_read)
{
    static uint8_t stream[65536];
    static const size_t steps[] = {1, 3, 7, 100, 4096, 65536};
    struct seen expected;
    size_t len = write_stream(transports[_i], tags[_i], stream, &expected);

    for (size_t i = 0; i < GAP_ARRAY_LEN(steps); i++) {
        struct seen s = read_all(stream, len, steps[i]);
        ck_assert_int_eq(s.result, 0);
        ck_assert_uint_eq(s.frames, expected.frames);
        ck_assert_uint_eq(s.bytes, expected.bytes);
        ck_assert_uint_eq(s.crc, expected.crc);
    }
    /* Cut anywhere: fewer frames, never a failure, never a wrong one. */
    for (size_t cut = 0; cut < len; cut += 5) {
        struct seen s = read_all(stream, cut, 4096);
        ck_assert_int_eq(s.result, 0);
        ck_assert_uint_lt(s.frames, expected.frames);
    }
}
END_TEST

START_TEST(test_full_counts_and_sums)
{
    static uint8_t stream[65536];
    struct seen expected;
    size_t len = write_stream(GAP_DC_FULL, "", stream, &expected);

    for (size_t at = 4; at < 200; at++) {
        stream[at] ^= 0x20;
        struct seen s = read_all(stream, len, 4096);
        ck_assert_msg(s.result != 0 || s.frames < expected.frames, "a flipped bit at %zu", at);
        stream[at] ^= 0x20;
    }
}
END_TEST

START_TEST(test_padding_behind_a_message_is_trimmed)
{
    gap_dc_framer_t f;
    uint8_t encrypted[256];
    uint8_t plain[256] = {0};

    memset(encrypted, 7, sizeof encrypted);
    gap_dc_framer_init(&f, gap_alloc_default(), MAX_BYTES);
    f.transport = GAP_DC_PADDED;
    for (size_t pad = 0; pad < 16; pad++) {
        ck_assert_uint_eq(gap_dc_framer_trim(&f, encrypted, 24 + 96 + pad), 24 + 96);
        ck_assert_uint_eq(gap_dc_framer_trim(&f, plain, 60 + pad), 60 + pad);
    }
    f.transport = GAP_DC_INTERMEDIATE;
    ck_assert_uint_eq(gap_dc_framer_trim(&f, encrypted, 28), 28);
    gap_dc_framer_fini(&f);
}
END_TEST

START_TEST(test_an_error_stays_short_in_the_padded_transport)
{
    gap_dc_framer_t f;
    uint8_t room[GAP_DC_FRAME_HEAD + 4 + GAP_DC_FRAME_TAIL] = {0};
    uint8_t filler[GAP_DC_FRAME_TAIL] = {0};

    gap_dc_framer_init(&f, gap_alloc_default(), MAX_BYTES);
    f.transport = GAP_DC_PADDED;
    for (unsigned i = 0; i < 256; i++) {
        filler[0] = (uint8_t)i;
        gap_bytes_t frame;
        ck_assert_int_eq(gap_dc_framer_wrap(&f, room + GAP_DC_FRAME_HEAD, 4, filler, &frame), 0);
        ck_assert_uint_lt(frame.len - 4, 16);
        ck_assert_uint_eq(gap_load32(frame.data), frame.len - 4);
    }
    gap_dc_framer_fini(&f);
}
END_TEST

START_TEST(test_garbage)
{
    gap_prng_t prng = {(uint64_t)_i + 1};
    uint8_t bytes[512];

    for (unsigned round = 0; round < 50; round++) {
        size_t len = gap_prng_below(&prng, sizeof bytes);
        for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)gap_prng_next(&prng);
        const char *tag = tags[gap_prng_below(&prng, 4)];
        memcpy(bytes, tag, strlen(tag) < len ? strlen(tag) : 0);
        struct seen whole = read_all(bytes, len, sizeof bytes);
        struct seen single = read_all(bytes, len, 1);
        ck_assert_msg(whole.result == single.result && whole.crc == single.crc &&
                          whole.frames == single.frames,
                      "seed %d: the cut changes the outcome", _i);
    }
}
END_TEST

START_TEST(test_out_of_memory)
{
    struct fault_alloc fault;
    gap_dc_framer_t f;
    uint8_t *buf;
    size_t cap;

    fault_alloc_init(&fault, 1);
    gap_dc_framer_init(&f, &fault.alloc, MAX_BYTES);
    ck_assert_int_eq(gap_dc_framer_room(&f, &buf, &cap), GAP_E_NOMEM);
    ck_assert_int_eq(gap_dc_framer_room(&f, &buf, &cap), 0);
    gap_dc_framer_fini(&f);
    ck_assert_int_eq(fault.live, 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_frame");
    TCase *tc = tcase_create("frame");

    tcase_add_loop_test(tc, test_cases, 0, GAP_ARRAY_LEN(cases));
    tcase_add_loop_test(tc, test_what_is_wrapped_is_read, 0, GAP_ARRAY_LEN(tags));
    tcase_add_test(tc, test_full_counts_and_sums);
    tcase_add_test(tc, test_padding_behind_a_message_is_trimmed);
    tcase_add_test(tc, test_an_error_stays_short_in_the_padded_transport);
    tcase_add_loop_test(tc, test_garbage, 0, 50);
    tcase_add_test(tc, test_out_of_memory);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
