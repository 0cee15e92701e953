/*
 * tests/loop/mt_server.h - a small MTProto server for tests of the link: key exchange, encrypted
 * sessions, one method that counts its executions, and ways to misbehave. It runs on any
 * environment and answers from inside its read callbacks.
 *
 * The method is auth.exportAuthorization dc_id:int; dc_id is the number of the call. A message id
 * that came before is answered again, not executed again.
 */
#ifndef GAP_TESTS_MT_SERVER_H
#define GAP_TESTS_MT_SERVER_H

#include "tests/unit/handshake_server.h"

#include "base/buf.h"
#include "crypto/message.h"
#include "env/env.h"
#include "mtproto/frame.h"

#define MT_CALLS    64
#define MT_MESSAGES 4096
#define MT_SALT     INT64_C(0x7766554433221100)

typedef struct mt_server mt_server_t;

struct mt_conn {
    mt_server_t *server;
    gap_stream_t *stream;
    gap_transport_t transport;
    gap_buf_t in;
    uint8_t chunk[4096];
    struct handshake_server shake;
    int64_t session_id;
    bool tagged;
    bool greeted; /* new_session_created was sent on it */
    struct mt_conn *next;
};

struct mt_server {
    gap_env_t *env;
    gap_listener_t *listener;
    gap_crypto_t crypto;
    gap_rsa_key_t rsa;
    gap_prng_t prng;
    gap_random_t random;
    struct mt_conn *conns;
    gap_auth_key_t key; /* the one it knows */
    bool keyed;
    int64_t session_id; /* the one session it remembers */
    uint64_t first_msg_id;
    uint64_t seen[MT_MESSAGES]; /* ids of queries executed */
    size_t seen_count;
    uint64_t last_id;
    uint32_t content;

    /* what happened */
    int connections;
    int handshakes;
    int executed[MT_CALLS];
    int pings;
    int acks;
    int wrapped; /* queries with initConnection */

    /* how it behaves */
    int32_t error;     /* answers everything with this transport error */
    bool mute;         /* reads and says nothing */
    int hang_up_after; /* queries executed until it drops the connection before answering */
    bool ack_only;     /* acknowledges queries, does not answer */
    bool big;          /* answers are megabytes of zeros, packed */
    bool raw_big;      /* answers are 400,000 bytes, not packed */
    bool garbage;      /* answers with noise for packets */
    int64_t salt;      /* 0: any; else others get bad_server_salt */
    void (*answered)(mt_server_t *s, uint32_t n); /* after each answer, NULL: nothing */
    bool (*custom)(mt_server_t *s, struct mt_conn *c, uint64_t msg_id, uint32_t n); /* instead */
    /* Takes every query, of whatever method, instead of all that; NULL: nothing. */
    void (*query)(mt_server_t *s, struct mt_conn *c, uint64_t msg_id, gap_bytes_t body);
    void *data; /* of the test */
};

void mt_server_open(mt_server_t *s, gap_env_t *env);
/** Close everything; the environment has to run on until nothing is left. */
void mt_server_close(mt_server_t *s);
/** Push an encrypted message to the newest connection. @return false: there is none with a
 * session. */
bool mt_server_push(mt_server_t *s, gap_bytes_t body, bool content);
void mt_server_say(struct mt_conn *c, gap_bytes_t body, bool content, bool answer);
void mt_server_hang_up(mt_server_t *s);
/** The public key in PEM, NUL-terminated. */
const char *mt_server_pem(const mt_server_t *s);

#endif
