/*
 * tests/loop/test_client_shutdown.c - ending in good order: what is at work is finished, the rest
 * is kept, a report says so; from every state that a client can be in, and twice.
 */
#include "tests/loop/account.h"

#include "base/bytes.h"
#include "tests/loop/dc_thread.h"
#include "tests/loop/kept.h"

#include <unistd.h>

#define KEPT_MAX 4096

/* Handlers that go on until they are told. */
struct work {
    gap_update_t *kept[KEPT_MAX];
    unsigned count;
    unsigned handled; /* at once */
    unsigned from_journal;
    unsigned repeated;
    unsigned queries; /* from the journal */
    bool rows_first;  /* nothing is handled before what was journalled */
    unsigned shut_at; /* the update whose handler shuts down; 0: none */
    bool keep;
    struct bench *bench;
};

struct bench {
    dc_thread_t dc;
    uv_loop_t loop;
    struct kept kept;
    struct account_folder folder;
    char session[96];
    gap_client_config_t config;
    gap_runner_config_t runner;
    struct account a;
    struct work work;
    gap_shutdown_report_t report;
    unsigned reports;
    unsigned answers;
    int answer_status;
    bool close_after; /* in the report's callback */
};

static void on_report(gap_client_t *client, const gap_shutdown_report_t *report, void *data)
{
    struct bench *b = data;

    ck_assert_ptr_eq(client, b->a.client);
    b->report = *report;
    b->reports++;
    if (b->close_after) gap_client_close(client, NULL, NULL);
}

static void shut_down(struct bench *b, uint64_t deadline_ms)
{
    const gap_shutdown_config_t config = {.deadline_us = deadline_ms * 1000, .sends_us = 300000};

    ck_assert_int_eq(gap_client_shutdown(b->a.client, &config, on_report, b), 0);
    ck_assert_msg(b->reports == 0, "called back from inside");
}

static void await_report(struct bench *b)
{
    bool came = account_until(&b->loop, &b->reports, 1, ACCOUNT_WAIT_MS);
    ck_assert_msg(came, "no report; the log:\n%s", b->a.log);
    ck_assert_uint_eq(b->reports, 1);
}

static int on_update(gap_update_t *update, void *data)
{
    struct work *w = data;

    if (gap_update_via(update) == GAP_VIA_JOURNAL) {
        w->from_journal++;
        ck_assert(gap_update_maybe_repeated(update));
        w->queries += gap_update_id(update) == GAP_TL_UPDATE_BOT_CALLBACK_QUERY;
    }
    if (w->rows_first) ck_assert_msg(w->from_journal > 0, "before what was journalled");
    w->repeated += gap_update_maybe_repeated(update);
    if (w->shut_at != 0 && w->count + w->handled + 1 == w->shut_at) {
        w->shut_at = 0;
        shut_down(w->bench, 5000);
    }
    bool query = gap_update_id(update) == GAP_TL_UPDATE_BOT_CALLBACK_QUERY;
    if (!w->keep || query || w->count == KEPT_MAX) {
        w->handled++;
        return 0;
    }
    w->kept[w->count++] = update;
    return GAP_LATER;
}

static void finish_kept(struct work *w)
{
    while (w->count > 0) gap_update_done(w->kept[--w->count]);
}

static void bench_init(struct bench *b, bool with_storage)
{
    memset(b, 0, sizeof *b);
    b->work.bench = b;
    account_folder_make(&b->folder);
    (void)snprintf(b->session, sizeof b->session, "%s/session", b->folder.path);
    kept_init(&b->kept);
    dc_thread_init(&b->dc);
    b->dc.options.traffic.events = 3000;
    b->dc.options.traffic.kinds = 1U << DC_NEW_MESSAGE;
    b->dc.options.rate = 3000;
    dc_thread_start(&b->dc);
    ck_assert_int_eq(uv_loop_init(&b->loop), 0);
    b->config = (gap_client_config_t){
        .host = "127.0.0.1",
        .port = b->dc.port,
        .rsa_key = b->dc.pem,
        .api_id = 1,
        .api_hash = "hash",
        .bot_token = "1000:secret",
        .session = with_storage ? b->session : NULL,
        .storage = with_storage ? &b->kept.base : NULL,
        .runner = &b->runner,
    };
}

static void bench_open(struct bench *b)
{
    account_init(&b->a, &b->loop);
    b->a.on_update = on_update;
    b->a.data = &b->work;
    account_open(&b->a, &b->config);
}

static void bench_start(struct bench *b)
{
    bench_open(b);
    account_start(&b->a);
}

/* Traffic flows and handlers are at work. */
static void bench_work(struct bench *b)
{
    b->work.keep = true;
    bench_start(b);
    ck_assert(account_until(&b->loop, &b->work.count, 20, ACCOUNT_WAIT_MS));
}

static void bench_fini(struct bench *b)
{
    finish_kept(&b->work);
    account_close(&b->a);
    (void)uv_run(&b->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&b->loop), 0);
    dc_thread_stop(&b->dc);
    kept_fini(&b->kept);
    account_folder_remove(&b->folder);
}

/* ---- draining ---- */

START_TEST(test_what_is_at_work_is_finished)
{
    struct bench b;
    gap_runner_stats_t stats;

    bench_init(&b, true);
    bench_work(&b);
    gap_runner_stats(gap_client_runner(b.a.client), &stats);
    shut_down(&b, _i == 0 ? 10000 : UINT64_MAX / 1000); /* for ever */
    account_run(&b.loop, 50);
    ck_assert_uint_eq(b.reports, 0);
    b.work.keep = false; /* those that wait are handled at once */
    finish_kept(&b.work);
    await_report(&b);
    ck_assert_int_eq(b.report.status, 0);
    ck_assert_uint_ge(b.report.drained, stats.depth);
    ck_assert_uint_eq(b.report.journalled, 0);
    ck_assert_uint_eq(b.report.unknown, 0);
    ck_assert_uint_eq(b.report.sends_unknown, 0);
    unsigned until_now = b.work.handled;
    account_run(&b.loop, 200);
    ck_assert_msg(b.work.handled == until_now, "nothing is handled after the report");
    ck_assert_ptr_null(gap_client_runner(b.a.client));
    bench_fini(&b);
}
END_TEST

START_TEST(test_the_rest_is_journalled_and_comes_first)
{
    struct bench b;

    bench_init(&b, true);
    bench_work(&b);
    shut_down(&b, 100);
    await_report(&b);
    ck_assert_int_eq(b.report.status, 0);
    ck_assert_uint_ge(b.report.journalled, 20);
    ck_assert_uint_eq(b.report.unknown, 0);
    while (b.work.count > 0) gap_update_failed(b.work.kept[--b.work.count], GAP_E_LIMIT);
    account_close(&b.a);
    unsigned journalled = (unsigned)b.report.journalled;
    memset(&b.work, 0, sizeof b.work);
    b.work.bench = &b;
    b.work.rows_first = true;
    b.kept.slow_us = _i == 0 ? 0 : 150000; /* pushes come before the start is stored */
    b.reports = 0;
    bench_start(&b);
    ck_assert_msg(account_until(&b.loop, &b.work.from_journal, journalled, ACCOUNT_WAIT_MS),
                  "%u of %u", b.work.from_journal, journalled);
    account_run(&b.loop, 100);
    ck_assert_uint_eq(b.work.from_journal, journalled);
    bench_fini(&b);
}
END_TEST

START_TEST(test_without_a_storage_the_rest_is_unknown)
{
    struct bench b;

    bench_init(&b, false);
    bench_work(&b);
    shut_down(&b, 100);
    await_report(&b);
    ck_assert_int_eq(b.report.status, 0);
    ck_assert_uint_eq(b.report.journalled, 0);
    ck_assert_uint_ge(b.report.unknown, 20);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_second_call_goes_straight_to_the_journal)
{
    struct bench b;

    bench_init(&b, true);
    bench_work(&b);
    shut_down(&b, 3600000);
    account_run(&b.loop, 100);
    ck_assert_uint_eq(b.reports, 0);
    uint64_t before_ms = uv_hrtime() / 1000000;
    ck_assert_int_eq(gap_client_shutdown(b.a.client, NULL, NULL, NULL), 0);
    ck_assert_int_eq(gap_client_shutdown(b.a.client, NULL, NULL, NULL), 0);
    await_report(&b);
    ck_assert_uint_lt(uv_hrtime() / 1000000 - before_ms, 5000);
    ck_assert_uint_ge(b.report.journalled, 20);
    ck_assert_int_eq(gap_client_shutdown(b.a.client, NULL, NULL, NULL), 0);
    account_run(&b.loop, 50);
    ck_assert_uint_eq(b.reports, 1);
    bench_fini(&b);
}
END_TEST

START_TEST(test_from_inside_a_handler)
{
    struct bench b;

    bench_init(&b, true);
    b.work.shut_at = 30;
    bench_start(&b);
    await_report(&b);
    ck_assert_int_eq(b.report.status, 0);
    ck_assert_uint_ge(b.report.drained, 1);
    ck_assert_uint_eq(b.report.journalled + b.report.unknown, 0);
    ck_assert_uint_ge(b.work.handled, 30);
    bench_fini(&b);
}
END_TEST

/* ---- requests in flight ---- */

static void on_answer(gap_client_t *client, const gap_result_t *result, void *data)
{
    struct bench *b = data;

    (void)client;
    ck_assert_msg(b->reports == 0 || result->status == GAP_E_CLOSED, "after the report");
    b->answers++;
    b->answer_status = result->status;
}

START_TEST(test_requests_are_waited_for)
{
    static const gap_tl_help_get_config_t query = {0};
    struct bench b;

    bench_init(&b, true);
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_CAUGHT_UP);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(gap_tl_help_get_config(b.a.client, &query, on_answer, &b), 0);
    shut_down(&b, 1000);
    await_report(&b);
    ck_assert_uint_eq(b.answers, 10);
    ck_assert_int_eq(b.answer_status, 0);
    ck_assert_uint_eq(b.report.sends_unknown, 0);
    /* The connection is still there. */
    b.reports = 0;
    ck_assert_int_eq(gap_tl_help_get_config(b.a.client, &query, on_answer, &b), 0);
    ck_assert(account_until(&b.loop, &b.answers, 11, ACCOUNT_WAIT_MS));
    ck_assert_int_eq(b.answer_status, 0);
    bench_fini(&b);
}
END_TEST

/* Nobody waits for anybody, so that no query is at work at the shutdown. */
static int no_keys(const gap_update_t *update, uint64_t keys[GAP_RUNNER_KEYS_MAX], void *data)
{
    (void)update;
    (void)keys;
    (void)data;
    return 0;
}

/* The connection stays while handlers drain: a query that is pushed then is never told again. */
START_TEST(test_queries_that_come_meanwhile_are_kept)
{
    static const gap_tl_users_get_users_t query = {0};
    bool sending = _i == 1; /* or draining */
    struct bench b;

    bench_init(&b, true);
    dc_thread_stop(&b.dc);
    dc_thread_init(&b.dc);
    b.dc.options.traffic.events = 4000;
    b.dc.options.traffic.kinds = 1U << DC_NEW_MESSAGE | 1U << DC_CALLBACK_QUERY;
    b.dc.options.rate = 2000;
    b.dc.options.drop_answer = 1;
    b.dc.options.drop_methods = (gap_dc_methods_t){{GAP_TL_USERS_GET_USERS}, 1};
    dc_thread_start(&b.dc);
    b.config.port = b.dc.port;
    b.config.rsa_key = b.dc.pem;
    b.runner.keys = no_keys;
    bench_work(&b);
    if (sending) ck_assert_int_eq(gap_tl_users_get_users(b.a.client, &query, on_answer, &b), 0);
    shut_down(&b, sending ? 1 : 400);
    await_report(&b);
    ck_assert_int_eq(b.report.status, 0);
    ck_assert_uint_eq(b.report.sends_unknown, sending ? 1 : 0);
    while (b.work.count > 0) gap_update_failed(b.work.kept[--b.work.count], GAP_E_LIMIT);
    account_close(&b.a);
    memset(&b.work, 0, sizeof b.work);
    b.work.bench = &b;
    b.reports = 0;
    bench_start(&b);
    /* 2000 a second, half of them queries: some have been journalled in 300 ms and more. */
    ck_assert_msg(account_until(&b.loop, &b.work.queries, 20, ACCOUNT_WAIT_MS), "only %u",
                  b.work.queries);
    bench_fini(&b);
}
END_TEST

START_TEST(test_but_not_for_ever)
{
    static const gap_tl_help_get_config_t query = {0};
    struct bench b;

    bench_init(&b, true);
    b.dc.options.delay_ms = 0;
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_CAUGHT_UP);
    dc_thread_stop(&b.dc); /* nobody will answer */
    ck_assert_int_eq(gap_tl_help_get_config(b.a.client, &query, on_answer, &b), 0);
    shut_down(&b, 1000);
    await_report(&b);
    ck_assert_uint_eq(b.answers, 0);
    ck_assert_uint_eq(b.report.sends_unknown, 1);
    ck_assert_int_eq(b.report.status, 0);
    account_close(&b.a);
    ck_assert_uint_eq(b.answers, 1);
    ck_assert_int_eq(b.answer_status, GAP_E_CLOSED);
    (void)uv_run(&b.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&b.loop), 0);
    kept_fini(&b.kept);
    account_folder_remove(&b.folder);
}
END_TEST

/* ---- every state ---- */

static void expect_nothing(struct bench *b)
{
    await_report(b);
    ck_assert_int_eq(b->report.status, 0);
    ck_assert_uint_eq(b->report.drained + b->report.journalled + b->report.unknown, 0);
}

START_TEST(test_before_the_start_and_while_opening)
{
    for (int started = 0; started < 2; started++) {
        struct bench b;
        bench_init(&b, true);
        bench_open(&b);
        if (started == 1) account_start(&b.a);
        shut_down(&b, 1000);
        expect_nothing(&b);
        if (started == 0) ck_assert_int_eq(gap_client_start(b.a.client), GAP_E_STATE);
        account_run(&b.loop, 100);
        ck_assert_uint_eq(b.a.updates, 0);
        bench_fini(&b);
    }
}
END_TEST

START_TEST(test_before_the_sign_in)
{
    struct bench b;

    bench_init(&b, true);
    b.config.bot_token = NULL;
    bench_open(&b);
    b.a.phone = NULL; /* no answer is given */
    account_start(&b.a);
    account_await(&b.a, GAP_CLIENT_SIGN_IN);
    shut_down(&b, 1000);
    expect_nothing(&b);
    bench_fini(&b);
}
END_TEST

START_TEST(test_without_a_connection)
{
    struct bench b;

    bench_init(&b, true);
    b.config.port = 1;
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_DISCONNECTED);
    shut_down(&b, 1000);
    expect_nothing(&b);
    bench_fini(&b);
}
END_TEST

START_TEST(test_after_a_fatal_error)
{
    struct bench b;

    bench_init(&b, true);
    b.config.bot_token = "garbage";
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_FATAL);
    shut_down(&b, 1000);
    expect_nothing(&b);
    bench_fini(&b);
}
END_TEST

START_TEST(test_after_stop_and_before_close)
{
    struct bench b;

    bench_init(&b, true);
    bench_start(&b);
    ck_assert(account_until(&b.loop, &b.work.handled, 50, ACCOUNT_WAIT_MS));
    gap_client_stop(b.a.client);
    shut_down(&b, 1000);
    expect_nothing(&b);
    bench_fini(&b);
}
END_TEST

/* The session is over, or the host has had enough: the deadline is not waited for, though handlers
 * hang. */
START_TEST(test_the_end_of_the_session_or_stop_while_draining)
{
    struct bench b;

    bench_init(&b, true);
    bench_work(&b);
    shut_down(&b, 3600000);
    account_run(&b.loop, 50);
    if (_i == 0) {
        ck_assert_int_eq(gap_client_log_out(b.a.client), 0);
        account_await(&b.a, GAP_CLIENT_SIGNED_OUT);
    } else {
        gap_client_stop(b.a.client);
    }
    await_report(&b);
    ck_assert_int_eq(b.report.status, 0);
    ck_assert_uint_ge(b.report.unknown, 20);
    bench_fini(&b);
}
END_TEST

START_TEST(test_close_ends_it)
{
    struct bench b;

    bench_init(&b, true);
    bench_work(&b);
    shut_down(&b, 3600000);
    account_run(&b.loop, 50);
    finish_kept(&b.work);
    b.work.keep = false;
    account_close(&b.a);
    ck_assert_uint_eq(b.reports, 1);
    ck_assert_int_eq(b.report.status, GAP_E_CLOSED);
    bench_fini(&b);
}
END_TEST

START_TEST(test_close_from_inside_the_report)
{
    struct bench b;

    bench_init(&b, true);
    bench_start(&b);
    ck_assert(account_until(&b.loop, &b.work.handled, 50, ACCOUNT_WAIT_MS));
    b.close_after = true;
    shut_down(&b, 1000);
    await_report(&b);
    ck_assert_int_eq(gap_client_shutdown(b.a.client, NULL, NULL, NULL), GAP_E_CLOSED);
    while (uv_run(&b.loop, UV_RUN_DEFAULT) != 0) continue; /* nothing is left on the loop */
    b.a.closed = 1;
    b.a.client = NULL;
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_failing_storage_is_told)
{
    struct bench b;

    bench_init(&b, true);
    bench_start(&b);
    ck_assert(account_until(&b.loop, &b.work.handled, 50, ACCOUNT_WAIT_MS));
    b.kept.commit_status = GAP_E_STORAGE;
    shut_down(&b, 1000);
    await_report(&b);
    ck_assert_int_eq(b.report.status, GAP_E_STORAGE);
    b.kept.commit_status = 0;
    bench_fini(&b);
}
END_TEST

/* ---- the boot record ---- */

START_TEST(test_an_orderly_end_is_remembered)
{
    struct bench b;
    uint8_t secret[32];

    bench_init(&b, true);
    for (unsigned n = 1; n <= 3; n++) {
        bench_start(&b);
        account_await(&b.a, GAP_CLIENT_CAUGHT_UP);
        ck_assert_uint_eq(b.kept.boot.epoch, n);
        ck_assert_msg(!b.kept.boot.clean, "a crash now would not be seen");
        if (n == 1) memcpy(secret, b.kept.boot.secret, sizeof secret);
        ck_assert_mem_eq(secret, b.kept.boot.secret, sizeof secret);
        if (n < 3) shut_down(&b, 1000);
        if (n < 3) await_report(&b);
        b.reports = 0;
        account_close(&b.a);
        ck_assert(b.kept.boot.clean);
    }
    static const uint8_t zero[32];
    ck_assert_int_ne(memcmp(secret, zero, sizeof zero), 0);
    bench_fini(&b);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_shutdown");
    TCase *t = tcase_create("shutdown");

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_what_is_at_work_is_finished, 0, 2);
    tcase_add_loop_test(t, test_the_rest_is_journalled_and_comes_first, 0, 2);
    tcase_add_loop_test(t, test_queries_that_come_meanwhile_are_kept, 0, 2);
    tcase_add_test(t, test_without_a_storage_the_rest_is_unknown);
    tcase_add_test(t, test_a_second_call_goes_straight_to_the_journal);
    tcase_add_test(t, test_from_inside_a_handler);
    tcase_add_test(t, test_requests_are_waited_for);
    tcase_add_test(t, test_but_not_for_ever);
    tcase_add_test(t, test_before_the_start_and_while_opening);
    tcase_add_test(t, test_before_the_sign_in);
    tcase_add_test(t, test_without_a_connection);
    tcase_add_test(t, test_after_a_fatal_error);
    tcase_add_test(t, test_after_stop_and_before_close);
    tcase_add_loop_test(t, test_the_end_of_the_session_or_stop_while_draining, 0, 2);
    tcase_add_test(t, test_close_ends_it);
    tcase_add_test(t, test_close_from_inside_the_report);
    tcase_add_test(t, test_a_failing_storage_is_told);
    tcase_add_test(t, test_an_orderly_end_is_remembered);
    suite_add_tcase(suite, t);
    return suite;
}

GAP_TEST_MAIN(make_suite)
