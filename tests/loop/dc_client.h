/*
 * tests/loop/dc_client.h - a blocking client over a real socket, and a data centre that runs on a
 * loop in a thread of its own. For tests that want to see the bytes.
 */
#ifndef GAP_TESTS_LOOP_DC_CLIENT_H
#define GAP_TESTS_LOOP_DC_CLIENT_H

#include "dc/dc.h"
#include "tests/unit/dc_peer.h"
#include "uv/uv_env.h"

#include <pthread.h>
#include <stdatomic.h>

/* --- the server's thread --------------------------------------------------------------------- */

struct dc_thread {
    gap_dc_options_t options;
    gap_rsa_key_t rsa;
    gap_crypto_t crypto;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uv_loop_t loop;
    uv_async_t poke;
    gap_env_t *env;
    gap_dc_t *dc;
    gap_buf_t ledger; /* under the mutex */
    uint16_t port;    /* 0: not listening yet */
    bool is_done;     /* under the mutex: "done" was called */
    uint32_t events;
    atomic_bool stop;
    atomic_bool drop; /* drop all connections */
    int loop_closed;
    int failed;
};

/* Fill in defaults and the key; change options afterwards, then start. */
void dc_thread_init(struct dc_thread *t);
void dc_thread_start(struct dc_thread *t);
/* End it; everything must have been given back. */
void dc_thread_stop(struct dc_thread *t);
void dc_thread_drop_connections(struct dc_thread *t);
/* Wait until all traffic is out. */
void dc_thread_wait_done(struct dc_thread *t);
/* A copy of the ledger so far, as a C string; to be freed. */
char *dc_thread_ledger(struct dc_thread *t);

/* --- the client ------------------------------------------------------------------------------ */

enum wire { WIRE_ABRIDGED, WIRE_INTERMEDIATE, WIRE_PADDED, WIRE_FULL };

struct client {
    struct peer peer;
    int fd;
    enum wire wire;
    uint32_t out_seq;
    uint32_t in_seq;
    gap_buf_t in;      /* payload received last */
    gap_buf_t pending; /* messages of the last packet: struct client_message, then bodies */
    size_t pending_at;
};

/* One message from the server, taken out of its container. */
struct client_message {
    int64_t msg_id;
    int32_t seqno;
    gap_bytes_t body; /* until the next receive */
};

void client_connect(struct client *c, uint16_t port, enum wire wire);
void client_hang_up(struct client *c);
/* Key, salt and session stay: for another connect. */
void client_init(struct client *c, uint64_t seed);
void client_fini(struct client *c);
void client_shake_hands(struct client *c, const struct peer_style *style);

/* Raw frames. @return bytes of the payload in c->in, -1 the server closed. */
void client_send_frame(struct client *c, gap_bytes_t payload);
ssize_t client_receive_frame(struct client *c);

/* Encrypted messages. @return the msg_id. */
int64_t client_send(struct client *c, gap_bytes_t body, bool is_content);
/* The next message, waiting for it. @return false: nothing came for a second, or closed. */
bool client_receive(struct client *c, struct client_message *out);
/* Receive until the rpc_result of this query; its result (inflated never) in @p result.
 * Pushes that come meanwhile go to @p pushes if not NULL (bodies, one after the other). */
gap_bytes_t client_result(struct client *c, int64_t msg_id, gap_buf_t *pushes);
/* Call a method, announcing a layer, as the first call of a key has to. */
gap_bytes_t client_first_call(struct client *c, int32_t layer, gap_tl_object_t method);
/* The same: auth.importBotAuthorization of this id, layer 227; the answer, whatever it is. */
gap_bytes_t client_import_bot(struct client *c, int64_t id);
/* Sign in as a bot of this id, layer 227. */
void client_sign_in(struct client *c, int64_t id);
/* Call a method without arguments. */
gap_bytes_t client_call(struct client *c, gap_tl_object_t method, gap_buf_t *pushes);

#endif
