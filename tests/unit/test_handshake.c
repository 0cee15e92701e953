/*
 * tests/unit/test_handshake.c - the client's key exchange: the published one replayed, a whole one
 * against a server, every deviation of the server, every cut.
 */
#include "mtproto/handshake.h"
#include "base/alloc.h"
#include "mtproto/plain.h"
#include "tests/unit/handshake_server.h"
#include "tests/unit/hex.h"
#include "tests/unit/vectors_crypto.h"
#include "tests/unit/vectors_mtproto.h"

#include <openssl/bn.h>

static gap_crypto_t crypto;
static gap_rsa_key_t key;
static struct handshake_server server;
static gap_handshake_t h;
static gap_handshake_result_t result;

static void setup(void)
{
    ck_assert_int_eq(gap_crypto_init(&crypto), 0);
    gap_bytes_t pem = gap_bytes(vector_rsa_private_pem, sizeof vector_rsa_private_pem - 1);
    ck_assert_int_eq(gap_rsa_private_from_pem(&crypto, pem, &key), 0);
    server_init(&server, &crypto, &key, 1);
}

static void teardown(void)
{
    gap_handshake_fini(&h);
    gap_handshake_fini(&h);
    gap_rsa_fini(&key);
    gap_crypto_fini(&crypto);
}

static int client_fill(void *arg, uint8_t *out, size_t len)
{
    gap_prng_t *rng = arg;
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)gap_prng_next(rng);
    return 0;
}

static gap_prng_t client_rng;
static const gap_random_t client_random = {client_fill, &client_rng};

static gap_handshake_config_t make_config(void)
{
    gap_handshake_config_t config = {
        .crypto = &crypto, .random = &client_random, .keys = &key, .key_count = 1, .dc = 2};
    return config;
}

/* @return the machine's answer to the job it asked for. */
static int run_job(int64_t msg_id)
{
    gap_handshake_job_t job;

    gap_handshake_take_job(&h, &job);
    gap_handshake_job_run(&job);
    int r = gap_handshake_on_job(&h, &job, msg_id);
    gap_handshake_job_wipe(&job);
    return r;
}

/* One exchange to its end. @return GAP_HANDSHAKE_DONE or the failure. */
static int exchange(const gap_handshake_config_t *config)
{
    int64_t msg_id = 4;

    gap_handshake_init(&h, config);
    int r = gap_handshake_start(&h, msg_id);
    while (r == GAP_HANDSHAKE_SEND || r == GAP_HANDSHAKE_JOB) {
        msg_id += 4;
        if (r == GAP_HANDSHAKE_JOB) {
            r = run_job(msg_id);
            continue;
        }
        gap_bytes_t request = gap_handshake_request(&h);
        ck_assert_int_eq((int64_t)gap_load64(request.data + 8) % 4, 0);
        server_on_request(&server, request);
        r = gap_handshake_on_message(&h, gap_bytes(server.out, server.out_len), 777, msg_id);
    }
    return r;
}

/* The key of the published exchange. */
static void telegram_key(gap_rsa_key_t *out)
{
    uint8_t n[256];
    const uint8_t e[3] = {1, 0, 1};

    for (size_t i = 0; i < GAP_ARRAY_LEN(vectors_fingerprint); i++) {
        if (vectors_fingerprint[i].fingerprint != vector_exchange.fingerprint) continue;
        hex_exactly(vectors_fingerprint[i].modulus, n, 256);
        ck_assert_int_eq(
            gap_rsa_public_from_numbers(&crypto, gap_bytes(n, 256), gap_bytes(e, 3), out), 0);
        return;
    }
    ck_abort_msg("no such key");
}

/* Its random bytes. The temporary RSA key was not printed: any small one will do, because the
 * server's answers don't depend on it. */
static void published_random(struct scripted_random *random)
{
    scripted_init(random);
    scripted_add(random, vector_exchange.nonce);
    scripted_add(random, vector_exchange.new_nonce);
    scripted_add(random, vector_exchange.rsa_padding);
    for (uint8_t i = 0; i < 32; i++) random->bytes[random->len++] = 7 * i;
    scripted_add(random, vector_exchange.b);
    scripted_add(random, vector_exchange.client_padding);
}

/* A printed payload is shorter than it declares: the filler is put back as zeros. */
static int on_published(const char *payload, uint64_t now_us)
{
    uint8_t packet[1024] = {0};

    (void)hex_to(payload, packet, sizeof packet);
    size_t len = 20 + gap_load32(packet + 16);
    return gap_handshake_on_message(&h, gap_bytes(packet, len), now_us, 8);
}

static int on_published_dh_params(uint64_t now_us)
{
    uint8_t answer[1024], packet[1024];
    gap_mt_server_dh_params_ok_t params;

    hex_exactly(vector_exchange.nonce, params.nonce.bytes, 16);
    hex_exactly(vector_exchange.server_nonce, params.server_nonce.bytes, 16);
    params.encrypted_answer =
        gap_bytes(answer, hex_to(vector_exchange.encrypted_answer, answer, sizeof answer));
    int64_t n = gap_tl_write(GAP_TL_OF(GAP_MT_SERVER_DH_PARAMS_OK, &params), packet + 20,
                             sizeof packet - 20);
    ck_assert_int_gt(n, 0);
    gap_plain_head(1, (size_t)n, packet);
    return gap_handshake_on_message(&h, gap_bytes(packet, 20 + (size_t)n), now_us, 8);
}

START_TEST(test_published_exchange)
{
    uint8_t want[512];
    struct scripted_random random;
    gap_handshake_config_t config = make_config();
    gap_rsa_key_t telegram;
    gap_mt_set_client_dh_params_t set;

    telegram_key(&telegram);
    published_random(&random);
    config.random = &random.source;
    config.keys = &telegram;
    config.dc = vector_exchange.dc;
    size_t len = hex_to(vector_exchange.req_pq_multi_payload, want, sizeof want);
    gap_handshake_init(&h, &config);
    ck_assert_int_eq(gap_handshake_start(&h, (int64_t)gap_load64(want + 8)), GAP_HANDSHAKE_SEND);
    ck_assert(gap_bytes_equal(gap_handshake_request(&h), gap_bytes(want, len)));

    ck_assert_int_eq(on_published(vector_exchange.res_pq_payload, 1), GAP_HANDSHAKE_JOB);
    ck_assert_int_eq(run_job(8), GAP_HANDSHAKE_SEND);
    ck_assert_int_eq(on_published_dh_params(2), GAP_HANDSHAKE_JOB);
    ck_assert_int_eq(run_job(12), GAP_HANDSHAKE_SEND);
    gap_bytes_t request = gap_handshake_request(&h);
    ck_assert_int_gt(gap_tl_read(gap_bytes(request.data + 20, request.len - 20),
                                 GAP_MT_SET_CLIENT_DH_PARAMS, &set, sizeof set),
                     0);
    len = hex_to(vector_exchange.client_encrypted_data, want, sizeof want);
    ck_assert(gap_bytes_equal(set.encrypted_data, gap_bytes(want, len)));

    ck_assert_int_eq(on_published(vector_exchange.dh_gen_ok_payload, 3), GAP_HANDSHAKE_DONE);
    ck_assert_int_eq(gap_handshake_take_result(&h, &result), 0);
    hex_exactly(vector_exchange.auth_key, want, 256);
    ck_assert_mem_eq(result.key.key, want, 256);
    ck_assert_uint_eq((uint64_t)result.key.id, hex_u64(vector_exchange.auth_key_id));
    ck_assert_uint_eq((uint64_t)result.salt, hex_u64(vector_exchange.first_salt));
    ck_assert_int_eq(result.server_time, vector_exchange.server_time);
    ck_assert_uint_eq(result.server_time_now_us, 2);
    gap_rsa_fini(&telegram);
}
END_TEST

static void agrees_with_server(void)
{
    ck_assert_int_eq(gap_handshake_take_result(&h, &result), 0);
    ck_assert_mem_eq(result.key.key, server.auth_key.key, 256);
    ck_assert_int_eq(result.key.id, server.auth_key.id);
    ck_assert_int_eq(result.salt, gap_first_salt(server.new_nonce, server.server_nonce));
    ck_assert_int_eq(result.server_time, server.time);
    ck_assert_uint_eq(result.server_time_now_us, 777);
    ck_assert_mem_eq(result.prime, server.prime, 256);
    ck_assert_int_eq(gap_handshake_take_result(&h, &result), GAP_E_STATE);
}

START_TEST(test_exchange_permanent_and_temporary)
{
    gap_handshake_config_t config = make_config();

    config.dc = 10002;
    ck_assert_int_eq(exchange(&config), GAP_HANDSHAKE_DONE);
    ck_assert_int_eq(server.dc, 10002);
    ck_assert_int_eq(server.expires_in, 0);
    agrees_with_server();
    config.dc = -4;
    config.expires_in = 86400;
    ck_assert_int_eq(exchange(&config), GAP_HANDSHAKE_DONE);
    ck_assert_int_eq(server.dc, -4);
    ck_assert_int_eq(server.expires_in, 86400);
    agrees_with_server();
}
END_TEST

static const struct {
    enum deviation deviation;
    int times;
    int want;
    const char *why;
} deviations[] = {
    {PQ_NONCE, 1, GAP_E_CRYPTO, "resPQ with another nonce"},
    {PQ_EMPTY, 1, GAP_E_PROTOCOL, "no pq"},
    {PQ_LONG, 1, GAP_E_PROTOCOL, "pq of nine bytes"},
    {PQ_PRIME, 1, GAP_E_PROTOCOL, "pq is a prime"},
    {PQ_ZERO, 1, GAP_E_PROTOCOL, "pq is 0"},
    {PQ_NO_KEYS, 1, GAP_E_KEY, "no fingerprints"},
    {PQ_FOREIGN_KEYS, 1, GAP_E_KEY, "no fingerprint that is known"},
    {PQ_OTHER_OBJECT, 1, GAP_E_PROTOCOL, "pong instead of resPQ"},
    {PQ_ENCRYPTED, 1, GAP_E_PROTOCOL, "a key id that is not 0"},
    {PQ_TRAILING, 1, GAP_HANDSHAKE_DONE, "filler behind resPQ"},
    {DH_NONCE, 1, GAP_E_CRYPTO, "server_DH_params_ok with another nonce"},
    {DH_SERVER_NONCE, 1, GAP_E_CRYPTO, "with another server_nonce"},
    {DH_ODD_LENGTH, 1, GAP_E_CRYPTO, "answer not of whole blocks"},
    {DH_EMPTY, 1, GAP_E_CRYPTO, "no answer"},
    {DH_HUGE, 1, GAP_E_PROTOCOL, "answer of 2000 bytes"},
    {DH_INNER_NONCE, 1, GAP_E_CRYPTO, "another nonce inside"},
    {DH_INNER_SERVER_NONCE, 1, GAP_E_CRYPTO, "another server_nonce inside"},
    {DH_INNER_OTHER_OBJECT, 1, GAP_E_CRYPTO, "another object inside"},
    {DH_HASH, 1, GAP_E_CRYPTO, "a bit of the answer flipped"},
    {DH_PADDING_16, 1, GAP_E_CRYPTO, "more than 15 bytes of padding"},
    {DH_PRIME_COMPOSITE, 1, GAP_E_CRYPTO, "modulus is no prime"},
    {DH_PRIME_SHORT, 1, GAP_E_CRYPTO, "modulus of 255 bytes"},
    {DH_PRIME_EVEN, 1, GAP_E_CRYPTO, "even modulus"},
    {DH_G_1, 1, GAP_E_CRYPTO, "g = 1"},
    {DH_G_2, 1, GAP_E_CRYPTO, "g = 2 for a prime that is 3 mod 8"},
    {DH_G_8, 1, GAP_E_CRYPTO, "g = 8"},
    {DH_G_NEGATIVE, 1, GAP_E_CRYPTO, "g = -3"},
    {DH_G_A_ONE, 1, GAP_E_CRYPTO, "g_a = 1"},
    {DH_G_A_MINUS_ONE, 1, GAP_E_CRYPTO, "g_a = p - 1"},
    {DH_G_A_SMALL, 1, GAP_E_CRYPTO, "g_a below 2^1984"},
    {DH_G_A_LARGE, 1, GAP_E_CRYPTO, "g_a above p - 2^1984"},
    {DH_G_A_LONG, 1, GAP_E_CRYPTO, "g_a of 257 bytes"},
    {DH_FAIL_OBJECT, 1, GAP_E_PROTOCOL, "server_DH_params_fail"},
    {DH_TRAILING, 1, GAP_HANDSHAKE_DONE, "filler behind server_DH_params_ok"},
    {GEN_NONCE, 1, GAP_E_CRYPTO, "dh_gen_ok with another nonce"},
    {GEN_SERVER_NONCE, 1, GAP_E_CRYPTO, "dh_gen_ok with another server_nonce"},
    {GEN_HASH, 1, GAP_E_CRYPTO, "wrong new_nonce_hash1"},
    {GEN_HASH_OF_RETRY, 1, GAP_E_CRYPTO, "dh_gen_ok with dh_gen_retry's hash"},
    {GEN_RETRY_HASH_OF_OK, 1, GAP_E_CRYPTO, "dh_gen_retry with dh_gen_ok's hash"},
    {GEN_TRAILING, 1, GAP_HANDSHAKE_DONE, "filler behind dh_gen_ok"},
    {GEN_RETRY, 1, GAP_HANDSHAKE_DONE, "one dh_gen_retry"},
    {GEN_RETRY, 5, GAP_HANDSHAKE_DONE, "as many as are followed"},
    {GEN_RETRY, 6, GAP_E_PROTOCOL, "one more"},
    {GEN_FAIL, 1, GAP_HANDSHAKE_DONE, "dh_gen_fail: begun anew"},
    {GEN_FAIL, 3, GAP_HANDSHAKE_DONE, "three times"},
    {GEN_FAIL, 4, GAP_E_PROTOCOL, "four times"},
};

START_TEST(test_deviations)
{
    gap_handshake_config_t config = make_config();

    server.deviation = deviations[_i].deviation;
    server.times = deviations[_i].times;
    int r = exchange(&config);
    ck_assert_msg(r == deviations[_i].want, "%s: %d, not %d", deviations[_i].why, r,
                  deviations[_i].want);
    if (r == GAP_HANDSHAKE_DONE) {
        agrees_with_server();
        return;
    }
    /* Over, and nothing secret left. */
    static const uint8_t zero[sizeof h.new_nonce];
    ck_assert_mem_eq(h.new_nonce, zero, sizeof zero);
    ck_assert_int_eq(gap_handshake_on_message(&h, gap_bytes(server.out, server.out_len), 0, 4),
                     GAP_E_STATE);
    ck_assert_int_eq(gap_handshake_start(&h, 4), GAP_E_STATE);
    ck_assert_int_eq(gap_handshake_take_result(&h, &result), GAP_E_STATE);
}
END_TEST

START_TEST(test_another_safe_prime)
{
    gap_handshake_config_t config = make_config();
    BIGNUM *p = BN_get_rfc3526_prime_2048(NULL);
    uint8_t prime[256];

    ck_assert_int_eq(BN_bn2binpad(p, prime, 256), 256);
    BN_free(p);
    memcpy(server.prime, prime, 256);
    server.deviation = DH_OTHER_PRIME;
    ck_assert_int_eq(exchange(&config), GAP_HANDSHAKE_DONE);
    agrees_with_server();
    ck_assert_mem_eq(result.prime, prime, 256);
    /* A verdict remembered by the caller spares the check. */
    config.safe_prime = prime;
    gap_handshake_init(&h, &config);
    gap_handshake_job_t job;
    ck_assert_int_eq(gap_handshake_start(&h, 4), GAP_HANDSHAKE_SEND);
    server_on_request(&server, gap_handshake_request(&h));
    ck_assert_int_eq(gap_handshake_on_message(&h, gap_bytes(server.out, server.out_len), 0, 8),
                     GAP_HANDSHAKE_JOB);
    ck_assert_int_eq(run_job(8), GAP_HANDSHAKE_SEND);
    server_on_request(&server, gap_handshake_request(&h));
    ck_assert_int_eq(gap_handshake_on_message(&h, gap_bytes(server.out, server.out_len), 0, 8),
                     GAP_HANDSHAKE_JOB);
    gap_handshake_take_job(&h, &job);
    ck_assert(job.prime_is_safe);
}
END_TEST

/* Each of the three answers, cut at every byte: both the bytes and the declared length. */
START_TEST(test_answers_cut_at_every_byte)
{
    gap_handshake_config_t config = make_config();
    uint8_t cut[4096];

    gap_handshake_init(&h, &config);
    int r = gap_handshake_start(&h, 4);
    for (int answer = 0; answer < 3; answer++) {
        ck_assert_int_eq(r, GAP_HANDSHAKE_SEND);
        server_on_request(&server, gap_handshake_request(&h));
        for (size_t n = 0; n < server.out_len; n++) {
            gap_handshake_t copy = h;
            memcpy(cut, server.out, n);
            ck_assert_int_lt(gap_handshake_on_message(&copy, gap_bytes(cut, n), 0, 8), 0);
            if (n < 20) continue;
            copy = h;
            gap_store32(cut + 16, (uint32_t)(n - 20));
            ck_assert_int_lt(gap_handshake_on_message(&copy, gap_bytes(cut, n), 0, 8), 0);
        }
        r = gap_handshake_on_message(&h, gap_bytes(server.out, server.out_len), 0, 8);
        if (r == GAP_HANDSHAKE_JOB) r = run_job(12);
    }
    ck_assert_int_eq(r, GAP_HANDSHAKE_DONE);
}
END_TEST

START_TEST(test_out_of_turn)
{
    gap_handshake_config_t config = make_config();
    gap_handshake_job_t job = {.kind = GAP_HANDSHAKE_JOB_PQ};
    gap_bytes_t any = gap_bytes(server.out, 40);

    gap_handshake_init(&h, &config);
    ck_assert_int_eq(gap_handshake_on_message(&h, any, 0, 4), GAP_E_STATE);
    ck_assert_int_eq(gap_handshake_on_job(&h, &job, 4), GAP_E_STATE);
    ck_assert_int_eq(gap_handshake_start(&h, 4), GAP_HANDSHAKE_SEND);
    ck_assert_int_eq(gap_handshake_start(&h, 4), GAP_E_STATE);
    ck_assert_int_eq(gap_handshake_on_job(&h, &job, 4), GAP_E_STATE);
    server_on_request(&server, gap_handshake_request(&h));
    any = gap_bytes(server.out, server.out_len);
    ck_assert_int_eq(gap_handshake_on_message(&h, any, 0, 4), GAP_HANDSHAKE_JOB);
    job.kind = GAP_HANDSHAKE_JOB_DH;
    ck_assert_int_eq(gap_handshake_on_job(&h, &job, 4), GAP_E_STATE);
    /* The server speaks although nothing was asked: over. */
    ck_assert_int_eq(gap_handshake_on_message(&h, any, 0, 4), GAP_E_PROTOCOL);
    job.kind = GAP_HANDSHAKE_JOB_NONE;
    gap_handshake_job_run(&job);
    ck_assert_int_eq(job.status, GAP_E_STATE);
}
END_TEST

/* A random source that fails at its n-th use ends the exchange with its own code. */
struct failing_random {
    long left;
};

static int failing_fill(void *arg, uint8_t *out, size_t len)
{
    struct failing_random *f = arg;
    if (f->left-- == 0) return -5;
    return client_fill(&client_rng, out, len);
}

START_TEST(test_random_source_fails_at_every_use)
{
    struct failing_random f;
    const gap_random_t random = {failing_fill, &f};
    gap_handshake_config_t config = make_config();
    int r = -5;
    long n;

    config.random = &random;
    for (n = 0; r == -5; n++) {
        f.left = n;
        r = exchange(&config);
    }
    ck_assert_int_eq(r, GAP_HANDSHAKE_DONE);
    ck_assert_int_ge(n, 7); /* nonce, new_nonce, padding, temporary key, b, padding */
}
END_TEST

START_TEST(test_plain_messages)
{
    static const struct {
        const char *packet;
        int want;
        const char *why;
    } table[] = {
        {"", GAP_E_PROTOCOL, "nothing"},
        {"00000000000000000100000000000000040000", GAP_E_PROTOCOL, "cut head"},
        {"0000000000000000010000000000000000000000", GAP_E_PROTOCOL, "no body"},
        {"000000000000000001000000000000000400000011111111", 0, "smallest"},
        {"00000000000000000100000000000000040000001111111122222222", 0, "padded by the transport"},
        {"000000000000000001000000000000000800000011111111", GAP_E_PROTOCOL,
         "shorter than it says"},
        {"00000000000000000100000000000000fcffffff11111111", GAP_E_PROTOCOL, "negative length"},
        {"000000000000000001000000000000000300000011111111", GAP_E_PROTOCOL, "not of words"},
        {"010000000000000001000000000000000400000011111111", GAP_E_PROTOCOL, "has a key id"},
    };
    uint8_t packet[64];
    gap_bytes_t body;
    int64_t msg_id;

    for (size_t i = 0; i < GAP_ARRAY_LEN(table); i++) {
        size_t n = hex_to(table[i].packet, packet, sizeof packet);
        int r = gap_plain_open(gap_bytes(packet, n), &msg_id, &body);
        ck_assert_msg(r == table[i].want, "%s", table[i].why);
        if (r < 0) continue;
        ck_assert_int_eq(msg_id, 1);
        ck_assert_uint_eq(body.len, 4);
        ck_assert_ptr_eq(body.data, packet + 20);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("handshake");
    TCase *t = tcase_create("handshake");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_published_exchange);
    tcase_add_test(t, test_exchange_permanent_and_temporary);
    tcase_add_loop_test(t, test_deviations, 0, (int)GAP_ARRAY_LEN(deviations));
    tcase_add_test(t, test_another_safe_prime);
    tcase_add_test(t, test_answers_cut_at_every_byte);
    tcase_add_test(t, test_out_of_turn);
    tcase_add_test(t, test_random_source_fails_at_every_use);
    tcase_add_test(t, test_plain_messages);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
