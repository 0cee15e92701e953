/*
 * tests/loop/test_link.c - the link against a small server, on libuv in each of its run modes and
 * in the virtual world, polite and rough.
 */
#include "loops/loop.h"
#include "loops/session_loop.h"
#include "tests/loop/mt_server.h"
#include "tests/loop/world.h"

#include <gapless/tl_api.h>

#define CALLS 16

struct client {
    world_t *world;
    struct fault_alloc alloc;
    gap_rt_t rt;
    gap_link_t *link;
    mt_server_t server;
    /* what was told */
    enum gap_link_state state;
    struct gap_link_down down;
    int downs;
    int readies;
    uint8_t key[256];
    uint64_t salt;
    int keys;
    int updates;
    int missed;
    int undecodable;
    int unauthorized;
    int fatal;
    int closed;
    bool in_call; /* nothing may call back now */
    bool close_in_answer;
    /* answers */
    int answers;
    int status[CALLS];
    int answered[CALLS];
    size_t value_len;
    int want;
};

static struct client *cl;

static void check_tick(const struct client *c)
{
    ck_assert_msg(!c->in_call, "%s: called back from inside a call", c->world->name);
    ck_assert_int_eq(c->closed, 0);
}

static void on_state(void *arg, enum gap_link_state state, const struct gap_link_down *down)
{
    struct client *c = arg;

    check_tick(c);
    c->state = state;
    ck_assert((state == GAP_LINK_DOWN) == (down != NULL));
    if (down != NULL) {
        c->down = *down;
        c->downs++;
        ck_assert_int_ne(down->status, 0);
    }
    c->readies += state == GAP_LINK_READY;
}

static void on_key(void *arg, const uint8_t *key, uint64_t salt)
{
    struct client *c = arg;

    check_tick(c);
    ck_assert_int_eq(c->state, GAP_LINK_HANDSHAKING);
    memcpy(c->key, key, 256);
    c->salt = salt;
    c->keys++;
}

static void on_updates(void *arg, gap_bytes_t object, gap_packet_t *packet)
{
    struct client *c = arg;

    check_tick(c);
    ck_assert_ptr_nonnull(packet);
    ck_assert_uint_eq(gap_load32(object.data), GAP_TL_UPDATES_TOO_LONG);
    c->updates++;
}

static void on_missed(void *arg)
{
    ((struct client *)arg)->missed++;
}

static void on_undecodable(void *arg, int status)
{
    ck_assert_int_lt(status, 0);
    ((struct client *)arg)->undecodable++;
}

static void on_unauthorized(void *arg, int32_t code, gap_bytes_t name)
{
    ck_assert_int_eq(code, 401);
    ck_assert_uint_gt(name.len, 0);
    ((struct client *)arg)->unauthorized++;
}

static void on_fatal(void *arg, int status, int32_t code)
{
    struct client *c = arg;

    check_tick(c);
    ck_assert_int_lt(status, 0);
    c->down.code = code;
    c->fatal++;
}

static const struct gap_link_events link_events = {
    on_state, on_key, on_updates, on_missed, on_undecodable, on_unauthorized, on_fatal};

static void on_link_closed(void *arg)
{
    struct client *c = arg;

    check_tick(c);
    c->closed++;
    c->link = NULL;
}

static void on_answer(void *arg, gap_call_id_t call, const struct gap_call_result *result)
{
    struct client *c = cl;
    size_t n = (size_t)(uintptr_t)arg;

    check_tick(c);
    ck_assert_uint_gt(call, 0);
    ck_assert_uint_lt(n, CALLS);
    ck_assert_msg(++c->answered[n] == 1, "%s: call %zu answered twice", c->world->name, n);
    c->status[n] = result->status;
    c->value_len = result->value.len;
    c->answers++;
    if (c->close_in_answer) {
        c->close_in_answer = false;
        gap_link_close(c->link, on_link_closed, c);
    }
}

static int call_with(struct client *c, size_t n, uint64_t timeout_us, uint32_t flags,
                     gap_call_id_t *id)
{
    gap_tl_auth_export_authorization_t query = {.dc_id = (int32_t)n};
    struct gap_call_options options = {timeout_us, flags};

    c->in_call = true;
    int r = gap_link_call(c->link, GAP_TL_OF(GAP_TL_AUTH_EXPORT_AUTHORIZATION, &query), &options,
                          on_answer, (void *)(uintptr_t)n, id);
    c->in_call = false;
    return r;
}

static void call(struct client *c, size_t n)
{
    ck_assert_int_eq(call_with(c, n, 0, 0, NULL), 0);
}

static int open_link(struct client *c, const uint8_t *key, enum gap_link_transport transport)
{
    const char *pems[] = {mt_server_pem(&c->server)};
    struct gap_link_config config = {
        .addrs = &c->server.listener->addr,
        .addr_count = 1,
        .transport = transport,
        .dc_id = 2,
        .rsa_pems = pems,
        .rsa_count = 1,
        .auth_key = key,
        .layer = 227,
        .device = {1, "model", "system", "version", "en", "", "en"},
    };
    c->in_call = true;
    int r = gap_link_open(&c->rt, &config, &link_events, c, &c->link);
    c->in_call = false;
    return r;
}

static struct client *setup(int kind)
{
    struct client *c = calloc(1, sizeof *c);

    ck_assert_ptr_nonnull(c);
    cl = c;
    fault_alloc_init(&c->alloc, 0);
    c->world = world_new(kind, gap_alloc_default());
    gap_rt_init(&c->rt, &c->alloc.alloc, c->world->env);
    mt_server_open(&c->server, c->world->env);
    return c;
}

static bool is_closed(void *arg)
{
    return ((struct client *)arg)->closed == 1;
}
static bool is_ready(void *arg)
{
    return ((struct client *)arg)->state == GAP_LINK_READY;
}
static bool is_fatal(void *arg)
{
    struct client *c = arg;
    return c->fatal == 1 && c->state == GAP_LINK_DOWN;
}
static bool is_answered(void *arg)
{
    struct client *c = arg;
    return c->answers >= c->want;
}

static void until(struct client *c, bool (*cond)(void *), const char *what)
{
    ck_assert_msg(c->world->until(c->world, cond, c, 120000), "%s: never %s", c->world->name, what);
}

static void until_answers(struct client *c, int want)
{
    c->want = want;
    until(c, is_answered, "answered");
}

static void teardown(struct client *c)
{
    if (c->link != NULL) {
        c->in_call = true;
        gap_link_close(c->link, on_link_closed, c);
        c->in_call = false;
    }
    until(c, is_closed, "closed");
    mt_server_close(&c->server);
    gap_rt_fini(&c->rt);
    c->world->end(c->world);
    ck_assert_int_eq(c->alloc.live, 0);
    free(c);
}

/* ---- cases ---- */

START_TEST(makes_a_key_and_asks)
{
    struct client *c = setup(_i);

    ck_assert_int_eq(open_link(c, NULL, GAP_LINK_INTERMEDIATE), 0);
    for (size_t i = 0; i < 5; i++) call(c, i);
    until_answers(c, 5);
    ck_assert_int_eq(c->keys, 1);
    ck_assert_mem_eq(c->key, c->server.key.key, 256);
    ck_assert_int_eq(c->server.handshakes, 1);
    ck_assert_int_eq(c->missed, 0);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(c->status[i], 0);
        ck_assert_int_eq(c->server.executed[i], 1);
    }
    ck_assert_uint_eq(gap_link_salt(c->link), (uint64_t)MT_SALT);
    int64_t ahead =
        gap_link_server_time(c->link) - (int64_t)(gap_env_wall_us(c->world->env) / 1000000);
    ck_assert(ahead >= -1 && ahead <= 1);
    teardown(c);
}
END_TEST

START_TEST(a_known_key_needs_no_exchange)
{
    struct client *c = setup(_i);

    ck_assert_int_eq(open_link(c, NULL, GAP_LINK_INTERMEDIATE), 0);
    until(c, is_ready, "ready");
    c->in_call = true;
    gap_link_close(c->link, on_link_closed, c);
    c->in_call = false;
    until(c, is_closed, "closed");
    c->closed = 0;
    ck_assert_int_eq(open_link(c, c->key, GAP_LINK_ABRIDGED), 0);
    call(c, 0);
    until_answers(c, 1);
    ck_assert_int_eq(c->status[0], 0);
    ck_assert_int_eq(c->server.handshakes, 1);
    teardown(c);
}
END_TEST

START_TEST(a_lost_connection_loses_nothing)
{
    struct client *c = setup(_i);

    ck_assert_int_eq(open_link(c, NULL, GAP_LINK_INTERMEDIATE), 0);
    until(c, is_ready, "ready");
    c->server.hang_up_after = 3; /* the third is executed, but not answered */
    for (size_t i = 0; i < 5; i++) call(c, i);
    until_answers(c, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(c->status[i], 0);
        ck_assert_msg(c->server.executed[i] == 1, "%s: call %zu executed %d times", c->world->name,
                      i, c->server.executed[i]);
    }
    ck_assert_int_eq(c->downs, 1);
    ck_assert_int_eq(c->server.connections, 2);
    ck_assert_int_eq(c->keys, 1);
    teardown(c);
}
END_TEST

START_TEST(calls_end_in_every_way)
{
    struct client *c = setup(_i);
    gap_call_id_t id;

    ck_assert_int_eq(open_link(c, NULL, GAP_LINK_INTERMEDIATE), 0);
    until(c, is_ready, "ready");
    c->server.ack_only = true;
    ck_assert_int_eq(call_with(c, 0, 300000, 0, NULL), 0);
    ck_assert_int_eq(call_with(c, 1, 0, 0, &id), 0);
    ck_assert_int_eq(call_with(c, 2, 0, GAP_CALL_NO_RESEND, NULL), 0);
    call(c, 3);
    until_answers(c, 1);
    ck_assert_int_eq(c->status[0], GAP_E_TIMEOUT);
    c->in_call = true;
    gap_link_cancel(c->link, id);
    gap_link_cancel(c->link, id);
    gap_link_cancel(c->link, 0);
    c->in_call = false;
    until_answers(c, 2);
    ck_assert_int_eq(c->status[1], GAP_ENV_ECANCELED);
    mt_server_hang_up(&c->server);
    until_answers(c, 3);
    ck_assert_int_eq(c->status[2], GAP_E_DISCONNECTED);
    ck_assert_uint_eq(gap_link_pending(c->link), 1);
    teardown(c);
}
END_TEST

START_TEST(closing_ends_the_calls)
{
    struct client *c = setup(_i);

    ck_assert_int_eq(open_link(c, NULL, GAP_LINK_INTERMEDIATE), 0);
    for (size_t i = 0; i < 3; i++) call(c, i);
    c->close_in_answer = true;
    until(c, is_closed, "closed");
    ck_assert_int_eq(c->answers, 3);
    ck_assert_int_eq(c->status[0], 0);
    ck_assert_int_eq(c->status[2], GAP_E_CLOSED);
    teardown(c);
}
END_TEST

static const struct {
    int32_t error;
    int connections;
    const char *why;
} refusals[] = {
    {-404, 2, "the key is refused once more on a second connection"},
    {-444, 1, "another data centre: never again"},
};

START_TEST(some_refusals_are_final)
{
    struct client *c = setup(_i % 2 == 0 ? WORLD_UV_DEFAULT : WORLD_SIM_ROUGH + _i);
    const char *why = refusals[_i / 2].why;

    ck_assert_int_eq(open_link(c, NULL, GAP_LINK_INTERMEDIATE), 0);
    until(c, is_ready, "ready");
    c->server.error = refusals[_i / 2].error;
    call(c, 0);
    until(c, is_fatal, "fatal");
    ck_assert_msg(c->server.connections == refusals[_i / 2].connections, "%s: %d", why,
                  c->server.connections);
    ck_assert_int_eq(c->down.status, GAP_E_TRANSPORT);
    ck_assert_int_eq(c->down.code, refusals[_i / 2].error);
    ck_assert_uint_eq(c->down.retry_in_us, GAP_ENV_NEVER);
    ck_assert_int_eq(c->answers, 1);
    ck_assert_int_eq(c->status[0], GAP_E_TRANSPORT);
    ck_assert_int_eq(call_with(c, 1, 0, 0, NULL), GAP_E_CLOSED);
    teardown(c);
}
END_TEST

START_TEST(slow_work_keeps_the_order)
{
    struct client *c = setup(_i);
    uint8_t push[4];

    ck_assert_int_eq(open_link(c, NULL, GAP_LINK_INTERMEDIATE), 0);
    until(c, is_ready, "ready");
    c->server.big = true;
    call(c, 0);
    until_answers(c, 1);
    ck_assert_int_eq(c->status[0], 0);
    ck_assert_uint_eq(c->value_len, 3000000);
    c->server.big = false;
    c->server.raw_big = true;
    call(c, 1);
    call(c, 2);
    until_answers(c, 3);
    ck_assert_uint_eq(c->value_len, 400000);
    gap_store32(push, GAP_TL_UPDATES_TOO_LONG);
    ck_assert(mt_server_push(&c->server, gap_bytes(push, 4), true));
    c->server.raw_big = false;
    call(c, 3);
    until_answers(c, 4);
    ck_assert_int_eq(c->updates, 1);
    ck_assert_int_eq(c->downs, 0);
    teardown(c);
}
END_TEST

START_TEST(a_wrong_salt_is_learned)
{
    struct client *c = setup(_i);

    ck_assert_int_eq(open_link(c, NULL, GAP_LINK_INTERMEDIATE), 0);
    until(c, is_ready, "ready");
    c->server.salt = 0x4242;
    for (size_t i = 0; i < 4; i++) call(c, i);
    until_answers(c, 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(c->status[i], 0);
        ck_assert_int_eq(c->server.executed[i], 1);
    }
    ck_assert_int_eq(c->downs, 0);
    teardown(c);
}
END_TEST

START_TEST(noise_ends_in_a_new_connection)
{
    struct client *c = setup(_i);

    ck_assert_int_eq(open_link(c, NULL, GAP_LINK_INTERMEDIATE), 0);
    until(c, is_ready, "ready");
    call(c, 0);
    until_answers(c, 1);
    c->server.garbage = true;
    call(c, 1);
    ck_assert(!c->world->until(c->world, is_answered, &(struct client){.want = 1}, 300));
    c->server.garbage = false;
    until_answers(c, 2);
    ck_assert_int_eq(c->status[1], 0);
    ck_assert_int_eq(c->server.executed[1], 1);
    ck_assert_int_ge(c->downs, 1);
    ck_assert_int_eq(c->updates, 0);
    teardown(c);
}
END_TEST

/* In virtual time: seconds of silence cost nothing there. */
START_TEST(silence_is_noticed)
{
    struct client *c = setup(WORLD_SIM_POLITE + _i);

    ck_assert_int_eq(open_link(c, NULL, GAP_LINK_INTERMEDIATE), 0);
    until(c, is_ready, "ready");
    call(c, 0);
    until_answers(c, 1);
    c->server.mute = true;
    call(c, 1);
    /* 10 s of silence while an answer is due, 15 s without a pong. */
    world_run(c->world, 24000);
    ck_assert_int_eq(c->downs, 0);
    world_run(c->world, 5000);
    ck_assert_int_eq(c->downs, 1);
    ck_assert_int_eq(c->down.status, GAP_E_TIMEOUT);
    c->server.mute = false;
    mt_server_hang_up(&c->server); /* what it did not hear is gone with the connection */
    until_answers(c, 2);
    ck_assert_int_eq(c->status[1], 0);
    ck_assert_int_eq(c->server.executed[1], 1);

    /* An idle one is looked at once a minute. */
    int pings = c->server.pings;
    world_run(c->world, 310000);
    ck_assert_int_ge(c->server.pings - pings, 4);
    ck_assert_int_le(c->server.pings - pings, 6);
    c->server.mute = true;
    int downs = c->downs;
    world_run(c->world, 80000);
    ck_assert_int_gt(c->downs, downs);
    c->server.mute = false;
    teardown(c);
}
END_TEST

START_TEST(no_key_of_ours_is_final)
{
    /* Another modulus: a key the server does not have. */
    struct client *c = setup(WORLD_UV_DEFAULT);
    static const char *const wrong[] = {"-----BEGIN RSA PUBLIC KEY-----\nAAAA\n"
                                        "-----END RSA PUBLIC KEY-----\n"};
    struct gap_link_config config = {.addrs = &c->server.listener->addr,
                                     .addr_count = 1,
                                     .rsa_pems = wrong,
                                     .rsa_count = 1,
                                     .layer = 227,
                                     .device = {1, "", "", "", "", "", ""}};
    ck_assert_int_eq(gap_link_open(&c->rt, &config, &link_events, c, &c->link), GAP_E_PEM);
    config.rsa_count = 0;
    ck_assert_int_eq(gap_link_open(&c->rt, &config, &link_events, c, &c->link), GAP_E_ARGUMENT);
    config.auth_key = c->key;
    config.addr_count = 0;
    ck_assert_int_eq(gap_link_open(&c->rt, &config, &link_events, c, &c->link), GAP_E_ARGUMENT);
    config.addr_count = 1;
    config.device.lang_code = NULL;
    ck_assert_int_eq(gap_link_open(&c->rt, &config, &link_events, c, &c->link), GAP_E_ARGUMENT);
    ck_assert_int_eq(c->alloc.live, 0);
    c->closed = 1;
    c->link = NULL;
    teardown(c);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("link");
    TCase *tc = tcase_create("link");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, makes_a_key_and_asks, 0, WORLD_KINDS);
    tcase_add_loop_test(tc, a_known_key_needs_no_exchange, 0, WORLD_KINDS);
    tcase_add_loop_test(tc, a_lost_connection_loses_nothing, 0, WORLD_KINDS);
    tcase_add_loop_test(tc, calls_end_in_every_way, 0, WORLD_KINDS);
    tcase_add_loop_test(tc, closing_ends_the_calls, 0, WORLD_KINDS);
    tcase_add_loop_test(tc, some_refusals_are_final, 0, 2 * GAP_ARRAY_LEN(refusals));
    tcase_add_loop_test(tc, slow_work_keeps_the_order, 0, WORLD_KINDS);
    tcase_add_loop_test(tc, a_wrong_salt_is_learned, 0, WORLD_KINDS);
    tcase_add_loop_test(tc, noise_ends_in_a_new_connection, 0, WORLD_KINDS);
    tcase_add_loop_test(tc, silence_is_noticed, 0, 6);
    tcase_add_test(tc, no_key_of_ours_is_final);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
