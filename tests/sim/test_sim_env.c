/*
 * tests/sim/test_sim_env.c - the virtual world's own promises: one seed, one world; cuts at each
 * byte; a network that is down; leaks that are counted; worlds that are cheap.
 */
#include "tests/check_main.h"

#include "base/alloc.h"
#include "tests/sim/sim_env.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* A client that sends LINES lines and a server that sends each back, on two hosts. */
#define LINES 20
#define LINE  "twelve bytes"
#define BYTES (LINES * (sizeof LINE - 1))

struct side {
    struct talk *t;
    gap_env_t *env;
    gap_stream_t *s;
    uint8_t buf[4096];
    size_t got;
    int end;
    int closed;
};

struct echo {
    gap_write_t w;
    struct talk *t;
    uint8_t bytes[4096];
};

struct talk {
    sim_t *sim;
    struct side client;
    struct side server;
    gap_listener_t *listener;
    gap_write_t lines[LINES];
    int lines_done;
    int env_closed;
};

static void line_done(gap_write_t *w, int status)
{
    (void)w;
    (void)status;
}

static void echo_done(gap_write_t *w, int status)
{
    (void)status;
    free(GAP_CONTAINER_OF(w, struct echo, w));
}

static void on_connected(gap_stream_t *s, int status)
{
    struct side *side = s->arg;

    sim_trace(side->t->sim, "connected %d", status);
    if (status < 0) side->end = status;
}

static void on_alloc(gap_stream_t *s, uint8_t **buf, size_t *cap)
{
    struct side *side = s->arg;

    *buf = side->buf;
    *cap = sizeof side->buf;
}

static void send_back(struct side *server, size_t n)
{
    struct echo *e = calloc(1, sizeof *e);

    memcpy(e->bytes, server->buf, n);
    e->t = server->t;
    e->w.bytes = gap_bytes(e->bytes, n);
    e->w.done = echo_done;
    server->env->ops->write(server->s, &e->w);
}

static void on_read(gap_stream_t *s, ssize_t n)
{
    struct side *side = s->arg;
    struct talk *t = side->t;

    sim_trace(t->sim, "%s reads %d", side == &t->client ? "client" : "server", (int)n);
    if (n < 0) {
        side->end = (int)n;
        side->env->ops->close(s);
        return;
    }
    side->got += (size_t)n;
    if (side == &t->server && n > 0) send_back(side, (size_t)n);
    if (side == &t->client && side->got == BYTES) side->env->ops->close(s);
}

static void on_closed(gap_stream_t *s)
{
    ((struct side *)s->arg)->closed++;
}

static const struct gap_stream_events events = {on_connected, on_alloc, on_read, on_closed};

static void on_accepted(gap_listener_t *l, gap_stream_t *s)
{
    struct talk *t = l->arg;

    t->server.s = s;
    s->events = &events;
    s->arg = &t->server;
}

static void on_listener_closed(gap_listener_t *l)
{
    (void)l;
}
static void on_env_closed(void *arg)
{
    (*(int *)arg)++;
}

static void talk_open(struct talk *t, uint64_t seed, const struct sim_options *options)
{
    gap_addr_t at;

    memset(t, 0, sizeof *t);
    t->sim = sim_new(seed, options);
    t->client.t = t;
    t->server.t = t;
    t->client.env = sim_env_open(t->sim, gap_alloc_default());
    t->server.env = sim_env_open(t->sim, gap_alloc_default());
    ck_assert_int_eq(gap_addr_parse("10.0.0.1:443", &at), 0);
    ck_assert_int_eq(t->server.env->ops->listen(t->server.env, &at, t, on_accepted,
                                                on_listener_closed, &t->listener),
                     0);
    ck_assert_int_eq(
        t->client.env->ops->connect(t->client.env, &at, &events, &t->client, &t->client.s), 0);
    for (size_t i = 0; i < LINES; i++) {
        t->lines[i].bytes = gap_bytes(LINE, sizeof LINE - 1);
        t->lines[i].done = line_done;
        t->client.env->ops->write(t->client.s, &t->lines[i]);
    }
}

static void talk_close(struct talk *t)
{
    sim_env_close(t->client.env, on_env_closed, &t->env_closed);
    sim_env_close(t->server.env, on_env_closed, &t->env_closed);
    ck_assert(sim_run_until_quiet(t->sim, GAP_ENV_NEVER - 1));
    ck_assert_int_eq(t->env_closed, 2);
    ck_assert_int_eq(t->client.closed, 1);
    ck_assert_uint_eq(sim_free(t->sim), 0);
}

START_TEST(test_one_seed_one_world)
{
    static struct talk t;
    int different = 0;

    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct sim_options rough = sim_options_rough(seed);
        char *first = NULL;
        for (int round = 0; round < 3; round++) { /* the third has other dice */
            talk_open(&t, round < 2 ? seed : seed + 1000, &rough);
            ck_assert(sim_run_until_quiet(t.sim, 3600ULL * 1000000));
            ck_assert_msg(t.client.got == BYTES, "seed %d: %zu bytes", (int)seed, t.client.got);
            if (round == 0) first = strdup(sim_trace_text(t.sim));
            if (round == 1) ck_assert_str_eq(sim_trace_text(t.sim), first);
            if (round == 2) different += strcmp(sim_trace_text(t.sim), first) != 0;
            talk_close(&t);
        }
        free(first);
    }
    ck_assert_int_ge(different, 25);
}
END_TEST

START_TEST(test_golden_trace_of_a_polite_world)
{
    static struct talk t;
    struct sim_options polite = {.latency_us = 10000};

    talk_open(&t, 1, &polite);
    ck_assert(sim_run_until_quiet(t.sim, 1000000));
    ck_assert_str_eq(sim_trace_text(t.sim), "[  20] connected 0\n"
                                            "[  30] server reads 240\n"
                                            "[  40] client reads 240\n"
                                            "[  50] server reads -4095\n");
    talk_close(&t);
}
END_TEST

START_TEST(test_cut_at_each_byte)
{
    for (uint64_t byte = 1; byte <= 2 * BYTES; byte++) {
        static struct talk t;
        struct sim_options rough = sim_options_rough(byte);
        talk_open(&t, byte, &rough);
        sim_cut_at_byte(t.sim, byte);
        ck_assert(sim_run_until_quiet(t.sim, 3600ULL * 1000000));
        ck_assert_uint_eq(sim_bytes_sent(t.sim), byte);
        ck_assert_msg(t.client.got + t.server.got == byte, "cut at %d: %zu and %zu arrived",
                      (int)byte, t.client.got, t.server.got);
        if (t.client.got < BYTES) ck_assert_int_eq(t.client.end, -ECONNRESET);
        ck_assert_int_eq(t.server.closed, 1);
        talk_close(&t);
    }
}
END_TEST

START_TEST(test_cut_all_loses_what_is_in_flight)
{
    static struct talk t;
    struct sim_options slow = {.latency_us = 10000};

    talk_open(&t, 1, &slow);
    sim_run_until(t.sim, 25000);
    sim_cut_all(t.sim);
    ck_assert(sim_run_until_quiet(t.sim, 1000000));
    ck_assert_uint_eq(t.server.got, 0);
    ck_assert_int_eq(t.client.end, -ECONNRESET);
    ck_assert_int_eq(t.server.end, -ECONNRESET);
    talk_close(&t);
}
END_TEST

START_TEST(test_network_down_and_nobody_there)
{
    static struct talk t;
    struct sim_options slow = {.latency_us = 10000};

    talk_open(&t, 1, &slow);
    sim_net_down(t.sim, 5000000);
    sim_run_until(t.sim, 4999999);
    ck_assert_str_eq(sim_trace_text(t.sim), "");
    ck_assert(sim_run_until_quiet(t.sim, 10000000));
    ck_assert_uint_eq(t.client.got, BYTES);
    talk_close(&t);

    talk_open(&t, 1, &slow);
    t.server.env->ops->close_listener(t.listener);
    ck_assert(sim_run_until_quiet(t.sim, 1000000));
    ck_assert_int_eq(t.client.end, -ECONNREFUSED);
    talk_close(&t);
}
END_TEST

START_TEST(test_leaks_are_counted)
{
    static struct talk t;
    struct sim_options polite = {.latency_us = 10000};

    talk_open(&t, 1, &polite);
    sim_run_until(t.sim, 5000);
    ck_assert_uint_eq(sim_free(t.sim), 4); /* two hosts, a listener, a stream */
}
END_TEST

START_TEST(test_wall_clock_and_names)
{
    struct sim_options polite = {0};
    sim_t *sim = sim_new(1, &polite);
    gap_env_t *env = sim_env_open(sim, gap_alloc_default());
    uint64_t wall = gap_env_wall_us(env);

    sim_run_for(sim, 1000);
    sim_shift_wall(env, -500);
    ck_assert_uint_eq(gap_env_wall_us(env), wall + 500);
    ck_assert_uint_eq(gap_env_now_us(env), 1000);
    sim_env_close(env, NULL, NULL);
    ck_assert(sim_run_until_quiet(sim, GAP_ENV_NEVER - 1));
    ck_assert_uint_eq(sim_free(sim), 0);
}
END_TEST

/* The budget of a world is 5 ms of processor; this one has some hundred callbacks. */
START_TEST(test_a_world_is_cheap)
{
    static struct talk t;
    clock_t before = clock();

    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct sim_options rough = sim_options_rough(seed);
        talk_open(&t, seed, &rough);
        ck_assert(sim_run_until_quiet(t.sim, 3600ULL * 1000000));
        talk_close(&t);
    }
    double ms = 1e3 * (double)(clock() - before) / CLOCKS_PER_SEC / 200;
    printf("a world costs %.3f ms of processor\n", ms);
    ck_assert_msg(ms < 50.0, "%.3f ms a world", ms); /* ten times the budget, for sanitizers */
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("sim_env");
    TCase *tc = tcase_create("world");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_one_seed_one_world);
    tcase_add_test(tc, test_golden_trace_of_a_polite_world);
    tcase_add_test(tc, test_cut_at_each_byte);
    tcase_add_test(tc, test_cut_all_loses_what_is_in_flight);
    tcase_add_test(tc, test_network_down_and_nobody_there);
    tcase_add_test(tc, test_leaks_are_counted);
    tcase_add_test(tc, test_wall_clock_and_names);
    tcase_add_test(tc, test_a_world_is_cheap);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
