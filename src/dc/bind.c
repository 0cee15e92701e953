/*
 * dc/bind.c - checking the proof. It is a message of MTProto 1.0 under the permanent key, whose
 * msg_id is that of the call itself, so that it can be used once only.
 * Owns nothing. Never binds: that is the key table's.
 */
#include "dc/bind.h"

#include "base/alloc.h"
#include "crypto/message1.h"
#include "dc/wire.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

#define PROOF_BYTES 104
#define INNER_BYTES 40
#define LATEST_S    300 /* clients count expires_in from when they bind */

struct proof {
    int64_t nonce;
    int64_t temp_id;
    int64_t perm_id;
    int64_t session_id;
    int32_t expires_at;
    int64_t msg_id;
};

/* @return 0; GAP_E_CRYPTO it is no proof; GAP_E_LIBCRYPTO. */
static int open_proof(gap_crypto_t *c, const gap_auth_key_t *perm, gap_bytes_t sealed,
                      struct proof *out)
{
    uint8_t plain[PROOF_BYTES - GAP_MESSAGE1_ENVELOPE_BYTES];
    gap_plaintext_t m;
    int r;

    if (sealed.len != PROOF_BYTES) return GAP_E_CRYPTO;
    if ((r = gap_message1_open(c, perm, sealed, plain, &m)) < 0) return r;
    gap_dc_cursor_t in = gap_dc_cursor(m.body);
    uint32_t id = gap_dc_take32(&in);
    out->nonce = gap_dc_take64(&in);
    out->temp_id = gap_dc_take64(&in);
    out->perm_id = gap_dc_take64(&in);
    out->session_id = gap_dc_take64(&in);
    out->expires_at = (int32_t)gap_dc_take32(&in);
    out->msg_id = m.msg_id;
    bool ok = id == GAP_MT_BIND_AUTH_KEY_INNER && !in.bad && m.body.len == INNER_BYTES;
    ok = ok && m.seqno == 0;
    gap_wipe(plain, sizeof plain);
    return ok ? 0 : GAP_E_CRYPTO;
}

static bool expiry_ok(const gap_dc_bind_t *b, int32_t expires_at)
{
    uint64_t last = b->temp->made_s + (uint64_t)b->temp->expires_in + LATEST_S;

    return expires_at > 0 && (uint64_t)expires_at > b->now_s && (uint64_t)expires_at <= last;
}

static int refuse(const char **error, const char *text)
{
    *error = text;
    return GAP_DC_BIND_REFUSED;
}

int gap_dc_bind_check(gap_crypto_t *c, const gap_dc_keys_t *keys, const gap_dc_bind_t *b,
                      gap_bytes_t method, const char **error, gap_dc_key_t **perm,
                      int32_t *expires_at)
{
    gap_dc_cursor_t in = gap_dc_cursor(method);
    struct proof p;

    (void)gap_dc_take32(&in);
    int64_t perm_id = gap_dc_take64(&in);
    int64_t nonce = gap_dc_take64(&in);
    int32_t expires = (int32_t)gap_dc_take32(&in);
    gap_bytes_t sealed = gap_dc_take_bytes(&in);
    if (in.bad) return refuse(error, "INPUT_FETCH_ERROR");
    if (b->temp->expires_in == 0) return refuse(error, "TEMP_AUTH_KEY_EMPTY");
    gap_dc_key_t *key = gap_dc_keys_find(keys, perm_id);
    if (key == NULL || key->expires_in != 0) return refuse(error, "ENCRYPTED_MESSAGE_INVALID");
    int r = open_proof(c, &key->auth, sealed, &p);
    if (r < 0 && r != GAP_E_CRYPTO) return r;
    bool ok = r == 0 && p.nonce == nonce && p.perm_id == perm_id;
    ok = ok && p.temp_id == b->temp->auth.id && p.session_id == b->session_id;
    ok = ok && p.msg_id == b->msg_id && p.expires_at == expires;
    if (!ok) return refuse(error, "ENCRYPTED_MESSAGE_INVALID");
    if (!expiry_ok(b, expires)) return refuse(error, "EXPIRES_AT_INVALID");
    if (b->temp->perm != NULL && b->temp->perm != key)
        return refuse(error, "TEMP_AUTH_KEY_ALREADY_BOUND");
    *perm = key;
    *expires_at = expires;
    return 0;
}
