/* tests/unit/test_gzip.c - inflating within limits, packing when it pays, out of memory. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/gzip.h"
#include "base/packet.h"
#include "base/prng.h"
#include "tests/check_main.h"

#include <string.h>

/* `text` as a gzip and as a zlib stream. */
static const uint8_t gzip_stream[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b, 0x4f, 0x2c, 0xc8, 0x49, 0x2d,
    0x2e, 0x56, 0x48, 0xc7, 0x4e, 0x73, 0x01, 0x00, 0x7c, 0x8e, 0x72, 0x3b, 0x20, 0x00, 0x00, 0x00,
};
static const uint8_t zlib_stream[] = {
    0x78, 0xda, 0x4b, 0x4f, 0x2c, 0xc8, 0x49, 0x2d, 0x2e, 0x56,
    0x48, 0xc7, 0x4e, 0x73, 0x01, 0x00, 0xcd, 0x12, 0x0c, 0x27,
};
static const char text[] = "gapless gapless gapless gapless\n";

static struct fault_alloc f;
static gap_gzip_t z;

static void setup(void)
{
    fault_alloc_init(&f, 0);
    gap_gzip_init(&z, &f.alloc);
}

static void teardown(void)
{
    gap_gzip_fini(&z);
    gap_gzip_fini(&z);
    ck_assert_int_eq(f.live, 0);
}

static void inflates_to_text(gap_bytes_t in)
{
    gap_packet_t *out;

    ck_assert_int_eq(gap_inflate(&z, in, GAP_INFLATE_MAX_BYTES, &out), 0);
    ck_assert(gap_bytes_equal(gap_bytes(out->data, out->len), gap_bytes(text, strlen(text))));
    gap_packet_unref(out);
}

START_TEST(test_inflate_both_formats)
{
    uint8_t longer[128] = {0};

    inflates_to_text(gap_bytes(gzip_stream, sizeof gzip_stream));
    inflates_to_text(gap_bytes(zlib_stream, sizeof zlib_stream));
    /* Bytes behind the end don't matter. */
    memcpy(longer, gzip_stream, sizeof gzip_stream);
    inflates_to_text(gap_bytes(longer, sizeof longer));
}
END_TEST

START_TEST(test_inflate_refuses_damage)
{
    uint8_t bad[sizeof gzip_stream];
    gap_packet_t *out;

    for (size_t n = 0; n < sizeof bad; n++)
        ck_assert_msg(gap_inflate(&z, gap_bytes(gzip_stream, n), 1000, &out) == GAP_E_GZIP,
                      "cut at %zu", n);
    for (size_t n = 0; n < sizeof zlib_stream; n++)
        ck_assert_msg(gap_inflate(&z, gap_bytes(zlib_stream, n), 1000, &out) == GAP_E_GZIP,
                      "zlib cut at %zu", n);
    /* Bytes 4 to 9 of the header (time, flags of the packer, system) say nothing. */
    for (size_t i = 0; i < sizeof bad; i++) {
        if (i >= 4 && i < 10) continue;
        memcpy(bad, gzip_stream, sizeof bad);
        bad[i] ^= 0x81;
        ck_assert_msg(gap_inflate(&z, gap_bytes(bad, sizeof bad), 1000, &out) == GAP_E_GZIP,
                      "damaged at %zu", i);
    }
    memset(bad, 0, sizeof bad);
    ck_assert_int_eq(gap_inflate(&z, gap_bytes(bad, sizeof bad), 1000, &out), GAP_E_GZIP);
    inflates_to_text(gap_bytes(gzip_stream, sizeof gzip_stream));
}
END_TEST

START_TEST(test_inflate_limit)
{
    gap_packet_t *out;
    gap_bytes_t in = gap_bytes(gzip_stream, sizeof gzip_stream);
    size_t n = strlen(text);

    ck_assert_int_eq(gap_inflate(&z, in, n - 1, &out), GAP_E_GZIP);
    ck_assert_int_eq(gap_inflate(&z, in, 0, &out), GAP_E_GZIP);
    ck_assert_int_eq(gap_inflate(&z, in, n, &out), 0);
    gap_packet_unref(out);
}
END_TEST

/* 65 MiB of zeros are 64 KiB of gzip. */
START_TEST(test_inflate_bomb)
{
    const size_t len = GAP_INFLATE_MAX_BYTES + ((size_t)1 << 20);
    uint8_t *zeros = calloc(1, len);
    uint8_t *packed = malloc(1 << 20);
    size_t packed_len;
    gap_packet_t *out;

    ck_assert_int_eq(gap_deflate(&z, gap_bytes(zeros, len), packed, 1 << 20, &packed_len), 0);
    ck_assert_uint_lt(packed_len, 1 << 17);
    ck_assert_int_eq(gap_inflate(&z, gap_bytes(packed, packed_len), GAP_INFLATE_MAX_BYTES, &out),
                     GAP_E_GZIP);
    size_t just = GAP_INFLATE_MAX_BYTES;
    ck_assert_int_eq(gap_deflate(&z, gap_bytes(zeros, just), packed, 1 << 20, &packed_len), 0);
    ck_assert_int_eq(gap_inflate(&z, gap_bytes(packed, packed_len), just, &out), 0);
    ck_assert_uint_eq(out->len, just);
    gap_packet_unref(out);
    free(packed);
    free(zeros);
}
END_TEST

START_TEST(test_round_trip)
{
    static uint8_t data[100000], packed[100000];
    gap_prng_t rng = {5};
    gap_packet_t *out;
    size_t len;

    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)gap_prng_below(&rng, 4);
    for (size_t n = 0; n <= sizeof data; n = n * 3 + 1) {
        int r = gap_deflate(&z, gap_bytes(data, n), packed, sizeof packed, &len);
        if (n < 20) ck_assert_int_eq(r, GAP_DEFLATE_LARGER);
        if (n > 300) ck_assert_int_eq(r, 0);
        if (r != 0) continue;
        ck_assert_uint_lt(len, n);
        ck_assert_int_eq(gap_inflate(&z, gap_bytes(packed, len), n, &out), 0);
        ck_assert(gap_bytes_equal(gap_bytes(out->data, out->len), gap_bytes(data, n)));
        gap_packet_unref(out);
        ck_assert_int_eq(gap_deflate(&z, gap_bytes(data, n), packed, len, &len), 0);
        ck_assert_int_eq(gap_deflate(&z, gap_bytes(data, n), packed, len - 1, &len),
                         GAP_DEFLATE_LARGER);
    }
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)gap_prng_next(&rng);
    ck_assert_int_eq(gap_deflate(&z, gap_bytes(data, sizeof data), packed, sizeof packed, &len),
                     GAP_DEFLATE_LARGER);
}
END_TEST

START_TEST(test_out_of_memory_at_every_allocation)
{
    static uint8_t data[50000], packed[50000];
    size_t len = 0;
    int r = GAP_E_NOMEM;

    for (long n = 1; r != 0; n++) {
        ck_assert_int_lt(n, 100);
        gap_packet_t *out = NULL;
        gap_gzip_fini(&z);
        fault_alloc_init(&f, n);
        gap_gzip_init(&z, &f.alloc);
        r = gap_deflate(&z, gap_bytes(data, sizeof data), packed, sizeof packed, &len);
        if (r == 0) r = gap_inflate(&z, gap_bytes(packed, len), sizeof data, &out);
        ck_assert(r == 0 || r == GAP_E_NOMEM);
        gap_packet_unref(out);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("gzip");
    TCase *t = tcase_create("gzip");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_inflate_both_formats);
    tcase_add_test(t, test_inflate_refuses_damage);
    tcase_add_test(t, test_inflate_limit);
    tcase_add_test(t, test_inflate_bomb);
    tcase_add_test(t, test_round_trip);
    tcase_add_test(t, test_out_of_memory_at_every_allocation);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
