/*
 * The runner: order in a lane, lanes side by side, several keys, failures, time-outs, and what a
 * handler may do from inside.
 */
#include "runner_world.h"

#include <string.h>

static bool comes_before(const char *a, const char *b)
{
    const char *first = strstr(rw_trace(), a);
    const char *second = strstr(rw_trace(), b);
    return first != NULL && second != NULL && first < second;
}

START_TEST(what_is_handled_at_once_leaves_nothing_behind)
{
    rw_begin(NULL);
    long calls = 0;
    for (int i = 1; i <= 3; i++) {
        struct rw_update *u = rw_make(i, 7);
        ck_assert_int_eq(rw_take(u), 0);
        if (i == 1) calls = rw_fault.calls;
    }
    ck_assert_int_eq((int)(rw_fault.calls - calls), 0);
    gap_runner_stats_t s = rw_stats();
    ck_assert_uint_eq(s.depth, 0);
    ck_assert_uint_eq(s.lanes, 0);
    ck_assert_uint_eq(s.at_once, 3);
    ck_assert_uint_eq(s.handled, 3);
    rw_expect("[   0] begin 1\n[   0] through 1\n[   0] begin 2\n[   0] through 2\n"
              "[   0] begin 3\n[   0] through 3\n");
    rw_end();
}
END_TEST

START_TEST(a_chat_is_handled_in_order_and_another_beside_it)
{
    rw_begin(NULL);
    rw_send(1, 7, RW_LATER, 10 * RW_MS);
    rw_send(2, 7, RW_LATER, 10 * RW_MS);
    rw_send(3, 8, RW_LATER, 5 * RW_MS);
    rw_send(4, 7, RW_DONE, 0);
    ck_assert_uint_eq(
        gap_runner_lane_depth(rw_runner, gap_runner_chat_key((gap_peer_t){7, GAP_PEER_CHANNEL})),
        3);
    rw_run(100);
    rw_expect("[   0] begin 1\n[   0] begin 3\n[   5] done 3\n[   5] through 3\n"
              "[  10] done 1\n[  10] through 1\n[  10] begin 2\n[  20] done 2\n[  20] through 2\n"
              "[  20] begin 4\n[  20] through 4\n");
    ck_assert_uint_eq(rw_stats().lanes, 0);
    rw_end();
}
END_TEST

START_TEST(what_waits_holds_no_slot)
{
    const gap_runner_config_t config = {.concurrency = 2};

    rw_begin(&config);
    rw_send(1, 7, RW_LATER, 10 * RW_MS);
    for (int i = 2; i <= 5; i++) rw_send(i, 7, RW_LATER, 10 * RW_MS);
    rw_send(6, 8, RW_DONE, 0); /* four wait in lane 7, and yet there is a slot */
    rw_expect("[   0] begin 1\n[   0] begin 6\n[   0] through 6\n");
    ck_assert_uint_eq(rw_stats().running, 1);
    rw_run(100);
    rw_forget();
    rw_end();
}
END_TEST

START_TEST(slots_go_in_turn)
{
    const gap_runner_config_t config = {.concurrency = 1};

    rw_begin(&config);
    rw_send(1, 7, RW_LATER, RW_MS);
    rw_send(2, 7, RW_LATER, RW_MS);
    rw_send(3, 7, RW_LATER, RW_MS);
    rw_send(4, 8, RW_LATER, RW_MS);
    rw_run(10);
    rw_expect("[   0] begin 1\n[   1] done 1\n[   1] through 1\n[   1] begin 4\n[   2] done 4\n"
              "[   2] through 4\n[   2] begin 2\n[   3] done 2\n[   3] through 2\n[   3] begin 3\n"
              "[   4] done 3\n[   4] through 3\n");
    rw_end();
}
END_TEST

static struct rw_update *with_keys(struct rw_update *u, uint64_t a, uint64_t b)
{
    u->keys[0] = a;
    u->keys[1] = b;
    u->key_count = b == 0 ? 1 : 2;
    return u;
}

/* The pattern of Promise.all: one of several predecessors fails, the others go on. */
START_TEST(a_failing_predecessor_lets_nobody_pass_who_waits_for_several)
{
    const gap_runner_config_t config = {.attempts_max = 2, .retry_min_us = 20 * RW_MS};

    rw_begin(&config);
    struct rw_update *a = with_keys(rw_make(1, 1), 100, 0);
    struct rw_update *b = with_keys(rw_make(2, 1), 200, 0);
    struct rw_update *both = with_keys(rw_make(3, 1), 100, 200);
    struct rw_update *behind = with_keys(rw_make(4, 1), 200, 0);
    rw_take(rw_plan(rw_plan(a, RW_LATER_FAIL, 5 * RW_MS), RW_LATER, 5 * RW_MS));
    rw_take(rw_plan(b, RW_LATER, 15 * RW_MS));
    rw_take(rw_plan(both, RW_LATER, 5 * RW_MS));
    rw_take(behind);
    rw_run(16);
    ck_assert_int_eq(both->begun, 0); /* 2 is through, 1 has failed and will be tried again */
    ck_assert_int_eq(behind->begun, 0);
    rw_run(100);
    ck_assert_int_eq(a->begun, 2);
    ck_assert_int_eq(both->handled, 1);
    ck_assert_int_eq(behind->handled, 1);
    ck_assert_ptr_nonnull(strstr(rw_trace(), "begin 1 again"));
    ck_assert(comes_before("through 1", "begin 3"));
    ck_assert(comes_before("through 3", "begin 4"));
    rw_end();
}
END_TEST

START_TEST(keys_the_other_way_round_make_no_circle)
{
    rw_begin(NULL);
    for (int i = 1; i <= 20; i++) {
        uint64_t a = i % 2 == 0 ? 100 : 200;
        rw_take(rw_plan(with_keys(rw_make(i, 1), a, 300 - a), RW_LATER, RW_MS));
    }
    rw_run(30);
    for (int i = 1; i <= 20; i++) ck_assert_int_eq(rw_updates[i].handled, 1);
    rw_end();
}
END_TEST

START_TEST(no_key_waits_for_nobody)
{
    rw_begin(NULL);
    struct rw_update *free = rw_plan(rw_make(1, 7), RW_LATER, 10 * RW_MS);
    free->key_count = RW_NO_KEY;
    rw_take(free);
    rw_send(2, 7, RW_DONE, 0);
    struct rw_update *also = rw_make(3, 7);
    also->key_count = RW_NO_KEY;
    rw_take(also);
    rw_expect("[   0] begin 1\n[   0] begin 2\n[   0] through 2\n[   0] begin 3\n"
              "[   0] through 3\n");
    rw_run(30);
    rw_end();
}
END_TEST

/* ---- failures ---- */

START_TEST(a_failed_run_keeps_its_lane_until_it_is_a_dead_letter)
{
    const gap_runner_config_t config = {
        .attempts_max = 3, .retry_min_us = 100 * RW_MS, .retry_max_us = 100 * RW_MS};

    rw_begin(&config);
    struct rw_update *poison = rw_send(1, 7, RW_FAIL, 0);
    struct rw_update *next = rw_send(2, 7, RW_DONE, 0);
    struct rw_update *other = rw_send(3, 8, RW_DONE, 0);
    rw_run(1);
    rw_expect("[   0] begin 1\n[   0] failed 1\n[   0] begin 3\n[   0] through 3\n");
    rw_run(300);
    ck_assert_int_eq(poison->begun, 3);
    ck_assert(poison->through);
    ck_assert_int_eq(next->handled, 1);
    ck_assert_int_eq(other->handled, 1);
    ck_assert(comes_before("dead 1", "begin 2"));
    gap_runner_stats_t s = rw_stats();
    ck_assert_uint_eq(s.dead, 1);
    ck_assert_uint_eq(s.failed, 3);
    ck_assert_uint_eq(s.retried, 2);
    ck_assert_uint_eq(s.handled, 2);
    rw_end();
}
END_TEST

START_TEST(the_pause_doubles_up_to_its_cap_with_jitter)
{
    const gap_runner_config_t config = {
        .attempts_max = 8, .retry_min_us = RW_S, .retry_max_us = 8 * RW_S};
    uint64_t begun[9] = {0};
    static const uint64_t most[] = {0, 1, 2, 4, 8, 8, 8, 8};

    rw_begin(&config);
    struct rw_update *u = rw_send(1, 7, RW_FAIL, 0);
    for (int n = 1; n < 8; n++) {
        begun[n] = sim_now_us(rw_sim);
        while (u->begun == n) rw_run(1);
        uint64_t pause = sim_now_us(rw_sim) - begun[n];
        ck_assert_uint_le(pause, most[n] * RW_S + RW_MS);
        ck_assert_uint_ge(pause, most[n] * RW_S / 2 - RW_MS);
    }
    rw_end();
}
END_TEST

START_TEST(an_unordered_retry_lets_later_ones_pass)
{
    const gap_runner_config_t config = {.unordered_retry = true, .retry_min_us = 100 * RW_MS};

    rw_begin(&config);
    struct rw_update *u = rw_plan(rw_make(1, 7), RW_LATER_FAIL, RW_MS);
    rw_take(rw_plan(u, RW_DONE, 0));
    rw_send(2, 7, RW_DONE, 0);
    rw_run(2);
    rw_expect("[   0] begin 1\n[   1] fail 1\n[   1] failed 1\n[   1] begin 2\n"
              "[   1] through 2\n");
    ck_assert_uint_eq(rw_stats().depth, 1);
    ck_assert_uint_eq(rw_stats().retrying, 1);
    rw_run(200);
    ck_assert_int_eq(u->handled, 1);
    rw_end();
}
END_TEST

/* ---- time-outs ---- */

START_TEST(a_hanging_handler_frees_its_lane_when_it_times_out)
{
    const gap_runner_config_t config = {
        .timeout_us = 50 * RW_MS, .attempts_max = 2, .retry_min_us = 10 * RW_MS};

    rw_begin(&config);
    struct rw_update *u = rw_send(1, 7, RW_HANG, 0);
    struct rw_update *next = rw_send(2, 7, RW_DONE, 0);
    rw_run(200);
    ck_assert_int_eq(u->begun, 2);
    ck_assert_int_eq(next->handled, 1);
    ck_assert(!u->through); /* its bytes are looked at */
    gap_runner_stats_t s = rw_stats();
    ck_assert_uint_eq(s.timed_out, 2);
    ck_assert_uint_eq(s.overran, 2);
    ck_assert_uint_eq(s.dead, 1);
    ck_assert_uint_eq(s.depth, 0);
    ck_assert(!gap_update_is_current(u->hung[0]));
    ck_assert_int_eq(gap_update_on_thread(u->hung[0], NULL, NULL), GAP_E_STATE);
    ck_assert_int_eq(gap_update_in_transaction(u->hung[0], NULL, NULL), GAP_E_STATE);
    ck_assert_int_eq(gap_run_hold(u->hung[0]), GAP_E_STATE);
    ck_assert_int_eq((int)gap_update_channel_id(u->hung[0]), 7); /* still readable */
    rw_forget();
    rw_unhang(u, 1, 0);
    rw_expect("[ 200] done 1 too late\n");
    rw_unhang(u, 0, GAP_E_STATE);
    rw_expect("[ 200] fail 1 too late\n[ 200] through 1\n");
    ck_assert_uint_eq(rw_stats().handled, 1);
    ck_assert_uint_eq(rw_stats().overran, 0);
    rw_end();
}
END_TEST

START_TEST(the_second_run_goes_on_while_the_first_one_hangs)
{
    const gap_runner_config_t config = {.timeout_us = 50 * RW_MS, .retry_min_us = 10 * RW_MS};

    rw_begin(&config);
    struct rw_update *u = rw_plan(rw_plan(rw_make(1, 7), RW_HANG, 0), RW_LATER, 20 * RW_MS);
    rw_take(u);
    rw_run(65);
    ck_assert_int_eq(u->begun, 2);
    rw_unhang(u, 0, 0); /* is refused: the second run counts */
    ck_assert_uint_eq(rw_stats().running, 1);
    ck_assert(!u->through);
    rw_run(50);
    ck_assert(u->through);
    ck_assert_int_eq(u->handled, 1);
    rw_end();
}
END_TEST

/* Values, errors and time-outs mixed: whatever becomes of one, those behind it run. */
START_TEST(after_values_errors_and_timeouts_the_later_ones_of_a_chat_run)
{
    const gap_runner_config_t config = {.timeout_us = 30 * RW_MS,
                                        .attempts_max = 2,
                                        .retry_min_us = 10 * RW_MS,
                                        .retry_max_us = 10 * RW_MS};
    static const enum rw_act acts[] = {RW_DONE,   RW_FAIL,       RW_HANG,  RW_LATER,
                                       RW_INSIDE, RW_LATER_FAIL, RW_THREAD};

    rw_begin(&config);
    rw_quiet = true;
    for (int i = 1; i <= 84; i++) rw_send(i, 7 + i % 4, acts[i % 7], 3 * RW_MS);
    rw_run(20000);
    for (int i = 1; i <= 84; i++) {
        struct rw_update *u = &rw_updates[i];
        bool well =
            acts[i % 7] != RW_FAIL && acts[i % 7] != RW_HANG && acts[i % 7] != RW_LATER_FAIL;
        ck_assert_int_eq(u->handled, well ? 1 : 0);
        ck_assert_int_eq(u->begun, well ? 1 : 2);
        for (int h = 0; h < u->hung_count; h++) rw_unhang(u, h, 0);
        ck_assert(u->through);
    }
    ck_assert_uint_eq(rw_stats().lanes, 0);
    rw_end();
}
END_TEST

/* ---- from inside ---- */

static void done_inside_close(struct rw_update *u, gap_update_t *run)
{
    (void)u;
    (void)run;
    rw_close();
}

START_TEST(close_from_inside_a_handler)
{
    static const enum rw_act acts[] = {RW_DONE, RW_FAIL, RW_LATER, RW_INSIDE, RW_HANG, RW_THREAD};

    for (size_t first = 0; first < 2; first++) {
        rw_begin(NULL);
        if (first == 1) rw_send(9, 8, RW_LATER, 5 * RW_MS); /* lanes are there already */
        struct rw_update *u = rw_plan(rw_make(1, 7), acts[_i], 3 * RW_MS);
        u->inside = done_inside_close;
        rw_take(u);
        rw_take(rw_make(2, 7));
        rw_run(1);
        if (acts[_i] == RW_HANG) {
            ck_assert_int_eq(rw_closed, 0);
            rw_unhang(u, 0, 0);
        }
        rw_run(20);
        ck_assert_int_eq(rw_updates[2].begun, 0);
        rw_updates[2].taken = rw_updates[2].through; /* it may be with whoever brought it */
        rw_end();
    }
}
END_TEST

static void pause_inside(struct rw_update *u, gap_update_t *run)
{
    (void)u;
    (void)run;
    gap_runner_pause(rw_runner);
}

START_TEST(pause_and_resume)
{
    rw_begin(NULL);
    struct rw_update *u = rw_make(1, 7);
    u->inside = pause_inside;
    rw_take(u);
    rw_send(2, 8, RW_DONE, 0);
    rw_run(5);
    rw_expect("[   0] begin 1\n[   0] through 1\n");
    ck_assert(rw_stats().paused);
    ck_assert_uint_eq(rw_stats().oldest_us, 5 * RW_MS);
    gap_runner_resume(rw_runner);
    rw_run(1);
    rw_expect("[   5] begin 2\n[   5] through 2\n");
    rw_end();
}
END_TEST

START_TEST(a_reply_holds_its_run_open)
{
    const gap_runner_config_t config = {.retry_min_us = 10 * RW_MS, .retry_max_us = 10 * RW_MS};

    rw_begin(&config);
    struct rw_update *u = rw_plan_result(rw_make(1, 7), RW_REPLY, 5 * RW_MS, GAP_E_DISCONNECTED);
    rw_take(rw_plan(u, RW_REPLY, 5 * RW_MS));
    rw_send(2, 7, RW_DONE, 0);
    rw_run(4);
    rw_expect("[   0] begin 1\n");
    rw_run(2);
    rw_expect("[   5] answered 1 badly\n[   5] failed 1\n");
    rw_run(50);
    ck_assert_int_eq(u->handled, 1);
    ck_assert(comes_before("through 1", "begin 2"));
    rw_end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("runner_lanes");
    TCase *t = tcase_create("lanes");

    tcase_add_test(t, what_is_handled_at_once_leaves_nothing_behind);
    tcase_add_test(t, a_chat_is_handled_in_order_and_another_beside_it);
    tcase_add_test(t, what_waits_holds_no_slot);
    tcase_add_test(t, slots_go_in_turn);
    tcase_add_test(t, a_failing_predecessor_lets_nobody_pass_who_waits_for_several);
    tcase_add_test(t, keys_the_other_way_round_make_no_circle);
    tcase_add_test(t, no_key_waits_for_nobody);
    tcase_add_test(t, a_failed_run_keeps_its_lane_until_it_is_a_dead_letter);
    tcase_add_test(t, the_pause_doubles_up_to_its_cap_with_jitter);
    tcase_add_test(t, an_unordered_retry_lets_later_ones_pass);
    tcase_add_test(t, a_hanging_handler_frees_its_lane_when_it_times_out);
    tcase_add_test(t, the_second_run_goes_on_while_the_first_one_hangs);
    tcase_add_test(t, after_values_errors_and_timeouts_the_later_ones_of_a_chat_run);
    tcase_add_loop_test(t, close_from_inside_a_handler, 0, 6);
    tcase_add_test(t, pause_and_resume);
    tcase_add_test(t, a_reply_holds_its_run_open);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
