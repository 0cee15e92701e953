/*
 * tests/unit/test_loop.c - the actor base: signals, closing, timers, budget, statistics. Driven by
 * hand where the order matters, in the virtual world where the environment matters.
 */
#include "tests/check_main.h"

#include "base/prng.h"
#include "loops/loop.h"
#include "tests/sim/sim_env.h"

#include <string.h>

struct actor {
    gap_loop_t loop;
    gap_timer_t timer;
    int runs;
    int closed;
    int fired;
    int again; /* signal itself so many times */
    bool wait;
    int drops;          /* children to end in later runs of others */
    struct actor *poke; /* signal this one from run */
    char *log;
    char letter;
};

static struct actor *actor_of(gap_loop_t *loop)
{
    return GAP_CONTAINER_OF(loop, struct actor, loop);
}

static void actor_run(gap_rt_t *rt, gap_loop_t *loop)
{
    struct actor *a = actor_of(loop);

    ck_assert_int_eq(loop->state, GAP_LOOP_RUNNING);
    a->runs++;
    if (a->log != NULL) strncat(a->log, &a->letter, 1);
    if (a->poke != NULL) gap_loop_signal(rt, &a->poke->loop);
    if (a->wait) gap_loop_wait(loop);
    if (a->again > 0) {
        a->again--;
        gap_loop_signal(rt, loop);
    }
}

static void actor_closed(gap_rt_t *rt, gap_loop_t *loop)
{
    struct actor *a = actor_of(loop);

    (void)rt;
    ck_assert_int_eq(loop->state, GAP_LOOP_CLOSED);
    ck_assert_int_eq(loop->children, 0);
    a->closed++;
}

static const struct gap_loop_class actor_class = {"actor", actor_run, actor_closed};

static void actor_fired(gap_rt_t *rt, gap_timer_t *t)
{
    (void)rt;
    GAP_CONTAINER_OF(t, struct actor, timer)->fired++;
}

static void actor_init(struct actor *a)
{
    memset(a, 0, sizeof *a);
    gap_loop_init(&a->loop, &actor_class);
    a->timer.fn = actor_fired;
}

/* ---- signals ---- */

START_TEST(test_signals_are_never_lost_and_never_piled_up)
{
    gap_rt_t rt;
    struct actor a;

    gap_rt_init(&rt, gap_alloc_default(), NULL);
    actor_init(&a);
    ck_assert_uint_eq(gap_rt_deadline_us(&rt), GAP_ENV_NEVER);
    for (int i = 0; i < 1000; i++) gap_loop_signal(&rt, &a.loop); /* a storm is one wake-up */
    ck_assert_int_eq(a.runs, 0);
    ck_assert_int_eq(a.loop.state, GAP_LOOP_READY);
    ck_assert_uint_eq(gap_rt_deadline_us(&rt), 0);
    ck_assert(!gap_rt_tick(&rt, 1, true));
    ck_assert_int_eq(a.runs, 1);
    ck_assert_int_eq(a.loop.state, GAP_LOOP_PAUSED);
    a.again = 1; /* signalled while it runs: again when the batch ends */
    gap_loop_signal(&rt, &a.loop);
    ck_assert(!gap_rt_tick(&rt, 2, true));
    ck_assert_int_eq(a.runs, 3);
    a.wait = true;
    gap_loop_signal(&rt, &a.loop);
    ck_assert(!gap_rt_tick(&rt, 3, true));
    ck_assert_int_eq(a.loop.state, GAP_LOOP_WAITING);
    a.wait = false;
    gap_loop_signal(&rt, &a.loop);
    ck_assert(!gap_rt_tick(&rt, 4, true));
    ck_assert_int_eq(a.runs, 5);
    ck_assert_int_eq(a.loop.state, GAP_LOOP_PAUSED);
    gap_loop_close(&rt, &a.loop);
    ck_assert(!gap_rt_tick(&rt, 5, true));
    ck_assert_int_eq(a.closed, 1);
    gap_rt_fini(&rt);
    gap_rt_fini(&rt);
}
END_TEST

START_TEST(test_ready_loops_run_in_the_order_of_their_signals)
{
    gap_rt_t rt;
    struct actor a[3];
    char log[16] = "";

    gap_rt_init(&rt, gap_alloc_default(), NULL);
    for (int i = 0; i < 3; i++) {
        actor_init(&a[i]);
        a[i].log = log;
        a[i].letter = (char)('a' + i);
    }
    a[2].again = 2; /* has more to do, but siblings come first */
    a[0].poke = &a[1];
    gap_loop_signal(&rt, &a[2].loop);
    gap_loop_signal(&rt, &a[0].loop);
    ck_assert(!gap_rt_tick(&rt, 1, true));
    ck_assert_str_eq(log, "cacbc");
    for (int i = 0; i < 3; i++) gap_loop_close(&rt, &a[i].loop);
    ck_assert(!gap_rt_tick(&rt, 2, true));
    gap_rt_fini(&rt);
}
END_TEST

/* ---- closing ---- */

START_TEST(test_close_waits_for_children)
{
    gap_rt_t rt;
    struct actor a;

    gap_rt_init(&rt, gap_alloc_default(), NULL);
    actor_init(&a);
    gap_loop_hold(&a.loop);
    gap_loop_hold(&a.loop);
    gap_loop_close(&rt, &a.loop);
    gap_loop_close(&rt, &a.loop);
    ck_assert(gap_loop_is_closing(&a.loop));
    gap_loop_signal(&rt, &a.loop); /* no-op */
    ck_assert(!gap_rt_tick(&rt, 1, true));
    gap_loop_drop(&rt, &a.loop);
    ck_assert(!gap_rt_tick(&rt, 2, true));
    ck_assert_int_eq(a.closed, 0);
    gap_loop_drop(&rt, &a.loop);
    ck_assert_msg(a.closed == 0, "closed never runs from inside drop");
    gap_loop_hold(&a.loop); /* a child of the last moment */
    ck_assert(!gap_rt_tick(&rt, 3, true));
    ck_assert_int_eq(a.closed, 0);
    gap_loop_drop(&rt, &a.loop);
    ck_assert(!gap_rt_tick(&rt, 4, true));
    ck_assert_int_eq(a.closed, 1);
    ck_assert_int_eq(a.runs, 0);
    gap_loop_close(&rt, &a.loop);
    gap_loop_signal(&rt, &a.loop);
    ck_assert(!gap_rt_tick(&rt, 5, true));
    ck_assert_int_eq(a.closed, 1);
    gap_rt_fini(&rt);
}
END_TEST

#define ACTORS 8

/* A small world of actors that signal, hold and drop at random; close begins at step `close_at`. */
struct crowd {
    gap_rt_t rt;
    struct actor actors[ACTORS];
    int held[ACTORS];
    gap_prng_t dice;
};

static size_t crowd_choose(void *arg, size_t count)
{
    return gap_prng_below(&((struct crowd *)arg)->dice, count);
}

static void crowd_step(struct crowd *c)
{
    size_t i = gap_prng_below(&c->dice, ACTORS);
    struct actor *a = &c->actors[i];

    if (a->closed > 0) return;
    switch (gap_prng_below(&c->dice, 5)) {
    case 0:
        gap_loop_signal(&c->rt, &a->loop);
        break;
    case 1:
        if (gap_loop_is_closing(&a->loop)) break;
        gap_loop_hold(&a->loop);
        c->held[i]++;
        break;
    case 2:
        if (c->held[i] == 0) break;
        c->held[i]--;
        gap_loop_drop(&c->rt, &a->loop);
        break;
    case 3:
        if (gap_loop_is_closing(&a->loop)) break;
        ck_assert_int_eq(gap_timer_start(&c->rt, &a->timer, gap_prng_below(&c->dice, 300)), 0);
        break;
    default:
        a->again = (int)gap_prng_below(&c->dice, 3);
        break;
    }
}

static void crowd_close(struct crowd *c)
{
    for (size_t i = 0; i < ACTORS; i++) {
        gap_timer_stop(&c->rt, &c->actors[i].timer);
        gap_loop_close(&c->rt, &c->actors[i].loop);
    }
}

START_TEST(test_close_at_any_step)
{
    for (int close_at = 0; close_at < 200; close_at++) {
        static struct crowd c;
        memset(&c, 0, sizeof c);
        c.dice.state = (uint64_t)close_at;
        gap_rt_init(&c.rt, gap_alloc_default(), NULL);
        c.rt.choose = crowd_choose;
        c.rt.choose_arg = &c;
        for (size_t i = 0; i < ACTORS; i++) {
            actor_init(&c.actors[i]);
            c.actors[i].timer.after_drain = i % 2 == 0;
        }
        for (int step = 0; step < 260; step++) {
            if (step == close_at) crowd_close(&c);
            if (step % 3 == 0)
                (void)gap_rt_tick(&c.rt, (uint64_t)step, gap_prng_below(&c.dice, 2) == 0);
            crowd_step(&c);
        }
        for (size_t i = 0; i < ACTORS; i++) {
            while (c.held[i]-- > 0) gap_loop_drop(&c.rt, &c.actors[i].loop);
        }
        ck_assert_msg(!gap_rt_tick(&c.rt, 1000, true), "closed at %d", close_at);
        for (size_t i = 0; i < ACTORS; i++)
            ck_assert_msg(c.actors[i].closed == 1, "closed at %d: actor %zu closed %d times",
                          close_at, i, c.actors[i].closed);
        gap_rt_fini(&c.rt);
    }
}
END_TEST

/* ---- timers ---- */

START_TEST(test_timers_fire_at_their_deadlines)
{
    gap_rt_t rt;
    struct actor a[4];

    gap_rt_init(&rt, gap_alloc_default(), NULL);
    for (int i = 0; i < 4; i++) {
        actor_init(&a[i]);
        ck_assert_int_eq(gap_timer_start(&rt, &a[i].timer, 100 * (uint64_t)(i + 1)), 0);
    }
    ck_assert_uint_eq(gap_rt_deadline_us(&rt), 100);
    ck_assert(!gap_rt_tick(&rt, 99, true));
    ck_assert_int_eq(a[0].fired, 0);
    ck_assert(!gap_rt_tick(&rt, 100, true));
    ck_assert_int_eq(a[0].fired, 1);
    ck_assert_int_eq(gap_timer_start(&rt, &a[1].timer, 1000), 0); /* later than it was */
    gap_timer_stop(&rt, &a[2].timer);
    gap_timer_stop(&rt, &a[2].timer);
    ck_assert_uint_eq(gap_rt_deadline_us(&rt), 400);
    ck_assert(!gap_rt_tick(&rt, 999, false));
    ck_assert_int_eq(a[1].fired, 0);
    ck_assert_int_eq(a[2].fired, 0);
    ck_assert_int_eq(a[3].fired, 1);
    ck_assert(!gap_rt_tick(&rt, 1000, true));
    ck_assert_int_eq(a[1].fired, 1);
    ck_assert_uint_eq(gap_rt_deadline_us(&rt), GAP_ENV_NEVER);
    gap_rt_fini(&rt);
}
END_TEST

/* Noticed in one tick, fired in a later one whose poll left nothing. */
static const struct {
    const char *turns; /* d = drained, u = not; the deadline has passed from the first on */
    int fires_at;      /* index, or -1 */
    const char *why;
} drain_cases[] = {
    {"d", -1, "the poll may have been before the deadline"},
    {"dd", 1, "the next poll left nothing"},
    {"ud", 1, "noticed in the timer phase"},
    {"uuuu", -1, "there is always more to read"},
    {"duud", 3, "waits for the drained one"},
};

START_TEST(test_after_drain_timers)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(drain_cases); i++) {
        gap_rt_t rt;
        struct actor a;
        int fired_at = -1;

        gap_rt_init(&rt, gap_alloc_default(), NULL);
        actor_init(&a);
        a.timer.after_drain = true;
        ck_assert_int_eq(gap_timer_start(&rt, &a.timer, 100), 0);
        ck_assert(!gap_rt_tick(&rt, 99, true));
        for (int k = 0; drain_cases[i].turns[k] != '\0'; k++) {
            bool more = gap_rt_tick(&rt, 100, drain_cases[i].turns[k] == 'd');
            if (a.fired > 0 && fired_at < 0) fired_at = k;
            ck_assert_msg(more == (a.fired == 0), "%s: waiting is something to do",
                          drain_cases[i].why);
        }
        ck_assert_msg(fired_at == drain_cases[i].fires_at, "%s: fired at %d", drain_cases[i].why,
                      fired_at);
        gap_timer_stop(&rt, &a.timer);
        ck_assert_uint_eq(gap_rt_deadline_us(&rt), GAP_ENV_NEVER);
        gap_rt_fini(&rt);
    }
}
END_TEST

START_TEST(test_restart_and_stop_of_an_expired_after_drain_timer)
{
    gap_rt_t rt;
    struct actor a;

    gap_rt_init(&rt, gap_alloc_default(), NULL);
    actor_init(&a);
    a.timer.after_drain = true;
    ck_assert_int_eq(gap_timer_start(&rt, &a.timer, 100), 0);
    ck_assert(gap_rt_tick(&rt, 100, true));
    ck_assert_int_eq(gap_timer_start(&rt, &a.timer, 200), 0); /* a new wait begins */
    ck_assert(!gap_rt_tick(&rt, 150, true));
    ck_assert(gap_rt_tick(&rt, 200, true));
    gap_timer_stop(&rt, &a.timer);
    ck_assert(!gap_rt_tick(&rt, 201, true));
    ck_assert_int_eq(a.fired, 0);
    gap_rt_fini(&rt);
}
END_TEST

static void restart_now(gap_rt_t *rt, gap_timer_t *t)
{
    GAP_CONTAINER_OF(t, struct actor, timer)->fired++;
    ck_assert_int_eq(gap_timer_start(rt, t, 0), 0);
}

START_TEST(test_a_timer_that_is_always_due_starves_nobody)
{
    gap_rt_t rt;
    struct actor greedy;
    struct actor other;

    gap_rt_init(&rt, gap_alloc_default(), NULL);
    actor_init(&greedy);
    actor_init(&other);
    greedy.timer.fn = restart_now;
    ck_assert_int_eq(gap_timer_start(&rt, &greedy.timer, 1), 0);
    ck_assert_int_eq(gap_timer_start(&rt, &other.timer, 2), 0);
    ck_assert(gap_rt_tick(&rt, 10, true));
    ck_assert_int_eq(greedy.fired, 1);
    ck_assert_int_eq(other.fired, 1);
    ck_assert_int_eq(gap_timer_start(&rt, &other.timer, 10), 0);
    ck_assert(gap_rt_tick(&rt, 11, true));
    ck_assert_int_eq(greedy.fired, 2);
    ck_assert_int_eq(other.fired, 2);
    gap_timer_stop(&rt, &greedy.timer);
    gap_rt_fini(&rt);
}
END_TEST

START_TEST(test_timer_start_out_of_memory)
{
    for (long nth = 1; nth <= 2; nth++) {
        gap_rt_t rt;
        struct actor a;
        struct fault_alloc f;

        fault_alloc_init(&f, nth);
        gap_rt_init(&rt, &f.alloc, NULL);
        actor_init(&a);
        ck_assert_int_eq(gap_timer_start(&rt, &a.timer, 5), GAP_E_NOMEM);
        ck_assert_uint_eq(gap_rt_deadline_us(&rt), GAP_ENV_NEVER);
        ck_assert_int_eq(gap_timer_reserve(&rt, 1), 0);
        f.fail_at = f.calls + 1; /* from here on a start needs no memory */
        f.fail_on = true;
        a.timer.after_drain = true;
        ck_assert_int_eq(gap_timer_start(&rt, &a.timer, 5), 0);
        ck_assert(gap_rt_tick(&rt, 5, false));
        ck_assert(!gap_rt_tick(&rt, 6, true));
        ck_assert_int_eq(a.fired, 1);
        gap_rt_fini(&rt);
        ck_assert_int_eq(f.live, 0);
    }
}
END_TEST

/* ---- with an environment ---- */

static void slow_run(gap_rt_t *rt, gap_loop_t *loop)
{
    struct actor *a = actor_of(loop);

    a->runs++;
    sim_stall(rt->env, 400);
    if (a->again-- > 0) gap_loop_signal(rt, loop);
}

static const struct gap_loop_class slow_class = {"slow", slow_run, actor_closed};

/* Two loops of 400 us a batch share a budget of 1,000 us: a tick ends after three batches. */
START_TEST(test_budget_yields_to_the_host_and_siblings_run)
{
    struct sim_options polite = {0};
    sim_t *sim = sim_new(1, &polite);
    gap_env_t *env = sim_env_open(sim, gap_alloc_default());
    gap_rt_t rt;
    struct actor a[2];

    gap_rt_init(&rt, gap_alloc_default(), env);
    for (int i = 0; i < 2; i++) {
        actor_init(&a[i]);
        a[i].loop.cls = &slow_class;
        a[i].again = 29;
        gap_loop_signal(&rt, &a[i].loop);
    }
    uint64_t before = sim_iterations(env);
    ck_assert(sim_step(sim, GAP_ENV_NEVER));
    ck_assert_int_eq(a[0].runs + a[1].runs, 3);
    ck_assert_int_ge(a[1].runs, 1);
    sim_run_for(sim, 1000000);
    ck_assert_int_eq(a[0].runs, 30);
    ck_assert_int_eq(a[1].runs, 30);
    ck_assert_uint_ge(sim_iterations(env) - before, 20);
    for (int i = 0; i < 2; i++) gap_loop_close(&rt, &a[i].loop);
    sim_run_for(sim, 1000);
    gap_rt_fini(&rt);
    sim_env_close(env, NULL, NULL);
    ck_assert(sim_run_until_quiet(sim, GAP_ENV_NEVER - 1));
    ck_assert_uint_eq(sim_free(sim), 0);
}
END_TEST

/* A timer a second for an hour: one iteration each, and none in between. */
static void every_second(gap_rt_t *rt, gap_timer_t *t)
{
    struct actor *a = GAP_CONTAINER_OF(t, struct actor, timer);

    ck_assert_uint_eq(gap_rt_now_us(rt), 1000000 * (uint64_t)++a->fired);
    if (a->fired < 3600) ck_assert_int_eq(gap_timer_start(rt, t, gap_rt_now_us(rt) + 1000000), 0);
}

START_TEST(test_no_iteration_without_something_due)
{
    struct sim_options polite = {0};
    sim_t *sim = sim_new(1, &polite);
    gap_env_t *env = sim_env_open(sim, gap_alloc_default());
    gap_rt_t rt;
    struct actor a;

    gap_rt_init(&rt, gap_alloc_default(), env);
    actor_init(&a);
    a.timer.fn = every_second;
    ck_assert_int_eq(gap_timer_start(&rt, &a.timer, 1000000), 0);
    sim_run_until(sim, 7200ULL * 1000000);
    ck_assert_int_eq(a.fired, 3600);
    ck_assert_uint_eq(sim_iterations(env), 3600);
    gap_rt_fini(&rt);
    sim_env_close(env, NULL, NULL);
    ck_assert(sim_run_until_quiet(sim, GAP_ENV_NEVER - 1));
    ck_assert_uint_eq(sim_free(sim), 0);
}
END_TEST

/* An environment whose processor clock we set: what is measured must be every entry. */
static uint64_t fake_cpu_us;
static uint64_t fake_cpu(gap_env_t *env)
{
    (void)env;
    return fake_cpu_us;
}

START_TEST(test_statistics_cover_every_entry)
{
    struct sim_options polite = {0};
    sim_t *sim = sim_new(1, &polite);
    gap_env_t *env = sim_env_open(sim, gap_alloc_default());
    struct gap_env_ops ops = *env->ops;
    gap_rt_t rt;

    ops.cpu_us = fake_cpu;
    env->ops = &ops;
    gap_rt_init(&rt, gap_alloc_default(), env);
    rt.measure = true;
    fake_cpu_us = 0;
    rt.host.enter(&rt); /* say, a read of 1,500 us */
    fake_cpu_us += 1500;
    rt.host.leave(&rt, false);
    fake_cpu_us += 100000; /* the host's own work is not ours */
    rt.host.enter(&rt);
    fake_cpu_us += 700;
    rt.host.leave(&rt, true);
    rt.host.enter(&rt);
    fake_cpu_us += 3;
    rt.host.leave(&rt, true);
    ck_assert_uint_eq(rt.stats.turns, 2);
    ck_assert_uint_eq(rt.stats.over_2ms, 1);
    ck_assert_uint_eq(rt.stats.max_us, 2200);
    ck_assert_uint_eq(rt.stats.histogram[12], 1); /* 2,048 to 4,095 */
    ck_assert_uint_eq(rt.stats.histogram[2], 1);  /* 2 and 3 */
    gap_rt_fini(&rt);
    sim_env_close(env, NULL, NULL);
    ck_assert(sim_run_until_quiet(sim, GAP_ENV_NEVER - 1));
    ck_assert_uint_eq(sim_free(sim), 0);
}
END_TEST

static void keep_line(void *data, gap_log_level_t level, const char *text)
{
    (void)level;
    (void)snprintf(data, 64, "%s", text);
}

START_TEST(test_log_levels)
{
    gap_rt_t rt;
    char line[64] = "";

    gap_rt_init(&rt, gap_alloc_default(), NULL);
    gap_rt_log(&rt, GAP_LOG_ERROR, "nobody listens");
    rt.log_cb = keep_line;
    rt.log_data = line;
    rt.log_level = GAP_LOG_WARN;
    gap_rt_log(&rt, GAP_LOG_INFO, "not wanted");
    ck_assert_str_eq(line, "");
    gap_rt_log(&rt, GAP_LOG_WARN, "wanted %d", 7);
    ck_assert_str_eq(line, "wanted 7");
    gap_rt_fini(&rt);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("loop");
    TCase *tc = tcase_create("actors");

    tcase_add_test(tc, test_signals_are_never_lost_and_never_piled_up);
    tcase_add_test(tc, test_ready_loops_run_in_the_order_of_their_signals);
    tcase_add_test(tc, test_close_waits_for_children);
    tcase_add_test(tc, test_close_at_any_step);
    tcase_add_test(tc, test_timers_fire_at_their_deadlines);
    tcase_add_test(tc, test_after_drain_timers);
    tcase_add_test(tc, test_restart_and_stop_of_an_expired_after_drain_timer);
    tcase_add_test(tc, test_a_timer_that_is_always_due_starves_nobody);
    tcase_add_test(tc, test_timer_start_out_of_memory);
    tcase_add_test(tc, test_budget_yields_to_the_host_and_siblings_run);
    tcase_add_test(tc, test_no_iteration_without_something_due);
    tcase_add_test(tc, test_statistics_cover_every_entry);
    tcase_add_test(tc, test_log_levels);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
