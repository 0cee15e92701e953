/*
 * tests/unit/dc_peer.h - a client of the data centre for tests, made of src/crypto and plain
 * appends: it shares no protocol code with the server nor with the library's client.
 */
#ifndef GAP_TESTS_DC_PEER_H
#define GAP_TESTS_DC_PEER_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "crypto/auth_key.h"
#include "crypto/dh.h"
#include "crypto/message.h"
#include "crypto/pq.h"
#include "crypto/rsa.h"
#include "tests/check_main.h"

#include <gapless/tl.h>
#include <gapless/tl_mt.h>
#include <openssl/bn.h>

/* How a client talks in the handshake. */
enum peer_inner { PEER_INNER, PEER_INNER_DC, PEER_INNER_TEMP, PEER_INNER_TEMP_DC };

struct peer_style {
    enum peer_inner inner;
    bool legacy;     /* the retired RSA padding */
    bool old_req_pq; /* req_pq, not req_pq_multi */
    int32_t dc;
};

/* Ask a plain question: send @p body, get the answer's. */
typedef void (*peer_ask_fn)(void *arg, gap_bytes_t body, gap_buf_t *answer);

struct peer {
    gap_crypto_t crypto;
    gap_random_t random;
    gap_prng_t prng;
    gap_rsa_key_t rsa;
    gap_auth_key_t key;
    int64_t salt;
    int64_t session_id;
    int64_t last_id;
    uint32_t content;
};

static inline int peer_random(void *arg, uint8_t *out, size_t len)
{
    struct peer *p = arg;
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)gap_prng_next(&p->prng);
    return 0;
}

static inline void peer_init(struct peer *p, const char *private_pem, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    p->prng.state = seed;
    p->random.fill = peer_random;
    p->random.arg = p;
    ck_assert_int_eq(gap_crypto_init(&p->crypto), 0);
    ck_assert_int_eq(
        gap_rsa_private_from_pem(&p->crypto, gap_bytes(private_pem, strlen(private_pem)), &p->rsa),
        0);
    p->session_id = (int64_t)gap_prng_next(&p->prng);
}

static inline void peer_fini(struct peer *p)
{
    gap_rsa_fini(&p->rsa);
    gap_crypto_fini(&p->crypto);
}

static inline void put(gap_buf_t *b, const void *bytes, size_t n)
{
    ck_assert_int_eq(gap_buf_append(b, bytes, n), 0);
}

static inline void put32(gap_buf_t *b, uint32_t v)
{
    put(b, &v, 4);
}
static inline void put64(gap_buf_t *b, uint64_t v)
{
    put(b, &v, 8);
}

static inline void put_string(gap_buf_t *b, const void *bytes, size_t n)
{
    size_t before = b->len;
    uint8_t head[4] = {(uint8_t)n, (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16)};

    if (n >= 254) head[0] = 254;
    put(b, head, n >= 254 ? 4 : 1);
    put(b, bytes, n);
    while ((b->len - before) % 4 != 0) put(b, "", 1);
}

static inline void peer_inner_data(const struct peer_style *style, const uint8_t *res_pq,
                                   const uint8_t new_nonce[32], const uint8_t pq[8],
                                   const uint8_t p4[4], const uint8_t q4[4], gap_buf_t *out)
{
    static const uint32_t ids[] = {GAP_MT_P_Q_INNER_DATA, GAP_MT_P_Q_INNER_DATA_DC,
                                   GAP_MT_P_Q_INNER_DATA_TEMP, GAP_MT_P_Q_INNER_DATA_TEMP_DC};
    bool has_dc = style->inner == PEER_INNER_DC || style->inner == PEER_INNER_TEMP_DC;

    put32(out, ids[style->inner]);
    put_string(out, pq, 8);
    put_string(out, p4, 4);
    put_string(out, q4, 4);
    put(out, res_pq + 4, 32);
    put(out, new_nonce, 32);
    if (has_dc) put32(out, (uint32_t)style->dc);
    if (style->inner >= PEER_INNER_TEMP) put32(out, 86400);
}

/* The bare public operation. */
static inline void peer_rsa_raw(const gap_rsa_key_t *key, const uint8_t in[256], uint8_t out[256])
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *base = BN_bin2bn(in, 256, NULL);
    BIGNUM *modulus = BN_bin2bn(key->modulus, 256, NULL);
    BIGNUM *exponent = BN_new();

    ck_assert(ctx != NULL && base != NULL && modulus != NULL && exponent != NULL);
    ck_assert_int_eq(BN_set_word(exponent, 65537), 1);
    ck_assert_int_eq(BN_mod_exp(base, base, exponent, modulus, ctx), 1);
    ck_assert_int_eq(BN_bn2binpad(base, out, 256), 256);
    BN_free(exponent);
    BN_free(modulus);
    BN_free(base);
    BN_CTX_free(ctx);
}

static inline void peer_encrypt_inner(struct peer *p, bool legacy, gap_bytes_t data,
                                      uint8_t out[256])
{
    if (!legacy) {
        ck_assert_int_eq(gap_rsa_pad_encrypt(&p->crypto, &p->rsa, data, &p->random, out), 0);
        return;
    }
    uint8_t raw[256] = {0};
    ck_assert_int_eq(peer_random(p, raw + 1, 255), 0);
    ck_assert_int_eq(gap_sha1(&p->crypto, &data, 1, raw + 1), 0);
    memcpy(raw + 21, data.data, data.len);
    peer_rsa_raw(&p->rsa, raw, out);
}

struct peer_exchange {
    uint8_t nonce[16];
    uint8_t server_nonce[16];
    uint8_t new_nonce[32];
    uint8_t tmp_key[32];
    uint8_t tmp_iv[32];
    uint8_t p4[8];
    uint8_t q4[8];
    gap_buf_t body;
    gap_buf_t answer;
    gap_buf_t inner;
};

/* @return false: no answer came. */
static inline bool peer_res_pq(struct peer *p, const struct peer_style *style,
                               struct peer_exchange *x, peer_ask_fn ask, void *arg)
{
    ck_assert_int_eq(peer_random(p, x->nonce, 16), 0);
    put32(&x->body, style->old_req_pq ? GAP_MT_REQ_PQ : GAP_MT_REQ_PQ_MULTI);
    put(&x->body, x->nonce, 16);
    ask(arg, gap_buf_view(&x->body), &x->answer);
    const uint8_t *a = gap_buf_view(&x->answer).data;
    if (gap_buf_view(&x->answer).len == 0) return false;
    ck_assert_uint_eq(gap_buf_view(&x->answer).len, 4 + 32 + 12 + 8 + 8);
    ck_assert_uint_eq(gap_load32(a), GAP_MT_RES_PQ);
    ck_assert_mem_eq(a + 4, x->nonce, 16);
    memcpy(x->server_nonce, a + 20, 16);
    ck_assert_uint_eq(a[36], 8);
    uint64_t pq = 0;
    for (int i = 0; i < 8; i++) pq = pq << 8 | a[37 + i];
    ck_assert_msg(pq < (uint64_t)1 << 63, "a client reads pq as a signed number");
    uint64_t small;
    uint64_t large;
    ck_assert_int_eq(gap_pq_factor(pq, &small, &large), 0);
    ck_assert_uint_eq(gap_be_bytes(small, x->p4), 4);
    ck_assert_uint_eq(gap_be_bytes(large, x->q4), 4);
    ck_assert_uint_eq(gap_load32(a + 48), GAP_TL_VECTOR);
    ck_assert_uint_eq(gap_load32(a + 52), 1);
    ck_assert_int_eq((int64_t)gap_load64(a + 56), p->rsa.fingerprint);
    ck_assert_int_eq(peer_random(p, x->new_nonce, 32), 0);
    peer_inner_data(style, a, x->new_nonce, a + 37, x->p4, x->q4, &x->inner);
    return true;
}

static inline void peer_req_dh(struct peer *p, bool legacy, struct peer_exchange *x,
                               peer_ask_fn ask, void *arg)
{
    uint8_t encrypted[256];

    peer_encrypt_inner(p, legacy, gap_buf_view(&x->inner), encrypted);
    gap_buf_clear(&x->body);
    gap_buf_clear(&x->answer);
    put32(&x->body, GAP_MT_REQ_DH_PARAMS);
    put(&x->body, x->nonce, 16);
    put(&x->body, x->server_nonce, 16);
    put_string(&x->body, x->p4, 4);
    put_string(&x->body, x->q4, 4);
    put64(&x->body, (uint64_t)p->rsa.fingerprint);
    put_string(&x->body, encrypted, 256);
    ask(arg, gap_buf_view(&x->body), &x->answer);
}

/* Open server_DH_inner_data for its g_a. @return false: no answer came. */
static inline bool peer_read_dh(struct peer *p, struct peer_exchange *x, uint8_t g_a[256])
{
    const uint8_t *a = gap_buf_view(&x->answer).data;
    uint8_t plain[1024];
    const size_t data_len = 4 + 32 + 4 + 260 + 260 + 4;
    const size_t sealed = (20 + data_len + 15) / 16 * 16;

    if (gap_buf_view(&x->answer).len == 0) return false;
    ck_assert_uint_eq(gap_load32(a), GAP_MT_SERVER_DH_PARAMS_OK);
    ck_assert_mem_eq(a + 4, x->nonce, 16);
    ck_assert_mem_eq(a + 20, x->server_nonce, 16);
    ck_assert_uint_eq(gap_load32(a + 36), 0xfeU | sealed << 8);
    ck_assert_int_eq(
        gap_dh_tmp_aes(&p->crypto, x->new_nonce, x->server_nonce, x->tmp_key, x->tmp_iv), 0);
    ck_assert_int_eq(
        gap_dh_open(&p->crypto, x->tmp_key, x->tmp_iv, gap_bytes(a + 40, sealed), plain), 0);
    ck_assert_int_eq(gap_dh_verify(&p->crypto, plain, sealed, data_len), 0);
    const uint8_t *d = plain + 20;
    ck_assert_uint_eq(gap_load32(d), GAP_MT_SERVER_DH_INNER_DATA);
    ck_assert_mem_eq(d + 4, x->nonce, 16);
    ck_assert_mem_eq(d + 20, x->server_nonce, 16);
    ck_assert_uint_eq(gap_load32(d + 36), 3);
    ck_assert_mem_eq(d + 44, gap_dh_known_prime, 256);
    memcpy(g_a, d + 304, 256);
    ck_assert_int_eq(gap_dh_check_public(gap_bytes(g_a, 256), gap_dh_known_prime), 0);
    return true;
}

static inline void peer_client_dh(struct peer *p, struct peer_exchange *x, const uint8_t g_a[256],
                                  int64_t retry_id, peer_ask_fn ask, void *arg)
{
    static const uint8_t three = 3;
    uint8_t b[256];
    uint8_t g_b[256];
    uint8_t sealed[1024];

    ck_assert_int_eq(peer_random(p, b, sizeof b), 0);
    ck_assert_int_eq(gap_dh_power(gap_bytes(&three, 1), b, gap_dh_known_prime, g_b), 0);
    ck_assert_int_eq(gap_dh_power(gap_bytes(g_a, 256), b, gap_dh_known_prime, p->key.key), 0);
    ck_assert_int_eq(gap_auth_key_derive(&p->crypto, &p->key), 0);
    gap_buf_clear(&x->inner);
    put32(&x->inner, GAP_MT_CLIENT_DH_INNER_DATA);
    put(&x->inner, x->nonce, 16);
    put(&x->inner, x->server_nonce, 16);
    put64(&x->inner, (uint64_t)retry_id);
    put_string(&x->inner, g_b, 256);
    int64_t n =
        gap_dh_seal(&p->crypto, x->tmp_key, x->tmp_iv, &p->random, gap_buf_view(&x->inner), sealed);
    ck_assert_int_gt(n, 0);
    gap_buf_clear(&x->body);
    gap_buf_clear(&x->answer);
    put32(&x->body, GAP_MT_SET_CLIENT_DH_PARAMS);
    put(&x->body, x->nonce, 16);
    put(&x->body, x->server_nonce, 16);
    put_string(&x->body, sealed, (size_t)n);
    ask(arg, gap_buf_view(&x->body), &x->answer);
}

/* Is the answer this dh_gen_..., with the hash that goes with it? */
static inline void peer_check_dh_gen(struct peer *p, const struct peer_exchange *x, uint32_t id,
                                     uint8_t n)
{
    const uint8_t *a = gap_buf_view(&x->answer).data;
    uint8_t hash[16];

    ck_assert_uint_eq(gap_buf_view(&x->answer).len, 52);
    ck_assert_uint_eq(gap_load32(a), id);
    ck_assert_mem_eq(a + 4, x->nonce, 16);
    ck_assert_mem_eq(a + 20, x->server_nonce, 16);
    ck_assert_int_eq(gap_new_nonce_hash(&p->crypto, x->new_nonce, n, p->key.aux_hash, hash), 0);
    ck_assert_mem_eq(a + 36, hash, 16);
}

static inline void peer_exchange_init(struct peer_exchange *x)
{
    memset(x, 0, sizeof *x);
    gap_buf_init(&x->body, gap_alloc_default());
    gap_buf_init(&x->answer, gap_alloc_default());
    gap_buf_init(&x->inner, gap_alloc_default());
}

static inline void peer_exchange_fini(struct peer_exchange *x)
{
    gap_buf_fini(&x->body);
    gap_buf_fini(&x->answer);
    gap_buf_fini(&x->inner);
}

/* The whole exchange; p->key and p->salt afterwards. @return false: an answer did not come. */
static inline bool peer_shake_hands(struct peer *p, const struct peer_style *style, peer_ask_fn ask,
                                    void *arg)
{
    struct peer_exchange x;
    uint8_t g_a[256];

    peer_exchange_init(&x);
    bool ok = peer_res_pq(p, style, &x, ask, arg);
    if (ok) {
        peer_req_dh(p, style->legacy, &x, ask, arg);
        ok = peer_read_dh(p, &x, g_a);
    }
    if (ok) {
        peer_client_dh(p, &x, g_a, 0, ask, arg);
        ok = gap_buf_view(&x.answer).len > 0;
    }
    if (ok) {
        peer_check_dh_gen(p, &x, GAP_MT_DH_GEN_OK, 1);
        p->salt = gap_first_salt(x.new_nonce, x.server_nonce);
    }
    peer_exchange_fini(&x);
    return ok;
}

#endif
