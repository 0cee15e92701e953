/*
 * tests/loop/test_env_conformance.c - what env/env.h promises, asked of libuv in its three run
 * modes and of the virtual world: clocks, timers, streams. Each case runs once per kind of world;
 * the expectations are the contract's, never "what libuv does".
 */
#include "tests/check_main.h"

#include "tests/loop/ends.h"

#include <errno.h>
#include <string.h>

/* ---- clocks and timers ---- */

static void not_the_loop_thread(void *arg)
{
    gap_env_t *env = arg;

    ck_assert(!env->ops->on_loop_thread(env));
}

START_TEST(test_clocks_random_thread)
{
    world_t *w = world_new(_i, gap_alloc_default());
    uint8_t a[64] = {0};
    uint8_t b[64] = {0};
    uint64_t before = gap_env_now_us(w->env);

    ck_assert(w->env->ops->on_loop_thread(w->env));
    w->as_thread(w, not_the_loop_thread, w->env);
    world_run(w, 20);
    ck_assert_uint_ge(gap_env_now_us(w->env), before + 20000);
    ck_assert_uint_gt(gap_env_wall_us(w->env), 1600000000ULL * 1000000);
    ck_assert_int_eq(gap_env_random(w->env, a, sizeof a), 0);
    ck_assert_int_eq(gap_env_random(w->env, b, sizeof b), 0);
    ck_assert(memcmp(a, b, sizeof a) != 0);
    w->end(w);
}
END_TEST

START_TEST(test_clock_is_fresh_inside_a_stalled_callback)
{
    world_t *w = world_new(_i, gap_alloc_default());
    uint64_t before = gap_env_now_us(w->env);

    w->stall(w, 30);
    ck_assert_uint_ge(gap_env_now_us(w->env), before + 30000);
    w->end(w);
}
END_TEST

START_TEST(test_timer_is_never_early_and_comes_once)
{
    world_t *w = world_new(_i, gap_alloc_default());
    struct host h;
    host_attach(&h, w);
    uint64_t deadline = gap_env_now_us(w->env) + 20300;

    w->stall(w, 7); /* the loop's own idea of the time is stale by this */
    w->env->ops->set_timer(w->env, deadline + 40000);
    w->env->ops->set_timer(w->env, deadline);
    ck_assert_int_eq(h.turns, 0);
    ck_assert_msg(w->until(w, host_has_turned, &h, 5000), "%s: no turn", w->name);
    ck_assert_uint_ge(h.last_us, deadline);
    world_run(w, 100);
    ck_assert_int_eq(h.turns, 1);
    w->env->ops->attach(w->env, NULL);
    w->end(w);
}
END_TEST

START_TEST(test_timer_that_is_overdue_and_timer_off)
{
    world_t *w = world_new(_i, gap_alloc_default());
    struct host h;
    host_attach(&h, w);

    w->env->ops->set_timer(w->env, gap_env_now_us(w->env) + 5000);
    w->stall(w, 50);
    w->env->ops->set_timer(w->env, GAP_ENV_NEVER);
    world_run(w, 100);
    ck_assert_int_eq(h.turns, 0);
    w->env->ops->set_timer(w->env, 0);
    ck_assert_int_eq(h.turns, 0);
    ck_assert(w->until(w, host_has_turned, &h, 5000));
    w->env->ops->attach(w->env, NULL);
    w->end(w);
}
END_TEST

START_TEST(test_idle_turns_until_switched_off)
{
    world_t *w = world_new(_i, gap_alloc_default());
    struct host h;
    host_attach(&h, w);
    h.idle_turns_left = 5;

    w->env->ops->set_idle(w->env, true);
    ck_assert_msg(h.turns == 0, "%s: a turn from inside set_idle", w->name);
    world_run(w, 50);
    ck_assert_int_eq(h.turns, 5);
    ck_assert_msg(h.drained_turns == 5, "%s: without streams every poll is drained", w->name);
    w->env->ops->attach(w->env, NULL);
    w->end(w);
}
END_TEST

/* ---- streams ---- */

START_TEST(test_connect_write_read_end)
{
    world_t *w = world_new(_i, gap_alloc_default());
    static struct pair p;
    struct host h;
    struct out o;

    host_attach(&h, w);
    pair_open(&p, w);
    out_write(&o, &p.client, "hello", 5);
    ck_assert(w->until(w, out_is_done, &o, 5000));
    ck_assert_int_eq(o.status, 0);
    ck_assert(w->until(w, pair_server_has_bytes, &p, 5000));
    w->env->ops->close(p.server.s);
    ck_assert(w->until(w, pair_client_ended, &p, 5000));
    ck_assert_int_eq(p.client.connected, 1);
    ck_assert_int_eq(p.client.end_status, GAP_ENV_EOF);
    ck_assert_int_eq(p.server.ended, 0);
    ck_assert_int_eq(o.done, 1);
    ck_assert_int_ge(h.entered, 6); /* accept, connect, two reads, done, closed */
    pair_close(&p);
    w->env->ops->attach(w->env, NULL);
    w->end(w);
}
END_TEST

START_TEST(test_connect_refused)
{
    world_t *w = world_new(_i, gap_alloc_default());
    static struct pair p;
    struct out o;

    pair_listen(&p, w);
    gap_addr_t addr = p.listener->addr;
    w->env->ops->close_listener(p.listener);
    world_run(w, 100);
    ck_assert_ptr_null(p.listener);
    ck_assert_int_eq(w->env->ops->connect(w->env, &addr, &end_events, &p.client, &p.client.s), 0);
    out_write(&o, &p.client, "lost", 4);
    ck_assert(w->until(w, pair_client_connected, &p, 5000));
    ck_assert_int_eq(p.client.connect_status, -ECONNREFUSED);
    ck_assert(w->until(w, out_is_done, &o, 5000));
    ck_assert_int_eq(o.status, -ECONNREFUSED);
    pair_close(&p);
    ck_assert_int_eq(p.client.connected, 1);
    ck_assert_int_eq(p.client.reads, 0);
    w->end(w);
}
END_TEST

#define WRITES 200

START_TEST(test_writes_keep_their_order)
{
    static uint8_t bytes[WRITES * WRITES];
    static struct out outs[WRITES];
    static struct pair p;
    world_t *w = world_new(_i, gap_alloc_default());
    size_t at = 0;

    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7 + i / 251);
    pair_listen(&p, w);
    pair_connect(&p); /* the first writes are made before the connection stands */
    for (size_t i = 0; i < WRITES; i++) {
        out_write(&outs[i], &p.client, bytes + at, i);
        at += i;
        if (i % 50 == 49) world_run(w, 2);
    }
    ck_assert_msg(w->until(w, out_is_done, &outs[WRITES - 1], 10000), "%s: stuck", w->name);
    p.expected = at;
    ck_assert(w->until(w, pair_server_has_all, &p, 10000));
    ck_assert_uint_eq(gap_buf_view(&p.server.rx).len, at);
    ck_assert(memcmp(gap_buf_view(&p.server.rx).data, bytes, at) == 0);
    for (size_t i = 0; i < WRITES; i++) {
        ck_assert_int_eq(outs[i].done, 1);
        ck_assert_int_eq(outs[i].status, 0);
    }
    pair_close(&p);
    w->end(w);
}
END_TEST

/* More than a socket takes at once, here and there. */
#define BIG     (6U * 1024 * 1024)
#define BIG_SIM (280U * 1024)

static size_t big_size(int kind)
{
    if (kind < WORLD_SIM_POLITE) return BIG;
    return kind == WORLD_SIM_POLITE ? BIG_SIM : BIG_SIM / 7; /* rough windows: up to 32 KiB */
}

START_TEST(test_big_write_goes_out_in_parts)
{
    static struct pair p;
    world_t *w = world_new(_i, gap_alloc_default());
    size_t size = big_size(_i);
    uint8_t *big = malloc(size);
    struct out o;

    for (size_t i = 0; i < size; i++) big[i] = (uint8_t)(i ^ (i >> 9));
    pair_open(&p, w);
    p.expected = size;
    out_write(&o, &p.client, big, size);
    ck_assert_msg(w->until(w, pair_server_has_all, &p, 400000), "%s: stuck at %zu", w->name,
                  gap_buf_view(&p.server.rx).len);
    ck_assert(w->until(w, out_is_done, &o, 5000));
    ck_assert_int_eq(o.status, 0);
    ck_assert(memcmp(gap_buf_view(&p.server.rx).data, big, size) == 0);
    pair_close(&p);
    free(big);
    w->end(w);
}
END_TEST

START_TEST(test_close_cancels_what_is_pending)
{
    static struct pair p;
    static uint8_t big[BIG];
    world_t *w = world_new(_i, gap_alloc_default());
    struct out o;
    struct out late;

    pair_open(&p, w);
    out_write(&o, &p.client, big, big_size(_i));
    w->env->ops->close(p.client.s);
    out_write(&late, &p.client, "x", 1);
    ck_assert_int_eq(o.done, 0);
    pair_close(&p); /* `done` after `closed` would fail inside */
    ck_assert_int_eq(o.done, 1);
    ck_assert_int_eq(o.status, GAP_ENV_ECANCELED);
    ck_assert_int_eq(late.done, 1);
    ck_assert_int_eq(late.status, GAP_ENV_ECANCELED);
    w->end(w);
}
END_TEST

START_TEST(test_close_while_connecting)
{
    static struct pair p;
    world_t *w = world_new(_i, gap_alloc_default());

    pair_listen(&p, w);
    pair_connect(&p);
    w->env->ops->close(p.client.s);
    ck_assert_int_eq(p.client.connected, 0);
    pair_close(&p);
    ck_assert_int_eq(p.client.connected, 1);
    ck_assert_int_eq(p.client.connect_status, GAP_ENV_ECANCELED);
    w->end(w);
}
END_TEST

static void close_self(struct end *e)
{
    if (e->s != NULL) e->w->env->ops->close(e->s);
}

static void close_self_on_read(struct end *e, ssize_t n)
{
    (void)n;
    close_self(e);
}

static bool both_closed(void *arg)
{
    struct pair *p = arg;

    return p->client.closed > 0 && p->server.closed > 0;
}

START_TEST(test_close_from_inside_callbacks)
{
    static struct pair p;
    world_t *w = world_new(_i, gap_alloc_default());
    struct out o;

    pair_listen(&p, w);
    p.client.on_connected = close_self;
    p.server.on_read = close_self_on_read;
    pair_connect(&p);
    out_write(&o, &p.client, "hello", 5);
    ck_assert(w->until(w, both_closed, &p, 10000));
    ck_assert_int_eq(p.client.closed, 1);
    ck_assert_int_eq(p.client.reads, 0);
    ck_assert_int_eq(p.accepted, 1);
    ck_assert_int_le(p.server.reads, 1);
    ck_assert_int_eq(o.done, 1);
    pair_close(&p);
    w->end(w);
}
END_TEST

START_TEST(test_no_room_to_read_is_an_error)
{
    static struct pair p;
    world_t *w = world_new(_i, gap_alloc_default());
    struct out o;

    pair_open(&p, w);
    p.client.cap = 0;
    out_write(&o, &p.server, "hello", 5);
    ck_assert(w->until(w, pair_client_ended, &p, 5000));
    ck_assert_int_eq(p.client.end_status, GAP_E_NOMEM);
    world_run(w, 100);
    ck_assert_int_eq(p.client.ended, 1);
    pair_close(&p);
    w->end(w);
}
END_TEST

START_TEST(test_writing_to_a_peer_that_is_gone_ends_in_an_error)
{
    static struct pair p;
    world_t *w = world_new(_i, gap_alloc_default());
    struct out o = {.status = 0};

    pair_open(&p, w);
    w->env->ops->close(p.server.s);
    ck_assert(w->until(w, pair_client_ended, &p, 5000));
    for (int i = 0; i < 20 && o.status == 0; i++) { /* the first may still be taken */
        out_write(&o, &p.client, "hello", 5);
        ck_assert(w->until(w, out_is_done, &o, 5000));
    }
    ck_assert_int_lt(o.status, 0);
    pair_close(&p);
    w->end(w);
}
END_TEST

START_TEST(test_end_of_environment_closes_streams)
{
    static struct pair p;
    world_t *w = world_new(_i, gap_alloc_default());

    pair_open(&p, w);
    w->end(w);
    ck_assert_int_eq(p.client.closed, 1);
    ck_assert_int_eq(p.server.closed, 1);
    ck_assert_int_eq(p.listener_closed, 1);
    gap_buf_fini(&p.client.rx);
    gap_buf_fini(&p.server.rx);
}
END_TEST

static Suite *make_suite(void)
{
    const TTest *const cases[] = {
        test_clocks_random_thread,
        test_clock_is_fresh_inside_a_stalled_callback,
        test_timer_is_never_early_and_comes_once,
        test_timer_that_is_overdue_and_timer_off,
        test_idle_turns_until_switched_off,
        test_connect_write_read_end,
        test_connect_refused,
        test_writes_keep_their_order,
        test_big_write_goes_out_in_parts,
        test_close_cancels_what_is_pending,
        test_close_while_connecting,
        test_close_from_inside_callbacks,
        test_no_room_to_read_is_an_error,
        test_writing_to_a_peer_that_is_gone_ends_in_an_error,
        test_end_of_environment_closes_streams,
    };
    Suite *suite = suite_create("env_conformance");
    TCase *tc = tcase_create("worlds");

    tcase_set_timeout(tc, 120);
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++)
        tcase_add_loop_test(tc, cases[i], 0, WORLD_KINDS);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
