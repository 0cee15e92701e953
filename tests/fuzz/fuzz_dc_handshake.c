/*
 * tests/fuzz/fuzz_dc_handshake.c - the data centre's side of the key exchange. The input is a list
 * of messages: a byte that says what kind, a byte with a length in words, and so many bytes. Kind 0
 * is sent as it is; the others are right messages over which the bytes are laid by exclusive or, so
 * that the steps behind the encryption are reached.
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "dc/handshake.h"
#include "tests/unit/vectors_crypto.h"

#include <gapless/tl_mt.h>

#define BODY_MAX 2048U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gap_crypto_t crypto;
static gap_rsa_key_t rsa;

static int fill(void *arg, uint8_t *out, size_t len)
{
    uint8_t *next = arg;
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)(*next += 41);
    return 0;
}

static bool never_taken(void *arg, int64_t key_id)
{
    (void)arg;
    (void)key_id;
    return false;
}

static gap_bytes_t write_over(gap_tl_object_t object, gap_bytes_t noise, uint8_t *out)
{
    int64_t n = gap_tl_write(object, out, BODY_MAX);

    GAP_ASSERT(n > 0);
    for (size_t i = 0; i < noise.len && i < (size_t)n; i++) out[i] ^= noise.data[i];
    return gap_bytes(out, (size_t)n);
}

static gap_bytes_t make_pq(gap_bytes_t noise, uint8_t *out)
{
    gap_mt_req_pq_multi_t q = {{{1, 2, 3}}};
    return write_over(GAP_TL_OF(GAP_MT_REQ_PQ_MULTI, &q), noise, out);
}

static gap_bytes_t make_dh(const gap_dc_handshake_t *h, const gap_random_t *random,
                           gap_bytes_t noise, uint8_t *out)
{
    gap_mt_p_q_inner_data_dc_t inner = {{h->pq, 8}, {h->p, 4}, {h->q, 4}, {{0}}, {{0}}, {{7}}, 2};
    gap_mt_req_dh_params_t q = {{{0}}, {{0}}, {h->p, 4}, {h->q, 4}, rsa.fingerprint, {NULL, 0}};
    uint8_t sealed[GAP_RSA_BYTES] = {0};
    uint8_t plain[BODY_MAX];

    memcpy(inner.nonce.bytes, h->nonce, 16);
    memcpy(inner.server_nonce.bytes, h->server_nonce, 16);
    q.nonce = inner.nonce;
    q.server_nonce = inner.server_nonce;
    gap_bytes_t body = write_over(GAP_TL_OF(GAP_MT_P_Q_INNER_DATA_DC, &inner), noise, plain);
    if (gap_rsa_pad_encrypt(&crypto, &rsa, body, random, sealed) == 0)
        q.encrypted_data = gap_bytes(sealed, sizeof sealed);
    return write_over(GAP_TL_OF(GAP_MT_REQ_DH_PARAMS, &q), gap_bytes(NULL, 0), out);
}

static gap_bytes_t make_client_dh(const gap_dc_handshake_t *h, const gap_random_t *random,
                                  gap_bytes_t noise, uint8_t *out)
{
    uint8_t g_b[GAP_DH_BYTES];
    uint8_t plain[BODY_MAX];
    uint8_t sealed[BODY_MAX + GAP_DH_SEAL_EXTRA];
    gap_mt_client_dh_inner_data_t inner = {{{0}}, {{0}}, h->retry_id, {g_b, sizeof g_b}};
    gap_mt_set_client_dh_params_t q = {{{0}}, {{0}}, {NULL, 0}};

    memset(g_b, 0x5a, sizeof g_b);
    memcpy(inner.nonce.bytes, h->nonce, 16);
    memcpy(inner.server_nonce.bytes, h->server_nonce, 16);
    q.nonce = inner.nonce;
    q.server_nonce = inner.server_nonce;
    gap_bytes_t body = write_over(GAP_TL_OF(GAP_MT_CLIENT_DH_INNER_DATA, &inner), noise, plain);
    int64_t n = gap_dh_seal(&crypto, h->tmp_key, h->tmp_iv, random, body, sealed);
    if (n > 0) q.encrypted_data = gap_bytes(sealed, (size_t)n);
    return write_over(GAP_TL_OF(GAP_MT_SET_CLIENT_DH_PARAMS, &q), gap_bytes(NULL, 0), out);
}

static void start_once(void)
{
    static bool done;

    if (done) return;
    gap_bytes_t pem = gap_bytes(vector_rsa_private_pem, strlen(vector_rsa_private_pem));
    GAP_ASSERT(gap_crypto_init(&crypto) == 0);
    GAP_ASSERT(gap_rsa_private_from_pem(&crypto, pem, &rsa) == 0);
    done = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t seed = 1;
    gap_random_t random = {fill, &seed};
    gap_dc_secrets_t secrets = {&crypto, &rsa, &random, 2, 1800000000, never_taken, NULL};
    gap_dc_handshake_t h;
    gap_buf_t answer;
    uint8_t made[BODY_MAX];

    start_once();
    gap_dc_handshake_init(&h, gap_alloc_default());
    gap_buf_init(&answer, gap_alloc_default());
    for (unsigned messages = 0; size >= 2 && messages < 8; messages++) {
        size_t len = (size_t)data[1] * 4 < size - 2 ? (size_t)data[1] * 4 : (size - 2) & ~(size_t)3;
        gap_bytes_t body = gap_bytes(data + 2, len);
        uint8_t kind = data[0] & 3;
        data += 2 + len;
        size -= 2 + len;
        if (kind == 1) body = make_pq(body, made);
        if (kind == 2) body = make_dh(&h, &random, body, made);
        if (kind == 3) body = make_client_dh(&h, &random, body, made);
        gap_buf_clear(&answer);
        int r = gap_dc_handshake_step(&h, &secrets, body, &answer);
        GAP_ASSERT(r != GAP_DC_KEY_READY || h.state == GAP_DC_EXCHANGED);
        GAP_ASSERT(r < 0 || r == GAP_DC_WRONG_DC || answer.len >= 4);
    }
    gap_buf_fini(&answer);
    gap_dc_handshake_fini(&h);
    return 0;
}
