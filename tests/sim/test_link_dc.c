/*
 * tests/sim/test_link_dc.c - the link against the simulated data centre in rough virtual worlds: a
 * bot signs in, pushes come, connections are dropped all the time. Every push is handed up exactly
 * once, every call is answered.
 */
#include "base/alloc.h"
#include "dc/dc.h"
#include "loops/session_loop.h"
#include "tests/check_main.h"
#include "tests/sim/sim_env.h"
#include "tests/unit/vectors_crypto.h"

#include <gapless/tl_api.h>
#include <string.h>

#define EVENTS 300
#define SEEDS  12

struct side {
    sim_t *sim;
    gap_env_t *env[2]; /* client, server */
    int seed;
    struct fault_alloc alloc;
    gap_rt_t rt;
    gap_link_t *link;
    gap_dc_t *dc;
    gap_crypto_t crypto;
    gap_rsa_key_t rsa;
    char pem[2048];
    long pushes; /* that the server says it sent */
    long updates;
    int status;
    bool answered;
    bool dc_done;
    bool link_closed;
    bool dc_closed;
    int env_closed;
    int downs;
};

static void on_state(void *arg, enum gap_link_state state, const struct gap_link_down *down)
{
    struct side *s = arg;

    s->downs += state == GAP_LINK_DOWN;
    ck_assert_int_eq(state == GAP_LINK_DOWN, down != NULL);
}

static void on_key(void *arg, const uint8_t *key, uint64_t salt)
{
    (void)arg;
    (void)key;
    (void)salt;
}

static void on_updates(void *arg, gap_bytes_t object, gap_packet_t *packet)
{
    struct side *s = arg;

    ck_assert_int_eq(gap_tl_skip(object), (int64_t)object.len);
    ck_assert_ptr_nonnull(packet);
    s->updates++;
}

static void on_missed(void *arg)
{
    ck_abort_msg("seed %d: the session was lost", ((struct side *)arg)->seed);
}

static void on_undecodable(void *arg, int status)
{
    ck_abort_msg("seed %d: undecodable: %d", ((struct side *)arg)->seed, status);
}

static void on_unauthorized(void *arg, int32_t code, gap_bytes_t name)
{
    (void)arg;
    (void)name;
    ck_assert_int_eq(code, 401);
}

static void on_fatal(void *arg, int status, int32_t code)
{
    (void)arg;
    ck_abort_msg("fatal: %d, %d", status, code);
}

static const struct gap_link_events events = {
    on_state, on_key, on_updates, on_missed, on_undecodable, on_unauthorized, on_fatal};

static void on_answer(void *arg, gap_call_id_t call, const struct gap_call_result *result)
{
    struct side *s = arg;

    (void)call;
    s->status = result->status;
    s->answered = true;
}

static void on_link_closed(void *arg)
{
    ((struct side *)arg)->link_closed = true;
}
static void on_dc_closed(void *arg)
{
    ((struct side *)arg)->dc_closed = true;
}
static void on_env_closed(void *arg)
{
    ((struct side *)arg)->env_closed++;
}

static bool is_answered(const struct side *s)
{
    return s->answered;
}
static bool is_complete(const struct side *s)
{
    return s->dc_done && s->updates >= s->pushes;
}
static bool is_link_closed(const struct side *s)
{
    return s->link_closed;
}
static bool is_dc_closed(const struct side *s)
{
    return s->dc_closed;
}

static void until(struct side *s, bool (*cond)(const struct side *), const char *what)
{
    uint64_t limit_us = sim_now_us(s->sim) + UINT64_C(600000000);

    while (!cond(s) && sim_now_us(s->sim) < limit_us && sim_step(s->sim, limit_us)) {
    }
    ck_assert_msg(cond(s), "seed %d: never %s; %ld of %ld updates", s->seed, what, s->updates,
                  s->pushes);
}

static int ask(struct side *s, gap_tl_object_t query)
{
    s->answered = false;
    ck_assert_int_eq(gap_link_call(s->link, query, NULL, on_answer, s, NULL), 0);
    until(s, is_answered, "answered");
    return s->status;
}

/* Does a line, which has no end but its length, hold this? */
static bool holds(const char *line, size_t len, const char *what)
{
    return memmem(line, len, what, strlen(what)) != NULL;
}

static int on_ledger(void *data, const char *line, size_t len)
{
    struct side *s = data;

    if (holds(line, len, "\"kind\":\"push\"") && holds(line, len, "\"fate\":\"sent\"")) s->pushes++;
    return 0;
}

static void on_done(void *data, uint32_t n)
{
    (void)n;
    ((struct side *)data)->dc_done = true;
}

static void open_server(struct side *s)
{
    gap_bytes_t pem = gap_bytes(vector_rsa_private_pem, sizeof vector_rsa_private_pem - 1);
    gap_dc_options_t options;
    gap_buf_t text;

    ck_assert_int_eq(gap_crypto_init(&s->crypto), 0);
    ck_assert_int_eq(gap_rsa_private_from_pem(&s->crypto, pem, &s->rsa), 0);
    gap_buf_init(&text, gap_alloc_default());
    ck_assert_int_eq(gap_rsa_public_pem(&s->rsa, &text), 0);
    memcpy(s->pem, text.data, text.len);
    gap_buf_fini(&text);
    gap_dc_options_init(&options);
    options.rsa = &s->rsa;
    options.disconnect = 0.3;
    options.rate = 50;
    options.traffic.events = EVENTS;
    options.ledger = on_ledger;
    options.done = on_done;
    options.data = s;
    ck_assert_int_eq(gap_dc_open(s->env[1], gap_alloc_default(), &options, &s->dc), 0);
}

static void open_client(struct side *s)
{
    const char *pems[] = {s->pem};
    gap_addr_t addr = gap_dc_addr(s->dc);
    struct gap_link_config config = {.addrs = &addr,
                                     .addr_count = 1,
                                     .dc_id = 2,
                                     .rsa_pems = pems,
                                     .rsa_count = 1,
                                     .layer = 227,
                                     .device = {1, "m", "s", "v", "en", "", "en"}};
    fault_alloc_init(&s->alloc, 0);
    gap_rt_init(&s->rt, &s->alloc.alloc, s->env[0]);
    s->rt.choose = sim_choose;
    s->rt.choose_arg = s->sim;
    ck_assert_int_eq(gap_link_open(&s->rt, &config, &events, s, &s->link), 0);
}

static void close_both(struct side *s)
{
    gap_link_close(s->link, on_link_closed, s);
    until(s, is_link_closed, "closed");
    gap_rt_fini(&s->rt);
    ck_assert_int_eq(s->alloc.live, 0);
    gap_dc_close(s->dc, on_dc_closed, s);
    until(s, is_dc_closed, "closed");
    sim_env_close(s->env[0], on_env_closed, s);
    sim_env_close(s->env[1], on_env_closed, s);
    ck_assert(sim_run_until_quiet(s->sim, GAP_ENV_NEVER - 1));
    ck_assert_int_eq(s->env_closed, 2);
    ck_assert_uint_eq(sim_free(s->sim), 0);
    gap_rsa_fini(&s->rsa);
    gap_crypto_fini(&s->crypto);
}

START_TEST(every_push_arrives_once)
{
    static struct side s;
    struct sim_options options = sim_options_rough((uint64_t)_i);
    gap_tl_auth_import_bot_authorization_t sign_in = {
        .api_id = 1, .api_hash = gap_str("hash"), .bot_auth_token = gap_str("4242:secret")};
    gap_tl_updates_get_difference_t difference = {.pts = 1, .date = 1, .qts = 1};
    uint32_t nothing = 0;

    /* Fast enough that what a dropped connection owes arrives before the next one is dropped. */
    if (options.read_max != 0) options.read_max += 2048;
    memset(&s, 0, sizeof s);
    s.seed = _i;
    s.sim = sim_new((uint64_t)_i, &options);
    s.env[0] = sim_env_open(s.sim, gap_alloc_default());
    s.env[1] = sim_env_open(s.sim, gap_alloc_default());
    open_server(&s);
    open_client(&s);
    ck_assert_int_eq(ask(&s, GAP_TL_OF(GAP_TL_UPDATES_GET_STATE, &nothing)), GAP_E_RPC);
    ck_assert_int_eq(ask(&s, GAP_TL_OF(GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION, &sign_in)), 0);
    ck_assert_int_eq(ask(&s, GAP_TL_OF(GAP_TL_UPDATES_GET_STATE, &nothing)), 0);
    ck_assert_int_eq(ask(&s, GAP_TL_OF(GAP_TL_UPDATES_GET_DIFFERENCE, &difference)), 0);
    for (int i = 0; i < 3; i++) {
        sim_run_for(s.sim, 1000000);
        gap_dc_disconnect_all(s.dc);
    }
    until(&s, is_complete, "complete");
    sim_run_for(s.sim, 60 * 1000000);
    ck_assert_msg(s.updates == s.pushes, "seed %d: %ld updates of %ld pushes", _i, s.updates,
                  s.pushes);
    ck_assert_int_ge(s.pushes, EVENTS / 2);
    ck_assert_int_ge(s.downs, 3);
    close_both(&s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("link_dc");
    TCase *tc = tcase_create("link");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, every_push_arrives_once, 1, SEEDS + 1);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
