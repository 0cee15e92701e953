/*
 * The runner with a journal: what is written and when, the end of a life and the next one,
 * transactions, dead letters, bytes that are let go.
 */
#include "runner_world.h"

#include <string.h>

static bool comes_before(const char *a, const char *b)
{
    const char *first = strstr(rw_trace(), a);
    const char *second = strstr(rw_trace(), b);
    return first != NULL && second != NULL && first < second;
}

static void end_all(void)
{
    rw_end();
    rw_forget_disk();
}

START_TEST(a_straggler_is_written_and_its_row_goes_with_it)
{
    rw_begin_kept(NULL, false);
    struct rw_update *u = rw_send(1, 7, RW_HANG, 0);
    rw_send(2, 7, RW_LATER, 10 * RW_MS);
    rw_send(3, 8, RW_LATER, 10 * RW_MS);
    rw_run(190);
    ck_assert_uint_eq(rw_stats().journalled, 0);
    rw_run(200);
    ck_assert_uint_eq(rw_stats().journalled, 2);
    ck_assert_int_eq(rw_rows(GAP_RECORD_INBOX), 2);
    rw_unhang(u, 0, 0);
    rw_run(200);
    ck_assert_int_eq(rw_rows(GAP_RECORD_INBOX), 0);
    ck_assert_uint_eq(rw_stats().depth, 0);
    end_all();
}
END_TEST

START_TEST(a_drain_is_over_when_everything_is_through)
{
    rw_begin_kept(NULL, false);
    for (int i = 1; i <= 5; i++) rw_send(i, 7, RW_LATER, 10 * RW_MS);
    rw_forget();
    rw_drain(10000);
    ck_assert_int_eq(rw_reported, 0);
    rw_send(6, 8, RW_DONE, 0); /* comes too late to be handled */
    rw_run(40);
    ck_assert_int_eq(rw_reported, 0);
    rw_run(20);
    ck_assert_int_eq(rw_reported, 1);
    ck_assert_uint_eq(rw_report.drained, 5);
    ck_assert_uint_eq(rw_report.journalled, 1);
    ck_assert_uint_eq(rw_report.unknown, 0);
    ck_assert_int_eq(rw_updates[6].begun, 0);
    ck_assert(rw_held);
    rw_end();
    rw_begin_kept(NULL, false);
    rw_replay();
    rw_run(10);
    ck_assert_int_eq(rw_updates[6].handled, 1);
    end_all();
}
END_TEST

START_TEST(a_drain_ends_at_its_deadline_and_the_rest_is_handled_in_the_next_life)
{
    const gap_runner_config_t config = {.journal = (gap_journal_mode_t)_i};
    bool kept = _i != GAP_JOURNAL_LIGHT;

    rw_begin_kept(&config, false);
    struct rw_update *u = rw_send(1, 7, RW_HANG, 0);
    for (int i = 2; i <= 5; i++) rw_send(i, 7, RW_DONE, 0);
    rw_run(5);
    rw_drain(sim_now_us(rw_sim) / 1000 + 100);
    rw_run(99);
    ck_assert_int_eq(rw_reported, 0);
    rw_run(3);
    ck_assert_int_eq(rw_reported, 1);
    ck_assert_uint_eq(rw_report.drained, 0);
    ck_assert_uint_eq(rw_report.journalled, kept ? 5 : 0);
    ck_assert_uint_eq(rw_report.unknown, kept ? 0 : 5);
    rw_close();
    rw_run(50);
    ck_assert_int_eq(rw_closed, 0); /* somebody still looks at the first one */
    rw_unhang(u, 0, GAP_E_STATE);
    rw_end();
    rw_begin_kept(&config, false);
    u->plans[0].act = RW_DONE;
    rw_replay();
    rw_run(50);
    for (int i = 1; i <= 5; i++) ck_assert_int_eq(rw_updates[i].handled, kept ? 1 : 0);
    if (kept) ck_assert(comes_before("begin 1 again", "begin 2"));
    if (kept) ck_assert(comes_before("begin 4", "begin 5"));
    ck_assert_int_eq(rw_rows(GAP_RECORD_INBOX), 0);
    end_all();
}
END_TEST

START_TEST(a_second_drain_is_over_at_once)
{
    rw_begin_kept(NULL, false);
    struct rw_update *u = rw_send(1, 7, RW_HANG, 0);
    rw_drain(100000);
    rw_run(100);
    ck_assert_int_eq(rw_reported, 0);
    rw_drain(0);
    rw_run(1);
    ck_assert_int_eq(rw_reported, 1);
    ck_assert_uint_eq(rw_report.journalled, 1);
    rw_unhang(u, 0, 0); /* in time, before the last commit */
    end_all();
}
END_TEST

START_TEST(a_drain_waits_for_no_attempt_behind_its_deadline)
{
    const gap_runner_config_t config = {.retry_min_us = 60 * RW_S, .retry_max_us = 60 * RW_S};

    rw_begin_kept(&config, false);
    rw_send(1, 7, RW_FAIL, 0);
    rw_run(1);
    rw_drain(sim_now_us(rw_sim) / 1000 + 10000);
    rw_run(2);
    ck_assert_int_eq(rw_reported, 1);
    ck_assert_uint_eq(rw_report.journalled, 1);
    end_all();
}
END_TEST

/* ---- in front of the lanes ---- */

/* Nothing is handled yet, or any more, but a query is written down: nothing brings it again. */
START_TEST(a_query_is_written_before_its_turn_can_come)
{
    rw_begin_kept(NULL, false);
    gap_runner_shut(rw_runner, true);
    rw_send(1, 7, RW_DONE, 0);
    (void)rw_take(rw_make_query(2));
    rw_run(100);
    ck_assert_int_eq(rw_updates[1].begun + rw_updates[2].begun, 0);
    ck_assert_int_eq(rw_rows(GAP_RECORD_INBOX), 1);
    ck_assert_msg(!rw_held, "there is room");
    gap_runner_shut(rw_runner, false);
    rw_run(100);
    ck_assert(comes_before("begin 2", "begin 1"));
    ck_assert_int_eq(rw_updates[1].handled, 1);
    ck_assert_int_eq(rw_rows(GAP_RECORD_INBOX), 0);
    rw_drain(60000);
    (void)rw_take(rw_make_query(3));
    rw_run(100);
    ck_assert_int_eq(rw_updates[3].begun, 0);
    ck_assert_int_eq(rw_rows(GAP_RECORD_INBOX), 1);
    rw_end();
    rw_begin_kept(NULL, true);
    rw_replay();
    rw_run(100);
    ck_assert_int_eq(rw_updates[3].handled, 1);
    end_all();
}
END_TEST

/* What waits in front of the lanes keeps its watermark back like any other. */
START_TEST(what_waits_in_front_is_written_when_it_is_pressed_for)
{
    rw_begin_kept(NULL, false);
    gap_runner_shut(rw_runner, true);
    struct rw_update *u = rw_send(1, 7, RW_DONE, 0);
    gap_runner_press(rw_runner, &u->update);
    rw_run(60);
    ck_assert_int_eq(rw_rows(GAP_RECORD_INBOX), 1);
    ck_assert_int_eq(u->begun, 0);
    gap_runner_shut(rw_runner, false);
    rw_run(100);
    ck_assert_int_eq(u->handled, 1);
    ck_assert_int_eq(rw_rows(GAP_RECORD_INBOX), 0);
    end_all();
}
END_TEST

/* As many wait in front of the lanes as may wait in them. */
START_TEST(what_waits_in_front_is_bounded_and_counted)
{
    const gap_runner_config_t config = {.waiting_max = 3};

    rw_begin_kept(&config, false);
    gap_runner_shut(rw_runner, true);
    for (int i = 1; i <= 2; i++) rw_send(i, i, RW_DONE, 0);
    ck_assert(!rw_held);
    rw_send(3, 3, RW_HANG, 0);
    ck_assert(rw_held);
    (void)rw_take(rw_make_query(4));
    ck_assert_uint_eq(rw_stats().depth, 4);
    rw_run(400);
    ck_assert_int_eq(rw_rows(GAP_RECORD_INBOX), 4);
    gap_runner_shut(rw_runner, false);
    rw_run(400);
    ck_assert(!rw_held);
    for (int i = 1; i <= 4; i++) ck_assert_int_eq(rw_updates[i].handled, i != 3);
    ck_assert_int_eq(rw_rows(GAP_RECORD_INBOX), 1);
    rw_unhang(&rw_updates[3], 0, 0);
    end_all();
}
END_TEST

/* ---- a former life ---- */

START_TEST(after_an_unclean_end_attempts_are_counted_before_they_begin)
{
    const gap_runner_config_t config = {.attempts_max = 3};

    /* A poison update: the process ends in its handler, time and again. */
    rw_begin_kept(&config, false);
    struct rw_update *u = rw_plan(rw_plan(rw_make(1, 7), RW_HANG, 0), RW_HANG, 0);
    rw_take(u);
    rw_run(500);
    for (int life = 2; life <= 3; life++) {
        rw_drain(0);
        rw_run(1);
        rw_close();
        rw_unhang(u, u->hung_count - 1, GAP_E_STATE);
        rw_end();
        rw_begin_kept(&config, true);
        rw_replay();
        rw_run(200);
        ck_assert_int_eq(u->begun, life);
    }
    rw_drain(0);
    rw_run(1);
    rw_close();
    rw_unhang(u, u->hung_count - 1, GAP_E_STATE);
    rw_end();
    rw_begin_kept(&config, true);
    rw_replay();
    rw_run(200);
    ck_assert_int_eq(u->begun, 3);
    ck_assert_ptr_nonnull(strstr(rw_trace(), "dead 1"));
    ck_assert_int_eq(rw_rows(GAP_RECORD_DEAD), 1);
    ck_assert_int_eq(rw_rows(GAP_RECORD_INBOX), 0);
    end_all();
}
END_TEST

START_TEST(nothing_is_handled_before_it_is_written_in_mode_full)
{
    const gap_runner_config_t config = {.journal = GAP_JOURNAL_FULL};

    rw_begin_kept(&config, false);
    rw_commits_fail = 20;
    for (int i = 1; i <= 3; i++) rw_send(i, 7, RW_DONE, 0);
    rw_send(4, 8, RW_DONE, 0);
    rw_run(1000);
    ck_assert_int_eq(rw_updates[1].begun + rw_updates[4].begun, 0);
    rw_run(20000);
    for (int i = 1; i <= 4; i++) ck_assert_int_eq(rw_updates[i].handled, 1);
    ck_assert(comes_before("begin 1", "begin 2"));
    ck_assert(comes_before("begin 2", "begin 3"));
    end_all();
}
END_TEST

/* Times that are never over. */
START_TEST(settings_may_say_for_ever)
{
    const gap_runner_config_t config = {.timeout_us = UINT64_MAX - 1,
                                        .journal_after_us = UINT64_MAX};

    rw_begin_kept(&config, false);
    struct rw_update *u = rw_send(1, 7, RW_LATER, 400 * RW_MS);
    rw_run(300);
    ck_assert_int_eq(rw_rows(GAP_RECORD_INBOX), 0);
    rw_run(300);
    ck_assert_int_eq(u->handled, 1);
    ck_assert_uint_eq(rw_stats().timed_out, 0);
    end_all();
}
END_TEST

/* ---- transactions ---- */

START_TEST(a_transaction_is_part_of_the_commit)
{
    rw_begin_kept(NULL, false);
    struct rw_update *u = rw_send(1, 7, RW_COMMIT, 0);
    rw_send(2, 7, RW_DONE, 0);
    ck_assert_int_eq(u->worked, 0);
    rw_run(100);
    ck_assert_int_eq(u->worked, 1);
    ck_assert_int_eq(u->handled, 1);
    ck_assert(comes_before("through 1", "begin 2"));
    end_all();
}
END_TEST

START_TEST(a_transaction_that_fails_is_an_attempt_that_fails)
{
    const gap_runner_config_t config = {.retry_min_us = 10 * RW_MS, .retry_max_us = 10 * RW_MS};

    rw_begin_kept(&config, false);
    struct rw_update *u = rw_plan_result(rw_make(1, 7), RW_COMMIT, 0, GAP_E_STATE);
    rw_take(rw_plan(u, RW_COMMIT, 0));
    rw_send(2, 7, RW_DONE, 0);
    rw_run(300);
    ck_assert_int_eq(u->begun, 2);
    ck_assert_int_eq(u->worked, 2);
    ck_assert_int_eq(u->handled, 1);
    ck_assert(comes_before("failed 1", "begin 1 again"));
    ck_assert(comes_before("through 1", "begin 2"));
    end_all();
}
END_TEST

START_TEST(a_transaction_whose_commit_fails_is_run_again_and_never_given_up)
{
    const gap_runner_config_t config = {.timeout_us = 500 * RW_MS};

    rw_begin_kept(&config, false);
    rw_commits_fail = 2;
    struct rw_update *u = rw_send(1, 7, RW_COMMIT, 0);
    rw_send(2, 7, RW_DONE, 0);
    rw_run(600);
    ck_assert_ptr_nonnull(strstr(rw_trace(), "slow commit 1"));
    rw_run(20000);
    ck_assert_int_eq(u->begun, 1);
    ck_assert_int_eq(u->worked, 1); /* the door fails before the storage runs it */
    ck_assert_int_eq(u->handled, 1);
    ck_assert_int_eq(rw_updates[2].handled, 1);
    end_all();
}
END_TEST

static gap_update_t *holding;

static void hold_the_first(struct rw_update *u, gap_update_t *run)
{
    (void)u;
    if (gap_update_attempt(run) > 1) return;
    ck_assert_int_eq(gap_run_hold(run), 0);
    holding = run;
}

/* After the commit nobody would send the reply again. */
START_TEST(a_transaction_waits_for_the_replies_before_it)
{
    rw_begin_kept(NULL, false);
    struct rw_update *u = rw_plan(rw_make(1, 7), RW_COMMIT, 0);
    u->inside = hold_the_first;
    rw_take(u);
    rw_run(500);
    ck_assert_int_eq(u->worked, 0);
    gap_run_release(holding, 0);
    rw_run(100);
    ck_assert_int_eq(u->worked, 1);
    ck_assert_int_eq(u->handled, 1);
    ck_assert_int_eq(u->begun, 1);
    end_all();
}
END_TEST

START_TEST(a_reply_that_fails_lets_no_transaction_begin)
{
    const gap_runner_config_t config = {.retry_min_us = 10 * RW_MS, .retry_max_us = 10 * RW_MS};

    rw_begin_kept(&config, false);
    struct rw_update *u = rw_plan(rw_make(1, 7), RW_COMMIT, 0);
    u->inside = hold_the_first;
    rw_take(u);
    rw_run(50);
    gap_run_release(holding, GAP_E_DISCONNECTED);
    rw_run(500);
    ck_assert_int_eq(u->begun, 2);
    ck_assert_int_eq(u->worked, 1);
    ck_assert_int_eq(u->handled, 1);
    ck_assert(comes_before("failed 1", "begin 1 again"));
    end_all();
}
END_TEST

START_TEST(a_transaction_that_waits_for_a_reply_may_time_out)
{
    const gap_runner_config_t config = {
        .timeout_us = 200 * RW_MS, .retry_min_us = 10 * RW_MS, .retry_max_us = 10 * RW_MS};

    rw_begin_kept(&config, false);
    struct rw_update *u = rw_plan(rw_make(1, 7), RW_COMMIT, 0);
    u->inside = hold_the_first;
    rw_take(u);
    rw_run(500);
    ck_assert_ptr_nonnull(strstr(rw_trace(), "timeout 1"));
    gap_run_release(holding, 0); /* too late */
    rw_run(500);
    ck_assert_int_eq(u->begun, 2);
    ck_assert_int_eq(u->worked, 1);
    ck_assert_int_eq(u->handled, 1);
    end_all();
}
END_TEST

/* What is committed is handled, whatever becomes of a reply made behind it. */
START_TEST(a_reply_after_a_transaction_undoes_nothing)
{
    const gap_runner_config_t config = {
        .timeout_us = 200 * RW_MS, .retry_min_us = 10 * RW_MS, .retry_max_us = 10 * RW_MS};

    rw_begin_kept(&config, false);
    struct rw_update *u = rw_send(1, 7, RW_COMMIT, 0);
    ck_assert_int_eq(gap_run_hold(u->run), 0);
    rw_run(_i == 0 ? 100 : 500);
    ck_assert_int_eq(u->worked, 1);
    ck_assert(!u->through);
    gap_run_release(u->run, GAP_E_DISCONNECTED);
    rw_run(500);
    ck_assert_int_eq(u->begun, 1);
    ck_assert_int_eq(u->worked, 1);
    ck_assert(u->through);
    end_all();
}
END_TEST

/* ---- dead letters ---- */

static struct {
    int listed;
    int done;
    uint64_t number;
    int64_t channel;
} letters;

static void on_letter(void *data, const gap_dead_letter_t *letter)
{
    ck_assert_ptr_eq(data, &letters);
    ck_assert_ptr_nonnull(letter->update);
    ck_assert_int_eq(letter->error, GAP_E_STATE);
    ck_assert_uint_eq(letter->attempts, 1);
    ck_assert_uint_gt(letter->number, letters.number);
    letters.listed++;
    letters.number = letter->number;
    letters.channel = gap_update_channel_id(letter->update);
}

static void on_listed(void *data, int status)
{
    ck_assert_ptr_eq(data, &letters);
    ck_assert_int_eq(status, 0);
    letters.done++;
}

static int list(uint64_t after, uint32_t limit)
{
    memset(&letters, 0, sizeof letters);
    ck_assert_int_eq(
        gap_runner_dead_letters(rw_runner, after, limit, on_letter, on_listed, &letters), 0);
    ck_assert_int_eq(letters.done, 0);
    rw_run(100);
    ck_assert_int_eq(letters.done, 1);
    return letters.listed;
}

START_TEST(dead_letters_are_listed_handled_again_or_forgotten)
{
    const gap_runner_config_t config = {.attempts_max = 1};

    if (_i == 0)
        rw_begin(&config);
    else
        rw_begin_kept(&config, false);
    for (int i = 1; i <= 3; i++) rw_take(rw_plan(rw_make(i, 7 + i), RW_FAIL, 0));
    rw_run(100);
    ck_assert_uint_eq(rw_stats().dead, 3);
    ck_assert_int_eq(list(0, 1), 1);
    uint64_t first = letters.number;
    ck_assert_int_eq((int)letters.channel, 8);
    ck_assert_int_eq(list(first, 10), 2);
    uint64_t last = letters.number;
    ck_assert_int_eq(gap_runner_forget(rw_runner, last), 0);
    rw_run(100);
    ck_assert_int_eq(list(0, 10), 2);
    rw_updates[1].plans[0].act = RW_DONE;
    rw_updates[1].begun = 0;
    ck_assert_int_eq(gap_runner_redrive(rw_runner, first), 0);
    rw_run(100);
    ck_assert_int_eq(rw_updates[1].handled, 1);
    ck_assert_int_eq(list(0, 10), 1);
    ck_assert_int_eq((int)letters.channel, 9);
    if (_i == 0)
        ck_assert_int_eq(gap_runner_redrive(rw_runner, 12345), GAP_E_NOT_FOUND);
    else
        ck_assert_int_eq(gap_runner_redrive(rw_runner, 12345), 0);
    rw_run(100);
    rw_end();
    if (_i == 1) rw_forget_disk();
}
END_TEST

static void redrive_one(struct rw_update *u, gap_update_t *run)
{
    (void)u;
    (void)run;
    ck_assert_int_eq(gap_runner_redrive(rw_runner, letters.number), 0);
}

/* As by a command in the chat that the letter is from. */
START_TEST(a_dead_letter_is_handled_again_from_inside_a_handler)
{
    const gap_runner_config_t config = {.attempts_max = 1};
    static const enum rw_act acts[] = {RW_DONE, RW_LATER, RW_INSIDE, RW_REPLY};

    if (_i < 8)
        rw_begin(&config);
    else
        rw_begin_kept(&config, false);
    rw_send(1, 7, RW_FAIL, 0);
    rw_run(100);
    ck_assert_int_eq(list(0, 1), 1);
    rw_updates[1].plans[0].act = RW_DONE;
    rw_updates[1].begun = 0;
    struct rw_update *u = rw_plan(rw_make(2, _i % 8 < 4 ? 7 : 8), acts[_i % 4], 50 * RW_MS);
    u->inside = redrive_one;
    rw_forget();
    rw_take(u);
    rw_run(200);
    ck_assert_int_eq(u->handled, 1);
    ck_assert(u->through);
    ck_assert_int_eq(rw_updates[1].handled, 1);
    if (_i % 8 < 4) ck_assert(comes_before("through 2", "begin 1"));
    ck_assert_int_eq(list(0, 1), 0);
    rw_end();
    if (_i >= 8) rw_forget_disk();
}
END_TEST

/* ---- bytes ---- */

START_TEST(bytes_that_are_written_are_let_go_and_read_back_in_turn)
{
    const gap_runner_config_t config = {.pinned_max = 8192};

    rw_begin_kept(&config, false);
    rw_quiet = true;
    for (int i = 1; i <= 100; i++) rw_send(i, 7, RW_LATER, 300 * RW_MS);
    ck_assert_uint_gt(rw_stats().pinned_bytes, config.pinned_max / 2);
    rw_run(600);
    gap_runner_stats_t s = rw_stats();
    ck_assert_uint_gt(s.spilled, 10);
    ck_assert_uint_le(s.pinned_bytes, config.pinned_max);
    rw_run(100 * 400);
    for (int i = 1; i <= 100; i++) ck_assert_int_eq(rw_updates[i].handled, 1);
    ck_assert_uint_eq(rw_stats().spilled, 0);
    ck_assert_uint_eq(rw_stats().pinned_bytes, 0);
    ck_assert_int_eq(rw_rows(GAP_RECORD_INBOX), 0);
    end_all();
}
END_TEST

/* What can't be read now is read a little later. */
START_TEST(bytes_that_can_not_be_read_are_asked_for_again)
{
    const gap_runner_config_t config = {.pinned_max = 8192, .unordered_retry = _i == 1};

    rw_begin_kept(&config, false);
    rw_quiet = true;
    for (int i = 1; i <= 100; i++) rw_send(i, 7, RW_LATER, 10 * RW_MS);
    rw_run(500);
    ck_assert_uint_gt(rw_stats().spilled, 5);
    rw_reads_fail = 3;
    rw_run(10000);
    ck_assert_int_eq(rw_reads_fail, 0);
    ck_assert_uint_eq(rw_stats().spilled, 0);
    for (int i = 1; i <= 100; i++) ck_assert_int_eq(rw_updates[i].handled, 1);
    end_all();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("runner_journal");
    TCase *t = tcase_create("journal");

    tcase_add_test(t, a_straggler_is_written_and_its_row_goes_with_it);
    tcase_add_test(t, a_drain_is_over_when_everything_is_through);
    tcase_add_loop_test(t, a_drain_ends_at_its_deadline_and_the_rest_is_handled_in_the_next_life, 0,
                        3);
    tcase_add_test(t, a_second_drain_is_over_at_once);
    tcase_add_test(t, a_drain_waits_for_no_attempt_behind_its_deadline);
    tcase_add_test(t, a_query_is_written_before_its_turn_can_come);
    tcase_add_test(t, what_waits_in_front_is_written_when_it_is_pressed_for);
    tcase_add_test(t, what_waits_in_front_is_bounded_and_counted);
    tcase_add_test(t, after_an_unclean_end_attempts_are_counted_before_they_begin);
    tcase_add_test(t, nothing_is_handled_before_it_is_written_in_mode_full);
    tcase_add_test(t, settings_may_say_for_ever);
    tcase_add_test(t, a_transaction_is_part_of_the_commit);
    tcase_add_test(t, a_transaction_that_fails_is_an_attempt_that_fails);
    tcase_add_test(t, a_transaction_whose_commit_fails_is_run_again_and_never_given_up);
    tcase_add_test(t, a_transaction_waits_for_the_replies_before_it);
    tcase_add_test(t, a_reply_that_fails_lets_no_transaction_begin);
    tcase_add_test(t, a_transaction_that_waits_for_a_reply_may_time_out);
    tcase_add_loop_test(t, a_reply_after_a_transaction_undoes_nothing, 0, 2);
    tcase_add_loop_test(t, dead_letters_are_listed_handled_again_or_forgotten, 0, 2);
    tcase_add_loop_test(t, a_dead_letter_is_handled_again_from_inside_a_handler, 0, 16);
    tcase_add_test(t, bytes_that_are_written_are_let_go_and_read_back_in_turn);
    tcase_add_loop_test(t, bytes_that_can_not_be_read_are_asked_for_again, 0, 2);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
