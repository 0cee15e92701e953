/* tests/unit/test_dc_transfer.c - the bytes that carry an authorization to another data centre:
 * who can make them, and that they are good once. */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "dc/transfer.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define NOW_S 1700000000U

static gap_crypto_t crypto;
static uint8_t key[GAP_SHA256_BYTES];

static void setup(void)
{
    ck_assert_int_eq(gap_crypto_init(&crypto), 0);
    ck_assert_int_eq(gap_dc_transfer_key(&crypto, "secret", key), 0);
}

static void teardown(void)
{
    gap_crypto_fini(&crypto);
}

static gap_dc_transfer_t sample(uint64_t n)
{
    gap_dc_transfer_t t = {2, 4, 860000012345, NOW_S + 60, false, true, {0}};

    memcpy(t.nonce, &n, sizeof n);
    return t;
}

START_TEST(what_is_sealed_can_be_opened)
{
    gap_dc_transfer_t in = sample(7);
    gap_dc_transfer_t out;
    uint8_t bytes[GAP_DC_TRANSFER_BYTES];

    in.is_bot = (_i & 1) != 0;
    in.is_move = (_i & 2) != 0;
    ck_assert_int_eq(gap_dc_transfer_seal(&crypto, key, &in, bytes), 0);
    ck_assert_int_eq(gap_dc_transfer_open(&crypto, key, gap_bytes(bytes, sizeof bytes), &out), 0);
    ck_assert_int_eq(out.from, 2);
    ck_assert_int_eq(out.to, 4);
    ck_assert_int_eq(out.account, 860000012345);
    ck_assert_uint_eq(out.expires_s, NOW_S + 60);
    ck_assert(out.is_bot == in.is_bot && out.is_move == in.is_move);
    ck_assert_mem_eq(out.nonce, in.nonce, sizeof in.nonce);
}
END_TEST

/* The code is HMAC-SHA256 as libcrypto has it. */
START_TEST(the_proof_is_hmac_sha256)
{
    gap_dc_transfer_t in = sample(7);
    uint8_t bytes[GAP_DC_TRANSFER_BYTES];
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    const size_t said = sizeof bytes - GAP_SHA256_BYTES;

    ck_assert_int_eq(gap_dc_transfer_seal(&crypto, key, &in, bytes), 0);
    ck_assert_ptr_nonnull(HMAC(EVP_sha256(), key, (int)sizeof key, bytes, said, mac, &len));
    ck_assert_uint_eq(len, GAP_SHA256_BYTES);
    ck_assert_mem_eq(bytes + said, mac, len);
}
END_TEST

START_TEST(one_changed_bit_is_noticed)
{
    gap_dc_transfer_t in = sample(7);
    gap_dc_transfer_t out;
    uint8_t bytes[GAP_DC_TRANSFER_BYTES];

    ck_assert_int_eq(gap_dc_transfer_seal(&crypto, key, &in, bytes), 0);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        ck_assert_msg(gap_dc_transfer_open(&crypto, key, gap_bytes(bytes, sizeof bytes), &out) ==
                          GAP_DC_TRANSFER_BAD,
                      "bit %zu", bit);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len < sizeof bytes; len++)
        ck_assert_int_eq(gap_dc_transfer_open(&crypto, key, gap_bytes(bytes, len), &out),
                         GAP_DC_TRANSFER_BAD);
}
END_TEST

START_TEST(another_secret_does_not_open_it)
{
    gap_dc_transfer_t in = sample(7);
    gap_dc_transfer_t out;
    uint8_t bytes[GAP_DC_TRANSFER_BYTES];
    uint8_t other[GAP_SHA256_BYTES];

    ck_assert_int_eq(gap_dc_transfer_key(&crypto, "secret ", other), 0);
    ck_assert_int_eq(gap_dc_transfer_seal(&crypto, other, &in, bytes), 0);
    ck_assert_int_eq(gap_dc_transfer_open(&crypto, key, gap_bytes(bytes, sizeof bytes), &out),
                     GAP_DC_TRANSFER_BAD);
}
END_TEST

START_TEST(each_is_good_once)
{
    static gap_dc_used_list_t used;
    gap_dc_transfer_t t = sample(0);

    memset(&used, 0, sizeof used);
    for (uint64_t i = 0; i < GAP_DC_IMPORTS_MAX; i++) {
        t = sample(i);
        ck_assert_int_eq(gap_dc_transfer_use(&used, &t, NOW_S), 0);
        ck_assert_int_eq(gap_dc_transfer_use(&used, &t, NOW_S), GAP_DC_TRANSFER_BAD);
    }
    t = sample(GAP_DC_IMPORTS_MAX);
    ck_assert_int_eq(gap_dc_transfer_use(&used, &t, NOW_S + 60), GAP_E_LIMIT);
    /* What has expired is not good anyhow, and need not be remembered. */
    ck_assert_int_eq(gap_dc_transfer_use(&used, &t, NOW_S + 61), 0);
    ck_assert_uint_eq(used.count, 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_transfer");
    TCase *tc = tcase_create("transfer");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, what_is_sealed_can_be_opened, 0, 4);
    tcase_add_test(tc, the_proof_is_hmac_sha256);
    tcase_add_test(tc, one_changed_bit_is_noticed);
    tcase_add_test(tc, another_secret_does_not_open_it);
    tcase_add_test(tc, each_is_good_once);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
