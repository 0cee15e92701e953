/*
 * tests/sim/test_dc_sim.c - the data centre in the virtual world: the same seed gives the same
 * ledger to the byte, rough networks and cuts don't hurt it, it may be closed at any time, and any
 * allocation may fail.
 */
#include "base/alloc.h"
#include "dc/dc.h"
#include "tests/sim/sim_env.h"
#include "tests/unit/dc_peer.h"
#include "tests/unit/vectors_crypto.h"

#include <gapless/tl_api.h>

#define LIMIT_US ((uint64_t)120000000)

/* --- a client that is stepped by the test ---------------------------------------------------- */

struct client {
    sim_t *sim;
    gap_env_t *env;
    gap_stream_t *stream; /* NULL: none */
    struct peer peer;
    gap_buf_t in;
    uint8_t chunk[4096];
    bool connected;
    bool ended; /* no more can be read */
    uint32_t pushes;
    uint32_t writes; /* under way */
};

struct out {
    gap_write_t write;
    struct client *client;
    uint8_t bytes[];
};

static void on_connected(gap_stream_t *s, int status)
{
    struct client *c = s->arg;
    c->connected = status == 0;
    c->ended = status != 0;
}

static void on_alloc(gap_stream_t *s, uint8_t **buf, size_t *cap)
{
    struct client *c = s->arg;
    *buf = c->chunk;
    *cap = sizeof c->chunk;
}

static void on_read(gap_stream_t *s, ssize_t nread)
{
    struct client *c = s->arg;

    if (nread < 0)
        c->ended = true;
    else
        put(&c->in, c->chunk, (size_t)nread);
}

static void on_closed(gap_stream_t *s)
{
    struct client *c = s->arg;
    c->stream = NULL;
}

static const struct gap_stream_events client_events = {
    .connected = on_connected, .alloc = on_alloc, .read = on_read, .closed = on_closed};

static void on_written(gap_write_t *write, int status)
{
    struct out *out = GAP_CONTAINER_OF(write, struct out, write);

    (void)status;
    out->client->writes--;
    free(out);
}

static void send_bytes(struct client *c, gap_bytes_t a, gap_bytes_t b)
{
    struct out *out = malloc(sizeof *out + a.len + b.len);

    ck_assert_ptr_nonnull(out);
    memset(&out->write, 0, sizeof out->write);
    memcpy(out->bytes, a.data, a.len);
    if (b.len > 0) memcpy(out->bytes + a.len, b.data, b.len);
    out->client = c;
    out->write.bytes = gap_bytes(out->bytes, a.len + b.len);
    out->write.done = on_written;
    c->writes++;
    c->env->ops->write(c->stream, &out->write);
}

static void send_frame(struct client *c, gap_bytes_t payload)
{
    uint32_t len = (uint32_t)payload.len;
    send_bytes(c, gap_bytes(&len, 4), payload);
}

static bool step(struct client *c)
{
    return sim_step(c->sim, LIMIT_US);
}

static void hang_up(struct client *c)
{
    if (c->stream != NULL) c->env->ops->close(c->stream);
    while (c->stream != NULL && step(c)) {
    }
    ck_assert_ptr_null(c->stream);
    gap_buf_clear(&c->in);
}

/* @return false: it was not to be. */
static bool dial(struct client *c, const gap_addr_t *to)
{
    hang_up(c);
    c->connected = false;
    c->ended = false;
    ck_assert_int_eq(c->env->ops->connect(c->env, to, &client_events, c, &c->stream), 0);
    while (!c->connected && !c->ended && step(c)) {
    }
    if (!c->connected) return false;
    send_bytes(c, gap_bytes("\xee\xee\xee\xee", 4), gap_bytes(NULL, 0));
    return true;
}

/* The next frame's payload; empty: the connection ended, or nothing will ever come. */
static gap_bytes_t next_frame(struct client *c, gap_buf_t *frame)
{
    gap_buf_clear(frame);
    for (;;) {
        gap_bytes_t in = gap_buf_view(&c->in);
        if (in.len >= 4 && in.len - 4 >= gap_load32(in.data)) {
            size_t len = gap_load32(in.data);
            put(frame, in.data + 4, len);
            gap_buf_consume(&c->in, 4 + len);
            return gap_buf_view(frame);
        }
        if (c->ended || !step(c)) return gap_bytes(NULL, 0);
    }
}

static int64_t next_id(struct client *c)
{
    uint64_t us = gap_env_wall_us(c->env);
    int64_t id = (int64_t)((us / 1000000) << 32 | ((us % 1000000) << 32) / 1000000) & ~(int64_t)3;

    if (id <= c->peer.last_id) id = c->peer.last_id + 4;
    return c->peer.last_id = id;
}

/* Ask a plain question. Without an answer @p answer stays empty. */
static void ask(void *arg, gap_bytes_t body, gap_buf_t *answer)
{
    struct client *c = arg;
    gap_buf_t b;
    gap_buf_t frame;

    gap_buf_init(&b, gap_alloc_default());
    gap_buf_init(&frame, gap_alloc_default());
    put64(&b, 0);
    put64(&b, (uint64_t)next_id(c));
    put32(&b, (uint32_t)body.len);
    put(&b, body.data, body.len);
    if (c->stream != NULL && !c->ended) send_frame(c, gap_buf_view(&b));
    gap_bytes_t in = next_frame(c, &frame);
    if (in.len >= 20) put(answer, in.data + 20, gap_load32(in.data + 16));
    gap_buf_fini(&frame);
    gap_buf_fini(&b);
}

/* @return false: the server ended it. */
static bool shake_hands(struct client *c)
{
    struct peer_style style = {PEER_INNER_DC, false, false, 2};
    return peer_shake_hands(&c->peer, &style, ask, c);
}

/* --- encrypted messages ---------------------------------------------------------------------- */

static int64_t send_message(struct client *c, gap_bytes_t body)
{
    gap_plaintext_t m = {c->peer.salt, c->peer.session_id, next_id(c), 0, body};
    size_t padding = gap_message_padding(GAP_PADDING_LEAST, body.len);
    uint8_t packet[4096];

    m.seqno = (int32_t)(c->peer.content++ * 2 + 1);
    ck_assert_uint_le(gap_message_size(body.len, padding), sizeof packet);
    ck_assert_int_eq(gap_message_seal(&c->peer.crypto, &c->peer.key, GAP_TO_SERVER, &m, padding,
                                      &c->peer.random, packet, NULL),
                     0);
    send_frame(c, gap_bytes(packet, gap_message_size(body.len, padding)));
    return m.msg_id;
}

/* Look at one message. @return is it the result of @p req? */
static bool look_at(struct client *c, int64_t req, int64_t msg_id, gap_bytes_t body)
{
    uint32_t id = gap_load32(body.data);

    if ((msg_id & 3) == 3 && id != GAP_MT_NEW_SESSION_CREATED) c->pushes++;
    return id == GAP_MT_RPC_RESULT && (int64_t)gap_load64(body.data + 4) == req;
}

/* Take in one packet. @return 1 the result of @p req was in it, 0 not, -1 nothing came. */
static int take_packet(struct client *c, int64_t req)
{
    gap_buf_t frame;
    gap_plaintext_t m;
    int found = -1;

    gap_buf_init(&frame, gap_alloc_default());
    gap_bytes_t in = next_frame(c, &frame);
    if (in.len < 24) goto out;
    ck_assert_int_eq(gap_message_open(&c->peer.crypto, &c->peer.key, GAP_TO_CLIENT,
                                      frame.data + frame.head, in.len, &m),
                     0);
    found = 0;
    if (gap_load32(m.body.data) != GAP_MT_MSG_CONTAINER) {
        found = look_at(c, req, m.msg_id, m.body);
        goto out;
    }
    const uint8_t *p = m.body.data + 8;
    for (uint32_t i = gap_load32(m.body.data + 4); i > 0; i--) {
        uint32_t size = gap_load32(p + 12);
        found |= look_at(c, req, (int64_t)gap_load64(p), gap_bytes(p + 16, size));
        p += 16 + size;
    }
out:
    gap_buf_fini(&frame);
    return found;
}

/* @return false: no result came. */
static bool call(struct client *c, gap_tl_object_t method)
{
    uint8_t body[1024];
    int64_t n = gap_tl_write(method, body, sizeof body);
    int found = 0;

    ck_assert_int_gt(n, 0);
    if (c->stream == NULL || c->ended) return false;
    int64_t req = send_message(c, gap_bytes(body, (size_t)n));
    while (found == 0) found = take_packet(c, req);
    return found == 1;
}

static bool sign_in(struct client *c)
{
    gap_tl_auth_import_bot_authorization_t q = {0, 1, gap_str("hash"), gap_str("4242:secret")};
    gap_tl_init_connection_t init = {.api_id = 1,
                                     .query = GAP_TL_OF(GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION, &q)};
    gap_tl_invoke_with_layer_t layer = {227, GAP_TL_OF(GAP_TL_INIT_CONNECTION, &init)};
    gap_tl_updates_get_difference_t difference = {.pts = 1, .date = 1, .qts = 1};

    return call(c, GAP_TL_OF(GAP_TL_INVOKE_WITH_LAYER, &layer)) &&
           call(c, GAP_TL_OF(GAP_TL_UPDATES_GET_DIFFERENCE, &difference));
}

/* --- a world --------------------------------------------------------------------------------- */

struct world {
    sim_t *sim;
    gap_env_t *env; /* the server's */
    gap_dc_t *dc;
    struct fault_alloc fault; /* the server's */
    gap_crypto_t crypto;
    gap_rsa_key_t rsa;
    gap_buf_t ledger;
    struct client client;
    bool is_done;
    bool dc_closed;
    int envs_closed;
    int failed;
};

static int on_ledger(void *data, const char *line, size_t len)
{
    struct world *w = data;
    return gap_buf_append(&w->ledger, line, len);
}

static void on_done(void *data, uint32_t events)
{
    struct world *w = data;
    (void)events;
    w->is_done = true;
}

static void on_failed(void *data, int status)
{
    struct world *w = data;
    w->failed = status;
}

static void on_dc_closed(void *arg)
{
    struct world *w = arg;
    w->dc_closed = true;
}

static void on_env_closed(void *arg)
{
    struct world *w = arg;
    w->envs_closed++;
}

/* @return what gap_dc_open said. */
static int world_init_late(struct world *w, uint64_t seed, const struct sim_options *options,
                           uint32_t events, uint32_t delay_ms)
{
    gap_dc_options_t o;

    memset(w, 0, sizeof *w);
    fault_alloc_init(&w->fault, 0);
    w->sim = sim_new(seed, options);
    w->env = sim_env_open(w->sim, gap_alloc_default());
    w->client.sim = w->sim;
    w->client.env = sim_env_open(w->sim, gap_alloc_default());
    peer_init(&w->client.peer, vector_rsa_private_pem, seed);
    gap_buf_init(&w->client.in, gap_alloc_default());
    gap_buf_init(&w->ledger, gap_alloc_default());
    ck_assert_int_eq(gap_crypto_init(&w->crypto), 0);
    ck_assert_int_eq(
        gap_rsa_private_from_pem(
            &w->crypto, gap_bytes(vector_rsa_private_pem, strlen(vector_rsa_private_pem)), &w->rsa),
        0);
    gap_dc_options_init(&o);
    o.rsa = &w->rsa;
    o.ledger = on_ledger;
    o.done = on_done;
    o.failed = on_failed;
    o.data = w;
    o.seed = o.world.seed = o.traffic.seed = seed;
    o.world.channels = 3;
    o.traffic.events = events;
    o.loss = 0.05;
    o.reorder = 0.1;
    o.duplicate = 0.05;
    o.delay_ms = delay_ms;
    return gap_dc_open(w->env, &w->fault.alloc, &o, &w->dc);
}

static int world_init(struct world *w, uint64_t seed, const struct sim_options *options,
                      uint32_t events)
{
    return world_init_late(w, seed, options, events, 0);
}

static void world_fini(struct world *w)
{
    if (w->dc != NULL) {
        gap_dc_close(w->dc, on_dc_closed, w);
        while (!w->dc_closed && sim_step(w->sim, LIMIT_US * 2)) {
        }
        ck_assert(w->dc_closed);
    }
    ck_assert_msg(w->fault.live == 0, "%ld blocks are left", w->fault.live);
    hang_up(&w->client);
    sim_env_close(w->env, on_env_closed, w);
    sim_env_close(w->client.env, on_env_closed, w);
    while (w->envs_closed < 2 && sim_step(w->sim, LIMIT_US * 2)) {
    }
    ck_assert_uint_eq(w->client.writes, 0);
    ck_assert_uint_eq(sim_free(w->sim), 0);
    gap_buf_fini(&w->ledger);
    gap_buf_fini(&w->client.in);
    peer_fini(&w->client.peer);
    gap_rsa_fini(&w->rsa);
    gap_crypto_fini(&w->crypto);
}

static bool begin(struct world *w)
{
    gap_addr_t addr = gap_dc_addr(w->dc);
    return dial(&w->client, &addr) && shake_hands(&w->client) && sign_in(&w->client);
}

/* --- tests ----------------------------------------------------------------------------------- */

static unsigned count(const gap_buf_t *text, const char *what)
{
    gap_bytes_t rest = gap_buf_view(text);
    unsigned n = 0;

    for (const uint8_t *p; (p = memmem(rest.data, rest.len, what, strlen(what))) != NULL; n++) {
        rest.len -= (size_t)(p + 1 - rest.data);
        rest.data = p + 1;
    }
    return n;
}

/* While a send is under way the same random_id is refused; later it gives the first message. */
START_TEST(test_a_send_in_flight_refuses_its_double)
{
    static const struct sim_options polite;
    gap_tl_input_peer_user_t peer = {DC_USER_ID_FIRST, 0};
    gap_tl_messages_send_message_t q = {.peer = GAP_TL_OF(GAP_TL_INPUT_PEER_USER, &peer),
                                        .message = gap_str("once"),
                                        .random_id = 77};
    struct world w;
    uint8_t body[256];

    ck_assert_int_eq(world_init_late(&w, 5, &polite, 0, 200), 0);
    ck_assert(begin(&w));
    int64_t n = gap_tl_write(GAP_TL_OF(GAP_TL_MESSAGES_SEND_MESSAGE, &q), body, sizeof body);
    ck_assert_int_gt(n, 0);
    (void)send_message(&w.client, gap_bytes(body, (size_t)n));
    ck_assert(call(&w.client, GAP_TL_OF(GAP_TL_MESSAGES_SEND_MESSAGE, &q)));
    ck_assert_uint_eq(count(&w.ledger, "RANDOM_ID_DUPLICATE"), 1);
    ck_assert(call(&w.client, GAP_TL_OF(GAP_TL_MESSAGES_SEND_MESSAGE, &q)));
    ck_assert_uint_eq(count(&w.ledger, "RANDOM_ID_DUPLICATE"), 1);
    ck_assert_uint_eq(count(&w.ledger, "\"method\":\"messages.sendMessage\""), 3);
    ck_assert_uint_eq(count(&w.ledger, "\"kind\":\"new_message\""), 1);
    world_fini(&w);
}
END_TEST

START_TEST(test_the_same_seed_gives_the_same_ledger)
{
    static const struct sim_options polite;
    struct world first;
    struct world second;

    ck_assert_int_eq(world_init(&first, (uint64_t)_i + 1, &polite, 300), 0);
    ck_assert_int_eq(world_init(&second, (uint64_t)_i + 1, &polite, 300), 0);
    ck_assert(begin(&first));
    ck_assert(begin(&second));
    while (!first.is_done && take_packet(&first.client, 0) >= 0) {
    }
    while (!second.is_done && take_packet(&second.client, 0) >= 0) {
    }
    ck_assert(first.is_done);
    gap_bytes_t a = gap_buf_view(&first.ledger);
    gap_bytes_t b = gap_buf_view(&second.ledger);
    ck_assert_uint_gt(a.len, 300 * 100);
    ck_assert_msg(gap_bytes_equal(a, b), "seed %d", _i + 1);
    world_fini(&first);
    world_fini(&second);
}
END_TEST

START_TEST(test_rough_worlds)
{
    uint64_t seed = (uint64_t)_i + 1;
    struct sim_options rough = sim_options_rough(seed);
    struct world w;
    uint32_t binary_ping[3] = {GAP_MT_PING, 1, 2};

    ck_assert_int_eq(world_init(&w, seed, &rough, 200), 0);
    ck_assert_msg(begin(&w), "seed %d: the server ended it", _i + 1);
    gap_addr_t addr = gap_dc_addr(w.dc);
    for (unsigned cuts = 0; cuts < 3 && !w.is_done; cuts++) {
        sim_run_for(w.sim, 5000);
        sim_cut_all(w.sim);
        if (!dial(&w.client, &addr)) continue;
        (void)send_message(&w.client, gap_bytes(binary_ping, sizeof binary_ping));
    }
    for (unsigned i = 0; i < 100000 && !w.is_done; i++)
        if (!sim_step(w.sim, LIMIT_US)) break;
    ck_assert_msg(w.is_done, "seed %d: the traffic did not end", _i + 1);
    ck_assert_int_eq(w.failed, 0);
    world_fini(&w);
}
END_TEST

START_TEST(test_closed_at_any_step)
{
    uint64_t seed = (uint64_t)_i + 1;
    struct sim_options rough = sim_options_rough(seed);
    struct world w;

    ck_assert_int_eq(world_init(&w, seed, &rough, 200), 0);
    if (_i % 4 != 0) {
        ck_assert(begin(&w));
    } else {
        gap_addr_t addr = gap_dc_addr(w.dc);
        (void)dial(&w.client, &addr);
    }
    for (uint64_t steps = gap_prng_below(sim_prng(w.sim), 400); steps > 0; steps--)
        (void)sim_step(w.sim, LIMIT_US);
    world_fini(&w);
}
END_TEST

START_TEST(test_any_allocation_may_fail)
{
    static const struct sim_options polite;
    struct world w;

    ck_assert_int_eq(world_init(&w, 3, &polite, 40), 0);
    /* Each of the first ones, then every seventh: there are some thousand in all. */
    w.fault.fail_at = w.fault.calls + (_i < 60 ? 1 + _i : 61 + (_i - 60) * 7);
    if (begin(&w))
        for (unsigned i = 0; i < 2000 && !w.is_done && w.failed == 0; i++)
            if (!sim_step(w.sim, LIMIT_US)) break;
    ck_assert_msg(w.failed == 0 || w.failed == GAP_E_NOMEM, "allocation %d: %d", _i, w.failed);
    w.fault.fail_at = 0;
    world_fini(&w);
}
END_TEST

START_TEST(test_opening_without_memory)
{
    static const struct sim_options polite;

    for (long at = 1;; at++) {
        struct world w;
        gap_dc_options_t o;
        ck_assert_int_eq(world_init(&w, 3, &polite, 0), 0);
        struct fault_alloc fault;
        fault_alloc_init(&fault, at);
        gap_env_t *env = sim_env_open(w.sim, gap_alloc_default());
        gap_dc_t *dc = NULL;
        gap_dc_options_init(&o);
        o.rsa = &w.rsa;
        int r = gap_dc_open(env, &fault.alloc, &o, &dc);
        ck_assert_int_eq(r == 0, dc != NULL);
        ck_assert_msg(r == 0 || r == GAP_E_NOMEM, "allocation %ld: %d", at, r);
        if (dc != NULL) {
            gap_dc_close(dc, on_dc_closed, &w);
            while (!w.dc_closed && sim_step(w.sim, LIMIT_US)) {
            }
            w.dc_closed = false;
        }
        ck_assert_int_eq(fault.live, 0);
        sim_env_close(env, on_env_closed, &w);
        while (w.envs_closed < 1 && sim_step(w.sim, LIMIT_US)) {
        }
        w.envs_closed = 0;
        world_fini(&w);
        if (r == 0) break;
        ck_assert_int_lt(at, 1000);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_sim");
    TCase *tc = tcase_create("sim");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_a_send_in_flight_refuses_its_double);
    tcase_add_loop_test(tc, test_the_same_seed_gives_the_same_ledger, 0, 3);
    tcase_add_loop_test(tc, test_rough_worlds, 0, gap_test_seeds(100));
    tcase_add_loop_test(tc, test_closed_at_any_step, 0, gap_test_seeds(100));
    tcase_add_loop_test(tc, test_any_allocation_may_fail, 0, gap_test_seeds(200));
    tcase_add_test(tc, test_opening_without_memory);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
