/*
 * tests/sim/test_outbox_life.c - an outbox from its client's start to its end: what opens it, what
 * wakes it, what it costs while there is nothing to do, and ends of every kind, after each of which
 * every row goes out, once.
 */
#include "dc/server.h"
#include "tests/sim/outbox_world.h"
#include "tests/sim/sim_env_in.h"

#include <gapless/tl_api.h>
#include <string.h>

#define SECOND UINT64_C(1000000)
#define HOUR   (3600 * SECOND)

static struct outbox_world o;

static void setup(void)
{
    outbox_world_begin(&o, 1);
    outbox_world_live(&o);
}

static void teardown(void)
{
    outbox_world_die(&o);
    outbox_world_end(&o);
}

static void reach(int64_t row, gap_outbox_state_t state, uint64_t us)
{
    ck_assert_msg(outbox_world_reach(&o, row, state, us), "row %d is in state %d: %s; %s", (int)row,
                  (int)outbox_world_state(&o, row), outbox_world_reason(&o, row), o.w.trouble);
}

static void run(uint64_t us)
{
    (void)client_world_run(&o.w, us, NULL);
}

/* A chat that was never met is looked for at first. */
static void meet(unsigned chat)
{
    reach(outbox_world_send(&o, outbox_world_chat(chat), "how do you do"), GAP_OUTBOX_SENT,
          10 * SECOND);
}

static void next_life(void)
{
    outbox_world_die(&o);
    outbox_world_live(&o);
}

/* ---- opening ---- */

static gap_storage_t *in_memory(void *arg)
{
    gap_storage_t *s = NULL;

    (void)arg;
    return gap_storage_memory(&o.w.counted, &s) == 0 ? s : NULL;
}

static bool is_fatal(const struct client_world *w)
{
    return w->fatal;
}

START_TEST(a_storage_without_sql_is_refused)
{
    gap_storage_t *(*before)(void *) = o.w.storage;

    outbox_world_die(&o);
    o.w.storage = in_memory;
    client_world_fresh(&o.w);
    ck_assert_int_eq(client_world_open(&o.w), 0);
    ck_assert(client_world_run(&o.w, 10 * SECOND, is_fatal));
    ck_assert_ptr_nonnull(strstr(o.text[GAP_CLIENT_FATAL], "gap_storage_sqlite"));
    ck_assert_int_eq(o.event[GAP_CLIENT_FATAL].error, GAP_E_STATE);
    o.w.storage = before;
}
END_TEST

START_TEST(tables_of_somebody_elses_are_refused)
{
    outbox_world_die(&o);
    outbox_world_sql(&o, "UPDATE gapless_outbox_meta SET version = 99");
    client_world_fresh(&o.w);
    ck_assert_int_eq(client_world_open(&o.w), 0);
    ck_assert(client_world_run(&o.w, 10 * SECOND, is_fatal));
    ck_assert_int_eq(o.event[GAP_CLIENT_FATAL].error, GAP_E_NEWER);
    ck_assert_ptr_nonnull(strstr(o.text[GAP_CLIENT_FATAL], "gapless_outbox"));
}
END_TEST

static const struct {
    gap_outbox_config_t config;
    bool storage;
    const char *why;
} contradictions[] = {
    {{.in_flight = 65}, true, "more calls in flight than there may be"},
    {{.user = {.calls = 3}}, true, "calls per no time"},
    {{.retry_min_us = 5, .retry_max_us = 4}, true, "a least wait above the longest"},
    {{.in_flight = 0}, false, "nowhere to have rows"},
};

START_TEST(a_configuration_that_makes_no_sense_is_refused)
{
    gap_storage_t *storage = contradictions[_i].storage ? in_memory(NULL) : NULL;
    gap_client_t *client = NULL;
    gap_client_config_t config = {
        .host = "127.0.0.1",
        .port = 1,
        .dc = 2,
        .rsa_key = o.w.pem,
        .storage = storage,
        .outbox = &contradictions[_i].config,
    };

    ck_assert_msg(client_new(&config, &client) == GAP_E_ARGUMENT, "%s", contradictions[_i].why);
    if (storage != NULL) storage->ops->destroy(storage);
}
END_TEST

START_TEST(a_client_without_an_outbox_sends_nothing)
{
    gap_outbox_stats_t stats;

    outbox_world_die(&o);
    o.w.outbox = NULL;
    outbox_world_live(&o);
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "no");
    gap_outbox_wake(o.w.client);
    run(10 * SECOND);
    ck_assert_int_eq(outbox_world_state(&o, row), GAP_OUTBOX_READY);
    ck_assert_int_eq(gap_outbox_stats(o.w.client, &stats), GAP_E_STATE);
    ck_assert_int_eq(gap_outbox_probed(o.w.client, row, true), GAP_E_NOT_FOUND);
}
END_TEST

/* ---- waking ---- */

static void wake(void *arg)
{
    gap_outbox_wake(arg);
    gap_outbox_wake(arg); /* twice is as once */
}

START_TEST(it_is_woken_from_any_thread)
{
    o.config.poll_us = HOUR;
    next_life();
    run(60 * SECOND); /* commits of its own make it look over all chats once more */
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "hello");
    run(10 * SECOND);
    ck_assert_int_eq(outbox_world_state(&o, row), GAP_OUTBOX_READY);
    sim_as_thread(o.w.sim, wake, o.w.client);
    reach(row, GAP_OUTBOX_SENT, SECOND);
}
END_TEST

static int64_t from_handler;

static int enqueue_in_transaction(struct sqlite3 *db, uint32_t n, bool edit)
{
    const gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND,
                                    .chat = outbox_world_chat(0),
                                    .content = {.text = gap_str("from a handler")}};

    (void)n;
    (void)edit;
    return from_handler != 0 ? 0 : gap_outbox_enqueue(db, &item, &from_handler);
}

START_TEST(what_a_handler_writes_in_its_transaction_wakes_it)
{
    o.config.poll_us = HOUR;
    o.w.count = enqueue_in_transaction;
    from_handler = 0;
    next_life();
    run(SECOND);
    client_world_say(&o.w, 8);
    for (int i = 0; i < 400 && from_handler == 0; i++) run(5000);
    ck_assert_int_gt(from_handler, 0);
    reach(from_handler, GAP_OUTBOX_SENT, SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "from a handler"), 1);
}
END_TEST

static int release_in_transaction(struct sqlite3 *db, uint32_t n, bool edit)
{
    int r = gap_outbox_release(db, outbox_world_chat(0));

    (void)n;
    (void)edit;
    return r == GAP_E_NOT_FOUND ? 0 : r;
}

/* Of the storage's own connection no version tells that it has changed something. */
START_TEST(what_a_handler_releases_in_its_transaction_goes_on)
{
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 403, "CHAT_WRITE_FORBIDDEN");
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "one");
    reach(row, GAP_OUTBOX_PARKED, SECOND);
    outbox_world_refuse(&o, 0, 0, NULL);
    o.w.count = release_in_transaction;
    next_life();
    run(HOUR);
    client_world_say(&o.w, 8);
    reach(row, GAP_OUTBOX_SENT, 60 * SECOND);
}
END_TEST

START_TEST(constant_wakes_keep_nobody_from_what_people_released)
{
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 403, "CHAT_WRITE_FORBIDDEN");
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "one");
    reach(row, GAP_OUTBOX_PARKED, SECOND);
    outbox_world_refuse(&o, 0, 0, NULL);
    run(60 * SECOND);
    outbox_world_sql(&o, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outbox_release(o.db, outbox_world_chat(0)), 0);
    outbox_world_sql(&o, "COMMIT");
    o.w.sim->options.work_us = 2000; /* the writer thread is busy */
    for (int i = 0; i < 100000; i++) {
        gap_outbox_wake(o.w.client);
        run(20);
        if (i % 1000 == 0 && outbox_world_state(&o, row) == GAP_OUTBOX_SENT) break;
    }
    ck_assert_int_eq(outbox_world_state(&o, row), GAP_OUTBOX_SENT);
}
END_TEST

START_TEST(rows_may_be_kept_for_ever)
{
    o.config.keep_sent_us = UINT64_MAX;
    next_life();
    for (int i = 0; i < 3; i++) {
        int64_t row = outbox_world_send(&o, outbox_world_chat(0), "kept");
        reach(row, GAP_OUTBOX_SENT, 10 * SECOND);
        run(HOUR);
    }
    ck_assert_int_eq(outbox_world_column(&o, "count(*)", 1), 1);
    ck_assert_int_eq(outbox_world_state(&o, 1), GAP_OUTBOX_SENT);
}
END_TEST

static int64_t data_version(void)
{
    sqlite3_stmt *stmt = NULL;

    ck_assert_int_eq(sqlite3_prepare_v2(o.db, "PRAGMA data_version", -1, &stmt, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    int64_t version = sqlite3_column_int64(stmt, 0);
    ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
    return version;
}

START_TEST(an_outbox_with_nothing_to_do_writes_nothing)
{
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "hello");
    reach(row, GAP_OUTBOX_SENT, SECOND);
    run(10 * SECOND);
    int64_t before = data_version();
    long calls = o.w.alloc.calls;
    run(300 * SECOND);
    ck_assert_int_eq(data_version(), before);
    /* A look every 100 ms costs the library a few blocks that go at once. */
    ck_assert_int_lt(o.w.alloc.calls - calls, 3000 * 16);
}
END_TEST

START_TEST(others_commits_that_are_not_rows_cost_little)
{
    outbox_world_sql(&o, "CREATE TABLE mine(x)");
    for (int i = 0; i < 50; i++) {
        outbox_world_sql(&o, "INSERT INTO mine VALUES(1)");
        run(100000);
    }
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "hello");
    reach(row, GAP_OUTBOX_SENT, SECOND);
}
END_TEST

/* ---- connections ---- */

START_TEST(without_a_connection_rows_wait_for_hours)
{
    meet(0);
    sim_net_down(o.w.sim, 5 * HOUR);
    sim_cut_all(o.w.sim);
    run(SECOND);
    size_t before = o.told_count;
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "at last");
    run(4 * HOUR);
    ck_assert_uint_eq(outbox_world_messages(&o, "at last"), 0);
    ck_assert_uint_le(o.told_count, before + 2); /* no noise, either */
    ck_assert_int_le(outbox_world_column(&o, "attempts", row), 1);
    reach(row, GAP_OUTBOX_SENT, 2 * HOUR);
    ck_assert_uint_eq(outbox_world_messages(&o, "at last"), 1);
}
END_TEST

START_TEST(a_cut_at_any_moment_doubles_nothing)
{
    char text[32];

    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(text, sizeof text, "cut %u", i);
        int64_t row = outbox_world_send(&o, outbox_world_chat(i % 15), text);
        gap_outbox_wake(o.w.client);
        run(500 + 500 * i);
        sim_cut_all(o.w.sim);
        reach(row, GAP_OUTBOX_SENT, 60 * SECOND);
        ck_assert_uint_eq(outbox_world_messages(&o, text), 1);
        ck_assert_int_le(outbox_world_column(&o, "attempts", row), 1);
    }
}
END_TEST

START_TEST(the_clock_of_people_may_jump)
{
    int64_t one = outbox_world_send(&o, outbox_world_chat(0), "one");
    reach(one, GAP_OUTBOX_SENT, SECOND);
    sim_shift_wall(o.w.env, -86400000000);
    int64_t two = outbox_world_send(&o, outbox_world_chat(0), "two");
    reach(two, GAP_OUTBOX_SENT, 10 * SECOND);
    sim_shift_wall(o.w.env, 2 * 86400000000);
    int64_t three = outbox_world_send(&o, outbox_world_chat(0), "three");
    reach(three, GAP_OUTBOX_SENT, 10 * SECOND);
}
END_TEST

static const struct {
    int32_t code;
    const char *text;
    int64_t days; /* set back by so many */
} set_back[] = {
    {420, "FLOOD_WAIT_30", 1},    {420, "SLOWMODE_WAIT_30", 1}, {400, "MSG_WAIT_FAILED", 1},
    {500, "RPC_CALL_FAIL", 1},    {420, "FLOOD_WAIT_30", 4000}, {500, "RPC_CALL_FAIL", 4000},
    {420, "FLOOD_WAIT_30", -400}, {500, "RPC_CALL_FAIL", -400},
};

/* What the server asked for, or a failure, is a time from then on, whatever a clock shows. */
START_TEST(a_wait_is_as_long_whatever_the_clock_is_set_to)
{
    bool floods = strcmp(set_back[_i].text, "FLOOD_WAIT_30") == 0;

    meet(0);
    run(10 * SECOND);
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, set_back[_i].code, set_back[_i].text);
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "text");
    run(2 * SECOND);
    outbox_world_refuse(&o, 0, 0, NULL);
    sim_shift_wall(o.w.env, -86400000000 * set_back[_i].days);
    run(SECOND);
    outbox_world_sql(&o, "CREATE TABLE mine(x)"); /* so that all chats are looked at again */
    run(10 * SECOND);
    if (floods) ck_assert_int_eq(outbox_world_state(&o, row), GAP_OUTBOX_SNOOZED);
    reach(row, GAP_OUTBOX_SENT, 60 * SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "text"), 1);
    ck_assert_int_le(outbox_world_column(&o, "attempts", row), 3);
}
END_TEST

/* Nobody knows how long it was to be. */
START_TEST(a_wait_from_the_far_future_is_over)
{
    meet(0);
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 420, "FLOOD_WAIT_30");
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "text");
    reach(row, GAP_OUTBOX_SNOOZED, 5 * SECOND);
    outbox_world_refuse(&o, 0, 0, NULL);
    outbox_world_die(&o);
    outbox_world_sql(&o, "UPDATE gapless_outbox SET not_before = not_before + 345600000000000;"
                         "UPDATE gapless_outbox_gate SET until = until + 345600000000000");
    outbox_world_live(&o);
    reach(row, GAP_OUTBOX_SENT, 60 * SECOND);
}
END_TEST

/* ---- ends ---- */

static gap_shutdown_report_t report;
static bool reported;

static void on_shutdown(gap_client_t *client, const gap_shutdown_report_t *r, void *data)
{
    (void)client;
    (void)data;
    report = *r;
    reported = true;
}

static bool is_reported(const struct client_world *w)
{
    (void)w;
    return reported;
}

START_TEST(a_shutdown_waits_for_calls_and_claims_nothing)
{
    const gap_shutdown_config_t config = {.sends_us = 3 * SECOND};
    bool dropped = _i == 1;

    reported = false;
    meet(0);
    o.w.dc->options.answer_ms = 1000;
    if (dropped) outbox_world_drop_answers(&o, 1);
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "under way");
    int64_t behind = outbox_world_send(&o, outbox_world_chat(0), "behind");
    reach(row, GAP_OUTBOX_LEASED, SECOND);
    ck_assert_int_eq(gap_client_shutdown(o.w.client, &config, on_shutdown, NULL), 0);
    int64_t late = outbox_world_send(&o, outbox_world_chat(1), "late");
    gap_outbox_wake(o.w.client);
    ck_assert(client_world_run(&o.w, 20 * SECOND, is_reported));
    ck_assert_int_eq(report.status, 0);
    ck_assert_uint_eq(report.sends_unknown, dropped ? 1 : 0);
    ck_assert_int_eq(outbox_world_state(&o, row), dropped ? GAP_OUTBOX_LEASED : GAP_OUTBOX_SENT);
    ck_assert_int_eq(outbox_world_state(&o, behind), GAP_OUTBOX_READY);
    ck_assert_int_eq(outbox_world_state(&o, late), GAP_OUTBOX_READY);
    outbox_world_die(&o);
    ck_assert_int_eq(outbox_world_state(&o, row), dropped ? GAP_OUTBOX_UNKNOWN : GAP_OUTBOX_SENT);
    outbox_world_drop_answers(&o, 0);
    outbox_world_live(&o);
    reach(row, GAP_OUTBOX_SENT, 20 * SECOND);
    reach(behind, GAP_OUTBOX_SENT, 20 * SECOND);
    reach(late, GAP_OUTBOX_SENT, 20 * SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "under way"), 1);
}
END_TEST

static bool gone;

static void on_gone(void *data)
{
    (void)data;
    gone = true;
}

static void close_from_row(struct outbox_world *world, const gap_outbox_row_t *row)
{
    (void)row;
    world->on_row = NULL;
    gap_client_close(world->w.client, on_gone, NULL);
}

START_TEST(it_may_be_closed_from_inside_on_row)
{
    gone = false;
    o.on_row = close_from_row;
    for (unsigned i = 0; i < 5; i++) (void)outbox_world_send(&o, outbox_world_chat(i), "hello");
    uint64_t limit_us = sim_now_us(o.w.sim) + HOUR;
    while (!gone && sim_step(o.w.sim, limit_us)) continue;
    ck_assert(gone);
    ck_assert_uint_eq(o.told_count, 1); /* nobody is told anything afterwards */
    o.w.client = NULL;
    ck_assert_int_eq(o.w.alloc.live, 0);
    outbox_world_live(&o);
    for (int64_t row = 1; row <= 5; row++) reach(row, GAP_OUTBOX_SENT, 20 * SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "hello"), 5);
}
END_TEST

/* Closed after so many steps of the world, in the middle of whatever is going on. */
START_TEST(it_may_be_closed_at_any_step)
{
    int every = 12 / gap_test_seeds(12);
    char text[32];

    for (int steps = 1; steps < 400; steps += every < 1 ? 1 : every) {
        (void)snprintf(text, sizeof text, "step %d", steps);
        int64_t row = outbox_world_send(&o, outbox_world_chat((unsigned)steps % 15), text);
        gap_outbox_wake(o.w.client);
        for (int i = 0; i < steps; i++) (void)sim_step(o.w.sim, sim_now_us(o.w.sim) + SECOND);
        next_life();
        reach(row, GAP_OUTBOX_SENT, 90 * SECOND);
        ck_assert_msg(outbox_world_messages(&o, text) == 1, "%s: %u messages", text,
                      outbox_world_messages(&o, text));
    }
}
END_TEST

START_TEST(after_stop_nothing_is_sent)
{
    gap_client_stop(o.w.client);
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "next time");
    gap_outbox_wake(o.w.client);
    run(10 * SECOND);
    ck_assert_int_eq(outbox_world_state(&o, row), GAP_OUTBOX_READY);
    next_life();
    reach(row, GAP_OUTBOX_SENT, SECOND);
}
END_TEST

START_TEST(rows_outlive_the_session)
{
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 401, "SESSION_REVOKED");
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "still there");
    for (int i = 0; i < 400 && o.events[GAP_CLIENT_SIGNED_OUT] == 0; i++) run(5000);
    ck_assert_uint_eq(o.events[GAP_CLIENT_SIGNED_OUT], 1);
    run(HOUR);
    gap_outbox_state_t state = outbox_world_state(&o, row);
    ck_assert_msg(state == GAP_OUTBOX_UNKNOWN || state == GAP_OUTBOX_READY ||
                      state == GAP_OUTBOX_SNOOZED,
                  "%d", (int)state);
    ck_assert_int_eq(outbox_world_column(&o, "attempts", row), 0);
    outbox_world_refuse(&o, 0, 0, NULL);
    next_life(); /* signs in anew */
    reach(row, GAP_OUTBOX_SENT, 20 * SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "still there"), 1);
}
END_TEST

/* ---- damage ---- */

/* Noise in the page of the file that holds these words. */
static void spoil(const char *words)
{
    enum { PAGE = 4096 };
    static char bytes[4 << 20];

    outbox_world_sql(&o, "PRAGMA wal_checkpoint(TRUNCATE)");
    FILE *f = fopen(o.path, "r+b");
    ck_assert_ptr_nonnull(f);
    size_t len = fread(bytes, 1, sizeof bytes, f);
    const char *at = memmem(bytes, len, words, strlen(words));
    ck_assert_msg(at != NULL, "'%s' is not in the file", words);
    size_t page = (size_t)(at - bytes) / PAGE * PAGE;
    memset(bytes + page, 0xa5, PAGE);
    ck_assert_int_eq(fseek(f, (long)page, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(bytes + page, 1, PAGE, f), PAGE);
    ck_assert_int_eq(fclose(f), 0);
}

/* While a client is there: it is said which table it is, not too often, and updates go on. */
START_TEST(a_damaged_page_is_told_and_updates_go_on)
{
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 420, "FLOOD_WAIT_3600");
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "a row of the outbox");
    reach(row, GAP_OUTBOX_SNOOZED, 20 * SECOND);
    outbox_world_refuse(&o, 0, 0, NULL);
    spoil("a row of the outbox");
    if (_i == 0) { /* seen by a walk, or only when its turn comes */
        outbox_world_sql(&o, "CREATE TABLE mine(x)");
        run(60 * SECOND);
    } else {
        run(2 * HOUR);
    }
    ck_assert_uint_ge(o.events[GAP_CLIENT_ERROR], 1);
    ck_assert_uint_le(o.events[GAP_CLIENT_ERROR], 20);
    ck_assert_int_eq(o.event[GAP_CLIENT_ERROR].error, GAP_E_DAMAGED);
    ck_assert_ptr_nonnull(strstr(o.text[GAP_CLIENT_ERROR], "table gapless_outbox "));
    ck_assert_ptr_nonnull(strstr(o.text[GAP_CLIENT_ERROR], "backup"));
    ck_assert_uint_eq(o.events[GAP_CLIENT_FATAL], 0);
    ck_assert_msg(o.w.store_failed == 0, "%s", o.text[GAP_CLIENT_STORE_FAILED]);
    unsigned calls = o.w.calls;
    client_world_say(&o.w, 20);
    run(10 * SECOND);
    ck_assert_uint_ge(o.w.calls, calls + 20);
    ck_assert_uint_eq(o.w.store_failed, 0);
}
END_TEST

/* At its beginning: what to do is said there, too. */
START_TEST(an_outbox_that_is_damaged_is_refused)
{
    outbox_world_die(&o);
    outbox_world_sql(&o, "UPDATE gapless_outbox_meta SET application = 'gapless'");
    (void)outbox_world_send(&o, outbox_world_chat(0), "a row of the outbox");
    outbox_world_sql(&o, "UPDATE gapless_outbox SET state = 3");
    spoil("a row of the outbox");
    client_world_fresh(&o.w);
    memset(o.events, 0, sizeof o.events);
    ck_assert_int_eq(client_world_open(&o.w), 0);
    ck_assert(client_world_run(&o.w, 10 * SECOND, is_fatal));
    ck_assert_int_eq(o.event[GAP_CLIENT_FATAL].error, GAP_E_DAMAGED);
    ck_assert_ptr_nonnull(strstr(o.text[GAP_CLIENT_FATAL], "table gapless_outbox "));
    ck_assert_ptr_nonnull(strstr(o.text[GAP_CLIENT_FATAL], "backup"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("outbox_life");
    TCase *tc = tcase_create("life");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_storage_without_sql_is_refused);
    tcase_add_test(tc, tables_of_somebody_elses_are_refused);
    tcase_add_loop_test(tc, a_configuration_that_makes_no_sense_is_refused, 0,
                        (int)GAP_ARRAY_LEN(contradictions));
    tcase_add_test(tc, a_client_without_an_outbox_sends_nothing);
    tcase_add_test(tc, it_is_woken_from_any_thread);
    tcase_add_test(tc, what_a_handler_writes_in_its_transaction_wakes_it);
    tcase_add_test(tc, what_a_handler_releases_in_its_transaction_goes_on);
    tcase_add_test(tc, constant_wakes_keep_nobody_from_what_people_released);
    tcase_add_test(tc, rows_may_be_kept_for_ever);
    tcase_add_test(tc, an_outbox_with_nothing_to_do_writes_nothing);
    tcase_add_test(tc, others_commits_that_are_not_rows_cost_little);
    tcase_add_test(tc, without_a_connection_rows_wait_for_hours);
    tcase_add_test(tc, a_cut_at_any_moment_doubles_nothing);
    tcase_add_test(tc, the_clock_of_people_may_jump);
    tcase_add_loop_test(tc, a_wait_is_as_long_whatever_the_clock_is_set_to, 0, 8);
    tcase_add_test(tc, a_wait_from_the_far_future_is_over);
    tcase_add_loop_test(tc, a_shutdown_waits_for_calls_and_claims_nothing, 0, 2);
    tcase_add_test(tc, it_may_be_closed_from_inside_on_row);
    tcase_add_test(tc, it_may_be_closed_at_any_step);
    tcase_add_test(tc, after_stop_nothing_is_sent);
    tcase_add_test(tc, rows_outlive_the_session);
    suite_add_tcase(suite, tc);
    tc = tcase_create("damage");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, a_damaged_page_is_told_and_updates_go_on, 0, 2);
    tcase_add_test(tc, an_outbox_that_is_damaged_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
