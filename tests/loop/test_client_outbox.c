/*
 * tests/loop/test_client_outbox.c - an outbox on libuv and a real disk: rows of other threads go
 * out at once when they wake it and soon when they don't, a locked database never blocks the loop,
 * and an idle outbox costs next to nothing.
 */
#include "tests/loop/account.h"

#include "tests/loop/dc_thread.h"

#include <gapless/outbox.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOCK_MS 1500
#define ROWS    30

struct bench {
    dc_thread_t dc;
    uv_loop_t loop;
    struct account_folder folder;
    char session[96];
    char state[96];
    struct account a;
    gap_outbox_config_t outbox;
    sqlite3 *db;
    unsigned sent;
    int64_t wake_every; /* of the thread: 0 never */
    uint64_t beat_us;
    uint64_t slowest_us;
    uv_timer_t heart;
};

static void on_row(gap_client_t *client, const gap_outbox_row_t *row, void *data)
{
    struct bench *b = data;

    (void)client;
    b->sent += row->state == GAP_OUTBOX_SENT;
}

static void sql(sqlite3 *db, const char *text)
{
    ck_assert_msg(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", text,
                  sqlite3_errmsg(db));
}

static sqlite3 *connect_to(const struct bench *b)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(b->state, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 5000);
    return db;
}

static void bench_init(struct bench *b, uint64_t poll_us)
{
    const gap_outbox_rate_t fast = {.calls = 1000, .per_ms = 1000, .burst = 1000};

    memset(b, 0, sizeof *b);
    account_folder_make(&b->folder);
    (void)snprintf(b->session, sizeof b->session, "%s/session", b->folder.path);
    (void)snprintf(b->state, sizeof b->state, "%s/state.db", b->folder.path);
    dc_thread_init(&b->dc);
    dc_thread_start(&b->dc);
    ck_assert_int_eq(uv_loop_init(&b->loop), 0);
    const gap_sqlite_config_t sqlite = {.path = b->state};
    b->outbox = (gap_outbox_config_t){.account = fast,
                                      .user = fast,
                                      .group = fast,
                                      .poll_us = poll_us,
                                      .on_row = on_row,
                                      .data = b};
    gap_client_config_t c = {
        .host = "127.0.0.1",
        .port = b->dc.port,
        .rsa_key = b->dc.pem,
        .api_id = 1,
        .api_hash = "hash",
        .bot_token = "1000:secret",
        .session = b->session,
        .outbox = &b->outbox,
    };
    ck_assert_int_eq(gap_storage_sqlite(NULL, &sqlite, &c.storage), 0);
    account_init(&b->a, &b->loop);
    account_open(&b->a, &c);
    account_start(&b->a);
    account_await(&b->a, GAP_CLIENT_CAUGHT_UP);
    b->db = connect_to(b);
}

static void bench_fini(struct bench *b)
{
    ck_assert_int_eq(sqlite3_close(b->db), SQLITE_OK);
    account_close(&b->a);
    (void)uv_run(&b->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&b->loop), 0);
    dc_thread_stop(&b->dc);
    account_folder_remove(&b->folder);
}

static void put(sqlite3 *db, unsigned n)
{
    char text[32];
    const gap_peer_t chat = {DC_CHANNEL_ID_FIRST + n % 3, GAP_PEER_CHANNEL};

    (void)snprintf(text, sizeof text, "row %u", n);
    const gap_outbox_item_t item = {
        .kind = GAP_OUTBOX_SEND,
        .chat = chat,
        .content = {.text = {(const uint8_t *)text, strlen(text)}},
    };
    sql(db, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outbox_enqueue(db, &item, NULL), 0);
    sql(db, "COMMIT");
}

static void *writer(void *arg)
{
    struct bench *b = arg;
    sqlite3 *db = connect_to(b);

    for (unsigned n = 0; n < ROWS; n++) {
        put(db, n);
        if (b->wake_every > 0) gap_outbox_wake(b->a.client);
    }
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    return NULL;
}

/* With a wake it does not matter how rarely the tables are looked at, and without it does not
 * matter that nobody says anything. */
START_TEST(test_rows_of_another_thread_go_out)
{
    struct bench b;
    pthread_t thread;

    bench_init(&b, _i == 0 ? UINT64_C(3600000000) : 0);
    b.wake_every = _i == 0 ? 1 : 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, writer, &b), 0);
    ck_assert(account_until(&b.loop, &b.sent, ROWS, ACCOUNT_WAIT_MS));
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    bench_fini(&b);
}
END_TEST

static void *waker(void *arg)
{
    for (int i = 0; i < 20000; i++) gap_outbox_wake(arg);
    return NULL;
}

START_TEST(test_many_threads_may_wake_it_at_once)
{
    pthread_t threads[4];
    struct bench b;

    bench_init(&b, UINT64_C(3600000000));
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, waker, b.a.client), 0);
    account_run(&b.loop, 50);
    for (size_t i = 0; i < 4; i++) ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    account_run(&b.loop, 50);
    put(b.db, 1);
    gap_outbox_wake(b.a.client);
    ck_assert(account_until(&b.loop, &b.sent, 1, ACCOUNT_WAIT_MS));
    bench_fini(&b);
}
END_TEST

static void beat(uv_timer_t *timer)
{
    struct bench *b = timer->data;
    uint64_t now_us = uv_hrtime() / 1000;

    if (b->beat_us != 0 && now_us - b->beat_us > b->slowest_us) b->slowest_us = now_us - b->beat_us;
    b->beat_us = now_us;
}

START_TEST(test_a_locked_database_never_blocks_the_loop)
{
    struct bench b;

    bench_init(&b, 0);
    for (unsigned n = 0; n < 3; n++) put(b.db, n); /* the chats are known then */
    ck_assert(account_until(&b.loop, &b.sent, 3, ACCOUNT_WAIT_MS));
    ck_assert_int_eq(uv_timer_init(&b.loop, &b.heart), 0);
    b.heart.data = &b;
    ck_assert_int_eq(uv_timer_start(&b.heart, beat, 5, 5), 0);
    for (unsigned n = 3; n < 9; n++) put(b.db, n);
    gap_outbox_wake(b.a.client);
    sql(b.db, "BEGIN IMMEDIATE");
    account_run(&b.loop, LOCK_MS);
    /* Rows whose claim was on disk before the lock may have gone out; what came of them waits. */
    ck_assert_uint_lt(b.sent, 9);
    sql(b.db, "COMMIT");
    ck_assert(account_until(&b.loop, &b.sent, 9, ACCOUNT_WAIT_MS));
    ck_assert_msg(b.slowest_us < LOCK_MS * 1000 / 3, "the loop stood still for %llu us",
                  (unsigned long long)b.slowest_us);
    uv_close((uv_handle_t *)&b.heart, NULL);
    bench_fini(&b);
}
END_TEST

static uint64_t cpu_us(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int64_t version_of(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;

    ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA data_version", -1, &stmt, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    int64_t version = sqlite3_column_int64(stmt, 0);
    ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
    return version;
}

START_TEST(test_an_idle_outbox_costs_next_to_nothing)
{
    struct bench b;

    bench_init(&b, 0);
    put(b.db, 0);
    ck_assert(account_until(&b.loop, &b.sent, 1, ACCOUNT_WAIT_MS));
    account_run(&b.loop, 3000);
    int64_t version = version_of(b.db);
    uint64_t before = cpu_us();
    account_run(&b.loop, 2000);
    uint64_t cost = cpu_us() - before;
    ck_assert_int_eq(version_of(b.db), version); /* nothing was committed */
    /* All threads, those of the data centre's included. */
    ck_assert_msg(cost < 100000, "%llu us of 2 s", (unsigned long long)cost);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_forked_child_leaves_it_alone)
{
    struct bench b;
    int status = 0;

    bench_init(&b, 0);
    pid_t child = fork();
    if (child == 0) {
        gap_client_abandon(b.a.client);
        _exit(0);
    }
    ck_assert_int_gt(child, 0);
    put(b.db, 1);
    ck_assert(account_until(&b.loop, &b.sent, 1, ACCOUNT_WAIT_MS));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    bench_fini(&b);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_outbox");
    TCase *tc = tcase_create("outbox");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, test_rows_of_another_thread_go_out, 0, 2);
    tcase_add_test(tc, test_many_threads_may_wake_it_at_once);
    tcase_add_test(tc, test_a_locked_database_never_blocks_the_loop);
    tcase_add_test(tc, test_an_idle_outbox_costs_next_to_nothing);
    tcase_add_test(tc, test_a_forked_child_leaves_it_alone);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
