/*
 * Keyed hashes: the vectors published with SipHash's 128-bit variant, in one piece and in any two,
 * and HMAC-SHA256's from RFC 4231.
 */
#include "base/bytes.h"
#include "crypto/keyed.h"
#include "hex.h"

static const uint8_t key[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static const struct {
    size_t len; /* of the input 00 01 02 ... */
    const char *hash;
} sip_vectors[] = {
    {0, "a3817f04ba25a8e66df67214c7550293"},
    {1, "da87c1d86b99af44347659119b22fc45"},
    {2, "8177228da4a45dc7fca38bdef60affe4"},
    {63, "5150d1772f50834a503e069a973fbd7c"},
};

START_TEST(siphash_as_published)
{
    uint8_t input[64];
    uint8_t expected[16];
    uint8_t hash[16];
    gap_siphash_t h;

    for (size_t i = 0; i < sizeof input; i++) input[i] = (uint8_t)i;
    hex_exactly(sip_vectors[_i].hash, expected, sizeof expected);
    for (size_t cut = 0; cut <= sip_vectors[_i].len; cut++) {
        gap_siphash_begin(&h, key);
        gap_siphash_update(&h, input, cut);
        gap_siphash_update(&h, input + cut, sip_vectors[_i].len - cut);
        gap_siphash_end(&h, hash);
        ck_assert_mem_eq(hash, expected, sizeof hash);
    }
}
END_TEST

START_TEST(siphash_of_words)
{
    uint8_t input[16];
    uint8_t a[16];
    uint8_t b[16];
    gap_siphash_t h;

    gap_store64(input, UINT64_C(0x0123456789abcdef));
    gap_store64(input + 8, 5);
    gap_siphash_begin(&h, key);
    gap_siphash_update64(&h, UINT64_C(0x0123456789abcdef));
    gap_siphash_update64(&h, 5);
    gap_siphash_end(&h, a);
    gap_siphash_begin(&h, key);
    gap_siphash_update(&h, input, sizeof input);
    gap_siphash_end(&h, b);
    ck_assert_mem_eq(a, b, sizeof a);
}
END_TEST

/* RFC 4231 has no key of 32 bytes; a shorter one is padded with zeroes, as this one is. */
START_TEST(hmac_as_published)
{
    uint8_t secret[32] = {0};
    uint8_t expected[32];
    uint8_t out[32];
    const gap_bytes_t pieces[] = {gap_bytes("what do ya want ", 16), gap_bytes("", 0),
                                  gap_bytes("for nothing?", 12)};

    memcpy(secret, "Jefe", 4);
    hex_exactly("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", expected, 32);
    ck_assert_int_eq(gap_hmac_sha256(secret, pieces, 3, out), 0);
    ck_assert_mem_eq(out, expected, sizeof out);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("keyed");
    TCase *t = tcase_create("keyed");
    tcase_add_loop_test(t, siphash_as_published, 0, GAP_ARRAY_LEN(sip_vectors));
    tcase_add_test(t, siphash_of_words);
    tcase_add_test(t, hmac_as_published);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(suite)
