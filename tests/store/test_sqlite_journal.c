/*
 * tests/store/test_sqlite_journal.c - a journal in SQLite: functions inside a commit, whatever they
 * do to the connection; updates completed in a transaction of the user's; rows that were edited;
 * databases of version 1; a database that is locked.
 */
#include "tests/store/database.h"

#include "store/complete.h"

#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

static void check_dump(gap_storage_t *s, const char *want)
{
    char *dump = store_dump(s);

    ck_assert_str_eq(dump, want);
    free(dump);
}

static void commit(gap_storage_t *s, const gap_record_t *records, size_t count)
{
    gap_storage_fault_t fault = {0};
    int r = s->ops->commit(s, records, count, &fault);

    ck_assert_msg(r == 0, "commit: %d %s", r, fault.text);
}

#define COMMIT(s, ...)                                                                             \
    commit(s, (gap_record_t[]){__VA_ARGS__},                                                       \
           sizeof((gap_record_t[]){__VA_ARGS__}) / sizeof(gap_record_t))

static sqlite3 *user(void)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void run(sqlite3 *db, const char *sql)
{
    char *error = NULL;
    int rc = sqlite3_exec(db, sql, NULL, NULL, &error);

    ck_assert_msg(rc == SQLITE_OK, "%s: %s", sql, error);
}

static int number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;

    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    int n = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int(stmt, 0) : -1;
    ck_assert_int_eq(sqlite3_finalize(stmt), SQLITE_OK);
    return n;
}

static void user_runs(const char *sql)
{
    sqlite3 *db = user();

    run(db, sql);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static int user_number(const char *sql)
{
    sqlite3 *db = user();
    int n = number(db, sql);

    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    return n;
}

#define AT " attempts 0 box 3 of 1001 at 1700000000000000: "

/* --- calls ------------------------------------------------------------------------------------ */

/* What a handler does: SQL, of which each statement has to end as it says. */
struct script {
    const char *sql[6];
    int want[6]; /* a SQLite code */
    int result;
    int runs;
};

static int play(void *arg, sqlite3 *db)
{
    struct script *s = arg;

    s->runs++;
    for (size_t i = 0; i < 6 && s->sql[i] != NULL; i++) {
        int rc = sqlite3_exec(db, s->sql[i], NULL, NULL, NULL) & 0xff;
        if (rc != s->want[i]) return -1000 - rc;
    }
    return s->result;
}

static gap_record_t call_of(int (*call)(void *arg, sqlite3 *db), void *arg, int *result,
                            uint64_t inbox)
{
    gap_record_t r = {.kind = GAP_RECORD_CALL};

    r.u.call.call = call;
    r.u.call.arg = arg;
    r.u.call.result = result;
    r.u.call.inbox = inbox;
    return r;
}

struct call_case {
    const char *why;
    struct script script;
    int want;  /* the result */
    int count; /* rows in `mine` afterwards */
    int runs;
};

static const struct call_case call_cases[] = {
    {"it writes", {{"INSERT INTO mine VALUES(1)"}, {0}, 3, 0}, 3, 1, 1},
    {"it fails", {{"INSERT INTO mine VALUES(1)"}, {0}, -3, 0}, -3, 0, 1},
    {"a statement fails, and it goes on",
     {{"INSERT INTO mine VALUES(1)", "INSERT INTO none VALUES(1)", "INSERT INTO mine VALUES(2)"},
      {0, SQLITE_ERROR, 0},
      0,
      0},
     0,
     2,
     1},
    {"it may not end the transaction",
     {{"INSERT INTO mine VALUES(1)", "COMMIT", "ROLLBACK", "BEGIN", "RELEASE gapless_call",
       "ROLLBACK TO gapless_call"},
      {0, SQLITE_AUTH, SQLITE_AUTH, SQLITE_AUTH, SQLITE_AUTH, SQLITE_AUTH},
      0,
      0},
     0,
     1,
     1},
    {"nor attach a file", {{"ATTACH ':memory:' AS other"}, {SQLITE_AUTH}, 0, 0}, 0, 0, 1},
    {"savepoints of its own, one left open",
     {{"SAVEPOINT a; INSERT INTO mine VALUES(1)", "ROLLBACK TO a", "INSERT INTO mine VALUES(2)",
       "SAVEPOINT b; INSERT INTO mine VALUES(3)"},
      {0},
      0,
      0},
     0,
     2,
     1},
    {"open savepoints are undone with it",
     {{"SAVEPOINT b; INSERT INTO mine VALUES(3)"}, {0}, -1, 0},
     -1,
     0,
     1},
    {"a conflict that ends the transaction: it is left out",
     {{"INSERT INTO mine VALUES(1)", "INSERT OR ROLLBACK INTO mine VALUES(1)"},
      {0, SQLITE_CONSTRAINT},
      0,
      0},
     GAP_E_STATE,
     0,
     1},
    {"a table of its own, made and dropped",
     {{"CREATE TABLE more(x); INSERT INTO more VALUES(1)", "DROP TABLE more"}, {0}, 0, 0},
     0,
     0,
     1},
    {"the least number there is", {{NULL}, {0}, INT32_MIN, 0}, GAP_E_STATE, 0, 1},
};

START_TEST(what_a_call_may_do)
{
    const struct call_case *c = &call_cases[_i];
    struct script script = c->script;
    struct script before = {{"INSERT INTO mine VALUES(101)"}, {0}, 0, 0};
    struct script after = {{"INSERT INTO mine VALUES(102)"}, {0}, 0, 0};
    gap_storage_t *s = opened();
    int results[3];

    user_runs("CREATE TABLE mine(x UNIQUE)");
    COMMIT(s, store_inbox(1, "one"), store_inbox(2, "two"), store_inbox(3, "three"));
    COMMIT(s, store_value("a", "b"), call_of(play, &before, &results[0], 1),
           call_of(play, &script, &results[1], 2), call_of(play, &after, &results[2], 3),
           store_channel(7, 1, false));
    ck_assert_msg(results[1] == c->want, "%s: %d", c->why, results[1]);
    ck_assert_msg(script.runs == c->runs, "%s: %d runs", c->why, script.runs);
    ck_assert_int_eq(results[0], 0);
    ck_assert_int_eq(results[2], 0);
    check_dump(s, c->want < 0 ? "channel 7 at 1\ninbox 2 eid 02 content -2" AT "two\nvalue a: b"
                              : "channel 7 at 1\nvalue a: b");
    /* The connection is as it was. */
    COMMIT(s, store_value("a", "c"));
    check_dump(s, c->want < 0 ? "channel 7 at 1\ninbox 2 eid 02 content -2" AT "two\nvalue a: c"
                              : "channel 7 at 1\nvalue a: c");
    ck_assert_msg(user_number("SELECT count(*) FROM mine") == c->count + 2, "%s", c->why);
    ck_assert_int_eq(user_number("SELECT count(*) FROM mine WHERE x > 100"), 2);
    end(s);
}
END_TEST

/* It leaves a statement at work, one not finalised, and one that writes and has not ended. */
static int leave_statements(void *arg, sqlite3 *db)
{
    sqlite3_stmt **stmts = arg;

    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT x FROM mine", -1, &stmts[0], NULL), 0);
    ck_assert_int_eq(sqlite3_step(stmts[0]), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "INSERT INTO mine SELECT x + 10 FROM mine RETURNING x",
                                        -1, &stmts[1], NULL),
                     0);
    ck_assert_int_eq(sqlite3_step(stmts[1]), SQLITE_ROW);
    return 0;
}

START_TEST(a_call_that_leaves_statements_behind)
{
    sqlite3_stmt *stmts[2] = {NULL, NULL};
    gap_storage_t *s = opened();
    int result = 9;

    user_runs("CREATE TABLE mine(x); INSERT INTO mine VALUES(1), (2)");
    COMMIT(s, call_of(leave_statements, stmts, &result, 0), store_value("a", "b"));
    ck_assert_int_eq(result, 0);
    ck_assert_int_eq(user_number("SELECT count(*) FROM mine"), 4);
    COMMIT(s, store_value("a", "c"));
    check_dump(s, "value a: c");
    for (int i = 0; i < 2; i++) ck_assert_int_eq(sqlite3_finalize(stmts[i]), SQLITE_OK);
    end(s);
}
END_TEST

/* Every one of them ends the transaction: one after the other is left out. */
START_TEST(many_calls_that_end_the_transaction)
{
    enum { N = 6 };
    struct script scripts[N];
    gap_record_t records[N];
    gap_storage_t *s = opened();
    int results[N];

    user_runs("CREATE TABLE mine(x UNIQUE); INSERT INTO mine VALUES(1)");
    for (int i = 0; i < N; i++) {
        scripts[i] = (struct script){
            {i == 3 ? "INSERT INTO mine VALUES(4)" : "INSERT OR ROLLBACK INTO mine VALUES(1)"},
            {i == 3 ? 0 : SQLITE_CONSTRAINT},
            0,
            0};
        records[i] = call_of(play, &scripts[i], &results[i], 0);
    }
    commit(s, records, N);
    for (int i = 0; i < N; i++) ck_assert_int_eq(results[i], i == 3 ? 0 : GAP_E_STATE);
    ck_assert_int_eq(user_number("SELECT count(*) FROM mine"), 2);
    end(s);
}
END_TEST

START_TEST(a_locked_database_runs_no_calls)
{
    struct script script = {{"INSERT INTO mine VALUES(1)"}, {0}, 0, 0};
    gap_storage_fault_t fault = {0};
    gap_storage_t *s = opened();
    int result = 5;
    gap_record_t record = call_of(play, &script, &result, 0);

    user_runs("CREATE TABLE mine(x)");
    sqlite3 *db = user();
    run(db, "BEGIN IMMEDIATE; INSERT INTO mine VALUES(7)");
    ck_assert_int_eq(s->ops->commit(s, &record, 1, &fault), GAP_E_STORAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, "locks it"));
    ck_assert_int_eq(script.runs, 0);
    run(db, "COMMIT");
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    commit(s, &record, 1);
    ck_assert_int_eq(result, 0);
    ck_assert_int_eq(user_number("SELECT count(*) FROM mine"), 2);
    end(s);
}
END_TEST

/* --- in a transaction of the user's ----------------------------------------------------------- */

#define ME INT64_C(7000000001)

static gap_storage_t *opened_for_me(void)
{
    gap_storage_t *s = opened();

    COMMIT(s, (gap_record_t){.kind = GAP_RECORD_ACCOUNT, .u.account = {ME, false}},
           store_inbox(1, "one"), store_inbox(2, "two"));
    user_runs("CREATE TABLE mine(x)");
    return s;
}

#define ACCOUNT "account 7000000001\n"

START_TEST(completed_with_the_users_rows_or_not_at_all)
{
    gap_done_record_t done = store_done(5, GAP_BOX_COMMON, 0, 8).u.done;
    gap_storage_t *s = opened_for_me();
    sqlite3 *db = user();

    run(db, "BEGIN IMMEDIATE; INSERT INTO mine VALUES(1)");
    ck_assert_int_eq(gap_sqlite_complete(db, ME, 1, &done), 0);
    run(db, "ROLLBACK");
    check_dump(s, ACCOUNT "inbox 1 eid 01 content -1" AT "one\ninbox 2 eid 02 content -2" AT "two");
    run(db, "BEGIN; INSERT INTO mine VALUES(1)"); /* a writer already */
    ck_assert_int_eq(gap_sqlite_complete(db, ME, 1, &done), 0);
    ck_assert_int_eq(gap_sqlite_complete(db, ME, 1, &done), 0); /* twice is once */
    run(db, "SAVEPOINT a");
    ck_assert_int_eq(gap_sqlite_complete(db, ME, 2, NULL), 0);
    run(db, "ROLLBACK TO a; COMMIT");
    check_dump(s,
               ACCOUNT "done 05 content 5 box 1 of 0 before 8\ninbox 2 eid 02 content -2" AT "two");
    ck_assert_int_eq(number(db, "SELECT count(*) FROM mine"), 1);
    /* What the library does afterwards is harmless, and forgets it in time. */
    COMMIT(s, store_removed(store_inbox(1, "")), store_attempts(1, 3), store_state(8, 0, 0, 0));
    check_dump(s, ACCOUNT "done 05 content 5 box 1 of 0 before 8\ninbox 2 eid 02 content -2" AT
                          "two\nstate 8 0 0 0");
    COMMIT(s, store_state(9, 0, 0, 0));
    check_dump(s, ACCOUNT "inbox 2 eid 02 content -2" AT "two\nstate 9 0 0 0");
    /* Outside of the inbox there is nothing to remove. */
    run(db, "BEGIN");
    ck_assert_int_eq(gap_sqlite_complete(db, ME, 0, &done), 0);
    ck_assert_int_eq(gap_sqlite_complete(db, ME, 0, NULL), 0);
    ck_assert_int_eq(gap_sqlite_complete(db, ME, 99, NULL), 0);
    run(db, "COMMIT");
    ck_assert_int_eq(number(db, "SELECT count(*) FROM gapless_done"), 1);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    end(s);
}
END_TEST

START_TEST(completed_in_the_wrong_place)
{
    static const struct {
        const char *why;
        const char *sql;
        int64_t user;
        int want;
    } cases[] = {
        {"no transaction", "SELECT 1", ME, GAP_E_STATE},
        {"another account's", "BEGIN", ME + 1, GAP_E_FOREIGN},
        {"nobody's yet", "UPDATE gapless_meta SET user_id = NULL; BEGIN", ME, GAP_E_FOREIGN},
        {"an edited one", "UPDATE gapless_meta SET user_id = 'me'; BEGIN", ME, GAP_E_FOREIGN},
        {"no row", "DELETE FROM gapless_meta; BEGIN", ME, GAP_E_FOREIGN},
        {"no such tables", "DROP TABLE gapless_meta; BEGIN", ME, GAP_E_FOREIGN},
        {"an old version", "UPDATE gapless_meta SET version = 1; BEGIN", ME, GAP_E_FOREIGN},
        {"a newer version", "UPDATE gapless_meta SET version = 99; BEGIN", ME, GAP_E_NEWER},
        {"a table less", "DROP TABLE gapless_inbox; BEGIN", ME, GAP_E_DAMAGED},
        {"read-only", "PRAGMA query_only = 1; BEGIN", ME, GAP_E_STORAGE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        teardown();
        setup();
        end(opened_for_me());
        sqlite3 *db = user();
        run(db, cases[i].sql);
        int r = gap_sqlite_complete(db, cases[i].user, 1, NULL);
        ck_assert_msg(r == cases[i].want, "%s: %d", cases[i].why, r);
        ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    }
}
END_TEST

START_TEST(completed_with_nonsense)
{
    gap_done_record_t none = {.box = GAP_BOX_COMMON};
    gap_storage_t *s = opened_for_me();
    sqlite3 *db = user();

    run(db, "BEGIN");
    ck_assert_int_eq(gap_sqlite_complete(db, ME, UINT64_MAX, NULL), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_sqlite_complete(db, ME, 1, &none), GAP_E_ARGUMENT);
    run(db, "COMMIT");
    ck_assert_int_eq(number(db, "SELECT count(*) FROM gapless_inbox"), 2);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    end(s);
}
END_TEST

/* The tables of another file commit by themselves: those count for nothing. */
START_TEST(completed_in_an_attached_file)
{
    char sql[400];
    sqlite3 *db = NULL;

    end(opened_for_me());
    ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    snprintf(sql, sizeof sql, "ATTACH '%s' AS other", path);
    run(db, sql);
    run(db, "BEGIN");
    ck_assert_int_eq(gap_sqlite_complete(db, ME, 1, NULL), GAP_E_FOREIGN);
    run(db, "ROLLBACK");
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}
END_TEST

START_TEST(completed_while_another_one_writes)
{
    gap_storage_t *s = opened_for_me();
    sqlite3 *db = user();
    sqlite3 *other = user();

    run(other, "BEGIN IMMEDIATE; INSERT INTO mine VALUES(1)");
    run(db, "BEGIN");
    ck_assert_int_eq(gap_sqlite_complete(db, ME, 1, NULL), GAP_E_BUSY);
    run(other, "COMMIT");
    /* It has read before the other one wrote: only a new transaction can write. */
    ck_assert_int_eq(gap_sqlite_complete(db, ME, 1, NULL), GAP_E_BUSY);
    run(db, "ROLLBACK; BEGIN");
    ck_assert_int_eq(gap_sqlite_complete(db, ME, 1, NULL), 0);
    run(db, "COMMIT");
    check_dump(s, ACCOUNT "inbox 2 eid 02 content -2" AT "two");
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
    end(s);
}
END_TEST

static int complete_inside(void *arg, sqlite3 *db)
{
    gap_done_record_t done = store_done(6, GAP_BOX_QTS, 0, 8).u.done;
    (void)arg;

    return gap_sqlite_complete(db, ME, 2, &done);
}

START_TEST(completed_inside_a_call)
{
    gap_storage_t *s = opened_for_me();
    int result = 9;

    COMMIT(s, call_of(complete_inside, NULL, &result, 1));
    ck_assert_int_eq(result, 0);
    check_dump(s, ACCOUNT "done 06 content 6 box 2 of 0 before 8");
    end(s);
}
END_TEST

/* --- edited rows ------------------------------------------------------------------------------ */

static int count_one(void *arg, const gap_record_t *record)
{
    size_t *bytes = arg;

    if (record->kind == GAP_RECORD_INBOX) bytes[1] += record->u.inbox.update.len;
    if (record->kind == GAP_RECORD_DEAD) bytes[1] += record->u.dead.update.len;
    if (record->kind == GAP_RECORD_VALUE) bytes[1] += record->u.value.value.len;
    bytes[0]++;
    return 0;
}

struct edit {
    const char *sql;
    bool loads; /* it does not show before it is read */
    gap_record_kind_t kind;
    int want;     /* reading it */
    size_t bytes; /* of it */
};

static const struct edit edits[] = {
    {"UPDATE gapless_inbox SET number = -1", false, GAP_RECORD_INBOX, 0, 0},
    {"UPDATE gapless_inbox SET number = 0", false, GAP_RECORD_INBOX, 0, 0},
    {"UPDATE gapless_inbox SET eid = x'00'", false, GAP_RECORD_INBOX, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_inbox SET eid = zeroblob(1000000)", false, GAP_RECORD_INBOX, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_inbox SET eid = 'sixteen letters!'", false, GAP_RECORD_INBOX, GAP_E_DAMAGED,
     0},
    {"UPDATE gapless_inbox SET content = 'x'", false, GAP_RECORD_INBOX, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_inbox SET attempts = -1", false, GAP_RECORD_INBOX, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_inbox SET attempts = 4294967296", false, GAP_RECORD_INBOX, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_inbox SET attempts = 0.5", false, GAP_RECORD_INBOX, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_inbox SET box = 4", false, GAP_RECORD_INBOX, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_inbox SET box = -1", false, GAP_RECORD_INBOX, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_inbox SET channel_id = 0", false, GAP_RECORD_INBOX, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_inbox SET created_us = x'01'", false, GAP_RECORD_INBOX, GAP_E_DAMAGED, 0},
    /* Bytes may be anything: who unpacks them says what they are. */
    {"UPDATE gapless_inbox SET packed = 12345", true, GAP_RECORD_INBOX, 0, 5},
    {"UPDATE gapless_inbox SET packed = 'text'", true, GAP_RECORD_INBOX, 0, 4},
    {"UPDATE gapless_inbox SET packed = x''", true, GAP_RECORD_INBOX, 0, 0},
    {"UPDATE gapless_inbox SET packed = zeroblob(33554433)", true, GAP_RECORD_INBOX, 0, 0},
    {"UPDATE gapless_dead SET packed = zeroblob(33554433)", true, GAP_RECORD_DEAD, 0, 0},
    {"UPDATE gapless_dead SET reason = 5", true, GAP_RECORD_DEAD, 0, 3}, /* it becomes a text */
    {"UPDATE gapless_dead SET reason = x'ff'", true, GAP_RECORD_DEAD, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_dead SET error = 99999999999", true, GAP_RECORD_DEAD, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_dead SET died_us = 'then'", true, GAP_RECORD_DEAD, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_dead SET box = 3", true, GAP_RECORD_DEAD, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_value SET value = 5", true, GAP_RECORD_VALUE, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_value SET value = 'text'", true, GAP_RECORD_VALUE, GAP_E_DAMAGED, 0},
    {"UPDATE gapless_value SET key = 'a'", true, GAP_RECORD_VALUE, 0, 0},
    {"UPDATE gapless_done SET eid = 5", false, GAP_RECORD_VALUE, 0, 3},
    {"UPDATE gapless_done SET eid = zeroblob(16)", false, GAP_RECORD_VALUE, 0, 3},
    {"UPDATE gapless_done SET eid = randomblob(17)", false, GAP_RECORD_VALUE, 0, 3},
    {"UPDATE gapless_done SET before = 2147483648", false, GAP_RECORD_VALUE, 0, 3},
    {"UPDATE gapless_done SET box = 9", false, GAP_RECORD_VALUE, 0, 3},
    {"UPDATE gapless_boot SET epoch = -1", false, GAP_RECORD_VALUE, 0, 3},
    {"UPDATE gapless_boot SET clean = 2", false, GAP_RECORD_VALUE, 0, 3},
    {"UPDATE gapless_boot SET secret = x'00'", false, GAP_RECORD_VALUE, 0, 3},
    {"UPDATE gapless_boot SET secret = zeroblob(33)", false, GAP_RECORD_VALUE, 0, 3},
    {"UPDATE gapless_boot SET secret = 'thirty-two letters, as it should'", false, GAP_RECORD_VALUE,
     0, 3},
};

START_TEST(edited_rows)
{
    const struct edit *e = &edits[_i];
    gap_storage_fault_t fault = {0};
    gap_storage_t *s = opened();
    size_t seen[2] = {0, 0};
    gap_read_t what = {.kind = e->kind, .after = e->kind != GAP_RECORD_VALUE};

    if (e->kind == GAP_RECORD_VALUE) what.key = (gap_bytes_t){(const uint8_t *)"a", 1};
    COMMIT(s, store_inbox(5, "abc"), store_done(5, GAP_BOX_QTS, 0, 1), store_dead(6, 1, "b", "abc"),
           store_value("a", "abc"), store_boot(1, true, 1));
    end(s);
    user_runs(e->sql);
    s = opened();
    int r = s->ops->load(s, count_one, seen, &fault);
    ck_assert_msg(r == (e->loads ? 0 : GAP_E_DAMAGED), "%s: load: %d", e->sql, r);
    if (r < 0)
        ck_assert_msg(strstr(fault.text, "has a row") != NULL && strstr(fault.text, "; ") != NULL,
                      "%s: text '%s'", e->sql, fault.text);
    seen[0] = seen[1] = 0;
    memset(&fault, 0, sizeof fault);
    r = s->ops->read(s, &what, count_one, seen, &fault);
    ck_assert_msg(r == e->want, "%s: read: %d", e->sql, r);
    ck_assert_msg(seen[1] == e->bytes, "%s: %zu bytes", e->sql, seen[1]);
    if (r < 0) ck_assert_str_ne(fault.text, "");
    /* What is written over it makes it right again. */
    user_runs("DELETE FROM gapless_inbox; DELETE FROM gapless_done; DELETE FROM gapless_dead;"
              "DELETE FROM gapless_value; DELETE FROM gapless_boot");
    COMMIT(s, store_inbox(5, "abc"), store_value("a", "x"), store_state(9, 9, 9, 9));
    check_dump(s, "inbox 5 eid 05 content -5" AT "abc\nstate 9 9 9 9\nvalue a: x");
    end(s);
}
END_TEST

/* --- versions --------------------------------------------------------------------------------- */

START_TEST(a_database_of_version_1_gets_a_journal)
{
    gap_storage_t *s = opened();

    COMMIT(s, (gap_record_t){.kind = GAP_RECORD_ACCOUNT, .u.account = {ME, false}},
           store_state(1, 2, 3, 4), store_channel(5, 6, true));
    end(s);
    user_runs("DROP TABLE gapless_inbox; DROP TABLE gapless_done; DROP TABLE gapless_dead;"
              "DROP TABLE gapless_value; DROP TABLE gapless_boot;"
              "UPDATE gapless_meta SET version = 1");
    s = opened();
    check_dump(s, ACCOUNT "channel 5 at 6 unfinished\nstate 1 2 3 4");
    COMMIT(s, store_inbox(1, "one"), store_boot(1, false, 2));
    end(s);
    ck_assert_int_eq(user_number("SELECT version FROM gapless_meta"), 2);
    s = opened();
    check_dump(s, ACCOUNT "boot 1 secret 0202\nchannel 5 at 6 unfinished\n"
                          "inbox 1 eid 01 content -1" AT "one\nstate 1 2 3 4");
    end(s);
}
END_TEST

/* The user's own settings are the user's: ours are of our connection. */
START_TEST(the_users_connection_keeps_its_settings)
{
    gap_storage_t *s = opened();
    sqlite3 *db = user();
    int before = number(db, "PRAGMA secure_delete");

    COMMIT(s, store_inbox(1, "one"));
    ck_assert_int_eq(number(db, "PRAGMA secure_delete"), before);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    ck_assert_int_eq(user_number("PRAGMA secure_delete"), before);
    end(s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("sqlite_journal");
    TCase *tc = tcase_create("journal");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, what_a_call_may_do, 0, sizeof call_cases / sizeof call_cases[0]);
    tcase_add_test(tc, a_call_that_leaves_statements_behind);
    tcase_add_test(tc, many_calls_that_end_the_transaction);
    tcase_add_test(tc, a_locked_database_runs_no_calls);
    tcase_add_test(tc, completed_with_the_users_rows_or_not_at_all);
    tcase_add_test(tc, completed_in_the_wrong_place);
    tcase_add_test(tc, completed_with_nonsense);
    tcase_add_test(tc, completed_in_an_attached_file);
    tcase_add_test(tc, completed_while_another_one_writes);
    tcase_add_test(tc, completed_inside_a_call);
    tcase_add_loop_test(tc, edited_rows, 0, sizeof edits / sizeof edits[0]);
    tcase_add_test(tc, a_database_of_version_1_gets_a_journal);
    tcase_add_test(tc, the_users_connection_keeps_its_settings);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
