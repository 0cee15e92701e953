/*
 * mtproto/handshake.c - the client's side of making an authorization key.
 *
 *   IDLE -start-> WAIT_PQ -resPQ-> FACTORING -job-> WAIT_DH_PARAMS -server_DH_params_ok-> POWERS
 *   POWERS -job-> WAIT_DH_GEN -dh_gen_ok-> FINISHED
 *                             -dh_gen_retry-> POWERS      -dh_gen_fail-> WAIT_PQ
 *   any -wrong or malformed-> FAILED
 *
 * Owns the secrets of one exchange until its result is taken or it fails. Never computes anything
 * slow itself, and never goes on after a check failed.
 */
#include "mtproto/handshake.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "crypto/pq.h"
#include "mtproto/plain.h"

#include <gapless/tl.h>
#include <gapless/tl_mt.h>

/* server_DH_inner_data with a 2048-bit prime has 564 bytes: room for all that may be legal. */
#define ANSWER_MAX 1024

void gap_handshake_init(gap_handshake_t *h, const gap_handshake_config_t *config)
{
    memset(h, 0, sizeof *h);
    h->config = *config;
}

void gap_handshake_fini(gap_handshake_t *h)
{
    gap_wipe(h, sizeof *h);
    h->state = GAP_HANDSHAKE_FAILED;
}

static int fail(gap_handshake_t *h, int status)
{
    gap_handshake_fini(h);
    return status;
}

/* ---- what is sent ---- */

static int send_object(gap_handshake_t *h, int64_t msg_id, gap_tl_object_t object,
                       enum gap_handshake_state next)
{
    int64_t n = gap_tl_write(object, h->request + GAP_PLAIN_HEAD_BYTES,
                             sizeof h->request - GAP_PLAIN_HEAD_BYTES);
    if (n < 0) return (int)n;
    gap_plain_head(msg_id, (size_t)n, h->request);
    h->request_len = GAP_PLAIN_HEAD_BYTES + (size_t)n;
    h->state = next;
    return GAP_HANDSHAKE_SEND;
}

static int send_req_pq(gap_handshake_t *h, int64_t msg_id)
{
    gap_mt_req_pq_multi_t req;

    int r = gap_random_fill(h->config.random, h->nonce, sizeof h->nonce);
    if (r < 0) return r;
    memcpy(req.nonce.bytes, h->nonce, sizeof h->nonce);
    return send_object(h, msg_id, GAP_TL_OF(GAP_MT_REQ_PQ_MULTI, &req), GAP_HANDSHAKE_WAIT_PQ);
}

/* p_q_inner_data_dc, or _temp_dc for a temporary key; the two differ in the last field. */
static int64_t write_inner_data(const gap_handshake_t *h, gap_bytes_t p, gap_bytes_t q,
                                uint8_t *out, size_t cap)
{
    gap_mt_p_q_inner_data_dc_t lasting = {.pq = {h->pq, h->pq_len}, .p = p, .q = q};
    gap_mt_p_q_inner_data_temp_dc_t temporary = {.pq = {h->pq, h->pq_len}, .p = p, .q = q};
    int64_t n;

    if (h->config.expires_in == 0) {
        memcpy(lasting.nonce.bytes, h->nonce, 16);
        memcpy(lasting.server_nonce.bytes, h->server_nonce, 16);
        memcpy(lasting.new_nonce.bytes, h->new_nonce, 32);
        lasting.dc = h->config.dc;
        n = gap_tl_write(GAP_TL_OF(GAP_MT_P_Q_INNER_DATA_DC, &lasting), out, cap);
    } else {
        memcpy(temporary.nonce.bytes, h->nonce, 16);
        memcpy(temporary.server_nonce.bytes, h->server_nonce, 16);
        memcpy(temporary.new_nonce.bytes, h->new_nonce, 32);
        temporary.dc = h->config.dc;
        temporary.expires_in = h->config.expires_in;
        n = gap_tl_write(GAP_TL_OF(GAP_MT_P_Q_INNER_DATA_TEMP_DC, &temporary), out, cap);
    }
    gap_wipe(&lasting, sizeof lasting);
    gap_wipe(&temporary, sizeof temporary);
    return n;
}

static int send_req_dh_params(gap_handshake_t *h, const gap_handshake_job_t *job, int64_t msg_id)
{
    uint8_t p[8];
    uint8_t q[8];
    uint8_t data[GAP_RSA_PAD_DATA_MAX];
    uint8_t sealed[GAP_RSA_BYTES];
    gap_mt_req_dh_params_t req = {0};

    req.p = gap_bytes(p, gap_be_bytes(job->p, p));
    req.q = gap_bytes(q, gap_be_bytes(job->q, q));
    int r = gap_random_fill(h->config.random, h->new_nonce, sizeof h->new_nonce);
    if (r < 0) return r;
    int64_t n = write_inner_data(h, req.p, req.q, data, sizeof data);
    if (n < 0) return (int)n;
    r = gap_rsa_pad_encrypt(h->config.crypto, h->server_key, gap_bytes(data, (size_t)n),
                            h->config.random, sealed);
    gap_wipe(data, sizeof data);
    if (r < 0) return r;
    memcpy(req.nonce.bytes, h->nonce, 16);
    memcpy(req.server_nonce.bytes, h->server_nonce, 16);
    req.public_key_fingerprint = h->server_key->fingerprint;
    req.encrypted_data = gap_bytes(sealed, sizeof sealed);
    return send_object(h, msg_id, GAP_TL_OF(GAP_MT_REQ_DH_PARAMS, &req),
                       GAP_HANDSHAKE_WAIT_DH_PARAMS);
}

static int send_set_client_dh(gap_handshake_t *h, const gap_handshake_job_t *job, int64_t msg_id)
{
    uint8_t data[304];
    uint8_t sealed[sizeof data + GAP_DH_SEAL_EXTRA];
    gap_mt_client_dh_inner_data_t inner = {.retry_id = h->retry_id,
                                           .g_b = {job->g_b, sizeof job->g_b}};
    gap_mt_set_client_dh_params_t req;

    memcpy(h->result.key.key, job->auth_key, sizeof job->auth_key);
    int r = gap_auth_key_derive(h->config.crypto, &h->result.key);
    if (r < 0) return r;
    memcpy(inner.nonce.bytes, h->nonce, 16);
    memcpy(inner.server_nonce.bytes, h->server_nonce, 16);
    int64_t n = gap_tl_write(GAP_TL_OF(GAP_MT_CLIENT_DH_INNER_DATA, &inner), data, sizeof data);
    if (n < 0) return (int)n;
    n = gap_dh_seal(h->config.crypto, h->tmp_key, h->tmp_iv, h->config.random,
                    gap_bytes(data, (size_t)n), sealed);
    if (n < 0) return (int)n;
    memcpy(req.nonce.bytes, h->nonce, 16);
    memcpy(req.server_nonce.bytes, h->server_nonce, 16);
    req.encrypted_data = gap_bytes(sealed, (size_t)n);
    return send_object(h, msg_id, GAP_TL_OF(GAP_MT_SET_CLIENT_DH_PARAMS, &req),
                       GAP_HANDSHAKE_WAIT_DH_GEN);
}

/* ---- what is received ---- */

/* Read the object that is due. It may be followed by random bytes. */
static int read_as(gap_bytes_t body, uint32_t id, void *out, size_t out_size)
{
    if (gap_load32(body.data) != id) return GAP_E_PROTOCOL;
    int64_t n = gap_tl_read(body, id, out, out_size);
    return n < 0 ? (int)n : 0;
}

static bool same_nonces(const gap_handshake_t *h, const gap_int128_t *nonce,
                        const gap_int128_t *server_nonce)
{
    bool ok = gap_secret_equal(nonce->bytes, h->nonce, 16);
    ok &= gap_secret_equal(server_nonce->bytes, h->server_nonce, 16);
    return ok;
}

/* The first key offered that is trusted. */
static const gap_rsa_key_t *choose_key(const gap_handshake_t *h, gap_tl_vector_t offered)
{
    gap_tl_iter_t it = gap_tl_iter(offered);
    int64_t fingerprint;

    while (gap_tl_next_long(&it, &fingerprint) == 1)
        for (size_t i = 0; i < h->config.key_count; i++)
            if (h->config.keys[i].fingerprint == fingerprint) return &h->config.keys[i];
    return NULL;
}

static int on_res_pq(gap_handshake_t *h, gap_bytes_t body)
{
    gap_mt_res_pq_t res;

    int r = read_as(body, GAP_MT_RES_PQ, &res, sizeof res);
    if (r < 0) return r;
    if (!gap_secret_equal(res.nonce.bytes, h->nonce, 16)) return GAP_E_CRYPTO;
    if (res.pq.len == 0 || res.pq.len > sizeof h->pq) return GAP_E_PROTOCOL;
    h->server_key = choose_key(h, res.server_public_key_fingerprints);
    if (h->server_key == NULL) return GAP_E_KEY;
    memcpy(h->server_nonce, res.server_nonce.bytes, 16);
    memcpy(h->pq, res.pq.data, res.pq.len);
    h->pq_len = res.pq.len;
    memset(&h->job, 0, sizeof h->job);
    h->job.kind = GAP_HANDSHAKE_JOB_PQ;
    for (size_t i = 0; i < h->pq_len; i++) h->job.pq = h->job.pq << 8 | h->pq[i];
    h->state = GAP_HANDSHAKE_FACTORING;
    return GAP_HANDSHAKE_JOB;
}

/* Public values go into the job; it is the job that checks them. */
static int take_dh_values(gap_handshake_t *h, const gap_mt_server_dh_inner_data_t *inner)
{
    if (inner->dh_prime.len != GAP_DH_BYTES) return GAP_E_CRYPTO;
    if (inner->g_a.len > GAP_DH_BYTES) return GAP_E_CRYPTO;
    memset(&h->job, 0, sizeof h->job);
    h->job.kind = GAP_HANDSHAKE_JOB_DH;
    h->job.g = inner->g;
    memcpy(h->job.prime, inner->dh_prime.data, GAP_DH_BYTES);
    if (inner->g_a.len > 0)
        memcpy(h->job.g_a + GAP_DH_BYTES - inner->g_a.len, inner->g_a.data, inner->g_a.len);
    h->job.prime_is_safe = h->config.safe_prime != NULL &&
                           memcmp(h->config.safe_prime, h->job.prime, GAP_DH_BYTES) == 0;
    memcpy(h->result.prime, h->job.prime, GAP_DH_BYTES);
    return 0;
}

static int start_powers(gap_handshake_t *h)
{
    int r = gap_random_fill(h->config.random, h->job.b, sizeof h->job.b);
    if (r < 0) return r;
    h->state = GAP_HANDSHAKE_POWERS;
    return GAP_HANDSHAKE_JOB;
}

static int open_answer(gap_handshake_t *h, gap_bytes_t sealed, uint8_t *opened,
                       gap_mt_server_dh_inner_data_t *inner)
{
    gap_crypto_t *c = h->config.crypto;

    if (sealed.len > ANSWER_MAX) return GAP_E_PROTOCOL;
    int r = gap_dh_tmp_aes(c, h->new_nonce, h->server_nonce, h->tmp_key, h->tmp_iv);
    if (r == 0) r = gap_dh_open(c, h->tmp_key, h->tmp_iv, sealed, opened);
    if (r < 0) return r;
    gap_bytes_t data = gap_bytes(opened + GAP_SHA1_BYTES, sealed.len - GAP_SHA1_BYTES);
    int64_t n = gap_tl_read(data, GAP_MT_SERVER_DH_INNER_DATA, inner, sizeof *inner);
    /* Not to be read is not to be told from a wrong hash: it was not encrypted with our nonce. */
    if (n < 0) return GAP_E_CRYPTO;
    r = gap_dh_verify(c, opened, sealed.len, (size_t)n);
    if (r < 0) return r;
    return same_nonces(h, &inner->nonce, &inner->server_nonce) ? 0 : GAP_E_CRYPTO;
}

static int on_dh_params(gap_handshake_t *h, gap_bytes_t body, uint64_t now_us)
{
    gap_mt_server_dh_params_ok_t res;
    gap_mt_server_dh_inner_data_t inner;
    uint8_t opened[ANSWER_MAX];

    int r = read_as(body, GAP_MT_SERVER_DH_PARAMS_OK, &res, sizeof res);
    if (r < 0) return r;
    if (!same_nonces(h, &res.nonce, &res.server_nonce)) return GAP_E_CRYPTO;
    r = open_answer(h, res.encrypted_answer, opened, &inner);
    if (r == 0) r = take_dh_values(h, &inner);
    if (r < 0) return r;
    h->result.server_time = inner.server_time;
    h->result.server_time_now_us = now_us;
    h->retry_id = 0;
    return start_powers(h);
}

/* dh_gen_ok, _retry and _fail have the same fields: one struct reads all three. */
static int on_dh_gen(gap_handshake_t *h, gap_bytes_t body, int64_t msg_id)
{
    static const uint32_t ids[] = {GAP_MT_DH_GEN_OK, GAP_MT_DH_GEN_RETRY, GAP_MT_DH_GEN_FAIL};
    uint32_t id = gap_load32(body.data);
    gap_mt_dh_gen_ok_t res;
    uint8_t hash[16];
    uint8_t which = id == ids[0] ? 1 : id == ids[1] ? 2 : 3;

    _Static_assert(sizeof(gap_mt_dh_gen_ok_t) == sizeof(gap_mt_dh_gen_retry_t), "same fields");
    _Static_assert(sizeof(gap_mt_dh_gen_ok_t) == sizeof(gap_mt_dh_gen_fail_t), "same fields");
    int r = read_as(body, ids[which - 1], &res, sizeof res);
    if (r < 0) return r;
    if (!same_nonces(h, &res.nonce, &res.server_nonce)) return GAP_E_CRYPTO;
    r = gap_new_nonce_hash(h->config.crypto, h->new_nonce, which, h->result.key.aux_hash, hash);
    if (r < 0) return r;
    if (!gap_secret_equal(hash, res.new_nonce_hash1.bytes, sizeof hash)) return GAP_E_CRYPTO;
    switch (which) {
    case 1:
        h->result.salt = gap_first_salt(h->new_nonce, h->server_nonce);
        h->state = GAP_HANDSHAKE_FINISHED;
        return GAP_HANDSHAKE_DONE;
    case 2:
        if (++h->retries > GAP_HANDSHAKE_RETRIES_MAX) return GAP_E_PROTOCOL;
        h->retry_id = h->result.key.aux_hash;
        return start_powers(h);
    default:
        if (++h->restarts > GAP_HANDSHAKE_RESTARTS_MAX) return GAP_E_PROTOCOL;
        h->retries = 0;
        gap_wipe(&h->result, sizeof h->result);
        gap_wipe(&h->job, sizeof h->job);
        return send_req_pq(h, msg_id);
    }
}

/* ---- the machine ---- */

int gap_handshake_start(gap_handshake_t *h, int64_t msg_id)
{
    if (h->state != GAP_HANDSHAKE_IDLE) return GAP_E_STATE;
    int r = send_req_pq(h, msg_id);
    return r < 0 ? fail(h, r) : r;
}

gap_bytes_t gap_handshake_request(const gap_handshake_t *h)
{
    return gap_bytes(h->request, h->request_len);
}

int gap_handshake_on_message(gap_handshake_t *h, gap_bytes_t packet, uint64_t now_us,
                             int64_t msg_id)
{
    int64_t server_msg_id;
    gap_bytes_t body;

    if (h->state == GAP_HANDSHAKE_IDLE || h->state >= GAP_HANDSHAKE_FINISHED) return GAP_E_STATE;
    int r = gap_plain_open(packet, &server_msg_id, &body);
    if (r < 0) return fail(h, r);
    switch (h->state) {
    case GAP_HANDSHAKE_WAIT_PQ:
        r = on_res_pq(h, body);
        break;
    case GAP_HANDSHAKE_WAIT_DH_PARAMS:
        r = on_dh_params(h, body, now_us);
        break;
    case GAP_HANDSHAKE_WAIT_DH_GEN:
        r = on_dh_gen(h, body, msg_id);
        break;
    default:
        r = GAP_E_PROTOCOL;
        break; /* nothing was asked */
    }
    return r < 0 ? fail(h, r) : r;
}

void gap_handshake_take_job(gap_handshake_t *h, gap_handshake_job_t *out)
{
    GAP_ASSERT(h->state == GAP_HANDSHAKE_FACTORING || h->state == GAP_HANDSHAKE_POWERS);
    *out = h->job;
    gap_wipe(h->job.b, sizeof h->job.b);
}

static int run_dh(gap_handshake_job_t *job)
{
    const uint8_t g = (uint8_t)job->g;
    gap_bytes_t g_a = gap_bytes(job->g_a, sizeof job->g_a);
    gap_bytes_t g_b = gap_bytes(job->g_b, sizeof job->g_b);

    int r = job->prime_is_safe ? 0 : gap_dh_check_prime(gap_bytes(job->prime, sizeof job->prime));
    if (r == 0) r = gap_dh_check_generator(job->g, job->prime);
    if (r == 0) r = gap_dh_check_public(g_a, job->prime);
    if (r == 0) r = gap_dh_power(gap_bytes(&g, 1), job->b, job->prime, job->g_b);
    if (r == 0) r = gap_dh_check_public(g_b, job->prime);
    if (r == 0) r = gap_dh_power(g_a, job->b, job->prime, job->auth_key);
    if (r == 0) job->prime_is_safe = true;
    return r;
}

void gap_handshake_job_run(gap_handshake_job_t *job)
{
    switch (job->kind) {
    case GAP_HANDSHAKE_JOB_PQ:
        job->status = gap_pq_factor(job->pq, &job->p, &job->q);
        break;
    case GAP_HANDSHAKE_JOB_DH:
        job->status = run_dh(job);
        break;
    default:
        job->status = GAP_E_STATE;
        break;
    }
}

void gap_handshake_job_wipe(gap_handshake_job_t *job)
{
    gap_wipe(job, sizeof *job);
}

int gap_handshake_on_job(gap_handshake_t *h, const gap_handshake_job_t *job, int64_t msg_id)
{
    bool pq = h->state == GAP_HANDSHAKE_FACTORING && job->kind == GAP_HANDSHAKE_JOB_PQ;
    bool dh = h->state == GAP_HANDSHAKE_POWERS && job->kind == GAP_HANDSHAKE_JOB_DH;

    if (!pq && !dh) return GAP_E_STATE;
    int r = job->status;
    if (r == 0) {
        h->job.prime_is_safe = job->prime_is_safe;
        r = pq ? send_req_dh_params(h, job, msg_id) : send_set_client_dh(h, job, msg_id);
    }
    return r < 0 ? fail(h, r) : r;
}

int gap_handshake_take_result(gap_handshake_t *h, gap_handshake_result_t *out)
{
    if (h->state != GAP_HANDSHAKE_FINISHED) return GAP_E_STATE;
    *out = h->result;
    gap_handshake_fini(h);
    return 0;
}
