/* The storage's tables and the outbox's in one database, whichever comes first. */
#include "outbox/sql.h"
#include "tests/store/database.h"

#include <sqlite3.h>

static sqlite3 *user;

static void begin(void)
{
    setup();
    ck_assert_int_eq(sqlite3_open(path, &user), SQLITE_OK);
}

static void done(void)
{
    ck_assert_int_eq(sqlite3_close(user), SQLITE_OK);
    teardown();
}

static void run(const char *sql)
{
    ck_assert_msg(sqlite3_exec(user, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(user));
}

static int enqueue(void)
{
    const gap_outbox_item_t item = {
        .kind = GAP_OUTBOX_SEND, .chat = {5, GAP_PEER_USER}, .content = {.text = gap_str("hello")}};

    run("BEGIN IMMEDIATE");
    int r = gap_outbox_enqueue(user, &item, NULL);
    run(r == 0 ? "COMMIT" : "ROLLBACK");
    return r;
}

static int try_open(void)
{
    gap_storage_fault_t fault = {0};
    gap_storage_t *s = make();
    int r = s->ops->open(s, &fault);

    s->ops->close(s);
    s->ops->destroy(s);
    return r;
}

START_TEST(test_outbox_before_storage)
{
    ck_assert_int_eq(enqueue(), 0);
    ck_assert_int_eq(try_open(), 0);
    ck_assert_int_eq(enqueue(), 0);
    ck_assert_int_eq(try_open(), 0);
}
END_TEST

START_TEST(test_storage_before_outbox)
{
    ck_assert_int_eq(try_open(), 0);
    ck_assert_int_eq(enqueue(), 0);
    ck_assert_int_eq(try_open(), 0);
}
END_TEST

START_TEST(test_each_looks_at_its_own)
{
    ck_assert_int_eq(enqueue(), 0);
    run("UPDATE gapless_outbox_meta SET version = 2");
    ck_assert_int_eq(enqueue(), GAP_E_NEWER);
    ck_assert_int_eq(try_open(), 0); /* a client without outbox may */
    run("UPDATE gapless_outbox_meta SET version = 1; UPDATE gapless_meta SET version = 99");
    ck_assert_int_eq(enqueue(), 0);
    ck_assert_int_eq(try_open(), GAP_E_NEWER);
    run("UPDATE gapless_meta SET version = 2; CREATE TABLE gapless_other(x)");
    ck_assert_int_eq(enqueue(), 0);
    ck_assert_int_eq(try_open(), GAP_E_FOREIGN);
}
END_TEST

START_TEST(test_a_foreign_table_of_that_name)
{
    run("CREATE TABLE gapless_outbox(x)");
    ck_assert_int_eq(try_open(), 0);
    ck_assert_int_eq(enqueue(), GAP_E_FOREIGN);
    run("DROP TABLE gapless_outbox; CREATE TABLE mine(x);"
        "CREATE INDEX gapless_outbox_waits ON mine(x)");
    ck_assert_int_eq(enqueue(), GAP_E_FOREIGN);
    run("DROP INDEX gapless_outbox_waits");
    ck_assert_int_eq(enqueue(), 0);
}
END_TEST

static int call_outbox(void *arg, sqlite3 *db)
{
    const gap_outbox_item_t items[] = {{.kind = GAP_OUTBOX_SEND,
                                        .chat = {5, GAP_PEER_USER},
                                        .content = {.text = gap_str("hello")}},
                                       {.kind = GAP_OUTBOX_SEND, /* no text */
                                        .chat = {5, GAP_PEER_USER}}};
    int64_t row = 0;
    int r = gap_outbox_enqueue_all(db, items, 2, NULL);

    *(int *)arg = r;
    if (r == GAP_E_ARGUMENT) r = gap_outbox_enqueue(db, items, &row);
    if (r == 0) r = gap_outbox_cancel(db, row);
    return r == 0 ? gap_outbox_retry(db, row, NULL) : r;
}

/* The functions of the user's side work inside a transactional handler, too. */
START_TEST(test_inside_a_handler)
{
    gap_storage_fault_t fault = {0};
    gap_storage_t *s = opened();
    int result = -1;
    int many = 0;
    gap_record_t r = {.kind = GAP_RECORD_CALL};

    r.u.call.call = call_outbox;
    r.u.call.arg = &many;
    r.u.call.result = &result;
    ck_assert_int_eq(s->ops->commit(s, &r, 1, &fault), 0);
    ck_assert_int_eq(many, GAP_E_ARGUMENT);
    ck_assert_int_eq(result, 0);
    end(s);
    sqlite3_stmt *stmt = NULL;
    ck_assert_int_eq(sqlite3_prepare_v2(user, "SELECT count(*), max(state) FROM gapless_outbox", -1,
                                        &stmt, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_column_int(stmt, 0), 1);
    ck_assert_int_eq(sqlite3_column_int(stmt, 1), GAP_OUTBOX_READY);
    sqlite3_finalize(stmt);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("store_sqlite_outbox");
    TCase *tc = tcase_create("outbox");

    tcase_add_checked_fixture(tc, begin, done);
    tcase_add_test(tc, test_outbox_before_storage);
    tcase_add_test(tc, test_storage_before_outbox);
    tcase_add_test(tc, test_each_looks_at_its_own);
    tcase_add_test(tc, test_a_foreign_table_of_that_name);
    tcase_add_test(tc, test_inside_a_handler);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
