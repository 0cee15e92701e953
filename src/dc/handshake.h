/*
 * dc/handshake.h - the server's side of creating an authorization key, one per connection. Pure:
 * a plain message body in, a plain answer out. (core.telegram.org/mtproto/auth_key)
 */
#ifndef GAP_DC_HANDSHAKE_H
#define GAP_DC_HANDSHAKE_H

#include "base/buf.h"
#include "crypto/auth_key.h"
#include "crypto/dh.h"
#include "crypto/rsa.h"

/** gap_dc_handshake_step: the answer is there and the exchange is finished. */
#define GAP_DC_KEY_READY 1
/** gap_dc_handshake_step: p_q_inner_data names another data centre (transport error -444). */
#define GAP_DC_WRONG_DC 2

/** What every handshake of a server shares. Borrowed by each step. */
typedef struct gap_dc_secrets {
    gap_crypto_t *crypto;
    const gap_rsa_key_t *rsa;
    const gap_random_t *random;
    int32_t dc;                                   /* this data centre's id */
    uint32_t now_s;                               /* seconds since 1970 */
    bool (*key_taken)(void *arg, int64_t key_id); /* is there such a key already? */
    void *arg;
} gap_dc_secrets_t;

typedef enum gap_dc_handshake_state {
    GAP_DC_AWAIT_PQ,
    GAP_DC_AWAIT_DH,
    GAP_DC_AWAIT_CLIENT_DH,
    GAP_DC_EXCHANGED,
    GAP_DC_REFUSED
} gap_dc_handshake_state_t;

/** A question answered already: the same bytes get the same answer. */
typedef struct gap_dc_asked {
    uint8_t digest[GAP_SHA256_BYTES]; /* of the question */
    gap_buf_t answer;                 /* empty: nothing remembered */
} gap_dc_asked_t;

typedef struct gap_dc_handshake {
    gap_dc_handshake_state_t state;
    uint32_t begun;    /* req_pq so far */
    uint32_t dh_tries; /* set_client_DH_params so far */
    uint8_t nonce[16];
    uint8_t server_nonce[16];
    uint8_t new_nonce[32];
    uint8_t pq[8];
    uint8_t p[8]; /* four bytes in use */
    uint8_t q[8];
    uint8_t a[GAP_DH_BYTES];
    uint8_t tmp_key[32];
    uint8_t tmp_iv[32];
    int64_t retry_id;
    int32_t expires_in; /* s; 0: a permanent key */
    gap_dc_asked_t asked[3];
    gap_auth_key_t key; /* GAP_DC_KEY_READY: the new key */
    int64_t salt;       /* and its first salt */
} gap_dc_handshake_t;

/** Does a client mean the data centre @p dc when it writes @p named? Media-only connections negate
 * the id, test data centres add 10000. */
bool gap_dc_is_named(int32_t dc, int32_t named);

void gap_dc_handshake_init(gap_dc_handshake_t *h, const gap_alloc_t *alloc);
/** Wipe and free; safe twice. */
void gap_dc_handshake_fini(gap_dc_handshake_t *h);

/**
 * Answer one plain message.
 *
 * @param body    Borrowed; whatever lies behind the object is ignored.
 * @param answer  Appended to.
 * @return 0 answered; GAP_DC_KEY_READY answered, h->key and h->salt are there; GAP_DC_WRONG_DC;
 *         GAP_E_PROTOCOL out of turn, malformed or a failed check: -404 now and to everything that
 *         follows; GAP_E_NOMEM, GAP_E_LIBCRYPTO or what the random source returned.
 */
GAP_NODISCARD int gap_dc_handshake_step(gap_dc_handshake_t *h, const gap_dc_secrets_t *s,
                                        gap_bytes_t body, gap_buf_t *answer);

#endif
