/*
 * mtproto/handshake.h - the client's side of making an authorization key.
 * (core.telegram.org/mtproto/auth_key)
 *
 * Pure: bytes and finished jobs go in; requests to send and jobs to run come out. A driver does
 *
 *   r = gap_handshake_start(h, msg_id)
 *   GAP_HANDSHAKE_SEND   send gap_handshake_request(h) as one frame; feed the answer to
 *                        gap_handshake_on_message
 *   GAP_HANDSHAKE_JOB    gap_handshake_take_job, gap_handshake_job_run on any thread, then
 *                        gap_handshake_on_job on the loop thread
 *   GAP_HANDSHAKE_DONE   gap_handshake_take_result
 *   negative             close the connection; begin anew on a fresh one
 *
 * until done or failed. The handshake may be dropped at any time, also while its job runs.
 */
#ifndef GAP_MTPROTO_HANDSHAKE_H
#define GAP_MTPROTO_HANDSHAKE_H

#include "crypto/auth_key.h"
#include "crypto/dh.h"
#include "crypto/rsa.h"

/** dh_gen_retry answers that are followed before giving up. */
#define GAP_HANDSHAKE_RETRIES_MAX 5
/** dh_gen_fail answers after which the exchange begins anew before giving up. */
#define GAP_HANDSHAKE_RESTARTS_MAX 3
/** Longest request, bytes. */
#define GAP_HANDSHAKE_REQUEST_MAX_BYTES 512

/* What to do next. */
#define GAP_HANDSHAKE_SEND 1
#define GAP_HANDSHAKE_JOB  2
#define GAP_HANDSHAKE_DONE 3

/** Everything is pinned until gap_handshake_fini. */
typedef struct gap_handshake_config {
    gap_crypto_t *crypto;
    const gap_random_t *random;
    const gap_rsa_key_t *keys; /* the servers' keys that are trusted */
    size_t key_count;
    const uint8_t *safe_prime; /* GAP_DH_BYTES found safe before, or NULL: spares the check */
    int32_t dc;                /* 10000 more for test servers, negative for media ones */
    int32_t expires_in;        /* seconds for a temporary key; 0: a permanent one */
} gap_handshake_config_t;

/**
 * Slow work: factors, or checks and two powers of Diffie-Hellman. Holds no pointers; the run
 * touches nothing else. Secret: gap_handshake_job_wipe when it is over.
 */
typedef struct gap_handshake_job {
    enum { GAP_HANDSHAKE_JOB_NONE, GAP_HANDSHAKE_JOB_PQ, GAP_HANDSHAKE_JOB_DH } kind;
    int status; /* outcome of the run */
    uint64_t pq;
    uint64_t p;
    uint64_t q;
    bool prime_is_safe; /* found out before */
    int32_t g;
    uint8_t prime[GAP_DH_BYTES];
    uint8_t g_a[GAP_DH_BYTES];
    uint8_t b[GAP_DH_BYTES];
    uint8_t g_b[GAP_DH_BYTES];
    uint8_t auth_key[GAP_AUTH_KEY_BYTES];
} gap_handshake_job_t;

typedef struct gap_handshake_result {
    gap_auth_key_t key; /* secret: wipe */
    int64_t salt;
    int32_t server_time;         /* seconds since 1970 ... */
    uint64_t server_time_now_us; /* ... at this `now_us` of gap_handshake_on_message */
    uint8_t prime[GAP_DH_BYTES]; /* found safe: may be the next safe_prime */
} gap_handshake_result_t;

enum gap_handshake_state {
    GAP_HANDSHAKE_IDLE = 0,
    GAP_HANDSHAKE_WAIT_PQ,
    GAP_HANDSHAKE_FACTORING,
    GAP_HANDSHAKE_WAIT_DH_PARAMS,
    GAP_HANDSHAKE_POWERS,
    GAP_HANDSHAKE_WAIT_DH_GEN,
    GAP_HANDSHAKE_FINISHED,
    GAP_HANDSHAKE_FAILED
};

typedef struct gap_handshake {
    gap_handshake_config_t config;
    enum gap_handshake_state state;
    unsigned retries;
    unsigned restarts;
    uint8_t nonce[16];
    uint8_t server_nonce[16];
    uint8_t new_nonce[32];
    uint8_t tmp_key[32];
    uint8_t tmp_iv[32];
    const gap_rsa_key_t *server_key;
    int64_t retry_id; /* aux hash of the key that the server did not like */
    uint8_t pq[8];    /* big-endian, as the server sent it */
    size_t pq_len;
    gap_handshake_job_t job;
    gap_handshake_result_t result;
    uint8_t request[GAP_HANDSHAKE_REQUEST_MAX_BYTES];
    size_t request_len;
} gap_handshake_t;

void gap_handshake_init(gap_handshake_t *h, const gap_handshake_config_t *config);
/** Wipe everything; safe twice. */
void gap_handshake_fini(gap_handshake_t *h);

/**
 * Begin.
 * @param msg_id  For the request: as every client's message id, a multiple of 4 that grows.
 * @return GAP_HANDSHAKE_SEND; GAP_E_STATE begun before; what the random source returned.
 */
GAP_NODISCARD int gap_handshake_start(gap_handshake_t *h, int64_t msg_id);

/** The request to send, with its envelope. Valid until the next call. */
gap_bytes_t gap_handshake_request(const gap_handshake_t *h);

/**
 * A packet came.
 *
 * @param packet  Without framing. Borrowed.
 * @param now_us  Any monotonic clock; comes back in the result.
 * @param msg_id  For the request that may follow.
 * @return GAP_HANDSHAKE_SEND (dh_gen_fail: begun anew); GAP_HANDSHAKE_JOB; GAP_HANDSHAKE_DONE;
 *         failures, after which everything has been wiped: GAP_E_PROTOCOL not the answer that was
 *         due, or no end of retries; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT malformed; GAP_E_KEY no
 *         trusted key is offered; GAP_E_CRYPTO a nonce, hash or padding is wrong; GAP_E_LIBCRYPTO;
 *         what the random source returned; GAP_E_STATE not begun, or over.
 */
GAP_NODISCARD int gap_handshake_on_message(gap_handshake_t *h, gap_bytes_t packet, uint64_t now_us,
                                           int64_t msg_id);

/** Copy the job that GAP_HANDSHAKE_JOB announced; its secret part is forgotten here. */
void gap_handshake_take_job(gap_handshake_t *h, gap_handshake_job_t *out);
/** Run it: some milliseconds, or half a second for a prime not known as safe. Any thread. */
void gap_handshake_job_run(gap_handshake_job_t *job);
void gap_handshake_job_wipe(gap_handshake_job_t *job);

/**
 * The job has run.
 * @param job  Borrowed.
 * @return GAP_HANDSHAKE_SEND; failures, after which everything has been wiped: GAP_E_PROTOCOL pq is
 *         not the product of two primes; GAP_E_CRYPTO prime, generator or g_a is refused;
 *         GAP_E_LIBCRYPTO; what the random source returned; GAP_E_STATE no such job is due.
 */
GAP_NODISCARD int gap_handshake_on_job(gap_handshake_t *h, const gap_handshake_job_t *job,
                                       int64_t msg_id);

/** Move the result out after GAP_HANDSHAKE_DONE; it is wiped here. @return 0; GAP_E_STATE. */
GAP_NODISCARD int gap_handshake_take_result(gap_handshake_t *h, gap_handshake_result_t *out);

#endif
