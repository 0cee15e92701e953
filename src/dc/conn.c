/*
 * dc/conn.c - one TCP connection of a client.
 *
 *   OPEN --bytes--> frames: plain -> handshake, encrypted -> session -> calls
 *   OPEN --transport error--> REFUSED (reads nothing more, closes when the error is out)
 *   any --close, end of stream, write error--> CLOSING --closed--> gone
 *
 * Owns framer, handshake and the packets on their way out. A session is lent: it outlives us.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "dc/server.h"

#include <gapless/tl_mt.h>

#define PLAIN_HEAD 20U /* key id, msg_id, length */

#define ERROR_NO_KEY   (-404)
#define ERROR_FLOOD    (-429)
#define ERROR_WRONG_DC (-444)

/* A packet on its way out. */
struct packet {
    gap_write_t write;
    gap_dc_conn_t *conn;
    size_t size;
    uint8_t bytes[];
};

/* --- writing ------------------------------------------------------------------------------- */

static void count_unsent(gap_dc_conn_t *conn)
{
    bool is_congested = conn->unsent > GAP_DC_UNSENT_PAUSE_BYTES && !conn->is_closing;

    if (is_congested == conn->is_congested) return;
    conn->is_congested = is_congested;
    if (is_congested)
        conn->dc->congested++;
    else
        conn->dc->congested--;
}

static void on_written(gap_write_t *write, int status)
{
    struct packet *packet = GAP_CONTAINER_OF(write, struct packet, write);
    gap_dc_conn_t *conn = packet->conn;
    gap_dc_t *dc = conn->dc;

    conn->unsent -= packet->size;
    gap_free(dc->alloc, packet);
    count_unsent(conn);
    if (conn->is_closing) return;
    gap_dc_look_at_clock(dc);
    conn->progress_us = dc->now.mono_us;
    if (status < 0 || (conn->is_refused && conn->unsent == 0))
        gap_dc_conn_close(conn);
    else if (conn->session != NULL && conn->unsent < GAP_DC_UNSENT_HOLD_BYTES / 2)
        gap_dc_mark_dirty(dc, conn->session);
    gap_dc_settle(dc);
}

/* Room for a payload of @p len bytes with its frame. The payload begins at GAP_DC_FRAME_HEAD. */
static struct packet *packet_new(gap_dc_conn_t *conn, size_t len)
{
    size_t room = GAP_DC_FRAME_HEAD + len + GAP_DC_FRAME_TAIL;
    struct packet *packet = gap_malloc(conn->dc->alloc, sizeof *packet + room);

    if (packet == NULL) return NULL;
    memset(&packet->write, 0, sizeof packet->write);
    packet->write.done = on_written;
    packet->conn = conn;
    return packet;
}

/* Hand it to the environment. */
static void write_out(struct packet *packet)
{
    gap_dc_conn_t *conn = packet->conn;
    gap_dc_t *dc = conn->dc;

    packet->size = packet->write.bytes.len;
    if (conn->unsent == 0) conn->progress_us = dc->now.mono_us;
    conn->unsent += packet->size;
    count_unsent(conn);
    dc->env->ops->write(conn->stream, &packet->write);
}

/* Receipt of a message, told before anything is done about it. */
static int send_quick_ack(gap_dc_conn_t *conn, const gap_dc_key_t *key, const uint8_t *opened,
                          size_t opened_len)
{
    gap_dc_t *dc = conn->dc;
    struct packet *packet = packet_new(conn, 0);
    uint32_t token = 0;
    size_t len = 0;
    int r;

    if (packet == NULL) return GAP_E_NOMEM;
    r = gap_message_quick_ack(&dc->crypto, &key->auth, GAP_TO_SERVER, opened, opened_len, &token);
    if (r == 0) r = gap_dc_framer_quick_ack(&conn->framer, token, packet->bytes, &len);
    if (r < 0) {
        gap_free(dc->alloc, packet);
        return r;
    }
    packet->write.bytes = gap_bytes(packet->bytes, len);
    write_out(packet);
    return 0;
}

/* Frame the payload and hand it to the environment. */
static int packet_send(struct packet *packet, size_t len)
{
    gap_dc_conn_t *conn = packet->conn;
    gap_dc_t *dc = conn->dc;
    uint8_t filler[GAP_DC_FRAME_TAIL] = {0};

    if (conn->framer.transport == GAP_DC_PADDED) {
        int r = gap_env_random(dc->env, filler, sizeof filler);
        if (r < 0) {
            gap_free(dc->alloc, packet);
            return r;
        }
    }
    int r = gap_dc_framer_wrap(&conn->framer, packet->bytes + GAP_DC_FRAME_HEAD, len, filler,
                               &packet->write.bytes);
    if (r < 0) {
        gap_free(dc->alloc, packet);
        return r;
    }
    write_out(packet);
    return 0;
}

/* A payload of four bytes: a negative code, as an HTTP status. */
static void send_error(gap_dc_conn_t *conn, int32_t code)
{
    struct packet *packet = packet_new(conn, 4);

    if (packet != NULL) {
        gap_store32(packet->bytes + GAP_DC_FRAME_HEAD, (uint32_t)code);
        if (packet_send(packet, 4) == 0) return;
    }
    gap_dc_conn_close(conn);
}

/* The same, and nothing after it. */
static void refuse(gap_dc_conn_t *conn, int32_t code)
{
    if (conn->framer.transport == GAP_DC_UNKNOWN) {
        gap_dc_conn_close(conn);
        return;
    }
    conn->is_refused = true;
    send_error(conn, code);
}

static int seal(gap_dc_conn_t *conn, gap_plaintext_t *m)
{
    gap_dc_t *dc = conn->dc;
    const gap_dc_key_t *key = conn->session->key;
    size_t padding = gap_message_padding(GAP_PADDING_LEAST, m->body.len);
    size_t len = gap_message_size(m->body.len, padding);
    struct packet *packet = packet_new(conn, len);
    int r;

    if (packet == NULL) return GAP_E_NOMEM;
    m->salt = gap_dc_key_salt(key, gap_dc_key_period(key, dc->now.wall_us / 1000000));
    r = gap_message_seal(&dc->crypto, &key->auth, GAP_TO_CLIENT, m, padding, &dc->random,
                         packet->bytes + GAP_DC_FRAME_HEAD, NULL);
    if (r < 0) {
        gap_free(dc->alloc, packet);
        return r;
    }
    return packet_send(packet, len);
}

static void on_wake(gap_dc_t *dc, gap_dc_timer_t *t)
{
    gap_dc_conn_t *conn = GAP_CONTAINER_OF(t, gap_dc_conn_t, wake);

    (void)dc;
    gap_dc_conn_flush(conn);
}

void gap_dc_conn_flush(gap_dc_conn_t *conn)
{
    gap_dc_t *dc = conn->dc;
    gap_plaintext_t m;
    int r = 0;

    if (conn->is_closing || conn->session == NULL) return;
    while (conn->unsent < GAP_DC_UNSENT_HOLD_BYTES) {
        memset(&m, 0, sizeof m);
        r = gap_dc_session_pack(conn->session, &dc->now, &dc->scratch, &m);
        if (r <= 0) break;
        if ((r = seal(conn, &m)) < 0) break;
    }
    if (r < 0) {
        gap_dc_conn_close(conn);
        return;
    }
    uint64_t due = gap_dc_session_due(conn->session);
    if (due == UINT64_MAX || due <= dc->now.mono_us)
        gap_dc_disarm(dc, &conn->wake);
    else
        gap_dc_arm(dc, &conn->wake, due);
}

/* --- plain messages: the handshake ----------------------------------------------------------- */

static bool key_taken(void *arg, int64_t key_id)
{
    gap_dc_t *dc = arg;
    return gap_dc_keys_find(&dc->keys, key_id) != NULL;
}

static int send_plain(gap_dc_conn_t *conn, gap_bytes_t body)
{
    const gap_dc_now_t *now = &conn->dc->now;
    struct packet *packet = packet_new(conn, PLAIN_HEAD + body.len);
    uint64_t fraction = ((now->wall_us % 1000000) << 32) / 1000000;
    int64_t id = (int64_t)(((now->wall_us / 1000000) << 32 | fraction) & ~(uint64_t)3) | 1;

    if (packet == NULL) return GAP_E_NOMEM;
    GAP_ASSERT(body.data != NULL);
    if (id <= conn->plain_id) id = conn->plain_id + 4;
    conn->plain_id = id;
    uint8_t *p = packet->bytes + GAP_DC_FRAME_HEAD;
    gap_store64(p, 0);
    gap_store64(p + 8, (uint64_t)id);
    gap_store32(p + 16, (uint32_t)body.len);
    memcpy(p + PLAIN_HEAD, body.data, body.len);
    return packet_send(packet, PLAIN_HEAD + body.len);
}

/* The exchange is over: the key is the table's now. */
static int adopt_key(gap_dc_conn_t *conn)
{
    gap_dc_t *dc = conn->dc;
    gap_dc_handshake_t *h = conn->handshake;
    gap_dc_key_t *key;
    uint64_t seed;
    int r = gap_env_random(dc->env, &seed, sizeof seed);

    if (r < 0) return r;
    r = gap_dc_keys_add(&dc->keys, &h->key, h->salt, seed, dc->now.wall_us / 1000000, &key);
    gap_wipe(&h->key, sizeof h->key);
    if (r < 0) return r;
    key->expires_in = h->expires_in;
    return 0;
}

static int ensure_handshake(gap_dc_conn_t *conn)
{
    if (conn->handshake != NULL) return 0;
    conn->handshake = gap_malloc(conn->dc->alloc, sizeof *conn->handshake);
    if (conn->handshake == NULL) return GAP_E_NOMEM;
    gap_dc_handshake_init(conn->handshake, conn->dc->alloc);
    return 0;
}

static void handle_plain(gap_dc_conn_t *conn, const uint8_t *payload, size_t len)
{
    gap_dc_t *dc = conn->dc;
    gap_dc_secrets_t secrets = {&dc->crypto,
                                dc->options.rsa,
                                &dc->random,
                                dc->options.dc,
                                (uint32_t)(dc->now.wall_us / 1000000),
                                key_taken,
                                dc};
    uint32_t body_len = len < PLAIN_HEAD ? 0 : gap_load32(payload + 16);
    int r;

    /* Whatever lies behind the declared length is filler. */
    if (len < PLAIN_HEAD || body_len > len - PLAIN_HEAD || body_len % 4 != 0) {
        refuse(conn, ERROR_NO_KEY);
        return;
    }
    gap_buf_clear(&dc->plain);
    r = ensure_handshake(conn);
    if (r == 0)
        r = gap_dc_handshake_step(conn->handshake, &secrets,
                                  gap_bytes(payload + PLAIN_HEAD, body_len), &dc->plain);
    if (r == GAP_DC_WRONG_DC) {
        refuse(conn, ERROR_WRONG_DC);
        return;
    }
    if (r == GAP_E_PROTOCOL) {
        /* It stays failed, and every later question gets the same answer. */
        if (++conn->refusals >= GAP_DC_HANDSHAKES_MAX)
            refuse(conn, ERROR_NO_KEY);
        else
            send_error(conn, ERROR_NO_KEY);
        return;
    }
    if (r == GAP_DC_KEY_READY) r = adopt_key(conn);
    if (r == 0) r = send_plain(conn, gap_buf_view(&dc->plain));
    if (r < 0) gap_dc_conn_close(conn);
}

/* --- encrypted messages ---------------------------------------------------------------------- */

static void detach(gap_dc_conn_t *conn)
{
    if (conn->session != NULL) conn->session->conn = NULL;
    conn->session = NULL;
    gap_dc_disarm(conn->dc, &conn->wake);
}

/* Make this the connection of the message's session. */
static int attach(gap_dc_conn_t *conn, gap_dc_key_t *key, int64_t session_id)
{
    gap_dc_t *dc = conn->dc;
    gap_dc_session_t *s = conn->session;
    int r;

    if (s != NULL && s->key == key && s->id == session_id) return 0;
    detach(conn);
    if ((r = gap_dc_key_session(&dc->keys, key, session_id, &s)) < 0) return r;
    if (s->conn != NULL) detach(s->conn);
    s->conn = conn;
    conn->session = s;
    conn->framer.max_bytes = GAP_DC_FRAME_MAX_BYTES;
    return gap_dc_session_resume(s, &dc->now);
}

/* destroy_session and destroy_auth_key, after everything else of the packet. */
static int destroy_asked(gap_dc_conn_t *conn)
{
    gap_dc_t *dc = conn->dc;
    gap_dc_key_t *key = conn->session->key;
    gap_dc_session_t *s;
    uint8_t ok[4];

    for (uint32_t i = 0; i < dc->inbox.destroy_count; i++) {
        s = gap_dc_key_find_session(key, dc->inbox.destroy[i]);
        if (s == NULL || s == conn->session) continue;
        if (s->conn != NULL) detach(s->conn);
        gap_dc_unmark_dirty(dc, s);
        gap_dc_key_drop_session(key, s);
    }
    if (dc->inbox.destroy_key == 0) return 0;
    gap_store32(ok, GAP_MT_DESTROY_AUTH_KEY_OK);
    int r = gap_dc_session_send(conn->session, &dc->now, 0, 0, 0, gap_bytes(ok, sizeof ok));
    if (r < 0) return r;
    gap_dc_conn_flush(conn);
    gap_dc_forget_key(dc, key);
    return 0;
}

void gap_dc_forget_key(gap_dc_t *dc, gap_dc_key_t *key)
{
    gap_dc_session_t *s;

    gap_dc_sign_out(dc, key);
    TAILQ_FOREACH (s, &key->sessions, link) {
        if (s->conn != NULL) detach(s->conn);
        gap_dc_unmark_dirty(dc, s);
    }
    gap_dc_keys_remove(&dc->keys, key);
}

static int handle_inbox(gap_dc_conn_t *conn)
{
    gap_dc_t *dc = conn->dc;
    gap_bytes_t calls = gap_buf_view(&dc->inbox.calls);
    gap_dc_session_t *s = conn->session;
    gap_dc_call_t call;

    if (dc->inbox.disconnect_s >= 0)
        conn->deadline_us = dc->now.mono_us + (uint64_t)dc->inbox.disconnect_s * 1000000;
    for (size_t at = 0; at < calls.len; at += sizeof call) {
        memcpy(&call, calls.data + at, sizeof call);
        int r = gap_dc_rpc(dc, s, &call);
        if (r < 0) return r;
        if (conn->session != s) return 0; /* the call ended the connection */
    }
    gap_dc_mark_dirty(dc, s);
    return destroy_asked(conn);
}

static bool has_expired(const gap_dc_key_t *key, uint64_t now_s)
{
    return key->expires_in > 0 && now_s > key->made_s + (uint64_t)key->expires_in;
}

/* A key that was used from two places: neither may go on. */
static void bury(gap_dc_t *dc, gap_dc_key_t *key)
{
    gap_dc_key_t *main = gap_dc_key_main(key);

    if (main != key) gap_dc_forget_key(dc, key);
    gap_dc_forget_key(dc, main);
}

static void handle_encrypted(gap_dc_conn_t *conn, uint8_t *payload, size_t len, bool quick_ack)
{
    gap_dc_t *dc = conn->dc;
    gap_dc_key_t *key = gap_dc_keys_find(&dc->keys, gap_message_key_id(payload));
    gap_plaintext_t m;
    int r;

    len = gap_dc_framer_trim(&conn->framer, payload, len);
    if (key != NULL && gap_dc_key_main(key)->is_dead) {
        gap_dc_conn_flush(conn); /* what it was told before, in the same read */
        bury(dc, key);
        key = NULL;
    }
    if (key == NULL || has_expired(key, dc->now.wall_us / 1000000)) {
        refuse(conn, ERROR_NO_KEY);
        return;
    }
    r = gap_message_open(&dc->crypto, &key->auth, GAP_TO_SERVER, payload, len, &m);
    if (r == GAP_E_CRYPTO) {
        refuse(conn, ERROR_NO_KEY);
        return;
    }
    if (conn->deadline_us != GAP_ENV_NEVER && conn->session == NULL)
        conn->deadline_us = GAP_ENV_NEVER;
    if (r == 0 && quick_ack) r = send_quick_ack(conn, key, payload, len);
    if (r == 0) r = attach(conn, key, m.session_id);
    gap_dc_inbox_clear(&dc->inbox);
    if (r == 0) r = gap_dc_session_receive(conn->session, &dc->now, &m, &dc->inbox);
    if (r == 0) r = handle_inbox(conn);
    gap_dc_inbox_clear(&dc->inbox);
    if (r == GAP_E_LIMIT)
        refuse(conn, ERROR_FLOOD);
    else if (r < 0)
        gap_dc_conn_close(conn);
}

/* --- the stream ------------------------------------------------------------------------------ */

/* Did the client ask a proxy for another data centre than this one? */
static bool is_elsewhere(const gap_dc_conn_t *conn)
{
    const gap_dc_framer_t *f = &conn->framer;

    return f->is_obfuscated && f->obfuscation.is_secret &&
           !gap_dc_is_named(conn->dc->options.dc, f->obfuscation.dc);
}

static void handle_payload(gap_dc_conn_t *conn, uint8_t *payload, size_t len, bool quick_ack)
{
    if (is_elsewhere(conn))
        refuse(conn, ERROR_WRONG_DC);
    else if (len < 8)
        refuse(conn, ERROR_NO_KEY);
    else if (gap_load64(payload) == 0)
        handle_plain(conn, payload, len);
    else
        handle_encrypted(conn, payload, len, quick_ack);
}

static void on_alloc(gap_stream_t *stream, uint8_t **buf, size_t *cap)
{
    gap_dc_conn_t *conn = stream->arg;

    if (gap_dc_framer_room(&conn->framer, buf, cap) < 0) *cap = 0;
}

static void on_read(gap_stream_t *stream, ssize_t nread)
{
    gap_dc_conn_t *conn = stream->arg;
    gap_dc_t *dc = conn->dc;
    uint8_t *payload;
    size_t len;
    bool quick_ack;
    int r = 0;

    gap_dc_look_at_clock(dc);
    if (nread < 0) {
        gap_dc_conn_close(conn);
    } else if (!conn->is_refused && !conn->is_closing) {
        gap_dc_framer_filled(&conn->framer, (size_t)nread);
        while (!conn->is_refused && !conn->is_closing &&
               (r = gap_dc_framer_next(&conn->framer, &payload, &len, &quick_ack)) > 0)
            handle_payload(conn, payload, len, quick_ack);
        if (r == GAP_E_LIMIT)
            refuse(conn, ERROR_FLOOD);
        else if (r < 0)
            gap_dc_conn_close(conn);
    }
    gap_dc_settle(dc);
}

static void on_connected(gap_stream_t *stream, int status)
{
    (void)stream;
    (void)status;
    GAP_ASSERT(false); /* accepted streams are connected */
}

static void on_closed(gap_stream_t *stream)
{
    gap_dc_conn_t *conn = stream->arg;
    gap_dc_t *dc = conn->dc;

    GAP_ASSERT(conn->unsent == 0);
    LIST_REMOVE(conn, link);
    dc->conn_count--;
    gap_dc_framer_fini(&conn->framer);
    if (conn->handshake != NULL) gap_dc_handshake_fini(conn->handshake);
    gap_free(dc->alloc, conn->handshake);
    gap_free(dc->alloc, conn);
    gap_dc_child_closed(dc);
}

/* A connection that could not be taken up: there is nothing behind it. */
static void on_unwanted_alloc(gap_stream_t *stream, uint8_t **buf, size_t *cap)
{
    (void)stream;
    *buf = NULL;
    *cap = 0;
}

static void on_unwanted_read(gap_stream_t *stream, ssize_t nread)
{
    (void)stream;
    (void)nread;
}

static void on_unwanted_closed(gap_stream_t *stream)
{
    gap_dc_child_closed(stream->arg);
}

static const struct gap_stream_events conn_events = {
    .connected = on_connected, .alloc = on_alloc, .read = on_read, .closed = on_closed};
static const struct gap_stream_events unwanted_events = {.connected = on_connected,
                                                         .alloc = on_unwanted_alloc,
                                                         .read = on_unwanted_read,
                                                         .closed = on_unwanted_closed};

void gap_dc_conn_accept(gap_dc_t *dc, gap_stream_t *stream)
{
    gap_dc_conn_t *conn =
        dc->conn_count < GAP_DC_CONNS_MAX ? gap_calloc(dc->alloc, 1, sizeof *conn) : NULL;

    dc->children++;
    if (conn == NULL) {
        stream->events = &unwanted_events;
        stream->arg = dc;
        dc->env->ops->close(stream);
        return;
    }
    conn->dc = dc;
    conn->stream = stream;
    conn->wake.fire = on_wake;
    conn->deadline_us = dc->now.mono_us + GAP_DC_GREETING_US;
    gap_dc_framer_init(&conn->framer, dc->alloc, GAP_DC_FRAME_PLAIN_MAX_BYTES);
    gap_dc_framer_obfuscated(&conn->framer, &dc->crypto,
                             dc->options.has_secret ? dc->options.secret : NULL);
    stream->events = &conn_events;
    stream->arg = conn;
    LIST_INSERT_HEAD(&dc->conns, conn, link);
    dc->conn_count++;
}

void gap_dc_conn_close(gap_dc_conn_t *conn)
{
    if (conn->is_closing) return;
    conn->is_closing = true;
    detach(conn);
    count_unsent(conn);
    conn->dc->env->ops->close(conn->stream);
}
