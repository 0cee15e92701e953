/*
 * tests/loop/test_client_locked.c - somebody else keeps the database locked while updates come:
 * handlers go on at full rate, the client says so once and what to do, and once the lock is gone
 * everything is stored, and that is said.
 */
#include "tests/loop/account.h"

#include "tests/loop/dc_thread.h"

#include <sqlite3.h>

#define EVENTS   1500
#define RATE     200 /* a second: 7.5 s */
#define LOCK_MS  6500
#define SLICE_MS 250

struct bench {
    dc_thread_t dc;
    uv_loop_t loop;
    struct account_folder folder;
    char session[96];
    char state[96];
    struct account a;
    sqlite3 *other;
    unsigned handled;
};

static int on_update(gap_update_t *update, void *data)
{
    struct bench *b = data;

    (void)update;
    b->handled++;
    return 0;
}

static void sql(struct bench *b, const char *text)
{
    ck_assert_msg(sqlite3_exec(b->other, text, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", text,
                  sqlite3_errmsg(b->other));
}

static int32_t stored_pts(struct bench *b)
{
    sqlite3_stmt *s = NULL;
    int32_t pts = 0;

    ck_assert_int_eq(sqlite3_prepare_v2(b->other, "SELECT pts FROM gapless_state", -1, &s, NULL),
                     SQLITE_OK);
    if (sqlite3_step(s) == SQLITE_ROW) pts = sqlite3_column_int(s, 0);
    (void)sqlite3_finalize(s);
    return pts;
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
    b->dc.options.rate = RATE;
    dc_thread_start(&b->dc);
    ck_assert_int_eq(uv_loop_init(&b->loop), 0);
    const gap_sqlite_config_t sqlite = {.path = b->state};
    gap_client_config_t c = {
        .host = "127.0.0.1",
        .port = b->dc.port,
        .rsa_key = b->dc.pem,
        .api_id = 1,
        .api_hash = "hash",
        .bot_token = "1000:secret",
        .session = b->session,
        .gap_wait_ms = 50,
    };
    ck_assert_int_eq(gap_storage_sqlite(NULL, &sqlite, &c.storage), 0);
    account_init(&b->a, &b->loop);
    b->a.on_update = on_update;
    b->a.data = b;
    account_open(&b->a, &c);
    account_start(&b->a);
}

static void bench_fini(struct bench *b)
{
    account_close(&b->a);
    (void)uv_run(&b->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&b->loop), 0);
    dc_thread_stop(&b->dc);
    account_folder_remove(&b->folder);
}

/* E-d */
START_TEST(test_locked_database_leaves_the_others_running)
{
    struct bench b;
    unsigned slowest = EVENTS;

    bench_init(&b);
    ck_assert(account_until(&b.loop, &b.handled, 50, ACCOUNT_WAIT_MS));
    account_run(&b.loop, 200);
    ck_assert_int_eq(sqlite3_open(b.state, &b.other), SQLITE_OK);
    (void)sqlite3_busy_timeout(b.other, 5000);
    sql(&b, "BEGIN IMMEDIATE");
    int32_t stored = stored_pts(&b);
    ck_assert_int_gt(stored, 0);
    for (unsigned ms = 0; ms < LOCK_MS; ms += SLICE_MS) {
        unsigned before = b.handled;
        account_run(&b.loop, SLICE_MS);
        if (b.handled < EVENTS && b.handled - before < slowest) slowest = b.handled - before;
    }
    /* A quarter of what comes on average, on any machine, in each quarter of a second. */
    ck_assert_uint_ge(slowest, RATE * SLICE_MS / 1000 / 4);
    ck_assert_int_eq(stored_pts(&b), stored);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_STORE_FAILED], 1);
    ck_assert_int_eq(b.a.error[GAP_CLIENT_STORE_FAILED], GAP_E_STORAGE);
    ck_assert_msg(account_says(b.a.text[GAP_CLIENT_STORE_FAILED], "state.db transaction again"),
                  "'%s'", b.a.text[GAP_CLIENT_STORE_FAILED]);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_STORE_RECOVERED], 0);
    sql(&b, "COMMIT");
    ck_assert(account_until(&b.loop, &b.a.seen[GAP_CLIENT_STORE_RECOVERED], 1, ACCOUNT_WAIT_MS));
    ck_assert_msg(account_until(&b.loop, &b.handled, EVENTS, ACCOUNT_WAIT_MS), "%u of %u",
                  b.handled, EVENTS);
    account_run(&b.loop, 500);
    ck_assert_int_gt(stored_pts(&b), stored);
    ck_assert_uint_eq(b.handled, EVENTS);
    ck_assert_int_eq(sqlite3_close(b.other), SQLITE_OK);
    bench_fini(&b);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("client_locked");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_locked_database_leaves_the_others_running);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
