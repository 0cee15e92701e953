/*
 * tests/unit/handshake_server.h - the server's side of a key exchange for tests, with one deviation
 * at choice. Uses src/crypto and the TL writer, nothing of src/mtproto.
 */
#ifndef GAP_TESTS_HANDSHAKE_SERVER_H
#define GAP_TESTS_HANDSHAKE_SERVER_H

#include "base/bytes.h"
#include "base/prng.h"
#include "crypto/auth_key.h"
#include "crypto/dh.h"
#include "crypto/rsa.h"
#include "tests/check_main.h"

#include <gapless/tl.h>
#include <gapless/tl_mt.h>
#include <string.h>

enum deviation {
    HONEST,
    /* resPQ */
    PQ_NONCE,
    PQ_EMPTY,
    PQ_LONG,
    PQ_PRIME,
    PQ_ZERO,
    PQ_NO_KEYS,
    PQ_FOREIGN_KEYS,
    PQ_OTHER_OBJECT,
    PQ_ENCRYPTED,
    PQ_TRAILING, /* legal: random bytes behind the object */
    /* server_DH_params_ok */
    DH_NONCE,
    DH_SERVER_NONCE,
    DH_ODD_LENGTH,
    DH_EMPTY,
    DH_HUGE,
    DH_INNER_NONCE,
    DH_INNER_SERVER_NONCE,
    DH_INNER_OTHER_OBJECT,
    DH_HASH,
    DH_PADDING_16,
    DH_PRIME_COMPOSITE,
    DH_PRIME_SHORT,
    DH_PRIME_EVEN,
    DH_G_1,
    DH_G_2,
    DH_G_8,
    DH_G_NEGATIVE,
    DH_G_A_ONE,
    DH_G_A_MINUS_ONE,
    DH_G_A_SMALL,
    DH_G_A_LARGE,
    DH_G_A_LONG,
    DH_FAIL_OBJECT,
    DH_TRAILING,
    DH_OTHER_PRIME, /* legal: another safe prime, g = 2 */
    /* dh_gen_ok and its kin */
    GEN_NONCE,
    GEN_SERVER_NONCE,
    GEN_HASH,
    GEN_HASH_OF_RETRY,
    GEN_RETRY_HASH_OF_OK,
    GEN_TRAILING,
    GEN_RETRY, /* legal up to a number of times */
    GEN_FAIL
};

struct handshake_server {
    gap_crypto_t *crypto;
    const gap_rsa_key_t *key;
    gap_prng_t rng;
    gap_random_t random;
    enum deviation deviation;
    int times;  /* how often the deviation applies */
    int32_t dc; /* what the client said */
    int32_t expires_in;
    int retries; /* set_client_DH_params since the last req_pq_multi */
    int32_t time;
    uint8_t nonce[16], server_nonce[16], new_nonce[32];
    uint8_t tmp_key[32], tmp_iv[32];
    uint8_t prime[GAP_DH_BYTES], a[GAP_DH_BYTES];
    int64_t retry_id;
    gap_auth_key_t auth_key;
    uint8_t out[4096]; /* the answer, envelope included */
    size_t out_len;
};

#define SERVER_PQ 0x17ED48941A08F981U /* 1229739323 * 1402015859 */

static inline int server_fill(void *arg, uint8_t *out, size_t len)
{
    struct handshake_server *s = arg;
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)gap_prng_next(&s->rng);
    return 0;
}

static inline void server_init(struct handshake_server *s, gap_crypto_t *crypto,
                               const gap_rsa_key_t *key, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    s->crypto = crypto;
    s->key = key;
    s->rng.state = seed;
    s->random.fill = server_fill;
    s->random.arg = s;
    s->times = 1;
    s->time = 1700000000;
    memcpy(s->prime, gap_dh_known_prime, GAP_DH_BYTES);
}

/* Is it time to deviate in this way? */
static inline bool deviates(const struct handshake_server *s, enum deviation d)
{
    return s->deviation == d && s->times > 0;
}

static inline void server_answer(struct handshake_server *s, gap_tl_object_t object,
                                 size_t trailing)
{
    int64_t n = gap_tl_write(object, s->out + 20, sizeof s->out - 20);
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(server_fill(s, s->out + 20 + n, trailing), 0);
    gap_store64(s->out, deviates(s, PQ_ENCRYPTED) ? 5 : 0);
    gap_store64(s->out + 8, (uint64_t)s->time << 32 | 1);
    gap_store32(s->out + 16, (uint32_t)n + (uint32_t)trailing);
    s->out_len = 20 + (size_t)n + trailing;
}

static inline void server_res_pq(struct handshake_server *s, gap_bytes_t body)
{
    gap_mt_req_pq_multi_t req;
    gap_mt_res_pq_t res = {0};
    uint8_t pq[9] = {0};
    int64_t fingerprints[3] = {0x1111, s->key->fingerprint, 0x2222};
    uint64_t value = SERVER_PQ;

    ck_assert_int_gt(gap_tl_read(body, GAP_MT_REQ_PQ_MULTI, &req, sizeof req), 0);
    memcpy(s->nonce, req.nonce.bytes, 16);
    ck_assert_int_eq(server_fill(s, s->server_nonce, 16), 0);
    s->retries = 0;
    s->retry_id = 0;
    if (deviates(s, PQ_PRIME)) value = 18446744073709551557ULL;
    if (deviates(s, PQ_ZERO)) value = 0;
    for (int i = 0; i < 8; i++) pq[i] = (uint8_t)(value >> (56 - 8 * i));
    memcpy(res.nonce.bytes, s->nonce, 16);
    memcpy(res.server_nonce.bytes, s->server_nonce, 16);
    if (deviates(s, PQ_NONCE)) res.nonce.bytes[15] ^= 1;
    res.pq = gap_bytes(pq, deviates(s, PQ_EMPTY) ? 0 : deviates(s, PQ_LONG) ? 9 : 8);
    res.server_public_key_fingerprints = gap_tl_array(fingerprints, 3);
    if (deviates(s, PQ_NO_KEYS)) res.server_public_key_fingerprints.count = 0;
    if (deviates(s, PQ_FOREIGN_KEYS)) fingerprints[1] = 0x3333;
    if (deviates(s, PQ_OTHER_OBJECT)) {
        gap_mt_pong_t pong = {.msg_id = 1, .ping_id = 2};
        server_answer(s, GAP_TL_OF(GAP_MT_PONG, &pong), 0);
        return;
    }
    server_answer(s, GAP_TL_OF(GAP_MT_RES_PQ, &res), deviates(s, PQ_TRAILING) ? 84 : 0);
}

/* What the client encrypted for our RSA key. */
static inline void server_read_inner(struct handshake_server *s, const gap_mt_req_dh_params_t *req)
{
    uint8_t raw[GAP_RSA_BYTES], data[GAP_RSA_PAD_BYTES] = {0};
    gap_bytes_t view = gap_bytes(data, sizeof data);

    ck_assert_int_eq(req->public_key_fingerprint, s->key->fingerprint);
    ck_assert_uint_eq(__builtin_bswap32(gap_load32(req->p.data)), 1229739323);
    ck_assert_uint_eq(__builtin_bswap32(gap_load32(req->q.data)), 1402015859);
    ck_assert_int_eq(gap_rsa_decrypt(s->key, req->encrypted_data, raw), 0);
    ck_assert_int_eq(gap_rsa_pad_open(s->crypto, raw, data), 0);
    if (gap_load32(data) == GAP_MT_P_Q_INNER_DATA_DC) {
        gap_mt_p_q_inner_data_dc_t in;
        ck_assert_int_eq(gap_tl_read(view, GAP_MT_P_Q_INNER_DATA_DC, &in, sizeof in), 100);
        memcpy(s->new_nonce, in.new_nonce.bytes, 32);
        s->dc = in.dc;
    } else {
        gap_mt_p_q_inner_data_temp_dc_t in;
        ck_assert_int_eq(gap_tl_read(view, GAP_MT_P_Q_INNER_DATA_TEMP_DC, &in, sizeof in), 104);
        memcpy(s->new_nonce, in.new_nonce.bytes, 32);
        s->dc = in.dc;
        s->expires_in = in.expires_in;
    }
}

static inline void server_inner_answer(struct handshake_server *s,
                                       gap_mt_server_dh_inner_data_t *in,
                                       uint8_t g_a[GAP_DH_BYTES + 1])
{
    const uint8_t g = deviates(s, DH_OTHER_PRIME) ? 2 : 3;

    memcpy(in->nonce.bytes, s->nonce, 16);
    memcpy(in->server_nonce.bytes, s->server_nonce, 16);
    if (deviates(s, DH_INNER_NONCE)) in->nonce.bytes[0] ^= 1;
    if (deviates(s, DH_INNER_SERVER_NONCE)) in->server_nonce.bytes[0] ^= 1;
    in->g = g;
    if (deviates(s, DH_G_1)) in->g = 1;
    if (deviates(s, DH_G_2)) in->g = 2; /* generates everything modulo the known prime */
    if (deviates(s, DH_G_8)) in->g = 8;
    if (deviates(s, DH_G_NEGATIVE)) in->g = -3;
    in->server_time = s->time;
    if (deviates(s, DH_PRIME_COMPOSITE)) s->prime[200] ^= 0x10;
    if (deviates(s, DH_PRIME_EVEN)) s->prime[255] ^= 1;
    in->dh_prime = gap_bytes(s->prime, deviates(s, DH_PRIME_SHORT) ? 255 : 256);
    ck_assert_int_eq(server_fill(s, s->a, sizeof s->a), 0);
    if (!deviates(s, DH_PRIME_EVEN))
        ck_assert_int_eq(gap_dh_power(gap_bytes(&g, 1), s->a, s->prime, g_a), 0);
    in->g_a = gap_bytes(g_a, 256);
    if (deviates(s, DH_G_A_ONE) || deviates(s, DH_G_A_SMALL)) memset(g_a, 0, 256);
    if (deviates(s, DH_G_A_ONE)) g_a[255] = 1;
    if (deviates(s, DH_G_A_SMALL)) g_a[8] = 0xff; /* below 2^1984 */
    if (deviates(s, DH_G_A_MINUS_ONE) || deviates(s, DH_G_A_LARGE)) memcpy(g_a, s->prime, 256);
    if (deviates(s, DH_G_A_MINUS_ONE)) g_a[255]--;
    if (deviates(s, DH_G_A_LARGE)) g_a[200]--; /* closer to the prime than 2^1984 */
    if (deviates(s, DH_G_A_LONG)) in->g_a.len = 257;
}

static inline void server_dh_params(struct handshake_server *s, gap_bytes_t body)
{
    gap_mt_req_dh_params_t req;
    gap_mt_server_dh_params_ok_t res = {0};
    gap_mt_server_dh_inner_data_t inner = {0};
    uint8_t g_a[GAP_DH_BYTES + 1] = {0}, data[1024] = {0}, sealed[2048] = {0};

    ck_assert_int_gt(gap_tl_read(body, GAP_MT_REQ_DH_PARAMS, &req, sizeof req), 0);
    server_read_inner(s, &req);
    server_inner_answer(s, &inner, g_a);
    int64_t n = gap_tl_write(GAP_TL_OF(GAP_MT_SERVER_DH_INNER_DATA, &inner), data, sizeof data);
    ck_assert_int_gt(n, 0);
    if (deviates(s, DH_INNER_OTHER_OBJECT)) data[0] ^= 1;
    if (deviates(s, DH_PADDING_16)) n += 16; /* hashed as data, but the object ends before */
    ck_assert_int_eq(
        gap_dh_tmp_aes(s->crypto, s->new_nonce, s->server_nonce, s->tmp_key, s->tmp_iv), 0);
    n = gap_dh_seal(s->crypto, s->tmp_key, s->tmp_iv, &s->random, gap_bytes(data, (size_t)n),
                    sealed);
    ck_assert_int_gt(n, 0);
    if (deviates(s, DH_HASH)) sealed[0] ^= 1;
    if (deviates(s, DH_ODD_LENGTH)) n -= 4;
    if (deviates(s, DH_EMPTY)) n = 0;
    if (deviates(s, DH_HUGE)) n = 2000;
    memcpy(res.nonce.bytes, s->nonce, 16);
    memcpy(res.server_nonce.bytes, s->server_nonce, 16);
    if (deviates(s, DH_NONCE)) res.nonce.bytes[3] ^= 1;
    if (deviates(s, DH_SERVER_NONCE)) res.server_nonce.bytes[3] ^= 1;
    res.encrypted_answer = gap_bytes(sealed, (size_t)n);
    server_answer(s, GAP_TL_OF(GAP_MT_SERVER_DH_PARAMS_OK, &res),
                  deviates(s, DH_TRAILING) ? 76 : 0);
    if (deviates(s, DH_FAIL_OBJECT)) gap_store32(s->out + 20, 0x79cb045d);
}

static inline uint32_t server_verdict(const struct handshake_server *s)
{
    if (deviates(s, GEN_RETRY) || deviates(s, GEN_RETRY_HASH_OF_OK)) return GAP_MT_DH_GEN_RETRY;
    return deviates(s, GEN_FAIL) ? GAP_MT_DH_GEN_FAIL : GAP_MT_DH_GEN_OK;
}

static inline void server_dh_gen(struct handshake_server *s, gap_bytes_t body)
{
    gap_mt_set_client_dh_params_t req;
    gap_mt_client_dh_inner_data_t inner;
    gap_mt_dh_gen_ok_t res;
    uint8_t opened[512];

    ck_assert_int_gt(gap_tl_read(body, GAP_MT_SET_CLIENT_DH_PARAMS, &req, sizeof req), 0);
    ck_assert_uint_le(req.encrypted_data.len, sizeof opened);
    ck_assert_int_eq(gap_dh_open(s->crypto, s->tmp_key, s->tmp_iv, req.encrypted_data, opened), 0);
    int64_t n = gap_tl_read(gap_bytes(opened + 20, req.encrypted_data.len - 20),
                            GAP_MT_CLIENT_DH_INNER_DATA, &inner, sizeof inner);
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(gap_dh_verify(s->crypto, opened, req.encrypted_data.len, (size_t)n), 0);
    ck_assert_mem_eq(inner.nonce.bytes, s->nonce, 16);
    ck_assert_mem_eq(inner.server_nonce.bytes, s->server_nonce, 16);
    ck_assert_int_eq(inner.retry_id, s->retry_id);
    ck_assert_int_eq(gap_dh_check_public(inner.g_b, s->prime), 0);
    ck_assert_int_eq(gap_dh_power(inner.g_b, s->a, s->prime, s->auth_key.key), 0);
    ck_assert_int_eq(gap_auth_key_derive(s->crypto, &s->auth_key), 0);
    s->retry_id = s->auth_key.aux_hash;
    s->retries++;
    uint32_t id = server_verdict(s);
    uint8_t number = id == GAP_MT_DH_GEN_OK ? 1 : id == GAP_MT_DH_GEN_RETRY ? 2 : 3;
    if (deviates(s, GEN_HASH_OF_RETRY)) number = 2;
    if (deviates(s, GEN_RETRY_HASH_OF_OK)) number = 1;
    memcpy(res.nonce.bytes, s->nonce, 16);
    memcpy(res.server_nonce.bytes, s->server_nonce, 16);
    ck_assert_int_eq(gap_new_nonce_hash(s->crypto, s->new_nonce, number, s->auth_key.aux_hash,
                                        res.new_nonce_hash1.bytes),
                     0);
    if (deviates(s, GEN_NONCE)) res.nonce.bytes[9] ^= 1;
    if (deviates(s, GEN_SERVER_NONCE)) res.server_nonce.bytes[9] ^= 1;
    if (deviates(s, GEN_HASH)) res.new_nonce_hash1.bytes[9] ^= 1;
    server_answer(s, GAP_TL_OF(id, &res), deviates(s, GEN_TRAILING) ? 64 : 0);
    if (s->deviation >= GEN_RETRY) s->times--;
}

/* Answer one request of the client: s->out, s->out_len. */
static inline void server_on_request(struct handshake_server *s, gap_bytes_t packet)
{
    ck_assert_uint_ge(packet.len, 24);
    ck_assert_uint_eq(gap_load64(packet.data), 0);
    ck_assert_uint_eq(gap_load32(packet.data + 16), packet.len - 20);
    gap_bytes_t body = gap_bytes(packet.data + 20, packet.len - 20);
    switch (gap_load32(body.data)) {
    case GAP_MT_REQ_PQ_MULTI:
        server_res_pq(s, body);
        break;
    case GAP_MT_REQ_DH_PARAMS:
        server_dh_params(s, body);
        break;
    case GAP_MT_SET_CLIENT_DH_PARAMS:
        server_dh_gen(s, body);
        break;
    default:
        ck_abort_msg("unknown request");
    }
}

#endif
