/* tests/unit/test_crypto_keys.c - RSA keys and paddings, factors, Diffie-Hellman. */
#include "crypto/dh.h"
#include "crypto/pq.h"
#include "crypto/rsa.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "tests/unit/hex.h"
#include "tests/unit/vectors_crypto.h"
#include "tests/unit/vectors_mtproto.h"

#include <openssl/bn.h>
#include <openssl/err.h>

static gap_crypto_t c;

static void setup(void)
{
    ck_assert_int_eq(gap_crypto_init(&c), 0);
}

static void teardown(void)
{
    /* The error queue is the host's: nothing of ours may be left in it. */
    ck_assert_uint_eq(ERR_peek_error(), 0);
    gap_crypto_fini(&c);
}

static gap_bytes_t text(const char *s)
{
    return gap_bytes(s, strlen(s));
}

START_TEST(test_rsa_fingerprints)
{
    uint8_t n[256], e[8];
    gap_rsa_key_t key;

    for (size_t i = 0; i < GAP_ARRAY_LEN(vectors_fingerprint); i++) {
        hex_exactly(vectors_fingerprint[i].modulus, n, sizeof n);
        size_t e_len = hex_to(vectors_fingerprint[i].exponent, e, sizeof e);
        ck_assert_int_eq(
            gap_rsa_public_from_numbers(&c, gap_bytes(n, 256), gap_bytes(e, e_len), &key), 0);
        ck_assert_uint_eq((uint64_t)key.fingerprint, vectors_fingerprint[i].fingerprint);
        ck_assert_mem_eq(key.modulus, n, 256);
        gap_rsa_fini(&key);
        gap_rsa_fini(&key);
    }
    ck_assert_int_eq(gap_rsa_public_from_numbers(&c, gap_bytes(n, 255), gap_bytes(e, 3), &key),
                     GAP_E_PEM);
    n[255] ^= 1;
    ck_assert_int_eq(gap_rsa_public_from_numbers(&c, gap_bytes(n, 256), gap_bytes(e, 3), &key),
                     GAP_E_PEM);
}
END_TEST

/* The test key's public half in the other form, made with `openssl rsa -RSAPublicKey_in -pubout`.
 */
static const char spki_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAjdfGNVGpuW4lQTj+vSoi\n"
                               "JYZbW1Pb/ZgI3tFZWER6sny2dDYWSVYkihtzD/erA8LNKlPH+4+bfMLAGWx1eWak\n"
                               "rmzTmddhFrPxnUbS8lxDZRVEhovyhd69RAGuW+jI9xAVAQT+N8gx5TviNBsEiQac\n"
                               "ZGJtfj7VuUWCUSkP/9ldn2xge7EFZRW6sB4xyVTRD+QcpTqXvdEdw2LpoVfAwkjn\n"
                               "YDd3njQy/G5NohwO3R9vt5+NwnHt6km1EjI6kkK7MUuCGhtayoXoboSJLhe/+bu4\n"
                               "M+7/F2/WpeEW2YQg/QpFSckuK8TfhMkG5vqTriOmoBpksDODxAWpRkNPlzIc0/ZU\n"
                               "JwIDAQAB\n"
                               "-----END PUBLIC KEY-----\n";

START_TEST(test_rsa_pem_both_ways)
{
    gap_rsa_key_t whole, half;
    gap_buf_t pem;

    gap_buf_init(&pem, gap_alloc_default());
    ck_assert_int_eq(gap_rsa_private_from_pem(&c, text(vector_rsa_private_pem), &whole), 0);
    ck_assert(whole.is_private);
    ck_assert_uint_eq((uint64_t)whole.fingerprint, VECTOR_RSA_FINGERPRINT);
    ck_assert_int_eq(gap_rsa_public_pem(&whole, &pem), 0);
    ck_assert(gap_bytes_equal(gap_buf_view(&pem), text(vector_rsa_public_pem)));
    gap_buf_clear(&pem);
    ck_assert_int_eq(gap_rsa_private_pem(&whole, &pem), 0);
    ck_assert(gap_bytes_equal(gap_buf_view(&pem), text(vector_rsa_private_pem)));
    const char *const publics[] = {vector_rsa_public_pem, spki_pem};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(gap_rsa_public_from_pem(&c, text(publics[i]), &half), 0);
        ck_assert(!half.is_private);
        ck_assert_int_eq(half.fingerprint, whole.fingerprint);
        ck_assert_int_eq(gap_rsa_private_pem(&half, &pem), GAP_E_ARGUMENT);
        gap_rsa_fini(&half);
    }
    gap_rsa_fini(&whole);
    gap_buf_fini(&pem);
}
END_TEST

START_TEST(test_rsa_pem_refused)
{
    static const struct {
        const char *pem;
        const char *why;
    } table[] = {
        {"", "empty"},
        {"hello", "no PEM at all"},
        {"-----BEGIN RSA PUBLIC KEY-----\n", "cut after the first line"},
        {"-----BEGIN RSA PUBLIC KEY-----\nMIIBCgKC\n-----END RSA PUBLIC KEY-----\n", "cut DER"},
        {"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "something else"},
        {"-----BEGIN PUBLIC KEY-----\n"
         "MCowBQYDK2VwAyEAc9M+QUNj/GeiOxJPFGz3ooSr/iGs5p3r/tyqzViAl70=\n"
         "-----END PUBLIC KEY-----\n",
         "Ed25519"},
        {"-----BEGIN PUBLIC KEY-----\n"
         "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALrBcq/iNVprfEqSxYvAMWddk3fcMu3C\n"
         "yDfCl5Xmm+hfj5EwzF6OP1E8YxZr7vrstvOC0GcVIhk15/WjZALTBw8CAwEAAQ==\n"
         "-----END PUBLIC KEY-----\n",
         "512 bits"},
        {vector_rsa_private_pem, "a private key where a public one is asked for"},
    };
    gap_rsa_key_t key;

    for (size_t i = 0; i < GAP_ARRAY_LEN(table); i++)
        ck_assert_msg(gap_rsa_public_from_pem(&c, text(table[i].pem), &key) == GAP_E_PEM, "%s",
                      table[i].why);
    ck_assert_int_eq(gap_rsa_private_from_pem(&c, text(vector_rsa_public_pem), &key), GAP_E_PEM);
}
END_TEST

START_TEST(test_rsa_generate)
{
    gap_rsa_key_t key, again;
    gap_buf_t pem;

    gap_buf_init(&pem, gap_alloc_default());
    ck_assert_int_eq(gap_rsa_generate(&c, &key), 0);
    ck_assert_uint_ne((uint64_t)key.fingerprint >> 60, 0);
    ck_assert_int_eq(gap_rsa_private_pem(&key, &pem), 0);
    ck_assert_int_eq(gap_rsa_private_from_pem(&c, gap_buf_view(&pem), &again), 0);
    ck_assert_int_eq(again.fingerprint, key.fingerprint);
    gap_rsa_fini(&again);
    gap_rsa_fini(&key);
    gap_buf_fini(&pem);
}
END_TEST

START_TEST(test_rsa_pem_out_of_memory)
{
    struct fault_alloc f;
    gap_rsa_key_t key;
    gap_buf_t pem;

    fault_alloc_init(&f, 1);
    gap_buf_init(&pem, &f.alloc);
    ck_assert_int_eq(gap_rsa_public_from_pem(&c, text(vector_rsa_public_pem), &key), 0);
    ck_assert_int_eq(gap_rsa_public_pem(&key, &pem), GAP_E_NOMEM);
    ck_assert_int_eq(gap_rsa_public_pem(&key, &pem), 0);
    gap_rsa_fini(&key);
    gap_buf_fini(&pem);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

START_TEST(test_rsa_pad_vectors)
{
    uint8_t data[192], want[256], out[256], raw[256], opened[192];
    gap_rsa_key_t key;
    struct scripted_random random;

    ck_assert_int_eq(gap_rsa_private_from_pem(&c, text(vector_rsa_private_pem), &key), 0);
    for (size_t i = 0; i < GAP_ARRAY_LEN(vectors_rsa_pad); i++) {
        const struct vector_rsa_pad *v = &vectors_rsa_pad[i];
        size_t n = hex_to(v->data, data, sizeof data);
        scripted_init(&random);
        scripted_add(&random, v->padding);
        scripted_add(&random, v->temp_key_refused);
        scripted_add(&random, v->temp_key);
        ck_assert_int_eq(gap_rsa_pad_encrypt(&c, &key, gap_bytes(data, n), &random.source, out), 0);
        hex_exactly(v->encrypted, want, 256);
        ck_assert_mem_eq(out, want, 256);
        ck_assert_int_eq(gap_rsa_decrypt(&key, gap_bytes(out, 256), raw), 0);
        hex_exactly(v->block, want, 256);
        ck_assert_mem_eq(raw, want, 256);
        ck_assert_int_eq(gap_rsa_pad_open(&c, raw, opened), 0);
        ck_assert_mem_eq(opened, data, n);
        hex_exactly(v->padding, want, 192 - n);
        ck_assert_mem_eq(opened + n, want, 192 - n);
        for (size_t k = 0; k < 256; k += 5) {
            raw[k] ^= 0x10;
            ck_assert_int_eq(gap_rsa_pad_open(&c, raw, opened), GAP_E_CRYPTO);
            raw[k] ^= 0x10;
        }
    }
    gap_rsa_fini(&key);
}
END_TEST

START_TEST(test_rsa_pad_refused)
{
    uint8_t data[160] = {0}, out[256], big[256];
    gap_rsa_key_t key;
    struct scripted_random random;

    ck_assert_int_eq(gap_rsa_public_from_pem(&c, text(vector_rsa_public_pem), &key), 0);
    scripted_init(&random);
    ck_assert_int_eq(gap_rsa_pad_encrypt(&c, &key, gap_bytes(data, 145), &random.source, out),
                     GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_rsa_pad_encrypt(&c, &key, gap_bytes(data, 100), &random.source, out),
                     GAP_E_STATE);
    /* A broken source that always gives the temporary key that does not fit. */
    scripted_add(&random, vectors_rsa_pad[0].padding);
    for (int i = 0; i < 64; i++) scripted_add(&random, vectors_rsa_pad[0].temp_key_refused);
    size_t n = hex_to(vectors_rsa_pad[0].data, data, sizeof data);
    ck_assert_int_eq(gap_rsa_pad_encrypt(&c, &key, gap_bytes(data, n), &random.source, out),
                     GAP_E_CRYPTO);
    ck_assert_int_eq(gap_rsa_decrypt(&key, gap_bytes(out, 256), out), GAP_E_ARGUMENT);
    gap_rsa_fini(&key);
    ck_assert_int_eq(gap_rsa_private_from_pem(&c, text(vector_rsa_private_pem), &key), 0);
    memset(big, 0xff, sizeof big);
    ck_assert_int_eq(gap_rsa_decrypt(&key, gap_bytes(big, 256), out), GAP_E_CRYPTO);
    ck_assert_int_eq(gap_rsa_decrypt(&key, gap_bytes(key.modulus, 256), out), GAP_E_CRYPTO);
    ck_assert_int_eq(gap_rsa_decrypt(&key, gap_bytes(big, 255), out), GAP_E_CRYPTO);
    gap_rsa_fini(&key);
}
END_TEST

START_TEST(test_rsa_legacy_padding)
{
    uint8_t raw[256];
    gap_bytes_t found;

    for (size_t n = 4; n <= 232; n += 4) {
        memset(raw, 0x5a, sizeof raw);
        raw[0] = 0;
        for (size_t i = 0; i < n; i++) raw[21 + i] = (uint8_t)(i * 7);
        gap_bytes_t data = gap_bytes(raw + 21, n);
        ck_assert_int_eq(gap_sha1(&c, &data, 1, raw + 1), 0);
        ck_assert_int_eq(gap_rsa_legacy_open(&c, raw, &found), 0);
        ck_assert_uint_eq(found.len, n);
        ck_assert_ptr_eq(found.data, raw + 21);
        raw[0] = 1;
        ck_assert_int_eq(gap_rsa_legacy_open(&c, raw, &found), GAP_E_CRYPTO);
        raw[0] = 0;
        raw[21] ^= 1;
        ck_assert_int_eq(gap_rsa_legacy_open(&c, raw, &found), GAP_E_CRYPTO);
    }
}
END_TEST

START_TEST(test_pq_vectors)
{
    uint64_t p, q;
    uint8_t be[8], want[8];

    for (size_t i = 0; i < GAP_ARRAY_LEN(vectors_pq); i++) {
        const struct vector_pq *v = &vectors_pq[i];
        ck_assert_msg(gap_pq_factor(v->pq, &p, &q) == 0, "%llu", (unsigned long long)v->pq);
        ck_assert_uint_eq(p, v->p);
        ck_assert_uint_eq(q, v->q);
        size_t n = hex_to(v->p_bytes, want, 8);
        ck_assert_uint_eq(gap_be_bytes(p, be), n);
        ck_assert_mem_eq(be, want, n);
        n = hex_to(v->q_bytes, want, 8);
        ck_assert_uint_eq(gap_be_bytes(q, be), n);
        ck_assert_mem_eq(be, want, n);
    }
    ck_assert_uint_eq(gap_be_bytes(0, be), 0);
}
END_TEST

START_TEST(test_pq_random)
{
    gap_prng_t rng = {99};

    for (int i = 0; i < 300; i++) {
        unsigned bits = 3 + (unsigned)gap_prng_below(&rng, 29);
        uint64_t a = gap_prng_below(&rng, 1ULL << bits) | 1;
        uint64_t b = gap_prng_below(&rng, 1ULL << 32) | 1;
        while (!gap_is_prime64(a)) a += 2;
        while (!gap_is_prime64(b) || a == b) b += 2;
        uint64_t p, q;
        ck_assert_msg(gap_pq_factor(a * b, &p, &q) == 0, "%llu * %llu", (unsigned long long)a,
                      (unsigned long long)b);
        ck_assert_uint_eq(p, a < b ? a : b);
        ck_assert_uint_eq(q, a < b ? b : a);
    }
}
END_TEST

START_TEST(test_pq_refused)
{
    static const struct {
        uint64_t pq;
        const char *why;
    } table[] = {
        {0, "zero"},
        {1, "one"},
        {2, "smallest prime"},
        {4, "square of it"},
        {1000003, "prime"},
        {18446744073709551557ULL, "largest 64-bit prime"},
        {18446744073709551615ULL, "seven factors"},
        {18446744030759878681ULL, "square of the largest 32-bit prime 4294967291"},
        {30, "three factors"},
        {1000003ULL * 1000033 * 1000037, "three factors beyond trial division"},
        {9223372036854775808ULL, "2^63"},
    };
    uint64_t p, q;

    for (size_t i = 0; i < GAP_ARRAY_LEN(table); i++)
        ck_assert_msg(gap_pq_factor(table[i].pq, &p, &q) == GAP_E_PROTOCOL, "%s", table[i].why);
}
END_TEST

START_TEST(test_is_prime64)
{
    static bool composite[10000];
    /* Strong pseudoprimes to several of the bases (OEIS A014233) and Carmichael numbers. */
    static const uint64_t liars[] = {
        2047,          1373653,       25326001,        3215031751,
        2152302898747, 3474749660383, 341550071728321, 3825123056546413051,
        561,           1105,          9746347772161};

    composite[0] = composite[1] = true;
    for (size_t i = 2; i < 10000; i++)
        for (size_t k = 2 * i; !composite[i] && k < 10000; k += i) composite[k] = true;
    for (uint64_t i = 0; i < 10000; i++) ck_assert_int_eq(gap_is_prime64(i), !composite[i]);
    for (size_t i = 0; i < GAP_ARRAY_LEN(liars); i++) ck_assert(!gap_is_prime64(liars[i]));
    ck_assert(gap_is_prime64(2305843009213693951ULL));
    ck_assert(gap_is_prime64(18446744073709551557ULL));
}
END_TEST

/* A safe prime that is not the known one: the 2048-bit group of RFC 3526. */
static void other_prime(uint8_t out[256])
{
    BIGNUM *p = BN_get_rfc3526_prime_2048(NULL);
    ck_assert_int_eq(BN_bn2binpad(p, out, 256), 256);
    BN_free(p);
}

START_TEST(test_dh_primes)
{
    uint8_t p[257];

    hex_exactly(vector_exchange.dh_prime, p, 256);
    ck_assert_mem_eq(p, gap_dh_known_prime, 256);
    ck_assert_int_eq(gap_dh_check_prime(gap_bytes(p, 256)), 0);
    ck_assert_int_eq(gap_dh_check_prime(gap_bytes(p, 255)), GAP_E_CRYPTO);
    p[256] = 0;
    ck_assert_int_eq(gap_dh_check_prime(gap_bytes(p, 257)), GAP_E_CRYPTO);
    p[255] += 4;
    ck_assert_int_eq(gap_dh_check_prime(gap_bytes(p, 256)), GAP_E_CRYPTO);
    p[255] -= 5;
    ck_assert_int_eq(gap_dh_check_prime(gap_bytes(p, 256)), GAP_E_CRYPTO);
    other_prime(p);
    ck_assert_int_eq(gap_dh_check_prime(gap_bytes(p, 256)), 0);
    p[0] &= 0x7f;
    ck_assert_int_eq(gap_dh_check_prime(gap_bytes(p, 256)), GAP_E_CRYPTO);
    /* Prime, but (p - 1) / 2 is not: the largest 2048-bit prime that is 3 mod 4. */
    BIGNUM *n = BN_new();
    BIGNUM *half = BN_new();
    BN_CTX *ctx = BN_CTX_new();
    ck_assert_int_eq(BN_set_bit(n, 2048), 1);
    ck_assert_int_eq(BN_sub_word(n, 1), 1);
    while (BN_check_prime(n, ctx, NULL) != 1) ck_assert_int_eq(BN_sub_word(n, 4), 1);
    ck_assert_int_eq(BN_rshift1(half, n), 1);
    ck_assert_int_eq(BN_check_prime(half, ctx, NULL), 0);
    ck_assert_int_eq(BN_bn2binpad(n, p, 256), 256);
    ck_assert_int_eq(gap_dh_check_prime(gap_bytes(p, 256)), GAP_E_CRYPTO);
    BN_CTX_free(ctx);
    BN_free(half);
    BN_free(n);
}
END_TEST

/* By Euler: g generates the subgroup of order (p-1)/2 exactly if g^((p-1)/2) = 1 mod p. */
START_TEST(test_dh_generators_agree_with_euler)
{
    uint8_t p[256], bytes[256];
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *g = BN_new(), *half = BN_new(), *x = BN_new(), *prime;

    for (int k = 0; k < 2; k++) {
        if (k == 0)
            memcpy(p, gap_dh_known_prime, 256);
        else
            other_prime(p);
        prime = BN_bin2bn(p, 256, NULL);
        ck_assert_int_eq(BN_rshift1(half, prime), 1);
        for (int i = -1; i <= 9; i++) {
            int want = GAP_E_CRYPTO;
            if (i >= 2 && i <= 7) {
                ck_assert_int_eq(BN_set_word(g, (unsigned)i), 1);
                ck_assert_int_eq(BN_mod_exp(x, g, half, prime, ctx), 1);
                if (BN_is_one(x)) want = 0;
            }
            ck_assert_msg(gap_dh_check_generator(i, p) == want, "g = %d", i);
        }
        BN_free(prime);
    }
    BN_bn2binpad(x, bytes, 256);
    BN_free(x);
    BN_free(half);
    BN_free(g);
    BN_CTX_free(ctx);
}
END_TEST

/* Every remainder of the generator table, on numbers made for it (the function asks no primality).
 */
START_TEST(test_dh_generator_table)
{
    static const struct {
        int g;
        unsigned modulus;
        const char *good; /* remainders */
    } table[] = {
        {2, 8, "7"}, {3, 3, "2"}, {4, 1, "0"}, {5, 5, "14"}, {7, 7, "356"},
    };
    uint8_t p[256] = {0};

    for (size_t i = 0; i < GAP_ARRAY_LEN(table); i++) {
        for (unsigned n = 0; n < 64; n++) {
            p[255] = (uint8_t)n;
            bool good = strchr(table[i].good, '0' + (char)(n % table[i].modulus)) != NULL;
            ck_assert_msg(gap_dh_check_generator(table[i].g, p) == (good ? 0 : GAP_E_CRYPTO),
                          "g %d, remainder of %u", table[i].g, n);
        }
    }
    for (unsigned n = 0; n < 240; n++) {
        p[255] = (uint8_t)n;
        bool good = n % 24 == 19 || n % 24 == 23;
        ck_assert_int_eq(gap_dh_check_generator(6, p), good ? 0 : GAP_E_CRYPTO);
    }
}
END_TEST

START_TEST(test_dh_public_range)
{
    uint8_t v[257] = {0}, p[256];
    BIGNUM *n = BN_new(), *margin = BN_new();

    memcpy(p, gap_dh_known_prime, 256);
    /* 2^1984 is byte 7 from the top. */
    v[7] = 1;
    ck_assert_int_eq(gap_dh_check_public(gap_bytes(v, 256), p), 0);
    ck_assert_int_eq(gap_dh_check_public(gap_bytes(v + 7, 249), p), 0);
    ck_assert_int_eq(gap_dh_check_public(gap_bytes(v, 257), p), GAP_E_CRYPTO);
    v[7] = 0;
    memset(v + 8, 0xff, 248);
    ck_assert_int_eq(gap_dh_check_public(gap_bytes(v, 256), p), GAP_E_CRYPTO);
    ck_assert_int_eq(gap_dh_check_public(gap_bytes(v + 8, 248), p), GAP_E_CRYPTO);
    ck_assert_int_eq(gap_dh_check_public(gap_bytes(v, 0), p), GAP_E_CRYPTO);
    ck_assert_ptr_nonnull(BN_bin2bn(p, 256, n));
    ck_assert_int_eq(BN_set_bit(margin, 1984), 1);
    ck_assert_int_eq(BN_sub(n, n, margin), 1);
    ck_assert_int_eq(BN_bn2binpad(n, v, 256), 256);
    ck_assert_int_eq(gap_dh_check_public(gap_bytes(v, 256), p), 0);
    ck_assert_int_eq(BN_add_word(n, 1), 1);
    ck_assert_int_eq(BN_bn2binpad(n, v, 256), 256);
    ck_assert_int_eq(gap_dh_check_public(gap_bytes(v, 256), p), GAP_E_CRYPTO);
    memcpy(v, p, 256);
    v[255] -= 1;
    ck_assert_int_eq(gap_dh_check_public(gap_bytes(v, 256), p), GAP_E_CRYPTO);
    BN_free(margin);
    BN_free(n);
}
END_TEST

START_TEST(test_dh_powers_of_the_published_exchange)
{
    uint8_t g_a[256], b[256], want[256], out[256], g = (uint8_t)vector_exchange.g;

    hex_exactly(vector_exchange.b, b, 256);
    hex_exactly(vector_exchange.g_b, want, 256);
    ck_assert_int_eq(gap_dh_power(gap_bytes(&g, 1), b, gap_dh_known_prime, out), 0);
    ck_assert_mem_eq(out, want, 256);
    ck_assert_int_eq(gap_dh_check_public(gap_bytes(out, 256), gap_dh_known_prime), 0);
    hex_exactly(vector_exchange.g_a, g_a, 256);
    hex_exactly(vector_exchange.auth_key, want, 256);
    ck_assert_int_eq(gap_dh_power(gap_bytes(g_a, 256), b, gap_dh_known_prime, out), 0);
    ck_assert_mem_eq(out, want, 256);
    /* Small results keep their zeros on the left: 4^1. */
    memset(b, 0, 256);
    b[255] = 1;
    g = 4;
    memset(want, 0, 256);
    want[255] = 4;
    ck_assert_int_eq(gap_dh_power(gap_bytes(&g, 1), b, gap_dh_known_prime, out), 0);
    ck_assert_mem_eq(out, want, 256);
    uint8_t long_base[257] = {0};
    ck_assert_int_eq(gap_dh_power(gap_bytes(long_base, 257), b, gap_dh_known_prime, out),
                     GAP_E_ARGUMENT);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("crypto_keys");
    TCase *t = tcase_create("keys");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_rsa_fingerprints);
    tcase_add_test(t, test_rsa_pem_both_ways);
    tcase_add_test(t, test_rsa_pem_refused);
    tcase_add_test(t, test_rsa_generate);
    tcase_add_test(t, test_rsa_pem_out_of_memory);
    tcase_add_test(t, test_rsa_pad_vectors);
    tcase_add_test(t, test_rsa_pad_refused);
    tcase_add_test(t, test_rsa_legacy_padding);
    tcase_add_test(t, test_pq_vectors);
    tcase_add_test(t, test_pq_random);
    tcase_add_test(t, test_pq_refused);
    tcase_add_test(t, test_is_prime64);
    tcase_add_test(t, test_dh_primes);
    tcase_add_test(t, test_dh_generators_agree_with_euler);
    tcase_add_test(t, test_dh_generator_table);
    tcase_add_test(t, test_dh_public_range);
    tcase_add_test(t, test_dh_powers_of_the_published_exchange);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
