/* tests/loop/dc_client.c - see dc_client.h. */
#include "tests/loop/dc_client.h"

#include "base/alloc.h"
#include "tests/unit/vectors_crypto.h"

#include <arpa/inet.h>
#include <gapless/tl_api.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

/* --- the server's thread --------------------------------------------------------------------- */

static int on_ledger(void *data, const char *line, size_t len)
{
    struct dc_thread *t = data;

    pthread_mutex_lock(&t->mutex);
    int r = gap_buf_append(&t->ledger, line, len);
    pthread_mutex_unlock(&t->mutex);
    return r;
}

static void on_done(void *data, uint32_t events)
{
    struct dc_thread *t = data;

    pthread_mutex_lock(&t->mutex);
    t->is_done = true;
    t->events = events;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->mutex);
}

static void on_failed(void *data, int status)
{
    struct dc_thread *t = data;
    t->failed = status;
}

static void on_closed(void *arg)
{
    struct dc_thread *t = arg;

    gap_uv_env_close(t->env, NULL, NULL);
    uv_close((uv_handle_t *)&t->poke, NULL);
}

static void on_poke(uv_async_t *poke)
{
    struct dc_thread *t = poke->data;

    if (atomic_exchange(&t->drop, false)) gap_dc_disconnect_all(t->dc);
    if (atomic_exchange(&t->stop, false)) gap_dc_close(t->dc, on_closed, t);
}

static void *run(void *arg)
{
    struct dc_thread *t = arg;

    ck_assert_int_eq(gap_uv_env_open(&t->loop, gap_alloc_default(), &t->env), 0);
    ck_assert_int_eq(gap_dc_open(t->env, gap_alloc_default(), &t->options, &t->dc), 0);
    pthread_mutex_lock(&t->mutex);
    t->port = gap_dc_addr(t->dc).port;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->mutex);
    (void)uv_run(&t->loop, UV_RUN_DEFAULT);
    t->loop_closed = uv_loop_close(&t->loop);
    return NULL;
}

void dc_thread_init(struct dc_thread *t)
{
    memset(t, 0, sizeof *t);
    gap_dc_options_init(&t->options);
    ck_assert_int_eq(gap_crypto_init(&t->crypto), 0);
    ck_assert_int_eq(
        gap_rsa_private_from_pem(
            &t->crypto, gap_bytes(vector_rsa_private_pem, strlen(vector_rsa_private_pem)), &t->rsa),
        0);
    t->options.rsa = &t->rsa;
    t->options.ledger = on_ledger;
    t->options.done = on_done;
    t->options.failed = on_failed;
    t->options.data = t;
    t->options.seed = 1;
    t->options.world.seed = 1;
    t->options.world.channels = 8;
    t->options.traffic.seed = 1;
    gap_buf_init(&t->ledger, gap_alloc_default());
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->changed, NULL);
}

void dc_thread_start(struct dc_thread *t)
{
    ck_assert_int_eq(uv_loop_init(&t->loop), 0);
    t->poke.data = t;
    ck_assert_int_eq(uv_async_init(&t->loop, &t->poke, on_poke), 0);
    ck_assert_int_eq(pthread_create(&t->thread, NULL, run, t), 0);
    pthread_mutex_lock(&t->mutex);
    while (t->port == 0) pthread_cond_wait(&t->changed, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
}

void dc_thread_stop(struct dc_thread *t)
{
    atomic_store(&t->stop, true);
    ck_assert_int_eq(uv_async_send(&t->poke), 0);
    ck_assert_int_eq(pthread_join(t->thread, NULL), 0);
    ck_assert_int_eq(t->loop_closed, 0);
    ck_assert_int_eq(t->failed, 0);
    gap_buf_fini(&t->ledger);
    gap_rsa_fini(&t->rsa);
    gap_crypto_fini(&t->crypto);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->mutex);
}

void dc_thread_drop_connections(struct dc_thread *t)
{
    atomic_store(&t->drop, true);
    ck_assert_int_eq(uv_async_send(&t->poke), 0);
}

void dc_thread_wait_done(struct dc_thread *t)
{
    pthread_mutex_lock(&t->mutex);
    while (!t->is_done) pthread_cond_wait(&t->changed, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
}

char *dc_thread_ledger(struct dc_thread *t)
{
    pthread_mutex_lock(&t->mutex);
    gap_bytes_t v = gap_buf_view(&t->ledger);
    char *copy = malloc(v.len + 1);
    ck_assert_ptr_nonnull(copy);
    if (v.len > 0) memcpy(copy, v.data, v.len);
    copy[v.len] = '\0';
    pthread_mutex_unlock(&t->mutex);
    return copy;
}

/* --- frames ---------------------------------------------------------------------------------- */

static void write_all(int fd, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;

    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0) return; /* the server closed: the next read will tell */
        p += n;
        len -= (size_t)n;
    }
}

static bool read_all(int fd, void *out, size_t len)
{
    uint8_t *p = out;

    while (len > 0) {
        ssize_t n = recv(fd, p, len, 0);
        if (n <= 0) return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

void client_init(struct client *c, uint64_t seed)
{
    memset(c, 0, sizeof *c);
    peer_init(&c->peer, vector_rsa_private_pem, seed);
    gap_buf_init(&c->in, gap_alloc_default());
    gap_buf_init(&c->pending, gap_alloc_default());
    c->fd = -1;
}

void client_fini(struct client *c)
{
    client_hang_up(c);
    gap_buf_fini(&c->in);
    gap_buf_fini(&c->pending);
    peer_fini(&c->peer);
}

void client_connect(struct client *c, uint16_t port, enum wire wire)
{
    static const char *const tags[] = {"\xef", "\xee\xee\xee\xee", "\xdd\xdd\xdd\xdd", ""};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval wait = {1, 0};
    int one = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client_hang_up(c);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(c->fd, 0);
    ck_assert_int_eq(connect(c->fd, (const struct sockaddr *)&to, sizeof to), 0);
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->wire = wire;
    c->out_seq = 0;
    c->in_seq = 0;
    write_all(c->fd, tags[wire], strlen(tags[wire]));
    gap_buf_clear(&c->pending);
    c->pending_at = 0;
}

void client_hang_up(struct client *c)
{
    if (c->fd >= 0) (void)close(c->fd);
    c->fd = -1;
}

void client_send_frame(struct client *c, gap_bytes_t payload)
{
    gap_buf_t b;

    gap_buf_init(&b, gap_alloc_default());
    if (c->wire == WIRE_ABRIDGED && payload.len / 4 < 0x7f) {
        uint8_t n = (uint8_t)(payload.len / 4);
        put(&b, &n, 1);
    } else if (c->wire == WIRE_ABRIDGED) {
        put32(&b, (uint32_t)(payload.len / 4) << 8 | 0x7f);
    } else if (c->wire == WIRE_FULL) {
        put32(&b, (uint32_t)payload.len + 12);
        put32(&b, c->out_seq++);
    } else {
        put32(&b, (uint32_t)payload.len + (c->wire == WIRE_PADDED ? 7 : 0));
    }
    put(&b, payload.data, payload.len);
    if (c->wire == WIRE_PADDED) put(&b, "padding", 7);
    if (c->wire == WIRE_FULL) put32(&b, (uint32_t)crc32(0, b.data, (uInt)b.len));
    write_all(c->fd, b.data, b.len);
    gap_buf_fini(&b);
}

ssize_t client_receive_frame(struct client *c)
{
    uint8_t head[8];
    size_t len;

    if (!read_all(c->fd, head, c->wire == WIRE_ABRIDGED ? 1 : c->wire == WIRE_FULL ? 8 : 4))
        return -1;
    if (c->wire == WIRE_ABRIDGED) {
        len = head[0];
        if (len == 0x7f) {
            if (!read_all(c->fd, head + 1, 3)) return -1;
            len = gap_load32(head) >> 8;
        }
        len *= 4;
    } else {
        len = gap_load32(head);
    }
    gap_buf_clear(&c->in);
    if (c->wire == WIRE_FULL) {
        ck_assert_uint_eq(gap_load32(head + 4), c->in_seq++);
        put(&c->in, head, 8);
        len -= 8;
    }
    ck_assert_int_eq(gap_buf_reserve(&c->in, len), 0);
    if (!read_all(c->fd, c->in.data + c->in.len, len)) return -1;
    c->in.len += len;
    if (c->wire == WIRE_FULL) {
        c->in.len -= 4;
        ck_assert_uint_eq(gap_load32(c->in.data + c->in.len),
                          (uint32_t)crc32(0, c->in.data, (uInt)c->in.len));
        gap_buf_consume(&c->in, 8);
    }
    return (ssize_t)gap_buf_view(&c->in).len;
}

/* --- messages -------------------------------------------------------------------------------- */

static int64_t next_id(struct client *c)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    int64_t id =
        (int64_t)((uint64_t)now.tv_sec << 32 | ((uint64_t)now.tv_nsec << 32) / 1000000000U) &
        ~(int64_t)3;
    if (id <= c->peer.last_id) id = c->peer.last_id + 4;
    c->peer.last_id = id;
    return id;
}

static void ask_plain(void *arg, gap_bytes_t body, gap_buf_t *answer)
{
    struct client *c = arg;
    gap_buf_t b;

    gap_buf_init(&b, gap_alloc_default());
    put64(&b, 0);
    put64(&b, (uint64_t)next_id(c));
    put32(&b, (uint32_t)body.len);
    put(&b, body.data, body.len);
    put(&b, "a client may put filler here....", 32);
    client_send_frame(c, gap_buf_view(&b));
    gap_buf_fini(&b);
    ssize_t n = client_receive_frame(c);
    ck_assert_int_ge(n, 20);
    const uint8_t *p = gap_buf_view(&c->in).data;
    ck_assert_uint_eq(gap_load64(p), 0);
    ck_assert_uint_eq(gap_load64(p + 8) % 4, 1);
    ck_assert_uint_le(gap_load32(p + 16), (size_t)n - 20);
    put(answer, p + 20, gap_load32(p + 16));
}

void client_shake_hands(struct client *c, const struct peer_style *style)
{
    ck_assert(peer_shake_hands(&c->peer, style, ask_plain, c));
}

int64_t client_send(struct client *c, gap_bytes_t body, bool is_content)
{
    gap_plaintext_t m = {c->peer.salt, c->peer.session_id, next_id(c), 0, body};
    size_t padding = gap_message_padding(GAP_PADDING_LEAST, body.len);
    size_t len = gap_message_size(body.len, padding);
    uint8_t *packet = malloc(len);

    ck_assert_ptr_nonnull(packet);
    m.seqno = (int32_t)(c->peer.content * 2 + (is_content ? 1 : 0));
    if (is_content) c->peer.content++;
    ck_assert_int_eq(gap_message_seal(&c->peer.crypto, &c->peer.key, GAP_TO_SERVER, &m, padding,
                                      &c->peer.random, packet, NULL),
                     0);
    client_send_frame(c, gap_bytes(packet, len));
    free(packet);
    return m.msg_id;
}

static void add_pending(struct client *c, int64_t msg_id, int32_t seqno, gap_bytes_t body)
{
    struct client_message m = {msg_id, seqno, body};
    put(&c->pending, &m, sizeof m);
}

static bool receive_packet(struct client *c)
{
    gap_plaintext_t m;
    ssize_t n = client_receive_frame(c);

    if (n < 24) return false;
    size_t len = (size_t)n - (c->wire == WIRE_PADDED ? ((size_t)n - 24) % 16 : 0);
    ck_assert_int_eq(gap_message_open(&c->peer.crypto, &c->peer.key, GAP_TO_CLIENT,
                                      c->in.data + c->in.head, len, &m),
                     0);
    ck_assert_int_eq(m.session_id, c->peer.session_id);
    ck_assert_int_eq(m.msg_id & 1, 1);
    gap_buf_clear(&c->pending);
    c->pending_at = 0;
    if (gap_load32(m.body.data) != GAP_MT_MSG_CONTAINER) {
        add_pending(c, m.msg_id, m.seqno, m.body);
        return true;
    }
    ck_assert_int_eq(m.seqno & 1, 0);
    const uint8_t *p = m.body.data + 8;
    for (uint32_t i = gap_load32(m.body.data + 4); i > 0; i--) {
        uint32_t size = gap_load32(p + 12);
        ck_assert_int_lt((int64_t)gap_load64(p), m.msg_id);
        ck_assert_int_le((int32_t)gap_load32(p + 8), m.seqno);
        add_pending(c, (int64_t)gap_load64(p), (int32_t)gap_load32(p + 8), gap_bytes(p + 16, size));
        p += 16 + size;
    }
    ck_assert_ptr_eq(p, m.body.data + m.body.len);
    return true;
}

bool client_receive(struct client *c, struct client_message *out)
{
    while (c->pending_at >= gap_buf_view(&c->pending).len)
        if (!receive_packet(c)) return false;
    memcpy(out, c->pending.data + c->pending_at, sizeof *out);
    c->pending_at += sizeof *out;
    return true;
}

gap_bytes_t client_result(struct client *c, int64_t msg_id, gap_buf_t *pushes)
{
    struct client_message m;

    for (;;) {
        ck_assert_msg(client_receive(c, &m), "no answer");
        uint32_t id = gap_load32(m.body.data);
        if (id == GAP_MT_RPC_RESULT && (int64_t)gap_load64(m.body.data + 4) == msg_id) {
            ck_assert_int_eq(m.msg_id & 3, 1);
            ck_assert_int_eq(m.seqno & 1, 1);
            return gap_bytes(m.body.data + 12, m.body.len - 12);
        }
        if (pushes != NULL && (m.msg_id & 3) == 3 && id != GAP_MT_NEW_SESSION_CREATED)
            put(pushes, m.body.data, m.body.len);
    }
}

gap_bytes_t client_call(struct client *c, gap_tl_object_t method, gap_buf_t *pushes)
{
    uint8_t body[2048];
    int64_t n = gap_tl_write(method, body, sizeof body);

    ck_assert_int_gt(n, 0);
    return client_result(c, client_send(c, gap_bytes(body, (size_t)n), true), pushes);
}

gap_bytes_t client_first_call(struct client *c, int32_t layer, gap_tl_object_t method)
{
    gap_tl_init_connection_t init = {
        .api_id = 1,
        .device_model = gap_str("test"),
        .system_version = gap_str("1"),
        .app_version = gap_str("1"),
        .system_lang_code = gap_str("en"),
        .lang_pack = gap_str(""),
        .lang_code = gap_str("en"),
        .query = method,
    };
    gap_tl_invoke_with_layer_t with = {layer, GAP_TL_OF(GAP_TL_INIT_CONNECTION, &init)};

    return client_call(c, GAP_TL_OF(GAP_TL_INVOKE_WITH_LAYER, &with), NULL);
}

gap_bytes_t client_import_bot(struct client *c, int64_t id)
{
    char token[64];

    (void)snprintf(token, sizeof token, "%lld:secret", (long long)id);
    gap_tl_auth_import_bot_authorization_t q = {0, 1, gap_str("hash"), gap_str(token)};
    return client_first_call(c, 227, GAP_TL_OF(GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION, &q));
}

void client_sign_in(struct client *c, int64_t id)
{
    gap_bytes_t r = client_import_bot(c, id);

    ck_assert_uint_eq(gap_load32(r.data), GAP_TL_AUTH_AUTHORIZATION);
    ck_assert_int_eq(gap_tl_skip(r), (int64_t)r.len);
}
