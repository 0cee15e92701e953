/*
 * The runner under load: back-pressure, pace, pause, urgent updates, those who pull, threads that
 * hang.
 */
#include "runner_world.h"

#include "sequence/updates.h"

#include <string.h>

static bool comes_before(const char *a, const char *b)
{
    const char *first = strstr(rw_trace(), a);
    const char *second = strstr(rw_trace(), b);
    return first != NULL && second != NULL && first < second;
}

/* ---- back-pressure ---- */

START_TEST(the_engine_is_held_at_the_limit_and_goes_on_at_three_quarters)
{
    const gap_runner_config_t config = {.waiting_max = 8};

    rw_begin(&config);
    for (int i = 1; i <= 7; i++) rw_send(i, 7, RW_LATER, 10 * RW_MS);
    ck_assert(!rw_held);
    rw_send(8, 7, RW_LATER, 10 * RW_MS);
    ck_assert(rw_held);
    ck_assert_ptr_nonnull(strstr(rw_trace(), "overloaded 8"));
    /* What is handed out in the same step is kept in front of the lanes, in its order. */
    rw_send(9, 8, RW_DONE, 0);
    rw_send(10, 8, RW_DONE, 0);
    ck_assert_int_eq(rw_updates[9].begun, 0);
    ck_assert_uint_eq(rw_stats().depth, 10);
    rw_run(11);
    ck_assert(rw_held); /* 7 of lane 7 and both others are in */
    ck_assert(comes_before("begin 9", "begin 10") || rw_updates[10].begun == 0);
    rw_run(20);
    ck_assert(!rw_held);
    ck_assert_uint_eq(rw_stats().overloads, 1);
    ck_assert(comes_before("begin 9", "begin 10"));
    rw_run(100);
    for (int i = 1; i <= 10; i++) ck_assert_int_eq(rw_updates[i].handled, 1);
    rw_end();
}
END_TEST

/* Those that wait for another attempt are some of them, also where they let others pass. */
START_TEST(what_waits_to_be_tried_again_counts)
{
    const gap_runner_config_t config = {
        .waiting_max = 8, .unordered_retry = _i == 1, .attempts_max = 2};

    rw_begin(&config);
    rw_quiet = true;
    for (int i = 1; i <= 12; i++) {
        if (!rw_held) rw_send(i, i, RW_FAIL, 0);
        rw_run(1);
    }
    ck_assert(rw_held);
    ck_assert_uint_eq(rw_stats().retrying, 8);
    ck_assert_uint_eq(rw_stats().depth, 8);
    rw_run(5000);
    ck_assert(!rw_held);
    ck_assert_uint_eq(rw_stats().dead, 8);
    ck_assert_uint_eq(rw_stats().depth, 0);
    rw_end();
}
END_TEST

START_TEST(bytes_are_bounded_too)
{
    gap_runner_config_t config = {.pinned_max = 1};

    rw_begin(&config);
    rw_send(1, 7, RW_LATER, 10 * RW_MS);
    ck_assert(rw_held);
    rw_send(2, 7, RW_LATER, 10 * RW_MS);
    rw_run(30);
    ck_assert_int_eq(rw_updates[2].handled, 1);
    ck_assert(!rw_held);
    rw_end();
}
END_TEST

/* ---- turns ---- */

START_TEST(a_hot_lane_does_not_delay_a_cold_one)
{
    const gap_runner_config_t config = {.concurrency = 1};

    rw_begin(&config);
    rw_quiet = true;
    for (int i = 1; i <= 200; i++) rw_send(i, 7, RW_LATER, RW_MS);
    rw_run(20);
    struct rw_update *cold = rw_send(201, 8, RW_LATER, RW_MS);
    rw_run(3);
    ck_assert_int_eq(cold->handled, 1);
    rw_run(300);
    rw_end();
}
END_TEST

START_TEST(queries_come_first_but_pass_nobody_in_their_lane)
{
    const gap_runner_config_t config = {.concurrency = 1};

    rw_begin(&config);
    rw_send(1, 7, RW_LATER, RW_MS);
    for (int i = 2; i <= 9; i++) rw_send(i, 10 + i, RW_LATER, RW_MS);
    struct rw_update *query = rw_make(20, 30);
    query->update.flags |= GAP_ITEM_QUERY;
    rw_take(query);
    struct rw_update *behind = rw_make(21, 7); /* the chat of the first, and of another one */
    behind->update.flags |= GAP_ITEM_QUERY;
    rw_send(19, 7, RW_LATER, RW_MS);
    rw_take(behind);
    rw_run(100);
    ck_assert(comes_before("begin 20", "begin 2\n"));
    ck_assert(comes_before("through 19", "begin 21"));
    rw_end();
}
END_TEST

START_TEST(the_pace_is_kept_but_queries_dont_wait_for_it)
{
    const gap_runner_config_t config = {.pace_per_s = 10};

    rw_begin(&config);
    rw_quiet = true;
    for (int i = 1; i <= 30; i++) rw_send(i, i, RW_DONE, 0);
    rw_run(1000);
    uint64_t handled = rw_stats().handled;
    ck_assert_uint_ge(handled, 10);
    ck_assert_uint_le(handled, 12);
    struct rw_update *query = rw_make(40, 40);
    query->update.flags |= GAP_ITEM_QUERY;
    rw_take(query);
    rw_run(1);
    ck_assert_int_eq(query->handled, 1);
    gap_runner_set_pace(rw_runner, 0);
    rw_run(2);
    ck_assert_uint_eq(rw_stats().handled, 31);
    rw_end();
}
END_TEST

START_TEST(more_slots_and_fewer)
{
    const gap_runner_config_t config = {.concurrency = 1};

    rw_begin(&config);
    for (int i = 1; i <= 6; i++) rw_send(i, i, RW_LATER, 10 * RW_MS);
    ck_assert_uint_eq(rw_stats().running, 1);
    gap_runner_set_concurrency(rw_runner, 4);
    rw_run(1);
    ck_assert_uint_eq(rw_stats().running, 4);
    gap_runner_set_concurrency(rw_runner, 1);
    rw_run(10);
    ck_assert_uint_eq(rw_stats().running, 1);
    rw_run(100);
    ck_assert_uint_eq(rw_stats().handled, 6);
    rw_end();
}
END_TEST

/* ---- pull ---- */

static int ready_count;

static void on_ready(void *data)
{
    ck_assert_ptr_eq(data, &ready_count);
    ready_count++;
}

START_TEST(updates_may_be_taken_by_the_program)
{
    const gap_runner_config_t config = {
        .pull = true, .ready = on_ready, .ready_data = &ready_count, .concurrency = 2};
    gap_update_t *a;
    gap_update_t *b;
    gap_update_t *c;

    ready_count = 0;
    rw_begin(&config);
    ck_assert_int_eq(gap_runner_next(rw_runner, &a), 0);
    rw_send(1, 7, RW_DONE, 0);
    rw_send(2, 7, RW_DONE, 0);
    rw_send(3, 8, RW_DONE, 0);
    rw_send(4, 9, RW_DONE, 0);
    ck_assert_int_eq(ready_count, 0);
    rw_run(1);
    ck_assert_int_eq(ready_count, 1);
    ck_assert_int_eq(gap_runner_next(rw_runner, &a), 1);
    ck_assert_int_eq(gap_update_pts(a), 1);
    ck_assert_int_eq(gap_runner_next(rw_runner, &b), 1);
    ck_assert_int_eq(gap_update_pts(b), 3);
    ck_assert_int_eq(gap_runner_next(rw_runner, &c), 0); /* no slot */
    rw_run(1);
    ck_assert_int_eq(ready_count, 1);
    gap_update_done(a);
    rw_run(1);
    ck_assert_int_eq(ready_count, 2);
    ck_assert_int_eq(gap_runner_next(rw_runner, &c), 1);
    ck_assert_int_eq(gap_update_pts(c), 4);
    gap_update_done(b);
    gap_update_done(c);
    rw_run(1);
    ck_assert_int_eq(gap_runner_next(rw_runner, &a), 1);
    ck_assert_int_eq(gap_update_pts(a), 2);
    gap_update_done(a);
    ck_assert_int_eq(gap_runner_next(rw_runner, &a), 0);
    ck_assert_uint_eq(rw_stats().handled, 4);
    rw_close();
    ck_assert_int_eq(gap_runner_next(rw_runner, &a), GAP_E_CLOSED);
    rw_end();
}
END_TEST

START_TEST(a_query_is_told_of_whatever_the_pace_is)
{
    const gap_runner_config_t config = {
        .pull = true, .ready = on_ready, .ready_data = &ready_count, .pace_per_s = 1};
    gap_update_t *a;

    ready_count = 0;
    rw_begin(&config);
    for (int i = 1; i <= 3; i++) rw_send(i, i, RW_DONE, 0);
    rw_run(1);
    ck_assert_int_eq(ready_count, 1);
    ck_assert_int_eq(gap_runner_next(rw_runner, &a), 1);
    gap_update_done(a);
    ck_assert_int_eq(gap_runner_next(rw_runner, &a), 0);
    rw_run(100);
    ck_assert_int_eq(ready_count, 1);
    struct rw_update *query = rw_make(40, 40);
    query->update.flags |= GAP_ITEM_QUERY;
    rw_take(query);
    rw_run(1);
    ck_assert_int_eq(ready_count, 2);
    ck_assert_int_eq(gap_runner_next(rw_runner, &a), 1);
    ck_assert_int_eq(gap_update_pts(a), 40);
    gap_update_done(a);
    rw_end();
}
END_TEST

/* ---- threads ---- */

START_TEST(a_hanging_thread_is_replaced_so_often_and_no_more)
{
    const gap_runner_config_t config = {.timeout_us = 50 * RW_MS, .attempts_max = 1, .threads = 1};

    rw_begin(&config);
    rw_send(1, 1, RW_THREAD_HANG, 0);
    rw_send(2, 2, RW_THREAD, RW_MS); /* waits for the only thread */
    rw_run(40);
    ck_assert_int_eq(rw_updates[2].handled, 0);
    rw_run(20);
    /* Both have timed out: the first hangs, the second never came to a thread. */
    ck_assert_uint_eq(rw_stats().threads_stuck, 1);
    ck_assert(rw_updates[2].through);
    rw_send(3, 3, RW_THREAD, RW_MS);
    rw_run(5);
    ck_assert_int_eq(rw_updates[3].handled, 1); /* on another thread */
    rw_send(4, 4, RW_THREAD_HANG, 0);
    rw_run(60);
    ck_assert_ptr_nonnull(strstr(rw_trace(), "stuck 2"));
    rw_send(5, 5, RW_THREAD, RW_MS);
    rw_send(6, 6, RW_DONE, 0); /* whoever needs none goes on */
    rw_run(10);
    ck_assert_int_eq(rw_updates[5].handled, 0);
    ck_assert_int_eq(rw_updates[6].handled, 1);
    rw_unhang_thread(1, 0); /* too late for its own update, in time for the next one */
    rw_run(5);
    ck_assert_int_eq(rw_updates[5].handled, 1);
    ck_assert_int_eq(rw_updates[4].handled, 0);
    ck_assert_uint_eq(rw_stats().threads_stuck, 1);
    rw_unhang_thread(0, 0);
    rw_run(5);
    ck_assert(rw_updates[1].through);
    rw_end();
}
END_TEST

START_TEST(a_thread_that_fails_is_an_attempt_that_fails)
{
    const gap_runner_config_t config = {.retry_min_us = 10 * RW_MS, .retry_max_us = 10 * RW_MS};

    rw_begin(&config);
    struct rw_update *u = rw_plan_result(rw_make(1, 7), RW_THREAD, RW_MS, GAP_E_STATE);
    rw_take(rw_plan(u, RW_THREAD, RW_MS));
    rw_run(50);
    ck_assert_int_eq(u->begun, 2);
    ck_assert_int_eq(u->handled, 1);
    rw_end();
}
END_TEST

START_TEST(a_close_waits_for_threads_and_drops_who_waits_for_one)
{
    const gap_runner_config_t config = {.threads = 1};

    rw_begin(&config);
    rw_send(1, 1, RW_THREAD, 20 * RW_MS);
    rw_send(2, 2, RW_THREAD, RW_MS);
    rw_close();
    rw_run(10);
    ck_assert_int_eq(rw_closed, 0);
    rw_run(20);
    ck_assert_int_eq(rw_closed, 1);
    ck_assert_int_eq(rw_updates[1].handled, 1);
    ck_assert_int_eq(rw_updates[2].handled, 0);
    rw_end();
}
END_TEST

/* ---- settings ---- */

START_TEST(settings_that_make_no_sense_are_refused)
{
    const gap_runner_config_t threads = {.threads = GAP_RUNNER_THREADS_MAX + 1};
    const gap_runner_config_t pauses = {.retry_min_us = 2, .retry_max_us = 1};
    const gap_runner_config_t mode = {.journal = (gap_journal_mode_t)7};

    rw_world();
    ck_assert_int_eq(rw_open(&threads), GAP_E_ARGUMENT);
    ck_assert_int_eq(rw_open(&pauses), GAP_E_ARGUMENT);
    ck_assert_int_eq(rw_open(&mode), GAP_E_ARGUMENT);
    ck_assert_int_eq(rw_open(NULL), 0);
    rw_end();
}
END_TEST

START_TEST(memory_of_a_rush_goes_back_after_a_rest)
{
    rw_begin(NULL);
    rw_quiet = true;
    rw_run(1);
    long fresh = rw_fault.live;
    gap_runner_pause(rw_runner);
    for (int i = 1; i < 400; i++) rw_send(i, i, RW_DONE, 0);
    long full = rw_fault.live;
    ck_assert_int_gt((int)full, (int)fresh);
    gap_runner_resume(rw_runner);
    rw_run(5000);
    ck_assert_uint_eq(rw_stats().depth, 0);
    ck_assert_int_eq((int)rw_fault.live, (int)full); /* there may be more of the kind */
    rw_run(12000);
    ck_assert_int_eq((int)rw_fault.live, (int)fresh);
    rw_send(400, 7, RW_DONE, 0);
    ck_assert_int_eq(rw_updates[400].handled, 1);
    rw_end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("runner_load");
    TCase *t = tcase_create("load");

    tcase_add_test(t, the_engine_is_held_at_the_limit_and_goes_on_at_three_quarters);
    tcase_add_loop_test(t, what_waits_to_be_tried_again_counts, 0, 2);
    tcase_add_test(t, bytes_are_bounded_too);
    tcase_add_test(t, a_hot_lane_does_not_delay_a_cold_one);
    tcase_add_test(t, queries_come_first_but_pass_nobody_in_their_lane);
    tcase_add_test(t, the_pace_is_kept_but_queries_dont_wait_for_it);
    tcase_add_test(t, more_slots_and_fewer);
    tcase_add_test(t, updates_may_be_taken_by_the_program);
    tcase_add_test(t, a_query_is_told_of_whatever_the_pace_is);
    tcase_add_test(t, a_hanging_thread_is_replaced_so_often_and_no_more);
    tcase_add_test(t, a_thread_that_fails_is_an_attempt_that_fails);
    tcase_add_test(t, a_close_waits_for_threads_and_drops_who_waits_for_one);
    tcase_add_test(t, settings_that_make_no_sense_are_refused);
    tcase_add_test(t, memory_of_a_rush_goes_back_after_a_rest);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
