/*
 * tests/loop/test_client_handlers.c - handlers that fail, hang or are too slow: everything else
 * goes on, and it is said; handlers that complete an update in a transaction of their own.
 */
#include "tests/loop/account.h"

#include "base/bytes.h"
#include "loops/runner.h"
#include "tests/loop/dc_thread.h"

#include <stdlib.h>
#ifdef HAVE_SQLITE
#include <sqlite3.h>
#endif

#define EVENTS 300

struct bench {
    dc_thread_t dc;
    uv_loop_t loop;
    struct account_folder folder;
    char session[96];
    char state[96];
    gap_client_config_t config;
    gap_runner_config_t runner;
    struct account a;
    int (*handle)(struct bench *b, gap_update_t *update, const gap_message_t *message);
    int64_t poison; /* the chat of the first message */
    unsigned handled;
    unsigned poisoned;
    unsigned later; /* in `kept` */
    gap_update_t *kept[EVENTS];
    bool cured;
    uint64_t letter; /* number of a dead letter */
    unsigned letters;
    unsigned listed; /* lists that are through */
    unsigned messages;
    unsigned raw;
#ifdef HAVE_SQLITE
    sqlite3 *db;
    bool replies; /* behind the commit, and never answered */
#endif
};

static int on_update(gap_update_t *update, void *data)
{
    struct bench *b = data;
    gap_message_t m;

    if (gap_message_read(update, &m) != 0) return 0;
    if (b->poison == 0) b->poison = m.chat.id;
    return b->handle(b, update, &m);
}

static void bench_init(struct bench *b)
{
    memset(b, 0, sizeof *b);
    account_folder_make(&b->folder);
    (void)snprintf(b->session, sizeof b->session, "%s/session", b->folder.path);
    (void)snprintf(b->state, sizeof b->state, "%s/state.db", b->folder.path);
    dc_thread_init(&b->dc);
    b->dc.options.traffic.events = EVENTS;
    b->dc.options.traffic.kinds = 1U << DC_NEW_MESSAGE;
    b->dc.options.world.channels = 10;
    b->dc.options.rate = 2000;
    dc_thread_start(&b->dc);
    ck_assert_int_eq(uv_loop_init(&b->loop), 0);
    b->runner.retry_min_us = 5000;
    b->runner.retry_max_us = 10000;
    b->config = (gap_client_config_t){
        .host = "127.0.0.1",
        .port = b->dc.port,
        .rsa_key = b->dc.pem,
        .api_id = 1,
        .api_hash = "hash",
        .bot_token = "1000:secret",
        .session = b->session,
        .runner = &b->runner,
    };
}

static void bench_start(struct bench *b)
{
    ck_assert_int_eq(gap_storage_memory(NULL, &b->config.storage), 0);
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

static void bench_fini(struct bench *b)
{
    account_close(&b->a);
    (void)uv_run(&b->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&b->loop), 0);
    dc_thread_stop(&b->dc);
    account_folder_remove(&b->folder);
}

/* ---- poison ---- */

static int fail_in_one_chat(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    (void)update;
    if (message->chat.id != b->poison || b->cured) {
        b->handled++;
        return 0;
    }
    b->poisoned++;
    return GAP_E_LIMIT;
}

static void on_letter(void *data, const gap_dead_letter_t *letter)
{
    struct bench *b = data;

    b->letters++;
    b->letter = letter->number;
    ck_assert_uint_eq(letter->attempts, 2);
    ck_assert_int_eq(letter->error, GAP_E_LIMIT);
    ck_assert_ptr_nonnull(letter->update);
}

static void on_listed(void *data, int status)
{
    struct bench *b = data;

    ck_assert_int_eq(status, 0);
    b->listed++;
}

START_TEST(test_a_poisoned_chat_ends_in_dead_letters)
{
    struct bench b;

    bench_init(&b);
    b.runner.attempts_max = 2;
    b.handle = fail_in_one_chat;
    bench_start(&b);
    await_count(&b, &b.a.seen[GAP_CLIENT_DEAD_LETTER], 1);
    ck_assert_uint_ge(b.a.seen[GAP_CLIENT_HANDLER_FAILED], 1);
    ck_assert_int_eq(b.a.error[GAP_CLIENT_HANDLER_FAILED], GAP_E_LIMIT);
    ck_assert(account_says(b.a.log, "failed attempt 1 again"));
    ck_assert(account_says(b.a.text[GAP_CLIENT_DEAD_LETTER], "2 attempts gap_runner_redrive"));
    await_count(&b, &b.handled, EVENTS / 2); /* the others go on */
    while (b.handled + b.a.seen[GAP_CLIENT_DEAD_LETTER] < EVENTS) account_run(&b.loop, 20);
    unsigned dead = b.a.seen[GAP_CLIENT_DEAD_LETTER];
    ck_assert_uint_eq(b.poisoned, 2 * dead);
    gap_runner_t *runner = gap_client_runner(b.a.client);
    ck_assert_int_eq(gap_runner_dead_letters(runner, 0, 1000, on_letter, on_listed, &b), 0);
    await_count(&b, &b.listed, 1);
    ck_assert_uint_eq(b.letters, dead);
    b.cured = true;
    unsigned before = b.handled;
    ck_assert_int_eq(gap_runner_redrive(runner, b.letter), 0);
    await_count(&b, &b.handled, before + 1);
    bench_fini(&b);
}
END_TEST

/* ---- hanging ---- */

static int hang_in_one_chat(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    if (message->chat.id != b->poison || b->later > 0) {
        b->handled++;
        return 0;
    }
    b->kept[b->later++] = update;
    return GAP_LATER;
}

START_TEST(test_a_hanging_handler_stops_nobody)
{
    struct bench b;

    bench_init(&b);
    b.runner.timeout_us = 300000;
    b.handle = hang_in_one_chat;
    bench_start(&b);
    await_count(&b, &b.a.seen[GAP_CLIENT_HANDLER_TIMEOUT], 1);
    ck_assert(account_says(b.a.text[GAP_CLIENT_HANDLER_TIMEOUT], "too long attempt 1 again"));
    await_count(&b, &b.handled, EVENTS); /* the one that hung has come again, and those behind it */
    ck_assert(!gap_update_is_current(b.kept[0]));
    gap_update_done(b.kept[0]);
    bench_fini(&b);
}
END_TEST

/* ---- too slow ---- */

static int keep(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    (void)message;
    if (b->cured) {
        b->handled++;
        return 0;
    }
    ck_assert_uint_lt(b->later, EVENTS);
    b->kept[b->later++] = update;
    return GAP_LATER;
}

START_TEST(test_too_much_is_held_back_and_told)
{
    struct bench b;
    gap_runner_stats_t stats;

    bench_init(&b);
    b.runner.waiting_max = 60;
    b.handle = keep;
    bench_start(&b);
    await_count(&b, &b.a.seen[GAP_CLIENT_OVERLOADED], 1);
    ck_assert(account_says(b.a.text[GAP_CLIENT_OVERLOADED], "wait no more faster"));
    account_run(&b.loop, 300);
    gap_runner_stats(gap_client_runner(b.a.client), &stats);
    ck_assert(stats.held);
    ck_assert_uint_lt(stats.depth, EVENTS);
    b.cured = true;
    unsigned kept = b.later;
    while (b.later > 0) gap_update_done(b.kept[--b.later]);
    await_count(&b, &b.handled, EVENTS - kept);
    ck_assert_uint_ge(b.a.seen[GAP_CLIENT_OVERLOADED], 2);
    ck_assert(account_says(b.a.text[GAP_CLIENT_OVERLOADED], "taken again"));
    bench_fini(&b);
}
END_TEST

/* ---- two handlers ---- */

static int count_raw(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    (void)update;
    (void)message;
    b->raw++;
    return 0;
}

static int fail_first(gap_update_t *update, const gap_message_t *message, void *data)
{
    struct bench *b = data;

    ck_assert_int_ne(message->id, 0);
    b->messages++;
    return gap_update_attempt(update) == 1 ? GAP_E_STATE : 0;
}

/* The message handler sees what the raw one leaves alone; they succeed or fail as one. */
START_TEST(test_both_handlers_are_one)
{
    struct bench b;

    bench_init(&b);
    b.handle = count_raw;
    bench_start(&b);
    gap_client_on_message(b.a.client, fail_first, &b);
    await_count(&b, &b.messages, 2 * EVENTS);
    account_run(&b.loop, 100);
    ck_assert_uint_eq(b.messages, 2 * EVENTS);
    ck_assert_uint_eq(b.raw, 2 * EVENTS);
    bench_fini(&b);
}
END_TEST

#ifdef HAVE_SQLITE

/* ---- transactions of the host's own ---- */

static void sql(sqlite3 *db, const char *text)
{
    char *why = NULL;
    int r = sqlite3_exec(db, text, NULL, NULL, &why);
    ck_assert_msg(r == SQLITE_OK, "%s: %s", text, why == NULL ? "" : why);
}

static int64_t number(sqlite3 *db, const char *text)
{
    sqlite3_stmt *s = NULL;

    ck_assert_int_eq(sqlite3_prepare_v2(db, text, -1, &s, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    return n;
}

/* The first half commits, the rest rolls back at its first attempt. */
static int complete(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    bool fails = message->id % 2 == 1 && gap_update_attempt(update) == 1;

    (void)message;
    sql(b->db, "BEGIN IMMEDIATE");
    sql(b->db, "INSERT INTO mine DEFAULT VALUES");
    int r = gap_update_complete(b->db, update);
    ck_assert_msg(r == 0, "%s", gap_strerror(r));
    sql(b->db, fails ? "ROLLBACK" : "COMMIT");
    if (fails) {
        b->poisoned++;
        return GAP_E_STATE;
    }
    b->handled++;
    if (b->replies) {
        ck_assert_int_eq(gap_run_hold(update), 0);
        gap_run_release(update, GAP_E_DISCONNECTED);
    }
    return 0;
}

static struct bench *replying;

static void on_replied(gap_client_t *client, const gap_result_t *result, void *data)
{
    gap_update_t *update = data;
    struct bench *b = replying;

    (void)client;
    ck_assert_int_eq(result->status, 0);
    sql(b->db, "BEGIN IMMEDIATE");
    sql(b->db, "INSERT INTO mine DEFAULT VALUES");
    ck_assert_int_eq(gap_update_complete(b->db, update), 0);
    sql(b->db, "COMMIT");
    b->handled++;
    gap_update_done(update);
}

/* What is committed is not handled again: a reply that was on its way would be lost in a crash. */
static int reply_and_complete(struct bench *b, gap_update_t *update, const gap_message_t *message)
{
    if (message->out) return 0;
    int r = gap_reply(update, "got it", on_replied, update);
    ck_assert_msg(r == 0, "%s", gap_strerror(r));
    sql(b->db, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_update_complete(b->db, update), GAP_E_STATE);
    sql(b->db, "ROLLBACK");
    return GAP_LATER;
}

static void open_own(struct bench *b)
{
    ck_assert_int_eq(sqlite3_open(b->state, &b->db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_busy_timeout(b->db, 10000), SQLITE_OK);
    sql(b->db, "PRAGMA journal_mode = WAL");
    sql(b->db, "PRAGMA synchronous = OFF"); /* faster; nothing is crashed here */
    sql(b->db, "CREATE TABLE IF NOT EXISTS mine(n INTEGER PRIMARY KEY)");
}

START_TEST(test_completed_in_a_transaction_of_the_hosts)
{
    struct bench b;

    bench_init(&b);
    open_own(&b);
    b.handle = complete;
    b.replies = _i == 1;
    account_init(&b.a, &b.loop);
    b.a.on_update = on_update;
    b.a.data = &b;
    for (unsigned starts = 0; starts < 2; starts++) { /* the second one has nothing to do */
        const gap_sqlite_config_t sqlite = {.path = b.state};
        ck_assert_int_eq(gap_storage_sqlite(NULL, &sqlite, &b.config.storage), 0);
        account_init(&b.a, &b.loop);
        b.a.on_update = on_update;
        b.a.data = &b;
        account_open(&b.a, &b.config);
        account_start(&b.a);
        await_count(&b, &b.handled, EVENTS);
        account_run(&b.loop, 300);
        account_close(&b.a);
    }
    ck_assert_uint_eq(b.handled, EVENTS);
    ck_assert_uint_gt(b.poisoned, 0);
    ck_assert_int_eq(number(b.db, "SELECT count(*) FROM mine"), EVENTS);
    ck_assert_int_eq(number(b.db, "SELECT count(*) FROM gapless_inbox"), 0);
    ck_assert_int_eq(sqlite3_close(b.db), SQLITE_OK);
    bench_fini(&b);
}
END_TEST

START_TEST(test_completed_when_its_replies_are_answered)
{
    struct bench b;

    bench_init(&b);
    open_own(&b);
    replying = &b;
    b.handle = reply_and_complete;
    const gap_sqlite_config_t sqlite = {.path = b.state};
    ck_assert_int_eq(gap_storage_sqlite(NULL, &sqlite, &b.config.storage), 0);
    account_init(&b.a, &b.loop);
    b.a.on_update = on_update;
    b.a.data = &b;
    account_open(&b.a, &b.config);
    account_start(&b.a);
    await_count(&b, &b.handled, EVENTS);
    account_run(&b.loop, 300);
    ck_assert_uint_eq(b.handled, EVENTS);
    ck_assert_int_eq(number(b.db, "SELECT count(*) FROM mine"), EVENTS);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_HANDLER_FAILED], 0);
    account_close(&b.a);
    ck_assert_int_eq(number(b.db, "SELECT count(*) FROM gapless_inbox"), 0);
    ck_assert_int_eq(sqlite3_close(b.db), SQLITE_OK);
    bench_fini(&b);
}
END_TEST

#endif

static void on_log(void *data, gap_log_level_t level, const char *text)
{
    (void)level;
    (void)snprintf(data, 256, "%s", text);
}

/* Not when the account is known, which may be hours later. */
START_TEST(test_wrong_settings_are_refused_at_open)
{
    const struct {
        gap_runner_config_t runner;
        int result;
        const char *word;
    } cases[] = {
        {{.threads = GAP_RUNNER_THREADS_MAX + 1}, GAP_E_ARGUMENT, "runner.threads"},
        {{.journal = (gap_journal_mode_t)3}, GAP_E_ARGUMENT, "runner.journal"},
        {{.retry_min_us = 2, .retry_max_us = 1}, GAP_E_ARGUMENT, "runner.retry_min_us"},
        {{.threads = GAP_RUNNER_THREADS_MAX, .journal = GAP_JOURNAL_FULL}, 0, ""},
        {{.retry_max_us = 1}, 0, ""}, /* below the default of retry_min_us */
    };
    char text[256];
    gap_client_t *client;
    uv_loop_t loop;

    ck_assert_int_eq(uv_loop_init(&loop), 0);
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        const gap_client_config_t config = {.network = GAP_NETWORK_TEST,
                                            .api_id = 1,
                                            .api_hash = "hash",
                                            .runner = &cases[i].runner,
                                            .log = on_log,
                                            .log_data = text};
        text[0] = 0;
        int r = gap_client_open(&loop, &config, &client);
        ck_assert_msg(r == cases[i].result, "case %zu: %d", i, r);
        ck_assert_msg(strstr(text, cases[i].word) != NULL, "case %zu: '%s'", i, text);
        if (r == 0) gap_client_close(client, NULL, NULL);
        ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    }
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_handlers");
    TCase *t = tcase_create("handlers");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_a_poisoned_chat_ends_in_dead_letters);
    tcase_add_test(t, test_a_hanging_handler_stops_nobody);
    tcase_add_test(t, test_too_much_is_held_back_and_told);
    tcase_add_test(t, test_both_handlers_are_one);
    tcase_add_test(t, test_wrong_settings_are_refused_at_open);
#ifdef HAVE_SQLITE
    tcase_add_loop_test(t, test_completed_in_a_transaction_of_the_hosts, 0, 2);
    tcase_add_test(t, test_completed_when_its_replies_are_answered);
#endif
    suite_add_tcase(suite, t);
    return suite;
}

GAP_TEST_MAIN(make_suite)
