/* tests/loop/mt_server.c - see mt_server.h. Everything is asserted: a broken client fails the test
 * here, where it is seen. */
#include "tests/loop/mt_server.h"

#include "base/gzip.h"
#include "tests/unit/vectors_crypto.h"

#include <gapless/tl_api.h>

struct outgoing {
    gap_write_t write;
    uint8_t bytes[];
};

static void on_written(gap_write_t *w, int status)
{
    (void)status;
    free(GAP_CONTAINER_OF(w, struct outgoing, write));
}

static void send_frame(struct mt_conn *c, const uint8_t *data, size_t len)
{
    struct outgoing *o = malloc(sizeof *o + len + GAP_FRAME_HEAD_MAX_BYTES);

    ck_assert_ptr_nonnull(o);
    memset(o, 0, sizeof *o);
    int head = gap_frame_head(c->transport, len, false, o->bytes);
    ck_assert_int_gt(head, 0);
    memcpy(o->bytes + head, data, len);
    o->write.bytes = gap_bytes(o->bytes, (size_t)head + len);
    o->write.done = on_written;
    c->server->env->ops->write(c->stream, &o->write);
}

/* ---- encrypted messages ---- */

static uint64_t next_id(mt_server_t *s, bool answer)
{
    uint64_t us = gap_env_wall_us(s->env);
    uint64_t id = (us / 1000000) << 32 | (((us % 1000000) << 32) / 1000000 & 0xfffffffcU);

    if (id <= s->last_id) id = s->last_id + 4;
    s->last_id = id;
    return id | (answer ? 1 : 3);
}

void mt_server_say(struct mt_conn *c, gap_bytes_t body, bool content, bool answer)
{
    mt_server_t *s = c->server;
    gap_plaintext_t m = {MT_SALT, c->session_id, (int64_t)next_id(s, answer),
                         (int32_t)(2 * s->content + (content ? 1 : 0)), body};
    size_t padding = gap_message_padding(GAP_PADDING_LEAST, body.len);
    size_t len = gap_message_size(body.len, padding);
    uint8_t *packet = malloc(len);

    ck_assert_ptr_nonnull(packet);
    if (content) s->content++;
    ck_assert_int_eq(
        gap_message_seal(&s->crypto, &s->key, GAP_TO_CLIENT, &m, padding, &s->random, packet, NULL),
        0);
    if (s->garbage) packet[len - 1] ^= 1;
    send_frame(c, packet, len);
    free(packet);
}

bool mt_server_push(mt_server_t *s, gap_bytes_t body, bool content)
{
    if (s->conns == NULL || s->conns->session_id == 0) return false;
    mt_server_say(s->conns, body, content, false);
    return true;
}

static void say_object(struct mt_conn *c, gap_tl_object_t object, bool content)
{
    uint8_t body[256];
    int64_t n = gap_tl_write(object, body, sizeof body);

    ck_assert_int_gt(n, 0);
    mt_server_say(c, gap_bytes(body, (size_t)n), content, true);
}

static void answer_big(struct mt_conn *c, uint64_t msg_id)
{
    static uint8_t zeros[3000000], body[400012];
    size_t n;

    gap_store32(zeros, GAP_MT_BOOL_TRUE);
    gap_store32(body, GAP_MT_RPC_RESULT);
    gap_store64(body + 4, msg_id);
    if (c->server->raw_big) {
        memcpy(body + 12, zeros, 400000);
        mt_server_say(c, gap_bytes(body, 400012), true, true);
        return;
    }
    gap_gzip_t z;
    gap_gzip_init(&z, gap_alloc_default());
    gap_store32(body + 12, GAP_MT_GZIP_PACKED);
    ck_assert_int_eq(
        gap_deflate(&z, gap_bytes(zeros, sizeof zeros), body + 20, sizeof body - 24, &n), 0);
    gap_gzip_fini(&z);
    gap_store32(body + 16, 0xfeU | (uint32_t)n << 8);
    while (n % 4 != 0) body[20 + n++] = 0;
    mt_server_say(c, gap_bytes(body, 20 + n), true, true);
}

static void answer(struct mt_conn *c, uint64_t msg_id, uint32_t n)
{
    mt_server_t *s = c->server;
    uint8_t body[16];

    if (s->custom != NULL && s->custom(s, c, msg_id, n)) return;
    if (s->ack_only) {
        int64_t id = (int64_t)msg_id;
        gap_mt_msgs_ack_t ack = {.msg_ids = gap_tl_array(&id, 1)};
        say_object(c, GAP_TL_OF(GAP_MT_MSGS_ACK, &ack), false);
        return;
    }
    if (s->big || s->raw_big) {
        answer_big(c, msg_id);
    } else {
        gap_store32(body, GAP_MT_RPC_RESULT);
        gap_store64(body + 4, msg_id);
        gap_store32(body + 12, GAP_MT_BOOL_TRUE);
        mt_server_say(c, gap_bytes(body, 16), true, true);
    }
    if (s->answered != NULL) s->answered(s, n);
}

static void hang_up(struct mt_conn *c)
{
    if (c->stream != NULL) c->server->env->ops->close(c->stream);
}

static void on_query(struct mt_conn *c, uint64_t msg_id, gap_bytes_t body)
{
    mt_server_t *s = c->server;

    if (s->query != NULL) {
        s->query(s, c, msg_id, body);
        return;
    }
    ck_assert_uint_ge(body.len, 8);
    ck_assert_uint_eq(gap_load32(body.data + body.len - 8), GAP_TL_AUTH_EXPORT_AUTHORIZATION);
    if (gap_load32(body.data) == GAP_TL_INVOKE_WITH_LAYER) s->wrapped++;
    uint32_t n = gap_load32(body.data + body.len - 4);
    ck_assert_uint_lt(n, MT_CALLS);
    bool again = false;
    for (size_t i = 0; i < s->seen_count; i++) again |= s->seen[i] == msg_id;
    if (!again) {
        ck_assert_uint_lt(s->seen_count, MT_MESSAGES);
        s->seen[s->seen_count++] = msg_id;
        s->executed[n]++;
    }
    if (s->hang_up_after > 0 && --s->hang_up_after == 0)
        hang_up(c);
    else
        answer(c, msg_id, n);
}

static void on_message(struct mt_conn *c, uint64_t msg_id, gap_bytes_t body)
{
    mt_server_t *s = c->server;
    gap_mt_ping_delay_disconnect_t ping;
    gap_mt_pong_t pong = {.msg_id = (int64_t)msg_id};
    gap_mt_future_salts_t salts = {.req_msg_id = (int64_t)msg_id};

    ck_assert_uint_eq(msg_id % 4, 0);
    switch (gap_load32(body.data)) {
    case GAP_MT_PING_DELAY_DISCONNECT:
        ck_assert_int_gt(gap_tl_read(body, GAP_MT_PING_DELAY_DISCONNECT, &ping, sizeof ping), 0);
        pong.ping_id = ping.ping_id;
        s->pings++;
        say_object(c, GAP_TL_OF(GAP_MT_PONG, &pong), false);
        break;
    case GAP_MT_MSGS_ACK:
        s->acks++;
        break;
    case GAP_MT_GET_FUTURE_SALTS:
        say_object(c, GAP_TL_OF(GAP_MT_FUTURE_SALTS, &salts), false);
        break;
    case GAP_MT_RPC_DROP_ANSWER:
    case GAP_MT_MSGS_STATE_REQ:
    case GAP_MT_DESTROY_SESSION:
        break;
    default:
        on_query(c, msg_id, body);
    }
}

static void greet(struct mt_conn *c, uint64_t msg_id)
{
    mt_server_t *s = c->server;
    gap_mt_new_session_created_t created = {
        .first_msg_id = (int64_t)msg_id, .unique_id = (int64_t)msg_id, .server_salt = MT_SALT};

    if (s->session_id == c->session_id) return;
    s->session_id = c->session_id;
    s->seen_count = 0;
    say_object(c, GAP_TL_OF(GAP_MT_NEW_SESSION_CREATED, &created), true);
}

static bool salt_is_right(struct mt_conn *c, const gap_plaintext_t *m)
{
    gap_mt_bad_server_salt_t bad = {.bad_msg_id = m->msg_id,
                                    .bad_msg_seqno = m->seqno,
                                    .error_code = 48,
                                    .new_server_salt = c->server->salt};

    if (c->server->salt == 0 || m->salt == c->server->salt) return true;
    say_object(c, GAP_TL_OF(GAP_MT_BAD_SERVER_SALT, &bad), false);
    return false;
}

static void on_encrypted(struct mt_conn *c, uint8_t *data, size_t len)
{
    mt_server_t *s = c->server;
    gap_plaintext_t m;
    uint8_t error[4];

    if (!s->keyed || s->error != 0 || gap_message_key_id(data) != s->key.id) {
        gap_store32(error, (uint32_t)(s->error != 0 ? s->error : -404));
        send_frame(c, error, 4);
        return;
    }
    ck_assert_int_eq(gap_message_open(&s->crypto, &s->key, GAP_TO_SERVER, data, len, &m), 0);
    c->session_id = m.session_id;
    if (s->mute || !salt_is_right(c, &m)) return;
    greet(c, (uint64_t)m.msg_id);
    if (gap_load32(m.body.data) != GAP_MT_MSG_CONTAINER) {
        on_message(c, (uint64_t)m.msg_id, m.body);
        return;
    }
    size_t at = 8;
    for (uint32_t i = gap_load32(m.body.data + 4); i > 0; i--) {
        uint32_t n = gap_load32(m.body.data + at + 12);
        ck_assert_uint_lt(gap_load64(m.body.data + at), (uint64_t)m.msg_id);
        on_message(c, gap_load64(m.body.data + at), gap_bytes(m.body.data + at + 16, n));
        at += 16 + n;
    }
    ck_assert_uint_eq(at, m.body.len);
}

static void on_packet(struct mt_conn *c, uint8_t *data, size_t len)
{
    mt_server_t *s = c->server;

    if (gap_load64(data) != 0) {
        on_encrypted(c, data, len);
        return;
    }
    if (s->mute) return;
    server_on_request(&c->shake, gap_bytes(data, len));
    send_frame(c, c->shake.out, c->shake.out_len);
    if (gap_load32(c->shake.out + 20) != GAP_MT_DH_GEN_OK) return;
    s->key = c->shake.auth_key;
    s->keyed = true;
    s->handshakes++;
}

/* ---- streams ---- */

/* @return bytes of the frame at the start, head included; 0: not complete. */
static size_t frame_at(struct mt_conn *c, gap_bytes_t in, size_t *head)
{
    size_t len;

    if (in.len < 4) return 0;
    if (c->transport == GAP_TRANSPORT_INTERMEDIATE) {
        *head = 4;
        len = gap_load32(in.data);
    } else {
        *head = in.data[0] < 0x7f ? 1 : 4;
        len = 4 * (size_t)(*head == 1 ? in.data[0] : gap_load32(in.data) >> 8);
    }
    return in.len < *head + len ? 0 : *head + len;
}

static void on_bytes(struct mt_conn *c)
{
    size_t head, len;

    if (!c->tagged) {
        if (c->in.len < 4) return;
        c->transport = c->in.data[0] == 0xef ? GAP_TRANSPORT_ABRIDGED : GAP_TRANSPORT_INTERMEDIATE;
        gap_buf_consume(&c->in, c->transport == GAP_TRANSPORT_ABRIDGED ? 1 : 4);
        c->tagged = true;
    }
    while ((len = frame_at(c, gap_buf_view(&c->in), &head)) > 0) {
        on_packet(c, c->in.data + c->in.head + head, len - head);
        gap_buf_consume(&c->in, len);
    }
}

static void on_alloc(gap_stream_t *stream, uint8_t **buf, size_t *cap)
{
    struct mt_conn *c = stream->arg;

    *buf = c->chunk;
    *cap = sizeof c->chunk;
}

static void on_read(gap_stream_t *stream, ssize_t nread)
{
    struct mt_conn *c = stream->arg;

    if (nread < 0) {
        hang_up(c);
        return;
    }
    ck_assert_int_eq(gap_buf_append(&c->in, c->chunk, (size_t)nread), 0);
    on_bytes(c);
}

static void on_connected(gap_stream_t *stream, int status)
{
    (void)stream;
    (void)status;
}

static void on_closed(gap_stream_t *stream)
{
    struct mt_conn *c = stream->arg, **at = &c->server->conns;

    while (*at != c) at = &(*at)->next;
    *at = c->next;
    gap_buf_fini(&c->in);
    free(c);
}

static const struct gap_stream_events events = {on_connected, on_alloc, on_read, on_closed};

static void on_accepted(gap_listener_t *l, gap_stream_t *stream)
{
    mt_server_t *s = l->arg;
    struct mt_conn *c = calloc(1, sizeof *c);

    ck_assert_ptr_nonnull(c);
    c->server = s;
    c->stream = stream;
    gap_buf_init(&c->in, gap_alloc_default());
    server_init(&c->shake, &s->crypto, &s->rsa, gap_prng_next(&s->prng));
    c->shake.time = (int32_t)(gap_env_wall_us(s->env) / 1000000);
    c->next = s->conns;
    s->conns = c;
    s->connections++;
    stream->events = &events;
    stream->arg = c;
}

static void on_listener_closed(gap_listener_t *l)
{
    mt_server_t *s = l->arg;

    s->listener = NULL;
}

static int fill(void *arg, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)gap_prng_next(arg);
    return 0;
}

void mt_server_open(mt_server_t *s, gap_env_t *env)
{
    gap_bytes_t pem = gap_bytes(vector_rsa_private_pem, sizeof vector_rsa_private_pem - 1);
    gap_addr_t at;

    memset(s, 0, sizeof *s);
    s->env = env;
    s->prng.state = 99;
    s->random = (gap_random_t){fill, &s->prng};
    ck_assert_int_eq(gap_crypto_init(&s->crypto), 0);
    ck_assert_int_eq(gap_rsa_private_from_pem(&s->crypto, pem, &s->rsa), 0);
    ck_assert_int_eq(gap_addr_parse("127.0.0.1:0", &at), 0);
    ck_assert_int_eq(env->ops->listen(env, &at, s, on_accepted, on_listener_closed, &s->listener),
                     0);
}

void mt_server_hang_up(mt_server_t *s)
{
    for (struct mt_conn *c = s->conns; c != NULL; c = c->next) hang_up(c);
}

void mt_server_close(mt_server_t *s)
{
    mt_server_hang_up(s);
    s->env->ops->close_listener(s->listener);
    gap_rsa_fini(&s->rsa);
    gap_crypto_fini(&s->crypto);
}

const char *mt_server_pem(const mt_server_t *s)
{
    static char text[2048];
    gap_buf_t b;

    gap_buf_init(&b, gap_alloc_default());
    ck_assert_int_eq(gap_rsa_public_pem(&s->rsa, &b), 0);
    ck_assert_uint_lt(b.len, sizeof text);
    memcpy(text, b.data, b.len);
    text[b.len] = 0;
    gap_buf_fini(&b);
    return text;
}
