/* tests/unit/test_srp.c - the two-step password: known runs, both halves against each other, and
 * everything a server may send that no client may answer. */
#include "crypto/srp.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "tests/unit/hex.h"
#include "tests/unit/vectors_srp.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

/* libcrypto's memory: call number `fail_at` fails, and every later one; 0: none does. */
static bool libcrypto_is_ours;
static long libcrypto_calls;
static long libcrypto_fail_at;

static void *libcrypto_realloc(void *ptr, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    libcrypto_calls++;
    if (libcrypto_fail_at > 0 && libcrypto_calls >= libcrypto_fail_at) return NULL;
    return realloc(ptr, size);
}

static void *libcrypto_malloc(size_t size, const char *file, int line)
{
    return libcrypto_realloc(NULL, size, file, line);
}

static void libcrypto_free(void *ptr, const char *file, int line)
{
    (void)file;
    (void)line;
    free(ptr);
}

/** One vector as bytes. */
struct run {
    uint8_t salt1[64];
    uint8_t salt2[64];
    uint8_t p[GAP_DH_BYTES];
    uint8_t secret_b[GAP_DH_BYTES];
    uint8_t v[GAP_DH_BYTES];
    uint8_t a[GAP_DH_BYTES];
    uint8_t b[GAP_DH_BYTES];
    uint8_t m1[GAP_SHA256_BYTES];
    gap_srp_algo_t algo;
    gap_bytes_t password;
    struct scripted_random random; /* draws the vector's a */
};

static void run_init(struct run *r, const struct vector_srp *v)
{
    memset(r, 0, sizeof *r);
    r->algo.salt1 = gap_bytes(r->salt1, hex_to(v->salt1, r->salt1, sizeof r->salt1));
    r->algo.salt2 = gap_bytes(r->salt2, hex_to(v->salt2, r->salt2, sizeof r->salt2));
    r->algo.g = v->g;
    hex_exactly(v->p, r->p, sizeof r->p);
    r->algo.p = gap_bytes(r->p, sizeof r->p);
    if (v->b != NULL) hex_exactly(v->b, r->secret_b, sizeof r->secret_b);
    hex_exactly(v->v, r->v, sizeof r->v);
    hex_exactly(v->public_a, r->a, sizeof r->a);
    hex_exactly(v->public_b, r->b, sizeof r->b);
    hex_exactly(v->m1, r->m1, sizeof r->m1);
    r->password = gap_bytes(v->password, strlen(v->password));
    scripted_init(&r->random);
    scripted_add(&r->random, v->a);
}

static gap_bytes_t b_of(const struct run *r)
{
    return gap_bytes(r->b, sizeof r->b);
}

/* The error queue is the host's: nothing of ours may be left in it. */
static void teardown(void)
{
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

START_TEST(test_verifiers)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(vectors_srp); i++) {
        struct run r;
        uint8_t v[GAP_DH_BYTES];
        run_init(&r, &vectors_srp[i]);
        ck_assert_msg(gap_srp_verifier(r.password, &r.algo, v) == 0, "%s", vectors_srp[i].name);
        ck_assert_mem_eq(v, r.v, sizeof v);
    }
}
END_TEST

START_TEST(test_known_runs)
{
    for (size_t i = 0; i < 2; i++) {
        struct run r;
        gap_srp_proof_t proof;
        uint8_t b[GAP_DH_BYTES];
        run_init(&r, &vectors_srp[i]);
        ck_assert_int_eq(gap_srp_server_public(&r.algo, r.v, r.secret_b, b), 0);
        ck_assert_mem_eq(b, r.b, sizeof b);
        ck_assert_int_eq(gap_srp_prove(r.password, &r.algo, b_of(&r), &r.random.source, &proof), 0);
        ck_assert_uint_eq(r.random.at, GAP_DH_BYTES);
        ck_assert_mem_eq(proof.a, r.a, sizeof proof.a);
        ck_assert_mem_eq(proof.m1, r.m1, sizeof proof.m1);
        ck_assert_int_eq(gap_srp_check(&r.algo, r.v, r.secret_b, &proof), 0);
    }
}
END_TEST

/* The published run has a = 1, so A = g: too small to be sent. The next value drawn is taken. */
START_TEST(test_small_a_is_drawn_again)
{
    struct run r;
    gap_srp_proof_t proof;

    run_init(&r, &vectors_srp[2]);
    ck_assert_int_eq(gap_srp_prove(r.password, &r.algo, b_of(&r), &r.random.source, &proof),
                     GAP_E_STATE); /* the script holds no second value */
    run_init(&r, &vectors_srp[2]);
    scripted_add(&r.random, vectors_srp[0].a);
    ck_assert_int_eq(gap_srp_prove(r.password, &r.algo, b_of(&r), &r.random.source, &proof), 0);
    ck_assert_uint_eq(r.random.at, 2 * GAP_DH_BYTES);
    ck_assert_mem_ne(proof.a, r.a, sizeof proof.a);
}
END_TEST

/* A source that gives nothing but zeros never leads to a proof, nor to an endless loop. */
static int zero_fill(void *arg, uint8_t *out, size_t len)
{
    (void)arg;
    memset(out, 0, len);
    return 0;
}

START_TEST(test_broken_random)
{
    const gap_random_t zeros = {zero_fill, NULL};
    struct scripted_random empty;
    struct run r;
    gap_srp_proof_t proof;
    gap_srp_proof_t before;

    run_init(&r, &vectors_srp[0]);
    scripted_init(&empty);
    memset(&proof, 0x5a, sizeof proof);
    before = proof;
    ck_assert_int_eq(gap_srp_prove(r.password, &r.algo, b_of(&r), &empty.source, &proof),
                     GAP_E_STATE);
    ck_assert_int_eq(gap_srp_prove(r.password, &r.algo, b_of(&r), &zeros, &proof), GAP_E_CRYPTO);
    ck_assert_mem_eq(&proof, &before, sizeof proof); /* nothing is written on failure */
}
END_TEST

START_TEST(test_wrong_proofs)
{
    struct run r;
    gap_srp_proof_t proof;

    run_init(&r, &vectors_srp[0]);
    ck_assert_int_eq(
        gap_srp_prove(gap_bytes("other", 5), &r.algo, b_of(&r), &r.random.source, &proof), 0);
    ck_assert_int_eq(gap_srp_check(&r.algo, r.v, r.secret_b, &proof), GAP_SRP_WRONG);

    run_init(&r, &vectors_srp[0]);
    ck_assert_int_eq(gap_srp_prove(r.password, &r.algo, b_of(&r), &r.random.source, &proof), 0);
    for (size_t i = 0; i < sizeof proof.m1; i++) {
        gap_srp_proof_t bent = proof;
        bent.m1[i] ^= 0x10;
        ck_assert_int_eq(gap_srp_check(&r.algo, r.v, r.secret_b, &bent), GAP_SRP_WRONG);
    }
    r.secret_b[9] ^= 1; /* of another request */
    ck_assert_int_eq(gap_srp_check(&r.algo, r.v, r.secret_b, &proof), GAP_SRP_WRONG);
}
END_TEST

/* The same, but with an empty password, which is one like any other. */
START_TEST(test_empty_password)
{
    struct run r;
    gap_srp_proof_t proof;
    uint8_t v[GAP_DH_BYTES];

    run_init(&r, &vectors_srp[1]);
    ck_assert_int_eq(gap_srp_verifier(gap_bytes(NULL, 0), &r.algo, v), 0);
    ck_assert_int_eq(gap_srp_server_public(&r.algo, v, r.secret_b, r.b), 0);
    ck_assert_int_eq(gap_srp_prove(gap_bytes(NULL, 0), &r.algo, b_of(&r), &r.random.source, &proof),
                     0);
    ck_assert_int_eq(gap_srp_check(&r.algo, v, r.secret_b, &proof), 0);
}
END_TEST

/* p + or - a little, or a power of two, as 256 bytes. */
static void near(const struct run *r, int what, uint8_t out[GAP_DH_BYTES])
{
    memset(out, 0, GAP_DH_BYTES);
    switch (what) {
    case 0: /* 0: the password would not matter to a server that took it */
        break;
    case 1:
        out[GAP_DH_BYTES - 1] = 1;
        break;
    case 2: /* 2^1984 - 1 */
        memset(out + 8, 0xff, GAP_DH_BYTES - 8);
        break;
    case 3: /* p - 2^1984 + 1 */
        memcpy(out, r->p, GAP_DH_BYTES);
        out[7]--;
        out[GAP_DH_BYTES - 1]++;
        break;
    case 4: /* p - 1 */
        memcpy(out, r->p, GAP_DH_BYTES);
        out[GAP_DH_BYTES - 1]--;
        break;
    case 5: /* p, that is 0 */
        memcpy(out, r->p, GAP_DH_BYTES);
        break;
    default: /* beyond p */
        memset(out, 0xff, GAP_DH_BYTES);
        break;
    }
}

#define NEAR_CASES 7

START_TEST(test_public_values_out_of_range)
{
    struct run r;
    gap_srp_proof_t proof;
    uint8_t value[GAP_DH_BYTES + 1] = {0};

    for (int i = 0; i < NEAR_CASES; i++) {
        run_init(&r, &vectors_srp[0]);
        near(&r, i, value);
        int result = gap_srp_prove(r.password, &r.algo, gap_bytes(value, GAP_DH_BYTES),
                                   &r.random.source, &proof);
        ck_assert_msg(result == GAP_E_CRYPTO, "B, case %d: %d", i, result);
        ck_assert_uint_eq(r.random.at, 0); /* refused before anything is drawn */
        memset(&proof, 0, sizeof proof);
        memcpy(proof.a, value, sizeof proof.a);
        result = gap_srp_check(&r.algo, r.v, r.secret_b, &proof);
        ck_assert_msg(result == GAP_E_CRYPTO, "A, case %d: %d", i, result);
    }
    memcpy(value + 1, r.b, GAP_DH_BYTES);
    ck_assert_int_eq(gap_srp_prove(r.password, &r.algo, gap_bytes(value, GAP_DH_BYTES + 1),
                                   &r.random.source, &proof),
                     GAP_E_CRYPTO);
    ck_assert_int_eq(
        gap_srp_prove(r.password, &r.algo, gap_bytes(NULL, 0), &r.random.source, &proof),
        GAP_E_CRYPTO);
}
END_TEST

/* B = k v: only who knows the verifier can make it, and the shared number would be 0. */
START_TEST(test_shared_number_zero)
{
    struct run r;
    gap_srp_proof_t proof;
    uint8_t kv[GAP_DH_BYTES];

    /* B for b = 0 is k v + 1. */
    run_init(&r, &vectors_srp[0]);
    memset(r.secret_b, 0, sizeof r.secret_b);
    ck_assert_int_eq(gap_srp_server_public(&r.algo, r.v, r.secret_b, kv), 0);
    kv[GAP_DH_BYTES - 1]--;
    ck_assert_int_eq(
        gap_srp_prove(r.password, &r.algo, gap_bytes(kv, sizeof kv), &r.random.source, &proof),
        GAP_E_CRYPTO);
}
END_TEST

START_TEST(test_bad_groups)
{
    static const int32_t generators[] = {-3, 0, 1, 2, 5, 6, 8, 256, INT32_MAX};
    struct run r;
    gap_srp_proof_t proof;
    uint8_t v[GAP_DH_BYTES];

    run_init(&r, &vectors_srp[0]);
    for (size_t i = 0; i < GAP_ARRAY_LEN(generators); i++) {
        r.algo.g = generators[i];
        ck_assert_int_eq(gap_srp_prove(r.password, &r.algo, b_of(&r), &r.random.source, &proof),
                         GAP_E_CRYPTO);
        ck_assert_int_eq(gap_srp_verifier(r.password, &r.algo, v), GAP_E_CRYPTO);
    }
    r.algo.g = 3;
    r.algo.p.len--;
    ck_assert_int_eq(gap_srp_verifier(r.password, &r.algo, v), GAP_E_CRYPTO);
    r.algo.p.len++;
    for (size_t i = 0; i < GAP_DH_BYTES; i += 51) {
        r.p[i] ^= 4;
        ck_assert_int_eq(gap_srp_verifier(r.password, &r.algo, v), GAP_E_CRYPTO);
        ck_assert_int_eq(gap_srp_server_public(&r.algo, r.v, r.secret_b, v), GAP_E_CRYPTO);
        ck_assert_int_eq(gap_srp_check(&r.algo, r.v, r.secret_b, &proof), GAP_E_CRYPTO);
        r.p[i] ^= 4;
    }
    ck_assert_uint_eq(r.random.at, 0);
}
END_TEST

/* libcrypto can do without some of its memory. What it can't do without is an error: nothing is
 * written, nothing left in the error queue. */
static void check_starved(int result, long at, const void *out, const void *before,
                          const void *expected, size_t len)
{
    ck_assert_msg(result == 0 || result == GAP_E_LIBCRYPTO, "allocation %ld: %d", at, result);
    ck_assert_msg(memcmp(out, result == 0 ? expected : before, len) == 0, "allocation %ld", at);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

START_TEST(test_out_of_memory)
{
    struct run r;
    gap_srp_proof_t proof;
    gap_srp_proof_t before;
    gap_srp_proof_t good;
    unsigned failed = 0;
    long total;

    ck_assert(libcrypto_is_ours);
    run_init(&r, &vectors_srp[0]);
    memset(&before, 0x5a, sizeof before);
    /* The first call sets the library up: not what is tested here. */
    ck_assert_int_eq(gap_srp_prove(r.password, &r.algo, b_of(&r), &r.random.source, &good), 0);
    libcrypto_calls = 0;
    ck_assert_int_eq(gap_srp_server_public(&r.algo, r.v, r.secret_b, good.a), 0);
    total = libcrypto_calls;
    for (long at = 1; at <= total; at++) {
        proof = before;
        libcrypto_calls = 0;
        libcrypto_fail_at = at;
        int result = gap_srp_server_public(&r.algo, r.v, r.secret_b, proof.a);
        libcrypto_fail_at = 0;
        check_starved(result, at, proof.a, before.a, good.a, sizeof proof.a);
        failed += result != 0;
    }
    ck_assert_uint_gt(failed, 20);
    r.random.at = 0;
    libcrypto_calls = 0;
    ck_assert_int_eq(gap_srp_prove(r.password, &r.algo, b_of(&r), &r.random.source, &good), 0);
    total = libcrypto_calls;
    for (long at = 1; at <= total; at += total / 12) { /* the slow part lies before most of them */
        proof = before;
        r.random.at = 0;
        libcrypto_calls = 0;
        libcrypto_fail_at = at;
        int result = gap_srp_prove(r.password, &r.algo, b_of(&r), &r.random.source, &proof);
        libcrypto_fail_at = 0;
        check_starved(result, at, &proof, &before, &good, sizeof proof);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("srp");
    TCase *t = tcase_create("srp");

    libcrypto_is_ours =
        CRYPTO_set_mem_functions(libcrypto_malloc, libcrypto_realloc, libcrypto_free) == 1;
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, test_verifiers);
    tcase_add_test(t, test_known_runs);
    tcase_add_test(t, test_small_a_is_drawn_again);
    tcase_add_test(t, test_broken_random);
    tcase_add_test(t, test_wrong_proofs);
    tcase_add_test(t, test_empty_password);
    tcase_add_test(t, test_public_values_out_of_range);
    tcase_add_test(t, test_shared_number_zero);
    tcase_add_test(t, test_bad_groups);
    tcase_add_test(t, test_out_of_memory);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
