/*
 * tests/loop/test_client_reply.c - what is sent because of an update is sent once, whatever happens
 * to the handler or the process; and the update counts as handled when it was answered. The data
 * centre's ledger says what was sent.
 */
#include "tests/loop/account.h"

#include "base/bytes.h"
#include "tests/loop/dc_thread.h"
#include "tests/loop/kept.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS     10
#define LEDGER_MAX (1 << 20)

struct bench {
    dc_thread_t dc;
    char *ledger; /* the data centre's thread writes it; read when that has stopped */
    size_t ledger_len;
    uv_loop_t loop;
    struct kept kept;
    struct account_folder folder;
    char session[96];
    gap_client_config_t config;
    gap_runner_config_t runner;
    struct account a;
    int (*handle)(struct bench *b, gap_update_t *update, const gap_message_t *message);
    gap_update_t *later[64];
    unsigned later_count;
    unsigned incoming; /* runs for messages of others */
    unsigned own;      /* messages of the account itself that came */
    unsigned answers;
    unsigned refused; /* answers with a status */
    gap_shutdown_report_t report;
    unsigned reports;
    int64_t ids[4];
    gap_eid_t eid;
    atomic_uint on_thread;
    uint64_t depth; /* what the runner had when an answer came */
};

static int write_ledger(void *data, const char *line, size_t len)
{
    struct bench *b = data;

    if (b->ledger_len + len >= LEDGER_MAX) return GAP_E_LIMIT;
    memcpy(b->ledger + b->ledger_len, line, len);
    b->ledger_len += len;
    b->ledger[b->ledger_len] = 0;
    return 0;
}

/* Lines of the ledger that hold both words. */
static unsigned count(const struct bench *b, const char *one, const char *other)
{
    unsigned n = 0;

    for (const char *line = b->ledger; *line != 0;) {
        const char *end = strchr(line, '\n');
        char copy[1024];
        size_t len = end == NULL ? strlen(line) : (size_t)(end - line);
        if (len >= sizeof copy) len = sizeof copy - 1;
        memcpy(copy, line, len);
        copy[len] = 0;
        n += strstr(copy, one) != NULL && strstr(copy, other) != NULL;
        if (end == NULL) break;
        line = end + 1;
    }
    return n;
}

static int on_update(gap_update_t *update, void *data)
{
    struct bench *b = data;
    gap_message_t m;

    int r = gap_message_read(update, &m);
    if (r == GAP_NO_MESSAGE) return b->handle(b, update, NULL);
    ck_assert_int_eq(r, 0);
    if (m.out) {
        b->own++;
        return 0;
    }
    b->incoming++;
    return b->handle(b, update, &m);
}

static void on_answer(gap_client_t *client, const gap_result_t *result, void *data)
{
    struct bench *b = data;
    gap_runner_stats_t stats;

    ck_assert_ptr_eq(client, b->a.client);
    b->answers++;
    b->refused += result->status != 0;
    if (gap_client_runner(client) == NULL) return;
    gap_runner_stats(gap_client_runner(client), &stats);
    b->depth = stats.depth;
}

static void bench_init(struct bench *b, dc_kind_t kind)
{
    memset(b, 0, sizeof *b);
    b->ledger = calloc(1, LEDGER_MAX);
    ck_assert_ptr_nonnull(b->ledger);
    account_folder_make(&b->folder);
    (void)snprintf(b->session, sizeof b->session, "%s/session", b->folder.path);
    kept_init(&b->kept);
    dc_thread_init(&b->dc);
    b->dc.options.traffic.events = EVENTS;
    b->dc.options.traffic.kinds = 1U << kind;
    b->dc.options.ledger = write_ledger;
    b->dc.options.data = b;
    b->runner.retry_min_us = 10000;
    b->runner.retry_max_us = 20000;
}

static void bench_up(struct bench *b)
{
    dc_thread_start(&b->dc);
    ck_assert_int_eq(uv_loop_init(&b->loop), 0);
    b->config = (gap_client_config_t){
        .host = "127.0.0.1",
        .port = b->dc.port,
        .rsa_key = b->dc.pem,
        .api_id = 1,
        .api_hash = "hash",
        .bot_token = "1000:secret",
        .session = b->session,
        .storage = &b->kept.base,
        .runner = &b->runner,
    };
}

static void bench_start(struct bench *b)
{
    account_init(&b->a, &b->loop);
    b->a.on_update = on_update;
    b->a.data = b;
    account_open(&b->a, &b->config);
    account_start(&b->a);
}

static void await_count(struct bench *b, const unsigned *counter, unsigned value)
{
    bool came = account_until(&b->loop, counter, value, ACCOUNT_WAIT_MS);
    ck_assert_msg(came, "%u of %u; the log:\n%s", *counter, value, b->a.log);
}

/* The ledger may be read afterwards. */
static void bench_down(struct bench *b)
{
    account_close(&b->a);
    (void)uv_run(&b->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&b->loop), 0);
    dc_thread_stop(&b->dc);
}

static void bench_fini(struct bench *b)
{
    kept_fini(&b->kept);
    account_folder_remove(&b->folder);
    free(b->ledger);
}

/* What the account has sent: messages, and calls for them. */
static void expect_sent(const struct bench *b, unsigned messages, unsigned calls)
{
    ck_assert_uint_eq(count(b, "\"kind\":\"new_message\"", "\"via\":\"call\""), messages);
    ck_assert_uint_eq(count(b, "\"kind\":\"call\"", "messages.sendMessage"), calls);
}

/* ---- again ---- */

static int fail_once(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    if (message == NULL) return 0;
    int r = gap_reply(update, "hello", on_answer, b);
    ck_assert_int_eq(r, 0);
    return gap_update_attempt(update) == 1 ? GAP_E_LIMIT : 0;
}

START_TEST(test_a_run_again_sends_the_same)
{
    struct bench b;

    bench_init(&b, DC_NEW_MESSAGE);
    b.handle = fail_once;
    bench_up(&b);
    bench_start(&b);
    await_count(&b, &b.answers, 2 * EVENTS);
    await_count(&b, &b.own, EVENTS);
    account_run(&b.loop, 200);
    ck_assert_uint_eq(b.own, EVENTS);
    ck_assert_uint_eq(b.refused, 0);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_HANDLER_FAILED], EVENTS);
    bench_down(&b);
    expect_sent(&b, EVENTS, 2 * EVENTS);
    bench_fini(&b);
}
END_TEST

static int reply_and_hang(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    if (message == NULL || message->edit) return 0;
    ck_assert_int_eq(gap_reply(update, "hello", on_answer, b), 0);
    ck_assert_int_eq(gap_reply(update, "and again", on_answer, b), 0);
    ck_assert_int_eq(gap_reply_with(update, 7, "by name", on_answer, b), 0);
    ck_assert_uint_lt(b->later_count, GAP_ARRAY_LEN(b->later));
    b->later[b->later_count++] = update;
    return GAP_LATER;
}

static int reply_again(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    if (message == NULL) return 0;
    ck_assert(gap_update_maybe_repeated(update));
    ck_assert_int_eq(gap_reply_with(update, 7, "by name", on_answer, b), 0);
    ck_assert_int_eq(gap_reply(update, "hello", on_answer, b), 0);
    return gap_reply(update, "and again", on_answer, b);
}

static void on_report(gap_client_t *client, const gap_shutdown_report_t *report, void *data)
{
    struct bench *b = data;

    (void)client;
    b->report = *report;
    b->reports++;
}

/* What was answered and not handled comes again: from the journal, or by a difference. */
START_TEST(test_the_next_process_sends_the_same)
{
    struct bench b;

    bench_init(&b, DC_NEW_MESSAGE);
    b.runner.journal = _i == 0 ? GAP_JOURNAL_LAZY : GAP_JOURNAL_LIGHT;
    b.dc.options.world.channels = 0;
    b.dc.options.world.groups = 40; /* a lane for each, more or less */
    b.handle = reply_and_hang;
    bench_up(&b);
    bench_start(&b);
    account_run(&b.loop, 1000);
    unsigned begun = b.later_count;
    ck_assert_uint_gt(begun, 3);
    await_count(&b, &b.answers, 3 * begun);
    ck_assert_int_eq(gap_client_shutdown(b.a.client, NULL, on_report, &b), 0);
    ck_assert_int_eq(gap_client_shutdown(b.a.client, NULL, NULL, NULL), 0);
    await_count(&b, &b.reports, 1);
    ck_assert_int_eq(b.report.status, 0);
    ck_assert_uint_ge(_i == 0 ? b.report.journalled : b.report.unknown, begun);
    while (b.later_count > 0) gap_update_failed(b.later[--b.later_count], GAP_E_LIMIT);
    account_close(&b.a);
    b.answers = 0;
    b.handle = reply_again;
    bench_start(&b);
    await_count(&b, &b.answers, 3 * begun);
    account_run(&b.loop, 300);
    ck_assert_uint_eq(b.refused, 0);
    ck_assert_uint_le(b.answers, 3 * EVENTS);
    unsigned different = b.answers; /* of all that came, those begun before included */
    bench_down(&b);
    expect_sent(&b, different, 3 * begun + different);
    bench_fini(&b);
}
END_TEST

/* ---- identities ---- */

static int look(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    gap_eid_t eid;
    int64_t again = 0;

    if (message == NULL || b->ids[0] != 0) return 0;
    ck_assert_int_eq(gap_update_random_id(update, 0, &b->ids[0]), 0);
    ck_assert_int_eq(gap_update_random_id(update, 1, &b->ids[1]), 0);
    ck_assert_int_eq(gap_update_random_id(update, 0, &again), 0);
    ck_assert_int_eq(gap_update_eid(update, &b->eid), 0);
    ck_assert_int_eq(gap_update_eid(update, &eid), 0);
    ck_assert_mem_eq(&eid, &b->eid, sizeof eid);
    ck_assert_int_eq(again, b->ids[0]);
    ck_assert_int_ne(b->ids[0], 0);
    ck_assert_int_ne(b->ids[0], b->ids[1]);
    ck_assert_int_eq(gap_reply(update, "", NULL, NULL), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_answer_callback(update, NULL, false, NULL, NULL), GAP_E_ARGUMENT);
    return 0;
}

START_TEST(test_an_event_has_a_name_and_ids)
{
    struct bench b;

    bench_init(&b, DC_NEW_MESSAGE);
    b.handle = look;
    bench_up(&b);
    bench_start(&b);
    await_count(&b, &b.incoming, EVENTS);
    ck_assert_int_ne(b.ids[0], 0);
    bench_down(&b);
    expect_sent(&b, 0, 0);
    bench_fini(&b);
}
END_TEST

static int find_none(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    int64_t id = 0;
    gap_eid_t eid;

    (void)message;
    if (gap_update_id(update) != GAP_TL_UPDATE_USER_STATUS) return 0;
    b->incoming++;
    ck_assert_int_eq(gap_update_eid(update, &eid), GAP_E_NOT_FOUND);
    ck_assert_int_eq(gap_update_random_id(update, 0, &id), GAP_E_NOT_FOUND);
    ck_assert_int_eq(gap_reply(update, "to whom?", NULL, NULL), GAP_E_ARGUMENT);
    return 0;
}

START_TEST(test_some_events_have_none)
{
    struct bench b;

    bench_init(&b, DC_STATUS);
    b.handle = find_none;
    bench_up(&b);
    bench_start(&b);
    await_count(&b, &b.incoming, 1);
    bench_down(&b);
    bench_fini(&b);
}
END_TEST

/* ---- being through ---- */

static int reply_once(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    if (message == NULL || b->incoming > 1) return 0;
    return gap_reply(update, "hello", on_answer, b);
}

START_TEST(test_handled_when_it_was_answered)
{
    struct bench b;
    gap_runner_stats_t stats;

    bench_init(&b, DC_NEW_MESSAGE);
    b.dc.options.delay_ms = 100;
    b.dc.options.traffic.events = 1;
    b.handle = reply_once;
    bench_up(&b);
    bench_start(&b);
    await_count(&b, &b.incoming, 1);
    gap_runner_stats(gap_client_runner(b.a.client), &stats);
    ck_assert_uint_eq(stats.depth, 1);
    await_count(&b, &b.answers, 1);
    ck_assert_uint_ge(b.depth, 1);
    account_run(&b.loop, 300);
    gap_runner_stats(gap_client_runner(b.a.client), &stats);
    ck_assert_uint_eq(stats.depth, 0);
    bench_down(&b);
    expect_sent(&b, 1, 1);
    bench_fini(&b);
}
END_TEST

static int keep_first(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    if (message == NULL || b->later_count > 0) return 0;
    b->later[b->later_count++] = update;
    return GAP_LATER;
}

START_TEST(test_a_run_that_timed_out_is_refused)
{
    struct bench b;

    bench_init(&b, DC_NEW_MESSAGE);
    b.runner.timeout_us = 100000;
    b.handle = keep_first;
    bench_up(&b);
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_HANDLER_TIMEOUT);
    gap_update_t *old = b.later[0];
    ck_assert(!gap_update_is_current(old));
    ck_assert_int_eq(gap_reply(old, "too late", on_answer, &b), GAP_E_STATE);
    ck_assert_int_eq(gap_reply_with(old, 1, "too late", on_answer, &b), GAP_E_STATE);
    gap_update_done(old);
    await_count(&b, &b.incoming, EVENTS + 1); /* one twice */
    bench_down(&b);
    expect_sent(&b, 0, 0);
    bench_fini(&b);
}
END_TEST

static int reply_twice(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    if (message == NULL || b->incoming > 1) return 0;
    ck_assert_int_eq(gap_reply_with(update, 7, "hello", on_answer, b), 0);
    return gap_reply_with(update, 7, "hello", on_answer, b);
}

/* 500 RANDOM_ID_DUPLICATE: the first is still at work. Later the same answers with the first
 * message, in no place of its box. */
START_TEST(test_the_same_id_while_the_first_is_running)
{
    struct bench b;

    bench_init(&b, DC_NEW_MESSAGE);
    b.dc.options.delay_ms = 300;
    b.dc.options.traffic.events = 1;
    b.handle = reply_twice;
    bench_up(&b);
    bench_start(&b);
    await_count(&b, &b.answers, 2);
    ck_assert_uint_eq(b.refused, 0);
    account_run(&b.loop, 600);
    ck_assert_uint_eq(b.own, 1);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_HANDLER_FAILED], 0);
    bench_down(&b);
    ck_assert_uint_ge(count(&b, "RANDOM_ID_DUPLICATE", "messages.sendMessage"), 1);
    expect_sent(&b, 1, 3);
    bench_fini(&b);
}
END_TEST

/* ---- queries ---- */

static int answer_query(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    char text[300];

    (void)message;
    if (gap_update_id(update) != GAP_TL_UPDATE_BOT_CALLBACK_QUERY) return 0;
    b->incoming++;
    memset(text, 'x', sizeof text);
    text[201] = 0;
    ck_assert_int_eq(gap_answer_callback(update, text, true, on_answer, b), GAP_E_ARGUMENT);
    return gap_answer_callback(update, "done", true, on_answer, b);
}

START_TEST(test_queries_are_answered)
{
    struct bench b;

    bench_init(&b, DC_CALLBACK_QUERY);
    b.handle = answer_query;
    bench_up(&b);
    bench_start(&b);
    await_count(&b, &b.incoming, 1);
    account_run(&b.loop, 500);
    ck_assert_uint_eq(b.answers, b.incoming);
    ck_assert_uint_eq(b.refused, 0);
    bench_down(&b);
    ck_assert_uint_eq(count(&b, "\"kind\":\"call\"", "messages.setBotCallbackAnswer"), b.incoming);
    bench_fini(&b);
}
END_TEST

/* ---- other threads ---- */

static int read_there(gap_update_t *update, void *data)
{
    struct bench *b = data;
    gap_message_t m;
    gap_eid_t eid;
    int64_t id = 0;

    if (gap_message_read(update, &m) != 0 || m.text.len == 0) return GAP_E_STATE;
    if (gap_update_eid(update, &eid) != 0 || gap_update_random_id(update, 1, &id) != 0)
        return GAP_E_STATE;
    if (gap_update_client(update) != b->a.client || !gap_update_is_current(update))
        return GAP_E_STATE;
    atomic_fetch_add(&b->on_thread, 1);
    return 0;
}

static int go_there(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    return message == NULL ? 0 : gap_update_on_thread(update, read_there, b);
}

START_TEST(test_what_a_thread_may_read)
{
    struct bench b;
    gap_runner_stats_t stats = {.handled = 0};

    bench_init(&b, DC_NEW_MESSAGE);
    b.handle = go_there;
    bench_up(&b);
    bench_start(&b);
    await_count(&b, &b.incoming, EVENTS);
    for (int i = 0; i < 100 && atomic_load(&b.on_thread) < EVENTS; i++) account_run(&b.loop, 20);
    account_run(&b.loop, 100);
    ck_assert_uint_eq(atomic_load(&b.on_thread), EVENTS);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_HANDLER_FAILED], 0);
    gap_runner_stats(gap_client_runner(b.a.client), &stats);
    ck_assert_uint_eq(stats.depth, 0);
    bench_down(&b);
    bench_fini(&b);
}
END_TEST

static int reply_there(gap_update_t *update, void *data)
{
    (void)data;
    return gap_reply(update, "from a thread", NULL, NULL);
}

static int go_wrong(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    return message == NULL ? 0 : gap_update_on_thread(update, reply_there, b);
}

/* In a process of its own: it has to end there. */
static void reply_from_a_thread(void)
{
    const struct rlimit no_core = {0, 0};
    struct bench b;

    (void)setrlimit(RLIMIT_CORE, &no_core);
    bench_init(&b, DC_NEW_MESSAGE);
    b.handle = go_wrong;
    bench_up(&b);
    bench_start(&b);
    account_run(&b.loop, 5000);
}

START_TEST(test_but_not_call)
{
    int status = 0;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL) _exit(3);
        reply_from_a_thread();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %x", status);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_reply");
    TCase *t = tcase_create("reply");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_but_not_call); /* before there are threads in this process */
    tcase_add_test(t, test_a_run_again_sends_the_same);
    tcase_add_loop_test(t, test_the_next_process_sends_the_same, 0, 2);
    tcase_add_test(t, test_an_event_has_a_name_and_ids);
    tcase_add_test(t, test_some_events_have_none);
    tcase_add_test(t, test_handled_when_it_was_answered);
    tcase_add_test(t, test_a_run_that_timed_out_is_refused);
    tcase_add_test(t, test_the_same_id_while_the_first_is_running);
    tcase_add_test(t, test_queries_are_answered);
    tcase_add_test(t, test_what_a_thread_may_read);
    suite_add_tcase(suite, t);
    return suite;
}

GAP_TEST_MAIN(make_suite)
