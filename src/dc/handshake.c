/*
 * dc/handshake.c - the server's side of the key exchange.
 *
 *   AWAIT_PQ --req_pq--> AWAIT_DH --req_DH_params--> AWAIT_CLIENT_DH --set_client_DH_params-->
 *   EXCHANGED          (dh_gen_retry stays; req_pq begins again from any state but REFUSED)
 *   any --failed check--> REFUSED
 *
 * Owns its nonces, secrets and the answers it gave, for clients that ask twice. Never keeps keys
 * beyond the step that made them ready: those are the key table's.
 */
#include "dc/handshake.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "crypto/pq.h"
#include "dc/limits.h"
#include "dc/wire.h"

#include <gapless/tl_mt.h>

#define GENERATOR  3
#define SEALED_MAX 1024U

void gap_dc_handshake_init(gap_dc_handshake_t *h, const gap_alloc_t *alloc)
{
    memset(h, 0, sizeof *h);
    for (size_t i = 0; i < GAP_ARRAY_LEN(h->asked); i++) gap_buf_init(&h->asked[i].answer, alloc);
}

static void forget_answers(gap_dc_handshake_t *h)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(h->asked); i++) gap_buf_clear(&h->asked[i].answer);
}

static void wipe_secrets(gap_dc_handshake_t *h)
{
    gap_wipe(h->new_nonce, sizeof h->new_nonce);
    gap_wipe(h->a, sizeof h->a);
    gap_wipe(h->tmp_key, sizeof h->tmp_key);
    gap_wipe(h->tmp_iv, sizeof h->tmp_iv);
    gap_wipe(&h->key, sizeof h->key);
}

void gap_dc_handshake_fini(gap_dc_handshake_t *h)
{
    wipe_secrets(h);
    for (size_t i = 0; i < GAP_ARRAY_LEN(h->asked); i++) gap_buf_fini(&h->asked[i].answer);
}

/* A prime of 31 bits: two of them give a pq below 2^62 and take four bytes each. */
static int draw_prime(const gap_dc_secrets_t *s, uint32_t *out)
{
    for (;;) {
        uint8_t raw[4];
        int r = gap_random_fill(s->random, raw, sizeof raw);
        if (r < 0) return r;
        uint32_t n = (gap_load32(raw) & 0x3fffffffU) | 0x40000001U;
        for (; n < 0x80000000U; n += 2) {
            if (!gap_is_prime64(n)) continue;
            *out = n;
            return 0;
        }
    }
}

static int draw_pq(gap_dc_handshake_t *h, const gap_dc_secrets_t *s)
{
    uint32_t p = 0;
    uint32_t q = 0;

    while (p == q) {
        int r = draw_prime(s, &p);
        if (r == 0) r = draw_prime(s, &q);
        if (r < 0) return r;
    }
    if (p > q) {
        uint32_t t = p;
        p = q;
        q = t;
    }
    size_t n = gap_be_bytes(p, h->p) + gap_be_bytes(q, h->q);
    GAP_ASSERT(n == 8);
    n = gap_be_bytes((uint64_t)p * q, h->pq);
    GAP_ASSERT(n == 8);
    return 0;
}

static int req_pq(gap_dc_handshake_t *h, const gap_dc_secrets_t *s, gap_dc_cursor_t *c,
                  gap_buf_t *answer)
{
    int r;

    gap_dc_take_raw(c, h->nonce, sizeof h->nonce);
    if (c->bad || ++h->begun > GAP_DC_HANDSHAKES_MAX) return GAP_E_PROTOCOL;
    wipe_secrets(h);
    h->dh_tries = 0;
    h->retry_id = 0;
    if ((r = gap_random_fill(s->random, h->server_nonce, sizeof h->server_nonce)) < 0) return r;
    if ((r = draw_pq(h, s)) < 0) return r;
    if ((r = gap_buf_append32(answer, GAP_MT_RES_PQ)) < 0) return r;
    if ((r = gap_buf_append(answer, h->nonce, 16)) < 0) return r;
    if ((r = gap_buf_append(answer, h->server_nonce, 16)) < 0) return r;
    if ((r = gap_dc_put_bytes(answer, gap_bytes(h->pq, 8))) < 0) return r;
    if ((r = gap_buf_append32(answer, GAP_TL_VECTOR)) < 0) return r;
    if ((r = gap_buf_append32(answer, 1)) < 0) return r;
    if ((r = gap_buf_append64(answer, (uint64_t)s->rsa->fingerprint)) < 0) return r;
    h->state = GAP_DC_AWAIT_DH;
    return 0;
}

static bool is_view_of(gap_bytes_t b, const void *bytes, size_t len)
{
    return gap_bytes_equal(b, gap_bytes(bytes, len));
}

bool gap_dc_is_named(int32_t dc, int32_t named)
{
    int64_t id = named < 0 ? -(int64_t)named : named;

    return id % 10000 == dc % 10000;
}

/* Read p_q_inner_data in any of its four forms. @return 0, GAP_DC_WRONG_DC, GAP_E_PROTOCOL. */
static int read_inner(gap_dc_handshake_t *h, const gap_dc_secrets_t *s, gap_bytes_t data)
{
    gap_dc_cursor_t c = gap_dc_cursor(data);
    uint32_t id = gap_dc_take32(&c);
    bool has_dc = id == GAP_MT_P_Q_INNER_DATA_DC || id == GAP_MT_P_Q_INNER_DATA_TEMP_DC;
    bool is_temp = id == GAP_MT_P_Q_INNER_DATA_TEMP || id == GAP_MT_P_Q_INNER_DATA_TEMP_DC;
    uint8_t nonce[16];
    uint8_t server_nonce[16];

    if (!has_dc && !is_temp && id != GAP_MT_P_Q_INNER_DATA) return GAP_E_PROTOCOL;
    gap_bytes_t pq = gap_dc_take_bytes(&c);
    gap_bytes_t p = gap_dc_take_bytes(&c);
    gap_bytes_t q = gap_dc_take_bytes(&c);
    gap_dc_take_raw(&c, nonce, sizeof nonce);
    gap_dc_take_raw(&c, server_nonce, sizeof server_nonce);
    gap_dc_take_raw(&c, h->new_nonce, sizeof h->new_nonce);
    int32_t dc = has_dc ? (int32_t)gap_dc_take32(&c) : s->dc;
    h->expires_in = is_temp ? (int32_t)gap_dc_take32(&c) : 0;
    if (c.bad || (is_temp && h->expires_in <= 0)) return GAP_E_PROTOCOL;
    if (!is_view_of(pq, h->pq, 8) || !is_view_of(p, h->p, 4) || !is_view_of(q, h->q, 4))
        return GAP_E_PROTOCOL;
    if (!gap_secret_equal(nonce, h->nonce, 16)) return GAP_E_PROTOCOL;
    if (!gap_secret_equal(server_nonce, h->server_nonce, 16)) return GAP_E_PROTOCOL;
    return gap_dc_is_named(s->dc, dc) ? 0 : GAP_DC_WRONG_DC;
}

/* Undo whichever padding the client used. */
static int open_inner(gap_dc_handshake_t *h, const gap_dc_secrets_t *s, gap_bytes_t encrypted)
{
    uint8_t raw[GAP_RSA_BYTES];
    uint8_t padded[GAP_RSA_PAD_BYTES] = {0};
    gap_bytes_t data = gap_bytes(padded, sizeof padded);
    int r = gap_rsa_decrypt(s->rsa, encrypted, raw);

    if (r < 0) return r == GAP_E_CRYPTO ? GAP_E_PROTOCOL : r;
    r = gap_rsa_pad_open(s->crypto, raw, padded);
    if (r == GAP_E_CRYPTO) r = gap_rsa_legacy_open(s->crypto, raw, &data);
    if (r == 0)
        r = read_inner(h, s, data);
    else if (r == GAP_E_CRYPTO)
        r = GAP_E_PROTOCOL;
    gap_wipe(raw, sizeof raw);
    gap_wipe(padded, sizeof padded);
    return r;
}

/* Our half: a, with g_a in the range a client asks for. */
static int draw_power(gap_dc_handshake_t *h, const gap_dc_secrets_t *s, uint8_t g_a[GAP_DH_BYTES])
{
    static const uint8_t g = GENERATOR;
    int r;

    for (unsigned i = 0; i < 8; i++) {
        if ((r = gap_random_fill(s->random, h->a, sizeof h->a)) < 0) return r;
        if ((r = gap_dh_power(gap_bytes(&g, 1), h->a, gap_dh_known_prime, g_a)) < 0) return r;
        r = gap_dh_check_public(gap_bytes(g_a, GAP_DH_BYTES), gap_dh_known_prime);
        if (r != GAP_E_CRYPTO) return r;
    }
    return GAP_E_CRYPTO;
}

static int put_server_inner(gap_dc_handshake_t *h, const gap_dc_secrets_t *s,
                            const uint8_t g_a[GAP_DH_BYTES], gap_buf_t *b)
{
    int r;

    if ((r = gap_buf_append32(b, GAP_MT_SERVER_DH_INNER_DATA)) < 0) return r;
    if ((r = gap_buf_append(b, h->nonce, 16)) < 0) return r;
    if ((r = gap_buf_append(b, h->server_nonce, 16)) < 0) return r;
    if ((r = gap_buf_append32(b, GENERATOR)) < 0) return r;
    if ((r = gap_dc_put_bytes(b, gap_bytes(gap_dh_known_prime, GAP_DH_BYTES))) < 0) return r;
    if ((r = gap_dc_put_bytes(b, gap_bytes(g_a, GAP_DH_BYTES))) < 0) return r;
    return gap_buf_append32(b, s->now_s);
}

/* server_DH_params_ok, behind which the client knows g_a. */
static int answer_dh(gap_dc_handshake_t *h, const gap_dc_secrets_t *s, gap_buf_t *answer)
{
    uint8_t g_a[GAP_DH_BYTES];
    uint8_t sealed[SEALED_MAX];
    gap_buf_t inner;
    int64_t n;
    int r;

    gap_buf_init(&inner, answer->alloc);
    if ((r = draw_power(h, s, g_a)) < 0) goto out;
    if ((r = put_server_inner(h, s, g_a, &inner)) < 0) goto out;
    GAP_ASSERT(gap_buf_view(&inner).len + GAP_DH_SEAL_EXTRA <= sizeof sealed);
    r = gap_dh_tmp_aes(s->crypto, h->new_nonce, h->server_nonce, h->tmp_key, h->tmp_iv);
    if (r < 0) goto out;
    n = gap_dh_seal(s->crypto, h->tmp_key, h->tmp_iv, s->random, gap_buf_view(&inner), sealed);
    if (n < 0) {
        r = (int)n;
        goto out;
    }
    if ((r = gap_buf_append32(answer, GAP_MT_SERVER_DH_PARAMS_OK)) < 0) goto out;
    if ((r = gap_buf_append(answer, h->nonce, 16)) < 0) goto out;
    if ((r = gap_buf_append(answer, h->server_nonce, 16)) < 0) goto out;
    r = gap_dc_put_bytes(answer, gap_bytes(sealed, (size_t)n));
out:
    gap_buf_fini(&inner);
    return r;
}

/* Both nonces stand in front of every question after the first. */
static bool nonces_match(const gap_dc_handshake_t *h, gap_dc_cursor_t *c)
{
    uint8_t nonce[16];
    uint8_t server_nonce[16];

    gap_dc_take_raw(c, nonce, sizeof nonce);
    gap_dc_take_raw(c, server_nonce, sizeof server_nonce);
    return !c->bad && memcmp(nonce, h->nonce, 16) == 0 &&
           memcmp(server_nonce, h->server_nonce, 16) == 0;
}

static int req_dh_params(gap_dc_handshake_t *h, const gap_dc_secrets_t *s, gap_dc_cursor_t *c,
                         gap_buf_t *answer)
{
    int r;

    if (h->state != GAP_DC_AWAIT_DH || !nonces_match(h, c)) return GAP_E_PROTOCOL;
    gap_bytes_t p = gap_dc_take_bytes(c);
    gap_bytes_t q = gap_dc_take_bytes(c);
    int64_t fingerprint = gap_dc_take64(c);
    gap_bytes_t encrypted = gap_dc_take_bytes(c);
    if (c->bad || fingerprint != s->rsa->fingerprint) return GAP_E_PROTOCOL;
    if (!is_view_of(p, h->p, 4) || !is_view_of(q, h->q, 4)) return GAP_E_PROTOCOL;
    if (encrypted.len == 0 || encrypted.len > GAP_RSA_BYTES) return GAP_E_PROTOCOL;
    if ((r = open_inner(h, s, encrypted)) != 0) return r;
    if ((r = answer_dh(h, s, answer)) < 0) return r;
    h->state = GAP_DC_AWAIT_CLIENT_DH;
    return 0;
}

/* Open client_DH_inner_data. @return 0 with g_b (a view into @p plain). */
static int open_client(const gap_dc_handshake_t *h, const gap_dc_secrets_t *s, gap_bytes_t sealed,
                       uint8_t plain[SEALED_MAX], gap_bytes_t *g_b)
{
    gap_dc_cursor_t c;
    int r;

    if (sealed.len > SEALED_MAX || sealed.len < GAP_SHA1_BYTES) return GAP_E_PROTOCOL;
    if ((r = gap_dh_open(s->crypto, h->tmp_key, h->tmp_iv, sealed, plain)) < 0) return r;
    c = gap_dc_cursor(gap_bytes(plain + GAP_SHA1_BYTES, sealed.len - GAP_SHA1_BYTES));
    if (gap_dc_take32(&c) != GAP_MT_CLIENT_DH_INNER_DATA || !nonces_match(h, &c))
        return GAP_E_PROTOCOL;
    int64_t retry_id = gap_dc_take64(&c);
    *g_b = gap_dc_take_bytes(&c);
    if (c.bad || retry_id != h->retry_id) return GAP_E_PROTOCOL;
    /* One client puts sixteen bytes behind data that is aligned already: leave them out, the hash
     * covers the data alone. */
    size_t len = sealed.len;
    if (c.left == 16) len -= 16;
    return gap_dh_verify(s->crypto, plain, len, len - GAP_SHA1_BYTES - (c.left == 16 ? 0 : c.left));
}

static int put_dh_gen(gap_dc_handshake_t *h, const gap_dc_secrets_t *s, uint32_t id, uint8_t n,
                      gap_buf_t *answer)
{
    uint8_t hash[16];
    int r = gap_new_nonce_hash(s->crypto, h->new_nonce, n, h->key.aux_hash, hash);

    if (r < 0) return r;
    if ((r = gap_buf_append32(answer, id)) < 0) return r;
    if ((r = gap_buf_append(answer, h->nonce, 16)) < 0) return r;
    if ((r = gap_buf_append(answer, h->server_nonce, 16)) < 0) return r;
    return gap_buf_append(answer, hash, sizeof hash);
}

static int set_client_dh(gap_dc_handshake_t *h, const gap_dc_secrets_t *s, gap_dc_cursor_t *c,
                         gap_buf_t *answer)
{
    uint8_t plain[SEALED_MAX];
    gap_bytes_t g_b;
    int r;

    if (h->state != GAP_DC_AWAIT_CLIENT_DH || !nonces_match(h, c)) return GAP_E_PROTOCOL;
    gap_bytes_t sealed = gap_dc_take_bytes(c);
    if (c->bad) return GAP_E_PROTOCOL;
    if ((r = open_client(h, s, sealed, plain, &g_b)) < 0) goto out;
    if ((r = gap_dh_check_public(g_b, gap_dh_known_prime)) < 0) goto out;
    if ((r = gap_dh_power(g_b, h->a, gap_dh_known_prime, h->key.key)) < 0) goto out;
    if ((r = gap_auth_key_derive(s->crypto, &h->key)) < 0) goto out;
    if (h->key.id == 0 || s->key_taken(s->arg, h->key.id)) {
        bool again = ++h->dh_tries < GAP_DC_DH_TRIES_MAX;
        h->retry_id = h->key.aux_hash;
        h->state = again ? GAP_DC_AWAIT_CLIENT_DH : GAP_DC_AWAIT_PQ;
        r = put_dh_gen(h, s, again ? GAP_MT_DH_GEN_RETRY : GAP_MT_DH_GEN_FAIL, again ? 2 : 3,
                       answer);
        goto out;
    }
    if ((r = put_dh_gen(h, s, GAP_MT_DH_GEN_OK, 1, answer)) < 0) goto out;
    h->salt = gap_first_salt(h->new_nonce, h->server_nonce);
    h->state = GAP_DC_EXCHANGED;
    r = GAP_DC_KEY_READY;
out:
    gap_wipe(plain, sizeof plain);
    return r == GAP_E_CRYPTO || r == GAP_E_ARGUMENT ? GAP_E_PROTOCOL : r;
}

/* The slot in which the answer to this question is remembered. */
static gap_dc_asked_t *slot_of(gap_dc_handshake_t *h, uint32_t id)
{
    if (id == GAP_MT_REQ_PQ || id == GAP_MT_REQ_PQ_MULTI) return &h->asked[0];
    if (id == GAP_MT_REQ_DH_PARAMS) return &h->asked[1];
    if (id == GAP_MT_SET_CLIENT_DH_PARAMS) return &h->asked[2];
    return NULL;
}

static int step_new(gap_dc_handshake_t *h, const gap_dc_secrets_t *s, uint32_t id,
                    gap_dc_cursor_t *c, gap_buf_t *answer)
{
    if (id == GAP_MT_REQ_DH_PARAMS) return req_dh_params(h, s, c, answer);
    if (id == GAP_MT_SET_CLIENT_DH_PARAMS) return set_client_dh(h, s, c, answer);
    forget_answers(h);
    return req_pq(h, s, c, answer);
}

int gap_dc_handshake_step(gap_dc_handshake_t *h, const gap_dc_secrets_t *s, gap_bytes_t body,
                          gap_buf_t *answer)
{
    gap_dc_cursor_t c = gap_dc_cursor(body);
    uint8_t digest[GAP_SHA256_BYTES];
    uint32_t id = gap_dc_take32(&c);
    gap_dc_asked_t *slot = slot_of(h, id);
    size_t before = gap_buf_view(answer).len;
    int r;

    if (h->state == GAP_DC_REFUSED || slot == NULL) {
        h->state = GAP_DC_REFUSED;
        return GAP_E_PROTOCOL;
    }
    if ((r = gap_sha256(s->crypto, &body, 1, digest)) < 0) return r;
    gap_bytes_t known = gap_buf_view(&slot->answer);
    if (known.len > 0 && memcmp(slot->digest, digest, sizeof digest) == 0)
        return gap_buf_append(answer, known.data, known.len);
    r = step_new(h, s, id, &c, answer);
    if (r == GAP_E_PROTOCOL || r == GAP_DC_WRONG_DC) h->state = GAP_DC_REFUSED;
    if (r == 0 || r == GAP_DC_KEY_READY) {
        gap_bytes_t all = gap_buf_view(answer);
        gap_buf_clear(&slot->answer);
        memcpy(slot->digest, digest, sizeof digest);
        int kept = gap_buf_append(&slot->answer, all.data + before, all.len - before);
        if (kept < 0) return kept;
    }
    return r;
}
