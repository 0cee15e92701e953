/* Functions that look at the database between commits: what they see, and what they may not do. */
#include "tests/store/database.h"

#include <sqlite3.h>

static gap_storage_t *storage;
static gap_storage_fault_t fault;

static int ask(int (*query)(void *arg, struct sqlite3 *db), void *arg)
{
    int result = -1;

    ck_assert_int_eq(storage->ops->query(storage, query, arg, &result, &fault), 0);
    return result;
}

static int number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    int n = rc == SQLITE_ROW ? sqlite3_column_int(stmt, 0) : -rc;
    sqlite3_finalize(stmt);
    return n;
}

static int run_sql(void *arg, sqlite3 *db)
{
    return number(db, arg);
}

static int ask_sql(const char *sql)
{
    char text[96];

    snprintf(text, sizeof text, "%s", sql);
    return ask(run_sql, text);
}

static int leave_statement(void *arg, sqlite3 *db)
{
    sqlite3_stmt **stmt = arg;

    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT 1 FROM mine", -1, stmt, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(*stmt), SQLITE_ROW);
    return 9;
}

static int end_statement(void *arg, sqlite3 *db)
{
    sqlite3_stmt **stmt = arg;

    (void)db;
    ck_assert(!sqlite3_stmt_busy(*stmt));
    return sqlite3_finalize(*stmt);
}

START_TEST(test_it_looks_and_changes_nothing)
{
    static const char *const denied[] = {
        "INSERT INTO mine VALUES(3)",
        "DELETE FROM mine",
        "UPDATE mine SET x = 1",
        "CREATE TABLE other(x)",
        "DROP TABLE mine",
        "BEGIN",
        "SAVEPOINT a",
        "PRAGMA user_version = 5",
        "ATTACH ':memory:' AS a",
        "VACUUM",
    };
    sqlite3 *user = NULL;

    storage = opened();
    ck_assert_int_eq(sqlite3_open(path, &user), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(user, "CREATE TABLE mine(x); INSERT INTO mine VALUES(7)", NULL, NULL, NULL),
        SQLITE_OK);
    ck_assert_int_eq(ask_sql("SELECT x FROM mine"), 7);
    for (size_t i = 0; i < sizeof denied / sizeof denied[0]; i++) {
        int r = ask_sql(denied[i]);
        ck_assert_msg(r == -SQLITE_AUTH || r == -SQLITE_ERROR, "%s: %d", denied[i], r);
    }
    int version = ask_sql("PRAGMA data_version");
    ck_assert_int_eq(ask_sql("PRAGMA data_version"), version);
    ck_assert_int_eq(sqlite3_exec(user, "INSERT INTO mine VALUES(8)", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_ne(ask_sql("PRAGMA data_version"), version);
    ck_assert_int_eq(ask_sql("SELECT count(*) FROM mine"), 2);
    sqlite3_close(user);
    end(storage);
}
END_TEST

START_TEST(test_a_statement_left_behind_holds_nobody_up)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3 *user = NULL;
    gap_record_t r = {.kind = GAP_RECORD_CHANNEL, .u.channel = {.id = 7, .pts = 5}};

    storage = opened();
    ck_assert_int_eq(sqlite3_open(path, &user), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(user, "CREATE TABLE mine(x); INSERT INTO mine VALUES(7), (8)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(ask(leave_statement, &stmt), 9);
    ck_assert_int_eq(storage->ops->commit(storage, &r, 1, &fault), 0);
    ck_assert_int_eq(ask(end_statement, &stmt), SQLITE_OK);
    sqlite3_close(user);
    storage->ops->close(storage);
    int result = 0;
    ck_assert_int_eq(storage->ops->query(storage, run_sql, NULL, &result, &fault), GAP_E_STATE);
    storage->ops->destroy(storage);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("store_sqlite_query");
    TCase *tc = tcase_create("query");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_it_looks_and_changes_nothing);
    tcase_add_test(tc, test_a_statement_left_behind_holds_nobody_up);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
