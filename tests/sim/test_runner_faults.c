/*
 * The runner when things fail: each allocation in turn, and random worlds that end at any moment.
 * Whatever happens, no update is lost, none is handled twice where nothing failed, and the updates
 * of a chat are handled in their order.
 */
#include "runner_world.h"

#include "base/prng.h"

#include <string.h>

#define COUNT 40

static int order[RW_UPDATES]; /* of a chat: the last one that was handled well */

static void plan_all(void)
{
    static const enum rw_act acts[] = {RW_DONE,   RW_LATER,      RW_THREAD, RW_FAIL,
                                       RW_INSIDE, RW_LATER_FAIL, RW_REPLY};

    for (int i = 1; i <= COUNT; i++) {
        struct rw_update *u = rw_make(i, 1 + i % 5);
        enum rw_act first = acts[i % 7];
        rw_plan(u, first, (uint64_t)(i % 3 + 1) * RW_MS);
        if (first == RW_FAIL || first == RW_LATER_FAIL) rw_plan(u, RW_LATER, RW_MS);
        if (i % 11 == 0) {
            u->keys[0] = 77;
            u->keys[1] = 78;
            u->keys[2] = (uint64_t)i;
            u->key_count = 3;
        }
    }
}

static const gap_runner_config_t quick = {
    .retry_min_us = 5 * RW_MS, .retry_max_us = 5 * RW_MS, .waiting_max = 30, .threads = 2};

/* @return false: the runner could not be opened. */
static bool live(long fail_at, bool go_on)
{
    rw_world();
    rw_quiet = true;
    rw_fault.fail_at = rw_fault.calls + fail_at;
    rw_fault.fail_on = go_on;
    int r = rw_open(&quick);
    if (r < 0) {
        ck_assert_int_eq(r, GAP_E_NOMEM);
        rw_fault.fail_at = 0;
        ck_assert_int_eq(rw_open(&quick), 0);
        rw_end();
        return false;
    }
    plan_all();
    for (int i = 1; i <= COUNT; i++) {
        rw_take(&rw_updates[i]);
        if (i % 8 == 0) rw_run(1);
    }
    rw_run(20);
    rw_fault.fail_on = false; /* there is memory again */
    rw_fault.fail_at = 0;
    rw_run(3000);
    for (int i = 1; i <= COUNT; i++)
        ck_assert_msg(rw_updates[i].handled == 1, "update %d handled %d times", i,
                      rw_updates[i].handled);
    ck_assert(!rw_held);
    rw_end();
    return true;
}

START_TEST(each_allocation_may_fail)
{
    for (long n = 1 + _i; n <= 200; n += 4) (void)live(n, false);
}
END_TEST

START_TEST(all_allocations_may_fail_for_a_while)
{
    for (long n = 1 + _i; n <= 200; n += 4) (void)live(n, true);
}
END_TEST

/* ---- random worlds ---- */

static gap_prng_t dice;

static uint64_t below(uint64_t n)
{
    return gap_prng_below(&dice, n);
}

static void plan_random(struct rw_update *u)
{
    static const enum rw_act acts[] = {RW_DONE,       RW_LATER, RW_THREAD, RW_FAIL, RW_INSIDE,
                                       RW_LATER_FAIL, RW_REPLY, RW_HANG,   RW_DONE, RW_LATER};

    for (int i = 0; i < 3; i++) rw_plan(u, acts[below(10)], below(20) * RW_MS);
    if (below(4) > 0) return;
    u->key_count = (int)below(GAP_RUNNER_KEYS_MAX) + 1;
    for (int k = 0; k < u->key_count; k++) u->keys[k] = 1 + below(6);
}

/* One chat at a time, in the order of arrival: what begins is behind everything that was through.
 */
static void in_order(struct rw_update *u, gap_update_t *run)
{
    if (u->key_count != 0) return;
    int *last = &order[gap_update_channel_id(run)];
    ck_assert_int_ge(u->label, *last);
    *last = u->label;
}

static void release_all(int count)
{
    for (int i = 1; i <= count; i++) {
        struct rw_update *u = &rw_updates[i];
        while (u->hung_count > 0) rw_unhang(u, --u->hung_count, below(2) == 0 ? 0 : GAP_E_STATE);
    }
}

static void do_something(int *taken, int count)
{
    switch (below(8)) {
    case 0:
        gap_runner_pause(rw_runner);
        break;
    case 1:
        gap_runner_resume(rw_runner);
        break;
    case 2:
        gap_runner_set_concurrency(rw_runner, (uint32_t)below(5) + 1);
        break;
    case 3:
        rw_run(below(30));
        break;
    case 4: {
        struct rw_update *u = &rw_updates[1 + below((uint64_t)*taken + 1)];
        if (u->hung_count > 0) rw_unhang(u, --u->hung_count, 0);
        break;
    }
    default:
        if (*taken == count) return;
        struct rw_update *u = rw_make(++*taken, 1 + (int64_t)below(4));
        plan_random(u);
        u->inside = in_order;
        rw_take(u);
    }
}

START_TEST(random_worlds_end_at_any_moment)
{
    for (int seed = 0; seed < gap_test_seeds(40); seed++) {
        const int count = 100;
        gap_runner_config_t config = {.attempts_max = 3,
                                      .retry_min_us = 3 * RW_MS,
                                      .retry_max_us = 10 * RW_MS,
                                      .timeout_us = 40 * RW_MS,
                                      .threads = 2};
        int taken = 0;
        dice.state = (uint64_t)_i * 1000 + (uint64_t)seed;
        config.concurrency = (uint32_t)below(4) + 1;
        config.waiting_max = (uint32_t)below(60) + 4;
        memset(order, 0, sizeof order);
        rw_begin(&config);
        rw_quiet = true;
        uint64_t steps = below(300);
        for (uint64_t i = 0; i < steps; i++) do_something(&taken, count);
        if (below(2) == 0) rw_drain(sim_now_us(rw_sim) / 1000 + below(100));
        if (below(2) == 0) rw_run(below(200));
        rw_close();
        rw_run(below(3));
        release_all(taken);
        rw_run(100);
        release_all(taken);
        rw_end();
    }
}
END_TEST

START_TEST(random_worlds_finish_everything)
{
    for (int seed = 0; seed < gap_test_seeds(20); seed++) {
        const int count = 100;
        const gap_runner_config_t config = {.attempts_max = 3,
                                            .retry_min_us = 3 * RW_MS,
                                            .retry_max_us = 10 * RW_MS,
                                            .timeout_us = 40 * RW_MS,
                                            .threads = 2,
                                            .waiting_max = 20};
        int taken = 0;
        dice.state = (uint64_t)_i * 77777 + (uint64_t)seed;
        memset(order, 0, sizeof order);
        rw_begin(&config);
        rw_quiet = true;
        while (taken < count) do_something(&taken, count);
        gap_runner_resume(rw_runner);
        gap_runner_set_concurrency(rw_runner, 3);
        rw_run(20000);
        gap_runner_stats_t s = rw_stats();
        ck_assert_uint_eq(s.depth, 0);
        ck_assert_uint_eq(s.lanes, 0);
        ck_assert_uint_eq(s.running, 0);
        ck_assert_uint_eq(s.pinned_bytes, 0);
        ck_assert_uint_eq(s.handled + s.dead, (uint64_t)count);
        ck_assert(!rw_held);
        release_all(taken);
        rw_run(10);
        ck_assert_uint_eq(rw_stats().overran, 0);
        rw_end();
    }
}
END_TEST

/* With a journal, bytes that are let go, commits that fail, retries in any order. */
START_TEST(random_worlds_with_a_journal_finish_everything)
{
    for (int seed = 0; seed < gap_test_seeds(10); seed++) {
        const int count = 100;
        const gap_runner_config_t config = {.attempts_max = 3,
                                            .retry_min_us = 3 * RW_MS,
                                            .retry_max_us = 10 * RW_MS,
                                            .timeout_us = 300 * RW_MS,
                                            .threads = 2,
                                            .journal_after_us = 20 * RW_MS,
                                            .journal = (gap_journal_mode_t)(seed % 3),
                                            .unordered_retry = seed % 2 == 0,
                                            .pinned_max = 4096,
                                            .waiting_max = 60};
        int taken = 0;
        dice.state = (uint64_t)_i * 31337 + (uint64_t)seed;
        memset(order, 0, sizeof order);
        rw_begin_kept(&config, seed % 5 == 0);
        rw_quiet = true;
        while (taken < count) {
            if (below(20) == 0) rw_commits_fail = (int)below(3);
            int before = taken;
            do_something(&taken, count);
            if (taken > before && config.unordered_retry) rw_updates[taken].inside = NULL;
        }
        gap_runner_resume(rw_runner);
        gap_runner_set_concurrency(rw_runner, 3);
        rw_run(60000);
        gap_runner_stats_t s = rw_stats();
        ck_assert_uint_eq(s.depth, 0);
        ck_assert_uint_eq(s.spilled, 0);
        ck_assert_uint_eq(s.pinned_bytes, 0);
        ck_assert_uint_eq(s.handled + s.dead, (uint64_t)count);
        ck_assert(!rw_held);
        ck_assert_int_eq(rw_rows(GAP_RECORD_INBOX), 0);
        ck_assert_int_eq(rw_rows(GAP_RECORD_DEAD), (int)s.dead);
        release_all(taken);
        rw_end();
        rw_forget_disk();
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("runner_faults");
    TCase *t = tcase_create("faults");

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, each_allocation_may_fail, 0, 4);
    tcase_add_loop_test(t, all_allocations_may_fail_for_a_while, 0, 4);
    tcase_add_loop_test(t, random_worlds_end_at_any_moment, 0, 4);
    tcase_add_loop_test(t, random_worlds_finish_everything, 0, 4);
    tcase_add_loop_test(t, random_worlds_with_a_journal_finish_everything, 0, 4);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
