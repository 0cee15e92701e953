/*
 * tests/fuzz/fuzz_handshake.c - the client's key exchange against a server that misbehaves. The
 * published exchange is replayed; the input spoils one of the server's three answers:
 *
 *   byte 0       which: 0 resPQ, 1 server_DH_params_ok, 2 dh_gen_ok, 3 the plaintext inside 1,
 *                hashed and encrypted anew
 *   bytes 1, 2   bytes cut off its end (little-endian)
 *   then         three bytes each: position (little-endian), value to exclusive-or with
 *
 * Whatever the server says, an exchange that ends well ends with the published key.
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "mtproto/handshake.h"
#include "mtproto/plain.h"
#include "tests/unit/vectors_crypto.h"
#include "tests/unit/vectors_mtproto.h"

#include <gapless/tl.h>
#include <gapless/tl_mt.h>

#define ANSWERS      3
#define ANSWER_BYTES 1024
#define INNER        3 /* the object inside answer 1 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gap_crypto_t crypto;
static gap_rsa_key_t key;
static uint8_t random_bytes[1024];
static size_t random_len;
static uint8_t answers[ANSWERS][ANSWER_BYTES]; /* as an honest server sends them */
static size_t answer_len[ANSWERS];
static uint8_t inner[ANSWER_BYTES]; /* answer_with_hash */
static size_t inner_len;

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;

    for (size_t i = 0; i < 2 * n; i++) {
        uint8_t digit = (uint8_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
        out[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
    }
    return n;
}

static void add_random(const char *hex)
{
    random_len += unhex(hex, random_bytes + random_len);
}

/* The random bytes of the published exchange, then zeros. */
static int replay_fill(void *arg, uint8_t *out, size_t len)
{
    size_t *at = arg;

    for (size_t i = 0; i < len; i++, (*at)++) out[i] = *at < random_len ? random_bytes[*at] : 0;
    return 0;
}

static size_t dh_params(gap_bytes_t sealed, uint8_t *out)
{
    gap_mt_server_dh_params_ok_t params;

    (void)unhex(vector_exchange.nonce, params.nonce.bytes);
    (void)unhex(vector_exchange.server_nonce, params.server_nonce.bytes);
    params.encrypted_answer = sealed;
    int64_t n = gap_tl_write(GAP_TL_OF(GAP_MT_SERVER_DH_PARAMS_OK, &params),
                             out + GAP_PLAIN_HEAD_BYTES, ANSWER_BYTES - GAP_PLAIN_HEAD_BYTES);
    GAP_ASSERT(n > 0);
    gap_plain_head(1, (size_t)n, out);
    return GAP_PLAIN_HEAD_BYTES + (size_t)n;
}

static void set_up(void)
{
    uint8_t bytes[ANSWER_BYTES];
    const uint8_t e[3] = {1, 0, 1};
    int r = gap_crypto_init(&crypto);

    for (size_t i = 0; r == 0 && i < GAP_ARRAY_LEN(vectors_fingerprint); i++) {
        if (vectors_fingerprint[i].fingerprint != vector_exchange.fingerprint) continue;
        gap_bytes_t n = gap_bytes(bytes, unhex(vectors_fingerprint[i].modulus, bytes));
        r = gap_rsa_public_from_numbers(&crypto, n, gap_bytes(e, 3), &key);
    }
    GAP_ASSERT(r == 0);
    add_random(vector_exchange.nonce);
    add_random(vector_exchange.new_nonce);
    add_random(vector_exchange.rsa_padding);
    for (uint8_t i = 0; i < 32; i++) random_bytes[random_len++] = 7 * i;
    add_random(vector_exchange.b);
    add_random(vector_exchange.client_padding);
    (void)unhex(vector_exchange.res_pq_payload, answers[0]);
    answer_len[0] = GAP_PLAIN_HEAD_BYTES + gap_load32(answers[0] + 16);
    answer_len[1] =
        dh_params(gap_bytes(bytes, unhex(vector_exchange.encrypted_answer, bytes)), answers[1]);
    (void)unhex(vector_exchange.dh_gen_ok_payload, answers[2]);
    answer_len[2] = GAP_PLAIN_HEAD_BYTES + gap_load32(answers[2] + 16);
    inner_len = unhex(vector_exchange.answer_with_hash, inner);
}

static size_t spoil(uint8_t *bytes, size_t len, const uint8_t *data, size_t size)
{
    for (; size >= 3; data += 3, size -= 3) {
        size_t at = (size_t)data[0] | (size_t)data[1] << 8;
        if (at < len) bytes[at] ^= data[2];
    }
    return len;
}

/* Spoil the object inside the answer, so that it is encrypted and hashed as it should be. */
static size_t spoil_inner(const uint8_t *data, size_t size, size_t cut, uint8_t *out)
{
    size_t at = random_len; /* zeros from here on */
    const gap_random_t zeros = {replay_fill, &at};
    uint8_t plain[ANSWER_BYTES];
    uint8_t sealed[ANSWER_BYTES];
    uint8_t tmp_key[32];
    uint8_t tmp_iv[32];
    size_t len = inner_len - GAP_SHA1_BYTES - 8;

    (void)unhex(vector_exchange.tmp_aes_key, tmp_key);
    (void)unhex(vector_exchange.tmp_aes_iv, tmp_iv);
    memcpy(plain, inner + GAP_SHA1_BYTES, len);
    len = spoil(plain, len - (cut < len ? cut : len), data, size);
    int64_t n = gap_dh_seal(&crypto, tmp_key, tmp_iv, &zeros, gap_bytes(plain, len), sealed);
    GAP_ASSERT(n > 0);
    return dh_params(gap_bytes(sealed, (size_t)n), out);
}

/* The powers are slow: the outcome is known as long as nothing of the answer was changed. */
static void run_job(gap_handshake_job_t *job, bool honest)
{
    if (!honest || job->kind == GAP_HANDSHAKE_JOB_PQ) {
        gap_handshake_job_run(job);
        return;
    }
    job->status = 0;
    (void)unhex(vector_exchange.g_b, job->g_b);
    (void)unhex(vector_exchange.auth_key, job->auth_key);
}

/* Feed one answer and run the job that it asks for. */
static int answer(gap_handshake_t *h, const uint8_t *bytes, size_t len, bool honest)
{
    gap_handshake_job_t job;

    int r = gap_handshake_on_message(h, gap_bytes(bytes, len), 0, 4);
    if (r != GAP_HANDSHAKE_JOB) return r;
    gap_handshake_take_job(h, &job);
    run_job(&job, honest);
    return gap_handshake_on_job(h, &job, 4);
}

static void exchange(size_t spoilt, const uint8_t *bytes, size_t len)
{
    size_t at = 0;
    const gap_random_t random = {replay_fill, &at};
    const gap_handshake_config_t config = {
        .crypto = &crypto, .random = &random, .keys = &key, .key_count = 1, .dc = 2};
    gap_handshake_t h;
    gap_handshake_result_t result;
    uint8_t want[GAP_AUTH_KEY_BYTES];

    gap_handshake_init(&h, &config);
    int r = gap_handshake_start(&h, 4);
    for (size_t i = 0; i < ANSWERS && r == GAP_HANDSHAKE_SEND; i++)
        r = i == spoilt ? answer(&h, bytes, len, false)
                        : answer(&h, answers[i], answer_len[i], spoilt > i);
    if (r == GAP_HANDSHAKE_DONE) {
        (void)unhex(vector_exchange.auth_key, want);
        GAP_ASSERT(gap_handshake_take_result(&h, &result) == 0);
        GAP_ASSERT(memcmp(result.key.key, want, sizeof want) == 0);
    }
    gap_handshake_fini(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[ANSWER_BYTES];

    if (random_len == 0) set_up();
    if (size < 3 || size > 200) return 0;
    size_t which = data[0] % (INNER + 1);
    size_t cut = (size_t)data[1] | (size_t)data[2] << 8;
    if (which == INNER) {
        size_t len = spoil_inner(data + 3, size - 3, cut, bytes);
        exchange(1, bytes, len);
        return 0;
    }
    size_t len = answer_len[which];
    memcpy(bytes, answers[which], len);
    len = spoil(bytes, len - (cut < len ? cut : len), data + 3, size - 3);
    exchange(which, bytes, len);
    return 0;
}
