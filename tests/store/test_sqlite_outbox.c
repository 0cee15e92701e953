/* The storage's tables and the outbox's in one database, whichever comes first. */
#include "outbox/sql.h"
#include "tests/store/database.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

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

/* Noise in the page of the file that holds these words. */
static void spoil(const char *words)
{
    enum { PAGE = 4096 };
    static char bytes[4 << 20];
    FILE *f = fopen(path, "r+b");

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

/* After a failed sync every table is looked at, and the one that is damaged is named. */
START_TEST(test_a_damaged_page_of_the_outbox_is_told)
{
    gap_storage_fault_t fault = {0};
    char name[340];

    ck_assert_int_eq(try_open(), 0);
    ck_assert_int_eq(enqueue(), 0);
    run("UPDATE gapless_outbox SET reason = 'a row of the outbox'; CREATE TABLE mine(x);"
        "INSERT INTO mine VALUES('a row of the user'); PRAGMA wal_checkpoint(TRUNCATE)");
    ck_assert_int_eq(sqlite3_close(user), SQLITE_OK);
    user = NULL;
    spoil("a row of the user"); /* nobody asked about that one */
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s-gapless.lock", path);
        FILE *lock = fopen(name, "w");
        ck_assert_ptr_nonnull(lock);
        ck_assert_int_gt(fprintf(lock, "1 unsynced\n"), 0);
        ck_assert_int_eq(fclose(lock), 0);
        gap_storage_t *s = make();
        int r = s->ops->open(s, &fault);
        end(s);
        ck_assert_msg(r == (i == 0 ? 0 : GAP_E_DAMAGED), "%d %s", r, fault.text);
        if (i == 0) spoil("a row of the outbox");
    }
    ck_assert_ptr_nonnull(strstr(fault.text, "table gapless_outbox is damaged"));
    ck_assert_ptr_nonnull(strstr(fault.text, "backup"));
    ck_assert_int_eq(sqlite3_open(path, &user), SQLITE_OK);
}
END_TEST

static int read_outbox(void *arg, sqlite3 *db)
{
    int rc = sqlite3_exec(db, "UPDATE gapless_outbox SET state = 3", NULL, NULL, NULL);

    ck_assert_int_eq(rc, SQLITE_CORRUPT);
    return *(int *)arg;
}

static int write_mine(void *arg, sqlite3 *db)
{
    ++*(int *)arg;
    return sqlite3_exec(db, "INSERT INTO mine VALUES('another')", NULL, NULL, NULL) == 0 ? 7 : -1;
}

static int64_t number(const char *sql)
{
    sqlite3_stmt *stmt = NULL;

    ck_assert_int_eq(sqlite3_prepare_v2(user, sql, -1, &stmt, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
    return n;
}

/* Whether it says so or not: what else is in the commit is stored, and each function counts once.
 */
START_TEST(test_a_function_that_meets_a_damaged_page_keeps_nobody_else)
{
    gap_storage_fault_t fault = {0};
    int says = _i == 0 ? GAP_E_STORAGE : 0;
    int ran = 0;
    int results[3] = {5, 5, 5};
    gap_record_t records[5] = {
        {.kind = GAP_RECORD_STATE, .u.state = {.pts = 10}},
        {.kind = GAP_RECORD_CALL},
        {.kind = GAP_RECORD_CALL},
        {.kind = GAP_RECORD_CALL},
        {.kind = GAP_RECORD_CHANNEL, .u.channel = {.id = 5, .pts = 20}},
    };

    for (int i = 0; i < 3; i++) {
        gap_call_record_t *c = &records[1 + i].u.call;
        c->call = i == 1 ? read_outbox : write_mine;
        c->arg = i == 1 ? &says : &ran;
        c->result = &results[i];
    }
    ck_assert_int_eq(try_open(), 0);
    ck_assert_int_eq(enqueue(), 0);
    run("UPDATE gapless_outbox SET reason = 'a row of the outbox'; CREATE TABLE mine(x);"
        "PRAGMA wal_checkpoint(TRUNCATE)");
    spoil("a row of the outbox");
    gap_storage_t *s = opened();
    int r = s->ops->commit(s, records, 5, &fault);
    ck_assert_msg(r == 0, "%d %s", r, fault.text);
    ck_assert_int_eq(results[0], 7);
    ck_assert_int_eq(results[1], GAP_E_DAMAGED);
    ck_assert_int_eq(results[2], 7);
    ck_assert_int_eq(number("SELECT count(*) FROM mine"), 2);
    ck_assert_int_eq(number("SELECT pts FROM gapless_state"), 10);
    ck_assert_int_eq(number("SELECT pts FROM gapless_channel WHERE id = 5"), 20);
    ck_assert_int_eq(s->ops->commit(s, records, 1, &fault), 0);
    end(s);
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
    tcase_add_test(tc, test_a_damaged_page_of_the_outbox_is_told);
    tcase_add_loop_test(tc, test_a_function_that_meets_a_damaged_page_keeps_nobody_else, 0, 2);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
