/*
 * tests/sim/test_link_faults.c - the link in the virtual world when everything breaks: the
 * connection is cut after every byte, the link is closed at every step, every allocation fails.
 * Whatever happens, each call is answered exactly once and executed exactly once.
 */
#include "loops/session_loop.h"
#include "tests/loop/mt_server.h"
#include "tests/sim/sim_env.h"

#include <gapless/tl_api.h>

#define CALLS    3
#define LIMIT_US UINT64_C(3600000000)

struct run {
    sim_t *sim;
    gap_env_t *env[2]; /* client, server */
    struct fault_alloc alloc;
    gap_rt_t rt;
    mt_server_t server;
    gap_link_t *link;
    int answers;
    int answered[CALLS];
    int status[CALLS];
    int closed;
    int env_closed;
    int fatal;
    int keys;
};

static struct run *cur;

static void on_state(void *arg, enum gap_link_state state, const struct gap_link_down *down)
{
    (void)arg;
    ck_assert((state == GAP_LINK_DOWN) == (down != NULL));
}

static void on_key(void *arg, const uint8_t *key, uint64_t salt)
{
    struct run *r = arg;

    (void)key;
    (void)salt;
    r->keys++;
}

static void on_updates(void *arg, gap_bytes_t object, gap_packet_t *packet)
{
    (void)arg;
    (void)object;
    (void)packet;
    ck_abort_msg("no updates were sent");
}

static void on_missed(void *arg)
{
    (void)arg;
}

static void on_undecodable(void *arg, int status)
{
    (void)arg;
    ck_abort_msg("undecodable: %d", status);
}

static void on_unauthorized(void *arg, int32_t code, gap_bytes_t name)
{
    (void)arg;
    (void)code;
    (void)name;
}

static void on_fatal(void *arg, int status, int32_t code)
{
    (void)status;
    (void)code;
    ((struct run *)arg)->fatal++;
}

static const struct gap_link_events events = {
    on_state, on_key, on_updates, on_missed, on_undecodable, on_unauthorized, on_fatal};

static void on_answer(void *arg, gap_call_id_t call, const struct gap_call_result *result)
{
    size_t n = (size_t)(uintptr_t)arg;

    (void)call;
    ck_assert_int_eq(++cur->answered[n], 1);
    ck_assert_int_eq(cur->closed, 0);
    cur->status[n] = result->status;
    cur->answers++;
}

static void on_closed(void *arg)
{
    ((struct run *)arg)->closed++;
}
static void on_env_closed(void *arg)
{
    ((struct run *)arg)->env_closed++;
}

static void start(struct run *r, uint64_t seed, bool rough)
{
    struct sim_options options = {.latency_us = 1000};

    memset(r, 0, sizeof *r);
    cur = r;
    if (rough) options = sim_options_rough(seed);
    fault_alloc_init(&r->alloc, 0);
    r->sim = sim_new(seed, &options);
    r->env[0] = sim_env_open(r->sim, gap_alloc_default());
    r->env[1] = sim_env_open(r->sim, gap_alloc_default());
    mt_server_open(&r->server, r->env[1]);
    gap_rt_init(&r->rt, &r->alloc.alloc, r->env[0]);
}

/* The key both sides know; without it there is a key exchange. */
static void share_key(struct run *r)
{
    memset(r->server.key.key, 0x5a, sizeof r->server.key.key);
    ck_assert_int_eq(gap_auth_key_derive(&r->server.crypto, &r->server.key), 0);
    r->server.keyed = true;
}

static int open_link(struct run *r)
{
    static const char *pem;
    struct gap_link_config config = {
        .addrs = &r->server.listener->addr,
        .addr_count = 1,
        .dc_id = 2,
        .rsa_pems = &pem,
        .rsa_count = 1,
        .auth_key = r->server.keyed ? r->server.key.key : NULL,
        .layer = 227,
        .device = {1, "m", "s", "v", "en", "", "en"},
    };
    pem = mt_server_pem(&r->server);
    return gap_link_open(&r->rt, &config, &events, r, &r->link);
}

static int call(struct run *r, size_t n)
{
    gap_tl_auth_export_authorization_t query = {.dc_id = (int32_t)n};
    struct gap_call_options options = {.timeout_us = 3000 * UINT64_C(1000000)};

    return gap_link_call(r->link, GAP_TL_OF(GAP_TL_AUTH_EXPORT_AUTHORIZATION, &query), &options,
                         on_answer, (void *)(uintptr_t)n, NULL);
}

static void until_answered(struct run *r, int want, const char *why, uint64_t n)
{
    while (r->answers < want && sim_now_us(r->sim) < LIMIT_US)
        if (!sim_step(r->sim, LIMIT_US)) break;
    ck_assert_msg(r->answers >= want, "%s %llu: %d answers", why, (unsigned long long)n,
                  r->answers);
}

static void finish(struct run *r, const char *why, uint64_t n)
{
    if (r->link != NULL && r->closed == 0) {
        gap_link_close(r->link, on_closed, r);
        ck_assert_int_eq(r->closed, 0);
    }
    while (r->link != NULL && r->closed == 0 && sim_step(r->sim, LIMIT_US)) {
    }
    ck_assert_msg(r->link == NULL || r->closed == 1, "%s %llu: not closed", why,
                  (unsigned long long)n);
    mt_server_close(&r->server);
    gap_rt_fini(&r->rt);
    sim_env_close(r->env[0], on_env_closed, r);
    sim_env_close(r->env[1], on_env_closed, r);
    ck_assert(sim_run_until_quiet(r->sim, GAP_ENV_NEVER - 1));
    ck_assert_int_eq(r->env_closed, 2);
    ck_assert_uint_eq(sim_free(r->sim), 0);
    ck_assert_msg(r->alloc.live == 0, "%s %llu: %ld blocks left", why, (unsigned long long)n,
                  r->alloc.live);
}

static void check_all(const struct run *r, const char *why, uint64_t n)
{
    for (int i = 0; i < CALLS; i++) {
        ck_assert_msg(r->status[i] == 0, "%s %llu: call %d gave %d", why, (unsigned long long)n, i,
                      r->status[i]);
        ck_assert_msg(r->server.executed[i] == 1, "%s %llu: call %d executed %d times", why,
                      (unsigned long long)n, i, r->server.executed[i]);
    }
    ck_assert_int_eq(r->fatal, 0);
}

/* @return bytes on the network. */
static uint64_t run_cut(bool keyed, bool rough, uint64_t cut)
{
    static struct run r;
    char why[64];

    (void)snprintf(why, sizeof why, "%s, %s world, cut at", keyed ? "key" : "no key",
                   rough ? "rough" : "polite");
    start(&r, cut + 1, rough);
    if (keyed) share_key(&r);
    sim_cut_at_byte(r.sim, cut);
    ck_assert_int_eq(open_link(&r), 0);
    for (size_t i = 0; i < CALLS; i++) ck_assert_int_eq(call(&r, i), 0);
    until_answered(&r, CALLS, why, cut);
    check_all(&r, why, cut);
    uint64_t bytes = sim_bytes_sent(r.sim);
    finish(&r, why, cut);
    return bytes;
}

START_TEST(a_cut_anywhere_in_the_session)
{
    bool rough = _i == 1;
    uint64_t bytes = run_cut(true, rough, 0);

    ck_assert_uint_gt(bytes, 400);
    for (uint64_t cut = 1; cut <= bytes; cut++) run_cut(true, rough, cut);
}
END_TEST

START_TEST(a_cut_anywhere_in_the_key_exchange)
{
    uint64_t bytes = run_cut(false, false, 0);

    ck_assert_uint_gt(bytes, 1500);
    /* A prime number of bytes apart, and from another start in the rough world. */
    for (uint64_t cut = _i == 0 ? 1 : 17; cut <= bytes; cut += 31) run_cut(false, _i == 1, cut);
}
END_TEST

START_TEST(closed_at_any_step)
{
    static struct run r;
    bool keyed = _i < 2;
    int stride = keyed ? 1 : 9;

    for (int steps = 0; steps < 4000; steps += stride) {
        start(&r, (uint64_t)steps + 1, _i % 2 == 1);
        if (keyed) share_key(&r);
        ck_assert_int_eq(open_link(&r), 0);
        for (size_t i = 0; i < CALLS; i++) ck_assert_int_eq(call(&r, i), 0);
        for (int i = 0; i < steps && r.answers < CALLS; i++) (void)sim_step(r.sim, LIMIT_US);
        bool over = r.answers == CALLS;
        finish(&r, "closed at step", (uint64_t)steps);
        ck_assert_msg(r.answers == CALLS, "step %d: %d answers", steps, r.answers);
        for (int i = 0; i < CALLS; i++) ck_assert(r.status[i] == 0 || r.status[i] == GAP_E_CLOSED);
        if (over && steps > 100) break;
    }
}
END_TEST

START_TEST(every_allocation_fails)
{
    static struct run r;

    for (long n = 1;; n++) {
        start(&r, 1, false);
        if (_i == 0) share_key(&r);
        r.alloc.fail_at = n;
        int opened = open_link(&r), made = 0;
        if (opened != 0) {
            ck_assert_msg(opened == GAP_E_NOMEM || opened == GAP_E_LIBCRYPTO, "%ld: %d", n, opened);
            r.link = NULL;
        } else {
            for (size_t i = 0; i < CALLS; i++) {
                int e = call(&r, i);
                ck_assert(e == 0 || e == GAP_E_NOMEM);
                made += e == 0;
            }
            until_answered(&r, made, "allocation", (uint64_t)n);
            for (int i = 0; i < CALLS; i++) {
                ck_assert_msg(r.answered[i] == 0 || r.status[i] == 0, "allocation %ld: %d", n,
                              r.status[i]);
            }
        }
        bool all = r.alloc.calls < n;
        finish(&r, "allocation", (uint64_t)n);
        if (all) break;
        ck_assert_int_lt(n, 10000);
    }
}
END_TEST

/* The answer lies in the socket while the client's host does nothing: that is no time-out. */
START_TEST(a_stalled_host_is_no_silence)
{
    static struct run r;

    start(&r, (uint64_t)_i + 1, _i > 0);
    share_key(&r);
    ck_assert_int_eq(open_link(&r), 0);
    for (size_t i = 0; i < CALLS; i++) {
        gap_tl_auth_export_authorization_t query = {.dc_id = (int32_t)i};
        struct gap_call_options options = {.timeout_us = 20000000};
        ck_assert_int_eq(gap_link_call(r.link, GAP_TL_OF(GAP_TL_AUTH_EXPORT_AUTHORIZATION, &query),
                                       &options, on_answer, (void *)(uintptr_t)i, NULL),
                         0);
        while (r.server.executed[i] == 0) ck_assert(sim_step(r.sim, LIMIT_US));
        sim_stall(r.env[0], (30 + 60 * i) * UINT64_C(1000000)); /* longer than any time-out */
        until_answered(&r, (int)i + 1, "stall", i);
        ck_assert_msg(r.status[i] == 0, "world %d, call %zu: %d", _i, i, r.status[i]);
        ck_assert_int_eq(r.server.connections, 1);
    }
    check_all(&r, "stall", (uint64_t)_i);
    finish(&r, "stall", (uint64_t)_i);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("link_faults");
    TCase *tc = tcase_create("faults");

    tcase_set_timeout(tc, 250);
    tcase_add_loop_test(tc, a_cut_anywhere_in_the_session, 0, 2);
    tcase_add_loop_test(tc, a_cut_anywhere_in_the_key_exchange, 0, 2);
    tcase_add_loop_test(tc, closed_at_any_step, 0, 4);
    tcase_add_loop_test(tc, every_allocation_fails, 0, 2);
    tcase_add_loop_test(tc, a_stalled_host_is_no_silence, 0, 30);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
